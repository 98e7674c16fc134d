"""The controls of an instrument: fitted in training, stored in its file, fitted at first use where a file has none."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from timbrespace.audio.describe import DESCRIPTORS, NAMES, describe
from timbrespace.corpus.corpus import Corpus
from timbrespace.instrument import Instrument
from timbrespace.space.controls.coordinates import Coordinates, Point
from timbrespace.space.controls.fit import fit_controls
from timbrespace.space.controls.meter import Meter
from timbrespace.synthesis.controls import LEAST_REACH
from tiny import Tiny


@pytest.fixture(scope="module")
def opened(tiny: Tiny) -> Instrument:
    return Instrument.load(tiny.file)


def test_the_file_holds_the_descriptors_of_the_training_sounds(tiny: Tiny, opened: Instrument) -> None:
    corpus, clips = Corpus.open(tiny.corpus), opened.contents.clips
    assert clips is not None
    assert clips.descriptors is not None
    names = {clip.name: index for index, clip in enumerate(corpus.clips)}
    for row in (0, len(clips.names) // 2, -1):
        true = describe(corpus.audio(names[clips.names[row]])[:, : opened.contents.samples], corpus.sample_rate)
        assert torch.equal(clips.descriptors[row].isnan(), true.isnan())
        assert torch.allclose(clips.descriptors[row], true, equal_nan=True, atol=1e-4)


def test_the_same_training_latents_give_the_same_controls(opened: Instrument) -> None:
    stored = opened.contents.controls
    assert stored is not None
    padding = [torch.zeros(size) for size in (3, 1001, 77)]  # other places in memory
    again = fit_controls(opened.contents)
    assert len(padding) == 3
    for name, tensor in stored.tensors().items():
        assert torch.equal(tensor, again.tensors()[name]), name


def test_saved_and_opened_again(opened: Instrument, tmp_path: Path) -> None:
    opened.save(tmp_path / "again.safetensors")
    again = Instrument.load(tmp_path / "again.safetensors").contents
    assert again.controls is not None
    assert again.clips is not None
    assert opened.contents.controls is not None
    assert opened.contents.clips is not None
    assert again.clips.descriptors is not None
    for name, tensor in opened.contents.controls.tensors().items():
        assert torch.equal(tensor, again.controls.tensors()[name])
    assert torch.equal(again.clips.descriptors.nan_to_num(-1), opened.contents.clips.descriptors.nan_to_num(-1))  # type: ignore[union-attr]


def test_spreads_and_ranges_are_those_of_the_corpus(opened: Instrument) -> None:
    controls, clips = opened.contents.controls, opened.contents.clips
    assert controls is not None
    assert clips is not None
    assert clips.descriptors is not None
    for control in controls.offered():
        values = clips.descriptors[:, NAMES.index(control.name)]
        values = values[values.isfinite()]
        assert control.spread == pytest.approx(float(values.std()), rel=1e-4)
        assert control.descriptor.to_scale(control.lowest) >= float(values.min()) - 1e-3
        assert control.descriptor.to_scale(control.highest) <= float(values.max()) + 1e-3
        assert control.low <= 0 <= control.high
        assert control.default == 0
        assert max(-control.low, control.high) >= LEAST_REACH
        assert control.unit == DESCRIPTORS[control.name].unit
    assert {"brightness", "decay", "length", "noisiness"} <= {control.name for control in controls.offered()}
    assert "pitch" not in {control.name for control in controls.offered()}  # drums: nothing in the latent is their pitch


def test_slopes_are_changes_of_what_is_measured(opened: Instrument) -> None:
    """The gradient at a training sound, along a random direction, against a small step."""
    contents = opened.contents
    assert contents.clips is not None
    meter, coordinates = Meter(contents), Coordinates.of(contents)
    points = [Point(z) for z in contents.clips.latents[:4]]
    direction = torch.randn(coordinates.rank, generator=torch.Generator().manual_seed(0))
    slopes = meter.slopes(points, coordinates) @ direction
    step = 0.01 * direction.expand(len(points), -1)
    above, below = (meter.measure(coordinates.move_all(points, sign * step)) for sign in (1, -1))
    for name in ("brightness", "noisiness", "loudness"):
        place = NAMES.index(name)
        assert torch.allclose(slopes[:, place], ((above - below) / 0.02)[:, place], atol=0.05, rtol=0.1), name


def test_files_without_controls_get_them_from_their_latents_and_stripped_ones_from_their_density(opened: Instrument) -> None:
    contents = opened.contents
    assert contents.clips is not None
    older = replace(contents, controls=None, clips=replace(contents.clips, descriptors=None))
    stripped = replace(older, clips=None)
    for one in (older, stripped):
        names = {control.name for control in fit_controls(one).offered()}
        assert {"brightness", "length", "noisiness"} <= names


def test_axes_are_orthonormal_and_the_most_audible_is_first(opened: Instrument) -> None:
    controls = opened.contents.controls
    assert controls is not None
    assert torch.allclose(controls.axes @ controls.axes.T, torch.eye(len(controls.axes)), atol=1e-4)
    assert bool((controls.change.diff() <= 1e-5).all())
    assert float(controls.change[0]) > 0


def test_the_slope_of_a_length_is_that_of_the_decoded_one(opened: Instrument) -> None:
    contents = opened.contents
    assert contents.clips is not None
    meter, coordinates, place = Meter(contents), Coordinates.of(contents), NAMES.index("length")
    assert meter.has_slopes[place]
    points = [Point(z) for z in contents.clips.latents[:6]]
    agree = []
    for point, slopes in zip(points, meter.slopes(points, coordinates)[:, place], strict=True):
        direction = slopes / slopes.norm()
        above, below = meter.measure([coordinates.move(point, sign * 0.3 * direction) for sign in (1, -1)])[:, place]
        agree.append(float((above - below) / 0.6 / slopes.norm()))
    assert min(agree) > 0  # longer where the slope says so
    assert 0.5 < float(torch.tensor(agree).median()) < 2

"""Controls of other families: codes of a codebook, time-varying latents, conditions, views without levels."""

from pathlib import Path

import pytest
import torch

from timbrespace.instrument import Instrument
from timbrespace.latent.space import LatentSpace
from timbrespace.latent.trajectories import Trajectories
from timbrespace.space.controls.coordinates import _apart
from timbrespace.training.train import train
from tiny import NARROW, fix_plan, write_drums

FAMILIES = {
    "vq": ("training.batch=8",),
    "gru": ("training.batch=8",),
    "sequence": NARROW["sequence"],
    "spectra-mdct": NARROW["spectra-mdct"],  # no levels: measured on audio
    "conditional": ("training.batch=8", "model.inner.dims=4"),
}


@pytest.mark.parametrize(("labels", "apart"), [((None, None), 3.0), (("low", "high"), 1.0)])
def test_paths_of_one_kind_may_be_farther_apart_than_a_component_is_wide(labels: tuple[str | None, ...], apart: float) -> None:
    """Two components at ±√8 on the one coordinate that moves the mean, each of width 1: together of width 3."""
    means, factors = torch.tensor([[8.0**0.5, 0.0], [-(8.0**0.5), 0.0]]), torch.eye(2).expand(2, 2, 2)
    space = LatentSpace(torch.tensor([0.5, 0.5]), means, factors, torch.eye(2), labels)
    basis = torch.ones(1, 3, 4)
    assert _apart(Trajectories(torch.zeros(3, 4), basis, torch.ones(1), torch.ones(3), torch.eye(3)), space) == pytest.approx(apart)


class _Label(str):
    """A label whose hash, and with it its place in a set, is chosen: that of text differs from run to run."""

    own: int

    def __hash__(self) -> int:
        return self.own


def test_how_far_paths_are_apart_is_the_same_in_every_run() -> None:
    generator, kinds, found = torch.Generator().manual_seed(0), 12, set()
    means, factors = torch.randn(kinds, 4, generator=generator), 0.3 * torch.randn(kinds, 4, 4, generator=generator)
    basis, weights = torch.randn(3, 5, 7, generator=generator), torch.full((kinds // 2,), 2 / kinds).repeat_interleave(2) / 2
    paths = Trajectories(torch.zeros(5, 7), basis, torch.ones(3), torch.ones(5), torch.eye(4))
    for turn in range(8):
        labels = [_Label(f"kind {k // 2}") for k in range(kinds)]
        for k, label in enumerate(labels):
            label.own = (k // 2) * (2 * turn + 1) % 8
        found.add(_apart(paths, LatentSpace(weights, means, factors, torch.eye(4), tuple(labels))))
    assert len(found) == 1


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_steered_and_repeated(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fix_plan(monkeypatch, variations=1)
    sounds = write_drums(tmp_path / "sounds", 16)
    train(sounds, tmp_path / "x.safetensors", minutes=0.005, preset=name, changes=FAMILIES[name], device="cpu")
    instrument = Instrument.load(tmp_path / "x.safetensors")
    assert instrument.contents.controls is not None
    assert instrument.controls
    control = instrument.controls[0]
    amount = 0.3 if control.high > -control.low else -0.3
    file = min(sounds.rglob("*.wav"))
    (sound,) = instrument.steer(file, {control.name: amount})
    assert sound.recipe["asked"]["reached"][control.name] * amount >= 0
    assert torch.equal(instrument.replay(sound.recipe, sources=file.parent).audio, sound.audio)
    (new,) = instrument.generate(1, controls={control.name: amount})
    assert torch.equal(instrument.replay(new.recipe).audio, new.audio)
    if instrument.model.time_varying:
        length = next(one for one in instrument.controls if one.name == "length")
        (short,) = instrument.steer(file, {"length": max(length.low, -0.5)})
        assert short.audio.shape[1] < instrument.given(file).audio.shape[1]

"""Notes of the native core, held to the Python path: stage by stage, and whole."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.native.notes import CATEGORIES, DIMS, MadeUp, note_file, open_note, tones, traits_of
from torch import Tensor

from native_core import ARGUMENT, MEMORY, OK, Arena, Core
from timbrespace.audio.pitch import midi_to_hz
from timbrespace.audio.stft import mel_filters, power_spectrogram
from timbrespace.noise import Noise, Purpose
from timbrespace.representation.views.bands import Bands
from timbrespace.synthesis.harmonic.partials import separate
from timbrespace.synthesis.harmonic.render import drawn_cents

VIEWS = {
    "mono": Bands(),
    "stereo": Bands(channels=2),
    "fine": Bands(n_fft=2048, hop=512, bands=300, floor=100.0),
    "coarse": Bands(n_fft=256, hop=64, bands=40, sample_rate=22_050),
    "long hop": Bands(n_fft=512, hop=256, bands=100, sample_rate=48_000),
}


@pytest.fixture(scope="module")
def made(core: Core) -> dict[tuple[str, bool], MadeUp]:
    return {(name, maps): MadeUp.make(core, view, maps=maps) for name, view in VIEWS.items() for maps in (True, False)}


def latent(seed: int) -> Tensor:
    return torch.randn(DIMS, generator=torch.Generator().manual_seed(seed))


def decibels_apart(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Power of a signal over that of the difference, dB."""
    both = np.square(theirs.astype(np.float64)).sum(), np.square(ours.astype(np.float64) - theirs).sum()
    return float(10 * np.log10(both[0] / max(both[1], 1e-30)))


def log_mel(audio: Tensor, rate: int) -> Tensor:
    """Levels in dB `(channels, 40, frames)`, cut 80 dB under the loudest."""
    power = (
        mel_filters(bands=40, n_fft=1024, sample_rate=rate, low=20.0, high=rate / 2)
        @ power_spectrogram(audio[None], n_fft=1024, hop=256)[0]
    )
    level = 10 * torch.log10(power.clamp_min(1e-20))
    return level.clamp_min(float(level.max()) - 80)


@pytest.mark.parametrize("maps", [True, False])
def test_traits_of_a_latent(made: dict[tuple[str, bool], MadeUp], maps: bool) -> None:
    one = made["mono", maps]
    for seed in range(50):
        z = 3 * latent(seed)
        ours, theirs = traits_of(one.traits(z)), one.model.of(z)
        for mine, real in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(mine, real, rtol=1e-9)


@pytest.mark.parametrize("maps", [True, False])
@pytest.mark.parametrize("category", [None, *CATEGORIES])
def test_quiet_cells_are_as_quiet_as_in_recorded_notes(made: dict[tuple[str, bool], MadeUp], maps: bool, category: str | None) -> None:
    one = made["stereo", maps]
    features = 90 * torch.rand(2, one.view.bands, 30, generator=torch.Generator().manual_seed(1)) - 85
    parts, _kept = one.core_parts(features, latent(0), part=1, hertz=300.0, category=category)
    levels = one.levels(features, category)[1]
    power = torch.where(levels > 1 - one.view.floor, 10 ** (levels.double() / 10), 0.0) * one.layout.widths[:, None]
    ours = np.ctypeslib.as_array(parts.power, (30, parts.stride))[:, : one.view.bands].T
    decided = np.abs(levels.numpy() - (1 - one.view.floor)) > 1e-3
    np.testing.assert_allclose(ours[decided], power.numpy()[decided], rtol=2e-5)


@pytest.mark.parametrize(("hertz", "stretch"), [(55.0, 0.0), (233.1, 0.0), (440.0, 0.013), (261.6, 0.02), (3_000.0, 0.0), (12_345.0, 0.0)])
@pytest.mark.parametrize("name", list(VIEWS))
def test_partials_and_lines_are_separated_alike(made: dict[tuple[str, bool], MadeUp], name: str, hertz: float, stretch: float) -> None:
    one, z = made[name, True], latent(3)
    features = tones(one.view, hertz=hertz, length=one.view.sample_rate // 2, stretch=stretch)
    for part, levels in enumerate(one.levels(features, "cello")):
        theirs = separate(levels, one.layout, hertz=hertz, traits=one.model.of(z))
        ours, _kept = one.core_parts(features, z, part=part, hertz=hertz, category="cello")
        assert (ours.partials, ours.lines, ours.frames) == (len(theirs.partials), len(theirs.lines), features.shape[2])
        rows = np.ctypeslib.as_array(ours.rows, (ours.partials + ours.lines, ours.columns))[:, : ours.frames]
        expected = torch.cat([theirs.partials, theirs.lines]).numpy()
        np.testing.assert_allclose(rows, expected, rtol=2e-3, atol=1e-7 * expected.max())
        np.testing.assert_allclose(list(ours.place)[: ours.lines], theirs.places.numpy(), rtol=1e-6)
    assert stretch == 0.0 or name in ("coarse", "long hop") or ours.lines > 0


def test_the_pitch_wanders_alike(made: dict[tuple[str, bool], MadeUp]) -> None:
    one, z, length = made["mono", True], latent(5), 44_100
    frames, traits, turns = 1 + length // one.view.hop, one.traits(z), np.zeros(length)
    assert one.core("note_turns", one.handle, 440.0, ctypes.byref(traits), frames, length, 11, turns, Arena(8 << 20)) == OK
    cents = drawn_cents(one.model.of(z), one.layout, frames=frames, seed=11)
    course = np.interp(np.arange(length) / one.view.hop, np.arange(frames), cents)
    np.testing.assert_allclose(turns, np.cumsum(440.0 / 44_100 * 2 ** (course / 1200)), rtol=0, atol=1e-9)


@pytest.mark.parametrize("midi", [21.0, 48.0, 60.37, 84.0, 112.0])
@pytest.mark.parametrize("maps", [True, False])
@pytest.mark.parametrize("name", list(VIEWS))
def test_whole_notes(made: dict[tuple[str, bool], MadeUp], name: str, maps: bool, midi: float) -> None:
    one, z, length = made[name, maps], latent(int(midi)), 13_001
    features = tones(one.view, hertz=midi_to_hz(midi), length=length, stretch=0.011)
    theirs = one.render(features, z, midi=midi, length=length, seed=5, category="organ")
    status, ours = one.core_render(features, z, midi=midi, length=length, seed=5, category="organ")
    assert status == OK
    assert decibels_apart(ours, theirs.numpy()) > 60
    difference = log_mel(torch.from_numpy(ours), one.view.sample_rate) - log_mel(theirs, one.view.sample_rate)
    assert float(difference.abs().mean()) < 0.01


def test_the_seed_and_the_category_change_a_note(made: dict[tuple[str, bool], MadeUp]) -> None:
    one, z = made["mono", True], latent(1)
    features = tones(one.view, hertz=440.0, length=8_000)
    arguments = {"midi": 69.0, "length": 8_000}
    first = one.core_render(features, z, seed=2**63 + 5, category="cello", **arguments)[1]
    assert np.array_equal(first, one.core_render(features, z, seed=2**63 + 5, category="cello", **arguments)[1])
    assert not np.array_equal(first, one.core_render(features, z, seed=6, category="cello", **arguments)[1])
    assert not np.array_equal(first, one.core_render(features, z, seed=2**63 + 5, category="organ", **arguments)[1])
    unmapped = one.core_render(features, z, seed=5, category="bell", **arguments)[1]  # has no levels of its own
    assert np.array_equal(unmapped, one.core_render(features, z, seed=5, category=None, **arguments)[1])


def test_silence_is_silent(made: dict[tuple[str, bool], MadeUp]) -> None:
    one = made["stereo", False]
    features = torch.full((2, one.view.bands, 1 + 3_000 // one.view.hop), -80.0)
    status, audio = one.core_render(features, latent(0), midi=60.0, length=3_000, seed=0)
    assert status == OK
    assert not audio.any()


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_levels_and_pitch_give_finite_audio(made: dict[tuple[str, bool], MadeUp], data: st.DataObject) -> None:
    one = made[data.draw(st.sampled_from(list(VIEWS))), data.draw(st.booleans())]
    length, midi = data.draw(st.integers(1, 5_000)), data.draw(st.floats(-100, 250))
    shape = one.view.channels, one.view.bands, 1 + length // one.view.hop
    features = 300 * torch.rand(shape, generator=torch.Generator().manual_seed(data.draw(st.integers(0, 99)))) - 200
    features.view(-1)[:: data.draw(st.integers(2, 50))] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1e30, -1e30]))
    z = data.draw(st.sampled_from([1.0, 100.0, 1e30])) * latent(length)
    status, audio = one.core_render(features, z, midi=midi, length=length, seed=data.draw(st.integers(0, 2**64 - 1)))
    assert status == OK
    assert np.isfinite(audio).all()


def test_a_row_of_flutter_has_its_place_in_the_stream(core: Core) -> None:
    """The core leaves out the flutter of partials that are not audible: it counts blocks of four words up."""
    expected, values = Noise(3, Purpose.NOTE, 1).normal(5, 512)[4], np.zeros(512)
    noise = np.zeros(11, np.uint64)  # a Noise of base.h: key, counter, block, next
    core("noise_open", noise, 3, int(Purpose.NOTE), 1, 0, 0)
    noise[2] += np.uint64(4 * 512 // 4)
    core("noise_normal", noise, values, 512)
    np.testing.assert_allclose(values, expected, atol=1e-12)


def test_too_little_memory_is_said_at_every_size(made: dict[tuple[str, bool], MadeUp]) -> None:
    one, z = made["stereo", True], latent(2)
    features, enough = tones(one.view, hertz=440.0, length=2_000), Arena(16 << 20)
    assert one.core_render(features, z, midi=69.0, length=2_000, seed=1, work=enough)[0] == OK
    assert enough.used == 0
    for size in np.linspace(0, enough.peak - 128, 40).astype(int):
        assert one.core_render(features, z, midi=69.0, length=2_000, seed=1, work=Arena(int(size)))[0] == MEMORY


@pytest.mark.parametrize("name", list(VIEWS))
def test_size_of_the_work_memory(made: dict[tuple[str, bool], MadeUp], name: str) -> None:
    for length in (1, 300, 5_000, 60_001):
        one, size = made[name, True], made[name, True].core("note_work_size", made[name, True].handle, length, result=ctypes.c_size_t)
        work = Arena(size)
        features = tones(one.view, hertz=30.0, length=length)
        assert one.core_render(features, latent(2), midi=21.0, length=length, seed=1, work=work)[0] == OK
        assert size < 2 * work.peak + 500_000


def test_arguments_out_of_range(made: dict[tuple[str, bool], MadeUp]) -> None:
    one, z = made["mono", True], latent(2)
    features = tones(one.view, hertz=440.0, length=2_000)
    for midi, length in [(np.nan, 2_000), (np.inf, 2_000), (-1e9, 2_000), (69.0, 2_304), (69.0, 1_000)]:
        assert one.core_render(features, z, midi=midi, length=length, seed=1)[0] == ARGUMENT


@pytest.mark.parametrize(
    ("tensors", "changes", "status"),
    [
        ({}, {}, 0),
        ({"notes.levels": torch.zeros(3, 4, 41)}, {}, 1),
        ({"notes.weights": torch.zeros(1 + DIMS, 12)}, {}, 1),
        ({"notes.weights": torch.zeros(DIMS, 25)}, {}, 1),
        ({"notes.weights": torch.full((1 + DIMS, 25), torch.nan)}, {}, 1),
        ({"notes.weights": torch.zeros(1 + DIMS, 25), "notes.levels": torch.zeros(2, 4, 41)}, {}, 1),
        ({"notes.weights": torch.zeros(1 + DIMS, 25), "notes.levels": torch.full((3, 4, 41), 500.0)}, {}, 1),
        ({"notes.weights": torch.zeros(1 + DIMS, 25), "notes.levels": torch.zeros(3, 4, 41)}, {"note_categories": [3, 4]}, 1),
        ({"notes.weights": torch.zeros(1 + DIMS, 25), "notes.levels": torch.zeros(3, 4, 41)}, {"note_categories": "cello"}, 1),
        ({"notes.weights": torch.zeros(1 + DIMS, 25), "notes.levels": torch.zeros(3, 4, 41)}, {"note_categories": ["x", "y"]}, 0),
        ({"notes.weights": torch.zeros(1 + DIMS, 25)}, {"settings": {"representation": {"name": "mel"}, "model": {"dims": DIMS}}}, 3),
        ({"notes.weights": torch.zeros(1 + DIMS, 25)}, {"settings": {}}, 1),
    ],
)
def test_damaged_files(core: Core, tensors: dict[str, Tensor], changes: dict[str, Any], status: int) -> None:
    found, note, _kept = open_note(core, note_file(VIEWS["mono"], tensors, **changes))
    assert found == status
    assert bool(note) == (status == 0 and bool(tensors))

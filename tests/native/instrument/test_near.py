"""Sounds near a given one by the core: levels, samples and descriptors as PyTorch makes them, and what a call may be asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from untrained import untrained_notes

from timbrespace.audio.distance import log_mel_error
from timbrespace.instrument import Instrument
from timbrespace.native.calls import ARGUMENT, CoreError
from timbrespace.native.interface import Opened
from timbrespace.space.controls.coordinates import Point
from timbrespace.space.controls.meter import Meter
from timbrespace.synthesis.detail.audio import mixed_audio
from timbrespace.synthesis.detail.features import mixed_features
from timbrespace.synthesis.detail.mix import Mix
from timbrespace.synthesis.detail.near import given_arrays
from timbrespace.synthesis.detail.source import Source, analyse, decoded_length
from timbrespace.synthesis.file.writing import encoded
from tiny import Tiny

RATE = 44_100


def hit(channels: int, seconds: float) -> torch.Tensor:
    """A tone that dies away, with noise, silent for 10 ms before."""
    generator = torch.Generator().manual_seed(1)
    time = torch.arange(round(seconds * RATE)) / RATE
    tone = torch.sin(2 * torch.pi * 220 * time) * torch.exp(-8 * time)
    noise = 0.2 * torch.randn(channels, len(time), generator=generator) * torch.exp(-30 * time)
    return torch.nn.functional.pad(0.5 * (tone + noise), (441, 0))


@pytest.fixture(scope="module", params=["drums", "notes", "stereo notes"])
def pair(request: pytest.FixtureRequest, cores: dict[str, Any], tiny: Tiny) -> tuple[Opened, Instrument, Source]:
    """An instrument in the core and in PyTorch, and a given sound."""
    name = request.param
    instrument = Instrument.load(tiny.file, engine="pytorch") if name == "drums" else untrained_notes(channels=1 + (name == "stereo notes"))
    opened = Opened(cores["native"], encoded(instrument.contents))
    given = instrument.given(hit(instrument.channels, 0.4)) if hasattr(instrument, "given") else None
    assert given is not None
    return opened, instrument, analyse(instrument.contents, given)


def asked(instrument: Instrument, source: Source, away: float) -> tuple[torch.Tensor, int]:
    """A latent at a distance, with the conditions of the sound's own, and the sound's length."""
    z, known = source.encoded.z, instrument.model.conditioning.size
    moved = z + away * torch.randn(z.shape, generator=torch.Generator().manual_seed(2))
    if known:
        moved[-known:] = z[-known:]
    return moved, source.encoded.length


@pytest.mark.parametrize(("kept", "away"), [(1.0, 0.01), (0.9, 0.1), (0.5, 0.5), (0.0, 1.0)])
def test_it_is_the_sound_of_pytorch(pair: tuple[Opened, Instrument, Source], kept: float, away: float) -> None:
    core, instrument, source = pair
    contents, (z, length) = instrument.contents, asked(instrument, source, away)
    mix, options = Mix((source,), kept=kept), {"samples": length, "kept": kept, "seed": 3}
    sound = given_arrays(contents, source)
    wanted = mixed_features(contents, mix, z, length, seed=3).features
    levels = torch.from_numpy(core.near_levels(z.numpy(), sound, **options)).transpose(1, 2)
    assert float((levels - wanted).abs().max()) < 0.01
    described = Meter(contents).of_features(wanted)
    found = torch.from_numpy(core.near_descriptors(z.numpy(), sound, **options))
    assert torch.equal(found.isnan(), described.isnan())
    assert float((found - described).nan_to_num().abs().max()) < 1e-3
    audio, made = (mixed_audio(contents, mix, z, length, seed=3, core=one) for one in (None, core))  # and what follows the window
    assert audio.shape == made.shape
    assert float((audio - made).square().sum() / audio.square().sum()) < 1e-4
    assert float(log_mel_error([audio], [made], match_level=False)[0]) < 0.01
    end = core.near(z.numpy(), sound, **options)[1]
    assert source.detail is not None
    assert abs(end - 10 * float(torch.log10((10 ** ((wanted[..., -8:] + source.detail.level) / 10)).mean()))) < 0.01


def test_lengths_and_descriptors_of_latents_are_those_of_pytorch(pair: tuple[Opened, Instrument, Source]) -> None:
    core, instrument, source = pair
    for away in (0.0, 0.5, 1.0):
        z, _ = asked(instrument, source, away)
        assert abs(core.length(z.numpy()) - decoded_length(instrument.contents, z)) <= 1
        wanted = Meter(instrument.contents).measure([Point(z)])[0]
        found = torch.from_numpy(core.measure(z.numpy()))
        both = found.isfinite()
        assert both.any()
        assert float((found - wanted)[both].abs().max()) < 1e-3


def test_other_lengths(pair: tuple[Opened, Instrument, Source]) -> None:
    core, instrument, source = pair
    z, _ = asked(instrument, source, 0.2)
    mix = Mix((source,), kept=0.8)
    for length in (1, 300, 5_000, instrument.contents.samples):
        audio, wanted = (mixed_audio(instrument.contents, mix, z, length, seed=3, core=one) for one in (core, None))
        assert audio.shape == wanted.shape
        assert float((audio - wanted).square().sum()) <= 1e-4 * float(wanted.square().sum()) + 1e-9


def test_bad_requests_are_refused(pair: tuple[Opened, Instrument, Source]) -> None:
    core, instrument, source = pair
    (z, length), sound = asked(instrument, source, 0.1), given_arrays(instrument.contents, source)
    broken = sound.data.copy()
    broken[7] = np.nan
    for given, changed in [
        (sound, {"samples": 0}), (sound, {"samples": instrument.contents.samples + 1}), (sound, {"kept": 1.5}), (sound, {"kept": np.nan}),
        (sound._replace(frames=0), {}), (sound._replace(attack=sound.frames), {}), (sound._replace(held=-1), {}),
        (sound._replace(bins=sound.bins - 1), {}), (sound._replace(level=np.inf), {}), (sound._replace(data=broken), {}),
    ]:  # fmt: skip
        with pytest.raises(CoreError) as refused:
            core.near_descriptors(z.numpy(), given, **({"samples": length, "kept": 0.5, "seed": 0} | changed))
        assert refused.value.status == ARGUMENT
    with pytest.raises(CoreError):
        core.measure(np.full(len(z), np.nan, np.float32))


def test_variations_and_their_recipes(tiny: Tiny, tmp_path: Path) -> None:
    sound = hit(1, 0.3)
    native, pytorch = Instrument.load(tiny.file), Instrument.load(tiny.file, engine="pytorch")
    if native.engine != "native":
        pytest.skip("the core cannot be loaded")
    ours, theirs = (one.vary(sound, 1, amount=0.3, seed=2)[0] for one in (native, pytorch))
    assert (ours.recipe["engine"], theirs.recipe["engine"]) == ("native", "pytorch")
    size = min(ours.audio.shape[1], theirs.audio.shape[1])
    assert abs(ours.audio.shape[1] - theirs.audio.shape[1]) <= 1
    assert float((ours.audio - theirs.audio[:, :size])[:, :size].abs().max()) < 0.01
    given = [native.given(sound)]
    assert torch.equal(native.replay(ours.recipe, sources=given).audio, ours.audio)  # each by its engine, whatever opened it
    assert torch.equal(native.replay(theirs.recipe, sources=given).audio, theirs.audio)
    steered = native.steer(sound, brightness=0.3)[0]
    assert torch.equal(native.replay(steered.recipe, sources=given).audio, steered.audio)

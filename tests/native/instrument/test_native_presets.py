"""What the core claims to play, over all presets: it plays these as Python does, and refuses the others with words."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from untrained import COVERED, NOTES, VELOCITY, untrained

from native_core import UNCOVERED, Core
from native_player import Player, PlayerError
from timbrespace.config.presets import presets
from timbrespace.instrument import Instrument
from timbrespace.noise import Noise, Purpose
from timbrespace.synthesis.file.writing import encoded
from timbrespace.synthesis.request import DrawOptions, draw

PLAYED = {"oneshot"}
# Settings of `oneshot` -> a word of the refusal.
REFUSED = {
    "representation.name=log-stft": "representation",
    "representation.name=mel": "representation",
    "representation.n_fft=1536": "power of two",
    "representation.refine=4": "refine",
    "model.dims=300": "256",
}


def opened(core: Core, changes: tuple[str, ...], channels: int, rate: int) -> tuple[Player, Instrument]:
    instrument = untrained(changes=changes, channels=channels, sample_rate=rate)
    return Player(core, encoded(instrument.contents)), instrument


@pytest.mark.parametrize("name", COVERED)
def test_levels_and_draws_of_covered_settings_are_those_of_python(core: Core, name: str) -> None:
    player, instrument = opened(core, *COVERED[name])
    names = instrument.model.conditioning.names
    asked = {key: value for key, value in {"pitch": 52.5, "velocity": 77.0}.items() if key in names}
    for options in ({}, asked):
        wanted = draw(instrument.contents, 4, DrawOptions(**options), seed=3)  # type: ignore[arg-type]
        earlier = np.zeros((0, player.info.dims), np.float32)
        for index, one in enumerate(wanted):
            z, _, _ = player.draw(earlier, seed=3, index=index, **options)
            np.testing.assert_allclose(z, one.z.numpy(), atol=1e-5)
            earlier = np.concatenate([earlier, z[None]])
            with torch.no_grad():
                decoded = instrument.model.decode(one.z[None], lengths=torch.tensor([9_000]))
            found, _ = player.levels(one.z.numpy(), 9_000)
            levels = decoded.features[0, ..., : found.shape[1]].transpose(1, 2).numpy()
            np.testing.assert_allclose(found, levels, atol=1e-3)


def test_lengths_are_those_of_python(core: Core) -> None:
    player, instrument = opened(core, (NOTES, VELOCITY), 1, 44_100)
    for index in range(40):
        z, _ = instrument.space.draw(Noise(0, Purpose.LATENT, index), temperature=3.0)
        wanted = min(instrument.contents.samples, int(instrument.model.decode(z[None]).lengths[0]))
        assert abs(player.levels(z.numpy())[1] - wanted) <= 1


@pytest.mark.parametrize("change", REFUSED)
def test_settings_that_are_not_covered_are_refused_with_words(core: Core, change: str) -> None:
    data = encoded(untrained(changes=(change, *(("model.coefficients=300",) if "dims" in change else ()))).contents)
    with pytest.raises(PlayerError, match=REFUSED[change]) as fault:
        Player(core, data)
    assert fault.value.status == UNCOVERED


@pytest.mark.parametrize("preset", sorted(presets()))
def test_every_preset_plays_or_is_refused(core: Core, preset: str) -> None:
    data = encoded(untrained(preset, samples=8_192).contents)
    if preset in PLAYED:
        Player(core, data)
        return
    with pytest.raises(PlayerError, match="played here is") as fault:
        Player(core, data)
    assert fault.value.status == UNCOVERED

"""What a user gave is kept: the sound itself where nothing is asked for, its detail near it, and recipes that find it again."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch

from timbrespace.audio.distance import log_mel_error
from timbrespace.contracts import AudioFileError, ConfigError, ShapeError
from timbrespace.instrument import Instrument
from timbrespace.synthesis.detail.features import _pitch_matrix
from timbrespace.synthesis.detail.given import given_sound
from timbrespace.synthesis.detail.mix import Mix
from timbrespace.synthesis.detail.path import SoundPath
from timbrespace.synthesis.detail.source import analyse
from tiny import RATE, drum, make_tiny


def wav(path: Path, audio: torch.Tensor, *, rate: int = RATE, subtype: str = "PCM_24") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio.numpy().T, rate, subtype=subtype)
    return path


def padded(before: int = 900, after: int = 500, gain: float = 0.2, offset: float = 0.0) -> torch.Tensor:
    """A soft drum between silences, `(1, time)`, on the grid of 24 bits."""
    audio = torch.nn.functional.pad(gain * drum(1), (before, after)) + offset
    return (audio * 2**23).round() / 2**23


@pytest.fixture(scope="module")
def stereo_instrument(tmp_path_factory: pytest.TempPathFactory) -> Instrument:
    """A tiny instrument of stereo drums."""
    return Instrument.load(make_tiny(tmp_path_factory.mktemp("stereo"), count=16, channels=2).file)


def away(sounds: list[Any], original: torch.Tensor) -> float:
    return float(torch.stack([log_mel_error([original], [sound.audio])[0] for sound in sounds]).mean())


# --- nothing asked for ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 0.01])
def test_unchanged_sounds_keep_every_sample(offset: float, instrument: Instrument, tmp_path: Path) -> None:
    original = padded(offset=offset)
    file = wav(tmp_path / "soft hit.wav", original)
    other = wav(tmp_path / "other.wav", drum(0))
    sounds = [*instrument.vary(file, 2, amount=0), *instrument.generate(2, near=file, temperature=0), instrument.morph([file, other], 3)[0]]
    sounds.append(instrument.morph([other, file], 4)[-1])
    for sound in sounds:
        assert torch.equal(sound.audio, original)
        assert sound.is_own
        assert sound.recipe["own_sound"]
        assert not sound.is_copy
        assert sound.novelty is sound.nearest is None
    saved = sounds[0].save(tmp_path / "out")
    assert torch.equal(torch.from_numpy(soundfile.read(saved, dtype="float32", always_2d=True)[0].T), original)
    assert sounds[0].name.startswith("soft hit varied 001")


def test_only_level_and_rate_change_an_unchanged_sound(instrument: Instrument) -> None:
    original = padded()
    loud = instrument.vary(original, 1, amount=0, level="peak")[0].audio
    assert loud.shape == original.shape
    assert float(loud.abs().max()) == pytest.approx(10 ** (-1 / 20), abs=1e-4)
    torch.testing.assert_close(loud / loud.abs().max(), original / original.abs().max())
    half = instrument.vary(original, 1, amount=0, out_rate=22_050)[0]
    assert abs(half.audio.shape[1] - original.shape[1] / 2) <= 1
    hot = 1.5 * original / original.abs().max()
    assert torch.equal(instrument.vary(hot, 1, amount=0)[0].audio, hot)
    assert float(instrument.vary(hot, 1, amount=0, level="keep")[0].audio.abs().max()) < 1


def test_a_wish_makes_it_another_sound(instrument: Instrument) -> None:
    assert not instrument.vary(drum(1), 1, amount=1e-3)[0].is_own
    assert not any(sound.is_own for sound in instrument.generate(3))
    assert not instrument.generate(1, near=drum(1), temperature=0.01)[0].is_own


def test_stereo_sounds_are_kept(stereo_instrument: Instrument) -> None:
    original = torch.cat([drum(1), 0.5 * drum(1).roll(40, 1)])
    assert torch.equal(stereo_instrument.vary(original, 1, amount=0)[0].audio, original)
    near = stereo_instrument.vary(original, 2, amount=0.02)
    assert near[0].audio.shape[0] == 2
    assert away(near, original) < 0.5 * float(log_mel_error([original], [stereo_instrument.reconstruct(original)])[0])


# --- near a sound ---------------------------------------------------------------------------------------------------------------


def test_variations_leave_their_sound_gradually(instrument: Instrument) -> None:
    original = padded()
    errors = [away(instrument.vary(original, 3, amount=amount), original) for amount in (1e-3, 0.03, 0.3, 1.0)]
    assert errors[0] < 0.6
    assert errors == sorted(errors)
    reconstruction = float(log_mel_error([original], [instrument.reconstruct(original)])[0])
    assert errors[1] < 0.5 * reconstruction
    near = instrument.vary(original, 3, amount=1e-3)
    for sound in near:
        assert abs(sound.audio.shape[1] - (original.shape[1] - 500)) < RATE // 100  # the silence before is kept, that after it is not
        same = torch.nn.functional.cosine_similarity(sound.audio[0, :8000], original[0, :8000], dim=0)
        assert same > 0.98
        assert float(sound.audio.abs().max()) == pytest.approx(float(original.abs().max()), rel=0.1)  # its level, not -1 dB


def test_steps_of_a_morph_are_even(instrument: Instrument) -> None:
    a, b = drum(0), drum(5)
    steps = instrument.morph([a, b], 7)
    places = [step.recipe["asked"]["position"] for step in steps]
    assert places == sorted(places)
    sizes = torch.stack([log_mel_error([one.audio], [two.audio], match_level=False)[0] for one, two in pairwise(steps)])
    assert float(sizes.max() / sizes.mean()) < 2
    lengths = [step.audio.shape[1] for step in steps[1:-1]]
    assert lengths in (sorted(lengths), sorted(lengths, reverse=True))


def test_a_morph_of_a_sound_with_itself_is_that_sound(instrument: Instrument) -> None:
    original = padded(0, 0)
    for step in instrument.morph([original, original], 4):
        assert float(log_mel_error([original], [step.audio])[0]) < 0.6
        assert torch.nn.functional.cosine_similarity(step.audio[0, :8000], original[0, :8000], dim=0) > 0.98


def test_what_lies_beyond_the_window_is_kept(instrument: Instrument) -> None:
    window = instrument.contents.samples
    time = torch.arange(3 * window)
    original = (0.3 * torch.sin(time * 0.2) * torch.exp(-time / window))[None]
    assert torch.equal(instrument.vary(original, 1, amount=0)[0].audio, original)
    near = instrument.vary(original, 1, amount=1e-3)[0].audio
    assert near.shape == original.shape
    beyond = slice(window + RATE // 50, None)
    assert torch.nn.functional.cosine_similarity(near[0, beyond], original[0, beyond], dim=0) > 0.99
    join = slice(window - RATE // 50, window + RATE // 50)
    torch.testing.assert_close(near[0, join], original[0, join], rtol=0, atol=0.03)
    steps = instrument.morph([original, drum(0)], 4)
    lengths = [step.audio.shape[1] for step in steps]
    assert lengths == sorted(lengths, reverse=True)
    assert window < lengths[1] < 3 * window


def test_levels_move_along_the_harmonic_axis(instrument: Instrument) -> None:
    view: Any = instrument.representation
    centres = torch.tensor(view.spec(9_999).centres)
    band = int((centres - 3000).abs().argmin())
    levels = torch.zeros(1, len(centres), 1)
    levels[0, band] = 30
    up = _pitch_matrix(instrument.contents, 12.0) @ levels
    assert abs(float(centres[up[0, :, 0].argmax()]) / 6000 - 1) < 0.05
    assert torch.equal(_pitch_matrix(instrument.contents, 0.0) @ levels, levels)


# --- latents and recipes --------------------------------------------------------------------------------------------------------


def test_sounds_of_ours_are_taken_by_the_latent_of_their_recipe(instrument: Instrument, tmp_path: Path) -> None:
    made = instrument.generate(1, seed=4)[0]
    path = made.save(tmp_path)
    assert torch.equal(instrument.vary(path, 1, amount=0)[0].latent, made.latent)  # type: ignore[arg-type]
    assert torch.equal(instrument.given(path).latent, made.latent)  # type: ignore[arg-type]
    recipe = json.loads(path.with_suffix(".json").read_text())
    for change in ({"sha256": "0" * 64}, {"instrument": "another"}, {"latent": [1.0]}, {"latent": None}, {"timbrespace": "no"}):
        path.with_suffix(".json").write_text(json.dumps(recipe | change))
        assert instrument.given(path).latent is None
    path.with_suffix(".json").write_text("[]")
    assert instrument.given(path).latent is None


@pytest.mark.parametrize("named", [True, False])
def test_recipes_find_their_sounds(named: bool, instrument: Instrument, tmp_path: Path) -> None:
    a, b = wav(tmp_path / "in" / "a.wav", padded()), wav(tmp_path / "in" / "b.wav", drum(0))
    given = [instrument.given(path, named=named) for path in (a, b)]
    sounds = [
        instrument.morph(given, 4)[1],
        instrument.vary(given[0], 1, seed=2)[0],
        instrument.generate(1, near=given[1], temperature=0)[0],
    ]
    for sound in sounds:
        recipe = json.loads(json.dumps(sound.recipe, allow_nan=False))
        assert (str(tmp_path) in json.dumps(recipe)) is False
        assert ("a.wav" in json.dumps(recipe) or "b.wav" in json.dumps(recipe)) is named
        for where in (tmp_path / "in", str(tmp_path), [b, a]):  # also below the folder
            again = instrument.replay(recipe, sources=where)
            assert torch.equal(again.audio, sound.audio)
            assert again.recipe == recipe
    (tmp_path / "in" / "a.wav").rename(tmp_path / "in" / "renamed.wav")
    assert torch.equal(instrument.replay(sounds[1].recipe, sources=tmp_path / "in").audio, sounds[1].audio)


def test_gone_and_changed_sounds_are_named(instrument: Instrument, tmp_path: Path) -> None:
    file = wav(tmp_path / "in" / "a.wav", padded())
    recipe = instrument.vary(file, 1)[0].recipe
    wav(file, 0.5 * padded())
    with pytest.raises(ConfigError, match=r"a\.wav has changed"):
        instrument.replay(recipe, sources=file.parent)
    file.unlink()
    with pytest.raises(ConfigError, match=r"a\.wav, which this sound was made from, is not in"):
        instrument.replay(recipe, sources=file.parent)
    with pytest.raises(ConfigError, match="is not a folder"):
        instrument.replay(recipe, sources=tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="give its folder"):
        instrument.replay(recipe)
    with pytest.raises(ConfigError, match="not among the given sounds"):
        instrument.replay(recipe, sources=[drum(0)])
    with pytest.raises(ConfigError, match="another instrument"):
        instrument.replay(recipe | {"instrument": "0" * 16}, sources=[padded()])


@pytest.mark.parametrize(
    "sources",
    [None, [], 3, "a", [1], [{}], [{"sha256": 3}], [{"sha256": "ab"}], [{"sha256": "0" * 64, "file": "../a.wav"}],
     [{"sha256": "0" * 64, "file": "/etc/passwd"}], [{"sha256": "0" * 64, "file": ""}], [{"sha256": "0" * 64}] * 3],
)  # fmt: skip
def test_damaged_sources_are_refused(sources: Any, instrument: Instrument, tmp_path: Path) -> None:
    recipe = instrument.vary(drum(1), 1)[0].recipe
    with pytest.raises(ConfigError):
        instrument.replay(recipe | {"sources": sources}, sources=tmp_path)
    for change in ({"share": 2}, {"share": None}, {"kept": -1}, {"kept": "x"}):
        with pytest.raises(ConfigError):
            instrument.replay(recipe | change, sources=[drum(1)])


# --- bad input --------------------------------------------------------------------------------------------------------------------


def test_silence_has_no_variation(instrument: Instrument, tmp_path: Path) -> None:
    file = wav(tmp_path / "quiet.wav", torch.zeros(1, RATE))
    with pytest.raises(ShapeError, match=r"quiet\.wav: the sound is silent"):
        instrument.vary(file, 1)
    with pytest.raises(AudioFileError):
        instrument.vary(tmp_path / "nothing.wav", 1)
    with pytest.raises(ShapeError):
        instrument.vary(torch.zeros(3), 1)


@pytest.mark.parametrize("samples", [1, 30, 220, 2_000])
def test_very_short_sounds(samples: int, instrument: Instrument) -> None:
    original = drum(1)[:, 400 : 400 + samples] + 0.01
    assert torch.equal(instrument.vary(original, 1, amount=0)[0].audio, original)
    for sound in [*instrument.vary(original, 1), *instrument.morph([original, drum(0)], 3)]:
        assert torch.isfinite(sound.audio).all()
        assert sound.audio.shape[1] >= 1


def test_clipped_sounds_and_other_rates(instrument: Instrument, tmp_path: Path) -> None:
    clipped = (drum(0) * 20).clamp(-1, 1)
    file = wav(tmp_path / "hot.wav", clipped.expand(2, -1), rate=48_000, subtype="PCM_16")
    (own,) = instrument.vary(file, 1, amount=0)
    assert own.audio.shape[0] == 1
    assert own.audio.shape[1] == pytest.approx(clipped.shape[1] * RATE / 48_000, abs=2)
    assert float(instrument.vary(file, 1, amount=0.1)[0].audio.abs().max()) <= 1


def test_a_view_without_detail_says_so(instrument: Instrument, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(instrument.representation), "starts_near", False)
    assert not instrument.keeps_detail
    original = padded()
    assert torch.equal(instrument.vary(original, 1, amount=0)[0].audio, original)
    steps = instrument.morph([original, drum(0)], 5)
    assert [step.recipe["share"] for step in steps] == [0, 0.25, 0.5, 0.75, 1]
    assert torch.equal(steps[-1].audio, drum(0))
    assert steps[2].audio.any()


def test_a_path_has_a_mix_at_every_position(instrument: Instrument) -> None:
    sources = [analyse(instrument.contents, given_sound(instrument.contents, drum(k))) for k in (0, 1, 3)]
    path = SoundPath(instrument.contents, sources, seed=1)
    mix = path.mix(1.25)
    assert isinstance(mix, Mix)
    assert mix.share == 0.25
    assert mix.sources == (sources[1], sources[2])
    assert path.mix(2.0).own is sources[2].given
    assert path.mix(0.0).own is sources[0].given
    assert mix.own is None


def test_replay_does_not_need_the_recipe_beside_a_source(instrument: Instrument, tmp_path: Path) -> None:
    path = instrument.generate(1, seed=4)[0].save(tmp_path / "made")
    varied = instrument.vary(path, 1)[0]
    shutil.copy(path, tmp_path / "alone.wav")
    shutil.rmtree(tmp_path / "made")
    assert torch.equal(instrument.replay(varied.recipe, sources=tmp_path).audio, varied.audio)

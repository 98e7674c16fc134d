"""The synthetic drum corpus: repeatable, independent of the count, varied, and shaped like drums."""

from __future__ import annotations

import time
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch

from timbrespace.contracts import ConfigError
from timbrespace.corpus.synthetic.base import Recipe, SyntheticClip
from timbrespace.corpus.synthetic.drum_kit import synthetic_drum
from timbrespace.corpus.synthetic.drum_parts import decay, ending, partials, saturate, sweep
from timbrespace.corpus.synthetic.registry import SYNTHETIC, recipe_of, synthetic_clips
from timbrespace.corpus.synthetic.sampler import ParameterSampler

RATE = 44_100


@pytest.fixture(scope="module")
def drums() -> list[SyntheticClip]:
    return list(synthetic_clips("drums", count=80, seed=5))


def spectrum(clip: SyntheticClip) -> tuple[np.ndarray, np.ndarray]:
    power = np.abs(np.fft.rfft(clip.audio[0].double().numpy(), n=2 * RATE)) ** 2
    return np.fft.rfftfreq(2 * RATE, 1 / RATE), power


def centroid(clip: SyntheticClip) -> float:
    hertz, power = spectrum(clip)
    return float((hertz * power).sum() / power.sum())


def t60_of(clip: SyntheticClip) -> float:
    """Time until only a millionth of the energy is left, s."""
    energy = np.cumsum(clip.audio[0].double().numpy()[::-1] ** 2)[::-1]
    return float(np.flatnonzero(energy > 1e-6 * energy[0])[-1] / RATE)


def test_same_seed_same_sounds_and_sound_i_does_not_depend_on_the_count(drums: list[SyntheticClip]) -> None:
    few = list(synthetic_clips("synthetic:drums", count=12, seed=5))
    for one, other in zip(few, drums, strict=False):
        assert one.name == other.name
        assert one.labels == other.labels
        assert torch.equal(one.audio, other.audio)
    assert torch.equal(synthetic_drum(70, seed=5).audio, drums[70].audio)


def test_another_seed_gives_other_sounds(drums: list[SyntheticClip]) -> None:
    for one, other in zip(synthetic_clips("drums", count=8, seed=6), drums, strict=False):
        assert one.audio.shape != other.audio.shape or not torch.allclose(one.audio, other.audio, atol=0.05)
        assert one.labels != other.labels


def test_names_kinds_and_labels(drums: list[SyntheticClip]) -> None:
    kinds = Counter(clip.category for clip in drums)
    assert set(kinds) == {"kick", "snare", "hat", "tom", "clap", "cymbal", "rim", "cowbell"}
    assert max(kinds.values()) <= 20
    assert len({clip.name for clip in drums}) == len(drums)
    assert drums[0].name == "kick/kick 001"
    assert [clip.name for clip in drums if clip.category == "snare"][:3] == ["snare/snare 001", "snare/snare 002", "snare/snare 003"]
    for clip in drums:
        assert clip.labels["kind"] == clip.category
        assert len(clip.labels) >= 6
        assert clip.labels["seconds"] == pytest.approx(clip.audio.shape[1] / RATE, abs=1e-3)
        assert all(isinstance(value, float | str) for value in clip.labels.values())


def test_every_clip_is_clean_audio_with_natural_ends(drums: list[SyntheticClip]) -> None:
    for clip in drums:
        audio = clip.audio
        assert audio.dtype == torch.float32
        assert audio.shape[0] == 1
        assert 0.0499 <= audio.shape[1] / RATE <= 1.8001, clip.name
        assert torch.isfinite(audio).all()
        assert audio.abs().max() == pytest.approx(10 ** (-1 / 20), abs=1e-5)
        assert audio[0, 0].abs() < 1e-3
        assert audio[0, -44:].abs().max() < 1e-4, clip.name  # the last millisecond, -80 dB
        assert abs(float(audio.mean())) < 0.02, clip.name


def test_hits_start_at_once(drums: list[SyntheticClip]) -> None:
    for clip in drums:
        loud = torch.nonzero(clip.audio[0].abs() > 0.1 * clip.audio.abs().max())[0]
        assert loud < 0.03 * RATE, clip.name


def test_kinds_sound_as_they_should(drums: list[SyntheticClip]) -> None:
    def median(kind: str, what: object) -> float:
        return float(np.median([what(clip) for clip in drums if clip.category == kind]))  # type: ignore[operator]

    assert median("kick", centroid) < 250 < median("tom", centroid) + 130 < median("snare", centroid) < median("hat", centroid)
    assert median("hat", centroid) > 5000
    assert median("cymbal", t60_of) > 3 * median("rim", t60_of)
    assert median("cymbal", t60_of) > 2 * median("hat", t60_of)


def test_labels_say_what_is_heard(drums: list[SyntheticClip]) -> None:
    for clip in drums:
        if clip.category in ("kick", "tom") and clip.labels["style"] != "distorted":
            rest = clip.audio[0, clip.audio.shape[1] // 4 :].double().numpy()
            power = np.abs(np.fft.rfft(rest * np.hanning(rest.size), n=4 * RATE))
            heard = np.argmax(power) / 4
            assert clip.labels["pitch_hz"] * 0.7 < heard < clip.labels["pitch_hz"] * 1.3, clip.name
    closed = [t60_of(clip) for clip in drums if clip.labels["style"] == "closed"]
    opened = [t60_of(clip) for clip in drums if clip.category == "hat" and clip.labels["style"] == "open"]
    assert np.median(opened) > 2.5 * np.median(closed)


def test_sounds_of_a_kind_differ(drums: list[SyntheticClip]) -> None:
    """Mean distance of log spectra in 1/3 octaves within a kind: a synthesiser that repeats itself would score near 0 dB."""
    edges = np.geomspace(40, 18_000, 28)
    for kind in ("kick", "snare", "hat", "tom", "clap", "cymbal"):
        bands = []
        for clip in drums:
            if clip.category == kind:
                hertz, power = spectrum(clip)
                sums = [power[(hertz >= low) & (hertz < high)].mean() for low, high in pairwise(edges)]
                bands.append(10 * np.log10(np.array(sums) / max(sums) + 1e-6))
        apart = [np.sqrt(np.mean((one - other) ** 2)) for k, one in enumerate(bands) for other in bands[:k]]
        assert np.mean(apart) > 4.0, (kind, np.mean(apart))
        assert min(apart) > 0.8, (kind, min(apart))


@pytest.mark.parametrize("rate", [8000, 22_050, 48_000, 96_000])
def test_labels_and_kinds_do_not_depend_on_the_rate(drums: list[SyntheticClip], rate: int) -> None:
    for one, other in zip(synthetic_clips("drums", count=10, seed=5, sample_rate=rate), drums, strict=False):
        assert {**one.labels, "seconds": 0} == {**other.labels, "seconds": 0}
        assert torch.isfinite(one.audio).all()
        assert 0.0499 <= one.audio.shape[1] / rate <= 1.8001


def test_three_hundred_take_seconds() -> None:
    start = time.process_time()
    assert sum(1 for _ in synthetic_clips("drums", count=60)) == 60
    assert (time.process_time() - start) * 5 < 25  # ample: about 5 s on one core


def test_bad_requests_say_what_is_allowed() -> None:
    with pytest.raises(ConfigError, match=r"violins.*synthetic:drums.*synthetic:notes"):
        synthetic_clips("violins")
    for wrong in ({"count": 0}, {"count": 2.5}, {"seed": -1}, {"sample_rate": 100}, {"count": True}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            synthetic_clips("drums", **wrong)  # type: ignore[arg-type]


def test_every_corpus_has_a_recipe_and_its_own_count(monkeypatch: pytest.MonkeyPatch) -> None:
    toys = {f"{name}{version}" for name in ("richness", "additive", "fm") for version in ("", "-normalised", "-noisy")}
    assert set(SYNTHETIC) == {"drums", "notes", "variety"} | toys
    assert recipe_of("synthetic:drums").count == 300
    assert not recipe_of("drums").as_is
    for name in SYNTHETIC:
        clip = next(iter(synthetic_clips(f"synthetic:{name}", count=3, seed=8)))
        again = next(iter(recipe_of(name).make([next(iter(_indices(name)))], seed=8, sample_rate=RATE)))
        assert clip.name == again.name
        assert torch.equal(clip.audio, again.audio)
        assert all(isinstance(value, float | int | str) for value in clip.labels.values())
    monkeypatch.setitem(SYNTHETIC, "few", Recipe(recipe_of("drums").make, 2))
    assert [clip.name for clip in synthetic_clips("synthetic:few", seed=5)] == ["kick/kick 001", "snare/snare 001"]


def _indices(name: str) -> list[int]:
    """What three clips of a corpus are asked for: the first three, or a choice from one of fixed size."""
    recipe = recipe_of(name)
    return sorted(np.random.default_rng(8).choice(recipe.count, size=3, replace=False).tolist()) if recipe.fixed else [0, 1, 2]


@pytest.mark.parametrize(
    ("index", "name", "samples", "energy", "somewhere"),
    [
        (0, "kick/kick 001", 39730, 1261.62, -0.0321257),
        (1, "snare/snare 001", 20410, 131.676, 0.0290928),
        (2, "hat/hat 001", 9290, 43.3578, 0.018124),
        (3, "tom/tom 001", 79380, 1175.67, -0.044576),
        (7, "clap/clap 001", 18481, 144.525, -8.9023e-05),
        (8, "cymbal/cymbal 001", 79380, 633.892, 0.0552257),
        (12, "rim/rim 001", 11004, 55.6881, -0.00223292),
        (19, "cowbell/cowbell 001", 35358, 368.781, -0.18413),
    ],
)
def test_drums_sound_as_they_always_did(index: int, name: str, samples: int, energy: float, somewhere: float) -> None:
    clip = synthetic_drum(index, seed=3)
    wave = clip.audio[0].double()
    assert (clip.name, wave.numel()) == (name, samples)
    assert float((wave**2).sum()) == pytest.approx(energy, rel=1e-4)
    assert float(wave[samples // 9]) == pytest.approx(somewhere, abs=1e-4)  # another machine's arithmetic may round otherwise


def test_building_blocks() -> None:
    instants = np.arange(RATE) / RATE
    wave = partials([440.0, 30_000.0], [0.5, 1.0], [0.5, 1.0], np.zeros(2), time=instants)
    expected = 0.5 * np.sin(2 * np.pi * 440 * instants) * np.exp(-np.log(1000) * instants / 0.5)
    assert np.allclose(wave, expected, atol=1e-9)  # and nothing above half the rate
    envelope = decay(instants, 0.2, attack=0.01, hold=0.05, start=0.1)
    at = [envelope[round(seconds * RATE)] for seconds in (0.0999, 0.105, 0.14, 0.16, 0.36)]
    assert at == pytest.approx([0.0, 0.5, 1.0, 1.0, 0.001], abs=3e-3)
    swept = sweep(instants, 200.0, 50.0, 0.02)
    assert np.count_nonzero(np.diff(np.sign(swept[RATE // 2 :]))) == pytest.approx(50, abs=1)
    assert np.array_equal(saturate(swept, 0.0), swept)
    assert np.abs(saturate(swept, 9.0)).mean() > np.abs(swept).mean()
    assert ending(np.zeros(10), RATE).size == round(0.05 * RATE)
    sampler = ParameterSampler(np.random.default_rng(1), np.random.default_rng(2), RATE)
    assert 2.0 <= sampler.log_uniform("x", 2.0, 3.0) <= 3.0
    assert sampler.labels["x"] > 0

"""Recordings through instruments: any length in, the same length out; variations, morphs over time, their recipes and the verbs."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from shell import Shell
from timbrespace.contracts import AudioFileError, ConfigError, ShapeError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.instrument import Instrument
from timbrespace.synthesis.transfer import feed as feeds
from timbrespace.synthesis.transfer import take as takes
from timbrespace.training import train as training
from tiny import NARROW, RATE, Tiny, drum, fix_plan, write_drums

PRESETS = ("sequence", "spectra", "spectra-mdct", "oneshot")


@pytest.fixture(scope="module")
def files(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An instrument of each preset, trained for some steps."""
    folder = tmp_path_factory.mktemp("recordings")
    prepare(write_drums(folder / "sounds", 12), folder / "corpus")
    made = {"oneshot": tiny.file}
    with pytest.MonkeyPatch.context() as patch:
        fix_plan(patch, variations=1)
        for preset in PRESETS[:-1]:
            made[preset] = folder / f"{preset}.safetensors"
            options = {"preset": preset, "minutes": 0.005, "changes": NARROW[preset], "device": "cpu"}
            training.train(Corpus.open(folder / "corpus"), made[preset], **options)
    return made


@pytest.fixture(params=PRESETS)
def opened(request: pytest.FixtureRequest, files: dict[str, Path]) -> Instrument:
    return quick(files[request.param])


def quick(file: Path) -> Instrument:
    """An instrument whose latents are hardly refined."""
    instrument = Instrument.load(file, engine="pytorch")
    if hasattr(instrument.model, "refinement_steps"):
        instrument.model.refinement_steps = 2
    return instrument


def beats(seconds: float, *, seed: int = 0, every: float = 0.4) -> Tensor:
    """Drums one after another, with a pause in the middle, `(1, time)`."""
    audio = torch.zeros(1, round(seconds * RATE))
    for number in range(int(seconds / every)):
        start = round(number * every * RATE)
        if 0.45 < start / audio.shape[1] < 0.6:
            continue
        hit = 0.6 * drum(number % 4, seed=seed)[:, : audio.shape[1] - start]
        audio[:, start : start + hit.shape[1]] += hit
    return audio


def saved(path: Path, audio: Tensor, rate: int = RATE) -> Path:
    soundfile.write(path, audio.numpy().T, rate, subtype="FLOAT")
    return path


def levels(audio: Tensor, size: int = 4_410) -> np.ndarray:
    wave = audio[0, : audio.shape[1] // size * size].double().reshape(-1, size)
    return np.asarray(10 * np.log10(wave.square().mean(1).numpy() + 1e-9))


def test_a_file_of_any_length_keeps_length_level_and_pause(opened: Instrument, tmp_path: Path) -> None:
    audio = beats(70.0 if opened.longest is None else 20.0)
    path = saved(tmp_path / "long.wav", audio)
    made = opened.reconstruct(path)
    assert made.shape == audio.shape
    ours, own = levels(made, RATE), levels(audio, RATE)
    loud = own > -50
    assert np.abs(ours - own)[loud].mean() < 4
    pause = slice(round(0.51 * audio.shape[1]), round(0.56 * audio.shape[1]))
    assert float(audio[:, pause].abs().max()) == 0
    assert float(made[:, pause].abs().max()) < 2e-3


def test_blocks_of_another_size_give_the_same_samples(opened: Instrument, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, found = saved(tmp_path / "a.wav", beats(5.0), rate=22_050), []
    for block in (1 << 17, 5_000):
        monkeypatch.setattr(feeds, "_BLOCK", block)
        monkeypatch.setattr(takes, "_BLOCK", block)
        found.append(opened.vary(path, 1, amount=0.4, whole=True, stretch=1.2, out_rate=48_000, level="loudness")[0])
    assert torch.equal(found[0].audio, found[1].audio)
    assert found[0].sample_rate == 48_000
    assert abs(found[0].seconds - 12.0) < 0.001


def test_a_variation_of_amount_0_is_the_recording(opened: Instrument, tmp_path: Path) -> None:
    audio = beats(4.0) + 0.01
    sound = opened.vary(saved(tmp_path / "a.wav", audio), 1, amount=0.0, whole=True)[0]
    assert sound.is_own
    assert torch.equal(sound.audio, audio)


def test_variations_differ_from_the_recording_and_each_other(opened: Instrument) -> None:
    audio = beats(4.0)
    one, two = opened.vary(audio, 2, amount=0.5, whole=True)
    again = opened.vary(audio, 2, amount=0.5, whole=True)[1]
    assert one.audio.shape == two.audio.shape == audio.shape
    assert torch.equal(two.audio, again.audio)
    assert float((one.audio - two.audio).abs().max()) > 1e-3
    assert [sound.name for sound in (one, two)] == ["recording varied 001", "recording varied 002"]


def test_with_detail_a_small_variation_is_near_the_recording(files: dict[str, Path]) -> None:
    audio = beats(4.0)
    for preset in ("sequence", "oneshot"):
        made = quick(files[preset]).vary(audio, 1, amount=1e-4, whole=True)[0].audio
        assert float((made - audio).square().mean()) < 0.01 * float(audio.square().mean()), preset


def test_a_morph_over_time_begins_as_the_first_and_ends_as_the_last(files: dict[str, Path]) -> None:
    time = torch.arange(6 * RATE) / RATE
    a, b = ((0.4 * torch.sin(2 * math.pi * hertz * time))[None] for hertz in (330.0, 1_250.0))
    for preset in ("sequence", "oneshot"):
        made = quick(files[preset]).morph_over_time([a, b]).audio
        assert made.shape == a.shape
        shares = [share_of(made[0, k * RATE : (k + 1) * RATE], 330.0, 1_250.0) for k in range(6)]
        assert shares[0] < 0.12, preset
        assert shares[-1] > 0.88, preset
        assert all(later > earlier - 0.05 for earlier, later in pairwise(shares)), (preset, shares)


def share_of(wave: Tensor, low: float, high: float) -> float:
    power = np.abs(np.fft.rfft(wave.double().numpy() * np.hanning(len(wave)))) ** 2
    hertz = np.fft.rfftfreq(len(wave), 1 / RATE)
    one, two = (power[np.abs(hertz - centre) < 40].sum() for centre in (low, high))
    return float(two / (one + two))


@pytest.mark.parametrize(
    ("curve", "align", "stretch", "seconds"),
    [
        (None, False, 1.0, 3.0),
        (None, True, 1.0, 4.0),
        (None, True, 1.5, 6.0),
        ([0, 1, 0.5], False, 1.0, 4.0),
        ([0, 0, 1, 1], False, 0.5, 2.0),
    ],
)
def test_the_duration_of_a_morph(
    curve: list[float] | None, align: bool, stretch: float, seconds: float, files: dict[str, Path]
) -> None:  # fmt: skip
    instrument = Instrument.load(files["sequence"], engine="pytorch")
    sound = instrument.morph_over_time([beats(4.0), beats(3.0, seed=3)], curve=curve, align=align, stretch=stretch)
    assert abs(sound.seconds - seconds) < 0.001


def test_a_recipe_gives_the_recording_again(opened: Instrument, tmp_path: Path) -> None:
    a, b = saved(tmp_path / "a.wav", beats(3.0)), saved(tmp_path / "b.wav", beats(4.0, seed=5))
    for sound in (
        opened.vary(a, 2, amount=0.4, whole=True, seed=7)[1],
        opened.morph_over_time([a, b], curve=[0, 1.2, 0.3], stretch=0.8, seed=3, level="peak", out_rate=22_050),
    ):
        recipe = json.loads(json.dumps(sound.recipe))
        again = opened.replay(recipe, sources=tmp_path)
        assert torch.equal(again.audio, sound.audio)
        assert (again.name, again.sample_rate) == (sound.name, sound.sample_rate)
        with pytest.raises(ConfigError, match=r"a\.wav"):
            opened.replay(recipe)
        for damaged in (
            {**recipe, "recording": {}},
            {**recipe, "sources": []},
            {**recipe, "instrument": "?"},
            {**recipe, "level": "loud"},
            {**recipe, "recording": {**recipe["recording"], "soft": "false"}},
        ):
            with pytest.raises(ConfigError):
                opened.replay(damaged, sources=tmp_path)
    saved(a, beats(3.0, seed=9))
    with pytest.raises(ConfigError, match="changed"):
        opened.replay(recipe, sources=tmp_path)


def test_what_is_no_recording_is_refused(opened: Instrument, tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="silent"):
        opened.vary(torch.zeros(1, 9 * RATE), 1, whole=True)
    with pytest.raises(ShapeError, match="tensor"):
        opened.morph_over_time([torch.zeros(3, 900), torch.zeros(1, 900)])
    with pytest.raises(AudioFileError):
        opened.reconstruct(tmp_path / "none.wav")
    a = beats(1.0)
    for options in ({"curve": [0]}, {"curve": [0, 9]}, {"stretch": 9.0}, {"level": "loud"}):
        with pytest.raises(ConfigError):
            opened.morph_over_time([a, a], **options)
    with pytest.raises(ConfigError, match="2 to 64"):
        opened.morph_over_time([a])


def test_a_cymbal_is_no_recording(files: dict[str, Path]) -> None:
    oneshot, sequence = (Instrument.load(files[name], engine="pytorch") for name in ("oneshot", "sequence"))
    assert not oneshot.is_recording(torch.zeros(1, 7 * RATE))
    assert oneshot.is_recording(torch.zeros(1, 9 * RATE))
    assert not sequence.is_recording(torch.zeros(1, 29 * RATE))
    assert sequence.is_recording(torch.zeros(1, 31 * RATE))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    saved(tmp_path / "a.wav", beats(9.0))
    saved(tmp_path / "b.wav", beats(10.0, seed=4))
    return tmp_path


def test_the_verbs(files: dict[str, Path], folder: Path, shell: Shell) -> None:
    file = files["sequence"]
    a, b, out = folder / "a.wav", folder / "b.wav", folder / "out"
    text = shell("vary", file, a, "--whole", "-n", 2, "--amount", 0.3, "--out", out, "--reel")
    assert "2 recordings" in text
    row = shell.json("morph", file, a, b, "--over-time", "--align", "--curve", "0,0,1,1", "--out", out)["recordings"][0]
    assert row["seconds"] == 10.0
    written = sorted(path.name for path in out.glob("*.wav"))
    assert written == ["a to b over time.wav", "a varied 001.wav", "a varied 002.wav", "reel.wav"]
    for name in ("a to b over time", "a varied 002"):
        again = folder / "again"
        shell("generate", file, "--recipe", out / f"{name}.json", "--source", folder, "--out", again)
        assert (again / f"{name}.wav").read_bytes() == (out / f"{name}.wav").read_bytes()
    shell("reconstruct", file, a, "--stretch", 2, "--out", folder / "slow", "--page")
    assert soundfile.info(folder / "slow" / "a.wav").duration == pytest.approx(18.0)
    assert "kept" in shell("vary", file, a, "--whole", "-n", 2, "--out", out, code=2)
    assert not list(out.glob(".*partial"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["morph", "a.wav", "b.wav", "--curve", "0,1"], "--over-time"),
        (["morph", "a.wav", "b.wav", "--over-time", "--curve", "0,x"], "list of numbers"),
        (["morph", "a.wav", "b.wav", "--over-time", "--spline"], "--over-time makes one recording"),
        (["morph", "a.wav", "b.wav", "--over-time", "--stretch", "9"], "0.25 to 4"),
        (["morph", "a.wav", "--over-time"], "2 to 64"),
        (["vary", "a.wav", "--stretch", "2", "--one-shot"], "--one-shot"),
        (["vary", "a.wav", "--whole", "--kit"], "--kit"),
        (["vary", "none.wav"], "does not exist"),
    ],
)
def test_wrong_options(words: list[str], message: str, tiny: Tiny, folder: Path, shell: Shell) -> None:
    command = [words[0], tiny.file, *(folder / word if word.endswith(".wav") else word for word in words[1:])]
    assert message in shell(*command, "--out", folder / "out", code=2)

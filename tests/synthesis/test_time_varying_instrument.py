"""Instruments with a time-varying latent: any length in, the same length out, through every verb."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from safetensors.torch import save_file

import timbrespace
from shell import Shell
from timbrespace.contracts import ConfigError, InstrumentFileError, ShapeError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.instrument import Instrument
from timbrespace.model.sequence.base import longest_length
from timbrespace.synthesis.sound import Sound
from timbrespace.training import train as training
from tiny import NARROW, RATE, drum, fix_plan, tensors_of, write_drums

Trained = Callable[[str], Instrument]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("moving")
    prepare(write_drums(folder / "sounds", 12), folder / "corpus")
    return Corpus.open(folder / "corpus")


@pytest.fixture(scope="module")
def files(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An instrument of each preset, trained for 50 steps."""
    folder, made = tmp_path_factory.mktemp("instruments"), {}
    with pytest.MonkeyPatch.context() as patch:
        fix_plan(patch, variations=1)
        for preset, changes in NARROW.items():
            made[preset] = folder / f"{preset}.safetensors"
            training.train(corpus, made[preset], preset=preset, minutes=0.005, changes=changes, device="cpu")
    return made


@pytest.fixture
def trained(files: dict[str, Path]) -> Trained:
    return lambda preset: Instrument.load(files[preset])


def same(one: list[Sound], other: list[Sound]) -> bool:
    return len(one) == len(other) and all(torch.equal(a.audio, b.audio) and a.name == b.name for a, b in zip(one, other, strict=True))


# --- the instrument ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", NARROW)
def test_any_length_in_the_same_length_out(preset: str, trained: Trained) -> None:
    instrument = trained(preset)
    assert instrument.longest is None
    longest = instrument.contents.samples
    noise = torch.rand(1, 3 * longest, generator=torch.Generator().manual_seed(0)) - 0.5
    for length in (1, 2, 500, 4_096, longest, 3 * longest):
        sound = noise[:, :length].clone()
        sound[0, 0] = 0.5
        encoded = instrument.encode(sound)
        assert encoded.z.shape[0] == instrument.dims
        assert encoded.length == length
        copy = instrument.reconstruct(sound)
        assert copy.shape == sound.shape
        assert float(copy.abs().max()) == pytest.approx(float(sound.abs().max()), rel=1e-3)
        assert instrument.decode(encoded.z, length=length).shape == sound.shape
    assert copy[0, -longest:].abs().max() > 0  # nothing is cut


@pytest.mark.parametrize("preset", NARROW)
def test_a_loaded_instrument_makes_the_same_sounds(preset: str, trained: Trained, tmp_path: Path) -> None:
    instrument = trained(preset)
    instrument.save(tmp_path / "copy.safetensors")
    copy = timbrespace.load(tmp_path / "copy.safetensors")
    sounds = instrument.generate(3, seed=2)
    assert same(sounds, copy.generate(3, seed=2))
    assert same(sounds[:2], instrument.generate(2, seed=2))
    assert torch.equal(instrument.reconstruct(drum(1)), copy.reconstruct(drum(1)))
    assert all(sound.novelty is not None for sound in sounds)
    assert instrument.map_positions(sounds).shape == (3, 2)
    clips = instrument.contents.clips
    assert clips is not None
    assert clips.latents.shape == (len(clips.names), instrument.dims)


def test_a_stripped_instrument_makes_the_same_sounds(trained: Trained, tmp_path: Path) -> None:
    trained("sequence").save(tmp_path / "bare.safetensors", strip=True)
    bare = timbrespace.load(tmp_path / "bare.safetensors")
    assert bare.contents.clips is None
    assert not any(name.startswith("clips.") for name in tensors_of(tmp_path / "bare.safetensors"))
    assert bare.generate(1, seconds=0.2)[0].audio.any()
    assert bare.vary(drum(1), 1)[0].audio.any()


@pytest.mark.parametrize("preset", ["spectra", "sequence"])
@pytest.mark.parametrize("verb", ["generate", "near", "vary", "morph"])
def test_recipes_render_the_same_sound(verb: str, preset: str, trained: Trained) -> None:
    instrument = trained(preset)
    sounds = {
        "generate": lambda: instrument.generate(2, seed=3, category="snare", seconds=0.1, out_rate=48_000),
        "near": lambda: instrument.generate(2, seed=3, near=drum(0), level="loudness"),
        "vary": lambda: instrument.vary(drum(1), 2, seed=3, name="mine", level="keep"),
        "morph": lambda: instrument.morph([drum(0), drum(1)[:, :3_000], drum(3)], 4, seed=3),
    }[verb]()
    for sound in sounds:
        recipe = json.loads(json.dumps(sound.recipe, allow_nan=False))
        given = [drum(0), drum(1), drum(1)[:, :3_000], drum(3)]
        again = instrument.replay(recipe, sources=given)
        assert torch.equal(again.audio, sound.audio)
        assert again.latent is not None
        assert torch.equal(again.latent, sound.latent)  # type: ignore[arg-type]
        assert instrument.replay(again.recipe, sources=given).recipe == again.recipe
        assert len(recipe["latent"]) == instrument.dims
        latents = [sound.latent, *(instrument.encode(one).z for one in given[: len(recipe.get("sources", []))])]
        assert len(json.dumps(recipe)) < 30 * sum(z.numel() for z in latents) + 2_500  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "change",
    [
        {"latent": [0.0] * 4},
        {"latent": "1 2 3"},
        {"latent": []},
        {"latent": [""] * 4},
        {"latent": ["1 2", "1", "1 2", "1 2"]},
        {"latent": ["1"] * 5},
        {"latent": ["nan"] * 4},
        {"latent": ["x"] * 4},
        {"latent": None},
        {"length": 0},
        {"length": 10**12},
        {"length": "x"},
        {"length": None},
    ],
)
def test_invalid_recipes_are_refused(change: dict[str, Any], trained: Trained) -> None:
    instrument = trained("spectra")
    recipe = instrument.generate(1, seconds=0.05)[0].recipe
    assert instrument.replay(recipe).audio.any()
    with pytest.raises(ConfigError):
        instrument.replay(recipe | change)


@pytest.mark.parametrize("preset", NARROW)
def test_new_sounds_have_the_requested_length(preset: str, trained: Trained) -> None:
    instrument = trained(preset)
    for seconds in (0.02, 0.3, 1.0):
        for new in (instrument.generate(1, seconds=seconds), instrument.generate(1, seconds=seconds, near=drum(1))):
            assert new[0].recipe["length"] == round(seconds * RATE)
            assert new[0].seconds <= seconds + 0.01
    free = [sound.recipe["length"] for sound in instrument.generate(6)]
    assert len(set(free)) > 1
    assert max(free) <= 1.51 * instrument.contents.samples
    for seconds in (0.0, -1.0, math.nan, 1e9, "long"):
        with pytest.raises(ConfigError, match="seconds"):
            instrument.generate(1, seconds=seconds)  # type: ignore[arg-type]


def test_whole_clips_have_their_own_length(instrument: Instrument, tiny: Any, shell: Shell, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="whole clips that have their own length"):
        instrument.generate(1, seconds=0.5)
    assert "leave it out" in shell("generate", tiny.file, "-n", 1, "--seconds", 0.5, "--out", tmp_path / "x", code=2)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("preset", ["spectra-mdct", "sequence"])
def test_morph_and_vary(preset: str, trained: Trained) -> None:
    instrument = trained(preset)
    a, b = drum(0), drum(1)[:, :3_000]
    steps = instrument.morph([a, b], 3, level="keep")
    for sound, original in ((steps[0], a), (steps[-1], b)):
        assert torch.equal(sound.latent, instrument.encode(original).z)  # type: ignore[arg-type]
        assert sound.recipe["length"] == instrument.encode(original).length
    assert steps[-1].recipe["length"] < steps[1].recipe["length"] < steps[0].recipe["length"]
    for sound in instrument.vary(a, 2, amount=0):
        assert torch.equal(sound.latent, steps[0].latent)  # type: ignore[arg-type]
    near, far = (instrument.vary(a, 3, amount=amount) for amount in (0.1, 2.0))

    def reach(sounds: list[Sound]) -> float:
        return sum(float((sound.latent - steps[0].latent).norm()) for sound in sounds)  # type: ignore[operator]

    assert 0 < reach(near) < reach(far)


def test_paths_of_any_duration_are_decoded(trained: Trained) -> None:
    instrument = trained("sequence")
    z = instrument.encode(drum(1)).z
    assert instrument.decode(z, length=30_000).shape == (1, 30_000)
    assert instrument.decode(z[:, :2]).shape == (1, longest_length(16, instrument.representation.frames))
    for wrong in (torch.zeros(4), torch.zeros(4, 0), torch.zeros(3, 5), torch.full((4, 2), math.nan), torch.zeros(1, 4, 2)):
        with pytest.raises(ShapeError, match="a latent must be"):
            instrument.decode(wrong)


# --- its file ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.pop("trajectories.mean"),
        lambda t: t.pop("trajectories.scale"),
        lambda t: t.update({"trajectories.mean": t["trajectories.mean"][:, 1:].contiguous()}),
        lambda t: t.update({"trajectories.basis": t["trajectories.basis"][1:].contiguous()}),
        lambda t: t.update({"trajectories.scale": torch.ones(99)}),
        lambda t: t.update({"trajectories.scale": torch.ones(())}),
        lambda t: t.update({"trajectories.lengths": torch.tensor([14.0, 1.0, 1e30])}),
        lambda t: t.update({"trajectories.lengths": torch.tensor([-1.0, 1.0, 15.0])}),
        lambda t: t.update({"trajectories.spread": torch.ones(4, 9)}),
        lambda t: t.update({"trajectories.spread": t["trajectories.spread"] * math.inf}),
        lambda t: t.update({"space.means": t["space.means"][:, 1:].contiguous()}),
    ],
)
def test_damaged_files_are_refused(change: Callable[[dict[str, torch.Tensor]], Any], files: dict[str, Path], tmp_path: Path) -> None:
    from safetensors import safe_open

    with safe_open(files["sequence"], "pt") as file:
        metadata = file.metadata()
    tensors = tensors_of(files["sequence"])
    save_file(tensors, tmp_path / "fine.safetensors", metadata)
    Instrument.load(tmp_path / "fine.safetensors")
    change(tensors)
    save_file(tensors, tmp_path / "bad.safetensors", metadata)
    with pytest.raises(InstrumentFileError, match=r"bad\.safetensors"):
        Instrument.load(tmp_path / "bad.safetensors")


def test_trajectories_without_a_time_varying_latent_are_refused(tiny: Any, tmp_path: Path) -> None:
    from safetensors import safe_open

    with safe_open(tiny.file, "pt") as file:
        metadata = file.metadata()
    save_file({**tensors_of(tiny.file), "trajectories.mean": torch.zeros(2)}, tmp_path / "bad.safetensors", metadata)
    with pytest.raises(InstrumentFileError, match="does not vary in time"):
        Instrument.load(tmp_path / "bad.safetensors")


# --- the command line ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["spectra", "sequence"])
def test_every_verb(preset: str, files: dict[str, Path], shell: Shell, tmp_path: Path) -> None:
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    for name, length in (("short.wav", 40), ("long.wav", 30_000)):
        soundfile.write(sounds / name, drum(1).repeat(1, 4)[0, :length].numpy(), RATE)
    long, short, file = sounds / "long.wav", sounds / "short.wav", files[preset]
    told = shell.json("generate", file, "-n", 2, "--seconds", 0.15, "--out", tmp_path / "new")
    assert all(0.05 < row["seconds"] < 0.17 for row in told["sounds"])
    recipe = next((tmp_path / "new").glob("*.json"))
    shell("generate", file, "--recipe", recipe, "--out", tmp_path / "again")
    wav = recipe.with_suffix(".wav").name
    assert (tmp_path / "again" / wav).read_bytes() == (tmp_path / "new" / wav).read_bytes()
    assert "--seconds" in shell("generate", file, "--recipe", recipe, "--seconds", 1, "--out", tmp_path / "no", code=2)
    shell("generate", file, "-n", 1, "--near", long, "--out", tmp_path / "near")
    shell("vary", file, long, "-n", 2, "--out", tmp_path / "varied")
    shell("morph", file, long, short, "--steps", 3, "--out", tmp_path / "morph")
    copies = shell.json("reconstruct", file, sounds, "--out", tmp_path / "copies")
    assert copies["longer_than_the_model"] == []
    assert copies["longest_seconds"] is None
    for name, length in (("short.wav", 40), ("long.wav", 30_000)):
        assert soundfile.info(tmp_path / "copies" / name).frames == length
    facts = shell.json("info", file)
    assert facts["takes_any_length"] is True
    assert facts["steps_a_second"] > 0


@pytest.mark.parametrize("preset", ["spectra", "spectra-bernoulli", "spectra-mdct"])
def test_single_spectra_of_a_toy_corpus(preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Single spectra are paths of one step; silent settings of the toy are left out."""
    fix_plan(monkeypatch, variations=0)
    prepare("synthetic:additive", tmp_path / "toys", count=20)
    instrument = training.train(
        Corpus.open(tmp_path / "toys"), tmp_path / "toy.safetensors", preset=preset, minutes=0.005, changes=NARROW[preset], device="cpu"
    )
    if preset != "spectra-mdct":
        assert instrument.encode(Corpus.open(tmp_path / "toys").audio(5)).z.shape == (4, 1)
    sound = instrument.generate(1)[0]
    assert sound.recipe["length"] == pytest.approx(4_096, rel=0.2)
    assert instrument.generate(1, seconds=0.5)[0].seconds > 0.3


@pytest.mark.slow
def test_training_is_deterministic(corpus: Corpus, files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fix_plan(monkeypatch, variations=1)
    path = tmp_path / "again.safetensors"
    training.train(corpus, path, preset="sequence", minutes=0.005, changes=NARROW["sequence"], device="cpu")
    one, other = tensors_of(files["sequence"]), tensors_of(path)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)

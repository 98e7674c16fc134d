"""A whole evaluation of a small instrument: what it holds, what it says of few, learned, or bad sounds, and that it repeats."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import timbrespace
from timbrespace.audio.distance import log_mel_error
from timbrespace.contracts import ConfigError, CorpusError, OutputExistsError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.evaluation import evaluate as module
from timbrespace.evaluation.artefacts import ARTEFACTS
from timbrespace.evaluation.evaluate import Evaluation, evaluate
from timbrespace.evaluation.parts.budget import Budget, Steps
from timbrespace.evaluation.parts.likeness import wilson
from timbrespace.evaluation.parts.morphs import cross_fade, path_figures
from timbrespace.evaluation.reconstruction import MEASURES
from timbrespace.evaluation.spectral_errors import BANDS_HZ, FURTHER
from timbrespace.instrument import Instrument
from tiny import RATE, Tiny, fix_plan, quick_train, write_drums

SMALL = Budget(
    real=40, new=12, imitated=4, trained=2, learned=12, pairs=1, steps=5, encoded=14, factors=60, timed=1, draws=4, permutations=20,
    resamples=50,
)  # fmt: skip
TOP = {"format", "version", "made_with", "machine", "settings", "sounds", "skipped", "instruments"}
PARTS = {
    "imitation", "imitation_of_trained", "likeness", "novelty", "artefacts", "kinds", "morphs", "latent", "disentanglement", "speed",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUICK", SMALL)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty drums that the tiny instrument never had, a damaged file, and a silent one."""
    folder = write_drums(tmp_path_factory.mktemp("fresh") / "fresh", 20, seed=7)
    (folder / "broken.wav").write_bytes(b"no sound")
    soundfile.write(folder / "silent.wav", np.zeros(4_000), RATE)
    return folder


@pytest.fixture(scope="module")
def found(tiny: Tiny, fresh: Path) -> Evaluation:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "QUICK", SMALL)
        return timbrespace.evaluate(tiny.file, fresh, quick=True)


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for one in value.values() for number in numbers(one)]
    if isinstance(value, list):
        return [number for one in value for number in numbers(one)]
    return [value] if isinstance(value, float) else []


def test_the_schema(found: Evaluation, tmp_path: Path) -> None:
    values = found.values
    assert values.keys() == TOP
    assert (values["format"], values["version"]) == ("timbrespace-evaluation", 1)
    (one,) = values["instruments"]
    assert one.keys() == PARTS | {"name", "dims", "parameters", "model", "sample_rate", "longest_seconds", "sounds"}
    assert values["machine"].keys() == {"processor", "cores", "threads", "system"}
    assert all(math.isfinite(number) for number in numbers(values))
    found.save(tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == values
    with pytest.raises(OutputExistsError):
        found.save(tmp_path / "x.json")


def test_bad_files_are_listed(found: Evaluation) -> None:
    assert {row["file"] for row in found.values["skipped"]} == {"broken.wav", "silent.wav"}
    assert found.values["sounds"]["used"] == 20
    assert found.values["sounds"]["files"] == 22


def test_every_part_of_an_evaluation(found: Evaluation, instrument: Instrument, tiny: Tiny) -> None:
    one = copy.deepcopy(found.values["instruments"][0])
    assert 10 <= one["sounds"].pop("training_found") <= 12
    assert one["sounds"] == {"trained": 0, "held_out": 0, "new": 20, "unknown": 0, "measured_on": "not_learned"}
    rows = one["imitation"]["rows"]
    assert list(rows)[:4] == ["instrument", "linear path alone", "plain PCA", "true features"]
    assert list(rows)[4:] == ["nearest training sound", "mean of the corpus", "silence"]
    for row in rows.values():
        assert row.keys() == MEASURES.keys() | FURTHER.keys()
    for key in ("log_mel_db", "sound_db", "lsd_db", "mr_stft", "stdev_percent"):
        assert rows["true features"][key]["mean"] < rows["instrument"][key]["mean"] < rows["silence"][key]["mean"], key
    assert one["imitation"]["bands"]["instrument"].keys() == BANDS_HZ.keys()
    assert one["imitation"]["si_sdr"]["meaningful"] is False
    assert one["likeness"]["n"] >= 8
    low, high = one["likeness"]["intervals"]["frechet_ratio"]
    assert low <= one["likeness"]["frechet_ratio"] <= high
    assert one["novelty"]["sounds"] == 12
    assert one["artefacts"].keys() == ARTEFACTS.keys()
    assert one["morphs"]["morph"]["evenness"] >= 1
    assert one["latent"]["dims"] == instrument.dims
    assert 0 <= one["latent"]["active_units"] <= instrument.dims
    assert "synthetic:additive" in one["disentanglement"]["not_measured"]
    assert one["speed"]["one_new_seconds"] > 0
    assert {example.kind for example in found.examples} == {"imitation", "new", "morph"}


def test_its_errors_are_those_of_the_measure(found: Evaluation, instrument: Instrument, fresh: Path) -> None:
    name = found.values["instruments"][0]["imitation"]["largest_errors"][0]["sound"]
    corpus = prepare(fresh, fresh.parent / "fresh.corpus", force=True)
    audio = corpus.audio(next(clip.id for clip in corpus.clips if clip.name == name))
    error = float(log_mel_error([audio], [instrument.reconstruct(audio)], sample_rate=RATE)[0])
    assert found.values["instruments"][0]["imitation"]["largest_errors"][0]["log_mel_db"] == pytest.approx(error, rel=1e-4)


def test_the_same_again_but_for_the_clock(found: Evaluation, tiny: Tiny, fresh: Path) -> None:
    again = evaluate(Instrument.load(tiny.file), fresh, quick=True, training=tiny.corpus).values
    first, second = found.values["instruments"][0], again["instruments"][0]
    for part in PARTS - {"speed"}:
        assert first[part] == second[part], part


def test_a_corpus_is_measured_on_what_its_training_held_out(tiny: Tiny) -> None:
    corpus = Corpus.open(tiny.corpus)
    (one,) = evaluate(tiny.file, corpus, quick=True).values["instruments"]
    learned = len(corpus.indices("train"))
    assert (one["sounds"]["trained"], one["sounds"]["held_out"]) == (learned, 24 - learned)
    assert one["sounds"]["measured_on"] == "not_learned"
    assert one["imitation"]["sounds"] == min(4, 24 - learned)
    assert one["imitation_of_trained"]["sounds"] == 2


def test_learned_sounds_alone_are_said_to_be_learned(tiny: Tiny, instrument: Instrument, tmp_path: Path) -> None:
    corpus = Corpus.open(tiny.corpus)
    for i in corpus.indices("train")[:5]:
        soundfile.write(tmp_path / f"{i}.wav", corpus.audio(i).numpy().T, RATE, subtype="FLOAT")
    (one,) = evaluate(instrument, tmp_path, quick=True, new=0).values["instruments"]
    assert one["sounds"]["measured_on"] == "trained"
    assert one["sounds"]["trained"] == 5
    assert "no new sounds" in one["novelty"]["not_measured"]
    assert "nearest training sound" in one["imitation"]["rows"]  # another one than itself
    assert one["imitation"]["rows"]["nearest training sound"]["log_mel_db"]["low"] > 0.5


def test_three_files_answer_what_can_be_measured(tiny: Tiny, tmp_path: Path) -> None:
    folder = write_drums(tmp_path / "few", 3, seed=21)
    (one,) = evaluate(tiny.file, folder, quick=True).values["instruments"]
    assert one["imitation"]["sounds"] == 3
    assert "too few" in one["likeness"]["not_measured"]
    assert one["novelty"]["median"] > 0
    assert one["morphs"]["pairs"] == 1
    single = write_drums(tmp_path / "one", 1, seed=22)
    (one,) = evaluate(tiny.file, single, quick=True).values["instruments"]
    assert one["imitation"]["sounds"] == 1
    assert one["morphs"] == {"not_measured": "a morph needs two real sounds"}


def test_a_stripped_instrument(instrument: Instrument, fresh: Path) -> None:
    stripped = Instrument(replace(instrument.contents, clips=None, origin=None))
    (one,) = evaluate(stripped, fresh, quick=True).values["instruments"]
    assert one["sounds"]["unknown"] == 20
    assert "stripped" in one["novelty"]["not_measured"]
    assert one["imitation"]["missing_rows"].keys() == {"plain PCA", "nearest training sound", "mean of the corpus"}


def test_several_instruments_are_measured_on_the_same_sounds(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fix_plan(monkeypatch)
    small = ("model.encoder=[8]", "model.decoder=[8]", "model.dims=3", "training.batch=8")
    other = write_drums(tmp_path / "other", 10, seed=3)
    quick_train(other, tmp_path / "other.safetensors", preset="dense", changes=small, steps_minutes=0.002)
    mixed = write_drums(tmp_path / "other", 22, seed=3)  # half of them are the training sounds of the second
    values = evaluate([tiny.file, tmp_path / "other.safetensors"], mixed, quick=True).values
    first, second = values["instruments"]
    assert (first["name"], second["name"]) == ("tiny", "other")
    assert first["sounds"]["trained"] == 0 < second["sounds"]["trained"]
    assert values["sounds"]["common"] == 22 - second["sounds"]["trained"]
    assert first["imitation"]["rows"]["silence"] == second["imitation"]["rows"]["silence"]  # the same sounds
    assert "plain PCA" in second["imitation"]["rows"]  # of any family


def test_factors_of_a_toy_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = prepare("synthetic:fm", tmp_path / "fm", count=60, force=True)
    fix_plan(monkeypatch, variations=0)
    small = ("model.encoder=[8]", "model.decoder=[8]", "model.dims=3", "training.batch=8")
    instrument = quick_train(corpus, tmp_path / "x.safetensors", preset="dense", changes=small, steps_minutes=0.002)
    (one,) = evaluate(instrument, corpus, quick=True, new=0).values["instruments"]
    assert set(one["disentanglement"]["factors"]) == {"detune", "ratio", "index", "frequency", "q"}
    for key in ("mig", "sap", "beta_vae", "dci_disentanglement"):
        assert 0 <= one["disentanglement"][key] <= 1


def test_progress_ends_at_its_total(tiny: Tiny, fresh: Path) -> None:
    calls: list[tuple[int, int]] = []
    evaluate(tiny.file, fresh, quick=True, new=4, progress=lambda done, total: calls.append((done, total)))
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert calls[-1][0] == calls[-1][1]
    steps = Steps(3, None)
    steps.add(5)
    assert (steps.done, steps.total) == (5, 5)


def test_bad_input(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="0 instruments"):
        evaluate([], tiny.folder)
    with pytest.raises(CorpusError, match="does not exist"):
        evaluate(tiny.file, tmp_path / "gone", quick=True)
    with pytest.raises(ConfigError, match="new sounds is 6000"):
        evaluate(tiny.file, tiny.folder, new=6_000)


# --- its own small measures ---------------------------------------------------------------------------------------


def test_wilson_interval_of_known_values() -> None:
    assert wilson(0.5, 100) == pytest.approx([0.4038, 0.5962], abs=1e-3)
    assert wilson(0.0, 10) == pytest.approx([0, 0.2775], abs=1e-3)
    assert wilson(1.0, 10)[1] == 1


def test_a_straight_path_has_no_detour_and_a_bent_one_has() -> None:
    straight = np.linspace([0.0, 0.0], [3.0, 4.0], 6)
    assert path_figures(straight, None)["evenness"] == pytest.approx(1)
    assert path_figures(straight, None)["detour"] == pytest.approx(1)
    bent = np.array([[0.0, 0], [0, 1], [1, 1], [4, 1], [4, 0]])
    found = path_figures(bent, np.array([[0.0, 1.5], [9, 9]]))
    assert found["evenness"] == pytest.approx(3 / 1.5)
    assert found["detour"] == pytest.approx(6 / 4)
    assert found["from_real_db"] == pytest.approx(np.median([0.5, math.sqrt(1.25), math.sqrt(16.25)]))


def test_a_cross_fade_has_both_ends_and_their_mean() -> None:
    one, other = torch.ones(1, 8), -torch.ones(1, 5)
    faded = cross_fade(one, other, 3)
    assert torch.equal(faded[0], one)
    assert torch.equal(faded[2][:, :5], other)
    assert torch.equal(faded[1][:, :5], torch.zeros(1, 5))
    assert torch.equal(faded[1][:, 5:], 0.5 * torch.ones(1, 3))

"""Searching for settings: ranges, samplers, early cuts, limits, taking up again, and what is written."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("optuna")

import optuna

from shell import Shell
from timbrespace.cli.learn.options import corpus_notes
from timbrespace.config.presets import load_preset
from timbrespace.config.schema import Config
from timbrespace.contracts import ConfigError, OutputExistsError, TimbrespaceError
from timbrespace.corpus.corpus import Corpus
from timbrespace.training import history as history_module
from timbrespace.training.callbacks import Progress, TrainingCallbacks
from timbrespace.training.loop import DivergedError
from timbrespace.training.options import TrainOptions
from timbrespace.tuning import report as tune_report
from timbrespace.tuning import study as tune_study
from timbrespace.tuning import trial as tune_trial
from timbrespace.tuning.pruners import LAST_MARK, mark
from timbrespace.tuning.result import TuneResult
from timbrespace.tuning.tune import tune
from tiny import Tiny, hashes, write_drums

SMALL = ("model.encoder=[8]", "model.decoder=[8]", "training.batch=16")
RANGES = ("model.dims=2..8:int:log", "training.learning_rate=1e-3..1e-1:log")

# --- searches with simulated trainings --------------------------------------------------------------------------------------------


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """Trainings whose error follows from their settings; the list is of those begun."""
    begun: list[Config] = []

    def train(corpus: object, out: Path, options: TrainOptions, *, callbacks: TrainingCallbacks) -> None:
        preset = options.preset
        assert isinstance(preset, Config)
        begun.append(preset)
        rate, dims = preset.training.learning_rate, preset.model["dims"]
        if rate > 0.09:
            raise DivergedError("the loss is no longer finite at step 10")
        error = 1 + abs(math.log10(rate) + 2) + 1 / dims
        callbacks.on_progress(Progress("train", 0, 10, {"train": 99.0, "validation": 99.0}, epoch=0.0))  # where it begins
        for k in range(1, 11):
            callbacks.on_progress(Progress("train", k, 10, {"train": error, "validation": error * (1 + 10 / k)}, epoch=k))
        callbacks.on_progress(Progress("finish", metrics={"train": error / 2, "validation": error}, unit="dB"))

    monkeypatch.setattr(tune_trial, "train", train)
    monkeypatch.setattr(tune_report, "_save", lambda figure, path: path)
    memory: dict[str, Any] = {}
    storage = tune_study._storage  # a disk takes 20 ms for each of hundreds of small writes
    monkeypatch.setattr(
        tune_study,
        "_storage",
        lambda url: memory.setdefault(url, optuna.storages.InMemoryStorage()) if url.startswith("memory") else storage(url),
    )
    return begun


def search(tiny: Tiny, out: Path, **more: Any) -> TuneResult:
    options: dict[str, Any] = {
        "preset": "dense",
        "trials": 6,
        "ranges": RANGES,
        "changes": SMALL,
        "epochs": 2,
        "device": "cpu",
        "prune": "none",
    }
    if more.pop("memory", False):
        options["storage"] = f"memory:{out}"
    return tune(Corpus.open(tiny.corpus), out, **options | more)


def test_results_are_written(tiny: Tiny, tmp_path: Path, pretended: list[Config]) -> None:
    told: list[str] = []
    found = search(tiny, tmp_path / "s", trials=8, on_trial=told.append)
    assert sorted(p.name for p in (tmp_path / "s").iterdir()) == [
        "best.yaml", "search.json", "study.db", "trials.csv"
    ]  # fmt: skip
    assert len(pretended) == 8
    rows = list(csv.DictReader((tmp_path / "s" / "trials.csv").read_text().splitlines()))
    assert [int(row["trial"]) for row in rows] == list(range(8))
    best = min(rows, key=lambda row: float(row["objective"] or "inf"))
    assert found.best is not None
    config = load_preset(found.best)
    assert config.model["dims"] == int(best["model.dims"])
    assert config.training.learning_rate == pytest.approx(float(best["training.learning_rate"]), rel=1e-12)
    assert config.training.epochs == 2
    assert found.table[0]["trial"] == int(best["trial"])
    assert best["trial"] in found.lines[1].split()
    assert len(told) == 8
    assert [path.name for path in found.files if path.suffix == ".png"] == ["history.png", "curves.png", "slices.png", "importance.png"]


def test_the_check_before_the_first_step_is_not_reported(tiny: Tiny, tmp_path: Path, pretended: list[Config]) -> None:
    search(tiny, tmp_path / "s", memory=True, trials=3)
    storage = tune_study._storage(f"memory:{tmp_path / 's'}")
    (summary,) = optuna.study.get_all_study_summaries(storage)
    done = [trial for trial in optuna.load_study(study_name=summary.study_name, storage=storage).trials if trial.intermediate_values]
    assert done
    for trial in done:
        assert 99.0 not in trial.intermediate_values.values()
        assert min(trial.intermediate_values) == mark(1)
        assert trial.user_attrs[LAST_MARK] == mark(10)


def test_a_resumed_search_equals_an_unbroken(tiny: Tiny, tmp_path: Path, pretended: list[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = search(tiny, tmp_path / "whole", memory=True, trials=7)
    search(tiny, tmp_path / "parts", memory=True, trials=3)
    real, calls = tune_trial.train, []

    def interrupted(*words: Any, **more: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(*words, **more)

    monkeypatch.setattr(tune_trial, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(tiny, tmp_path / "parts", memory=True, trials=7)
    assert not list((tmp_path / "parts").glob(".work*"))
    monkeypatch.setattr(tune_trial, "train", real)
    parts = search(tiny, tmp_path / "parts", memory=True, trials=7)

    def done(found: TuneResult) -> list[Any]:
        return [row["objective"] for row in found.table if row["state"] == "complete"]

    assert done(parts) == done(whole)
    begun = len(pretended)
    search(tiny, tmp_path / "parts", memory=True, trials=7)
    assert len(pretended) == begun  # nothing left to do


def test_refused_and_diverged_trials_are_listed(tiny: Tiny, tmp_path: Path, pretended: list[Config]) -> None:
    found = search(
        tiny, tmp_path / "s", memory=True, sampler="grid", ranges=("model.dims=2,200", "training.learning_rate=0.01,0.1"), limit=100_000
    )
    states = {(row["model.dims"], row["training.learning_rate"]): (row["state"], row["reason"]) for row in found.table}
    assert states[2, 0.01] == ("complete", "")
    assert states[2, 0.1] == ("pruned", "the loss is no longer finite at step 10")
    assert states[200, 0.01][0] == "refused"
    assert "100,000 are the limit" in states[200, 0.1][1]
    assert len(pretended) == 2
    assert any(line.startswith("refused (") for line in found.lines)
    ranges = ("model.name=dense,oneshot", "model.encoder=[8],[4]")  # one choice has no such setting
    other = search(tiny, tmp_path / "t", memory=True, sampler="grid", ranges=ranges, changes=())
    assert [row["state"] for row in other.table].count("refused") == 2
    assert all("encoder is not a setting" in row["reason"] for row in other.table if row["state"] == "refused")


def test_all_refused_leaves_no_best(tiny: Tiny, tmp_path: Path, pretended: list[Config]) -> None:
    found = search(tiny, tmp_path / "s", memory=True, limit=1, trials=3)
    assert (found.best, pretended) == (None, [])
    assert "3 refused" in "\n".join(found.lines)
    assert (tmp_path / "s" / "trials.csv").exists()


def test_a_pruned_trial_ends_early(tiny: Tiny, tmp_path: Path, pretended: list[Config]) -> None:
    ranges = ("training.learning_rate=0.01,0.011,0.012,0.013,0.00001", "model.dims=8")
    found = search(tiny, tmp_path / "s", memory=True, sampler="grid", ranges=ranges, prune="median", trials=5)
    pruned = [row for row in found.table if row["state"] == "pruned"]
    assert [row["training.learning_rate"] for row in pruned] == [0.00001]
    assert "worse than others at epoch 2" in pruned[0]["reason"]
    assert pruned[0]["epochs"] == 2


def test_overfit_in_the_objective(tiny: Tiny, tmp_path: Path, pretended: list[Config]) -> None:
    plain, punished = (search(tiny, tmp_path / f"s{weight}", memory=True, trials=1, overfit=weight) for weight in (0.0, 0.5))
    assert plain.table[0]["overfit_ratio"] == pytest.approx(2)
    assert punished.table[0]["objective"] == pytest.approx(1.5 * plain.table[0]["objective"])


def test_a_folder_holds_one_search(tiny: Tiny, tmp_path: Path, pretended: list[Config]) -> None:
    search(tiny, tmp_path / "s", trials=2)
    before = hashes(tmp_path / "s")
    with pytest.raises(OutputExistsError, match=r"other settings \(ranges differ\)"):
        search(tiny, tmp_path / "s", trials=3, ranges=RANGES[:1])
    assert hashes(tmp_path / "s") == before
    assert len(search(tiny, tmp_path / "s", trials=1, ranges=RANGES[:1], force=True).table) == 1
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "best.yaml").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"best\.yaml exists already"):
        search(tiny, tmp_path / "other")
    assert (tmp_path / "other" / "best.yaml").read_text() == "mine"
    shared = f"journal:{tmp_path / 'shared.journal'}"
    search(tiny, tmp_path / "a", trials=2, storage=shared, study="mine")
    assert len(search(tiny, tmp_path / "b", trials=3, storage=shared, study="mine").table) == 3
    assert not (tmp_path / "a" / "study.db").exists()
    with pytest.raises(ConfigError, match=r"belongs to another search \(limit differ\)"):
        search(tiny, tmp_path / "c", storage=shared, study="mine", limit=1e9)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://me:secret@127.0.0.1:9/x", "cannot be reached"),
        ("sqlite:////nowhere/at/all/x.db", "cannot be reached"),
        ("journal:/nowhere/at/all/x", "cannot be reached"),
        ("rubbish", "cannot be reached"),
        ("nonsense://x", "cannot be reached"),
    ],
)
def test_storages_that_cannot_be_reached_are_an_error(url: str, words: str, tiny: Tiny, tmp_path: Path, pretended: list[Config]) -> None:
    with pytest.raises(TimbrespaceError, match=words) as told:
        search(tiny, tmp_path / "s", storage=url)
    assert "secret" not in str(told.value)
    assert not pretended


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trials": 0}, "trials is 0, at least 1"),
        ({"ranges": (), "preset": None}, "nothing to search"),
        ({"sampler": "best"}, "allowed are tpe, gp, grid, random"),
        ({"prune": "all"}, "prune is 'all', allowed are median, trend, threshold, both, none"),
        ({"factor": 1.0}, "must be above 1"),
        ({"limit": 0.0}, "limit is 0"),
        ({"overfit": math.nan}, "overfit is nan"),
        ({"minutes": 1.0}, "give one of them"),
        ({"preset": "dnese"}, "unknown"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], words: str, tiny: Tiny, tmp_path: Path) -> None:
    if "preset" in options and options["preset"] is None:
        (tmp_path / "bare.yaml").write_text("representation: {name: mel}\nmodel: {name: dense}\n")
        options = options | {"preset": tmp_path / "bare.yaml"}
    with pytest.raises(ConfigError, match=words):
        search(tiny, tmp_path / "s", **options)
    assert not (tmp_path / "s").exists()


def test_a_missing_extra_is_named(shell: Shell, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("timbrespace.tuning.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "optuna", None)
    text = shell("tune", tiny.corpus, "--out", tmp_path / "s", code=2)
    assert "pip install 'timbrespace[tune]'" in text


# --- searches with real trainings -------------------------------------------------------------------------------------------------


def test_a_real_search_from_the_command_line(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    sets = [word for change in SMALL for word in ("--set", change)]
    words = ["tune", tiny.folder, "--preset", "dense", "--epochs", 2, "--device", "cpu", "--out", tmp_path / "s", *sets]
    words += [word for text in RANGES for word in ("--range", text)]
    report = shell.json(*words, "--trials", 2)
    assert [row["state"] for row in report["trials"]] == ["complete", "complete"]
    assert report["best"] == str(tmp_path / "s" / "best.yaml")
    assert all(row["parameters"] > 1000 and row["error"] > 0 for row in report["trials"])
    assert sorted(p.name for p in (tmp_path / "s" / "logs").iterdir()) == ["trial-0000.jsonl", "trial-0001.jsonl"]
    assert not list((tmp_path / "s").glob(".work*"))
    assert all((tmp_path / "s" / f"{name}.png").read_bytes().startswith(b"\x89PNG") for name in ("history", "curves", "slices"))
    text = shell(*words, "--trials", 3)
    assert "3 trials: 3 complete" in text
    assert f"train {tiny.folder} --preset {tmp_path / 's' / 'best.yaml'} --device cpu --out X.safetensors" in text
    again = tune(tiny.folder, tmp_path / "t", preset="dense", epochs=2, device="cpu", ranges=RANGES, changes=SMALL, trials=2)
    assert [row["objective"] for row in again.table] == [row["objective"] for row in report["trials"]]  # to the bit


def test_names_are_read_and_bad_files_listed_as_in_train(shell: Shell, tmp_path: Path, pretended: list[Config]) -> None:
    folder = write_drums(tmp_path / "sounds", 6, seconds=0.05)
    (folder / "broken.wav").write_text("no sound")
    tone = np.sin(np.arange(4_410) * 0.05) * np.linspace(0.9, 0.0, 4_410)
    soundfile.write(folder / "kick inverted.wav", np.stack([tone, -tone], 1), 44_100)
    (folder / "odd [1].aiff").write_bytes(b"FORM")
    words = ["tune", folder, "--preset", "dense", "--epochs", 2, "--range", "model.dims=2,3", "--trials", 1, "--prune", "trend"]
    rules = ["--rule", "gong=*kick*", "--pitch-names", "off", "--seed", 3]
    text = shell(*words, *rules, "--out", tmp_path / "s")
    skipped = "".join(line for line in text.splitlines() if line.startswith("skipped"))
    assert all(name in skipped for name in ("broken.wav", "odd [1].aiff"))
    corpus = Corpus.open(tmp_path / "s" / "corpus")
    assert "gong" in corpus.categories
    assert corpus.head["options"]["pitch_names"] == "off"
    assert f"--preset {tmp_path / 's' / 'best.yaml'} --rule 'gong=*kick*' --pitch-names off --seed 3 --out X.safetensors" in text
    report = shell.json(*words, *rules, "--out", tmp_path / "s")
    assert report["skipped"] == corpus.skipped()
    assert len(report["skipped"]) == 2
    assert report["notes"] == corpus_notes(corpus)
    assert any(note.startswith("note kick inverted.wav: ") for note in report["notes"])
    assert all(note in text for note in report["notes"])
    assert "rules of the run" in shell(*words, "--rule", "bell=*kick*", "--seed", 3, "--out", tmp_path / "s", code=2)
    assert "is not NAME=PATTERN" in shell(*words, "--rule", "gong", "--out", tmp_path / "t", code=2)
    assert "is a prepared corpus" in shell("tune", corpus.path, *words[2:], "--rule", "a=b", "--out", tmp_path / "t", code=2)
    assert not (tmp_path / "t").exists()


def test_a_search_that_never_began_leaves_nothing(shell: Shell, tmp_path: Path, pretended: list[Config]) -> None:
    """So that the corrected command is not refused because of the wrong one."""
    (tmp_path / "empty").mkdir()
    one = write_drums(tmp_path / "one", 1, seconds=0.05)
    words = ["--preset", "dense", "--epochs", 2, "--range", "model.dims=2,3", "--trials", 1, "--out", tmp_path / "results" / "s"]
    for source, reason in ((tmp_path / "empty", "no sound files"), (one, "too few"), (tmp_path / "nowhere", "does not exist")):
        assert reason in shell("tune", source, *words, code=2)
        assert not (tmp_path / "results").exists()
    sounds = write_drums(tmp_path / "sounds", 6, seconds=0.05)
    assert "cannot be reached" in shell("tune", sounds, *words, "--storage", "rubbish", code=2)
    assert not (tmp_path / "results").exists()
    assert "1 trials" in shell("tune", sounds, *words)
    before = hashes(tmp_path / "results")
    assert "holds a search on" in shell("tune", one, *words, code=2)  # a search that is there stays
    assert hashes(tmp_path / "results") == before


def test_a_rate_that_only_spoils_its_start_loses(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large rate spoils the model. Training keeps the state before the first step; the objective is the error of what was learned."""
    monkeypatch.setattr(history_module, "_SPOILT", 1.1)
    found = search(
        tiny, tmp_path / "s", sampler="grid", ranges=("training.batch=16", "training.learning_rate=1e-4,1.0"), trials=2, epochs=12,
        changes=("model.encoder=[8]", "model.decoder=[8]", "model.dims=3", "training.variations=2", "training.fewest_variations=0"),
    )  # fmt: skip
    careful, spoilt = sorted(found.table, key=lambda row: float(row["training.learning_rate"]))
    assert spoilt["objective"] == spoilt["error"] > 1.1 * spoilt["start_error"]
    assert careful["start_error"] == spoilt["start_error"]
    assert careful["error"] < spoilt["error"]
    assert found.best is not None
    assert load_preset(found.best).training.learning_rate == 1e-4
    assert {"start", "learned"} <= set(found.lines[0].split())


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["sqlite:///", "journal:"])
def test_two_processes_share_a_study(kind: str, tiny: Tiny, tmp_path: Path) -> None:
    sets = [word for change in SMALL for word in ("--set", change)]
    words = [
        "tune",
        tiny.corpus,
        "--preset",
        "dense",
        "--epochs",
        2,
        "--device",
        "cpu",
        "--trials",
        8,
        "--storage",
        f"{kind}{tmp_path}/x",
        *sets,
    ]
    words += ["--sampler", "grid", "--range", "model.dims=2,3,4,5", "--range", "training.learning_rate=0.01,0.02"]
    jobs = [
        subprocess.Popen(
            [sys.executable, "-m", "timbrespace", *map(str, words), "--out", str(tmp_path / out)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for out in ("a", "b")
    ]  # fmt: skip
    told = [job.communicate(timeout=500) for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], told
    shares = [sum(line.startswith("trial ") for line in errors.splitlines()) for _, errors in told]
    assert min(shares) >= 1
    assert 8 <= sum(shares) <= 10  # both may take the last cell
    url = f"{kind}{tmp_path}/x"
    (study,) = optuna.get_all_study_summaries(storage=tune_study._storage(url))
    trials = optuna.load_study(study_name=study.study_name, storage=tune_study._storage(url)).trials
    assert len({(t.params["model.dims"], t.params["training.learning_rate"]) for t in trials}) == 8

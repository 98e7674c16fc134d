"""Rows of the benchmark scripts: they are listed, chosen, measured, stored and printed."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shell import run_script
from tiny import Tiny, fix_plan, quick_train

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "benchmarks"


def test_help_of_representations() -> None:
    done = run_script("representations.py", "--help")
    assert done.returncode == 0
    assert all(option in done.stdout for option in ("--rows", "--results", "--stored", "--sounds", "--gigabytes"))


def test_a_row_of_representations_is_measured_stored_and_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("psutil")
    import torch

    from timbrespace.audio.files import write

    for k, name in enumerate(("drums", "notes", "pieces")):
        (tmp_path / "my sounds" / name).mkdir(parents=True)
        noise = torch.randn(1, 6000, generator=torch.Generator().manual_seed(k)) * torch.linspace(1, 0, 6000)
        write(tmp_path / "my sounds" / name / "one.wav", 0.2 * noise, 44_100)
    monkeypatch.syspath_prepend(str(SCRIPTS))
    main = importlib.import_module("representations").main
    options = ["--sounds", "1", "--pieces", "1", "--results", str(tmp_path / "results"), "--rows", "control/silence"]
    words = [str(tmp_path / "my sounds"), *options]
    assert main(words) == 0
    first = capsys.readouterr().out
    assert "my sounds" not in first
    assert "| `control/silence` | " in first
    assert "not measured" in first
    file = tmp_path / "results" / "control--silence.json"
    before = file.stat().st_mtime_ns
    assert main(words) == 0
    assert capsys.readouterr().out == first
    assert file.stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["mdct", "log-stft"])
def test_all_values_of_a_row_of_representations(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    import torch

    monkeypatch.syspath_prepend(str(SCRIPTS))
    measuring, rows = importlib.import_module("lib.representations.measure"), importlib.import_module("lib.representations.rows")
    monkeypatch.setattr(measuring, "_BATCH", 2)
    monkeypatch.setattr(measuring, "_BACK", 1)
    monkeypatch.setattr(measuring, "_LEAST_SECONDS", 0.0)
    rng = torch.Generator().manual_seed(0)
    sets = {part: [0.2 * torch.randn(1, 5000, generator=rng) for _ in range(2)] for part in ("drums", "notes", "pieces")}
    keys = {"iterations": 2} if name == "log-stft" else {}
    found = measuring.measure(rows.Row(name, name, keys), sets)
    assert min(found[f"{way}_{threads}"] for way in ("encode", "decode") for threads in (1, 2)) > 0
    assert found["values_per_second"] == pytest.approx(44_100 if name == "mdct" else 513 * 44_100 / 256, rel=0.01)
    if name == "mdct":
        assert found["notes"]["snr_db"] > 120
        assert found["drums"]["log_mel_1024"] < 0.01
        assert found["tail_dbfs"] < -90
    else:
        assert found["notes"]["convergence_db"] < 0
        assert found["drums"]["low"] <= found["drums"]["log_mel_1024"] <= found["drums"]["high"]
        assert "snr_db" not in found["drums"]


def test_rows_are_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    rows = importlib.import_module("lib.representations.rows")
    names = [row.name for row in rows.all_rows()]
    assert len(set(names)) == len(names)
    assert set(rows.REPRESENTATIONS) <= set(names)
    assert rows.chosen("mdct, bands", names) == ["bands", "mdct"]
    assert "bands/griffin-lim" in rows.chosen("bands*", names)
    with pytest.raises(ValueError, match="drum"):
        rows.chosen("mdct,drum", names)
    assert not [row for row in rows.all_rows() if row.view != "control" and row.build().channels != 1]


def test_the_verdict_names_missed_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    tables = importlib.import_module("lib.representations.tables")
    near = {f"log_mel_{n}": 0.9 for n in (512, 1024, 2048)}
    row = {"values_per_second": 27_000.0, "n_fft": 1024, "hop": 256, "encode_1": 900.0, "tail_dbfs": -300.0, "drums": near, "notes": near}
    assert "missed" not in tables.verdict({"bands": row})
    loud = tables.verdict({"bands": row | {"tail_dbfs": -89.0, "encode_1": 499.0, "notes": near | {"log_mel_2048": 1.51}}})
    assert loud.count("**missed**") == 4  # the three, and that no setting meets all
    assert "`bands` -89 | **missed**" in loud
    runs = [{"corpus_mb": mb, "anonymous_mb": held} for mb, held in ((250.0, 400.0), (1000.0, 500.0))]
    assert "**missed**" in tables.verdict({"scale/memory": {"runs": runs}})


def test_the_log_mel_error_depends_on_the_window() -> None:
    import torch

    from timbrespace.audio.distance import log_mel_error

    sound = 0.3 * torch.randn(1, 1, 30_000, generator=torch.Generator().manual_seed(0))
    copy = sound + 0.1 * torch.randn(1, 1, 30_000, generator=torch.Generator().manual_seed(1))
    found = [float(log_mel_error(sound, copy, n_fft=n)) for n in (512, 1024, 2048)]
    assert float(log_mel_error(sound, copy)) == found[1]
    assert len(set(found)) == 3
    assert all(float(log_mel_error(sound, sound, n_fft=n)) == 0 for n in (512, 2048))


def test_one_shots_lists_its_rows_and_refuses_unknown_ones(tmp_path: Path) -> None:
    done = run_script("one_shots.py", str(tmp_path), "--list", "--seeds", "2", "--presets", "oneshot,dense")
    assert done.returncode == 0
    rows = done.stdout.splitlines()
    assert len(rows) == len(set(rows)) == 2 * 2 * (5 + 3)
    assert "drums 10 min, all clips, dense, seed 0" in rows
    assert "notes 3 min, 50 clips, seed 1" in rows
    wrong = run_script("one_shots.py", str(tmp_path), "--rows", "cats*")
    assert wrong.returncode == 2
    assert "--list" in wrong.stderr
    strange = run_script("one_shots.py", str(tmp_path), "--list", "--presets", "cats")
    assert strange.returncode == 2
    assert "dense" in strange.stderr


def test_one_shots_prints_means_and_ranges_over_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    script = importlib.import_module("one_shots")

    def stored(seed: int, value: float) -> dict[str, object]:
        copies = dict.fromkeys(("log_mel_db", "sound_db", "attack_ms", "decay_percent", "grain_db"), value)
        new = dict.fromkeys(("frechet_ratio", "precision", "recall", "accuracy", "real_accuracy", "novelty", "copies"), value)
        cost = dict.fromkeys(("train_seconds", "steps", "parameters", "peak_mb", "file_mb", "generate_64_seconds"), 100 * value)
        latent = {"instrument": value, "plain PCA": 2 * value, "under_pca_percent": 50.0}
        row = {"setting": script.all_rows(2)[seed].setting, "latent": latent, "copies": {"instrument": copies}, "new": new}
        return row | {"cost": cost, "seed": seed, "faults": {"tail_db": {"new": value, "real": 2 * value}}}

    text = script.tables([stored(0, 1.0), stored(1, 3.0)])
    assert "| drums 3 min, all clips | 2 | – | 2.00 (1.00–3.00) dB | 4.00 (2.00–6.00) dB | 50.0 (50.0–50.0) % |" in text
    assert "| 2.00 (1.00–3.00) [4.00 (2.00–6.00)] |" in text  # a fault, new beside real
    assert "| 200 (100–300) |" in text


@pytest.mark.parametrize("preset", ["oneshot", "dense"])
def test_all_values_of_a_row_of_one_shots(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str) -> None:
    pytest.importorskip("psutil")
    from timbrespace.corpus.corpus import Corpus

    monkeypatch.syspath_prepend(str(SCRIPTS))
    measuring, printing = importlib.import_module("lib.one_shots.measure"), importlib.import_module("lib.one_shots.tables")
    monkeypatch.setattr(measuring, "NEW", 8)
    monkeypatch.setattr(measuring, "run", lambda words: SimpleNamespace(seconds=1.0, words=words))
    corpus, file = Corpus.open(tiny.corpus), tiny.file
    if preset == "dense":
        file = tmp_path / "dense.safetensors"
        fix_plan(monkeypatch, variations=0)
        small = ("model.encoder=[16]", "model.decoder=[16]", "model.dims=3", "training.batch=8")
        quick_train(corpus, file, preset="dense", changes=small, steps_minutes=0.002)
    bench = SimpleNamespace(corpus=corpus, unseen=_first(corpus, 3), work=tmp_path)
    card = {"training": {"steps": 5}}
    trained = SimpleNamespace(path=file, run=SimpleNamespace(seconds=1.0, peak_mb=1.0), card=card)
    found = measuring.measure(bench, trained, seed=0)
    assert found["latent"]["unit"] == "dB"
    assert ("plain PCA" in found["copies"]) == (preset == "oneshot")
    assert found["copies"]["true features"]["log_mel_db"] < found["copies"]["instrument"]["log_mel_db"]
    assert 0 < found["faults"]["variety"]["new"] < 3
    assert found["cost"]["parameters"] > 100
    text = printing.tables([{"setting": f"drums 1 min, {preset}", **found}])
    assert text.count(f"drums 1 min, {preset}") >= 5
    assert "nan" not in text


def _first(corpus: Any, count: int) -> Any:
    """So many clips of a corpus."""

    class Few:
        def __len__(self) -> int:
            return count

        def audio(self, index: int) -> Any:
            return corpus.audio(index)

    return Few()


def test_models_has_a_row_for_every_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    from timbrespace.config.presets import load_preset, presets
    from timbrespace.model.registry import MODELS

    monkeypatch.syspath_prepend(str(SCRIPTS))
    rows = importlib.import_module("lib.models.rows")
    every = rows.all_rows()
    names = [row.name for row in every]
    assert len(set(names)) == len(names)
    files = {row: row.file for row in every}
    shared = {(one.name, other.name) for one in every for other in every if one.name < other.name and files[one] == files[other]}
    same = {preset: size for preset in rows.families().values() if (size := rows.own_size(preset)) in rows.SIZES}
    assert shared == {(f"{corpus}/{preset}", f"{corpus}/{preset}@{size}") for corpus in rows.CORPORA for preset, size in same.items()}
    assert {f"{corpus}/{preset}" for corpus in rows.CORPORA for preset in presets()} <= set(names)
    assert set(rows.families()) <= set(MODELS)
    assert all(load_preset(preset).model["name"] == family for family, preset in rows.families().items())
    assert [row.name for row in rows.chosen("fm/dense@8, fm/control: silence", every)] == ["fm/control: silence", "fm/dense@8"]
    with pytest.raises(ValueError, match="cats"):
        rows.chosen("fm/dense,cats/*", every)
    for preset in rows.families().values():
        load_preset(preset, changes=[f"{rows.dims_key(load_preset(preset).model)}=8"])


def test_rows_of_models_are_measured_stored_and_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("psutil")
    from timbrespace.corpus.corpus import Corpus

    monkeypatch.syspath_prepend(str(SCRIPTS))
    script, measuring = importlib.import_module("models"), importlib.import_module("lib.models.measure")
    fix_plan(monkeypatch, variations=0)
    calls: list[str] = []

    def trained(words: list[Any]) -> Any:
        options = dict(zip(words[2::2], words[3::2], strict=False))
        calls.append(options["--preset"])
        if options["--preset"] == "raw":
            raise SystemExit("it ended with 2:\nerror: not this corpus")
        small = ("model.encoder=[8]", "model.decoder=[8]", "training.batch=8", options["--set"])
        made = quick_train(Corpus.open(words[1]), options["--out"], preset="dense", changes=small, steps_minutes=0.002)
        return SimpleNamespace(output=json.dumps({"card": made.card}), seconds=6.0, peak_mb=1.0)

    monkeypatch.setattr(measuring, "run", trained)
    picked = "fm/dense@8,fm/raw@8,fm/control: plain PCA@8,fm/control: silence"
    words = ["--rows", picked, "--clips", "60", "--new", "8", "--unseen", "3"]
    words += ["--results", str(tmp_path / "results"), "--work", str(tmp_path / "work"), "--out", str(tmp_path / "page.md")]
    assert script.main(words) == 0
    text = capsys.readouterr().out
    assert "## fm: families at 8 latent dimensions" in text
    assert "| `raw` | refused: not this corpus | – |" in text
    lines = {line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")}
    head, dense, pca, silence = lines["model"], lines["`dense`"], lines["*plain PCA, default view*"], lines["*silence*"]
    assert len(head) == len(dense) == len(pca) == len(silence)
    assert dense[head.index("latent")] == "8"
    assert dense[head.index("minutes")] == "0.1"
    assert float(dense[head.index("distance")]) > 0
    begun, learned = dense[head.index("validation")].removesuffix(" dB").split(" → ")
    assert float(begun) >= float(learned)  # where it begins may stay the best
    assert pca[head.index("KL")] == "–"
    assert text in (tmp_path / "page.md").read_text(encoding="utf-8") + "\n"
    assert script.main([*words, "--rows", "fm/*@8", "--stored"]) == 0
    assert len(calls) == 2  # what is stored is not trained again


def test_models_compares_oneshot_with_the_best_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    tables = importlib.import_module("lib.models.tables")

    def row(error: float, *, moving: bool = False) -> dict[str, Any]:
        return {"copies": {"log_mel_db": error}, "moving": moving}

    found = {"oneshot": row(4.0), "dense": row(5.0), "sequence": row(1.0, moving=True), "raw": {"refused": "not this corpus"}}
    assert "`dense`, 5.00 dB, +25 %" in tables._verdict(found)
    assert "`dense`, 3.00 dB, -25 %" in tables._verdict({**found, "dense": row(3.0)})  # it says so when it is worse, too
    assert tables._verdict({"oneshot": row(4.0), "sequence": row(1.0, moving=True)}) == ""
    assert tables._verdict({"dense": row(4.0)}) == ""
    assert sorted(found, key=lambda name: tables._error(found[name])) == ["sequence", "oneshot", "dense", "raw"]

"""Training interrupted and taken up again: the same bits as unbroken, and only the same run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from timbrespace.contracts import ConfigError, OutputExistsError, TimbrespaceError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.training.callbacks import Progress, TrainingCallbacks
from timbrespace.training.data.image_store import ImageStore
from timbrespace.training.distributed import check_device
from timbrespace.training.workspace import Workspace
from tiny import SMALL, Tiny, assert_same_tensors, interrupt_at, quick_train, tensors_of, write_drums

# --- resumed equals unbroken ------------------------------------------------------------------------------------------------------


def test_same_seed_same_instrument(tiny: Tiny, quick_file: Path, tmp_path: Path, fixed: None) -> None:
    torch.rand(7)  # whatever was drawn before
    quick_train(Corpus.open(tiny.corpus), tmp_path / "same.safetensors")
    assert_same_tensors(tmp_path / "same.safetensors", quick_file)
    quick_train(Corpus.open(tiny.corpus), tmp_path / "other.safetensors", seed=1)
    assert not torch.equal(tensors_of(tmp_path / "other.safetensors")["model.mean"], tensors_of(quick_file)["model.mean"])


@pytest.mark.parametrize(("stage", "done"), [("encode", 20), ("codec", 0), ("train", 40), ("finish", 0)])
def test_resumed_equals_unbroken(stage: str, done: int, tiny: Tiny, quick_file: Path, tmp_path: Path, fixed: None) -> None:
    out, corpus = tmp_path / "x.safetensors", Corpus.open(tiny.corpus)
    with pytest.raises(KeyboardInterrupt):
        quick_train(corpus, out, callbacks=interrupt_at(stage, done))
    assert not out.exists()
    assert (tmp_path / "x.training" / "plan.json").exists()
    with pytest.raises(OutputExistsError, match="--resume"):
        quick_train(corpus, out)
    torch.rand(3)
    quick_train(corpus, out, resume=True)
    assert_same_tensors(out, quick_file)
    assert not (tmp_path / "x.training").exists()


def test_resumed_several_times_equals_unbroken(tiny: Tiny, quick_file: Path, tmp_path: Path, fixed: None) -> None:
    out, corpus = tmp_path / "x.safetensors", Corpus.open(tiny.corpus)
    for turn, (stage, done) in enumerate((("encode", 57), ("train", 20), ("train", 40))):
        with pytest.raises(KeyboardInterrupt):
            quick_train(corpus, out, resume=turn > 0, callbacks=interrupt_at(stage, done))
    quick_train(corpus, out, resume=True)
    assert_same_tensors(out, quick_file)


def test_resumed_in_the_middle_of_encoding(
    tiny: Tiny, quick_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fixed: None
) -> None:
    monkeypatch.setattr("timbrespace.training.data.image_store._CHUNK", 4)  # a note every 32 rows
    corpus = Corpus.open(tiny.corpus)
    seen: list[int] = []

    def watch(report: Progress) -> None:
        if report.stage == "encode":
            seen.append(report.done)

    out = tmp_path / "x.safetensors"
    with pytest.raises(KeyboardInterrupt):
        quick_train(corpus, out, callbacks=interrupt_at("encode", 40))
    quick_train(corpus, out, resume=True, callbacks=TrainingCallbacks(on_progress=watch))
    assert seen[0] == 36  # 32 rows were kept
    assert_same_tensors(out, quick_file)


def test_a_folder_is_resumed_too(tmp_path: Path, fixed: None) -> None:
    sounds = write_drums(tmp_path / "in", 6, seconds=0.1)
    quick_train(sounds, tmp_path / "whole.safetensors")
    for stage in ("prepare", "train"):
        out = tmp_path / f"{stage}.safetensors"
        with pytest.raises(KeyboardInterrupt):
            quick_train(sounds, out, callbacks=interrupt_at(stage, 3))
        quick_train(sounds, out, resume=True)
        assert_same_tensors(out, tmp_path / "whole.safetensors")


def test_only_the_same_run_is_resumed(tiny: Tiny, tmp_path: Path, fixed: None) -> None:
    out, corpus = tmp_path / "x.safetensors", Corpus.open(tiny.corpus)
    with pytest.raises(KeyboardInterrupt):
        quick_train(corpus, out, callbacks=interrupt_at("train", 10))
    write_drums(tmp_path / "in", 5, seconds=0.1)
    prepare(tmp_path / "in", tmp_path / "other")
    for options, word in (
        ({"seed": 1}, "the seed"),
        ({"steps_minutes": 0.5}, "the settings"),
        ({"changes": (*SMALL, "model.depth=2")}, "the settings"),
        ({"source": Corpus.open(tmp_path / "other")}, "the corpus"),
    ):
        source: Any = options.pop("source", corpus)
        with pytest.raises(ConfigError, match=word):
            quick_train(source, out, resume=True, **options)
    assert (tmp_path / "x.training" / "checkpoint.pt").exists()


def test_another_folder_is_not_mixed_in(tmp_path: Path, fixed: None) -> None:
    one, two = write_drums(tmp_path / "one", 5, seconds=0.1), write_drums(tmp_path / "two", 6, seconds=0.1)
    out = tmp_path / "x.safetensors"
    with pytest.raises(KeyboardInterrupt):
        quick_train(one, out, callbacks=interrupt_at("train", 10))
    with pytest.raises(ConfigError, match="the source"):
        quick_train(two, out, resume=True)
    with pytest.raises(ConfigError, match="the source"):
        quick_train(one, out, resume=True, channels=2)


def test_a_renamed_folder_is_resumed_from_the_working_folder(tmp_path: Path, fixed: None) -> None:
    sounds, out = write_drums(tmp_path / "in", 5, seconds=0.1), tmp_path / "x.safetensors"
    quick_train(sounds, tmp_path / "whole.safetensors")
    with pytest.raises(KeyboardInterrupt):
        quick_train(sounds, out, callbacks=interrupt_at("train", 10))
    sounds.rename(tmp_path / "renamed")
    quick_train(tmp_path / "renamed", out, resume=True)
    assert_same_tensors(out, tmp_path / "whole.safetensors")


def test_minutes_need_not_be_given_again(tiny: Tiny, quick_file: Path, tmp_path: Path, fixed: None) -> None:
    out, corpus = tmp_path / "x.safetensors", Corpus.open(tiny.corpus)
    with pytest.raises(KeyboardInterrupt):
        quick_train(corpus, out, callbacks=interrupt_at("train", 20))
    quick_train(corpus, out, resume=True, steps_minutes=None)
    assert_same_tensors(out, quick_file)


def test_settings_that_differ_are_named(tiny: Tiny, tmp_path: Path, fixed: None) -> None:
    out, corpus = tmp_path / "x.safetensors", Corpus.open(tiny.corpus)
    with pytest.raises(KeyboardInterrupt):
        quick_train(corpus, out, callbacks=interrupt_at("train", 20))
    with pytest.raises(ConfigError, match=r"training\.minutes was 0\.0125 and is 0\.5"):
        quick_train(corpus, out, resume=True, steps_minutes=0.5)
    with pytest.raises(ConfigError, match=r"model\.depth was \d and is 2"):
        quick_train(corpus, out, resume=True, changes=(*SMALL, "model.depth=2"))


@pytest.mark.parametrize("count", [None, 0, 1])
def test_a_run_that_never_started_leaves_nothing(count: int | None, tmp_path: Path, fixed: None) -> None:
    sounds, out = tmp_path / "in", tmp_path / "new" / "x.safetensors"
    if count is not None:
        sounds.mkdir()
        write_drums(sounds, count, seconds=0.1) if count else None
    with pytest.raises(TimbrespaceError):
        quick_train(sounds, out)
    assert [path.name for path in tmp_path.iterdir()] == ([] if count is None else ["in"])
    write_drums(tmp_path / "in", 5, seconds=0.1)
    quick_train(tmp_path / "in", out)
    assert out.exists()


def test_a_working_folder_without_a_plan_does_not_block_the_next_run(tiny: Tiny, quick_file: Path, tmp_path: Path, fixed: None) -> None:
    (tmp_path / "x.training").mkdir()
    quick_train(Corpus.open(tiny.corpus), tmp_path / "x.safetensors")
    assert_same_tensors(tmp_path / "x.safetensors", quick_file)


def test_two_runs_on_one_output_do_not_meet(tiny: Tiny, quick_file: Path, tmp_path: Path, fixed: None) -> None:
    out, corpus = tmp_path / "x.safetensors", Corpus.open(tiny.corpus)
    refused = []

    def second(report: Progress) -> None:
        if report.stage == "train" and not refused:
            for options in ({"force": True}, {"resume": True}, {}):
                with pytest.raises(TimbrespaceError, match="another run"):
                    quick_train(corpus, out, **options)
            refused.append(report)

    quick_train(corpus, out, callbacks=TrainingCallbacks(on_progress=second))
    assert refused
    assert_same_tensors(out, quick_file)


def test_nothing_to_resume(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(TimbrespaceError, match="there is no run to resume"):
        quick_train(Corpus.open(tiny.corpus), tmp_path / "x.safetensors", resume=True)


@pytest.mark.parametrize("name", ["plan.json", "checkpoint.pt", "codec.pt"])
def test_a_damaged_workspace_is_an_error_with_advice(name: str, tiny: Tiny, tmp_path: Path, fixed: None) -> None:
    out, corpus = tmp_path / "x.safetensors", Corpus.open(tiny.corpus)
    with pytest.raises(KeyboardInterrupt):
        quick_train(corpus, out, callbacks=interrupt_at("train", 10))
    path = tmp_path / "x.training" / name
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(TimbrespaceError, match="start again with --force"):
        quick_train(corpus, out, resume=True)
    quick_train(corpus, out, force=True)
    assert out.exists()


def test_a_pickle_in_the_workspace_is_not_run(tiny: Tiny, tmp_path: Path, fixed: None) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "hacked",))

    out, corpus = tmp_path / "x.safetensors", Corpus.open(tiny.corpus)
    with pytest.raises(KeyboardInterrupt):
        quick_train(corpus, out, callbacks=interrupt_at("train", 10))
    torch.save({"model": Evil()}, tmp_path / "x.training" / "checkpoint.pt")
    with pytest.raises(TimbrespaceError, match="damaged"):
        quick_train(corpus, out, resume=True)
    assert not (tmp_path / "hacked").exists()


def test_a_damaged_note_of_the_store_means_encoding_again(tiny: Tiny, quick_file: Path, tmp_path: Path, fixed: None) -> None:
    out, corpus = tmp_path / "x.safetensors", Corpus.open(tiny.corpus)
    with pytest.raises(KeyboardInterrupt):
        quick_train(corpus, out, callbacks=interrupt_at("codec"))
    for text in ("", "[]", '{"done": -5, "lengths": []}', '{"done": 89, "lengths": [1, 2]}', '{"done": "x"}'):
        (tmp_path / "x.training" / "images.json").write_text(text)
        store = ImageStore(tmp_path / "x.training", rows=89, cells=161 * 44)
        assert store.done == 0, text
    with (tmp_path / "x.training" / "images.f16").open("r+b") as file:
        file.truncate(1000)
    quick_train(corpus, out, resume=True)
    assert_same_tensors(out, quick_file)


# --- paths and devices ------------------------------------------------------------------------------------------------------------


def test_results_and_foreign_files_are_kept(tiny: Tiny, tmp_path: Path) -> None:
    out, corpus = tmp_path / "x.safetensors", Corpus.open(tiny.corpus)
    out.write_bytes(b"mine")
    with pytest.raises(OutputExistsError):
        quick_train(corpus, out)
    assert out.read_bytes() == b"mine"
    out.unlink()
    with pytest.raises(ConfigError, match=r"must end in \.safetensors"):
        quick_train(corpus, tmp_path / "x.pt")
    workspace = tmp_path / "x.training"
    workspace.mkdir()
    (workspace / "holiday.jpg").write_bytes(b"mine too")
    with pytest.raises(TimbrespaceError, match=r"holiday\.jpg"):
        quick_train(corpus, out, force=True)
    shutil.rmtree(workspace)
    workspace.write_bytes(b"a file")
    for options in ({}, {"force": True}):
        with pytest.raises(OutputExistsError, match="is a file"):
            quick_train(corpus, out, **options)
    assert workspace.read_bytes() == b"a file"
    with pytest.raises(TimbrespaceError, match="could not write"):
        quick_train(corpus, workspace / "below" / "x.safetensors")


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5])
def test_seeds_out_of_range_are_refused(seed: Any, tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="seed is"):
        quick_train(Corpus.open(tiny.corpus), tmp_path / "x.safetensors", seed=seed)
    assert not any(tmp_path.iterdir())


def test_missing_devices_are_refused() -> None:
    assert check_device("cpu") == "cpu"
    assert check_device("auto") in ("cuda", "mps", "cpu")
    with pytest.raises(ConfigError, match="'tpu', allowed are auto, cpu"):
        check_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="device is 'cuda', which is not available; this machine has cpu"):
            check_device("cuda")


def test_a_failed_save_keeps_the_last_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path / "x.safetensors")
    workspace.start(resume=False, force=False)
    workspace.save("checkpoint.pt", {"step": 1})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(TimbrespaceError, match="no room left on the disk"):
        workspace.save("checkpoint.pt", {"step": 2})
    assert workspace.load("checkpoint.pt") == {"step": 1}
    workspace.release()
    assert [p.name for p in workspace.path.iterdir()] == ["checkpoint.pt"]

"""Instrument files are not trusted: every damaged file gives one kind of error, soon, and with little memory."""

from __future__ import annotations

import json
import os
import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from safetensors.torch import save_file

from timbrespace.audio.embedding import embedding
from timbrespace.cli.main import main
from timbrespace.contracts import InstrumentFileError
from timbrespace.instrument import Instrument
from timbrespace.synthesis.file.layout import EMBEDDING_FEATURES, current_name
from tiny import Tiny, tensors_of

OPTIONAL = ("controls.slopes", "controls.axes", "controls.reach", "clips.descriptors")  # parts that older files lack
Change = Callable[[dict[str, Any], dict[str, torch.Tensor]], None]


@pytest.fixture(scope="module")
def data(tiny: Tiny) -> bytes:
    return tiny.file.read_bytes()


def taken_apart(data: bytes) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    size = int.from_bytes(data[:8], "little")
    head = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["timbrespace"])
    del head["checksum"]  # as in files of earlier versions: what is changed below is not found by it
    return head, load_tensors(data)


def put_together(head: Any, tensors: dict[str, torch.Tensor]) -> bytes:
    text = head if isinstance(head, str) else json.dumps(head)
    return save_tensors(tensors, metadata={"timbrespace": text})


def refused(data: bytes, folder: Path) -> str:
    """Checks that the file is refused at once, with little memory, by one kind of error; returns its text."""
    path = folder / "bad.safetensors"
    path.write_bytes(data)
    tracemalloc.start()
    started = time.process_time()
    try:
        with pytest.raises(InstrumentFileError) as caught:
            Instrument.load(path)
        assert time.process_time() - started < 5
        assert tracemalloc.get_traced_memory()[1] < 40 * len(data) + 50_000_000
    finally:
        tracemalloc.stop()
    assert "bad.safetensors" in str(caught.value)
    assert len(str(caught.value)) < 1000
    return str(caught.value)


def test_the_whole_file_is_read(data: bytes, tmp_path: Path) -> None:
    """What the other tests change is right to begin with."""
    head, tensors = taken_apart(data)
    path = tmp_path / "fine.safetensors"
    path.write_bytes(put_together(head, tensors))
    assert len(Instrument.load(path).generate(1)) == 1
    assert embedding(torch.ones(1, 1, 500)).shape[1] == tensors["clips.embeddings"].shape[1] == EMBEDDING_FEATURES


# --- not an instrument ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.001, 0.01, 0.1, 0.3, 0.5, 0.9, 0.99, 0.9999])
def test_truncated_files(share: float, data: bytes, tmp_path: Path) -> None:
    refused(data[: int(len(data) * share)], tmp_path)


@pytest.mark.parametrize("size", [1, 7, 8, 9, 15, 16, 100])
def test_first_bytes_alone(size: int, data: bytes, tmp_path: Path) -> None:
    refused(data[:size], tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 7,
        b"\0" * 8,
        b"\0" * 4096,
        b"RIFF" + b"\0" * 4000,
        b"PK\x03\x04" + bytes(500),
        b"\x80\x04\x95" + bytes(500),  # a pickle
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2**64 - 1) + b"{}",
        struct.pack("<Q", 99_000_000) + b"{}",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 4) + b"\xff\xfe\xfd\xfc",
        struct.pack("<Q", 40_000) + b"[" * 40_000,
        struct.pack("<Q", 60_000) + b'{"a":' * 12_000,
        struct.pack("<Q", 22) + b'{"__metadata__": "mm"}',
        struct.pack("<Q", 20) + b'{"__metadata__": {}}',
        "timbrespace".encode("utf-16") * 100,
    ],
)
def test_files_of_another_kind(content: bytes, tmp_path: Path) -> None:
    refused(content, tmp_path)


def test_foreign_safetensors(tmp_path: Path) -> None:
    assert "not a timbrespace instrument" in refused(save_tensors({"weight": torch.zeros(3, 3)}), tmp_path)
    assert "not a timbrespace instrument" in refused(save_tensors({"w": torch.zeros(3)}, metadata={"format": "pt"}), tmp_path)
    assert "not a timbrespace instrument" in refused(put_together({"format": "other"}, {"w": torch.zeros(1)}), tmp_path)


def test_paths_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(InstrumentFileError, match="is a folder"):
        Instrument.load(tmp_path)
    with pytest.raises(InstrumentFileError, match=r"does not exist.*timbrespace train"):
        Instrument.load(tmp_path / "none.safetensors")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.safetensors")
        with pytest.raises(InstrumentFileError):  # and no waiting for a writer
            Instrument.load(tmp_path / "pipe.safetensors")


@pytest.mark.parametrize("version", [0, 2, 99, -1, "1", None, [1], 1.5, True, 10**400, {"a": 1}])
def test_other_versions_are_refused_by_name(version: Any, data: bytes, tmp_path: Path) -> None:
    head, tensors = taken_apart(data)
    text = refused(put_together(head | {"version": version}, tensors), tmp_path)
    if type(version) is int and version > 1:
        assert "made by a newer version of timbrespace" in text
        assert "update timbrespace" in text
        assert "train it again" not in text
    else:
        assert f"version {version!r}, this release reads 1; train it again" in text


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_one_changed_bit_in_a_tensor_is_noticed(share: float, data: bytes, tmp_path: Path) -> None:
    start = 8 + int.from_bytes(data[:8], "little")
    damaged = bytearray(data)
    damaged[start + int(share * (len(data) - start))] ^= 1
    assert "checksum" in refused(bytes(damaged), tmp_path)


def test_a_changed_word_in_the_header_is_noticed_and_files_without_a_checksum_are_read(data: bytes, tmp_path: Path) -> None:
    assert "checksum" in refused(data.replace(b"expect", b"expecd", 1), tmp_path)
    path = tmp_path / "old.safetensors"
    path.write_bytes(put_together(*taken_apart(data)))
    assert Instrument.load(path).dims == 6


# --- hostile values ------------------------------------------------------------------------------------------------------------


def head_with(**values: Any) -> Change:
    return lambda head, tensors: head.update(values)


def without(name: str) -> Change:
    def change(head: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
        head.pop(name, None)
        tensors.pop(name, None)

    return change


def setting(group: str, **values: Any) -> Change:
    return lambda head, tensors: head["settings"][group].update(values)


def tensor(name: str, make: Callable[[torch.Tensor], torch.Tensor]) -> Change:
    return lambda head, tensors: tensors.update({name: make(tensors[name]).contiguous()})


def clips(**values: Any) -> Change:
    return lambda head, tensors: head["clips"].update(values)


def deep(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def hop_and_samples(head: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    head.update(samples=10**7, sample_rate=192_000)
    head["settings"]["representation"].update(hop=16)


NAMES = [f"n{k}" for k in range(19)]
HOSTILE: dict[str, Change] = {
    **{f"samples {v!r:.20}": head_with(samples=v) for v in (0, -1, 10**9, 2**63, 10**400, 1.5, 1e308, "1000", None, True, [1], 12)},
    **{f"rate {v!r:.20}": head_with(sample_rate=v) for v in (0, -44_100, 7_999, 192_001, 10**12, 44_100.0, "44100", None)},
    **{f"channels {v!r}": head_with(channels=v) for v in (0, 2, 3, -1, 10**9, None, 1.0)},
    **{f"settings {v!r:.20}": head_with(settings=v) for v in (None, [], {}, "x", {"representation": {}, "model": {}}, {"model": None})},
    **{f"dims {v!r:.20}": setting("model", dims=v) for v in (0, 7, 10**9, -1, 1e308, None, "6.5", [6])},
    **{f"coefficients {v}": setting("model", coefficients=v) for v in (0, 39, 41, 2048, 10**9)},
    **{f"width {v}": setting("model", width=v) for v in (31, 4096, 10**9)},
    **{f"depth {v}": setting("model", depth=v) for v in (0, 2, 16, 10**9)},
    **{f"steps {v}": setting("model", steps=v) for v in (2, 10, 10**9)},
    **{f"model name {v!r:.20}": setting("model", name=v) for v in ("os.system", None, 3, ["oneshot"], "__class__")},
    "unknown setting": setting("model", evil=1),
    "import path": setting("representation", name="torch.nn.Linear"),
    **{f"n_fft {v}": setting("representation", n_fft=v) for v in (0, 64, 1023, 32_768, 10**9)},
    **{f"bands {v}": setting("representation", bands=v) for v in (8, 160, 513, 10**9)},
    **{f"hop {v}": setting("representation", hop=v) for v in (0, 16, 128, 255, 10**9)},
    "hop and samples": hop_and_samples,
    **{f"labels {v!r:.20}": head_with(labels=v) for v in (None, [], ["a"], "kick", [1] * 9, [["a"]] * 9, {"a": 1})},
    "label too many": lambda head, tensors: head["labels"].append("kick"),
    "label broken text": lambda head, tensors: head["labels"].__setitem__(0, "\ud800"),
    "label no text": lambda head, tensors: head["labels"].__setitem__(0, 3),
    **{f"unit {v!r:.20}": head_with(novelty_unit=v) for v in (0, -1, 1e6, 1e308, "1", [1], {})},
    **{f"names {v!r:.20}": clips(names=v) for v in (None, [], NAMES[:-1], [*NAMES, "x"], [3] * 19, "n" * 19, [None] * 19, ["\ud800"] * 19)},
    "names a dict": clips(names=dict.fromkeys(NAMES, 1)),
    **{f"categories {v!r:.20}": clips(categories=v) for v in (None, [], ["a"] * 18, [3] * 19, "a" * 19)},
    "clips a list": head_with(clips=[1]),
    "clips empty": head_with(clips={}),
    "card deep": head_with(card={"a": deep(60)}),
    "card broken text": head_with(card={"a": "\udfff"}),
    "header deep": head_with(more=deep(60)),
    **{f"no {name}": without(name) for name in ("settings", "samples", "labels", "sample_rate", "channels", "format")},
    **{
        f"no tensor {name}": without(name)
        for name in ("model.basis", "space.weights", "space.factors", "clips.latents", "clips.embeddings", "clips.positions")
    },
    **{
        f"{kind} in {name}": tensor(name, make)
        for name in ("model.basis", "space.means", "clips.latents", "model.encoder.first.weight", *OPTIONAL)
        for kind, make in {
            "nan": lambda t: torch.full_like(t, torch.nan),
            "infinity": lambda t: torch.full_like(t, torch.inf),
            "whole numbers": lambda t: t.to(torch.int32),
            "truth": lambda t: t > 0,
            "complex": lambda t: t.to(torch.complex64),
            "another shape": lambda t: t[:-1],
            "no shape": lambda t: t.flatten()[0],
            "nothing": lambda t: t[:0],
            "another dimension": lambda t: t[None],
        }.items()
    },
    "embeddings of another kind": tensor("clips.embeddings", lambda t: t[:, :5]),
    "controls of other names": lambda head, tensors: tensors.update({"controls.evil": torch.zeros(3)}),
    "controls without slopes": without("controls.slopes"),
    "negative spreads": tensor("controls.spreads", lambda t: -t - 1),
    "negative weights": tensor("space.weights", lambda t: -t),
    "weights of nought": tensor("space.weights", lambda t: 0 * t),
    "weights of two": tensor("space.weights", lambda t: 2 * t),
    "a tensor more": lambda head, tensors: tensors.update({"model.evil": torch.zeros(3)}),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_values(name: str, data: bytes, tmp_path: Path) -> None:
    head, tensors = taken_apart(data)
    HOSTILE[name](head, tensors)
    refused(put_together(head, tensors), tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"samples": ', '"samples": 1e999, "x": '),
        ('"samples": ', '"samples": NaN, "x": '),
        ('"samples": ', '"samples": -Infinity, "x": '),
        ('"card": {', '"card": {"loud": 1e999, '),
        ('"card": {', '"card": {"loud": NaN, '),
        ('"samples": ', '"samples": ' + "9" * 5000 + ', "x": '),
        ('"card": {', '"card": {"deep": ' + "[" * 3000 + "]" * 3000 + ", "),
    ],
)
def test_hostile_json(old: str, new: str, data: bytes, tmp_path: Path) -> None:
    head, tensors = taken_apart(data)
    text = json.dumps(head)
    assert old in text
    refused(put_together(text.replace(old, new, 1), tensors), tmp_path)


def test_a_header_that_claims_more_than_the_file(data: bytes, tmp_path: Path) -> None:
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    name = next(key for key in header if key != "__metadata__")
    for change in (
        {"shape": [10**9, 10**9]},
        {"shape": [2**62, 4]},
        {"shape": [-1, 4]},
        {"data_offsets": [0, 10**12]},
        {"data_offsets": [-8, 8]},
        {"data_offsets": [8, 0]},
        {"dtype": "F999"},
        {"dtype": "OBJECT"},
        {"shape": "x"},
    ):
        text = json.dumps({**header, name: header[name] | change}).encode()
        refused(struct.pack("<Q", len(text)) + text + data[8 + size :], tmp_path)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.tuples(st.integers(0, 2**40), st.integers(1, 255)), min_size=1, max_size=6), header=st.booleans())
@example(places=[(0, 255)], header=True)
def test_flipped_bytes_are_refused_or_harmless(
    places: list[tuple[int, int]], header: bool, data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Refused, or still an instrument (a weight is another number): never another error."""
    damaged = bytearray(data)
    size = int.from_bytes(data[:8], "little") + 8 if header else len(data)
    for place, change in places:
        damaged[place % size] ^= change
    path = tmp_path_factory.getbasetemp() / "flipped.safetensors"
    path.write_bytes(damaged)
    try:
        instrument = Instrument.load(path)
        dims, means = instrument.dims, instrument.space.means  # what is read at first use is checked then
    except InstrumentFileError:
        return
    assert dims == 6
    assert torch.isfinite(means).all()


# --- read, but useless --------------------------------------------------------------------------------------------------------


USELESS: dict[str, Change] = {
    "another window": setting("representation", n_fft=16_384),
    "most iterations": setting("representation", iterations=1_000),
    "enormous basis": tensor("model.basis", lambda t: torch.full_like(t, 60000.0)),
    "enormous means": tensor("space.means", lambda t: torch.full_like(t, 1e38)),
    "enormous factors": tensor("space.factors", lambda t: torch.full_like(t, 1e38)),
    "enormous mean": tensor("model.mean", lambda t: torch.full_like(t, 3e38)),
    "scale of nought": tensor("model.scale", lambda t: 0 * t),
    "scale enormous": tensor("model.scale", lambda t: torch.full_like(t, 1e38)),
    "lengths of nought": tensor("model.length_statistics", lambda t: 0 * t),
    "lengths enormous": tensor("model.length_statistics", lambda t: torch.full_like(t, 1e38)),
    "embeddings enormous": tensor("clips.embeddings", lambda t: torch.full_like(t, 6e4)),
    "card of another kind": head_with(card={"corpus": 3, "training": [1], "reconstruction": {"rows": {"a": 3}, "on": []}, "expect": {}}),
    "card a list": head_with(card=[1, 2]),
    "names with escapes": clips(names=["\x1b[31m\n\0/../../x"] * 19),
    "labels with escapes": lambda head, tensors: head.update(labels=["../../\x1b[2Jx"] * len(head["labels"])),
}


@pytest.mark.parametrize("name", sorted(USELESS))
def test_useless_values_give_no_traceback(name: str, data: bytes, tmp_path: Path, tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    head, tensors = taken_apart(data)
    USELESS[name](head, tensors)
    path = tmp_path / "odd.safetensors"
    path.write_bytes(put_together(head, tensors))
    for number, words in enumerate(
        (
            ["info"],
            ["info", "--json", "--sounds"],
            ["generate", "-n", "2"],
            ["vary", str(tiny.sound), "-n", "1"],
            ["reconstruct", str(tiny.sound)],
        )
    ):
        out = [] if words[0] == "info" else ["--out", str(tmp_path / f"out{number}")]
        code = main([words[0], str(path), *words[1:], *out])
        captured = capsys.readouterr()
        assert code in (0, 2), (words, captured.err)
        assert "Traceback" not in captured.err
        assert code == 0 or captured.err.startswith("error: ")
    assert {p.name for p in tmp_path.iterdir()} <= {"odd.safetensors", "out2", "out3", "out4"}


def test_older_names_of_tensors_are_read(tiny: Tiny, tmp_path: Path) -> None:
    tensors = tensors_of(tiny.file)
    tensors["clips.places"] = tensors.pop("clips.positions")
    with safe_open(tiny.file, "pt") as file:
        save_file(tensors, tmp_path / "older.safetensors", file.metadata())
    older, newer = Instrument.load(tmp_path / "older.safetensors"), Instrument.load(tiny.file)
    assert older.contents.clips is not None
    assert newer.contents.clips is not None
    assert torch.equal(older.contents.clips.positions, newer.contents.clips.positions)
    assert current_name("paths.mean") == "trajectories.mean"
    assert current_name("model.paths.mean") == "model.paths.mean"

"""docs/corpus.md says which files are refused, and with which words: every row of its tables is made and read here."""

from __future__ import annotations

import os
import re
import socket
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sound_bytes as make
from timbrespace.audio.files import UNOPENED
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare

PAGE = Path(__file__).parents[2] / "docs" / "corpus.md"
SOUND = make.tone(0.2)
WAV, MP3 = make.wav(SOUND), make.mp3(make.tone(1.5))
OGG = make.encoded(np.random.default_rng(0).uniform(-0.5, 0.5, (240_000, 1)), "OGG", "VORBIS", rate=48_000)
FLAC = make.encoded(SOUND, "FLAC")
FORK = struct.pack(">II", 0x00051607, 0x00020000) + bytes(4088)


def _pages(data: bytes) -> list[bytes]:
    starts = [at.start() for at in re.finditer(b"OggS", data)]
    return [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]


def _float(at: int, value: float) -> bytes:
    sound = (SOUND / 32768).astype(np.float32)
    sound[at] = value
    return make.encoded(sound, "WAV", "FLOAT")


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data


def _wav(fmt: bytes, *more: bytes) -> bytes:
    body = b"WAVE" + fmt + _chunk(b"data", SOUND.tobytes()) + b"".join(more)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _fmt(tag: int = 1, channels: int = 1, rate: int = 44_100) -> bytes:
    return _chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, 2 * rate, 2, 16))


def _mp4(codec: bytes) -> bytes:
    boxes = ((b"ftyp", b"M4A \0\0\0\0"), (b"moov", b"stsd" + bytes(8) + b"\0\0\0\x10" + codec + bytes(40)), (b"mdat", bytes(99)))
    return b"".join(struct.pack(">I", 8 + len(body)) + name + body for name, body in boxes)


# The first cell of a row -> files of that row: name and bytes. Files that are no bytes are made in `_make_others`.
FILES: dict[str, dict[str, bytes]] = {
    "contains less than its header says": {"half.wav": WAV[: 44 + SOUND.nbytes // 2]},
    "FLAC without its last frames": {"cut.flac": FLAC[: len(FLAC) * 3 // 4]},
    "Ogg without its last page": {"no end.ogg": b"".join(_pages(OGG)[:-1])},
    "Ogg with a page missing": {"no middle.ogg": b"".join([*_pages(OGG)[:-3], *_pages(OGG)[-2:]])},
    "Ogg with a changed byte": {"changed.ogg": make.patched(OGG, len(OGG) // 2, bytes([OGG[len(OGG) // 2] ^ 1]))},
    "MP3 with a tag and a hole": {"hole.mp3": MP3[: len(MP3) // 2] + MP3[len(MP3) // 2 + 500 :]},
    "no length in its header": {"stream.wav": make.wav(SOUND, riff=0, size=0), "x.flac": make.streamed_flac(SOUND)},
    "the same, and its last frame is cut": {"cut stream.flac": make.streamed_flac(SOUND)[:-9]},
    "two lengths in the header": {"two.wav": make.wav(SOUND, size=2 * SOUND.nbytes)},
    "a second file after the sound": {"twice.wav": WAV + WAV},
    "a second block of sound in it": {"blocks.wav": _wav(_fmt(), _chunk(b"data", bytes(800)))},
    "other bytes after the sound": {"junk.wav": WAV + b"\x99" * 5000},
    "zeros, or chunks of notes": {
        "chunks.wav": _wav(_fmt(), _chunk(b"smpl", bytes(36))),
        "tag.wav": b"ID3\3\0\0\0\0\0\x20" + bytes(32) + WAV,
    },
    "chunks in another order": {
        "order.wav": b"RIFF" + struct.pack("<I", 36 + SOUND.nbytes) + b"WAVE" + _chunk(b"data", SOUND.tobytes()) + _fmt()
    },
    "an MP3 beside the resource fork of macOS": {"fork.mp3": MP3, "._fork.mp3": FORK},
    "a codec that needs PyAV": {"x.aac": b"\xff\xf1" + bytes(99)},
    "a codec that is unknown": {"codec.wav": _wav(_fmt(0x1234))},
    "copy-protected M4A": {"locked.m4a": _mp4(b"drms")},
    "a REX2 loop": {"loop.rx2": b"CAT \0\0\0\x64REX2" + bytes(99)},
    "a SoundFont under a sound's name": {"font.wav": b"RIFF\x64\0\0\0sfbk" + bytes(99)},
    "a MIDI file under a sound's name": {"midi.wav": b"MThd" + bytes(99)},
    "a ZIP archive under a sound's name": {"zip.wav": b"PK\3\4" + bytes(99)},
    "a web page under a sound's name": {"page.mp3": b"<!DOCTYPE html>" + bytes(99)},
    "a Git LFS pointer": {"pointer.wav": b"version https://git-lfs.github.com/spec/v1\n"},
    "NaN or infinite samples": {"nan.wav": _float(9, np.nan), "inf.wav": _float(9, np.inf)},
    "a few samples far beyond the rest": {"wild.wav": _float(9, 1e20)},
    "loud as a whole": {"loud.wav": make.encoded(SOUND.astype(np.float32) * 3e32, "WAV", "FLOAT")},
    "only silence, or one constant level": {"silent.wav": make.wav(SOUND * 0), "level.wav": make.wav(SOUND * 0 + 9000)},
    "0 bytes": {"empty.wav": b""},
    "0 samples": {"none.wav": make.wav(SOUND[:0])},
    "a rate of 0 or no channels": {"rate.wav": _wav(_fmt(rate=0))},
    "a sample rate below 1 kHz": {"slow.wav": _wav(_fmt(rate=100))},
    "WAV without a description": {"no fmt.wav": _wav(b"")},
    "no sound at all": {"text.wav": b"hello" * 99, "noise.flac": np.random.default_rng(1).bytes(999)},
    "`.mp3` without MP3 frames": {"text.mp3": b"hello" * 99},
}
OTHERS = ("a link to nothing", "a device, a pipe", "no permission")
SUFFIXES = {"`.zip": ".zip", "`.mp4": ".mp4", "`.sf2": ".sf2", "`.sd2": ".sd2", "`.part": ".part"}
FOLDERS = (
    *("`#recycle`", "a folder without permission", "a link to a folder of", "a link to another", "hidden"),
    *("files of any other", "any name", "two names"),
)


def rows() -> dict[str, tuple[str, str]]:
    """First cell -> (result, words) of the two tables of the page."""
    text = PAGE.read_text(encoding="utf-8").split("What is refused, read with a remark")[1].split("An MP3 without a LAME tag")[0]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("| ")]
    found = {row[0]: (row[1], row[2]) for row in cells if row[0] not in ("the file", "folder or name")}
    assert all(len(row) == 3 for row in cells)
    return found


def row_of(start: str) -> tuple[str, str]:
    """The row whose first cell begins so."""
    matching = [row for first, row in rows().items() if first.startswith(start)]
    assert len(matching) == 1, start
    return matching[0]


def words(text: str) -> str | None:
    """The words in backticks, with 0 for every number; None if there are none."""
    quoted = re.search(r"``(.+)``|`(.+)`", text)
    return None if text.startswith("none") or quoted is None else re.sub(r"[\d.]*\d(e[+-]\d+)?", "0", quoted[1] or quoted[2])


def test_every_row_of_the_tables_is_tried() -> None:
    starts = [*FILES, *OTHERS, *SUFFIXES, *FOLDERS]
    assert len(rows()) == len(starts)
    for start in starts:
        row_of(start)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """The corpus of all files of the tables."""
    folder = tmp_path_factory.mktemp("documented")
    for files in FILES.values():
        for name, data in files.items():
            (folder / name).write_bytes(data)
    (folder / "link.wav").symlink_to("nowhere")
    (folder / "device.wav").symlink_to("/dev/null")
    os.mkfifo(folder / "pipe.wav")
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(folder)  # names of sockets are short
        server.bind("socket.wav")
        os.chdir(here)
    for suffix in SUFFIXES.values():
        (folder / f"x{suffix}").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "av", None)  # as if PyAV was not installed
        return prepare(folder, folder.with_name("documented.corpus"), workers=1)


@pytest.mark.parametrize("start", FILES)
def test_a_file_has_the_words_of_its_row(corpus: Corpus, start: str) -> None:
    result, text = row_of(start)
    skipped = {row["file"]: row["reason"] for row in corpus.skipped()}
    remarks = {row["file"]: row["text"] for row in corpus.remarks()}
    clips = {clip.file for clip in corpus.clips}
    for name in FILES[start]:
        if name.startswith("._"):
            continue
        found = skipped.get(name) or remarks.get(name)
        assert (None if found is None else re.sub(r"[\d.]*\d(e[+-]\d+)?", "0", found)) == words(text), name
        assert (name in clips) == ("refused" not in result), name


@pytest.mark.parametrize(("start", "names"), [(OTHERS[0], ["link.wav"]), (OTHERS[1], ["device.wav", "pipe.wav", "socket.wav"])])
def test_what_is_no_file_has_the_words_of_its_row(corpus: Corpus, start: str, names: list[str]) -> None:
    skipped = {row["file"]: row["reason"] for row in corpus.skipped()}
    assert {skipped[name] for name in names} == {words(row_of(start)[1])}


@pytest.mark.parametrize("start", SUFFIXES)
def test_what_is_not_opened_has_the_words_of_its_row(corpus: Corpus, start: str) -> None:
    skipped = {row["file"]: row["reason"] for row in corpus.skipped()}
    assert skipped[f"x{SUFFIXES[start]}"] == words(row_of(start)[1])
    listed = next(first for first in rows() if first.startswith(start))
    own = {suffix for suffix, reason in UNOPENED.items() if reason == UNOPENED[SUFFIXES[start]]}
    assert set(re.findall(r"\.\w+", listed)) <= own


def test_files_and_folders_without_permission_have_the_words_of_their_row(tmp_path, monkeypatch) -> None:
    """Simulated, because an administrator may open anything."""
    for name in ("a.wav", "b.wav", "locked.wav"):
        soundfile.write(tmp_path / name, SOUND * (2 if name == "b.wav" else 1), 44_100)
    (tmp_path / "closed").mkdir()
    scan, real_open = os.scandir, Path.open

    def scandir(path: Path) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    def opened(path: Path, *how: str, **more: object) -> object:
        if path.name == "locked.wav":
            raise PermissionError(13, "Permission denied")
        return real_open(path, *how, **more)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(Path, "open", opened)
    skipped = {row["file"]: row["reason"] for row in prepare(tmp_path, tmp_path.with_name("x.corpus"), workers=1).skipped()}
    assert skipped == {"closed": words(row_of("a folder without")[1]), "locked.wav": words(row_of("no permission")[1])}


def test_folders_have_the_words_of_their_rows(tmp_path) -> None:
    system = re.findall(r"`([^`]+)`", next(first for first in rows() if first.startswith("`#recycle`")))
    root = tmp_path / "root"
    (root / "snares").mkdir(parents=True)
    for k, name in enumerate(("x.wav", "y.wav")):
        soundfile.write(root / "snares" / name, np.roll(SOUND, 300 * k), 44_100)
    for name in system:
        (root / name).mkdir()
    (root / "a link").symlink_to(root / "snares")
    other = tmp_path / "other"
    other.mkdir()
    soundfile.write(other / "z.wav", SOUND[::-1], 44_100)
    (root / "b link").symlink_to(other)
    for name in (".x.wav", "._x.wav", "x.txt", "x.asd"):
        (root / name).touch()
    corpus = prepare(root, tmp_path / "x.corpus", workers=1)
    skipped = {row["file"]: row["reason"] for row in corpus.skipped()}
    assert skipped == dict.fromkeys(system, words(row_of("`#recycle`")[1])) | {"a link": words(row_of("a link to a folder of")[1])}
    assert [clip.file for clip in corpus.clips] == ["b link/z.wav", "snares/x.wav", "snares/y.wav"]

"""Codecs in unusual containers are read or named; no file, however damaged, stops a run."""

from __future__ import annotations

import contextlib
import struct
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sound_bytes as make
from sound_bytes import LOSSY, SOUND, STEREO, WHOLE, put, read
from timbrespace.audio import files
from timbrespace.audio.containers import inspection
from timbrespace.audio.containers.base import Source
from timbrespace.audio.containers.file_view import FileView
from timbrespace.contracts import AudioFileError


def test_codecs_in_other_containers_are_read(tmp_path):
    assert np.array_equal(read(put(tmp_path, "x.oga", make.flac_in_ogg(STEREO)))[1], STEREO)
    alac = make.encoded(STEREO, "CAF", "ALAC_16")
    assert np.array_equal(read(put(tmp_path, "x.caf", make.patched(alac, 32, bytes(4))))[1], STEREO)  # flags that say no bit depth
    ima4 = read(put(tmp_path, "y.caf", make.ima4_in_caf(STEREO)))[1]
    assert np.array_equal(ima4[: len(STEREO)], read(put(tmp_path, "y.aif", make.encoded(STEREO, "AIFF", "IMA_ADPCM")))[1][: len(STEREO)])
    mp3 = make.mp3(SOUND)
    assert np.array_equal(read(put(tmp_path, "x.wav", make.mp3_in_wav(mp3)))[1], read(put(tmp_path, "x.mp3", mp3))[1])


def _wav_of_tag(tag):
    return make.patched(make.wav(SOUND), 20, struct.pack("<H", tag))


def _mp4(codec):
    table = b"\0\0\0\x20stsd" + bytes(8) + b"\0\0\0\x10" + codec + bytes(8)
    return b"\0\0\0\x14ftypM4A \0\0\0\0M4A " + struct.pack(">I4s", 40, b"moov") + table


FLOAT_AIFF = make.encoded(SOUND / 32768, "AIFF", "FLOAT")
NAMED = {
    "a.m4a": (_mp4(b"mp4a"), "AAC in MP4"),
    "b.m4a": (_mp4(b"alac"), "ALAC in MP4"),
    "c.wav": (_mp4(b"mp4a"), "AAC in MP4"),
    "d.m4a": (b"\0\0\0\x14ftypM4A \0\0\0\0M4A \0\0\1\0mdatabc", "truncated"),
    "e.m4a": (b"\0\0\0\x14ftypM4A \0\0\0\0M4A \0\0\0\x0bmdatabc", "moov"),
    "f.aac": (b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(100), "AAC"),
    "g.wma": (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(100), "Windows Media"),
    "h.ape": (b"MAC \x96\x0f" + bytes(100), "Monkey"),
    "i.wv": (b"wvpk" + bytes(100), "WavPack"),
    "j.wav": (_wav_of_tag(0x161), "WMA in WAV"),
    "k.wav": (_wav_of_tag(0x2000), "AC-3 in WAV"),
    "l.wav": (_wav_of_tag(0x674F), "Vorbis in WAV"),
    "m.wav": (_wav_of_tag(0x1234), "codec 0x1234 in WAV"),
    "n.caf": (make.patched(make.caf(SOUND), 28, b"aac "), "AAC in CAF"),
    "o.spx": (make.ogg_pages([b"Speex   1.2" + bytes(70), b"x" * 40, b"y" * 300], [0, 0, 320]), "Speex in Ogg"),
    "p.rx2": (b"CAT \0\0\0\x50REX2" + bytes(80), "REX2"),
    "q.wav": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
    "r.mp3": (b"\n<!DOCTYPE html><html></html>", "web page"),
    "s.wav": (b"RIFF\x04\0\0\0sfbk", "SoundFont"),
    "t.wav": (b"PK\3\4" + bytes(50), "ZIP"),
    "u.aifc": (make.patched(FLOAT_AIFF, FLOAT_AIFF.find(b"FL32"), b"MAC3"), "MACE 3:1 in AIFF-C"),
}


@pytest.mark.parametrize("name", NAMED)
def test_what_cannot_be_read_is_named(tmp_path, name, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    data, words = NAMED[name]
    put(tmp_path, name, data)
    found = files.find_audio(tmp_path)
    assert [path.name for path in found] == [name]
    with pytest.raises(AudioFileError, match=words) as error:
        files.probe(found[0])
    advice = ("convert it to WAV or FLAC", "get a complete copy", "export its", "download", "git lfs", "take it out", "unpack")
    assert any(words in str(error.value) for words in advice)


# --- what must hold for every file -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*WHOLE, *LOSSY])
def test_changed_and_cut_files_never_stop_a_run(tmp_path, name):
    data, rng = {**WHOLE, **LOSSY}[name], np.random.default_rng(0)
    for trial in range(60):
        changed = bytearray(data[: rng.integers(1, len(data))] if trial % 3 == 0 else data)
        for _ in range(1 + trial % 5):
            at = int(rng.integers(0, min(len(changed), 200 if trial % 2 else len(changed))))
            changed[at : at + 4] = (bytes([rng.integers(256)]), bytes(4), b"\xff" * 4, rng.bytes(4))[rng.integers(4)][: len(changed) - at]
        path = put(tmp_path, name, bytes(changed))
        with path.open("rb") as file, contextlib.suppress(AudioFileError):
            inspection._inspect(Source(file, len(changed), path.suffix))
            read(path)


_RANGES = st.tuples(st.integers(0, 100), st.integers(0, 100)).map(sorted).map(tuple)


@settings(max_examples=40, deadline=None)
@given(
    pieces=st.lists(st.one_of(st.binary(max_size=20), _RANGES), max_size=6),
    moves=st.lists(st.tuples(st.integers(0, 150), st.integers(0, 60)), max_size=8),
)
def test_a_view_equals_its_parts_joined(tmp_path_factory, pieces, moves):
    content = bytes(range(100))
    path = tmp_path_factory.mktemp("view") / "x"
    path.write_bytes(content)
    joined = b"".join(piece if isinstance(piece, bytes) else content[piece[0] : piece[1]] for piece in pieces)
    with FileView(path, pieces) as view:
        assert view.seek(0, 2) == len(joined)
        for start, count in moves:
            view.seek(start)
            assert view.read(count) == joined[start : start + count]


@settings(max_examples=40, deadline=None)
@given(reads=st.lists(st.tuples(st.integers(0, 2_100_000), st.integers(0, 300_000)), max_size=10))
def test_a_source_reads_what_the_file_holds(big_file, reads):
    content = big_file.read_bytes()
    with big_file.open("rb") as file:
        source = Source(file, len(content))
        for start, count in reads:
            assert source.read(start, count) == content[start : start + count]
        assert source.find(content[1_500_000:1_500_009], 100) == content.find(content[1_500_000:1_500_009], 100)
        assert source.find(b"not in there", 0) == -1


@pytest.fixture(scope="module")
def big_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("big") / "x"
    path.write_bytes(np.random.default_rng(0).bytes(2_000_000))
    return path


def test_ctrl_c_while_a_view_is_read_is_not_swallowed(tmp_path, monkeypatch):
    path = put(tmp_path, "x.wav", make.wav(SOUND, riff=0, size=0))
    info = files.probe(path)

    def interrupted(self, size=-1):
        raise KeyboardInterrupt

    monkeypatch.setattr(FileView, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.read_array(path, info=info)

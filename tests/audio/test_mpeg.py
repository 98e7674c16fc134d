"""MP3 files are as long as their frames, whatever their tags say or do not say."""

from __future__ import annotations

import struct

import numpy as np
import pytest

import sound_bytes as make
from sound_bytes import SOUND, lag_and_likeness, put, read
from timbrespace.audio import files
from timbrespace.contracts import AudioFileError


@pytest.mark.parametrize("mode", ["VARIABLE", "AVERAGE", "CONSTANT"])
@pytest.mark.parametrize("rate", [44100, 22050, 8000])
def test_an_mp3_without_a_length_is_read_whole(tmp_path, mode, rate):
    sound = make.tone(2.0, rate=rate)
    sound[rate // 2 : rate] //= 4000  # near silence, so that frames differ in size
    kinds, audio = read(put(tmp_path, "x.mp3", make.mp3(sound, mode=mode, rate=rate, announced=False)))
    assert kinds == ["streamed"]
    assert len(sound) <= len(audio) <= len(sound) + 3 * 1152
    lag, likeness = lag_and_likeness(audio[:, 0].astype(float), sound[:, 0].astype(float))
    assert lag <= 1152 + 529
    assert likeness > 0.98


def test_tags_and_junk_around_an_mp3_do_not_change_its_length(tmp_path):
    stream = make.mp3(SOUND, announced=False)
    expected = read(put(tmp_path, "x.mp3", stream))[1]
    id3 = b"ID3\4\0\0\0\0\x07\x68" + bytes(1000)
    around = {
        "id3v2": id3 + stream,
        "two id3v2": id3 + id3 + stream,
        "id3v1": stream + b"TAG" + b"x" * 125,
        "ape": stream + b"APETAGEX" + bytes(24) + b"y" * 400,
        "junk": bytes(3000) + stream,
        "in wav": make.mp3_in_wav(stream),
    }
    for name, data in around.items():
        suffix = ".wav" if name == "in wav" else ".mp3"
        kinds, audio = read(put(tmp_path, name + suffix, data))
        assert kinds == ["streamed"], name
        assert np.array_equal(audio, expected), name


def test_an_mp3_whose_tag_has_no_count_is_counted(tmp_path):
    data = make.mp3(SOUND)
    tag = max(data.find(b"Xing"), data.find(b"Info"))
    for change in (make.patched(data, tag + 7, b"\x0e"), make.patched(data, tag + 8, bytes(4))):
        kinds, audio = read(put(tmp_path, "x.mp3", change))
        assert kinds == ["streamed"]
        assert len(SOUND) <= len(audio) <= len(SOUND) + 3 * 1152


def test_an_mp3_without_a_length_that_was_cut_says_that_its_end_may_be_missing(tmp_path):
    data = make.mp3(SOUND, mode="CONSTANT", announced=False)
    kinds, audio = read(put(tmp_path, "x.mp3", data[: len(data) // 2 + 99]))
    assert kinds == ["cut"]
    assert abs(len(audio) - len(SOUND) / 2) < 2000


def test_a_hole_in_an_mp3_is_damage_or_said(tmp_path):
    for announced in (True, False):
        data = make.mp3(SOUND, mode="CONSTANT", announced=announced)
        path = put(tmp_path, "x.mp3", make.patched(data, len(data) // 2, bytes(900)))
        if announced:
            with pytest.raises(AudioFileError, match=r"damaged: .* bytes in its middle"):
                files.probe(path)
        else:
            assert "cut" in read(path)[0]


def test_an_appended_mp3_without_lengths_is_read_with_the_first(tmp_path):
    data = make.mp3(SOUND, announced=False)
    one, two = (len(read(put(tmp_path, "x.mp3", data * n))[1]) for n in (1, 2))
    assert abs(two - 2 * one) < 1152


def test_a_vbri_tag_is_believed_and_held_to(tmp_path):
    data = make.mp3(make.tone(2.0))
    tag = max(data.find(b"Xing"), data.find(b"Info"))
    frames = int.from_bytes(data[tag + 8 : tag + 12], "big")
    vbri = b"VBRI" + struct.pack(">HHHIIHHHH", 1, 576, 75, len(data), frames, 0, 1, 2, 1)
    data = make.patched(data, 4, bytes(32) + vbri + bytes(100))
    kinds, audio = read(put(tmp_path, "x.mp3", data))
    assert kinds == []
    assert 2 * make.RATE <= len(audio) <= 2 * make.RATE + 3 * 1152
    with pytest.raises(AudioFileError, match="truncated"):
        files.probe(put(tmp_path, "x.mp3", data[: len(data) // 2]))


def test_another_sound_behind_an_mp3_is_mentioned(tmp_path):
    other = make.mp3(make.tone(2.0, rate=22050), rate=22050, mode="CONSTANT", announced=False)
    for first in (make.mp3(SOUND, announced=False), make.mp3(SOUND)):
        for second in (other, make.wav(SOUND)):
            assert "extra" in read(put(tmp_path, "x.mp3", first + second))[0]


@pytest.mark.parametrize("announced", [True, False])
def test_a_part_of_an_mp3_is_that_part_of_the_whole(tmp_path, announced):
    t = np.arange(10 * make.RATE) / make.RATE
    sound = 0.5 * np.sin(2 * np.pi * (200 * t + 90 * t * t)) * (1 + np.sin(2 * np.pi * 0.3 * t)) / 2
    data = make.mp3(
        np.round(sound[:, None] * 32767).astype(np.int16), announced=announced
    )  # needs few bits, so that frames borrow from many
    path = put(tmp_path, "x.mp3", data)
    info = files.probe(path)
    whole, _ = files.read_array(path, info=info)
    for start in (1, 500, 44_100, 123_457, 300_000):
        part, _ = files.read_array(path, start=start, frames=30_000, info=info)
        assert np.abs(part - whole[:, start : start + 30_000]).max() < 1e-6

"""Sound files are held to the length in their header; streamed ones are read to their end; what is no sound file is named."""

from __future__ import annotations

import contextlib
import struct
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sound_bytes as make
from timbrespace.audio import files
from timbrespace.audio.containers import inspection
from timbrespace.audio.containers.base import Source
from timbrespace.audio.containers.file_view import FileView
from timbrespace.contracts import AudioFileError

SOUND = make.tone()
STEREO = make.tone(channels=2)


def put(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return path


def read(path):
    """(kinds of remarks, audio (time, channels) as int16)"""
    info = files.probe(path)
    audio, _ = files.read_array(path, info=info)
    assert audio.shape == (info.channels, info.frames)
    assert np.isfinite(audio).all()
    return [remark.kind for remark in info.remarks], np.round(audio.T * 32768).clip(-32768, 32767).astype(np.int16)


def lag_and_likeness(audio, sound):
    """The delay of `audio` against `sound` (time,) in samples, and their correlation there."""
    size = 1 << (len(audio) + len(sound)).bit_length()
    spectrum = np.fft.rfft(audio, size) * np.conj(np.fft.rfft(sound, size))
    lag = int(np.fft.irfft(spectrum, size)[: size // 2].argmax())
    part = audio[lag : lag + len(sound)]
    return lag, float(np.corrcoef(part, sound[: len(part)])[0, 1])


# --- streams and interrupted recordings ------------------------------------------------------------------------------------

STREAMED = {
    **{
        f"sizes {riff:x} {size:x}.wav": make.wav(STEREO, riff=riff, size=size)
        for riff, size in (
            (0x7FFFF024, 0x7FFFF000),  # SoX
            (0xFFFFFFFF, 0xFFFFFFFF),  # FFmpeg
            (0xFFFFFFFF, 0xFFFFFFFF - 36),
            (0x80000024, 0x80000000),  # arecord
            (0x7FFFFFFF, 0x7FFFFFFF - 36),
            (0, 0),  # a crashed recorder
            (36, 0),
        )
    },
    "list first.wav": make.wav(STEREO)[:36] + b"LIST\x08\0\0\0INFOabcd" + make.patched(make.wav(STEREO)[36:], 4, bytes(4)),
    "ds64 0.wav": make.rf64(STEREO, size=0),
    "ds64 -1.wav": make.rf64(STEREO, size=(1 << 64) - 1),
    "bw64 0.wav": make.rf64(STEREO, size=0, magic=b"BW64"),
    "0.w64": make.w64(STEREO, size=0),
    "24.w64": make.w64(STEREO, size=24),
    "max.w64": make.w64(STEREO, size=(1 << 63) - 1),
    "0.aif": make.aiff(STEREO, form=0, size=0, frames=0),
    "8.aif": make.aiff(STEREO, form=46, size=8, frames=0),
    "sox.aif": make.aiff(STEREO, form=0x7F00002E, size=0x7F000008, frames=0x7F000000 // 4),
    "ffffffff.aif": make.aiff(STEREO, form=0xFFFFFFFF, size=0xFFFFFFFF, frames=0xFFFFFFFF),
    "-1.au": make.au(STEREO, size=0xFFFFFFFF),
    "0.au": make.au(STEREO, size=0),
    "-1.caf": make.caf(STEREO, size=-1),
    "0.caf": make.caf(STEREO, size=0),
    "x.flac": make.streamed_flac(STEREO),
    "x.oga": make.flac_in_ogg(STEREO, announced=False),
}


@pytest.mark.parametrize("name", STREAMED)
def test_a_file_without_a_length_is_read_to_its_end(tmp_path, name):
    kinds, audio = read(put(tmp_path, name, STREAMED[name]))
    assert kinds == ["streamed"]
    assert np.array_equal(audio, STEREO)


def test_a_streamed_file_of_odd_length_ends_with_its_last_whole_sample(tmp_path):
    _, audio = read(put(tmp_path, "x.wav", make.wav(STEREO, riff=0, size=0)[:-3]))
    assert np.array_equal(audio, STEREO[:-1])


def test_a_cut_flac_stream_is_read_to_its_last_whole_frame(tmp_path):
    data = make.streamed_flac(SOUND)
    kinds, audio = read(put(tmp_path, "x.flac", data[: len(data) * 6 // 10]))
    assert kinds == ["cut"]
    assert len(SOUND) // 3 < len(audio) < len(SOUND) * 2 // 3
    assert np.array_equal(audio, SOUND[: len(audio)])
    with pytest.raises(AudioFileError, match="truncated"):
        files.probe(put(tmp_path, "y.flac", data[:300]))


def test_parts_of_a_streamed_file_are_parts_of_its_sound(tmp_path):
    for name in ("0.caf", "x.flac", "sizes 0 0.wav", "x.oga"):
        path = put(tmp_path, name, STREAMED[name])
        part, _ = files.read_array(path, start=5000, frames=700)
        assert np.array_equal(np.round(part.T * 32768), STEREO[5000:5700])


def test_an_empty_file_is_no_stream(tmp_path):
    for name, data in (("a.wav", make.wav(SOUND[:0])), ("b.au", make.au(SOUND[:0])), ("c.aif", make.aiff(SOUND[:0]))):
        with pytest.raises(AudioFileError, match=r"no samples|truncated|not readable"):
            files.probe(put(tmp_path, name, data))
    with pytest.raises(AudioFileError, match="no samples"):
        files.probe(put(tmp_path, "d.wav", make.wav(SOUND[:0], tail=b"LIST\x08\0\0\0INFOabcd")))


# --- files that hold less than they announce, or more ----------------------------------------------------------------------

WHOLE = {
    "x.wav": make.wav(SOUND),
    "x.rf64": make.rf64(SOUND),
    "bw64.wav": make.rf64(SOUND, magic=b"BW64"),
    "x.w64": make.w64(SOUND),
    "x.aif": make.aiff(SOUND),
    "float.aifc": make.encoded(SOUND / 32768, "AIFF", "FLOAT"),
    "x.au": make.au(SOUND),
    "x.caf": make.caf(SOUND),
    "x.flac": make.encoded(SOUND, "FLAC"),
    "flac.oga": make.flac_in_ogg(SOUND),
}
LOSSY = {
    "alac.caf": make.encoded(SOUND, "CAF", "ALAC_16"),
    "ima4.caf": make.ima4_in_caf(SOUND),
    "adpcm.wav": make.encoded(SOUND, "WAV", "MS_ADPCM"),
    "x.ogg": make.encoded(SOUND, "OGG", "VORBIS"),
    "x.opus": make.encoded(make.tone(rate=48000), "OGG", "OPUS", rate=48000),
    "variable.mp3": make.mp3(SOUND),
    "constant.mp3": make.mp3(SOUND, mode="CONSTANT"),
    "mp3.wav": make.mp3_in_wav(make.mp3(SOUND)),
}


@pytest.mark.parametrize("name", [*WHOLE, *LOSSY])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_part_of_a_file_is_refused_as_truncated(tmp_path, name, share):
    data = {**WHOLE, **LOSSY}[name]
    assert read(put(tmp_path, "whole" + name, data))[0] == []
    with pytest.raises(AudioFileError, match=r"truncated: .*get a complete copy"):
        read(put(tmp_path, name, data[: int(len(data) * share)]))


@pytest.mark.parametrize("name", WHOLE)
def test_a_second_file_behind_the_first_is_mentioned_and_not_read(tmp_path, name):
    kinds, audio = read(put(tmp_path, name, WHOLE[name] * 2))
    assert kinds == ["extra"]
    assert np.array_equal(audio, SOUND)


def test_a_second_compressed_file_is_mentioned_too(tmp_path):
    for name in ("x.ogg", "x.opus", "variable.mp3"):
        whole, twice = put(tmp_path, name, LOSSY[name]), put(tmp_path, "twice" + name, LOSSY[name] * 2)
        assert read(twice)[0] == ["extra"]
        assert np.array_equal(read(twice)[1], read(whole)[1])


@pytest.mark.parametrize("junk", [bytes(range(1, 200)), np.random.default_rng(0).bytes(5000)], ids=["counting", "noise"])
def test_bytes_behind_the_announced_sound_are_mentioned(tmp_path, junk):
    for name, data in (("x.wav", make.wav(SOUND, tail=junk)), ("x.aif", make.aiff(SOUND, tail=junk)), ("x.au", make.au(SOUND, tail=junk))):
        kinds, audio = read(put(tmp_path, name, data))
        assert kinds == ["extra"], name
        assert np.array_equal(audio, SOUND), name


def test_notes_and_zeros_behind_the_sound_are_not_worth_a_remark(tmp_path):
    for tail in (b"LIST\x0c\0\0\0INFOISFTabcd", bytes(100), b"smpl\x08\0\0\0abcdefgh", b"id3 \x05\0\0\0abcde\0"):
        assert read(put(tmp_path, "x.wav", make.wav(SOUND, tail=tail))) == ([], pytest.approx(SOUND))


def test_a_header_that_announces_a_part_only_is_mentioned(tmp_path):
    kinds, audio = read(put(tmp_path, "x.wav", make.wav(SOUND, riff=36 + 4000, size=4000)))
    assert kinds == ["extra"]
    assert np.array_equal(audio, SOUND[:2000])


def test_an_aiff_whose_frames_exceed_its_sound_is_refused(tmp_path):
    with pytest.raises(AudioFileError, match="promises 99999 samples"):
        files.probe(put(tmp_path, "x.aif", make.aiff(SOUND, frames=99_999)))


def test_a_size_beyond_32_bits_is_found(tmp_path):
    path = tmp_path / "long.wav"
    head = make.wav(SOUND)[:44]
    length = (1 << 32) + 8000
    with path.open("wb") as file:  # a sparse file: 4 GiB that take no room
        file.write(make.patched(head, 40, struct.pack("<I", length % (1 << 32))))
        file.seek(44 + length - 2)
        file.write(b"\1\0")
    info = files.probe(path)
    assert info.frames == length // 2
    assert [remark.kind for remark in info.remarks] == ["streamed"]
    assert files.read_array(path, start=info.frames - 1, frames=1, info=info)[0][0, 0] == 1 / 32768


def test_a_gap_in_an_ogg_stream_is_damage(tmp_path):
    data = make.encoded(make.tone(20.0), "OGG", "VORBIS")
    pages = [at for at in range(len(data)) if data[at : at + 4] == b"OggS"]
    assert len(pages) > 5
    with pytest.raises(AudioFileError, match="1 Ogg pages are missing"):
        files.probe(put(tmp_path, "x.ogg", data[: pages[3]] + data[pages[4] :]))


# --- MP3 -----------------------------------------------------------------------------------------------------------------


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


# --- other codecs --------------------------------------------------------------------------------------------------------


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

"""Sound files are held to the length in their header, and streamed ones are read to their end."""

from __future__ import annotations

import struct

import numpy as np
import pytest

import sound_bytes as make
from sound_bytes import LOSSY, SOUND, STEREO, WHOLE, put, read
from timbrespace.audio import files
from timbrespace.contracts import AudioFileError

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


@pytest.mark.parametrize("name", [*WHOLE, *LOSSY])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_part_of_a_file_is_refused_as_truncated(tmp_path, name, share):
    data = {**WHOLE, **LOSSY}[name]
    assert read(put(tmp_path, "whole" + name, data))[0] == []
    with pytest.raises(AudioFileError, match=r"truncated: .*get a complete copy"):
        read(put(tmp_path, name, data[: int(len(data) * share)]))


@pytest.mark.parametrize(("file_format", "subtype"), [("VOC", "PCM_16"), ("SVX", "PCM_16"), ("NIST", "PCM_16"), ("NIST", "ULAW")])
def test_a_part_of_a_file_of_an_old_format_is_refused(tmp_path, file_format, subtype):
    data = make.encoded(SOUND, file_format, subtype)
    assert abs(len(read(put(tmp_path, "whole.voc", data))[1]) - len(SOUND)) <= 1
    for share in (0.5, 0.95):
        with pytest.raises(AudioFileError, match="truncated"):
            read(put(tmp_path, "x.voc", data[: int(len(data) * share)]))


def test_a_file_that_is_whole_by_one_of_its_two_lengths_is_read(tmp_path):
    size = STEREO.nbytes
    for name, data in (("x.wav", make.wav(STEREO, size=size + 44)), ("x.aif", make.aiff(STEREO, size=size + 54))):
        kinds, audio = read(put(tmp_path, name, data))
        assert kinds == ["streamed"], name
        assert np.array_equal(audio, STEREO), name


def test_foreign_data_behind_compressed_sound_are_mentioned(tmp_path):
    noise = np.random.default_rng(0).bytes(200_000)
    for name, data in (("x.flac", make.encoded(STEREO, "FLAC")), ("x.ogg", make.encoded(STEREO, "OGG", "VORBIS"))):
        expected = read(put(tmp_path, name, data))[1]
        for tail, kinds in ((noise, ["extra"]), (bytes(200_000), []), (make.wav(make.tone(3.0)), ["extra"])):
            found, audio = read(put(tmp_path, name, data + tail))
            assert found == kinds, name
            assert np.array_equal(audio, expected), name


def test_reading_a_file_of_which_a_part_is_left_out_logs_a_warning(tmp_path, caplog):
    files.read(put(tmp_path, "x.wav", make.wav(SOUND)))
    files.read(put(tmp_path, "y.wav", make.wav(SOUND, riff=0, size=0)))
    assert caplog.messages == []
    twice = put(tmp_path, "z.wav", make.wav(SOUND) * 2)
    files.read(twice)
    assert caplog.messages == [f"{twice}: another sound file follows in the same file; it is not read"]


def test_little_endian_au_files_of_sox_are_read(tmp_path):
    head = b"\0ds." + struct.pack("<IIIII", 28, STEREO.nbytes, 3, make.RATE, 2) + bytes(4)
    kinds, audio = read(put(tmp_path, "x.au", head + STEREO.astype("<i2").tobytes()))
    assert kinds == []
    assert np.array_equal(audio, STEREO)


@pytest.mark.parametrize("name", ["x.au", "x.snd", "x.mp3", "x.wav"])
def test_bytes_that_are_no_sound_are_no_sound(tmp_path, name):
    for data in (b"this is a text " * 99, np.random.default_rng(0).bytes(9000), bytes(9000), b"\xff\xfb\0\0" * 5000):
        with pytest.raises(AudioFileError, match=r"not readable as audio|truncated"):
            read(put(tmp_path, name, data))


def test_big_endian_wav_streams_are_read_to_their_end(tmp_path):
    fmt = b"fmt " + struct.pack(">IHHIIHH", 16, 1, 2, make.RATE, 4 * make.RATE, 4, 16)
    data = b"RIFX\0\0\0\0WAVE" + fmt + b"data\0\0\0\0" + STEREO.astype(">i2").tobytes()
    kinds, audio = read(put(tmp_path, "x.wav", data))
    assert kinds == ["streamed"]
    assert np.array_equal(audio, STEREO)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "MS_ADPCM", "IMA_ADPCM"])
@pytest.mark.parametrize("file_format", ["WAV", "WAVEX", "W64"])
def test_streams_of_every_sample_type_are_read_to_their_end(tmp_path, file_format, subtype):
    if file_format == "WAVEX" and "ADPCM" in subtype:
        pytest.skip("libsndfile does not write it")
    data = make.encoded(STEREO / 32768, file_format, subtype)
    whole = files.read_array(put(tmp_path, "whole.wav", data))[0]
    at = data.find(b"data") + (16 if file_format == "W64" else 4)
    unknown = (-1).to_bytes(8, "little", signed=True) if file_format == "W64" else bytes(4)
    data = make.patched(data, at, unknown)[: at + len(unknown)] + data[at + len(unknown) :]
    path = put(tmp_path, "x.wav", data)
    assert [remark.kind for remark in files.probe(path).remarks] == ["streamed"]
    assert np.array_equal(files.read_array(path)[0], whole)


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
    with pytest.raises(AudioFileError, match="says 99999 samples"):
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

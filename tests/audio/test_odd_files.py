"""Files that other programs write in their own way: each is read as the sound that is in it, or named."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile

import sound_bytes as make
from sound_bytes import RATE, SOUND, STEREO, put, read
from timbrespace.audio import files
from timbrespace.contracts import AudioFileError

BODY = STEREO.astype("<i2").tobytes()
LEFT = STEREO[:, :1]


def riff(*chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + sum(map(len, chunks))) + b"WAVE" + b"".join(chunks)


def chunk(name: bytes, data: bytes, *, pad: bool = True) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) & 1 and pad)


def fmt(tag: int = 1, channels: int = 2, bits: int = 16, *, rate: int = RATE, block: int | None = None, extra: bytes = b"") -> bytes:
    block = channels * bits // 8 if block is None else block
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits) + extra)


def extensible(tag: int, bits: int) -> bytes:
    return struct.pack("<HHIH", 22, bits, 3, tag) + bytes.fromhex("000000001000800000aa00389b71")


def tag_of(size: int) -> bytes:
    """An ID3v2 tag of `size` bytes behind its head."""
    return b"ID3\3\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0)) + bytes(size)


def w64_of(fmt_data: bytes, body: bytes) -> bytes:
    tail = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    parts = [
        name + tail + struct.pack("<q", 24 + len(data)) + data + bytes(-len(data) % 8)
        for name, data in ((b"fmt ", fmt_data), (b"data", body))
    ]
    head = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
    return head + struct.pack("<q", 40 + sum(map(len, parts))) + b"wave" + tail + b"".join(parts)


# --- chunks in unusual order and form ----------------------------------------------------------------------------------------

UNUSUAL = {
    "sound before its description.wav": (riff(chunk(b"data", BODY), fmt()), []),
    "odd chunk without padding.wav": (riff(fmt(), chunk(b"LIST", b"INFOabc", pad=False), chunk(b"data", BODY)), []),
    "odd chunk with padding.wav": (riff(fmt(), chunk(b"LIST", b"INFOabc"), chunk(b"data", BODY)), []),
    "two blocks of sound.wav": (riff(fmt(), chunk(b"data", BODY), chunk(b"data", BODY[:400])), ["extra"]),
    "tag in front.wav": (tag_of(300) + make.wav(STEREO), []),
    "tag in front of none.wav": (tag_of(77) + make.wav(STEREO, riff=0, size=0), ["streamed"]),
    "tag in front.aif": (tag_of(300) + make.aiff(STEREO), []),
    "tag in front.au": (tag_of(300) + make.au(STEREO), []),
    "tag in front.caf": (tag_of(300) + make.caf(STEREO), []),
    "bits 0.wav": (riff(fmt(bits=0, block=4), chunk(b"data", BODY)), []),
    "rf64 chunk sizes.rf64": (make.rf64(STEREO), []),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_a_file_with_chunks_in_unusual_form_is_read_whole(tmp_path, name):
    data, remarks = UNUSUAL[name]
    kinds, audio = read(put(tmp_path, name, data))
    assert kinds == remarks
    assert np.array_equal(audio, STEREO)


@pytest.mark.parametrize(
    ("head", "reason"),
    [(fmt(rate=0), "0 Hz"), (fmt(channels=0, block=4), "0 channels"), (b"", "fmt"), (fmt(rate=2**32 - 1, block=0), "4294967295 Hz")],
)
def test_an_impossible_description_is_named(tmp_path, head, reason):
    with pytest.raises(AudioFileError, match=f"damaged header.*{reason}.*export it again"):
        files.probe(put(tmp_path, "x.wav", riff(head, chunk(b"data", BODY))))


# --- sample formats ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [20, 24])
def test_samples_of_fewer_bits_in_four_bytes_are_read_by_their_size(tmp_path, bits):
    """libsndfile would take three bytes for each, which is noise."""
    steps = (SOUND[:, 0].astype(np.int64) << 16) >> (32 - bits) << (32 - bits)
    data = riff(fmt(1, 1, bits, block=4), chunk(b"data", steps.astype("<i4").tobytes()))
    audio, _ = files.read_array(put(tmp_path, "x.wav", data))
    assert np.array_equal(audio[0], SOUND[:, 0] / np.float32(32768))


@pytest.mark.parametrize(("tag", "dtype", "bits"), [(3, "<f4", 32), (3, "<f8", 64), (1, "<i2", 16), (1, "<i4", 32)])
@pytest.mark.parametrize("drop", [0, 1, 3])
def test_the_extensible_format_in_wave64_is_read_by_its_type_and_without_padding(tmp_path, tag, dtype, bits, drop):
    sound = LEFT[: len(LEFT) - drop, 0] / 32768
    values = sound if dtype[1] == "f" else sound * 2.0 ** (bits - 1)
    head = struct.pack("<HHIIHH", 0xFFFE, 1, RATE, RATE * bits // 8, bits // 8, bits) + extensible(tag, bits)
    audio, _ = files.read_array(put(tmp_path, "x.w64", w64_of(head, values.astype(dtype).tobytes())))
    assert audio.shape == (1, len(sound))
    assert np.allclose(audio[0], sound, atol=1e-7)


@pytest.mark.parametrize(("tag", "bits", "what"), [(3, 16, "16-bit float"), (1, 64, "64-bit integers")])
def test_a_sample_type_without_decoder_is_named(tmp_path, tag, bits, what):
    with pytest.raises(AudioFileError, match=f"{what} in WAV|FFmpeg|damaged"):
        files.probe(put(tmp_path, "x.wav", riff(fmt(tag, 1, bits), chunk(b"data", BODY))))


@pytest.mark.parametrize("subtype", ["MS_ADPCM", "GSM610"])
def test_the_filling_of_the_last_block_is_no_sound(tmp_path, subtype):
    data = make.encoded(SOUND, "WAV", subtype, rate=8000)
    junk = np.random.default_rng(0).bytes(999)
    trailing = data + b"LIST" + struct.pack("<I", len(junk)) + junk
    whole, audio = (files.read_array(put(tmp_path, name, one))[0] for name, one in (("x.wav", data), ("y.wav", trailing)))
    assert whole.shape[1] == len(SOUND)
    assert np.array_equal(audio, whole)


@pytest.mark.parametrize("subtype", ["MS_ADPCM", "ALAW", "PCM_24"])
def test_every_codec_of_wav_is_read_in_rf64(tmp_path, subtype):
    data = make.encoded(STEREO, "WAV", subtype)
    at = data.find(b"data")
    length = int.from_bytes(data[at + 4 : at + 8], "little")
    ds64 = b"ds64" + struct.pack("<IQQQI", 28, len(data) + 28, length, len(STEREO), 0)
    long = b"RF64\xff\xff\xff\xffWAVE" + ds64 + data[12 : at + 4] + b"\xff" * 4 + data[at + 8 :]
    plain, audio = (files.read_array(put(tmp_path, name, one))[0] for name, one in (("x.wav", data), ("x.rf64", long)))
    assert np.array_equal(audio, plain)


# --- VOC, 8SVX, Sphere -------------------------------------------------------------------------------------------------------


def voc(*blocks: tuple[int, bytes], end: bytes = b"\0") -> bytes:
    head = b"Creative Voice File\x1a\x1a\0\x14\1\x1f\x11"
    return head + b"".join(bytes([kind]) + len(data).to_bytes(3, "little") + data for kind, data in blocks) + end


NEW = struct.pack("<IBBHI", RATE, 16, 2, 4, 0)


def test_sound_in_several_blocks_of_voc_is_one_sound(tmp_path):
    """libsndfile reads the heads of blocks as sound."""
    half = len(BODY) // 8 * 4
    data = voc((9, NEW + BODY[:half]), (2, BODY[half:-400]), (9, NEW + BODY[-400:]))
    assert np.array_equal(read(put(tmp_path, "x.voc", data))[1], STEREO)


def test_silence_between_blocks_of_voc_is_silence(tmp_path):
    data = voc((9, NEW + BODY), (3, struct.pack("<HB", 99, 0)), (2, BODY))
    assert np.array_equal(read(put(tmp_path, "x.voc", data))[1], np.concatenate([STEREO, np.zeros((100, 2), np.int16), STEREO]))


def test_eight_bits_of_voc_with_and_without_an_extended_block(tmp_path):
    eight = bytes(np.arange(200, dtype=np.uint8))
    mono = voc((1, bytes([256 - 40, 0]) + eight))
    stereo = voc((8, struct.pack("<HBB", 65_536 - 256_000_000 // (2 * 32_000), 0, 1)), (1, bytes([0, 0]) + eight))
    for name, data, rate, channels in (("x.voc", mono, 25_000, 1), ("y.voc", stereo, 32_000, 2)):
        audio, found = files.read_array(put(tmp_path, name, data))
        assert (found, audio.shape) == (rate, (channels, 200 // channels))
        assert np.array_equal(audio.T.ravel(), (np.arange(200) - 128) / np.float32(128))


def test_the_size_that_sox_writes_into_voc_is_corrected(tmp_path):
    data = voc((9, NEW + BODY))
    at = data.find(NEW)
    short = make.patched(data, at - 3, (12 + len(BODY) - 8).to_bytes(3, "little"))
    assert np.array_equal(read(put(tmp_path, "x.voc", short))[1], STEREO)


@pytest.mark.parametrize(("file_format", "suffix"), [("VOC", "voc"), ("SVX", "8svx"), ("NIST", "sph")])
def test_bytes_behind_the_sound_of_an_old_format_are_no_sound(tmp_path, file_format, suffix):
    data = make.encoded(SOUND, file_format)
    plain = read(put(tmp_path, f"x.{suffix}", data))[1]
    kinds, audio = read(put(tmp_path, f"y.{suffix}", data + b"\x99\x55" * 3000))
    assert np.array_equal(audio, plain)
    assert kinds == ["extra"]


# --- MPEG and Ogg ------------------------------------------------------------------------------------------------------------

FORK = struct.pack(">II16sH", 0x00051607, 0x00020000, b"Mac OS X        ", 2) + struct.pack(">IIIIII", 9, 50, 3760, 2, 3810, 286)


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("place", ["._x.mp3", ".AppleDouble/x.mp3"])
def test_an_mp3_is_read_beside_the_resource_fork_that_macos_keeps(tmp_path, announced, place):
    """libsndfile looks for a fork first and would refuse the file."""
    data = make.mp3(SOUND, announced=announced)
    alone = files.read_array(put(tmp_path, "alone.mp3", data))[0]
    fork = tmp_path / place
    fork.parent.mkdir(exist_ok=True)
    fork.write_bytes(FORK + bytes(4096 - len(FORK)))
    assert np.array_equal(files.read_array(put(tmp_path, "x.mp3", data))[0], alone)


def test_an_mp3_is_read_where_the_current_folder_has_a_resource_fork(tmp_path, monkeypatch):
    path = put(tmp_path, "x.mp3", make.mp3(SOUND, announced=False))
    alone = files.read_array(path)[0]
    (tmp_path / "._").touch()
    (tmp_path / ".AppleDouble").mkdir()
    monkeypatch.chdir(tmp_path)
    assert np.array_equal(files.read_array(path)[0], alone)


def test_the_tag_of_an_mp3_may_have_a_wrong_size(tmp_path):
    data = make.mp3(SOUND)
    alone = files.read_array(put(tmp_path, "x.mp3", data))[0]
    assert np.array_equal(files.read_array(put(tmp_path, "y.mp3", b"ID3\3\0\0\0\x7f\x7f\x7f" + data))[0], alone)


@pytest.mark.parametrize("seed", range(4))
def test_samples_without_a_header_are_no_mp3_whatever_their_name(tmp_path, seed):
    """Quiet 16-bit samples are full of bytes 0xFF, with which frames begin."""
    noise = np.random.default_rng(seed).normal(0, 3, 200_000).astype("<i2").tobytes()
    with pytest.raises(AudioFileError, match="no MP3 frames"):
        files.probe(put(tmp_path, "x.mp3", noise))


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_changed_byte_of_an_ogg_file_is_damage(tmp_path, subtype):
    """libsndfile would leave the page out, and the sound would be shorter."""
    rng = np.random.default_rng(1)
    data = make.encoded(rng.uniform(-0.5, 0.5, (96_000, 1)), "OGG", subtype, rate=48_000)
    files.probe(put(tmp_path, "x.ogg", data))
    for at in rng.integers(data.find(b"OggS", 1) + 300, len(data), 10):
        changed = make.patched(data, int(at), bytes([data[at] ^ 16]))
        with pytest.raises(AudioFileError, match=r"damaged|truncated"):
            files.read_array(put(tmp_path, "y.ogg", changed))


def test_bytes_behind_an_mp4_are_not_its_end(tmp_path):
    boxes = [(b"ftyp", b"M4A \0\0\0\0"), (b"moov", b"stsd" + bytes(8) + b"\0\0\0\x10mp4a" + bytes(40)), (b"mdat", bytes(500))]
    data = b"".join(struct.pack(">I", 8 + len(body)) + name + body for name, body in boxes)
    with pytest.raises(AudioFileError) as error:
        files.probe(put(tmp_path, "x.m4a", data + b"\x77" * 999))
    assert "truncated" not in str(error.value)
    with pytest.raises(AudioFileError, match="truncated"):
        files.probe(put(tmp_path, "y.m4a", data[:-9]))


def test_a_whole_file_of_another_name_is_read_by_its_content(tmp_path):
    sound = io.BytesIO()
    soundfile.write(sound, STEREO, RATE, format="FLAC")
    for name in ("x.wav", "x.mp3", "x.m4a", "x.snd", "x.sph"):
        assert np.array_equal(read(put(tmp_path, name, sound.getvalue()))[1], STEREO)
        (tmp_path / name).unlink()

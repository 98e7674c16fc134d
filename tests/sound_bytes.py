"""Sound files as bytes, made with Python alone: what recorders, streams and broken copies leave behind."""

from __future__ import annotations

import io
import struct

import numpy as np
import soundfile

from timbrespace.audio import files

RATE = 44100


def tone(seconds: float = 0.6, *, channels: int = 1, rate: int = RATE) -> np.ndarray:
    """(time, channels) int16: a sweep that stays loud to its end, softer in each further channel."""
    t = np.arange(round(seconds * rate)) / rate
    wave = 0.6 * np.sin(2 * np.pi * (200 * t + 300 * t * t))
    return np.round(32767 * np.stack([wave * (1 - 0.3 * c) for c in range(channels)], axis=1)).astype(np.int16)


def encoded(audio: np.ndarray, file_format: str, subtype: str = "PCM_16", *, rate: int = RATE, **settings) -> bytes:
    """`audio` (time, channels) as libsndfile writes it."""
    buffer = io.BytesIO()
    soundfile.write(buffer, audio, rate, format=file_format, subtype=subtype, **settings)
    return buffer.getvalue()


def mp3(audio: np.ndarray, *, mode: str = "VARIABLE", rate: int = RATE, announced: bool = True) -> bytes:
    """`audio` as MP3; announced=False: without the first frame, which tells the number of frames."""
    data = encoded(audio, "MP3", "MPEG_LAYER_III", rate=rate, bitrate_mode=mode, compression_level=0.5)
    tag = max(data.find(b"Xing"), data.find(b"Info"))
    assert 0 < tag < 200
    return data if announced else data[next_frame(data, tag) :]


def next_frame(data: bytes, start: int) -> int:
    """Position of the next frame of the same kind as the one at 0."""
    at = data.find(data[:2], start)
    while data[at + 2] & 0x0C != data[2] & 0x0C or data[at + 3] & 3 == 2:
        at = data.find(data[:2], at + 1)
    return at


def patched(data: bytes, at: int, new: bytes) -> bytes:
    """`data` with the bytes at a position replaced."""
    return data[:at] + new + data[at + len(new) :]


def wav(audio: np.ndarray, *, riff: int | None = None, size: int | None = None, tail: bytes = b"", rate: int = RATE) -> bytes:
    """A WAV file of int16 samples with sizes as asked."""
    body = audio.astype("<i2").tobytes()
    channels = audio.shape[1]
    fmt = b"fmt " + struct.pack("<IHHIIHH", 16, 1, channels, rate, 2 * channels * rate, 2 * channels, 16)
    riff = 36 + len(body) if riff is None else riff
    size = len(body) if size is None else size
    return b"RIFF" + struct.pack("<I", riff) + b"WAVE" + fmt + b"data" + struct.pack("<I", size) + body + tail


def rf64(audio: np.ndarray, *, size: int | None = None, magic: bytes = b"RF64") -> bytes:
    """A WAV file with its size in a `ds64` chunk."""
    plain, length = wav(audio), audio.size * 2
    ds64 = b"ds64" + struct.pack("<IQQQI", 28, 72 + length, length if size is None else size, audio.shape[0], 0)
    return magic + b"\xff\xff\xff\xffWAVE" + ds64 + plain[12:36] + b"data\xff\xff\xff\xff" + plain[44:]


def aiff(audio: np.ndarray, *, form: int | None = None, size: int | None = None, frames: int | None = None, tail: bytes = b"") -> bytes:
    """An AIFF file of int16 samples with its three lengths as asked."""
    body = audio.astype(">i2").tobytes()
    common = struct.pack(">hIh", audio.shape[1], audio.shape[0] if frames is None else frames, 16) + b"\x40\x0e\xac\x44" + bytes(6)
    sound = b"SSND" + struct.pack(">III", len(body) + 8 if size is None else size, 0, 0) + body
    rest = b"AIFFCOMM" + struct.pack(">I", 18) + common + sound
    return b"FORM" + struct.pack(">I", len(rest) if form is None else form) + rest + tail


def au(audio: np.ndarray, *, size: int | None = None, tail: bytes = b"") -> bytes:
    """An AU file of int16 samples with its size as asked."""
    body = audio.astype(">i2").tobytes()
    head = struct.pack(">4sIIIIII", b".snd", 28, len(body) if size is None else size, 3, RATE, audio.shape[1], 0)
    return head + body + tail


def caf(audio: np.ndarray, *, size: int | None = None, tail: bytes = b"") -> bytes:
    """A CAF file of int16 samples with the size of its `data` chunk as asked."""
    body = audio.astype("<i2").tobytes()
    channels = audio.shape[1]
    desc = struct.pack(">d4sIIIII", RATE, b"lpcm", 2, 2 * channels, 1, channels, 16)
    size = len(body) + 4 if size is None else size
    return b"caff\0\1\0\0desc" + struct.pack(">q", 32) + desc + b"data" + struct.pack(">qI", size, 0) + body + tail


def w64(audio: np.ndarray, *, size: int | None = None, tail: bytes = b"") -> bytes:
    """A Wave64 file of int16 samples with the size of its `data` chunk as asked."""
    data = encoded(audio, "W64")
    at = data.find(b"data")
    return (data if size is None else patched(data, at + 16, struct.pack("<q", size))) + tail


def streamed_flac(audio: np.ndarray) -> bytes:
    """A FLAC file whose header has no number of samples."""
    data = encoded(audio, "FLAC")
    packed = int.from_bytes(data[18:26], "big") >> 36 << 36
    return patched(data, 18, packed.to_bytes(8, "big"))


def ogg_pages(packets: list[bytes], granules: list[int], *, serial: int = 7, end: bool = True) -> bytes:
    """An Ogg stream with a packet on each page."""
    out = b""
    for number, (packet, granule) in enumerate(zip(packets, granules, strict=True)):
        table = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
        flags = (2 if number == 0 else 0) | (4 if end and number == len(packets) - 1 else 0)
        page = b"OggS\0" + bytes([flags]) + struct.pack("<qIIIB", granule, serial, number, 0, len(table)) + table + packet
        out += patched(page, 22, struct.pack("<I", ogg_checksum(page)))
    return out


def ogg_checksum(page: bytes) -> int:
    """The remainder of a page, with zeros for its checksum, modulo the polynomial 0x04C11DB7, bit by bit."""
    remainder = 0
    for byte in page:
        remainder ^= byte << 24
        for _ in range(8):
            remainder = (remainder << 1 ^ 0x04C11DB7 if remainder >> 31 else remainder << 1) & 0xFFFFFFFF
    return remainder


def flac_in_ogg(audio: np.ndarray, *, announced: bool = True) -> bytes:
    """FLAC in Ogg; announced=False: without the number of samples in its header."""
    data = encoded(audio, "FLAC") if announced else streamed_flac(audio)
    at, last = 4, False
    while not last:
        last, at = bool(data[at] & 128), at + 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    frames = [data[at : at + 5000], *(data[k : k + 5000] for k in range(at + 5000, len(data), 5000))]
    packets = [b"\x7fFLAC\1\0\0\1" + data[:42], b"\x84\0\0\x08\0\0\0\0\0\0\0\0", *frames]
    granules = [0, 0, *(round(len(audio) * (k + 1) / len(frames)) for k in range(len(frames)))]
    return ogg_pages(packets, granules)


def mp3_in_wav(stream: bytes) -> bytes:
    """A WAV file with format tag 0x55."""
    fmt = b"fmt " + struct.pack("<IHHIIHHHHIHHH", 30, 0x55, 1, RATE, 16000, 1, 0, 12, 1, 2, 417, 1, 1393)
    whole = 4 + len(fmt) + 8 + len(stream)
    return b"RIFF" + struct.pack("<I", whole) + b"WAVE" + fmt + b"data" + struct.pack("<I", len(stream)) + stream


def ima4_in_caf(audio: np.ndarray) -> bytes:
    """A CAF file of IMA4 packets, which libsndfile writes into AIFF-C alone."""
    data = encoded(audio, "AIFF", "IMA_ADPCM")
    at = data.find(b"SSND")
    packets = data[at + 16 : at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")]
    channels = audio.shape[1]
    desc = struct.pack(">d4sIIIII", RATE, b"ima4", 0, 34 * channels, 64, channels, 0)
    table = b"pakt" + struct.pack(">qqqii", 24, len(packets) // 34 // channels, len(audio), 0, 0)
    return b"caff\0\1\0\0desc" + struct.pack(">q", 32) + desc + table + b"data" + struct.pack(">qI", len(packets) + 4, 0) + packets


def put(folder, name, data):
    """Writes a file and returns its path."""
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


SOUND, STEREO = tone(), tone(channels=2)
WHOLE = {
    "x.wav": wav(SOUND),
    "x.rf64": rf64(SOUND),
    "bw64.wav": rf64(SOUND, magic=b"BW64"),
    "x.w64": w64(SOUND),
    "x.aif": aiff(SOUND),
    "float.aifc": encoded(SOUND / 32768, "AIFF", "FLOAT"),
    "x.au": au(SOUND),
    "x.caf": caf(SOUND),
    "x.flac": encoded(SOUND, "FLAC"),
    "flac.oga": flac_in_ogg(SOUND),
}
LOSSY = {
    "alac.caf": encoded(SOUND, "CAF", "ALAC_16"),
    "ima4.caf": ima4_in_caf(SOUND),
    "adpcm.wav": encoded(SOUND, "WAV", "MS_ADPCM"),
    "x.ogg": encoded(SOUND, "OGG", "VORBIS"),
    "x.opus": encoded(tone(rate=48000), "OGG", "OPUS", rate=48000),
    "variable.mp3": mp3(SOUND),
    "constant.mp3": mp3(SOUND, mode="CONSTANT"),
    "mp3.wav": mp3_in_wav(mp3(SOUND)),
}

"""What libsndfile does not decode is decoded by FFmpeg where the extra `decoders` is installed."""

from __future__ import annotations

import numpy as np
import pytest

import sound_bytes as make
from timbrespace.audio import files
from timbrespace.contracts import AudioFileError

av = pytest.importorskip("av")

SOUND = make.tone(1.0, channels=2)


def encode(path, codec, container, *, sample_format="s16p"):
    """Writes SOUND with FFmpeg's encoder."""
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=make.RATE, layout="stereo", format=sample_format)
        for start in range(0, len(SOUND), 1024):
            piece = SOUND[start : start + 1024]
            data = piece.reshape(1, -1) if sample_format == "s16" else piece.T if sample_format == "s16p" else piece.T.astype("f4") / 32768
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(data), format=sample_format, layout="stereo")
            frame.sample_rate, frame.pts = make.RATE, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def test_lossless_codecs_come_back_sample_for_sample(tmp_path):
    encode(tmp_path / "x.m4a", "alac", "ipod")
    info = files.probe(tmp_path / "x.m4a")
    assert (info.decoder, info.format, info.subtype, info.channels, info.frames) == ("PyAV", "M4A", "ALAC", 2, len(SOUND))
    audio, rate = files.read_array(tmp_path / "x.m4a", info=info)
    assert rate == make.RATE
    assert np.array_equal(np.round(audio.T * 32768), SOUND)


def test_aac_has_the_length_and_the_sound_of_its_source(tmp_path):
    encode(tmp_path / "x.m4a", "aac", "ipod", sample_format="fltp")
    audio, _ = files.read_array(tmp_path / "x.m4a")
    assert audio.shape == SOUND.T.shape
    assert np.corrcoef(audio[0], SOUND[:, 0])[0, 1] > 0.99


def test_pieces_in_any_order_are_pieces_of_the_whole(tmp_path):
    path = tmp_path / "x.m4a"
    encode(path, "alac", "ipod")
    info = files.probe(path)
    for start, frames in ((0, 1000), (1000, 5000), (40_000, None), (300, 700), (44_000, 9000)):
        audio, _ = files.read_array(path, start=start, frames=frames, info=info)
        stop = len(SOUND) if frames is None else start + frames
        assert np.array_equal(np.round(audio.T * 32768), SOUND[start:stop])
    again = tmp_path / "y.m4a"
    encode(again, "alac", "ipod")
    path.write_bytes(again.read_bytes())
    assert files.read_array(path, info=info)[0].shape[1] == len(SOUND)


def test_half_files_and_garbage_are_refused(tmp_path):
    encode(tmp_path / "x.m4a", "alac", "ipod")
    data = (tmp_path / "x.m4a").read_bytes()
    (tmp_path / "half.m4a").write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioFileError, match="truncated"):
        files.probe(tmp_path / "half.m4a")
    encode(tmp_path / "x.mka", "flac", "matroska", sample_format="s16")
    assert files.probe(tmp_path / "x.mka").frames == len(SOUND)
    matroska = (tmp_path / "x.mka").read_bytes()
    (tmp_path / "half.mka").write_bytes(matroska[: len(matroska) // 2])
    with pytest.raises(AudioFileError, match="truncated"):
        files.probe(tmp_path / "half.mka")
    at = data.find(b"mdat") + 4
    (tmp_path / "noise.m4a").write_bytes(make.patched(data, at, np.random.default_rng(0).bytes(20_000)))
    with pytest.raises(AudioFileError, match=r"FFmpeg cannot decode it|damaged"):
        files.probe(tmp_path / "noise.m4a")
    (tmp_path / "x.wma").write_bytes(bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(3000))
    with pytest.raises(AudioFileError, match=r"not readable as audio|contains no sound|FFmpeg cannot decode it"):
        files.probe(tmp_path / "x.wma")

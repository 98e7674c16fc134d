"""Channels are mixed by their speakers, and nearly inverted ones do not vanish in mono."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from timbrespace.audio import files
from timbrespace.audio.files import probe, read_array, read_mixed

RATE = 44_100
SIDE = 0.5**0.5


def levels_in_mix(path, sounds, channels, **options):
    """Levels `(channels, sources)` of each source channel in the mix; the sources are sines of different frequencies."""
    t = np.arange(RATE) / RATE
    waves = np.stack([np.sin(2 * np.pi * 100 * (i + 1) * t) for i in range(sounds)])
    soundfile.write(path, 0.2 * waves.T, RATE, **options)
    mixed, _ = read_array(path, channels=channels)
    return 2 * mixed @ waves.T / RATE / 0.2


@pytest.mark.parametrize("options", [{"format": "WAVEX"}, {"format": "WAV"}, {"format": "FLAC"}, {"format": "RF64"}])
def test_five_point_one_to_stereo_and_mono(tmp_path, options):
    left, right = [1, 0, SIDE, SIDE, SIDE, 0], [0, 1, SIDE, SIDE, 0, SIDE]
    total = 1 + 3 * SIDE
    stereo = levels_in_mix(tmp_path / "a", 6, 2, subtype="PCM_24" if options["format"] == "FLAC" else "FLOAT", **options)
    assert np.allclose(stereo, np.array([left, right]) / total, atol=1e-4)
    mono = levels_in_mix(tmp_path / "a", 6, 1, subtype="PCM_16", **options)
    assert np.allclose(mono[0], (np.array(left) + right) / total / 2, atol=1e-3)


def test_quad_and_the_order_of_vorbis(tmp_path):
    quad = levels_in_mix(tmp_path / "a.wav", 4, 2, format="WAVEX", subtype="PCM_24")
    assert np.allclose(quad, np.array([[1, 0, SIDE, 0], [0, 1, 0, SIDE]]) / (1 + SIDE), atol=1e-3)
    soundfile.write(tmp_path / "a.ogg", np.zeros((RATE, 6)), RATE, format="OGG", subtype="VORBIS")
    assert probe(tmp_path / "a.ogg").speakers == ("FL", "FC", "FR", "BL", "BR", "LFE")


def test_seven_point_one_by_its_mask(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros((100, 8)), RATE, format="WAVEX", subtype="PCM_16")
    raw = bytearray((tmp_path / "a.wav").read_bytes())
    at = raw.find(b"fmt ") + 8 + 20
    for mask, expected in ((0x63F, ("BL", "BR", "SL", "SR")), (0xFF, ("BL", "BR", "FLC", "FRC"))):
        raw[at : at + 4] = mask.to_bytes(4, "little")
        (tmp_path / "b.wav").write_bytes(bytes(raw))
        assert probe(tmp_path / "b.wav").speakers == ("FL", "FR", "FC", "LFE", *expected)


def test_stereo_and_unknown_layouts_are_averaged(tmp_path):
    assert np.allclose(levels_in_mix(tmp_path / "a.wav", 2, 1, subtype="FLOAT"), 0.5, atol=1e-5)
    soundfile.write(tmp_path / "b.wav", np.zeros((100, 12)), RATE)
    assert probe(tmp_path / "b.wav").speakers is None


def test_nearly_inverted_stereo_keeps_its_level(tmp_path):
    rng = np.random.default_rng(0)
    left = 0.2 * rng.standard_normal(RATE)
    for noise, level in ((0.0, 1.0), (0.05, 1.0), (0.2, 0.6)):
        right = -level * left + noise * 0.2 * rng.standard_normal(RATE) + 0.01  # its offset does not hide the inversion
        soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), RATE, subtype="FLOAT")
        mixed, _, remark = read_mixed(tmp_path / "a.wav", channels=1)
        assert np.allclose(mixed[0], (left - right) / 2, atol=1e-5)
        assert remark.kind == "inverted"
        assert remark.text == files.INVERTED


def test_wide_and_equal_stereo_is_mixed_as_usual(tmp_path):
    rng = np.random.default_rng(0)
    left, right = 0.2 * rng.standard_normal((2, RATE))
    for other in (right, left, 0 * left, -0.7 * left + right):
        soundfile.write(tmp_path / "a.wav", np.stack([left, other], axis=1), RATE, subtype="FLOAT")
        mixed, _, remark = read_mixed(tmp_path / "a.wav", channels=1)
        assert np.allclose(mixed[0], (left + other) / 2, atol=1e-6)
        assert remark is None


def test_of_many_channels_that_cancel_the_loudest_remains(tmp_path):
    left = 0.2 * np.random.default_rng(0).standard_normal(RATE)
    soundfile.write(tmp_path / "a.wav", np.stack([left, -left, 0.5 * left, -0.5 * left], axis=1), RATE, subtype="FLOAT")
    mixed, _, remark = read_mixed(tmp_path / "a.wav", channels=1)
    assert np.allclose(mixed[0], left, atol=1e-6)
    assert remark.text == files.CANCELLING

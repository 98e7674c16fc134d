"""Pictures of features are true to scale, and images are decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from test_represent import header_of, wav

from shell import Shell
from timbrespace.contracts import FeatureFileError
from timbrespace.features.arrays import load_features
from timbrespace.features.compute import compute_features
from timbrespace.representation.registry import REPRESENTATIONS
from tiny import RATE, drum


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_pictures_are_true_to_scale(shell: Shell, tmp_path: Path) -> None:
    for name, seconds in (("one", 1.0), ("two", 2.0), ("short", 0.01)):
        wav(tmp_path / "in" / f"{name}.wav", 0.1 * torch.randn(1, round(seconds * RATE)))
    shell("represent", tmp_path / "in", "--as", "mel", "--picture", "--pixels-per-second", 200, "--out", tmp_path / "o")
    width = {path.stem: picture(path).shape[1] for path in (tmp_path / "o").glob("*.png")}
    assert width["two"] - width["one"] == 200
    assert not list((tmp_path / "o").glob("*.npy"))


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_a_picture_shows_a_tone_at_its_time_and_frequency(name: str, tmp_path: Path) -> None:
    """A burst from 0.25 s to 0.5 s, two octaves under the top: lit there and dark elsewhere, whatever the view."""
    from timbrespace.features.pictures import draw_features

    time = torch.arange(RATE) / RATE
    tone = 0.5 * torch.sin(2 * np.pi * 5_400 * time) * ((time > 0.25) & (time < 0.5))
    features = compute_features(tone[None], name)
    draw_features(features, tmp_path / "p.png", title="x")
    pixels = picture(tmp_path / "p.png")[..., :3].astype(float)
    assert pixels.std() > 5
    panel = pixels[54:354, 76:476]
    different = np.abs(panel - panel[5, 340]).sum(2) > 60
    axes = features.axes
    if axes.band_unit == "Hz":
        height = np.interp(5_400, axes.centres, np.arange(len(axes.centres)) + 0.5) / len(axes.centres)
        row = round(300 * (1 - height))
        assert different[max(row - 6, 0) : row + 7, 120:180].mean(1).max() > 0.6
        assert different[row + 40 : row + 60, 300:380].mean() < 0.05
    assert different[:, 130:170].mean() > different[:, 300:380].mean()


def test_a_single_spectrum_is_a_line(tmp_path: Path) -> None:
    from timbrespace.features.pictures import draw_features

    features = compute_features(drum(1, seconds=0.05), "spectrum")
    assert features.array.shape[-1] == 1
    draw_features(features, tmp_path / "p.png")
    assert picture(tmp_path / "p.png").shape[1] > 600


def test_images_have_one_pixel_per_value_and_are_decoded(shell: Shell, tmp_path: Path) -> None:
    source = wav(tmp_path / "a.wav", drum(1))
    for name in ("mel", "polar"):
        out = tmp_path / name
        shell("represent", source, "--as", name, "--image", "--array", "--out", out)
        features, header = load_features(out / "a.npy"), header_of(out / "a.npy")
        pixels = picture(out / "a.image.png")
        parts, bands, frames = features.array.shape
        assert pixels.shape == (parts * bands, frames)
        assert pixels.dtype == np.uint8
        scale = header["image"]["scale"]
        for k, part in enumerate(features.array):
            low, high = scale[k]["low"], scale[k]["high"]
            undone = low + pixels[k * bands : (k + 1) * bands][::-1] / 255 * (high - low)
            assert np.abs(undone - part).max() <= (high - low) / 255 * 0.51
        assert np.allclose(load_features(out / "a.image.png").array[-1], undone, atol=1e-3)
        shell("represent", out / "a.image.png", "--back", "--out", tmp_path / f"{name} back")
        assert soundfile.info(tmp_path / f"{name} back" / "a.wav").frames == drum(1).shape[-1]
    Image.fromarray(pixels[:-1]).save(out / "a.image.png")
    with pytest.raises(FeatureFileError, match="keep the size"):
        load_features(out / "a.image.png")
    (out / "a.image.png").write_bytes((out / "a.image.png").read_bytes()[:60])
    with pytest.raises(FeatureFileError):
        load_features(out / "a.image.png")

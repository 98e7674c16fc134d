"""What a map page can play: which points are rendered, what the others play, and what is in the files."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from timbrespace.audio.describe import NAMES
from timbrespace.instrument import Instrument
from timbrespace.report.map.sound_map import SoundMap
from timbrespace.report.map.sounds import chosen_rows, compressed, even_grid, output_format, render_sounds, rendered_audio
from timbrespace.synthesis.rendering import render


@pytest.fixture(scope="module")
def drawn(instrument: Instrument) -> SoundMap:
    return instrument.map(generated=3)


def test_new_sounds_are_always_rendered_and_training_sounds_spread_out(drawn: SoundMap) -> None:
    count = len(drawn) - 3
    new = [count, count + 1, count + 2]
    assert chosen_rows(drawn, 100) == list(range(len(drawn)))
    assert chosen_rows(drawn, 0) == new
    rows = chosen_rows(drawn, 8)
    assert rows[-3:] == new
    assert len(rows) == 11
    latents = drawn.points.latents
    apart = float(torch.pdist(latents[rows[:8]]).min())
    covered = float(torch.cdist(latents[:count], latents[rows[:8]]).min(1).values.max())
    assert covered <= apart + 1e-4  # of the farthest-first choice: no point is farther from the chosen than they are from each other


def test_the_others_play_the_nearest_training_sound(drawn: SoundMap) -> None:
    sounds, _ = render_sounds(drawn, sounds=5, places=0)
    rows, latents = chosen_rows(drawn, 5), drawn.points.latents
    assert len(sounds.files) == 8
    assert sounds.places == []
    count = len(drawn) - 3
    for row in range(count):
        nearest = min(rows[:5], key=lambda other: float((latents[row] - latents[other]).norm()))
        assert rows[sounds.player[row]] == nearest
        assert sounds.own[row] == (row in rows)
    assert [rows[number] for number in sounds.player[count:]] == rows[5:]
    silent, _ = render_sounds(replace(drawn, points=replace(drawn.points, kinds=("training",) * len(drawn))), sounds=0, places=4)
    assert set(silent.player) == {-1}
    assert not any(silent.own)
    assert [sound for _, _, sound in silent.places] == [0, 1, 2, 3]


def test_what_is_played_is_the_decoded_latent_and_no_recording(drawn: SoundMap, instrument: Instrument) -> None:
    sounds, _ = render_sounds(drawn, sounds=2, places=0)
    row = chosen_rows(drawn, 2)[0]
    expected = rendered_audio(drawn, drawn.request_of(row), 44_100)
    assert torch.equal(expected, render(instrument.contents, [drawn.request_of(row)], level="peak", out_rate=None)[0].audio)
    found, rate = soundfile.read(io.BytesIO(sounds.files[0]), always_2d=True)
    assert rate == 44_100
    assert abs(len(found) - expected.shape[1]) < 3_000
    correlation = np.correlate(found[:, 0], expected[0].numpy(), "full").max()
    assert correlation > 0.8 * float(expected.norm()) * np.linalg.norm(found)


def test_descriptors_are_measured_where_there_are_none_and_kept_where_there_are(drawn: SoundMap) -> None:
    known = torch.full((len(drawn), len(NAMES)), torch.nan)
    known[0] = 5.0
    sounds, described = render_sounds(drawn.with_descriptors(known), sounds=100, places=4)
    assert len(sounds.files) == len(drawn) + 4
    assert (described.points.descriptors[0] == 5).all()
    brightness = described.points.descriptors[:, list(NAMES).index("brightness")]
    assert brightness.isfinite().all()
    assert described.points.descriptors[1:].isfinite().any(1).all()


def test_places_are_an_even_grid_over_the_sounds() -> None:
    positions = torch.tensor([[-1.0, 0.0], [1.0, 0.5]])
    grid = even_grid(positions, 30)
    assert grid.shape == (25, 2)
    steps = grid[:, 0].unique().diff()
    torch.testing.assert_close(steps, steps[:1].expand(4))
    assert grid.min(0).values.tolist() == pytest.approx([-0.88, 0.03], abs=0.01)
    assert even_grid(positions, 0).shape == (0, 2)
    assert torch.isfinite(even_grid(torch.zeros(3, 2), 9)).all()


@pytest.mark.parametrize(("rate", "expected"), [(44_100, 44_100), (96_000, 48_000), (30_000, 24_000), (8_000, 8_000), (48_000, 48_000)])
def test_the_rate_is_one_that_mp3_has(rate: int, expected: int) -> None:
    assert output_format(rate) == ("audio/mpeg", expected)
    audio = torch.sin(torch.arange(expected // 4) * 0.3)[None] * 0.5
    data = compressed(audio.expand(2, -1), expected, "audio/mpeg")
    assert soundfile.info(io.BytesIO(data)).channels == 2
    assert soundfile.info(io.BytesIO(compressed(audio, expected, "audio/ogg"))).format == "OGG"


def test_tables_and_pictures(drawn: SoundMap, tmp_path: Path) -> None:
    table = drawn.save(tmp_path / "map.csv").read_text().splitlines()
    assert table[0].startswith("name,category,kind,cluster,x,y,brightness")
    assert len(table) == len(drawn) + 1
    for color in ("category", "cluster"):
        for suffix in ("png", "svg"):
            path = drawn.save(tmp_path / f"{color}.{suffix}", color=color)
            assert path.read_bytes() == drawn.save(tmp_path / f"{color} again.{suffix}", color=color).read_bytes()
    described = drawn.with_descriptors(torch.rand(len(drawn), len(NAMES)) + 7)
    assert b"brightness (Hz)" in described.save(tmp_path / "b.svg", color="brightness").read_bytes()

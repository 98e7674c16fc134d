"""Training on a folder with one long file: how often its clips are drawn, and what density, map and card count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from timbrespace.corpus.prepare import prepare
from timbrespace.instrument import Instrument
from timbrespace.report.card import card_rows
from timbrespace.training.data.sounds import draw_rows, spread_rows
from timbrespace.training.sample import sample_clips
from tiny import RATE, SMALL, fix_plan, quick_train, write_drums


def test_rows_are_drawn_by_their_weights() -> None:
    weights = torch.tensor([1.0, 0.0, 0.25, 1.0, 0.25])
    rows = draw_rows(5, 100_000, weights.double().cumsum(0))
    shares = torch.bincount(rows, minlength=5) / 100_000
    assert torch.allclose(shares, weights / weights.sum(), atol=0.01)
    torch.manual_seed(3)
    plain = draw_rows(7, 50)
    torch.manual_seed(3)
    assert torch.equal(plain, torch.randint(7, (50,)))  # as ever without weights


def test_rows_are_spread_by_their_weights() -> None:
    assert torch.equal(spread_rows(10, 5), torch.arange(5) * 2)
    weights = torch.cat([torch.ones(50), torch.full((50,), 0.1)])
    rows = spread_rows(100, 22, weights)
    assert int((rows < 50).sum()) == 20
    assert rows.tolist() == sorted(rows.tolist())


def test_a_check_evaluates_counted_clips_alone() -> None:
    assert sample_clips(["a"] * 9, 5, seed=0, counted=[0, 2, 4]).tolist() == [0, 2, 4]
    some = sample_clips(["a", "b"] * 300, 64, seed=1, counted=range(0, 600, 3))
    assert len(some) == 64
    assert not (some % 3).any()


@pytest.fixture(scope="module")
def with_rain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Instrument, Instrument]:
    """Instruments of 30 drums and 40 s of noise: as it is done, and with every clip counted alike."""
    folder = tmp_path_factory.mktemp("rain")
    write_drums(folder / "in", 30)
    soundfile.write(folder / "in" / "rain.wav", 0.1 * np.random.default_rng(0).standard_normal(40 * RATE), RATE)
    corpus = prepare(folder / "in", folder / "corpus")
    with pytest.MonkeyPatch.context() as patch:
        fix_plan(patch)
        limited = quick_train(corpus, folder / "x.safetensors")
        equal = quick_train(corpus, folder / "y.safetensors", changes=(*SMALL, "training.file_limit=null"))
    return limited, equal


def share_of_rain(instrument: Instrument) -> float:
    """The weight in the density of the components that lie among the clips of the long file."""
    clips, space = instrument.contents.clips, instrument.space
    assert clips is not None
    nearest = torch.cdist(space.means, clips.latents).argmin(1)
    return float(sum(weight for weight, row in zip(space.weights, nearest.tolist(), strict=True) if clips.names[row].startswith("rain")))


def test_new_sounds_are_not_mostly_of_the_long_file(with_rain: tuple[Instrument, Instrument]) -> None:
    limited, equal = with_rain
    assert share_of_rain(equal) > 0.3
    assert share_of_rain(limited) < 0.16  # 3.1 of 33.1 sounds, rounded in each split


def test_all_clips_stay_for_novelty_and_map(with_rain: tuple[Instrument, Instrument]) -> None:
    limited, equal = with_rain
    one, other = limited.contents.clips, equal.contents.clips
    assert one is not None
    assert other is not None
    assert one.names == other.names
    assert torch.equal(one.embeddings, other.embeddings)
    assert (one.in_density, other.in_density) == (one.counted, len(other.names))
    assert one.in_density < len(one.names) - 10
    assert one.positions.abs().max() <= 1


def test_the_card_says_it(with_rain: tuple[Instrument, Instrument]) -> None:
    limited, equal = with_rain
    assert limited.card["corpus"]["long_files"] == {"files": 1, "clips": 20, "count_as": 3.1, "largest": 20}
    assert "long_files" not in equal.card["corpus"]
    assert limited.card["expect"].startswith("33 sounds are few")
    row = next(row for row in card_rows(limited.card) if row.label == "Long files")
    assert (row.value, row.hint[:40]) == ("count like 3.1 sounds", "20 clips cut from 1 long file(s); togeth")


def test_it_survives_the_file_and_is_anonymous(with_rain: tuple[Instrument, Instrument], tmp_path: Path) -> None:
    limited, _ = with_rain
    limited.save(tmp_path / "x.safetensors")
    opened = Instrument.load(tmp_path / "x.safetensors")
    assert opened.contents.clips is not None
    assert limited.contents.clips is not None
    assert opened.contents.clips.counted == limited.contents.clips.counted
    limited.save(tmp_path / "s.safetensors", strip=True)
    assert torch.equal(Instrument.load(tmp_path / "s.safetensors").space.weights, opened.space.weights)

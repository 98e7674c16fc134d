"""The map of an instrument: what is on it, where sounds are placed, what is between them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.instrument import Instrument
from timbrespace.space.atlas.build import build_atlas
from timbrespace.space.atlas.clusters import MOST
from timbrespace.space.atlas.paths import latent_to_decode
from tiny import NARROW, Tiny, fix_plan, quick_train


def test_the_map_in_the_file_is_the_default(instrument: Instrument) -> None:
    clips = instrument.contents.clips
    assert clips is not None
    drawn = instrument.map()
    assert torch.equal(drawn.positions, clips.positions)
    assert drawn.names == clips.names
    assert drawn.categories == clips.categories
    assert drawn.method == "tsne"
    assert set(drawn.points.kinds) == {"training"}


def test_new_and_given_sounds_are_placed_without_moving_the_others(instrument: Instrument, tiny: Tiny) -> None:
    clips = instrument.contents.clips
    assert clips is not None
    drawn = instrument.map(generated=5, given=[tiny.sound], seed=2)
    assert torch.equal(drawn.positions[: len(clips.names)], clips.positions)
    assert drawn.points.kinds[-6:] == ("new",) * 5 + ("given",)
    assert drawn.names[-1] == "kick 001"
    assert torch.equal(drawn.positions, instrument.map(generated=5, given=[tiny.sound], seed=2).positions)
    assert not torch.equal(drawn.positions[-6:], instrument.map(generated=5, given=[tiny.sound], seed=3).positions[-6:])
    # The latent of the file is refined, that of the training clip is not: near it, not equal.
    own = drawn.positions[clips.names.index("kick/kick 001")]
    assert float((drawn.positions[-1] - own).norm()) < 0.5 * float(torch.cdist(clips.positions, clips.positions).max())


def test_sounds_and_latents_are_placed_alike(instrument: Instrument) -> None:
    drawn = instrument.map()
    sounds = instrument.generate(3, seed=5)
    latents = [sound.latent for sound in sounds if sound.latent is not None]
    assert torch.equal(drawn.place(sounds), drawn.place(torch.stack(latents)))
    assert torch.equal(drawn.place(sounds), drawn.place(latents))
    torch.testing.assert_close(drawn.place(sounds), instrument.map_positions(sounds))
    assert drawn.place([]).shape == (0, 2)


@pytest.mark.parametrize("wrong", [torch.zeros(2, 5), torch.full((1, 6), torch.nan), torch.zeros(1, 6, 3)])
def test_other_latents_are_refused(instrument: Instrument, wrong: torch.Tensor) -> None:
    with pytest.raises(ShapeError, match="6 finite numbers"):
        instrument.map().place(wrong)


@pytest.mark.parametrize("method", [None, "pca", "tsne"])
def test_every_place_has_a_sound_and_a_training_sound_its_own_latent(instrument: Instrument, method: str | None) -> None:
    drawn = instrument.map(method=method)
    x, y = drawn.positions[3].tolist()
    torch.testing.assert_close(drawn.latent_at(x, y), drawn.points.latents[3], rtol=0, atol=1e-3)
    for place in ((0.0, 0.0), (5.0, -5.0)):
        z = drawn.latent_at(*place)
        assert instrument.decode(z).abs().max() == pytest.approx(1.0)
    with pytest.raises(ShapeError, match="finite"):
        drawn.latent_at(float("nan"), 0)


def test_a_stripped_instrument_shows_new_sounds_only(instrument: Instrument, tmp_path: Path) -> None:
    instrument.save(tmp_path / "bare.safetensors", strip=True)
    bare = Instrument.load(tmp_path / "bare.safetensors")
    drawn = bare.map(generated=12)
    assert set(drawn.points.kinds) == {"new"}
    assert len(drawn) == 12
    assert drawn.latent_at(0, 0).shape == (6,)
    assert len(bare.map()) == 200
    with pytest.raises(ConfigError, match="1 to 10000; this instrument was stripped"):
        bare.map(generated=0)


def test_wrong_wishes_are_named(instrument: Instrument) -> None:
    with pytest.raises(ConfigError, match="'som', allowed are tsne, pca, umap"):
        instrument.map(method="som")
    with pytest.raises(ConfigError, match="-1, allowed is 0 to 10000"):
        instrument.map(generated=-1)


def test_descriptors_in_the_file_are_on_the_map(instrument: Instrument) -> None:
    clips = instrument.contents.clips
    assert clips is not None
    if not hasattr(clips, "descriptors"):
        pytest.skip("no descriptors in files yet")
    values = torch.arange(9.0).repeat(len(clips.names), 1)
    contents = replace(instrument.contents, clips=replace(clips, descriptors=values))
    drawn = build_atlas(contents, generated=2)
    assert torch.equal(drawn.points.descriptors[: len(values)], values)
    assert drawn.points.descriptors[len(values) :].isnan().all()


def test_the_place_of_a_time_varying_instrument_is_a_path_with_that_mean(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from timbrespace.corpus.corpus import Corpus

    fix_plan(monkeypatch)
    varying = quick_train(
        Corpus.open(tiny.corpus), tmp_path / "v.safetensors", preset="spectra", changes=NARROW["spectra"], steps_minutes=0.002
    )
    drawn = varying.map(generated=2)
    for mean in drawn.points.latents[:3]:
        path, length = latent_to_decode(varying.contents, mean)
        assert path.ndim == 2
        assert length is not None
        assert 0 < length < 4 * 44_100
        torch.testing.assert_close(path.mean(1), mean, rtol=0, atol=1e-4)
        torch.testing.assert_close(drawn.place([path]), drawn.place(mean[None]), rtol=0, atol=1e-3)
    assert varying.decode(drawn.latent_at(0.2, 0.1)).ndim == 2


def test_clusters_are_those_of_find_and_new_sounds_join_the_nearest(instrument: Instrument) -> None:
    drawn = instrument.map(generated=6)
    found = instrument.clusters()
    assert len(found) <= MOST
    clusters = drawn.clusters
    assert clusters.titles == [f"{number + 1} {cluster.title}" for number, cluster in enumerate(found)]
    for number, cluster in enumerate(found):
        assert all(clusters.numbers[row] == number for row in cluster.rows)
    latents, count = drawn.points.latents, len(drawn) - 6
    for row in range(count, len(drawn)):
        nearest = int((latents[:count] - latents[row]).norm(dim=1).argmin())
        assert clusters.numbers[row] == clusters.numbers[nearest]


def test_a_map_of_a_stripped_instrument_has_clusters_the_largest_first(instrument: Instrument, tmp_path: Path) -> None:
    instrument.save(tmp_path / "bare.safetensors", strip=True)
    numbers = Instrument.load(tmp_path / "bare.safetensors").map(generated=30).clusters.numbers
    sizes = [numbers.count(number) for number in range(max(numbers) + 1)]
    assert sizes == sorted(sizes, reverse=True)
    assert 1 <= len(sizes) <= MOST
    assert sum(sizes) == 30

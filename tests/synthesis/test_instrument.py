"""The instrument: deterministic, sounds as requested, novelty and copies."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

import timbrespace
from timbrespace.audio.files import write
from timbrespace.contracts import ConfigError, OutputExistsError, ShapeError
from timbrespace.corpus.corpus import Corpus
from timbrespace.instrument import Instrument
from timbrespace.synthesis.novelty import COPY_DB, count_different, nearest_sounds, novelty_unit, repeats_of
from timbrespace.synthesis.sound import Sound
from tiny import RATE, Tiny, drum


def same(one: list[Sound], other: list[Sound]) -> bool:
    return len(one) == len(other) and all(torch.equal(a.audio, b.audio) and a.name == b.name for a, b in zip(one, other, strict=True))


# --- the same again -----------------------------------------------------------------------------------------------------------


def test_a_loaded_instrument_makes_the_same_sounds(instrument: Instrument, tmp_path: Path) -> None:
    instrument.save(tmp_path / "copy.safetensors")
    copy = timbrespace.load(tmp_path / "copy.safetensors")
    copy.save(tmp_path / "again.safetensors")
    assert (tmp_path / "copy.safetensors").read_bytes() == (tmp_path / "again.safetensors").read_bytes()
    assert same(instrument.generate(3, seed=2), copy.generate(3, seed=2))
    sound = drum(1)
    assert torch.equal(instrument.reconstruct(sound), copy.reconstruct(sound))
    assert copy.card == instrument.card
    assert copy.contents.clips is not None
    assert copy.contents.clips.names == instrument.contents.clips.names  # type: ignore[union-attr]
    with pytest.raises(OutputExistsError):
        instrument.save(tmp_path / "copy.safetensors")


def test_a_sound_does_not_depend_on_its_batch(instrument: Instrument) -> None:
    many = instrument.generate(6, seed=5)
    assert same(instrument.generate(2, seed=5), many[:2])
    kick = drum(0)
    assert same(instrument.vary(kick, 2, seed=5), instrument.vary(kick, 5, seed=5)[:2])


def test_same_seed_same_sounds(instrument: Instrument) -> None:
    one = instrument.generate(2, seed=7)
    torch.rand(5)
    assert same(one, instrument.generate(2, seed=7))
    other = instrument.generate(2, seed=8)
    assert not torch.equal(one[0].latent, other[0].latent)  # type: ignore[arg-type]
    threads = torch.get_num_threads()
    instrument.generate(1)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("verb", ["generate", "vary", "morph"])
def test_recipes_render_the_same_sound(verb: str, instrument: Instrument) -> None:
    sounds = {
        "generate": lambda: instrument.generate(3, seed=3, category="snare", level="loudness", out_rate=48_000),
        "vary": lambda: instrument.vary(drum(1), 3, seed=3, name="mine", level="keep"),
        "morph": lambda: instrument.morph([drum(0), drum(1)], 3, seed=3, out_rate=22_050),
    }[verb]()
    for sound in sounds:
        recipe = json.loads(json.dumps(sound.recipe, allow_nan=False))
        again = instrument.replay(recipe, sources=[drum(1), drum(0)])
        assert torch.equal(again.audio, sound.audio)
        assert (again.name, again.category, again.sample_rate, again.root_note) == (
            sound.name, sound.category, sound.sample_rate, sound.root_note,
        )  # fmt: skip
        assert again.recipe["asked"]["verb"] == verb
        assert instrument.replay(again.recipe, sources=[drum(0), drum(1)]).recipe == again.recipe


@pytest.mark.parametrize(
    "change",
    [
        {"latent": None},
        {"latent": []},
        {"latent": [0.0] * 500},
        {"latent": "abcdef"},
        {"latent": [10**400] * 6},
        {"latent": [1e39] * 6},
        {"latent": [math.nan] * 6},
        {"latent": [[0.0]] * 6},
        {"phase_seed": -1},
        {"phase_seed": 2**63},
        {"phase_seed": math.inf},
        {"phase_seed": "x"},
        {"sample_rate": 10},
        {"sample_rate": math.inf},
        {"sample_rate": None},
        {"sample_rate": 10**9},
        {"level": "loud"},
        {"level": ["peak"]},
        {"category": 3},
        {"category": ["a"]},
        {"render_version": 1},
        {"render_version": 5},
        {"render_version": 2},
        {"render_version": "4"},
        {"render_version": True},
        {"engine": "abacus"},
        {"engine": None},
        {"asked": 3},
        {"asked": None},
        {"asked": [1]},
    ],
)
def test_invalid_recipes_are_refused(change: dict[str, Any], instrument: Instrument) -> None:
    recipe = instrument.generate(1)[0].recipe
    with pytest.raises((ConfigError, ShapeError)):
        instrument.replay(recipe | change)
    for key in set(change) - {"render_version", "engine"}:
        with pytest.raises(ConfigError, match="not a recipe"):
            instrument.replay({name: value for name, value in recipe.items() if name != key})


def test_recipes_say_what_rendered_them(instrument: Instrument) -> None:
    recipe = instrument.generate(1)[0].recipe
    assert (recipe["engine"], recipe["render_version"]) == (instrument.engine, 4)
    old = {key: value for key, value in recipe.items() if key not in ("engine", "render_version")}
    with pytest.raises(ConfigError, match=r"render version 1, of an older release; this release renders version 4"):
        instrument.replay(old)


def test_names_in_recipes_cannot_leave_their_folder(instrument: Instrument, tmp_path: Path) -> None:
    recipe = instrument.generate(1)[0].recipe
    for name in ("../../evil", "/etc/evil", "a/b", "..", "", "con", "x" * 5000):
        path = instrument.replay(recipe | {"name": name}).save(tmp_path / "in", force=True)
        assert path.resolve().parent == (tmp_path / "in").resolve()
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


# --- generate --------------------------------------------------------------------------------------------------------------------


def test_sounds_have_the_requested_category(instrument: Instrument) -> None:
    assert "kick" in instrument.categories
    sounds = instrument.generate(3, category="kick")
    assert [s.name[:8] for s in sounds] == ["kick 001", "kick 002", "kick 003"]  # a note may follow
    assert {s.category for s in sounds} == {"kick"}
    assert len({s.name for s in instrument.generate(8)}) == 8
    for near in (None, drum(0)):
        with pytest.raises(ConfigError, match=r"'gong', this instrument has .*kick.*snare"):
            instrument.generate(1, category="gong", near=near)


def test_sounds_are_finished(instrument: Instrument) -> None:
    for sound in instrument.generate(6):
        assert sound.audio.dtype == torch.float32
        assert sound.audio.shape[0] == 1
        assert sound.sample_rate == RATE
        assert float(sound.audio.abs().max()) == pytest.approx(10 ** (-1 / 20), abs=1e-3)
        assert sound.audio[0, -1] == 0
        assert abs(float(sound.audio[0, 0])) < 1e-2
        assert 0 < sound.seconds <= instrument.contents.samples / RATE + 0.01
        assert sound.nearest in instrument.contents.clips.names  # type: ignore[union-attr]
        assert sound.novelty is not None
        assert sound.novelty >= 0


def test_temperature_zero_gives_component_means(instrument: Instrument) -> None:
    for sound in instrument.generate(4, temperature=0):
        assert (instrument.space.means == sound.latent).all(1).any()
    wild = torch.stack([s.latent for s in instrument.generate(12, temperature=3.0)])  # type: ignore[misc]
    tame = torch.stack([s.latent for s in instrument.generate(12, temperature=0.3)])  # type: ignore[misc]
    assert torch.cdist(wild, instrument.space.means).min(1).values.mean() > torch.cdist(tame, instrument.space.means).min(1).values.mean()


def test_a_dc_offset_changes_neither_latent_nor_reconstruction(instrument: Instrument) -> None:
    rate = instrument.sample_rate
    sound = torch.nn.functional.pad(drum(3), (rate // 10, rate))
    clean, reconstruction = instrument.encode(sound), instrument.reconstruct(sound)
    for offset in (0.0003, -0.004):
        encoded = instrument.encode(sound + offset)
        assert torch.allclose(encoded.z, clean.z, atol=1e-3)
        assert abs(encoded.length - clean.length) <= rate // 1000
        found = instrument.reconstruct(sound + offset)
        assert found.shape == reconstruction.shape
        assert found.abs().max() == pytest.approx(float(reconstruction.abs().max()), rel=1e-3)
        assert abs(int(found[0].nonzero()[0]) - int(reconstruction[0].nonzero()[0])) <= rate // 1000
        assert abs(int(found[0].nonzero()[-1]) - int(reconstruction[0].nonzero()[-1])) <= rate // 1000


def test_a_file_of_another_rate_is_read_without_its_offset(instrument: Instrument, tmp_path: Path) -> None:
    rate = instrument.sample_rate * 3 // 2
    sound = torch.nn.functional.pad(drum(3), (0, rate))
    for name, offset in (("clean", 0.0), ("offset", 0.004)):
        write(tmp_path / f"{name}.wav", sound + offset, rate, subtype="FLOAT")
    assert torch.allclose(instrument.read(tmp_path / "offset.wav"), instrument.read(tmp_path / "clean.wav"), atol=1e-5)


def test_near_a_sound(instrument: Instrument) -> None:
    sound = drum(1)
    centre = instrument.encode(sound).z
    assert torch.equal(instrument.generate(1, near=sound, temperature=0)[0].latent, centre)  # type: ignore[arg-type]
    near = torch.stack([s.latent for s in instrument.generate(10, near=sound, temperature=0.2)])  # type: ignore[misc]
    free = torch.stack([s.latent for s in instrument.generate(10)])  # type: ignore[misc]
    assert (near - centre).norm(dim=1).mean() < (free - centre).norm(dim=1).mean()


def test_no_near_duplicates_in_a_batch(instrument: Instrument) -> None:
    points = torch.stack([s.latent for s in instrument.generate(30, seed=1)])  # type: ignore[misc]
    spread = float(instrument.space.shared.diagonal().mean()) * instrument.dims**0.5
    assert torch.pdist(points).min() > 0.15 * spread


@pytest.mark.parametrize("rate", [1_000, 8_000, 22_050, 44_100, 48_000, 96_000])
def test_any_rate(rate: int, instrument: Instrument) -> None:
    plain, sound = instrument.generate(1)[0], instrument.generate(1, out_rate=rate)[0]
    assert sound.sample_rate == rate
    assert sound.recipe["sample_rate"] == rate
    assert sound.seconds == pytest.approx(plain.seconds, abs=0.05)
    assert float(sound.audio.abs().max()) == pytest.approx(10 ** (-1 / 20), abs=1e-3)


def test_levels(instrument: Instrument) -> None:
    peak, loud = (instrument.generate(1, level=level)[0].audio for level in ("peak", "loudness"))  # type: ignore[arg-type]
    assert float(peak.abs().max()) == pytest.approx(0.8913, abs=1e-3)
    assert float(loud.abs().max()) <= 10 ** (-0.1 / 20) + 1e-6
    assert loud.shape == peak.shape
    torch.testing.assert_close(loud / loud.abs().max(), peak / peak.abs().max(), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"count": 0},
        {"count": -1},
        {"count": 10**9},
        {"count": 1.5},
        {"temperature": -0.1},
        {"temperature": 99},
        {"temperature": math.nan},
        {"temperature": "hot"},
        {"seed": -1},
        {"seed": 2**63},
        {"seed": 0.5},
        {"level": "loud"},
        {"out_rate": 0},
        {"out_rate": 999},
        {"out_rate": 10**7},
    ],
)
def test_invalid_requests_are_refused(options: dict[str, Any], instrument: Instrument) -> None:
    with pytest.raises(ConfigError):
        instrument.generate(**{"count": 1, **options})


def test_progress_is_reported(instrument: Instrument) -> None:
    seen: list[tuple[int, int]] = []
    instrument.generate(3, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


# --- vary and morph -----------------------------------------------------------------------------------------------------------------


def test_morphs_start_and_end_at_their_sounds(instrument: Instrument) -> None:
    a, b, c = drum(0), drum(1), drum(3)
    steps = instrument.morph([a, b], 5, seed=4)
    for sound, original in ((steps[0], a), (steps[-1], b)):
        assert torch.equal(sound.latent, instrument.encode(original).z)  # type: ignore[arg-type]
        assert torch.equal(sound.audio, original)
    share = steps[2].recipe["share"]
    assert steps[2].recipe["asked"]["position"] == share
    torch.testing.assert_close(steps[2].latent, torch.lerp(steps[0].latent, steps[4].latent, share))  # type: ignore[arg-type]
    three = instrument.morph([a, b, c], 6)
    assert sum(torch.equal(step.audio, b) for step in three) == 1  # through it
    assert [step.is_own for step in three].count(True) == 3
    assert len({sound.name for sound in three}) == 6
    assert len(instrument.morph([a, b, c], 2)) == 2
    (first,) = instrument.morph([a, b], 1)
    assert torch.equal(first.audio, a)


def test_a_variation_of_amount_zero_is_the_sound_itself(instrument: Instrument) -> None:
    sound = drum(1)
    still = instrument.vary(sound, 2, amount=0)
    end = instrument.morph([sound, drum(0)], 2)[0]
    for varied in still:
        assert torch.equal(varied.audio, sound)
        assert torch.equal(varied.latent, end.latent)  # type: ignore[arg-type]
    near, far = (instrument.vary(sound, 6, amount=amount) for amount in (0.1, 2.0))

    def reach(sounds: list[Sound]) -> float:
        return float(torch.stack([s.latent - end.latent for s in sounds]).norm(dim=1).mean())  # type: ignore[operator]

    assert 0 < reach(near) < reach(far)
    assert near[0].name.startswith("sound varied 001")


def test_invalid_morphs_and_variations_are_refused(instrument: Instrument) -> None:
    for call in (
        lambda: instrument.morph([drum(0)], 3),
        lambda: instrument.morph([], 3),
        lambda: instrument.morph([drum(0), drum(1)], 0),
        lambda: instrument.morph([drum(0), drum(1)], 2, seed=-1),
        lambda: instrument.vary(drum(0), 0),
        lambda: instrument.vary(drum(0), 1, amount=-1),
        lambda: instrument.vary(drum(0), 1, amount=5),
        lambda: instrument.vary(drum(0), 1, seed=-3),
    ):
        with pytest.raises(ConfigError):
            call()


# --- novelty and the map -----------------------------------------------------------------------------------------------------------------


def test_training_sounds_are_copies_of_themselves(instrument: Instrument, tiny: Tiny) -> None:
    clips, unit = instrument.contents.clips, instrument.contents.novelty_unit
    assert clips is not None
    assert unit is not None
    corpus = Corpus.open(tiny.corpus)
    own = [corpus.audio(i) for i in corpus.indices("train")]
    for index, found in enumerate(nearest_sounds(own, RATE, embeddings=clips.embeddings, unit=unit)):
        assert found.index == index
        assert found.novelty is not None
        assert found.novelty < 0.02
        assert found.is_copy
    held = [corpus.audio(i) for i in corpus.indices("validation") + corpus.indices("test")]
    far = [found.novelty or 0.0 for found in nearest_sounds(held, RATE, embeddings=clips.embeddings, unit=unit)]
    assert sorted(far)[(len(far) - 1) // 2] == pytest.approx(1.0, abs=0.01)  # that is what the unit means
    assert nearest_sounds([], RATE, embeddings=clips.embeddings, unit=unit) == []


def test_a_copy_is_marked(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Corpus.open(tiny.corpus).audio(Corpus.open(tiny.corpus).indices("train")[0])
    monkeypatch.setattr("timbrespace.synthesis.rendering.decode", lambda contents, z, **_: original / original.abs().max())
    instrument = Instrument.load(tiny.file, engine="pytorch")
    sound = instrument.generate(1)[0]
    assert sound.is_copy
    assert sound.nearest == instrument.contents.clips.names[0]  # type: ignore[union-attr]


def test_the_unit_of_novelty() -> None:
    training = torch.tensor([[0.0], [10.0], [11.0]])
    assert novelty_unit(torch.tensor([[2.0], [13.0], [15.0]]), training) == 2.0
    assert novelty_unit(training[:0], training) is None
    assert novelty_unit(training[:2], training) is None
    assert novelty_unit(torch.tensor([[10.0], [10.05], [13.0], [13.0], [16.0], [16.0]]), training) == 2.0  # of 13 and 16, once each


def test_novelty_has_no_unit_where_sounds_repeat() -> None:
    one_sound = torch.tensor([[5.0], [5.0], [5.5]])
    assert novelty_unit(torch.tensor([[20.0]]), one_sound) is None
    far_apart = torch.tensor([[0.0], [0.3], [10.0], [20.0], [20.2]])
    assert novelty_unit(far_apart[:1] + 0.5, far_apart) is None  # nearly a training sound
    dense = torch.arange(0, 40, 0.4)[:, None]
    assert novelty_unit(dense[::7] + 0.3, dense) is not None  # as near as training sounds are to each other


def test_equal_points_repeat_in_large_corpora() -> None:
    training = torch.randn(1_200, 68, generator=torch.Generator().manual_seed(0)) * 8 + 30
    assert repeats_of(training[:40], training) == 40
    assert count_different(torch.cat([training, training[:700]])) == 1_200
    assert novelty_unit(training[:40], training) is None
    held_out = torch.cat([training[:40] + 5, training[:300]])
    assert novelty_unit(held_out, training) == novelty_unit(held_out[:40], training)


def test_copies_are_found_without_a_unit(instrument: Instrument, tiny: Tiny) -> None:
    clips, corpus = instrument.contents.clips, Corpus.open(tiny.corpus)
    assert clips is not None
    own = [corpus.audio(corpus.indices("train")[0])]
    noise = [torch.randn(1, RATE // 4, generator=torch.Generator().manual_seed(0)) * torch.linspace(1, 0, RATE // 4)]
    same, other = nearest_sounds([*own, *noise], RATE, embeddings=clips.embeddings, unit=None)
    assert same.novelty is None
    assert other.novelty is None
    assert same.is_copy
    assert not other.is_copy
    assert other.distance > COPY_DB


def test_positions_on_the_map(instrument: Instrument) -> None:
    clips = instrument.contents.clips
    assert clips is not None
    assert clips.positions.shape == (len(clips.names), 2)
    assert clips.positions.abs().max() == pytest.approx(1.0)
    fake = [Sound("x", torch.zeros(1, 1), RATE, latent=clips.latents[k]) for k in range(4)]
    torch.testing.assert_close(instrument.map_positions(fake), clips.positions[:4], rtol=0, atol=1e-2)

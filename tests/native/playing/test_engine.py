"""timbrespace.native.engine: draws, renders and labels with a core; what is played by it, and what by PyTorch."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stand_in import StandIn

from shell import Shell
from timbrespace.contracts import ConfigError, InstrumentFileError
from timbrespace.instrument import Instrument
from timbrespace.native import opening
from timbrespace.native.calls import CoreError
from timbrespace.native.engine import Player
from timbrespace.native.opening import NoPlayer
from timbrespace.synthesis.detail.given import fingerprint
from timbrespace.synthesis.file.facts import InstrumentFile
from timbrespace.synthesis.file.header import parse_header
from timbrespace.synthesis.file.numbering import numbered
from timbrespace.synthesis.file.writing import write_instrument
from tiny import Tiny


@pytest.fixture
def player(tiny: Tiny) -> Player:
    file = InstrumentFile.read(tiny.file)
    return Player(file, StandIn(file))  # type: ignore[arg-type]


@pytest.fixture
def played(player: Player, monkeypatch: pytest.MonkeyPatch) -> Player:
    """Every file opens with this player."""
    monkeypatch.setattr(opening, "open_player", lambda path: player)
    return player


def test_what_is_known_without_pytorch_is_what_pytorch_reads(tiny: Tiny) -> None:
    file, whole = InstrumentFile.read(tiny.file), Instrument.load(tiny.file, engine="pytorch")
    contents = whole.contents
    assert (file.sample_rate, file.channels, file.samples) == (contents.sample_rate, contents.channels, contents.samples)
    assert file.categories == whole.categories
    assert file.card == whole.card
    assert file.fingerprint == fingerprint(contents)
    assert contents.clips is not None
    assert file.training.names == contents.clips.names
    assert np.array_equal(file.training.embeddings, contents.clips.embeddings.numpy())
    assert file.training.unit == contents.novelty_unit


@pytest.mark.parametrize("bits", [8, 16])
def test_the_fingerprint_of_weights_with_fewer_bits(tiny: Tiny, tmp_path: Path, bits: int) -> None:
    small = tmp_path / "small.safetensors"
    write_instrument(Instrument.load(tiny.file, engine="pytorch").contents, small, bits=bits)
    assert InstrumentFile.read(small).fingerprint == fingerprint(Instrument.load(small, engine="pytorch").contents)


def test_the_core_plays_new_sounds(tiny: Tiny, played: Player) -> None:
    instrument = Instrument.load(tiny.file)
    assert instrument.engine == "native"
    assert (instrument.dims, instrument.categories) == (played.dims, played.file.categories)
    sounds = instrument.generate(5, seed=3)
    assert instrument._contents is None, "nothing needed PyTorch"
    assert [sound.recipe["engine"] for sound in sounds] == ["native"] * 5
    assert [sound.category for sound in sounds] == [played.core.categories[k % len(played.core.categories)] for k in range(5)]
    assert all(sound.name.startswith(f"{sound.category} {k:03d}") for k, sound in enumerate(sounds, 1))
    assert all(sound.nearest in (played.file.training.names or ()) for sound in sounds)
    assert [sound.recipe["asked"].get("redrawn", 0) for sound in sounds] == [0, 1, 2, 0, 1]
    assert played.core.drawn == [(k, k) for k in range(5)]
    assert sounds[0].samples.dtype == np.float32
    assert np.array_equal(sounds[0].audio.numpy(), sounds[0].samples)
    assert len(sounds[0].latent) == played.dims


def test_a_sound_does_not_depend_on_its_batch_or_the_number_of_threads(tiny: Tiny, played: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    many = Instrument.load(tiny.file).generate(6, seed=1)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    done: list[tuple[int, int]] = []
    few = Instrument.load(tiny.file).generate(2, seed=1, progress=lambda one, all_of_them: done.append((one, all_of_them)))
    assert [sound.samples.tobytes() for sound in few] == [sound.samples.tobytes() for sound in many[:2]]
    assert [sound.recipe for sound in few] == [sound.recipe for sound in many[:2]]
    assert done == [(1, 2), (2, 2)]


def test_a_recipe_is_repeated_by_its_engine(tiny: Tiny, played: Player) -> None:
    instrument = Instrument.load(tiny.file)
    sound = instrument.generate(2, seed=5)[1]
    values = json.loads(json.dumps(sound.recipe))
    again = instrument.replay(values)
    assert again.samples.tobytes() == sound.samples.tobytes()
    assert again.name == sound.name
    by_pytorch = Instrument.load(tiny.file, engine="pytorch").generate(1, seed=5)[0]
    assert by_pytorch.recipe["engine"] == "pytorch"
    again = instrument.replay(by_pytorch.recipe)
    assert again.recipe["engine"] == "pytorch"
    assert again.samples.tobytes() == by_pytorch.samples.tobytes()
    for damaged in ({"latent": values["latent"][:-1]}, {"latent": [1e999] * played.dims}, {"latent": None}, {"phase_seed": -1}):
        with pytest.raises(ConfigError, match="recipe"):
            instrument.replay(values | damaged)


def test_pytorch_repeats_a_native_recipe_and_says_so(tiny: Tiny, player: Player, caplog: pytest.LogCaptureFixture) -> None:
    recipe = Instrument(player=player).generate(1)[0].recipe
    caplog.set_level(logging.WARNING)
    again = Instrument.load(tiny.file, engine="pytorch").replay(recipe)
    assert again.recipe["engine"] == "pytorch"
    assert "rendered by the native core, and PyTorch renders it now" in caplog.text


def test_another_rate_is_resampled_before_the_level_is_set(tiny: Tiny, played: Player) -> None:
    sound = Instrument.load(tiny.file).generate(1, out_rate=22_050)[0]
    assert sound.sample_rate == 22_050
    assert float(np.abs(sound.samples).max()) == pytest.approx(10 ** (-1 / 20), abs=1e-4)


def test_notes_are_named_by_the_pitch_in_their_latent(tiny: Tiny) -> None:
    file = InstrumentFile.read(tiny.file)
    instrument = Instrument(player=Player(file, StandIn(file, notes=True)))  # type: ignore[arg-type]
    sounds = instrument.generate(2, pitch=61.0)
    assert [sound.root_note for sound in sounds] == [61, 61]
    assert sounds[0].name.endswith("001 Cs4")
    assert sounds[0].recipe["asked"]["pitch"] == 61.0


def test_what_the_core_does_not_draw_is_explained_as_ever(tiny: Tiny, played: Player) -> None:
    instrument = Instrument.load(tiny.file)
    for options in ({"category": "oboe"}, {"pitch": 60.0}, {"velocity": 100.0}, {"seconds": 2.0}, {"conditions": {"colour": "red"}}):
        asked: dict[str, Any] = dict(options)
        with pytest.raises(ConfigError) as refused:
            instrument.generate(1, **asked)
        with pytest.raises(ConfigError) as wanted:
            Instrument.load(tiny.file, engine="pytorch").generate(1, **asked)
        assert str(refused.value) == str(wanted.value)


def test_sounds_between_given_ones_come_from_pytorch_and_moves_of_new_ones_from_the_core(tiny: Tiny, played: Player) -> None:
    instrument = Instrument.load(tiny.file)
    assert [sound.recipe["engine"] for sound in instrument.morph([tiny.sound] * 2, 3)] == ["pytorch"] * 3
    assert [sound.recipe["engine"] for sound in instrument.moves.axis("pc1", 2).render()] == ["native"] * 2
    assert instrument.moves.axis("pc1", 2).as_one().recipe["engine"] == "pytorch"


def test_anonymous_sounds_name_no_training_sound(tiny: Tiny, played: Player) -> None:
    names = set(played.file.training.names or ())
    anonymous = Instrument.load(tiny.file).anonymous()
    sound = anonymous.generate(1)[0]
    assert str(sound.nearest).startswith("training sound ")
    assert not names & set(anonymous.contents.clips.names if anonymous.contents.clips else ())


@pytest.mark.parametrize("clips", [4, 24, 2000])
def test_the_density_of_an_anonymous_instrument_is_that_of_pytorch(tiny: Tiny, clips: int) -> None:
    space = Instrument.load(tiny.file, engine="pytorch").space
    file = InstrumentFile.read(tiny.file)
    names = ("a",) * max(clips, len(file.training.names or ()))
    file = replace(file, training=replace(file.training, names=names), header=file.header | {"clips": {"counted": clips}})
    found, data = numbered(file)
    wanted = space.anonymous(clips)
    assert found.labels == wanted.labels
    for name in ("weights", "means", "factors", "shared"):
        assert np.allclose(found.arrays[f"space.{name}"], getattr(wanted, name).numpy(), atol=1e-6)
    assert found.fingerprint == file.fingerprint
    assert parse_header(Path("x"), data)["labels"] == list(wanted.labels)


def test_without_a_core_pytorch_plays_and_it_is_said_once(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing() -> None:
        raise CoreError(0, "there is none for this processor")

    monkeypatch.setattr(opening, "load_core", missing)
    monkeypatch.setattr(opening, "_said", [])
    caplog.set_level(logging.WARNING)
    instrument = Instrument.load(tiny.file)
    assert instrument.engine == "pytorch"
    assert caplog.text == "", "opening renders nothing"
    for _ in range(2):
        assert instrument.generate(1)[0].recipe["engine"] == "pytorch"
    assert caplog.text.count("the native core cannot be loaded (there is none for this processor)") == 1
    assert "scripts/run.py native" in caplog.text
    with pytest.raises(ConfigError, match=r"the native core does not play .*: there is none for this processor"):
        Instrument.load(tiny.file, engine="native")


def test_a_family_that_the_core_does_not_play_goes_through_pytorch_without_a_word(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(opening, "open_player", lambda path: NoPlayer("not played here", missing=False))
    caplog.set_level(logging.WARNING)
    assert Instrument.load(tiny.file).generate(1)[0].recipe["engine"] == "pytorch"
    assert caplog.text == ""


def test_an_unknown_engine_is_refused(tiny: Tiny) -> None:
    with pytest.raises(ConfigError, match="engine is 'abacus', allowed are auto, native, pytorch"):
        Instrument.load(tiny.file, engine="abacus")


@pytest.mark.parametrize("place", [4, 20, 2000, -2000, -1])
def test_a_damaged_file_is_refused(tiny: Tiny, tmp_path: Path, place: int) -> None:
    data = bytearray(tiny.file.read_bytes())
    data[place] ^= 0x55
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(data)
    with pytest.raises(InstrumentFileError):
        InstrumentFile.read(damaged)
    with pytest.raises(InstrumentFileError):
        Instrument.load(damaged)
    damaged.write_bytes(data[: len(data) // 2])
    with pytest.raises(InstrumentFileError):
        InstrumentFile.read(damaged)


def test_the_option_engine(shell: Shell, tiny: Tiny, tmp_path: Path, played: Player) -> None:
    for engine, wanted in (("auto", "native"), ("pytorch", "pytorch")):
        shell("generate", tiny.file, "-n", 1, "--engine", engine, "--out", tmp_path / engine)
        recipe = json.loads(next((tmp_path / engine).glob("*.json")).read_text())
        assert recipe["engine"] == wanted
    assert shell.json("info", tiny.file)["engine"] == "native"

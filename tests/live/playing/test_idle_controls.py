"""Controls that would do nothing to the sounds that play are not offered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.native.instrument.untrained import untrained_notes

from timbrespace.contracts import ConfigError
from timbrespace.instrument import Instrument
from timbrespace.live import Engine
from timbrespace.live.mapping.targets import lacking, parse_target
from timbrespace.live.sound.source import CoreSource
from timbrespace.space.controls.fit import fit_controls


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Notes whose file holds controls."""
    contents = untrained_notes().contents
    path = tmp_path_factory.mktemp("idle") / "notes.safetensors"
    Instrument(replace(contents, controls=fit_controls(contents))).save(path)
    return path


def source_of(engine: Engine) -> CoreSource:
    source = engine.sounds.sources[0]
    assert isinstance(source, CoreSource)
    return source


def test_a_key_has_the_pitch_of_a_note_and_held_notes_have_no_length_and_one_loudness(path: Path) -> None:
    for hold, idle in ((False, {"pitch"}), (True, {"pitch", "decay", "length", "loudness"})):
        with Engine(path, hold_notes=hold) as engine:
            source = source_of(engine)
            offered = [name for name, _, _ in source._core.controls()]
            assert "pitch" in offered
            assert set(source.left_out) == idle & set(offered)
            assert list(source.controls) == [name for name in offered if name not in idle]
            for name in source.left_out:
                with pytest.raises(ConfigError, match=rf"control is '{name}', which does nothing here \("):
                    engine.set_control(name, -3.0)
                assert lacking(parse_target(name), [source]).startswith(
                    f"{name}: {source.left_out[name]}; controls of these instruments are "
                )


@pytest.mark.parametrize("hold", [False, True])
def test_those_that_are_left_move_what_their_name_says(hold: bool, path: Path) -> None:
    with Engine(path, hold_notes=hold) as engine:
        source = source_of(engine)
        offered = [name for name, _, _ in source._core.controls()]
        for name in source.controls:
            engine.set_control(name, 1.0)
            key = engine.sounds.held_key(0, pitch=60.0, velocity=100.0)
            amounts = np.full(len(offered), np.nan, np.float32)
            amounts[offered.index(name)] = 1.0
            plain = source.latent(key._replace(wanted=key.wanted._replace(controls=()), pitch=None, velocity=None))
            moved = source.latent(key._replace(pitch=None, velocity=None))
            np.testing.assert_array_equal(moved, source._core.steer(plain, amounts), err_msg=name)
            engine.set_control(name, 0.0)

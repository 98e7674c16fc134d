"""Sounds by the real core: no PyTorch is imported, they are those of PyTorch, and recipes repeat them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from timbrespace.audio.distance import log_mel_error
from timbrespace.instrument import Instrument
from timbrespace.native import opening
from timbrespace.native.calls import Core
from timbrespace.native.library import NativeCore
from timbrespace.native.wasm import WasmCore
from tiny import Tiny

_SEARCHED_DB = 0.1  # log-mel: a phase search makes more of small differences than oscillators do
HEAVY = ("torch", "numba", "sklearn", "scipy")

CHECKS = """
import sys
from pathlib import Path
library, instrument, out = sys.argv[1:]
seen = {}

def check(step):
    seen[step] = [name for name in HEAVY if name in sys.modules]

import timbrespace
check("import timbrespace")
from timbrespace.native import opening
from timbrespace.native.library import NativeCore
core = NativeCore(Path(library))
opening.load_core = lambda: core
opened = timbrespace.load(instrument)
check("load")
sounds = opened.generate(3, seed=2)
check("generate")
[repr(sound) for sound in sounds], sounds._repr_html_(), sounds[0].samples, sounds[0].save(Path(out) / "python")
check("save")
opened.replay(sounds[1].recipe)
check("replay")
opened.generate(1, out_rate=22_050, level="keep")
check("another rate")
for move in (opened.moves.axis("pc1", 3), opened.moves.mesh(1, "pc2", 2), opened.moves.walk("perlin", 3), opened.moves.random(2)):
    move.render()
check("moves")
opened.anonymous().generate(1)
check("anonymous")
from timbrespace.live import Engine
with Engine(instrument) as engine:
    engine.note_on(60, 100)
    engine.render(64)
check("live")
from timbrespace.cli.main import main
for words in (["generate", instrument, "-n", "2", "--kit", "--reel"], ["generate", instrument, "-n", "1", "--json", "--anonymous"],
              ["explore", instrument, "--axis", "pc1"], ["generate", instrument, "--recipe", f"{out}/python/{sounds[0].name}.json"]):
    assert main([*words, "--out", f"{out}/{len(seen)}"]) == 0
    check(" ".join(words[:1] + words[2:]))
print({step: names for step, names in seen.items() if names}, file=sys.stderr)
assert not sounds[0].audio.requires_grad  # a tensor when asked for
assert "torch" in sys.modules
"""


@pytest.fixture(scope="module")
def played(notes: Instrument, library_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Instrument, Instrument]:
    """The instrument of notes by the core, and by PyTorch."""
    return _both(notes, library_file, tmp_path_factory.mktemp("played"))


def _both(instrument: Instrument, library: Path, folder: Path) -> tuple[Instrument, Instrument]:
    path = folder / "instrument.safetensors"
    instrument.save(path)
    return _opened(path, NativeCore(library)), Instrument.load(path, engine="pytorch")


def _opened(path: Path, core: Core) -> Instrument:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "load_core", lambda: core)
        return Instrument.load(path, engine="native")


def _assert_alike(one: Instrument, other: Instrument, *, decibels: float) -> None:
    """The same seeds give the same sounds, within so many dB log-mel, whatever is asked for."""
    asked: list[dict[str, object]] = [{}, {"category": one.categories[0], "temperature": 1.7}, {"level": "loudness", "out_rate": 32_000}]
    for seed, options in enumerate(asked):
        found, wanted = (by.generate(3, seed=seed, **options) for by in (one, other))  # type: ignore[arg-type]
        for sound, same in zip(found, wanted, strict=True):
            assert (sound.name, sound.category, sound.nearest, sound.root_note) == (same.name, same.category, same.nearest, same.root_note)
            assert sound.latent is not None
            assert same.latent is not None
            assert np.allclose(sound.latent.numpy(), same.latent.numpy(), atol=1e-5)
            assert sound.samples.shape[1] == pytest.approx(same.samples.shape[1], rel=0.005)  # the tail is cut by its level
            error = log_mel_error([sound.audio], [same.audio], sample_rate=sound.sample_rate)
            assert float(error.max()) <= decibels
            assert (sound.novelty is None) == (same.novelty is None)
            assert sound.novelty == pytest.approx(same.novelty, abs=0.01)
            assert {**sound.recipe, "engine": "", "latent": [], "novelty": 0} == {**same.recipe, "engine": "", "latent": [], "novelty": 0}


def test_nothing_heavy_is_imported(notes: Instrument, library_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "notes.safetensors"
    notes.save(path)
    code = f"HEAVY = {HEAVY!r}\n{CHECKS}"
    words = [sys.executable, "-W", "error", "-c", code, str(library_file), str(path), str(tmp_path)]
    result = subprocess.run(words, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stderr.splitlines()[-1] == "{}"
    assert (tmp_path / "python").is_dir()


def test_notes_are_those_of_pytorch(played: tuple[Instrument, Instrument]) -> None:
    _assert_alike(*played, decibels=0.01)
    low, high = (float(by.generate(1, pitch=62.0)[0].root_note or 0) for by in played)
    assert low == high == 62


def test_drums_are_those_of_pytorch(tiny: Tiny, library_file: Path, tmp_path: Path) -> None:
    both = _both(Instrument.load(tiny.file, engine="pytorch"), library_file, tmp_path)
    _assert_alike(*both, decibels=_SEARCHED_DB)
    for one, other in zip(*(by.moves.axis("pc1", 3).render() for by in both), strict=True):
        assert float(log_mel_error([one.audio], [other.audio], sample_rate=44_100).max()) <= _SEARCHED_DB


def test_sounds_of_a_batch_are_apart_and_their_recipes_repeat_them_to_the_bit(played: tuple[Instrument, Instrument]) -> None:
    sounds = played[0].generate(6, seed=11)
    assert len({sound.samples.tobytes() for sound in sounds}) == 6
    for sound in sounds:
        again = played[0].replay(json.loads(json.dumps(sound.recipe)))
        assert again.samples.tobytes() == sound.samples.tobytes()
        assert again.recipe == sound.recipe
    assert [one.samples.tobytes() for one in played[0].generate(2, seed=11)] == [one.samples.tobytes() for one in sounds[:2]]


def test_webassembly_and_the_library_give_the_same_bits(notes: Instrument, library_file: Path, wasm: Path, tmp_path: Path) -> None:
    pytest.importorskip("wasmtime")
    path = tmp_path / "notes.safetensors"
    notes.save(path)
    one, other = (_opened(path, core).generate(4, seed=8) for core in (NativeCore(library_file), WasmCore(wasm)))
    assert [sound.samples.tobytes() for sound in one] == [sound.samples.tobytes() for sound in other]
    assert [sound.recipe for sound in one] == [sound.recipe for sound in other]

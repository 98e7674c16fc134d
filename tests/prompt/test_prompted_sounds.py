"""Sounds of prompts: they follow the wishes, do not depend on the batch, can be replayed; encoders, stripped instruments, bad input."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from shell import Shell
from timbrespace.audio.describe import NAMES, describe
from timbrespace.contracts import ConfigError
from timbrespace.instrument import Instrument
from timbrespace.prompt import TextEncoder
from timbrespace.prompt.choice.reference import Reference
from timbrespace.prompt.choice.targets import cost, targets_of
from timbrespace.prompt.reading import Wish
from tiny import Tiny


def median(sounds: Sequence[object], name: str) -> float:
    values = torch.stack([describe(s.audio, s.sample_rate, only=[name]) for s in sounds])  # type: ignore[attr-defined]
    return float(values[:, NAMES.index(name)].nanmedian())


@pytest.mark.parametrize(
    ("prompt", "name", "sign"), [("very bright", "brightness", 1), ("very dark", "brightness", -1), ("very short", "length", -1)]
)
def test_sounds_follow_a_wish(instrument: Instrument, prompt: str, name: str, sign: int) -> None:
    category = instrument.categories[0]
    plain = instrument.generate(8, seed=5, category=category)
    asked = instrument.generate(4, seed=6, prompt=f"{prompt} {category}")
    assert sign * (median(asked, name) - median(plain, name)) > 0
    assert {sound.category for sound in asked} == {category}


def test_a_sound_does_not_depend_on_the_batch_and_can_be_replayed(instrument: Instrument) -> None:
    prompt = f"short {instrument.categories[0]}, like {Path(_names(instrument)[0]).name} but darker"
    two, three = (instrument.generate(count, seed=3, prompt=prompt) for count in (2, 3))
    for one, other in zip(two, three, strict=False):
        assert torch.equal(one.audio, other.audio)
    recipe = json.loads(json.dumps(two[1].recipe))
    assert recipe["asked"]["prompt"] == prompt
    assert recipe["asked"]["understood"]["categories"] == [instrument.categories[0]]
    assert torch.equal(instrument.replay(recipe).audio, two[1].audio)


def test_a_value_is_met_by_the_finished_sound(instrument: Instrument) -> None:
    kinds = dict(zip(_categories(instrument), _lengths(instrument), strict=True))
    kind, place = max(kinds), max(kinds.values())  # any category, a length that sounds of the corpus have
    sounds = instrument.generate(3, seed=2, prompt=f"{kind}, {2**place:.3f} s")
    lengths = torch.stack([describe(s.audio, s.sample_rate, only=["length"])[NAMES.index("length")] for s in sounds])
    assert float((lengths - place).abs().median()) < 0.2  # octaves


def test_a_file_without_controls_is_steered_too(instrument: Instrument) -> None:
    old = Instrument(replace(instrument.contents, controls=None))
    sounds = old.generate(3, seed=2, prompt=f"very bright {old.categories[0]}")
    assert any(sound.recipe["asked"].get("steered") for sound in sounds)


def test_values_count_by_themselves_and_directions_by_the_category() -> None:
    wide = torch.full((len(NAMES),), 2.0)
    reference = Reference(torch.zeros(len(NAMES)), wide, -wide, wide, torch.zeros(len(NAMES)))
    wishes = [Wish("length", "1 s", target=1.0), Wish("decay", "half", factor=0.5), Wish("brightness", "bright", amount=1.2)]
    (length, decay, brightness), missing = targets_of(wishes, reference, None)
    assert not missing
    assert length.spread == decay.spread == 0.25
    assert brightness.spread == 2.0
    sound = torch.zeros(1, len(NAMES))
    sound[0, NAMES.index("length")] = 0.5  # half an octave too long
    assert float(cost(sound, [length])) == pytest.approx(2.0)


def _categories(instrument: Instrument) -> list[str]:
    clips = instrument.contents.clips
    assert clips is not None
    return [kind for kind in clips.categories if kind is not None]


def _lengths(instrument: Instrument) -> list[float]:
    clips = instrument.contents.clips
    assert clips is not None
    assert clips.descriptors is not None
    return clips.descriptors[:, NAMES.index("length")].tolist()


def _names(instrument: Instrument) -> tuple[str, ...]:
    assert instrument.contents.clips is not None
    return instrument.contents.clips.names


def test_like_a_given_sound(instrument: Instrument, tiny: Tiny) -> None:
    own = instrument.read(tiny.sound)
    sounds = instrument.generate(3, prompt="like this but much brighter", like=tiny.sound)
    assert median(sounds, "brightness") > float(describe(own, instrument.sample_rate)[NAMES.index("brightness")])
    assert "sources" in sounds[0].recipe
    again = instrument.replay(sounds[0].recipe, sources=tiny.sound.parent)
    assert torch.equal(again.audio, sounds[0].audio)


def test_bad_requests_are_refused(instrument: Instrument, tiny: Tiny) -> None:
    first, second = instrument.categories[:2]
    with pytest.raises(ConfigError, match="one of the two"):
        instrument.generate(1, prompt=f"bright {first}", category=second)
    with pytest.raises(ConfigError, match="near"):
        instrument.generate(1, prompt="bright", near=tiny.sound)
    with pytest.raises(ConfigError, match="prompt"):
        instrument.generate(1, like=tiny.sound)
    with pytest.raises(ConfigError, match="purple"):
        instrument.generate(1, prompt="purple")
    with pytest.raises(ConfigError, match="contradict"):
        instrument.generate(1, prompt="brighter and darker")


def test_a_stripped_instrument_knows_no_names_and_says_so(instrument: Instrument, tmp_path: Path) -> None:
    name = Path(_names(instrument)[0]).name
    instrument.save(tmp_path / "s.safetensors", strip=True)
    stripped = Instrument.load(tmp_path / "s.safetensors")
    assert stripped.contents.name_words is None
    reading = stripped.understand(f"{stripped.categories[0]} like {name}zzz")
    assert reading.compared is None
    assert any("stripped" in note for note in reading.notes)
    assert len(stripped.generate(1, prompt=f"dark {stripped.categories[0]}")) == 1
    anonymous = instrument.anonymous()
    assert anonymous.understand(f"like {name}").compared is None
    assert anonymous.contents.name_words is None


def test_words_of_names_are_in_the_file(instrument: Instrument, tmp_path: Path) -> None:
    words = instrument.contents.name_words
    assert words is not None
    instrument.save(tmp_path / "again.safetensors")
    again = Instrument.load(tmp_path / "again.safetensors").contents.name_words
    assert again is not None
    assert again.words == words.words
    assert torch.equal(again.effects, words.effects)


class Toy:
    """Counts two letters of a text; knows nothing of sounds."""

    def __init__(self, *, blind: bool = False):
        self.blind, self.asked = blind, list[str]()

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        self.asked += texts
        rows = [[float(word in text) for word in ("kick", "snare", "hat", "boom")] for text in texts]
        return torch.tensor([[1.0, 0.0, 0.0, 0.0]] * len(texts) if self.blind else rows)


def test_a_text_encoder_reads_the_prompt(instrument: Instrument) -> None:
    toy = Toy()
    assert isinstance(toy, TextEncoder)
    reading = instrument.understand("boom kick", encoder=toy)
    assert reading.encoded
    assert "boom kick" not in toy.asked  # so far only the names
    sounds = instrument.generate(2, prompt="boom kick", encoder=toy)
    assert "boom kick" in toy.asked
    assert len(sounds) == 2
    blind = instrument.understand("boom kick", encoder=Toy(blind=True))
    assert not blind.encoded
    assert any("encoder" in note for note in blind.notes)


@pytest.mark.parametrize("vectors", [torch.zeros(3), torch.full((1, 2), torch.nan), "text", torch.zeros(1, 0)])
def test_an_encoder_with_bad_vectors_is_refused(instrument: Instrument, vectors: object) -> None:
    class Bad:
        def encode(self, texts: Sequence[str]) -> object:
            return vectors.repeat(len(texts), 1) if isinstance(vectors, torch.Tensor) and vectors.ndim == 2 else vectors

    with pytest.raises(ConfigError, match="encoder"):
        instrument.understand("boom", encoder=Bad())  # type: ignore[arg-type]


def test_the_command_line(tiny: Tiny, tmp_path: Path, shell: Shell, instrument: Instrument) -> None:
    kind = instrument.categories[0]
    output = shell("generate", tiny.file, "-n", 1, "--out", tmp_path / "a", "--prompt", f"dusty bright {kind}")
    assert f"category: {kind}" in output
    assert "not understood: dusty" in output
    values = shell.json("generate", tiny.file, "-n", 1, "--out", tmp_path / "b", "--prompt", "like this, short", "--like", tiny.sound)
    assert values["understood"]["compared"]["name"] == tiny.sound.name
    for words in (["--prompt", ""], ["--prompt", "purple"], ["--like", tiny.sound], ["--prompt", "this", "--like", tmp_path / "none.wav"]):
        shell("generate", tiny.file, "-n", 1, "--out", tmp_path / "c", *words, code=2)
    assert not (tmp_path / "c").exists()

"""The kind of a given sound, by which new sounds near it are named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

import timbrespace
from timbrespace.audio.embedding import embedding
from timbrespace.instrument import Instrument
from timbrespace.synthesis.kinds import Kind
from timbrespace.synthesis.novelty import neighbours
from tiny import RATE, Tiny


def test_new_sounds_near_a_sound_keep_its_kind(instrument: Instrument, tiny: Tiny) -> None:
    sound = instrument.read(tiny.other)
    free = instrument.generate(2, near=sound, near_file=tiny.other)
    assert [one.name.split()[0] for one in free] == ["snare", "snare"]
    assert [one.category for one in free] == ["snare", "snare"]
    assert free[0].recipe["asked"]["kind"] == {"category": "snare", "by": "its name"}
    named = instrument.generate(2, near=sound, near_file=Path("anywhere/Kicks/x.wav"))
    assert {one.category for one in named} == {"kick"}, "the folder's name counts too"
    asked = instrument.generate(2, near=sound, near_file=tiny.other, category="kick")
    assert {one.category for one in asked} == {"kick"}, "what is asked for counts first"
    for other in (named, asked):
        assert all(torch.equal(a.audio, b.audio) for a, b in zip(free, other, strict=True)), "the kind is a name, nothing else"
    again = instrument.replay(free[1].recipe, sources=[sound])
    assert again.name == free[1].name
    assert torch.equal(again.audio, free[1].audio)


def test_the_kind_follows_from_the_nearest_training_sounds(instrument: Instrument, tiny: Tiny, tmp_path: Path) -> None:
    clips = instrument.contents.clips
    assert clips is not None
    sound = instrument.read(tiny.other)
    nearest = neighbours(sound, RATE, embeddings=clips.embeddings, count=5)
    assert nearest[0] == int((clips.embeddings - embedding([sound], sample_rate=RATE)).norm(dim=1).argmin())

    def kind(*categories: str | None) -> Kind | None:
        given = list(clips.categories)
        for index, category in zip(nearest, categories, strict=True):
            given[index] = category
        contents = replace(instrument.contents, clips=replace(clips, categories=tuple(given)))
        return Instrument(contents).kind_of(sound, file="x/take 4.wav")

    by = "its nearest training sounds"
    assert kind("tom", "kick", "kick", "tom", "kick") == ("kick", by)
    assert kind("tom", "kick", "kick", "tom", None) is None, "two of five are no majority"
    assert kind("gong", "gong", "gong", "gong", "gong") is None, "no category of this instrument"
    assert kind(None, None, None, None, None) is None
    whistle = 0.5 * torch.sin(2 * torch.pi * 3000 * torch.arange(2 * RATE) / RATE)[None]
    assert instrument.kind_of(whistle) is None, "unlike all training sounds"
    instrument.save(tmp_path / "bare.safetensors", strip=True)
    bare = timbrespace.load(tmp_path / "bare.safetensors")
    assert bare.kind_of(sound) is None
    assert bare.kind_of(sound, file=tiny.other) == ("snare", "its name")
    assert bare.generate(1, near=sound)[0].name.startswith("sound 001")

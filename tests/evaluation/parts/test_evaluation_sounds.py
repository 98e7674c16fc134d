"""The sounds of an evaluation: read in bounded number, and recognised as learned, held out or new."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
import torch

from timbrespace.contracts import ConfigError, CorpusError
from timbrespace.corpus.corpus import Corpus
from timbrespace.evaluation.parts import sounds as s
from timbrespace.instrument import Instrument
from tiny import RATE, Tiny, drum, write_drums


def read(folder: Path, most: int = 100) -> s.RealSounds:
    return s.gather(folder, sample_rate=RATE, channels=1, most=most)


def test_a_folder_and_its_corpus_give_the_same_sounds(tiny: Tiny) -> None:
    folder, corpus = read(tiny.folder), read(tiny.corpus)
    assert [one.name for one in folder.sounds] == sorted(one.name for one in corpus.sounds)
    by_name = {one.name: one for one in corpus.sounds}
    for one in folder.sounds:
        other = by_name[one.name]
        assert (one.digest, one.category) == (other.digest, other.category)
        assert torch.equal(one.audio, other.audio)
    assert {one.split for one in corpus.sounds} == {"train", "validation", "test"}
    assert folder.files == 24
    assert folder.unread == 0


def test_learned_and_held_out_sounds_are_told_from_each_other(instrument: Instrument, tiny: Tiny) -> None:
    corpus = Corpus.open(tiny.corpus)
    given = read(tiny.folder)
    status = dict(zip((one.name for one in given.sounds), s.statuses(instrument, given), strict=True))
    for clip in corpus.clips:
        assert status[clip.name] == (s.TRAINED if clip.split == "train" else s.HELD_OUT), clip.name


def test_names_do_not_decide_alone(instrument: Instrument, tiny: Tiny, tmp_path: Path) -> None:
    learned = next(clip for clip in Corpus.open(tiny.corpus).clips if clip.split == "train")
    source = tiny.folder / learned.file
    other = tmp_path / "sounds"
    other.mkdir()
    shutil.copy(source, other / "renamed.wav")
    audio, rate = soundfile.read(source)
    soundfile.write(other / f"{Path(learned.file).stem}.flac", audio * 0.5, rate)  # quieter, another format, the same name
    soundfile.write(other / "new.wav", drum(3, seed=99).numpy().T, RATE)
    soundfile.write(other / "kick 002.wav", drum(1, seed=77).numpy().T, RATE)  # the name of another sound
    given = read(other)
    status = dict(zip((one.name for one in given.sounds), s.statuses(instrument, given), strict=True))
    assert status == {"renamed": s.TRAINED, Path(learned.file).stem: s.TRAINED, "new": s.NEW, "kick 002": s.NEW}


def test_a_stripped_instrument_does_not_know(instrument: Instrument, tiny: Tiny) -> None:
    stripped = Instrument(replace(instrument.contents, clips=None, origin=None))
    assert set(s.statuses(stripped, read(tiny.folder))) == {s.UNKNOWN}


def test_bad_files_are_listed_and_the_number_is_bounded(tmp_path: Path) -> None:
    folder = write_drums(tmp_path / "drums", 12)
    (folder / "broken.wav").write_bytes(b"RIFF????WAVEnothing")
    soundfile.write(folder / "silent.wav", torch.zeros(4_000).numpy(), RATE)
    given = read(folder)
    assert len(given.sounds) == 12
    assert {row["file"] for row in given.skipped} == {"broken.wav", "silent.wav"}
    few = read(folder, most=5)
    assert len(few.sounds) == 5
    assert few.unread >= 12 - 5 - 2
    assert [one.name for one in few.sounds] == [one.name for one in read(folder, most=5).sounds]
    assert {one.name for one in few.sounds} <= {one.name for one in given.sounds}


def test_sounds_that_were_not_learned_come_first(instrument: Instrument, tiny: Tiny) -> None:
    names = s.learned_names([instrument])
    held_out = 24 - len(names)
    for most in (8, 12, 20):
        for place in (tiny.folder, tiny.corpus):
            found = s.gather(place, sample_rate=RATE, channels=1, most=most, later=s.is_learned(names))
            new = sum(one.name not in names for one in found.sounds)
            assert len(found.sounds) == most
            assert new == min(held_out, most - most // 10), (most, place)


def test_another_rate_and_number_of_channels(tiny: Tiny, tmp_path: Path) -> None:
    stereo = write_drums(tmp_path / "stereo", 3, channels=2)
    found = s.gather(stereo, sample_rate=22_050, channels=1, most=9)
    assert [one.audio.shape[0] for one in found.sounds] == [1, 1, 1]
    wide = s.gather(tiny.corpus, sample_rate=22_050, channels=2, most=9)
    plain = read(tiny.corpus, most=9)
    for one, other in zip(wide.sounds, plain.sounds, strict=True):
        assert one.audio.shape[0] == 2
        assert one.audio.shape[1] == pytest.approx(other.audio.shape[1] / 2, abs=2)


def test_training_sounds_are_found_by_the_note(instrument: Instrument, tiny: Tiny, tmp_path: Path) -> None:
    other = read(write_drums(tmp_path / "other", 4, seed=50))
    assert s.training_sounds(instrument, None, None, most=50, given=other) is None
    for file, source in ((tiny.file, None), (None, tiny.corpus), (None, tiny.folder)):
        found = s.training_sounds(instrument, file, source, most=50, given=other)
        assert found is not None
        names = {clip.name for clip in Corpus.open(tiny.corpus).clips if clip.split == "train"}
        assert {one.name for one in found.sounds} == names
    inside = s.training_sounds(instrument, None, None, most=50, given=read(tiny.folder))
    assert inside is not None
    assert Counter(s.statuses(instrument, inside)) == {s.TRAINED: len(inside.sounds)}


def test_bad_input(tmp_path: Path, tiny: Tiny) -> None:
    with pytest.raises(CorpusError, match="does not exist"):
        read(tmp_path / "none")
    with pytest.raises(CorpusError, match="no sound files"):
        read(tmp_path)
    with pytest.raises(CorpusError, match="is not a folder"):
        read(tiny.file)
    with pytest.raises(ConfigError, match="timbrespace prepare synthetic:drums"):
        s.gather("synthetic:drums", sample_rate=RATE, channels=1, most=3)
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    with pytest.raises(CorpusError, match="no usable sound"):
        read(tmp_path)

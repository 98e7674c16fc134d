"""The sounds of a survey: real ones from folders, new ones and morphs from instruments, beeps; all equally loud."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from timbrespace.audio.files import find_audio, read, resample
from timbrespace.audio.loudness import momentary_loudness
from timbrespace.contracts import AudioFileError, ConfigError, TimbrespaceError
from timbrespace.corpus.labels.categories import categorise
from timbrespace.evaluation.survey.questions import CHECK, MORPH, SINGLE
from timbrespace.instrument import Instrument
from timbrespace.synthesis.reel import reel

RATE = 44_100  # Hz, of all sounds of a survey
PEAK = 10 ** (-1 / 20)  # full scale is 1
CROSS_FADE = "cross-fade"  # the control condition of morphs
_LOUDNESS = -20.0  # LKFS; lower where a sound would clip
_QUIETEST = -36.0  # LKFS; a sound that can't be made this loud without clipping is left out
_GAP = 0.08  # s between the steps of a morph
_LONGEST = 12.0  # s of a sound


@dataclass(frozen=True)
class Stimulus:
    """A sound to be rated. audio: `(channels, time)` at `RATE`. kind: single, morph, check. source: where it is from, for the key.

    accepted: the right answers to what it is: its category, the categories of both ends of a morph, the number of beeps of a check.
    """

    kind: str
    condition: str
    audio: Tensor
    category: str | None = None
    source: str = ""
    accepted: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Length in s."""
        return self.audio.shape[-1] / RATE


def real_sounds(condition: str, folder: Path, count: int, *, seed: int, skipped: list[tuple[str, str]]) -> list[Stimulus]:
    """Returns at most `count` sounds of a folder, as many of each category as of any other while there are any.

    Categories are read from names as `prepare` reads them. skipped: gets (file, reason) of files that cannot be used. Raises AudioFileError
    when none can.
    """
    files = find_audio(folder)
    names = [file.relative_to(folder).as_posix() for file in files]
    kinds = categorise(names, root=folder.absolute().name)
    rng = np.random.default_rng(seed)
    by_kind: dict[str, list[int]] = defaultdict(list)
    for index in rng.permutation(len(files)):
        by_kind[kinds[index] or ""].append(int(index))
    order = [index for turn in _turns(list(by_kind.values())) for index in turn]
    found: list[Stimulus] = []
    for index in order:
        if len(found) == count:
            break
        try:
            audio, rate = read(files[index])
            if audio.shape[-1] > _LONGEST * rate:
                raise AudioFileError(f"it is {audio.shape[-1] / rate:.1f} s long, allowed are {_LONGEST:g} s")
            if not bool(audio.any()):
                raise AudioFileError("it is silent")
        except TimbrespaceError as error:
            skipped.append((names[index], str(error)))
            continue
        found.append(Stimulus(SINGLE, condition, resample(audio, rate, RATE), kinds[index], names[index], _known(kinds[index])))
    if not found:
        raise AudioFileError(f"{folder} has no sound that a survey can use; give a folder of sounds of up to {_LONGEST:g} s")
    return found


def new_sounds(condition: str, instrument: Instrument, categories: Sequence[str], count: int, *, seed: int) -> list[Stimulus]:
    """Returns `count` new sounds of an instrument, as many of each of `categories` that it has as of any other."""
    kinds: list[str | None] = [kind for kind in categories if kind in instrument.categories] or list(instrument.categories) or [None]
    shares = [count // len(kinds) + (index < count % len(kinds)) for index in range(len(kinds))]
    found = []
    for kind, share in zip(kinds, shares, strict=True):
        for sound in instrument.generate(share, category=kind, seed=seed, out_rate=RATE) if share else []:
            source = f"seed {seed}, {sound.name}"
            found.append(Stimulus(SINGLE, condition, sound.audio, sound.category, source, _known(sound.category)))
    return found


def morphs(condition: str, instrument: Instrument, pairs: Sequence[tuple[Stimulus, Stimulus]], *, steps: int, seed: int) -> list[Stimulus]:
    """Returns a morph of each pair of sounds: its steps one after another."""
    found = []
    for a, b in pairs:
        ends = [_for(instrument, sound) for sound in (a, b)]
        sounds = instrument.morph(ends, steps=steps, seed=seed, out_rate=RATE)
        found.append(_steps(condition, [sound.audio for sound in sounds], a, b))
    return found


def cross_fades(pairs: Sequence[tuple[Stimulus, Stimulus]], *, steps: int) -> list[Stimulus]:
    """Returns the control of morphs: each step is a mix of the two recordings, their powers in even steps."""
    found = []
    for a, b in pairs:
        length = max(a.audio.shape[-1], b.audio.shape[-1])
        x, y = (torch.nn.functional.pad(sound.mean(0, keepdim=True), (0, length - sound.shape[-1])) for sound in (a.audio, b.audio))
        shares = [index / (steps - 1) for index in range(steps)]
        found.append(_steps(CROSS_FADE, [(1 - share) ** 0.5 * x + share**0.5 * y for share in shares], a, b))
    return found


def beeps(count: int) -> Stimulus:
    """Returns an attention check: `count` beeps of 0.12 s at 880 Hz."""
    t = torch.arange(round(0.12 * RATE)) / RATE
    beep = torch.sin(2 * torch.pi * 880 * t) * torch.sin(torch.pi * t / 0.12)
    return Stimulus(
        CHECK,
        "",
        torch.from_numpy(reel([beep[None].numpy()] * count, RATE, gap_seconds=0.18)),
        source=f"{count} beeps",
        accepted=(str(count),),
    )


def pairs_of(sounds: Sequence[Stimulus], count: int, *, seed: int) -> list[tuple[Stimulus, Stimulus]]:
    """Returns `count` pairs of different sounds, of different categories where there are any. Raises ConfigError."""
    if len(sounds) < 2:
        raise ConfigError("morphs need two real sounds or more; give a folder with more sounds as a condition")
    rng = np.random.default_rng(seed)
    every = [(i, j) for i in range(len(sounds)) for j in range(len(sounds)) if i != j]
    every = [every[index] for index in rng.permutation(len(every))]
    every.sort(key=lambda pair: sounds[pair[0]].category == sounds[pair[1]].category)  # stable: unlike categories first
    return [(sounds[i], sounds[j]) for i, j in every[:count]]


def equally_loud(stimuli: Sequence[Stimulus], *, skipped: list[tuple[str, str]]) -> tuple[list[Stimulus], float]:
    """Returns the sounds at one momentary loudness (ITU-R BS.1770), and that loudness in LKFS: the highest at which none clips.

    skipped: gets (source, reason) of sounds whose peaks are so far above their loudness that all others would have to be very quiet.
    """
    levels = [momentary_loudness(one.audio, RATE) for one in stimuli]
    reach = [level + 20 * np.log10(PEAK / float(one.audio.abs().max())) for level, one in zip(levels, stimuli, strict=True)]
    kept = [index for index, loudest in enumerate(reach) if loudest >= _QUIETEST]
    skipped += [
        (one.source, f"it can't be made as loud as the others without clipping ({reach[index]:.0f} LKFS at most)")
        for index, one in enumerate(stimuli)
        if index not in set(kept)
    ]
    target = min([_LOUDNESS, *(reach[index] for index in kept)])
    return [replace(stimuli[index], audio=stimuli[index].audio * 10 ** ((target - levels[index]) / 20)) for index in kept], float(target)


def _for(instrument: Instrument, sound: Stimulus) -> Tensor:
    """A sound at an instrument's rate and channels."""
    audio = resample(sound.audio, RATE, instrument.sample_rate)
    return audio if audio.shape[0] == instrument.channels else audio.mean(0, keepdim=True).expand(instrument.channels, -1).contiguous()


def _steps(condition: str, sounds: Sequence[Tensor], a: Stimulus, b: Stimulus) -> Stimulus:
    """The steps of a morph as one sound, each with the same peak, so that no step is missed."""
    level = [audio / max(float(audio.abs().max()), 1e-9) for audio in sounds]
    kind = a.category if a.category == b.category else None
    accepted = tuple(dict.fromkeys(a.accepted + b.accepted))
    return Stimulus(
        MORPH,
        condition,
        torch.from_numpy(reel([one.numpy() for one in level], RATE, gap_seconds=_GAP)),
        kind,
        f"{a.source} to {b.source}",
        accepted,
    )


def _known(category: str | None) -> tuple[str, ...]:
    return () if category is None else (category,)


def _turns(rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """The first of each row, then the second of each that has one, and so on."""
    return [[row[place] for row in rows if place < len(row)] for place in range(max(map(len, rows), default=0))]

"""Notes that are held: each voice has a timbre of its own, which follows the note's course and the changes that players make."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from timbrespace.contracts import TimbrespaceError
from timbrespace.live.held.course import Course, Held
from timbrespace.live.held.motion import Motion, Slots
from timbrespace.live.held.notes import HeldNotes
from timbrespace.live.sound.choice import ROBIN, Sounds
from timbrespace.live.state import SoundKey
from timbrespace.native.live import Live, QueueFullError

MOST = 64  # voices at once
_DECODES = 2  # notes that are decoded anew in one step at most
_AHEAD = 0.05  # s before its start that a note gets its timbre
_AROUND = 12  # semitones about the last note that are decoded ahead
_RESTING = 2  # steps between two frames of a note that only flutters
_ATTACK = 0.003  # s; the course has the attack of the note
_FADE = 0.01  # s after which a voice that fades out is silent
_HANN = 1.5  # bins of noise bandwidth
Put = Callable[..., None]  # a call of the mixer, see `Calls.put`


@dataclass
class _Voice:
    """start, due, end: samples, of the first one, of the next frame, after which it is silent (None: not let go)."""

    number: int
    program: int
    note: float
    velocity: float
    channel: int
    start: int
    bend: float
    variation: int | None
    id: Any = None
    timbre: int = -1
    key: SoundKey | None = None
    course: Course | None = None
    held: Held | None = None
    due: int = 0
    decoded: int = 0
    end: int | None = None
    slots: Slots = field(default_factory=Slots)
    motion: Motion | None = None


@contextmanager
def _collected(problems: list[TimbrespaceError]) -> Iterator[None]:
    try:
        yield
    except TimbrespaceError as error:
        problems.append(error)


class HeldVoices:
    """Voices of instruments of notes. kind: "bank" or "spectrum". timbres: their slots of the mixer. step: samples between frames.

    sources: by number of the instrument. humanise: how much of the wander of its pitch a note has, 1 and over: all. release: s.
    """

    def __init__(
        self, mixer: Live, sources: Mapping[int, HeldNotes], sounds: Sounds, *, kind: str, timbres: range, step: int, release: float,
        humanise: float, seed: int,
    ):  # fmt: skip
        self._mixer, self._sources, self._sounds, self._kind, self.step = mixer, dict(sources), sounds, kind, step
        self._free, self._rate, self._humanise, self._seed = list(timbres), mixer.sample_rate, humanise, seed
        self._voices: dict[int, _Voice] = {}
        self._later: dict[int, _Voice] = {}  # those whose start is far
        self._last: _Voice | None = None
        self._release, self._tail = release, round((release + _FADE) * mixer.sample_rate)
        self._lock = threading.RLock()

    def __contains__(self, program: int) -> bool:
        return program in self._sources

    def start(
        self, program: int, number: int, note: float, velocity: float, *, channel: int, id: Any, start: int, now: int, bend: float, put: Put  # noqa: A002
    ) -> None:  # fmt: skip
        """Starts a voice. id: of its note, None: none. start: in samples; now: of the mixer; a start before it is at once.

        Raises TimbrespaceError.
        """
        variation = number % ROBIN if self._humanise > 0 else None
        voice = _Voice(number, program, note, velocity, channel, max(start, now), bend, variation, id)
        if start - now > _AHEAD * self._rate:
            with self._lock:
                self._later[number] = voice
            return
        self._begin(voice, start, put)

    def let_go(self, number: int, when: int) -> None:
        """Notes that a voice is let go at a sample."""
        with self._lock:
            if number in self._later and when <= self._later[number].start:
                del self._later[number]
            voice = self._voices.get(number) or self._later.get(number)
            if voice is not None and voice.end is None:
                voice.end = max(when, voice.start) + self._tail

    def silence(self, when: int) -> None:
        """Notes that all voices fade out at a sample."""
        with self._lock:
            self._later.clear()
            for voice in self._voices.values():
                voice.end = min(voice.end or 2**62, max(when, voice.start) + round(_FADE * self._rate))

    def advance(self, now: int, *, at: int, ahead: bool = False) -> None:
        """Hands over what changes from a sample on. at: time of the mixer's calls: `now`, or 0 while a device plays.

        ahead: also decodes notes that may follow. Raises TimbrespaceError.
        """
        with self._lock:
            for number in [number for number, voice in self._later.items() if voice.end is not None and voice.end <= now]:
                del self._later[number]  # over before there was time to begin it
            soon = [voice for voice in self._later.values() if voice.start - now <= _AHEAD * self._rate]
        problems: list[TimbrespaceError] = []  # of single voices: the others go on
        for voice in soon:
            with _collected(problems):
                self._begin_later(voice)
        with self._lock:
            for number in [number for number, voice in self._voices.items() if voice.end is not None and voice.end <= now]:
                self._free.append(self._voices.pop(number).timbre)
            playing = [voice for voice in self._voices.values() if voice.start <= now]
        wanted = {voice.number: self._key(voice) for voice in playing}
        changed = sorted((voice for voice in playing if wanted[voice.number] != voice.key), key=lambda voice: (voice.decoded, voice.number))
        turns = max(1, -(-len(changed) // _DECODES))
        for voice in changed[:_DECODES]:
            with _collected(problems):
                self._change(voice, wanted[voice.number], now)
                self._frame(voice, now, at, turns, whole=True)
        for voice in playing:
            with _collected(problems):
                if voice.due <= now:
                    self._frame(voice, now, at, 1)
        if problems:
            raise problems[0]
        if ahead and not changed:
            self._decode_ahead()

    # --- inside ---------------------------------------------------------------------------------------------------------

    def _begin_later(self, voice: _Voice) -> None:
        """Begins a voice whose start was far. Where the mixer has no room the next turn tries again."""
        try:
            self._begin(voice, voice.start, lambda name, *values, **more: getattr(self._mixer, name)(*values, **more))
        except QueueFullError:
            raise
        except TimbrespaceError:
            with self._lock:
                self._later.pop(voice.number, None)
            raise
        with self._lock:
            if self._later.pop(voice.number, None) is None:  # let go in the meantime
                voice.end = voice.start + self._tail
            if voice.end is not None:  # the mixer may have had its release before it had the voice
                self._mixer.release(voice.number, time=voice.end - self._tail)

    def _change(self, voice: _Voice, key: SoundKey, now: int) -> None:
        """Gives a voice the course of another sound."""
        voice.decoded = now  # also where it fails, so that it is the others' turn
        voice.course = self._sources[voice.program].course(key, voice.held)
        voice.key, voice.due = key, now
        voice.slots.take(voice.course.ratios)

    def _begin(self, voice: _Voice, start: int, put: Put) -> None:
        source = self._sources[voice.program]
        voice.key = self._key(voice)
        voice.course = source.course(voice.key)
        voice.held = voice.course.held
        voice.slots.take(voice.course.ratios)
        wander = min(1.0, self._humanise) * voice.course.wander
        voice.motion = Motion(self._seed, voice.number, flutter=voice.course.flutter, wander=wander, rate=voice.course.rate)
        with self._lock:
            voice.timbre = self._timbre(voice.start)
        try:
            self._strike(voice, start, put)
        except TimbrespaceError:
            with self._lock:
                self._free.append(voice.timbre)
            raise
        with self._lock:
            self._voices[voice.number] = self._last = voice

    def _strike(self, voice: _Voice, start: int, put: Put) -> None:
        self._send(voice, 0.0, 0.0, start, whole=True)
        options = {"kind": f"noise {self._kind}", "timbre": voice.timbre, "velocity": voice.velocity, "seed": voice.number}
        put("hold", voice.number, voice.note, time=start, attack=_ATTACK, release=self._release, **options)
        if voice.bend:
            put("move", voice.number, "bend", voice.bend, time=start, seconds=0.0)
        voice.due, due = voice.start, voice.start - voice.start % self.step + self.step
        seconds = (due - voice.start) / self._rate
        with suppress(QueueFullError):  # it sounds: the next turn sends what follows
            self._send(voice, seconds, seconds, start, whole=True)
            voice.due = due

    def _timbre(self, now: int) -> int:
        """A slot of the mixer; where too many voices sound, that of one which the mixer takes over."""
        if len(self._voices) >= MOST or not self._free:
            taken = min(self._voices.values(), key=lambda voice: (voice.end is None, voice.end or 0, voice.number))
            if self._free:
                taken.end = min(taken.end or 2**62, now + round(_FADE * self._rate))
            else:
                self._free.append(self._voices.pop(taken.number).timbre)
        return self._free.pop(0)

    def _key(self, voice: _Voice) -> SoundKey:
        key = self._sounds.held_key(voice.program, pitch=round(voice.note, 2), velocity=voice.velocity, channel=voice.channel, id=voice.id)
        return key._replace(variation=voice.variation)

    def _frame(self, voice: _Voice, now: int, at: int, turns: int, *, whole: bool = False) -> None:
        """Hands over where a voice is to be at the next frame."""
        assert voice.course is not None
        seconds = (now - voice.start) / self._rate
        moves = whole or seconds < voice.course.steady_from
        steps = turns if moves else _RESTING
        glide = steps * self.step / self._rate
        self._send(voice, seconds + glide, glide, at, whole=moves)
        voice.due = now + steps * self.step

    def _send(self, voice: _Voice, seconds: float, glide: float, at: int, *, whole: bool) -> None:
        """whole: with the noise, which is steady once the note is."""
        course, motion = voice.course, voice.motion
        assert course is not None
        assert motion is not None
        tones, noise = course.at(seconds)
        tones = voice.slots.amplitudes(tones, motion.flutter(seconds))
        self._mixer.partials(voice.timbre, voice.slots.ratios, tones, seconds=glide, time=at)
        if whole:
            values = np.sqrt(2 * _HANN * course.spacing * noise)  # see `Live.spectrum`
            options = {"spacing": course.spacing, "hertz": course.hertz, "bandwidth": _HANN}
            self._mixer.spectrum(voice.timbre, values, seconds=glide, time=at, **options)
        if motion.wanders and seconds:
            note = min(max(voice.note + motion.cents(seconds) / 100, 0.0), 140.0)
            self._mixer.move(voice.number, "note", note, seconds=glide, time=at)

    def _decode_ahead(self) -> None:
        """Decodes one of the notes that may follow the last one."""
        if self._humanise > 0 or not self._sources:
            return
        first = next(iter(self._sources))
        last = self._last or _Voice(0, first, self._sounds.last_pitch(first), 100.0, 0, 0, 0.0, None)
        source = self._sources[last.program]
        for step in sorted(range(-_AROUND, _AROUND + 1), key=abs):
            key = self._key(_Voice(0, last.program, last.note + step, last.velocity, last.channel, 0, 0.0, None))
            if source.lowest <= last.note + step <= source.highest and not source.knows(key):
                source.course(key)
                return

"""The engine: plays instruments by notes, pads and controls. `render` gives its samples; a device plays them."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from timbrespace.contracts import ConfigError
from timbrespace.live import checks
from timbrespace.live.calls import Calls
from timbrespace.live.held.timbres import KINDS, RELEASE, Timbres, hear, timbres_of
from timbrespace.live.keys import HeldKeys, KeyName
from timbrespace.live.sound.bank import Bank
from timbrespace.live.sound.choice import Sounds
from timbrespace.live.sound.opening import open_sources, rendered
from timbrespace.live.sound.pads import pad_at
from timbrespace.live.sound.source import SoundSource
from timbrespace.live.state import EngineState, SoundKey
from timbrespace.native.live import Live

LEVEL = 0.5  # of a voice at full velocity, so that several fit under full scale
SLOTS = 1024  # sounds that are kept
_LINES = 8
_MOST_BEND, _MOST_BENDS = 24.0, 1024  # semitones; notes with ids whose bends are kept


class Engine:
    """Plays one instrument or several. `engine = Engine("drums.safetensors")`, `engine.note_on(36, 100)`, `audio = engine.render(48_000)`.

    Every method may be called from any thread, `render` from one. Events take effect at the start of the next block, or at `at`, in samples
    since the start; these must come in order of time. The same calls between the same samples give the same samples, whatever the
    lengths of the blocks: without a device, a note waits for its sound to be made.
    """

    def __init__(
        self, path: Path | str, *more: Path | str, sample_rate: int = 48_000, voices: int = 64, humanise: float = 0.0, seed: int = 0,
        velocity_control: str | None = None, held: str = "bank", hold_notes: bool = False,
    ):  # fmt: skip
        """path, more: instrument files, the programs 0, 1 …; sample_rate: Hz. voices: that sound at once, 1 to 256.

        humanise: how much each hit differs from the one before, 0 to 4, in units of the corpus's spread. seed: of all that is drawn.
        velocity_control: name of a control that velocity moves too, one spread up and down.
        held: how held sounds are made, see `Timbres`. hold_notes: instruments of notes are held too, as long as a key is down.
        Raises ConfigError, InstrumentFileError.
        """
        sample_rate = checks.integer("sample_rate", sample_rate, 8_000, 192_000)
        voices, seed = checks.integer("voices", voices, 1, 256), checks.integer("seed", seed, 0, 2**63 - 1)
        humanise = checks.number("humanise", humanise, 0.0, 4.0)
        self.sample_rate = sample_rate
        self._lock = threading.RLock()
        if held not in KINDS:
            raise ConfigError(f"held is {held!r:.40}, allowed are {' and '.join(KINDS)}")
        sources: list[SoundSource] = open_sources([path, *more], seed=seed, humanise=humanise, hold_notes=hold_notes)
        bins = max([8, *(getattr(source, "bins", 0) for source in sources)])
        self.mixer = Live(
            sample_rate=sample_rate, voices=voices, sounds=SLOTS, commands=16_384, held=min(64, voices),
            timbres=timbres_of(sources), bins=bins, frames=512,
        )  # fmt: skip
        hear(sources, self.mixer, kind=held)
        self.sounds = Sounds(sources, humanise=humanise, velocity_control=velocity_control)
        self._calls = Calls(self.mixer)
        self._timbres = Timbres(self.mixer, sources, self.sounds, kind=held, say=self._say, humanise=humanise, seed=seed)
        self._bank = Bank(self.mixer, self._make, self._lock, slots=SLOTS, ahead=self._worth_making, failed=self._failed)
        self._keys = HeldKeys()
        self._bends: dict[tuple[int, Any], float] = {}
        self._last: deque[str] = deque(maxlen=_LINES)
        self._live = self._closed = False
        self._time = self._dropped = self._late = self._number = 0
        self._busy = self._spent = 0.0  # s of work, of blocks
        self._peak = 0.0

    # --- blocks ---------------------------------------------------------------------------------------------------------

    def render(self, frames: int) -> np.ndarray:
        """Returns the next samples `(frames, 2)`, float32, full scale 1."""
        frames = checks.integer("frames", frames, 0, 2**26)
        checks.is_open(not self._closed)
        with self._lock:
            self._pump()
        start = time.perf_counter()
        out = self.mixer.render(frames) if self._live else self._timbres.render(self._time, frames)
        self._busy, self._spent = self._busy * 0.99 + time.perf_counter() - start, self._spent * 0.99 + frames / self.sample_rate
        with self._lock:
            self._time += frames
            self._peak = float(np.abs(out).max(initial=0.0))
            self.mixer.collect()
        return out

    def go_live(self, *, workers: int | None = None) -> None:
        """Makes sounds in workers from now on, also ahead: events no longer wait, notes whose sound is not ready are played late."""
        if self._live:
            return
        self._live = True
        for source in self.sounds.sources:
            source.controls  # noqa: B018  # measured now, not while it plays
        self._timbres.follow()
        self._bank.start(workers or max(1, min(2, (os.cpu_count() or 2) - 1)))

    def settle(self, seconds: float = 30.0) -> bool:
        """Waits, after `go_live`, until the sounds that the next events need are made. False: that takes longer."""
        return self._bank.settle(seconds)

    # --- notes ----------------------------------------------------------------------------------------------------------

    def note_on(self, note: float, velocity: float, *, channel: int = 0, id: int | None = None, at: int | None = None) -> None:  # noqa: A002
        """Plays a note, 0 to 127, or a drum by its General MIDI note. velocity: 1 to 127; 0 is `note_off`. id: of the note.

        An instrument of notes plays the pitch itself, in the octave nearest to its range. Raises ConfigError.
        """
        note, velocity = checks.number("note", note, 0, 127), checks.number("velocity", velocity, 0, 127)
        channel, when, id = checks.channel(channel), checks.time_of(at), checks.identity(id)  # noqa: A001
        checks.is_open(not self._closed)
        if velocity == 0:
            self.note_off(note, channel=channel, id=id, at=at)
            return
        with self._lock:
            program = self.sounds.program(channel)
            source = self.sounds.sources[program]
            name: KeyName = (channel, note if id is None else ("id", id))
            if id is not None:
                self._bends.pop((channel, id), None)  # of an earlier note
                self.sounds.forget_timbre(channel, id)
            bend = self._bend_of(channel, id)
            if source.held:
                self._let_go(self._keys.pressed_again(name), when)
                self._hold(program, note, velocity, channel, name, when, bend)
                return
            if source.notes:
                pitch = checks.folded(note, source.lowest, source.highest)
                self._let_go(self._keys.pressed_again(name), when)
                key = self.sounds.key(program, self.sounds.chosen(program), velocity, channel, pitch=pitch)
                self._play(key, velocity, name, when, held=1, release=RELEASE, tune=bend)
                return
            pad = pad_at(source.pads, round(note))
            if pad is None:
                self._say(f"no pad at note {note:g}")
                return
            self._hit(program, pad, velocity, channel, name, when, bend)

    def note_off(
        self, note: float, velocity: float = 0.0, *, channel: int = 0, id: int | None = None, at: int | None = None  # noqa: A002
    ) -> None:  # fmt: skip
        """Lets a note go; while the pedal is down it sounds on. Pads sound to their end. velocity: not used. Raises ConfigError."""
        note, channel, when = checks.number("note", note, 0, 127), checks.channel(channel), checks.time_of(at)
        checks.number("velocity", velocity, 0, 127)
        id = checks.identity(id)  # noqa: A001
        with self._lock:
            self._let_go(self._keys.let_go((channel, note if id is None else ("id", id))), when)

    def pad(self, number: int, velocity: float = 100.0, *, channel: int = 0, at: int | None = None) -> None:
        """Plays pad `number`, from 0. Of an instrument of notes it chooses the sound that notes play, and plays it. Raises ConfigError."""
        channel, when, velocity = checks.channel(channel), checks.time_of(at), checks.number("velocity", velocity, 1, 127)
        checks.is_open(not self._closed)
        with self._lock:
            program = self.sounds.program(channel)
            source = self.sounds.sources[program]
            number = checks.integer("pad", number, 0, len(source.pads) - 1)
            if source.held:
                self.sounds.choose(program, number)
                self._say(f"sound {number}: {source.pads[number].name}")
                return
            if source.notes:
                self.sounds.choose(program, number)
                pitch = self.sounds.last_pitch(program)
                name: KeyName = (channel, ("pad", number))
                key = self.sounds.key(program, number, velocity, channel, pitch=pitch)
                self._play(key, velocity, name, when, held=0)
                return
            self._hit(program, number, velocity, channel, (channel, ("pad", number)), when, self._bend_of(channel, None))

    def sustain(self, on: bool, *, channel: int = 0, at: int | None = None) -> None:
        """Holds the notes of a channel while it is on."""
        channel, when = checks.channel(channel), checks.time_of(at)
        with self._lock:
            self._let_go(self._keys.sustain(channel, bool(on)), when)

    def bend(self, semitones: float, *, channel: int = 0, id: int | None = None, at: int | None = None) -> None:  # noqa: A002
        """Bends the notes of a channel, or one note, and those that follow: -24 to 24 semitones in all. Raises ConfigError."""
        semitones = checks.number("bend", semitones, -120, 120)
        channel, when, id = checks.channel(channel), checks.time_of(at), checks.identity(id)  # noqa: A001
        with self._lock:
            self._bends[channel, id] = semitones
            while len(self._bends) > _MOST_BENDS:  # of ids that are played no more
                del self._bends[next(key for key in self._bends if key[1] is not None)]
            for number, name in self._keys.sounding(channel, id):
                whole = self._bend_of(channel, checks.id_of(name))
                self._calls.put("bend", number, whole, time=self._when(when))  # a one-shot
                self._calls.put("move", number, "bend", whole, time=self._when(when))  # a held voice

    def pressure(self, x: float, *, channel: int = 0, id: int | None = None) -> None:  # noqa: A002
        """Makes held sounds of a channel, or of one note, louder: 0 as struck, 1 by 6 dB; one-shots stay. Raises ConfigError."""
        x, channel, id = checks.number("pressure", x, 0, 1), checks.channel(channel), checks.identity(id)  # noqa: A001
        with self._lock:
            for number, _ in self._keys.sounding(channel, id):
                self._calls.put("move", number, "gain", 1.0 + x, time=self._when(checks.AT_ONCE))

    def timbre(self, x: float, *, channel: int = 0, id: int | None = None) -> None:  # noqa: A002
        """Moves the brightness of held notes and the next ones of a channel: 0 two spreads darker, 1 brighter. Raises ConfigError.

        id: of a single held note of an instrument of spectra; others go by their channel.
        """
        x, channel = checks.number("timbre", x, 0, 1), checks.channel(channel)
        with self._lock:
            self.sounds.set_timbre(channel, x, id if self._timbres.own(self.sounds.program(channel)) else None)
            self._bank.nudge()

    def program(self, number: int, *, channel: int = 0) -> None:
        """Chooses the instrument that a channel plays, from 0. Raises ConfigError."""
        channel = checks.channel(channel)
        number = checks.integer("program", number, 0, len(self.sounds.sources) - 1)
        with self._lock:
            self.sounds.set_program(channel, number)
            self._say(f"program {number}: {self.sounds.sources[number].title}")
            self._bank.nudge()

    def all_notes_off(self, *, at: int | None = None) -> None:
        """Lets go all notes."""
        with self._lock:
            self._let_go(self._keys.all_off(), checks.time_of(at))

    def all_sound_off(self, *, at: int | None = None) -> None:
        """Ends all that sounds, within 5 ms."""
        with self._lock:
            when = self._when(checks.time_of(at))
            self._calls.put("silence", time=when)
            for number in self._keys.all_off():
                if (start := self._keys.not_before(number, when)) > when:  # its time is yet to come
                    self._let_go([number], start)
                    self._calls.put("move", number, "gain", 0.0, time=start, seconds=0.0)
            self._timbres.silence(max(when, self.mixer.state().time))

    # --- sounds ---------------------------------------------------------------------------------------------------------

    def set_control(self, name: str, value: float) -> None:
        """Moves the sounds to come by a named control, in spreads, -3 to 3. Raises ConfigError."""
        self._change(self.sounds.set_control, name, value)

    def set_latent(self, index: int, value: float) -> None:
        """Adds to one number of the latents of the sounds to come, from 0; -8 to 8. Raises ConfigError."""
        self._change(self.sounds.set_latent, index, value)

    def set_latents(self, values: Sequence[float]) -> None:
        """Adds to all numbers of the latents of the sounds to come, or to the first ones; -8 to 8. Raises ConfigError."""
        self._change(self.sounds.set_latents, values)

    def set_axis(self, index: int, value: float) -> None:
        """Moves the sounds to come along a principal axis of the corpus, from 0, in standard deviations, -4 to 4. Raises ConfigError."""
        self._change(self.sounds.set_axis, index, value)

    def set_map(self, x: float | None = None, y: float | None = None) -> None:
        """Plays sounds from a place of the map, 0 to 1 from the left and below; pads keep their category. Without values: leaves it.

        Of an instrument of notes, or one that is held, a pad that chooses a sound leaves the map too. Raises ConfigError.
        """
        self._change(self.sounds.set_map, x, y)

    def set_morph(self, a: int, b: int, t: float) -> None:
        """Morphs the sound of pad `a` towards that of pad `b`, t 0 to 1. Raises ConfigError."""
        self._change(self.sounds.set_morph, a, b, t)

    def set_gain(self, factor: float) -> None:
        """Sets the level of all, 0 to 4, reached in 5 ms. Raises ConfigError."""
        factor = checks.number("gain", factor, 0, 4)
        with self._lock:
            self._calls.put("master", factor, time=self._when(checks.AT_ONCE))

    def state(self) -> EngineState:
        """Returns level, voices, load and the last events."""
        with self._lock:
            seen = self.mixer.state()
            load = self._busy / self._spent if self._spent else 0.0
            program, last = self.sounds.program(0), tuple(self._last)
            return EngineState(float(seen.peak), int(seen.voices), load, self._dropped, program, last, self._late, int(seen.time))

    def close(self) -> None:
        """Ends the workers. The engine plays no more: `render` and what strikes notes raise ConfigError from then on."""
        self._closed = True
        self._timbres.close()
        self._bank.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # --- inside ---------------------------------------------------------------------------------------------------------

    def _change(self, change: Any, *arguments: Any) -> None:
        with self._lock:
            change(*arguments)
            self._bank.nudge()

    def _hold(self, program: int, note: float, velocity: float, channel: int, name: KeyName, when: int, bend: float) -> None:
        """Starts a held voice."""
        number, start = self._next_number(), self._when(when)
        self._keys.starts(number, start)
        self._let_go(self._keys.press(name, number), start)
        options = {"channel": channel, "id": checks.id_of(name), "start": start, "now": self.mixer.state().time, "bend": bend}
        self._timbres.start(program, number, note, max(1.0, velocity), put=self._calls.put, **options)

    def _next_number(self) -> int:
        self._number = self._number % (2**31 - 1) + 1
        return self._number

    def _hit(self, program: int, number: int, velocity: float, channel: int, name: KeyName, when: int, bend: float) -> None:
        pad = self.sounds.sources[program].pads[number]
        key = self.sounds.key(program, number, velocity, channel)
        self._play(key, velocity, name, when, held=0, choke=program * 8 + pad.choke if pad.choke else 0, tune=bend)

    def _play(self, key: SoundKey, velocity: float, name: KeyName, when: int, **voice: float) -> None:
        """Plays a sound now, or as soon as it is made."""
        number = self._next_number()
        if voice["held"]:
            self._let_go(self._keys.press(name, number), when)
        slot = self._bank.ready(key) if self._live else self._bank.require(key)
        if slot is not None or not self._live:
            self._start(slot, key, number, velocity, when, voice)
            return
        self._late += when <= self.mixer.state().time
        self._bank.want(key, lambda made: self._start_late(made, key, number, velocity, when, voice))

    def _start(self, slot: int | None, key: SoundKey, number: int, velocity: float, when: int, voice: dict[str, float]) -> None:
        if slot is None:
            self._dropped += 1
            return
        start = self._when(when)
        begin = max(start, self.mixer.state().time)
        length = self._bank.busy(key, begin)
        if voice["held"]:
            self._keys.starts(number, start)
            self._keys.lasts(number, begin + 4 * length)
        settings = {**voice, "tune": 0.0}
        self._calls.put("play", slot, time=start, id=number, velocity=max(1.0, velocity), gain=LEVEL, **settings)
        if bend := voice.get("tune", 0.0):
            self._calls.put("bend", number, bend, time=start)

    def _start_late(
        self, slot: int | None, key: SoundKey, number: int, velocity: float, when: int, voice: dict[str, float]
    ) -> None:  # fmt: skip
        """Plays a sound that was made in the meantime: at its time, or at once if that is over."""
        self._start(slot, key, number, velocity, when, voice)
        if voice["held"] and not self._keys.is_held(number):
            self._calls.put("release", number)

    def _let_go(self, numbers: Sequence[int], when: int) -> None:
        for number in numbers:
            at = self._keys.not_before(number, self._when(when))
            self._calls.put("release", number, time=at)
            self._timbres.let_go(number, max(at, self.mixer.state().time))

    def _bend_of(self, channel: int, id: Any) -> float:  # noqa: A002
        whole = self._bends.get((channel, None), 0.0) + (self._bends.get((channel, id), 0.0) if id is not None else 0.0)
        return max(-_MOST_BEND, min(_MOST_BEND, whole))

    def _when(self, when: int) -> int:
        """When a call of the mixer takes effect: offline exactly now, live with the next block."""
        return when if when != checks.AT_ONCE or self._live else self._time

    def _pump(self) -> None:
        """Sends what waits."""
        self._calls.pump()
        self._keys.forget(self.mixer.state().time)

    def housekeep(self) -> None:
        """Frees the memory of sounds that are no longer played, and sends what waits. While a device plays it is called every few ms."""
        with self._lock:
            self._pump()
            self.mixer.collect()

    def _make(self, key: SoundKey) -> np.ndarray:
        """The samples of a sound at the engine's rate."""
        return rendered(self.sounds.sources[key.program], key, self.sample_rate)

    def _worth_making(self) -> SoundKey | None:
        """The first sound that the next events may need and that is not there yet."""
        for soon, key in self.sounds.next_keys():
            if not soon and self._bank.full:
                return None
            if not self._bank.known(key):
                return key
        return None

    def _failed(self, key: SoundKey, error: Exception) -> None:
        self._say(f"{self.sounds.sources[key.program].title}: {error}")

    def _say(self, line: str) -> None:
        if not self._last or self._last[-1] != line:
            self._last.append(line)

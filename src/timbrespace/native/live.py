"""A player of the native core in Python: one-shots, held voices, patterns; rendered to arrays, or by the callback of an audio device."""

from __future__ import annotations

import struct
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.native.calls import ARGUMENT, MEMORY, SIGNATURES, Core, CoreError
from timbrespace.native.library import load_core
from timbrespace.native.output import Output

Audio = NDArray[np.float32]
PARTIALS, BINS = 256, 4097  # at most, of a frame
_KINDS = {"bank": 0, "spectrum": 1, "noise bank": 2, "noise spectrum": 3}
_MOVES = {"note": 0, "bend": 1, "gain": 2, "pan": 3}
_LARGEST = {"i": 2.0**31, "l": 2.0**63, "u": 2.0**64, "p": 2.0**64, "f": 3e38, "d": 1e300}  # of the kinds of `SIGNATURES`
_VOICE = {
    "sound": 0, "choke": 0, "reverse": 0, "held": 0, "gain": 1.0, "pan": 0.0, "tune": 0.0, "start": 0.0, "attack": 0.0, "hold": 0.0,
    "decay": 0.0, "release": 0.05,
}  # fmt: skip


class QueueFullError(TimbrespaceError):
    """The audio thread has not carried out earlier calls yet: try again after its next block."""


class State(NamedTuple):
    """What a player does, after its last block: samples since the start, tick of the pattern, whether one plays, voices that sound,
    calls that wait for their time, peak of the last block before the limit, beats a minute."""

    time: int
    tick: int
    playing: bool
    voices: int
    waiting: int
    peak: float
    tempo: float


class Live:
    """A player with held voices. Times are samples since the start, 0: at once. Calls come from any thread, one after the other.

    sample_rate: Hz, 8000 to 192000. voices: one-shots at once, 1 to 256. sounds: slots, 1 to 4096. commands: calls that may wait, 64 to
    65536. curve: amplitude = (velocity / 127) ^ curve, 0 to 4. held: voices at once, 1 to 64. timbres: slots of them, 1 to 192.
    frames: of timbres that may wait, 4 to 1024. bins: of the largest spectrum, 8 to 4097. core: None: as the rest of timbrespace uses it.
    Raises ConfigError for numbers out of range, CoreError where the core cannot be loaded.
    """

    def __init__(
        self, *, sample_rate: int = 48_000, voices: int = 64, sounds: int = 1024, commands: int = 8192, curve: float = 1.5, held: int = 32,
        timbres: int = 16, frames: int = 64, bins: int = 2049, core: Core | None = None,
    ):  # fmt: skip
        found = load_core() if core is None else core
        self.sample_rate, self.way, self.space = sample_rate, found.way, found.space()
        self.lock = threading.Lock()  # of calls; where memory is not shared, of rendering too
        self._render_lock = threading.Lock() if self.space.shared else self.lock
        self._scratch, self._output = self.space.take(65_536), self.space.take(2 * 4 * 4096)
        self._slots, self._retired = dict[int, tuple[int, int]](), list[tuple[int, int]]()
        given = {"sample_rate": sample_rate, "voices": voices, "sounds": sounds, "commands": commands, "curve": curve}
        self.player = self._opened("ts_player", "<4if", given)
        self._opened("ts_held", "<4i", {"held": held, "timbres": timbres, "frames": frames, "bins": bins}, self.player)

    # --- one-shots ---------------------------------------------------------------------------------------------------

    def sound(self, slot: int, audio: ArrayLike | None, *, sample_rate: int | None = None) -> None:
        """Puts a sound `(channels, time)` or `(time,)` in a slot; what plays from it fades out in 5 ms. None: empties the slot.

        The samples are copied, and given back some time after nothing plays them (`collect`).
        """
        array = np.zeros((1, 0), np.float32) if audio is None else np.ascontiguousarray(np.atleast_2d(np.asarray(audio, np.float32)))
        if array.ndim != 2 or not 1 <= array.shape[0] <= 2 or not np.isfinite(array).all():
            raise ConfigError(f"a sound is an array of {array.shape}; use finite numbers, (time,), (1, time) or (2, time)")
        self.collect()
        with self.lock:
            place = 0
            if array.size:
                place = self.space.take(array.nbytes)
                self.space.write(place, array.ctypes.data, array.nbytes)
            try:
                self._do("ts_player_sound", slot, place, array.shape[0], array.shape[1], sample_rate or self.sample_rate)
            except TimbrespaceError:
                if place:
                    self.space.give(place)
                raise
            if (old := self._slots.pop(slot, None)) is not None:
                self._retired.append(old)
            if place:
                self._slots[slot] = place, array.nbytes

    def collect(self) -> int:
        """Gives back the memory of sounds that were replaced and no longer play. Returns how many bytes wait for that still."""
        with self.lock:
            kept = [(place, size) for place, size in self._retired if self.space.call("ts_player_uses", self.player, place)]
            for place, _ in self._retired:
                if all(place != other for other, _ in kept):
                    self.space.give(place)
            self._retired = kept
            return sum(size for _, size in kept)

    def play(
        self, slot: int, *, time: int = 0, id: int = 0, velocity: float = 127.0, lane: int = -1, **voice: float  # noqa: A002
    ) -> None:  # fmt: skip
        """Plays the sound of a slot. voice: `ts_voice` of the header: choke, reverse, held, gain, pan, tune, start, attack, hold, decay,
        release. Raises ConfigError, QueueFullError."""
        with self.lock:
            self._put(self._voice({**voice, "sound": slot}))
            self._do("ts_player_play", time, lane, id, float(velocity), self._scratch)

    def release(self, id: int, *, time: int = 0) -> None:  # noqa: A002
        """Lets go held voices, and one-shots that were played with `held`, of this id. Raises ConfigError, QueueFullError."""
        with self.lock:
            self._do("ts_player_release", time, id)

    def bend(self, id: int, semitones: float, *, time: int = 0) -> None:  # noqa: A002
        """Bends the one-shots of this id by semitones, added to their tune, at once. Raises ConfigError, QueueFullError."""
        with self.lock:
            self._do("ts_player_bend", time, id, float(semitones))

    def silence(self, *, time: int = 0, lane: int = -1) -> None:
        """Fades out everything in 5 ms, or what a lane plays. Raises ConfigError, QueueFullError."""
        with self.lock:
            self._do("ts_player_silence", time, lane)

    def master(self, gain: float, *, time: int = 0) -> None:
        """Sets the factor of the sum, 0 to 16, in 5 ms. Raises ConfigError, QueueFullError."""
        with self.lock:
            self._do("ts_player_master", time, float(gain))

    # --- held voices -------------------------------------------------------------------------------------------------

    def hold(
        self, id: int, note: float, *, kind: str = "bank", timbre: int = 0, time: int = 0, velocity: float = 127.0,  # noqa: A002
        gain: float = 1.0, pan: float = 0.0, attack: float = 0.01, release: float = 0.1, seed: int = 0,
    ) -> None:  # fmt: skip
        """Starts a held voice; `release` with the id lets it go. note: MIDI number, with parts of a semitone.

        kind: "bank", "spectrum", or "noise bank" and "noise spectrum": partials, and the spectrum as noise alone. timbre: slot that
        `partials` and `spectrum` fill, before or while it sounds. seed: of phases and noise; 0: the partials of a bank start together.
        Raises ConfigError, QueueFullError.
        """
        with self.lock:
            values = _number_of(_KINDS, kind, "kind"), timbre, seed % 2**32, note, gain, pan, attack, release
            self._put(_packed("<2iI5f", *values))
            self._do("ts_held_play", time, id, float(velocity), self._scratch)

    def move(self, id: int, what: str, value: float, *, seconds: float = 0.005, time: int = 0) -> None:  # noqa: A002
        """Moves "note", "bend" (semitones), "gain" or "pan" of held voices in a straight line. Raises ConfigError, QueueFullError."""
        with self.lock:
            self._do("ts_held_move", time, id, _number_of(_MOVES, what, "what"), float(value), float(seconds))

    def partials(self, timbre: int, ratios: ArrayLike, amplitudes: ArrayLike, *, seconds: float = 0.01, time: int = 0) -> None:
        """Sets the partials of a timbre: ratios of their frequency to the note's `(count,)` and amplitudes `(count,)`, at most 256.

        seconds: in which they are reached, in a straight line: the time between two frames. Raises ConfigError, QueueFullError.
        """
        one, two = np.asarray(ratios, np.float32).reshape(-1), np.asarray(amplitudes, np.float32).reshape(-1)
        if len(one) != len(two) or len(one) > PARTIALS:
            raise ConfigError(f"there are {len(one)} ratios and {len(two)} amplitudes; use as many of both, at most {PARTIALS}")
        with self.lock:
            self._put(one.tobytes() + two.tobytes())
            self._do("ts_held_partials", time, timbre, len(one), self._scratch, self._scratch + one.nbytes, float(seconds))

    def spectrum(
        self, timbre: int, magnitudes: ArrayLike, *, spacing: float, hertz: float, bandwidth: float = 1.5, seconds: float = 0.01,
        time: int = 0,
    ) -> None:  # fmt: skip
        """Sets the spectrum of a timbre: magnitudes `(bins,)` from 0 Hz up, where a sine of amplitude a has a peak of a.

        spacing: Hz between bins. hertz: pitch of the sound as it is. bandwidth: of the analysis window, in bins (1.36 Hamming, 1.5 Hann).
        Raises ConfigError, QueueFullError.
        """
        bins = np.asarray(magnitudes, np.float32).reshape(-1)
        if len(bins) > BINS:
            raise ConfigError(f"a spectrum has {len(bins)} bins; use at most {BINS}")
        with self.lock:
            self._put(_packed("<i3f", len(bins), spacing, hertz, bandwidth) + bins.tobytes())
            self._do("ts_held_spectrum", time, timbre, self._scratch, self._scratch + 16, float(seconds))

    def partials_of(
        self, magnitudes: ArrayLike, *, spacing: float, hertz: float, bandwidth: float = 1.5, each: int = 1, count: int = 64
    ) -> tuple[Audio, Audio]:  # fmt: skip
        """Returns the peaks of a spectrum, see `spectrum`, as arguments of `partials`: ratios and amplitudes, `(count,)` each.

        each: slots from one harmonic of the pitch to the next, 1 to 8; a peak keeps its slot from spectrum to spectrum. Raises ConfigError.
        """
        bins = np.asarray(magnitudes, np.float32).reshape(-1)
        if len(bins) > BINS or not 1 <= count <= PARTIALS:
            raise ConfigError(f"there are {len(bins)} bins and {count} partials; use at most {BINS} and 1 to {PARTIALS}")
        found = np.zeros((2, count), np.float32)
        with self.lock:
            self._put(_packed("<i3f", len(bins), spacing, hertz, bandwidth) + bins.tobytes())
            place = self._scratch + 32_768
            if self.space.call("ts_spectrum_partials", self._scratch, self._scratch + 16, each, count, place, place + 4 * count):
                raise ConfigError(
                    f"spacing, hertz, bandwidth, each are {(spacing, hertz, bandwidth, each)}, or magnitudes are out of range"
                )
            self.space.read(place, found.ctypes.data, found.nbytes)
        return found[0], found[1]

    # --- patterns ----------------------------------------------------------------------------------------------------

    def lane(
        self, index: int, values: Sequence[float], voice: dict[str, float], *, walks: Sequence[tuple[float, int]], time: int = 0
    ) -> None:
        """Sets a lane: `ts_lane` of the header. values: length, division, mute, solo, level, swing. walks: five of depth and period."""
        with self.lock:
            rest = _packed("<4i2f", *map(int, values[:4]), *values[4:]) + b"".join(_packed("<fi", *walk) for walk in walks)
            self._put(self._voice(voice) + rest)
            self._do("ts_player_lane", time, index, self._scratch)

    def steps(self, lane: int, steps: Sequence[tuple[float, float, float, float, int]], *, first: int = 0, time: int = 0) -> None:
        """Sets steps of a lane, each velocity, chance, tune, gate, ratchets. Raises ConfigError, QueueFullError."""
        with self.lock:
            self._put(b"".join(_packed("<4fi", *step) for step in steps))
            self._do("ts_player_steps", time, lane, first, len(steps), self._scratch)

    def tempo(self, beats_a_minute: float, *, time: int = 0) -> None:
        """Sets the tempo, 10 to 999. Raises ConfigError, QueueFullError."""
        with self.lock:
            self._do("ts_player_tempo", time, float(beats_a_minute))

    def start(self, *, tick: int = -1, time: int = 0) -> None:
        """Plays the lanes from a tick (40320 a beat), -1: from where they stopped. Raises ConfigError, QueueFullError."""
        with self.lock:
            self._do("ts_player_start", time, tick)

    def stop(self, *, time: int = 0) -> None:
        """Plays no more steps. Raises QueueFullError."""
        with self.lock:
            self._do("ts_player_stop", time)

    def seed(self, value: int, *, time: int = 0) -> None:
        """Sets the seed of chance and walks. Raises QueueFullError."""
        with self.lock:
            self._do("ts_player_seed", time, value)

    # --- sound -------------------------------------------------------------------------------------------------------

    def render(self, frames: int) -> Audio:
        """Returns the next samples `(frames, 2)`. Not while an audio device plays."""
        if frames < 0:
            raise ConfigError(f"frames is {frames}; use 0 or more")
        out, piece = np.empty((frames, 2), np.float32), np.empty((2, 4096), np.float32)
        with self._render_lock:
            for first in range(0, frames, 4096):
                count = min(4096, frames - first)
                self.space.call("ts_player_process", self.player, self._output, self._output + 4 * 4096, count)
                self.space.read(self._output, piece.ctypes.data, piece.nbytes)
                out[first : first + count] = piece[:, :count].T
        return out

    def output(self, *, channels: int = 2, room: int = 0) -> Output:
        """Returns the side of an audio device. channels: 1 or 2. room: frames that a recording may be late, a power of 2, 0: none."""
        with self.lock:
            return Output(self, channels, room)

    def state(self) -> State:
        """Returns what the player does now."""
        with self.lock:
            self.space.call("ts_player_read", self.player, self._scratch)
            time, tick, playing, voices, waiting, peak, tempo = struct.unpack("<2q3ifd", self.taken(40))
        return State(time, tick, bool(playing), voices, waiting, peak, tempo)

    # --- memory ------------------------------------------------------------------------------------------------------

    def _opened(self, what: str, kinds: str, given: dict[str, float], *player: int) -> int:
        """Calls `what`_size and `what`_open with options; returns the handle, 0 where a player is given. Raises ConfigError."""
        self._put(_packed(kinds, *given.values()))
        size = self.space.call(f"{what}_size", self._scratch)
        if size == 0:
            raise ConfigError(f"{', '.join(f'{name} is {value}' for name, value in given.items())}; see `Live` for what is allowed")
        memory, handle = self._scratch + 1024, self._scratch + 2048
        self._put_memory(memory, size)
        arguments = (*player, self._scratch, memory) if player else (self._scratch, memory, handle)
        if status := self.space.call(f"{what}_open", *arguments):
            raise CoreError(status, "")
        return 0 if player else self._pointer(handle)

    def open_output(self, channels: int, room: int) -> int:
        """Returns the place of a ts_output. Raises ConfigError."""
        memory, handle, size = self._scratch + 1024, self._scratch + 2048, self.space.call("ts_output_size", room)
        if size == 0 or channels not in {1, 2}:
            raise ConfigError(f"channels is {channels}, room is {room}; use 1 or 2, and a power of 2 up to {2**24}, or 0")
        self._put_memory(memory, size)
        if status := self.space.call("ts_output_open", self.player, channels, room, memory, handle):
            raise CoreError(status, "")
        return self._pointer(handle)

    def taken(self, size: int) -> bytes:
        """Returns the first bytes of what the core wrote into the memory for calls."""
        room = np.empty(size, np.uint8)
        self.space.read(self._scratch, room.ctypes.data, size)
        return room.tobytes()

    @property
    def scratch(self) -> int:
        """Memory for calls, 64 kB; use it under `lock`."""
        return self._scratch

    def _put(self, data: bytes, *, at: int = 0) -> None:
        room = np.frombuffer(data, np.uint8)
        if room.size:
            self.space.write(self._scratch + at, room.ctypes.data, room.size)

    def _put_memory(self, memory: int, size: int) -> None:
        kind = "<QQQ" if self.space.pointer == 8 else "<III"
        self._put(struct.pack(kind, self.space.take(size), size, 0), at=memory - self._scratch)

    def _pointer(self, place: int) -> int:
        room = np.zeros(8, np.uint8)
        self.space.read(place, room.ctypes.data, self.space.pointer)
        return int(room.view(np.uint64)[0])

    def _voice(self, voice: dict[str, float]) -> bytes:
        if unknown := set(voice) - set(_VOICE):
            raise ConfigError(f"a voice has no {', '.join(sorted(unknown))}; it has {', '.join(_VOICE)}")
        values = list({**_VOICE, **voice}.values())
        return _packed("<4i8f", *map(int, values[:4]), *values[4:])

    def _do(self, name: str, *arguments: Any) -> None:
        for value, kind in zip(arguments, SIGNATURES[name].split(":")[1][1:], strict=True):
            if not -_LARGEST[kind] <= value < _LARGEST[kind]:
                raise ConfigError(f"{name}: {value} is out of range; timbrespace.h gives what is allowed")
        status = self.space.call(name, self.player, *arguments)
        if status == MEMORY:
            raise QueueFullError(f"{name}: earlier calls still wait; try again after the next block")
        if status == ARGUMENT:
            raise ConfigError(f"{name}: a number is out of range in {arguments}; timbrespace.h gives what is allowed")
        if status:
            raise CoreError(status, "")


def _packed(kinds: str, *values: Any) -> bytes:
    """The bytes of a structure. Raises ConfigError where a number does not fit."""
    try:
        return struct.pack(kinds, *values)
    except (struct.error, OverflowError) as error:
        raise ConfigError(f"numbers are {values}; {error}") from error


def _number_of(names: dict[str, int], name: str, what: str) -> int:
    if name not in names:
        raise ConfigError(f"{what} is {name!r}; use one of {', '.join(names)}")
    return names[name]

"""What the native core does with one instrument, in arrays: draws latents and renders them (native/include/timbrespace.h)."""

from __future__ import annotations

import ctypes
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from timbrespace.native.calls import Core, CoreError

if TYPE_CHECKING:
    from timbrespace.synthesis.output.requested import GivenArrays

LEVELS = {"peak": 0, "loudness": 1, "keep": 2}
_DESCRIPTORS = 9
TONES, LINES = 184, 24  # of a frame of a note: partials at multiples of its pitch, the last ones lines between them
_NAME = 1024  # bytes of the longest name of a category


class Info(ctypes.Structure):
    """`ts_info` of the header."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("dims", "sample_rate", "channels", "samples", "capacity", "categories", "controls", "notes")),
        *((name, ctypes.c_int32) for name in ("velocities", "parts", "bands", "frames", "steps")),
        *((name, ctypes.c_float) for name in ("lowest_pitch", "highest_pitch", "learned_low", "learned_high")),
        *((name, ctypes.c_float) for name in ("lowest_velocity", "highest_velocity")),
    )


class Control(ctypes.Structure):
    """`ts_control` of the header."""

    _fields_ = (
        ("name", ctypes.c_char * 16), ("unit", ctypes.c_char * 4), ("more", ctypes.c_char * 16), ("less", ctypes.c_char * 16),
        ("logarithmic", ctypes.c_int32), *((name, ctypes.c_float) for name in ("low", "high", "lowest", "highest", "spread")),
    )  # fmt: skip


class _Draw(ctypes.Structure):
    _fields_ = (
        ("seed", ctypes.c_uint64), ("index", ctypes.c_int32), ("category", ctypes.c_int32), ("temperature", ctypes.c_float),
        ("pitch", ctypes.c_float), ("velocity", ctypes.c_float), ("drafted", ctypes.c_int32),
    )  # fmt: skip


class _Drawn(ctypes.Structure):
    _fields_ = (("category", ctypes.c_int32), ("redrawn", ctypes.c_int32))


class _Render(ctypes.Structure):
    _fields_ = (
        ("seed", ctypes.c_uint64), *((name, ctypes.c_int32) for name in ("category", "samples", "steps", "texture", "finish", "level")),
        ("target_db", ctypes.c_float), *((name, ctypes.c_int32) for name in ("trim", "subsonics", "reserved")),
    )  # fmt: skip


class _Near(ctypes.Structure):
    _fields_ = (
        ("seed", ctypes.c_uint64), *((name, ctypes.c_int32) for name in ("frames", "attack", "held", "samples", "bins")),
        ("level", ctypes.c_float), ("kept", ctypes.c_float), ("what", ctypes.c_int32), ("end", ctypes.c_float),
    )  # fmt: skip


class _Note(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int32) for name in ("category", "count", "frames", "bins", "partials", "lines")),
        *((name, ctypes.c_float) for name in ("hop", "spacing", "hertz", "flutter", "wander", "rate")),
        ("places", ctypes.c_float * LINES),
    )  # fmt: skip


class NoteParts(NamedTuple):
    """What some frames of a note are made from.

    seconds `(count,)`: of the frames. ratios `(184,)`: of the tones' frequencies to the pitch, 0: none. tones `(count, 184)`: amplitudes.
    noise `(count, bins)`: power a Hz, where a sine of amplitude 1 has a half. spacing: Hz between bins. hertz: the pitch. flutter: of the
    levels of the tones, dB. wander: of the pitch, cents; rate: how often it turns, Hz.
    """

    seconds: np.ndarray
    ratios: np.ndarray
    tones: np.ndarray
    noise: np.ndarray
    spacing: float
    hertz: float
    flutter: float
    wander: float
    rate: float


class Drawn(NamedTuple):
    """A drawn sound: latent `(dims,)`, the number of its category (-1: none), and how many draws before it were unlike real sounds."""

    z: np.ndarray
    category: int
    redrawn: int


class Opened:
    """An instrument that the core has opened. Several threads may use it at once; the interpreter lock is released meanwhile."""

    def __init__(self, core: Core, data: bytes):
        """data: the bytes of an instrument file. Raises CoreError where it is damaged, or the core does not play it."""
        self._core, self._loaded = core, core.open(data)
        self.info = Info()
        self._loaded.ask("ts_info_of", self.info)
        self.categories = [self._category(index) for index in range(self.info.categories)]

    def other(self, data: bytes) -> Opened:
        """Returns another instrument, opened by the same core. Raises CoreError."""
        return Opened(self._core, data)

    def draw(
        self, seed: int, index: int, earlier: np.ndarray, *, category: int = -1, temperature: float = 1.0, pitch: float | None = None,
        velocity: float | None = None,
    ) -> Drawn:  # fmt: skip
        """Returns sound `index` of a batch. earlier: latents `(count, dims)` of the sounds before it. Raises CoreError."""
        request = _Draw(seed, index, category, temperature, _or_nan(pitch), _or_nan(velocity), 0)
        z, drawn = np.empty(self.info.dims, np.float32), _Drawn()
        self._loaded.call("ts_draw", request, np.ascontiguousarray(earlier, np.float32), len(earlier), z, drawn)
        return Drawn(z, drawn.category, drawn.redrawn)

    def render(self, z: np.ndarray, seed: int, *, category: int, level: str = "peak", finish: bool = True) -> np.ndarray:
        """Returns a new sound `(channels, time)` of a latent `(dims,)`. level: of LEVELS. finish: else as rendered. Raises CoreError."""
        request = _Render(seed, category, 0, -1, 1, int(finish), LEVELS[level], math.nan, 1, 0, 0)
        audio, samples = np.empty((self.info.channels, self.info.capacity), np.float32), ctypes.c_int32()
        self._loaded.call("ts_render", np.ascontiguousarray(z, np.float32), request, audio, self.info.capacity, samples)
        return audio[:, : samples.value].copy()  # the rest of the memory is not kept

    def near(self, z: np.ndarray, sound: GivenArrays, *, samples: int, kept: float, seed: int) -> tuple[np.ndarray, float]:
        """Returns a sound `(channels, samples)` at a latent `(dims,)` with `kept` of a given sound's detail, at its level.

        And the mean level of its last 8 frames, dB. Raises CoreError.
        """
        audio = np.empty((self.info.channels, samples), np.float32)
        return audio, self._near(z, sound, audio, samples, (0, samples, kept, seed))

    def near_levels(self, z: np.ndarray, sound: GivenArrays, *, samples: int, kept: float, seed: int) -> np.ndarray:
        """Returns the levels of that sound, `(parts, frames, bands)` in dB under the loudest cell. Raises CoreError."""
        levels = np.empty((self.info.parts, 1 + samples // sound.hop, self.info.bands), np.float32)
        self._near(z, sound, levels, levels.size, (1, samples, kept, seed))
        return levels

    def near_descriptors(self, z: np.ndarray, sound: GivenArrays, *, samples: int, kept: float, seed: int) -> np.ndarray:
        """Returns descriptors `(9,)` of these levels, on their scales, NaN where they need samples. Raises CoreError."""
        found = np.empty(_DESCRIPTORS, np.float32)
        self._near(z, sound, found, _DESCRIPTORS, (2, samples, kept, seed))
        return found

    def _near(self, z: np.ndarray, sound: GivenArrays, out: np.ndarray, room: int, asked: tuple[int, int, float, int]) -> float:
        what, samples, kept, seed = asked
        request = _Near(seed, sound.frames, sound.attack, sound.held, samples, sound.bins, sound.level, kept, what, 0.0)
        self._loaded.call("ts_near", np.ascontiguousarray(z, np.float32), request, sound.data, out, room, ctypes.c_int32())
        return float(request.end)

    def note_bins(self) -> int:
        """Returns the bins of the noise of `note_parts`; 0: the instrument has no notes that are made of tones and noise."""
        return int(self._loaded.ask("ts_note_bins"))

    def note_parts(self, z: np.ndarray, frames: np.ndarray, *, category: int = -1) -> NoteParts:
        """Returns tones and noise of a note, in frames `(count,)`, whose numbers do not fall; after its end its last one.

        Raises CoreError.
        """
        asked, bins = np.ascontiguousarray(frames, np.int32), self.note_bins()
        tones, noise = np.empty((len(asked), TONES), np.float32), np.empty((len(asked), bins), np.float32)
        request = _Note(category, len(asked))
        self._loaded.call("ts_note_parts", np.ascontiguousarray(z, np.float32), request, asked, tones, noise)
        ratios = np.arange(1, TONES + 1, dtype=np.float32)
        ratios[request.partials : TONES - LINES] = 0.0
        ratios[TONES - LINES :] = np.frombuffer(request.places, np.float32)
        seconds = np.minimum(asked, request.frames - 1) * float(request.hop)
        found = (float(getattr(request, name)) for name in ("spacing", "hertz", "flutter", "wander", "rate"))
        return NoteParts(seconds, ratios, tones, noise, *found)

    def measure(self, z: np.ndarray) -> np.ndarray:
        """Returns descriptors `(9,)` of the levels of a latent `(dims,)`, as `near_descriptors`. Raises CoreError."""
        found = np.empty(_DESCRIPTORS, np.float32)
        self._loaded.call("ts_measure", np.ascontiguousarray(z, np.float32), found)
        return found

    def length(self, z: np.ndarray) -> int:
        """Returns the samples that a latent `(dims,)` decodes to. Raises CoreError."""
        samples = ctypes.c_int32()
        self._loaded.call("ts_length", np.ascontiguousarray(z, np.float32), samples)
        return samples.value

    def pitch(self, z: np.ndarray) -> float | None:
        """Returns the MIDI number that a latent `(dims,)` holds; None for an instrument without notes."""
        pitch = float(self._loaded.ask("ts_pitch", np.ascontiguousarray(z, np.float32)))
        return None if math.isnan(pitch) else pitch

    def around(self, z: np.ndarray, amount: float, seed: int, index: int) -> np.ndarray:
        """Returns variation `index` of a latent `(dims,)`, `amount` of the corpus's spread away, 0 to 4. Raises CoreError."""
        out = np.empty(self.info.dims, np.float32)
        self._loaded.call("ts_around", np.ascontiguousarray(z, np.float32), amount, seed, index, out)
        return out

    def steer(self, z: np.ndarray, amounts: np.ndarray) -> np.ndarray:
        """Returns a latent `(dims,)` changed by `controls`: amounts in spreads, -3 to 3, NaN where not asked for. Raises CoreError."""
        out = np.empty(self.info.dims, np.float32)
        self._loaded.call("ts_steer", np.ascontiguousarray(z, np.float32), np.ascontiguousarray(amounts, np.float32), out, None)
        return out

    def with_pitch(self, z: np.ndarray, midi: float) -> np.ndarray:
        """Returns a latent `(dims,)` with another pitch, of an instrument of notes. Raises CoreError."""
        return self._changed("ts_set_pitch", z, midi)

    def with_velocity(self, z: np.ndarray, velocity: float) -> np.ndarray:
        """Returns a latent `(dims,)` with another velocity, of an instrument with velocities. Raises CoreError."""
        return self._changed("ts_set_velocity", z, velocity)

    def controls(self) -> list[tuple[str, float, float]]:
        """Returns the name of every control, and how far a sound can typically be moved by it, in spreads."""
        found, control = [], Control()
        for index in range(self.info.controls):
            if not self._loaded.ask("ts_control_of", index, control):
                found.append((control.name.decode("utf-8", "replace"), float(control.low), float(control.high)))
        return found

    def _changed(self, name: str, z: np.ndarray, value: float) -> np.ndarray:
        out = np.array(z, np.float32)
        if status := self._loaded.ask(name, out, value):
            raise CoreError(status, f"{name} refuses {value}")
        return out

    def _category(self, index: int) -> str:
        name = np.zeros(_NAME, np.uint8)
        size = self._loaded.ask("ts_category", index, name, _NAME)
        return name[:size].tobytes().decode("utf-8", "replace")


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)

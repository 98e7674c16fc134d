"""The sounds of one instrument, by the native core: pads or notes, changed by controls, latents, axes, the map and morphs."""

from __future__ import annotations

import threading
from typing import Any, ClassVar, Protocol

import numpy as np

from timbrespace.live.sound.pads import PADS, Pad, hats_by_length, pads_of
from timbrespace.live.sound.places import Places
from timbrespace.live.state import SoundKey, Wanted
from timbrespace.native.engine import Player
from timbrespace.noise import seed_of
from timbrespace.space.moves.values import principal_directions
from timbrespace.synthesis.file.layout import CLIPS, SPACE

_SPREADS = 3.0  # most of a control
_IDLE = {"pitch": "the pitch of a note is that of its key"}


class SoundSource(Protocol):
    """What the engine plays. title: for people. notes: whether sounds have a pitch, from MIDI number `lowest` to `highest`.

    velocities: whether a latent holds one. held: whether sounds last as long as a key, see `live.held`. left_out: controls of the
    instrument that would do nothing, and why.
    dims, axes: their numbers. mapped: whether it has a map."""

    title: str
    notes: bool
    velocities: bool
    held: bool
    lowest: float
    highest: float
    dims: int
    axes: int
    mapped: bool
    places: Places
    pads: list[Pad]
    sample_rate: int
    left_out: dict[str, str]

    @property
    def controls(self) -> dict[str, tuple[float, float]]:
        """Name -> range in spreads. May take a while the first time."""

    def render(self, key: SoundKey) -> np.ndarray:
        """Returns the sound `(channels, time)`, float32. Several threads may call it. Raises TimbrespaceError."""


class CoreSource:
    """Sounds of an instrument that the native core plays. seed: of its pads. humanise: how far variations are from a sound, 0 to 4."""

    held = False
    idle: ClassVar[dict[str, str]] = {}  # controls that do nothing to such sounds, and why; those of all notes besides

    def __init__(self, player: Player, *, title: str, seed: int = 0, humanise: float = 0.0):
        core = player.core
        self.title, self._core, self._player, self._seed, self._humanise = title, core, player, seed, humanise
        self.notes, self.velocities, self.dims = bool(core.info.notes), bool(core.info.velocities), player.dims
        self.lowest, self.highest, self.sample_rate = core.info.lowest_pitch, core.info.highest_pitch, player.file.sample_rate
        idle = {**self.idle, **(_IDLE if self.notes else {})}
        controls = [(number, one) for number, one in enumerate(core.controls()) if one[0] not in idle]
        self.left_out = {name: idle[name] for name, _, _ in core.controls() if name in idle}
        self.controls = {name: (low, high) for _, (name, low, high) in controls}
        self._numbers = [number for number, _ in controls]  # of the core
        self._known = int(self.notes) + int(self.velocities)
        means, factors, weights = (player.file.arrays[f"{SPACE}{name}"].astype(np.float64) for name in ("means", "factors", "weights"))
        self._axes = principal_directions(means, factors, weights, known=self._known).astype(np.float32)
        self.axes = len(self._axes)
        self.places = _places_of(player, self._axes)
        self.mapped = self.places.known
        self.pads = note_sounds(core.categories) if self.notes else pads_of(core.categories)
        self._drawn: dict[int, np.ndarray] = {}
        self._instead: dict[int, int] = {}
        self._lock = threading.RLock()
        self._order_hats()

    def render(self, key: SoundKey) -> np.ndarray:
        """See `SoundSource`."""
        pad = self.pads[key.pad]
        z = self.latent(key)
        category = self._core.categories.index(pad.category) if pad.category in self._core.categories else -1
        seed = seed_of(seed_of(self._seed, key.pad), 0 if key.variation is None else key.variation + 1)
        return self._core.render(z, seed, category=category)

    def latent(self, key: SoundKey) -> np.ndarray:
        """Returns the latent `(dims,)` of a sound."""
        z = self._base(key.pad)
        if key.wanted.place is not None:
            z = self._at(key.wanted.place, key.pad, z)
        if key.morph is not None:
            other, share = key.morph
            z = (1 - np.float32(share)) * z + np.float32(share) * self._base(other)
        z = self._moved(z, key.wanted)
        if key.variation is not None:
            z = self._core.around(z, self._humanise, seed_of(self._seed, key.pad), key.variation)
        if key.velocity is not None and self.velocities:
            z = self._core.with_velocity(z, key.velocity)
        return z if key.pitch is None else self._core.with_pitch(z, key.pitch)

    def _moved(self, z: np.ndarray, wanted: Wanted) -> np.ndarray:
        """Returns a latent after latents and axes were added, and the controls changed it."""
        z = z.copy()
        for number, value in wanted.latents:
            z[number] += np.float32(value)
        for number, value in wanted.axes:
            z += np.float32(value) * self._axes[number]
        if not any(value for _, value in wanted.controls):
            return z
        amounts = np.full(self._core.info.controls, np.nan, np.float32)
        for number, value in wanted.controls:
            amounts[self._numbers[number]] = min(_SPREADS, max(-_SPREADS, value))
        return self._core.steer(z, amounts)

    def _base(self, pad: int) -> np.ndarray:
        """The latent of a pad's own sound."""
        with self._lock:
            pad = self._instead.get(pad, pad)
            if pad not in self._drawn:
                wanted = self.pads[pad]
                same = [number for number in self._drawn if self.pads[number].category == wanted.category]
                earlier = [self._drawn[number] for number in sorted(same) if self.pads[number].number < wanted.number]
                category = self._core.categories.index(wanted.category) if wanted.category in self._core.categories else -1
                if len(earlier) < wanted.number:  # in order, so that the sound does not depend on which pad is struck first
                    for number, other in enumerate(self.pads):
                        if other.category == wanted.category and other.number < wanted.number and number not in self._drawn:
                            self._drawn[number] = self._draw(other, category)
                self._drawn[pad] = self._draw(wanted, category)
            return self._drawn[pad]

    def _draw(self, pad: Pad, category: int) -> np.ndarray:
        earlier = [self._drawn[number] for number, other in enumerate(self.pads) if number in self._drawn and _before(other, pad)]
        found: Any = np.array(earlier, np.float32).reshape(-1, self.dims)
        return self._core.draw(self._seed, pad.number, found, category=category).z

    def _at(self, place: tuple[float, float], pad: int, own: np.ndarray) -> np.ndarray:
        """The latent at a place of the map, of the pad's category."""
        z = self.places.at(place, category=None if self.notes else self.pads[pad].category)
        if self._known:  # pitch and velocity are played
            z[-self._known :] = own[-self._known :]
        return z

    def _order_hats(self) -> None:
        """The longest hat is the open one."""
        hats = [number for number, pad in enumerate(self.pads) if pad.choke]
        lengths = {number: self.render(SoundKey(0, number)).shape[1] for number in hats} if len(hats) > 1 else {}
        self._instead = hats_by_length(self.pads, lengths)


def note_sounds(categories: list[str]) -> list[Pad]:
    """Returns the sounds of an instrument of notes: of each category in turn."""
    names: list[str | None] = [*sorted(categories)] or [None]
    return [Pad(60, names[index % len(names)], index // len(names)) for index in range(max(PADS, len(names)))]


def _before(other: Pad, pad: Pad) -> bool:
    return other.category == pad.category and other.number < pad.number


def _places_of(player: Player, axes: np.ndarray) -> Places:
    """Places of the training sounds; none of a stripped instrument."""
    arrays = player.file.arrays
    if f"{CLIPS}latents" not in arrays or f"{CLIPS}positions" not in arrays:
        return Places(np.zeros((0, player.dims)), np.zeros((0, 2)), [], axes=axes)
    return Places(arrays[f"{CLIPS}latents"], arrays[f"{CLIPS}positions"], player.file.header["clips"]["categories"], axes=axes)

"""Which sound an event plays: programs, chosen sounds, variations in turn, and what controls ask for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from timbrespace.contracts import ConfigError
from timbrespace.live import checks
from timbrespace.live.sound.source import SoundSource
from timbrespace.live.state import SoundKey, Wanted

ROBIN = 8  # variations that hits take in turn
LAYERS = 8  # of velocity, where it changes the sound
_COUNTED = 4096  # pads and notes, of any frequency, whose hits are counted
_RECENT = 8  # pads or notes that are made ahead first
_SPREADS, _LATENT, _AXIS = 3.0, 8.0, 4.0  # largest amounts of a control, of a latent, of an axis
_TIMBRE = 2.0  # spreads of brightness from the middle of `timbre` to its end
_MIDDLE, _AROUND = 60.0, 12  # notes that are made ahead before any is played
_BRIGHTNESS = "brightness"


class _Struck(NamedTuple):
    """What was struck last: a pad or a note of a program, with a layer of velocity, on a channel. id: of a note, see `set_timbre`."""

    program: int
    pad: int
    pitch: float | None
    layer: int | None
    channel: int
    id: Any = None


class Sounds:
    """The sounds of several instruments. humanise: whether hits take variations in turn. velocity_control: control that velocity moves."""

    def __init__(self, sources: Sequence[SoundSource], *, humanise: float, velocity_control: str | None):
        self.sources = list(sources)
        if velocity_control is not None and not any(velocity_control in source.controls for source in sources):
            raise ConfigError(f"the velocity control is {velocity_control!r:.60}, {_known(sources)}")
        self._humanise, self._velocity_control = humanise > 0, velocity_control
        self._programs: dict[int, int] = {}
        self._chosen: dict[int, int] = {}
        self._pitches: dict[int, float] = {}
        self._timbres: dict[tuple[int, Any], float] = {}  # of channels, and of notes with ids
        self._hits: dict[tuple[int, int, float | None], int] = {}
        self._controls: dict[str, float] = {}  # these three are replaced, not changed: other threads read them
        self._latents: dict[int, float] = {}
        self._axes: dict[int, float] = {}
        self._place: tuple[float, float] | None = None
        self._unplaced: set[int] = set()  # programs whose sound was chosen since then
        self._morphs: dict[int, tuple[int, float]] = {}
        self._recent: OrderedDict[_Struck, None] = OrderedDict()

    def program(self, channel: int) -> int:
        """Returns the number of the instrument that a channel plays."""
        return self._programs.get(channel, 0)

    def set_program(self, channel: int, number: int) -> None:
        """Chooses an instrument."""
        self._programs[channel] = number

    def chosen(self, program: int) -> int:
        """Returns the sound that notes of an instrument play."""
        return self._chosen.get(program, 0)

    def choose(self, program: int, number: int) -> None:
        """Chooses the sound that notes of an instrument play; it leaves the map for it."""
        self._chosen[program] = number
        self._unplaced.add(program)

    def last_pitch(self, program: int) -> float:
        """Returns the note that was played last by an instrument of notes."""
        source = self.sources[program]
        return self._pitches.get(program, checks.folded(_MIDDLE, source.lowest, source.highest))

    def key(self, program: int, pad: int, velocity: float, channel: int, *, pitch: float | None = None) -> SoundKey:
        """Returns the sound of a hit, and counts the hit."""
        pitch = None if pitch is None else round(pitch, 2)
        struck = _Struck(program, pad, pitch, self.layer(program, velocity), channel)
        key = self._key(struck)
        self._hits[program, pad, pitch] = self._hits.pop((program, pad, pitch), 0) + 1
        if len(self._hits) > _COUNTED:
            del self._hits[next(iter(self._hits))]
        if pitch is not None:
            self._pitches[program] = pitch
        self._recent[struck] = None
        self._recent.move_to_end(struck)
        while len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        return key

    def held_key(
        self, program: int, *, pitch: float | None = None, velocity: float | None = None, layer: int | None = None, channel: int = -1,
        id: Any = None,  # noqa: A002
    ) -> SoundKey:  # fmt: skip
        """Returns the sound that held notes of an instrument have now, or one of them with a pitch of its own. layer: or a velocity."""
        layer = layer if velocity is None else self.layer(program, velocity)
        return self._key(_Struck(program, self.chosen(program), pitch, layer, channel, id))

    def next_keys(self) -> Iterator[tuple[bool, SoundKey]]:
        """Yields sounds that the next events may need, and whether soon, the likeliest first."""
        for struck in reversed(self._recent):
            current = struck.program == self.program(struck.channel)
            if current and (struck.pitch is None or struck.pad == self.chosen(struck.program)):
                yield True, self._key(struck)
        for channel in sorted({0, *self._programs}):
            program = self.program(channel)
            source, layer = self.sources[program], self.layer(program, 100.0)
            if source.held:
                continue
            if not source.notes:
                yield from ((False, self._key(_Struck(program, pad, None, layer, channel))) for pad in range(len(source.pads)))
                continue
            middle = self.last_pitch(program)
            for step in sorted(range(-_AROUND, _AROUND + 1), key=abs):
                if source.lowest <= middle + step <= source.highest:
                    yield False, self._key(_Struck(program, self.chosen(program), middle + step, layer, channel))

    def layer(self, program: int, velocity: float) -> int | None:
        """Returns the velocity at which a sound is made, the middle of one of LAYERS; None where it changes nothing."""
        source = self.sources[program]
        if not source.velocities and (self._velocity_control is None or self._velocity_control not in source.controls):
            return None
        layer = min(LAYERS - 1, int(velocity * LAYERS / 128))
        return round((layer + 0.5) * 128 / LAYERS)

    # --- changes of sounds ----------------------------------------------------------------------------------------------

    def set_control(self, name: str, value: float) -> None:
        """Sets a control in spreads. Raises ConfigError."""
        if not any(name in source.controls for source in self.sources):
            idle = [f"which does nothing here ({source.left_out[name]}); " for source in self.sources if name in source.left_out]
            raise ConfigError(f"control is {name!r:.60}, {''.join(idle[:1])}{_known(self.sources)}")
        self._controls = {**self._controls, name: _rounded(checks.number(f"control {name}", value, -_SPREADS, _SPREADS))}

    def set_latent(self, index: int, value: float) -> None:
        """Adds to a number of the latents. Raises ConfigError."""
        index = checks.integer("latent", index, 0, max(source.dims for source in self.sources) - 1)
        self._latents = {**self._latents, index: _rounded(checks.number(f"latent {index}", value, -_LATENT, _LATENT))}

    def set_latents(self, values: Sequence[float]) -> None:
        """Adds to the first numbers of the latents. Raises ConfigError."""
        most = max(source.dims for source in self.sources)
        if len(values) > most:
            raise ConfigError(f"{len(values)} values for the latents, allowed are at most {most}")
        found = {index: _rounded(checks.number(f"latent {index}", value, -_LATENT, _LATENT)) for index, value in enumerate(values)}
        self._latents = {**self._latents, **found}

    def set_axis(self, index: int, value: float) -> None:
        """Sets a principal axis, in standard deviations. Raises ConfigError."""
        most = max(source.axes for source in self.sources)
        if not most:
            raise ConfigError("no instrument here has principal axes")
        index = checks.integer("axis", index, 0, most - 1)
        self._axes = {**self._axes, index: _rounded(checks.number(f"axis {index}", value, -_AXIS, _AXIS))}

    def set_map(self, x: float | None = None, y: float | None = None) -> None:
        """Sets a place of the map; None: leaves it. Raises ConfigError."""
        if x is None and y is None:
            self._place = None
            return
        place = (_rounded(checks.number("x", x, 0, 1)), _rounded(checks.number("y", y, 0, 1)))
        if not any(source.mapped for source in self.sources):
            raise ConfigError("no instrument here has a map: they hold no training sounds (info says so)")
        self._place = place
        self._unplaced.clear()

    def set_morph(self, a: int, b: int, share: float) -> None:
        """Sets how far a pad is on the way to another. Raises ConfigError."""
        most = max(len(source.pads) for source in self.sources) - 1
        a, b = checks.integer("pad", a, 0, most), checks.integer("pad", b, 0, most)
        share = _rounded(checks.number("t", share, 0, 1))
        if share:
            self._morphs[a] = (b, share)
        else:
            self._morphs.pop(a, None)

    def set_timbre(self, channel: int, x: float, id: Any = None) -> None:  # noqa: A002
        """Sets the brightness of the notes of a channel, 0 to 1. id: of a single note that is held."""
        self._timbres.pop((channel, id), None)
        self._timbres[channel, id] = _rounded((x - 0.5) * 2 * _TIMBRE)
        while len(self._timbres) > _COUNTED:  # of ids that are played no more
            del self._timbres[next(key for key in self._timbres if key[1] is not None)]

    def forget_timbre(self, channel: int, id: Any) -> None:  # noqa: A002
        """A new note has an id; that of an earlier one with it is over."""
        self._timbres.pop((channel, id), None)

    # --- inside ---------------------------------------------------------------------------------------------------------

    def _key(self, struck: _Struck) -> SoundKey:
        source = self.sources[struck.program]
        hits = self._hits.get((struck.program, struck.pad, struck.pitch), 0)
        morph = self._morphs.get(struck.pad)
        velocity = struck.layer if source.velocities else None
        return SoundKey(
            struck.program, struck.pad, struck.pitch, velocity, hits % ROBIN if self._humanise else None,
            morph if morph is not None and morph[0] < len(source.pads) else None, self._wanted(source, struck),
        )  # fmt: skip

    def _wanted(self, source: SoundSource, struck: _Struck) -> Wanted:
        names = list(source.controls) if self._controls or self._timbres or self._velocity_control else []  # else not fitted yet
        amounts = {name: self._controls[name] for name in names if self._controls.get(name)}
        if struck.layer is not None and self._velocity_control in names:
            assert self._velocity_control is not None
            amounts[self._velocity_control] = amounts.get(self._velocity_control, 0.0) + (struck.layer - 64) / 64
        ids = (None,) if struck.id is None else (None, struck.id)
        timbre = sum(self._timbres.get((struck.channel, one), 0.0) for one in ids)
        if _BRIGHTNESS in names and timbre:
            amounts[_BRIGHTNESS] = amounts.get(_BRIGHTNESS, 0.0) + timbre
        return Wanted(
            self._place if source.mapped and struck.program not in self._unplaced else None,
            tuple(sorted((index, value) for index, value in self._latents.items() if value and index < source.dims)),
            tuple(sorted((index, value) for index, value in self._axes.items() if value and index < source.axes)),
            tuple(sorted((names.index(name), value) for name, value in amounts.items() if value)),
        )


def _rounded(value: float) -> float:
    """Values that differ inaudibly are one sound."""
    return round(value, 4)


def _known(sources: Sequence[SoundSource]) -> str:
    names = sorted({name for source in sources for name in source.controls})
    return f"allowed is one of {', '.join(names)}" if names else "and no instrument here has controls"

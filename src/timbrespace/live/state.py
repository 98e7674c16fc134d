"""The state of an engine, and everything that a sound depends on."""

from __future__ import annotations

from typing import NamedTuple


class EngineState(NamedTuple):
    """level: peak of the last block, 1 is full scale. voices: sounding. load: work of a block over its time. dropped: events that could not
    be carried out. program: of channel 0. last: lines about the last events. late: notes that waited for their sound. time: samples."""

    level: float = 0.0
    voices: int = 0
    load: float = 0.0
    dropped: int = 0
    program: int = 0
    last: tuple[str, ...] = ()
    late: int = 0
    time: int = 0


class Wanted(NamedTuple):
    """Changes of the sounds of an instrument, in the order in which they are applied. None and empty: none.

    place: of the map, 0 to 1 each. latents: number -> amount that is added. axes: number of a principal axis -> standard deviations.
    controls: number of a control -> spreads.
    """

    place: tuple[float, float] | None = None
    latents: tuple[tuple[int, float], ...] = ()
    axes: tuple[tuple[int, float], ...] = ()
    controls: tuple[tuple[int, float], ...] = ()


class SoundKey(NamedTuple):
    """All that a sound depends on. program: number of the instrument. pad: of its drawn sounds. pitch: MIDI number, None: no note.

    velocity: of the latent, None: none. variation: 0 and up, None: the sound itself. morph: another pad, and how far towards it, 0 to 1.
    """

    program: int
    pad: int
    pitch: float | None = None
    velocity: int | None = None
    variation: int | None = None
    morph: tuple[int, float] | None = None
    wanted: Wanted = Wanted()

"""What plays by itself: a MIDI file or a walk, in time with a device, or into a file without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

import typer

if TYPE_CHECKING:
    from timbrespace.live.clock.source import ClockedSource
    from timbrespace.live.conductor import Conductor
    from timbrespace.live.device.record import Recorder
    from timbrespace.live.performance import Performance
    from timbrespace.live.walk.beats import FileBeats
    from timbrespace.live.walk.song import MidiFileSource
    from timbrespace.live.walk.walk import Walk

_WALK_HELP = "Play for ever while latents wander: kits (pads) or notes; by patterns, or by a Markov chain over the file of --midi."
_BOUNDS_HELP = "Where latents wander, such as pc1=-2:2,brightness=0:1.5; LOW:HIGH for four principal axes. By default -1.5:1.5."
_TEMPO_HELP = "Beats a minute of a walk, 10 to 400; by default that of the file, else 110."
_OFFLINE_HELP = "Write --record as fast as it can be computed, without an audio device: of a walk or a MIDI file."
MIDI_FILES = (".mid", ".midi", ".smf", ".rmi", ".kar")
RATE = 48_000  # Hz, without a device
TAIL = 2.0  # s that a MIDI file sounds on
_BLOCK, _LONGEST_TAIL = 4096, 10.0  # frames; s


@dataclass(frozen=True)
class SourceOptions:
    """Options of what plays by itself."""

    section: ClassVar[str] = "Play by itself"

    walk: Annotated[str | None, typer.Option("--walk", metavar="kits|notes", help=_WALK_HELP, show_default=False)] = None
    bounds: Annotated[str | None, typer.Option("--bounds", help=_BOUNDS_HELP, show_default=False)] = None
    tempo: Annotated[float | None, typer.Option("--tempo", help=_TEMPO_HELP, show_default=False)] = None
    offline: Annotated[bool, typer.Option("--offline", help=_OFFLINE_HELP)] = False

    def check(
        self, midi: str | None, *, record: Path | None, seconds: float | None, device: str | None, clock: str | None = None,
        clock_to: str | None = None,
    ) -> None:  # fmt: skip
        """Raises ConfigError for options that do not fit together. midi, clock, clock_to: of --midi, --clock and --clock-to."""
        from timbrespace.contracts import ConfigError
        from timbrespace.live import checks
        from timbrespace.live.walk.walk import KINDS

        for name in ("bounds", "tempo"):
            if getattr(self, name) is not None and self.walk is None:
                raise ConfigError(f"--{name} is for a walk: give --walk kits or --walk notes too")
        if self.walk is not None and self.walk not in KINDS:
            raise ConfigError(f"--walk is {self.walk[:40]!r}, allowed are kits and notes")
        if self.tempo is not None:
            checks.number("--tempo", self.tempo, 10, 400)
        for name, port in (("clock", clock), ("clock-to", clock_to)):
            if port is not None and self.walk is None and not is_midi_file(midi):
                raise ConfigError(f"--{name} is for what plays by itself: give --walk kits, --walk notes, or --midi FILE.mid too")
            if port is not None and self.offline:
                raise ConfigError(f"--offline renders as fast as it can, and a MIDI clock takes its time; leave out --{name}, or --offline")
        if clock is not None and self.tempo is not None:
            raise ConfigError("--tempo and --clock: the tempo is that of the clock; leave out one of them")
        if not self.offline:
            return
        if record is None:
            raise ConfigError("--offline writes a recording: give --record FILE.wav")
        if device is not None:
            raise ConfigError("--offline uses no device; leave out --device, or --offline")
        if self.walk is None and not is_midi_file(midi):
            raise ConfigError("--offline needs something that plays: --walk kits, --walk notes, or --midi FILE.mid")
        if self.walk is not None and seconds is None:
            raise ConfigError("a walk never ends; --offline needs --seconds")


def is_midi_file(midi: str | None) -> bool:
    """Whether --midi names a file, not a port."""
    return midi is not None and Path(midi).suffix.lower() in MIDI_FILES


class Playing(NamedTuple):
    """What plays by itself. length: of a MIDI file in s; None for a walk, and with a clock. clocked: the source that follows a clock.

    song: a MIDI file without one.
    """

    performance: Performance
    length: float | None = None
    clocked: ClockedSource | None = None
    song: MidiFileSource | None = None

    def ended(self) -> bool:
        """Whether a MIDI file has been played to its end, and its last sounds had their time. A file that is stopped goes on later."""
        end = None if self.song is None else self.song.end
        return end is not None and self.performance.sample >= end + TAIL * self.performance.engine.sample_rate


def opened_sources(
    conductor: Conductor, options: SourceOptions, midi: str | None, *, seed: int, say: Callable[[str], None]
) -> Playing | None:  # fmt: skip
    """Returns what plays by itself; None where nothing does. Raises ConfigError."""
    from timbrespace.live.midi.file import read_midi_file
    from timbrespace.live.performance import Performance
    from timbrespace.live.walk.beats import FileBeats
    from timbrespace.live.walk.bounds import playable
    from timbrespace.live.walk.song import MidiFileSource
    from timbrespace.live.walk.walk import Walk
    from timbrespace.wording import counted

    file = read_midi_file(midi) if midi is not None and is_midi_file(midi) else None
    for line in file.warnings if file is not None else ():
        say(line)
    engine, sends = conductor.engine, conductor.sender is not None and conductor.follower is None
    if options.walk is not None:
        walk = Walk(
            playable(engine),
            options.walk,
            sample_rate=engine.sample_rate,
            bounds=options.bounds,
            seed=seed,
            tempo=options.tempo,
            file=file,
            sends_clock=sends,
        )
        for line in walk.warnings:
            say(line)
        names = ", ".join(f"{bound.target} {bound.low:g} to {bound.high:g}" for bound in walk.wander.bounds)
        say(f"walk of {options.walk} {'by a MIDI clock' if conductor.follower else f'at {walk.tempo:.4g} beats a minute'}; {names}")
        if conductor.follower is not None:
            return _clocked(conductor, walk, say)
        conductor.walk = walk
        return Playing(Performance(conductor, walk))
    if file is None:
        return None
    say(f"{midi}: {counted(file.notes, 'note')}, {file.seconds:.1f} s")
    if conductor.follower is not None:
        return _clocked(conductor, FileBeats(file, conductor.midi_actions), say)
    source = MidiFileSource(file, conductor, sample_rate=engine.sample_rate, sends_clock=sends)
    if not options.offline:
        conductor.walk = source
    return Playing(Performance(conductor, source), source.samples / engine.sample_rate, song=source)


def _clocked(conductor: Conductor, played: Walk | FileBeats, say: Callable[[str], None]) -> Playing:
    from timbrespace.live.clock.source import ClockedSource
    from timbrespace.live.performance import Performance

    assert conductor.follower is not None
    source = ClockedSource(played, conductor.follower, sample_rate=conductor.engine.sample_rate, say=say)
    conductor.walk = source
    return Playing(Performance(conductor, source), None, source)


def render_sources(
    performance: Performance, recorder: Recorder, *, seconds: float | None, length: float | None,
    progress: Callable[[int, int], None] | None,
) -> None:  # fmt: skip
    """Writes `seconds`, or the length of a file and until its last sounds have ended. progress: gets seconds done, and in all."""
    engine = performance.engine
    whole = round((seconds if seconds is not None else length or 0.0) * engine.sample_rate) + (seconds is None)
    for block in performance.render(whole):
        recorder.write(block[:, : recorder.channels])
        if progress is not None:
            progress(performance.sample // engine.sample_rate, whole // engine.sample_rate)
    end = performance.sample + (round(_LONGEST_TAIL * engine.sample_rate) if seconds is None else 0)
    while performance.sample < end and engine.state().voices:
        for block in performance.render(min(_BLOCK, end - performance.sample)):
            recorder.write(block[:, : recorder.channels])

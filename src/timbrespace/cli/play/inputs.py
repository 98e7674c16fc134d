"""What an instrument is played by: MIDI ports, OSC, and controllers that a mapping gives targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from timbrespace.cli.play.sources import is_midi_file

if TYPE_CHECKING:
    from timbrespace.live.conductor import Conductor
    from timbrespace.live.engine import Engine
    from timbrespace.live.mapping.mapping import Mapping
    from timbrespace.live.mapping.schema import Entry

_MIDI_HELP = "MIDI port: its number or a part of its name, see --list; virtual: a port of our own; or a MIDI file that is played."
_CLOCK_HELP = (
    "Play a walk or a MIDI file by the MIDI clock of this port, named as for --midi: its tempo, start, stop, continue and position."
)
_CLOCK_OFFSET_HELP = "Play so many ms after the clock, -250 to 250; negative: before it. The latency of the device is taken care of."
_CLOCK_TO_HELP = "Send MIDI clock, start and stop of a walk or a MIDI file to this MIDI output, see --list; virtual: a port of our own."
_MPE_HELP = "Channels of an MPE controller's lower zone from the start, 1 to 15; it may also ask for them itself."
_OSC_HELP = "Receive OSC on this UDP port, or HOST:PORT."
_OSC_TO_HELP = "Send values that change to HOST:PORT, for controllers that show them."
_PAGE_HELP = "Serve a page of pads, keys, faders and planes on this port, or HOST:PORT, for a browser or a phone."
_MAPPING_HELP = "YAML file of controllers and what they move; --learn makes it."
_LEARN_HELP = "What the next controller that is moved shall move, such as brightness, latent 3, axis 1, map x; written to --mapping."


@dataclass(frozen=True)
class InputOptions:
    """Options of what plays."""

    section: ClassVar[str] = "Input and control"

    midi: Annotated[str | None, typer.Option("--midi", help=_MIDI_HELP, show_default=False)] = None
    clock: Annotated[str | None, typer.Option("--clock", metavar="PORT", help=_CLOCK_HELP, show_default=False)] = None
    clock_offset: Annotated[float, typer.Option("--clock-offset", metavar="MS", help=_CLOCK_OFFSET_HELP)] = 0.0
    clock_to: Annotated[str | None, typer.Option("--clock-to", metavar="PORT", help=_CLOCK_TO_HELP, show_default=False)] = None
    mpe: Annotated[int, typer.Option("--mpe", help=_MPE_HELP)] = 0
    osc: Annotated[str | None, typer.Option("--osc", help=_OSC_HELP, show_default=False)] = None
    osc_to: Annotated[str | None, typer.Option("--osc-to", help=_OSC_TO_HELP, show_default=False)] = None
    page: Annotated[str | None, typer.Option("--page", metavar="PORT", help=_PAGE_HELP, show_default=False)] = None
    mapping: Annotated[Path | None, typer.Option("--mapping", help=_MAPPING_HELP, show_default=False)] = None
    learn: Annotated[str | None, typer.Option("--learn", help=_LEARN_HELP, show_default=False)] = None

    def check(self) -> None:
        """Raises ConfigError for options that do not fit together."""
        from timbrespace.contracts import ConfigError
        from timbrespace.live import checks

        checks.integer("--mpe", self.mpe, 0, 15)
        checks.number("--clock-offset", self.clock_offset, -250, 250)
        if self.clock_offset and self.clock is None:
            raise ConfigError("--clock-offset needs --clock PORT, whose clock is followed")
        for name, port in (("clock", self.clock), ("clock-to", self.clock_to)):
            if is_midi_file(port):
                raise ConfigError(f"--{name} is {port!r}, a file; give a MIDI port, see --list")
        if self.learn is not None and self.mapping is None:
            raise ConfigError("--learn needs --mapping FILE.yaml, to which it is written")
        if self.learn is not None and self.midi is None and self.osc is None and self.page is None:
            raise ConfigError("--learn needs --midi, --osc or --page, where the controller is")
        if self.learn is not None and self.osc is None and self.page is None and is_midi_file(self.midi):
            raise ConfigError("--learn needs a controller to move, and --midi names a file; give a port, or --osc")
        if self.page is not None:
            from timbrespace.cli.play.needs import check_web
            from timbrespace.live.osc.server import parse_address

            check_web()
            parse_address(self.page)
        if self.osc_to is not None and self.osc is None:
            raise ConfigError("--osc-to needs --osc")


@contextmanager
def opened_inputs(engine: Engine, options: InputOptions, say: Callable[[str], None]) -> Iterator[Conductor]:
    """Yields what carries out the events of opened ports. say: shows a line. A learned mapping is written when the block ends."""
    from timbrespace.contracts import ConfigError
    from timbrespace.live.conductor import Conductor
    from timbrespace.live.mapping.targets import lacking, parse_target
    from timbrespace.live.mapping.writing import write_mapping

    learned: list[Entry] = []

    def took(entry: Entry) -> None:
        learned.append(entry)
        say(f"learned: {entry}{'' if options.mapping else '; --mapping FILE.yaml would keep it'}")

    mapping = _mapping(options, took)
    target = None if options.learn is None else parse_target(options.learn)
    conductor = Conductor(engine, say=say, mapping=mapping, members=options.mpe)
    if target is not None and (problem := lacking(target, conductor.sources)):
        raise ConfigError(f"--learn {options.learn}: {problem}")
    for entry in mapping.content.controllers:
        if problem := lacking(parse_target(entry.target), conductor.sources):
            say(f"{options.mapping}: {entry} does nothing here: {problem}")
    with ExitStack() as stack:
        _open_ports(conductor, options, stack, say)
        if options.osc is not None:
            from timbrespace.live.osc.server import OscServer

            server = stack.enter_context(OscServer(conductor, options.osc, send_to=options.osc_to, state=lambda: _figures(engine)))
            say(f"OSC on {server.host}:{server.port}{', open to other machines' if server.is_open_to_others else ''}")
        if options.page is not None:
            from timbrespace.web.playing.server import PagePlayer

            page = stack.enter_context(PagePlayer(conductor, options.page))
            say(f"page for a browser{' of any machine' if page.is_open_to_others else ''}: {page.address}")
        if target is not None:
            mapping.learn(target)
            say(f"move the controller that shall move {options.learn}")
        yield conductor
    for line in conductor.reports.summary():
        say(line)
    if learned and options.mapping is not None:
        write_mapping(mapping.content, options.mapping, force=True)
        say(f"wrote {options.mapping}")


def _open_ports(conductor: Conductor, options: InputOptions, stack: ExitStack, say: Callable[[str], None]) -> None:
    """Opens the port of notes and that of the clock, which may be the same one."""
    from timbrespace.live.actions import Action
    from timbrespace.live.clock.follower import Follower
    from timbrespace.live.midi.ports import open_midi
    from timbrespace.live.midi.watch import Watch

    midi = None if is_midi_file(options.midi) else options.midi

    if options.clock is not None:
        conductor.follower = Follower()
    same = midi is not None and midi == options.clock
    if midi is not None:
        port = stack.enter_context(open_midi(midi, conductor.midi, clock=conductor.clock if same else None))
        say(f"MIDI from {port.name}")
        stack.enter_context(Watch(port, say=say, gone=lambda: conductor.put([Action("all_notes_off")])))
    if options.clock is not None:
        name = port.name if same else stack.enter_context(open_midi(options.clock, lambda message: None, clock=conductor.clock)).name
        say(f"MIDI clock from {name}")
    if options.clock_to is not None:
        from timbrespace.live.clock.sender import ClockSender
        from timbrespace.live.midi.ports import open_midi_out

        out = stack.enter_context(open_midi_out(options.clock_to))
        failed = partial(conductor.reports.add, "MIDI clock that was not sent")
        conductor.sender = stack.enter_context(ClockSender(out.send, sample_rate=conductor.engine.sample_rate, failed=failed))
        say(f"MIDI clock to {out.name}")


def _mapping(options: InputOptions, learned: Callable[[Entry], None]) -> Mapping:
    """The mapping of the file; empty where it is to be learned and there is none."""
    from timbrespace.live.mapping.mapping import Mapping
    from timbrespace.live.mapping.schema import read_mapping

    path = options.mapping
    content = None if path is None or (options.learn is not None and not path.exists()) else read_mapping(path)
    return Mapping(content, learned=learned)


def _figures(engine: Engine) -> list[float]:
    """Values of /q/state: level, voices, load, program."""
    state = engine.state()
    return [float(state.level), float(state.voices), float(state.load), float(state.program)]

"""`timbrespace play X [Y …]`: instruments live, by an audio device or into a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from timbrespace.cli.common.option_groups import expand_option_groups
from timbrespace.cli.common.options import Force, Seed
from timbrespace.cli.play.inputs import InputOptions
from timbrespace.cli.play.sources import RATE, SourceOptions

if TYPE_CHECKING:
    from timbrespace.live.device.audio import DeviceInfo
    from timbrespace.live.engine import Engine

_INSTRUMENTS_HELP = "Instrument files (.safetensors); a MIDI program change chooses among several."
_DEVICE_HELP = "Audio device: its number or a part of its name, see --list. By default the system's."
_RATE_HELP = "Sample rate in Hz; by default that of the device."
_BLOCK_HELP = "Frames a block, 16 to 8192; 0: as the device likes. Fewer are quicker, and need a quicker machine."
_RECORD_HELP = "Also record to this file: .wav, .flac, or .w64 for hours."
_SECONDS_HELP = "End after so many seconds; by default at Ctrl-C."
_HUMANISE_HELP = "How much each hit differs from the one before, 0 to 4; 0.2 is like a player, 0 like a machine."
_VELOCITY_HELP = "A control that velocity moves too: hard hits one spread up, soft ones down. `info` lists controls."
_VOICES_HELP = "Sounds at once; over it the quietest fades out."
_HELD_HELP = "How held sounds are made: bank, oscillators; or spectrum, an inverse transform."
_HOLD_HELP = "Hold instruments of notes: they sound as long as a key is down, and move with the controls meanwhile."
_LIST_HELP = "List audio devices and MIDI ports, and end."
_QUIET_HELP = "Show messages only, no level and figures."


@expand_option_groups
def play(
    instruments: Annotated[list[Path] | None, typer.Argument(metavar="INSTRUMENT", help=_INSTRUMENTS_HELP, show_default=False)] = None,
    device: Annotated[str | None, typer.Option("--device", help=_DEVICE_HELP, show_default=False)] = None,
    rate: Annotated[int | None, typer.Option("--rate", rich_help_panel="Options", help=_RATE_HELP, show_default=False)] = None,
    block: Annotated[int, typer.Option("--block", help=_BLOCK_HELP)] = 64,
    record: Annotated[Path | None, typer.Option("--record", help=_RECORD_HELP, show_default=False)] = None,
    seconds: Annotated[float | None, typer.Option("--seconds", help=_SECONDS_HELP, show_default=False)] = None,
    humanise: Annotated[float, typer.Option("--humanise", help=_HUMANISE_HELP)] = 0.0,
    velocity_control: Annotated[str | None, typer.Option("--velocity-control", help=_VELOCITY_HELP, show_default=False)] = None,
    voices: Annotated[int, typer.Option("--voices", help=_VOICES_HELP)] = 64,
    held: Annotated[Literal["bank", "spectrum"], typer.Option("--held", help=_HELD_HELP)] = "bank",
    hold_notes: Annotated[bool, typer.Option("--hold-notes", help=_HOLD_HELP)] = False,
    seed: Seed = 0,
    list_: Annotated[bool, typer.Option("--list", help=_LIST_HELP)] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help=_QUIET_HELP)] = False,
    force: Force = False,
    *,
    inputs: InputOptions,
    sources: SourceOptions,
) -> None:
    """Play instruments live, by pads, notes and controls.

    Drums are on the notes of General MIDI; instruments of notes play their pitches. Without other input the keys of the terminal play.
    """
    from timbrespace.contracts import ConfigError
    from timbrespace.live import checks

    if list_:
        _list()
        return
    if not instruments:
        raise ConfigError("no instrument is given; `timbrespace play drums.safetensors` plays one, --list shows the devices")
    if block and not 16 <= block <= 8192:
        raise ConfigError(f"--block is {block}, allowed is 0, or a whole number from 16 to 8192")
    seconds = None if seconds is None else checks.number("--seconds", seconds, 0.01, 365 * 86_400)
    humanise = checks.number("--humanise", humanise, 0, 4)
    checks.integer("--voices", voices, 1, 256)
    if rate is not None:
        checks.integer("--rate", rate, 8_000, 192_000)
    inputs.check()
    sources.check(inputs.midi, record=record, seconds=seconds, device=device, clock=inputs.clock, clock_to=inputs.clock_to)
    _check_record(record, instruments, force=force)
    from timbrespace.live.engine import Engine

    options = {"humanise": humanise, "seed": seed, "voices": voices, "velocity_control": velocity_control, "held": held}
    options["hold_notes"] = hold_notes
    if sources.offline and record is not None:
        with Engine(*instruments, sample_rate=RATE if rate is None else rate, **options) as engine:  # type: ignore[arg-type]
            _render(engine, inputs, sources, record, seconds=seconds, seed=seed, quiet=quiet, force=force)
        return
    from timbrespace.live.device.audio import audio_devices, choose_device

    info = choose_device(audio_devices(), device)
    with Engine(*instruments, sample_rate=info.rate if rate is None else rate, **options) as engine:  # type: ignore[arg-type]
        _play(engine, info, inputs, sources, block=block, record=record, seconds=seconds, seed=seed, quiet=quiet, force=force)


def _play(
    engine: Engine, info: DeviceInfo, inputs: InputOptions, sources: SourceOptions, *, block: int, record: Path | None,
    seconds: float | None, seed: int, quiet: bool, force: bool,
) -> None:  # fmt: skip
    from contextlib import ExitStack

    from timbrespace.cli.common.text import printable
    from timbrespace.cli.play.inputs import opened_inputs
    from timbrespace.cli.play.sources import opened_sources
    from timbrespace.live.device.audio import Device
    from timbrespace.live.device.keyboard import Keys, Kind, Typed
    from timbrespace.live.device.loop import RECORD_ROOM, play_live
    from timbrespace.live.device.record import Recorder
    from timbrespace.live.device.view import View
    from timbrespace.wording import counted

    title = f"{', '.join(printable(source.title) for source in engine.sounds.sources)} on {printable(info.name)}, {engine.sample_rate} Hz"
    with ExitStack() as stack:
        opened = stack.enter_context(Device(engine, info, block=block, room=RECORD_ROOM if record else 0))
        recorder = None
        if record is not None:
            recorder = stack.enter_context(Recorder(record, sample_rate=engine.sample_rate, channels=opened.channels, force=force))
        with View(title, quiet=quiet, shown=printable) as view:
            view.say(f"playing {title}")
            if not opened.native:
                view.say("the core plays as WebAssembly, called by Python: for fewer drop-outs build it, python3 scripts/run.py native")
            conductor = stack.enter_context(opened_inputs(engine, inputs, view.say))
            playing = opened_sources(conductor, sources, inputs.midi, seed=seed, say=view.say)
            conductor.listeners.append(view.happened)
            kinds = [Kind(source.notes, len(source.pads)) for source in engine.sounds.sources]
            keys = Keys(Typed(conductor.carry_out), kinds, program=lambda: engine.sounds.program(0))
            step, status, ended = conductor.step, None, None
            if conductor.sender is not None:
                conductor.sender.time.latency = opened.state().latency
            if playing is not None:
                step = playing.performance.step
                ended = playing.ended if seconds is None else None
                if playing.clocked is not None:
                    playing.clocked.time.latency = opened.state().latency - inputs.clock_offset / 1000
                    status = playing.clocked.status
            play_live(engine, opened, view=view, recorder=recorder, seconds=seconds, keys=keys, step=step, status=status, ended=ended)
        played, state = opened.state(), engine.state()
    counts = f"{counted(state.late, 'hit')} late, {state.dropped} dropped; the device ran dry {counted(played.dry, 'time')}"
    print(f"played {played.frames / engine.sample_rate:.1f} s; {counts}")
    if recorder is not None:
        lost = f", and {recorder.lost / engine.sample_rate:.2f} s that the disk was too slow for" if recorder.lost else ""
        print(f"{printable(recorder.path)}  {recorder.seconds:.1f} s{lost}")


def _render(
    engine: Engine, inputs: InputOptions, sources: SourceOptions, record: Path, *, seconds: float | None, seed: int, quiet: bool,
    force: bool,
) -> None:  # fmt: skip
    """Writes what a walk or a MIDI file plays, without a device."""
    from timbrespace.cli.common.corpus import progress_bar
    from timbrespace.cli.common.text import printable
    from timbrespace.cli.play.inputs import opened_inputs
    from timbrespace.cli.play.sources import opened_sources, render_sources
    from timbrespace.live.device.record import Recorder
    from timbrespace.wording import counted

    def say(line: str) -> None:
        print(printable(line), flush=True)

    with (
        opened_inputs(engine, inputs, say) as conductor,
        Recorder(record, sample_rate=engine.sample_rate, channels=2, force=force) as recorder,
    ):
        playing = opened_sources(conductor, sources, inputs.midi, seed=seed, say=say)
        assert playing is not None, "the options were checked"
        with progress_bar("seconds", quiet=quiet) as progress:
            render_sources(playing.performance, recorder, seconds=seconds, length=playing.length, progress=progress)
        if recorder.full:
            say(f"{recorder.path} is full: a WAV file holds 4 GB; .w64 and .flac hold more")
    dropped = engine.state().dropped
    print(f"{printable(recorder.path)}  {recorder.seconds:.1f} s" + (f"; {counted(dropped, 'hit')} dropped" if dropped else ""))


def _list() -> None:
    """Prints devices and ports, and why there are none."""
    from timbrespace.cli.common.text import printable
    from timbrespace.contracts import TimbrespaceError
    from timbrespace.live.device.audio import audio_devices
    from timbrespace.live.midi.ports import midi_ports

    problem: TimbrespaceError | None = None
    try:
        devices = audio_devices()
        print("Audio devices:" if devices else "Audio devices: none")
        for one in devices:
            print(f"  {printable(str(one))}")
    except TimbrespaceError as error:  # the ports are listed first
        problem = error
    ports = midi_ports()
    print("MIDI ports:" if ports.names else f"MIDI ports: none{f' ({ports.problem})' if ports.problem else ''}")
    for number, name in enumerate(ports.names, 1):
        print(f"  {number}  {printable(name)}")
    for number, name in enumerate(midi_ports("out").names, 1):
        print(f"MIDI outputs, for --clock-to:\n  {number}  {printable(name)}" if number == 1 else f"  {number}  {printable(name)}")
    if problem is not None:
        raise problem


def _check_record(record: Path | None, instruments: list[Path], *, force: bool) -> None:
    """Raises TimbrespaceError for a recording that cannot be written, before anything is opened."""
    if record is None:
        return
    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.options import check_not_inputs
    from timbrespace.live.device.record import check_recording

    check_recording(record)
    check_not_inputs([record], instruments)
    check_absent(record, force=force)

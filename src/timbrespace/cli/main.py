"""The entry point of the command line: finds the verb, imports only its module, and turns every failure into an error message.

Exit codes: 0 done, 1 a bug, 2 bad input or a full disk, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from timbrespace import __version__
from timbrespace.cli.common.text import decimal_comma_advice, printable
from timbrespace.contracts import TimbrespaceError

# verb -> (module:function, its line in `timbrespace --help`). A new verb is its file and one line here. A verb may have two words.
VERBS: dict[str, tuple[str, str]] = {
    "demo": ("timbrespace.cli.sounds.demo:demo", "make a drum corpus, train on it, generate, and write a page to listen to"),
    "doctor": ("timbrespace.cli.corpus.doctor:doctor", "examine a folder of sounds: counts, lengths, damage, what to do about it"),
    "prepare": ("timbrespace.cli.corpus.prepare:prepare", "turn a folder of sounds into a corpus that training reads"),
    "train": ("timbrespace.cli.learn.train:train", "train an instrument on a folder or a corpus"),
    "presets": ("timbrespace.cli.learn.presets:presets", "list the presets of `train`, or show all settings of one"),
    "generate": ("timbrespace.cli.sounds.generate:generate", "make new sounds with an instrument"),
    "vary": ("timbrespace.cli.sounds.vary:vary", "make variations of one sound"),
    "morph": ("timbrespace.cli.sounds.morph:morph", "go from one sound to another in steps"),
    "steer": ("timbrespace.cli.sounds.steer:steer", "make your sounds brighter, darker, longer, shorter, noisier … by named controls"),
    "explore": ("timbrespace.cli.sounds.explore:explore", "move through the sounds: along axes, meshes, walks, mixes, curves"),
    "reconstruct": ("timbrespace.cli.sounds.reconstruct:reconstruct", "encode and decode your own sounds with an instrument"),
    "convert": ("timbrespace.cli.sounds.convert:convert", "play a piece with the timbre of other instruments, also blended"),
    "modulate": ("timbrespace.cli.sounds.modulate:modulate", "measure and change vibrato and tremolo of sounds, or move them to others"),
    "play": ("timbrespace.cli.play.play:play", "play instruments live: MIDI, OSC, audio devices, or into a file"),
    "serve": ("timbrespace.cli.play.serve:serve", "play instruments in a browser: the page, words, your own sounds, files"),
    "export": ("timbrespace.cli.report.export:export", "write an instrument as a page that plays offline in a browser"),
    "map": ("timbrespace.cli.report.map:map", "draw the map of an instrument: a page to listen to, a picture, a table"),
    "find": ("timbrespace.cli.report.find:find", "find similar sounds, duplicates, outliers, groups, categories of unlabelled sounds"),
    "info": ("timbrespace.cli.report.info:info", "show an instrument: its card, its training sounds, its settings"),
    "evaluate": ("timbrespace.cli.report.evaluate:evaluate", "measure instruments on a folder of sounds, in words and in figures"),
    "represent": (
        "timbrespace.cli.corpus.represent:represent",
        "write the features of sounds: arrays, pictures, images, and audio decoded again",
    ),
    "tune": ("timbrespace.cli.learn.tune:tune", "search for the best training settings for a corpus, by many short trainings"),
    "survey make": ("timbrespace.cli.report.survey_make:survey_make", "make a blind listening test of instruments and real sounds"),
    "survey serve": ("timbrespace.cli.report.survey_serve:survey_serve", "let listeners answer the test in their browsers"),
    "survey analyse": ("timbrespace.cli.report.survey_analyse:survey_analyse", "analyse the answers of the listeners"),
}
# first verb of a section of `timbrespace --help` -> its title
_SECTIONS = {
    "demo": "From a folder of sounds to an instrument",
    "generate": "Make and change sounds",
    "play": "Play",
    "map": "Look at an instrument and its sounds",
    "represent": "Research",
}

DEBUG_VARIABLE = "TIMBRESPACE_DEBUG"
_NO_ROOM = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_NO_PERMISSION = {errno.EACCES, errno.EPERM, errno.EROFS}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line, by default the arguments of this process, and returns its exit code. Bad input raises no exception."""
    _replace_missing_streams()
    _make_printing_safe()
    _let_threads_sleep()
    words = list(sys.argv[1:] if arguments is None else arguments)
    with _terminate_like_interrupt():
        try:
            code = _dispatch(words)
            sys.stdout.flush()  # a closed pipe is noticed here, not at interpreter exit
        except BaseException as error:
            code = _explain(error, words)
    return code


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        if len(words) > 1 and words[0] == "help":
            return _dispatch([*words[1:], "--help"])
        print(_overview())
        return 0
    if words[0] in ("-V", "--version", "version"):
        print(f"timbrespace {__version__}")
        return 0
    verb, rest = split_verb(words)
    if verb not in VERBS and (group := [name for name in VERBS if name.startswith(f"{verb} ")]):
        if not rest or rest[0] in ("-h", "--help"):
            print("\n".join(f"timbrespace {line}" for line in _lines(group)))
            return 0
        raise TimbrespaceError(f"there is no verb '{verb} {rest[0]}'; allowed are {', '.join(group)} (`timbrespace {verb} --help`)")
    return _run_verb(verb, rest)


def split_verb(words: Sequence[str]) -> tuple[str, list[str]]:
    """Returns the verb of a command line, of one or two words, and the words after it."""
    two = " ".join(words[:2])
    return (two, list(words[2:])) if two in VERBS and len(words) > 1 else (words[0], list(words[1:]))


def _lines(verbs: Sequence[str]) -> list[str]:
    width = max(map(len, verbs)) + 2
    return [f"{verb:<{width}}{VERBS[verb][1]}" for verb in verbs]


def _overview() -> str:
    lines = []
    for verb, line in zip(VERBS, _lines(list(VERBS)), strict=True):
        lines += ["", f"{_SECTIONS[verb]}:"] if verb in _SECTIONS else []
        lines.append(f"  {line}")
    return "\n".join(
        [
            "timbrespace: a folder of sounds in, an instrument that makes new ones out.",
            "",
            "Usage: timbrespace VERB [ARGUMENTS]",
            *lines,
            "",
            "Options:",
            "  --version, -V   show the version",
            "  --help, -h      show this; `timbrespace VERB --help` shows the options of a verb",
            "",
            "First steps:",
            '  timbrespace train "My Snares" --out snares.safetensors',
            "  timbrespace generate snares.safetensors --out new --page       then open new/index.html",
        ]
    )


def _run_verb(verb: str, words: list[str]) -> int:
    if verb not in VERBS:
        raise TimbrespaceError(_unknown_verb(verb))
    module_name, _, function_name = VERBS[verb][0].partition(":")
    module = importlib.import_module(module_name)
    function: Callable[..., object] = getattr(module, function_name)
    words = getattr(module, "expand_words", list)(words)  # short forms that Typer does not know: an option with or without a value

    import typer
    from typer.main import get_command

    from timbrespace.cli.common.help import WIDEST, VerbCommand

    settings = {"help_option_names": ["-h", "--help"], "max_content_width": WIDEST}
    app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=settings)
    app.command(name=verb, cls=VerbCommand)(function)
    result = get_command(app).main(words, prog_name=f"timbrespace {verb}", standalone_mode=False)
    if result == 130:  # Typer returns this for Ctrl-C
        raise KeyboardInterrupt
    return result if type(result) is int else 0


def _unknown_verb(word: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word.lower().lstrip("-"), VERBS, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'? " if near else ""
    kind = "option" if word.startswith("-") else "verb"
    return f"there is no {kind} '{word}'; {hint}The verbs are {', '.join(VERBS)} (`timbrespace --help`)."


def _explain(error: BaseException, words: Sequence[str] = ()) -> int:
    """Prints the error message on stderr and returns the exit code; the traceback is printed only if DEBUG_VARIABLE is set.

    words: the command line.
    """
    if type(error).__name__ == "Abort" and isinstance(error.__cause__, EOFError):  # Typer takes any end of a file for Ctrl-D
        error = error.__cause__
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    if isinstance(error, BrokenPipeError) or (isinstance(error, OSError) and error.errno == errno.EPIPE):
        _silence_stdout()
        return 1
    if os.environ.get(DEBUG_VARIABLE, "0") not in ("", "0"):
        traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Abort":
        return _say("interrupted", 130)
    if isinstance(error, TimbrespaceError):
        return _say(f"error: {error}", 2)
    if hasattr(error, "format_message") and hasattr(error, "show"):  # Typer's own: an unknown option, a missing argument
        return _say(_usage_error(error, words), 2)
    if isinstance(error, OSError):
        if error.errno in _NO_ROOM and error.filename is None and not _can_print():
            _silence_stdout()
            return _say(f"error: the output could not be printed: {error.strerror or error}", 2)
        return _say(f"error: {_os_error(error)}", 2)
    if isinstance(error, MemoryError):
        return _say("error: out of memory; close other programs, or do less at a time (fewer sounds, shorter clips)", 2)
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("timbrespace"):
        return _say(f"error: the package '{error.name}' is not installed; install timbrespace again: pip install timbrespace", 2)
    summary = " ".join(str(error).split())[:300]
    return _say(
        f"error: this is a bug in timbrespace ({type(error).__name__}: {summary}).\n"
        f"Set {DEBUG_VARIABLE}=1 and run the same command again for the details that a bug report needs.",
        1,
    )


def _usage_error(error: BaseException, words: Sequence[str]) -> str:
    context = getattr(error, "ctx", None)
    command = f"; see `{context.command_path} --help`" if context is not None else ""
    message = error.format_message().strip().rstrip(".")  # type: ignore[attr-defined]
    return f"error: {message}{decimal_comma_advice(words)}{command}"


def _os_error(error: OSError) -> str:
    where = f": {os.fspath(error.filename)!s}" if error.filename not in (None, "") and not isinstance(error.filename, int) else ""
    if error.errno in _NO_ROOM:
        return f"the disk is full{where}; no incomplete file has the final name. Make room, or choose another --out"
    if error.errno in _NO_PERMISSION:
        return f"no permission{where}; check its owner and mode, or choose another path"
    return f"{error.strerror or error}{where}"


def _say(message: str, code: int) -> int:
    with contextlib.suppress(OSError, ValueError):
        print("\n".join(printable(line) for line in message.split("\n")), file=sys.stderr, flush=True)
    return code


def _can_print() -> bool:
    """Whether a line can be printed: stdout may be a file on a full disk."""
    try:
        print(flush=True)
    except (OSError, ValueError):
        return False
    return True


def _silence_stdout() -> None:
    """Redirects stdout to the null device, so that the interpreter's last flush does not fail either."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, sys.stdout.fileno())
        os.close(sink)


def _let_threads_sleep() -> None:
    """Makes PyTorch's threads sleep while they wait; called before PyTorch is imported.

    By default they spin, and any other busy program on the machine then slows small matrix products tenfold (LOG.md, 2026-11-21).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _replace_missing_streams() -> None:
    """Gives standard streams that are missing or closed a null device: cron, services and windowed Python may have none."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None or stream.closed:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  # until the process ends


def _make_printing_safe() -> None:
    """Prints an escape for a character that the terminal cannot show: file names may hold any character."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            with contextlib.suppress(OSError, ValueError):
                reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def _terminate_like_interrupt() -> Iterator[None]:
    """Treats SIGTERM, and SIGHUP of a closed terminal, as Ctrl-C while a verb runs, so that long work saves its state and ends."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    wanted = [getattr(signal, name) for name in names if signal.getsignal(getattr(signal, name)) is not signal.SIG_IGN]  # nohup ignores it
    try:
        before = {one: signal.signal(one, interrupt) for one in wanted}
    except ValueError:  # not the main thread: the embedding program handles signals itself
        yield
        return
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler if handler is not None else signal.SIG_DFL)

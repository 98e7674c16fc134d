"""The entry point of the command line: light to import, and an error message for every failure."""

from __future__ import annotations

import errno
import os
import shlex
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

import pytest

import timbrespace
from timbrespace.cli import entry
from timbrespace.cli import main as front
from timbrespace.cli.common import text
from timbrespace.cli.common.amount import duration_text, progress_text
from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.wording import similar_names


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., object]], None]:
    """Makes a function the verb `try`."""

    def register(function: Callable[..., object]) -> None:
        module = types.ModuleType("timbrespace_trial")
        module.trial = function  # type: ignore[attr-defined]
        module.__spec__ = types.SimpleNamespace(name="timbrespace_trial")  # type: ignore[assignment]
        monkeypatch.setitem(sys.modules, "timbrespace_trial", module)
        monkeypatch.setitem(front.VERBS, "try", ("timbrespace_trial:trial", "a trial"))

    return register


def raising(error: BaseException) -> Callable[[], None]:
    def trial() -> None:
        raise error

    return trial


def test_help_lists_every_verb(verb: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    verb(lambda: None)
    assert front.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {name} " in text for name in front.VERBS)
    assert "a trial" in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"timbrespace {timbrespace.__version__}"


def test_unknown_verb_names_the_near_one(verb: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    verb(lambda: None)
    assert front.main(["tyr"]) == 2
    captured = capsys.readouterr()
    assert "did you mean 'try'?" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ConfigError("temperature is 9, allowed is 0 to 2"), 2, "error: temperature is 9, allowed is 0 to 2"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(errno.ENOSPC, "No space left on device", "x.wav"), 2, "the disk is full: x.wav"),
        (PermissionError(errno.EACCES, "Permission denied", "y.wav"), 2, "no permission: y.wav"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "z.wav"), 2, "No such file or directory: z.wav"),
        (MemoryError(), 2, "out of memory"),
        (ZeroDivisionError("division by zero"), 1, "TIMBRESPACE_DEBUG=1"),
        (EOFError("marshal data too short"), 1, "EOFError: marshal data too short"),
        (ModuleNotFoundError("No module named 'soxr'", name="soxr"), 2, "'soxr' is not installed"),
    ],
)
def test_failures_are_sentences(
    verb: Callable[..., None], capsys: pytest.CaptureFixture[str], error: BaseException, code: int, words: str
) -> None:
    verb(raising(error))
    assert front.main(["try"]) == code
    captured = capsys.readouterr()
    assert words in captured.err
    assert "Traceback" not in captured.err


def test_debug_shows_the_traceback(verb: Callable[..., None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMBRESPACE_DEBUG", "1")
    verb(raising(ZeroDivisionError("division by zero")))
    assert front.main(["try"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_wrong_options_are_explained(verb: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    seen = []

    def trial(count: int = 3) -> None:
        seen.append(count)

    verb(trial)
    assert front.main(["try", "--count", "5"]) == 0
    assert seen == [5]
    assert front.main(["try", "--count", "many"]) == 2
    assert front.main(["try", "--speed", "5"]) == 2
    text = capsys.readouterr().err
    assert "--count" in text
    assert "--speed" in text
    assert "timbrespace try --help" in text


def test_names_that_the_terminal_cannot_show(tmp_path: object) -> None:
    code = "from timbrespace.cli import main as m; m._make_printing_safe(); print('snare \\udce9 \\u2192')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == r"snare \udce9 \u2192"


def test_sigterm_is_ctrl_c(verb: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    def trial() -> None:
        signal.raise_signal(signal.SIGTERM)
        time.sleep(5)

    before = signal.getsignal(signal.SIGTERM)
    verb(trial)
    assert front.main(["try"]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_reader_that_leaves_is_no_error() -> None:
    code = "import sys, timbrespace.cli.main as m; sys.exit(m.main(['--help']))"
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert result.returncode == 1
    assert result.stderr == ""


_WITHOUT_STREAMS = """
import os, sys
from timbrespace.cli.main import main
for name in sys.argv[1].split(","):
    setattr(sys, name, None)
code = main(sys.argv[2:])
os._exit(code)
"""


@pytest.mark.parametrize("missing", ["stdout", "stderr", "stdin,stdout,stderr"])
@pytest.mark.parametrize(("words", "code"), [(["presets"], 0), (["doctor", "no such folder"], 2)])
def test_missing_streams_are_no_error(missing: str, words: list[str], code: int) -> None:
    result = subprocess.run([sys.executable, "-c", _WITHOUT_STREAMS, missing, *words], capture_output=True, text=True, check=False)
    assert result.returncode == code
    assert "Traceback" not in result.stderr
    assert "bug" not in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(redirection: str) -> None:
    command = f'"{sys.executable}" -m timbrespace presets {redirection}'
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


class Interrupting(types.ModuleType):
    """A module during whose import Ctrl-C is pressed."""

    def __getattr__(self, name: str) -> object:
        raise KeyboardInterrupt


@pytest.mark.parametrize("moment", ["importing", "running"])
def test_ctrl_c_outside_main_shows_no_traceback(moment: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*arguments: object) -> int:
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if moment == "importing":
        monkeypatch.setitem(sys.modules, "timbrespace.cli.main", Interrupting("timbrespace.cli.main"))
    else:
        monkeypatch.setattr(front, "main", interrupted)
    try:
        assert entry.run() == 130
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == "interrupted\n"


def test_a_decimal_comma_is_refused_with_the_number_as_it_is_written(verb: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    def trial(speed: float = 1.0) -> None: ...

    verb(trial)
    assert front.main(["try", "--speed", "0,3"]) == 2
    assert "write 0.3 with a point" in capsys.readouterr().err


def test_control_characters_of_an_error_are_not_sent_to_the_terminal(verb: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    verb(raising(TimbrespaceError("a\x1b[31m\x07b\u202e.wav: damaged")))
    assert front.main(["try"]) == 2
    assert capsys.readouterr().err == "error: a\\x1b[31m\\x07b\\u202e.wav: damaged\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize("words", [["--help"], ["presets"]])
def test_output_that_cannot_be_printed_is_said_once(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-m", "timbrespace", *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"error: the output could not be printed: {os.strerror(errno.ENOSPC)}\n"


def test_commands_are_quoted_for_the_shell() -> None:
    words = ["timbrespace", "train", "My $nare; rm", "it's", "plain.corpus"]
    assert shlex.split(text.command_line(*words)) == words


def test_long_lists_of_skipped_files_end_with_where_the_rest_is() -> None:
    rows = [{"file": f"{i}\n.wav", "reason": f"cut {i}"} for i in range(30)]
    lines = text.skipped_lines(rows, rest="--json lists all", most=20)
    assert lines[0] == "skipped 0\\n.wav: cut 0"
    assert lines[20:] == ["… and 10 more were skipped; --json lists all"]


def test_skipped_files_with_the_same_reason_are_named_in_one_line() -> None:
    rows = [{"file": f"{i}.wav", "reason": "empty" if i % 2 else "cut"} for i in range(30)]
    assert text.skipped_lines(rows[:3], rest="see x") == ["skipped 0.wav, 2.wav: cut", "skipped 1.wav: empty"]
    cut, empty, rest = text.skipped_lines(rows, rest="see x")
    assert cut == "skipped 0.wav, 2.wav, 4.wav, 6.wav, 8.wav, 10.wav, 12.wav, 14.wav and 7 more: cut"
    assert empty.startswith("skipped 1.wav, 3.wav")
    assert rest == "… and 14 more were skipped; see x"


def test_help_is_light() -> None:
    code = "import sys; from timbrespace.cli.main import main; main(['--help']); assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("name", sorted(front.VERBS))
def test_each_verb_explains_itself_without_torch(name: str) -> None:
    code = (
        f"import sys; from timbrespace.cli.main import main; code = main([*{name.split()!r}, '--help']); "
        "heavy = {'torch', 'scipy', 'sklearn', 'numba', 'matplotlib'} & set(sys.modules); assert not heavy, heavy; sys.exit(code)"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert f"timbrespace {name}" in result.stdout


def test_a_missing_file_is_answered_with_names_that_are_there(tmp_path: Path) -> None:
    for name in ("snare 001.wav", "snare 002.wav", "kick.wav", "snare 007.json"):
        (tmp_path / name).touch()
    assert similar_names(tmp_path / "snare 007.wav") in (
        " (there are snare 002.wav and snare 001.wav)",
        " (there are snare 001.wav and snare 002.wav)",
    )
    assert similar_names(tmp_path / "kikc.wav") == " (there is kick.wav)"
    assert similar_names(tmp_path / "flute.flac") == ""
    assert similar_names(tmp_path / "none" / "a.wav") == f" (there is no folder {tmp_path / 'none'})"


@pytest.mark.parametrize(
    ("done", "total", "elapsed", "left", "text"),
    [
        (120, 6000, 41.9, 3.2, "120/6,000, 0:41, 3 s left"),
        (1, 2, 600.0, 600.0, "1/2, 10:00, 10 min left"),
        (2, 2, 61.0, 0.0, "2/2, 1:01"),
        (0, None, 9.0, None, "0:09"),
    ],
)
def test_progress_says_the_time_left(done: int, total: float | None, elapsed: float, left: float | None, text: str) -> None:
    assert progress_text(done, total, elapsed, left) == text


def test_rough_times_are_in_one_unit() -> None:
    assert [duration_text(seconds) for seconds in (0.0, 99.0, 120.0, 5990.0, 7300.0)] == ["0 s", "99 s", "2 min", "100 min", "2 h"]

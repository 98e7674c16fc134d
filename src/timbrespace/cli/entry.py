"""Where the command starts: from its first line to its last one Ctrl-C ends it with one word, not with a traceback."""

from __future__ import annotations

import contextlib
import signal
import sys


def run() -> int:
    """Runs the command line of this process and returns its exit code."""
    try:
        from timbrespace.cli.main import main

        return main()
    except KeyboardInterrupt:  # before or after `main`, which answers it itself
        if sys.stderr is not None:
            print("interrupted", file=sys.stderr)
        return 130
    finally:
        with contextlib.suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # the interpreter's own end would print a traceback

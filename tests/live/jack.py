"""A JACK server without a sound card, for tests of MIDI ports and devices."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from timbrespace.contracts import ConfigError
from timbrespace.live.midi.ports import load_rtmidi


def missing() -> str:
    """Why there can be no server here, "" if there can."""
    return "" if shutil.which("jackd") else "jackd is not installed (Debian: apt install jackd2)"


def missing_midi() -> str:
    """Why there can be no MIDI ports of a server here, "" if there can. Loads the package: after the system's JACK library, not before."""
    try:
        load_rtmidi()
    except ConfigError as error:
        return str(error)
    return missing()


@contextmanager
def jack_server(block: int = 64, rate: int = 48_000, *, name: str = "timbrespace") -> Iterator[str]:
    """A running server of a name of its own, which clients find through JACK_DEFAULT_SERVER while the block runs."""
    name = f"{name}-{os.getpid()}"
    before = os.environ.get("JACK_DEFAULT_SERVER")
    os.environ["JACK_DEFAULT_SERVER"] = name
    command = ["jackd", "-r", "-n", name, "--no-mlock", "-d", "dummy", "-r", str(rate), "-p", str(block)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait = shutil.which("jack_wait")
        if wait:
            subprocess.run([wait, "-w", "-t", "40", "-s", name], check=False, capture_output=True, timeout=60)
        else:
            time.sleep(1.0)
        if server.poll() is not None:
            raise RuntimeError(f"jackd ended with {server.returncode}")
        yield name
    finally:
        server.terminate()
        server.wait(timeout=60)
        if before is None:
            del os.environ["JACK_DEFAULT_SERVER"]
        else:
            os.environ["JACK_DEFAULT_SERVER"] = before

"""Plays an engine: by a device until it is stopped, or into a file as fast as it can."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

from timbrespace.contracts import TimbrespaceError
from timbrespace.live.device.audio import Device
from timbrespace.live.device.keyboard import Keys, Terminal
from timbrespace.live.device.record import Recorder
from timbrespace.live.device.view import View
from timbrespace.live.engine import Engine

RECORD_ROOM = 2**18  # frames that a recording may be late: over 1 s at any rate
_STEP, _HOUSEKEEPING, _DRAWING, _RETRY = 0.005, 0.02, 0.08, 1.0  # s
_SWITCH = 0.0005  # s that another Python thread may keep the interpreter from the events
_BLOCK = 4096  # frames at a time, offline
Step = Callable[[float], object]  # carries out events, waiting at most so many s for one


def wait(seconds: float) -> None:
    """A step without events."""
    time.sleep(seconds)


def play_live(
    engine: Engine, device: Device, *, view: View, recorder: Recorder | None = None, seconds: float | None = None, step: Step = wait,
    keys: Keys | None = None, status: Callable[[], str] | None = None, ended: Callable[[], bool] | None = None,
) -> None:  # fmt: skip
    """Plays until Ctrl-C, for some seconds, or until what plays has ended. A device that vanishes is opened again when it is there.

    status: more to show.
    """
    if recorder is not None:
        recorder.skipped = device.take()[1]  # silence while ports were opened
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH)
    try:
        with Terminal() as terminal, _interrupts() as stop:
            if keys is not None and terminal.there:
                view.say(keys.help())
            _loop(engine, device, view, recorder, seconds, step, terminal, keys, stop, status, ended)
    except KeyboardInterrupt:
        pass
    finally:
        sys.setswitchinterval(before)
        _record(recorder, device, view)


def _record(recorder: Recorder | None, device: Device, view: View) -> None:
    """Writes what was played. Where the disk takes no more, the recording ends and is kept, and playing goes on."""
    if recorder is None:
        return
    ended = recorder.full
    if ended:
        return
    try:
        audio, lost = device.take()
        recorder.lost = lost - recorder.skipped
        recorder.write(audio)
        if recorder.full:
            view.say(f"{recorder.path} is full: a WAV file holds 4 GB; .w64 and .flac hold more")
    except TimbrespaceError as error:
        recorder.end()
        view.say(f"{error}; the recording ended after {recorder.seconds:.1f} s, and is kept")


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets; the second one is a KeyboardInterrupt. An exception that meets a finaliser (`__del__`) is lost."""
    stop = threading.Event()

    def asked(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():  # which alone may set handlers
        yield stop
        return
    before = signal.signal(signal.SIGINT, asked)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _loop(
    engine: Engine, device: Device, view: View, recorder: Recorder | None, seconds: float | None, step: Step, terminal: Terminal,
    keys: Keys | None, stop: threading.Event, status: Callable[[], str] | None, ended: Callable[[], bool] | None,
) -> None:  # fmt: skip
    start = now = time.monotonic()
    kept = drawn = tried = start
    vanished = False
    while not stop.is_set() and (seconds is None or now - start < seconds) and not (ended is not None and (ended() or device.lost)):
        step(_STEP)
        now = time.monotonic()
        if keys is not None:
            for key in terminal.pressed():
                keys.press(key, now)
            keys.advance(now)
        if now - kept >= _HOUSEKEEPING:
            kept = now
            engine.housekeep()
            _record(recorder, device, view)
        if now - drawn < _DRAWING:
            continue
        drawn, state = now, device.state()
        if not state.active and not vanished:
            vanished = True
            view.say(f"{device.info.name} is gone; {'start again when it is back' if device.lost else 'playing goes on when it is back'}")
        if vanished and now - tried >= _RETRY:
            tried = now
            if state.active or device.reopen():
                vanished = False
                view.say(f"{device.info.name} is back")
        more = [] if status is None else [status()]
        more += [] if recorder is None else [f"recorded {recorder.seconds:.0f} s"]
        view.update(engine.state(), state, more=", ".join(more))


def render_offline(
    engine: Engine, events: Iterable[tuple[float, Callable[[], object]]], recorder: Recorder, *, seconds: float | None, tail: float = 3.0,
    progress: Callable[[float], None] | None = None,
) -> None:  # fmt: skip
    """Writes what events play, each a time in s, rising, and a call at that time. Events after `seconds` are left out.

    seconds: length; None: until all is silent after the last event, at most `tail` s. progress: called with the seconds rendered.
    """
    done = 0

    def render_to(target: int) -> None:
        nonlocal done
        while done < target:
            count = min(_BLOCK, target - done)
            recorder.write(engine.render(count)[:, : recorder.channels])
            done += count
            if progress is not None:
                progress(done / engine.sample_rate)

    for when, call in events:
        if seconds is not None and when >= seconds:
            break
        render_to(round(when * engine.sample_rate))
        call()
    if seconds is not None:
        render_to(round(seconds * engine.sample_rate))
        return
    end = done + round(tail * engine.sample_rate)
    while done < end:
        render_to(min(end, done + _BLOCK))
        if not engine.state().voices:
            return

"""The load of a block of 64 samples at 48 kHz: what of its time the core works, in the callback that an audio device calls."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np

from lib.page import table

RATE, BLOCK, SECONDS, BUSY_SECONDS = 48_000, 64, 10.0, 2.0
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p
)


def loads(live: Any, events: Callable[[int], None], seconds: float = SECONDS) -> tuple[float, float]:
    """Mean and 99th percentile of the processor time of a block, in % of its length. events: called before each block, not counted."""
    output, buffer = live.output(), np.zeros(2 * BLOCK, np.float32)
    call, spent = _CALLBACK(output.callback or 0), []
    for number in range(round(seconds * RATE / BLOCK)):
        events(number)
        start = time.thread_time_ns()
        if output.callback:
            call(None, buffer.ctypes.data, BLOCK, None, 0, output.data)
        else:
            output.block(BLOCK)
        spent.append(time.thread_time_ns() - start)
    percent = np.array(spent) / (1e9 * BLOCK / RATE) * 100
    return float(percent.mean()), float(np.percentile(percent, 99))


def shots(live: Any, voices: int, *, tuned: bool) -> Callable[[int], None]:
    """One-shots of 1 s that follow each other so that `voices` sound, with fades and chokes; tuned: at another speed than recorded."""
    noise = np.random.default_rng(0)
    for slot in range(16):
        live.sound(slot, noise.uniform(-0.2, 0.2, (2, RATE)) * np.linspace(1, 0, RATE) ** 2, sample_rate=RATE)
    step = max(1, RATE // BLOCK // voices)

    def events(number: int) -> None:
        if number % step == 0:
            tune = float(noise.uniform(-1, 1)) if tuned else 0.0
            live.play(number // step % 16, gain=0.1, pan=float(noise.uniform(-1, 1)), tune=tune, attack=0.002, velocity=100.0)

    return events


def bank(live: Any, voices: int, partials: int) -> Callable[[int], None]:
    """Held voices of one timbre that moves 100 times a second."""
    number = np.arange(1, partials + 1)

    def events(block: int) -> None:
        if block % 7 == 0:
            live.partials(0, number * (1 + 0.001 * np.sin(block / 300)), 0.01 / number ** (1.5 + 0.5 * np.sin(block / 200)), seconds=0.01)
        if block == 0:
            for voice in range(voices):
                live.hold(voice, 30.0 + 0.37 * voice, seed=voice + 1)

    return events


def inverse(live: Any, voices: int) -> Callable[[int], None]:
    """Held voices of one spectrum of 20 harmonics and noise that moves 100 times a second; they begin a few blocks after each other."""
    from lib.live.held import BANDWIDTH, PITCH, Score

    score = Score(10.0, fall=40.0)

    def events(block: int) -> None:
        if block % 7 == 0:
            magnitudes = 0.1 * score.magnitudes(block * BLOCK) + 1e-5
            live.spectrum(0, magnitudes, spacing=44_100 / 4096, hertz=PITCH, bandwidth=BANDWIDTH, seconds=0.01)
        if block % 5 == 0 and block // 5 < voices:
            live.hold(block // 5, 45.0 + block // 5, kind="spectrum", seed=block + 1)

    return events


def notes(live: Any, voices: int, kind: str) -> Callable[[int], None]:
    """Notes that are held, each with partials and noise of its own, all of which move 100 times a second."""
    number, bins = np.arange(1, 101), np.arange(2049)

    def events(block: int) -> None:
        for voice in range(voices) if block % 7 == 0 else ():
            bright = 1.5 + 0.5 * np.sin(block / 200 + voice)
            live.partials(voice, number, 0.01 / number**bright, seconds=0.01)
            live.spectrum(voice, 1e-3 / (1 + bins / 100) ** bright, spacing=RATE / 4096, hertz=440.0, seconds=0.01)
        if block % 5 == 0 and block // 5 < voices:
            live.hold(block // 5, 36.0 + block // 5, kind=kind, timbre=block // 5, seed=block + 1)

    return events


def settings() -> Iterator[tuple[str, Callable[[Any], Callable[[int], None]]]]:
    """What is played, by name."""
    yield "nothing", lambda _: lambda _: None
    for voices in (16, 64):
        yield f"{voices} one-shots", partial(shots, voices=voices, tuned=False)
        yield f"{voices} one-shots, each tuned", partial(shots, voices=voices, tuned=True)
    yield "a bank of 100 partials, moving", partial(bank, voices=1, partials=100)
    yield "16 banks of 100 partials, moving", partial(bank, voices=16, partials=100)
    yield "an inverse transform, moving", partial(inverse, voices=1)
    yield "16 inverse transforms, moving", partial(inverse, voices=16)
    yield "16 held notes by oscillators, with noise, moving", partial(notes, voices=16, kind="noise bank")
    yield "16 held notes by the inverse transform, moving", partial(notes, voices=16, kind="noise spectrum")


@contextmanager
def busy_thread() -> Iterator[None]:
    """A Python thread that works all the time, beside."""
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            sum(i * i for i in range(1000))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def load_part() -> str:
    """The table of loads: by the library, alone and beside a busy Python thread, and by WebAssembly, where they are here."""
    from timbrespace.native.library import WASM, load_core
    from timbrespace.native.live import Live
    from timbrespace.native.wasm import WasmCore

    cores = [load_core()] if load_core().way == "wasm" else [load_core(), WasmCore(WASM)]
    ways = [(core, busy) for core in cores for busy in (False, True) if not (busy and core.way == "wasm")]
    rows = []
    for name, make in settings():
        cells = []
        for core, busy in ways:
            live = Live(sample_rate=RATE, core=core)
            with busy_thread() if busy else nullcontext():
                cells += [f"{value:.2f}" for value in loads(live, make(live), BUSY_SECONDS if busy else SECONDS)]
        rows.append([name, *cells])
    names = [f"{core.way}{', a busy Python thread beside' if busy else ''}" for core, busy in ways]
    head = [f"{name}, {what} (%)" for name in names for what in ("mean", "99 % of blocks under")]
    note = (
        f"Processor time of a block of {BLOCK} samples in % of its {1000 * BLOCK / RATE:.2f} ms, over {SECONDS:g} s, beside the busy "
        f"thread {BUSY_SECONDS:g} s. A block of WebAssembly is called from Python, so the first row is the price of that call."
    )
    return f"{table(['plays', *head], rows)}\n\n{note}"

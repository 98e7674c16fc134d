"""The engine of live playing: from a note to its sound, from a control to the next hit, clicks, blocks of any length."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np

from lib.page import table
from timbrespace.live import Engine
from timbrespace.live.state import SoundKey

RATE, BLOCK, FADE = 48_000, 64, 240
SINE, AMPLITUDE, LEVEL = 150.0, 0.1, 0.5  # of the sounds of the test for clicks, Hz; of a voice
BLOCKS = (1, 64, 65, 512, 4096)


def engine_part(instrument: Path, *, minutes: float) -> str:
    """The table. instrument: of drums. minutes: of playing, listened to for clicks."""
    latency, equal = control_to_sound(instrument), blocks(instrument)
    rows = [
        ["blocks of 64 from a note to its first sample", f"{first_sample(instrument)}"],
        ["ms from a control to the next hit's sound, median", f"{statistics.median(latency):.1f}"],
        ["the same, 95 % under", f"{np.quantile(latency, 0.95):.1f}"],
        [f"blocks of {', '.join(map(str, BLOCKS))} give the same samples", "yes" if all(equal.values()) else f"no: {equal}"],
    ]
    worst, events = clicks(instrument, minutes=minutes)
    rows.append(
        [f"largest step of a sample in {minutes:g} minutes, {events:,} events, over what voices and fades may make", f"{worst:.2f}"]
    )
    return table(["", ""], rows)


def trained(folder: Path) -> Path:
    """Returns an instrument of synthetic drums, made in a folder."""
    from timbrespace.training.train import train

    train("synthetic:drums", folder / "drums.safetensors", epochs=3, device="cpu")
    return folder / "drums.safetensors"


def first_sample(file: Path) -> int:
    """Blocks from a note to its first sample that is not 0."""
    with Engine(file, sample_rate=RATE) as engine:
        engine.render(BLOCK)
        engine.note_on(36, 127)
        for block in range(1, 100):
            if np.abs(engine.render(BLOCK)).max() > 0:
                return block
    return 0


def control_to_sound(file: Path, *, count: int = 60) -> list[float]:
    """Milliseconds from a control to the start of the next hit, whose sound has it."""
    found = []
    with Engine(file, sample_rate=RATE) as engine:
        controls = list(engine.sounds.sources[0].controls)
        engine.go_live()
        engine.settle()
        rng = np.random.default_rng(0)
        for index in range(count):
            engine.note_on(36, 100)
            engine.render(4 * BLOCK)
            start = time.perf_counter()
            if controls:
                engine.set_control(controls[index % len(controls)], float(rng.uniform(-1.5, 1.5)))
            else:
                engine.set_axis(index % 4, float(rng.uniform(-1.5, 1.5)))
            engine.note_on(36, 100)
            while engine._bank._jobs and any(job.then for job in engine._bank._jobs.values()):
                time.sleep(0.0002)
            found.append((time.perf_counter() - start) * 1000)
            engine.settle()
    return found


def play_randomly(engine: Engine, rng: np.random.Generator, *, programs: int) -> int:
    """One random event. Returns the samples until the next one."""
    kind = int(rng.integers(12))
    if kind < 8:
        engine.note_on(int(rng.integers(35, 82)), int(rng.integers(1, 128)))
    elif kind == 8:
        engine.set_axis(int(rng.integers(3)), round(float(rng.uniform(-1.5, 1.5)), 1))
    elif kind == 9:
        engine.program(int(rng.integers(programs)))
    elif kind == 10:
        engine.set_gain(float(rng.uniform(0.5, 1.0)))
    else:
        engine.note_off(int(rng.integers(35, 82)))
        engine.sustain(bool(rng.integers(2)))
        if rng.uniform() < 0.2:
            engine.all_sound_off()
    return int(rng.integers(1, 9_600))


def clicks(file: Path, *, minutes: float) -> tuple[float, int]:
    """The largest step between samples while sines without edges are played at random, over that of as many voices; and the events."""
    rise = 0.5 - 0.5 * np.cos(np.pi * np.arange(960) / 960)

    def make(key: SoundKey) -> np.ndarray:
        tone = AMPLITUDE * np.sin(2 * np.pi * SINE * np.arange(2 * RATE) / RATE + key.pad)
        tone[: len(rise)] *= rise
        tone[-len(rise) :] *= rise[::-1]
        return tone[None].astype(np.float32)

    voice = LEVEL * AMPLITUDE * (2 * np.pi * SINE / RATE + 1 / FADE + np.pi / 2 / len(rise))  # slope of the tone and of fades
    worst, events, last = 0.0, 0, np.zeros((1, 2), np.float32)
    with Engine(file, file, sample_rate=RATE, voices=16) as engine:
        engine._make = engine._bank._make = make  # type: ignore[method-assign]
        rng, done = np.random.default_rng(1), 0
        while done < minutes * 60 * RATE:
            gap = play_randomly(engine, rng, programs=2)
            before = engine.state().voices
            audio = engine.render(gap)
            voices = max(before, engine.state().voices, 1) + 1
            # Voices that were stolen fade beside those that sound; the master moves within 5 ms.
            bound = voices * (voice + LEVEL * AMPLITUDE * 0.5 / FADE)
            worst = max(worst, float(np.abs(np.diff(np.concatenate([last, audio]), axis=0)).max()) / bound)
            last, done, events = audio[-1:], done + gap, events + 1
    return worst, events


def blocks(file: Path) -> dict[int, bool]:
    """Whether blocks of these lengths give the same samples."""

    def render(length: int) -> np.ndarray:
        rng, pieces = np.random.default_rng(2), []
        with Engine(file, sample_rate=RATE, voices=8, humanise=0.2) as engine:
            for _ in range(60):
                gap = play_randomly(engine, rng, programs=1)
                while gap:
                    pieces.append(engine.render(min(gap, length)))
                    gap -= len(pieces[-1])
        return np.concatenate(pieces)

    whole = render(100_000)
    return {length: bool(np.array_equal(render(length), whole)) for length in BLOCKS}

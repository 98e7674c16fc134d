"""Speed of an instrument, as measured here, and what "here" is: the processor, its cores, the threads of PyTorch."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

from timbrespace.contracts import TimbrespaceError
from timbrespace.evaluation.parts.budget import Budget
from timbrespace.evaluation.parts.sounds import RealSound
from timbrespace.instrument import Instrument


def machine() -> dict[str, Any]:
    """Returns the machine by its processor alone: {"processor", "cores", "threads", "system"}."""
    return {"processor": _processor(), "cores": os.cpu_count() or 1, "threads": torch.get_num_threads(), "system": platform.system()}


def measure_speed(instrument: Instrument, sounds: list[RealSound], *, budget: Budget, seed: int) -> dict[str, Any]:
    """Returns seconds for one new sound, one in a batch, one encoded and one decoded, in this warm process: medians and means of a few."""
    instrument.generate(1, seed=seed)  # the first use compiles some functions
    single = [_timed(lambda k=k: instrument.generate(1, seed=seed + k)) for k in range(1, budget.timed + 1)]
    start = time.perf_counter()
    batch = instrument.generate(4 * budget.timed, seed=seed)
    seconds = time.perf_counter() - start
    found: dict[str, Any] = {
        "one_new_seconds": median(single),
        "batch": len(batch),
        "batch_seconds_each": seconds / len(batch),
        "batch_times_real_time": sum(sound.seconds for sound in batch) / seconds,
        "encode_seconds": None,
        "decode_seconds": None,
    }
    encoding, decoding = [], []
    for sound in sounds[: budget.timed]:
        try:
            start = time.perf_counter()
            encoded = instrument.encode(sound.audio)
            middle = time.perf_counter()
            instrument.decode(encoded.z, length=encoded.length)
            encoding.append(middle - start)
            decoding.append(time.perf_counter() - middle)
        except TimbrespaceError:
            continue
    if encoding:
        found |= {"encode_seconds": median(encoding), "decode_seconds": median(decoding)}
    return found


def _timed(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _processor() -> str:
    """The name of the processor, without that of the machine."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.lower().startswith(("model name", "hardware"))]
    except OSError:
        names = []
    return " ".join(next((name for name in names if name), platform.processor() or platform.machine() or "unknown").split())

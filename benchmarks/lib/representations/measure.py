"""One row of benchmarks/representations.py, measured in a process of its own: memory, speed, errors. That script starts it:

python -m lib.representations.measure RESULTS ROW MADE_BY
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lib.page import keep
from lib.process import Memory
from lib.representations.rows import Row, all_rows, keeps_phase, recovers_phase, window_of
from lib.representations.sounds import SECONDS, load
from timbrespace.audio.distance import log_mel_error
from timbrespace.audio.stft import stft
from timbrespace.contracts import SAMPLE_RATE
from timbrespace.evaluation.reconstruction import errors, summary
from timbrespace.evaluation.rows import corpus_mean, silence
from timbrespace.parallel import Pool
from timbrespace.representation.base import Representation

WINDOWS = (512, 1024, 2048)
TAILS = 12  # sounds of each set whose level after the end is measured
_BATCH, _BACK = 32, 4  # clips of 1 s that are encoded, and decoded, for speed and memory
_REPEATS = 3
_CHUNK = 13  # sounds in a task of one core
_LEAST_SECONDS = 0.1  # of one timing
_MOST_RUNS = 20

Sets = dict[str, list[Tensor]]


def measure(row: Row, sets: Sets) -> dict[str, Any]:
    """All values of a row by name; those of a set of sounds are nested under the set's name."""
    if row.view == "control":
        ways = {"silence": silence, "mean of the set": lambda sounds: corpus_mean(sounds, sounds)}
        make = ways[row.name.partition("/")[2]]
        return {
            name: set_errors(clips, [_fit(c, o) for c, o in zip(make(clips), clips, strict=True)], name) for name, clips in sets.items()
        }
    view = row.build()
    batch = equal_clips(sets)
    with torch.no_grad():
        found: dict[str, Any] = {"values_per_second": view.values_per_second, "exact": view.exact, "searched": recovers_phase(view)}
        found |= {key: getattr(view, key) for key in ("n_fft", "hop", "bands", "parts", "method", "iterations") if hasattr(view, key)}
        found |= memory(view, batch)
        found |= speed(view, batch)
        for name, clips in sets.items():
            rebuilt = round_trip(view, clips)
            found[name] = set_errors(clips, rebuilt, name) | grid_errors(view, clips, rebuilt)
        found["tail_dbfs"] = tail(view, [clip for clips in sets.values() for clip in clips[:TAILS] if clip.shape[-1] <= 2 * SAMPLE_RATE])
    return found


def equal_clips(sets: Sets) -> Tensor:
    """The batch `(32, 1, 44100)` of all timings: one-shots, drums and notes in turn, cut or padded to 1 s."""
    pools = [clips for name, clips in sets.items() if name != "pieces"] or list(sets.values())
    clips = [pools[k % len(pools)][(k // len(pools)) % len(pools[k % len(pools)])] for k in range(_BATCH)]
    return torch.stack([functional.pad(clip[:, :SAMPLE_RATE], (0, max(0, SAMPLE_RATE - clip.shape[-1]))) for clip in clips])


def memory(view: Representation, batch: Tensor) -> dict[str, float]:
    """Peak memory in MB above the idle process, for encoding (32 clips) and decoding (4 clips), after compilation."""
    length = batch.shape[-1]
    view.decode(view.encode(batch[:1, :, :4096]), length=4096)
    found = {}
    watch = Memory()
    features = view.encode(batch)
    found["encode_mb"] = watch.grown_mb()
    watch = Memory()
    view.decode(features[:_BACK], length=length)
    found["decode_mb"] = watch.grown_mb()
    return found


def speed(view: Representation, batch: Tensor) -> dict[str, float]:
    """Real-time factors of encoding and decoding with one and with two threads; medians of three, taken in turn."""
    length = batch.shape[-1]
    features = view.encode(batch)[:_BACK]
    encode: Callable[[], object] = lambda: view.encode(batch)  # noqa: E731
    decode: Callable[[], object] = lambda: view.decode(features, length=length)  # noqa: E731
    actions = {"encode": (encode, _BATCH), "decode": (decode, _BACK)}
    spent: dict[tuple[str, int], list[float]] = {}
    before = torch.get_num_threads()
    try:
        runs = {}
        for threads in (1, 2):  # a warm-up, which also decides the number of runs
            torch.set_num_threads(threads)
            for name, (action, _) in actions.items():
                runs[name] = max(1, min(_MOST_RUNS, math.ceil(_LEAST_SECONDS / max(_seconds(action), 1e-6))))
        for _ in range(_REPEATS):
            for threads in (1, 2):
                torch.set_num_threads(threads)
                for name, (action, _) in actions.items():
                    spent.setdefault((name, threads), []).append(_seconds(action, runs[name]))
    finally:
        torch.set_num_threads(before)
    audio = length / SAMPLE_RATE
    return {f"{name}_{threads}": actions[name][1] * audio / median(times) for (name, threads), times in spent.items()}


def round_trip(view: Representation, clips: list[Tensor]) -> list[Tensor]:
    """Clips encoded and decoded, each at its own length, one on each core."""

    def one(clip: Tensor) -> Tensor:
        with torch.no_grad():
            return view.decode(view.encode(clip[None]), length=clip.shape[-1])[0]

    with Pool() as pool:
        return list(pool.map(one, clips))


def set_errors(originals: list[Tensor], decoded: list[Tensor], name: str) -> dict[str, Any]:
    """Means over the sounds of one set, the 1024-point error with its bootstrap interval."""
    pairs = [(originals[k : k + _CHUNK], decoded[k : k + _CHUNK]) for k in range(0, len(originals), _CHUNK)]
    with Pool() as pool:
        parts = list(pool.map(lambda pair: _errors(*pair, name), pairs))
    values = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
    found: dict[str, Any] = {key: summary(one, resamples=0)["mean"] for key, one in values.items()}
    middle = summary(values["log_mel_1024"])
    return found | {key: middle[key] for key in ("low", "high", "count")}


def _errors(originals: list[Tensor], decoded: list[Tensor], name: str) -> dict[str, Tensor]:
    """All measures `(count,)` of sounds; of pieces the log-mel errors only, as the others are made for one-shots."""
    found = {f"log_mel_{n}": log_mel_error(originals, decoded, seconds=SECONDS[name], n_fft=n) for n in WINDOWS}
    return found if name == "pieces" else found | errors(originals, decoded)


def grid_errors(view: Representation, originals: list[Tensor], decoded: list[Tensor]) -> dict[str, float]:
    """Mean spectral convergence in dB on the view's own grid if the phase is recovered; the least SNR in dB if it is kept."""
    if keeps_phase(view):
        return {"snr_db": min(snr_db(a, b) for a, b in zip(originals, decoded, strict=True))}
    n_fft, hop = getattr(view, "n_fft", None), getattr(view, "hop", None)

    def magnitude(audio: Tensor) -> Tensor:
        if isinstance(n_fft, int) and isinstance(hop, int) and 2 * hop <= n_fft:
            return stft(audio[None], n_fft=n_fft, hop=hop).abs()
        features = view.encode(audio[None])
        return 10 ** (features / 20) if view.decibels else features

    found = []
    for a, b in zip(originals, decoded, strict=True):
        wanted = magnitude(a)
        found.append(20 * math.log10(max(float((magnitude(b) - wanted).norm() / wanted.norm().clamp_min(1e-12)), 1e-12)))
    return {"convergence_db": sum(found) / len(found)}


def tail(view: Representation, clips: list[Tensor]) -> float | None:
    """Loudest sample in dBFS later than one window after the end of a sound that is followed by digital silence."""
    window = window_of(view)
    silence = window + SAMPLE_RATE // 4
    padded = [functional.pad(clip, (0, silence)) for clip in clips]
    peaks = [float(copy[:, clip.shape[-1] + window :].abs().max()) for clip, copy in zip(clips, round_trip(view, padded), strict=True)]
    return 20 * math.log10(max(*peaks, 1e-15, 0.0)) if peaks else None


def snr_db(wanted: Tensor, found: Tensor) -> float:
    """Signal-to-error ratio in dB; 300 if there is no error."""
    error = (wanted.double() - found.double()).square().sum()
    return float(10 * torch.log10((wanted.double().square().sum() / error.clamp_min(1e-300)).clamp(1e-30, 1e30)))


def _fit(copy: Tensor, original: Tensor) -> Tensor:
    time_ = original.shape[-1]
    return functional.pad(copy[:, :time_], (0, max(0, time_ - copy.shape[-1])))


def _seconds(action: Callable[[], object], runs: int = 1) -> float:
    start = time.perf_counter()
    for _ in range(runs):
        action()
    return (time.perf_counter() - start) / runs


def main(results: Path, name: str, made_by: str) -> None:
    """Measures the row and writes its file."""
    row = next(row for row in all_rows() if row.name == name)
    torch.set_num_threads(1)
    keep(results / row.file, name, made_by, lambda: measure(row, load(results)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])

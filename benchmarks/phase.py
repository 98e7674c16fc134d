#!/usr/bin/env python
"""How close and how fast are the methods that recover phase, on recorded sounds, beside librosa's Griffin-Lim in the same run?

    python benchmarks/phase.py FOLDER [FOLDER …] [--clips 10] [--hops 256 128] [--sweep]
    python benchmarks/phase.py FOLDER [FOLDER …] --bands [161] [--floor 80] [--clips 60]

Prints Markdown tables; the page of representations (docs/benchmarks/representations.md) has the results for all views. Without --bands:
exact STFT magnitudes to audio, and real-time PGHI in blocks. With it: the `bands` view to audio by each method, with the log-mel error by
three windows (hop a quarter) and the loudest sample one window after the end of a sound that is followed by silence. One thread;
processor time.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and Torch are loaded

import torch
from torch import Tensor
from torch.nn import functional

from lib.page import stamp, table
from lib.process import say
from timbrespace.audio.distance import attack_error_ms, grain_error, log_mel_error, noisy_share, sound_error
from timbrespace.audio.files import find_audio, read
from timbrespace.audio.stft import stft
from timbrespace.contracts import SAMPLE_RATE, TimbrespaceError
from timbrespace.representation.phase.recover import METHODS, griffin_lim, recover_phase
from timbrespace.representation.phase.rtpghi import stream_phase
from timbrespace.representation.phase.streaming import MagnitudeStream, stream_audio
from timbrespace.representation.views.bands import Bands

SECONDS = 1.5
GRIDS = (512, 1024, 2048)
LIBRARY = "librosa Griffin-Lim 32"
Way = Callable[[Tensor, int, int, int], Tensor]  # magnitude (bins, frames), n_fft, hop, length -> audio (length,)


def ways(*, sweep: bool) -> dict[str, Way]:
    """All measured methods from exact magnitudes to audio, by name."""
    found: dict[str, Way] = {LIBRARY: _librosa}
    for method in METHODS:
        found |= _way(method, METHODS[method].iterations, METHODS[method].momentum)
    found |= {"real-time PGHI, looking one frame ahead": _stream(True), "real-time PGHI, causal": _stream(False)}
    for iterations in (8, 16, 64, 100) if sweep else (16,):
        found |= _way("pghi+griffin-lim", iterations, 0.9) | _way("pghi+raar", iterations, 0.9)
    for momentum in (0.7, 0.95, 0.99) if sweep else ():
        found |= _way("pghi+griffin-lim", 32, momentum)
    if sweep:
        found |= _way("fast-griffin-lim", 100, 0.99)
    return found


def _way(method: str, iterations: int, momentum: float) -> dict[str, Way]:
    def run(magnitude: Tensor, n_fft: int, hop: int, length: int) -> Tensor:
        return recover_phase(magnitude, n_fft=n_fft, hop=hop, length=length, method=method, iterations=iterations, momentum=momentum)

    detail = f" {iterations}" + (f", momentum {momentum:g}" if momentum else "") if iterations else ""
    return {method + detail: run}


def _stream(look_ahead: bool) -> Way:
    def run(magnitude: Tensor, n_fft: int, hop: int, length: int) -> Tensor:
        phase = stream_phase(magnitude, n_fft=n_fft, hop=hop, look_ahead=look_ahead)
        return griffin_lim(magnitude, n_fft=n_fft, hop=hop, length=length, iterations=0, phase=phase)

    return run


def _librosa(magnitude: Tensor, n_fft: int, hop: int, length: int) -> Tensor:
    import librosa

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa warns about sounds shorter than a window
        options: dict[str, Any] = {"n_iter": 32, "momentum": 0.0, "n_fft": n_fft, "hop_length": hop, "length": length, "random_state": 0}
        return torch.from_numpy(librosa.griffinlim(magnitude.numpy(), pad_mode="constant", **options))


def clips(folder: Path, *, count: int, seed: int = 0) -> Iterator[Tensor]:
    """`count` sounds of a folder, mono `(time,)`, cut to 1.5 s; silent and unreadable ones are skipped."""
    files = find_audio(folder)
    for index in torch.randperm(len(files), generator=torch.Generator().manual_seed(seed)).tolist():
        if count == 0:
            return
        try:
            audio = read(files[index], sample_rate=SAMPLE_RATE, channels=1)[0][0, : int(SECONDS * SAMPLE_RATE)].contiguous()
        except TimbrespaceError as error:
            say(str(error))
            continue
        if float(audio.abs().amax() if len(audio) else 0) > 1e-4:
            count -= 1
            yield audio


def convergence(magnitude: Tensor, audio: Tensor, *, n_fft: int, hop: int) -> float:
    """Spectral convergence in dB: norm of the error of the magnitudes over their norm."""
    error = stft(audio[None, None], n_fft=n_fft, hop=hop)[0, 0].abs() - magnitude
    return float(20 * torch.log10(error.norm() / magnitude.norm()))


def exact(sets: dict[str, list[Tensor]], *, n_fft: int, hop: int, sweep: bool) -> str:
    """The table of exact magnitudes to audio."""
    rows = []
    for name, way in ways(sweep=sweep).items():
        way(torch.rand(n_fft // 2 + 1, 9), n_fft, hop, 8 * hop)  # compiles
        cells, spent, count = [], 0.0, 0
        for sounds in sets.values():
            close, rebuilt = [], []
            for audio in sounds:
                magnitude = stft(audio[None, None], n_fft=n_fft, hop=hop)[0, 0].abs()
                start = time.process_time()
                rebuilt.append(way(magnitude, n_fft, hop, len(audio)))
                spent, count = spent + time.process_time() - start, count + 1
                close.append(convergence(magnitude, rebuilt[-1], n_fft=n_fft, hop=hop))
            mel = log_mel_error([one[None] for one in sounds], [one[None] for one in rebuilt])
            cells += [f"{sum(close) / len(close):.1f}", f"{float(mel.mean()):.2f}"]
        rows.append([name, *cells, f"{1000 * spent / count:.0f}"])
    head = [f"redundancy {n_fft // hop} ({n_fft}/{hop})", *_heads(sets, ("convergence (dB)", "log-mel error (dB)")), "ms a sound"]
    return table(head, rows)


def from_bands(sets: dict[str, list[Tensor]], *, hop: int, bands: int, floor: float, sweep: bool) -> str:
    """The table of the inversion of the `bands` view."""
    rows = []
    for name, back in _ways_from_bands(hop=hop, bands=bands, floor=floor, sweep=sweep).items():
        back(torch.rand(3_000))  # compiles
        cells, spent, count = [], 0.0, 0
        for sounds in sets.values():
            start = time.process_time()
            rebuilt = [back(audio)[None] for audio in sounds]
            spent, count = spent + time.process_time() - start, count + len(sounds)
            originals = [one[None] for one in sounds]
            cells += [f"{float(log_mel_error(originals, rebuilt, n_fft=n_fft).mean()):.2f}" for n_fft in GRIDS]
            noisy, grain = noisy_share(originals) > 0, grain_error(originals, rebuilt)
            after = max(float(back(functional.pad(one, (0, 22_050)))[len(one) + 1024 :].abs().max()) for one in sounds)
            cells += [
                f"{float(sound_error(originals, rebuilt).mean()):.2f}",
                f"{float(attack_error_ms(originals, rebuilt).mean()):.2f}",
                f"{float(grain[noisy].mean()):.2f}",
                f"{20 * math.log10(after):.0f}" if after else "silent",
            ]
        rows.append([name, *cells, f"{1000 * spent / count:.0f}"])
    what = (*(f"log-mel error by {n_fft} (dB)" for n_fft in GRIDS), "sound error (dB)", "attack (ms)", "grain (dB)", "after the end (dBFS)")
    return table([f"{bands} bands, hop {hop}, floor {floor:g} dB", *_heads(sets, what), "ms a sound, encode and decode"], rows)


def _ways_from_bands(*, hop: int, bands: int, floor: float, sweep: bool) -> dict[str, Callable[[Tensor], Tensor]]:
    """Functions that encode and decode audio `(time,)` in the view, by name of the method."""

    def view(**options: Any) -> Callable[[Tensor], Tensor]:
        one = Bands(hop=hop, bands=bands, floor=floor, **options)
        return lambda audio: one.decode(one.encode(audio[None, None]), length=len(audio))[0, 0]

    def stream(audio: Tensor) -> Tensor:
        one = Bands(hop=hop, bands=bands, floor=floor)
        level = one.encode(audio[None, None])[0, 0]
        spread = partial(one.magnitude, loudest=level.max())
        return stream_audio(level, n_fft=one.n_fft, hop=hop, length=len(audio), spread=spread)

    found = {f"{method} 32": view(method=method) for method in METHODS if METHODS[method].iterations}
    found |= {f"pghi+raar {count}": view(iterations=count) for count in ((16, 64, 128, 256) if sweep else (64, 128))}
    return found | {"pghi+raar 32, refine 50": view(refine=50), "real-time PGHI": stream}


def blocks(sets: dict[str, list[Tensor]], *, n_fft: int, hop: int) -> str:
    """The table of `MagnitudeStream`, one frame for each push: processor time of a block and the time that it lasts."""
    rows, budget = [], 1000 * hop / SAMPLE_RATE
    for look_ahead in (True, False):
        spent = []
        for audio in (audio for sounds in sets.values() for audio in sounds):
            stream = MagnitudeStream(n_fft=n_fft, hop=hop, look_ahead=look_ahead)
            magnitude = stft(audio[None, None], n_fft=n_fft, hop=hop)[0, 0].abs()
            for frame in magnitude.split(1, dim=1):
                start = time.thread_time()
                stream.push(frame)
                spent.append(1000 * (time.thread_time() - start))
        spent = sorted(spent[1:])  # the first compiles
        mean, late = sum(spent) / len(spent), spent[int(0.99 * len(spent))]
        row = ["looking one frame ahead" if look_ahead else "causal", f"{stream.latency} ({1000 * stream.latency / SAMPLE_RATE:.1f} ms)"]
        rows.append([*row, f"{mean:.2f}", f"{late:.2f}", f"{budget:.2f}", f"{budget / mean:.0f}"])
    head = [f"real-time PGHI, {n_fft}/{hop}", "latency", "ms a block", "99 % under", "block lasts", "× real time"]
    return table(head, rows)


def _heads(sets: dict[str, list[Tensor]], what: tuple[str, ...]) -> list[str]:
    return [f"{name}: {one}" for name in sets for one in what]


def main() -> None:
    """Parses the command line and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="sounds; each folder has its own columns")
    parser.add_argument("--clips", type=int, default=10, help="sounds a folder, drawn by a fixed seed (default: %(default)s)")
    parser.add_argument("--n-fft", type=int, default=1024, help="window in samples, without --bands (default: %(default)s)")
    parser.add_argument(
        "--hops", type=int, nargs="+", default=[256, 128], help="samples between frames (default: 256 128; --bands: the first)"
    )
    parser.add_argument("--bands", type=int, nargs="?", const=161, help="measure the inversion of that many bands (161) instead")
    parser.add_argument("--floor", type=float, default=80.0, help="of the bands, dB under the loudest cell (default: %(default)g)")
    parser.add_argument("--sweep", action="store_true", help="more iteration counts and momenta")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    missing = [str(folder) for folder in arguments.folders if not folder.is_dir()]
    if missing:
        sys.exit(f"not a folder: {', '.join(missing)}; name folders of sound files")
    sets = {folder.resolve().name: list(clips(folder, count=arguments.clips)) for folder in arguments.folders}
    empty = [name for name, sounds in sets.items() if not sounds]
    if empty:
        sys.exit(f"no usable sound in {', '.join(empty)}; name folders of sound files")
    more = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("librosa", "numba"))
    counts = ", ".join(f"{len(sounds)} sounds of {name}" for name, sounds in sets.items())
    words = " ".join(sys.argv[1:])
    for folder in arguments.folders:  # private folders are not named
        words = words.replace(str(folder), folder.resolve().name)
    print(f"{stamp(f'python benchmarks/phase.py {words}')} {more}; {counts}, {SECONDS} s at most.\n")
    for hop in arguments.hops if not arguments.bands else arguments.hops[:1]:
        say(f"hop {hop}")
        if arguments.bands:
            options = {"hop": hop, "bands": arguments.bands, "floor": arguments.floor, "sweep": arguments.sweep}
            print(from_bands(sets, **options), end="\n\n", flush=True)
        else:
            print(exact(sets, n_fft=arguments.n_fft, hop=hop, sweep=arguments.sweep), end="\n\n", flush=True)
            print(blocks(sets, n_fft=arguments.n_fft, hop=hop), end="\n\n", flush=True)


if __name__ == "__main__":
    main()

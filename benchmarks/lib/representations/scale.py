"""Whole corpora, for benchmarks/representations.py; each part in a process of its own. That script starts it:

    python -m lib.representations.scale RESULTS exact|clips|memory MADE_BY AMOUNT

exact: the exact views at edges of windows and at random lengths. clips: AMOUNT synthetic drums, prepared and encoded.
memory: AMOUNT gigabytes of clips, prepared and encoded as a stream; the peak beside that of a half and a quarter.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lib.page import keep
from lib.process import Memory, anonymous_mb, say, status_bytes
from lib.representations.measure import snr_db
from timbrespace.audio.files import write
from timbrespace.config.build import build_representation
from timbrespace.contracts import SAMPLE_RATE
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.corpus.synthetic.registry import synthetic_clips
from timbrespace.parallel import Pool
from timbrespace.representation.registry import REPRESENTATIONS

PARTS = ("exact", "clips", "memory")
EDGES = (1, 2, 3, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 2047, 2048, 2049, 4095, 4096, 4097, 5121, 44_100)
RANDOM, _LONGEST = 200, 20_000  # random lengths, samples at most
_FILE_SECONDS, _SEGMENT_SECONDS = 60, 2.0
_BATCH = 16
ALLOWED_MB = 400  # of data above the idle process, for every size of the corpus
_STREAM_SECONDS = 1_800  # a stream is given up after that


def exact(amount: float) -> dict[str, Any]:
    """Least SNR in dB of every exact view over EDGES and random lengths, mono and stereo noise, and the length where it occurs."""
    rng = np.random.default_rng(0)
    lengths = [*EDGES, *rng.integers(1, _LONGEST, size=int(amount)).tolist()]
    noise = 0.3 * torch.randn(1, 2, max(lengths), generator=torch.Generator().manual_seed(0))
    found = {}
    for name, kind in REPRESENTATIONS.items():
        if not kind.exact:
            continue
        least = (math.inf, 0, 0)
        for channels in (1, 2):
            view = build_representation({"name": name}, sample_rate=SAMPLE_RATE, channels=channels)
            for length in lengths:
                audio = noise[:, :channels, :length]
                least = min(least, (snr_db(audio, view.decode(view.encode(audio), length=length)), length, channels))
        found[name] = {"snr_db": least[0], "length": least[1], "channels": least[2]}
    return {"lengths": len(lengths), "views": found}


def clips(amount: float) -> dict[str, Any]:
    """Seconds to prepare and to encode `amount` WAV files of synthetic drums on all cores; files are in the system's cache."""
    with tempfile.TemporaryDirectory() as place:
        folder, out = Path(place) / "sounds", Path(place) / "corpus"
        for sound in synthetic_clips("drums", count=int(amount), seed=1):
            path = folder / f"{sound.name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, sound.audio, SAMPLE_RATE, subtype="PCM_16")
        watch, start = Memory(), time.perf_counter()
        corpus = prepare(folder, out)
        middle = time.perf_counter()
        view = build_representation({"name": "bands"}, sample_rate=SAMPLE_RATE, channels=1)

        def features(index: int, corpus: Corpus = corpus) -> bytes:
            with torch.no_grad():
                return view.encode(corpus.audio(index)[None]).half().numpy().tobytes()

        with Pool() as pool, (Path(place) / "features.f16").open("wb") as file:
            for one in pool.map(features, range(len(corpus))):
                file.write(one)
            written = file.tell()
        end = time.perf_counter()
        seconds = sum(corpus.samples(k) for k in range(len(corpus))) / SAMPLE_RATE
        del corpus, features  # Windows removes no file that is mapped
    return {
        "files": int(amount),
        "audio_s": seconds,
        "prepare_s": middle - start,
        "encode_s": end - middle,
        "peak_mb": watch.peak_mb(),
        "features_mb": written / 1e6,
        "cores": os.cpu_count(),
    }


def memory(amount: float) -> dict[str, Any]:
    """`amount` GB of clips (float32, as a corpus holds them), a half and a quarter: peaks of one process each under one limit."""
    rng = np.random.default_rng(0)
    drums = [sound.audio[0].numpy() for sound in synthetic_clips("drums", count=60, seed=2)]
    files = max(4, round(amount * 1e9 / (4 * SAMPLE_RATE * _FILE_SECONDS)))
    runs = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "sounds"
        folder.mkdir()
        for share in (0.25, 0.5, 1.0):
            made = round(share * files)
            for number in range(len(list(folder.iterdir())), made):
                write(folder / f"sequence {number:05d}.wav", sequence(drums, rng), SAMPLE_RATE, subtype="PCM_16")
            say(f"{made} minutes prepared and encoded as a stream, {ALLOWED_MB} MB allowed")
            command = [sys.executable, "-m", "lib.representations.scale", "--stream", str(folder), str(Path(place) / "corpus")]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_STREAM_SECONDS)
            if done.returncode:
                raise RuntimeError(f"the stream over {made} files ended with {done.returncode}: {done.stderr.strip()[-500:]}")
            runs.append(json.loads(done.stdout))
    return {"runs": runs}


def sequence(drums: list[np.ndarray], rng: np.random.Generator) -> torch.Tensor:
    """A minute of drums on quiet noise, `(1, time)`; every call gives another."""
    audio = (0.003 * rng.standard_normal(_FILE_SECONDS * SAMPLE_RATE, dtype=np.float32))[: _FILE_SECONDS * SAMPLE_RATE]
    for _ in range(_FILE_SECONDS * 4):
        drum = drums[rng.integers(len(drums))]
        start = int(rng.integers(len(audio) - len(drum)))
        audio[start : start + len(drum)] += float(rng.uniform(0.1, 0.5)) * drum
    return torch.from_numpy(audio / np.abs(audio).max() * np.float32(0.9))[None]


def stream(folder: Path, out: Path) -> dict[str, Any]:
    """Prepares and encodes batch by batch in this process. Where the system can, it limits the process to ALLOWED_MB more."""
    peak, ended = [0.0], threading.Event()

    def look() -> None:
        while not ended.wait(0.02):
            peak[0] = max(peak[0], anonymous_mb())

    view = build_representation({"name": "bands"}, sample_rate=SAMPLE_RATE, channels=1)
    view.encode(torch.zeros(2, 1, SAMPLE_RATE))
    watch = Memory()
    limited, start = _limit(ALLOWED_MB), time.perf_counter()
    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    prepare(folder, out, cut="segments", segment_seconds=_SEGMENT_SECONDS, force=True)
    middle, prepared_mb = time.perf_counter(), watch.peak_mb()
    corpus = Corpus.open(out)
    values = 0
    with torch.no_grad():
        for first in range(0, len(corpus), _BATCH):
            batch = range(first, min(first + _BATCH, len(corpus)))
            audio, lengths = corpus.batch(batch, samples=round(1.05 * _SEGMENT_SECONDS * SAMPLE_RATE))
            values += view.encode(audio, lengths=lengths).numel()
    end = time.perf_counter()
    ended.set()
    watcher.join()
    samples = sum(corpus.samples(k) for k in range(len(corpus)))
    return {
        "corpus_mb": samples * 4 / 1e6,
        "clips": len(corpus),
        "features_mb": values * 4 / 1e6,
        "prepare_s": middle - start,
        "encode_s": end - middle,
        "audio_s": samples / SAMPLE_RATE,
        "anonymous_mb": peak[0],
        "prepare_peak_mb": prepared_mb,
        "peak_mb": watch.peak_mb(),
        "before_mb": watch.before,
        "limited": limited,
        "allowed_mb": ALLOWED_MB,
    }


def _limit(megabytes: int) -> bool:
    """Limits the data of this process to so much more than now. Returns False if the system cannot."""
    held = status_bytes("VmData")
    if not held:
        return False
    import resource  # exists wherever /proc/self/status does

    most = held + megabytes * 1_000_000
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    return True


def main(arguments: list[str]) -> None:
    """Measures one part and writes its file; with --stream, measures one stream and prints the values."""
    if arguments[0] == "--stream":
        print(json.dumps(stream(Path(arguments[1]), Path(arguments[2]))))
        return
    results, part, made_by, amount = Path(arguments[0]), arguments[1], arguments[2], float(arguments[3])
    if part == "exact":
        torch.set_num_threads(1)
    keep(
        results / f"scale--{part}.json", f"scale/{part}", made_by, lambda: {"exact": exact, "clips": clips, "memory": memory}[part](amount)
    )


if __name__ == "__main__":
    main(sys.argv[1:])

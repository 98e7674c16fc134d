"""The recorded sounds of benchmarks/representations.py, read once and stored in one file that every row loads."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lib.process import say
from timbrespace.audio.files import find_audio, read
from timbrespace.audio.trim import Segment, make_clip, shorten
from timbrespace.contracts import SAMPLE_RATE, TimbrespaceError

SETS = ("drums", "notes", "pieces")
SECONDS = {"drums": 1.5, "notes": 1.5, "pieces": 10.0}  # at most, as in the log-mel error
STORED = "sounds.npz"


def collect(folder: Path, *, sounds: int, pieces: int, seed: int = 0) -> dict[str, list[Tensor]]:
    """Random clips `(1, time)` of each set, as `prepare` makes them: mono, 44.1 kHz, trimmed, peak -1 dB; longer ones cut with a fade.

    folder: holds drums, notes and pieces (see real_audio.py); a missing set is left out. Unreadable files are skipped.
    """
    found = {}
    for name in SETS:
        if (folder / name).is_dir():
            say(f"reading {name}")
            clips = _clips(folder / name, count=pieces if name == "pieces" else sounds, seconds=SECONDS[name], seed=seed)
            if clips:
                found[name] = clips
    return found


def _clips(folder: Path, *, count: int, seconds: float, seed: int) -> list[Tensor]:
    files, clips = find_audio(folder), list[Tensor]()
    for index in torch.randperm(len(files), generator=torch.Generator().manual_seed(seed)).tolist():
        if len(clips) == count:
            break
        try:
            audio = read(files[index], sample_rate=SAMPLE_RATE, channels=1)[0].numpy()
        except TimbrespaceError as error:
            say(str(error))
            continue
        made = make_clip(audio, Segment(0, audio.shape[1]), SAMPLE_RATE)
        if made is not None:
            clips.append(torch.from_numpy(shorten(made[0], round(seconds * SAMPLE_RATE), SAMPLE_RATE).copy()))
    return clips


def store(sets: dict[str, list[Tensor]], folder: Path) -> str:
    """Writes the sets beside the results; returns what tells them from others."""
    arrays = {f"{name} {k:04d}": clip.numpy() for name, clips in sets.items() for k, clip in enumerate(clips)}
    digest = hashlib.sha256(b"".join(key.encode() + arrays[key].tobytes() for key in sorted(arrays))).hexdigest()[:16]
    partial = folder / f".{STORED}.part"
    with partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    partial.replace(folder / STORED)
    return digest


def load(folder: Path) -> dict[str, list[Tensor]]:
    """The sets that `store` wrote."""
    sets: dict[str, list[Tensor]] = {}
    with np.load(folder / STORED, allow_pickle=False) as arrays:
        for key in sorted(arrays.files):
            sets.setdefault(key.rpartition(" ")[0], []).append(torch.from_numpy(arrays[key]))
    return {name: sets[name] for name in SETS if name in sets}

"""A tiny corpus and a tiny instrument, trained in seconds, that many tests share."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors import safe_open

from timbrespace.audio.files import write
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.corpus.synthetic.drum_kit import synthetic_drum
from timbrespace.corpus.synthetic.registry import synthetic_clips
from timbrespace.evaluation import card
from timbrespace.instrument import Instrument
from timbrespace.space.controls import axes, fit
from timbrespace.training import run
from timbrespace.training import train as training
from timbrespace.training.calibration import Cost
from timbrespace.training.callbacks import Progress, TrainingCallbacks
from timbrespace.training.data import detail

RATE = 44_100
SMALL = (
    "model.dims=6",
    "model.coefficients=40",
    "model.width=32",
    "model.depth=1",
    "training.batch=32",
    "training.examples=192",
    "training.synthesised=4",
)

_FAST = ("representation.iterations=2", "training.batch=8")
# Presets of time-varying latents -> settings that make them small.
NARROW = {
    "spectra": (*_FAST, "representation.bands=200", "model.encoder=[16]", "model.decoder=[16]", "model.dims=4"),
    "spectra-bernoulli": (*_FAST, "representation.bands=200", "model.encoder=[16]", "model.decoder=[16]", "model.dims=4"),
    "spectra-mdct": ("training.batch=8", "representation.bands=64", "model.encoder=[16]", "model.decoder=[16]", "model.dims=4"),
    "sequence": (*_FAST, "representation.bands=40", "model.width=8", "model.crop=16", "model.dims=4", "training.variations=1"),
}


def drum(index: int, *, seed: int = 0, seconds: float = 0.25) -> torch.Tensor:
    """A synthetic drum `(1, time)`, at most `seconds` long."""
    audio = synthetic_drum(index, seed=seed).audio[:, : round(seconds * RATE)].clone()
    audio[:, -200:] *= torch.linspace(1, 0, 200)
    return audio


def write_drums(folder: Path, count: int, *, seed: int = 0, seconds: float = 0.25, channels: int = 1) -> Path:
    """Writes `count` WAV files, one folder per kind of drum; in stereo the right channel is later and softer. Returns the folder."""
    for index in range(count):
        clip = synthetic_drum(index, seed=seed)
        audio = drum(index, seed=seed, seconds=seconds).numpy()
        if channels == 2:
            audio = np.concatenate([audio, 0.5 * np.roll(audio, 40, axis=1)])
        path = folder / f"{clip.name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, audio.T, RATE, subtype="PCM_16")
    return folder


@dataclass(frozen=True)
class Tiny:
    """A folder of sounds, the corpus made from it, and the file of the instrument trained on that corpus."""

    folder: Path
    corpus: Path
    file: Path

    @property
    def sound(self) -> Path:
        """The path of a kick."""
        return self.folder / "kick" / "kick 001.wav"

    @property
    def other(self) -> Path:
        """The path of a snare."""
        return self.folder / "snare" / "snare 001.wav"


def quick_finish(monkeypatch: pytest.MonkeyPatch, *, sounds: int = 3) -> None:
    """Shortens the end of a training: a card of few sounds, controls and detail from few points. Their own tests have all."""
    monkeypatch.setattr(card, "_SOUNDS", sounds)
    for name, count in {"_SLOPED": 24, "_TRIED": 2, "_CORRECTIONS": 2, "_DECODED": 96, "_DECODED_AUDIO": 24, "_DRAWN": 48}.items():
        monkeypatch.setattr(fit, name, count)
    monkeypatch.setattr(axes, "_COMPARED", 2)
    for name, count in {"NEW": 40, "RENDERED": 8, "ALL": 8, "EACH": 4}.items():
        monkeypatch.setattr(detail, name, count)


def fix_plan(monkeypatch: pytest.MonkeyPatch, *, variations: int = 2, step_seconds: float = 0.01, thorough: bool = False) -> None:
    """Makes training independent of the clock: `variations` per clip, minutes * 60 / step_seconds steps. thorough: no quick finish."""
    if thorough:
        monkeypatch.setattr(card, "_SOUNDS", 3)
    else:
        quick_finish(monkeypatch)
    monkeypatch.setattr(run, "affordable_variations", lambda *_, **__: variations)
    monkeypatch.setattr(run, "affordable_synthesised", lambda sounds, *_, **__: min(4, len(sounds.clips)))
    monkeypatch.setattr(run, "measure_cost", lambda *_, **__: Cost(step_seconds, 0.0))
    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: 1000.0, perf_counter=time.perf_counter))


def quick_train(source: Path | Corpus, out: Path, *, steps_minutes: float = 0.0125, **more: Any) -> Instrument:
    """Trains the small model of `SMALL` and returns the instrument."""
    options: dict[str, Any] = {"changes": SMALL, "device": "cpu", **more}
    return training.train(source, out, minutes=steps_minutes, **options)


def make_tiny(folder: Path, *, count: int = 24, channels: int = 1) -> Tiny:
    """Writes drums, prepares a corpus and trains; the result does not depend on the load of the machine."""
    sounds = write_drums(folder / "sounds", count, channels=channels)
    prepare(sounds, folder / "corpus", channels=channels)
    with pytest.MonkeyPatch.context() as patch:
        fix_plan(patch, thorough=True)
        quick_train(Corpus.open(folder / "corpus"), folder / "tiny.safetensors")
    return tiny_in(folder)


def tiny_in(folder: Path) -> Tiny:
    """What `make_tiny` has made in a folder."""
    return Tiny(folder / "sounds", folder / "corpus", folder / "tiny.safetensors")


def make_notes(folder: Path) -> Instrument:
    """Writes forty synthetic notes to `folder / "sounds"` and trains `folder / "notes.safetensors"` on them."""
    for clip in synthetic_clips("synthetic:notes", count=40):
        write(folder / "sounds" / f"{clip.name}.wav", clip.audio, RATE)
    changes = ("synthesised=1", "examples=64", "variations=1", "batch=16")
    changes = (*(f"training.{change}" for change in changes), "model.dims=6", "model.coefficients=24")
    with pytest.MonkeyPatch.context() as patch:
        quick_finish(patch)
        return training.train(folder / "sounds", folder / "notes.safetensors", epochs=2, changes=changes, seed=1, device="cpu")


def tensors_of(path: Path) -> dict[str, torch.Tensor]:
    """Returns all tensors of a safetensors file by name."""
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def assert_same_tensors(one: Path, other: Path) -> None:
    """Asserts that two safetensors files have the same tensors, bit for bit."""
    a, b = tensors_of(one), tensors_of(other)
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def hashes(folder: Path) -> dict[str, str]:
    """Returns relative path -> SHA-256 of every file below a folder."""
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def interrupt_at(stage: str, done: int = 0) -> TrainingCallbacks:
    """Callbacks that press Ctrl-C when a stage has come so far."""

    def on_progress(progress: Progress) -> None:
        if progress.stage == stage and progress.done >= done:
            raise KeyboardInterrupt

    return TrainingCallbacks(on_progress=on_progress)

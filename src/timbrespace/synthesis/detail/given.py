"""Sounds that a user gives: samples as read, the file they are from, and the latent of its recipe where timbrespace made it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from timbrespace.audio.files import read as read_audio
from timbrespace.audio.files import resample, sha256_of
from timbrespace.contracts import ConfigError
from timbrespace.corpus.labels.names import pitch_and_velocity
from timbrespace.model.base import Model
from timbrespace.synthesis import sequences
from timbrespace.synthesis.file.contents import InstrumentContents

_LARGEST_RECIPE = 1 << 24  # bytes
_FINGERPRINTS: WeakKeyDictionary[Model, str] = WeakKeyDictionary()


@dataclass(frozen=True)
class GivenSound:
    """A sound that a user gave.

    audio: `(channels, time)` at the instrument's rate and channels, otherwise as read: with its level, offset and silence. sha256: of the
    file, or of the samples where there is none. file: its name without a folder; None where it is unknown or not to be named.
    latent: of the recipe beside the file; None where there is none. velocity: that the file's name says, 1 to 127; None without.
    """

    audio: Tensor
    sha256: str
    file: str | None = None
    latent: Tensor | None = None
    velocity: int | None = None

    @property
    def stem(self) -> str:
        """The name without suffix, "sound" where it is not named."""
        return "sound" if self.file is None else Path(self.file).stem


def given_sound(contents: InstrumentContents, sound: GivenSound | Tensor | Path | str, *, named: bool = True) -> GivenSound:
    """Returns a sound as given: a file, or samples `(channels, time)` at the instrument's rate.

    named: keep the name of the file. Raises AudioFileError.
    """
    if isinstance(sound, GivenSound):
        return sound
    if isinstance(sound, str | Path):
        return read_given(contents, Path(sound), named=named)
    digest = hashlib.sha256(sound.detach().cpu().float().contiguous().numpy().tobytes()) if isinstance(sound, Tensor) else hashlib.sha256()
    return GivenSound(sound, digest.hexdigest())


def read_given(contents: InstrumentContents, path: Path, *, named: bool = True) -> GivenSound:
    """Returns the sound in a file, with every sample as read where the file has the instrument's rate. Raises AudioFileError."""
    audio, rate = read_audio(path, channels=contents.channels)
    digest = sha256_of(path)
    velocity = pitch_and_velocity(path.stem, is_drum="pitch" not in contents.model.conditioning.names)[1]
    return GivenSound(
        resample(audio, rate, contents.sample_rate), digest, path.name if named else None, _latent_beside(contents, path, digest), velocity
    )


def fingerprint(contents: InstrumentContents) -> str:
    """Returns a digest of a model's tensors, which tells whether a latent is of this model; the same for a stripped file."""
    model = contents.model
    if model not in _FINGERPRINTS:
        digest = hashlib.sha256()
        for name, tensor in sorted(model.state_dict().items()):
            digest.update(name.encode())
            digest.update(memoryview(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()))
        _FINGERPRINTS[model] = digest.hexdigest()[:16]
    return _FINGERPRINTS[model]


def _latent_beside(contents: InstrumentContents, path: Path, digest: str) -> Tensor | None:
    """The latent of the recipe beside a WAV; None unless it is of this very file and of this model."""
    recipe = path.with_suffix(".json")
    try:
        if not recipe.is_file() or recipe.stat().st_size > _LARGEST_RECIPE:
            return None
        values = json.loads(recipe.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or values.get("timbrespace") != "recipe" or values.get("sha256") != digest:
            return None
        return latent_from(contents, values["latent"]) if values.get("instrument") == fingerprint(contents) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, ConfigError):
        return None  # any other JSON file


def latent_to(contents: InstrumentContents, z: Tensor) -> list[Any]:
    """Returns a latent `(dims,)` or `(dims, steps)` as plain JSON values."""
    return sequences.path_to_text(z) if contents.model.time_varying else [float(value) for value in z]


def latent_from(contents: InstrumentContents, values: Any) -> Tensor:
    """Returns the latent `(dims,)` or `(dims, steps)` of `latent_to`. Raises ValueError, TypeError, ConfigError for anything else."""
    if contents.model.time_varying:
        z = sequences.path_from_text(values)
    else:
        z = torch.tensor([float(value) for value in values], dtype=torch.float32)
    if len(z) != contents.model.dims or not z.numel() or not torch.isfinite(z).all():
        raise ConfigError(f"the recipe does not fit this instrument: {len(z)} latent values, {contents.model.dims} expected")
    return z

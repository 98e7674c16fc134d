"""The file of voices: one `.safetensors` with the model and a JSON header. Nothing in it is executed; it holds no audio."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from timbrespace import __version__
from timbrespace.atomic import write_bytes
from timbrespace.contracts import InstrumentFileError
from timbrespace.synthesis.file.layout import KEY, VOICES_FORMAT
from timbrespace.voices.model import VoiceModel
from timbrespace.voices.training import MOST_VOICES, VoiceFacts

_VERSION = 2


@dataclass(frozen=True)
class Voices:
    """A trained model of voices. facts: of each instrument, by name. training: how it was made."""

    model: VoiceModel
    facts: dict[str, VoiceFacts]
    training: dict[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the instruments."""
        return self.model.names

    @property
    def digest(self) -> str:
        """A hash of the model's tensors, which names them in recipes."""
        return digest_of(self.model.state_dict())


def digest_of(tensors: Mapping[str, torch.Tensor]) -> str:
    """Returns a hash of named tensors."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        digest.update(name.encode() + tensors[name].contiguous().numpy().tobytes())
    return digest.hexdigest()


def write_voices(voices: Voices, path: Path, *, force: bool = False) -> Path:
    """Writes a file of voices and returns its path. Raises OutputExistsError."""
    from safetensors.torch import save

    header = {
        "format": VOICES_FORMAT, "version": _VERSION, "made_by": __version__, "names": list(voices.names), "dims": voices.model.dims,
        "places": voices.model.places.shape[1], "facts": {name: asdict(facts) for name, facts in voices.facts.items()},
        "training": voices.training,
    }  # fmt: skip
    tensors = {name: tensor.contiguous() for name, tensor in voices.model.state_dict().items()}
    write_bytes(path, save(tensors, {KEY: json.dumps(header)}), force=force)
    return path


def voices_of(path: Path, header: Mapping[str, Any], data: bytes) -> Voices:
    """Returns the voices of a file with this header and these bytes. Raises InstrumentFileError that names the fault."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    if header.get("version") != _VERSION:
        raise InstrumentFileError(
            f"{path} is of voices version {header.get('version')!r:.40}, this release reads {_VERSION}; train it again"
        )
    try:
        return _voices(header, load(data))
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, AttributeError, OverflowError) as error:
        raise InstrumentFileError(f"{path} is damaged: {str(error)[:200]}; train it again or copy it again") from None


def names_of(header: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the names of the instruments in the header of a file. Raises ValueError, KeyError, TypeError."""
    names = tuple(header["names"])
    if not 2 <= len(names) <= MOST_VOICES or not all(isinstance(name, str) and 0 < len(name) <= 60 for name in names):
        raise ValueError(f"{len(names)} names")
    return names


def _voices(header: Mapping[str, Any], tensors: dict[str, torch.Tensor]) -> Voices:
    names = names_of(header)
    dims, places = header["dims"], header["places"]
    if not (type(dims) is int and type(places) is int and 1 <= dims <= 64 and 1 <= places <= 64):
        raise ValueError(f"dims {dims!r:.20} and places {places!r:.20}")
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise ValueError("values that are not finite")
    with torch.random.fork_rng(devices=[]):
        model = VoiceModel(names, dims=dims, places=places)
    model.load_state_dict(tensors)
    facts = {name: VoiceFacts(**{**header["facts"][name], "loudness": tuple(header["facts"][name]["loudness"])}) for name in names}
    if not all(fact.lowest <= fact.highest and len(fact.loudness) == 21 for fact in facts.values()):
        raise ValueError("facts of the instruments")
    return Voices(model.eval(), facts, dict(header["training"]))

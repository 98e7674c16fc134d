"""The file of a trained design: one `.safetensors` with its tensors and a JSON header. Nothing in it is executed; it holds no audio."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from timbrespace import __version__
from timbrespace.atomic import write_bytes
from timbrespace.contracts import ConfigError, InstrumentFileError
from timbrespace.synthesis.file.layout import DESIGN_FORMAT, KEY
from timbrespace.voices.arrays.design import Design
from timbrespace.voices.arrays.designs import DESIGNS, make_design
from timbrespace.voices.arrays.sources import CEPSTRA
from timbrespace.voices.file import digest_of, names_of
from timbrespace.voices.frames import Values

_VERSION = 1
_PROFILES = "profiles"


@dataclass(frozen=True)
class ArrayFacts:
    """The recordings of an instrument: files, and their seconds."""

    files: int
    seconds: float


@dataclass(frozen=True)
class ArrayVoices:
    """A trained design. preset: its name. profiles: of the instruments, see `sources`. facts: of each. training: how it was made."""

    preset: str
    design: Design
    profiles: Values
    facts: dict[str, ArrayFacts]
    training: dict[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the instruments."""
        return self.design.names

    @property
    def digest(self) -> str:
        """A hash of the tensors, which names them in recipes."""
        return digest_of(_tensors(self))


def write_array_voices(voices: ArrayVoices, path: Path, *, force: bool = False) -> Path:
    """Writes the file of a trained design and returns its path. Raises OutputExistsError."""
    from safetensors.torch import save

    header = {
        "format": DESIGN_FORMAT, "version": _VERSION, "made_by": __version__, "design": voices.preset, "names": list(voices.names),
        "settings": dict(voices.design.settings), "facts": {name: asdict(facts) for name, facts in voices.facts.items()},
        "training": voices.training,
    }  # fmt: skip
    write_bytes(path, save(_tensors(voices), {KEY: json.dumps(header)}), force=force)
    return path


def array_voices_of(path: Path, header: Mapping[str, Any], data: bytes) -> ArrayVoices:
    """Returns the design of a file. Raises InstrumentFileError that names the fault."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    if header.get("version") != _VERSION:
        raise InstrumentFileError(
            f"{path} is of designs version {header.get('version')!r:.40}, this release reads {_VERSION}; train it again"
        )
    try:
        return _voices(header, load(data))
    except (SafetensorError, ConfigError, KeyError, TypeError, ValueError, RuntimeError, AttributeError, OverflowError) as error:
        raise InstrumentFileError(f"{path} is damaged: {str(error)[:200]}; train it again or copy it again") from None


def _tensors(voices: ArrayVoices) -> dict[str, torch.Tensor]:
    tensors = {f"design.{name}": tensor.contiguous() for name, tensor in voices.design.state_dict().items()}
    return tensors | {_PROFILES: torch.from_numpy(voices.profiles).float()}


def _voices(header: Mapping[str, Any], tensors: dict[str, torch.Tensor]) -> ArrayVoices:
    names = names_of(header)
    preset, settings = header["design"], header["settings"]
    if preset not in DESIGNS:
        raise ValueError(f"the design {preset!r:.40}, this release has {', '.join(DESIGNS)}")
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise ValueError("values that are not finite")
    profiles = tensors.pop(_PROFILES).double().numpy()
    if profiles.shape != (len(names), 2, CEPSTRA) or not bool((profiles[:, 1] > 0).all()):
        raise ValueError(f"profiles of shape {profiles.shape}")
    state = {name.removeprefix("design."): tensor for name, tensor in tensors.items()}
    with torch.device("meta"):  # settings must not ask for more memory than the file has tensors
        wanted = {name: tensor.shape for name, tensor in make_design(preset, names, settings).state_dict().items()}
    if wanted != {name: tensor.shape for name, tensor in state.items()}:
        raise ValueError("its tensors do not fit its settings")
    design = make_design(preset, names, settings)
    design.load_state_dict(state)
    facts = {name: ArrayFacts(**header["facts"][name]) for name in names}
    if not all(isinstance(one.files, int) and np.isfinite(one.seconds) for one in facts.values()):
        raise ValueError("facts of the instruments")
    return ArrayVoices(preset, design.eval(), profiles, facts, dict(header["training"]))

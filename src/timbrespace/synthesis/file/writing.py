"""Writes an instrument file: one `.safetensors`, tensors and a JSON header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save as save_tensors
from torch import Tensor

from timbrespace.atomic import write_bytes
from timbrespace.representation.normalisation import Normalised
from timbrespace.synthesis.file.bits import with_bits
from timbrespace.synthesis.file.contents import InstrumentContents, TrainingClips
from timbrespace.synthesis.file.header import checksum_of
from timbrespace.synthesis.file.layout import (
    CHECKSUM,
    CLIPS,
    CONTROLS,
    DETAIL,
    FORMAT,
    HALF_PRECISION,
    KEY,
    MODEL,
    NAME_WORDS,
    NORMALISATION,
    NOTES,
    SPACE,
    TRAJECTORIES,
    UNDEFINED,
    VERSION,
)


def write_instrument(contents: InstrumentContents, path: Path, *, force: bool = False, bits: int | None = None) -> None:
    """Writes the file, whole or not at all. bits: of the model's matrices, see `with_bits`. Raises OutputExistsError, TimbrespaceError."""
    write_bytes(path, encoded(contents, bits=bits), force=force)


def encoded(contents: InstrumentContents, *, bits: int | None = None) -> bytes:
    """Returns the bytes of the file. bits: of the model's matrices, see `with_bits`; None: as trained."""
    tensors = _tensors(contents) if bits is None else with_bits(_tensors(contents), bits)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = _header(contents)
    header[CHECKSUM] = checksum_of(json.loads(json.dumps(header, allow_nan=False)), save_tensors(tensors))  # as it will be read
    text = json.dumps(header, ensure_ascii=False, allow_nan=False)
    return save_tensors(tensors, metadata={KEY: text})


def _tensors(contents: InstrumentContents) -> dict[str, Tensor]:
    """All tensors by their names in the file."""
    space = contents.space
    tensors = {f"{MODEL}{k}": v.half() if k in HALF_PRECISION else v for k, v in contents.model.state_dict().items()}
    tensors |= {f"{SPACE}{name}": getattr(space, name) for name in ("weights", "means", "factors", "shared")}
    if space.axes is not None and space.centre is not None:
        tensors |= {f"{SPACE}axes": space.axes, f"{SPACE}centre": space.centre}
    if contents.trajectories is not None:
        tensors |= {f"{TRAJECTORIES}{name}": tensor for name, tensor in vars(contents.trajectories).items()}
    if isinstance(contents.representation, Normalised):
        tensors |= {f"{NORMALISATION}{name}": tensor for name, tensor in contents.representation.state().items()}
    if contents.notes is not None:
        tensors |= {f"{NOTES}weights": contents.notes.weights}
        tensors |= {} if contents.notes.levels is None else {f"{NOTES}levels": contents.notes.levels}
    if contents.detail is not None:
        tensors |= {f"{DETAIL}{name}": tensor for name, tensor in contents.detail.tensors().items()}
    if contents.name_words is not None:
        tensors |= {f"{NAME_WORDS}{name}": tensor for name, tensor in contents.name_words.tensors().items()}
    if contents.controls is not None:
        tensors |= {f"{CONTROLS}{name}": tensor for name, tensor in contents.controls.tensors().items()}
    if contents.clips is not None:
        clips = contents.clips
        tensors |= {
            f"{CLIPS}latents": clips.latents,
            f"{CLIPS}embeddings": clips.embeddings.half(),
            f"{CLIPS}positions": clips.positions,
        }
        if clips.descriptors is not None:
            tensors[f"{CLIPS}descriptors"] = clips.descriptors.nan_to_num(UNDEFINED)
    return tensors


def _header(contents: InstrumentContents) -> dict[str, Any]:
    """The JSON header."""
    clips = contents.clips
    return {
        "format": FORMAT,
        "version": VERSION,
        "settings": contents.settings,
        "sample_rate": contents.sample_rate,
        "channels": contents.channels,
        "samples": contents.samples,
        "labels": list(contents.space.labels),
        "card": contents.card,
        "novelty_unit": contents.novelty_unit,
        "detail_categories": [] if contents.detail is None else list(contents.detail.categories),
        "note_categories": [] if contents.notes is None else list(contents.notes.categories),
        "clips": None if clips is None else _clips(clips),
        **({} if contents.name_words is None else {"name_words": contents.name_words.rows()}),
        **({} if contents.origin is None else {"origin": contents.origin}),
    }


def _clips(clips: TrainingClips) -> dict[str, Any]:
    """The part of the header on the training clips."""
    counted = {} if clips.counted is None else {"counted": clips.counted}
    return {"names": list(clips.names), "categories": list(clips.categories), **counted}

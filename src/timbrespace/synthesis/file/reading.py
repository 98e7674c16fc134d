"""Reads an instrument file. Every value is checked; nothing in the file is executed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor

from timbrespace.audio.describe import DESCRIPTORS
from timbrespace.config.aliases import modern_tensor
from timbrespace.config.build import build_model, build_representation, make_config
from timbrespace.contracts import InstrumentFileError, TimbrespaceError
from timbrespace.latent.name_words import NameWords
from timbrespace.latent.space import LatentSpace
from timbrespace.latent.trajectories import COMPONENTS, POINTS, Trajectories
from timbrespace.model.base import Model
from timbrespace.representation.base import Representation
from timbrespace.representation.normalisation import Normalised
from timbrespace.synthesis.controls import Controls
from timbrespace.synthesis.detail_model.grid import GROUP_KNOTS, LEVELS
from timbrespace.synthesis.detail_model.model import DetailModel
from timbrespace.synthesis.file.bits import restored
from timbrespace.synthesis.file.contents import InstrumentContents, TrainingClips
from timbrespace.synthesis.file.header import check_checksum, integer_in, is_plain, labels_in, parse_header, read_bytes
from timbrespace.synthesis.file.layout import (
    CLIPS,
    CONTROLS,
    DETAIL,
    EMBEDDING_FEATURES,
    LONGEST_CLIP,
    MODEL,
    MOST_CELLS,
    MOST_LEVEL,
    NAME_WORDS,
    NORMALISATION,
    NOTES,
    SPACE,
    TRAJECTORIES,
    UNDEFINED,
    current_name,
)
from timbrespace.synthesis.harmonic.note import bin_layout
from timbrespace.synthesis.harmonic.traits import EARLIER_TRAITS, TRAITS, NoteModel

Tensors = dict[str, Tensor]


def read_instrument(path: Path) -> InstrumentContents:
    """Returns the contents of an instrument file. Raises InstrumentFileError that names the fault."""
    return contents_of(path, read_bytes(path))


def contents_of(path: Path, data: bytes) -> InstrumentContents:
    """Returns the contents of `data`, the bytes of an instrument file. path: for messages. Raises InstrumentFileError."""
    try:
        tensors = {current_name(name): tensor for name, tensor in load_tensors(data).items()}
    except (SafetensorError, ValueError, KeyError, RuntimeError, MemoryError) as error:
        raise InstrumentFileError(f"{path} is damaged or not an instrument file ({error}); train it again or copy it again") from None
    header = parse_header(path, data)
    try:
        contents = _contents(header, restored(tensors))
        check_checksum(header, data)  # last: a fault with a name is better advice
        return contents
    except TimbrespaceError as error:
        raise InstrumentFileError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError, OverflowError, RecursionError) as error:
        raise InstrumentFileError(
            f"{path} is damaged: {type(error).__name__} {str(error)[:200]}; train it again or copy it again"
        ) from None


def _contents(header: dict[str, Any], tensors: Tensors) -> InstrumentContents:
    """The contents, checked part by part in the order in which they depend on each other."""
    if not is_plain(header):
        raise InstrumentFileError("its header is nested too deeply or holds broken text; the file is damaged")
    sample_rate = integer_in(header, "sample_rate", 8_000, 192_000)
    channels = integer_in(header, "channels", 1, 2)
    samples = integer_in(header, "samples", 1, int(LONGEST_CLIP * sample_rate))
    settings = make_config({"representation": header["settings"]["representation"], "model": header["settings"]["model"]})
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or not torch.isfinite(tensor).all():
            raise InstrumentFileError(f"tensor {name!r:.80} holds {tensor.dtype} or values that are not finite; the file is damaged")
    representation = build_representation(settings.representation, sample_rate=sample_rate, channels=channels)
    _check_size(representation, samples)
    _load_normalisation(representation, tensors)
    model = _model(settings.model, representation, samples, tensors)
    trajectories = _trajectories(model, tensors)
    dims = model.dims if trajectories is None else len(trajectories.scale) + 1
    novelty_unit = header.get("novelty_unit")
    if novelty_unit is not None and not (isinstance(novelty_unit, (int, float)) and 0 < novelty_unit < 1e6):
        raise InstrumentFileError(f"novelty_unit is {novelty_unit!r:.40}; the file is damaged")
    if novelty_unit is not None and novelty_unit <= 1e-3:  # the least value of earlier versions, where held-out sounds repeat
        novelty_unit = None
    card = header.get("card")
    return InstrumentContents(
        representation=representation,
        model=model,
        space=_space(labels_in(header["labels"]), dims, tensors),
        settings={"representation": settings.representation, "model": settings.model, **_training(header["settings"])},
        sample_rate=sample_rate,
        channels=channels,
        samples=samples,
        card=card if isinstance(card, dict) else {},
        clips=None if header.get("clips") is None else _clips(header["clips"], model.dims, tensors),
        novelty_unit=novelty_unit,
        trajectories=trajectories,
        notes=_notes(header, model, representation, tensors),
        origin=header["origin"] if isinstance(header.get("origin"), dict) else None,
        detail=_detail(header, model, tensors),
        name_words=_name_words(header, model, tensors),
        controls=_controls(model, len(labels_in(header["labels"])), tensors),
    )


def _training(settings: dict[str, Any]) -> dict[str, Any]:
    """The training settings that the file holds, checked by whoever continues the training; none in files of earlier versions."""
    return {"training": settings["training"]} if isinstance(settings.get("training"), dict) else {}


def _check_size(representation: Representation, samples: int) -> None:
    """Raises InstrumentFileError for clips whose features would need gigabytes."""
    frames = representation.frames(samples)
    cells = representation.parts * representation.bands
    if frames * (max(cells, 1_024) if representation.decibels else cells) > MOST_CELLS:  # samples of audio have no coarse time axis
        raise InstrumentFileError(f"its clips of {samples} samples have {frames} frames, more than any instrument; the file is damaged")


def _load_normalisation(representation: Representation, tensors: Tensors) -> None:
    """Loads the statistics of a normalised representation; refuses statistics of any other."""
    state = {name.removeprefix(NORMALISATION): tensor for name, tensor in tensors.items() if name.startswith(NORMALISATION)}
    if isinstance(representation, Normalised):
        representation.load(state)
    elif state:
        raise InstrumentFileError("it holds statistics of a normalisation that its settings do not name; the file is damaged")


def _model(settings: dict[str, Any], representation: Representation, samples: int, tensors: Tensors) -> Model:
    """The model, first built without memory, so that a hostile header cannot ask for more than the file holds."""
    with torch.device("meta"):
        model = build_model(settings, representation=representation, samples=samples)
    state = {
        modern_tensor(settings["name"], name.removeprefix(MODEL)): tensor.float()
        for name, tensor in tensors.items()
        if name.startswith(MODEL)
    }
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    if expected != shapes:
        odd = sorted({*expected.items()} ^ {*shapes.items()})
        raise InstrumentFileError(f"the model's tensors do not fit its settings (first: {odd[0][0]!r:.80}); the file is damaged")
    model.load_state_dict(state, assign=True)
    return model.eval().requires_grad_(False)


def _notes(header: dict[str, Any], model: Model, representation: Representation, tensors: Tensors) -> NoteModel | None:
    """The traits of notes; None where the file has none. Raises InstrumentFileError for a model of sounds without a pitch."""
    if not any(name.startswith(NOTES) for name in tensors):
        return None
    if model.conditioning.pitch_of(torch.zeros(model.dims)) is None or bin_layout(representation) is None:
        raise InstrumentFileError("it holds traits of notes, but its model knows no pitch or its view no bands; the file is damaged")
    columns = EARLIER_TRAITS if tuple(tensors.get(f"{NOTES}weights", torch.empty(0)).shape) == (1 + model.dims, EARLIER_TRAITS) else TRAITS
    weights = _shaped(tensors, f"{NOTES}weights", (1 + model.dims, columns))
    if f"{NOTES}levels" not in tensors:  # files of earlier versions
        return NoteModel(weights)
    categories = tuple(label for label in labels_in(header.get("note_categories", [])) if label is not None)
    levels = _shaped(tensors, f"{NOTES}levels", (1 + len(categories), len(GROUP_KNOTS), LEVELS))
    if not bool((levels.abs() <= MOST_LEVEL).all()):
        raise InstrumentFileError(f"notes.levels holds values beyond {MOST_LEVEL:g} dB; the file is damaged")
    return NoteModel(weights, levels, categories)


def _detail(header: dict[str, Any], model: Model, tensors: Tensors) -> DetailModel | None:
    """The detail model; None where the file has none: earlier versions, and models without a noise texture."""
    parts = {name.removeprefix(DETAIL): tensor for name, tensor in tensors.items() if name.startswith(DETAIL)}
    if not parts:
        return None
    categories = tuple(label for label in labels_in(header.get("detail_categories", [])) if label is not None)
    return DetailModel.load(parts, dims=model.dims, categories=categories)


def _name_words(header: dict[str, Any], model: Model, tensors: Tensors) -> NameWords | None:
    """The learned words of names; None where the file has none: stripped, or of an earlier version."""
    parts = {name.removeprefix(NAME_WORDS): tensor for name, tensor in tensors.items() if name.startswith(NAME_WORDS)}
    return NameWords.load(parts, header.get("name_words"), dims=model.dims) if parts else None


def _controls(model: Model, components: int, tensors: Tensors) -> Controls | None:
    """The controls; None where the file has none: earlier versions. components: of the density."""
    parts = {name.removeprefix(CONTROLS): tensor for name, tensor in tensors.items() if name.startswith(CONTROLS)}
    return Controls.load(parts, dims=model.dims, components=components) if parts else None


def _trajectories(model: Model, tensors: Tensors) -> Trajectories | None:
    """The trajectories of a model with a time-varying latent; refused for any other."""
    if not model.time_varying:
        if any(name.startswith(TRAJECTORIES) for name in tensors):
            raise InstrumentFileError("it holds trajectories, but its model's latent does not vary in time; the file is damaged")
        return None
    scale, spread = (tensors[f"{TRAJECTORIES}{name}"].shape for name in ("scale", "spread"))
    count, axes = scale[0], spread[1]
    if not 1 <= count <= COMPONENTS or not 1 <= axes <= model.dims:
        raise InstrumentFileError(f"its trajectories have {count} components and {axes} axes; the file is damaged")
    shapes = {"mean": (model.dims, POINTS), "basis": (count, model.dims, POINTS), "scale": (count,), "lengths": (3,)}
    shapes |= {"spread": (model.dims, axes)}
    trajectories = Trajectories(**{name: _shaped(tensors, f"{TRAJECTORIES}{name}", shape) for name, shape in shapes.items()})
    lengths = trajectories.lengths
    if not (lengths >= 0).all() or float(lengths[2]) > math.log2(2 * LONGEST_CLIP * 192_000):
        raise InstrumentFileError(f"the lengths of its trajectories are {lengths.tolist()}, no lengths of sounds; the file is damaged")
    return trajectories


def _space(labels: tuple[str | None, ...], dims: int, tensors: Tensors) -> LatentSpace:
    """The density over the latents, or over the coordinates of trajectories, of `dims` numbers; labels: category of each component."""
    count = len(labels)
    axes = tensors[f"{SPACE}axes"].shape[0] if f"{SPACE}axes" in tensors else dims
    shapes = {"weights": (count,), "means": (count, axes), "factors": (count, axes, axes), "shared": (axes, axes)}
    if f"{SPACE}axes" in tensors:
        shapes |= {"axes": (axes, dims), "centre": (dims,)}
    parts = {name: _shaped(tensors, f"{SPACE}{name}", shape) for name, shape in shapes.items()}
    weights = parts["weights"]
    if count < 1 or bool((weights < 0).any()) or not math.isclose(float(weights.sum()), 1.0, abs_tol=1e-3):
        raise InstrumentFileError("the weights of the latent space do not sum to 1; the file is damaged")
    return LatentSpace(**parts, labels=labels)


def _clips(header: dict[str, Any], dims: int, tensors: Tensors) -> TrainingClips:
    """What the file keeps of the training clips. header: its part "clips"."""
    names, categories = header["names"], labels_in(header["categories"])
    count = len(names)
    if count < 1 or len(categories) != count or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InstrumentFileError("the names of the training clips are damaged")
    counted = None if header.get("counted") is None else integer_in(header, "counted", 1, count)
    embeddings = tensors[f"{CLIPS}embeddings"].float()
    if tuple(embeddings.shape) != (count, EMBEDDING_FEATURES):
        raise InstrumentFileError(f"clips.embeddings has the shape {tuple(embeddings.shape)} for {count} clips; the file is damaged")
    latents, positions = _shaped(tensors, f"{CLIPS}latents", (count, dims)), _shaped(tensors, f"{CLIPS}positions", (count, 2))
    descriptors = None
    if f"{CLIPS}descriptors" in tensors:
        descriptors = _shaped(tensors, f"{CLIPS}descriptors", (count, len(DESCRIPTORS)))
        descriptors = torch.where(descriptors > UNDEFINED / 2, descriptors, math.nan)
    return TrainingClips(tuple(names), categories, latents, embeddings, positions, counted, descriptors)


def _shaped(tensors: Tensors, name: str, shape: tuple[int, ...]) -> Tensor:
    """The tensor `name` in single precision. Raises InstrumentFileError unless it has the shape."""
    if name not in tensors or tuple(tensors[name].shape) != shape:
        found = tuple(tensors[name].shape) if name in tensors else "missing"
        raise InstrumentFileError(f"{name} is {found}, {shape} expected; the file is damaged")
    return tensors[name].float()

"""The instrument file: one `.safetensors`, tensors and a JSON header. Nothing in it is ever executed, everything is checked."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from timbrespace.atomic import write_bytes
from timbrespace.config.build import build_model, build_representation, make_config
from timbrespace.contracts import InstrumentFileError, TimbrespaceError
from timbrespace.latent.space import LatentSpace
from timbrespace.latent.trajectories import COMPONENTS, POINTS, Trajectories
from timbrespace.model.base import Model
from timbrespace.representation.base import Representation
from timbrespace.representation.normalisation import Normalised

FORMAT, VERSION, KEY = "timbrespace-instrument", 1, "timbrespace"
_LARGEST_FILE = 4 << 30  # bytes
_LONGEST_CLIP = 60.0  # s
_MOST_CELLS = 1 << 26  # frames of a clip times bands (or steps of a coarse time axis): a header must not ask for gigabytes
_NORMALISATION, _PATHS = "normalisation.", "paths."
_FEATURES = 68  # of `audio.distance.embedding`


@dataclass(frozen=True)
class Clips:
    """What is kept of the training clips: names, categories, latents `(n, dims)`, embeddings `(n, features)`, map `(n, 2)`.

    Latents that move are kept as their mean over the steps.
    """

    names: tuple[str, ...]
    categories: tuple[str | None, ...]
    latents: Tensor
    embeddings: Tensor
    places: Tensor


@dataclass(frozen=True)
class Contents:
    """Everything an instrument is. samples: longest clip; clips: None when stripped; novelty_unit: median distance of held-out sounds.

    paths: of a corpus whose latents move; `space` then lies over their coordinates, see `Trajectories`.
    """

    representation: Representation
    model: Model
    space: LatentSpace
    settings: dict[str, Any]
    sample_rate: int
    channels: int
    samples: int
    card: dict[str, Any] = field(default_factory=dict)
    clips: Clips | None = None
    novelty_unit: float | None = None
    paths: Trajectories | None = None


def save(contents: Contents, path: Path, *, force: bool = False) -> None:
    """Writes the file atomically. Raises OutputExistsError, TimbrespaceError."""
    # The basis is most of the file and was rounded to half precision when it was fitted: nothing is lost here.
    halves = {"basis"}
    tensors = {f"model.{k}": v.half() if k in halves else v for k, v in contents.model.state_dict().items()}
    space = contents.space
    tensors |= {"space.weights": space.weights, "space.means": space.means, "space.factors": space.factors, "space.shared": space.shared}
    if space.axes is not None and space.centre is not None:
        tensors |= {"space.axes": space.axes, "space.centre": space.centre}
    if contents.paths is not None:
        tensors |= {f"{_PATHS}{name}": tensor for name, tensor in vars(contents.paths).items()}
    if isinstance(contents.representation, Normalised):
        tensors |= {f"{_NORMALISATION}{name}": tensor for name, tensor in contents.representation.state().items()}
    head: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "settings": contents.settings,
        "sample_rate": contents.sample_rate,
        "channels": contents.channels,
        "samples": contents.samples,
        "labels": list(space.labels),
        "card": contents.card,
        "novelty_unit": contents.novelty_unit,
        "clips": None,
    }
    if contents.clips is not None:
        clips = contents.clips
        tensors |= {"clips.latents": clips.latents, "clips.embeddings": clips.embeddings.half(), "clips.places": clips.places}
        head["clips"] = {"names": list(clips.names), "categories": list(clips.categories)}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save_tensors(tensors, metadata={KEY: json.dumps(head, ensure_ascii=False, allow_nan=False)}), force=force)


def read(path: Path) -> Contents:
    """Reads and checks an instrument file. Raises InstrumentFileError saying what is wrong with it."""
    data = _bytes(path)
    try:
        tensors = load_tensors(data)
    except (SafetensorError, ValueError, KeyError, RuntimeError, MemoryError) as error:
        raise InstrumentFileError(f"{path} is damaged or not an instrument file ({error}); train it again or get a whole copy") from None
    head = _head(path, data)
    try:
        return _contents(head, tensors)
    except TimbrespaceError as error:
        raise InstrumentFileError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError, OverflowError, RecursionError) as error:
        raise InstrumentFileError(
            f"{path} is damaged: {type(error).__name__} {str(error)[:200]}; train it again or get a whole copy"
        ) from None


def read_head(path: Path) -> dict[str, Any]:
    """The JSON header alone. Raises InstrumentFileError."""
    return _head(path, _bytes(path))


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise InstrumentFileError(f"{path} is a folder; give an instrument file made by `timbrespace train`")
        if not 8 <= size <= _LARGEST_FILE:
            raise InstrumentFileError(f"{path} has {size} bytes, it is not an instrument file; give one made by `timbrespace train`")
        return path.read_bytes()
    except FileNotFoundError:
        raise InstrumentFileError(f"{path} does not exist; make an instrument with `timbrespace train FOLDER --out {path.name}`") from None
    except OSError as error:
        raise InstrumentFileError(f"{path} cannot be read: {error.strerror or error}") from None


def _head(path: Path, data: bytes) -> dict[str, Any]:
    size = int.from_bytes(data[:8], "little")
    try:
        if size > len(data) - 8:
            raise ValueError("the header is longer than the file")
        head = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][KEY], parse_constant=_refuse, parse_float=_finite)
        if head["format"] != FORMAT:
            raise ValueError(f"its format is {head['format']!r:.60}")
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InstrumentFileError(f"{path} is not a timbrespace instrument; give a file made by `timbrespace train`") from None
    version = head.get("version")
    if version != VERSION or isinstance(version, bool):
        raise InstrumentFileError(f"{path} is of instrument version {version!r:.40}, this release reads {VERSION}; train it again")
    return dict(head)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not allowed")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)


def _is_plain(value: Any, *, depth: int = 16) -> bool:
    """Is this a JSON value that can be printed: not nested deeper than `depth`, all text valid?"""
    if isinstance(value, (dict, list)):
        inner = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        return depth > 0 and all(_is_plain(part, depth=depth - 1) for part in inner)
    return not isinstance(value, str) or value.encode("utf-8", "ignore").decode() == value


def _whole(head: dict[str, Any], name: str, low: int, high: int) -> int:
    value = head.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InstrumentFileError(f"{name} is {value!r:.60}, allowed is {low} to {high}; the file is damaged")
    return value


def _contents(head: dict[str, Any], tensors: dict[str, Tensor]) -> Contents:
    if not _is_plain(head):
        raise InstrumentFileError("its header is nested too deeply or holds broken text; the file is damaged")
    sample_rate = _whole(head, "sample_rate", 8_000, 192_000)
    channels = _whole(head, "channels", 1, 2)
    samples = _whole(head, "samples", 1, int(_LONGEST_CLIP * sample_rate))
    settings = make_config({"representation": head["settings"]["representation"], "model": head["settings"]["model"]})
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or not torch.isfinite(tensor).all():
            raise InstrumentFileError(f"tensor {name!r:.80} holds {tensor.dtype} or values that are not finite; the file is damaged")
    representation = build_representation(settings.representation, sample_rate=sample_rate, channels=channels)
    frames = representation.frames(samples)
    cells = representation.parts * representation.bands
    if frames * (max(cells, 1_024) if representation.decibels else cells) > _MOST_CELLS:  # samples of audio have no coarse time axis
        raise InstrumentFileError(f"its clips of {samples} samples have {frames} frames, more than any instrument; the file is damaged")
    _normalise(representation, tensors)
    model = _model(settings.model, representation, samples, tensors)
    labels = _labels(head["labels"])
    components, paths = len(labels), _paths(model, tensors)
    dims = model.dims if paths is None else len(paths.scale) + 1
    axes = tensors["space.axes"].shape[0] if "space.axes" in tensors else dims
    shapes = {"weights": (components,), "means": (components, axes), "factors": (components, axes, axes), "shared": (axes, axes)}
    if "space.axes" in tensors:
        shapes |= {"axes": (axes, dims), "centre": (dims,)}
    space = {name: _shaped(tensors, f"space.{name}", shape) for name, shape in shapes.items()}
    if components < 1 or bool((space["weights"] < 0).any()) or not math.isclose(float(space["weights"].sum()), 1.0, abs_tol=1e-3):
        raise InstrumentFileError("the weights of the latent space do not sum to 1; the file is damaged")
    unit = head.get("novelty_unit")
    if unit is not None and not (isinstance(unit, (int, float)) and 0 < unit < 1e6):
        raise InstrumentFileError(f"novelty_unit is {unit!r:.40}; the file is damaged")
    clips = None
    if head.get("clips") is not None:
        names, categories = head["clips"]["names"], _labels(head["clips"]["categories"])
        count = len(names)
        if count < 1 or len(categories) != count or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InstrumentFileError("the names of the training clips are damaged")
        embeddings = tensors["clips.embeddings"].float()
        if tuple(embeddings.shape) != (count, _FEATURES):
            raise InstrumentFileError(f"clips.embeddings has the shape {tuple(embeddings.shape)} for {count} clips; the file is damaged")
        latents, places = _shaped(tensors, "clips.latents", (count, model.dims)), _shaped(tensors, "clips.places", (count, 2))
        clips = Clips(tuple(names), categories, latents, embeddings, places)
    card = head.get("card")
    return Contents(
        representation=representation,
        model=model,
        space=LatentSpace(**space, labels=labels),
        settings={"representation": settings.representation, "model": settings.model},
        sample_rate=sample_rate,
        channels=channels,
        samples=samples,
        card=card if isinstance(card, dict) else {},
        clips=clips,
        novelty_unit=unit,
        paths=paths,
    )


def _paths(model: Model, tensors: dict[str, Tensor]) -> Trajectories | None:
    """The paths of a model whose latent moves; refused where it does not."""
    if not model.time_varying:
        if any(name.startswith(_PATHS) for name in tensors):
            raise InstrumentFileError("it holds paths, but its model's latent does not move; the file is damaged")
        return None
    scale, spread = (tensors[f"{_PATHS}{name}"].shape for name in ("scale", "spread"))
    count, axes = scale[0], spread[1]
    if not 1 <= count <= COMPONENTS or not 1 <= axes <= model.dims:
        raise InstrumentFileError(f"its paths have {count} components and {axes} axes; the file is damaged")
    shapes = {"mean": (model.dims, POINTS), "basis": (count, model.dims, POINTS), "scale": (count,), "lengths": (3,)}
    shapes |= {"spread": (model.dims, axes)}
    paths = Trajectories(**{name: _shaped(tensors, f"{_PATHS}{name}", shape) for name, shape in shapes.items()})
    if not (paths.lengths >= 0).all() or float(paths.lengths[2]) > math.log2(2 * _LONGEST_CLIP * 192_000):
        raise InstrumentFileError("the lengths of its paths are none of sounds; the file is damaged")
    return paths


def _normalise(representation: Representation, tensors: dict[str, Tensor]) -> None:
    """Gives a normalised representation its figures, and refuses figures that no representation asked for."""
    state = {name.removeprefix(_NORMALISATION): tensor for name, tensor in tensors.items() if name.startswith(_NORMALISATION)}
    if isinstance(representation, Normalised):
        representation.load(state)
    elif state:
        raise InstrumentFileError("it holds figures of a normalisation that its settings do not name; the file is damaged")


def _model(settings: dict[str, Any], representation: Representation, samples: int, tensors: dict[str, Tensor]) -> Model:
    """Builds the model without memory first, so that a hostile header cannot ask for more than the file holds."""
    with torch.device("meta"):
        model = build_model(settings, representation=representation, samples=samples)
    found = {name.removeprefix("model."): tensor.float() for name, tensor in tensors.items() if name.startswith("model.")}
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if wanted != {name: tuple(tensor.shape) for name, tensor in found.items()}:
        odd = sorted(set(wanted.items()) ^ {(name, tuple(tensor.shape)) for name, tensor in found.items()})
        raise InstrumentFileError(f"the model's tensors do not fit its settings (first: {odd[0][0]!r:.80}); the file is damaged")
    model.load_state_dict(found, assign=True)
    return model.eval().requires_grad_(False)


def _labels(values: Any) -> tuple[str | None, ...]:
    if not isinstance(values, list) or not all(value is None or isinstance(value, str) for value in values):
        raise InstrumentFileError("the categories are damaged")
    return tuple(values)


def _shaped(tensors: dict[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    if name not in tensors or tuple(tensors[name].shape) != shape:
        found = tuple(tensors[name].shape) if name in tensors else "missing"
        raise InstrumentFileError(f"{name} is {found}, {shape} expected; the file is damaged")
    return tensors[name].float()

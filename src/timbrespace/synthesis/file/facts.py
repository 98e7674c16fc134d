"""An instrument file as bytes, header and arrays: what can be known of an instrument without PyTorch."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from timbrespace.config.aliases import modern_tensor
from timbrespace.contracts import InstrumentFileError
from timbrespace.synthesis.file.header import check_checksum, integer_in, is_plain, labels_in, parse_header, read_bytes
from timbrespace.synthesis.file.layout import CHECKSUM, CLIPS, EMBEDDING_FEATURES, LONGEST_CLIP, MODEL, REST, SCALE, current_name
from timbrespace.synthesis.output.labelling import TrainingSounds

_TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "I8": np.dtype("i1")}


@dataclass(frozen=True)
class InstrumentFile:
    """An instrument file in memory.

    header: its JSON header. arrays: its tensors, views of `data` in the precision of the file. training: the training sounds.
    anonymous: whether those are numbered in place of their names. own_fingerprint: see `fingerprint`, where it is known.
    """

    path: Path
    data: bytes
    header: dict[str, Any]
    arrays: dict[str, np.ndarray]
    sample_rate: int
    channels: int
    samples: int
    labels: tuple[str | None, ...]
    training: TrainingSounds
    card: dict[str, Any] = field(default_factory=dict)
    anonymous: bool = False
    own_fingerprint: str | None = None

    @classmethod
    def read(cls, path: Path) -> InstrumentFile:
        """Returns the file. Raises InstrumentFileError for one that is damaged, foreign, or without a checksum.

        `reading.read_instrument` then names the fault, or reads a file of an earlier version.
        """
        data = read_bytes(path)
        header = parse_header(path, data)
        if CHECKSUM not in header or not is_plain(header):
            raise InstrumentFileError(f"{path} has no checksum, or a header that is damaged")
        check_checksum(header, data)
        try:
            return _file(path, data, header)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError) as error:
            raise InstrumentFileError(f"{path} is damaged: {type(error).__name__} {str(error)[:200]}") from None

    @property
    def categories(self) -> list[str]:
        """Sorted names of the categories that new sounds can have."""
        return sorted({label for label in self.labels if label is not None})

    @cached_property
    def fingerprint(self) -> str:
        """A digest of the model's tensors; the same as `given.fingerprint`."""
        if self.own_fingerprint is not None:
            return self.own_fingerprint
        name = str(self.header["settings"]["model"]["name"])
        tensors = {modern_tensor(name, key.removeprefix(MODEL)): value for key, value in _restored(self.arrays).items()}
        digest = hashlib.sha256()
        for key, value in sorted(tensors.items()):
            digest.update(key.encode())
            digest.update(np.ascontiguousarray(value, np.float32).data)
        return digest.hexdigest()[:16]


def _file(path: Path, data: bytes, header: dict[str, Any]) -> InstrumentFile:
    """The parts of a file, checked as `reading` checks them."""
    sample_rate = integer_in(header, "sample_rate", 8_000, 192_000)
    arrays, unit, card = arrays_in(data), header.get("novelty_unit"), header.get("card")
    if unit is not None and not (isinstance(unit, int | float) and 1e-3 < unit < 1e6):
        raise ValueError(f"novelty_unit is {unit!r:.40}")
    training = TrainingSounds()
    if header.get("clips") is not None:
        names, count = header["clips"]["names"], len(header["clips"]["names"])
        embeddings = arrays[f"{CLIPS}embeddings"].astype(np.float32)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or not count:
            raise ValueError("the names of the training clips")
        if embeddings.shape != (count, EMBEDDING_FEATURES) or not np.isfinite(embeddings).all():
            raise ValueError("the embeddings of the training clips")
        training = TrainingSounds(tuple(names), embeddings, unit)
    return InstrumentFile(
        path, data, header, arrays, sample_rate, integer_in(header, "channels", 1, 2),
        integer_in(header, "samples", 1, int(LONGEST_CLIP * sample_rate)), labels_in(header["labels"]), training,
        card if isinstance(card, dict) else {},
    )  # fmt: skip


def _restored(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of the model as floats, see `bits.restored`."""
    found = {}
    eight = {name for name, array in arrays.items() if array.dtype == np.int8}
    for name in arrays:
        parts = any(name.endswith(end) and name.removesuffix(end) in eight for end in (SCALE, REST))
        if parts or not name.startswith(MODEL):
            continue
        found[name] = _in_floats(name, arrays)
        if name + REST in eight:
            rest = _in_floats(name + REST, arrays)
            found[name][: len(rest)] += rest
    return found


def _in_floats(name: str, arrays: dict[str, np.ndarray]) -> np.ndarray:
    array = arrays[name]
    if array.dtype != np.int8:
        return array
    return array.astype(np.float32) * arrays[name + SCALE].astype(np.float32).reshape(-1, *[1] * (array.ndim - 1))


def arrays_in(data: bytes) -> dict[str, np.ndarray]:
    """Returns the tensors of a .safetensors file by name, without a copy: the package `safetensors` copies all, which takes longer."""
    start = 8 + int.from_bytes(data[:8], "little")
    found = {}
    for name, about in json.loads(data[8:start]).items():
        if name == "__metadata__":
            continue
        kind, shape, (first, last) = _TYPES[about["dtype"]], tuple(about["shape"]), about["data_offsets"]
        count = math.prod(shape)
        if not all(isinstance(one, int) and one >= 0 for one in (*shape, first, last)) or last - first != count * kind.itemsize:
            raise ValueError(f"tensor {name!r:.80}")
        found[current_name(name)] = np.frombuffer(data, kind, count, start + first).reshape(shape)
    return found

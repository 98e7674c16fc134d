"""An instrument file as bytes, header and arrays: what can be known of an instrument without PyTorch."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from timbrespace.config.aliases import modern_tensor
from timbrespace.contracts import InstrumentFileError
from timbrespace.synthesis.file.header import check_checksum, integer_in, is_plain, labels_in, parse_header, read_bytes
from timbrespace.synthesis.file.layout import CHECKSUM, CLIPS, EMBEDDING_FEATURES, LONGEST_CLIP, MODEL, SPACE, current_name
from timbrespace.synthesis.output.labelling import TrainingSounds, numbered_names, shared_card

_FEWEST = 3  # sounds of a component that may be named, see `LatentSpace.anonymous`
_TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}


@dataclass(frozen=True)
class InstrumentFile:
    """An instrument file in memory.

    header: its JSON header. arrays: its tensors, views of `data` in the precision of the file. training: the training sounds.
    anonymous: whether those are numbered in place of their names.
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

    def numbered(self) -> InstrumentFile | None:
        """Returns the file with numbers in place of the names of the training sounds, see `Instrument.anonymous`.

        None where that changes the density too, because a component of it is of fewer than three sounds.
        """
        names = self.training.names
        if names is None:
            return self
        count = integer_in(self.header["clips"], "counted", 1, len(names)) if "counted" in self.header["clips"] else len(names)
        if bool((self.arrays[f"{SPACE}weights"].astype(np.float64) * count < _FEWEST - 0.5).any()):
            return None
        training = replace(self.training, names=numbered_names(len(names)))
        return replace(self, training=training, card=shared_card(self.card, self.categories), anonymous=True)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of the model's tensors; the same as `given.fingerprint`."""
        name = str(self.header["settings"]["model"]["name"])
        tensors = {modern_tensor(name, key.removeprefix(MODEL)): value for key, value in self.arrays.items() if key.startswith(MODEL)}
        digest = hashlib.sha256()
        for key, value in sorted(tensors.items()):
            digest.update(key.encode())
            digest.update(np.ascontiguousarray(value, np.float32).data)
        return digest.hexdigest()[:16]


def _file(path: Path, data: bytes, header: dict[str, Any]) -> InstrumentFile:
    """The parts of a file, checked as `reading` checks them."""
    sample_rate = integer_in(header, "sample_rate", 8_000, 192_000)
    arrays, unit, card = _arrays(data), header.get("novelty_unit"), header.get("card")
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


def _arrays(data: bytes) -> dict[str, np.ndarray]:
    """The tensors of a .safetensors file by name, without a copy: reading them with `safetensors` copies all, which takes longer."""
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

"""An instrument file without the names of its training sounds, in memory and without PyTorch; see `Instrument.anonymous`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np

from timbrespace.synthesis.file.facts import InstrumentFile, arrays_in
from timbrespace.synthesis.file.header import integer_in
from timbrespace.synthesis.file.layout import KEY, SPACE
from timbrespace.synthesis.output.labelling import numbered_names, shared_card

_FEWEST = 3  # sounds of a component that may be named


def numbered(file: InstrumentFile) -> tuple[InstrumentFile, bytes]:
    """Returns the file with numbers in place of the names of its training sounds, and the bytes from which new sounds are drawn.

    The bytes are those of the file, unless components of the density are of fewer than three sounds: these become one, without a category,
    as in `LatentSpace.anonymous`.
    """
    names = file.training.names
    if names is None:
        return file, file.data
    about = file.header["clips"]
    count = integer_in(about, "counted", 1, len(names)) if about.get("counted") is not None else len(names)
    labels, changed = _merged(file, count)
    data = _with(file, labels, changed) if changed else file.data
    found = replace(
        file, arrays=arrays_in(data), labels=labels, training=replace(file.training, names=numbered_names(len(names))), anonymous=True,
        own_fingerprint=file.fingerprint,
    )  # fmt: skip
    return replace(found, card=shared_card(file.card, found.categories)), data


def _merged(file: InstrumentFile, clips: int) -> tuple[tuple[str | None, ...], dict[str, np.ndarray]]:
    """The labels of the components, and the arrays of the density that change; see `LatentSpace.anonymous`."""
    weights, means, factors, shared = (
        file.arrays[f"{SPACE}{name}"].astype(np.float32) for name in ("weights", "means", "factors", "shared")
    )
    counts = weights.astype(np.float64) * clips
    small = counts < _FEWEST - 0.5
    if not small.any() or (small.all() and counts.sum() < _FEWEST - 0.5):
        return file.labels, {}
    label: str | None = None
    if counts[small].sum() >= _FEWEST - 0.5:
        shares = (counts[small] / counts[small].sum()).astype(np.float32)
        mean = shares @ means[small]
        centred = means[small] - mean
        factor = np.linalg.cholesky(shared @ shared.T + (centred * shares[:, None]).T @ centred)
    else:
        heaviest = int(np.where(small, -1.0, weights).argmax())
        mean, factor, label = means[heaviest], factors[heaviest], file.labels[heaviest]
    means, factors = np.where(small[:, None], mean, means), np.where(small[:, None, None], factor, factors)
    labels = tuple(label if is_small else own for own, is_small in zip(file.labels, small.tolist(), strict=True))
    return labels, {f"{SPACE}means": means, f"{SPACE}factors": factors}


def _with(file: InstrumentFile, labels: tuple[str | None, ...], changed: dict[str, np.ndarray]) -> bytes:
    """The bytes of the file with other labels and arrays of the same shapes."""
    start = 8 + int.from_bytes(file.data[:8], "little")
    header: dict[str, Any] = json.loads(file.data[8:start])
    header["__metadata__"][KEY] = json.dumps(file.header | {"labels": list(labels)}, ensure_ascii=False)
    tensors = bytearray(file.data[start:])
    for name, array in changed.items():
        first, last = header[name]["data_offsets"]
        tensors[first:last] = array.astype(file.arrays[name].dtype).tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + bytes(tensors)

"""The features of one sound, with their representation and header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from timbrespace.config.build import build_representation
from timbrespace.contracts import SAMPLE_RATE, FeatureFileError, ShapeError
from timbrespace.features.header import check_size, make_header

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from timbrespace.representation.axes import Axes
    from timbrespace.representation.base import Representation


@dataclass(frozen=True, eq=False)
class Features:
    """The features of one sound.

    array: float32 `(parts, bands, frames)`; may be changed. length: of the sound, samples. header: content of NAME.json: settings, axes,
    source, …
    """

    array: NDArray[np.float32]
    representation: Representation
    length: int
    header: dict[str, Any]

    @property
    def sample_rate(self) -> int:
        """Sample rate of the sound, Hz."""
        return self.representation.sample_rate

    @property
    def axes(self) -> Axes:
        """Names and units of the axes of the array."""
        return self.representation.axes(self.length)

    def audio(self, *, seed: int = 0) -> Tensor:
        """Returns the decoded audio, float32 `(channels, length)`. seed: of random phases. Raises ShapeError, FeatureFileError."""
        import torch

        values = torch.from_numpy(np.ascontiguousarray(self.array, dtype=np.float32))
        with torch.inference_mode():
            audio = self.representation.decode(values[None], length=self.length, seed=seed)[0]
        if not torch.isfinite(audio).all():
            raise FeatureFileError(f"the array reaches {float(values.abs().max()):.3g}, too large for finite audio; scale it down")
        return audio


def compute_features(audio: Tensor, settings: Mapping[str, Any] | str, *, sample_rate: int = SAMPLE_RATE, source: str = "") -> Features:
    """Returns the features of audio `(channels, time)`.

    settings: the name of a representation, or a mapping of name and keys as in a preset; normalisation is refused because it needs fitting
    to many sounds. source: a name for the header. Raises ConfigError (settings), ShapeError (audio), FeatureFileError (too long).
    """
    import torch

    if not isinstance(audio, torch.Tensor) or audio.ndim != 2 or audio.shape[0] not in (1, 2):
        given = tuple(audio.shape) if isinstance(audio, torch.Tensor) else type(audio).__name__
        raise ShapeError(f"audio must be a tensor (channels, time) of 1 or 2 channels, not {given}")
    keys = {"name": settings} if isinstance(settings, str) else dict(settings)
    view = build_representation(keys, sample_rate=sample_rate, channels=audio.shape[0])
    return encode_features(view, audio, keys, source=source)


def encode_features(view: Representation, audio: Tensor, settings: Mapping[str, Any], *, source: str = "") -> Features:
    """Returns the features of audio `(channels, time)`. view: built from `settings`, and fitted if it is normalised."""
    import torch

    length = audio.shape[-1]
    if length:
        check_size(view, length)
    with torch.inference_mode():
        array = view.encode(audio[None])[0].to("cpu", torch.float32).numpy()
    header = make_header(settings, view, length=length, shape=array.shape, source=source)
    return Features(np.ascontiguousarray(array), view, length, header)

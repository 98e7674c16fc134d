"""Specs of features that no representation gives, for models in small."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from timbrespace.representation.spec import FeatureKind, FeatureSpec


def feature_spec(
    parts: int = 1,
    bands: int = 8,
    frames: int = 3,
    *,
    samples: int = 20_000,
    sample_rate: int = 44_100,
    floor: float | None = None,
    hop: int | None = None,
    centres: Sequence[float] | None = None,
    frames_of: Callable[[int], int] | None = None,
) -> FeatureSpec:
    """A spec of levels in dB where `floor` is given, else of other values."""
    return FeatureSpec(
        parts=parts,
        bands=bands,
        frames=frames,
        samples=samples,
        sample_rate=sample_rate,
        frames_of=frames_of or (lambda _: frames),
        kind=FeatureKind("other" if floor is None else "levels"),
        floor=floor,
        hop=hop,
        centres=None if centres is None else tuple(centres),
    )

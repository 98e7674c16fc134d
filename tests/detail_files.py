"""Instrument files of a few tensors, written by hand: a view, categories, and a detail model drawn at random within its limits."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from timbrespace.synthesis.detail_model.model import DetailModel

_B, _F, _LEVELS = 10, 6, 41


class Levels(ctypes.Structure):
    """`Levels` of parts.h; `db` of `(parts, bands, frames)`."""

    _fields_ = (("parts", ctypes.c_int), ("frames", ctypes.c_int), ("bands", ctypes.c_int), ("db", ctypes.c_void_p))

    def __init__(self, levels: np.ndarray):
        self.values = np.ascontiguousarray(levels.transpose(0, 2, 1), np.float32)
        super().__init__(*self.values.shape, self.values.ctypes.data)

    @property
    def result(self) -> np.ndarray:
        return self.values.transpose(0, 2, 1)


def detail_tensors(rng: np.random.Generator, *, dims: int, categories: int) -> dict[str, torch.Tensor]:
    """Returns the tensors of a detail model by name."""
    rows = 1 + categories

    def uniform(low: float, high: float, *shape: int) -> np.ndarray:
        return rng.uniform(low, high, shape).astype(np.float32)

    knots = np.linspace(-80, 0, _LEVELS)
    rising = np.sort(uniform(-2, 6, rows, 2, 9), axis=-1)
    found = {
        "centre": uniform(-1, 1, dims), "spread": uniform(0.5, 2, dims), "gain": uniform(-1, 1, dims + 1), "gain_range": [-3.0, 3.0],
        "fast": uniform(-0.3, 0.6, dims + 1, _B, _F), "fast_range": np.stack([np.full((_B, _F), -0.5), np.full((_B, _F), 1.5)]),
        "fast_rest": uniform(0, 0.3, _B, _F), "slow": uniform(-0.3, 0.8, dims + 1, _B, _F),
        "slow_range": np.stack([np.full((_B, _F), -0.5), np.full((_B, _F), 2.0)]), "slow_rest": uniform(0, 0.3, _B, _F),
        "shares": uniform(0.05, 0.45, 2, _B, _F), "kernel": uniform(-0.1, 0.5, 3, _B), "neighbours": uniform(0, 0.6, _B),
        "skew": uniform(0.1, 0.5, _B), "bias": uniform(-2, 2, _LEVELS), "scale": uniform(0.2, 1.5, _LEVELS), "tonal": uniform(0, 1),
        "lift": uniform(0, 3), "points": np.sort(knots + uniform(-4, 3, 4, _LEVELS), axis=-1),
        "attack": np.sort(knots + uniform(-5, 5, rows, 12, _LEVELS), axis=-1), "rises": rising - np.array([0, 1.5])[:, None],
        "limits": np.stack([uniform(-60, -30, rows, 5), uniform(-30, 0, rows, 5)], 1),
    }  # fmt: skip
    return {name: torch.tensor(np.asarray(values), dtype=torch.float32) for name, values in found.items()}


def instrument_bytes(
    tensors: dict[str, torch.Tensor], *, rate: int = 44_100, channels: int = 1, dims: int = 4, bands: int = 40, floor: float = 80.0,
    labels: Sequence[str | None] = ("b", None, "a"), detailed: Sequence[str] = (), **more: Any,
) -> bytes:  # fmt: skip
    """Returns a file with the tensors of a detail model. more: other entries of the settings of the view."""
    settings = {"representation": {"name": "bands", "bands": bands, "floor": floor, **more}, "model": {"name": "oneshot", "dims": dims}}
    header = {
        "format": "timbrespace-instrument", "version": 1, "settings": settings, "sample_rate": rate, "channels": channels,
        "samples": 2 * rate, "labels": list(labels), "detail_categories": list(detailed),
    }  # fmt: skip
    named = {f"detail.{name}": tensor for name, tensor in tensors.items()}
    return save(named, {"timbrespace": json.dumps(header)})


def decoded_levels(rng: np.random.Generator, *, parts: int, bands: int, frames: int, floor: float) -> np.ndarray:
    """Returns `(parts, bands, frames)` as a decoder gives them: partials and smooth noise that decay, silence, the loudest cell at 0 dB."""
    time, band = np.arange(frames)[None, None], np.arange(bands)[None, :, None]
    smooth = np.cumsum(rng.standard_normal((parts, bands, 1)), axis=1) - rng.uniform(0.05, 0.5, (parts, 1, 1)) * time
    partials = 15.0 * (band % 9 == 4) + 10.0 * np.sin(0.1 * time + band)
    levels = smooth + partials + 0.5 * rng.standard_normal((parts, bands, frames))
    levels = np.where(rng.random((parts, bands, frames)) < 0.1, -400.0, levels)
    return np.maximum(levels - levels.max(), -floor).astype(np.float32)


def model_of(tensors: dict[str, torch.Tensor], *, dims: int, categories: Sequence[str]) -> DetailModel:
    """Returns the detail model that Python makes of the tensors."""
    return DetailModel.load(tensors, dims=dims, categories=tuple(categories))

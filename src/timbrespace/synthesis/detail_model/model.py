"""The detail model: statistics of the detail of a corpus, as a few tensors in the instrument file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from timbrespace.contracts import InstrumentFileError
from timbrespace.synthesis.detail_model.grid import ATTACK_FRAMES, BAND_KNOTS, FRAME_KNOTS, GROUP_KNOTS, LEVELS, RISES, TRAITS

# Allowed values, so that no file makes sounds of infinite levels.
_RANGES = {
    "spread": (1e-4, 1e6), "gain_range": (-200, 200), "fast_range": (-12, 5), "slow_range": (-12, 5), "fast_rest": (0, 2),
    "slow_rest": (0, 2), "shares": (0, 1), "kernel": (-2, 2), "neighbours": (-2, 2), "skew": (0.01, 1), "bias": (-200, 200),
    "scale": (0, 10), "tonal": (0, 2), "lift": (-20, 20), "points": (-400, 400), "attack": (-400, 400), "rises": (-20, 20),
}  # fmt: skip


@dataclass(frozen=True)
class DetailModel:
    """The distribution of the detail of training sounds: features minus decoded features, in dB. B, F: knots over bands and frames.

    Detail is the sum of a fast part (the grain of noise) and a slow part (ripple over the bands that lasts as long as the sound, drift, and
    broad errors). Their deviations are linear in the latent: softer, brighter or longer sounds have other detail.

    centre, spread `(dims,)`: of the latents, which are standardised first. gain `(dims + 1,)`: level of a sound over the decoded one in
    dB, constant and slopes; gain_range `(2,)`. fast, slow `(dims + 1, B, F)`: log of the deviation in dB, constant and slopes;
    fast_range, slow_range `(2, B, F)`; fast_rest, slow_rest `(B, F)`: deviation of that log from sound to sound.
    shares `(2, B, F)`: of the slow variance that is ripple, and broad. kernel `(3, B)`: of the fast part, see `fields.fast`.
    neighbours `(B,)`: weight of the next band in the slow part. skew `(B,)`: of the fast part, s in `draw.skewed`.
    bias, scale `(LEVELS,)`: mean of the detail in dB, and factor of its deviation, by decoded level.
    tonal `()`: factor of the deviation of the fast part in cells of partials. lift `()`: dB that rendering takes from the loudest cell.
    points `(groups, LEVELS)`: levels in dB of decoded training sounds with the ranks of levels of decoded new sounds.
    attack `(1 + categories, ATTACK_FRAMES, LEVELS)`: the same for the level of the first frames under the loudest frame, first for all
    sounds, then for each of `categories`, which have `FEWEST` training sounds or more.
    limits `(1 + categories, 2, TRAITS)`: least and most of the traits of training sounds, see `traits`.
    rises `(1 + categories, 2, RISES)`: log2 of rise times in ms at even ranks, of rendered new sounds and of training sounds, see `rise`.
    """

    centre: Tensor
    spread: Tensor
    gain: Tensor
    gain_range: Tensor
    fast: Tensor
    fast_range: Tensor
    fast_rest: Tensor
    slow: Tensor
    slow_range: Tensor
    slow_rest: Tensor
    shares: Tensor
    kernel: Tensor
    neighbours: Tensor
    skew: Tensor
    bias: Tensor
    scale: Tensor
    tonal: Tensor
    lift: Tensor
    points: Tensor
    attack: Tensor
    limits: Tensor
    rises: Tensor
    categories: tuple[str, ...] = ()

    def tensors(self) -> dict[str, Tensor]:
        """Returns all tensors by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "categories"}

    @classmethod
    def load(cls, tensors: Mapping[str, Tensor], *, dims: int, categories: tuple[str, ...] = ()) -> DetailModel:
        """Returns the model of `tensors`, for latents of `dims` numbers. categories: of the maps of the attack.

        Raises InstrumentFileError for missing or misshapen tensors.
        """
        shapes = _shapes(dims, len(categories))
        if "rises" in tensors and tuple(tensors["rises"].shape) == (2, RISES):  # of earlier versions: one map for all categories
            tensors = {**tensors, "rises": tensors["rises"].repeat(1 + len(categories), 1, 1)}
        for name, shape in shapes.items():
            found = tuple(tensors[name].shape) if name in tensors else "missing"
            if found != shape:
                raise InstrumentFileError(f"detail.{name} is {found}, {shape} expected; the file is damaged")
        if unknown := sorted(set(tensors) - set(shapes)):
            raise InstrumentFileError(f"detail.{unknown[0]!r:.60} is not a part of a detail model; the file is damaged")
        for name, (low, high) in _RANGES.items():
            if not bool(((tensors[name] >= low) & (tensors[name] <= high)).all()):
                raise InstrumentFileError(f"detail.{name} holds values beyond {low:g} to {high:g}; the file is damaged")
        return cls(**{name: tensors[name].float() for name in shapes}, categories=categories)

    def standard(self, z: Tensor) -> Tensor:
        """Returns a latent `(dims,)`, or the mean of a path `(dims, steps)`, standardised and within 3 deviations."""
        return (((z if z.ndim == 1 else z.mean(1)).float() - self.centre) / self.spread).clamp(-3, 3)

    def gain_of(self, standard: Tensor) -> Tensor:
        """Returns the gain in dB of a standardised latent `(dims,)`: `()`."""
        low, high = self.gain_range
        return torch.minimum(torch.maximum(self.gain[0] + standard @ self.gain[1:], low), high)

    def attack_of(self, category: str | None) -> Tensor:
        """Returns the map of the levels of the first frames, `(ATTACK_FRAMES, LEVELS)`; that of all sounds for an unknown category."""
        return self.attack[self._row(category)]

    def rises_of(self, category: str | None) -> Tensor:
        """Returns the map of the rise times of a category's sounds, `(2, RISES)`; that of all sounds for an unknown category."""
        return self.rises[self._row(category)]

    def limits_of(self, category: str | None) -> Tensor:
        """Returns the limits of the traits of a category's sounds, `(2, TRAITS)`; those of all sounds for an unknown category."""
        return self.limits[self._row(category)]

    def _row(self, category: str | None) -> int:
        return self.categories.index(category) + 1 if category in self.categories else 0

    def log_deviations(self, standard: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the logs of the deviations of the fast and the slow part at the knots, each `(B, F)`, for a latent `(dims,)`."""
        return _within(self.fast, self.fast_range, standard), _within(self.slow, self.slow_range, standard)


def _within(coefficients: Tensor, limits: Tensor, standard: Tensor) -> Tensor:
    value = coefficients[0] + torch.tensordot(standard, coefficients[1:], dims=1)
    return torch.minimum(torch.maximum(value, limits[0]), limits[1])


def _shapes(dims: int, categories: int) -> dict[str, tuple[int, ...]]:
    b, f = len(BAND_KNOTS), len(FRAME_KNOTS)
    parts = {"": (dims + 1, b, f), "_range": (2, b, f), "_rest": (b, f)}
    result: dict[str, tuple[int, ...]] = {"centre": (dims,), "spread": (dims,), "gain": (dims + 1,), "gain_range": (2,)}
    result |= {name + end: shape for name in ("fast", "slow") for end, shape in parts.items()}
    result |= {"shares": (2, b, f), "kernel": (3, b), "neighbours": (b,), "skew": (b,)}
    result |= {"bias": (LEVELS,), "scale": (LEVELS,), "tonal": (), "lift": (), "points": (len(GROUP_KNOTS), LEVELS)}
    return result | {
        "attack": (1 + categories, ATTACK_FRAMES, LEVELS),
        "limits": (1 + categories, 2, TRAITS),
        "rises": (1 + categories, 2, RISES),
    }

"""Moves drawn at random: around a sound with growing noise, from the posterior of a foreign sound, noise walks, and new sounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from timbrespace.contracts import ConfigError
from timbrespace.latent.trajectories import interpolate_path
from timbrespace.noise import Noise, Purpose
from timbrespace.space.moves.move import Move, Point, through
from timbrespace.space.moves.points import given_point, moved, near_point, offset, origin_point, spread_size
from timbrespace.space.moves.values import AMOUNT, SPEED, TEMPERATURE, check_walk, walk
from timbrespace.synthesis import request
from timbrespace.synthesis.detail.source import Source
from timbrespace.synthesis.encoding import trim_to_onset
from timbrespace.synthesis.file.contents import InstrumentContents

_CERTAIN = -13.0  # log variance of a latent that has none, see `parts.bottleneck`


def random_move(contents: InstrumentContents, count: int, *, category: str | None, temperature: float, seed: int) -> Move:
    """Returns new sounds as `generate` draws them, and the way from each to the next."""
    options = request.DrawOptions(category, TEMPERATURE.check(temperature))
    drawn = request.draw(contents, count, options, seed=seed)
    points = tuple(Point(one.z, one.length, None, str(index + 1), {}, one.category) for index, one in enumerate(drawn))
    asked = {"verb": "explore", "move": "random", "seed": seed, "asked_category": category, "temperature": temperature}
    return Move(
        contents, "random", asked, points, through(contents, points), seed, own_noise=True, segments=max(1, count - 1), even=True,
        seconds=4.0,
    )  # fmt: skip


def around_move(contents: InstrumentContents, source: Source, count: int, *, amount: float, seed: int, name: str) -> Move:
    """Returns the sound and `count - 1` neighbours of it with growing noise, each in a direction of its own (source B).

    amount: distance of the last, in units of the corpus's spread. Raises ConfigError.
    """
    amount = AMOUNT.check(amount)
    points = [given_point(contents, source, label="0.00")._replace(asked={"amount": 0.0})]
    for index in range(1, count):
        noise = torch.from_numpy(Noise(seed, Purpose.AROUND, index).normal(spread_size(contents))).float()
        far = amount * index / (count - 1)
        z = moved(contents, source.encoded.z, far * offset(contents, noise))
        points.append(near_point(contents, source, z, label=f"{far:.2f}", asked={"amount": far}))
    asked = {"verb": "explore", "move": "around", "seed": seed, "of": name}
    fixed = tuple(points)
    return Move(
        contents, f"{name} around", asked, fixed, through(contents, fixed), seed, segments=max(1, count - 1), even=True, seconds=4.0
    )


@torch.no_grad()
def posterior_move(contents: InstrumentContents, source: Source, count: int, *, temperature: float, seed: int, name: str) -> Move:
    """Returns a sound drawn `count` times from the posterior that the encoder gives it (source B).

    The middle is the latent that the instrument uses for the sound, refined where the model refines; the deviations are the encoder's.
    temperature: their factor; at 0 each draw is the sound. Raises ConfigError for a model without a posterior.
    """
    temperature = TEMPERATURE.check(temperature)
    model = contents.model
    sound, _ = trim_to_onset(contents, source.given.audio, None)
    features = contents.representation.encode(model.prepare_audio(sound)[None])
    conditions = model.conditioning.of_sound(sound, contents.sample_rate) if model.conditioning.size else None
    posterior = model.encode(features, torch.tensor([sound.shape[1]]), conditions)
    known = torch.isneginf(posterior.log_variance[0])
    deviation = (posterior.log_variance[0] / 2).exp().masked_fill(known, 0.0)
    if bool((posterior.log_variance[0].masked_fill(known, -torch.inf) <= _CERTAIN).all()):
        raise ConfigError(
            f"this instrument's model ({type(model).__name__}) gives a sound one latent, not a posterior to draw from; draw around the "
            "sound instead (--around, or vary), or train a variational family"
        )
    centre = source.encoded.z
    if model.time_varying:
        deviation = interpolate_path(deviation, torch.linspace(0, 1, centre.shape[1])) if deviation.shape != centre.shape else deviation
    points = []
    for index in range(count):
        drawn = torch.from_numpy(Noise(seed, Purpose.POSTERIOR, index).normal(*centre.shape)).float()
        z = moved(contents, centre, temperature * deviation * drawn)
        points.append(near_point(contents, source, z, label=str(index + 1)))
    asked = {"verb": "explore", "move": "draws", "seed": seed, "temperature": temperature, "of": name}
    fixed = tuple(points)
    return Move(
        contents, f"{name} drawn", asked, fixed, through(contents, fixed), seed, own_noise=True, segments=max(1, count - 1), even=True,
        seconds=4.0,
    )  # fmt: skip


def walk_move(
    contents: InstrumentContents, count: int, *, kind: str, source: Source | None, category: str | None, amount: float, speed: float,
    seed: int, name: str,
) -> Move:  # fmt: skip
    """Returns a walk of `count` points that begins at a given sound, the middle of a category, or the middle of the space.

    kind: one of `values.WALKS`. amount: of the walk, in units of the corpus's spread: every standardised coordinate stays within it, of
    Perlin and fractal noise within twice that, as they are taken from their value at the start. speed: see `values.SPEED`. Raises
    ConfigError.
    """
    check_walk(kind)
    amount, speed = AMOUNT.check(amount), SPEED.check(speed)
    origin = origin_point(contents, source=source, category=category)
    rows = spread_size(contents)
    steps = walk(kind, seed, rows, np.arange(count, dtype=np.float64), speed=speed)

    def point(standard: np.ndarray, label: str = "") -> Point:
        change = amount * offset(contents, torch.from_numpy(standard).float())
        if not change.any():
            return origin._replace(label=label)
        z = moved(contents, origin.z, change)
        if source is not None:
            return near_point(contents, source, z, length=origin.length, label=label)
        return Point(z, origin.length, None, label, {}, category)

    def at(position: float) -> Point:
        place = position * (count - 1)
        if kind == "uniform":
            first = min(int(place), max(count - 2, 0))
            share = place - first
            return point(steps[:, first] * (1 - share) + steps[:, min(first + 1, count - 1)] * share)
        return point(walk(kind, seed, rows, np.array([0.0, place]), speed=speed)[:, 1])

    points = tuple(point(steps[:, k], str(k + 1))._replace(asked={"step": k}) for k in range(count))
    asked: dict[str, Any] = {"verb": "explore", "move": "walk", "kind": kind, "seed": seed, "amount": amount, "speed": speed, "of": name}
    return Move(contents, f"{name} walk", asked, points, at, seed, segments=max(1, count - 1), seconds=4.0)

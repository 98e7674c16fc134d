"""Part `steering`: do controls change what is asked for, by as much, and leave the rest?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from lib.page import table
from lib.process import say
from lib.space.setting import Setting, interval, with_interval

if TYPE_CHECKING:
    from timbrespace.instrument import Instrument
    from timbrespace.synthesis.controls import Control
    from timbrespace.synthesis.detail.given import GivenSound

ASKED = ("brightness", "decay", "length", "noisiness")
ALSO = ("attack", "loudness", "low_end")
AMOUNTS = (-0.5, -0.25, 0.25, 0.5)  # spreads
WAVEFORM = ("attack", "loudness")  # depend on the waveform, which levels show badly
# The two are one property of a sound that fades: neither is counted as the other's side effect.
SIBLINGS = {"decay": "length", "length": "decay"}


@dataclass
class Found:
    """What steering by one control did, a row a sound and a column an amount."""

    asked: list[list[float]] = field(default_factory=list)
    change: list[list[float]] = field(default_factory=list)
    others: list[list[float]] = field(default_factory=list)  # mean absolute change of the other descriptors
    spectral: list[list[float]] = field(default_factory=list)  # the same without attack and loudness
    nearer: list[list[float]] = field(default_factory=list)  # 1: nearer to the source than a random move as long
    matched: list[list[float]] = field(default_factory=list)  # 1: nearer than a random move that changes the descriptor as much


def section(setting: Setting) -> str:
    """The table, on the finished sounds."""
    rows = []
    for what in setting.whats:
        instrument, sounds = setting.instrument(what), setting.unseen(what)
        offered = {control.name for control in instrument.controls}
        for name in setting.controls or (*ASKED, *ALSO):
            if name in offered:
                found = measure(instrument, sounds, name, seed=setting.seed)
                rows.append([what, name, *cells(found)])
                say(" | ".join(rows[-1]))
            else:
                rows.append([what, name, *["not offered"] * 7])
    head = [
        "",
        "control",
        "asked and measured change: correlation",
        "slope",
        "error (spreads)",
        "others over asked change",
        "without attack and loudness",
    ]
    return table([*head, "nearer than a random move as long", "nearer than one as effective"], rows)


def cells(found: Found) -> list[str]:
    """Figures with intervals over sounds."""
    asked, change, others = np.array(found.asked), np.array(found.change), np.array(found.others)
    size = len(change)

    def correlation(k: NDArray[np.intp]) -> float:
        return float(np.corrcoef(asked[k].ravel(), change[k].ravel())[0, 1])

    def ratio(k: NDArray[np.intp]) -> float:
        return float(others[k].mean() / np.abs(change[k]).mean())

    def spectral(k: NDArray[np.intp]) -> float:
        return float(np.array(found.spectral)[k].mean() / np.abs(change[k]).mean())

    every = np.arange(size)
    slope = float(np.polyfit(asked.ravel(), change.ravel(), 1)[0])
    error = float(np.median(np.abs(change - asked)))
    shares = []
    for values in (found.nearer, found.matched):
        each = np.array(values)
        shares.append(f"{100 * np.nanmean(each):.0f} %")
    return [
        with_interval(correlation(every), interval(correlation, size)), f"{slope:.2f}", f"{error:.2f}",
        with_interval(ratio(every), interval(ratio, size)), with_interval(spectral(every), interval(spectral, size)), *shares,
    ]  # fmt: skip


def measure(instrument: Instrument, sounds: list[GivenSound], name: str, *, seed: int) -> Found:
    """Steers every sound by every amount and measures the finished sounds."""
    from timbrespace.audio.describe import NAMES, describe
    from timbrespace.audio.embedding import embedding
    from timbrespace.synthesis.encoding import trim_to_onset

    contents, rate = instrument.contents, instrument.sample_rate
    control = next(control for control in instrument.controls if control.name == name)
    spreads = {one.name: one.spread for one in instrument.controls}
    judged = [other for other in spreads if other not in (name, SIBLINGS.get(name), "pitch")]
    found = Found()
    for sound in sounds:
        original = trim_to_onset(contents, sound.audio, None)[0]
        before = describe(original, rate)
        rows: list[list[float]] = [[], [], [], [], []]
        wanted: list[float] = []
        for amount in AMOUNTS:
            asked = possible(control, float(before[NAMES.index(name)]), amount, longest=contents.samples / rate)
            made = instrument.steer(sound, {name: asked}, seed=seed)[0]
            after = describe(trim_to_onset(contents, made.audio, None)[0], rate)
            moved = {other: float((after - before)[NAMES.index(other)]) / spread for other, spread in spreads.items()}
            rows[0].append(moved[name])
            wanted.append(asked)
            rows[1].append(float(np.nanmean([abs(moved[other]) for other in judged])))
            rows[4].append(float(np.nanmean([abs(moved[other]) for other in judged if other not in WAVEFORM])))
            points = embedding([original, trim_to_onset(contents, made.audio, None)[0]], sample_rate=rate)
            own = float((points[0] - points[1]).norm())
            as_long, as_effective = random_moves(instrument, sound, made.latent, name, moved[name], seed=seed)
            rows[2].append(float(own < as_long))
            rows[3].append(float("nan") if as_effective is None else float(own < as_effective))
        found.asked.append(wanted)
        for target, row in zip((found.change, found.others, found.nearer, found.matched, found.spectral), rows, strict=True):
            target.append(row)
    return found


def possible(control: Control, place: float, amount: float, *, longest: float) -> float:
    """The part of an amount that the descriptor's limits leave to a sound at `place` on its scale; for a length up to `longest` s."""
    descriptor = control.descriptor
    high = min(descriptor.high, longest) if control.name == "length" else descriptor.high
    low, top = descriptor.to_scale(descriptor.low), descriptor.to_scale(high)
    return (min(max(place + amount * control.spread, low), max(top, place)) - place) / control.spread


def random_moves(
    instrument: Instrument, sound: GivenSound, steered: torch.Tensor | None, name: str, change: float, *, seed: int
) -> tuple[float, float | None]:
    """Distances of the sound to random moves: as long as the steered one, and one that changes the descriptor as much.

    The second is the nearest of four random directions, followed to the change; None where none reaches it.
    """
    from timbrespace.audio.describe import NAMES, describe
    from timbrespace.audio.embedding import embedding
    from timbrespace.space.controls.coordinates import Point
    from timbrespace.space.controls.steer import steering_of
    from timbrespace.synthesis.detail.mix import Mix, kept_at
    from timbrespace.synthesis.detail.source import analyse
    from timbrespace.synthesis.encoding import trim_to_onset
    from timbrespace.synthesis.rendering import render
    from timbrespace.synthesis.request import RenderRequest

    contents, rate = instrument.contents, instrument.sample_rate
    steering, source = steering_of(contents), analyse(contents, sound)
    coordinates = steering.coordinates
    assert steered is not None
    size = float(torch.linalg.lstsq(coordinates.directions.T, (steered - source.encoded.z)[:, None]).solution.norm())
    original = trim_to_onset(contents, sound.audio, None)[0]
    place, spread = NAMES.index(name), float(steering.controls.spreads[NAMES.index(name)])
    before = float(describe(original, rate, only=(name,))[place])
    generator = torch.Generator().manual_seed(seed)

    def made(direction: torch.Tensor, length: float) -> tuple[torch.Tensor, float]:
        kept = min(1 - 1e-6, kept_at(length / coordinates.rank**0.5))
        point = coordinates.move(Point(source.encoded.z), direction * length)
        request = RenderRequest(point.z, "move", None, {}, seed, None, Mix((source,), kept=kept))
        audio = trim_to_onset(contents, render(contents, [request], level=None, out_rate=None)[0].audio, None)[0]
        return audio, (float(describe(audio, rate, only=(name,))[place]) - before) / spread

    def distance(audio: torch.Tensor) -> float:
        points = embedding([original, audio], sample_rate=rate)
        return float((points[0] - points[1]).norm())

    directions = torch.randn(2, coordinates.rank, generator=generator)
    directions = directions / directions.norm(dim=1, keepdim=True)
    as_long = distance(made(directions[0], size)[0])
    effective = []
    for direction in directions:
        audio, moved = made(direction, 1.5)
        if moved * change < 0:
            direction = -direction
        for length in (1.5, 3.0, 4.5, 6.0):
            audio, moved = made(direction, length)
            if abs(moved) >= 0.9 * abs(change) and moved * change > 0:
                effective.append(distance(audio))
                break
    return as_long, min(effective) if effective else None

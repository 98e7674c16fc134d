"""Small charts as SVG inside a page: lines over steps, bars, box plots. Colours are the page's own, texts are escaped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from timbrespace.report.escaping import clean

_WIDTH, _HEIGHT = 560.0, 240.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 54.0, 10.0, 12.0, 34.0
_LOG_FROM = 8.0  # times from the least to the most, from which a scale is logarithmic
_LONGEST_NAME = 26


@dataclass(frozen=True)
class Line:
    """One line of a chart: name, places, values, and the number of its colour, 0 to 9."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: int


@dataclass(frozen=True)
class _Scale:
    """Values to heights, linear from 0 or logarithmic."""

    low: float
    high: float
    logarithmic: bool

    @classmethod
    def over(cls, values: Sequence[float], *, linear: bool = False) -> _Scale:
        found = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
        least, most = min(found), max(found)
        if not linear and least > 0 and most / least > _LOG_FROM:
            return cls(least / 1.1, most * 1.1, True)
        return cls(min(0.0, least), most * 1.06 if most > 0 else 1.0, False)

    def place(self, value: float) -> float:
        """0 at the bottom … 1 at the top."""
        if self.logarithmic:
            return math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        if self.logarithmic:
            tens = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            marks = [digit * 10.0**power for power in tens for digit in (1, 2, 5)]
        else:
            step = 10 ** math.floor(math.log10((self.high - self.low) / 2))
            step *= next(factor for factor in (1, 2, 5, 10) if (self.high - self.low) / (step * factor) <= 5.5)
            marks = [math.ceil(self.low / step) * step + k * step for k in range(12)]
        return [mark for mark in marks if self.low <= mark <= self.high]


def lines(
    title: str, series: Sequence[Line], *, unit: str, level: tuple[float, str] | None = None, mark: tuple[float, str] | None = None
) -> str:
    """Lines over steps with a key. unit: of the values. level: a value to compare with, and what it is; mark: a step, and what it is."""
    values = [value for one in series for value in one.y] + ([] if level is None else [level[0]])
    scale, last = _Scale.over(values), max((step for one in series for step in one.x), default=1.0) or 1.0
    inner = _grid(scale, unit)

    def across(step: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * step / last

    for k in range(5):
        anchor = "end" if k == 4 else "middle"
        inner.append(f'<text x="{across(last * k / 4):.1f}" y="{_HEIGHT - 14:.0f}" text-anchor="{anchor}">{last * k / 4:,.0f}</text>')
    if mark is not None:
        x = across(mark[0])
        inner.append(f'<path class="mark" d="M{x:.1f} {_TOP:.0f}V{_HEIGHT - _BOTTOM:.0f}"/>')
    if level is not None:
        inner.append(f'<path class="level" d="M{_LEFT:.0f} {_down(scale, level[0]):.1f}H{_WIDTH - _RIGHT:.0f}"/>')
    for one in series:
        shown = [(across(x), _down(scale, y)) for x, y in zip(one.x, one.y, strict=True) if math.isfinite(y)]
        path = "".join(f"{'L' if k else 'M'}{x:.1f} {y:.1f}" for k, (x, y) in enumerate(shown))
        if path:
            inner.append(f'<path class="line" style="stroke:var(--c{one.colour})" d="{path}"/>')
    key = "".join(f'<li><i class="dot c{one.colour}"></i>{clean(one.name)}</li>' for one in series)
    key += f"<li>- - {clean(level[1])}</li>" if level is not None else ""
    key += f"<li>| {clean(mark[1])}</li>" if mark is not None else ""
    return _figure(title, inner, key=f'<ul class="chart-key">{key}</ul>')


def bars(title: str, values: Sequence[float], *, unit: str, level: tuple[float, str] | None = None) -> str:
    """One bar a value, numbered from 1. level: those that reach it are drawn in full colour; what it stands for."""
    scale = _Scale.over([*values, 0.0], linear=True)
    inner, room = _grid(scale, unit), (_WIDTH - _LEFT - _RIGHT) / max(1, len(values))
    for k, value in enumerate(values):
        top = _down(scale, value)
        colour = 0 if level is None or value >= level[0] else 9
        inner.append(
            f'<rect class="c{colour}" x="{_LEFT + k * room:.2f}" y="{top:.1f}" width="{max(0.6, room * 0.8):.2f}" '
            f'height="{max(0.5, _HEIGHT - _BOTTOM - top):.1f}"><title>{k + 1}: {_short(value)} {clean(unit)}</title></rect>'
        )
    for k in sorted({0, len(values) // 2, len(values) - 1}) if values else []:
        inner.append(f'<text x="{_LEFT + (k + 0.4) * room:.1f}" y="{_HEIGHT - 14:.0f}" text-anchor="middle">{k + 1}</text>')
    key = f'<ul class="chart-key"><li><i class="dot c0"></i>{clean(level[1])}</li></ul>' if level is not None else ""
    return _figure(title, inner, key=key)


def boxes(title: str, groups: Mapping[str, Sequence[float]], *, unit: str) -> str:
    """A box a group, lying: quartiles and median, whiskers to the last value within 1.5 times the box, points beyond."""
    scale = _Scale.over([value for values in groups.values() for value in values])
    row, left = 26.0, 190.0
    height = _TOP + row * len(groups) + _BOTTOM

    def across(value: float) -> float:
        return left + (_WIDTH - left - _RIGHT - 6) * scale.place(value)

    inner = []
    for tick in scale.ticks():
        x = across(tick)
        inner.append(f'<path class="grid-line" d="M{x:.1f} {_TOP:.0f}V{height - _BOTTOM:.0f}"/>')
        inner.append(f'<text x="{x:.1f}" y="{height - 16:.0f}" text-anchor="middle">{_short(tick)}</text>')
    inner.append(f'<text x="{_WIDTH - _RIGHT:.0f}" y="{height - 3:.0f}" text-anchor="end">{clean(unit)}</text>')
    for k, (name, values) in enumerate(groups.items()):
        found = np.array([value for value in values if math.isfinite(value)])
        middle, short = _TOP + row * (k + 0.5), name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
        inner.append(f'<text class="name" x="{left - 10:.0f}" y="{middle + 4:.1f}" text-anchor="end">{clean(short)} ({len(found)})</text>')
        if not len(found):
            continue
        low, half, high = np.percentile(found, [25, 50, 75])
        inside = found[(found >= low - 1.5 * (high - low)) & (found <= high + 1.5 * (high - low))]
        first, last = inside.min(), inside.max()
        inner.append(f'<path class="whisker" d="M{across(first):.1f} {middle:.1f}H{across(last):.1f}"/>')
        inner.append(
            f'<rect class="box" x="{across(low):.1f}" y="{middle - 8:.1f}" width="{max(1.0, across(high) - across(low)):.1f}" height="16">'
            f"<title>{clean(name)}: median {_short(float(half))} {clean(unit)}</title></rect>"
        )
        inner.append(f'<path class="median" d="M{across(half):.1f} {middle - 8:.1f}v16"/>')
        beyond = found[(found < first) | (found > last)]
        inner += [f'<circle class="beyond" cx="{across(value):.1f}" cy="{middle:.1f}" r="2"/>' for value in beyond]
    return _figure(title, inner, height=height)


def _grid(scale: _Scale, unit: str) -> list[str]:
    inner = []
    for tick in scale.ticks():
        y = _down(scale, tick)
        inner.append(f'<path class="grid-line" d="M{_LEFT:.0f} {y:.1f}H{_WIDTH - _RIGHT:.0f}"/>')
        inner.append(f'<text x="{_LEFT - 7:.0f}" y="{y + 4:.1f}" text-anchor="end">{_short(tick)}</text>')
    inner.append(f'<text x="6" y="{_HEIGHT - 14:.0f}">{clean(unit)}</text>')
    return inner


def _figure(title: str, inner: list[str], *, key: str = "", height: float = _HEIGHT) -> str:
    body = "".join(inner)
    return (
        f'<figure class="chart"><figcaption>{clean(title)}</figcaption>'
        f'<svg viewBox="0 0 {_WIDTH:.0f} {height:.0f}" role="img" aria-label="{clean(title)}">{body}</svg>{key}</figure>'
    )


def _down(scale: _Scale, value: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * scale.place(value)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"

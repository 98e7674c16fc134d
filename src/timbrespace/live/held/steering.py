"""Named controls of held tones: a step of the latent, and gains for what the step does not reach."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from timbrespace.audio.arrays.tones import NOISINESS, Harmonics, Values, amounts_for, describe_tones, harmonics, unclear, with_gains
from timbrespace.live.held.pitch import Spectrum, clarity, find_pitch

Partials = Callable[[Spectrum, float], np.ndarray]  # a spectrum and its pitch -> amplitudes of the harmonics from the first on
Decode = Callable[[np.ndarray], list[Spectrum]]  # points (n, dims) -> a spectrum each

NAMES = ("brightness", "noisiness", "hollowness")  # of `audio.describe.TONES`, which needs PyTorch
LEAST_SPREADS = {"brightness": 0.05, "noisiness": 1.0, "hollowness": 1.0}  # on the scales: what varies by less does not vary audibly
_CLEAR = 0.5  # clarity of the tones that statistics are of
_PROBE, _REACH = 0.2, 1.0  # deviations of the corpus: steps by which slopes are measured, and the longest step of a control
_HOLD = 64.0  # weight of a change of the other descriptors, in spreads², against the squared length of the step
_UNCLEAR_DB = 12.0  # that count as a spread
_KEPT_CLEAR, _KEPT_PITCH = 3.0, 1 / 12  # dB less clear, octaves: a step ends before it
_STOPS = (1 / 3, 2 / 3, 1.0)  # of the longest step, where it is looked at
_MOST_KEPT = 64
_TRIED, _FARTHEST, _USUAL = 12, 3.0, 0.75  # tones followed, spreads, share of tones that reach less
_LEAST_REACH, _LEAST_RISE = 0.2, 0.02  # spreads; spreads a deviation of the corpus
_LOBE_BINS, _NONE = 2.5, 1e-6  # on both sides of a harmonic that belong to it; a reach of nothing


class Tone(NamedTuple):
    """A spectrum and its pitch in Hz. gains `(count,)`: of its partials, where these alone sound; None: they are in the spectrum."""

    spectrum: Spectrum
    pitch: float
    gains: np.ndarray | None = None


class _Anchor(NamedTuple):
    """Measurements near a point. descriptors `(3,)`; energy; directions `(3, dims)`: of the latent, a spread of each descriptor.

    reach `(3, 2)`: spreads down and up after which a step is no better, above 0.
    """

    pitch: float
    descriptors: Values
    energy: float
    directions: Values
    reach: Values


class ToneControls:
    """Moves points by spreads of the descriptors TONES. spreads `(3,)`: one of each over the corpus, on its scale.

    ranges: name -> how far tones can typically be moved down and up, in spreads; of those that the instrument offers.
    A step goes along the direction in which the descriptor changes most for its length while the others stay, of the point itself, at most
    as far as the tone stays clear at its pitch. Gains over the spectrum (`audio.arrays.tones`) add what the step lacks of brightness and
    hollowness, and take back what it changed of them unasked. The energy stays as it was.
    """

    def __init__(self, decode: Decode, points: np.ndarray, *, free: int, partials: Partials | None = None):
        """points `(n, dims)`: of the corpus. free: numbers of a latent that move, the first ones.

        partials: those that sound, where nothing else does; None: the whole spectrum sounds.
        """
        self._decode, self._partials, self._anchors = decode, partials, OrderedDict[bytes, _Anchor]()
        self._offered = [place for place in range(len(NAMES)) if partials is None or place != NOISINESS]
        described = [found for tone in decode(points) if (found := self._described(tone)) is not None]
        values = np.array(described).reshape(-1, len(NAMES))
        self.spreads = values.std(0) if len(values) > 1 else np.zeros(len(NAMES))
        self._unit = np.where(self.spreads > 0, self.spreads, 1.0)
        self._axes = _axes(points, free)
        self.ranges: dict[str, tuple[float, float]] = {}
        self._fit_ranges(points)

    def tone(self, z: np.ndarray, amounts: Mapping[str, float]) -> Tone:
        """Returns the tone of a point `(dims,)` moved by amounts in spreads."""
        wanted = np.array([amounts.get(name, 0.0) for name in NAMES])
        anchor = self._anchor(z)
        step = np.zeros(len(z))
        for amount, direction, (down, up) in zip(wanted, anchor.directions, anchor.reach, strict=True):
            most = up if amount > 0 else down
            step += direction * most * np.tanh(amount / most)
        [spectrum] = self._decode((z + step).astype(np.float32)[None])
        pitch = find_pitch(spectrum, anchor.pitch)
        power, where = self._sounding(spectrum, pitch)
        shape = amounts_for(power, where, anchor.descriptors + wanted * self._unit, ways=self._offered)
        level = (anchor.energy / max(float(with_gains(power, where, shape).sum()), 1e-30)) ** 0.5
        if self._partials is not None:
            return Tone(spectrum, pitch, (level * with_gains(np.ones(len(power)), where, shape) ** 0.5)[1:].astype(np.float32))
        found = level * with_gains(power, where, shape) ** 0.5
        return Tone(spectrum._replace(magnitudes=found.astype(np.float32)), pitch)

    def describe(self, tone: Tone) -> Values:
        """Returns the descriptors `(3,)` of a tone in spreads."""
        power, where = self._sounding(tone.spectrum, tone.pitch)
        if tone.gains is not None:
            power = power * np.square(np.concatenate([[0.0], tone.gains]))
        return describe_tones(power[None], where)[0] / self._unit

    def _sounding(self, spectrum: Spectrum, pitch: float) -> tuple[Values, Harmonics]:
        """The power of what sounds of a spectrum, and where it is."""
        if self._partials is None:
            power = np.square(spectrum.magnitudes.astype(np.float64))
            return power, harmonics(len(power), spectrum.spacing, pitch)
        heard = np.square(self._partials(spectrum, pitch).astype(np.float64))
        return np.concatenate([[0.0], heard]), harmonics(len(heard) + 1, 1.0, 1.0)

    def _anchor(self, z: np.ndarray) -> _Anchor:
        key = z.tobytes()
        if key in self._anchors:
            self._anchors.move_to_end(key)
            return self._anchors[key]
        found = self._anchors[key] = self._measured(z)
        while len(self._anchors) > _MOST_KEPT:
            self._anchors.popitem(last=False)
        return found

    def _measured(self, z: np.ndarray) -> _Anchor:
        steps = np.concatenate([0 * self._axes[:1], _PROBE * self._axes, -_PROBE * self._axes])
        tones = self._decode((z + steps).astype(np.float32))
        pitch, count = find_pitch(tones[0]), len(self._axes)
        values = self._values(tones, pitch)
        slopes = (values[1 : 1 + count] - values[1 + count :]).T / (2 * _PROBE)  # (descriptors, rank)
        directions, rises = np.zeros((len(NAMES), len(z))), np.ones(len(NAMES))
        for place in self._offered:
            others = np.delete(slopes, place, 0)
            way = np.linalg.solve(np.eye(count) + _HOLD * others.T @ others, slopes[place])
            way /= max(float(np.linalg.norm(way)), 1e-9)
            directions[place], rises[place] = way @ self._axes, max(float(slopes[place] @ way), _LEAST_RISE)
        reach = self._reaches(z, directions, values[0], pitch) * rises[:, None] + _NONE
        energy = float(self._sounding(tones[0], pitch)[0].sum())
        return _Anchor(pitch, values[0, : len(NAMES)] * self._unit, energy, directions / rises[:, None], reach)

    def _reaches(self, z: np.ndarray, directions: Values, start: Values, pitch: float) -> Values:
        """How far along each direction, in deviations down and up `(3, 2)`, a step goes on in its way and the tone stays clear."""
        ways = [(place, sign, stop) for place in self._offered for sign in (-1, 1) for stop in _STOPS]
        points = np.stack([z + sign * stop * _REACH * directions[place] for place, sign, stop in ways])
        tones = self._decode(points.astype(np.float32))
        values = self._values(tones, pitch)
        reach, ended = np.zeros((len(NAMES), 2)), set[tuple[int, int]]()
        best = {(place, sign): start[place] * sign for place in self._offered for sign in (-1, 1)}
        for (place, sign, stop), value, tone in zip(ways, values, tones, strict=True):
            way, along = (place, sign), value[place] * sign
            farther = way not in ended and along >= best[way] and (value[-1] - start[-1]) * _UNCLEAR_DB < _KEPT_CLEAR
            if farther and abs(np.log2(find_pitch(tone, pitch) / pitch)) < _KEPT_PITCH:
                best[way], reach[place, (sign + 1) // 2] = along, stop * _REACH
            else:
                ended.add(way)
        return reach

    def _values(self, tones: Sequence[Spectrum], pitch: float) -> Values:
        """Descriptors in spreads, and how unclear tones are at a pitch, `(n, 4)`."""
        whole = np.square(np.stack([tone.magnitudes for tone in tones]).astype(np.float64))
        bins = harmonics(whole.shape[1], tones[0].spacing, pitch)
        power, where = (whole, bins) if self._partials is None else self._all_sounding(tones, pitch)
        return np.concatenate([describe_tones(power, where) / self._unit, unclear(whole, bins, _LOBE_BINS)[:, None] / _UNCLEAR_DB], 1)

    def _all_sounding(self, tones: Sequence[Spectrum], pitch: float) -> tuple[Values, Harmonics]:
        heard = [self._sounding(tone, pitch) for tone in tones]
        return np.stack([power for power, _ in heard]), heard[0][1]

    def _described(self, spectrum: Spectrum) -> Values | None:
        """The descriptors `(3,)` of a spectrum on their scales; None where it is silent or has no clear pitch."""
        pitch = find_pitch(spectrum)
        if not spectrum.magnitudes.any() or clarity(spectrum, pitch) < _CLEAR:
            return None
        power, where = self._sounding(spectrum, pitch)
        return np.asarray(describe_tones(power[None], where)[0])

    def _fit_ranges(self, points: np.ndarray) -> None:
        """How far tones of the corpus can typically be moved: three of four reach less, as for the controls of whole sounds."""
        self._offered = [place for place in self._offered if self.spreads[place] >= LEAST_SPREADS[NAMES[place]]]
        if not self._offered or not len(self._axes):
            return
        places = np.unique(np.linspace(0, len(points) - 1, min(_TRIED, len(points))).round().astype(int))
        starts = [self._anchor(z).descriptors / self._unit for z in points[places]]
        for place in self._offered:
            ends = []
            for sign in (-1.0, 1.0):
                moved = [self.tone(z, {NAMES[place]: sign * _FARTHEST}) for z in points[places]]
                got = [sign * (self.describe(tone) - start)[place] for tone, start in zip(moved, starts, strict=True)]
                ends.append(sign * np.trunc(10 * np.clip(np.quantile(got, _USUAL), 0, _FARTHEST)) / 10)
            if max(-ends[0], ends[1]) >= _LEAST_REACH:
                self.ranges[NAMES[place]] = (float(ends[0]) + 0.0, float(ends[1]) + 0.0)  # no -0


def _axes(points: np.ndarray, free: int) -> Values:
    """Directions `(rank, dims)` in which the corpus varies, each as long as its standard deviation."""
    spread = points[:, :free].astype(np.float64)
    _, lengths, rows = np.linalg.svd(spread - spread.mean(0), full_matrices=False)
    kept = lengths > 1e-3 * max(float(lengths[0]), 1e-9)
    axes = np.zeros((int(kept.sum()), points.shape[1]))
    axes[:, :free] = rows[kept] * (lengths[kept] / max(1, len(points) - 1) ** 0.5)[:, None]
    return axes

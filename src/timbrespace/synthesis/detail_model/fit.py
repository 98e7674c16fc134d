"""Fits the detail model to training sounds: pairs of their features and of the features decoded from their latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from timbrespace.synthesis.detail_model.draw import ON_FLOOR_DB, at_training_levels, course
from timbrespace.synthesis.detail_model.fields import neighbour_weight, time_weights
from timbrespace.synthesis.detail_model.grid import ATTACK_FRAMES, GROUP_KNOTS, LEVELS, RISES, TRAITS, band_hats, frame_hats, level_knots
from timbrespace.synthesis.detail_model.model import DetailModel
from timbrespace.synthesis.detail_model.ranks import rank_map, ranked_levels
from timbrespace.synthesis.detail_model.statistics import LAGS, covariances, log_deviation, mean_of, moments, regression
from timbrespace.synthesis.texture import noisiness

FEWEST = 8  # sounds: a statistic of fewer would describe single ones
_PENALTY = 30.0  # of the regressions on the latent, in sounds
_LOUD_DB, _AUDIBLE_DB = 40.0, 60.0  # under the loudest cell: cells that give the gain, and that give the deviations
_MOST_DB = 25.0  # of detail in a cell
_CELLS = 200  # of one sound at a knot, that count at most: no long sound outweighs the others
# Frames between two cells by knot of FRAME_KNOTS: whose covariance is that of lasting ripple, and of broad errors.
_LASTING, _BROAD = (6, 6, 12, 24, 48, 48), (3, 3, 6, 12, 24, 24)
_SAMPLED = 2_000  # cells of each sound for the functions of level
_CENSORED_DB = 3.0  # above the floor: levels under it are known to be there, but not where
_QUANTILES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
_COARSE = (0.0, 3.0, 6.0, 10.0, 15.0, 22.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0)  # dB above the floor (of 80 dB) of levels that are fitted
_CORRECTION = (-0.4, 0.5)  # least and most change of a log deviation by `calibrated`
_ATTACK_DB, _HALF = (-20.0, 20.0), 8.0  # most change of the level of a frame; new sounds at which a category counts half
_MAP_DB = (-8.0, 4.0)  # least and most change of a level by the map of points

Pairs = Sequence[tuple[Tensor, Tensor]]
Labelled = tuple[Tensor, Tensor, str | None]


def fit_detail_model(pairs: Pairs, latents: Tensor, *, floor: float) -> DetailModel:
    """Returns the detail model of n ≥ `FEWEST` training sounds; its maps leave levels as they are, see `fit_points` and `fit_attack`.

    pairs: of true and decoded levels in dB, `(bands, frames)` each, loudest cell at 0 dB, at least `-floor`. latents: `(n, dims)`.
    The result holds statistics over all sounds, no features of one of them. Raises ValueError for fewer sounds.
    """
    if len(pairs) < FEWEST or len(pairs) != len(latents):
        raise ValueError(f"{len(pairs)} pairs and {len(latents)} latents: {FEWEST} or more are needed, as many of each")
    centre, spread = latents.mean(0), latents.std(0).clamp_min(1e-3)
    standard = ((latents - centre) / spread).clamp(-3, 3)
    gains = torch.tensor([_gain(true, decoded, floor) for true, decoded in pairs])
    found = [_statistics(true, decoded + gain, floor) for (true, decoded), gain in zip(pairs, gains.tolist(), strict=True)]
    sums, counts, moment = (torch.stack(values) for values in zip(*found, strict=True))
    covariance, cells = sums / counts.clamp_min(1), counts.clamp_max(_CELLS)
    decayed = LAGS.index(3)  # no grain is left
    at_once, slow, slow_cells = covariance[:, 0, 0], covariance[:, 0, decayed], cells[:, 0, decayed]
    broad = mean_of(_at_lags(covariance[:, 2], _BROAD), _at_lags(cells[:, 2], _BROAD)).clamp_min(0.2)
    lasting = mean_of(_at_lags(covariance[:, 0], _LASTING), _at_lags(cells[:, 0], _LASTING))
    mean_slow, mean_fast = mean_of(slow, slow_cells).clamp_min(0.5), mean_of(at_once - slow, slow_cells).clamp_min(0.1)
    wide = (broad / mean_slow).clamp(0, 0.6)
    ripple = ((lasting - broad) / (mean_slow - broad).clamp_min(0.5)).clamp(0.1, 1.0)
    first, second = (mean_of(covariance[:, 0, lag] - slow, slow_cells) / mean_fast for lag in (1, 2))
    beside = mean_of(covariance[:, 1, 0] - covariance[:, 1, decayed], cells[:, 1, decayed]) / mean_fast
    lasting_beside = mean_of(_at_lags(covariance[:, 1], _LASTING), _at_lags(cells[:, 1], _LASTING))
    neighbours = ((lasting_beside - broad) / (lasting - broad).clamp_min(0.5)).mean(1)
    kernel = torch.stack([*time_weights(first.mean(1).clamp(0, 0.8), second.mean(1).clamp(0, 0.6)), neighbour_weight(beside.mean(1))])
    gain, _ = regression(standard, gains[:, None], torch.ones(len(gains), 1), penalty=_PENALTY)
    fast, fast_range, fast_rest = log_deviation(at_once - slow, slow_cells, standard, penalty=_PENALTY)
    slow_fit, slow_range, slow_rest = log_deviation(slow, slow_cells, standard, penalty=_PENALTY)
    knots = level_knots(floor)
    model = DetailModel(
        centre=centre, spread=spread, gain=gain[:, 0], gain_range=gains.quantile(torch.tensor([0.02, 0.98])),
        fast=fast, fast_range=fast_range, fast_rest=fast_rest, slow=slow_fit, slow_range=slow_range, slow_rest=slow_rest,
        shares=torch.stack([(1 - wide) * ripple, wide]), kernel=kernel, neighbours=neighbour_weight(neighbours),
        skew=_log_normal_skew(moment.sum(0)), bias=torch.zeros(LEVELS), scale=torch.ones(LEVELS),
        tonal=_tonal(pairs, gains, floor), lift=torch.zeros(()),
        points=knots.repeat(len(GROUP_KNOTS), 1), attack=knots.repeat(1, ATTACK_FRAMES, 1),
        limits=torch.stack([torch.full((TRAITS,), -1e6), torch.full((TRAITS,), 1e6)])[None],
        rises=torch.zeros(1, 2, RISES),
    )  # fmt: skip
    return _with_levels(model, pairs, standard, gains, floor)


def fit_points(
    model: DetailModel, new: Sequence[tuple[Tensor, Tensor]], training: Sequence[tuple[Tensor, Tensor]], *, floor: float
) -> Tensor:
    """Returns the map of points `(groups, LEVELS)`: to each level of decoded new sounds that of decoded training sounds of the same rank.

    new, training: decoded features `(bands, frames)` and latents.
    """
    most = max(features.shape[1] for features, _ in training)

    def ranked(sounds: Sequence[tuple[Tensor, Tensor]]) -> list[Tensor]:
        levels = [at_training_levels(features, model, model.standard(z), floor=floor).clamp_min(-floor) for features, z in sounds]
        return ranked_levels(levels, most=most, floor=floor)

    return rank_map(ranked(new), ranked(training), floor=floor, limits=_MAP_DB)


def fit_attack(
    model: DetailModel, new: Sequence[Labelled], training: Sequence[Labelled], *, floor: float
) -> tuple[Tensor, tuple[str, ...]]:  # fmt: skip
    """Returns the maps of the levels of the first frames, and the categories that have their own; see `DetailModel.attack`.

    new, training: decoded features `(bands, frames)`, latents and categories.
    """
    plain = replace(model, points=level_knots(floor).repeat(len(GROUP_KNOTS), 1))
    ours, theirs = _courses(model, new, floor), _courses(plain, training, floor)
    maps = [_rank_map(ours, theirs, floor)]
    labels = [label for *_, label in training]
    categories = sorted({label for label in labels if label is not None and labels.count(label) >= FEWEST})
    for category in categories:
        mine = ours[[label == category for *_, label in new]]
        real = theirs[[label == category for label in labels]]
        share = len(mine) / (len(mine) + _HALF)
        maps.append(torch.lerp(maps[0], _rank_map(mine, real, floor), share) if len(mine) else maps[0])
    return torch.stack(maps), tuple(categories)


def _courses(model: DetailModel, sounds: Sequence[Labelled], floor: float) -> Tensor:
    """Levels of the first frames under the loudest, `(sounds, ATTACK_FRAMES)` in dB."""
    rows = []
    for features, z, _ in sounds:
        levels = course(at_training_levels(features, model, model.standard(z), floor=floor), floor)[:ATTACK_FRAMES]
        rows.append(functional.pad(levels, (0, ATTACK_FRAMES - len(levels)), value=-floor).clamp_min(-floor))
    return torch.stack(rows)


def _rank_map(mine: Tensor, real: Tensor, floor: float) -> Tensor:
    """The levels of `real (m, frames)` that have the ranks of `LEVELS` among `mine (n, frames)`: `(frames, LEVELS)`, rising."""
    knots, rows = level_knots(floor), []
    for ours, theirs in zip(mine.T, real.T, strict=True):
        ordered = ours.sort().values
        rank = 0.5 * (torch.searchsorted(ordered, knots) + torch.searchsorted(ordered, knots, right=True)) / len(ordered)
        change = (theirs.quantile(rank) - knots).clamp(*_ATTACK_DB)
        smooth = functional.avg_pool1d(functional.pad(change[None, None], (2, 2), mode="replicate"), 5, 1)[0, 0]
        rows.append(torch.cummax((knots + smooth).clamp_max(0), 0).values)
    return torch.stack(rows)


def _gain(true: Tensor, decoded: Tensor, floor: float) -> float:
    """Median difference in dB of the loud cells, 0 without any."""
    used = (decoded > -_LOUD_DB) & (true > _CENSORED_DB - floor)
    return float((true - decoded)[used].median()) if bool(used.any()) else 0.0


def _statistics(true: Tensor, decoded: Tensor, floor: float) -> tuple[Tensor, Tensor, Tensor]:
    """Sums and numbers of `covariances`, and moments with one weight for every sound."""
    decoded = decoded.clamp_min(-floor)
    used = ((decoded > -min(_AUDIBLE_DB, 0.75 * floor)) & (true > 1.0 - floor)).float()
    detail = (true - decoded).clamp(-_MOST_DB, _MOST_DB) * used
    return *covariances(detail, used), moments(detail, used) / used.sum().clamp_min(2_000)


def _tonal(pairs: Pairs, gains: Tensor, floor: float) -> Tensor:
    """Deviation of the fast part in cells of partials over that in cells of noise, 0.2 to 1."""
    sums = torch.zeros(2, 2)
    for (true, decoded), gain in zip(pairs, gains.tolist(), strict=True):
        level = (decoded + gain).clamp_min(-floor)
        used = (level > -_LOUD_DB) & (true > 1.0 - floor)
        change = (true - level).clamp(-_MOST_DB, _MOST_DB).diff(dim=1)  # from frame to frame: what lasts does not count
        seen, noisy = used[:, 1:] & used[:, :-1], noisiness(level[None, None])[0, 0, :, 1:]
        for row, kind in enumerate((noisy < 0.25, noisy > 0.99)):
            found = change[seen & kind]
            sums[row] += torch.stack([found.square().sum(), torch.tensor(float(len(found)))])
    if float(sums[:, 1].min()) < _SAMPLED:
        return torch.tensor(1.0)
    partials, noise = sums[:, 0] / sums[:, 1]
    return (partials / noise.clamp_min(1e-6)).sqrt().clamp(0.2, 1.0)


def _at_lags(values: Tensor, lags: tuple[int, ...]) -> Tensor:
    """`(sounds, lags, B, F) -> (sounds, B, F)`: of every knot over frames the value at its lag."""
    return torch.stack([values[:, LAGS.index(lag), :, knot] for knot, lag in enumerate(lags)], -1)


def _log_normal_skew(moment: Tensor) -> Tensor:
    """`s (B,)` of `draw.skewed` for number, second and third moments `(3, B)`. Averages over blocks take an eighth of the skewness."""
    number, second, third = moment
    wanted = -(1.15 * third / second.clamp_min(1e-6).pow(1.5) * number.clamp_min(1e-9).sqrt()).clamp(-1.6, -0.01)
    low, high = torch.full_like(wanted, 0.02), torch.full_like(wanted, 0.6)
    for _ in range(40):
        middle = (low + high) / 2
        square = torch.exp(middle.square())
        under = (square + 2) * (square - 1).sqrt() < wanted
        low, high = torch.where(under, middle, low), torch.where(under, high, middle)
    return (low + high) / 2


def _with_levels(model: DetailModel, pairs: Pairs, standard: Tensor, gains: Tensor, floor: float) -> DetailModel:
    """The model with bias and scale by level, from quantiles over the floor: values on the floor are known to be there, but not where."""
    chosen = torch.Generator().manual_seed(1)
    cells = []
    for (true, decoded), latent, gain in zip(pairs, standard, gains.tolist(), strict=True):
        fast, slow = model.log_deviations(latent)
        bands, frames = band_hats(decoded.shape[0]), frame_hats(decoded.shape[1])
        deviation = ((bands @ fast @ frames.T).exp().square() + (bands @ slow @ frames.T).exp().square()).sqrt()
        level = (decoded + gain).clamp_min(-floor)
        some = torch.randint(level.numel(), (min(_SAMPLED, level.numel()),), generator=chosen)
        cells.append(torch.stack([values.flatten()[some] for values in (level, true, deviation)]))
    level, true, deviation = torch.cat(cells, 1)
    coarse = torch.tensor(_COARSE) * (floor / 80) - floor
    middles = torch.cat([coarse[:1] + ON_FLOOR_DB, (coarse[1:-1] + coarse[2:]) / 2])
    of = torch.bucketize(level, middles)
    bias, scale = torch.zeros(len(coarse)), torch.ones(len(coarse))
    quantiles = torch.tensor(_QUANTILES)
    normal = torch.special.ndtri(quantiles)
    for k in range(len(coarse)):
        here = of == k
        if int(here.sum()) < 30:
            bias[k], scale[k] = (bias[k - 1], scale[k - 1]) if k else (0.0, 1.0)
            continue
        typical = deviation[here].mean()
        ratio = ((true - level)[here] / deviation[here]).quantile(quantiles)
        seen = true[here].quantile(quantiles) > _CENSORED_DB + 1 - floor
        if int(seen.sum()) >= 3:
            offset, slope = _line(normal[seen], ratio[seen])
            bias[k], scale[k] = offset * typical, slope.clamp(0.3, 1.5)
        else:  # almost all is silent: the bias that gives this share of silence
            share = (true[here] < _CENSORED_DB - floor).float().mean().clamp(0.02, 0.98)
            bias[k] = _CENSORED_DB - floor - coarse[k] - torch.special.ndtri(share) * typical
    knots = level_knots(floor)
    upper = torch.bucketize(knots, coarse).clamp(1, len(coarse) - 1)
    share = ((knots - coarse[upper - 1]) / (coarse[upper] - coarse[upper - 1])).clamp(0, 1)
    return replace(model, bias=torch.lerp(bias[upper - 1], bias[upper], share), scale=torch.lerp(scale[upper - 1], scale[upper], share))


def _line(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Offset and slope of the line of least squares through points `(n,)`. LAPACK's result depends on the memory address of its input."""
    x, y = x.double(), y.double()
    away = x - x.mean()
    slope = (away * (y - y.mean())).sum() / away.square().sum()
    return (y.mean() - slope * x.mean()).float(), slope.float()


def calibrated(model: DetailModel, rendered: Pairs, true: Pairs, *, floor: float) -> DetailModel:
    """Returns the model with deviations under which rendered sounds have those of real ones.

    rendered: features of the audio that was rendered with the model's detail, and the decoded features; true: those of the real sounds.
    No audio has exactly the levels that are drawn, because neighbouring cells share samples: the phase search takes some detail away.
    """
    ours, theirs = (_mean_deviations(pairs, floor) for pairs in (rendered, true))
    fast, slow = ((a / b.clamp_min(1e-3)).log().clamp(*_CORRECTION) for a, b in zip(theirs, ours, strict=True))
    corrected: dict[str, Any] = {}
    for name, change in (("fast", fast), ("slow", slow)):
        coefficients = getattr(model, name).clone()
        coefficients[0] += change
        corrected |= {name: coefficients, f"{name}_range": getattr(model, f"{name}_range") + change}
    return replace(model, **corrected)


def _mean_deviations(pairs: Pairs, floor: float) -> tuple[Tensor, Tensor]:
    """Mean deviations in dB of the fast and of the slow part, `(B, F)` each."""
    found = [_statistics(true, decoded + _gain(true, decoded, floor), floor) for true, decoded in pairs]
    sums, counts, _ = (torch.stack(values) for values in zip(*found, strict=True))
    covariance, cells = sums / counts.clamp_min(1), counts.clamp_max(_CELLS)[:, 0, LAGS.index(3)]
    at_once, slow = covariance[:, 0, 0], covariance[:, 0, LAGS.index(3)]
    return mean_of((at_once - slow).clamp_min(0).sqrt(), cells), mean_of(slow.clamp_min(0).sqrt(), cells)

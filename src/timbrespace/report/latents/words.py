"""Statistics of a latent space in words and as a table of text."""

from __future__ import annotations

import math

from timbrespace.space.statistics.statistics import ACTIVE, LatentStatistics

_BLOCKS = " ▁▂▃▄▅▆▇█"
_SKETCH = 20  # characters of a histogram


def sentences(statistics: LatentStatistics) -> list[str]:
    """Returns what the figures say, a sentence each; the notes on undefined figures come last."""
    used, inferred = int(statistics.used.sum()), statistics.inferred
    of = "training sounds" if statistics.measured else "points drawn from the density"
    lines = [f"{statistics.dims} dimensions, {len(statistics.points):,} {of}."]
    threshold = f"variance of the posterior mean over {ACTIVE:g}; Burda et al. 2016" if statistics.has_prior else "by their deviation"
    lines.append(f"{used} of {inferred} dimensions are used ({'active units: ' if statistics.has_prior else ''}{threshold}).")
    unused = [str(number + 1) for number, is_used in enumerate(statistics.used.tolist()) if not is_used]
    if unused:
        listed = ", ".join(unused[:12]) + (f" and {len(unused) - 12} more" if len(unused) > 12 else "")
        lines.append(f"Not used: {listed}. Moving along them hardly changes the sound.")
    if statistics.kl is not None:
        total = float(statistics.kl.sum())
        half = _dims_of_half(statistics)
        lines.append(
            f"The latent holds {total:.1f} nats about a sound (KL, {total / math.log(2):.0f} bits), half of it in {half} dimensions."
        )
    total_deviation, distance = statistics.total_deviation, statistics.prior_distance
    if total_deviation is not None and distance is not None:
        mean = float(statistics.mean[:inferred].abs().mean())
        lines.append(
            f"Against the prior (mean 0, deviation 1): means are {mean:.2f} off on average, deviations with noise are "
            f"{float(total_deviation.min()):.2f} to {float(total_deviation.max()):.2f}, {float(distance.sum()):.2f} nats in all."
        )
    elif statistics.has_prior:
        low, high = float(statistics.deviation[:inferred].min()), float(statistics.deviation[:inferred].max())
        lines.append(f"Deviations of the means are {low:.2f} to {high:.2f}; with the noise of the posterior the prior's is 1.")
    share = statistics.share[:inferred]
    if bool(share.isfinite().any()):
        best = int(share.nan_to_num(-1).argmax())
        lines.append(
            f"Categories differ most along dimension {best + 1}: {100 * float(share[best]):.0f} % of its variance is between them."
        )
    pairs = statistics.strongest(1)
    if pairs:
        one, other, value = pairs[0]
        lines.append(f"The largest correlation is {value:+.2f}, between dimensions {one + 1} and {other + 1}.")
    return lines + [f"Note: {note}." for note in statistics.notes]


def table(statistics: LatentStatistics, *, most: int = 32, sketches: bool = True) -> list[str]:
    """Returns a line for each inferred dimension, the most informative first, under a heading; at most `most`.

    sketches: end each line with the histogram in block characters.
    """
    total, distance = statistics.total_deviation, statistics.prior_distance
    heads = ["dimension", "mean", "deviation"] + (["with noise"] if total is not None else [])
    heads += (["KL nats"] if statistics.kl is not None else []) + (["from prior"] if distance is not None else [])
    heads += ["categories"] + (["histogram"] if sketches else [])
    lines = ["".join(f"{head:>12}" if head != "histogram" else f"  {head}" for head in heads)]
    for dim in statistics.order[:most]:
        values = [f"{dim + 1}", f"{float(statistics.mean[dim]):.2f}", f"{float(statistics.deviation[dim]):.2f}"]
        values += [f"{float(total[dim]):.2f}"] if total is not None else []
        values += [f"{float(statistics.kl[dim]):.2f}"] if statistics.kl is not None else []
        values += [f"{float(distance[dim]):.2f}"] if distance is not None else []
        share = float(statistics.share[dim])
        values += [f"{100 * share:.0f} %" if math.isfinite(share) else "–"]
        line = "".join(f"{value:>12}" for value in values)
        unused = "" if bool(statistics.used[dim]) else "  not used"
        lines.append(line + (f"  {_sketch(statistics, dim)}" if sketches else "") + unused)
    rest = statistics.inferred - most
    return lines + ([f"  … and {rest} more; --json lists all"] if rest > 0 else [])


def can_print_sketches(encoding: str | None) -> bool:
    """Returns whether a terminal of this encoding shows the block characters of the histograms."""
    try:
        _BLOCKS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _sketch(statistics: LatentStatistics, dim: int) -> str:
    """The histogram of a dimension in block characters."""
    counts = statistics.counts[dim].unflatten(0, (_SKETCH, -1)).sum(1)
    top = float(counts.max()) or 1.0
    return "".join(_BLOCKS[math.ceil(8 * float(count) / top)] for count in counts)


def _dims_of_half(statistics: LatentStatistics) -> int:
    """How many dimensions, the most informative first, hold half of the KL."""
    assert statistics.kl is not None
    shares = statistics.kl.sort(descending=True).values.cumsum(0) / statistics.kl.sum().clamp_min(1e-12)
    return int((shares < 0.5).sum()) + 1

"""The results of a survey in plain sentences."""

from __future__ import annotations

from timbrespace.evaluation.survey.statistics import LEVEL, Comparison, Recognition, size_of

FEW_LISTENERS = 10
_HIGHER = {"quality": "is rated better", "smoothness": "is rated smoother"}


def read_comparison(comparison: Comparison, question: str) -> list[str]:
    """Returns what a comparison of ratings says: whether there is a difference, which pairs differ, and how far to trust it."""
    groups = comparison.groups
    ranked = sorted(groups, key=lambda name: -groups[name].mean)
    sentences = [", ".join(f"{name} {groups[name].mean:.1f} of 5" for name in ranked) + "."]
    if comparison.p is None:
        return [*sentences, "There are too few different ratings to compare."]
    if comparison.p >= LEVEL:
        sentences.append(f"No difference was found (Kruskal-Wallis {p_text(comparison.p)}). That does not prove that there is none.")
    else:
        sentences.append(f"The conditions differ (Kruskal-Wallis {p_text(comparison.p)}).")
        verb = _HIGHER.get(question, f"is rated higher for {question}")
        for pair in comparison.pairs:
            if pair.p < LEVEL:
                high, low = (pair.a, pair.b) if pair.delta > 0 else (pair.b, pair.a)
                chance = (1 + abs(pair.delta)) / 2
                sentences.append(
                    f"{high} {verb} than {low}: a {size_of(pair.delta)} difference ({p_text(pair.p)}); of two ratings, one of each, "
                    f"{high}'s is the higher in {100 * chance:.0f} % of the cases (ties count half)."
                )
        if not any(pair.p < LEVEL for pair in comparison.pairs):
            sentences.append("No single pair differs clearly once the number of pairs is allowed for.")
    return [*sentences, *_caution(comparison)]


def read_recognition(recognition: Recognition) -> list[str]:
    """Returns what the class question says."""
    shares = {name: hits / total for name, (hits, total) in recognition.right.items() if total}
    ranked = sorted(shares, key=lambda name: -shares[name])
    sentences = [
        "Named rightly: " + ", ".join(f"{name} {100 * shares[name]:.0f} %" for name in ranked)
        + f" (guessing gives {100 * recognition.chance:.0f} %)."
    ]  # fmt: skip
    if recognition.p is None:
        sentences.append("There is nothing to compare: one condition only, or all answers equally right.")
    elif recognition.p < LEVEL:
        sentences.append(f"The conditions differ (chi-square {p_text(recognition.p)}, Cramér's V {recognition.v:.2f}).")
    else:
        sentences.append(f"No difference between the conditions was found (chi-square {p_text(recognition.p)}).")
    if recognition.sparse:
        sentences.append("Some expected counts are under 5: take this p as approximate.")
    return sentences


def p_text(p: float) -> str:
    """Returns a p value as text: "p < 0.001", "p = 0.03"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def _caution(comparison: Comparison) -> list[str]:
    """What limits the comparison."""
    sentences = []
    if comparison.within is not None and comparison.p is not None:
        agrees = (comparison.within < LEVEL) == (comparison.p < LEVEL)
        test = "Wilcoxon" if len(comparison.groups) == 2 else "Friedman"
        word = "agrees" if agrees else "does not agree: trust this one, because ratings of one listener belong together"
        sentences.append(f"The test on the means of {comparison.listeners} listeners ({test}, {p_text(comparison.within)}) {word}.")
    if comparison.listeners < FEW_LISTENERS:
        sentences.append(f"With {comparison.listeners} listeners this is a hint, not a result.")
    return sentences

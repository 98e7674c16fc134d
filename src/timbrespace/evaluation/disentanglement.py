"""Disentanglement: whether each dimension of a latent space depends on one factor of the sounds, and each factor on one dimension.

For corpora whose labels are the factors: the toy corpora (`corpus.synthetic.toys_factors`), or any with whole numbers as labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from timbrespace.contracts import ConfigError
from timbrespace.corpus.corpus import Corpus
from timbrespace.evaluation.factor_scores import FEWEST, Dci, Factors, dci, ranked, sap_scores
from timbrespace.evaluation.feature_error import latents as latents_of
from timbrespace.evaluation.points import Points
from timbrespace.instrument import Instrument

BINS = 20  # of a latent dimension, and groups of a factor's values at most
_MOST = 2_000  # sounds encoded


def disentanglement(
    instrument: Instrument, corpus: Corpus, *, split: str | None = "test", most: int = _MOST, seed: int = 0
) -> dict[str, Any]:
    """Returns the scores of an instrument on the clips of a split (None: all), at most `most`, without silent ones, see `all_scores`.

    Time-varying latents are averaged over their steps. Raises ConfigError when the clips have fewer than two factors.
    """
    clips = corpus.indices(split)
    if len(clips) > most:
        clips = sorted(np.random.default_rng(seed).choice(clips, most, replace=False).tolist())
    sounds = {i: audio for i in clips if (audio := corpus.audio(i)).any()}
    factors = factors_of(corpus, list(sounds))
    return all_scores(latents_of(instrument, list(sounds.values())), factors, seed=seed)


def all_scores(latents: Points, factors: Factors, *, seed: int = 0) -> dict[str, Any]:
    """Returns every score of latents `(count, dims)`, posterior means.

    Keys: sounds, factors (names), beta_vae, chance (of that score), mig, gaps (factor -> mutual information gap), sap, and
    dci_disentanglement, dci_completeness, dci_informativeness (None for fewer than 12 sounds). Raises ShapeError.
    """
    gaps, sap = mutual_information_gaps(latents, factors), sap_scores(latents, factors)
    parts = dci(latents, factors, seed=seed)._asdict() if len(latents) >= FEWEST else dict.fromkeys(Dci._fields)
    return {
        "sounds": len(latents),
        "factors": list(factors),
        "beta_vae": beta_vae_score(latents, factors, seed=seed),
        "chance": 1 / len(factors),
        "mig": float(np.mean(list(gaps.values()))),
        "gaps": gaps,
        "sap": float(np.mean(list(sap.values()))),
        **{f"dci_{name}": value for name, value in parts.items()},
    }


def factors_of(corpus: Corpus, clips: Sequence[int]) -> Factors:
    """Returns labels that are whole numbers in all clips and differ between them: name -> `(clips,)`. Raises ConfigError under two."""
    return whole_numbers([corpus.clips[i].labels for i in clips])


def whole_numbers(labels: Sequence[Mapping[str, Any]]) -> Factors:
    """Returns labels that are whole numbers in all sounds and differ between them: name -> `(sounds,)`. Raises ConfigError under two."""
    names = sorted(set.intersection(*(set(one) for one in labels))) if labels else []
    columns = {name: [one[name] for one in labels] for name in names}
    whole = {name: values for name, values in columns.items() if all(type(value) is int for value in values) and len(set(values)) > 1}
    if len(whole) < 2:
        raise ConfigError(
            f"disentanglement needs two factors or more, whole numbers among the labels of every clip, not {len(whole)}; "
            "use a toy corpus, for instance synthetic:additive"
        )
    return {name: np.array(values, dtype=np.int64) for name, values in whole.items()}


def beta_vae_score(latents: Points, factors: Factors, *, pairs: int = 64, draws: int = 1_500, seed: int = 0) -> float:
    """Returns the β-VAE score (Higgins et al. 2017): accuracy of a linear classifier that predicts which factor two sounds share.

    latents `(count, dims)`, standardised here; factors: name -> values `(count,)`. A draw is the mean of |z1 - z2| over `pairs` pairs
    that share a value of one factor and are random in the others. Two thirds of the draws train the classifier, the rest test it.
    Chance is 1 / factors. Raises ShapeError.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    z, values = ranked(latents, factors)
    deviation = z.std(0)
    z = (z - z.mean(0)) / np.where(deviation > 1e-9, deviation, 1.0)
    rng = np.random.default_rng(seed)
    which = rng.integers(len(values), size=draws)
    differences = np.empty((draws, z.shape[1]))
    for factor, labels in enumerate(values):
        chosen = np.flatnonzero(which == factor)
        order = np.argsort(labels, kind="stable")
        first = np.searchsorted(labels[order], labels, side="left")
        many = np.searchsorted(labels[order], labels, side="right") - first
        one = rng.integers(len(z), size=(len(chosen), pairs))
        other = order[first[one] + (rng.random(one.shape) * many[one]).astype(np.int64)]
        differences[chosen] = np.abs(z[one] - z[other]).mean(1)
    learned = 2 * draws // 3
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=100.0, max_iter=500))
    classifier.fit(differences[:learned], which[:learned])
    return float(classifier.score(differences[learned:], which[learned:]))


def mutual_information_gap(latents: Points, factors: Factors, *, bins: int = BINS) -> float:
    """Returns the MIG (Chen et al. 2018), the mean of `mutual_information_gaps`: 0 (shared) to 1 (one dimension a factor)."""
    return float(np.mean(list(mutual_information_gaps(latents, factors, bins=bins).values())))


def mutual_information_gaps(latents: Points, factors: Factors, *, bins: int = BINS) -> dict[str, float]:
    """Returns, for each factor, the difference of its two largest mutual informations with a dimension, over its entropy.

    latents `(count, dims)`: posterior means, each dimension cut into `bins` of equal width; factors: name -> values `(count,)`, grouped
    into `bins` neighbouring values where there are more. With one dimension the second largest is 0. Raises ShapeError.
    """
    from sklearn.metrics import mutual_info_score

    z, values = ranked(latents, factors)
    span = np.where(np.ptp(z, axis=0) > 1e-9, np.ptp(z, axis=0), 1.0)
    cut = np.minimum(((z - z.min(0)) / span * bins).astype(np.int64), bins - 1)
    gaps = {}
    for name, labels in zip(factors, values, strict=True):
        groups = labels if labels.max() < bins else labels * bins // (labels.max() + 1)
        entropy = mutual_info_score(groups, groups)
        held = [*sorted((mutual_info_score(column, groups) for column in cut.T), reverse=True), 0.0]
        gaps[name] = float((held[0] - held[1]) / entropy) if entropy > 0 else 0.0
    return gaps

"""The latent space over real sounds: active units, divergence from the prior, and separation of known factors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.evaluation.disentanglement import all_scores, whole_numbers
from timbrespace.evaluation.feature_error import features_of
from timbrespace.evaluation.parts.budget import Budget, Steps
from timbrespace.evaluation.parts.sounds import RealSound
from timbrespace.instrument import Instrument
from timbrespace.model.base import Posterior, kl_to_normal
from timbrespace.parallel import Pool
from timbrespace.space.statistics.statistics import correlations, used_dimensions

_FEWEST = 12  # sounds for scores of factors


def measure_latent(
    instrument: Instrument, sounds: Sequence[RealSound], *, budget: Budget, steps: Steps, seed: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the figures of the latent space over sounds, and the scores of disentanglement, or why there are none."""
    factors = _factors(sounds)
    most = budget.factors if not isinstance(factors, str) else budget.encoded
    chosen = list(sounds) if len(sounds) <= most else [sounds[k * len(sounds) // most] for k in range(most)]
    pairs = [(sound, one) for sound, one in zip(chosen, _posteriors(instrument, chosen, steps), strict=True) if one is not None]
    if len(pairs) < 2:
        reason = {"not_measured": "fewer than two sounds could be encoded"}
        return reason, dict(reason)
    known = instrument.model.inferred_dims
    means = torch.stack([one.mean[0, :known].flatten(1).mean(1) if one.mean.ndim > 2 else one.mean[0, :known] for _, one in pairs])
    kl = torch.stack([kl_to_normal(one)[0, :known] for _, one in pairs]).mean(0)
    per_step = torch.cat([one.mean[0, :known].reshape(known, -1) for _, one in pairs], 1)
    variance = per_step.var(1, correction=0)
    variational = bool(torch.isfinite(kl).all()) and bool((kl > 0).any())
    active = used_dimensions(variance, has_prior=variational)
    linked = None
    if int(active.sum()) > 1 and len(means) > 2:
        between = correlations(means[:, active])
        linked = float(between[~torch.eye(len(between), dtype=torch.bool)].abs().mean())
    values = {
        "sounds": len(pairs),
        "dims": known,
        "active_units": int(active.sum()),
        "unused": [int(k) for k in torch.nonzero(~active).flatten()],
        "kl_nats": float(kl.sum()) if variational else None,
        "kl_per_dimension": [float(value) for value in kl] if variational else None,
        "mean": [float(value) for value in means.mean(0)],
        "deviation": [float(value) for value in means.std(0, correction=0)],
        "correlation": linked,
    }
    if isinstance(factors, str):
        return values, {"not_measured": factors}
    if len(pairs) < _FEWEST:
        return values, {"not_measured": f"{len(pairs)} sounds are too few: {_FEWEST} are needed"}
    try:
        found = whole_numbers([sound.labels for sound, _ in pairs])
        return values, all_scores(means, found, seed=seed)
    except TimbrespaceError as error:
        return values, {"not_measured": str(error)}


def _posteriors(instrument: Instrument, sounds: Sequence[RealSound], steps: Steps) -> list[Posterior | None]:
    """Posteriors `(1, dims)` or `(1, dims, steps)` of sounds; None for one that the model refuses."""
    model = instrument.model

    def one(audio: Tensor) -> Posterior | None:
        try:
            with torch.no_grad():
                features, lengths = features_of(instrument, audio)
                if model.conditioning.required:  # its pitch is found by the search
                    z = model.infer(features, lengths, audio, instrument.sample_rate)
                    return Posterior(z, torch.full_like(z, -torch.inf))
                return model.encode(features, lengths)
        except TimbrespaceError:
            return None

    out = list[Posterior | None]()
    with Pool() as pool:
        for start in range(0, len(sounds), 16):
            out += list(pool.map(one, [sound.audio for sound in sounds[start : start + 16]]))
            steps.add(len(out) - start)
    return out


def _factors(sounds: Sequence[RealSound]) -> str | dict[str, Any]:
    """The factors among the labels of the sounds, or the reason why there are none."""
    try:
        return dict(whole_numbers([sound.labels for sound in sounds]))
    except ConfigError:
        return "the sounds have no known factors (whole numbers as labels); a toy corpus has, for instance synthetic:additive"

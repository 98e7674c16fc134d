"""Imitations: sounds through an instrument beside control rows, by every error, category and frequency band."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import TimbrespaceError
from timbrespace.evaluation.feature_error import feature_errors, feature_unit
from timbrespace.evaluation.parts.budget import Budget, Steps
from timbrespace.evaluation.parts.sounds import RealSound
from timbrespace.evaluation.pca_baseline import component_imitation
from timbrespace.evaluation.reconstruction import errors, summary
from timbrespace.evaluation.rows import corpus_mean, linear_path, nearest_training, true_features
from timbrespace.evaluation.spectral_errors import BANDS_HZ, band_levels, further_errors
from timbrespace.instrument import Instrument
from timbrespace.parallel import Pool

INSTRUMENT, LINEAR, PCA, TRUE, NEAREST, MEAN, SILENCE = (
    "instrument", "linear path alone", "plain PCA", "true features", "nearest training sound", "mean of the corpus", "silence",
)  # fmt: skip
PHASE_DB = 10.0  # SI-SDR of the true features from which waveforms compare
_FEW, _CHUNK = 3, 8


class Imitations(NamedTuple):
    """values: for JSON. sounds: those that were measured. rows: name -> reconstructions, one a sound. order: from the least error up."""

    values: dict[str, Any]
    sounds: list[RealSound]
    rows: dict[str, list[Tensor]]
    order: list[int]


def measure_imitations(
    instrument: Instrument, sounds: Sequence[RealSound], learned: Sequence[RealSound], *, budget: Budget, steps: Steps, seed: int
) -> Imitations:
    """Returns the errors of sounds `(channels, time)` through an instrument and of control rows; see `docs/measures.md`.

    learned: other sounds, of its training; without them the rows that need their audio are missing, and "missing_rows" says why.
    """
    used, rows, failed = _imitated(instrument, sounds, steps)
    audio = [one.audio[:, : instrument.longest or one.audio.shape[1]] for one in used]
    values: dict[str, Any] = {"sounds": len(used), "failed": failed}
    if not used:
        return Imitations(values | {"not_measured": "no sound could be encoded"}, [], {}, [])
    training = [one.audio[:, : instrument.contents.samples] for one in learned]
    missing = _add_control_rows(rows, instrument, audio, training, steps)
    rate, measured = instrument.sample_rate, {}
    for name, made in rows.items():
        measured[name] = errors(audio, made, sample_rate=rate) | further_errors(audio, made, sample_rate=rate)
        steps.add(len(used) // 4)
    table = {name: {key: summary(one, resamples=budget.resamples, seed=seed) for key, one in row.items()} for name, row in measured.items()}
    own = measured[INSTRUMENT]["log_mel_db"]
    values |= {
        "rows": table,
        "missing_rows": missing,
        "learned_sounds": len(training),
        "si_sdr": _si_sdr_verdict(table),
        "features": summary(feature_errors(instrument, audio), resamples=budget.resamples, seed=seed) | {"unit": feature_unit(instrument)},
        "bands": {name: _bands(audio, rows[name], rate) for name in (INSTRUMENT, TRUE)},
        "categories": _by_category(used, own),
    }
    if PCA in measured:
        less = own - measured[PCA]["log_mel_db"]
        share = float((less < 0).float().mean())
        values["against_pca"] = summary(less, resamples=budget.resamples, seed=seed) | {"better_share": share}
    order = torch.argsort(own).tolist()
    values["largest_errors"] = [{"sound": used[k].name, "log_mel_db": float(own[k])} for k in order[::-1][:5]]
    return Imitations(values, used, rows, order)


def measure_trained(instrument: Instrument, sounds: Sequence[RealSound], *, budget: Budget, steps: Steps, seed: int) -> dict[str, Any]:
    """Returns the errors of sounds that were learned, without control rows: {"sounds", "errors": {measure: summary}}."""
    used, rows, _ = _imitated(instrument, sounds, steps)
    if not used:
        return {"not_measured": "no sound of the folder was learned"}
    audio, made, rate = [one.audio[:, : instrument.longest or one.audio.shape[1]] for one in used], rows[INSTRUMENT], instrument.sample_rate
    found = errors(audio, made, sample_rate=rate) | further_errors(audio, made, sample_rate=rate)
    return {"sounds": len(used), "errors": {key: summary(one, resamples=budget.resamples, seed=seed) for key, one in found.items()}}


def _imitated(
    instrument: Instrument, sounds: Sequence[RealSound], steps: Steps
) -> tuple[list[RealSound], dict[str, list[Tensor]], list[dict[str, str]]]:
    """The sounds that the instrument encodes, its row, and those that it refused with the reason."""

    def one(sound: RealSound) -> Tensor | str:
        try:
            return instrument.reconstruct(sound.audio[:, : instrument.longest or sound.audio.shape[1]])
        except TimbrespaceError as error:
            return str(error)

    found = list(_mapped(one, sounds, steps))
    pairs = [(sound, made) for sound, made in zip(sounds, found, strict=True) if isinstance(made, Tensor)]
    failed = [{"file": sound.file, "reason": made} for sound, made in zip(sounds, found, strict=True) if isinstance(made, str)]
    return [sound for sound, _ in pairs], {INSTRUMENT: [made for _, made in pairs]}, failed


def _add_control_rows(
    rows: dict[str, list[Tensor]], instrument: Instrument, audio: list[Tensor], training: list[Tensor], steps: Steps
) -> dict[str, str]:
    """Adds the control rows; returns the missing ones with the reason."""
    missing = {}
    linear = linear_path(instrument)
    if linear is not None:
        rows[LINEAR] = list(_mapped(linear.reconstruct, audio, steps))
    none = "no other training sounds were found; give their folder with --training"
    pca = component_imitation(instrument, training) if training else None
    if pca is not None:
        rows[PCA] = list(_mapped(pca, audio, steps))
    else:
        missing[PCA] = none if not training else "latents that vary in time have no principal components of the same size"
    rows[TRUE] = true_features(instrument, audio)
    steps.add(len(audio))
    if training:
        rows[NEAREST] = nearest_training(audio, training, sample_rate=instrument.sample_rate)
        rows[MEAN] = corpus_mean(audio, training)
    else:
        missing |= {NEAREST: none, MEAN: none}
    rows[SILENCE] = [torch.zeros_like(sound) for sound in audio]
    return missing


def _mapped(function: Callable[[Any], Any], items: Sequence[Any], steps: Steps) -> list[Any]:
    out = []
    with Pool() as pool:
        for start in range(0, len(items), _CHUNK):
            part = items[start : start + _CHUNK]
            out += list(pool.map(function, part))
            steps.add(len(part))
    return out


def _si_sdr_verdict(table: dict[str, dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Whether the signal-to-distortion ratio means something here: only where the view itself keeps the phase."""
    possible = table[TRUE]["si_sdr_db"]["median"]
    meaningful = bool(possible >= PHASE_DB)
    reason = (
        None if meaningful else f"the instrument's view keeps no phase: even the true features, without a model, give {possible:.1f} dB"
    )
    return {"meaningful": meaningful, "reason": reason}


def _bands(audio: list[Tensor], made: list[Tensor], rate: int) -> dict[str, dict[str, float | int | None]]:
    """Of each frequency band: mean change of its level and mean error in dB, and in how many sounds it holds anything."""
    changes, missed = (values.numpy() for values in band_levels(audio, made, sample_rate=rate))
    out: dict[str, dict[str, float | int | None]] = {}
    for k, name in enumerate(BANDS_HZ):
        held = ~np.isnan(changes[:, k])
        count = int(held.sum())
        change, error = (float(values[held, k].mean()) if count else None for values in (changes, missed))
        median = float(np.median(changes[held, k])) if count else None
        out[name] = {"from_hz": BANDS_HZ[name], "change_db": change, "median_change_db": median, "error_db": error, "sounds": count}
    return out


def _by_category(sounds: Sequence[RealSound], values: Tensor) -> dict[str, dict[str, float | int]]:
    """Mean log-mel error of each category with three sounds or more, the largest category first."""
    groups: dict[str, list[float]] = {}
    for sound, value in zip(sounds, values.tolist(), strict=True):
        groups.setdefault(sound.category or "no category", []).append(value)
    ordered = sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return {name: {"mean": float(np.mean(group)), "sounds": len(group)} for name, group in ordered if len(group) >= _FEW}

"""Errors of a round trip through a representation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from timbrespace.features.header import without_normalisation

if TYPE_CHECKING:
    from torch import Tensor

    from timbrespace.representation.base import Representation


def reconstruction_errors(audio: Tensor, reconstruction: Tensor, view: Representation) -> dict[str, Any]:
    """Returns the errors of a reconstruction, both `(channels, time)`; definitions are in docs/measures.md.

    log_mel_error_db: of the first 1.5 s. sound_error_db: of the whole sound. snr_db: None without phase, for silence and if identical.
    identical: whether all samples are equal.
    """
    import torch

    from timbrespace.audio.distance import log_mel_error, sound_error

    seconds = max(audio.shape[-1] / view.sample_rate, 0.01)
    errors: dict[str, Any] = {
        "log_mel_error_db": round(float(log_mel_error([audio], [reconstruction], sample_rate=view.sample_rate)), 3),
        "sound_error_db": round(float(sound_error([audio], [reconstruction], sample_rate=view.sample_rate, seconds=seconds)), 3),
    }
    snr = None
    if has_phase(view):
        noise = float((audio.double() - reconstruction.double()).square().sum())
        signal = float(audio.double().square().sum())
        snr = 10 * math.log10(signal / noise) if signal > 0 and noise > 0 else None
    return errors | {"snr_db": None if snr is None else round(snr, 2), "identical": bool(torch.equal(audio, reconstruction))}


def has_phase(view: Representation) -> bool:
    """Returns whether decoding gives the waveform, and not only a sound with the same spectrum."""
    return view.exact or any(part.kind in ("signed", "cyclic") for part in without_normalisation(view).axes(1).parts)

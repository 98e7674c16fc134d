"""Likelihoods: the reconstruction losses of the families."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from timbrespace.contracts import ConfigError
from timbrespace.representation.companding import compand

Kind = Annotated[Literal["squared", "mean squared", "absolute", "gaussian", "sigma", "bernoulli", "mu-law", "stft"], Field()]
FAITHFUL = "faithful gaussian"
KINDS = ("squared", "mean squared", "absolute", "gaussian", FAITHFUL, "sigma", "bernoulli", "mu-law", "stft")
WAVEFORMS = ("mu-law", "stft")  # for samples of audio only
_HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)
_LOG_DEVIATION = (-7.0, 3.0)
_UNLIKELY, _SMALLEST, _FAINT = 0.005, 1e-3, 0.1  # probability; deviation; of the mean deviation
_WINDOWS = (512, 1024, 2048)  # samples; hop a quarter of each
_SILENCE = 1e-2  # magnitude that counts as none: 82 to 94 dB under a sine of full scale


class Likelihood(nn.Module):
    """A reconstruction loss. kind:

    - "squared": sum of squared errors (source B); "mean squared": mean of them (source C); "absolute": sum of absolute errors
    - "gaussian": negative log likelihood in nats, with mean *and* variance of each value decoded (source E); sum
    - "faithful gaussian": with mean and variance of each value, too. "gaussian" divides the gradient of a mean by its variance, so that the
      loud values, whose variance is large, are hardly learned. Here the mean learns as with one variance for all values, the best of each
      batch (Rybkin et al. 2021), and the variances learn from its residuals (Stirn et al. 2023, "Faithful heteroscedastic regression with
      neural networks"); the model keeps their gradient from its other layers by `deviations_apart`; sum of both
    - "sigma": negative log likelihood with one learned variance for all values (sigma-VAE, Rybkin et al. 2021); sum
    - "bernoulli": cross entropy of values in 0…1, with outputs as logits (source E); sum
    - "mu-law": squared errors of samples companded by mu-law, mu = 255, so that quiet samples count more; sum
    - "stft": multi-resolution STFT loss, independent of phase: spectral convergence plus the mean error of the natural logarithms of the
      magnitudes, at three resolutions; mean over resolutions (Yamamoto et al. 2020)

    In a variational bound the KL in nats is added to a sum. A mean is smaller by the number of values, so the same weight of the KL
    counts that much more. "mu-law" and "stft" need the view `waveform`.
    """

    def __init__(self, kind: str):
        super().__init__()
        if kind not in KINDS:
            raise ConfigError(f"likelihood is {kind!r}, allowed are {', '.join(KINDS)}")
        self.kind = kind
        if kind == "sigma":
            self.log_deviation = nn.Parameter(torch.zeros(()))

    @property
    def outputs(self) -> int:
        """Outputs of a decoder for each value."""
        return 2 if self.kind in ("gaussian", FAITHFUL) else 1

    def mean(self, output: Tensor) -> Tensor:
        """Returns the expected values of a decoder's output: `(batch, outputs * parts, …) -> (batch, parts, …)`."""
        if self.outputs == 2:
            return output.chunk(2, 1)[0]
        return torch.sigmoid(output) if self.kind == "bernoulli" else output

    def output_for(self, values: Tensor) -> Tensor:
        """Returns the output whose `mean` is `values`, of the same shape; probabilities are clamped to 0.005…0.995."""
        return logits(values) if self.kind == "bernoulli" else values

    @torch.no_grad()
    def initialise(self, residuals: Tensor) -> Tensor:
        """Sets a learned deviation from root mean square residuals `(values,)`, and returns the outputs for decoded deviations.

        The outputs are `(values,)` where deviations are decoded, else `(0,)`.
        """
        floor = residuals.square().mean().sqrt().clamp_min(_SMALLEST)
        if self.kind == "sigma":
            self.log_deviation.copy_(floor.log())
        # Values that are constant in these sounds may vary in others.
        return residuals.clamp_min(float(_FAINT * floor)).log().clamp(*_LOG_DEVIATION) if self.outputs == 2 else residuals[:0]

    def loss(self, output: Tensor, wanted: Tensor) -> Tensor:
        """Returns losses `(batch,)`: a sum over values, but a mean of "mean squared" and "stft".

        output: `(batch, outputs * parts, …)`. wanted: `(batch, parts, …)`.
        """
        if self.kind == "stft":
            return spectral_loss(_audio(output), _audio(wanted))
        if self.kind == "bernoulli":
            each = functional.binary_cross_entropy_with_logits(output, wanted.clamp(0, 1), reduction="none")
        elif self.kind == "absolute":
            each = (output - wanted).abs()
        elif self.kind == "mu-law":
            each = (compand(output) - compand(wanted)).square()
        elif self.kind == FAITHFUL:
            mean, log_deviation = output.chunk(2, 1)
            squares = (wanted - mean).square()
            best = squares.detach().mean().clamp_min(_SMALLEST**2)
            each = _negative_log(squares, 0.5 * best.log()) + _negative_log(squares.detach(), log_deviation.clamp(*_LOG_DEVIATION))
        elif self.kind in ("gaussian", "sigma"):
            mean, log_deviation = output.chunk(2, 1) if self.kind == "gaussian" else (output, self.log_deviation)
            log_deviation = log_deviation.clamp(*_LOG_DEVIATION)
            each = 0.5 * ((wanted - mean) * torch.exp(-log_deviation)).square() + log_deviation + _HALF_LOG_TAU
        else:
            each = (output - wanted).square()
        return each.flatten(1).mean(1) if self.kind == "mean squared" else each.flatten(1).sum(1)


def deviations_apart(last: nn.Linear, hidden: Tensor) -> Tensor:
    """Returns the outputs `(…, 2 * values)` of a decoder's last layer for `hidden (…, width)`: means, and log deviations.

    The deviations have no gradient to `hidden`.
    """
    (weight, spread), (bias, constant) = last.weight.chunk(2), last.bias.chunk(2)
    return torch.cat([functional.linear(hidden, weight, bias), functional.linear(hidden.detach(), spread, constant)], -1)


def _negative_log(squares: Tensor, log_deviation: Tensor) -> Tensor:
    """Returns the negative log likelihood in nats of squared differences under Gaussians, of the shape of `squares`."""
    return 0.5 * squares * torch.exp(-2 * log_deviation) + log_deviation + _HALF_LOG_TAU


def logits(probabilities: Tensor) -> Tensor:
    """Returns logits of probabilities of any shape, clamped to 0.005…0.995."""
    return probabilities.clamp(_UNLIKELY, 1 - _UNLIKELY).logit_()


def spectral_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Returns the multi-resolution STFT loss `(batch,)` of audio `(batch, channels, time)`; 0 for equal audio, finite for silence."""
    losses = []
    for size in _WINDOWS:
        (given, log_given), (right, log_right) = _magnitudes(found, size), _magnitudes(wanted, size)
        convergence = (given - right).flatten(1).norm(dim=1) / right.flatten(1).norm(dim=1).clamp_min(_SILENCE)
        losses.append(convergence + (log_given - log_right).abs().flatten(1).mean(1))
    return torch.stack(losses).mean(0)


def _magnitudes(audio: Tensor, size: int) -> tuple[Tensor, Tensor]:
    window = torch.hann_window(size, dtype=audio.dtype, device=audio.device)
    spectrum = torch.stft(audio.flatten(0, 1), size, size // 4, window=window, center=True, pad_mode="constant", return_complex=True)
    # Added, not a lower limit, under which the gradient would be zero.
    power = torch.view_as_real(spectrum).square().sum(-1).add(_SILENCE**2).unflatten(0, audio.shape[:2])
    return power.sqrt(), 0.5 * power.log()


def _audio(features: Tensor) -> Tensor:
    """Returns features of the view `waveform`, `(batch, channels, block, frames)`, as audio `(batch, channels, time)` of whole blocks."""
    return features.transpose(-1, -2).flatten(-2)

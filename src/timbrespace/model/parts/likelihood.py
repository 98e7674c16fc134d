"""How well an output explains a sound: the reconstruction loss of the families."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from timbrespace.contracts import ConfigError

Kind = Annotated[Literal["squared", "mean squared", "absolute", "gaussian", "sigma", "bernoulli", "mu-law", "stft"], Field()]
KINDS = ("squared", "mean squared", "absolute", "gaussian", "sigma", "bernoulli", "mu-law", "stft")
WAVEFORMS = ("mu-law", "stft")  # those that only samples of audio can be held to
_HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)
_LOG_DEVIATION = (-7.0, 3.0)
_UNLIKELY, _SMALLEST, _FAINT = 0.005, 1e-3, 0.1  # probability; deviation; of the mean deviation
_MU = 255.0
_WINDOWS = (512, 1024, 2048)  # samples; hop a quarter of each
_SILENCE = 1e-2  # magnitude that counts as none: 82 to 94 dB under a sine of full scale


class Likelihood(nn.Module):
    """kind, and what it adds up over the values of a sound:

    - "squared": sum of squared errors (source B); "mean squared": mean of them (source C); "absolute": sum of absolute errors
    - "gaussian": negative log likelihood in nats, mean *and* variance of each value decoded (source E); sum
    - "sigma": the same with one learned variance for all values (sigma-VAE, Rybkin et al. 2021); sum
    - "bernoulli": cross entropy of values in 0…1, the output taken as logits (source E); sum
    - "mu-law": squared errors of samples companded by mu-law, mu = 255: quiet samples count as the ear counts them; sum
    - "stft": of audio's magnitudes at three resolutions, deaf to phase: share of the magnitudes missed (spectral convergence)
      plus the mean error of their natural logarithms; mean over resolutions (Yamamoto et al. 2020)

    A sum is what the KL in nats stands beside in a variational bound; a mean is smaller by the number of values, so that the same
    weight of the KL is heavier by as much. "mu-law" and "stft" take features of the view `waveform` alone.
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
        """Numbers that a decoder gives for each value."""
        return 2 if self.kind == "gaussian" else 1

    def mean(self, output: Tensor) -> Tensor:
        """What is expected: `(batch, outputs * parts, …) -> (batch, parts, …)`."""
        if self.kind == "gaussian":
            return output.chunk(2, 1)[0]
        return torch.sigmoid(output) if self.kind == "bernoulli" else output

    def output_for(self, values: Tensor) -> Tensor:
        """The way back from what is expected to an output, of the same shape: `mean` of it is `values`, probabilities in 0.005…0.995."""
        return logits(values) if self.kind == "bernoulli" else values

    @torch.no_grad()
    def initialise(self, missed: Tensor) -> Tensor:
        """Takes root mean square errors `(values,)` for the deviations that it has itself; gives the outputs that stand for them.

        Those are `(values,)` where deviations are decoded, `(0,)` where they are not.
        """
        floor = missed.square().mean().sqrt().clamp_min(_SMALLEST)
        if self.kind == "sigma":
            self.log_deviation.copy_(floor.log())
        # Values that never differed in what was looked at may yet.
        return missed.clamp_min(float(_FAINT * floor)).log().clamp(*_LOG_DEVIATION) if self.outputs == 2 else missed[:0]

    def loss(self, output: Tensor, wanted: Tensor) -> Tensor:
        """`(batch, outputs * parts, …)` and `(batch, parts, …)` -> `(batch,)`: a sum over values, but "mean squared" and "stft"."""
        if self.kind == "stft":
            return spectral_loss(_audio(output), _audio(wanted))
        if self.kind == "bernoulli":
            each = functional.binary_cross_entropy_with_logits(output, wanted.clamp(0, 1), reduction="none")
        elif self.kind == "absolute":
            each = (output - wanted).abs()
        elif self.kind == "mu-law":
            each = (compand(output) - compand(wanted)).square()
        elif self.kind in ("gaussian", "sigma"):
            mean, log_deviation = output.chunk(2, 1) if self.kind == "gaussian" else (output, self.log_deviation)
            log_deviation = log_deviation.clamp(*_LOG_DEVIATION)
            each = 0.5 * ((wanted - mean) * torch.exp(-log_deviation)).square() + log_deviation + _HALF_LOG_TAU
        else:
            each = (output - wanted).square()
        return each.flatten(1).mean(1) if self.kind == "mean squared" else each.flatten(1).sum(1)


def logits(probabilities: Tensor) -> Tensor:
    """What stands before a sigmoid, of any shape; probabilities are held within 0.005…0.995."""
    return probabilities.clamp(_UNLIKELY, 1 - _UNLIKELY).logit_()


def compand(audio: Tensor, *, mu: float = _MU) -> Tensor:
    """Samples or amplitudes by mu-law: sign(x) · ln(1 + mu |x|) / ln(1 + mu), 1 stays 1; any shape."""
    return audio.sign() * torch.log1p(mu * audio.abs()) / math.log1p(mu)


def spectral_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Audio `(batch, channels, time)` twice -> `(batch,)`, see "stft"; 0 for the same, finite also for silence."""
    losses = []
    for size in _WINDOWS:
        (given, log_given), (right, log_right) = _magnitudes(found, size), _magnitudes(wanted, size)
        missed = (given - right).flatten(1).norm(dim=1) / right.flatten(1).norm(dim=1).clamp_min(_SILENCE)
        losses.append(missed + (log_given - log_right).abs().flatten(1).mean(1))
    return torch.stack(losses).mean(0)


def _magnitudes(audio: Tensor, size: int) -> tuple[Tensor, Tensor]:
    window = torch.hann_window(size, dtype=audio.dtype, device=audio.device)
    spectrum = torch.stft(audio.flatten(0, 1), size, size // 4, window=window, center=True, pad_mode="constant", return_complex=True)
    # Added, not a limit under which a decoder would learn nothing.
    power = torch.view_as_real(spectrum).square().sum(-1).add(_SILENCE**2).unflatten(0, audio.shape[:2])
    return power.sqrt(), 0.5 * power.log()


def _audio(features: Tensor) -> Tensor:
    """Features of the view `waveform`, `(batch, channels, block, frames)`, as `(batch, channels, time)`, filled up to whole blocks."""
    return features.transpose(-1, -2).flatten(-2)

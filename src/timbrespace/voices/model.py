"""The model of voices: a variational autoencoder of frames, given pitch and loudness, with a place for each instrument."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from timbrespace.voices.frames import BANDS, PARTIALS, mel

CONDITIONS = 9
CELLS = PARTIALS + BANDS
_ENVELOPE = 40  # points of the spectral envelope, evenly on the mel scale
_LOWEST_MEL, _HIGHEST_MEL = float(mel(np.array(80.0))), float(mel(np.array(20_000.0)))
_DB = 10.0  # of the envelope for a value of 1
_MOST_LOG_VARIANCE = 4.0


class VoiceModel(nn.Module):
    """Levels of partials and noise in dB relative to the loudness of a frame, from a latent, pitch and loudness, and an instrument's place.

    A partial has two parts: a spectral envelope at its frequency, as a body resonates whatever is played, and a level of its number, as a
    clarinet lacks even partials at any pitch. names: of the instruments. dims: of the latent. places: dimensions of an instrument's place.
    """

    mean: Tensor
    scale: Tensor
    latent_means: Tensor
    latent_scales: Tensor

    def __init__(self, names: tuple[str, ...], *, dims: int = 6, places: int = 4, width: int = 192):
        super().__init__()
        self.names, self.dims = names, dims
        self.places = nn.Parameter(0.5 * torch.randn(len(names), places))
        self.encoder = _mlp(CELLS + CONDITIONS, width, 2 * dims, layers=2)
        self.decoder = _mlp(dims + CONDITIONS + places, width, CELLS + _ENVELOPE, layers=3)
        for name, size in (("mean", CELLS), ("scale", CELLS)):
            self.register_buffer(name, torch.ones(size))
        # Of the latents of each instrument's own recordings: mean and deviation `(instruments, dims)`.
        self.register_buffer("latent_means", torch.zeros(len(names), dims))
        self.register_buffer("latent_scales", torch.ones(len(names), dims))

    def encode(self, levels: Tensor, conditions: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """Returns mean and log variance of the latent, `(frames, dims)` each.

        levels: `(frames, CELLS)` in dB. conditions: `(frames, CONDITIONS)`. there: 1 for cells that hold a level, else 0 `(frames, CELLS)`.
        """
        found = self.encoder(torch.cat([(levels - self.mean) / self.scale * there, conditions], dim=1))
        return found[:, : self.dims], found[:, self.dims :].clamp(-8.0, _MOST_LOG_VARIANCE)

    def decode(self, z: Tensor, conditions: Tensor, place: Tensor, *, octaves: Tensor | None = None) -> Tensor:
        """Returns levels in dB relative to the loudness `(frames, CELLS)`: z `(frames, dims)`, place `(frames, places)` of the voice.

        octaves: the pitch that the network is given in place of that of the conditions `(frames,)`; partials keep their frequencies.
        """
        given = conditions
        if octaves is not None:
            given = torch.cat([octaves[:, None], octaves[:, None].square(), conditions[:, 2:]], dim=1)
        found = self.decoder(torch.cat([z, given, place], dim=1))
        levels = found[:, :CELLS] * self.scale + self.mean
        hertz = 440.0 * 2.0 ** (conditions[:, :1] - 0.75) * torch.arange(1, PARTIALS + 1)
        at = (2_595 * torch.log10(1 + hertz / 700) - _LOWEST_MEL) / (_HIGHEST_MEL - _LOWEST_MEL) * (_ENVELOPE - 1)
        at = at.clamp(0.0, _ENVELOPE - 1.001)
        low = at.long()
        envelope = _DB * found[:, CELLS:]
        below, above = envelope.gather(1, low), envelope.gather(1, low + 1)
        body = below + (at - low) * (above - below)
        return torch.cat([levels[:, :PARTIALS] + body, levels[:, PARTIALS:]], dim=1)

    def blend(self, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the place, and mean and deviation of the latents, of a blend: `(frames, …)` each for weights `(frames, names)`."""
        return weights @ self.places, weights @ self.latent_means, (weights @ self.latent_scales).clamp_min(1e-3)


def make_conditions(pitch: Tensor, loudness: Tensor) -> Tensor:
    """Returns the conditions of frames `(frames, CONDITIONS)`: octaves over middle C, their square, pitched or not, loudness, its changes.

    pitch: Hz `(frames,)`, 0: none, which takes that of its neighbours. loudness: dB `(frames,)`.
    """
    there = pitch > 0
    octaves = torch.log2(pitch.clamp_min(1.0) / 440.0) + 0.75
    if bool(there.any()):
        known = torch.nonzero(there)[:, 0].numpy()
        octaves = torch.from_numpy(np.interp(np.arange(len(pitch)), known, octaves[there].double().numpy())).to(loudness)
    else:
        octaves = torch.zeros_like(loudness)
    last = len(loudness) - 1
    steps = torch.arange(len(loudness))
    changes = [loudness[(steps + offset).clamp(0, last)] - loudness for offset in (-24, -8, -3, 3, 8)]
    return torch.stack([octaves, octaves**2, there.to(loudness), loudness / 20 + 2, *(change / 20 for change in changes)], dim=1).float()


def _mlp(inputs: int, width: int, outputs: int, *, layers: int) -> nn.Sequential:
    sizes = [inputs, *[width] * layers]
    parts: list[nn.Module] = []
    for one, other in pairwise(sizes):
        parts += [nn.Linear(one, other), nn.SiLU()]
    return nn.Sequential(*parts, nn.Linear(width, outputs))


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Returns the divergence from the standard normal (Kingma & Welling 2014, appendix B), summed over dims `(frames,)`."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)

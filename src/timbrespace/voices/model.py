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
_CHANGES = (-24, -8, -3, 3, 8)  # frames from a frame to those that its changes of loudness are to
REACH = max(map(abs, _CHANGES))  # frames on either side that conditions are from


class VoiceModel(nn.Module):
    """Levels of partials and noise in dB relative to the loudness of a frame, from a latent, pitch and loudness, and an instrument's place.

    A partial has two parts: a spectral envelope at its frequency, as a body resonates whatever is played, and a level of its number, as a
    clarinet lacks even partials at any pitch. names: of the instruments. dims: of the latent. places: dimensions of an instrument's place.
    """

    mean: Tensor
    scale: Tensor
    lowest: Tensor
    highest: Tensor

    def __init__(self, names: tuple[str, ...], *, dims: int = 6, places: int = 4, width: int = 192):
        super().__init__()
        self.names, self.dims = names, dims
        self.places = nn.Parameter(0.5 * torch.randn(len(names), places))
        self.encoder = _mlp(CELLS + CONDITIONS + places, width, 2 * dims, layers=2)
        self.prior = _mlp(CONDITIONS + places, width // 3, 2 * dims, layers=2)
        self.decoder = _mlp(dims + CONDITIONS + places, width, CELLS + _ENVELOPE, layers=3)
        for name, size in (("mean", CELLS), ("scale", CELLS)):
            self.register_buffer(name, torch.ones(size))
        # What the conditions of each instrument's own recordings were `(instruments, CONDITIONS)`.
        self.register_buffer("lowest", torch.zeros(len(names), CONDITIONS))
        self.register_buffer("highest", torch.ones(len(names), CONDITIONS))

    def encode(self, levels: Tensor, conditions: Tensor, there: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Returns mean and log variance of the latent, `(frames, dims)` each.

        levels: `(frames, CELLS)` in dB. conditions: `(frames, CONDITIONS)`. there: 1 for cells that hold a level, else 0 `(frames, CELLS)`.
        place: of the instrument that plays `(frames, places)`.
        """
        return self._halves(self.encoder(torch.cat([(levels - self.mean) / self.scale * there, conditions, place], dim=1)))

    def expect(self, conditions: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Returns mean and log variance of the latents that an instrument has at given conditions, the prior: `(frames, dims)` each."""
        return self._halves(self.prior(torch.cat([conditions, place], dim=1)))

    def decode(self, z: Tensor, conditions: Tensor, place: Tensor) -> Tensor:
        """Returns levels in dB relative to the loudness `(frames, CELLS)`: z `(frames, dims)`, place `(frames, places)` of the voice."""
        found = self.decoder(torch.cat([z, conditions, place], dim=1))
        levels = found[:, :CELLS] * self.scale + self.mean
        hertz = 440.0 * 2.0 ** (conditions[:, :1] - 0.75) * torch.arange(1, PARTIALS + 1)
        at = (2_595 * torch.log10(1 + hertz / 700) - _LOWEST_MEL) / (_HIGHEST_MEL - _LOWEST_MEL) * (_ENVELOPE - 1)
        at = at.clamp(0.0, _ENVELOPE - 1.001)
        low = at.long()
        envelope = _DB * found[:, CELLS:]
        below, above = envelope.gather(1, low), envelope.gather(1, low + 1)
        body = below + (at - low) * (above - below)
        return torch.cat([levels[:, :PARTIALS] + body, levels[:, PARTIALS:]], dim=1)

    def within(self, conditions: Tensor, weights: Tensor) -> Tensor:
        """Returns conditions moved into the range of those that a blend has learned `(frames, CONDITIONS)`; weights `(frames, names)`.

        A voice of negative weight has no say: the range is one that something was learned in.
        """
        share = weights.clamp_min(0.0)
        share = share / share.sum(1, keepdim=True).clamp_min(1e-9)
        low, high = share @ self.lowest, share @ self.highest
        moved = torch.minimum(torch.maximum(conditions, low), high)
        return torch.cat([moved[:, :1], moved[:, :1].square(), moved[:, 2:]], dim=1)

    def _halves(self, found: Tensor) -> tuple[Tensor, Tensor]:
        return found[:, : self.dims], found[:, self.dims :].clamp(-8.0, _MOST_LOG_VARIANCE)


def at_pitch(levels: Tensor, ratio: Tensor) -> Tensor:
    """Returns levels `(frames, CELLS)` of notes whose pitch is `ratio` times that of the decoded ones `(frames,)`.

    A level stays at its frequency, as the body and the bore of an instrument do, among partials that are odd or even as it is. Below the
    first partial and above the last one levels go on: as they are, and by 12 dB an octave less.
    """
    numbers = torch.arange(1, PARTIALS + 1)
    first = 2 - numbers % 2  # of the odd or the even ones
    last = PARTIALS - numbers % 2
    wanted = numbers * ratio[:, None]
    below = (first + 2 * ((wanted - first) / 2).floor()).maximum(first).minimum(last)
    above = (below + 2).minimum(last)
    share = ((wanted - below) / 2).clamp(0.0, 1.0)
    partials = levels[:, :PARTIALS]
    one, other = (partials.gather(1, at.long() - 1) for at in (below, above))
    fall = 40 * torch.log10((wanted / PARTIALS).clamp_min(1.0))
    moved = torch.where((ratio[:, None] - 1).abs() > 1e-4, one + share * (other - one) - fall, partials)
    return torch.cat([moved, levels[:, PARTIALS:]], dim=1)


def fill_octaves(pitch: Tensor) -> Tensor:
    """Returns octaves over middle C `(frames,)` of a pitch in Hz; 0: none, which takes that between its neighbours."""
    there = pitch > 0
    octaves = torch.log2(pitch.clamp_min(1.0) / 440.0) + 0.75
    if not bool(there.any()):
        return torch.zeros_like(octaves)
    known = torch.nonzero(there)[:, 0].numpy()
    return torch.from_numpy(np.interp(np.arange(len(pitch)), known, octaves[there].double().numpy())).to(octaves)


def make_conditions(pitch: Tensor, loudness: Tensor, octaves: Tensor | None = None) -> Tensor:
    """Returns the conditions of frames `(frames, CONDITIONS)`: octaves over middle C, their square, pitched or not, loudness, its changes.

    pitch: Hz `(frames,)`, 0: none. loudness: dB `(frames,)`. octaves: `fill_octaves` of the pitch, where it is known of a longer part.
    """
    there = pitch > 0
    octaves = fill_octaves(pitch) if octaves is None else octaves
    last = len(loudness) - 1
    steps = torch.arange(len(loudness))
    changes = [loudness[(steps + offset).clamp(0, last)] - loudness for offset in _CHANGES]
    return torch.stack([octaves, octaves**2, there.to(loudness), loudness / 20 + 2, *(change / 20 for change in changes)], dim=1).float()


def _mlp(inputs: int, width: int, outputs: int, *, layers: int) -> nn.Sequential:
    sizes = [inputs, *[width] * layers]
    parts: list[nn.Module] = []
    for one, other in pairwise(sizes):
        parts += [nn.Linear(one, other), nn.SiLU()]
    return nn.Sequential(*parts, nn.Linear(width, outputs))


def divergence(mean: Tensor, log_variance: Tensor, expected: Tensor, expected_log_variance: Tensor) -> Tensor:
    """Returns the divergence of one normal distribution from another, with diagonal covariances, summed over dims `(frames,)`."""
    difference = expected_log_variance - log_variance
    square = ((mean - expected).square() + log_variance.exp()) * (-expected_log_variance).exp()
    return 0.5 * (difference + square - 1).sum(1)

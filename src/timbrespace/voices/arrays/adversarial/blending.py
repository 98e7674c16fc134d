"""Pairs of a piece and its translation, mixed as audio: what the models of blended pairs learn (source D)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from timbrespace.voices.arrays.design import BINS, Design
from timbrespace.voices.arrays.features import HOP, MU, WINDOW

_OWN_ITERATIONS, _ITERATIONS = 32, 8
_HIGHEST = 1.1  # value that counts
_ENDS = 0.2  # share of the targets with a weight of 0 or 1


class Pairs:
    """A stock of pairs as audio. A target mixes the two of a pair by weight and is analysed again.

        array ───────────────────── phase search ─ audio ┐
          └─ CycleGAN ─ array ─ from the same phase ─ audio ┴ mix ─ array

    The translated audio starts from the phases of the own audio, else partials of the same frequency would cancel out at random.

    size: pairs of each instrument that are kept; then every `renew`-th call of `add` replaces the oldest one.
    """

    def __init__(self, translator: Design, *, size: int, renew: int = 8):
        self.translator, self.size, self.renew, self._calls = translator, size, renew, 0
        self._stock: list[list[tuple[Tensor, Tensor, Tensor]]] = [[], []]  # by instrument: array, its audio, the translated audio

    @torch.no_grad()
    def add(self, batch: dict[str, Tensor], generator: torch.Generator) -> None:
        """Makes pairs of pieces `(batch, BINS, FRAMES)` of each instrument until the stock is full, then of one piece now and then."""
        self._calls += 1
        names = tuple(batch)
        for number, name in enumerate(names):
            stock = self._stock[number]
            missing = self.size - len(stock)
            values = batch[name][: missing if missing else 1]
            if not missing and self._calls % self.renew:
                continue
            other = [float(one != name) for one in self.translator.names]
            translated = self.translator.translate(values, name, values.new_tensor([other]).expand(len(values), -1))
            stock.extend(zip(values.half(), *audio_of_pairs(values, translated, generator), strict=True))
            del stock[: -self.size]

    @torch.no_grad()
    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Returns pieces `(2 * count, BINS, FRAMES)`, `count` of each instrument, weights `(2 * count, 2)`, and targets like the pieces."""
        pieces, mixes, weights = [], [], []
        for number, stock in enumerate(self._stock):
            for row in torch.randint(len(stock), (count,), generator=generator).tolist():
                values, own, other = stock[row]
                chance, share = torch.rand(2, generator=generator).tolist()
                share = round(share) if chance < _ENDS else share  # of the other instrument
                pieces.append(values.float())
                mixes.append((1 - share) * own + share * other)
                weights.append([1 - share, share] if number == 0 else [share, 1 - share])
        return torch.stack(pieces), pieces[0].new_tensor(weights), analysed(torch.stack(mixes))


def audio_of_pairs(values: Tensor, translated: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Returns audio `(batch, time)` of arrays `(batch, BINS, FRAMES)` and of their translations, in phase with each other."""
    own, other = magnitudes_of(values), magnitudes_of(translated)
    turns = 2 * math.pi * torch.rand(own.shape, generator=generator).to(own)
    phases = phase_search(own, torch.polar(torch.ones_like(own), turns), _OWN_ITERATIONS)
    return synthesised(own * phases), synthesised(other * phase_search(other, phases, _ITERATIONS))


def phase_search(magnitudes: Tensor, phases: Tensor, iterations: int) -> Tensor:
    """Returns phases `(batch, BINS + 1, frames)` of magnitudes by Griffin–Lim with momentum (Perraudin et al. 2013), from given phases."""
    before = torch.zeros_like(phases)
    for _ in range(iterations):
        found = transformed(synthesised(magnitudes * phases))
        moved = found + 0.99 * (found - before) if before.any() else found
        before = found
        phases = moved / moved.abs().clamp_min(1e-12)
    return phases


def magnitudes_of(values: Tensor) -> Tensor:
    """Returns magnitudes `(batch, BINS + 1, frames)` of arrays `(batch, BINS, frames)`; the loudest cell of the recording has 1."""
    return functional.pad(torch.expm1(values.clamp(0, _HIGHEST) * math.log1p(MU)) / MU, (0, 0, 0, 1))


def analysed(audio: Tensor) -> Tensor:
    """Returns arrays `(batch, BINS, frames)` of audio `(batch, time)`; a cell of magnitude 1 has the value 1."""
    return torch.log1p(MU * transformed(audio).abs()[:, :BINS]) / math.log1p(MU)


def synthesised(spectra: Tensor) -> Tensor:
    """`(batch, BINS + 1, frames) -> (batch, (frames - 1) * HOP)`."""
    return torch.istft(spectra, WINDOW, HOP, window=torch.hann_window(WINDOW, device=spectra.device))


def transformed(audio: Tensor) -> Tensor:
    """`(batch, time) -> (batch, BINS + 1, 1 + time // HOP)`, complex."""
    window = torch.hann_window(WINDOW, device=audio.device)
    return torch.stft(audio, WINDOW, HOP, window=window, center=True, pad_mode="constant", return_complex=True)

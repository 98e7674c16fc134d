"""A window of a recording in the model: its latent, its decoded features, and its own features."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from timbrespace.synthesis import sequences
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.transfer.feed import Feed
from timbrespace.synthesis.transfer.views import hop_of, plain, plain_view, reach_of, silenced
from timbrespace.synthesis.transfer.windows import Window

_QUIET = 1e-4  # of the recording's peak: a window without louder samples is silent


class Encoded(NamedTuple):
    """A window of a recording. audio `(channels, time)`: its samples alone. own `(parts, bands, frames)`: its features, of a plain view.

    z: its latent, `(dims,)` or `(dims, steps)`, with the samples before and after the window that a sequence model reads; None for
    silence.
    """

    audio: Tensor
    own: Tensor
    z: Tensor | None


class WindowModel:
    """The model of an instrument on windows of recordings."""

    def __init__(self, contents: InstrumentContents):
        self.contents = contents
        self.view = plain_view(contents.representation)
        self.hop = hop_of(contents.representation)
        self._margin = -(-reach_of(contents.representation) // self.hop) * self.hop

    def frames(self, window: Window) -> int:
        """Returns the number of frames from the start of a window on; beyond its end for the last one."""
        size = window.stop - window.start
        return self.view.frames(size) if not window.fade_out else size // self.hop

    def encode(self, feed: Feed, window: Window, *, peak: float) -> Encoded:
        """Returns a window, encoded. peak: of the recording."""
        moving = self.contents.model.time_varying
        before = max(window.before if moving else 0, min(self._margin, window.start))
        after = max(window.after if moving else 0, self._margin)
        whole = torch.from_numpy(feed.read(window.start - before, window.stop + after))
        size = window.stop - window.start
        audio = whole[:, before : before + size]
        first = before // self.hop
        own = silenced(self.view, self.view.encode(whole[None])[0])[..., first : first + self.frames(window)]
        if float(audio.abs().max()) < _QUIET * peak:
            return Encoded(audio, own, None)
        seen = whole[:, before - window.before : before + size + window.after] if moving else audio
        return Encoded(audio, own, self._latent(seen))

    def _latent(self, audio: Tensor) -> Tensor:
        """The latent of samples `(channels, time)`; of a model that tries several pitches, only the likeliest is refined."""
        contents, model = self.contents, self.contents.model
        features, lengths = contents.representation.encode(model.prepare_audio(audio)[None]), torch.tensor([audio.shape[1]])
        with torch.no_grad():
            z = model.infer(features, lengths, audio, contents.sample_rate, search=False)
        z = model.refine(features, lengths, z)[0].detach()
        return z[:, : sequences.latent_steps(contents, audio.shape[1])] if model.time_varying else z

    def decode(self, z: Tensor, window: Window) -> Tensor:
        """Returns features `(parts, bands, frames)` of a latent `(dims,)` or `(dims, steps)`, of a plain view, at the model's level.

        Cells on the floor are not marked as silent, see `views.silenced`.
        """
        features = plain(self.contents.representation, self._features(z, window))
        first = window.before // self.hop
        return features[..., first : first + self.frames(window)]

    def decode_audio(self, z: Tensor, window: Window, *, seed: int) -> Tensor:
        """Returns samples `(channels, time)` of a latent, as `decode`, for views with a phase."""
        length, start = self._length(window), window.before
        features = self._features(z, window)[..., : self.contents.representation.frames(length)]
        return self.contents.representation.decode(features[None], length=length, seed=seed)[0][
            :, start : start + window.stop - window.start
        ]

    def _length(self, window: Window) -> int:
        more = window.before + window.after if self.contents.model.time_varying else 0
        return window.stop - window.start + more

    def _features(self, z: Tensor, window: Window) -> Tensor:
        with torch.no_grad():
            return self.contents.model.decode(z[None].float(), lengths=torch.tensor([self._length(window)])).features[0]

"""A window of a recording in the model: its latent, its decoded features, and its own features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from timbrespace.synthesis import sequences
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.transfer.feed import Feed
from timbrespace.synthesis.transfer.views import hop_of, plain, plain_view, reach_of, silenced
from timbrespace.synthesis.transfer.windows import Window

_TOGETHER = 16  # windows of a model of whole clips that are encoded together
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

    def encode(self, feed: Feed, windows: Sequence[Window], *, peak: float) -> list[Encoded]:
        """Returns windows, encoded together. peak: of the recording."""
        moving = self.contents.model.time_varying
        found, seen = [], []
        for window in windows:
            before = max(window.before if moving else 0, min(self._margin, window.start))
            after = max(window.after if moving else 0, self._margin)
            whole = torch.from_numpy(feed.read(window.start - before, window.stop + after))
            size = window.stop - window.start
            audio, first = whole[:, before : before + size].clone(), before // self.hop
            own = silenced(self.view, self.view.encode(whole[None])[0])[..., first : first + self.frames(window)]
            found.append(Encoded(audio, own, None))
            if float(audio.abs().max()) >= _QUIET * peak:
                seen.append(whole[:, before - window.before : before + size + window.after] if moving else audio)
        latents = iter(self._latents(seen))
        return [one._replace(z=next(latents)) if float(one.audio.abs().max()) >= _QUIET * peak else one for one in found]

    def _latents(self, sounds: Sequence[Tensor]) -> list[Tensor]:
        """The latents of sounds `(channels, time)`; those of whole clips are refined together, which is several times as fast.

        Of a model that tries several pitches, only the likeliest one is refined.
        """
        contents, model = self.contents, self.contents.model
        if model.time_varying:
            return [
                self._inferred(sound, sound.shape[1])[2][0, :, : sequences.latent_steps(contents, sound.shape[1])] for sound in sounds
            ]  # fmt: skip
        if not sounds:
            return []
        longest = max(sound.shape[1] for sound in sounds)
        features, lengths, z = (torch.cat(part) for part in zip(*(self._inferred(sound, longest) for sound in sounds), strict=True))
        return list(model.refine(features, lengths, z).detach())

    def _inferred(self, sound: Tensor, samples: int) -> tuple[Tensor, Tensor, Tensor]:
        """Features `(1, parts, bands, frames)` of a sound padded to `samples`, its length `(1,)` and its latent, not refined."""
        contents, model = self.contents, self.contents.model
        padded = torch.nn.functional.pad(sound, (0, samples - sound.shape[1]))
        features, lengths = contents.representation.encode(model.prepare_audio(padded)[None]), torch.tensor([sound.shape[1]])
        with torch.no_grad():
            return features, lengths, model.infer(features, lengths, sound, contents.sample_rate, search=False)

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


def encoded_windows(model: WindowModel, feed: Feed, windows: Sequence[Window], *, peak: float) -> Iterator[Encoded]:
    """Yields windows, encoded, in order. peak: of the recording."""
    count = 1 if model.contents.model.time_varying else _TOGETHER
    for first in range(0, len(windows), count):
        yield from model.encode(feed, windows[first : first + count], peak=peak)

"""One or two given sounds behind a new one: how much of each it takes over, its length and the part before its onset."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from timbrespace.synthesis.detail.given import GivenSound
from timbrespace.synthesis.detail.source import Source, decoded_length
from timbrespace.synthesis.file.contents import InstrumentContents

if TYPE_CHECKING:
    from timbrespace.synthesis.detail.near import Core

# Distance at which half of the detail is left, in units of the corpus's spread. What the latent of a note leaves out of it is five times
# what sets two hits of a note apart: let go of as quickly as that of a drum, a variation would be the decoder's note, not another hit.
_HALF_AT, _HALF_AT_NOTES = 0.35, 0.75


class Mix(NamedTuple):
    """One or two given sounds behind a new one.

    share: of the second, 0 to 1. kept: how much of their detail is kept, 1 at no distance; the rest is drawn anew. limited: whether a sound
    between two is nowhere much louder than the louder of them, see `blend.limit_course`; older recipes are not.
    """

    sources: tuple[Source, ...]
    share: float = 0.0
    kept: float = 1.0
    limited: bool = False

    @property
    def own(self) -> GivenSound | None:
        """The given sound that the result is, None where it differs from all."""
        if self.kept < 1 or self.share not in (0.0, 1.0):
            return None
        return self.sources[int(self.share)].given

    @property
    def weights(self) -> list[float]:
        """The weight of each given sound; they add up to 1."""
        return [1.0] if len(self.sources) == 1 else [1 - self.share, self.share]

    @property
    def peak(self) -> float:
        """Largest absolute sample of the given sounds, in between in dB."""
        return between_levels([source.encoded.peak for source in self.sources], self.share)

    @property
    def lead(self) -> Tensor:
        """The part before the onset, `(channels, time)`: as long as before the given sounds, on the way between them."""
        leads = [source.lead for source in self.sources]
        size = round(sum(weight * lead.shape[1] for weight, lead in zip(self.weights, leads, strict=True)))
        result = leads[0].new_zeros(leads[0].shape[0], size)
        for weight, lead in zip(self.weights, leads, strict=True):
            count = min(size, lead.shape[1])
            if count:
                result[:, size - count :] += weight * lead[:, lead.shape[1] - count :]
        return result


def kept_at(distance: float, *, notes: bool = False) -> float:
    """Returns how much detail is kept at a distance from a given sound, in units of the corpus's spread: 1 at 0, falling to 0.

    notes: of an instrument of notes.
    """
    return 1 / (1 + (distance / (_HALF_AT_NOTES if notes else _HALF_AT)) ** 2)


def between_levels(values: list[float], share: float) -> float:
    """Returns the value between one or two positive values, geometrically. share: of the second."""
    return values[0] if len(values) == 1 else float(values[0] ** (1 - share) * values[1] ** share)


def length_of(contents: InstrumentContents, mix: Mix, z: Tensor, *, core: Core | None = None) -> int:
    """Returns the length in samples of the part that the model sees, for a latent `(dims,)` of a whole clip.

    Of one sound: its own, changed as the decoded length changes, but a note is held as long; of two: between theirs. core: decodes it.
    """
    lengths = [float(source.encoded.length) for source in mix.sources]
    if len(lengths) > 1:
        return max(1, round(between_levels(lengths, mix.share)))
    source = mix.sources[0]
    if source.rest.shape[1] or (contents.notes is not None and source.detail is not None):
        return source.encoded.length
    new = decoded_length(contents, z) if core is None else core.length(z.numpy())
    old = source.decoded or decoded_length(contents, source.encoded.z)
    return max(1, min(contents.samples, round(new * (source.encoded.length / old) ** mix.kept)))

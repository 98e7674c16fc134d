"""Measurements of a given sound before it is varied or morphed: latent, detail, timing, and the parts that the model does not see."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from timbrespace.audio.offset import remove_offset
from timbrespace.contracts import ShapeError
from timbrespace.synthesis.detail.blend import fluctuation, slow_part
from timbrespace.synthesis.detail.given import GivenSound
from timbrespace.synthesis.detail.notes import GivenNote, given_note
from timbrespace.synthesis.detail.timing import Timing, timing_of
from timbrespace.synthesis.encoding import EncodedSound, encode, from_onset, trim_to_onset
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.output.requested import GivenArrays

_JOIN_SECONDS = 0.010  # over which the part that the model sees fades into the rest, as `trim.shorten` fades it
_STEADY_DB, _NOISE_DB = 1.0, 3.0  # fluctuation of a cell that is steady, and of one that is not; white noise in one bin has 5.6
_FAINT_DB = 10.0  # above the floor, where steadiness begins to count; it counts whole at twice that
_LONGEST_SECONDS = 60.0  # of a sound with detail


class Detail(NamedTuple):
    """A given sound in the instrument's view, levels in dB under its loudest cell.

    level: of the loudest cell, dB. features `(parts, bands, frames)`: of the sound. slow, fast: its detail, features minus features decoded
    from the latent, in two parts (`blend.slow_part`). steady: 1 where it is steady, as partials are, to 0 where it fluctuates as noise
    does or is quiet. timing: of its frames. spectra: complex `(parts, frames, bins)`. pitch: MIDI number of the latent. note: of a sound
    with that pitch.
    """

    level: float
    features: Tensor
    slow: Tensor
    fast: Tensor
    steady: Tensor
    timing: Timing
    spectra: Tensor
    pitch: float | None
    note: GivenNote | None


@dataclass
class Measured:
    """What is measured of a given sound when it is first needed, and kept: steering asks for it at every move of a slider.

    descriptors: of the sound from its onset, by name. levels: descriptors of its features `(len(DESCRIPTORS),)`. arrays: the sound as the
    native core reads it.
    """

    descriptors: dict[str, float] = field(default_factory=dict)
    levels: Tensor | None = None
    arrays: GivenArrays | None = None


@dataclass(frozen=True)
class Source:
    """A given sound, measured.

    lead: samples `(channels, time)` before its onset, without its offset. rest: those after the part that the model sees, with `join`
    samples before them, over which it fades in. detail: None where the instrument's view keeps none. decoded: samples that its latent
    decodes to; None for a latent that varies in time. measured: what was needed of it since.
    """

    given: GivenSound
    encoded: EncodedSound
    lead: Tensor
    rest: Tensor
    join: int
    detail: Detail | None
    decoded: int | None = None
    measured: Measured = field(default_factory=Measured, compare=False, repr=False)

    @property
    def total(self) -> int:
        """Samples from the onset to the end, beyond the part that the model sees too."""
        return self.encoded.length + self.rest.shape[1] - self.join


def keeps_detail(contents: InstrumentContents) -> bool:
    """Whether an instrument carries detail along: its features are levels in dB, whose phase search can start near a given sound."""
    return contents.representation.starts_near


def analyse(contents: InstrumentContents, given: GivenSound) -> Source:
    """Returns a given sound, encoded and measured; its latent is that of its recipe where it has one. Raises ShapeError."""
    try:
        whole, start = from_onset(contents, given.audio)
    except ShapeError as error:
        raise ShapeError(f"{given.file}: {error}" if given.file else str(error)) from None
    sound, _ = trim_to_onset(contents, given.audio, None)
    encoded = (
        encode(contents, sound, velocity=given.velocity)
        if given.latent is None
        else EncodedSound(given.latent, sound.shape[1], float(sound.abs().max()))
    )
    if not torch.isfinite(encoded.z).all():
        raise ShapeError("this instrument gives the sound a latent with infinite values; its file is damaged, train it again")
    join = 0 if whole.shape[1] == sound.shape[1] else min(sound.shape[1], round(_JOIN_SECONDS * contents.sample_rate))
    rest = whole[:, sound.shape[1] - join :].clone() if join else whole[:, :0]
    rest[:, :join] *= 1 - torch.linspace(1, 0, join + 1)[1:]
    detail = None
    if keeps_detail(contents) and sound.shape[1] <= _LONGEST_SECONDS * contents.sample_rate:
        detail = _detail(contents, sound, encoded)
    lead = torch.from_numpy(remove_offset(given.audio.detach().cpu().float().numpy(), contents.sample_rate))[:, :start]
    length = None if contents.model.time_varying else decoded_length(contents, encoded.z)
    return Source(given, encoded, lead, rest, join, detail, length)


def _detail(contents: InstrumentContents, sound: Tensor, encoded: EncodedSound) -> Detail:
    """The detail of a sound `(channels, time)` from its onset."""
    view: Any = contents.representation
    with torch.no_grad():
        features = view.encode(sound[None])[0]
        level = float(features.max())
        features = features - level
        residual = features - decoded(contents, encoded.z, encoded.length)
        slow = slow_part(residual)
        timing = timing_of(features, hop=view.hop, sample_rate=contents.sample_rate)
        pitch = contents.model.conditioning.pitch_of(encoded.z)
        note = None if contents.notes is None else given_note(contents, sound, encoded.z, frames=features.shape[-1])
        loud = ((features + contents.representation.floor - _FAINT_DB) / _FAINT_DB).clamp(0, 1)
        steady = loud * ((_NOISE_DB - fluctuation(features)) / (_NOISE_DB - _STEADY_DB)).clamp(0, 1)
        return Detail(level, features, slow, residual - slow, steady, timing, view.spectra_of(sound), pitch, note)


def decoded(contents: InstrumentContents, z: Tensor, length: int) -> Tensor:
    """Returns features in dB `(parts, bands, frames)` of a latent `(dims,)` or `(dims, steps)`, for a sound of `length` samples."""
    features = contents.model.decode(z[None].float(), lengths=torch.tensor([length])).features[0]
    return features[..., : contents.representation.frames(length)]


def decoded_length(contents: InstrumentContents, z: Tensor) -> int:
    """Returns the length in samples that a latent `(dims,)` of a whole clip holds."""
    with torch.no_grad():
        logarithm = contents.model.log_lengths(z[None].float())
        if logarithm is None:
            return min(contents.samples, int(contents.model.decode(z[None].float()).lengths[0]))
        most = contents.samples  # the model decodes no sound that is longer
        return int(torch.exp2(logarithm[0].clamp(0.0, math.log2(most) + 1)).round().clamp(1, most))

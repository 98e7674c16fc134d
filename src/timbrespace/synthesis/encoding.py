"""From a sound to its latent and from a latent to audio: what `Instrument.encode`, `decode` and `reconstruct` do."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from timbrespace.audio.files import resample
from timbrespace.audio.offset import remove_offset
from timbrespace.audio.trim import bounds, shorten
from timbrespace.contracts import ShapeError, check_audio
from timbrespace.synthesis import sequences
from timbrespace.synthesis.detail_model.draw import add_detail
from timbrespace.synthesis.detail_model.rise import sharpened
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.harmonic.note import render_new_note
from timbrespace.synthesis.texture import add_noise_texture, floor_of, with_fewer_iterations


class EncodedSound(NamedTuple):
    """A sound in the latent space.

    z: `(dims,)`, or `(dims, steps)` of a time-varying latent. length: in samples from the onset. peak: largest absolute sample.
    """

    z: Tensor
    length: int
    peak: float


def longest_length(contents: InstrumentContents) -> int | None:
    """Returns the samples of the longest sound that the model encodes whole, from the onset; None where any length is encoded."""
    return None if contents.model.time_varying else contents.samples


def trim_to_onset(contents: InstrumentContents, audio: Tensor, sample_rate: int | None) -> tuple[Tensor, int]:
    """Returns audio `(channels, time)` from onset to end, cut to `longest_length`; and the onset in samples.

    The audio has the instrument's rate and no DC offset.

    sample_rate: of `audio` in Hz, if not the instrument's. Raises ShapeError for another shape, wrong channels, or silence.
    """
    whole, start = from_onset(contents, audio, sample_rate)
    return torch.from_numpy(shorten(whole.numpy(), longest_length(contents) or whole.shape[1], contents.sample_rate)), start


def from_onset(contents: InstrumentContents, audio: Tensor, sample_rate: int | None = None) -> tuple[Tensor, int]:
    """As `trim_to_onset`, but of any length: audio `(channels, time)` from onset to end, and the onset in samples."""
    check_sound(contents, audio)
    audio = at_own_rate(contents, audio, sample_rate)
    start, end = bounds(audio.numpy(), contents.sample_rate)
    if end <= start:
        raise ShapeError("the sound is silent; there is nothing to encode")
    return audio[:, start:end], start


def check_sound(contents: InstrumentContents, audio: Tensor) -> None:
    """Raises ShapeError unless audio is finite samples `(channels, time)` with the channels of the instrument."""
    if not isinstance(audio, Tensor) or audio.ndim != 2:
        found = tuple(audio.shape) if isinstance(audio, Tensor) else type(audio)
        raise ShapeError(f"a sound must be a tensor (channels, time), not {found}")
    check_audio(audio[None], channels=contents.channels)


def at_own_rate(contents: InstrumentContents, audio: Tensor, sample_rate: int | None) -> Tensor:
    """Returns audio `(channels, time)` without DC offset at the instrument's rate. sample_rate: Hz; None: it has it."""
    rate = contents.sample_rate
    audio = torch.from_numpy(remove_offset(audio.detach().cpu().float().numpy(), sample_rate or rate))
    return audio if sample_rate in (None, rate) else resample(audio, sample_rate or rate, rate)


def encode(contents: InstrumentContents, audio: Tensor, *, search: bool = True, velocity: float | None = None) -> EncodedSound:
    """Encodes a sound `(channels, time)` that starts at its onset, to `z (dims,)` or `(dims, steps)`.

    search: see `Model.infer`. velocity: at which it was played, for a model that knows velocities; None: unknown.
    """
    names, known = contents.model.conditioning.names, None
    if velocity is not None and "velocity" in names:
        known = torch.full((1, len(names)), torch.nan)
        known[0, names.index("velocity")] = velocity
    length, prepared = audio.shape[-1], contents.model.prepare_audio(audio)
    with torch.no_grad():
        features, lengths = contents.representation.encode(prepared[None]), torch.tensor([length])
        z = contents.model.infer(features, lengths, audio, contents.sample_rate, search=search, known=known)[0]
    if contents.model.time_varying:
        z = z[:, : sequences.latent_steps(contents, length)]
    return EncodedSound(z, length, float(audio.abs().max()))


def decode(contents: InstrumentContents, z: Tensor, *, length: int | None, seed: int, texture: bool, category: str | None = None) -> Tensor:
    """Decodes a latent `(dims,)` or `(dims, steps)` to audio `(channels, length)` of peak 1. Arguments as in `Instrument.decode`."""
    model, representation = contents.model, contents.representation
    fits = z.ndim == 2 and len(z) == model.dims and z.shape[1] > 0 if model.time_varying else tuple(z.shape) == (model.dims,)
    if not fits or not torch.isfinite(z).all():
        expected = "(dims, steps)" if model.time_varying else "(dims,)"
        raise ShapeError(f"a latent must be {expected} finite numbers, dims = {model.dims}, not {tuple(z.shape)}")
    if model.time_varying:
        z, length = sequences.fit_path(contents, z, length)
    with torch.no_grad():
        decoded = model.decode(z[None].float(), lengths=None if length is None else torch.tensor([length]))
        if length is None or not model.time_varying:
            length = min(contents.samples, int(decoded.lengths[0]))
        features = decoded.features[..., : representation.frames(length)]
        if texture and contents.notes is not None:
            audio = render_new_note(contents, features[0], z, length=length, seed=seed, category=category)
            return audio / audio.abs().max().clamp_min(1e-9)
        if texture and model.noise_texture:
            if contents.detail is not None:
                features = add_detail(features, contents.detail, z, floor=floor_of(representation), seed=seed, category=category)
            else:
                features = add_noise_texture(features, representation, length=length, seed=seed)
            representation = with_fewer_iterations(representation)
        audio = representation.decode(features, length=length, seed=seed)[0]
        if texture and contents.detail is not None:
            audio = sharpened(audio, contents.sample_rate, contents.detail.rises_of(category))
    return audio / audio.abs().max().clamp_min(1e-9)

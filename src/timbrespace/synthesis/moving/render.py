"""Renders moving sounds: chooses how by the instrument's view, joins the ends of given sounds, sets the level."""

from __future__ import annotations

import torch
from torch import Tensor

from timbrespace.synthesis import sequences
from timbrespace.synthesis.detail.rendering import Rendered
from timbrespace.synthesis.encoding import decode
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.finish import Level, finish
from timbrespace.synthesis.moving.course import steady
from timbrespace.synthesis.moving.ends import join_ends
from timbrespace.synthesis.moving.evenness import Values, settled
from timbrespace.synthesis.moving.levels import course_of, levels_to_audio
from timbrespace.synthesis.moving.notes import earlier_note_to_audio, glides, note_to_audio
from timbrespace.synthesis.moving.plan import Moving


def in_levels(contents: InstrumentContents) -> bool:
    """Returns whether moving sounds of an instrument are made frame by frame in dB: they can then be held, and keep detail."""
    return contents.representation.decibels and contents.representation.starts_near


def render_moving(contents: InstrumentContents, moving: Moving, *, seed: int, level: Level | None, out_rate: int) -> Rendered:
    """Returns a moving sound at `out_rate` Hz.

    seed: of noise and phase. level: None keeps that of the given sounds; "peak" without any. Raises ShapeError, ConfigError.
    """
    rate = contents.sample_rate
    if in_levels(contents):
        audio = _evenly(contents, moving, seed=seed)
        own = join_ends(contents, moving, audio, level=level, out_rate=out_rate)
        if own is not None:
            return Rendered(own, slice(0, round(contents.samples * out_rate / rate)))
    else:
        audio = _along_path(contents, moving, seed=seed) if contents.model.time_varying else _cross_faded(contents, moving, seed=seed)
    default: Level = "keep" if moving.sources else "peak"
    audio = finish(audio, rate, level=level or default, out_rate=out_rate)
    return Rendered(audio, slice(0, round(contents.samples * out_rate / rate)))


def _evenly(contents: InstrumentContents, moving: Moving, *, seed: int) -> Tensor:
    """Audio `(channels, length)` of frames in dB; of a held sound between two given ones the most even of some renderings."""

    by_oscillators = glides(contents, moving)
    if by_oscillators and moving.by_partials:
        return note_to_audio(contents, moving, seed=seed)

    def once(pace: Values | None) -> tuple[Tensor, Tensor]:
        if by_oscillators:
            return earlier_note_to_audio(contents, moving, seed=seed, pace=pace)
        course = course_of(contents, moving, seed=seed, pace=pace)
        return levels_to_audio(contents, moving, course, seed=seed), course.places

    if moving.hold and moving.between_two:
        return settled(once, hop=contents.representation.hop, rate=contents.sample_rate)
    return once(None)[0]


@torch.no_grad()
def _along_path(contents: InstrumentContents, moving: Moving, *, seed: int) -> Tensor:
    """Audio `(channels, length)` of a latent that varies in time anyway: its path goes from that of one key to the next."""
    paths = torch.stack([sequences.fit_path(contents, key.z, moving.length)[0] for key in moving.keys])
    steps = paths.shape[-1]
    places = _places(moving, steps, len(paths))
    first = places.floor().long().clamp_max(len(paths) - 2)
    share = (places - first).to(paths)
    step = torch.arange(steps)
    z = torch.lerp(paths[first, :, step].T, paths[first + 1, :, step].T, share)
    z = contents.model.project(z[None])[0]
    return decode(contents, z, length=moving.length, seed=seed, texture=True) * _peaks(moving, moving.length)


def _cross_faded(contents: InstrumentContents, moving: Moving, *, seed: int) -> Tensor:
    """Audio `(channels, time)` of whole clips in another view: the sounds of all keys, each fading into the next."""
    sounds = [decode(contents, key.z, length=key.length, seed=seed, texture=True) for key in moving.keys]
    length = moving.length
    places = _places(moving, length, len(sounds)).float()
    audio = sounds[0].new_zeros(contents.channels, length)
    for number, sound in enumerate(sounds):
        count = min(length, sound.shape[1])
        audio[:, :count] += (1 - (places[:count] - number).abs()).clamp_min(0) * sound[:, :count]
    return audio * _peaks(moving, length)


def _peaks(moving: Moving, length: int) -> Tensor:
    """The peak of the given sounds at every sample of the way `(length,)`, geometrically between keys; 1 for new sounds."""
    peaks = torch.tensor([1.0 if key.mix is None else key.mix.peak for key in moving.keys]).clamp_min(1e-9).log()
    places = _places(moving, length, len(peaks))
    first = places.floor().long().clamp_max(len(peaks) - 2)
    return torch.lerp(peaks[first], peaks[first + 1], (places - first).float()).exp()


def _places(moving: Moving, points: int, keys: int) -> Tensor:
    """Places among the keys at `points` even times of the sound, `(points,)`."""
    window = (0, moving.length) if moving.window is None else moving.window
    start, end = (round(sample / moving.length * (points - 1)) for sample in window)
    return steady(points, keys, start=start, end=max(end, start + 1))

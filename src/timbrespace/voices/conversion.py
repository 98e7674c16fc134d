"""Conversion of a piece: its pitch and loudness, the timbre of a voice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.modulation.change import Donor, change, straightened
from timbrespace.modulation.options import KEEP, Wish
from timbrespace.voices.analysis import analyse
from timbrespace.voices.envelope import filtered
from timbrespace.voices.file import Voices
from timbrespace.voices.frames import HIGHEST_PARTIAL, HOP, PARTIALS, QUIET, RATE, Frames, Values, count_frames, moving_sum
from timbrespace.voices.levels import from_levels, to_levels
from timbrespace.voices.model import VoiceModel, at_pitch
from timbrespace.voices.rendering import blocks
from timbrespace.voices.weights import Curve

KEPT = ("loudness", "vibrato", "noise")
_WINDOW_SECONDS = 0.2  # of the mean that decides between the two paths
_PERIODIC, _EXPLAINED = 0.9, 0.93  # at least, for the path by partials
_FADE_SECONDS = 0.03
_SHORTEST_SECONDS = 0.1  # of a passage on the second path
_LASTING_SECONDS, _LOUD = 0.12, 0.01  # of such frames in a passage, of a power over that share of its greatest
_BEYOND = 4.0  # semitones under the lowest learned pitch that are still played by partials
_MARGIN = 2 / 12  # octaves beyond the learned range that the model is trusted with
_LOUD_PART = 15  # of 20 parts of the quantiles of loudness
_FARTHEST = 3.0  # deviations that a latent is from what its conditions let expect
_CHUNK = 20_000  # frames through the model at a time


@dataclass(frozen=True)
class ConversionOptions:
    """What of the piece is kept: of KEPT. stretch: of the time, 1: none. transpose: semitones. seed: of noise and phases.

    source: the instrument that plays the piece; None: the one whose mean latent decodes its levels best. vibrato, tremolo: what those of
    the piece shall be. donor: what another sound gives in their place.
    """

    keep: tuple[str, ...] = ("loudness", "vibrato")
    stretch: float = 1.0
    transpose: float = 0.0
    seed: int = 0
    source: str | None = None
    vibrato: Wish = KEEP
    tremolo: Wish = KEEP
    donor: Donor | None = None

    @property
    def modulates(self) -> bool:
        """Whether modulations of the piece change."""
        return self.donor is not None or not (self.vibrato.keeps and self.tremolo.keeps)

    def __post_init__(self) -> None:
        """Raises ConfigError for unknown names and values out of range."""
        if odd := sorted(set(self.keep) - {*KEPT}):
            raise ConfigError(f"keep {odd[0]!r} is unknown, allowed are {', '.join(KEPT)}")
        if not 0.1 <= self.stretch <= 10:
            raise ConfigError(f"stretch is {self.stretch:g}, allowed is 0.1 to 10")
        if not -36 <= self.transpose <= 36:
            raise ConfigError(f"transpose is {self.transpose:g}, allowed is -36 to 36 semitones")
        if "vibrato" not in self.keep and (not self.vibrato.keeps or (self.donor is not None and self.donor.vibrato is not None)):
            raise ConfigError("a vibrato is asked for and is not kept; add vibrato to keep (--keep loudness,vibrato)")


class Converted(NamedTuple):
    """A converted piece. audio: `(channels, time)` at RATE. frames: of the piece, as played. voiced: of the result.

    passages: start and end in s where tones that sound together were filtered instead. outside: share of the pitched frames beyond the
    range of the voice, which is between those of its instruments. octaves: semitones, by whole octaves, that leave the fewest there.
    source: the instrument that the piece is most like.
    """

    audio: Values
    frames: Frames
    voiced: Frames
    passages: tuple[tuple[float, float], ...]
    outside: float
    octaves: int
    source: str


def convert(voices: Voices, wave: Values, to: Curve, options: ConversionOptions | None = None) -> Converted:
    """Returns a piece in the timbre of a voice. wave: `(channels, time)` at RATE, one or two channels.

    Pitch and loudness are the piece's. The latent of each frame, what its player does beyond them, is moved from where the latents of
    the source are to where those of the voice are. Where several tones sound together, the piece is filtered by the difference of
    the spectral envelopes of both instruments. Two channels keep their levels. Raises ConfigError for a piece without samples.
    """
    options = options or ConversionOptions()
    if wave.shape[-1] == 0:
        raise ConfigError("the piece has no samples")
    if options.modulates:
        wave = change(wave, RATE, options.vibrato, options.tremolo, options.donor).audio
    mono = wave.mean(axis=0, dtype=np.float64)
    original = analyse(mono)
    source = options.source or _source(voices, original)
    if source not in voices.names:
        raise ConfigError(f"there is no voice {source!r}; the file has {', '.join(voices.names)}")
    samples = max(1, round(mono.size * options.stretch))
    places = np.arange(count_frames(samples)) / options.stretch
    frames = played(voices, original.at(places) if options.stretch != 1 else original, to, options)
    weights = to.values(voices.names, len(frames))
    voiced = in_voice(voices, frames, weights, source=source, keep_noise="noise" in options.keep)
    mixed = _mixed(voices, original)
    share = _shares(mixed, places, len(frames))
    audio = np.zeros(samples, np.float32)
    for start, block in blocks(voiced.scaled(np.sqrt(1 - share)), samples, seed=options.seed):
        audio[start : start + len(block)] = block
    passages = _runs(share > 0)
    if passages:
        own = in_voice(voices, frames, _one(voices, source, len(frames)), source=source)
        sure = (1 - share) * (frames.pitched & (frames.periodicity > _PERIODIC) & (frames.loudness() > QUIET))
        for first, last in passages:
            audio[first * HOP : last * HOP] += filtered(
                mono, places, voiced, own, np.sqrt(share), sure, first, last, ratio=2 ** (options.transpose / 12), samples=samples
            )  # fmt: skip
    pitched = frames.pitched & (frames.loudness() > QUIET)
    midi = 69 + 12 * np.log2(np.maximum(frames.pitch, 1.0) / 440)
    low, high = (60 + 12 * edge for edge in _range(voices, weights))

    def beyond(shift: int) -> float:
        moved = midi + shift
        return float(((moved < low) | (moved > high))[pitched].mean()) if pitched.any() else 0.0

    outside = beyond(0)
    octaves = min((0, 12, -12, 24, -24), key=lambda shift: (round(beyond(shift), 2), abs(shift)))
    seconds = tuple((round(first * HOP / RATE, 3), round(last * HOP / RATE, 3)) for first, last in passages)
    return Converted(_placed(audio, wave, places), frames, voiced, seconds, outside, octaves, source)


def played(voices: Voices, frames: Frames, to: Curve, options: ConversionOptions) -> Frames:
    """Returns the frames as the voice is to play them: transposed, with vibrato and loudness of the piece where they are kept."""
    pitch = frames.pitch * 2 ** (options.transpose / 12)
    if "vibrato" not in options.keep:
        pitch = straightened(pitch)
    frames = replace(frames, pitch=pitch, partials=frames.partials * _below_half_rate(pitch))
    if "loudness" in options.keep:
        return frames
    loudness = frames.loudness()
    heard = loudness > QUIET
    if not heard.any():
        return frames
    ranks = np.interp(loudness, np.percentile(loudness[heard], np.linspace(0, 100, 21)), np.linspace(0, 1, 21))
    weights = to.values(voices.names, len(frames))
    grid = np.linspace(0, 1, 21)
    wanted = sum(weights[:, k] * np.interp(ranks, grid, voices.facts[name].loudness) for k, name in enumerate(voices.names))
    return frames.scaled(np.where(heard, 10 ** ((wanted - loudness) / 20), 1.0))


def in_voice(voices: Voices, frames: Frames, weights: Values, *, source: str, keep_noise: bool = False) -> Frames:
    """Returns frames with the levels of a voice. weights: `(frames, names)`. source: the instrument whose latents theirs are.

    What the model does not decode of the frames stays by the weight of the source: its own voice changes nothing.
    """
    model, number = voices.model, voices.names.index(source)
    levels, there, conditions = to_levels(frames)
    blend = torch.from_numpy(weights).float()
    alone = torch.zeros_like(blend)
    alone[:, number] = 1.0
    level = _level(frames)
    made = []
    with torch.no_grad():
        for first in range(0, len(frames), _CHUNK):
            part = slice(first, first + _CHUNK)
            share = blend[part, number, None].clamp(0.0, 1.0)
            here = _conditions(voices, conditions[part], alone[part], level)
            z, _ = model.encode(levels[part], here, there[part], alone[part] @ model.places)
            mean, spread = model.expect(here, alone[part] @ model.places)
            own = _decoded(model, z, here, conditions[part], alone[part])
            wanted = _conditions(voices, conditions[part], blend[part], level)
            other_mean, other_spread = model.expect(wanted, blend[part] @ model.places)
            apart = ((z - mean) * (-spread / 2).exp()).clamp(-_FARTHEST, _FARTHEST)
            moved = share * z + (1 - share) * (other_mean + apart * (other_spread / 2).exp())
            made.append(_decoded(model, moved, wanted, conditions[part], blend[part]) + share * (levels[part] - own))
    return from_levels(frames, torch.cat(made), keep_noise=keep_noise)


def _conditions(voices: Voices, conditions: Tensor, weights: Tensor, level: float | None) -> Tensor:
    """Conditions that a blend was learned at: the loud parts of the piece, at `level` LUFS, are as loud as those of its recordings were."""
    if level is not None:
        loud = torch.tensor([voices.facts[name].loudness[_LOUD_PART] for name in voices.names])
        conditions = torch.cat([conditions[:, :3], conditions[:, 3:4] + (weights @ loud - level)[:, None] / 20, conditions[:, 4:]], dim=1)
    return voices.model.within(conditions, weights)


def _level(frames: Frames) -> float | None:
    """The loudness of the loud parts of a piece in LUFS; None without pitched parts."""
    loudness = frames.loudness()
    heard = frames.pitched & (loudness > max(QUIET, loudness.max() - 40))
    return float(np.percentile(loudness[heard], 5 * _LOUD_PART)) if heard.any() else None


def _decoded(model: VoiceModel, z: Tensor, given: Tensor, conditions: Tensor, weights: Tensor) -> Tensor:
    """Levels of a blend: decoded as given, at the pitch of the conditions."""
    return at_pitch(model.decode(z, given, weights @ model.places), 2.0 ** (conditions[:, 0] - given[:, 0]))


def _range(voices: Voices, weights: Values) -> tuple[Values, Values]:
    """The lowest and the highest learned pitch of a blend in octaves over middle C, `(frames,)` each."""
    positive = np.maximum(weights, 0.0)
    positive = positive / np.maximum(positive.sum(1, keepdims=True), 1e-9)
    edges = np.array([[one.lowest, one.highest] for one in voices.facts.values()])
    low, high = (positive @ edges / 12 - 5).T
    return low - _MARGIN, np.maximum(high, low) + _MARGIN


def _source(voices: Voices, frames: Frames) -> str:
    """The instrument whose model decodes the levels of the piece best."""
    heard = np.flatnonzero(frames.pitched & (frames.loudness() > QUIET))
    if not len(heard):
        return voices.names[0]
    chosen = heard[:: max(1, len(heard) // 2_000)]
    some = Frames(*(getattr(frames, name)[chosen] for name in ("pitch", "periodicity", "partials", "noise", "explained")))
    levels, there, conditions = to_levels(some)
    _, _, whole = to_levels(frames)
    conditions = whole[torch.from_numpy(chosen)]
    errors = []
    with torch.no_grad():
        for number in range(len(voices.names)):
            place = voices.model.places[number].expand(len(levels), -1)
            z, _ = voices.model.expect(conditions, place)
            apart = (voices.model.decode(z, conditions, place) - levels)[:, :PARTIALS] * there[:, :PARTIALS]
            errors.append(float(apart[:, :12].abs().mean()))
    return voices.names[int(np.argmin(errors))]


def _mixed(voices: Voices, frames: Frames) -> Values:
    """Whether tones sound together in each frame `(frames,)`: little periodicity, tones beside the partials, or a pitch too low."""
    power = 10 ** (frames.loudness() / 10)
    half = round(_WINDOW_SECONDS * RATE / HOP / 2)

    def mean(values: Values) -> Values:
        return moving_sum(values * power, half) / np.maximum(moving_sum(power, half), 1e-30)

    lowest = 440 * 2 ** ((min(one.lowest for one in voices.facts.values()) - _BEYOND - 69) / 12)
    deep = mean((frames.pitched & (frames.pitch < lowest)).astype(float)) > 0.5
    tonal = mean(frames.explained)
    # Breath and bow noise have little periodicity, too, but no tones: they are noise to the model.
    several = (mean(frames.periodicity) < _PERIODIC) & (mean(np.where(frames.pitched, 1.0, 1 - frames.explained)) > 0.2)
    found = (several | (tonal < _EXPLAINED) | deep) & (frames.loudness() > QUIET)
    # An attack is noise for a moment; tones that sound together last.
    single = ~frames.pitched | (frames.periodicity < _PERIODIC) | (frames.explained < _EXPLAINED) | (frames.pitch < lowest)
    result = _long_enough(found)
    for first, last in _runs(result):
        loud = power[first:last] > power[first:last].max() * _LOUD
        if (single[first:last] & loud).sum() < _LASTING_SECONDS * RATE / HOP:
            result[first:last] = False
    return result


def _long_enough(found: Values) -> Values:
    """The same flags `(frames,)` without passages and gaps shorter than _SHORTEST_SECONDS."""
    least = round(_SHORTEST_SECONDS * RATE / HOP)
    result = found.copy()
    for wanted in (False, True):  # gaps first
        for start, stop in _runs(result == wanted):
            if stop - start < least and start > 0 and stop < len(result):
                result[start:stop] = not wanted
    return result


def _runs(flags: Values) -> list[tuple[int, int]]:
    """First and one after the last of each run of set flags."""
    edges = np.diff(np.concatenate([[0], flags.astype(int), [0]]))
    return [(int(first), int(last)) for first, last in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)]


def _shares(mixed: Values, places: Values, frames: int) -> Values:
    """The share of power of the second path in each frame, with fades `(frames,)`."""
    share = mixed[np.clip(np.rint(places).astype(int), 0, len(mixed) - 1)].astype(float)[:frames]
    if not share.any():
        return share
    width = max(1, round(_FADE_SECONDS * RATE / HOP))
    return np.clip(np.convolve(np.pad(share, width, mode="edge"), np.hanning(2 * width + 3)[1:-1] / (width + 1), "valid"), 0.0, 1.0)


def _one(voices: Voices, name: str, frames: int) -> Values:
    """The weights of one instrument alone `(frames, names)`."""
    weights = np.zeros((frames, len(voices.names)))
    weights[:, voices.names.index(name)] = 1.0
    return weights


def _below_half_rate(pitch: Values) -> Values:
    return pitch[:, None] * np.arange(1, PARTIALS + 1) < HIGHEST_PARTIAL


def _placed(audio: Values, wave: Values, places: Values) -> Values:
    """Mono audio as `(channels, time)` with the levels that the channels of the piece have over their mean, frame by frame."""
    if len(wave) == 1:
        return audio[None]
    powers = [moving_sum(np.square(channel, dtype=np.float64), 16 * HOP)[::HOP] for channel in (*wave, wave.mean(axis=0))]
    count = len(powers[0])
    times = np.arange(len(audio)) / HOP
    made = []
    for power in powers[:-1]:
        ratio = np.sqrt(np.clip((power + 1e-12) / (powers[-1] + 1e-12), 0.0, 16.0))
        made.append(audio * np.interp(times, np.arange(len(places)), np.interp(places, np.arange(count), ratio)).astype(np.float32))
    return np.stack(made)

"""Conversion of a piece: its pitch and loudness, the timbre of a voice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.modulation.change import Donor, change, straightened
from timbrespace.modulation.options import KEEP, Wish
from timbrespace.voices.envelope import NEARBY, filtered
from timbrespace.voices.file import Voices
from timbrespace.voices.frames import (
    HIGHEST_PARTIAL,
    HOP,
    PARTIALS,
    QUIET,
    RATE,
    Frames,
    Values,
    count_frames,
    joined,
    share_of_clear_pitch,
)
from timbrespace.voices.levels import from_levels, to_levels
from timbrespace.voices.model import REACH, VoiceModel, at_pitch, fill_octaves, make_conditions
from timbrespace.voices.rendering import BLOCK, Renderer
from timbrespace.voices.rendering import REACH as NOISE_REACH
from timbrespace.voices.stream.analysed import Analysed
from timbrespace.voices.stream.background import background
from timbrespace.voices.stream.passages import PERIODIC, find_mixed, find_runs, share_of_mixed
from timbrespace.voices.stream.rows import Piece
from timbrespace.voices.weights import Curve

KEPT = ("loudness", "vibrato", "noise", "room")
_BEYOND = 4.0  # semitones under the lowest learned pitch that are still played by partials
_MARGIN = 2 / 12  # octaves beyond the learned range that the model is trusted with
_LOUD_PART = 15  # of 20 parts of the quantiles of loudness
_FARTHEST = 3.0  # deviations that a latent is from what its conditions let expect
_CHUNK = 20_000  # frames through the model at a time
_BESIDE = REACH + NOISE_REACH + 8  # frames on either side of a block that it is made from


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
        if "room" in self.keep and self.stretch != 1:
            raise ConfigError("room is kept as it sounds and cannot be stretched; leave out room or --stretch")
        if "vibrato" not in self.keep and (not self.vibrato.keeps or (self.donor is not None and self.donor.vibrato is not None)):
            raise ConfigError("a vibrato is asked for and is not kept; add vibrato to keep (--keep loudness,vibrato)")


@dataclass(frozen=True)
class Findings:
    """What was found of a piece. passages: start and end in s where tones that sound together were filtered instead.

    outside: share of the pitched frames beyond the range of the voice, which is between those of its instruments. octaves: semitones, by
    whole octaves, that leave the fewest there. source: the instrument that the piece is most like. melodic: share of its power that has one
    clear pitch.
    """

    passages: tuple[tuple[float, float], ...]
    outside: float
    octaves: int
    source: str
    melodic: float


@dataclass(frozen=True)
class Converted(Findings):
    """A converted piece. audio: `(channels, time)` at RATE. frames: of the piece, as played. voiced: of the result."""

    audio: Values
    frames: Frames
    voiced: Frames


class Block(NamedTuple):
    """A part of a converted piece. audio: `(time, channels)` at RATE. frames: of the piece, as played. voiced: of the result."""

    audio: Values
    frames: Frames
    voiced: Frames


def convert(voices: Voices, wave: Values, to: Curve, options: ConversionOptions | None = None) -> Converted:
    """Returns a piece in the timbre of a voice, all of it in memory. wave: `(channels, time)` at RATE, one or two channels.

    Raises ConfigError for a piece without samples.
    """
    conversion = Conversion(voices, Piece(wave.T), to, options)
    blocks = list(conversion.blocks())
    found = conversion.findings()
    return Converted(
        **{part.name: getattr(found, part.name) for part in fields(found)},
        audio=np.ascontiguousarray(np.concatenate([block.audio for block in blocks]).T),
        frames=joined([block.frames for block in blocks]), voiced=joined([block.voiced for block in blocks]),
    )  # fmt: skip


class Conversion:
    """The conversion of a piece of any length, block by block.

    Pitch and loudness are the piece's. The latent of each frame, what its player does beyond them, is moved from where the latents of
    the source are to where those of the voice are. Where several tones sound together, the piece is filtered by the difference of
    the spectral envelopes of both instruments. Two channels keep their levels. folder: of the unnamed file that holds the analysis of a
    long piece; None: it stays in memory. progress: called with the share of the analysis that is done. Raises ConfigError for a piece
    without samples.
    """

    def __init__(
        self, voices: Voices, piece: Piece, to: Curve, options: ConversionOptions | None = None, *,
        folder: Path | None = None, progress: Callable[[float], None] | None = None,
    ):  # fmt: skip
        self.voices, self.to, self.options = voices, to, options or ConversionOptions()
        if not len(piece):
            raise ConfigError("the piece has no samples")
        if self.options.source is not None and self.options.source not in voices.names:
            raise ConfigError(f"there is no voice {self.options.source!r}; the file has {', '.join(voices.names)}")
        if self.options.modulates:  # of the whole piece, in memory
            wave = np.ascontiguousarray(piece.audio[:].T)
            piece = Piece(change(wave, RATE, self.options.vibrato, self.options.tremolo, self.options.donor).audio.T)
        self._analysed = Analysed(piece, folder=folder, progress=progress)
        self.source = self.options.source or _source(voices, self._analysed)
        self.samples = max(1, round(len(piece) * self.options.stretch))
        self._places = np.arange(count_frames(self.samples)) / self.options.stretch
        self._pitch = self._played_pitch()
        self._guide = fill_octaves(torch.from_numpy(self._pitch).float()).numpy()
        lowest = 440 * 2 ** ((min(one.lowest for one in voices.facts.values()) - _BEYOND - 69) / 12)
        self._share = share_of_mixed(find_mixed(self._analysed, lowest), self._places)
        self._gains: Values | None = None
        loudness = self._played_loudness()
        if "loudness" not in self.options.keep:
            self._gains = self._gains_to_the_voice(loudness)
            loudness = loudness + 20 * np.log10(self._gains)
        self._level = _level(self._pitch > 0, loudness)
        self._ranges: list[tuple[Values, Values, Values]] = []

    @property
    def frames(self) -> int:
        """The number of frames of the result."""
        return len(self._places)

    def blocks(self) -> Iterator[Block]:
        """Yields the result from its beginning to its end; call it once."""
        renderer = Renderer(self._pitch, self.samples, seed=self.options.seed)
        for first in range(0, self.frames, BLOCK):
            last = min(first + BLOCK, self.frames)
            low, high = max(0, first - _BESIDE), min(last + _BESIDE, self.frames)
            frames, weights = self._played(low, high), self.to.values(self.voices.names, high - low, first=low)
            voiced = self._voiced(frames, weights)
            count = min(last * HOP, self.samples) - first * HOP
            audio = np.zeros(0, np.float32)
            if count > 0:
                audio = renderer.block(voiced.scaled(np.sqrt(1 - self._share[low:high])), low)
                audio = audio + self._second_path(first, last)[:count]
            sound = self._placed(audio, first)
            if "room" in self.options.keep and count > 0:
                gains = np.sqrt(1 - self._share)
                sound = sound + background(self._analysed.piece.audio, self._analysed.pitch, gains, first, last)[:count]
            inner = slice(first - low, last - low)
            self._note_range(frames.part(inner.start, inner.stop), weights[inner])
            yield Block(sound, *(one.part(inner.start, inner.stop) for one in (frames, voiced)))

    def findings(self) -> Findings:
        """Returns what was found; complete after the last block."""
        midi, low, high = (np.concatenate(values) for values in zip(*self._ranges, strict=True))

        def beyond(shift: int) -> float:
            moved = midi + shift
            return float(((moved < low) | (moved > high)).mean()) if len(midi) else 0.0

        octaves = min((0, 12, -12, 24, -24), key=lambda shift: (round(beyond(shift), 2), abs(shift)))
        seconds = tuple((round(first * HOP / RATE, 3), round(last * HOP / RATE, 3)) for first, last in find_runs(self._share > 0))
        piece = self._analysed
        melodic = share_of_clear_pitch(piece.pitch, piece.periodicity, piece.loudness)
        return Findings(seconds, beyond(0), octaves, self.source, melodic)

    def close(self) -> None:
        """Frees memory and disk."""
        self._analysed.close()

    def _played_pitch(self) -> Values:
        """The pitch of every frame as the voice is to play it: transposed, with the vibrato of the piece where it is kept."""
        pitch = self._analysed.pitch if self.options.stretch == 1 else self._analysed.pitch_at(self._places)
        pitch = pitch * 2 ** (self.options.transpose / 12)
        return pitch if "vibrato" in self.options.keep else straightened(pitch)

    def _played(self, first: int, last: int) -> Frames:
        """The frames as the voice is to play them."""
        stretched = self.options.stretch != 1
        frames = self._analysed.frames_at(self._places[first:last]) if stretched else self._analysed.frames(first, last)
        pitch = self._pitch[first:last]
        frames = replace(frames, pitch=pitch, partials=frames.partials * _below_half_rate(pitch), guide=self._guide[first:last])
        return frames if self._gains is None else frames.scaled(self._gains[first:last])

    def _played_loudness(self) -> Values:
        """The loudness of every frame as it is played `(frames,)`."""
        if self.options.stretch == 1 and self.options.transpose == 0 and "vibrato" in self.options.keep:
            return self._analysed.loudness
        parts = range(0, self.frames, BLOCK)
        return np.concatenate([self._played(first, min(first + BLOCK, self.frames)).loudness() for first in parts])

    def _gains_to_the_voice(self, loudness: Values) -> Values:
        """Factors of amplitude of every frame that give the piece the range of loudness of the voice `(frames,)`."""
        heard = loudness > QUIET
        if not heard.any():
            return np.ones(self.frames)
        grid = np.linspace(0, 1, 21)
        ranks = np.interp(loudness, np.percentile(loudness[heard], 100 * grid), grid)
        weights = self.to.values(self.voices.names, self.frames)
        facts = self.voices.facts
        wanted = sum(weights[:, k] * np.interp(ranks, grid, facts[name].loudness) for k, name in enumerate(self.voices.names))
        return np.where(heard, 10 ** ((wanted - loudness) / 20), 1.0)

    def _voiced(self, frames: Frames, weights: Values) -> Frames:
        keep_noise = "noise" in self.options.keep
        made = in_voice(self.voices, frames, weights, source=self.source, level=self._level, keep_noise=keep_noise)
        return replace(made, noise=np.zeros_like(made.noise)) if "room" in self.options.keep else made  # the piece's own is added

    def _second_path(self, first: int, last: int) -> Values:
        """The audio of the passages with several tones in frames `first` to before `last`."""
        if not self._share[first:last].any():
            return np.zeros((last - first) * HOP, np.float32)
        low, high = max(0, first - NEARBY - _BESIDE), min(last + NEARBY + _BESIDE, self.frames)
        frames, share = self._played(low, high), self._share[low:high]
        voiced = self._voiced(frames, self.to.values(self.voices.names, high - low, first=low))
        own = in_voice(self.voices, frames, _one(self.voices, self.source, high - low), source=self.source, level=self._level)
        sure = (1 - share) * (frames.pitched & (frames.periodicity > PERIODIC) & (frames.loudness() > QUIET))
        made = filtered(
            self._analysed.piece, self._places[low:high], voiced, own, np.sqrt(share), sure, first - low, last - low,
            ratio=2 ** (self.options.transpose / 12), samples=self.samples - low * HOP,
        )  # fmt: skip
        return np.where(np.repeat(self._share[first:last] > 0, HOP)[: len(made)], made, np.float32(0))

    def _placed(self, audio: Values, first: int) -> Values:
        """Mono audio from frame `first` on as `(time, channels)`, with the levels that the channels of the piece have over their mean."""
        if self._analysed.piece.channels == 1:
            return audio[:, None]
        levels = self._analysed.channel_levels(self._places[first : first + BLOCK + 1])
        times, numbers = np.arange(len(audio)) / HOP, np.arange(len(levels))
        return np.stack([audio * np.interp(times, numbers, level).astype(np.float32) for level in levels.T], axis=1)

    def _note_range(self, frames: Frames, weights: Values) -> None:
        heard = frames.pitched & (frames.loudness() > QUIET)
        midi = 69 + 12 * np.log2(frames.pitch[heard] / 440)
        low, high = (60 + 12 * edge[heard] for edge in _range(self.voices, weights))
        self._ranges.append(tuple(values.astype(np.float32) for values in (midi, low, high)))  # type: ignore[arg-type]


def in_voice(
    voices: Voices, frames: Frames, weights: Values, *, source: str, level: float | None, keep_noise: bool = False
) -> Frames:  # fmt: skip
    """Returns frames with the levels of a voice. weights: `(frames, names)`. source: the instrument whose latents theirs are.

    level: the loudness of the loud parts of the whole piece in LUFS, None without pitched parts.
    What the model does not decode of the frames stays by the weight of the source: its own voice changes nothing.
    """
    model, number = voices.model, voices.names.index(source)
    levels, there, conditions = to_levels(frames)
    blend = torch.from_numpy(weights).float()
    alone = torch.zeros_like(blend)
    alone[:, number] = 1.0
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


def _level(pitched: Values, loudness: Values) -> float | None:
    """The loudness of the loud parts of a piece in LUFS; None without pitched parts. pitched, loudness: of its frames `(frames,)` each."""
    heard = pitched & (loudness > max(QUIET, loudness.max() - 40))
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


def _source(voices: Voices, piece: Analysed) -> str:
    """The instrument whose model decodes the levels of the piece best."""
    heard = np.flatnonzero((piece.pitch > 0) & (piece.loudness > QUIET))
    if not len(heard):
        return voices.names[0]
    chosen = heard[:: max(1, len(heard) // 2_000)]
    levels, there, _ = to_levels(piece.pick(chosen))
    conditions = make_conditions(torch.from_numpy(piece.pitch).float(), torch.from_numpy(piece.loudness).float())
    conditions = conditions[torch.from_numpy(chosen)]
    errors = []
    with torch.no_grad():
        for number in range(len(voices.names)):
            place = voices.model.places[number].expand(len(levels), -1)
            z, _ = voices.model.expect(conditions, place)
            apart = (voices.model.decode(z, conditions, place) - levels)[:, :PARTIALS] * there[:, :PARTIALS]
            errors.append(float(apart[:, :12].abs().mean()))
    return voices.names[int(np.argmin(errors))]


def _one(voices: Voices, name: str, frames: int) -> Values:
    """The weights of one instrument alone `(frames, names)`."""
    weights = np.zeros((frames, len(voices.names)))
    weights[:, voices.names.index(name)] = 1.0
    return weights


def _below_half_rate(pitch: Values) -> Values:
    return pitch[:, None] * np.arange(1, PARTIALS + 1) < HIGHEST_PARTIAL

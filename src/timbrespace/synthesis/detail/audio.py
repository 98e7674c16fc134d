"""The audio of a sound that is made from given ones: a phase search that starts at their own spectra, or oscillators for notes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from timbrespace.audio.pitch import midi_to_hz
from timbrespace.contracts import ShapeError
from timbrespace.representation.phase.start import Start
from timbrespace.synthesis.detail.features import MixedFeatures, mixed_features, shift_of
from timbrespace.synthesis.detail.mix import Mix, between_levels
from timbrespace.synthesis.detail.near import Core, near_audio
from timbrespace.synthesis.detail.notes import note_between
from timbrespace.synthesis.detail.source import Detail, Source
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.texture import with_fewer_iterations

_TRUSTED_DB = 24.0  # gain up to which a cell keeps the phase of a given sound, at no distance
_STEADY_TRUST = 0.6  # least trust in cells that are steady in a given sound: its partials keep their phase
_ABOVE_FLOOR_DB = 3.0
# From a start that is nearly right: RAAR, which is better from phases that are guessed, makes noise of close partials here.
_NEAR_METHOD, _NEAR_ITERATIONS = "pghi+griffin-lim", 3
_END_FRAMES = 8  # at the end of the part that the model sees, whose change of level the rest follows
_REST_DB = (-40.0, 6.0)
_FADE_SECONDS = 0.06


@torch.no_grad()
def mixed_audio(contents: InstrumentContents, mix: Mix, z: Tensor, length: int, *, seed: int, core: Core | None = None) -> Tensor:
    """Returns audio `(channels, time)` of a mix with detail, from the onset, at the level of the given sounds.

    core: makes it, of what it can make (`near.core_makes`); None: PyTorch does.
    """
    if core is not None:
        audio, end = near_audio(contents, core, mix.sources[0], z, length, kept=mix.kept, seed=seed)
        return _with_rest(contents, mix, audio, [_end_gain(mix.sources[0], end)])
    mixed = mixed_features(contents, mix, z, length, seed=seed)
    wanted = mixed.features + mixed.level
    if not torch.isfinite(wanted).all():
        raise ShapeError("this instrument decodes the latent to infinite levels; its file is damaged, train it again")
    if (between := _between_notes(contents, mix, mixed, z, length, seed=seed)) is not None:
        return _with_rest(contents, mix, between, _end_gains(mix, mixed))
    start = _start(contents, mix, mixed, contents.model.conditioning.pitch_of(z))
    view: Any = with_fewer_iterations(contents.representation)
    if start is None:
        audio = view.decode(wanted[None], length=length, seed=seed)[0]
    else:
        audio = near_view(view).decode_from(wanted, start, length=length, seed=seed)
    return _with_rest(contents, mix, audio, _end_gains(mix, mixed))


def near_view(view: Any) -> Any:
    """Returns a view whose phase search is that of a start that is nearly right."""
    view = copy.copy(view)
    view.method, view.iterations = _NEAR_METHOD, _NEAR_ITERATIONS
    return view


def _between_notes(contents: InstrumentContents, mix: Mix, mixed: MixedFeatures, z: Tensor, length: int, *, seed: int) -> Tensor | None:
    """Audio `(channels, length)` of a sound between two notes, or of one at another pitch; None for any other mix."""
    details = [source.detail for source in mix.sources if source.detail is not None]
    notes = [detail.note for detail in details if detail.note is not None]
    pitch = contents.model.conditioning.pitch_of(z)
    if not notes or pitch is None or len(notes) < len(mix.sources) or (len(notes) == 1 and not shift_of(details[0], pitch)):
        return None
    audio = note_between(
        contents, notes, [detail.timing for detail in details], mix.weights, mixed.features, mixed.timing,
        hertz=midi_to_hz(pitch) if len(notes) == 1 else None, length=length, seed=seed,
    )  # fmt: skip
    return audio * float(10 ** (mixed.level / 20))


def _start(contents: InstrumentContents, mix: Mix, mixed: MixedFeatures, pitch: float | None) -> Start | None:
    """The start of the phase search: every cell that is near one of the given sounds is that sound's there; None without such cells.

    Partials are trusted at any distance: a line that one sound has alone keeps its phase, and stays a line.
    """
    found: Start | None = None
    least = torch.empty(0)
    nearer = sorted(zip(mix.weights, mix.sources, strict=True), key=lambda pair: -pair[0])
    for _, source in nearer:
        detail = source.detail
        if detail is None or shift_of(detail, pitch):
            continue
        one = _start_at(detail, mixed, trust=1 - mixed.distance, floor=-contents.representation.floor)
        away = one.gain.abs()
        if found is None:
            found, least = one, away
            continue
        other = one.known & (~found.known | (away < least))
        bands = contents.representation.main_band_of_bin().clamp_min(0)  # type: ignore[attr-defined]
        spectra = torch.where(other[:, bands].transpose(1, 2), one.spectra, found.spectra)
        found = Start(spectra, torch.where(other, one.gain, found.gain), found.known | one.known)
    return found if found is not None and bool(found.known.any()) else None


def _start_at(detail: Detail, mixed: MixedFeatures, *, trust: float, floor: float) -> Start:
    """A start at one given sound, on the time axis of the result. trust: 1 at no distance, to 0."""
    frames = torch.arange(mixed.timing.frames) + detail.timing.attack - mixed.timing.attack  # whole frames: the phase stays as it is
    inside = (frames >= 0) & (frames < detail.timing.frames)
    frames = frames.clamp(0, detail.timing.frames - 1)
    own = detail.features[..., frames]
    gain = mixed.features - own
    limit = _TRUSTED_DB * torch.maximum(_STEADY_TRUST * detail.steady[..., frames], torch.tensor(trust))
    near = (gain.abs() < limit) & (own > _ABOVE_FLOOR_DB + floor)
    return Start(detail.spectra[:, frames], gain + (mixed.level - detail.level), near & inside)


def is_cut(mix: Mix, length: int) -> bool:
    """Returns whether a sound of `length` samples ends before the part of its one given sound that the model sees."""
    return len(mix.sources) == 1 and length < mix.sources[0].encoded.length


def _with_rest(contents: InstrumentContents, mix: Mix, audio: Tensor, gains: Sequence[float]) -> Tensor:
    """Audio `(channels, time)`, followed by what the given sounds have after the model's window, faded with their weights.

    gains: of each, see `_end_gain`.
    """
    join = max(source.join for source in mix.sources)
    if not join or is_cut(mix, audio.shape[1]):
        return audio
    total = round(between_levels([float(source.total) for source in mix.sources], mix.share))
    start = max(0, audio.shape[1] - join)
    result = torch.nn.functional.pad(audio, (0, max(0, total - audio.shape[1])))
    for weight, source, gain in zip(mix.weights, mix.sources, gains, strict=True):
        if source.join:
            rest = source.rest[:, : result.shape[1] - start]
            result[:, start : start + rest.shape[1]] += rest * (weight**0.5 * gain)
    if len(mix.sources) > 1:
        fade = min(round(_FADE_SECONDS * contents.sample_rate), result.shape[1])
        result[:, result.shape[1] - fade :] *= torch.linspace(1, 0, fade)
    return result


def _end_gains(mix: Mix, mixed: MixedFeatures) -> list[float]:
    end = _end_level(mixed.features + mixed.level)
    return [_end_gain(source, end) for source in mix.sources]


def _end_level(levels: Tensor) -> float:
    """The mean power of the last frames of levels in dB `(parts, bands, frames)`, dB."""
    return 10 * float(torch.log10((10 ** (levels[..., -_END_FRAMES:] / 10)).mean().clamp_min(1e-20)))


def _end_gain(source: Source, end: float) -> float:
    """The factor by which the end of the part that the model sees, a level in dB, is louder than in the source."""
    detail = source.detail
    assert detail is not None
    change = end - _end_level(detail.features + detail.level)
    return float(10 ** (min(max(change, _REST_DB[0]), _REST_DB[1]) / 20))

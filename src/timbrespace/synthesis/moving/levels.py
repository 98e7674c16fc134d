"""Moving sounds of views in dB: at every frame the features of the sound at that place of the path.

once     every key is stretched to the length of the result; frame t is frame t of the key that is reached at t
held     every key has its own length:

             frame of the key     |              .--´ last frame
                                  |    _____..--´  <- release, at its own speed
                                  | .--             <- body: as far as the sound keeps its level, read slowly and evened in level
                                  |´  <- attack, at its own speed
                                  +-----------------------------> frame of the result

In the body the levels are smooth, and noisy cells get the fluctuation of white noise: a part of a sound that is read slowly, or again and
again, is not noise any more.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from timbrespace.contracts import ShapeError
from timbrespace.representation.phase.start import Start
from timbrespace.synthesis import sequences
from timbrespace.synthesis.detail.audio import near_view
from timbrespace.synthesis.detail.blend import level_course, slow_part
from timbrespace.synthesis.detail.features import mixed_features
from timbrespace.synthesis.detail.mix import length_of
from timbrespace.synthesis.detail.source import Source, decoded, decoded_length
from timbrespace.synthesis.detail.timing import Timing, positions, read_grain, read_smooth, timing_of
from timbrespace.synthesis.detail_model.draw import add_detail
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.moving.cells import MOST_FRAMES, NoteCells
from timbrespace.synthesis.moving.course import evened, steady
from timbrespace.synthesis.moving.evenness import Values, paced, projected, settled_places
from timbrespace.synthesis.moving.plan import Key, Moving, own_source, weight_of
from timbrespace.synthesis.texture import KNEE_DB, RATIO, add_noise_texture, floor_of, grain, noisiness

_START_SECONDS, _END_SECONDS = 0.03, 0.05  # after the attack, and before the end, in which a given sound is itself
_MOST_START, _MOST_END = 0.25, 1 / 6  # of the length
_TRUSTED_DB, _ABOVE_FLOOR_DB = 24.0, 3.0  # as in `detail.mix`
_SILENT_DB, _DEEPER_DB = 0.5, 20.0  # above the floor: cells that are silent; how far under it they are put
_BODY_SECONDS = 0.08  # after the attack: where the body begins
_BODY_DB = 6.0  # the level falls by at most that in the body
_SMOOTH = 17  # frames of the body's levels
_RAMP = 8  # frames between attack or release and body
_PER_DB = math.log(10) / 10


class Course(NamedTuple):
    """Features of a moving sound, dB `(parts, bands, frames)`, and the place among the keys at each frame `(frames,)`.

    start, end: frames between which it goes from the first key to the last. notes: of a note by the number of its partials, whose levels
    are cells of `cells.NoteCells`.
    """

    levels: Tensor
    places: Tensor
    start: int
    end: int
    notes: NoteCells | None = None


class KeyLevels(NamedTuple):
    """Features of a key in dB `(parts, bands, frames)`, with the level of the given sounds, and their timing."""

    levels: Tensor
    timing: Timing


@torch.no_grad()
def course_of(contents: InstrumentContents, moving: Moving, *, seed: int, pace: Values | None = None, by_partials: bool = False) -> Course:
    """Returns the features of a moving sound.

    seed: of drawn detail and texture. pace: of a held one, see `evenness`. by_partials: of a note by the number of its partials. Raises
    ShapeError.
    """
    keys = [key_levels(contents, key, seed=seed) for key in moving.keys]
    notes = NoteCells(contents, moving, [key.levels for key in keys]) if by_partials else None
    if moving.hold:
        course = _held(contents, moving, keys, notes, seed=seed, pace=pace)
    else:
        course = _once(contents, moving, keys, notes)
    if not torch.isfinite(course.levels).all():
        raise ShapeError("this instrument decodes the path to infinite levels; its file is damaged, train it again")
    loudest, floor = float(course.levels.max()), -floor_of(contents.representation)
    between = torch.minimum(course.places, len(moving.keys) - 1 - course.places).clamp(0, 1).float()
    haze = (loudest + KNEE_DB - course.levels).clamp_min(0) * between  # noise of one sound and silence of the other, half-way in dB
    return course._replace(levels=(course.levels - (RATIO - 1) * haze).clamp_min(loudest + floor))


def _once(contents: InstrumentContents, moving: Moving, keys: list[KeyLevels], notes: NoteCells | None) -> Course:
    frames, floor = contents.representation.frames(moving.length), -floor_of(contents.representation)
    bottom = min(float(key.levels.max()) for key in keys) + floor - _DEEPER_DB
    on_axis = [stretched(key, frames) for key in keys]
    if notes is not None:
        on_axis = _levelled(moving, on_axis)
    levels = torch.stack(on_axis).clamp_min(bottom) if notes is None else notes(on_axis, bottom)
    start, end = _times(contents, moving, frames, keys[0].timing)
    if moving.between_two:
        places = projected(levels, start=start, end=end, weights=None if notes is None else notes.weights)
    elif moving.even:
        places = evened(levels, start=start, end=end, pitches=None if notes is None else notes.pitches)
    else:
        places = steady(frames, len(levels), start=start, end=end)
    return Course(_along(levels, places), places, start, end, notes)


def _levelled(moving: Moving, levels: list[Tensor]) -> list[Tensor]:
    """Levels of notes `(parts, bands, frames)` between two given ones, at every frame as loud as between theirs: it is let go as they are.

    The decoder's note between one that is held and one that decays would end in full swing.
    """
    own = {id(source): level for key, level in zip(moving.keys, levels, strict=True) if (source := own_source(key)) is not None}
    courses = {number: level_course(level) for number, level in own.items()}
    found = []
    for key, level in zip(moving.keys, levels, strict=True):
        ends = [] if key.mix is None or key.mix.kept < 1 else [courses.get(id(source)) for source in key.mix.sources]
        if len(ends) != 2 or ends[0] is None or ends[1] is None or key.mix is None:
            found.append(level)
            continue
        found.append(level + torch.lerp(ends[0], ends[1], key.mix.share) - level_course(level))
    return found


def stretched(key: KeyLevels, frames: int) -> Tensor:
    """Returns the levels of a key `(parts, bands, frames)` with its tail stretched, its attack and its grain at their own speed."""
    timing = key.timing
    if timing.frames == frames:
        return key.levels
    target = Timing(frames, min(timing.attack, frames - 1), timing.held)
    slow = slow_part(key.levels)
    return read_smooth(slow, positions(timing, target)) + read_grain(key.levels - slow, timing, target)


def _times(contents: InstrumentContents, moving: Moving, frames: int, timing: Timing) -> tuple[int, int]:
    """The frames between which a sound that is not held moves."""
    rate = contents.sample_rate / contents.representation.hop
    if moving.window is not None:
        first, last = moving.window
        return round(first / contents.representation.hop), round(last / contents.representation.hop)
    start = min(timing.attack + round(_START_SECONDS * rate), round(_MOST_START * frames)) if moving.first else 0
    return start, frames - (max(1, min(round(_END_SECONDS * rate), round(_MOST_END * frames))) if moving.last else 0)


def _along(levels: Tensor, places: Tensor, frame: Tensor | None = None) -> Tensor:
    """Levels `(parts, bands, frames)` at `places (frames,)` among those of the keys, `(keys, parts, bands, frames)`.

    frame: of the keys' frames, one a place; None: all, in order.
    """
    first = places.floor().long().clamp_max(len(levels) - 2)
    share = (places - first).to(levels)
    frame = torch.arange(levels.shape[-1]) if frame is None else frame
    a, b = (levels[first + k, :, :, frame].movedim(0, -1) for k in (0, 1))
    return torch.lerp(a, b, share)


def key_levels(contents: InstrumentContents, key: Key, *, seed: int) -> KeyLevels:
    """Returns the features of a key, as long as it is."""
    z, view, mix, length = key.z, contents.representation, key.mix, key.length
    if mix is not None and all(source.detail is not None for source in mix.sources):
        length = length_of(contents, mix, z) if length is None else length
        z = sequences.fit_path(contents, z, length)[0] if contents.model.time_varying else z
        mixed = mixed_features(contents, mix, z, length, seed=seed, taper=False)
        # Silence is deeper than the floor: the moving sound may be softer than the key's loudest cell, whose floor would be a haze in it.
        levels = torch.where(mixed.features > _SILENT_DB - floor_of(view), mixed.features, -floor_of(view) - _DEEPER_DB)
        return KeyLevels(levels + mixed.level, mixed.timing)
    length = decoded_length(contents, z) if length is None else length
    z = sequences.fit_path(contents, z, length)[0] if contents.model.time_varying else z
    levels = decoded(contents, z, length)[None]
    if contents.model.noise_texture and contents.notes is None:
        if contents.detail is not None:
            levels = add_detail(levels, contents.detail, z, floor=floor_of(view), seed=seed)
        else:
            levels = add_noise_texture(levels, view, length=length, seed=seed)
    return KeyLevels(levels[0], timing_of(levels[0], hop=view.hop, sample_rate=contents.sample_rate))


# --- held ------------------------------------------------------------------------------------------------------------


class _Body(NamedTuple):
    """The part of a key that is held: from its frame `start` to its frame `end`; gain `(frames,)`: dB that even its level."""

    start: int
    end: int
    gain: Tensor


def _held(
    contents: InstrumentContents, moving: Moving, keys: list[KeyLevels], notes: NoteCells | None, *, seed: int, pace: Values | None
) -> Course:  # fmt: skip
    view = contents.representation
    frames, rate = view.frames(moving.length), contents.sample_rate / view.hop
    bodies = [_body(key, rate=rate) for key in keys]
    start = min(bodies[0].start, frames // 3)
    release = max(start + 1, frames - (keys[-1].levels.shape[-1] - bodies[-1].end))
    ramp = max(1, min(_RAMP, (release - start) // 4))
    time = torch.arange(frames, dtype=torch.float64)
    bottom = min(float(key.levels.max()) for key in keys) - floor_of(view) - _DEEPER_DB
    share = (((time - start) / ramp).clamp(0, 1) * ((release - time) / ramp).clamp(0, 1)).float()

    def read(times: Tensor, *, smooth: bool) -> list[Tensor]:
        """The levels of all keys at times in frames of the result."""
        found, spread = [], ((times - start) / (release - start)).clamp(0, 1)
        for key, body in zip(keys, bodies, strict=True):
            at = torch.where(times < start, times + body.start - start, body.start + (body.end - body.start) * spread)
            at = torch.where(times >= release, body.end + times - release, at)
            levels = key.levels
            if smooth:
                levels = functional.avg_pool1d(levels, _SMOOTH, stride=1, padding=_SMOOTH // 2, count_include_pad=False)
            found.append(_read(levels, at) + read_smooth(body.gain, at))
        return found

    first, last = start if moving.first else 0, release if moving.last else frames
    if moving.even:
        first, last = start, release
    if notes is not None:
        at = torch.linspace(0, frames - 1, min(frames, MOST_FRAMES), dtype=torch.float64)
        body_levels = notes(read(at, smooth=True), bottom, at)
        places, held = _held_notes(moving, notes, body_levels, frames=frames, first=first, last=last)
        levels = held.clone()
        for edge in (slice(0, start + ramp), slice(release - ramp, frames)):
            own = notes(read(time[edge], smooth=False), bottom, time[edge])
            levels[..., edge] = torch.lerp(_along(own, places[edge]), held[..., edge], share[edge])
        return Course(levels, places, first, last, notes)
    levels = torch.stack(read(time, smooth=False)).clamp_min(bottom)
    body_levels = torch.stack(read(time, smooth=True)).clamp_min(bottom)
    if moving.even:
        places = evened(body_levels, start=start, end=release)
        places = places if pace is None else paced(places, pace, start=start, end=release)
    else:
        places = steady(frames, len(keys), start=first, end=last)
    held = _along(body_levels, places)
    texture = grain(view, length=moving.length, seed=seed)[0]
    texture = texture - texture.mean(-1, keepdim=True)
    held = torch.where(held > bottom + 1, held + noisiness((held - held.max())[None])[0] * texture, held)
    return Course(torch.lerp(_along(levels, places), held, share), places, first, last)


def _held_notes(moving: Moving, notes: NoteCells, cells: Tensor, *, frames: int, first: int, last: int) -> tuple[Tensor, Tensor]:
    """Places `(frames,)` and cells `(parts, cells, frames)` of the body of a held note, from its cells at some frames, evenly spread.

    cells: of the keys, dB `(keys, parts, cells, some frames)`: of a long note not every frame of every key is held in memory.
    """
    keys, count = len(cells), cells.shape[-1]
    at = torch.arange(frames, dtype=torch.float64) * ((count - 1) / max(frames - 1, 1))
    start, end = (min(round(frame * (count - 1) / max(frames - 1, 1)), count) for frame in (first, last))
    if moving.even:
        some = evened(cells, start=start, end=end, pitches=notes.pitches)
        if moving.between_two:
            some = settled_places(cells, some, start=start, end=end, weights=notes.weights)
        places = read_smooth(some, at)
        places[:first], places[last:] = 0.0, keys - 1
    else:
        places = steady(frames, keys, start=first, end=last)
    before = at.floor().long().clamp_max(max(count - 2, 0))
    one, two = (_along(cells, places, (before + k).clamp_max(count - 1)) for k in (0, 1))
    return places, torch.lerp(one, two, (at - before).to(cells))


def _body(key: KeyLevels, *, rate: float) -> _Body:
    """The body of a key: from shortly after its attack on, as long as the level falls by at most 6 dB and a release is left."""
    frames = key.levels.shape[-1]
    start = min(key.timing.attack + round(_BODY_SECONDS * rate), max(frames // 3, key.timing.attack))
    start = min(start, frames - 1)
    course = torch.logsumexp(key.levels.flatten(0, 1) * _PER_DB, 0) / _PER_DB
    reach = min(8, frames - 1)
    course = functional.avg_pool1d(functional.pad(course[None, None], (reach, reach), mode="replicate"), 2 * reach + 1, stride=1)[0, 0]
    fallen = course[start:] < course[start] - _BODY_DB
    end = start + (int(fallen.nonzero()[0]) if bool(fallen.any()) else len(fallen) - 1)
    end = max(start, min(end, round(0.9 * (frames - 1))))
    gain = torch.zeros(frames)
    gain[start : end + 1] = course[start] - course[start : end + 1]
    gain[end + 1 :] = gain[end]
    return _Body(start, end, gain)


def _read(levels: Tensor, at: Tensor) -> Tensor:
    """Levels `(parts, bands, frames)` at positions `at (new frames,)`; silent before the first and after the last frame."""
    read = read_smooth(levels, at)
    return torch.where((at < -0.5) | (at > levels.shape[-1] - 0.5), -1e3, read)


# --- audio -----------------------------------------------------------------------------------------------------------


def start_of(contents: InstrumentContents, moving: Moving, course: Course) -> Start | None:
    """Returns the start of the phase search: the spectra of the first sound where the result begins near it, of the last at the end."""
    levels, view = course.levels, contents.representation
    frames, near_ends = levels.shape[-1], [(moving.first, 0), (moving.last, None)]
    known = torch.zeros_like(levels, dtype=torch.bool)
    gain, spectra = torch.zeros_like(levels), None
    for source, offset in near_ends:
        if source is None or source.detail is None:
            continue
        detail = source.detail
        if spectra is None:
            spectra = detail.spectra.new_zeros(detail.spectra.shape[0], frames, detail.spectra.shape[2])
        at = torch.arange(frames) - (frames - detail.timing.frames if offset is None else offset)
        inside = (at >= 0) & (at < detail.timing.frames)
        at = at.clamp(0, detail.timing.frames - 1)
        own = detail.features[..., at]
        apart = levels - own - detail.level
        near = (apart.abs() < _TRUSTED_DB * _trust(moving, source, course.places)) & (own > _ABOVE_FLOOR_DB - floor_of(view)) & inside
        taken = near.any(0).any(0) & ~known.any(0).any(0)
        spectra[:, taken] = detail.spectra[:, at[taken]]
        gain[..., taken], known[..., taken] = apart[..., taken], near[..., taken]
    return None if spectra is None or not bool(known.any()) else Start(spectra, gain, known)


def _trust(moving: Moving, source: Source, places: Tensor) -> Tensor:
    """How far the phase of a given sound is trusted at each frame `(frames,)`: 1 where it is itself, 0 from half-way on."""
    weights = torch.tensor([weight_of(key, source) for key in moving.keys])
    return (2 * read_smooth(weights, places) - 1).clamp(0, 1)


def levels_to_audio(contents: InstrumentContents, moving: Moving, course: Course, *, seed: int) -> Tensor:
    """Returns audio `(channels, length)` of the features of a moving sound by a phase search."""
    view: Any = contents.representation
    start = start_of(contents, moving, course)
    if start is None:
        return view.decode(course.levels[None], length=moving.length, seed=seed)[0]
    if not moving.hold:
        view = near_view(view)
    return view.decode_from(course.levels, start, length=moving.length, seed=seed)

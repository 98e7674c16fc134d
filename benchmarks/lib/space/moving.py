"""Part `moving`: does a sound that goes from one to another (`--as-one`) go evenly, without clicks, and end as the sounds?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lib.page import table
from lib.process import say
from lib.space.setting import Setting

if TYPE_CHECKING:
    from timbrespace.instrument import Instrument
    from timbrespace.synthesis.detail.given import GivenSound
    from timbrespace.synthesis.moving.plan import Moving

MODES = {"as long as the longer sound": None, "held, 4 s": 4.0}
_BLOCKS = 16  # of the path, between which the spectrum is compared
_BANDS, _LOW_HZ, _FLOOR_DB = 40, 60.0, 60.0
_N_FFT, _HOP = 1024, 128
_OWN_MS = 5.0  # samples as read that count as "begins" and "ends with the sound"


class Row(NamedTuple):
    """Figures of one moving sound. jump: largest sample step over that of the given sounds; along, whole, own, faded: largest over
    mean flux along the path, of the moving sound as a whole, of the given sounds, and of a cross-fade of them; pitch: largest step of
    the pitch over that of an even glide, NaN without one."""

    jump: float
    along: float
    whole: float
    own: float
    faded: float
    begins: bool
    ends: bool
    pitch: float = float("nan")


def section(setting: Setting) -> str:
    """The table, over pairs of unseen sounds."""
    rows = []
    for what in setting.whats:
        instrument, sounds = setting.instrument(what), setting.unseen(what)
        pairs = list(zip(sounds[0::2], sounds[1::2], strict=False))
        for mode, seconds in MODES.items():
            found = [measure(instrument, a, b, seconds) for a, b in pairs]
            rows.append([what, mode, str(len(found)), *cells([row for row in found if row is not None])])
            say(" | ".join(rows[-1]))
    head = [
        "",
        "",
        "pairs",
        "largest sample step over the sounds' own: median, largest",
        "flux along the path, largest over mean: median, worst",
    ]
    head += [
        "the same of the pitch of notes",
        "all at most 2",
        "flux of the whole sound: median",
        "the sounds' own flux: median",
        "a cross-fade's: median",
        "begins / ends with the samples of the sounds",
    ]
    return table(head, rows)


def cells(found: list[Row]) -> list[str]:
    """Medians and extremes over pairs."""
    jump, even, whole, own, faded = (np.array([row[k] for row in found]) for k in range(5))
    pitch = np.array([row.pitch for row in found])
    share = f"{100 * np.mean((even <= 2) & ~(pitch > 2)):.0f} %"
    glides = f"{np.nanmedian(pitch):.2f}, {np.nanmax(pitch):.2f}" if np.isfinite(pitch).any() else "-"
    ends = f"{100 * np.mean([row.begins for row in found]):.0f} % / {100 * np.mean([row.ends for row in found]):.0f} %"
    return [
        f"{np.median(jump):.2f}, {jump.max():.2f}", f"{np.median(even):.2f}, {even.max():.2f}", glides, share,
        f"{np.nanmedian(whole):.2f}", f"{np.nanmedian(own):.2f}",
        f"{np.nanmedian(faded):.2f}", ends,
    ]  # fmt: skip


def measure(instrument: Instrument, a: GivenSound, b: GivenSound, seconds: float | None) -> Row | None:
    """Renders the moving sound from `a` to `b` and measures it."""
    from timbrespace.synthesis.moving.levels import course_of, key_levels, stretched
    from timbrespace.synthesis.moving.notes import glides

    move = instrument.moves.line([a, b])
    request = move.one_request(seconds)
    assert request.moving is not None
    one, rate = move.as_one(seconds).audio, instrument.sample_rate
    first, last = request.moving.sources[0], request.moving.sources[-1]
    lead = first.lead.shape[1]
    is_note = glides(instrument.contents, request.moving)
    course = course_of(instrument.contents, request.moving, seed=request.seed, by_partials=is_note)
    hop = instrument.representation.hop
    moves = torch.nonzero((course.places > 0) & (course.places < len(request.moving.keys) - 1)).flatten()
    if is_note:
        moves = torch.arange(course.start, course.end)
    start, end = int(moves[0]) * hop + lead, int(moves[-1]) * hop + lead
    given = [sound.audio[:, source.lead.shape[1] :] for sound, source in ((a, first), (b, last))]
    faded = _cross_fade(given[0], given[1], one.shape[1] - lead, start - lead, end - lead)
    largest = max(float(sound.diff().abs().max()) for sound in given)
    count = round(_OWN_MS / 1000 * rate)
    from_onset = one[:, lead:]
    tail = given[1][:, : last.total]
    whole = _evenness(flux(one[:, start:end].mean(0), rate))
    along, pitch = whole, float("nan")
    if is_note and (found := _note(instrument, request.moving, one[:, lead:], given, moves)) is not None:
        along, pitch = found
    elif not request.moving.hold:
        ends = [key_levels(instrument.contents, key, seed=request.seed) for key in (request.moving.keys[0], request.moving.keys[-1])]
        a_levels, b_levels = (stretched(one_end, len(course.places)) for one_end in ends)
        seen = instrument.representation.encode(one[None, :, lead:][..., : request.moving.length])[0]
        along = _evenness(path_flux(seen[..., moves], a_levels[..., moves], b_levels[..., moves]))
    return Row(
        float(one.diff().abs().max()) / largest,
        along,
        whole,
        float(np.mean([_evenness(flux(sound[:, round(0.03 * rate) :].mean(0), rate)) for sound in given])),
        _evenness(flux(faded[:, start - lead : end - lead].mean(0), rate)),
        bool(torch.equal(from_onset[:, :count], given[0][:, :count])),
        bool(torch.equal(one[:, -count:], tail[:, -count:])),
        pitch,
    )


def _note(instrument: Instrument, moving: Moving, one: Tensor, given: list[Tensor], moves: Tensor) -> tuple[float, float] | None:
    """Largest over mean flux of a moving note `(channels, time)` by partial, and largest over even step of its pitch.

    given: both notes. moves: the frames in which it moves. None where a pitch is not clear.
    """
    from lib.space.moving_notes import follow, glide, level_flux
    from timbrespace.synthesis.moving.levels import KeyLevels, stretched

    hop, pitches = instrument.representation.hop, [instrument.model.conditioning.pitch_of(moving.keys[k].z) for k in (0, -1)]
    known = [pitch for pitch in pitches if pitch is not None]
    between = (min(known), max(known))
    sources = (moving.sources[0], moving.sources[-1])
    sounds = [one, *(sound[:, : source.encoded.length] for sound, source in zip(given, sources, strict=True))]
    notes = [follow(sound.mean(0), instrument.sample_rate, between, hop=hop) for sound in sounds]
    moved, *ends = [note for note in notes if note is not None]
    if len(ends) < 2:
        return None
    pitch = glide(moved.pitch[moves.numpy()], blocks=_BLOCKS)
    if moving.hold:
        return _evenness(level_flux(moved.levels[..., moves], blocks=_BLOCKS, floor_db=_FLOOR_DB)), pitch
    on_axis = []
    for note, source in zip(ends, sources, strict=True):
        assert source.detail is not None
        timing = source.detail.timing._replace(frames=note.levels.shape[-1])
        on_axis.append(stretched(KeyLevels(note.levels, timing), moved.levels.shape[-1])[..., moves])
    return _evenness(path_flux(moved.levels[..., moves], *on_axis)), pitch


def flux(audio: Tensor, rate: int) -> Tensor:
    """Root mean square differences in dB of the spectra of 16 blocks of a sound `(time,)`, one after the other, `(15,)`.

    Mean power in 40 bands, even in log frequency, floor 60 dB under the loudest cell. All windows are inside the sound: one beyond its
    ends would see an edge that is not in it. Nothing for a sound shorter than a window a block.
    """
    if audio.shape[0] < _BLOCKS * _HOP + _N_FFT:
        return audio.new_zeros(0)
    power = torch.stft(audio, _N_FFT, _HOP, window=torch.hann_window(_N_FFT), center=False, return_complex=True).abs().square()
    hertz = torch.arange(_N_FFT // 2 + 1) * (rate / _N_FFT)
    edges = torch.logspace(np.log10(_LOW_HZ), np.log10(0.45 * rate), _BANDS + 1)
    inside = (hertz >= edges[:-1, None]) & (hertz < torch.maximum(edges[1:], edges[:-1] + rate / _N_FFT)[:, None])
    bands = inside.float() @ power / inside.sum(1, keepdim=True).clamp_min(1)
    blocks = torch.stack([part.mean(1) for part in bands.tensor_split(_BLOCKS, 1)], 1)
    levels = 10 * torch.log10(blocks.clamp_min(1e-20))
    levels = levels.clamp_min(float(levels.max()) - _FLOOR_DB)
    return levels.diff(dim=1).square().mean(0).sqrt()


def path_flux(levels: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """How far the sound moves from `a` to `b` between 16 blocks of frames, dB, `(15,)`; its decay does not count.

    levels, a, b: dB `(parts, bands, frames)` of the moving sound and of both given ones on its time axis. The place of a block between the
    two is that of its projection; a step between places counts by how far the two are apart there.
    """
    bottom = float(torch.maximum(a, b).max()) - _FLOOR_DB
    one, two, seen = (part.clamp_min(bottom).flatten(0, 1) for part in (a, b, levels))
    places, apart = [], []
    for part in torch.arange(seen.shape[1]).tensor_split(_BLOCKS):
        if not len(part):
            continue
        difference = two[:, part] - one[:, part]
        size = difference.square().sum().clamp_min(1e-9)
        places.append(float(((seen[:, part] - one[:, part]) * difference).sum() / size))
        apart.append(float(difference.square().mean().sqrt()))
    between = (torch.tensor(apart[1:]) + torch.tensor(apart[:-1])) / 2
    return torch.tensor(places).diff().abs() * between


def _evenness(values: Tensor) -> float:
    return float(values.max() / values.mean()) if len(values) and float(values.mean()) > 0 else float("nan")


def _cross_fade(a: Tensor, b: Tensor, length: int, start: int, end: int) -> Tensor:
    """A linear cross-fade of two sounds `(channels, length)` between two times."""
    share = ((torch.arange(length) - start) / max(1, end - start)).clamp(0, 1)
    one, two = (torch.nn.functional.pad(sound[:, :length], (0, max(0, length - sound.shape[1]))) for sound in (a, b))
    return one * (1 - share) + two * share

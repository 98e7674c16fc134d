"""The windows that a recording is cut into: what a model encodes at once. Neighbours overlap and fade into each other.

    window 0  |‾‾‾‾‾‾‾‾‾‾‾\\
    window 1           |/‾‾‾‾‾‾‾‾‾\\                even, as long as the clips that the model was trained on
    window 2                    |/‾‾‾‾…

Models of whole clips get windows that begin at onsets, because their sounds do: each note or hit is encoded as a sound of its own. What
sounds longer than a window is continued by further ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.transfer.views import hop_of, reach_of

_SHORTEST_SECONDS, _LONGEST_SECONDS = 1.0, 6.0  # of even windows
_OVERLAP = 0.25  # of a window
_BEFORE_SECONDS, _AFTER_SECONDS = 0.5, 0.15  # beyond a window, which a sequence model reads too: its memory and its neighbouring frames
_CLIP_SECONDS = 0.4  # at most, of the windows of models of whole clips, which describe the start of a sound in finer steps than the rest
_ATTACK_SECONDS = 0.008  # in which the window before an onset fades out
_APART_SECONDS = 0.06  # between onsets, at least
_SOFT_SECONDS = 0.05  # in which it fades out before the onset of a recording that weighs little
_HARD, _SOFT = 0.5, 0.1  # weights from which on an onset is hard, and under which it is soft


class Window(NamedTuple):
    """Samples start … stop of a recording, which fade in over the first `fade_in` and out over the last `fade_out`.

    before, after: samples beyond them that a sequence model reads too.
    """

    start: int
    stop: int
    fade_in: int = 0
    fade_out: int = 0
    before: int = 0
    after: int = 0


def windows_of(contents: InstrumentContents, samples: int, onsets: Mapping[int, float]) -> list[Window]:
    """Returns the windows of a recording of `samples` samples.

    onsets: in samples, used by models of whole clips, with the weight of what begins there, 0 to 1.
    """
    unit = hop_of(contents.representation) * contents.model.stride
    rate = contents.sample_rate
    if not contents.model.time_varying:
        fades = {
            onset: round((_ATTACK_SECONDS + (_SOFT_SECONDS - _ATTACK_SECONDS) * softness) * rate)
            for onset, weight in onsets.items()
            if (softness := min(max((_HARD - weight) / (_HARD - _SOFT), 0.0), 1.0)) > 0
        }
        return clip_windows(
            samples, list(onsets), fades=fades, unit=unit,
            longest=min(contents.samples, round(_CLIP_SECONDS * rate)), attack=round(_ATTACK_SECONDS * rate),
            apart=round(_APART_SECONDS * rate),
        )  # fmt: skip
    size = _whole(min(max(contents.samples, round(_SHORTEST_SECONDS * rate)), round(_LONGEST_SECONDS * rate)), unit, least=4)
    before = _whole(round(_BEFORE_SECONDS * rate), unit)
    after = _whole(max(round(_AFTER_SECONDS * rate), reach_of(contents.representation)), unit)
    return even_windows(samples, size=size, overlap=_whole(round(_OVERLAP * size), unit), before=before, after=after)


def even_windows(samples: int, *, size: int, overlap: int, before: int = 0, after: int = 0) -> list[Window]:
    """Returns windows of `size` samples that overlap; the last one ends with the recording and may be longer, by up to the overlap."""
    found: list[Window] = []
    start = 0
    while True:
        last = start + size + overlap >= samples
        stop = samples if last else start + size
        first = not found
        found.append(
            Window(start, stop, 0 if first else overlap, 0 if last else overlap, 0 if first else min(before, start), 0 if last else after)
        )
        if last:
            return found
        start = stop - overlap


def clip_windows(
    samples: int, onsets: Sequence[int], *, unit: int, longest: int, attack: int, apart: int, fades: Mapping[int, int] | None = None
) -> list[Window]:
    """Returns windows of at most `longest` samples that begin shortly before onsets. They begin at multiples of `unit`.

    attack: samples before an onset in which the window before it fades out. apart: at least between two onsets. fades: the samples in which
    it fades out from there on, of onsets where they are more; at most as many as onsets are apart.
    """
    fades = {} if fades is None else fades
    attack, longest = _whole(attack, unit), max(longest // unit, 6) * unit
    overlap = _whole(round(_OVERLAP * longest), unit)
    starts = [(0, 0)]  # of a window, and the samples over which it fades in
    soft = False  # whether the last one is at an onset in `fades`
    for onset in [*sorted(onsets), samples]:
        place = max(0, (onset - attack) // unit * unit) if onset < samples else samples
        if onset < samples and place - starts[-1][0] < max(apart, 2 * attack):
            if soft and onset not in fades:  # what begins there too is hard
                starts[-1], soft = (starts[-1][0], attack), False
            continue
        most = min(apart, overlap, samples - place) // unit * unit
        fade = max(attack, min(_whole(fades[onset], unit), most)) if onset in fades else attack
        begin, gap = starts[-1][0], place - starts[-1][0]
        pieces = 1 if gap + fade <= longest else -(-gap // (longest - overlap - unit))  # more than one: it sounds on
        starts += [(begin + round(number * gap / pieces / unit) * unit, overlap) for number in range(1, pieces)]
        if onset < samples:
            starts.append((place, fade))
            soft = onset in fades
    found = []
    for number, (start, fade_in) in enumerate(starts):
        later = starts[number + 1] if number + 1 < len(starts) else None
        found.append(Window(start, samples if later is None else min(samples, sum(later)), fade_in, later[1] if later else 0))
    return found


def _whole(samples: int, unit: int, *, least: int = 1) -> int:
    return max(least, -(-samples // unit)) * unit

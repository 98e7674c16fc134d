"""Fits the map of levels of new notes at the end of training: decoded new notes against the recorded ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import torch
from torch import Tensor

from timbrespace.corpus.corpus import Corpus
from timbrespace.parallel import Pool
from timbrespace.synthesis.detail_model.ranks import rank_map, ranked_levels
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.harmonic.traits import NoteModel
from timbrespace.synthesis.request import DrawOptions, draw
from timbrespace.synthesis.texture import floor_of
from timbrespace.training.sample import sample_clips

RECORDED, NEW = 200, 300  # notes whose levels are compared, at most
_FEWEST, _HALF = 8, 8.0  # recorded notes of a category with a map of its own; new notes at which that counts half
_LIMITS_DB = (-12.0, 4.0)  # least and most change of a level

Labelled = tuple[Tensor, str | None]  # levels in dB `(bands, frames)` and a category


def fit_note_levels(contents: InstrumentContents, corpus: Corpus, clips: list[int], *, seed: int) -> NoteModel | None:
    """Returns the traits of notes of an instrument with `clips`, with the maps of levels of its new notes; None where it has no traits.

    A category with few notes is between its own map and that of all.
    """
    if contents.notes is None or contents.clips is None:
        return contents.notes
    chosen = sample_clips(list(contents.clips.categories), RECORDED, seed=seed).tolist()
    ours = _new(contents, seed)
    recorded = _recorded(contents, corpus, [clips[k] for k in chosen])
    theirs = [(one, contents.clips.categories[k]) for one, k in zip(recorded, chosen, strict=True)]
    counts = Counter(category for _, category in theirs)
    categories = tuple(sorted(name for name, count in counts.items() if name is not None and count >= _FEWEST))
    maps = [_map(contents, ours, theirs)]
    for name in categories:
        mine, real = ([one for one in sounds if one[1] == name] for sounds in (ours, theirs))
        maps.append(torch.lerp(maps[0], _map(contents, mine, real), len(mine) / (len(mine) + _HALF)) if mine else maps[0])
    return replace(contents.notes, levels=torch.stack(maps), categories=categories)


def _map(contents: InstrumentContents, ours: list[Labelled], theirs: list[Labelled]) -> Tensor:
    """The map `(groups, LEVELS)` from levels of `ours` to those of `theirs`."""
    floor, most = floor_of(contents.representation), contents.representation.frames(contents.samples)
    ranked = [ranked_levels([one.clamp_min(-floor) for one, _ in sounds], most=most, floor=floor) for sounds in (ours, theirs)]
    return rank_map(*ranked, floor=floor, limits=_LIMITS_DB)


@torch.no_grad()
def _new(contents: InstrumentContents, seed: int) -> list[Labelled]:
    """Decoded levels of new notes, the middle of stereo, and their categories."""
    found = []
    for request in draw(contents, NEW, DrawOptions(), seed=seed):
        decoded = contents.model.decode(request.z[None])
        length = min(contents.samples, int(decoded.lengths[0]))
        found.append((decoded.features[0, 0, :, : contents.representation.frames(length)], request.category))
    return found


def _recorded(contents: InstrumentContents, corpus: Corpus, clips: list[int]) -> list[Tensor]:
    """Levels `(bands, frames)` of clips, the middle of stereo, loudest cell at 0 dB."""

    def one(clip: int) -> Tensor:
        audio = contents.model.prepare_audio(corpus.audio(clip)[:, : contents.samples])
        with torch.no_grad():
            levels = contents.representation.encode(audio[None])[0, ..., : contents.representation.frames(audio.shape[-1])]
        return levels[0] - levels.amax()

    with Pool() as pool:
        return list(pool.map(one, clips))

"""From rendered samples to sounds: their notes, names, nearest training sounds and recipes. The same for every engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from timbrespace.audio.arrays.embedding import embed
from timbrespace.audio.arrays.notes import note_name, root_note
from timbrespace.synthesis.names import safe_name, unique_names
from timbrespace.synthesis.output.nearest import Nearest, nearest_to
from timbrespace.synthesis.sound import Sound
from timbrespace.synthesis.sounds import Sounds

if TYPE_CHECKING:
    from timbrespace.synthesis.output.requested import RenderRequest


@dataclass(frozen=True)
class TrainingSounds:
    """What new sounds are compared with: names and embeddings `(n, features)` of the training sounds, and the unit of novelty.

    None, None and None of a stripped instrument.
    """

    names: Sequence[str] | None = None
    embeddings: np.ndarray | None = None
    unit: float | None = None


def numbered_names(count: int) -> tuple[str, ...]:
    """Returns names in place of those of training sounds, for sharing."""
    return tuple(f"training sound {number}" for number in range(1, count + 1))


def shared_card(card: dict[str, Any], categories: Sequence[str]) -> dict[str, Any]:
    """Returns the card without categories that a stripped or anonymous instrument no longer names."""
    corpus = card.get("corpus")
    if not isinstance(corpus, dict) or not isinstance(corpus.get("categories"), dict):
        return card
    return {**card, "corpus": {**corpus, "categories": {k: v for k, v in corpus["categories"].items() if k in categories}}}


class Rendering(NamedTuple):
    """A rendered sound: samples `(channels, time)`, MIDI number of its pitch, and its nearest training sound; None: not known."""

    samples: np.ndarray
    note: int | None
    nearest: Nearest | None


def measured(
    samples: np.ndarray, rate: int, training: TrainingSounds, *, note: int | None = None, part: slice | None = None, is_own: bool = False
) -> Rendering:
    """Returns a rendered sound `(channels, time)` with its measurements: its pitch and its nearest training sound.

    note: where it is known. part: the samples that are measured; None: all. is_own: it is a given sound, unchanged, which is not compared.
    """
    own = samples if part is None else samples[:, part]
    nearest = None
    if training.embeddings is not None and not is_own:
        nearest = nearest_to(embed(own, rate), training.embeddings, training.unit)
    return Rendering(samples, root_note(own, rate) if note is None else note, nearest)


def labelled(
    requests: Sequence[RenderRequest], renderings: Sequence[Rendering], recipes: Sequence[Mapping[str, Any]], training: TrainingSounds, *,
    rate: int, level: str | None, numbered: bool,
) -> Sounds:  # fmt: skip
    """Returns the sounds of requests. recipes: what the engine that rendered it needs to repeat each. rate: Hz. numbered: see `_names`."""
    names = _names(requests, [rendering.note for rendering in renderings], numbered=numbered)
    return Sounds(
        _sound(request, rendering, made, training, name=name, rate=rate, level=level)
        for request, rendering, made, name in zip(requests, renderings, recipes, names, strict=True)
    )


def _names(requests: Sequence[RenderRequest], notes: Sequence[int | None], *, numbered: bool) -> list[str]:
    """File names without suffix: "snare 003", "string 004 C4"; not numbered: the stem alone."""
    stems = [request.stem for request in requests]
    if numbered:
        endings = ["" if note is None else f" {note_name(note)}" for note in notes]
        stems = [f"{safe_name(stem)} {k + 1:03d}{ending}" for k, (stem, ending) in enumerate(zip(stems, endings, strict=True))]
    return unique_names(stems)


def _sound(
    request: RenderRequest, rendering: Rendering, made: Mapping[str, Any], training: TrainingSounds, *, name: str, rate: int,
    level: str | None,
) -> Sound:  # fmt: skip
    """A rendered sound with its recipe."""
    nearest, note = rendering.nearest, rendering.note
    nearest_name = training.names[nearest.index] if training.names is not None and nearest is not None else None
    novelty = None if nearest is None else nearest.novelty
    recipe: dict[str, Any] = {
        "timbrespace": "recipe", "name": name, "asked": request.recipe, **made, "level": level, "sample_rate": rate, "root_note": note,
        "nearest": nearest_name, "novelty": novelty,
    }  # fmt: skip
    return Sound(
        name=name,
        audio=rendering.samples,  # type: ignore[arg-type]  # an array is allowed, see `Sound`
        sample_rate=rate,
        recipe=recipe,
        category=request.category,
        nearest=nearest_name,
        novelty=novelty,
        is_copy=nearest is not None and nearest.is_copy,
        is_own=request.mix is not None and request.mix.own is not None,
        root_note=note,
        latent=request.z,
    )

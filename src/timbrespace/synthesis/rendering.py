"""Renders requests: decodes, finishes and names each sound, and compares it with the training sounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from timbrespace.audio.pitch import PITCHED, estimate_pitch, hz_to_midi, note_name
from timbrespace.mapped import Shelf
from timbrespace.parallel import Pool
from timbrespace.synthesis.encoding import decode
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.finish import Level, finish
from timbrespace.synthesis.names import safe_name, unique_names
from timbrespace.synthesis.novelty import Nearest, nearest_sounds
from timbrespace.synthesis.recipe import to_recipe
from timbrespace.synthesis.request import RenderRequest
from timbrespace.synthesis.sound import Sound

Progress = Callable[[int, int], None]

_HIGHEST_PITCH = 2500.0  # Hz, of the estimate


def render(
    contents: InstrumentContents, requests: Sequence[RenderRequest], *, level: Level, out_rate: int | None,
    progress: Progress | None = None, numbered: bool = True,
) -> list[Sound]:  # fmt: skip
    """Returns the sounds of `requests`, in order.

    level, out_rate: see `finish`. progress: called with the number of sounds done and of all. numbered: names are stem, number and
    note; else the stem is the name. The audio of many sounds is kept in temporary files (`mapped.Shelf`). Raises TimbrespaceError.
    """
    rate = contents.sample_rate if out_rate is None else out_rate

    def one(request: RenderRequest) -> tuple[Tensor, int | None]:
        raw = decode(contents, request.z, length=request.length, seed=request.seed, texture=True)
        audio = finish(raw, contents.sample_rate, level=level, out_rate=rate)
        note = contents.model.conditioning.note_of(request.z)
        return audio, root_note(audio, rate) if note is None else note

    rendered: list[tuple[Tensor, int | None]] = []
    shelf = Shelf()
    with Pool() as pool:
        for audio, note in pool.map(one, requests):
            rendered.append((shelf.keep(audio), note))
            if progress is not None:
                progress(len(rendered), len(requests))
    names = _names(requests, [note for _, note in rendered], numbered=numbered)
    nearest = _nearest(contents, [audio for audio, _ in rendered], rate)
    return [
        _sound(contents, request, audio, note, name=name, rate=rate, level=level, nearest=near)
        for request, (audio, note), name, near in zip(requests, rendered, names, nearest, strict=True)
    ]


def root_note(audio: Tensor, rate: int) -> int | None:
    """Returns the MIDI number of the pitch of a sound `(channels, time)`, None where it is not clear. rate: Hz."""
    hertz, confidence = estimate_pitch(audio.mean(0), rate, high=min(_HIGHEST_PITCH, rate / 4))
    return None if hertz is None or confidence < PITCHED else round(hz_to_midi(hertz))


def _names(requests: Sequence[RenderRequest], notes: Sequence[int | None], *, numbered: bool) -> list[str]:
    """File names without suffix: "snare 003", "string 004 C4"."""
    stems = [request.stem for request in requests]
    if numbered:
        endings = ["" if note is None else f" {note_name(note)}" for note in notes]
        stems = [f"{safe_name(stem)} {k + 1:03d}{ending}" for k, (stem, ending) in enumerate(zip(stems, endings, strict=True))]
    return unique_names(stems)


def _nearest(contents: InstrumentContents, audio: list[Tensor], rate: int) -> list[Nearest] | list[None]:
    """The nearest training sound of each; None for all where the instrument is stripped."""
    if contents.clips is None:
        return [None] * len(audio)
    return nearest_sounds(audio, rate, embeddings=contents.clips.embeddings, unit=contents.novelty_unit)


def _sound(
    contents: InstrumentContents, request: RenderRequest, audio: Tensor, note: int | None, *, name: str, rate: int, level: Level,
    nearest: Nearest | None,
) -> Sound:  # fmt: skip
    """A rendered sound with its recipe."""
    nearest_name = contents.clips.names[nearest.index] if contents.clips and nearest else None
    novelty = nearest.novelty if nearest else None
    recipe: dict[str, Any] = {
        "timbrespace": "recipe", "name": name, "asked": request.recipe, **to_recipe(contents, request), "level": level,
        "sample_rate": rate, "root_note": note, "nearest": nearest_name, "novelty": novelty,
    }  # fmt: skip
    return Sound(
        name=name,
        audio=audio,
        sample_rate=rate,
        recipe=recipe,
        category=request.category,
        nearest=nearest_name,
        novelty=novelty,
        is_copy=bool(nearest and nearest.is_copy),
        root_note=note,
        latent=request.z,
    )

"""Renders requests: decodes, finishes and names each sound, and compares it with the training sounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from timbrespace.audio.pitch import PITCHED, estimate_pitch, hz_to_midi, note_name
from timbrespace.mapped import Shelf
from timbrespace.parallel import Pool
from timbrespace.synthesis.detail.rendering import Rendered, render_mix
from timbrespace.synthesis.encoding import decode
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.finish import Level, finish
from timbrespace.synthesis.moving.render import render_moving
from timbrespace.synthesis.names import safe_name, unique_names
from timbrespace.synthesis.novelty import Nearest, nearest_sounds
from timbrespace.synthesis.recipe import to_recipe
from timbrespace.synthesis.request import RenderRequest
from timbrespace.synthesis.sound import Sound
from timbrespace.synthesis.sounds import Sounds

Progress = Callable[[int, int], None]

_HIGHEST_PITCH = 2500.0  # Hz, of the estimate


def render(
    contents: InstrumentContents, requests: Sequence[RenderRequest], *, level: Level | None, out_rate: int | None,
    progress: Progress | None = None, numbered: bool = True,
) -> Sounds:  # fmt: skip
    """Returns the sounds of `requests`, in order.

    level, out_rate: see `finish`; level None: peak for new sounds, that of the given sounds for those made from them. progress: called
    with the number of sounds done and of all. numbered: names are stem, number and note; else the stem is the name. The audio of many
    sounds is kept in temporary files (`mapped.Shelf`). Raises TimbrespaceError.
    """
    rate = contents.sample_rate if out_rate is None else out_rate

    def one(request: RenderRequest) -> tuple[Rendered, int | None]:
        if request.moving is not None:
            rendered = render_moving(contents, request.moving, seed=request.seed, level=level, out_rate=rate)
        elif request.mix is None:
            raw = decode(contents, request.z, length=request.length, seed=request.seed, texture=True, category=request.category)
            rendered = Rendered(finish(raw, contents.sample_rate, level=level or "peak", out_rate=rate))
        else:
            options: dict[str, Any] = {"length": request.length, "seed": request.seed, "level": level, "out_rate": rate}
            rendered = render_mix(contents, request.mix, request.z, **options)
        note = contents.model.conditioning.note_of(request.z)
        return rendered, root_note(rendered.measured, rate) if note is None else note

    rendered: list[tuple[Rendered, int | None]] = []
    shelf = Shelf()
    with Pool() as pool:
        for sound, note in pool.map(one, requests):
            rendered.append((sound._replace(audio=shelf.keep(sound.audio)), note))
            if progress is not None:
                progress(len(rendered), len(requests))
    names = _names(requests, [note for _, note in rendered], numbered=numbered)
    is_new = [request.mix is None or request.mix.own is None for request in requests]
    found = iter(_nearest(contents, [sound.measured for (sound, _), new in zip(rendered, is_new, strict=True) if new], rate))
    nearest = [next(found) if new else None for new in is_new]
    return Sounds(
        _sound(contents, request, sound.audio, note, name=name, rate=rate, level=level, nearest=near)
        for request, (sound, note), name, near in zip(requests, rendered, names, nearest, strict=True)
    )


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
    contents: InstrumentContents, request: RenderRequest, audio: Tensor, note: int | None, *, name: str, rate: int, level: Level | None,
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
        is_own=request.mix is not None and request.mix.own is not None,
        root_note=note,
        latent=request.z,
    )

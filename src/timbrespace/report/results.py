"""The page of results for a batch of new sounds: draws the pictures, joins the reel, and gathers what the page shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from timbrespace import __version__
from timbrespace.atomic import check_absent
from timbrespace.audio.files import write
from timbrespace.report.page import PageData, PageSound, draw_spectrogram, write_page
from timbrespace.synthesis.instrument import Instrument
from timbrespace.synthesis.reel import reel
from timbrespace.synthesis.sound import Sound

_GAP_SECONDS = 0.25
_LONGEST_PICTURE = 2.0  # s that the pictures of a page show at most


@dataclass(frozen=True)
class Morph:
    """The steps from one sound to another, and what those two are called."""

    start: str
    end: str
    steps: Sequence[Sound]


@dataclass
class Results:
    """What a page is made of: new sounds, morphs, and the steps it took as (name, seconds).

    sounds_in, morphs_in: folders below the page's where the WAVs lie already; "" is the page's own.
    """

    title: str
    about: str
    instrument: Instrument
    sounds: Sequence[Sound]
    morphs: Sequence[Morph] = ()
    steps: list[tuple[str, float]] = field(default_factory=list)
    sounds_in: str = "sounds"
    morphs_in: str = "morphs"


def write_results(results: Results, folder: Path, *, force: bool = False) -> Path:
    """Writes pictures, the reel and `index.html` below `folder`, where the sounds lie already; returns the page's path.

    Raises OutputExistsError before anything is written when the page is there and `force` is False.
    """
    check_absent(folder / "index.html", force=force)
    instrument, sounds = results.instrument, list(results.sounds)
    every = [*sounds, *(step for morph in results.morphs for step in morph.steps)]
    span = min(_LONGEST_PICTURE, max(sound.seconds for sound in every))
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    places = instrument.places(sounds) if instrument.contents.clips is not None else None
    shown = [
        _page_sound(sound, results.sounds_in, folder, span=span, place=None if places is None else places[i].tolist())
        for i, sound in enumerate(sounds)
    ]
    joined = reel([sound.audio for sound in sounds], sounds[0].sample_rate, gap_seconds=_GAP_SECONDS)
    write(folder / "reel.wav", joined, sounds[0].sample_rate, force=force)
    draw_spectrogram(joined, sounds[0].sample_rate, folder / "pictures" / "reel.png", width=1400)
    clips = instrument.contents.clips
    data = PageData(
        title=results.title,
        about=results.about,
        sounds=shown,
        morphs=[_row(morph, results.morphs_in, folder, span=span) for morph in results.morphs],
        reel=PageSound("All new sounds in one piece", "reel.wav", joined.shape[-1] / sounds[0].sample_rate, picture="pictures/reel.png"),
        reel_marks=_marks(sounds),
        corpus=[] if clips is None else [(*p.tolist(), n, c) for p, n, c in zip(clips.places, clips.names, clips.categories, strict=True)],
        card=card_rows(instrument.card),
        steps=results.steps,
        made_with=f"timbrespace {__version__}",
    )
    return write_page(folder, data, force=force)


def card_rows(card: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The card as (label, value, hint) for the page; parts that are not there are left out."""
    rows: list[tuple[str, str, str]] = []
    corpus, training, quality, new = (card.get(name) or {} for name in ("corpus", "training", "reconstruction", "new_sounds"))
    if corpus:
        rows.append(
            ("Corpus", f"{corpus.get('clips')} clips, {corpus.get('minutes')} min", "what it learned from, held-out clips included")
        )
    if training:
        seconds = sum((training.get("seconds") or {}).values())
        rows += [
            ("Training", f"{seconds:.0f} s on {training.get('device')}", f"{training.get('steps')} steps, seed {training.get('seed')}"),
            (
                "Overfit ratio",
                f"{training.get('overfit_ratio')}",
                "validation error over training error; over 1.3 it knows its own clips better",
            ),
        ]
    for name, row in (quality.get("rows") or {}).items():
        hint = f"log-mel error on {quality.get('sounds')} clips of the {quality.get('on')} split, WAV to WAV; lower is better"
        rows.append((f"Error, {name}", f"{row.get('log_mel_db')} dB", hint))
    if new:
        rows += [
            (
                "Novelty",
                f"{new.get('novelty_median')}",
                "median; 0 is a copy, 1 as far from the training clips as real sounds never trained on",
            ),
            ("Copies", f"{new.get('copies')} of {new.get('sounds')}", "new sounds too near to a training clip to be called new"),
            ("Speed", f"{new.get('times_real_time')} × real time", "making new sounds, on the machine that trained it"),
        ]
    if card.get("expect"):
        rows.append(("What to expect", str(card["expect"]), ""))
    return rows


def _page_sound(sound: Sound, kind: str, folder: Path, *, span: float, place: list[float] | None = None) -> PageSound:
    picture = f"pictures/{kind or 'sound'} {sound.name}.png"
    draw_spectrogram(sound.audio, sound.sample_rate, folder / picture, seconds=span)
    return PageSound(
        name=sound.name,
        file=f"{kind}/{sound.name}.wav" if kind else f"{sound.name}.wav",
        seconds=sound.seconds,
        category=sound.category,
        nearest=sound.nearest,
        novelty=sound.novelty,
        is_copy=sound.is_copy,
        picture=picture,
        span=span,
        x=None if place is None else place[0],
        y=None if place is None else place[1],
    )


def _row(morph: Morph, kind: str, folder: Path, *, span: float) -> list[PageSound]:
    """The tiles of a morph, named by where they stand: the page titles the row by its ends."""
    tiles = [_page_sound(step, kind, folder, span=span) for step in morph.steps]
    names = [morph.start, *(f"step {number}" for number in range(2, len(tiles))), morph.end]
    return [replace(tile, name=name) for tile, name in zip(tiles, names, strict=True)]


def _marks(sounds: Sequence[Sound]) -> list[tuple[float, str]]:
    marks, start = [], 0.0
    for sound in sounds:
        marks.append((start, sound.name))
        start += sound.seconds + _GAP_SECONDS
    return marks

"""The page of results for a batch of new sounds: draws the spectrograms, joins the reel, and collects what the page shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from timbrespace import __version__
from timbrespace.atomic import check_absent
from timbrespace.audio.files import write
from timbrespace.report.card import card_rows
from timbrespace.report.results_page import ResultsPage, SoundTile, write_results_page
from timbrespace.report.spectrogram import draw_spectrogram
from timbrespace.synthesis.instrument import Instrument
from timbrespace.synthesis.reel import reel
from timbrespace.synthesis.sound import Sound

_GAP_SECONDS = 0.25
_LONGEST_PICTURE = 2.0  # seconds that the pictures of a page show at most


@dataclass(frozen=True)
class Morph:
    """The steps from one sound to another, and the names of the two."""

    start: str
    end: str
    steps: Sequence[Sound]


@dataclass
class Results:
    """What the page shows: new sounds, morphs, and the steps of work as (name, seconds).

    sounds_folder, morphs_folder: folders below the page's that hold the WAV files; "" is the page's own folder.
    """

    title: str
    about: str
    instrument: Instrument
    sounds: Sequence[Sound]
    morphs: Sequence[Morph] = ()
    steps: list[tuple[str, float]] = field(default_factory=list)
    sounds_folder: str = "sounds"
    morphs_folder: str = "morphs"


def write_results(results: Results, folder: Path, *, force: bool = False) -> Path:
    """Writes pictures, the reel and `index.html` into `folder`, which holds the sounds already; returns the page's path.

    Raises OutputExistsError before anything is written if the page exists and `force` is False.
    """
    check_absent(folder / "index.html", force=force)
    instrument, sounds = results.instrument, list(results.sounds)
    sample_rate, clips = sounds[0].sample_rate, instrument.contents.clips
    all_sounds = [*sounds, *(step for morph in results.morphs for step in morph.steps)]
    span = min(_LONGEST_PICTURE, max(sound.seconds for sound in all_sounds))
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    tiles = [_draw_tile(sound, results.sounds_folder, folder, span=span) for sound in sounds]
    corpus: list[tuple[float, float, str, str | None]] = []
    if clips is not None:
        corpus = [(*p.tolist(), n, c) for p, n, c in zip(clips.positions, clips.names, clips.categories, strict=True)]
        positions = instrument.map_positions(sounds).tolist()
        tiles = [replace(tile, x=x, y=y) for tile, (x, y) in zip(tiles, positions, strict=True)]
    joined = reel([sound.audio for sound in sounds], sample_rate, gap_seconds=_GAP_SECONDS)
    write(folder / "reel.wav", joined, sample_rate, force=force)
    draw_spectrogram(joined, sample_rate, folder / "pictures" / "reel.png", width=1400)
    page = ResultsPage(
        title=results.title,
        about=results.about,
        sounds=tiles,
        morphs=[_draw_morph(morph, results.morphs_folder, folder, span=span) for morph in results.morphs],
        reel=SoundTile("All new sounds in one piece", "reel.wav", joined.shape[-1] / sample_rate, picture="pictures/reel.png"),
        reel_marks=_reel_marks(sounds),
        corpus=corpus,
        card=card_rows(instrument.card),
        steps=results.steps,
        made_with=f"timbrespace {__version__}",
    )
    return write_results_page(folder, page, force=force)


def _draw_tile(sound: Sound, subfolder: str, folder: Path, *, span: float) -> SoundTile:
    """Writes the spectrogram of a sound and returns its tile. subfolder: where its WAV is; span: time the picture shows (s)."""
    picture = f"pictures/{subfolder or 'sound'} {sound.name}.png"
    draw_spectrogram(sound.audio, sound.sample_rate, folder / picture, seconds=span)
    return SoundTile(
        name=sound.name,
        file=f"{subfolder}/{sound.name}.wav" if subfolder else f"{sound.name}.wav",
        seconds=sound.seconds,
        category=sound.category,
        nearest=sound.nearest,
        novelty=sound.novelty,
        is_copy=sound.is_copy,
        picture=picture,
        span=span,
    )


def _draw_morph(morph: Morph, subfolder: str, folder: Path, *, span: float) -> list[SoundTile]:
    """The tiles of a morph; the first and the last have the names of the two sounds, which the page makes the row's title."""
    tiles = [_draw_tile(step, subfolder, folder, span=span) for step in morph.steps]
    names = [morph.start, *(f"step {number}" for number in range(2, len(tiles))), morph.end]
    return [replace(tile, name=name) for tile, name in zip(tiles, names, strict=True)]


def _reel_marks(sounds: Sequence[Sound]) -> list[tuple[float, str]]:
    """The start (s) and the name of each sound in the reel."""
    marks, start = [], 0.0
    for sound in sounds:
        marks.append((start, sound.name))
        start += sound.seconds + _GAP_SECONDS
    return marks

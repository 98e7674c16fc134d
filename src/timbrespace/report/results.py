"""The page of results for a batch of sounds: draws the spectrograms, joins the reel, and collects what the page shows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import Tensor

from timbrespace import __version__
from timbrespace.atomic import check_absent
from timbrespace.audio.arrays.descriptors import spectral_centroid
from timbrespace.audio.files import write
from timbrespace.instrument import Instrument
from timbrespace.report.card import card_view
from timbrespace.report.latents.section import latent_view
from timbrespace.report.packs import write_packs
from timbrespace.report.results_page import ResultsPage, SoundTile, write_results_page
from timbrespace.report.spectrogram import draw_spectrogram
from timbrespace.report.verdicts import limits_of
from timbrespace.synthesis.reel import reel
from timbrespace.synthesis.sound import Sound

_GAP_SECONDS = 0.25
_LONGEST_PICTURE = 2.0  # seconds that the pictures of a page show at most
_PICTURES = "index_files/pictures"  # what only the page needs is below index_files, where no sound of the batch is


@dataclass(frozen=True)
class Morph:
    """The steps from one sound to another, and the names of the two."""

    start: str
    end: str
    steps: Sequence[Sound]


@dataclass(frozen=True)
class Original:
    """The given sound of a reconstruction. file: path relative to the page's folder. audio: `(channels, time)`. error: dB."""

    file: str
    audio: Tensor
    error: float


@dataclass
class Results:
    """What the page shows: a batch of sounds, morphs, and the steps of work as (name, seconds).

    heading, noun: what the sounds are. sounds_folder, morphs_folder: folders below the page's that hold the WAV files; "" is the page's
    own folder. A sound may be in a folder below that, then its name has "/". originals: one a sound, for a batch of reconstructions,
    which have no recipes.
    """

    title: str
    about: str
    instrument: Instrument
    sounds: Sequence[Sound]
    morphs: Sequence[Morph] = ()
    steps: list[tuple[str, float]] = field(default_factory=list)
    heading: str = "New sounds"
    noun: str = "new sound"
    lead: str = ""
    sounds_folder: str = "sounds"
    morphs_folder: str = "morphs"
    originals: Sequence[Original] = ()


def write_results(results: Results, folder: Path, *, force: bool = False) -> Path:
    """Writes pictures, packs, the reel and `index.html` into `folder`, which holds the sounds already; returns the page's path.

    Raises OutputExistsError before anything is written if the page exists and `force` is False.
    """
    check_absent(folder / "index.html", force=force)
    instrument, sounds = results.instrument, list(results.sounds)
    sample_rate, clips = sounds[0].sample_rate, instrument.contents.clips
    all_sounds = [*sounds, *(step for morph in results.morphs for step in morph.steps)]
    span = min(_LONGEST_PICTURE, max(sound.seconds for sound in all_sounds))
    (folder / _PICTURES).mkdir(parents=True, exist_ok=True)
    tiles = [_draw_tile(sound, results.sounds_folder, folder, f"{k + 1:04d}", span=span) for k, sound in enumerate(sounds)]
    if results.originals:
        tiles = [
            _beside_original(tile, original, instrument, folder, f"{k + 1:04d}")
            for k, (tile, original) in enumerate(zip(tiles, results.originals, strict=True))
        ]
    else:
        tiles = [replace(tile, recipe=f"{tile.file.removesuffix('.wav')}.json") for tile in tiles]
    packs = write_packs(folder, [[file for file in (tile.file, tile.recipe) if file] for tile in tiles])
    tiles = [replace(tile, pack=pack) for tile, pack in zip(tiles, packs, strict=True)]
    corpus: list[tuple[float, float, str, str | None]] = []
    if clips is not None and not results.originals:
        corpus = [(*p.tolist(), n, c) for p, n, c in zip(clips.positions, clips.names, clips.categories, strict=True)]
        positions = instrument.map_positions(sounds).tolist()
        tiles = [replace(tile, x=x, y=y) for tile, (x, y) in zip(tiles, positions, strict=True)]
    joined = reel([sound.samples for sound in sounds], sample_rate, gap_seconds=_GAP_SECONDS)
    write(folder / "reel.wav", joined, sample_rate, force=force)
    draw_spectrogram(joined, sample_rate, folder / _PICTURES / "reel.png", width=1400)
    page = ResultsPage(
        title=results.title,
        about=results.about,
        heading=results.heading,
        noun=results.noun,
        lead=results.lead,
        identity=_identity(sounds),
        sounds=tiles,
        morphs=[_draw_morph(morph, k, results.morphs_folder, folder, span=span) for k, morph in enumerate(results.morphs)],
        reel=SoundTile(f"All {results.noun}s in one piece", "reel.wav", joined.shape[-1] / sample_rate, picture=f"{_PICTURES}/reel.png"),
        reel_marks=_reel_marks(sounds),
        corpus=corpus,
        card=card_view(instrument.card, instrument.contents.settings),
        latents=None if results.originals else latent_view(instrument.statistics()),
        steps=results.steps,
        made_with=f"timbrespace {__version__}",
    )
    return write_results_page(folder, page, force=force)


def _draw_tile(sound: Sound, subfolder: str, folder: Path, picture_name: str, *, span: float) -> SoundTile:
    """Writes the spectrogram of a sound and returns its tile. subfolder: where its WAV is; span: time the picture shows (s)."""
    picture = f"{_PICTURES}/{picture_name}.png"
    draw_spectrogram(sound.samples, sound.sample_rate, folder / picture, seconds=span)
    return SoundTile(
        name=sound.name,
        file=f"{subfolder}/{sound.name}.wav" if subfolder else f"{sound.name}.wav",
        seconds=sound.seconds,
        category=sound.category,
        nearest=sound.nearest,
        novelty=sound.novelty,
        is_copy=sound.is_copy,
        is_own=sound.is_own,
        picture=picture,
        span=span,
        brightness=float(spectral_centroid(sound.samples.mean(0), sound.sample_rate)),
    )


def _beside_original(tile: SoundTile, original: Original, instrument: Instrument, folder: Path, name: str) -> SoundTile:
    """A tile with the given sound of its reconstruction, whose spectrogram it writes, and a word for the error."""
    picture, limits = f"{_PICTURES}/{name} original.png", limits_of(instrument.card)
    draw_spectrogram(original.audio, instrument.sample_rate, folder / picture, seconds=tile.picture_seconds)
    return replace(
        tile,
        original=original.file,
        original_picture=picture,
        original_seconds=original.audio.shape[-1] / instrument.sample_rate,
        error=original.error,
        verdict=limits.word(original.error) if limits else "",
    )


def _draw_morph(morph: Morph, number: int, subfolder: str, folder: Path, *, span: float) -> list[SoundTile]:
    """The tiles of a morph; the first and the last have the names of the two sounds, which the page makes the row's title."""
    tiles = [_draw_tile(step, subfolder, folder, f"morph {number + 1} {k + 1}", span=span) for k, step in enumerate(morph.steps)]
    names = [morph.start, *(f"step {number}" for number in range(2, len(tiles))), morph.end]
    return [replace(tile, name=name) for tile, name in zip(tiles, names, strict=True)]


def _reel_marks(sounds: Sequence[Sound]) -> list[tuple[float, str]]:
    """The start (s) and the name of each sound in the reel."""
    marks, start = [], 0.0
    for sound in sounds:
        marks.append((start, sound.name))
        start += sound.seconds + _GAP_SECONDS
    return marks


def _identity(sounds: Sequence[Sound]) -> str:
    """A short name of a batch: the same for the same names and samples."""
    digest = hashlib.sha256()
    for sound in sounds:
        digest.update(sound.name.encode("utf-8", errors="surrogatepass") + b"\0" + sound.samples.tobytes())
    return digest.hexdigest()[:16]

"""Sounds, instruments and maps in a notebook: players and spectrograms as one piece of HTML, without scripts or further files."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from timbrespace.audio.files import wav_bytes
from timbrespace.contracts import TimbrespaceError
from timbrespace.report.spectrogram import spectrogram_png
from timbrespace.report.templates import render
from timbrespace.wording import counted

if TYPE_CHECKING:
    from timbrespace.instrument import Instrument
    from timbrespace.synthesis.sound import Sound

MOST_SOUNDS = 24  # shown of a list
MOST_BYTES = 6_000_000  # of the audio of one output: a notebook keeps them
LONGEST_SECONDS = 20.0  # of a sound in a player: its beginning
_WIDTH, _HEIGHT = 240, 96  # pixels of a spectrogram
_EXAMPLES = 4  # new sounds beside an instrument


@dataclass(frozen=True)
class Tile:
    """A sound in a notebook: title, lines under it, URLs of its picture and its audio (empty: not to be had), and why there is none."""

    title: str
    lines: tuple[str, ...]
    picture: str
    audio: str
    reason: str = ""


def sounds_html(sounds: Sequence[Sound]) -> str:
    """Returns sounds as HTML: a picture and a player each, the first 24, of at most 6 MB of audio together.

    Pictures have one time scale, that of the longest sound. Audio is 16-bit WAV inside the HTML, at most 20 s of a sound.
    """
    tiles = tiles_of(sounds[:MOST_SOUNDS])
    shown = len(tiles)
    note = ""
    if len(sounds) > shown:
        others = f"[{shown}:{min(2 * shown, len(sounds))}]"
        note = f"the first {shown} of {counted(len(sounds), 'sound')}; a part of the list shows others: {others}"
    return render("notebook.html", heading="" if len(sounds) == 1 else counted(len(sounds), "sound"), tiles=tiles, note=note, facts=[])


def tiles_of(sounds: Sequence[Sound]) -> list[Tile]:
    """Returns the tiles of sounds; a sound that goes beyond the bytes of an output has a picture only."""
    longest = max((min(sound.seconds, LONGEST_SECONDS) for sound in sounds), default=1.0)
    out, room = [], MOST_BYTES
    for sound in sounds:
        tile, used = tile_of(sound, _lines(sound), span=longest, room=room)
        out.append(tile)
        room -= used
    return out


def tile_of(sound: Sound, lines: Sequence[str], *, span: float, room: int) -> tuple[Tile, int]:
    """Returns the tile of a sound, and the bytes of its audio. span: time that the picture shows (s). room: bytes left for audio."""
    picture, audio, reason, used = "", "", "", 0
    heard = sound.samples[:, : round(LONGEST_SECONDS * sound.sample_rate)]
    try:
        picture = _url("image/png", spectrogram_png(heard, sound.sample_rate, seconds=span, width=_WIDTH, height=_HEIGHT))
        data = wav_bytes(heard, sound.sample_rate, subtype="PCM_16")
        if len(data) <= room:
            audio, used = _url("audio/wav", data), len(data)
        else:
            reason = "no room for its audio here; show it alone"
    except TimbrespaceError as error:
        reason = str(error)
    if audio and heard.shape[-1] < sound.samples.shape[-1]:
        reason = f"the first {LONGEST_SECONDS:g} s"
    return Tile(sound.name, tuple(lines), picture, audio, reason), used


def _lines(sound: Sound) -> list[str]:
    """The values of a sound: length, category, novelty."""
    first = f"{sound.seconds:.2f} s" + (f", {sound.category}" if sound.category else "")
    if sound.is_own:
        return [first, "your own sound"]
    if sound.nearest is None:
        return [first]
    new = "a copy" if sound.is_copy else f"novelty {sound.novelty:.2f}" if sound.novelty is not None else "new"
    return [first, f"{new}, nearest {sound.nearest}"]


def instrument_html(instrument: Instrument) -> str:
    """Returns an instrument as HTML: its card in words, what it holds, and a few new sounds to hear."""
    from timbrespace.report.card import card_view

    contents = instrument.contents
    longest = (
        f"sounds of up to {contents.samples / contents.sample_rate:.2f} s" if instrument.longest is not None else "sounds of any length"
    )
    words = card_view(instrument.card, contents.settings).words
    facts = [
        ("instrument", f"{contents.settings.get('model', {}).get('name', 'model')}, {instrument.dims} numbers a sound, {longest}"),
        ("training sounds", "not named, because it was stripped" if contents.clips is None else f"{len(contents.clips.names):,}"),
        ("categories", ", ".join(instrument.categories) or "none"),
        ("conditions", ", ".join(instrument.conditions)),
        *((line.about, ": ".join(part for part in (line.word, line.text) if part)) for line in words),
    ]
    sounds = instrument.generate(_EXAMPLES, seed=0)
    tiles = tiles_of(sounds)
    return render(
        "notebook.html",
        heading="Instrument",
        tiles=tiles,
        note="new sounds: generate(4, seed=0)",
        facts=[fact for fact in facts if fact[1]],
    )


def page_html(page: str, *, height: int = 640) -> str:
    """Returns a whole page as a frame of a notebook, in which its scripts run and nothing else of the notebook is reached."""
    return render("notebook_frame.html", page=page, height=height)


def _url(media: str, data: bytes) -> str:
    return f"data:{media};base64,{base64.b64encode(data).decode()}"

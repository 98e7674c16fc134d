"""Labels in file names besides the category: pitch, velocity, instrument, and the hit that a file is a layer of."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from timbrespace.corpus.labels import vocabulary
from timbrespace.corpus.labels.categories import parts_of

_SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11, "h": 11}  # h: of German names, in which b is 10
_NOTE = re.compile(r"(?<![A-Za-z0-9])([A-Ha-h])(#|♯|b|♭|is|es|s)?([0-9])(?![A-Za-z0-9])")
_NOTE_ALONE = re.compile(r"([A-Ha-h])(#|♯|b|♭|is|es|s)?(-1|[0-9])")  # in the names of files "C-1" is a number after a letter
_PITCH_VELOCITY = re.compile(r"[_\- ](\d{3})[_\- ](\d{3})$")
_VELOCITY = re.compile(r"(?<![A-Za-z0-9])(?:v|vel|velocity)[_\- ]?(\d{2,3})(?![0-9A-Za-z])", re.IGNORECASE)
_LAYER_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:v|vel|velocity|vl|rr|layer|lyr|take|dyn)[_\- ]?\d{1,3}|p{2,4}|m[pf]|f{2,4})(?![A-Za-z0-9])", re.IGNORECASE
)
_DYNAMIC_WORDS = "softest|soft|softer|light|lite|quiet|medium|med|mid|normal|hard|harder|hardest|loud|louder|loudest|strong|ghost|accent"
_TRAILING_NUMBER = re.compile(r"(?<=\D)\d{1,3}\)?$")
_TRAILING_WORD = re.compile(rf"(?:[_\- .]+|(?<=[a-z0-9])(?=[A-Z]))(?:{_DYNAMIC_WORDS})$", re.IGNORECASE)


def plain(text: str) -> str:
    """`text` in composed Unicode (NFC), so that accents are the same from any system."""
    return unicodedata.normalize("NFC", text)


def midi_note(name: str) -> float | None:
    """MIDI number of a note name such as 'C3', 'A#4', 'Bb2', in German 'H3', 'Fis4', 'Des2' (C4 = 60, octaves -1 … 9), or None."""
    match = _NOTE_ALONE.fullmatch(name)
    return _midi(match) if match else None


def _midi(match: re.Match[str]) -> float:
    shift = {"#": 1, "♯": 1, "is": 1, "s": 1, "b": -1, "♭": -1, "es": -1}.get(match[2] or "", 0)
    if match[0][:2].lower() == "es":  # German for E flat, not E sharp
        shift = -1
    return float(12 * (int(match[3]) + 1) + _SEMITONES[match[1].lower()] + shift)


@dataclass(frozen=True, slots=True)
class PitchReading:
    """One way to read a pitch in a file name.

    kind: 'note' (C3), 'number' (060_085), 'drum' (C1 in the name of a drum). pitch: MIDI number. velocity: of 'number' only. letter:
    'B' of B without a sharp or flat, 'H' of German names (H, Fis, Des), otherwise ''.
    """

    kind: str
    pitch: float
    velocity: int | None = None
    letter: str = ""


def pitch_readings(stem: str, *, is_drum: bool = False) -> tuple[PitchReading, ...]:
    """All ways to read a pitch in a file name without suffix, the most explicit first; see `pitch_and_velocity`."""
    stem, out = plain(stem), []
    both = _PITCH_VELOCITY.search(stem)
    if both and int(both[1]) <= 127 and 1 <= int(both[2]) <= 127 and not is_drum:
        out.append(PitchReading("number", float(both[1]), int(both[2])))
    notes = [match for match in _NOTE.finditer(stem) if not is_drum or match[1].isupper()]
    if notes:
        written = notes[-1][0].upper()
        letter = "H" if written[0] == "H" or written[1:3] in ("IS", "ES") else "B" if written[0] == "B" and not notes[-1][2] else ""
        out.append(PitchReading("drum" if is_drum else "note", _midi(notes[-1]), letter=letter))
    return tuple(out)


def named_velocity(stem: str) -> int | None:
    """The velocity (1 … 127) that a file name without suffix marks as such ('v100', 'vel 64'), or None."""
    velocity = _VELOCITY.search(plain(stem))
    return int(velocity[1]) if velocity and 1 <= int(velocity[1]) <= 127 else None


def pitch_and_velocity(stem: str, *, is_drum: bool = False) -> tuple[float | None, int | None]:
    """Pitch (MIDI number) and velocity (1 … 127) in a file name without suffix, or None.

    'violin_060_085' is pitch 60, velocity 85; 'Pad C3' pitch 48; 'piano_A#4_v100' both; the 01 of 'Kick 01' is neither.
    In drum names only capital note names count: 'snare-b1' is a second snare. `pitch_names` compares these with the sound.
    """
    readings = pitch_readings(stem, is_drum=is_drum)
    velocity = readings[0].velocity if readings else None
    return readings[0].pitch if readings else None, named_velocity(stem) if velocity is None else velocity


def layer_key(stem: str, *, is_drum: bool = False) -> tuple[str, bool]:
    """The name of the hit that a file is a layer of, and whether the name states the layer explicitly.

    Files of one folder with the same key differ only in velocity, dynamics or a trailing number. The second value is True if only
    velocity or dynamics were removed ('BongoHi-Soft', 'violin_060_085'), False if a bare number was removed ('Snare_1', which may
    as well be the first of a hundred snares).
    """
    stem = plain(stem)
    both = _PITCH_VELOCITY.search(stem)
    if both and int(both[1]) <= 127 and 1 <= int(both[2]) <= 127 and not is_drum:
        return stem[: both.start(2) - 1].casefold(), True
    explicit = False
    shorter = _LAYER_TOKEN.sub("", stem)
    if shorter.strip("_- ."):
        explicit = shorter != stem
        stem = shorter
    stem = stem.rstrip("_- .")
    word = _TRAILING_WORD.search(stem)
    if word and word.start() > 0:
        return stem[: word.start()].casefold(), True
    note = [match for match in _NOTE.finditer(stem) if match[1] not in "Hh"]  # 'Tom H1' is a high tom
    number = None if note and note[-1].end() == len(stem) else _TRAILING_NUMBER.search(stem)
    if number and stem[: number.start()].rstrip("_- .("):
        base = stem[: number.start()].rstrip("_- .(")
        word = _TRAILING_WORD.search(base)
        return (base[: word.start()] if word and word.start() > 0 else base).casefold(), explicit
    return stem.casefold(), explicit


# 'pad' or 'plucked' describe a sound, not an instrument.
_INSTRUMENTS = frozenset(vocabulary.NOTES) - {"plucked", "bell", "strings", "pad", "brass", "wind", "pulsing", "vocal", "lead", "arp"}


@lru_cache(maxsize=1)
def _instrument_words() -> dict[tuple[str, ...], str]:
    """Word parts -> instrument, plurals included."""
    table = {}
    for name in _INSTRUMENTS:
        for text in vocabulary.NOTES[name].split(","):
            parts = tuple(text.split())
            table[parts] = table[(*parts[:-1], parts[-1] + "s")] = name
    return table


@lru_cache(maxsize=65536)
def _instrument_in(name: str) -> str | None:
    parts, instrument, index = parts_of(name), None, 0
    while index < len(parts):
        for length in (3, 2, 1):
            hit = _instrument_words().get(parts[index : index + length]) if index + length <= len(parts) else None
            if hit:
                instrument, index = hit, index + length - 1
                break
        index += 1
    return instrument


def instrument_of(file: str) -> str | None:
    """The instrument in a relative posix path: the last one in the file name, else in the nearest folder name; or None.

    'violin pizz 3.wav' is a violin, although its category is plucked; 'Strings/a.wav' has none.
    """
    *folders, name = file.split("/")
    for part in (name.rpartition(".")[0] or name, *reversed(folders)):
        instrument = _instrument_in(plain(part))
        if instrument:
            return instrument
    return None

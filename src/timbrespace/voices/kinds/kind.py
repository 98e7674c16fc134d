"""What differs between the kinds of voices when a piece is converted: options, the conversion itself, messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from timbrespace.contracts import ConfigError
from timbrespace.voices.arrays.conversion import ArrayConversionOptions, ArrayConverted
from timbrespace.voices.arrays.conversion import convert as convert_spectrogram
from timbrespace.voices.arrays.file import ArrayVoices
from timbrespace.voices.conversion import Conversion, ConversionOptions, Findings, convert
from timbrespace.voices.file import Voices
from timbrespace.voices.frames import Frames, Values
from timbrespace.voices.stream.rows import Piece
from timbrespace.voices.weights import Curve

_MELODIC = (0.05, 0.6)  # share of the sound with one clear pitch: none at all, and too little of it


class Drawn(NamedTuple):
    """What the page of a conversion shows. audio: `(channels, time)`. frames: of the piece. passages: start and end in s, of chords."""

    audio: Values
    frames: Frames
    passages: tuple[tuple[float, float], ...]
    source: str


class Kind(NamedTuple):
    """A kind of voices.

    options: makes its options of conversion, and raises ConfigError for those without a meaning. convert: see `conversion.convert`. open:
    a conversion block by block, see `conversion.Conversion`. facts: of a recipe, from what was found and the options. remarks: lines for
    the user, from what was found.
    """

    options: Callable[..., Any]
    convert: Callable[..., Any]
    open: Callable[..., Any]
    facts: Callable[[Any, Any], dict[str, Any]]
    remarks: Callable[[Any, tuple[str, ...]], list[str]]


def kind_of(voices: Voices | ArrayVoices) -> Kind:
    """Returns the kind of voices."""
    return _KINDS[type(voices)]


class ArrayBlock(NamedTuple):
    """A part of a converted piece. audio: `(time, channels)` at 44.1 kHz."""

    audio: Values
    frames: Frames | None = None


class ArrayConversion:
    """The conversion of a piece by a design, all of it in memory, with the methods of `conversion.Conversion`."""

    def __init__(
        self, voices: ArrayVoices, piece: Piece, to: Curve, options: ArrayConversionOptions, *,
        folder: Path | None = None, progress: Callable[[float], None] | None = None,
    ):  # fmt: skip
        self._result = convert_spectrogram(voices, piece.audio[:].T, to, options)
        self.samples = self._result.audio.shape[1]

    def blocks(self) -> Iterator[ArrayBlock]:
        """Yields the result."""
        yield ArrayBlock(self._result.audio.T)

    def findings(self) -> ArrayConverted:
        """Returns what was found."""
        return self._result

    def close(self) -> None:
        """Does nothing: no file is open."""


def _facts(result: Findings, options: ConversionOptions) -> dict[str, Any]:
    return {
        "from": result.source, "keep": list(options.keep), "stretch": options.stretch, "transpose": options.transpose, "seed": options.seed,
        "several_tones": [list(part) for part in result.passages], "out_of_range": round(result.outside, 3),
        **_modulations(options),
    }  # fmt: skip


def _modulations(options: ConversionOptions) -> dict[str, Any]:
    """What a recipe holds of changed modulations: nothing where they are the piece's own."""
    if not options.modulates:
        return {}
    given = None if options.donor is None else options.donor.name
    return {"vibrato": asdict(options.vibrato), "tremolo": asdict(options.tremolo), "modulation_from": given}


def _remarks(result: Findings, names: tuple[str, ...]) -> list[str]:
    """The source that was found, passages with several tones, notes out of range."""
    lines = _source_remark(result, names)
    if result.passages:
        shown = ", ".join(f"{start:.1f}–{stop:.1f} s" for start, stop in result.passages[:6])
        more = f" and {len(result.passages) - 6} more" if len(result.passages) > 6 else ""
        total = sum(stop - start for start, stop in result.passages)
        lines.append(f"several tones at once for {total:.1f} s, filtered instead of played again: {shown}{more}")
    if result.outside > 0.02 and result.melodic >= _MELODIC[0]:
        advice = f"; --transpose {result.octaves} moves it there" if result.octaves else ""
        lines.append(f"{100 * result.outside:.0f} % of the time its pitch is beyond what the voice was learned from{advice}")
    if result.melodic < _MELODIC[0]:
        lines.append("no clear pitch was found: voices play melodies")
    elif result.melodic < _MELODIC[1]:
        lines.append(f"only {100 * result.melodic:.0f} % of its sound has one clear pitch: voices play melodies")
    return lines


def _source_remark(result: Findings | ArrayConverted, names: tuple[str, ...]) -> list[str]:
    return [f"sounds most like {result.source} (of {', '.join(names)}) and is treated as played by it; --from chooses another"]


def _array_options(**given: Any) -> ArrayConversionOptions:
    known = ArrayConversionOptions.__dataclass_fields__
    if odd := sorted(set(given) - {*known}):
        raise ConfigError(
            f"{odd[0]} has no meaning for these voices, which translate whole spectrograms; leave it out, or learn with --preset voices"
        )
    return ArrayConversionOptions(**given)


_KINDS: dict[type, Kind] = {
    Voices: Kind(options=ConversionOptions, convert=convert, open=Conversion, facts=_facts, remarks=_remarks),
    ArrayVoices: Kind(
        options=_array_options, convert=convert_spectrogram, open=ArrayConversion,
        facts=lambda result, options: {"from": result.source, "iterations": options.iterations}, remarks=_source_remark
    ),
}  # fmt: skip

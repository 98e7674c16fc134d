"""Sound files converted into sound files, each with its recipe."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np

from timbrespace import __version__
from timbrespace.atomic import disk_error, replacing
from timbrespace.voices.analysis import analyse
from timbrespace.voices.arrays.file import ArrayVoices
from timbrespace.voices.file import Voices
from timbrespace.voices.frames import RATE, Frames, Values, joined
from timbrespace.voices.kinds.kind import Drawn, kind_of
from timbrespace.voices.stream.reading import ReadPiece, Resampler, read_rows
from timbrespace.voices.stream.replay import RENDER_VERSION, hash_of
from timbrespace.voices.stream.rows import Piece, Rows
from timbrespace.voices.stream.writing import write_rows
from timbrespace.voices.weights import Curve

_LOUDEST = 0.99  # a louder result is scaled as a whole
PAGE_SECONDS = 300.0  # a page shows the beginning of a longer piece
_SHARES = (0.05, 0.6, 0.95)  # of the work that are done after reading, analysis and rendering

Progress = Callable[[float], None]  # share done


def convert_file(
    voices: Voices | ArrayVoices, path: Path, target: Path, to: Curve, options: Any, *, rate: int | None = None, subtype: str = "PCM_24",
    force: bool = False, page: bool = False, progress: Progress | None = None,
) -> tuple[Any, dict[str, Any]]:  # fmt: skip
    """Converts a sound file of any length, writes `target` (.wav), its recipe (.json) and, if asked, a page (.html): all of them or none.

    options: of the kind of voices (`kinds`). rate: of the file, None: the piece's own. A long piece needs room on the disk of `target`
    meanwhile: 45 MB for a minute of two channels. Returns what was found, and the recipe. Raises AudioFileError, ConfigError,
    OutputExistsError, TimbrespaceError (disk full).
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        piece = read_rows(path, target.parent)
        _report(progress, _SHARES[0])
        with closing(piece.audio):
            return _convert(voices, path, piece, target, to, options, rate or piece.rate, subtype, force, page, progress)
    except OSError as error:
        raise disk_error(error, target) from error


def _convert(
    voices: Voices | ArrayVoices, path: Path, piece: ReadPiece, target: Path, to: Curve, options: Any, rate: int, subtype: str, force: bool,
    page: bool, progress: Progress | None,
) -> tuple[Any, dict[str, Any]]:  # fmt: skip
    first, second, third = _SHARES

    def analysed(share: float) -> None:
        _report(progress, first + (second - first) * share)

    conversion = kind_of(voices).open(voices, Piece(piece.audio), to, options, folder=target.parent, progress=analysed)
    made, shown = Rows(piece.audio.width, target.parent), _Shown(piece.audio.width) if page else None
    done = 0
    with closing(conversion), closing(made):
        length = max(1, round(conversion.samples / len(piece.audio) * piece.samples * rate / piece.rate))
        resampler = Resampler(RATE, rate, made.width, made, length=length)
        for block in conversion.blocks():
            resampler.append(block.audio)
            done += len(block.audio)
            if shown is not None:
                shown.add(block.audio, block.frames)
            _report(progress, second + (third - second) * done / conversion.samples)
        resampler.close()
        found, gain = conversion.findings(), _gain(made)
        recipe = _recipe(voices, path, to, options, found, rate=rate, gain=gain)
        with ExitStack() as stack:
            paths = [stack.enter_context(replacing(target.with_suffix(suffix), force=force)) for suffix in (".wav", ".json")]
            write_rows(paths[0], made, rate, gain=gain, subtype=subtype)
            paths[1].write_text(json.dumps(recipe, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", errors="backslashreplace")
            if shown is not None:
                at = stack.enter_context(replacing(target.with_suffix(".html"), force=force))
                shown.write(at, piece.audio, found, title=path.stem, to=to.text(), seconds=conversion.samples / RATE)
    _report(progress, 1.0)
    return found, recipe


def _report(progress: Progress | None, share: float) -> None:
    if progress is not None:
        progress(share)


def _gain(rows: Rows) -> float:
    """The factor that leaves no sample over _LOUDEST."""
    step = 1 << 20
    peak = max((float(np.abs(rows[start : start + step]).max()) for start in range(0, len(rows), step)), default=0.0)
    return min(1.0, _LOUDEST / peak) if peak > 0 else 1.0


def _recipe(
    voices: Voices | ArrayVoices, path: Path, to: Curve, options: Any, found: Any, *, rate: int, gain: float
) -> dict[str, Any]:  # fmt: skip
    return {
        "verb": "convert", "made_by": __version__, "render_version": RENDER_VERSION, "voices": voices.digest, "piece": path.name,
        "piece_hash": hash_of(path), "to": to.text(),
        "sample_rate": rate, "gain_db": round(20 * float(np.log10(gain)), 2), **kind_of(voices).facts(found, options),
    }  # fmt: skip


class _Shown:
    """The beginning of a result for its page."""

    def __init__(self, channels: int):
        self._audio, self._frames = Rows(channels), list[Frames]()

    def add(self, audio: Values, frames: Frames | None) -> None:
        """Adds a block, if there is room. frames: of the piece, as it is played, where they are known."""
        if len(self._audio) < PAGE_SECONDS * RATE:
            self._audio.append(audio)
            self._frames += [] if frames is None else [frames]

    def write(self, path: Path, piece: Rows, found: Any, *, title: str, to: str, seconds: float) -> None:
        """Writes the page. piece: at RATE. seconds: of the whole result."""
        from timbrespace.voices.page import write_conversion_page

        limit = round(PAGE_SECONDS * RATE)
        wave = piece[:limit].T
        frames = joined(self._frames) if self._frames else analyse(wave.mean(axis=0, dtype=np.float64))
        drawn = Drawn(self._audio[:limit].T, frames, found.passages, found.source)
        write_conversion_page(path, wave, drawn, title=title, to=to, seconds=seconds, force=True)

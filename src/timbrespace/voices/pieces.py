"""Sound files converted into sound files, each with its recipe."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from timbrespace import __version__
from timbrespace.atomic import write_text
from timbrespace.audio.files import read_array, write
from timbrespace.audio.resampling import resample_array
from timbrespace.contracts import AudioFileError
from timbrespace.voices.arrays.file import ArrayVoices
from timbrespace.voices.file import Voices
from timbrespace.voices.frames import RATE, Values
from timbrespace.voices.kinds.kind import kind_of
from timbrespace.voices.weights import Curve

RENDER_VERSION = 2  # 2: without vibrato, by its own rate
_LOUDEST = 0.99  # a louder result is scaled as a whole


def convert_file(
    voices: Voices | ArrayVoices, path: Path, target: Path, to: Curve, options: Any, *,
    rate: int | None = None, subtype: str = "PCM_24", force: bool = False, page: bool = False,
) -> tuple[Any, dict[str, Any]]:  # fmt: skip
    """Converts a sound file, writes `target` (.wav), its recipe (.json) and, if asked, a page (.html); returns the result and the recipe.

    options: of the kind of voices (`kinds`). rate: of the file, None: the piece's own. Raises AudioFileError, ConfigError,
    OutputExistsError.
    """
    wave, own_rate = read_piece(path)
    kind = kind_of(voices)
    result = kind.convert(voices, wave, to, options)
    audio = result.audio if (rate or own_rate) == RATE else resample_array(result.audio, RATE, rate or own_rate)
    peak = float(np.abs(audio).max(initial=0.0))
    gain = min(1.0, _LOUDEST / peak) if peak > 0 else 1.0
    write(target, audio * np.float32(gain), rate or own_rate, subtype=subtype, force=force)
    recipe: dict[str, Any] = {
        "verb": "convert", "made_by": __version__, "render_version": RENDER_VERSION, "voices": voices.digest, "piece": path.name,
        "piece_hash": hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest(), "to": to.text(),
        **kind.facts(result, options), "gain_db": round(20 * float(np.log10(gain)), 2),
    }  # fmt: skip
    write_text(target.with_suffix(".json"), json.dumps(recipe, indent=1, ensure_ascii=False) + "\n", force=force)
    if page:
        from timbrespace.voices.page import write_conversion_page

        write_conversion_page(target.with_suffix(".html"), wave, kind.drawn(result, wave), title=path.stem, to=to.text(), force=force)
    return result, recipe


def read_piece(path: Path) -> tuple[Values, int]:
    """Returns a piece `(channels, time)` at RATE, one or two channels, and its own rate in Hz. Raises AudioFileError."""
    wave, rate = read_array(path)
    if len(wave) > 2:
        wave = wave.mean(axis=0, dtype=np.float32)[None]
    if not np.abs(wave).max(initial=0.0) > 0:
        raise AudioFileError(f"{path} is silent; there is nothing to convert")
    return (wave if rate == RATE else resample_array(wave, rate, RATE)), rate

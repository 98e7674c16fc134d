"""Sound files with other modulations, each with its recipe."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from timbrespace import __version__
from timbrespace.atomic import write_text
from timbrespace.audio.files import read_array, write
from timbrespace.audio.resampling import resample_array
from timbrespace.contracts import AudioFileError
from timbrespace.modulation.change import Changed, Donor, change
from timbrespace.modulation.options import Wish
from timbrespace.voices.frames import Values

RENDER_VERSION = 1
_LOUDEST = 0.99  # a louder result is scaled as a whole


def read_sound(path: Path) -> tuple[Values, int]:
    """Returns a sound `(channels, time)` and its rate in Hz. Raises AudioFileError, also for silence."""
    audio, rate = read_array(path)
    if not np.abs(audio).max(initial=0.0) > 0:
        raise AudioFileError(f"{path} is silent; there is nothing to measure or to change")
    return audio, rate


def modulate_file(
    path: Path, target: Path, vibrato: Wish, tremolo: Wish, donor: Donor | None = None, *, source: Path | None = None,
    rate: int | None = None, subtype: str = "PCM_24", force: bool = False,
) -> tuple[Changed, dict[str, Any]]:  # fmt: skip
    """Changes a sound file, writes `target` (.wav) and its recipe (.json); returns the result and the recipe.

    donor: what another sound gives. source: its file. rate: of the file, None: the sound's own. Raises AudioFileError,
    OutputExistsError.
    """
    wave, own_rate = read_sound(path)
    result = change(wave, own_rate, vibrato, tremolo, donor)
    audio = result.audio if (rate or own_rate) == own_rate else resample_array(result.audio, own_rate, rate or own_rate)
    peak, changed = float(np.abs(audio).max(initial=0.0)), result.vibrato + result.tremolo > 0
    gain = _LOUDEST / peak if changed and peak > 1.0 else 1.0  # without a change also loud samples are the sound's own
    write(target, audio * np.float32(gain) if gain < 1 else audio, rate or own_rate, subtype=subtype, force=force)
    recipe: dict[str, Any] = {
        "verb": "modulate", "made_by": __version__, "render_version": RENDER_VERSION, "source": path.name, "source_hash": _digest(path),
        "vibrato": asdict(vibrato), "tremolo": asdict(tremolo), "from": None if donor is None else donor.name,
        "from_hash": None if source is None else _digest(source), "changed": {"vibrato": result.vibrato, "tremolo": result.tremolo},
        "gain_db": round(20 * float(np.log10(gain)), 2), "before": result.before.row(),
    }  # fmt: skip
    write_text(target.with_suffix(".json"), json.dumps(recipe, indent=1, ensure_ascii=False) + "\n", force=force)
    return result, recipe


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()

"""Files of voices of every kind, by the format that their header names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from timbrespace.contracts import InstrumentFileError
from timbrespace.synthesis.file.header import read_bytes
from timbrespace.synthesis.file.layout import DESIGN_FORMAT, KEY, VOICES_FORMAT
from timbrespace.voices.arrays.file import ArrayVoices, array_voices_of
from timbrespace.voices.file import Voices, voices_of

_READERS: Mapping[str, Callable[[Path, Mapping[str, Any], bytes], Voices | ArrayVoices]] = {
    VOICES_FORMAT: voices_of,
    DESIGN_FORMAT: array_voices_of,
}


def open_voices(path: Path) -> Voices | ArrayVoices:
    """Returns the voices of a file. Raises InstrumentFileError that names the fault."""
    advice = f"make one: timbrespace train violin=FOLDER flute=FOLDER --preset voices --out {path.name}"
    if not path.exists():
        raise InstrumentFileError(f"{path} does not exist; {advice}")
    data = read_bytes(path)
    try:
        size = int.from_bytes(data[:8], "little")
        header = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][KEY])
        reader = _READERS[header["format"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InstrumentFileError(f"{path} is not a file of voices; {advice}") from None
    return reader(path, header, data)

"""Sounds that a person drops into the page: read within bounds, encoded, and forgotten."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from timbrespace.audio.files import AUDIO_SUFFIXES, probe
from timbrespace.contracts import AudioFileError
from timbrespace.web.server.jobs import Job
from timbrespace.web.server.served import Served

if TYPE_CHECKING:
    from torch import Tensor

MOST_BYTES, MOST_SECONDS = 20_000_000, 60.0
_MOST_SAMPLES = 50_000_000  # of all channels, decoded: 200 MB
_NEIGHBOURS = 10
_LONGEST_NAME = 200


def name_in(header: str | None) -> str:
    """Returns the label of a sound, of its percent-encoded name: printable, no folders; it is shown and never opened."""
    text = unquote((header or "")[: 12 * _LONGEST_NAME], errors="replace").replace("\\", "/").rstrip("/").rpartition("/")[2]
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)[:_LONGEST_NAME] or "sound"


def encoded(served: Served, data: bytes, name: str, job: Job) -> dict[str, Any]:
    """Returns what a page needs of a sound file: its latent, kind, length, the error of its reconstruction, and its neighbours.

    data: bytes of the file. name: see `name_in`. Raises AudioFileError, ShapeError, CancelledError.
    """
    from timbrespace.audio.distance import log_mel_error
    from timbrespace.synthesis.encoding import trim_to_onset

    instrument = served.instrument
    job.progress(0, 3)
    audio = _read(served, data, name)
    sound = trim_to_onset(instrument.contents, audio, None)[0]
    found = instrument.encode(sound)
    job.progress(1, 3)
    decoded = instrument.decode(found.z, length=found.length) * found.peak
    error = float(log_mel_error([sound], [decoded], sample_rate=instrument.sample_rate)[0])
    job.progress(2, 3)
    kind = instrument.kind_of(sound, file=Path("/") / name)  # no folder says what it is
    known = instrument.categories
    neighbours = served.like_sound(sound, _NEIGHBOURS)
    job.progress(3, 3)
    return {
        "z": [float(value) for value in found.z],
        "category": known.index(kind.category) if kind is not None and kind.category in known else -1,
        "seconds": round(audio.shape[-1] / instrument.sample_rate, 3),
        "name": name,
        "error_db": round(error, 2),
        "neighbours": neighbours,
    }


def _read(served: Served, data: bytes, name: str) -> Tensor:
    """The sound in a file's bytes, `(channels, time)` at the instrument's rate. Raises AudioFileError, with `name` as the file's.

    Decoders read files, so that the bytes are one for a moment, in a folder that only this process opens.
    """
    suffix = PurePath(name).suffix.lower()
    with tempfile.TemporaryDirectory(prefix="timbrespace-") as folder:
        path = Path(folder) / f"sound{suffix if suffix in AUDIO_SUFFIXES else ''}"
        path.write_bytes(data)
        try:
            info = probe(path)
            seconds = info.frames / info.sample_rate
            if seconds > MOST_SECONDS:
                raise AudioFileError(f"{name}: {seconds:.0f} s long; at most {MOST_SECONDS:g} s are taken")
            if info.frames * info.channels > _MOST_SAMPLES:
                raise AudioFileError(
                    f"{name}: {info.frames * info.channels:,} samples in all channels; at most {_MOST_SAMPLES:,} are taken"
                )
            return served.instrument.read(path)
        except AudioFileError as error:
            raise AudioFileError(str(error).replace(str(path), name)) from None

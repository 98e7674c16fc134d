"""MusicNet: `train_data/ID.wav`, `train_labels/ID.csv`, the same for test, and `musicnet_metadata.csv`.

A recording of one instrument has that instrument as category; one of several has its ensemble ('string quartet'), and no instrument.
A recording stays together however it is cut. test_data is the test split; validation is drawn from train_data.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from timbrespace.corpus.labels.readers.labels import FileLabels, Listing, Moment, below, beside, prefix_of, told, word
from timbrespace.corpus.labels.readers.tables import Row, RowError, rows
from timbrespace.corpus.rows import Scalar

NEEDS = "it needs train_data/ or test_data/ beside train_labels/, test_labels/ or musicnet_metadata.csv"
_TABLE = "musicnet_metadata.csv"
_RATE = 44_100  # Hz: the labels' times are samples at this rate
_LONGEST = 1 << 40  # samples
_ONE_NOTE = 0.9  # share of all that is held in a stretch, from which on it has a pitch
# General MIDI program numbers from 1 on, as the labels have them.
_PROGRAMS = dict(
    zip(
        (1, 7, 41, 42, 43, 44, 61, 69, 71, 72, 74),
        ("piano", "harpsichord", "violin", "viola", "cello", "contrabass", "horn", "oboe", "bassoon", "clarinet", "flute"),
        strict=True,
    )
)


def find(folder: Path) -> Path | None:
    """The folder with train_data or test_data, and labels or metadata beside."""

    def marks(path: Path) -> bool:
        data = (path / "train_data").is_dir() or (path / "test_data").is_dir()
        return data and ((path / "train_labels").is_dir() or (path / "test_labels").is_dir() or (path / _TABLE).is_file())

    return beside(folder, marks)


def read(base: Path, folder: Path, files: frozenset[str]) -> Listing:
    """Instrument or ensemble, composer, notes of each recording. Raises CorpusError."""
    prefix = prefix_of(base, folder)
    listing = Listing(names_speak=False, estimate=False)
    metadata = _metadata(base, folder, listing)
    for split in ("train", "test"):
        stems = set()
        for file in below(files, f"{prefix}{split}_data/"):
            stem = Path(file).stem
            stems.add(stem)
            table = f"{split}_labels/{stem}.csv"
            try:
                notes = _notes(base / table, prefix + table) if (base / table).is_file() else None
            except RowError as error:
                listing.refuse(file, str(error), where=prefix + table, present=files)
            else:
                listing.files[file] = _labels(stem, split, notes, metadata.get(stem))
        if (base / f"{split}_labels").is_dir():
            for path in sorted((base / f"{split}_labels").glob("*.csv")):
                if path.stem not in stems and not path.name.startswith("."):
                    listing.complain(
                        f"{prefix}{split}_data/{path.stem}.wav", f"{split}_labels/{path.name} is there, but no such sound file"
                    )
    return listing


def _metadata(base: Path, folder: Path, listing: Listing) -> dict[str, Row]:
    """Rows of musicnet_metadata.csv by recording; it may lie beside the data or a folder above, where that was given."""
    path = next((place / _TABLE for place in (base, folder) if (place / _TABLE).is_file()), None)
    if path is None:
        return {}
    out: dict[str, Row] = {}
    for row in rows(path, name=path.relative_to(folder).as_posix(), columns=("id", "ensemble")):
        if row.text("id") in out:
            listing.complain(row.where, f"recording {row.text('id')[:40]} is listed twice; the first line counts")
        out.setdefault(row.text("id"), row)
    return out


def _notes(path: Path, name: str) -> np.ndarray:
    """(notes, 4) float64: start and end in s, instrument, MIDI pitch. Raises RowError, CorpusError."""
    out = []
    for row in rows(path, name=name, columns=("start_time", "end_time", "instrument", "note")):
        start = row.whole("start_time", 0, _LONGEST)
        end = row.whole("end_time", start, _LONGEST)
        out.append((start / _RATE, end / _RATE, row.whole("instrument", 1, 128), row.whole("note", 0, 127)))
    return np.array(out, dtype=np.float64).reshape(-1, 4)


def _labels(stem: str, split: str, notes: np.ndarray | None, row: Row | None) -> FileLabels:
    ensemble = word(row.text("ensemble").lower()) if row else None
    instruments = [] if notes is None else [_PROGRAMS.get(int(n), f"program {int(n)}") for n in np.unique(notes[:, 2])]
    if not instruments and ensemble and ensemble.startswith("solo "):
        instruments = [ensemble.removeprefix("solo ")]
    instrument = instruments[0] if len(instruments) == 1 else None
    facts = {name: row.text(name) for name in ("composer", "composition", "movement")} if row else {}
    return FileLabels(
        category=instrument or ensemble or ("ensemble" if instruments else None),
        instrument=instrument,
        group=stem,
        split=split,
        labels=told(recording=stem, ensemble=ensemble, instruments=", ".join(sorted(instruments)), **facts),
        moment=None if notes is None else _moment(notes),
    )


def _moment(notes: np.ndarray) -> Moment:
    """Says of a stretch how many notes begin in it, and its pitch where it is all but one note."""

    def say(start: float, seconds: float) -> tuple[float | None, dict[str, Scalar]]:
        held = np.minimum(notes[:, 1], start + seconds) - np.maximum(notes[:, 0], start)
        inside = held > 0
        begun = int(((notes[:, 0] >= start) & (notes[:, 0] < start + seconds)).sum())
        pitches, which = np.unique(notes[inside, 3], return_inverse=True)
        if not len(pitches):
            return None, {"notes": begun}
        shares = np.bincount(which.ravel(), held[inside])
        top = int(shares.argmax())
        return (float(pitches[top]) if shares[top] >= _ONE_NOTE * shares.sum() else None), {"notes": begun}

    return say

"""MusicNet: `train_data/ID.wav`, `train_labels/ID.csv`, the same for test, and `musicnet_metadata.csv`.

The category of a recording of one instrument is that instrument; of several, its ensemble ('string quartet'), without an instrument.
All clips of a recording stay in one split. test_data is the test split; validation is drawn from train_data.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from timbrespace.corpus.labels.readers.labels import CorpusLabels, FileLabels, LabelsAt, files_in, find_layout, prefix_of
from timbrespace.corpus.labels.readers.tables import Row, RowError, rows
from timbrespace.corpus.labels.values import Scalar, clean_category, clean_labels
from timbrespace.paths import is_file, is_folder

NEEDS = "it needs train_data/ or test_data/ beside train_labels/, test_labels/ or musicnet_metadata.csv"
_TABLE = "musicnet_metadata.csv"
_RATE = 44_100  # Hz: times in the labels are samples at this rate
_LONGEST = 1 << 40  # samples
_ONE_NOTE = 0.9  # share of all note time in a clip from which a note is its pitch
# General MIDI program numbers, counted from 1 as in the labels.
_PROGRAMS = dict(
    zip(
        (1, 7, 41, 42, 43, 44, 61, 69, 71, 72, 74),
        ("piano", "harpsichord", "violin", "viola", "cello", "contrabass", "horn", "oboe", "bassoon", "clarinet", "flute"),
        strict=True,
    )
)


def find(folder: Path) -> Path | None:
    """The folder with train_data or test_data, and labels or metadata, or None."""

    def matches(path: Path) -> bool:
        data = is_folder(path / "train_data") or is_folder(path / "test_data")
        return data and (is_folder(path / "train_labels") or is_folder(path / "test_labels") or is_file(path / _TABLE))

    return find_layout(folder, matches)


def read(base: Path, folder: Path, files: frozenset[str]) -> CorpusLabels:
    """Labels of each recording: instrument or ensemble, composer, notes. Raises CorpusError."""
    prefix = prefix_of(base, folder)
    out = CorpusLabels(use_names=False, estimate_pitch=False)
    metadata = _metadata(base, folder, out)
    for split in ("train", "test"):
        stems = set()
        for file in files_in(files, f"{prefix}{split}_data/"):
            stem = Path(file).stem
            stems.add(stem)
            table = f"{split}_labels/{stem}.csv"
            try:
                notes = _notes(base / table, prefix + table) if is_file(base / table) else None
            except RowError as error:
                out.refuse(file, str(error), where=prefix + table, present=files)
            else:
                out.files[file] = _labels(stem, split, notes, metadata.get(stem))
        if is_folder(base / f"{split}_labels"):
            for path in sorted((base / f"{split}_labels").glob("*.csv")):
                if path.stem not in stems and not path.name.startswith("."):
                    out.add_problem(
                        f"{prefix}{split}_data/{path.stem}.wav", f"{split}_labels/{path.name} is present, but there is no such sound file"
                    )
    return out


def _metadata(base: Path, folder: Path, out: CorpusLabels) -> dict[str, Row]:
    """Rows of musicnet_metadata.csv by recording; the file may be in `base` or in `folder`."""
    path = next((place / _TABLE for place in (base, folder) if is_file(place / _TABLE)), None)
    if path is None:
        return {}
    by_recording: dict[str, Row] = {}
    for row in rows(path, name=path.relative_to(folder).as_posix(), columns=("id", "ensemble")):
        if row.text("id") in by_recording:
            out.add_problem(row.where, f"recording {row.text('id')[:40]} is listed twice; the first line counts")
        by_recording.setdefault(row.text("id"), row)
    return by_recording


def _notes(path: Path, name: str) -> np.ndarray:
    """Notes `(notes, 4)` float64: start and end in s, instrument, MIDI pitch. Raises RowError, CorpusError."""
    out = []
    for row in rows(path, name=name, columns=("start_time", "end_time", "instrument", "note")):
        start = row.whole("start_time", 0, _LONGEST)
        end = row.whole("end_time", start, _LONGEST)
        out.append((start / _RATE, end / _RATE, row.whole("instrument", 1, 128), row.whole("note", 0, 127)))
    return np.array(out, dtype=np.float64).reshape(-1, 4)


def _labels(stem: str, split: str, notes: np.ndarray | None, row: Row | None) -> FileLabels:
    ensemble = clean_category(row.text("ensemble").lower()) if row else None
    instruments = [] if notes is None else [_PROGRAMS.get(int(n), f"program {int(n)}") for n in np.unique(notes[:, 2])]
    if not instruments and ensemble and ensemble.startswith("solo "):
        instruments = [ensemble.removeprefix("solo ")]
    instrument = instruments[0] if len(instruments) == 1 else None
    metadata = {name: row.text(name) for name in ("composer", "composition", "movement")} if row else {}
    return FileLabels(
        category=instrument or ensemble or ("ensemble" if instruments else None),
        instrument=instrument,
        group=stem,
        split=split,
        labels=clean_labels(recording=stem, ensemble=ensemble, instruments=", ".join(sorted(instruments)), **metadata),
        labels_at=None if notes is None else _labels_at(notes),
    )


def _labels_at(notes: np.ndarray) -> LabelsAt:
    """A function from a time span to its pitch, if one note fills most of it, and the number of notes that start in it."""

    def labels_at(start: float, seconds: float) -> tuple[float | None, dict[str, Scalar]]:
        held = np.minimum(notes[:, 1], start + seconds) - np.maximum(notes[:, 0], start)
        inside = held > 0
        started = int(((notes[:, 0] >= start) & (notes[:, 0] < start + seconds)).sum())
        pitches, which = np.unique(notes[inside, 3], return_inverse=True)
        if not len(pitches):
            return None, {"notes": started}
        shares = np.bincount(which.ravel(), held[inside])
        top = int(shares.argmax())
        return (float(pitches[top]) if shares[top] >= _ONE_NOTE * shares.sum() else None), {"notes": started}

    return labels_at

"""The clips of a corpus whose files have not changed, in the form in which `prepare` takes the clips of a file that it reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from timbrespace.audio.containers.base import Remark
from timbrespace.audio.pitch_estimation import estimate_midi
from timbrespace.contracts import CorpusError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.fingerprint import fingerprint
from timbrespace.corpus.labels.pitch_names import Estimate
from timbrespace.corpus.prepared.records import FileRecord, read_records
from timbrespace.corpus.sources import PreparedClip, SourceUnit, UnitResult


@dataclass
class Changes:
    """How many files of an update are new, changed, removed and unchanged; skipped: how many were skipped before and are read again."""

    new: int = 0
    skipped: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0

    def as_dict(self) -> dict[str, int]:
        """The numbers by name."""
        return asdict(self)

    @property
    def text(self) -> str:
        """'5 files new, 1 changed, 2 removed, 80 unchanged (not read)', and how many were skipped before."""
        skipped = f", {self.skipped} skipped before (read again)" if self.skipped else ""
        return f"{self.new} files new, {self.changed} changed, {self.removed} removed, {self.unchanged} unchanged (not read){skipped}"


class Unchanged:
    """The clips of a corpus by file, for those files that have not changed since; `changes` counts them.

    Attributes: estimates (by file, see `check_pitch_names`), filled by `find`.
    """

    def __init__(self, corpus: Corpus):
        """Raises CorpusError if the corpus has no records of its files, or they are damaged."""
        self.changes, self.estimates = Changes(), dict[str, Estimate]()
        self._corpus: Corpus | None = corpus
        self._records, self._kept = read_records(corpus.path), dict[str, FileRecord]()
        self._clips: dict[str, list[int]] = defaultdict(list)
        for index, clip in enumerate(corpus.clips):
            self._clips[clip.file].append(index)
        self._remarks: dict[str, list[Remark]] = defaultdict(list)
        for row in corpus.remarks():
            self._remarks[row["file"]].append(Remark(row["kind"], row["text"]))
        self._skipped = {row["file"] for row in corpus.skipped()}

    def find(self, paths: Mapping[str, Path]) -> None:
        """Compares the files of the folder, by relative name, with the records. Raises CorpusError if none of them is known."""
        if not set(paths) & set(self._records):
            raise CorpusError("none of the files that this corpus was prepared from is in the folder; give the folder it was prepared from")
        for file, path in paths.items():
            record = self._records.get(file)
            if record is None and file not in self._skipped:
                self.changes.new += 1
            elif record is None or file in self._skipped or file not in self._clips:
                self.changes.skipped += 1
            elif record.fits(path):
                self.changes.unchanged += 1
                self._kept[file] = replace(record, mtime_ns=path.stat().st_mtime_ns)
                if record.estimate is not None:
                    self.estimates[file] = record.estimate
            else:
                self.changes.changed += 1
        self.changes.removed = len(set(self._records) - set(paths))

    def record(self, file: str) -> FileRecord | None:
        """The record of a file that has not changed; None for any other."""
        return self._kept.get(file)

    def result(self, unit: SourceUnit) -> UnitResult:
        """What `prepare_unit` gave for an unchanged file, from the corpus. Pitch and fingerprint are computed again where it lacks them."""
        assert self._corpus is not None
        clips = [self._clip(index, unit) for index in self._clips[unit.file]]
        info = self._corpus.clips[self._clips[unit.file][0]]
        return UnitResult(
            unit.file, clips, None, info.source_rate, info.source_channels, last=True, remarks=tuple(self._remarks.get(unit.file, ()))
        )

    def _clip(self, index: int, unit: SourceUnit) -> PreparedClip:
        assert self._corpus is not None
        info, audio, rate = self._corpus.clips[index], self._corpus.audio(index).numpy(), self._corpus.sample_rate
        pitch, confidence = None, None
        if unit.pitch:
            pitch, confidence = (
                estimate_midi(audio, rate) if info.pitch_confidence is None else (info.pitch, info.pitch_confidence)
            )  # a pitch without confidence is from labels
        print_ = fingerprint(np.ascontiguousarray(audio), rate) if unit.compare else None
        return PreparedClip(audio, info.start_s, info.gain_db, print_, pitch, confidence)

    def close(self) -> None:
        """Closes the files of the corpus, so that it can be replaced on every system."""
        self._corpus = None

"""Labels of every file of a folder: from the user's rules, from the corpus's own tables, and from file and folder names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from timbrespace.corpus.labels.categories import DRUM_CATEGORIES, categorise, category_by_rule
from timbrespace.corpus.labels.names import instrument_of, pitch_and_velocity
from timbrespace.corpus.labels.readers.labels import CorpusLabels, FileLabels


def collect_labels(files: Sequence[str], tables: CorpusLabels, rules: Mapping[str, str] | None, *, root: str) -> dict[str, FileLabels]:
    """Labels by relative file name. The user's rules count first, then the tables, then, if the layout allows it, names.

    rules: name pattern -> category. root: name of the folder itself, the last resort for a category.
    """
    named = [file for file in files if tables.use_names or file not in tables.files]
    categories = dict(zip(named, categorise(named, rules=rules, root=root), strict=True))
    out = {}
    for file in files:
        listed = tables.files.get(file)
        ruled = category_by_rule(PurePosixPath(file), rules) if rules and listed is not None else None
        labels = listed or FileLabels()
        if ruled:
            labels = replace(labels, category=ruled)
        out[file] = _complete_from_name(file, labels, categories[file]) if file in categories else labels
    return out


def _complete_from_name(file: str, labels: FileLabels, category: str | None) -> FileLabels:
    """`labels` with missing fields filled from the file's name; `category` is that of the names."""
    category = labels.category or category
    is_drum = category in DRUM_CATEGORIES
    pitch, velocity = pitch_and_velocity(PurePosixPath(file).stem, is_drum=is_drum)
    return replace(
        labels,
        category=category,
        instrument=labels.instrument or (None if is_drum else instrument_of(file)),
        pitch=pitch if labels.pitch is None else labels.pitch,
        velocity=velocity if labels.velocity is None else labels.velocity,
    )

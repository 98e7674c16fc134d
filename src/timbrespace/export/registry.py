"""The exporters. A new format is its file and one line here; `tests/export/test_exporters.py` then covers it."""

from __future__ import annotations

from timbrespace.export.base import Exporter
from timbrespace.export.decent_sampler import DecentSampler
from timbrespace.export.sfz import SFZ

EXPORTERS: dict[str, Exporter] = {
    "sfz": SFZ(),
    "decent-sampler": DecentSampler(),
}

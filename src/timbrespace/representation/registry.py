"""The representations a preset can name."""

from __future__ import annotations

from timbrespace.representation.bands import Bands
from timbrespace.representation.base import Representation

REPRESENTATIONS: dict[str, type[Representation]] = {"bands": Bands}

"""The models a preset can name."""

from __future__ import annotations

from timbrespace.model.base import Model
from timbrespace.model.oneshot import OneShot

MODELS: dict[str, type[Model]] = {"oneshot": OneShot}

"""The models a preset can name: a new family is one file and one line here."""

from __future__ import annotations

from timbrespace.model.base import Model
from timbrespace.model.dense import Dense
from timbrespace.model.oneshot import OneShot

MODELS: dict[str, type[Model]] = {"oneshot": OneShot, "dense": Dense}

"""The rows of benchmarks/models.py: every preset with its own settings, one preset for each family at equal latent sizes, control rows."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from typing import Any

from timbrespace.config.presets import load_preset, presets

CORPORA = ("drums", "notes", "richness", "additive", "fm")  # recorded, recorded, and three toy corpora
SIZES = (8, 32)
CONTROLS = ("silence", "mean of the corpus", "nearest training sound")
PCA = "plain PCA"


@dataclass(frozen=True)
class Row:
    """One model on one corpus. preset: name of a preset or of a control row; dims: latent size; None: the preset's own."""

    corpus: str
    preset: str
    dims: int | None = None

    @property
    def name(self) -> str:
        """The name that `--rows` matches: `drums/dense`, `drums/dense@8`, `drums/control: silence`."""
        control = "control: " if self.control else ""
        return f"{self.corpus}/{control}{self.preset}" + ("" if self.dims is None else f"@{self.dims}")

    @property
    def file(self) -> str:
        """Name of the file with the results; rows of the same training share one."""
        same = self if self.control or self.dims is not None else replace(self, dims=own_size(self.preset))
        return same.name.replace("/", "--").replace(": ", "_").replace(" ", "_") + ".json"

    @property
    def control(self) -> bool:
        """Whether this is a control row, which trains nothing."""
        return self.preset in (*CONTROLS, PCA)


def all_rows() -> list[Row]:
    """All rows: control rows, presets with their own settings, families at each size; every corpus of one before the next."""
    own = [Row(corpus, preset) for preset in presets() for corpus in CORPORA]
    equal = [Row(corpus, preset, dims) for dims in SIZES for preset in families().values() for corpus in CORPORA]
    controls = [Row(corpus, control) for control in CONTROLS for corpus in CORPORA]
    return controls + [Row(corpus, PCA, dims) for dims in SIZES for corpus in CORPORA] + own + equal


@lru_cache(maxsize=1)
def families() -> dict[str, str]:
    """Family -> the preset that represents it at a given latent size: the preset of the same name, else the one with the shortest name."""
    found: dict[str, str] = {}
    for preset in sorted(presets(), key=len, reverse=True):
        model = load_preset(preset).model
        if dims_key(model) is not None and found.get(model["name"]) != model["name"]:
            found[model["name"]] = preset
    return dict(sorted(found.items()))


def dims_key(model: Mapping[str, Any]) -> str | None:
    """The config key of the latent size; None if the size follows from other settings (a convolutional code)."""
    if "dims" in model:
        return "model.dims"
    inner = model.get("inner") if "outer" in model else None
    return "model.inner.dims" if isinstance(inner, Mapping) and "dims" in inner else None


@lru_cache
def own_size(preset: str) -> int | None:
    """A preset's own latent size if it represents its family and families are compared at that size; else None."""
    if preset not in families().values():
        return None
    model: Any = load_preset(preset).model
    size = reduce(lambda inside, part: inside[part], str(dims_key(model)).split(".")[1:], model)
    return size if size in SIZES else None


def chosen(patterns: str, rows: list[Row]) -> list[Row]:
    """Rows whose names match one of the patterns (separated by commas). Raises ValueError if a pattern matches none."""
    wanted = [pattern.strip() for pattern in patterns.split(",")]
    for pattern in wanted:
        if not any(fnmatch.fnmatchcase(row.name, pattern) for row in rows):
            raise ValueError(f"{pattern!r} matches no row; --list prints the names")
    return [row for row in rows if any(fnmatch.fnmatchcase(row.name, pattern) for pattern in wanted)]

"""The rows of benchmarks/representations.py: every registered view with its defaults, every phase method, and a table of other settings."""

from __future__ import annotations

import fnmatch
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from timbrespace.config.build import build_representation
from timbrespace.config.settings import settings_of
from timbrespace.contracts import SAMPLE_RATE, ConfigError
from timbrespace.representation.base import Representation
from timbrespace.representation.phase.recover import METHODS
from timbrespace.representation.registry import REPRESENTATIONS
from timbrespace.representation.stereo import from_mid_side
from timbrespace.representation.views.log_stft import LogStft

# Other settings: name of the row -> config keys. The name begins with that of the view. A row is left out if its view is not registered
# or does not have these keys.
EXTRAS: dict[str, dict[str, Any]] = {
    "bands/256": {"bands": 256},  # the largest number with at most 44,100 values a second at hop 256
    "bands/256 fine": {"bands": 256, "floor": 100.0, "iterations": 128},  # the least error at that size
    "bands/refine": {"refine": 50},
    "bands/hop 128": {"hop": 128, "bands": 128},  # the largest number at hop 128
    "bands/2048": {"n_fft": 2048, "hop": 512, "bands": 385},
    "log-stft/2048": {"n_fft": 2048, "hop": 512},
    "magnitude/1024": {"n_fft": 1024, "hop": 256, "floor": 100.0},
    "spectrum/phase": {"phase": True},
    "spectrum/all bins": {"bands": 2049},
    "mdct/256": {"bands": 256},
}
LIBRARY = "log-stft/librosa griffin-lim"
CONTROLS = ("control/silence", "control/mean of the set")


@dataclass(frozen=True)
class Row:
    """One row: its name, the view in the registry (`control` has none) and the keys that are not defaults."""

    name: str
    view: str
    keys: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """Name of the file with its results."""
        return self.name.replace("/", "--").replace(" ", "_") + ".json"

    def build(self) -> Representation:
        """The view, mono at 44.1 kHz. Raises ConfigError."""
        if self.name == LIBRARY:
            return LibraryLog()
        return build_representation({"name": self.view, **self.keys}, sample_rate=SAMPLE_RATE, channels=1)


class LibraryLog(LogStft):
    """The `log-stft` view, inverted by librosa's Griffin-Lim with 32 plain iterations."""

    def _recover_audio(self, magnitude: Tensor, features: Tensor, *, length: int, **_: Any) -> Tensor:
        import librosa

        options: dict[str, Any] = {
            "n_iter": 32,
            "momentum": 0.0,
            "n_fft": self.n_fft,
            "hop_length": self.hop,
            "length": length,
            "random_state": 0,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # librosa warns about sounds shorter than a window
            return from_mid_side(torch.from_numpy(librosa.griffinlim(magnitude.numpy(), pad_mode="constant", **options)))


def all_rows() -> list[Row]:
    """All rows that can be measured on this machine, in the order of the tables."""
    rows = []
    for name in REPRESENTATIONS:
        rows += [Row(name, name), *_methods(name)]
        rows += [Row(extra, name, keys) for extra, keys in EXTRAS.items() if extra.split("/")[0] == name and _builds(name, keys)]
        if name == "log-stft" and _has_librosa():
            rows.append(Row(LIBRARY, name))
    return rows + [Row(name, "control") for name in CONTROLS]


def chosen(patterns: str, names: list[str]) -> list[str]:
    """The names that match one of the comma-separated patterns, in the order of `names`. Raises ValueError if a pattern matches none."""
    wanted = [pattern.strip() for pattern in patterns.split(",") if pattern.strip()]
    empty = [pattern for pattern in wanted if not fnmatch.filter(names, pattern)]
    if empty or not wanted:
        raise ValueError(f"--rows: nothing matches {', '.join(empty) or 'an empty list'}; the rows are {', '.join(names)}")
    return [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in wanted)]


def recovers_phase(view: Representation) -> bool:
    """Whether decoding must recover the phase."""
    return not view.exact and not keeps_phase(view)


def keeps_phase(view: Representation) -> bool:
    """Whether the features hold the phase, or the samples themselves."""
    return view.exact or bool(getattr(view, "phase", False))


def window_of(view: Representation) -> int:
    """Length of a frame's window in samples; 2048 if the view does not say."""
    window = getattr(view, "window", None)
    if isinstance(getattr(view, "n_fft", None), int):
        return int(view.n_fft)  # type: ignore[attr-defined]
    if isinstance(window, Tensor):
        return len(window)
    return int(getattr(view, "block", 2048))


def _methods(name: str) -> list[Row]:
    fields = settings_of(REPRESENTATIONS[name]).model_fields
    if "method" not in fields:
        return []
    default = fields["method"].default
    return [
        Row(f"{name}/{method}", name, {"method": method}) for method in METHODS if method != default and _builds(name, {"method": method})
    ]


def _builds(name: str, keys: Mapping[str, Any]) -> bool:
    try:
        build_representation({"name": name, **keys}, sample_rate=SAMPLE_RATE, channels=1)
    except ConfigError:
        return False
    return True


def _has_librosa() -> bool:
    from importlib.util import find_spec

    return find_spec("librosa") is not None

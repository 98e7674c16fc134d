"""The options of a training: names, defaults, checks and documentation in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from timbrespace.config.presets import load_preset
from timbrespace.config.schema import Config
from timbrespace.contracts import ConfigError

DEFAULT_PRESET = "oneshot"

if TYPE_CHECKING:
    from timbrespace.training.data.outer import TrainedOuter


@dataclass(frozen=True)
class TrainOptions:
    """How to train; keyword arguments of `timbrespace.train` and flags of `timbrespace train` have the same names.

    preset: a name, the path of a YAML file, or a Config; "": `oneshot`, or the settings of the instrument to continue from.
    continue_from: an instrument file. Training continues from it on its old sounds and those of the source, see `training.continuation`.
    minutes: of work in all. A short calibration turns them into steps and stores these, so that a resumed run equals an unbroken one.
    epochs: instead of minutes, passes over all examples. They do not depend on the speed of the machine: two runs with the
        same seed give the same tensors. Either of the two overrides the preset.
    changes: `key=value` texts that override the preset, such as "model.dims=16".
    seed: a whole number from 0 to 2**32 - 1. device: auto, cpu, cuda or mps.
    channels: 1 mixes a folder of sounds to mono, 2 keeps stereo.
    outer: an instrument file whose model, or the first of whose two, is the outer one of a model in two stages. It does not change: only
        the inner model is trained. Representation, settings of the outer model and the longest clip are those of the file.
    rules, pitch_names: how names of a folder of sounds are read, see `prepare`; a prepared corpus has its labels already.
    resume: continue an interrupted run from its last checkpoint, at most seconds old. force: replace existing files.
    precision: 32, 16-mixed (GPU only) or bf16-mixed.
    devices, nodes: devices of each machine, and machines, that share every batch; the program starts itself again for each device.
    tensorboard: a folder for TensorBoard's files.
    encoded: a folder that keeps the encoded sounds of the last run for further runs.
    """

    preset: str | Path | Config = ""
    continue_from: Path | str | None = None
    minutes: float | None = None
    epochs: float | None = None
    changes: tuple[str, ...] = ()
    outer: Path | str | TrainedOuter | None = None
    seed: int = 0
    device: str = "auto"
    channels: int = 1
    rules: Mapping[str, str] = field(default_factory=dict)
    pitch_names: str = "auto"
    resume: bool = False
    force: bool = False
    precision: str = "32"
    devices: int = 1
    nodes: int = 1
    tensorboard: Path | str | None = None
    encoded: Path | None = None

    def __post_init__(self) -> None:
        """Raises ConfigError for options that contradict each other or are out of range, whatever the machine."""
        object.__setattr__(self, "changes", tuple(self.changes))
        if self.minutes is not None and self.epochs is not None:
            raise ConfigError(f"minutes ({self.minutes:g}) and epochs ({self.epochs:g}) are both given; give one of them")
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise ConfigError(f"seed is {self.seed!r}, allowed is a whole number from 0 to {2**32 - 1}")
        if self.changes and isinstance(self.preset, Config):
            raise ConfigError(
                f"changes ({', '.join(self.changes)}) go with a preset's name or file; to change a Config, make a new one with make_config"
            )

    @property
    def chosen_preset(self) -> str | Path | Config:
        """The preset, DEFAULT_PRESET where none is given."""
        return self.preset or DEFAULT_PRESET

    def trained_outer(self) -> TrainedOuter | None:
        """The outer model that was trained before, read from its file. Raises InstrumentFileError, ConfigError."""
        if not isinstance(self.outer, (str, Path)):
            return self.outer
        from timbrespace.training.data.outer import load_outer  # imports PyTorch

        return load_outer(self.outer)

    def config(self) -> Config:
        """The checked settings: the preset with minutes or epochs and `changes`, and what `outer` fixes. Raises ConfigError."""
        outer = self.trained_outer()
        preset = self.chosen_preset
        if not isinstance(preset, Config):
            if outer is None:
                return load_preset(preset, changes=self.changes, minutes=self.minutes, epochs=self.epochs)
            from timbrespace.config.outer import load_preset_with

            return load_preset_with(outer.fixed, preset, changes=self.changes, minutes=self.minutes, epochs=self.epochs)
        from timbrespace.config.build import make_config  # imports PyTorch

        if outer is not None:
            from timbrespace.config.outer import check_agrees

            check_agrees(preset, outer.fixed)
        given: dict[str, float | None] = {"epochs": None} if self.minutes is not None else {}
        given |= {name: value for name, value in (("minutes", self.minutes), ("epochs", self.epochs)) if value is not None}
        return make_config(preset.model_dump() | {"training": preset.training.model_dump() | given})

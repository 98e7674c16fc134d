"""What a training reports to its caller, and how the caller stops it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from timbrespace.config.schema import Config
    from timbrespace.corpus.corpus import Corpus
    from timbrespace.instrument import Instrument
    from timbrespace.model.base import Model
    from timbrespace.training.data.sounds import Sounds


@dataclass
class Progress:
    """The progress of a training.

    stage: "prepare", "encode", "codec" (of a model without a codec "weights"), "train" or "finish"; with two stages also the name of the
    first, such as "outer", and "codes". done, total: of the stage's work.
    metrics: of the last check: "train" and "validation", errors in `unit`. epoch: passes over all examples so far.
    learned: in stage "finish", the "train" and "validation" errors of what was learned, see `learned_errors`; and of a model with one
        stage that was initialised from data the validation error "start" before the first step. Other than `metrics`, they are not of
        the state that is kept, which can be that before the first step.
    advice: a warning with a remedy, or None. note: what was done, for the user, or None.
    """

    stage: str
    done: int = 0
    total: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    unit: str = "dB"
    advice: str | None = None
    note: str | None = None
    epoch: float = 0.0
    learned: dict[str, float] = field(default_factory=dict)


class StopTraining(Exception):  # noqa: N818 - a request, not an error
    """Raised by `on_start` or `on_progress` to end a training for good: its working folder is removed, and the exception reaches the
    caller of `train`."""


class TrainingContext(NamedTuple):
    """A training before its first step: the model, the sounds it learns from, the sounds it is checked on, the settings, the devices.

    skipped: files that the corpus does not contain, see `Corpus.skipped`. learner: with an outer model that was trained before, the
    trained part: the inner model and the codes that it learns from. Else None, and the model itself learns from the sounds.
    """

    model: Model
    sounds: Sounds
    validation: Sounds
    config: Config
    fabric: Fabric
    skipped: Sequence[dict[str, str]] = ()
    learner: tuple[Model, Sounds] | None = None


@dataclass(frozen=True)
class TrainingCallbacks:
    """Functions that a training calls; each does nothing unless given.

    on_start: before the first step. on_progress: at every check, and as each stage proceeds. on_finish: with the written instrument and
    the corpus it was trained on. With several processes `on_progress` is called in the first one alone.
    """

    on_start: Callable[[TrainingContext], None] = lambda context: None
    on_progress: Callable[[Progress], None] = lambda progress: None
    on_finish: Callable[[Instrument, Corpus], None] = lambda instrument, corpus: None

"""How much an evaluation measures, and how it reports progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from timbrespace.contracts import Parameter

Progress = Callable[[int, int], None]
NEW = Parameter("new sounds", 0, 5_000, 200, help="new sounds that are compared with real ones; 0: none")


@dataclass(frozen=True)
class Budget:
    """Numbers of sounds at most, chosen so that 500 files take a few minutes on two cores.

    real: read from the folder. new: made. imitated: reconstructed with all control rows, of sounds that were not learned; trained: of those
    that were. learned: training sounds of the control rows. pairs, steps: of morphs. encoded: for the latent space. draws: halves for
    the interval of a distance. permutations: of the test. resamples: of a bootstrap.
    """

    real: int = 500
    new: int = 200
    imitated: int = 80
    trained: int = 24
    learned: int = 600
    pairs: int = 6
    steps: int = 9
    encoded: int = 200
    factors: int = 2_000
    timed: int = 8
    draws: int = 20
    permutations: int = 200
    resamples: int = 1_000


QUICK = Budget(
    real=150, new=48, imitated=16, trained=6, learned=250, pairs=2, steps=7, encoded=60, factors=300, timed=4, draws=8, permutations=100
)


class Steps:
    """Counts the sounds that were measured and calls progress(done, total) after each step. total: expected, raised if too low."""

    def __init__(self, total: int, progress: Progress | None):
        self.done, self.total, self._progress = 0, max(1, total), progress

    def add(self, count: int) -> None:
        """Notes that `count` more sounds were measured."""
        self.done += count
        self.total = max(self.total, self.done)
        if self._progress is not None:
            self._progress(self.done, self.total)

    def finish(self) -> None:
        """Notes that all is done, also where fewer sounds were measured than expected."""
        self.add(self.total - self.done)

"""What the parts of the benchmark of the sound space share: instruments, unseen sounds, intervals by the bootstrap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lib.bench import KEPT_AWAY, Bench, bench_for, folder_in

if TYPE_CHECKING:
    from timbrespace.corpus.corpus import Corpus
    from timbrespace.instrument import Instrument
    from timbrespace.synthesis.detail.given import GivenSound

DRAWS = 1_000  # of the bootstrap


@dataclass(frozen=True)
class Setting:
    """sounds: folder of real_audio.py. whats: drums, notes. given: instrument files. count: unseen sounds, 0: all. controls: of the
    part steering; empty: all."""

    sounds: Path
    whats: list[str]
    given: dict[str, Path]
    count: int
    seed: int
    minutes: float
    work: Path
    controls: list[str]

    def path(self, what: str) -> Path:
        """The file of the instrument of `what`, given or trained."""
        return self.given[what] if what in self.given else self._bench(what).instruments[0].path

    def instrument(self, what: str) -> Instrument:
        """The instrument of `what`."""
        return _opened(self.path(what))

    def corpus(self, what: str) -> Corpus:
        """The corpus of the kits or instruments that may be trained on."""
        return self._bench(what).corpus

    def _bench(self, what: str) -> Bench:
        return bench_for(self.sounds, what, work=self.work / what, minutes=self.minutes)

    def folder(self, what: str) -> Path:
        """The folder of the sounds of `what`."""
        return folder_in(self.sounds, what, KEPT_AWAY[what])

    def unseen_files(self, what: str) -> list[Path]:
        """Files of kits or instruments that were not trained on, in an order drawn by the seed; all of them."""
        from timbrespace.audio.files import find_audio

        files = [file for kit in KEPT_AWAY[what] for file in sorted(find_audio(self.folder(what) / kit))]
        return [files[k] for k in np.random.default_rng(self.seed).permutation(len(files))]

    def unseen(self, what: str) -> list[GivenSound]:
        """The first `count` unseen sounds that can be read and are not silent."""
        from timbrespace.audio.trim import bounds
        from timbrespace.contracts import TimbrespaceError

        found: list[GivenSound] = []
        instrument = self.instrument(what)
        for file in self.unseen_files(what):
            try:
                sound = instrument.given(file)
            except TimbrespaceError:
                continue
            if bounds(sound.audio.numpy(), instrument.sample_rate)[1]:
                found.append(sound)
            if self.count and len(found) == self.count:
                break
        return found


@lru_cache
def _opened(path: Path) -> Instrument:
    import timbrespace

    return timbrespace.load(path)


def interval(statistic: Callable[[NDArray[np.intp]], float], size: int, *, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a statistic of `size` units (sounds), a function of their places, by the bootstrap."""
    rng = np.random.default_rng(seed)
    drawn = [statistic(rng.integers(0, size, size)) for _ in range(DRAWS)]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def with_interval(value: float, limits: tuple[float, float], *, digits: int = 2) -> str:
    """`0.95 (0.93–0.97)`."""
    return f"{value:.{digits}f} ({limits[0]:.{digits}f}–{limits[1]:.{digits}f})"

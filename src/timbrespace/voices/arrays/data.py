"""Recordings of several instruments as spectrograms, and batches of pieces of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import AudioFileError, CorpusError
from timbrespace.voices.arrays.design import BINS, FRAMES
from timbrespace.voices.arrays.features import RATE, spectrogram
from timbrespace.voices.frames import Values
from timbrespace.voices.training import FEWEST_SECONDS, Progress, check_names, files_of

_AUDIBLE = 0.5  # a value over it is within 40 dB of the loudest cell


@dataclass(frozen=True)
class Spectrogram:
    """A recording of one instrument that was read: its file's name, seconds, values `(BINS, frames)`, float16, at least FRAMES frames."""

    name: str
    seconds: float
    values: Tensor


def read_wave(path: Path) -> Values:
    """Returns a sound file as mono `(time,)` at RATE. Raises AudioFileError."""
    from timbrespace.audio.files import read_array
    from timbrespace.audio.resampling import resample_array

    samples, rate = read_array(path)
    mono = samples.mean(axis=0, dtype=np.float32)
    return mono if rate == RATE else resample_array(mono[None], rate, RATE)[0]


def read_spectrograms(
    folders: Mapping[str, Path], *, skipped: list[dict[str, str]] | None = None, progress: Progress | None = None
) -> dict[str, list[Spectrogram]]:
    """Returns the recordings of each instrument, by name. folders: of sound files, or one file.

    Raises CorpusError for fewer than two instruments, one folder for two names, and less than FEWEST_SECONDS of sound of one of them.
    """
    check_names(folders)
    found: dict[str, list[Spectrogram]] = {}
    for number, (name, folder) in enumerate(folders.items()):
        problems: list[tuple[Path, str]] = []
        paths = files_of(folder, problems)
        recordings = []
        for index, path in enumerate(paths):
            if progress is not None:
                progress("reading", (number + index / max(len(paths), 1)) / len(folders))
            try:
                wave = read_wave(path)
            except AudioFileError as error:
                problems.append((path, str(error)))
                continue
            values, _ = spectrogram(wave)
            short = max(0, FRAMES - values.shape[1])
            recordings.append(Spectrogram(path.name, len(wave) / RATE, torch.from_numpy(np.pad(values, ((0, 0), (0, short))))))
        if skipped is not None:
            skipped += [{"file": path.name, "reason": reason} for path, reason in problems]
        audible = sum(float((one.values.amax(0) > _AUDIBLE).float().mean()) * one.seconds for one in recordings)
        if audible < FEWEST_SECONDS:
            raise CorpusError(
                f"{name}: {folder} has {audible:.1f} s of sound in {len(recordings)} files, at least {FEWEST_SECONDS:g} s are needed"
            )
        found[name] = recordings
    return found


class Pieces:
    """The recordings of one instrument, as pieces of FRAMES frames that start anywhere.

    device: where the values are kept; all of them, 53 kB a second.
    """

    def __init__(self, recordings: Sequence[Spectrogram], device: torch.device):
        self._values = torch.cat([one.values for one in recordings], dim=1).to(device)
        starts, first = [], 0
        for one in recordings:
            starts.append(torch.arange(first, first + one.values.shape[1] - FRAMES + 1))
            first += one.values.shape[1]
        self._starts, self._ends = torch.cat(starts), [len(part) for part in starts]

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Returns pieces drawn with equal chances, `(count, BINS, FRAMES)`."""
        return self._at(self._starts[torch.randint(len(self._starts), (count,), generator=generator)])

    def batches(self, count: int) -> Iterator[Tensor]:
        """Yields pieces half a piece apart, `(up to count, BINS, FRAMES)` at a time: every frame at least once."""
        chosen, first = [], 0
        for length in self._ends:
            chosen.append(self._starts[first : first + length : FRAMES // 2])
            chosen.append(self._starts[first + length - 1 : first + length])
            first += length
        for rows in torch.cat(chosen).unique().split(count):
            yield self._at(rows)

    def _at(self, rows: Tensor) -> Tensor:
        columns = rows[:, None] + torch.arange(FRAMES)
        picked = self._values[:, columns.flatten().to(self._values.device)]
        return picked.view(BINS, len(rows), FRAMES).transpose(0, 1).float()

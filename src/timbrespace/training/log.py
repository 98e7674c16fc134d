"""What every check of a training saw: `X.log.jsonl` beside `X.safetensors`, and TensorBoard where it is asked for."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from timbrespace.atomic import disk_error, write_text
from timbrespace.contracts import ConfigError

if TYPE_CHECKING:
    from timbrespace.synthesis.instrument import Instrument
    from timbrespace.training.loop import History

_TOLD = 4  # sounds of each kind in TensorBoard
_RANGE = 80.0  # dB shown in a spectrogram


def log_path(out: Path) -> Path:
    """Where the log of the instrument `out` lies."""
    return out.with_name(out.name.removesuffix(".safetensors") + ".log.jsonl")


def checks(history: History, *, epochs_a_step: float) -> Iterator[dict[str, Any]]:
    """A row a check: step, epoch, and every figure by its name; None where one is no finite number."""
    columns: dict[str, list[float]] = {}
    for name, values in vars(history).items():
        columns |= values if isinstance(values, dict) else {name: values}
    for k, step in enumerate(history.step):
        row = {"step": step, "epoch": round(step * epochs_a_step, 4)}
        yield row | {name: _finite(values[k]) for name, values in columns.items() if name != "step" and k < len(values)}


def write_log(path: Path, history: History, *, epochs_a_step: float) -> None:
    """Writes all checks so far, whole or not at all: a run that is taken up again leaves no check twice."""
    rows = (json.dumps(row, allow_nan=False) for row in checks(history, epochs_a_step=epochs_a_step))
    write_text(path, "".join(f"{row}\n" for row in rows), force=True)


class Board:
    """TensorBoard's files in `folder`: scalars at every check, at the end sounds and their spectrograms."""

    def __init__(self, folder: Path):
        """Raises ConfigError when the package is not installed, TimbrespaceError when the folder cannot be written."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise ConfigError("the package tensorboard is not installed; pip install 'timbrespace[tensorboard]'") from None
        try:
            self._writer = SummaryWriter(str(folder))
        except OSError as error:
            raise disk_error(error, folder) from error

    def check(self, history: History) -> None:
        """The newest check."""
        *_, row = checks(history, epochs_a_step=0.0)
        step = row.pop("step")
        for name, value in row.items():
            if name != "epoch" and value is not None:
                self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def sounds(self, instrument: Instrument, originals: Sequence[Tensor], *, step: int) -> None:
        """New sounds, and the copies of sounds `(channels, time)` beside these. step: of the training."""
        made = [sound.audio for sound in instrument.generate(_TOLD)]
        given = list(originals)[:_TOLD]
        copies = [instrument.reconstruct(audio) for audio in given]
        for kind, sounds in (("original", given), ("copy", copies), ("new", made)):
            for k, audio in enumerate(sounds):
                self._writer.add_audio(f"{kind}/{k}", audio.mean(0, keepdim=True), step, sample_rate=instrument.sample_rate)
                self._writer.add_image(f"{kind}/{k}", _picture(audio), step, dataformats="HW")

    def close(self) -> None:
        """Writes what is left."""
        self._writer.close()


def _picture(audio: Tensor) -> Tensor:
    """`(channels, time)` -> levels over 80 dB as 0…1 `(bins, frames)`, low frequencies at the bottom."""
    mono = audio.mean(0)
    mono = torch.nn.functional.pad(mono, (0, max(0, 1024 - len(mono))))
    spectrum = torch.stft(mono, 1024, 256, window=torch.hann_window(1024), return_complex=True).abs()
    levels = 20 * torch.log10(spectrum.clamp_min(1e-9) / spectrum.max().clamp_min(1e-9))
    return (1 + levels / _RANGE).clamp(0, 1).flip(0)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

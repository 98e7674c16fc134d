"""The log of a training: `X.log.jsonl` beside `X.safetensors`, and TensorBoard on request."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from timbrespace.atomic import disk_error, write_text
from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.training.history import History

if TYPE_CHECKING:
    from timbrespace.instrument import Instrument

_SOUNDS = 4  # of each kind in TensorBoard
_RANGE = 80.0  # dB shown in a spectrogram


def log_path(out: Path) -> Path:
    """The log file of the instrument `out`."""
    return out.with_name(out.name.removesuffix(".safetensors") + ".log.jsonl")


def write_log(path: Path, history: History, *, epochs_per_step: float) -> None:
    """Writes all checks so far in place of the file: after a resume no check is there twice."""
    rows = (json.dumps(row, allow_nan=False) for row in history.rows(epochs_per_step=epochs_per_step))
    write_text(path, "".join(f"{row}\n" for row in rows), force=True)


class TensorBoard:
    """TensorBoard's files in `folder`: scalars at every check; sounds and their spectrograms at the end."""

    def __init__(self, folder: Path):
        """Raises ConfigError if the package is not installed, TimbrespaceError if the folder cannot be created.

        The file is created at the first check: a training that fails earlier leaves no file behind.
        """
        try:
            import torch.utils.tensorboard  # noqa: F401 - only whether it is installed
        except ImportError:
            raise ConfigError("the package tensorboard is not installed; pip install 'timbrespace[tensorboard]'") from None
        self.folder = folder
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not there.is_dir() or not os.access(there, os.W_OK):
            reason = "cannot be written" if there.is_dir() else "is a file"
            raise TimbrespaceError(f"the folder for TensorBoard cannot be created: {there} {reason}; give another one to --tensorboard")
        self._opened: Any = None

    @property
    def _writer(self) -> Any:
        """The SummaryWriter, which creates the folder. Raises TimbrespaceError."""
        if self._opened is None:
            from torch.utils.tensorboard import SummaryWriter

            try:
                self._opened = SummaryWriter(str(self.folder))
            except OSError as error:
                raise disk_error(error, self.folder) from error
        return self._opened

    def add_check(self, history: History) -> None:
        """Writes the newest check."""
        *_, row = history.rows(epochs_per_step=0.0)
        step = row.pop("step")
        for name, value in row.items():
            if name != "epoch" and value is not None:
                self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def add_sounds(self, instrument: Instrument, originals: Sequence[Tensor], *, step: int) -> None:
        """Writes new sounds, and sounds `(channels, time)` beside their reconstructions. step: of the training."""
        new = [sound.audio for sound in instrument.generate(_SOUNDS)]
        given = list(originals)[:_SOUNDS]
        reconstructions = [instrument.reconstruct(audio) for audio in given]
        for kind, sounds in (("original", given), ("reconstruction", reconstructions), ("new", new)):
            for k, audio in enumerate(sounds):
                self._writer.add_audio(f"{kind}/{k}", audio.mean(0, keepdim=True), step, sample_rate=instrument.sample_rate)
                self._writer.add_image(f"{kind}/{k}", _spectrogram(audio), step, dataformats="HW")

    def close(self) -> None:
        """Writes the rest and closes the files."""
        if self._opened is not None:
            self._opened.close()


def _spectrogram(audio: Tensor) -> Tensor:
    """`(channels, time)` -> levels `(bins, frames)`, 80 dB scaled to 0…1, low frequencies at the bottom."""
    mono = audio.mean(0)
    mono = torch.nn.functional.pad(mono, (0, max(0, 1024 - len(mono))))
    spectrum = torch.stft(mono, 1024, 256, window=torch.hann_window(1024), return_complex=True).abs()
    levels = 20 * torch.log10(spectrum.clamp_min(1e-9) / spectrum.max().clamp_min(1e-9))
    return (1 + levels / _RANGE).clamp(0, 1).flip(0)

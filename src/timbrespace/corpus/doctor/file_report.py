"""Examines one sound file: its header and its samples."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from timbrespace.audio.containers.base import Remark
from timbrespace.audio.decoding.speakers import ChannelEnergies, mix_weights
from timbrespace.audio.files import AudioInfo, probe, read_array
from timbrespace.audio.offset import dc_offset, remove_offset
from timbrespace.audio.trim import SILENT_PEAK, bounds
from timbrespace.contracts import TimbrespaceError
from timbrespace.corpus.fingerprint import fingerprint
from timbrespace.corpus.sources import reason_of

_BLOCK_SECONDS = 60.0  # read at a time, so that memory does not grow with the length of a file
_FULL_SCALE = 0.98
_CLIPPED_RUN, _CLIPPED_SAMPLES = 3, 8  # equal samples in a row at the peak that are a run; samples in runs that are clipping


@dataclass(frozen=True)
class FileReport:
    """What was measured in one file. If it cannot be used, `reason` says why and the other fields are empty.

    peak: linear. clipped: whether it has flat tops at full scale. offset: DC offset, linear. lead_seconds: silence before the onset,
    s. cancels: whether its channels cancel in mono. digest: of the samples. fingerprint: see `corpus.fingerprint`.
    """

    path: Path
    file: str
    reason: str | None = None
    info: AudioInfo | None = None
    peak: float = 0.0
    clipped: bool = False
    offset: float = 0.0
    lead_seconds: float = 0.0
    cancels: bool = False
    digest: bytes = b""
    fingerprint: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))

    @property
    def silent(self) -> bool:
        """Whether nothing exceeds the last of 16 bits."""
        return self.reason is None and self.peak < SILENT_PEAK

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """Oddities of a file that is nevertheless read."""
        return self.info.remarks if self.info and self.reason is None else ()

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.info.seconds if self.info else 0.0

    @property
    def rate(self) -> int:
        """Sample rate in Hz."""
        return self.info.sample_rate if self.info else 0

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.info.channels if self.info else 0

    @property
    def format(self) -> str:
        """Format and sample type, such as 'WAV PCM_24'."""
        return f"{self.info.format} {self.info.subtype}" if self.info else ""


def examine_file(path: Path, file: str) -> FileReport:
    """The report of the file at `path`, named `file` in the report. Never raises for a bad file."""
    try:
        return _examine(path, file, probe(path))
    except TimbrespaceError as error:
        return FileReport(path, file, reason=reason_of(error, path))


def _examine(path: Path, file: str, info: AudioInfo) -> FileReport:
    digest = hashlib.blake2b(f"{info.sample_rate} {info.channels}".encode(), digest_size=16)
    step = round(_BLOCK_SECONDS * info.sample_rate)
    peak, clipped, lead, energies = 0.0, 0, 0.0, ChannelEnergies(info.channels)
    offset, print_ = 0.0, np.zeros(0, np.float32)
    for start in range(0, info.frames, step):
        audio, rate = read_array(path, start=start, frames=min(step, info.frames - start), info=info)
        digest.update(audio.tobytes())
        high, low = float(audio.max()), float(audio.min())
        block_peak = max(high, -low)
        if block_peak >= _FULL_SCALE and block_peak >= peak:
            clipped += sum(_flat_samples(channel, high, low) for channel in audio)
        if info.channels > 1:
            energies.add(audio.T)
        if not len(print_) and block_peak >= SILENT_PEAK:
            offset = float(np.abs(dc_offset(audio, rate)).max())
            audio = remove_offset(audio, rate)
            if info.frames <= step:  # as in `prepare`, in which a constant level is silence
                block_peak = float(np.abs(audio).max())
                if block_peak < SILENT_PEAK:
                    peak = block_peak
                    break
            onset, _ = bounds(audio, rate)
            lead = start / rate + onset / rate
            print_ = fingerprint(audio[:, max(0, onset - rate // 1000) :], rate)
        peak = max(peak, block_peak)
    mix = mix_weights(info.speakers, 1) if info.speakers else None
    weights = np.full(info.channels, 1 / info.channels) if mix is None else mix[0]
    return FileReport(
        path,
        file,
        info=info,
        peak=peak,
        clipped=clipped >= _CLIPPED_SAMPLES,
        offset=offset,
        lead_seconds=lead,
        cancels=info.channels > 1 and energies.rescue(weights) is not None,
        digest=digest.digest(),
        fingerprint=print_,
    )


def _flat_samples(channel: np.ndarray, high: float, low: float) -> int:
    """Number of samples of `channel (time,)` that stay at the value `high` or `low` for three or more in a row."""
    total = 0
    for value in (high, low):
        if abs(value) < _FULL_SCALE:
            continue
        at = np.flatnonzero(channel == np.float32(value))
        if len(at) < _CLIPPED_RUN:
            continue
        runs = np.diff(np.flatnonzero(np.diff(at, prepend=-2, append=at[-1] + 2) != 1))
        total += int(runs[runs >= _CLIPPED_RUN].sum())
    return total

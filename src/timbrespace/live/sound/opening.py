"""Opens instruments for the engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from timbrespace.contracts import ConfigError
from timbrespace.live.sound.source import CoreSource, SoundSource
from timbrespace.live.state import SoundKey
from timbrespace.native.engine import Player
from timbrespace.native.opening import open_player

_MOST = 128  # programs of MIDI


def open_sources(paths: Sequence[Path | str], *, seed: int, humanise: float, hold_notes: bool = False) -> list[SoundSource]:
    """Returns the sounds of instrument files, in order. hold_notes: those of notes are held.

    Raises ConfigError, InstrumentFileError.
    """
    if len(paths) > _MOST:
        raise ConfigError(f"{len(paths)} instruments, allowed are at most {_MOST}, as MIDI has programs")
    refused: list[str] = []
    sources = [_open(Path(path), seed, humanise, refused if hold_notes else None) for path in paths]
    if hold_notes and not any(source.held for source in sources):
        raise ConfigError(f"no instrument here can be held: {'; '.join(refused)}")
    return sources


def rendered(source: SoundSource, key: SoundKey, sample_rate: int) -> np.ndarray:
    """Returns the samples `(channels, time)` of a sound at a rate in Hz, of at most two channels."""
    samples = source.render(key)
    if source.sample_rate != sample_rate:
        import soxr

        samples = soxr.resample(samples.T, source.sample_rate, sample_rate, quality="HQ").T
    return np.ascontiguousarray(samples[:2], np.float32)


def _open(path: Path, seed: int, humanise: float, refused: list[str] | None) -> SoundSource:
    """refused: None: notes are one-shots; else they are held, or it gets why not."""
    player = open_player(path)
    if isinstance(player, Player):
        if refused is not None:
            from timbrespace.live.held.notes import HeldNotes, why_not

            reason = why_not(player)
            if reason is None:
                return HeldNotes(player, title=path.stem, seed=seed, humanise=humanise)
            refused.append(f"{path.stem} {reason}")
        return CoreSource(player, title=path.stem, seed=seed, humanise=humanise)
    from timbrespace.instrument import Instrument

    contents = Instrument.load(path, engine="pytorch").contents
    if contents.model.time_varying:
        from timbrespace.live.held.source import HeldSource

        return HeldSource(contents, title=path.stem, seed=seed)
    from timbrespace.live.sound.torch_source import TorchSource

    if refused is not None:
        refused.append(f"{path.stem} is not played by the native core: {player.reason}")
    player.say_slower()
    return TorchSource(contents, title=path.stem, seed=seed, humanise=humanise)

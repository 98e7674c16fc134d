"""Opens instruments for the engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from timbrespace.contracts import ConfigError
from timbrespace.live.sound.source import CoreSource, SoundSource
from timbrespace.native.engine import Player
from timbrespace.native.opening import open_player

_MOST = 128  # programs of MIDI


def open_sources(paths: Sequence[Path | str], *, seed: int, humanise: float, held: str = "bank") -> list[SoundSource]:
    """Returns the sounds of instrument files, in order. held: see `Timbres`. Raises ConfigError, InstrumentFileError."""
    if len(paths) > _MOST:
        raise ConfigError(f"{len(paths)} instruments, allowed are at most {_MOST}, as MIDI has programs")
    return [_open(Path(path), seed, humanise, held) for path in paths]


def _open(path: Path, seed: int, humanise: float, held: str) -> SoundSource:
    player = open_player(path)
    if isinstance(player, Player):
        return CoreSource(player, title=path.stem, seed=seed, humanise=humanise)
    from timbrespace.instrument import Instrument

    contents = Instrument.load(path, engine="pytorch").contents
    if contents.model.time_varying:
        from timbrespace.live.held.source import HeldSource

        return HeldSource(contents, title=path.stem, seed=seed, kind=held)
    from timbrespace.live.sound.torch_source import TorchSource

    player.say_slower()
    return TorchSource(contents, title=path.stem, seed=seed, humanise=humanise)

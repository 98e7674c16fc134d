"""Speakers of the channels of a file, and their weights in a mix to stereo or mono.

The weights are those of ITU-R BS.775: left and right 1; centre and LFE -3 dB to both sides; side and back channels -3 dB to their side.
"""

from __future__ import annotations

import numpy as np
import soundfile

_MAP_COMMAND = 0x1100  # SFC_GET_CHANNEL_MAP_INFO of libsndfile
_MAP = (  # its numbers
    *("", "M", "FL", "FR", "FC", "FL", "FR", "FC", "BC", "BL", "BR", "LFE"),
    *("FLC", "FRC", "SL", "SR", "TC", "TFL", "TFR", "TFC", "TBL", "TBR", "TBC"),
)
_WAVE_ORDER = {
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
_VORBIS_ORDER = {
    3: ("FL", "FC", "FR"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FC", "FR", "BL", "BR"),
    6: ("FL", "FC", "FR", "BL", "BR", "LFE"),
    7: ("FL", "FC", "FR", "SL", "SR", "BC", "LFE"),
    8: ("FL", "FC", "FR", "SL", "SR", "BL", "BR", "LFE"),
}
_SIDE = 0.5**0.5  # -3 dB
_INVERTED = -0.9  # correlation of two channels that are nearly each other's inverse; their mean is 13 dB quieter
_CANCELS = 0.1  # a mix with less than this share of the energy that independent channels would have

Speakers = tuple[str, ...]


def speakers_of(file: soundfile.SoundFile) -> Speakers | None:
    """Speakers of an open file with three to eight channels: as its header says, or else those usual in its format. None: unknown."""
    if not 2 < file.channels <= 8:
        return None
    try:  # soundfile has no public function for it
        numbers = soundfile._ffi.new("int[]", file.channels)
        known = soundfile._snd.sf_command(file._file, _MAP_COMMAND, numbers, soundfile._ffi.sizeof(numbers))
        named = tuple(_MAP[number] if 0 < number < len(_MAP) else "" for number in numbers)
    except (AttributeError, TypeError):
        known, named = 0, ()
    return named if known and all(named) else usual_speakers(file.channels, vorbis=file.subtype in {"VORBIS", "OPUS"})


def usual_speakers(channels: int, *, vorbis: bool = False) -> Speakers | None:
    """Speakers of `channels` channels in the order of WAV and FLAC, or of Vorbis and Opus; None for other numbers than 3 to 8."""
    return (_VORBIS_ORDER if vorbis else _WAVE_ORDER).get(channels)


def mix_weights(speakers: Speakers, channels: int) -> np.ndarray | None:
    """Weights `(channels, len(speakers))` of a mix to mono or stereo; those of a channel add up to at most 1. None for more channels."""
    if channels > 2:
        return None
    sides = np.array([_side_weights(name) for name in speakers], np.float64).T
    if channels == 1:
        sides = sides.sum(axis=0, keepdims=True)
    return sides / sides.sum(axis=1).max()


def _side_weights(speaker: str) -> tuple[float, float]:
    """Weights of a speaker in the left and the right channel."""
    if speaker in {"FL", "FR"}:
        return (1.0, 0.0) if speaker == "FL" else (0.0, 1.0)
    if speaker in {"BC", "TC", "TBC"}:  # a surround channel in the middle: -3 dB for each side, -3 dB as surround
        return 0.5, 0.5
    if "L" in speaker and speaker != "LFE":
        return _SIDE, 0.0
    if "R" in speaker:
        return 0.0, _SIDE
    return _SIDE, _SIDE


class ChannelEnergies:
    """Energies and correlations of the channels of a sound, block by block, without their offsets."""

    def __init__(self, channels: int) -> None:
        self._products = np.zeros((channels, channels))
        self._sums = np.zeros(channels)
        self._time = 0

    def add(self, block: np.ndarray) -> None:
        """Adds a block `(time, channels)`."""
        with np.errstate(over="ignore", invalid="ignore"):
            self._products += block.T @ block
            self._sums += block.sum(axis=0, dtype=np.float64)
        self._time += len(block)

    def rescue(self, weights: np.ndarray) -> np.ndarray | None:
        """Other weights `(channels,)` for a mix to mono in which the channels cancel with `weights`; None if they do not.

        Of two nearly inverted channels the second is inverted, or the first if the second is over 3 dB louder; of
        more channels the loudest is used alone.
        """
        with np.errstate(all="ignore"):
            products = self._products - np.outer(self._sums, self._sums) / max(1, self._time)
            energy = np.diag(products)
            if not np.isfinite(products).all() or energy.max() <= 0:
                return None
            if len(energy) == 2:
                if products[0, 1] >= _INVERTED * np.sqrt(energy.clip(0).prod()) or energy.min() <= 0:
                    return None
                return np.array([0.5, -0.5] if energy[0] >= energy[1] / 2 else [-0.5, 0.5])
            if weights @ products @ weights >= _CANCELS * (weights**2 @ energy):
                return None
        return (np.arange(len(energy)) == energy.argmax()).astype(np.float64)

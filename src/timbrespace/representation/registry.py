"""The representations a preset can name."""

from __future__ import annotations

from timbrespace.representation.base import Representation
from timbrespace.representation.views.bands import Bands
from timbrespace.representation.views.complex import Complex
from timbrespace.representation.views.constant_q import ConstantQ
from timbrespace.representation.views.log_stft import LogStft
from timbrespace.representation.views.magnitude import Magnitude
from timbrespace.representation.views.mdct import Mdct
from timbrespace.representation.views.mel import Mel
from timbrespace.representation.views.polar import InstantaneousFrequency, Polar
from timbrespace.representation.views.spectrum import Spectrum
from timbrespace.representation.views.waveform import Waveform

REPRESENTATIONS: dict[str, type[Representation]] = {
    "bands": Bands,
    "waveform": Waveform,
    "complex": Complex,
    "polar": Polar,
    "instantaneous-frequency": InstantaneousFrequency,
    "magnitude": Magnitude,
    "log-stft": LogStft,
    "mel": Mel,
    "spectrum": Spectrum,
    "mdct": Mdct,
    "constant-q": ConstantQ,
}

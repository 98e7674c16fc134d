"""The models that a preset can name. A new family is one file and one line here."""

from __future__ import annotations

from timbrespace.model.base import Model
from timbrespace.model.clip.conv1d import Raw
from timbrespace.model.clip.conv2d import Conv
from timbrespace.model.clip.conv_vae import ConvVAE
from timbrespace.model.clip.dense import Dense
from timbrespace.model.clip.vq import VectorQuantised
from timbrespace.model.codec.oneshot import OneShot
from timbrespace.model.codec.pitch_synchronous import PitchSynchronous
from timbrespace.model.sequence.autoregressive import Autoregressive
from timbrespace.model.sequence.conv import ConvSequence
from timbrespace.model.sequence.frame_vae import FrameVAE
from timbrespace.model.sequence.recurrent import Recurrent, RecurrentClip
from timbrespace.model.sequence.transformer import Transformer
from timbrespace.model.wrappers.conditional import Conditional
from timbrespace.model.wrappers.staged import Staged

MODELS: dict[str, type[Model]] = {
    "oneshot": OneShot,
    "dense": Dense,
    "conv": Conv,
    "conv-vae": ConvVAE,
    "raw": Raw,
    "pitch-synchronous": PitchSynchronous,
    "staged": Staged,
    "autoregressive": Autoregressive,
    "recurrent": Recurrent,
    "recurrent-clip": RecurrentClip,
    "transformer": Transformer,
    "conditional": Conditional,
    "vq": VectorQuantised,
    "frame-vae": FrameVAE,
    "sequence": ConvSequence,
}

"""The models a preset can name: a new family is one file and one line here."""

from __future__ import annotations

from timbrespace.model.base import Model
from timbrespace.model.conditional import Conditional
from timbrespace.model.conv1d import Raw
from timbrespace.model.conv2d import Conv
from timbrespace.model.conv_vae import ConvVAE
from timbrespace.model.cycles import Cycles
from timbrespace.model.dense import Dense
from timbrespace.model.frames import Frames
from timbrespace.model.oneshot import OneShot
from timbrespace.model.recurrent import Recurrent, RecurrentClip
from timbrespace.model.sequence import Sequence
from timbrespace.model.staged import Staged
from timbrespace.model.stepwise import Stepwise
from timbrespace.model.vq import VectorQuantised

MODELS: dict[str, type[Model]] = {
    "oneshot": OneShot,
    "dense": Dense,
    "conv": Conv,
    "conv-vae": ConvVAE,
    "raw": Raw,
    "cycles": Cycles,
    "staged": Staged,
    "stepwise": Stepwise,
    "recurrent": Recurrent,
    "recurrent-clip": RecurrentClip,
    "conditional": Conditional,
    "vq": VectorQuantised,
    "frames": Frames,
    "sequence": Sequence,
}

"""Notes of made-up instruments, in the core and in Python, for the tests of notes."""

from __future__ import annotations

import ctypes
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from native_core import OK, Arena, Core
from timbrespace.audio.pitch import midi_to_hz
from timbrespace.representation.views.bands import Bands
from timbrespace.synthesis.harmonic.note import bin_layout, quiet_as_recorded
from timbrespace.synthesis.harmonic.partials import BinLayout
from timbrespace.synthesis.harmonic.render import render_note
from timbrespace.synthesis.harmonic.traits import EARLIER_TRAITS, TRAITS, ZONES, NoteModel, NoteTraits

ZONE_COUNT = len(ZONES) - 1
DIMS = 4
CATEGORIES = ("bell", "cello", "organ")


class Levels(ctypes.Structure):
    """Levels of parts.h."""

    _fields_ = (("parts", ctypes.c_int), ("frames", ctypes.c_int), ("bands", ctypes.c_int), ("db", ctypes.c_void_p))

    @classmethod
    def of(cls, features: Tensor) -> Levels:
        db = np.ascontiguousarray(features.numpy().transpose(0, 2, 1), np.float32)
        result = cls(*db.shape, db.ctypes.data)
        result.kept = db  # type: ignore[attr-defined]
        return result


class Traits(ctypes.Structure):
    """Traits of note.h."""

    _fields_ = (
        ("noise", ctypes.c_double * ZONE_COUNT),
        ("attack", ctypes.c_double * ZONE_COUNT),
        ("flutter", ctypes.c_double),
        ("wander", ctypes.c_double),
        ("rate", ctypes.c_double),
    )


class Parts(ctypes.Structure):
    """NoteParts of note.h."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("frames", "partials", "lines")),
        *((name, ctypes.c_size_t) for name in ("stride", "columns")),
        *((name, ctypes.POINTER(ctypes.c_float)) for name in ("power", "rest", "rows")),
        ("place", ctypes.c_double * 24),
        ("number", ctypes.c_void_p),
    )


def note_file(view: Bands, tensors: dict[str, Tensor], **changes: object) -> bytes:
    """An instrument file that holds what notes need, and nothing else."""
    header = {
        "format": "timbrespace-instrument",
        "version": 1,
        "settings": {
            "representation": {"name": "bands", "n_fft": view.n_fft, "hop": view.hop, "bands": view.bands, "floor": view.floor},
            "model": {"name": "oneshot", "dims": DIMS},
        },
        "sample_rate": view.sample_rate,
        "channels": view.channels,
        "samples": 4 * view.sample_rate,
        "labels": [*CATEGORIES, None, *CATEGORIES],
        "note_categories": ["cello", "organ"],
        **changes,
    }
    return bytes(save(tensors, {"timbrespace": json.dumps(header)}))


@dataclass
class MadeUp:
    """A note model in both engines."""

    core: Core
    view: Bands
    model: NoteModel
    file: bytes
    handle: ctypes.c_void_p
    kept: list[Any]

    @classmethod
    def make(cls, core: Core, view: Bands, *, seed: int = 0, maps: bool = True) -> MadeUp:
        """maps: with levels by rank and shares in the attack; False: as files of earlier versions are."""
        generator = torch.Generator().manual_seed(seed)
        weights = 0.4 * torch.randn(1 + DIMS, TRAITS if maps else EARLIER_TRAITS, generator=generator)
        weights[0] += torch.tensor([*([-4.0] * ZONE_COUNT), 0.0, 1.0, 1.5, *([-1.0] * (ZONE_COUNT if maps else 0))])
        knots = torch.linspace(-view.floor, 0.0, 41)
        levels = torch.cummax(knots + 4 * torch.randn(3, 4, 41, generator=generator), -1).values if maps else None
        model = NoteModel(weights, levels, ("cello", "organ") if maps else ())
        file = note_file(view, {"notes.weights": weights, **({} if levels is None else {"notes.levels": levels})})
        status, handle, kept = open_note(core, file)
        assert status == OK
        return cls(core, view, model, file, handle, kept)

    @property
    def layout(self) -> BinLayout:
        layout = bin_layout(self.view)
        assert layout is not None
        return layout

    def traits(self, z: Tensor) -> Traits:
        result: Traits = self.core("note_traits", self.handle, z.numpy(), result=Traits)
        return result

    def levels(self, features: Tensor, category: str | None) -> Tensor:
        """Levels as they are rendered, in Python."""
        return quiet_as_recorded(features, self.model.levels_of(category), floor=self.view.floor)

    def render(self, features: Tensor, z: Tensor, *, midi: float, length: int, seed: int, category: str | None = None) -> Tensor:
        """The note from Python."""
        levels, traits = self.levels(features, category), self.model.of(z)
        return render_note(levels, self.layout, hertz=midi_to_hz(midi), traits=traits, length=length, seed=seed)

    def core_render(
        self, features: Tensor, z: Tensor, *, midi: float, length: int, seed: int, category: str | None = None, work: Arena | None = None
    ) -> tuple[int, NDArray[np.float32]]:
        """Status and note from the core."""
        audio, levels = np.full((self.view.channels, length), 9.0, np.float32), Levels.of(features)
        row = CATEGORIES.index(category) if category in CATEGORIES else -1
        arguments = ctypes.byref(levels), z.numpy(), row, float(midi), seed, length, audio, work or Arena(64 << 20)
        status: int = self.core("note_render", self.handle, *arguments)
        return status, audio

    def core_parts(self, features: Tensor, z: Tensor, *, part: int, hertz: float, category: str | None) -> tuple[Parts, list[Any]]:
        """The separated part of a note, by the core."""
        parts, work, levels, traits = Parts(), Arena(64 << 20), Levels.of(features), self.traits(z)
        row = CATEGORIES.index(category) if category in CATEGORIES else -1
        assert self.core("note_powers", self.handle, ctypes.byref(levels), part, row, ctypes.byref(parts), work) == OK
        assert self.core("note_separate", self.handle, hertz, ctypes.byref(traits), ctypes.byref(parts), work) == OK
        return parts, [work, levels]


def open_note(core: Core, file: bytes) -> tuple[int, ctypes.c_void_p, list[Any]]:
    """Status, note and what must be kept."""
    memory, handle, note, kept = Arena(32 << 20), ctypes.c_void_p(), ctypes.c_void_p(), ctypes.create_string_buffer(file, len(file))
    status = core("file_open", ctypes.byref(handle), kept, len(file), memory)
    status = status or core("note_open", ctypes.byref(note), handle, memory)
    return status, note, [memory, kept]


def tones(view: Bands, *, hertz: float, length: int, seed: int = 0, stretch: float = 0.0) -> Tensor:
    """Features `(parts, bands, frames)` of a decaying note in noise. stretch: of partials that are no multiples, as bells have them."""
    generator, time = torch.Generator().manual_seed(seed), torch.arange(length, dtype=torch.float64) / view.sample_rate
    audio = 0.003 * torch.randn(view.channels, length, generator=generator, dtype=torch.float64)
    for k in range(1, 25):
        place = hertz * k * (1 + stretch * k)
        if place < 0.45 * view.sample_rate:
            phase = 6.28 * torch.rand(view.channels, 1, generator=generator)
            audio += 0.5 / k * torch.exp(-time * (1 + 0.4 * k)) * torch.sin(2 * torch.pi * place * time + phase)
    features = view.encode(audio.float()[None])[0]
    return features - features.amax()


def traits_of(traits: Traits) -> NoteTraits:
    """As in Python."""
    return NoteTraits(np.exp(traits.noise), np.exp(traits.attack), traits.flutter, traits.wander, traits.rate)

"""Instruments that were never trained, of any preset: made in milliseconds, with random weights of a plausible size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch

from timbrespace.config.build import build_model, build_representation
from timbrespace.config.presets import load_preset
from timbrespace.instrument import Instrument
from timbrespace.latent.space import LatentSpace
from timbrespace.model.base import Model
from timbrespace.representation.normalisation import Normalised
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.harmonic.traits import TRAITS, NoteModel

SAMPLES = 22_050
NOTES = "model.notes=[45, 75]"
VELOCITY = "model.velocity=[30, 120]"
# Settings of `oneshot` -> channels, rate.
COVERED: dict[str, tuple[tuple[str, ...], int, int]] = {
    "default": ((), 1, 44_100),
    "stereo": ((), 2, 44_100),
    "notes": ((NOTES,), 1, 44_100),
    "velocity": ((VELOCITY,), 1, 44_100),
    "notes, velocity, stereo": ((NOTES, VELOCITY), 2, 48_000),
    "short windows": (("representation.n_fft=512", "representation.hop=64", "representation.bands=90"), 1, 44_100),
    "long windows": (("representation.n_fft=2048", "representation.hop=1024", "representation.bands=300"), 1, 96_000),
    "few bands": (("representation.bands=8", "model.coefficients=40", "model.dims=5"), 1, 22_050),
    "small": (("model.dims=3", "model.coefficients=20", "model.width=8", "model.depth=0", "model.attack=1", "model.steps=2"), 1, 44_100),
    "wide, deep": (("model.width=100", "model.depth=5", "model.attack=40", "model.steps=70"), 1, 44_100),
    "floor": (("representation.floor=50",), 1, 44_100),
}


def untrained(
    preset: str = "oneshot", *, changes: Iterable[str] = (), channels: int = 1, sample_rate: int = 44_100, samples: int = SAMPLES,
    seed: int = 0,
) -> Instrument:  # fmt: skip
    """An instrument of a preset with random weights. A model with a time-varying latent gets no trajectories, so it cannot be read."""
    torch.manual_seed(seed)
    config = load_preset(preset, changes=changes)
    view = build_representation(config.representation, sample_rate=sample_rate, channels=channels)
    if isinstance(view, Normalised):
        view.fit([torch.randn(channels, samples)])
    model = build_model(config.model, representation=view, samples=samples).eval().requires_grad_(False)
    for tensor in [*model.parameters(), *model.buffers()]:
        if tensor.is_floating_point() and not bool(tensor.any()):
            tensor.copy_(0.1 * torch.randn_like(tensor) / max(1, tensor.shape[-1] if tensor.ndim > 1 else 1) ** 0.5)
    _set_codec(model)
    latents = torch.randn(60, model.dims)
    labels: list[str | None] = [("kick", "snare", None)[k % 3] for k in range(60)]
    space = LatentSpace.fit(latents, labels, played=model.conditioning.played)
    settings = {"representation": config.representation, "model": config.model}
    return Instrument(InstrumentContents(view, model, space, settings, sample_rate, channels, samples))


def untrained_notes(*, channels: int = 1) -> Instrument:
    """An instrument of notes with velocities, which renders them by oscillators."""
    changes = ("model.notes=[45, 75]", "model.velocity=[30, 120]", "model.dims=6", "model.coefficients=40", "model.width=32")
    plain = untrained(changes=changes, channels=channels)
    model = NoteModel(torch.cat([torch.full((1, TRAITS), -1.0), 0.1 * torch.randn(6, TRAITS)]))
    return Instrument(replace(plain.contents, notes=model))


def _set_codec(model: Model) -> None:
    """Gives a linear codec sounds that begin at once and decay: levels of about -10 to -80 dB, and a length within the clips."""
    if not hasattr(model, "set_codec") or not hasattr(model, "steps"):
        return
    cells, count = model.mean.shape[0], model.coefficients  # type: ignore[union-attr,operator]
    basis = torch.linalg.qr(torch.randn(cells, count))[0].T.half().float()
    decay = torch.linspace(-10.0, -70.0, model.steps)  # type: ignore[arg-type]
    mean = (decay.repeat(cells // len(decay)) + 3 * torch.randn(cells)).float()
    scale = 200.0 * 0.97 ** torch.arange(count)
    model.set_codec(mean, basis, scale, torch.tensor([13.0, 0.5]))  # type: ignore[operator]

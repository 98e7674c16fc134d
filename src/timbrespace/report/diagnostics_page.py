"""The page of a training as HTML: its charts, and sounds beside their reconstructions. Everything is inside the one file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import soundfile
from torch import Tensor

from timbrespace import __version__
from timbrespace.report.card import card_view
from timbrespace.report.charts import box_chart
from timbrespace.report.latents.section import LatentView
from timbrespace.report.spectrogram import spectrogram_png
from timbrespace.report.templates import COLOURS, render
from timbrespace.report.training_charts import training_charts
from timbrespace.training.history import OVERFIT_LIMIT

_LONGEST_PICTURE = 2.0  # s


@dataclass(frozen=True)
class LabelledAudio:
    """A sound `(channels, time)` and its label: original, reconstruction, reconstruction at an earlier step."""

    label: str
    audio: Tensor


@dataclass(frozen=True)
class Comparison:
    """A sound of the corpus beside its reconstructions. error: of the reconstructed features, in the model's unit."""

    name: str
    error: float
    sounds: list[LabelledAudio]


@dataclass(frozen=True)
class Diagnostics:
    """What the page of a training shows.

    card: the instrument's. unit: of all errors. split: "held-out" or "training", which clips were measured. kl_unit: "nats" or
    "nats a frame". latents: statistics of the latent space. errors: kind ("category", or the name of a label) -> group -> one error per
    sound.
    """

    title: str
    card: dict[str, Any]
    unit: str
    sample_rate: int
    split: str
    kl_unit: str = "nats"
    errors: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    reconstructions: list[Comparison] = field(default_factory=list)
    worst: list[Comparison] = field(default_factory=list)
    latents: LatentView | None = None


def render_diagnostics(diagnostics: Diagnostics) -> str:
    """Returns the page as HTML text."""
    training = diagnostics.card.get("training") or {}
    page = {
        "title": diagnostics.title,
        "about": "How the training went, which sounds have large errors, and how reconstructions sound.",
        "card": card_view(diagnostics.card),
        "steps": list((training.get("seconds") or {}).items()),
        "made_with": f"timbrespace {__version__}",
    }
    return render(
        "diagnostics.html",
        page=page,
        training=training,
        overfit_limit=OVERFIT_LIMIT,
        unit=diagnostics.unit,
        split=diagnostics.split,
        training_charts=training_charts(training, kl_unit=diagnostics.kl_unit),
        error_charts=[box_chart(f"By {kind}", groups, unit=diagnostics.unit) for kind, groups in diagnostics.errors.items()],
        reconstructions=[_tiles(comparison, diagnostics.sample_rate) for comparison in diagnostics.reconstructions],
        worst=[_tiles(comparison, diagnostics.sample_rate) for comparison in diagnostics.worst],
        latents=diagnostics.latents,
        styles=["page.css", "diagnostics.css"],
        scripts=["page.js"],
        script_data={"dots": [], "marks": [], "colours": COLOURS + 1},
    )


def _tiles(comparison: Comparison, sample_rate: int) -> dict[str, Any]:
    """A comparison for the template."""
    tiles = sound_tiles([(sound.label, sound.audio) for sound in comparison.sounds], sample_rate)
    return {"name": comparison.name, "error": comparison.error, "tiles": tiles}


def sound_tiles(sounds: Sequence[tuple[str, Tensor]], sample_rate: int) -> list[dict[str, Any]]:
    """Returns sounds with their labels for a template, each with its length (s), and its audio and spectrogram as data URLs.

    sounds: labels and audio `(channels, time)`; all pictures show the same span, at most 2 s.
    """
    span = min(_LONGEST_PICTURE, max(audio.shape[-1] for _, audio in sounds) / sample_rate)
    return [
        {
            "label": label,
            "seconds": audio.shape[-1] / sample_rate,
            "span": span,
            "audio": _data_url("audio/flac", _flac(audio, sample_rate)),
            "picture": _data_url("image/png", spectrogram_png(audio, sample_rate, seconds=span, width=240, height=120)),
        }
        for label, audio in sounds
    ]


def _data_url(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _flac(audio: Tensor, sample_rate: int) -> bytes:
    """A sound `(channels, time)` as a 16-bit FLAC file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, audio.clamp(-1, 1).T.contiguous().numpy(), sample_rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()

"""The HTML of the page of a training."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass, field
from importlib import resources
from string import Template
from typing import Any

import soundfile
from torch import Tensor

from timbrespace import __version__
from timbrespace.report import parts
from timbrespace.report.charts import Line, bars, boxes, lines
from timbrespace.report.escaping import clean, script_json
from timbrespace.report.page import PageData
from timbrespace.report.results import card_rows
from timbrespace.report.spectrogram import spectrogram_png

OVERFIT = 1.3  # validation error over training error, from which it knows its own clips better
_HELD = 0.01  # nats under which a dimension tells nothing of a sound
_LONGEST_PICTURE = 2.0  # s
_DIMS = 256  # in a chart, at most


@dataclass(frozen=True)
class Take:
    """One way a sound is shown: what it is, and the sound `(channels, time)`."""

    label: str
    audio: Tensor


@dataclass(frozen=True)
class Compared:
    """A sound of the corpus beside its copies. error: of its features, in the model's unit."""

    name: str
    error: float
    takes: list[Take]


@dataclass(frozen=True)
class Diagnosis:
    """What the page shows. errors: by kind -> group -> one a sound; unit: theirs."""

    title: str
    card: dict[str, Any]
    unit: str
    sample_rate: int
    split: str
    kl_unit: str = "nats"
    errors: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    copies: list[Compared] = field(default_factory=list)
    worst: list[Compared] = field(default_factory=list)


def render(found: Diagnosis) -> str:
    """The page as HTML text."""
    static = resources.files("timbrespace.report") / "static"
    training = found.card.get("training") or {}
    data = PageData(title=found.title, card=card_rows(found.card), steps=list((training.get("seconds") or {}).items()))
    return Template((static / "page.html").read_text(encoding="utf-8")).substitute(
        title=clean(found.title),
        about="How the training went, where the model errs, and what its copies sound like.",
        facts=_facts(training),
        reel="",
        gallery=_learning(training, found.kl_unit),
        morphs=_kinds(found),
        map=_copies(found) + _worst(found),
        card=parts.card(data),
        steps=parts.steps(data),
        made_with=clean(f"timbrespace {__version__}"),
        style="".join((static / name).read_text(encoding="utf-8") for name in ("page.css", "diagnostics.css")),
        script=(static / "page.js").read_text(encoding="utf-8"),
        data=script_json({"dots": [], "marks": []}),
    )


def _facts(training: dict[str, Any]) -> str:
    items = []
    for name, unit in (("clips", "training clips"), ("images", "sounds and variations"), ("steps", "steps")):
        if isinstance(training.get(name), int):
            items.append(f"<li><b>{training[name]:,}</b> {unit}</li>")
    for name, words in (("train_error", "training"), ("validation_error", "validation")):
        if isinstance(training.get(name), (int, float)):
            items.append(f"<li>{words} error <b>{training[name]:.3g} {clean(training.get('unit', ''))}</b></li>")
    ratio = training.get("overfit_ratio")
    if isinstance(ratio, (int, float)):
        alarm = ratio > OVERFIT
        items.append(f"<li{' class=alarm' if alarm else ''}>overfit ratio <b>{ratio:.2f}</b>{' – over 1.3' if alarm else ''}</li>")
    held = training.get("kl_per_dimension")
    if isinstance(training.get("active_units"), int) and isinstance(held, list):
        items.append(f"<li><b>{training['active_units']}</b> of {len(held)} latent dimensions active</li>")
    if training.get("stopped_early"):
        items.append("<li>stopped early: validation no longer improved</li>")
    return f'<ul class="facts">{"".join(items)}</ul>' if items else ""


def _learning(training: dict[str, Any], kl_unit: str) -> str:
    curve = {name: [math.nan if v is None else float(v) for v in values] for name, values in (training.get("curve") or {}).items()}
    steps, unit, charts = curve.get("step") or [], str(training.get("unit", "")), []
    if steps:
        stages = curve.get("stage") or [1.0] * len(steps)
        last = max(stages)
        for stage in sorted(set(stages)):
            rows = [k for k, number in enumerate(stages) if number == stage]
            first = 0.0 if stage == min(stages) else steps[rows[0] - 1]
            x = [steps[k] - first for k in rows]
            train, validation = ([curve[name][k] for k in rows] for name in ("train", "validation"))
            where = "" if len(set(stages)) == 1 else f", stage {stage:g}"
            named = unit if stage == min(stages) else "of the codes"
            best = training.get("best_step")
            mark = (float(best) - first, f"best, step {best:,}") if isinstance(best, int) and len(set(stages)) == 1 else None
            charts.append(
                lines(f"Error{where}", [Line("training clips", x, train, 0), Line("validation", x, validation, 1)], unit=named, mark=mark)
            )
            ratios = [b / a if a > 0 else math.nan for a, b in zip(train, validation, strict=True)]
            alarm = (OVERFIT, "1.3: it knows its own clips better")
            charts.append(lines(f"Overfit ratio{where}", [Line("validation over training", x, ratios, 2)], unit="×", level=alarm))
            if stage == last and any(curve["kl"][k] > 0 for k in rows):
                charts.append(lines("KL divergence", [Line("all dimensions", x, [curve["kl"][k] for k in rows], 3)], unit=kl_unit))
    held = [float(value) for value in training.get("kl_per_dimension") or []]
    if any(held):
        order = sorted(held, reverse=True)[:_DIMS]
        more = f", the first {_DIMS} of {len(held)}" if len(held) > _DIMS else ""
        charts.append(bars(f"KL by dimension, largest first{more}", order, unit=kl_unit, level=(_HELD, "0.01 nats or more")))
    return _section("learning", "How it learned", "", f'<div class="charts">{"".join(charts)}</div>') if charts else ""


def _kinds(found: Diagnosis) -> str:
    if not found.errors:
        return ""
    titles = {"category": "By category"}
    charts = "".join(boxes(titles.get(kind, f"By {kind}"), groups, unit=found.unit) for kind, groups in found.errors.items())
    lead = f"Features there and back through the latent, no audio made; {clean(found.split)} sounds, how many of a kind in brackets."
    return _section("kinds", "Errors by kind", lead, f'<div class="charts">{charts}</div>')


def _copies(found: Diagnosis) -> str:
    if not found.copies:
        return ""
    rows = "\n".join(_row(one, found) for one in found.copies)
    lead = "Click a picture to listen. Between original and copy: what the model made of the sound earlier, where it was looked at then."
    return _section("copies", "Copies of validation sounds", lead, f'<div class="copies">{rows}</div>')


def _worst(found: Diagnosis) -> str:
    if not found.worst:
        return ""
    rows = "\n".join(_row(one, found) for one in found.worst)
    lead = f"The {clean(found.split)} sounds with the largest errors, the worst first."
    return _section("worst", "Worst sounds", lead, f'<div class="copies worst">{rows}</div>')


def _section(name: str, title: str, lead: str, body: str) -> str:
    told = f'<p class="lead">{lead}</p>' if lead else ""
    return f'<section aria-labelledby="h-{name}"><h2 id="h-{name}">{title}</h2>{told}\n{body}</section>'


def _row(one: Compared, found: Diagnosis) -> str:
    span = min(_LONGEST_PICTURE, max(take.audio.shape[-1] for take in one.takes) / found.sample_rate)
    tiles = "".join(f"<li>{_tile(take, one.name, found.sample_rate, span)}<p>{clean(take.label)}</p></li>" for take in one.takes)
    head = f"<h3><bdi>{clean(one.name)}</bdi><span>{one.error:.3g} {clean(found.unit)}</span></h3>"
    return f"<article>{head}<ol data-keys>{tiles}</ol></article>"


def _tile(take: Take, name: str, sample_rate: int, span: float) -> str:
    picture = base64.b64encode(spectrogram_png(take.audio, sample_rate, seconds=span, width=240, height=120)).decode()
    seconds = take.audio.shape[-1] / sample_rate
    return (
        f'<button class="pic play" data-src="data:audio/flac;base64,{_flac(take.audio, sample_rate)}" data-seconds="{seconds:.3f}" '
        f'data-span="{span:.3f}" aria-pressed="false" aria-label="Play {clean(name)}, {clean(take.label)}">'
        f'<img src="data:image/png;base64,{picture}" alt="" draggable="false"><i class="head"></i>'
        f'<span class="sign">{parts.PLAY}</span><span class="length">{parts.length(seconds)}</span></button>'
    )


def _flac(audio: Tensor, sample_rate: int) -> str:
    """A sound as 16-bit FLAC in base64."""
    buffer = io.BytesIO()
    soundfile.write(buffer, audio.clamp(-1, 1).T.contiguous().numpy(), sample_rate, format="FLAC", subtype="PCM_16")
    return base64.b64encode(buffer.getvalue()).decode()

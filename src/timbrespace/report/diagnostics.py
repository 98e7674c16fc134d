"""The page of a training: how it went, which sounds have large errors, and how reconstructions sound. One HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from timbrespace.atomic import write_text
from timbrespace.corpus.corpus import Corpus
from timbrespace.evaluation.feature_error import feature_errors, feature_unit
from timbrespace.instrument import Instrument
from timbrespace.report.diagnostics_page import Comparison, Diagnostics, LabelledAudio, render_diagnostics
from timbrespace.report.latents.section import latent_view
from timbrespace.report.snapshots import Snapshots

_MEASURED, _RECONSTRUCTED, _WORST = 300, 6, 10  # sounds, at most
_GROUPS, _LABEL_VALUES = 14, 20  # boxes in a chart, at most: of categories, of a label's values


def write_diagnostics(
    instrument: Instrument, corpus: Corpus, out: Path | str, *, snapshots: Snapshots | None = None, force: bool = False
) -> Path:
    """Writes the page of an instrument that was trained on `corpus` to the file `out` and returns its path.

    snapshots: reconstructions kept during that training. Raises OutputExistsError if the file exists and `force` is False.
    """
    path = Path(out)
    diagnostics = diagnose(instrument, corpus, snapshots=snapshots, title=path.stem)
    write_text(path, render_diagnostics(diagnostics), force=force)
    return path


def diagnose(instrument: Instrument, corpus: Corpus, *, snapshots: Snapshots | None = None, title: str = "Training") -> Diagnostics:
    """Returns errors of held-out sounds (of the training clips if the corpus holds none out), and reconstructions of some."""
    validation = corpus.indices("validation")
    candidates = validation + corpus.indices("test") if validation else corpus.indices("train")
    measured = _spread([clip for clip in candidates if corpus.audio(clip).any()], _MEASURED)
    errors = dict(zip(measured, feature_errors(instrument, [corpus.audio(clip) for clip in measured]).tolist(), strict=True))
    clips = validation or corpus.indices("train")
    kept = snapshots.rows if snapshots is not None and snapshots.snapshots else []
    rows = [row for row in kept if row < len(clips)]
    rows += [row for row in _spread(range(len(clips)), _RECONSTRUCTED) if row not in rows][: max(0, _RECONSTRUCTED - len(rows))]

    def comparison(clip: int, earlier: list[LabelledAudio]) -> Comparison:
        audio = corpus.audio(clip)[:, : instrument.contents.samples]
        error = errors[clip] if clip in errors else float(feature_errors(instrument, [audio])[0])
        ends = LabelledAudio("original", audio), LabelledAudio("reconstruction", instrument.reconstruct(audio))
        return Comparison(corpus.clips[clip].name, error, [ends[0], *earlier, ends[1]])

    def earlier(row: int) -> list[LabelledAudio]:
        shots = snapshots.snapshots if snapshots is not None and row in kept else []
        return [LabelledAudio(f"at step {shot.step:,}", shot.audio(kept.index(row), instrument)) for shot in shots]

    worst = sorted(errors, key=lambda clip: errors[clip], reverse=True)[:_WORST]
    return Diagnostics(
        title=title,
        card=instrument.card,
        unit=feature_unit(instrument),
        sample_rate=instrument.sample_rate,
        split="held-out" if validation else "training",
        kl_unit="nats a frame" if instrument.model.time_varying else "nats",
        errors=_errors_by_kind(corpus, errors),
        reconstructions=[comparison(clips[row], earlier(row)) for row in rows if corpus.audio(clips[row]).any()],
        worst=[comparison(clip, []) for clip in worst],
        latents=latent_view(instrument.statistics()),
    )


def _spread(clips: Sequence[int], count: int) -> list[int]:
    """At most `count` of the clips, spread evenly."""
    return [clips[k * len(clips) // count] for k in range(count)] if len(clips) > count else list(clips)


def _errors_by_kind(corpus: Corpus, errors: dict[int, float]) -> dict[str, dict[str, list[float]]]:
    """Errors by category, and by the values of labels that are whole numbers: the factors of a toy corpus.

    errors: clip -> error. Returns kind ("category", or the name of a label) -> group -> errors.
    """
    groups_of_kind: dict[str, dict[str, list[float]]] = {}
    labels = sorted({name for clip in errors for name, value in corpus.clips[clip].labels.items() if type(value) is int})
    kinds: list[tuple[str, dict[int, Any]]] = [("category", {clip: corpus.clips[clip].category for clip in errors})]
    kinds += [(name, {clip: corpus.clips[clip].labels.get(name) for clip in errors}) for name in labels]
    for kind, value_of in kinds:
        values = sorted({value for value in value_of.values() if value is not None}, key=lambda value: (isinstance(value, str), value))
        if kind != "category" and not 2 <= len(values) <= _LABEL_VALUES:
            continue
        groups = {str(value): [errors[clip] for clip in errors if value_of[clip] == value] for value in values}
        if kind == "category" and groups and (rest := [errors[clip] for clip in errors if value_of[clip] is None]):
            groups["no category"] = rest
        if kind == "category" and len(groups) > _GROUPS:
            largest = sorted(groups, key=lambda name: -len(groups[name]))[: _GROUPS - 1]
            others = [error for name, group in groups.items() if name not in largest for error in group]
            groups = {name: group for name, group in groups.items() if name in largest} | {"all others": others}
        if groups:
            groups_of_kind[kind] = groups
    return groups_of_kind

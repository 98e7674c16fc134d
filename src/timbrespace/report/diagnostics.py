"""The page of a training: how it went, where the model errs, what its copies sound like. One HTML file that holds everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from timbrespace.atomic import write_text
from timbrespace.corpus.corpus import Corpus
from timbrespace.evaluation.features import feature_errors, feature_unit
from timbrespace.report.diagnostics_parts import Compared, Diagnosis, Take, render
from timbrespace.report.snapshots import Snapshots
from timbrespace.synthesis.instrument import Instrument

_SOUNDS, _SHOWN, _WORST = 300, 6, 10  # measured at most, copied, and shown as the worst
_GROUPS, _VALUES = 14, 20  # in a chart, at most


def write_diagnostics(
    instrument: Instrument, corpus: Corpus, out: Path | str, *, snapshots: Snapshots | None = None, force: bool = False
) -> Path:
    """Writes the page of an instrument trained on `corpus` to the file `out` and returns its path. snapshots: of that training.

    Raises OutputExistsError when it is there and `force` is False.
    """
    path = Path(out)
    write_text(path, render(diagnose(instrument, corpus, snapshots=snapshots, title=path.stem)), force=force)
    return path


def diagnose(instrument: Instrument, corpus: Corpus, *, snapshots: Snapshots | None = None, title: str = "Training") -> Diagnosis:
    """Measures held-out sounds (of a corpus without any, the training clips) and copies some."""
    validation = corpus.indices("validation")
    split = "held-out" if validation else "training"
    known = validation + corpus.indices("test") if validation else corpus.indices("train")
    heard = [i for i in known if corpus.audio(i).any()]
    chosen = [heard[k * len(heard) // _SOUNDS] for k in range(_SOUNDS)] if len(heard) > _SOUNDS else heard
    errors = dict(zip(chosen, feature_errors(instrument, [corpus.audio(i) for i in chosen]).tolist(), strict=True))
    held = validation or corpus.indices("train")
    looked_at = snapshots.rows if snapshots is not None and snapshots.taken else []
    others = [k * len(held) // _SHOWN for k in range(min(_SHOWN, len(held)))]
    shown = [row for row in looked_at if row < len(held)]
    shown += [row for row in others if row not in shown][: max(0, _SHOWN - len(shown))]

    def compared(clip: int, between: list[Take]) -> Compared:
        audio = corpus.audio(clip)[:, : instrument.contents.samples]
        error = errors[clip] if clip in errors else float(feature_errors(instrument, [audio])[0])
        return Compared(corpus.clips[clip].name, error, [Take("original", audio), *between, Take("copy", instrument.reconstruct(audio))])

    def earlier(row: int) -> list[Take]:
        taken = snapshots.taken if snapshots is not None and row in looked_at else []
        return [Take(f"at step {shot.step:,}", shot.audio(looked_at.index(row), instrument)) for shot in taken]

    worst = sorted(errors, key=lambda clip: errors[clip], reverse=True)[:_WORST]
    return Diagnosis(
        title=title,
        card=instrument.card,
        unit=feature_unit(instrument),
        sample_rate=instrument.sample_rate,
        split=split,
        kl_unit="nats a frame" if instrument.model.time_varying else "nats",
        errors=_by_kind(corpus, errors),
        copies=[compared(held[row], earlier(row)) for row in shown if corpus.audio(held[row]).any()],
        worst=[compared(clip, []) for clip in worst],
    )


def _by_kind(corpus: Corpus, errors: dict[int, float]) -> dict[str, dict[str, list[float]]]:
    """Errors by category, and by the values of labels that are whole numbers: the factors of a toy corpus."""
    found: dict[str, dict[str, list[float]]] = {}
    labels = sorted({name for clip in errors for name, value in corpus.clips[clip].labels.items() if type(value) is int})
    kinds: list[tuple[str, dict[int, Any]]] = [("category", {clip: corpus.clips[clip].category for clip in errors})]
    kinds += [(name, {clip: corpus.clips[clip].labels.get(name) for clip in errors}) for name in labels]
    for kind, value_of in kinds:
        values = sorted({value for value in value_of.values() if value is not None}, key=lambda value: (isinstance(value, str), value))
        if kind != "category" and not 2 <= len(values) <= _VALUES:
            continue
        groups = {str(value): [errors[clip] for clip in errors if value_of[clip] == value] for value in values}
        if kind == "category" and groups and (rest := [errors[clip] for clip in errors if value_of[clip] is None]):
            groups["no category"] = rest
        if kind == "category" and len(groups) > _GROUPS:
            kept = sorted(groups, key=lambda name: -len(groups[name]))[: _GROUPS - 1]
            others = [error for name, group in groups.items() if name not in kept for error in group]
            groups = {name: group for name, group in groups.items() if name in kept} | {"all others": others}
        if groups:
            found[kind] = groups
    return found

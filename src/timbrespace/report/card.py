"""The card of an instrument for pages and for `info`: in words first, then its figures, and what each row and column means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from timbrespace.report.advice import advice_lines
from timbrespace.report.verdicts import Verdict, verdicts
from timbrespace.training.history import OVERFIT_LIMIT


class CardRow(NamedTuple):
    """A row of the card: what was measured, its value, and a sentence that explains it."""

    label: str
    value: str
    hint: str


class Column(NamedTuple):
    """A column of the table of errors: key in the card, heading, unit, explanation."""

    key: str
    heading: str
    unit: str
    meaning: str


class ErrorRow(NamedTuple):
    """A row of the table of errors: name, explanation, and the values as text, one a column."""

    name: str
    meaning: str
    values: list[str]


COLUMNS = (
    Column("log_mel_db", "log-mel", "dB", "how far the spectrum is off, over the first 1.5 s; the words close, fair and far rest on it"),
    Column("sound_db", "sound", "dB", "the same while the original sounds; silence after its end does not count"),
    Column("attack_ms", "attack", "ms", "how much the rise of the sound is too slow or too fast"),
    Column("decay_percent", "decay", "%", "how much too long or too short the sound fades, in percent of the time it should take"),
    Column("grain_db", "grain", "dB", "how much noise is too smooth or too rough"),
)
ROWS = {
    "instrument": "the sounds, encoded and decoded by this instrument",
    "linear path alone": "the same without its networks: principal components of your sounds",
    "true features": "encoded and decoded without a model: the least error possible",
    "nearest training sound": "in place of each sound the most similar one that the instrument learned from: an instrument must do better",
    "silence": "in place of each sound nothing: the error of no answer at all",
}


@dataclass(frozen=True)
class CardView:
    """The card as pages and `info` show it. figures: rows with single values; table_of: the sounds that the table of errors is about."""

    words: list[Verdict] = field(default_factory=list)
    figures: list[CardRow] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    table: list[ErrorRow] = field(default_factory=list)
    table_of: str = ""
    advice: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.words or self.figures or self.table)


def card_view(card: dict[str, Any], settings: dict[str, Any] | None = None) -> CardView:
    """Returns a card to show; parts that it lacks, or that have another type, are left out. settings: of the instrument, for advice."""
    reconstruction = _group(card, "reconstruction")
    rows = _group(reconstruction, "rows")
    keys = {key for name in rows for key in _group(rows, name)}
    columns = [column for column in COLUMNS if column.key in keys]
    columns += [Column(key, key, "", "a measure of another version") for key in sorted(keys - {column.key for column in COLUMNS})]
    table = [ErrorRow(name, ROWS.get(name, ""), [_text(_group(rows, name).get(column.key)) for column in columns]) for name in rows]
    table_of = f"mean over {reconstruction.get('sounds')} sounds of the {reconstruction.get('on')} split" if rows else ""
    if rows and reconstruction.get("repeats"):
        table_of += f"; {reconstruction['repeats']} of them repeat a training sound"
    return CardView(verdicts(card), card_rows(card), columns, table, table_of, advice_lines(card, settings))


def card_rows(card: dict[str, Any]) -> list[CardRow]:
    """Returns the figures of a card but for its table of errors; parts that the card lacks are left out."""
    corpus, training, new_sounds = (_group(card, name) for name in ("corpus", "training", "new_sounds"))
    rows = []
    if corpus:
        value = f"{corpus.get('clips')} clips, {corpus.get('minutes')} min, {corpus.get('skipped')} skipped"
        rows.append(CardRow("Corpus", value, "all clips, held-out ones included; skipped files could not be used"))
    if long := _group(corpus, "long_files"):
        hint = f"{long.get('clips')} clips cut from {long.get('files')} long file(s); together they count like so many sounds"
        rows.append(CardRow("Long files", f"count like {long.get('count_as')} sounds", hint))
    if training:
        rows += _training_rows(training)
    if new_sounds:
        reason = new_sounds.get("novelty_reason")
        novelty = reason or "median; 0 is a copy, 1 as far from the training clips as real sounds outside the training set"
        copies = f"{new_sounds.get('copies')} of {new_sounds.get('sounds')}"
        speed = f"{new_sounds.get('times_real_time')} × real time"
        rows.append(CardRow("Novelty", "cannot be measured" if reason else f"{new_sounds.get('novelty_median')}", novelty))
        rows.append(CardRow("Copies", copies, "new sounds too close to a training clip to be called new"))
        rows.append(CardRow("Speed", speed, "making new sounds, on the machine that trained the instrument"))
    return rows


def _training_rows(training: dict[str, Any]) -> list[CardRow]:
    seconds = [value for value in _group(training, "seconds").values() if isinstance(value, int | float)]
    took = f"{sum(seconds):.0f} s on {training.get('device')}" if seconds else f"on {training.get('device')}"
    steps = f"{training.get('steps')} steps on {training.get('images')} sounds and variations, seed {training.get('seed')}"
    overfit = f"validation error over training error; over {OVERFIT_LIMIT} the model fits its training clips better than other sounds"
    rows = [CardRow("Training", took, steps)]
    if training.get("validation_error") is not None:
        validation = f"{training['validation_error']} {training.get('unit', '')}".strip()
        rows.append(CardRow("Validation error", validation, "of the features of sounds that training did not use; lower is better"))
    rows.append(CardRow("Overfit ratio", f"{training.get('overfit_ratio')}", overfit))
    if isinstance(training.get("active_units"), int) and isinstance(kl := training.get("kl_per_dimension"), list):
        rows.append(
            CardRow("Latent", f"{training['active_units']} of {len(kl)} dimensions active", "numbers of the latent that the model uses")
        )
    return rows


def _text(value: object) -> str:
    """Two digits, or a dash for a value that is not a number."""
    return f"{value:.2f}" if isinstance(value, int | float) and not isinstance(value, bool) else "–"


def _group(values: dict[str, Any], name: str) -> dict[str, Any]:
    """A part of the card; empty where a foreign file holds another type."""
    group = values.get(name)
    return group if isinstance(group, dict) else {}

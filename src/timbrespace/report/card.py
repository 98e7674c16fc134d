"""The card of an instrument as table rows for the pages."""

from __future__ import annotations

from typing import Any, NamedTuple

from timbrespace.training.history import OVERFIT_LIMIT


class CardRow(NamedTuple):
    """A row of the card: what was measured, its value, and a sentence that explains it."""

    label: str
    value: str
    hint: str


def card_rows(card: dict[str, Any]) -> list[CardRow]:
    """Returns the rows of a card; parts that the card lacks are left out."""
    corpus, training, reconstruction, new_sounds = (card.get(name) or {} for name in ("corpus", "training", "reconstruction", "new_sounds"))
    rows = []
    if corpus:
        rows.append(CardRow("Corpus", f"{corpus.get('clips')} clips, {corpus.get('minutes')} min", "all clips, held-out ones included"))
    if training:
        seconds = sum((training.get("seconds") or {}).values())
        seed = f"{training.get('steps')} steps, seed {training.get('seed')}"
        overfit = f"validation error over training error; over {OVERFIT_LIMIT} the model fits its training clips better than other sounds"
        rows.append(CardRow("Training", f"{seconds:.0f} s on {training.get('device')}", seed))
        rows.append(CardRow("Overfit ratio", f"{training.get('overfit_ratio')}", overfit))
    for name, row in (reconstruction.get("rows") or {}).items():
        clips = f"{reconstruction.get('sounds')} clips of the {reconstruction.get('on')} split"
        clips += f" ({reconstruction['repeats']} repeat a training clip)" if reconstruction.get("repeats") else ""
        rows.append(CardRow(f"Error, {name}", f"{row.get('log_mel_db')} dB", f"log-mel error on {clips}, WAV to WAV; lower is better"))
    if new_sounds:
        reason = new_sounds.get("novelty_reason")
        novelty = reason or "median; 0 is a copy, 1 as far from the training clips as real sounds outside the training set"
        copies = f"{new_sounds.get('copies')} of {new_sounds.get('sounds')}"
        speed = f"{new_sounds.get('times_real_time')} × real time"
        rows.append(CardRow("Novelty", "cannot be measured" if reason else f"{new_sounds.get('novelty_median')}", novelty))
        rows.append(CardRow("Copies", copies, "new sounds too close to a training clip to be called new"))
        rows.append(CardRow("Speed", speed, "making new sounds, on the machine that trained the instrument"))
    if card.get("expect"):
        rows.append(CardRow("What to expect", str(card["expect"]), ""))
    return rows

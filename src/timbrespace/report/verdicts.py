"""The card in words: close, fair or far; fresh, familiar or copies. The limits are the control rows of the card itself.

Imitation of sounds that were held out: an error is placed between that of the true features (0: no model can do better) and that of the
nearest training sound (1: the model gives no more than the nearest of one's own sounds). In the tables of docs/benchmarks/end-to-end.md
the default instrument has 0.41 and 0.50 on unseen and on held-out drums, plain PCA of the same size 0.60 and 0.63.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from timbrespace.report.advice import FEW_TEST_SOUNDS
from timbrespace.synthesis.output.nearest import COPY, UNLIKE
from timbrespace.training.history import OVERFIT_LIMIT
from timbrespace.wording import counted

CLOSE = 0.5  # share of the way from the true features to the nearest training sound, see above
# Nine of ten held-out real sounds have more novelty: the tenth percentile is 0.56 of recorded and 0.64 of synthetic drums, 0.73 of notes.
FRESH = 0.6
_MEASURE = "log_mel_db"


class Verdict(NamedTuple):
    """One line of the card in words: what it is about, the word, a sentence. tone: "good", "fair", "poor" or "" for no judgement."""

    about: str
    word: str
    text: str
    tone: str = ""


class Limits(NamedTuple):
    """Errors of control rows in dB: `least` of the true features, `nearest` of the nearest training sound, `silence`."""

    least: float
    nearest: float
    silence: float

    def word(self, error: float) -> str:
        """Returns "close", "fair" or "far" for the error (dB) of an imitation."""
        if not error < min(self.nearest, self.silence):
            return "far"
        return "close" if error <= self.least + CLOSE * (self.nearest - self.least) else "fair"


def limits_of(card: dict[str, Any]) -> Limits | None:
    """Returns the limits that the card of an instrument gives; None where it has none.

    They are missing where no sound was held out, where half of the measured sounds or more repeat a training sound, or in a foreign file.
    """
    reconstruction = _group(card, "reconstruction")
    count, repeats = _number(reconstruction.get("sounds")), _number(reconstruction.get("repeats")) or 0.0
    values = [
        _number(_group(_group(reconstruction, "rows"), row).get(_MEASURE)) for row in ("true features", "nearest training sound", "silence")
    ]
    if reconstruction.get("on") not in ("test", "validation") or None in values or not count or 2 * repeats >= count:
        return None
    return Limits(*(value for value in values if value is not None))


def novelty_word(novelty: float | None, *, is_copy: bool = False) -> str:
    """Returns "copy", "familiar", "fresh" or "far out" for the novelty of a new sound; "" where it is not known."""
    if is_copy:
        return "copy"
    if novelty is None:
        return ""
    return "copy" if novelty < COPY else "familiar" if novelty < FRESH else "fresh" if novelty <= UNLIKE else "far out"


def verdicts(card: dict[str, Any]) -> list[Verdict]:
    """Returns the card in words. Parts that it lacks, or that have another type, are left out."""
    lines = [
        _imitation(card),
        _new_sounds(_group(card, "new_sounds")),
        _learning(_group(card, "training")),
        _corpus(_group(card, "corpus")),
    ]
    out = [line for line in lines if line is not None]
    if isinstance(card.get("expect"), str):
        out.append(Verdict("What to expect", "", card["expect"]))
    return out


def _imitation(card: dict[str, Any]) -> Verdict | None:
    """How near imitations of sounds that were held out are to the originals."""
    reconstruction = _group(card, "reconstruction")
    error, count = _number(_group(_group(reconstruction, "rows"), "instrument").get(_MEASURE)), reconstruction.get("sounds")
    if error is None or not isinstance(count, int):
        return None
    about, limits = "Imitations of sounds it did not learn", limits_of(card)
    if reconstruction.get("on") == "train":
        text = f"all sounds were used to learn, so only imitations of these could be measured: error {error:.1f} dB"
        return Verdict(about, "not measured", text)
    if limits is None:
        why = (
            f"{reconstruction['repeats']} of the {count} test sounds repeat a training sound"
            if reconstruction.get("repeats")
            else "the card lacks what to compare with"
        )
        return Verdict(about, "cannot be judged", f"{why}; error {error:.1f} dB")
    word = limits.word(error)
    if word == "close":
        meaning = "much nearer to the original than the most similar of your own sounds"
    elif word == "fair":
        meaning = "nearer to the original than the most similar of your own sounds, but not by much"
    elif error >= limits.silence:
        meaning = "no nearer to the original than silence: train longer"
    else:
        meaning = "no nearer to the original than the most similar of your own sounds: train longer, or add sounds"
    compare = (
        f"error {error:.1f} dB; of the most similar own sound {limits.nearest:.1f}, of silence {limits.silence:.1f}; "
        f"the least possible is {limits.least:.1f}"
    )
    few = f"; on {counted(count, 'sound')} only" if count < FEW_TEST_SOUNDS else ""
    return Verdict(about, word, f"{meaning} ({compare}{few})", {"close": "good", "fair": "fair"}.get(word, "poor"))


def _new_sounds(group: dict[str, Any]) -> Verdict | None:
    """How new the first batch of new sounds was."""
    count, copies, novelty = group.get("sounds"), group.get("copies"), _number(group.get("novelty_median"))
    if not isinstance(count, int) or not isinstance(copies, int) or not count:
        return None
    of = (
        f"none of {count} is a copy of one of your sounds"
        if not copies
        else f"{copies} of {count} {'is a copy' if copies == 1 else 'are copies'} of your sounds"
    )
    if novelty is None:
        reason = f" ({group['novelty_reason']})" if group.get("novelty_reason") else ""
        return Verdict("New sounds", "not known", f"{of}; how new they are cannot be measured{reason}")
    if 2 * copies >= count:
        return Verdict("New sounds", "copies", f"{of}: add sounds that differ, or raise --temperature", "poor")
    word = novelty_word(novelty)
    meaning = {
        "copy": "as a rule very near to one of your sounds",
        "familiar": "as a rule nearer to your sounds than other real sounds of their kind are",
        "fresh": "about as far from your sounds as other real sounds of their kind are",
        "far out": "farther from your sounds than any real sound of their kind: lower --temperature, or train longer",
    }[word]
    tone = {"fresh": "good", "familiar": "fair"}.get(word, "poor")
    return Verdict("New sounds", "copies" if word == "copy" else word, f"{of}; {meaning} (novelty {novelty:.2f}, 1 is a real sound)", tone)


def _learning(group: dict[str, Any]) -> Verdict | None:
    """Whether the model knows other sounds as well as its own."""
    ratio = _number(group.get("overfit_ratio"))
    if ratio is None:
        return None
    if ratio <= OVERFIT_LIMIT:
        return Verdict(
            "Learning",
            "balanced",
            f"other sounds of their kind are handled as well as those it learned from (overfit ratio {ratio:.2f})",
            "good",
        )
    text = f"it knows the sounds it learned from better than others of their kind (overfit ratio {ratio:.2f}, over {OVERFIT_LIMIT})"
    return Verdict("Learning", "leans on its own sounds", text, "fair")


def _corpus(group: dict[str, Any]) -> Verdict | None:
    """What the instrument learned from."""
    clips, minutes, kinds, skipped = (group.get(name) for name in ("clips", "minutes", "categories", "skipped"))
    if not isinstance(clips, int):
        return None
    parts = [f"{minutes:g} minutes" if minutes >= 1 else f"{60 * minutes:.0f} s"] if isinstance(minutes, int | float) else []
    if isinstance(kinds, dict) and kinds:
        most = sorted(kinds, key=lambda kind: (-int(_number(kinds[kind]) or 0), kind))
        shown = ", ".join(most[:6]) + (" …" if len(most) > 6 else "")
        parts.append(f"{counted(len(most), 'kind')}: {shown}")
    if isinstance(skipped, int) and skipped:
        parts.append(f"{counted(skipped, 'file')} skipped")
    long = _group(group, "long_files")
    cut, count_as = long.get("clips"), _number(long.get("count_as"))
    if isinstance(cut, int) and count_as is not None:
        parts.append(f"{cut} clips of long files count like {counted(round(count_as), 'sound')}")
    return Verdict("Learned from", counted(clips, "sound"), "; ".join(parts))


def _number(value: object) -> float | None:
    """A finite number of the card as it is, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if float("-inf") < value < float("inf") else None


def _group(values: dict[str, Any], name: str) -> dict[str, Any]:
    """A part of the card; empty where a foreign file holds another type."""
    group = values.get(name)
    return group if isinstance(group, dict) else {}

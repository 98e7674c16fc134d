"""Kinds of drums: how names spell them, and the General MIDI keys where samplers expect them."""

from __future__ import annotations

import re

# Kind, pattern of its spellings, General MIDI keys in order of preference. The first row that matches counts.
_KINDS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("closed hat", r"(closed|cl|ch)[ _-]?(hi[ _-]?)?(hat|hh)s?|(hat|hh)s?[ _-]?(closed|cl)|chh", (42, 44)),
    ("open hat", r"(open|op|oh)[ _-]?(hi[ _-]?)?(hat|hh)s?|(hat|hh)s?[ _-]?(open|op)|ohh", (46,)),
    ("pedal hat", r"(pedal|foot)[ _-]?(hi[ _-]?)?(hat|hh)s?|(hat|hh)s?[ _-]?(pedal|foot)|phh", (44,)),
    ("hat", r"(hi[ _-]?)?hats?|hh", (42, 44, 46)),
    ("kick", r"kicks?|bass[ _-]?drums?|bd", (36, 35)),
    ("rim", r"rim(shot|click|s)?s?|(side|cross)[ _-]?sticks?", (37,)),
    ("snare", r"snares?|sn|sd", (38, 40)),
    ("clap", r"(hand)?[ _-]?claps?|cp", (39,)),
    ("tom", r"(floor|low|mid|hi|high|rack)?[ _-]?toms?", (45, 47, 48, 43, 50, 41)),
    ("crash", r"crash(es)?", (49, 57)),
    ("china", r"chinas?", (52,)),
    ("splash", r"splash(es)?", (55,)),
    ("ride bell", r"ride[ _-]?bells?", (53,)),
    ("ride", r"rides?", (51, 59)),
    ("cymbal", r"cymbals?|cym", (49, 51, 57, 55, 52, 59)),
    ("tambourine", r"tamb(ourine)?s?", (54,)),
    ("cowbell", r"cow[ _-]?bells?", (56,)),
    ("bongo", r"bongos?", (60, 61)),
    ("conga", r"congas?", (63, 62, 64)),
    ("timbale", r"timbales?", (65, 66)),
    ("agogo", r"agogos?", (67, 68)),
    ("cabasa", r"cabasas?", (69,)),
    ("maracas", r"maracas?", (70,)),
    ("guiro", r"guiros?", (73, 74)),
    ("clave", r"claves?", (75,)),
    ("wood block", r"wood[ _-]?blocks?", (76, 77)),
    ("triangle", r"triangles?", (81, 80)),
    ("shaker", r"shakers?", (82,)),
)
_PATTERNS = [(kind, re.compile(rf"(?<![a-z])({pattern})(?![a-z])"), keys) for kind, pattern, keys in _KINDS]


def drum_kind(category: str | None, label: str) -> tuple[str | None, tuple[int, ...]]:
    """Returns the General MIDI kind of a sound and its keys; `(None, ())` for a sound that is no known drum.

    category: decides where it names a kind; a plain "hat" is refined by the label ("Hat Open 3"). label: read where there is no category.
    """
    kind, keys = _match(category or "")
    if kind == "hat":
        refined, refined_keys = _match(label)
        if refined is not None and refined.endswith("hat"):
            return refined, refined_keys
    return (kind, keys) if kind is not None or category else _match(label)


def _match(text: str) -> tuple[str | None, tuple[int, ...]]:
    for kind, pattern, keys in _PATTERNS:
        if pattern.search(text.casefold()):
            return kind, keys
    return None, ()

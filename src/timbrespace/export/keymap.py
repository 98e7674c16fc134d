"""Where the sounds of a kit lie on the keyboard; the same for every sampler format.

**Drums** (a sound without a root note among them): a key each. Sounds whose kind is known lie where General MIDI has that kind;
what is left fills the free keys from 36 upwards, then downwards from 35. Hats share one choke group.
**Pitched** (every sound knows its root note): each plays around its root, borders midway between neighbours, so the whole
keyboard sounds. Several sounds of one root cannot share keys: the second of each root starts a second page, and so on.

A page is one playable file; more than 127 drums, or repeated roots, make several. No sound is ever left out. Keys are 1…127,
what every format takes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from timbrespace.contracts import ConfigError

LOWEST_KEY, FIRST_PAD, HIGHEST_KEY = 1, 36, 127
PAGE = HIGHEST_KEY - LOWEST_KEY + 1
HATS = "hats"


@dataclass(frozen=True)
class KitEntry:
    """One sound of a kit: its file relative to the kit's folder, kind, root note (MIDI) if pitched, length in s, a label to read."""

    file: Path
    category: str | None
    root_note: int | None
    seconds: float
    label: str


@dataclass(frozen=True)
class Zone:
    """The keys `low`…`high` (MIDI) that play an entry, `root` the one at its own pitch; `choke` names a group that stops itself."""

    entry: KitEntry
    low: int
    high: int
    root: int
    choke: str | None = None


# What a kind is called, and its General MIDI keys in order of preference. The first row that fits counts.
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


def kind_of(entry: KitEntry) -> tuple[str | None, tuple[int, ...]]:
    """The General MIDI kind of an entry and its keys, by its category, then, for plain hats, by its label; (None, ()) if unknown."""
    kind, keys = _match(entry.category or "")
    if kind == "hat":
        finer, finer_keys = _match(entry.label)
        if finer is not None and finer.endswith("hat"):
            return finer, finer_keys
    return (kind, keys) if kind is not None or entry.category else _match(entry.label)


def keymap(entries: Sequence[KitEntry]) -> list[list[Zone]]:
    """Places every entry: a list of pages, each a list of zones whose keys do not overlap. Raises ConfigError."""
    if not entries:
        raise ConfigError("a kit needs at least one sound, none was given")
    roots = [entry.root_note for entry in entries]
    for root, entry in zip(roots, entries, strict=True):
        if root is not None and not LOWEST_KEY <= root <= HIGHEST_KEY:
            raise ConfigError(f"the root note of {entry.label!r} is {root}, allowed is {LOWEST_KEY} to {HIGHEST_KEY}, or none")
    if None not in roots:
        return [_pitched(page) for page in _layers(entries)]
    return [_drums(page) for page in _dealt(entries)]


def _match(text: str) -> tuple[str | None, tuple[int, ...]]:
    for kind, pattern, keys in _PATTERNS:
        if pattern.search(text.casefold()):
            return kind, keys
    return None, ()


def _layers(entries: Sequence[KitEntry]) -> list[list[KitEntry]]:
    """Pages in which every root occurs once: the k-th sound of a root lies on page k."""
    pages: list[list[KitEntry]] = []
    seen: dict[int, int] = {}
    for entry in entries:
        assert entry.root_note is not None
        layer = seen.get(entry.root_note, 0)
        seen[entry.root_note] = layer + 1
        if layer == len(pages):
            pages.append([])
        pages[layer].append(entry)
    return pages


def _pitched(entries: Sequence[KitEntry]) -> list[Zone]:
    entries = sorted(entries, key=lambda entry: entry.root_note or 0)
    roots = [entry.root_note or 0 for entry in entries]
    # Downwards a sample keeps more of its life than upwards: the odd key between two roots goes to the upper one.
    lows = [LOWEST_KEY] + [(below + above + 1) // 2 for below, above in pairwise(roots)]
    highs = [low - 1 for low in lows[1:]] + [HIGHEST_KEY]
    return [Zone(entry, low, high, root) for entry, low, high, root in zip(entries, lows, highs, roots, strict=True)]


def _dealt(entries: Sequence[KitEntry]) -> list[list[KitEntry]]:
    """Pages of at most 127 sounds; each gets its share of every kind."""
    pages = -(-len(entries) // PAGE)
    order = sorted(range(len(entries)), key=lambda k: kind_of(entries[k])[0] or entries[k].category or "~")
    page_of = {k: place % pages for place, k in enumerate(order)}
    return [[entry for k, entry in enumerate(entries) if page_of[k] == page] for page in range(pages)]


def _drums(entries: Sequence[KitEntry]) -> list[Zone]:
    kinds = [kind_of(entry) for entry in entries]
    # Plain hats are told apart by length: the shortest counts as closed, the longest as open.
    plain = sorted((k for k, (kind, _) in enumerate(kinds) if kind == "hat"), key=lambda k: entries[k].seconds)
    wishes = {k: keys for k, (kind, keys) in enumerate(kinds) if kind != "hat"}
    if plain:
        wishes[plain[0]] = (42,)
        for k in plain[1:-1]:
            wishes[k] = (44,)
        if len(plain) > 1:
            wishes[plain[-1]] = (46,)
    taken: dict[int, int] = {}
    for k in range(len(entries)):
        key = next((key for key in wishes[k] if key not in taken), None)
        if key is not None:
            taken[key] = k
    placed = set(taken.values())
    free = (key for key in [*range(FIRST_PAD, HIGHEST_KEY + 1), *range(FIRST_PAD - 1, LOWEST_KEY - 1, -1)] if key not in taken)
    rest = sorted((k for k in range(len(entries)) if k not in placed), key=lambda k: (kinds[k][0] or "~", entries[k].category or "~", k))
    taken |= dict(zip(list(free), rest, strict=False))
    hats = {k for k, (kind, _) in enumerate(kinds) if kind and kind.endswith("hat")}
    return [Zone(entries[k], key, key, key, HATS if k in hats else None) for key, k in sorted(taken.items())]

"""Maps the sounds of a kit to keys; the same map for every sampler format.

**Drums** (at least one sound has no root note): one key each. A sound of a known kind gets a General MIDI key of that kind. The others
fill the free keys from 36 upwards, then from 35 downwards. All hats share one choke group.
**Pitched** (every sound has a root note): each sound plays around its root, with borders midway between neighbouring roots, so that the
whole keyboard plays. Sounds of the same root cannot share keys: the second sound of a root goes to the second page, and so on.

A page is one playable file. More than 127 drums, or repeated roots, make several pages; every sound has a zone on one of them.
Keys are 1 to 127, the range that all formats accept.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from timbrespace.contracts import ConfigError
from timbrespace.export.drum_kinds import drum_kind
from timbrespace.export.kit import KitEntry, Zone

LOWEST_KEY, FIRST_PAD, HIGHEST_KEY = 1, 36, 127
PAGE = HIGHEST_KEY - LOWEST_KEY + 1
HATS = "hats"
_CLOSED, _PEDAL, _OPEN = (42,), (44,), (46,)


def keymap(entries: Sequence[KitEntry]) -> list[list[Zone]]:
    """Returns the pages of a kit, each a list of zones whose keys do not overlap.

    Raises ConfigError for a kit without sounds, or a root note outside 1 to 127.
    """
    if not entries:
        raise ConfigError("a kit needs at least one sound, none was given")
    roots = [entry.root_note for entry in entries]
    for root, entry in zip(roots, entries, strict=True):
        if root is not None and not LOWEST_KEY <= root <= HIGHEST_KEY:
            raise ConfigError(f"the root note of {entry.label!r} is {root}, allowed is {LOWEST_KEY} to {HIGHEST_KEY}, or none")
    if None not in roots:
        return [_pitched_zones(page) for page in _pitched_pages(entries)]
    return [_drum_zones(page) for page in _drum_pages(entries)]


def _pitched_pages(entries: Sequence[KitEntry]) -> list[list[KitEntry]]:
    """Pages on which every root occurs once: the k-th sound of a root is on page k."""
    pages: list[list[KitEntry]] = []
    counts: dict[int, int] = {}
    for entry in entries:
        assert entry.root_note is not None
        page = counts.get(entry.root_note, 0)
        counts[entry.root_note] = page + 1
        if page == len(pages):
            pages.append([])
        pages[page].append(entry)
    return pages


def _pitched_zones(entries: Sequence[KitEntry]) -> list[Zone]:
    entries = sorted(entries, key=lambda entry: entry.root_note or 0)
    roots = [entry.root_note or 0 for entry in entries]
    # A sample sounds more natural transposed down than up: the odd key between two roots belongs to the upper one.
    lows = [LOWEST_KEY] + [(below + above + 1) // 2 for below, above in pairwise(roots)]
    highs = [low - 1 for low in lows[1:]] + [HIGHEST_KEY]
    return [Zone(entry, low, high, root) for entry, low, high, root in zip(entries, lows, highs, roots, strict=True)]


def _drum_pages(entries: Sequence[KitEntry]) -> list[list[KitEntry]]:
    """Pages of at most 127 sounds; every page gets its share of each kind."""
    count = -(-len(entries) // PAGE)
    by_kind = sorted(range(len(entries)), key=lambda k: entries[k].kind or entries[k].category or "~")
    page_of = {k: position % count for position, k in enumerate(by_kind)}
    return [[entry for k, entry in enumerate(entries) if page_of[k] == page] for page in range(count)]


def _drum_zones(entries: Sequence[KitEntry]) -> list[Zone]:
    kinds = [entry.kind for entry in entries]
    entry_of = _general_midi_keys(entries, kinds)
    placed = set(entry_of.values())
    free = [key for key in [*range(FIRST_PAD, HIGHEST_KEY + 1), *range(FIRST_PAD - 1, LOWEST_KEY - 1, -1)] if key not in entry_of]
    rest = sorted((k for k in range(len(entries)) if k not in placed), key=lambda k: (kinds[k] or "~", entries[k].category or "~", k))
    entry_of |= dict(zip(free, rest, strict=False))
    hats = {k for k, kind in enumerate(kinds) if kind and kind.endswith("hat")}
    return [Zone(entries[k], key, key, key, HATS if k in hats else None) for key, k in sorted(entry_of.items())]


def _general_midi_keys(entries: Sequence[KitEntry], kinds: Sequence[str | None]) -> dict[int, int]:
    """Key -> index of the entry, for the entries that get a General MIDI key of their kind.

    Plain hats are separated by length: the shortest is the closed one, the longest the open one, those between are pedal hats.
    """
    plain = sorted((k for k, kind in enumerate(kinds) if kind == "hat"), key=lambda k: entries[k].seconds)
    preferred = {k: drum_kind(entries[k].category, entries[k].label)[1] for k, kind in enumerate(kinds) if kind != "hat"}
    for position, k in enumerate(plain):
        preferred[k] = _CLOSED if position == 0 else _OPEN if position == len(plain) - 1 else _PEDAL
    entry_of: dict[int, int] = {}
    for k in range(len(entries)):
        key = next((key for key in preferred[k] if key not in entry_of), None)
        if key is not None:
            entry_of[key] = k
    return entry_of

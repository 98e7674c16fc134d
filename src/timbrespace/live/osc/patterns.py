"""Address patterns of OSC 1.0: one message for several addresses (https://opensoundcontrol.stanford.edu/spec-1_0.html)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from timbrespace.live.mapping.targets import WALK_TARGETS, Numbered
from timbrespace.live.osc.packets import OscError

SIGNS = frozenset("*?[]{}")
_LONGEST = 256  # characters of a pattern


class _Any(NamedTuple):
    """`*`: any number of characters."""


class _One(NamedTuple):
    """`?`, `[abc]`, `[!abc]` or a character: one character for which it is true."""

    fits: Callable[[str], bool]


class _Words(NamedTuple):
    """`{one,two}`: one of the words."""

    words: tuple[str, ...]


def addresses_of(sources: Iterable[Numbered]) -> list[str]:
    """Returns the addresses that a pattern can name: latents, axes, controls and pads of any of the instruments, settings of a walk."""
    counts, names = {"latent": 0, "axis": 0, "pad": 0}, dict[str, None]()
    for source in sources:
        for kind, count in zip(counts, (source.dims, source.axes, len(source.pads)), strict=True):
            counts[kind] = max(counts[kind], count)
        names |= dict.fromkeys(source.controls)
    numbered = [f"/{kind}/{number + 1}" for kind, count in counts.items() for number in range(count)]
    return [*numbered, *(f"/control/{name}" for name in names), *(f"/walk/{name}" for name in WALK_TARGETS)]


def matching(pattern: str, addresses: Iterable[str]) -> list[str]:
    """Returns those of the addresses that a pattern names. Raises OscError for brackets that do not close."""
    if len(pattern) > _LONGEST:
        raise OscError(f"the address pattern {pattern[:40]} … has {len(pattern):,} characters, at most {_LONGEST} are read")
    parts = [_tokens(part, pattern) for part in pattern.strip("/").split("/")]
    return [
        address
        for address in addresses
        if len(words := address.strip("/").split("/")) == len(parts) and all(map(_fits, parts, words))
    ]  # fmt: skip


def _tokens(part: str, pattern: str) -> list[_Any | _One | _Words]:
    tokens: list[_Any | _One | _Words] = []
    at = 0
    while at < len(part):
        sign = part[at]
        if sign in "[{":
            end = part.find("]" if sign == "[" else "}", at + 1)
            if end < 0:
                raise OscError(f"{pattern[:60]}: its {sign} does not close")
            inside = part[at + 1 : end]
            tokens.append(_One(_member(inside)) if sign == "[" else _Words(tuple(inside.split(","))))
            at = end
        elif sign == "*":
            tokens.append(_Any())
        else:
            tokens.append(_One(_every if sign == "?" else partial(_same, sign)))
        at += 1
    return tokens


def _every(found: str) -> bool:
    return True


def _same(sign: str, found: str) -> bool:
    return found.casefold() == sign.casefold()


def _member(inside: str) -> Callable[[str], bool]:
    """Returns whether a character is in `abc`, `a-c`, or not in `!abc`."""
    negated, listed = inside.startswith("!"), set[str]()
    inside = inside[negated:]
    at = 0
    while at < len(inside):
        if inside[at + 1 : at + 2] == "-" and at + 2 < len(inside):
            low, high = sorted((ord(inside[at]), ord(inside[at + 2])))
            listed.update(map(chr, range(low, min(high, low + 1_000) + 1)))
            at += 3
        else:
            listed.add(inside[at])
            at += 1
    return lambda found: (found in listed) != negated


def _fits(tokens: Sequence[_Any | _One | _Words], word: str) -> bool:
    """Returns whether a part of an address is what the tokens describe, by the set of places that are reached after each of them."""
    places = {0}
    for token in tokens:
        match token:
            case _Any():
                places = set(range(min(places), len(word) + 1))
            case _One(fits):
                places = {place + 1 for place in places if place < len(word) and fits(word[place])}
            case _Words(words):
                places = {place + len(one) for place in places for one in words if word.startswith(one, place)}
        if not places:
            return False
    return len(word) in places

"""Writes a mapping into its file: what the user wrote there stays, with its comments; only entries that changed are written anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from timbrespace.atomic import write_text
from timbrespace.contracts import ConfigError
from timbrespace.live.mapping.schema import Entry, MappingFile, parse_mapping

_HEADER = "# Controllers of `timbrespace play --mapping`: what moves, and what it moves. docs/live_protocols.md has all keys.\n"


def write_mapping(mapping: MappingFile, path: Path, *, force: bool = False) -> None:
    """Writes a mapping as YAML, only what differs from the defaults. Raises OutputExistsError without `force`.

    With `force`, the lines of a file that is there are kept, but for entries that are none of the mapping.
    """
    text = None
    if force and path.is_file():
        text = _edited(path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n"), mapping)
    if text is None:
        text = _HEADER + yaml.safe_dump(
            {"controllers": [_plain(entry) for entry in mapping.controllers]}, sort_keys=False, allow_unicode=True
        )
    write_text(path, text, force=force)


def _plain(entry: Entry) -> dict[str, Any]:
    return {**entry.model_dump(mode="json", exclude_defaults=True)}


def _edited(text: str, mapping: MappingFile) -> str | None:
    """The text of a file with the entries of a mapping; None where it cannot be edited by lines, such as a list in brackets."""
    try:
        before, root = parse_mapping(yaml.safe_load(text) or {}).controllers, yaml.compose(text)
        found = next((pair for pair in root.value if pair[0].value == "controllers"), None) if root is not None else None
        if found is None or found[1].tag == "tag:yaml.org,2002:null":
            return None
        edited = _with_entries(text.split("\n"), found[1], before, mapping.controllers)
        after = parse_mapping(yaml.safe_load(edited)).controllers
    except (yaml.YAMLError, ConfigError, AttributeError, ValueError, RecursionError):
        return None
    return edited if sorted(map(repr, after)) == sorted(map(repr, mapping.controllers)) else None


def _with_entries(lines: list[str], node: Any, before: Sequence[Entry], wanted: Sequence[Entry]) -> str:
    """Replaces the lines of entries that are not wanted by a new one of the same target, and adds the others at the end."""
    if node.flow_style or not node.value:
        raise ValueError("a list in brackets, or an empty one")
    spans = [_span(lines, item) for item in node.value]
    indent = lines[spans[0][0]][: len(lines[spans[0][0]]) - len(lines[spans[0][0]].lstrip())]
    left, kept = list(wanted), list[bool]()
    for entry in before:
        kept.append(entry in left)
        if kept[-1]:
            left.remove(entry)
    for (first, last), entry, stays in reversed(list(zip(spans, before, kept, strict=True))):
        if stays:
            continue
        instead = next((one for one in left if one.target == entry.target), None)
        if instead is not None:
            left.remove(instead)
        lines[first:last] = [] if instead is None else _lines(instead, indent)
        spans = [(a + _shift(first, last, instead, indent, a), b + _shift(first, last, instead, indent, b)) for a, b in spans]
    end = max(last for _, last in spans)
    lines[end:end] = [line for entry in left for line in _lines(entry, indent)]
    return "\n".join(lines)


def _shift(first: int, last: int, instead: Entry | None, indent: str, place: int) -> int:
    """How far a later line moves where lines `first` to `last` were replaced."""
    return (len(_lines(instead, indent)) if instead is not None else 0) - (last - first) if place >= last else 0


def _span(lines: list[str], item: Any) -> tuple[int, int]:
    """The first line of an entry and the one after its last, without comments and blank lines that follow it."""
    first, last = item.start_mark.line, item.end_mark.line + (item.end_mark.column > 0)
    while not lines[first].lstrip().startswith("-"):  # a dash on a line of its own
        first -= 1
    last = max(last, first + 1)
    while last > first + 1 and (not lines[last - 1].strip() or lines[last - 1].lstrip().startswith(("#", "- "))):
        last -= 1
    return first, last


def _lines(entry: Entry, indent: str) -> list[str]:
    text = yaml.safe_dump([_plain(entry)], sort_keys=False, allow_unicode=True).rstrip("\n")
    return [indent + line for line in text.split("\n")]

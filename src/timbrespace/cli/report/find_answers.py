"""The answers of `find`: lines for the terminal, a value for JSON, rows for CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timbrespace.cli.common.text import printable
from timbrespace.report.notebook.listing import Item, Section
from timbrespace.wording import counted

if TYPE_CHECKING:
    from timbrespace.space.neighbours.classify import Classification
    from timbrespace.space.neighbours.clusters import Cluster
    from timbrespace.space.neighbours.duplicates import Duplicates
    from timbrespace.space.neighbours.outliers import Outlier
    from timbrespace.space.neighbours.search import Match
    from timbrespace.space.neighbours.sounds import SoundSet
    from timbrespace.space.neighbours.validate import Recognition

_SHOWN = 20  # members of a set on screen
_SURE = 0.8  # confidence from which a contradiction to a label is listed


@dataclass
class Answer:
    """What `find` found: lines to print, a JSON value, rows of one table with equal keys, sections of a page."""

    lines: list[str] = field(default_factory=list)
    value: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)


def matches(given: SoundSet, found: Sequence[Sequence[Match]]) -> Answer:
    """The nearest sounds of each given one."""
    answer, out = Answer(), []
    for row, near in enumerate(found):
        name = str(given.paths[row] or given.names[row])
        answer.lines += [printable(name), *_table([_match_cells(match) for match in near], indent=2)]
        answer.lines += [] if near else ["  no sound is near: none is searched"]
        items = [Item(given.paths[row], given.names[row], ("your sound",))]
        for match in near:
            items.append(Item(match.path, match.name, (f"{match.similarity:.0f} %", *_kept(match.category, ", ".join(match.differences)))))
        answer.sections.append(Section(name, tuple(items)))
        listed = [_plain(asdict(match) | {"similarity": match.similarity}) for match in near]
        out.append({"file": name, "matches": listed})
        answer.rows += [
            {"file": name, "rank": rank, "name": match.name, "similarity": match.similarity, "distance": round(match.distance, 4)}
            | {"category": match.category, "path": _text(match.path), "differences": ", ".join(match.differences)}
            for rank, match in enumerate(near, start=1)
        ]
    answer.value = {"sounds": out}
    return answer


def _match_cells(match: Match) -> list[str]:
    return [f"{match.similarity:3.0f} %", printable(match.name), printable(match.category or "–"), ", ".join(match.differences)]


def duplicate_sets(found: Sequence[Duplicates], sounds: SoundSet, *, within: float) -> Answer:
    """Sets of sounds that are nearly the same."""
    answer = Answer()
    for number, one in enumerate(found, start=1):
        kind = "the same sound" if one.same else f"within {one.distance:.2f} dB"
        shown = ", ".join(printable(name) for name in one.names[:_SHOWN]) + (
            f" and {len(one.names) - _SHOWN} more" if len(one.names) > _SHOWN else ""
        )
        answer.lines.append(f"{kind}: {shown}")
        answer.sections.append(Section(kind, tuple(Item(sounds.paths[row], sounds.names[row]) for row in one.rows)))
        for row in one.rows:
            answer.rows.append(
                {"set": number, "name": sounds.names[row], "path": _text(sounds.paths[row]), "db": round(one.distance, 4), "same": one.same}
            )
    extra = sum(len(one.rows) - 1 for one in found)
    answer.lines.append(
        f"{counted(len(found), 'set')} of duplicates in {counted(len(sounds), 'sound')}, {extra} more than needed (within {within:g} dB)"
    )
    answer.value = {
        "within_db": within,
        "sounds": len(sounds),
        "sets": [
            {
                "names": list(one.names),
                "paths": [_text(sounds.paths[row]) for row in one.rows],
                "db": round(one.distance, 4),
                "same": one.same,
            }
            for one in found
        ],
    }
    return answer


def outlier_list(found: Sequence[Outlier], *, count: int) -> Answer:
    """The sounds that are most unlike the corpus."""
    answer, shown = Answer(), found[:count]
    cells = [
        [
            "outlier" if one.is_outlier else "",
            f"{one.beyond:5.1f} %",
            printable(one.name),
            "; ".join(one.reasons) or "no single property is unusual",
        ]
        for one in shown
    ]
    answer.lines = ["more unlike the others than this share of the corpus:", *_table(cells, indent=2)] if shown else []
    items = (Item(one.path, one.name, (f"more unlike the others than {one.beyond:g} % of the corpus", *one.reasons)) for one in shown)
    answer.sections = [Section("Outliers", tuple(items))]
    beyond = sum(one.is_outlier for one in found)
    answer.lines.append(
        f"{counted(beyond, 'outlier')} in {counted(len(found), 'sound')}" + (f", the first {len(shown)} sounds listed" if shown else "")
    )
    answer.value = {"sounds": len(found), "outliers": beyond, "listed": [_plain(asdict(one)) for one in shown]}
    answer.rows = [_plain(asdict(one)) | {"reasons": "; ".join(one.reasons)} for one in shown]
    return answer


def cluster_list(found: Sequence[Cluster], sounds: SoundSet) -> Answer:
    """Groups of like sounds."""
    answer = Answer()
    for number, one in enumerate(found, start=1):
        kinds = ", ".join(f"{printable(name)} {count}" for name, count in list(one.categories.items())[:4])
        answer.lines.append(f"{number:3}  {counted(len(one.rows), 'sound')}  {printable(one.title)}" + (f"  ({kinds})" if kinds else ""))
        answer.lines.append(f"     such as {', '.join(map(printable, one.examples))}")
        rows = [row for row in one.rows if sounds.names[row] in one.examples]
        items = tuple(Item(sounds.paths[row], sounds.names[row], _kept(sounds.categories[row])) for row in rows)
        answer.sections.append(
            Section(f"{number}  {one.title}", items, (counted(len(one.rows), "sound") + (f": {kinds}" if kinds else ""),))
        )
        answer.rows += [
            {"cluster": number, "title": one.title, "rank": rank, "name": sounds.names[row], "category": sounds.categories[row]}
            | {"path": _text(sounds.paths[row]), "example": sounds.names[row] in one.examples}
            for rank, row in enumerate(one.rows, start=1)
        ]
    answer.lines.append(f"{counted(len(found), 'cluster')} of {counted(len(sounds), 'sound')}")
    answer.value = {"clusters": [_plain({**asdict(one), "title": one.title}) for one in found]}
    return answer


def categories(found: Sequence[Classification], known: Sequence[str]) -> Answer:
    """Recognised categories of given sounds."""
    answer = Answer()
    cells = []
    for one in found:
        label = one.named if one.named in known else None
        mark = "" if label is None else "as in its name" if label == one.category else f"its name says {printable(label)}"
        second, share = one.others[0] if one.others else ("", 0.0)
        cells.append(
            [
                f"{100 * one.confidence:3.0f} %",
                printable(one.category),
                printable(one.name),
                mark or f"or {printable(second)} {100 * share:.0f} %",
            ]
        )
    answer.lines = _table(cells)
    for kind in sorted({one.category for one in found}):
        own = sorted((one for one in found if one.category == kind), key=lambda one: -one.confidence)
        answer.sections.append(Section(kind, tuple(Item(one.path, one.name, (f"{100 * one.confidence:.0f} %",)) for one in own)))
    labelled = [one for one in found if one.named in known]
    if labelled:
        right = sum(one.named == one.category for one in labelled)
        answer.lines.append(f"of {counted(len(labelled), 'sound')} whose name tells the category, {right} are recognised so")
    answer.rows = [
        {"name": one.name, "path": _text(one.path), "category": one.category, "confidence": one.confidence, "named": one.named}
        for one in found
    ]
    answer.value = {"sounds": [_plain(asdict(one)) for one in found]}
    return answer


def recognition_lines(result: Recognition) -> list[str]:
    """How well categories are recognised, beside the baseline, a line for each category."""
    plain = result.baseline_accuracy
    head = f"categories of sounds from {'kits' if result.by == 'kit' else 'hits'} not learned from: {100 * result.accuracy:.0f} % right"
    lines = [head + ("" if plain is None else f" (MFCC and a support vector machine: {100 * plain:.0f} %)")]
    cells = []
    for name, (right, count) in result.right.items():
        other = "" if result.baseline is None else f"MFCC {result.baseline[name][0]}"
        cells.append([printable(name), f"{right} of {count}", other])
    lines += _table(cells, indent=2)
    if result.untried:
        lines.append(f"  not tried, because all of their sounds are of one {result.by}: {', '.join(map(printable, result.untried))}")
    return lines


def recognition_value(result: Recognition) -> dict[str, Any]:
    """The same for JSON."""
    names = {name: {"right": right, "sounds": count} for name, (right, count) in result.right.items()}
    for name, (right, _) in (result.baseline or {}).items():
        names[name]["baseline_right"] = right
    plain = result.baseline_accuracy
    return {
        "by": result.by,
        "accuracy": round(result.accuracy, 4),
        "baseline_accuracy": None if plain is None else round(plain, 4),
        "categories": names,
        "not_tried": list(result.untried),
    }


def doubtful_labels(sounds: SoundSet, result: Recognition) -> Answer:
    """Training sounds whose label the others of their category contradict with confidence."""
    tried = zip(result.rows, result.named, result.found, result.confidences, strict=True)
    doubts = sorted((one for one in tried if one[1] != one[2] and one[3] >= _SURE), key=lambda one: -one[3])
    cells = [
        [f"{100 * share:3.0f} %", printable(found), printable(sounds.names[row]), f"its label is {printable(named)}"]
        for row, named, found, share in doubts
    ]
    answer = Answer(
        [f"labels to look at: {counted(len(doubts), 'sound')} that others contradict", *_table(cells, indent=2)] if doubts else []
    )
    answer.rows = [
        {"name": sounds.names[row], "path": _text(sounds.paths[row]), "category": found, "confidence": round(share, 3), "named": named}
        for row, named, found, share in doubts
    ]
    items = (
        Item(sounds.paths[row], sounds.names[row], (f"sounds like {found}", f"its label is {named}")) for row, named, found, _ in doubts
    )
    answer.sections = [Section("Labels to look at", tuple(items))] if doubts else []
    answer.value = {"doubtful": answer.rows}
    return answer


def _table(cells: Sequence[Sequence[str]], *, indent: int = 0) -> list[str]:
    """Rows of cells as lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [" " * indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _kept(*lines: str | None) -> tuple[str, ...]:
    """The lines that are not empty."""
    return tuple(line for line in lines if line)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON has them: paths as text, distances rounded; without row numbers."""
    out: dict[str, Any] = {}
    for name, value in values.items():
        if name in ("rows", "index"):
            continue
        out[name] = str(value) if isinstance(value, Path) else round(value, 4) if isinstance(value, float) else value
    return out

"""Parts that `doctor` and `prepare` share at the command line: rules, a progress bar, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from timbrespace.contracts import ConfigError


def parse_rules(rules: Sequence[str] | None) -> dict[str, str]:
    """Rules as {pattern: category}: ['kick=*bd*'] -> {'*bd*': 'kick'}, ['source-b'] -> {'source-b': 'source-b'}. Raises ConfigError."""
    from timbrespace.corpus.labels.categories import LISTS

    out: dict[str, str] = {}
    for rule in rules or ():
        if rule.strip() in LISTS:
            out[rule.strip()] = rule.strip()
            continue
        category, equals, pattern = (part.strip() for part in rule.partition("="))
        if not (category and equals and pattern):
            raise ConfigError(
                f"the rule {rule!r} is not NAME=PATTERN, nor a list of categories ({', '.join(LISTS)}); an example is --rule 'kick=*bd*'"
            )
        out[pattern] = category
    return out


def print_json(value: Any) -> None:
    """Prints `value` as JSON and nothing else, in ASCII for any terminal or pipe."""
    print(json.dumps(value, indent=2, allow_nan=False))


@contextmanager
def progress_bar(label: str, *, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Yields an update function (done, total) for a progress bar on the error stream; None if that is not a terminal or `quiet`."""
    import sys

    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    from timbrespace.cli.common.amount import Amount

    with Progress(TextColumn("{task.description}"), BarColumn(), Amount(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

"""Joins ES modules of `static/` into one script: a page opened from a file can load no modules."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

STATIC = Path(__file__).with_name("static")
_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_STRING = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`""")
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let)\b)", re.MULTILINE)


class JoinError(Exception):
    """Modules that cannot be joined: a fault of this project's own files."""


def join(entry: str, read: Callable[[str], str] | None = None) -> str:
    """Returns the module `entry` and all that it imports as one script, each module after those it imports.

    Imports must be of the form `import { a, b } from "./file.js";` without new names, exports stand before a function, class or variable.
    All modules share one scope, so no two have a name at the top in common. read: text of a module by name. Raises JoinError.
    """
    source = read or (lambda name: (STATIC / name).read_text(encoding="utf-8"))
    done: dict[str, str] = {}
    exported: dict[str, set[str]] = {}
    owners: dict[str, str] = {}

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise JoinError(f"{' imports '.join((*above, name))}: imports go one way")
        if name in done:
            return
        text = source(name)
        for wanted, other in _IMPORT.findall(text):
            add(other, (*above, name))
            missing = {word.strip() for word in wanted.split(",") if word.strip()} - exported[other]
            if missing:
                raise JoinError(f"{name} imports {', '.join(sorted(missing))} from {other}, which does not export it")
        names = top_names(text)
        for own in names:
            if own in owners:
                raise JoinError(f"{name} and {owners[own]} both have {own} at the top")
            owners[own] = name
        exported[name] = {own for line in re.findall(r"^export .*", text, re.MULTILINE) for own in top_names(line)}
        plain = _EXPORT.sub("", _IMPORT.sub("", text))
        if re.search(r"^(import|export)\b", plain, re.MULTILINE):
            raise JoinError(f"{name} has an import or export of another form")
        done[name] = plain

    add(entry, ())
    body = "\n".join(done.values())
    if "</script" in body.lower() or "<!--" in body:
        raise JoinError("a script in a page cannot hold </script or <!--")
    return f'(() => {{\n"use strict";\n{body}}})();\n'


def top_names(text: str) -> list[str]:
    """Returns the names that a module has at its top level: functions, classes, variables."""
    found = []
    for match in re.finditer(r"^(?:export )?(?:async )?(function\*?|class|const|let) (.*)", text, re.MULTILINE):
        kind, rest = match.groups()
        if kind in ("const", "let"):
            found += _variables(_STRING.sub('""', rest))
        else:
            found.append(re.match(r"\w+", rest)[0])  # type: ignore[index]
    return found


def _variables(declaration: str) -> list[str]:
    """The names of `a = 1, b = [2, 3], { c, d } = x;`: the words before an equals sign or a comma outside brackets."""
    names, depth, expecting, word = list[str](), 0, True, ""
    for sign in declaration:
        if expecting and depth == 0 and sign == "{":
            return [part.split(":")[-1].strip() for part in declaration[1 : declaration.index("}")].split(",")]
        if expecting and (sign.isalnum() or sign in "_$"):
            word += sign
            continue
        if expecting and word and sign in " =,;":
            names.append(word)
            word, expecting = "", False
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0 and sign == ",":
            expecting = True
        elif depth == 0 and sign == ";":
            break
    return names

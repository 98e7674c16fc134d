"""The page of live playing as HTML, and what it may load: nothing but answers of the server that gave it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from pathlib import Path
from typing import Any

from timbrespace.web.join import join

STATIC = Path(__file__).with_name("static")


def render_live_page(facts: dict[str, Any]) -> tuple[str, str]:
    """Returns the page, and its Content-Security-Policy. facts: see `facts_of`."""
    script = join("main.js", _read)
    title = ", ".join(one["title"] for one in facts["instruments"])
    values = {
        "title": html.escape(title), "style": _read("page.css"), "script": script,
        "facts": json.dumps(facts, ensure_ascii=True).replace("<", "\\u003c"),
    }  # fmt: skip
    first, *rest = _read("page.html").split("{{")
    pieces = [first]
    for piece in rest:
        name, _, after = piece.partition("}}")
        pieces += [values[name], after]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
    return "".join(pieces), policy


def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")

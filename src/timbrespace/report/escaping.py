"""Other people's names and paths made safe for a page: as text, as a link, as data for a script."""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import PurePosixPath
from urllib.parse import quote

from timbrespace.contracts import ConfigError

# Controls, lone surrogates, marks that turn the reading direction, and the two that are no characters.
_UNFIT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def plain(text: str) -> str:
    """Text in which every character that a page must not hold is shown as a replacement sign."""
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", str(text))


def clean(text: str) -> str:
    """`plain` text with markup escaped, for element content and quoted attributes."""
    return escape(plain(text), quote=True)


def link(path: str) -> str:
    """A path relative to the page as a URL for an attribute. Raises ConfigError for one that leads out of the page's folder."""
    parsed = PurePosixPath(path)
    if not path or parsed.is_absolute() or ".." in parsed.parts or "\\" in path:
        raise ConfigError(f"the page can only show files inside its own folder, not {path!r}; give a relative path with '/'")
    return "./" + quote(path, errors="surrogatepass")


def script_json(value: object) -> str:
    """JSON that can stand inside a script element: no `<`, `>` or `&` is left that could end it or open another."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")

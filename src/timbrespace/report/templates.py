"""The Jinja2 environment of the pages: templates with autoescape, and filters for text, paths, files and durations.

Names on a page come from other people's folders. Autoescape makes markup harmless, `printable` removes characters that a page must
not hold, `relative_url` refuses paths outside the page's folder, and Jinja2's `tojson` writes data that cannot end its script element.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib import resources
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

from timbrespace.contracts import ConfigError

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

COLOURS = 12  # of static/page.css that are distinguishable, also by people with colour-blindness; tests/report/test_colours.py
GREY = COLOURS  # the number of the colour after them

_POLICY_MARK = "content-security-policy-of-this-page"

# Control characters, lone surrogates, marks that turn the reading direction, and the two code points that are no characters.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def render(template: str, **context: object) -> str:
    """Returns the HTML text of a template in `report/templates`. Raises jinja2.UndefinedError if the context lacks a name."""
    return _environment().get_template(template).render(context)


def render_closed(template: str, *, loads: str = "", **context: object) -> str:
    """Returns the HTML text of a template that names a `policy`, which allows the page its own scripts and styles, and nothing else.

    loads: what the page may load beside them, as a Content-Security-Policy says it.
    """
    html = render(template, policy=_POLICY_MARK, **context)

    def hashes(element: str) -> str:
        texts = re.findall(rf"<{element}>(.*?)</{element}>", html, re.DOTALL)
        return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode()}'" for text in texts)

    rest = f"img-src data:; {loads + '; ' if loads else ''}base-uri 'none'; form-action 'none'"
    policy = f"default-src 'none'; script-src {hashes('script')}; style-src {hashes('style')}; {rest}"
    return html.replace(_POLICY_MARK, policy)


def printable(text: str) -> str:
    """Returns the text with a replacement sign for every character that a page must not hold."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def relative_url(path: str) -> str:
    """Returns the URL of a path relative to the page's folder. Raises ConfigError for a path that leads out of the folder."""
    parsed = PurePosixPath(path)
    if not path or parsed.is_absolute() or ".." in parsed.parts or "\\" in path:
        raise ConfigError(f"the page can only show files inside its own folder, not {path!r}; give a relative path with '/'")
    return "./" + quote(path, errors="surrogatepass")


def sound_length(seconds: float) -> str:
    """Returns the length of a sound as text, in ms below one second."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


def hertz(frequency: float) -> str:
    """Returns a frequency in Hz as text: "440 Hz", "2.3 kHz"."""
    return f"{frequency:.0f} Hz" if frequency < 999.5 else f"{frequency / 1000:.1f} kHz"


def duration(seconds: float) -> str:
    """Returns the duration of a step of work as text: "12 ms", "3.4 s", "2 min 05 s"."""
    if seconds >= 100:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{seconds:.1f} s" if seconds >= 0.95 else f"{seconds * 1000:.0f} ms"


def clock(seconds: float) -> str:
    """Returns minutes and seconds as text: "1:05"."""
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"


def static(name: str) -> Markup:
    """Returns the text of a file in `report/static` (style or script), not escaped."""
    from markupsafe import Markup

    return Markup((resources.files("timbrespace.report") / "static" / name).read_text(encoding="utf-8"))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("timbrespace.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable_text,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {function.__name__: function for function in (clock, duration, hertz, relative_url, sound_length, static)}
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return environment


def _printable_text(value: object) -> object:
    """Every value that a template prints passes here before it is escaped; markup is made of values that have passed already."""
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value

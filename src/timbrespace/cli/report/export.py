"""`timbrespace export X --format page --out x.html`: an instrument as a page that plays offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from timbrespace.cli.common.options import Force, InstrumentPath, Json

_OUT_HELP = "The file to write: x.html."
_TITLE_HELP = "Name on the page. By default that of the instrument's file."
_BITS_HELP = "Bits of the weights in the page: 8 | 16 | 32. 8 make the smallest page; the difference is hardly audible."
_ANONYMOUS_HELP = "For sharing: the page numbers the training sounds on its map instead of naming them."


def export(
    instrument: InstrumentPath,
    out: Annotated[Path, typer.Option("--out", help=_OUT_HELP, show_default=False)],
    what: Annotated[Literal["page"], typer.Option("--format", help="What to write: page.")] = "page",
    title: Annotated[str | None, typer.Option("--title", help=_TITLE_HELP, show_default=False)] = None,
    bits: Annotated[int, typer.Option("--bits", help=_BITS_HELP)] = 8,
    anonymous: Annotated[bool, typer.Option("--anonymous", help=_ANONYMOUS_HELP)] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Write an instrument as one HTML file that makes and plays its sounds in any browser, offline.

    The page has the map, sixteen pads, controls and a step sequencer. It loads nothing, sends nothing and holds no recording.
    """
    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.corpus import print_json
    from timbrespace.cli.common.options import check_not_inputs, open_instrument
    from timbrespace.cli.common.text import printable
    from timbrespace.contracts import ConfigError
    from timbrespace.web.page import write_page

    if out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--out is {out.name!r}; the name of a page must end in .html")
    if bits not in (8, 16, 32):
        raise ConfigError(f"--bits is {bits}, allowed is 8, 16 or 32")
    check_not_inputs([out], [instrument])
    check_absent(out, force=force)
    opened = open_instrument(instrument)
    opened = opened.anonymous() if anonymous else opened
    write_page(out, opened, title=title or instrument.stem, bits=None if bits == 32 else bits, force=force)
    size = out.stat().st_size
    if json:
        print_json({"written": str(out), "format": what, "bytes": size})
        return
    print(f"{printable(out)}  {size / 1e6:.1f} MB; open it in a browser, or mail it to a friend")

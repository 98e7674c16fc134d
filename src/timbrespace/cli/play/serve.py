"""`timbrespace serve X [Y …]`: instruments in a browser, with what the page alone cannot do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_INSTRUMENTS_HELP = "Instrument files (.safetensors)."
_PORT_HELP = "Port to answer on; 0: any free one."
_HOST_HELP = "Address to answer on. By default only this computer is answered; 0.0.0.0 answers the network, and then asks for a token."
_TOKEN_HELP = "Token that a browser must know, 12 letters or more. By default one is made where --host is not this computer."
_OPEN_HELP = "Open the page in the browser."
_FOLDER_HELP = "Folder that the page may write new sounds into, each batch in a folder of its own. Without it nothing is written."


def serve(
    instruments: Annotated[list[Path], typer.Argument(metavar="INSTRUMENT", help=_INSTRUMENTS_HELP, show_default=False)],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help=_PORT_HELP)] = 8765,
    host: Annotated[str, typer.Option("--host", help=_HOST_HELP)] = "127.0.0.1",
    token: Annotated[str | None, typer.Option("--token", help=_TOKEN_HELP, show_default=False)] = None,
    open_browser: Annotated[bool, typer.Option("--open", help=_OPEN_HELP)] = False,
    folder: Annotated[Path | None, typer.Option("--folder", metavar="FOLDER", help=_FOLDER_HELP, show_default=False)] = None,
) -> None:
    """Play instruments in a browser: the page of `export --format page`, and sounds asked for in words, your own sounds, files.

    Everything stays on this computer. Ctrl-C stops it. `timbrespace play X --page 8770` serves pads and faders for an audio device.
    """
    from timbrespace.cli.common.text import printable
    from timbrespace.cli.play.needs import check_web

    check_web()
    from timbrespace.web.server.running import listen, run, token_for
    from timbrespace.web.server.starting import make_office, wrapped

    secret = token_for(host, token)
    office = make_office(instruments, folder=folder)
    listening = listen(host, port)
    address = listening.address(secret)
    for one in office.served:
        print(printable(f"  {one.title}" + (f": cannot be played in a page: {one.refusal}" if one.refusal else "")))

    def ready() -> None:
        print(f"{address}  (Ctrl-C stops)", flush=True)
        if not listening.is_loopback:
            print("Browsers of other computers play the page through an SSH tunnel or https only, see docs/serve.md.", flush=True)

    try:
        run(wrapped(office, listening, token=secret), listening, when_ready=ready, browser=address if open_browser else None)
    finally:
        listening.socket.close()
        office.jobs.close()
    print("stopped")

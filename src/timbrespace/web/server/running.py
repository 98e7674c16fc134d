"""Runs an application on an address until it is stopped: port, browser, Ctrl-C."""

from __future__ import annotations

import errno
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from timbrespace.contracts import ConfigError
from timbrespace.web.server.guard import LOOPBACK, Application

_CONNECTIONS = 200
_SHORTEST_TOKEN, _LONGEST_TOKEN = 12, 200
_HEADERS_SECONDS = 10.0  # in which the headers of a request must arrive
_KEPT_SECONDS = 15  # an idle connection
_STOP_SECONDS = 3  # for requests that are being answered


@dataclass(frozen=True)
class Listening:
    """A port that was opened. host: as it was asked for."""

    socket: socket.socket
    host: str

    @property
    def port(self) -> int:
        """Its number, also where any free one was asked for."""
        return int(self.socket.getsockname()[1])

    @property
    def is_loopback(self) -> bool:
        """Whether only this computer reaches it."""
        return is_loopback(self.host)

    @property
    def names(self) -> tuple[str, ...]:
        """Names by which a request may call it."""
        own = () if self.host in ("0.0.0.0", "::", "") else (self.host,)
        return tuple(dict.fromkeys((*own, *LOOPBACK, *(() if self.is_loopback else _own_names()))))

    def address(self, token: str | None = None) -> str:
        """Returns the address to open in a browser."""
        host = self.host
        if host in ("0.0.0.0", "::", ""):
            host = _outer_address(self.socket.family) or "localhost"
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.port}/" + (f"?token={token}" if token else "")


def is_loopback(host: str) -> bool:
    """Whether a host is this computer alone."""
    return host.lower() in LOOPBACK or host.startswith("127.")


def token_for(host: str, token: str | None) -> str | None:
    """Returns the token of a server: the given one, else one that is made where other computers reach it. Raises ConfigError."""
    if token is None:
        return None if is_loopback(host) else secrets.token_urlsafe(18)
    if not _SHORTEST_TOKEN <= len(token) <= _LONGEST_TOKEN or not all(
        sign.isascii() and (sign.isalnum() or sign in "-_.~") for sign in token
    ):
        raise ConfigError(f"--token has {len(token)} characters; give {_SHORTEST_TOKEN} to {_LONGEST_TOKEN} letters, digits, - _ . ~")
    return token


def listen(host: str, port: int, *, option: str = "") -> Listening:
    """Opens a port; 0: any free one. Raises ConfigError where it is taken or not allowed, or the host is not one of this computer.

    option: of the command line that gives both, HOST:PORT, for errors; without it --host and --port do.
    """
    asked_host, asked_port = option or "--host", option or "--port"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError):
        raise ConfigError(
            f"{asked_host} {host!r} is no address of this computer; give 127.0.0.1, 0.0.0.0 or the address of a network card"
        ) from None
    opened = socket.socket(family, kind, protocol)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows: else a second server would share the port
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(128)
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            words = f"port {port} is taken, perhaps by another `serve`; stop that, or give another with {asked_port} (0: any free one)"
        elif error.errno == errno.EADDRNOTAVAIL:
            words = f"{asked_host} {host!r} is no address of this computer; give 127.0.0.1, 0.0.0.0 or the address of a network card"
        elif error.errno in (errno.EACCES, errno.EPERM):
            words = f"port {port} is not allowed for you; choose one from 1024 with {asked_port}"
        else:
            words = f"port {port} of {host} cannot be opened: {error.strerror or error}"
        raise ConfigError(words) from None
    return Listening(opened, host)


def run(app: Application, listening: Listening, *, when_ready: Callable[[], None] = lambda: None, browser: str | None = None) -> None:
    """Answers requests until Ctrl-C or the end of the process is asked for; returns then.

    when_ready: called when requests are answered. browser: address that is opened then.
    """
    try:
        server_of(app, when_ready=when_ready, browser=browser).run(sockets=[listening.socket])
    except KeyboardInterrupt:  # uvicorn has stopped, and raises again what stopped it
        pass
    finally:
        listening.socket.close()


def server_of(app: Application, *, when_ready: Callable[[], None] = lambda: None, browser: str | None = None) -> uvicorn.Server:
    """Returns the server that `run` runs; it ends when its `should_exit` is set."""
    config = uvicorn.Config(
        app, http=_Protocol, ws="none", loop="asyncio", lifespan="off", log_config=None, access_log=False, server_header=False,
        proxy_headers=False, limit_concurrency=_CONNECTIONS, timeout_keep_alive=_KEPT_SECONDS, timeout_graceful_shutdown=_STOP_SECONDS,
        h11_max_incomplete_event_size=32 * 1024,
    )  # fmt: skip
    return _Server(config, when_ready, browser)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, when_ready: Callable[[], None], browser: str | None):
        super().__init__(config)
        self._when_ready, self._browser = when_ready, browser

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._when_ready()
        if self._browser is not None:  # some browsers keep the caller waiting
            threading.Thread(target=webbrowser.open, args=(self._browser,), daemon=True).start()


class _Protocol(H11Protocol):
    """Ends connections whose request does not arrive: a client that sends its headers byte by byte keeps no place."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._seen: Any = None
        self._clock = self.loop.call_later(_HEADERS_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clock.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self.cycle is self._seen:
            self.transport.close()
            return
        self._seen = self.cycle
        self._clock = self.loop.call_later(_HEADERS_SECONDS, self._look)


def _own_names() -> tuple[str, ...]:
    name = socket.gethostname().lower()
    return (name, f"{name.partition('.')[0]}.local")


def _outer_address(family: int) -> str | None:
    """The address by which a local network reaches this computer; it is found without sending anything."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9) if family == socket.AF_INET else ("2001:db8::1", 9))  # of documentation, RFC 5737 and 3849
            return str(probe.getsockname()[0])
    except OSError:
        return None

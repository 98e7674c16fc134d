"""What every request passes before it reaches the application: who asks, from where, how much, and for how long.

Plain ASGI, so that it also guards other applications of this package. The rules, and what each is against, are in docs/serve.md.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import html
import ipaddress
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

JSON, BYTES = "application/json", "application/octet-stream"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_METHODS = ("GET", "HEAD", "POST", "DELETE")
_READING = ("GET", "HEAD")
_LONGEST_ADDRESS = 2_000  # characters of path and query
_ENTRANCE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={0}"><title>timbrespace</title>'
    '<a href="{0}">Open the page</a></html>'
)
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Limits:
    """Limits of requests.

    sizes: content type -> most bytes of a body; other types are refused. reading: seconds in which a body must arrive. answering: seconds
    until an answer must have begun. at_once: requests that are answered at the same time. held: bytes of all their bodies together.
    """

    sizes: Mapping[str, int] = field(default_factory=lambda: {JSON: 64 * 1024})
    reading: float = 30.0
    answering: float = 120.0
    at_once: int = 64
    held: int = 100_000_000


class RefusedError(Exception):
    """A request that is not answered. status: of HTTP. page: HTML that is sent in place of the words."""

    def __init__(self, status: int, words: str, *, page: str = "", **headers: str):
        super().__init__(words)
        self.status, self.page, self.headers = status, page, headers


class Guard:
    """An application in front of another, which only gets requests that keep the rules.

    A host name that the server does not have is refused (DNS rebinding), a change asked for by another site, a body of another type or
    size, a request without the token where there is one. Every answer gets headers that forbid frames, sniffing and foreign content,
    unless the application set its own.
    """

    def __init__(self, app: Application, *, hosts: Iterable[str] = LOOPBACK, token: str | None = None, limits: Limits | None = None):
        """hosts: names and addresses of the server, without port; other IP addresses are answered only with a token. token: None: none."""
        self._app, self._hosts, self._token = app, frozenset(host.lower() for host in hosts), token
        self._limits = limits or Limits()
        self._running, self._held = 0, 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers a request, or refuses it with a sentence in JSON."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            most = self._check(scope)
            if self._running >= self._limits.at_once or self._held + most > self._limits.held:
                raise RefusedError(429, "the server has enough to do; try again in a moment", **{"Retry-After": "1"})
        except RefusedError as error:
            await _answer(send, error)
            return
        passage = _Passage(receive, send, most=most, limits=self._limits)
        self._running += 1
        self._held += most
        try:
            await asyncio.wait_for(self._app(scope, passage.receive, passage.send), self._limits.answering)
        except TimeoutError:
            passage.refusal = RefusedError(408, f"the request took longer than {self._limits.answering:g} s and was ended")
        except asyncio.CancelledError:  # Ctrl-C meanwhile: the server cancels requests that do not end soon
            passage.refusal = RefusedError(503, "the server has been stopped")
        except RefusedError as error:
            passage.refusal = error
        finally:
            self._running -= 1
            self._held -= most
        if passage.refusal is not None and not passage.begun:
            await _answer(send, passage.refusal)

    # --- the checks ------------------------------------------------------------------------------------------------

    def _check(self, scope: MutableMapping[str, Any]) -> int:
        """Returns the most bytes that the body may have: those it says, else the limit. Raises RefusedError."""
        method, headers = scope["method"], _headers_of(scope)
        host = self._host(headers)
        if len(scope["path"]) + len(scope["query_string"]) > _LONGEST_ADDRESS:
            raise RefusedError(414, f"the address is longer than {_LONGEST_ADDRESS} characters")
        if method not in _METHODS:
            raise RefusedError(405, f"the method is {method[:20]}, allowed are {', '.join(_METHODS)}", Allow=", ".join(_METHODS))
        self._check_origin(scope, headers, host)
        self._check_token(scope, headers)
        return self._check_body(method, headers)

    def _host(self, headers: Mapping[str, list[str]]) -> str:
        """The header Host, if it names this server: a page of another name that leads here (DNS rebinding) is none of ours."""
        given = headers.get("host", [])
        name = _name_of(given[0]) if len(given) == 1 else None
        if name is None or not (name in self._hosts or (self._token is not None and _is_address(name))):
            raise RefusedError(
                403, f"this server is not called {given[0][:80] if given else 'nothing'!r}; open the address that it printed"
            )
        return given[0].lower()

    def _check_origin(self, scope: MutableMapping[str, Any], headers: Mapping[str, list[str]], host: str) -> None:
        """Only the server's own pages may ask for anything but a page. Programs without these headers may: no browser leaves them out."""
        origins, site = headers.get("origin", []), headers.get("sec-fetch-site", ["none"])
        page = scope["method"] in _READING and not scope["path"].startswith("/api/")
        if not page and (any(origin.lower() != f"http://{host}" for origin in origins) or site not in (["same-origin"], ["none"])):
            raise RefusedError(403, "the request comes from another site; only pages of this server may ask")

    def _check_token(self, scope: MutableMapping[str, Any], headers: Mapping[str, list[str]]) -> None:
        if self._token is None:
            return
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        given = query.pop("token", None)
        if given is not None and scope["method"] == "GET" and _same(given, self._token):
            name, value = self._cookie(scope)
            where = "/" + quote(scope["path"].lstrip("/\\")) + ("?" + urlencode(query) if query else "")
            cookie = {"Set-Cookie": f"{name}={value}; HttpOnly; SameSite=Strict; Path=/"}
            if headers.get("sec-fetch-site") in (["none"], ["same-origin"]):
                raise RefusedError(303, "the token is known", Location=where, **cookie)
            # A redirect that began at a link of another site, such as a mail in a browser, would not send the cookie; a page of ours does.
            raise RefusedError(200, "the token is known", page=_ENTRANCE.format(html.escape(where)), **cookie)
        if not self._knows(scope, headers):
            raise RefusedError(401, "a token is needed: open the address that the server printed, with its ?token=")

    def _knows(self, scope: MutableMapping[str, Any], headers: Mapping[str, list[str]]) -> bool:
        """Whether a request has the token, as a cookie or in the header Authorization."""
        assert self._token is not None
        for value in headers.get("authorization", []):
            kind, _, given = value.partition(" ")
            if kind.lower() == "bearer" and _same(given.strip(), self._token):
                return True
        name, wanted = self._cookie(scope)
        pairs = (part.strip().partition("=") for line in headers.get("cookie", []) for part in line.split(";"))
        return any(key == name and _same(value, wanted) for key, _, value in pairs)

    def _cookie(self, scope: MutableMapping[str, Any]) -> tuple[str, str]:
        """Name and value of the cookie. Browsers send cookies to all ports of a host, so that its name has the port, and it is no token."""
        port = (scope.get("server") or ("", 0))[1]
        return f"timbrespace-{port}", hashlib.sha256(f"timbrespace {self._token}".encode()).hexdigest()

    def _check_body(self, method: str, headers: Mapping[str, list[str]]) -> int:
        lengths = headers.get("content-length", [])
        if method != "POST":
            if lengths not in ([], ["0"]) or "transfer-encoding" in headers:
                raise RefusedError(413, f"a request of method {method} has no body")
            return 0
        kind = headers.get("content-type", [""])[0].partition(";")[0].strip().lower()
        if kind not in self._limits.sizes or len(headers.get("content-type", [])) != 1:
            raise RefusedError(415, f"the content type is {kind[:80]!r}, allowed are {', '.join(self._limits.sizes)}")
        if headers.get("content-encoding", ["identity"]) != ["identity"]:
            raise RefusedError(415, "the body is compressed; send it as it is")
        most = self._limits.sizes[kind]
        if lengths and not (len(lengths) == 1 and lengths[0].isascii() and lengths[0].isdigit()):
            raise RefusedError(400, "the header Content-Length is no number")
        if lengths and (len(lengths[0]) > 15 or int(lengths[0]) > most):
            raise _too_much(most)
        return int(lengths[0]) if lengths else most


class _Passage:
    """The two ways of one request. A body that is refused while it is read ends the request with that refusal, whatever the application
    makes of the failure."""

    def __init__(self, receive: Receive, send: Send, *, most: int, limits: Limits):
        """most: bytes of the body."""
        self._receive, self._send, self._most, self._limits = receive, send, most, limits
        self._deadline = asyncio.get_running_loop().time() + limits.reading
        self._size, self._whole = 0, False
        self.refusal: RefusedError | None = None
        self.begun = False

    async def receive(self) -> Message:
        """Returns the next message of the body. Raises RefusedError where it is too large or too slow."""
        if self._whole:
            return await self._receive()  # waits until the client goes away
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._deadline - asyncio.get_running_loop().time()))
        except TimeoutError:
            self.refusal = RefusedError(408, f"the body did not arrive within {self._limits.reading:g} s", Connection="close")
            raise self.refusal from None
        self._size += len(message.get("body", b""))
        if self._size > self._most:
            self.refusal = _too_much(self._most)
            raise self.refusal
        self._whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Sends a message of the answer, with the headers that every answer has; nothing after a refusal."""
        if self.refusal is not None and not self.begun:
            return
        if message["type"] == "http.response.start":
            self.begun = True
            message = {**message, "headers": _with_defaults(message.get("headers", ()))}
        await self._send(message)


def _too_much(most: int) -> RefusedError:
    return RefusedError(413, f"the body is larger than {most:,} bytes, the most that is taken", Connection="close")


def _headers_of(scope: Mapping[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _name_of(host: str) -> str | None:
    """The name or address in a header Host, without port; None for any other text."""
    host = host.lower()
    if host.startswith("["):
        name, bracket, port = host[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            return None
        port = port[1:]
    else:
        name, _, port = host.partition(":")
    return name if name and (not port or (port.isascii() and port.isdigit())) else None


def _is_address(name: str) -> bool:
    """Whether a name is an IP address, which no other name server can lead here."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())


def _with_defaults(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    found = list(headers)
    own = {name.lower() for name, _ in found}
    return found + [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items() if name.lower().encode() not in own]


async def _answer(send: Send, refusal: RefusedError) -> None:
    body = (refusal.page or json.dumps({"error": str(refusal)})).encode()
    own = [(b"content-type", b"text/html; charset=utf-8" if refusal.page else JSON.encode()), (b"content-length", str(len(body)).encode())]
    own += [(name.lower().encode(), text.encode("latin-1", "replace")) for name, text in refusal.headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": _with_defaults(own)})
    await send({"type": "http.response.body", "body": body})

"""The guard in front of the server: who may ask, from where, how much, and for how long. One test for each rule."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from timbrespace.web.server.guard import BYTES, JSON, Guard, Limits

HOME = "http://127.0.0.1:8765"
TOKEN = "a-long-enough-token"
LIMITS = Limits(sizes={JSON: 100, BYTES: 1000}, reading=0.2, answering=0.3, at_once=2)


class Application:
    """Reads the body and answers 200 with its size, after `wait` seconds."""

    def __init__(self, wait: float = 0.0) -> None:
        self.wait = wait
        self.reached = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached += 1
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message.get("body", b"")), message.get("more_body", False)
        await asyncio.sleep(self.wait)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": str(size).encode()})


def ask(
    method: str = "GET", path: str = "/", *, app: Application | None = None, token: str | None = None, base: str = HOME, **more: Any
) -> httpx.Response:
    guard = Guard(app or Application(), token=token, limits=LIMITS)

    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(guard)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            return await client.request(method, path, **more)

    return asyncio.run(once())


def refused(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status
    words = answer.json()["error"]
    assert isinstance(words, str)
    assert words
    return words


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "[::1]:8765", "LOCALHOST", "localhost:9000"])
def test_its_own_names_are_answered(host: str) -> None:
    assert ask(headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "localhost.evil.example:8765", "127.0.0.1:8765@evil.example",
     "10.0.0.1", "",
      "[::1", "127.0.0.1:x", "[::1]x:1", "localhost:8765, evil.example", "2130706433", "127.1"],
)  # fmt: skip
@pytest.mark.parametrize("token", [None, TOKEN])
def test_another_host_is_refused_before_anything_else(host: str, token: str | None) -> None:
    if token and host == "10.0.0.1":
        pytest.skip("an address needs no name server, and a token is asked for")
    app = Application()
    words = refused(ask(app=app, token=token, headers={"Host": host, "Authorization": f"Bearer {TOKEN}"}), 403)
    assert "address" in words
    assert app.reached == 0


def test_two_hosts_are_refused() -> None:
    refused(ask(headers=[("Host", "127.0.0.1:8765"), ("Host", "evil.example")]), 403)


def post(**headers: str) -> httpx.Response:
    return ask("POST", "/api/x", content=b"{}", headers={"Content-Type": JSON, **headers})


@pytest.mark.parametrize("headers", [{}, {"Origin": HOME}, {"Origin": HOME, "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}])
def test_own_pages_and_programs_may_send(headers: dict[str, str]) -> None:
    assert post(**headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "https://127.0.0.1:8765"}, {"Origin": "http://127.0.0.1:9000"},
        {"Origin": "http://localhost:8765"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": ""},
        {"Origin": HOME, "Sec-Fetch-Site": "cross-site"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["POST", "DELETE", "GET"])
def test_other_sites_may_not(headers: dict[str, str], method: str) -> None:
    app = Application()
    more = {"content": b"{}"} if method == "POST" else {}
    answer = ask(method, "/api/x", app=app, headers={**({"Content-Type": JSON} if more else {}), **headers}, **more)
    assert "site" in refused(answer, 403)
    assert app.reached == 0


def test_a_link_from_another_site_opens_the_page() -> None:
    assert ask(headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "json"])
def test_forms_of_other_sites_cannot_send(kind: str) -> None:
    refused(ask("POST", "/api/x", content=b"{}", headers={"Content-Type": kind}), 415)


def test_a_character_set_does_not_matter_and_compression_is_refused() -> None:
    assert ask("POST", "/", content=b"{}", headers={"Content-Type": "Application/JSON; charset=utf-8"}).status_code == 200
    refused(ask("POST", "/", content=b"{}", headers={"Content-Type": JSON, "Content-Encoding": "gzip"}), 415)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT", "X" * 50])
def test_other_methods_are_refused_and_nothing_is_shared(method: str) -> None:
    answer = ask(method)
    refused(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD, POST, DELETE"
    assert not [name for name in answer.headers if name.startswith("access-control-")]


async def _parts(parts: list[bytes], wait: float = 0.0) -> AsyncIterator[bytes]:
    for part in parts:
        await asyncio.sleep(wait)
        yield part


@pytest.mark.parametrize(("kind", "most"), [(JSON, 100), (BYTES, 1000)])
@pytest.mark.parametrize("stated", [True, False])
def test_a_body_has_a_most(kind: str, most: int, stated: bool) -> None:
    """Also without a length, and also with a false one."""

    def send(size: int) -> httpx.Response:
        content = b"x" * size
        return ask("POST", "/", content=content if stated else _parts([content[:50], content[50:]]), headers={"Content-Type": kind})

    assert send(most).text == str(most)
    refused(send(most + 1), 413)


@pytest.mark.parametrize("length", ["-1", "1e3", "٣", "9" * 30, "0x10", ""])
def test_a_false_length_is_refused(length: str) -> None:
    answer = ask("POST", "/", content=b"{}", headers={"Content-Type": JSON, "Content-Length": length.encode()})  # type: ignore[dict-item]
    assert refused(answer, 413 if length.startswith("9") else 400)


def test_a_question_has_no_body() -> None:
    refused(ask("GET", "/", content=b"x"), 413)


def test_a_slow_body_is_ended() -> None:
    refused(ask("POST", "/", content=_parts([b"x"] * 50, 0.02), headers={"Content-Type": JSON}), 408)


def test_a_long_answer_is_ended() -> None:
    assert "0.3 s" in refused(ask(app=Application(wait=5)), 408)


def test_so_many_requests_at_once() -> None:
    guard = Guard(Application(wait=0.1), limits=LIMITS)

    async def several() -> list[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url=HOME) as client:  # type: ignore[arg-type]
            answers = await asyncio.gather(*(client.get("/") for _ in range(5)))
            return [*sorted(answer.status_code for answer in answers), (await client.get("/")).status_code]

    assert asyncio.run(several()) == [200, 200, 429, 429, 429, 200]


@pytest.mark.parametrize("stated", [True, False])
def test_the_bodies_of_all_requests_together_have_a_most(stated: bool) -> None:
    """Many that each keep their limit do not fill the memory."""
    limits = replace(LIMITS, at_once=20, held=2500, answering=5.0)
    guard = Guard(Application(wait=0.1), limits=limits)

    async def several() -> list[list[int]]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url=HOME) as client:  # type: ignore[arg-type]
            found = []
            for _ in range(3):  # what was held is let go, also of the refused ones
                bodies = (b"x" * 1000 if stated else _parts([b"x" * 500] * 2, 0.01) for _ in range(6))
                sent = (client.post("/", content=body, headers={"Content-Type": BYTES}) for body in bodies)
                found.append(sorted(answer.status_code for answer in await asyncio.gather(*sent)))
            found.append([(await client.post("/", content=b"x" * 1000, headers={"Content-Type": BYTES})).status_code])
            return found

    assert asyncio.run(several()) == [[200, 200, 429, 429, 429, 429]] * 3 + [[200]]


def test_a_long_address_is_refused() -> None:
    refused(ask(path="/" + "x" * 3000), 414)


def test_every_answer_forbids_frames_sniffing_and_foreign_content() -> None:
    for answer in (ask(), ask("PUT"), ask(headers={"Host": "evil.example"}), ask(app=Application(wait=5)), ask(token=TOKEN)):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"


def test_web_sockets_are_closed() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Guard(Application())({"type": "websocket", "headers": [], "path": "/"}, lambda: None, send))  # type: ignore[arg-type,return-value]
    assert sent == [{"type": "websocket.close", "code": 1008}]


# --- token --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": TOKEN}, {"Cookie": f"timbrespace-8765={TOKEN}"}, {"Cookie": ";;=;"}],
)
def test_without_the_token_nothing_is_answered(headers: dict[str, str]) -> None:
    app = Application()
    for path in ("/", "/api/x", "/?token=wrong", "/?token="):
        assert "token" in refused(ask(path=path, app=app, token=TOKEN, headers=headers), 401)
    assert app.reached == 0


def test_a_program_gives_the_token() -> None:
    assert ask(token=TOKEN, headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200


def test_the_address_with_the_token_sets_a_cookie_and_forgets_it() -> None:
    answer = ask(path=f"/instrument/1?a=b%20c&token={TOKEN}", token=TOKEN, headers={"Sec-Fetch-Site": "none"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/instrument/1?a=b+c"
    cookie = answer.headers["set-cookie"]
    assert TOKEN not in cookie
    assert cookie.endswith("; HttpOnly; SameSite=Strict; Path=/")
    assert ask(token=TOKEN, headers={"Cookie": f"other=1; {cookie.split(';')[0]}"}).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}])
def test_a_link_with_the_token_on_another_site_leads_to_a_page_of_our_own(headers: dict[str, str]) -> None:
    """A cookie of SameSite=Strict is not sent along a redirect that another site began."""
    answer = ask(path=f'/instrument/1?a="><script>&token={TOKEN}', token=TOKEN, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert 'content="0;url=/instrument/1?a=%22%3E%3Cscript%3E"' in answer.text
    assert "<script" not in answer.text
    assert TOKEN not in answer.text
    assert answer.headers["set-cookie"].endswith("; HttpOnly; SameSite=Strict; Path=/")
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example", "//evil.example/%2e%2e", "///", "/%0d%0aSet-Cookie:x=1"])
def test_the_token_leads_to_no_other_site(path: str) -> None:
    answer = ask(path=f"{HOME}{path}?token={TOKEN}", token=TOKEN, headers={"Sec-Fetch-Site": "none"})
    where = answer.headers["location"]
    assert where.startswith("/")
    assert not where.startswith(("//", "/\\"))
    assert "x" not in answer.headers.get("set-cookie", "").split(";")[0].split("=")[0]
    assert "\n" not in where


def test_the_token_is_in_no_answer() -> None:
    checks: list[Callable[[], httpx.Response]] = [
        lambda: ask(token=TOKEN), lambda: ask(path=f"/?token={TOKEN}", token=TOKEN), lambda: ask(path=f"/?token={TOKEN}x", token=TOKEN),
    ]  # fmt: skip
    for check in checks:
        answer = check()
        assert TOKEN not in answer.text + str(answer.headers)


def test_a_request_that_the_end_of_the_server_cancels_gets_an_answer() -> None:
    """uvicorn cancels requests that do not end soon after Ctrl-C; an unanswered one would be a traceback."""

    async def cancelled() -> httpx.Response:
        guard = Guard(Application(wait=5.0), limits=replace(LIMITS, answering=5.0))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url=HOME) as client:  # type: ignore[arg-type]
            request = asyncio.create_task(client.get("/"))
            await asyncio.sleep(0.05)
            request.cancel()
            return await request

    refused(asyncio.run(cancelled()), 503)

"""`timbrespace serve` as a person runs it: start, port, token, browser, Ctrl-C, clients that go away, damaged instruments."""

from __future__ import annotations

import builtins
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shell import Shell
from timbrespace.contracts import ConfigError
from timbrespace.web.server import running
from timbrespace.web.server.guard import Guard
from timbrespace.web.server.running import listen, server_of, token_for
from tiny import Tiny

ADDRESS = re.compile(r"http://\S+")


class Process:
    """A running `timbrespace serve`."""

    def __init__(self, *words: str, folder: Path):
        line = [sys.executable, "-m", "timbrespace", "serve", *words, "--port", "0"]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder)
        assert self.process.stdout is not None
        self.lines: list[str] = []
        while not (self.lines and ADDRESS.search(self.lines[-1])):
            line_read = self.process.stdout.readline()
            assert line_read, self.lines
            self.lines.append(line_read)
        self.address = ADDRESS.findall(self.lines[-1])[0]

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Its exit code, and what it printed after it was ready."""
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=60)
        return self.process.returncode, rest


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    made: list[Process] = []

    def make(*words: object) -> Process:
        made.append(Process(*map(str, words), folder=tmp_path))
        return made[-1]

    yield make
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        assert one.process.stdout is not None
        one.process.stdout.close()


def test_ctrl_c_stops_it_while_jobs_run_and_leaves_no_half_batch(process: Callable[..., Process], tiny: Tiny, tmp_path: Path) -> None:
    server = process(tiny.file, "--folder", "OUT")
    json_type = {"Content-Type": "application/json"}
    with httpx.Client(base_url=server.address, timeout=120) as client:
        jobs = [
            client.post("api/instrument/0/generate", headers=json_type, content=json.dumps({"id": str(uuid.uuid4()), "count": 1000})).json()
            for _ in range(3)
        ]
        for _ in range(2000):
            if client.get(f"api/jobs/{jobs[0]['job']}").json()["state"] == "running":
                break
            time.sleep(0.005)
        assert server.stop() == (0, "stopped\n")
    assert list((tmp_path / "OUT").iterdir()) == []


def test_starting_and_the_page_need_no_folder_and_log_nothing(process: Callable[..., Process], tiny: Tiny, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    server = process(tiny.file)
    assert server.address.startswith("http://127.0.0.1:")
    assert httpx.get(server.address, timeout=120).status_code == 200
    httpx.get(f"{server.address}secret-words", timeout=120)
    assert server.stop(signal.SIGTERM) == (0, "stopped\n")
    assert set(tmp_path.iterdir()) == before


def test_another_host_gets_a_token(process: Callable[..., Process], tiny: Tiny) -> None:
    server = process(tiny.file, "--host", "0.0.0.0")
    token = server.address.partition("?token=")[2]
    assert len(token) >= 20
    home = f"http://127.0.0.1:{server.address.rpartition(':')[2].partition('/')[0]}/"
    assert httpx.get(home, timeout=120).status_code == 401
    with httpx.Client(timeout=120) as client:
        first = client.get(f"{home}?token={token}", headers={"Sec-Fetch-Site": "none"})
        assert (first.status_code, first.headers["location"]) == (303, "/")
        assert client.get(home).status_code == 200
    assert server.stop()[0] == 0


def test_a_taken_port_is_a_sentence(shell: Shell, tiny: Tiny) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        words = shell("serve", tiny.file, "--port", other.getsockname()[1], code=2)
    assert "is taken" in words
    assert "--port" in words


@pytest.mark.parametrize("host", ["192.0.2.7", "no such host", "", "a" * 300])
def test_a_host_that_is_not_here_is_a_sentence(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if host != "192.0.2.7":
        monkeypatch.setattr(socket, "getaddrinfo", _no_name)
    with pytest.raises(ConfigError, match="no address of this computer"):
        listen(host, 0)


def _no_name(*_: Any, **__: Any) -> None:
    raise socket.gaierror("no such name")


@pytest.mark.parametrize("words", [("--port", 70_000), ("--port", -1), ("--token", "short"), ("--token", "with spaces and more")])
def test_options_have_ranges(shell: Shell, tiny: Tiny, words: tuple[Any, ...]) -> None:
    assert str(words[0]) in shell("serve", tiny.file, *words, code=2)


def test_a_token_is_made_only_where_others_can_ask() -> None:
    assert token_for("127.0.0.1", None) is token_for("localhost", None) is token_for("::1", None) is None
    made = {token_for("0.0.0.0", None) for _ in range(3)}
    assert len(made) == 3
    assert token_for("127.0.0.1", "a-token-of-mine") == "a-token-of-mine"


def test_damaged_instruments_and_folders_are_sentences(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(tiny.file.read_bytes()[:5000])
    assert "damaged" in shell("serve", tiny.file, damaged, "--port", 0, code=2)
    assert "missing" in shell("serve", tmp_path / "missing.safetensors", "--port", 0, code=2)
    assert "--folder" in shell("serve", tiny.file, "--folder", damaged, "--port", 0, code=2)
    (tmp_path / "noise.safetensors").write_bytes(os.urandom(3000))
    assert "noise" in shell("serve", tmp_path / "noise.safetensors", "--port", 0, code=2)


def test_a_missing_extra_is_named(shell: Shell, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **options: Any) -> Any:
        if name == "uvicorn":
            raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")
        return real(name, *more, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "pip install 'timbrespace[web]'" in shell("serve", tiny.file, "--port", 0, code=2)


# --- connections --------------------------------------------------------------------------------------------------------


async def _slow(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body, and answers."""
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(running, "_HEADERS_SECONDS", 0.3)
    listening = listen("127.0.0.1", 0)
    server = server_of(Guard(_slow))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening.socket]}, daemon=True)
    thread.start()
    yield listening.port
    server.should_exit = True
    thread.join(30)
    listening.socket.close()
    assert not thread.is_alive()


def test_a_client_that_goes_away_does_not_stop_it(port: int) -> None:
    begins = [
        b"", b"G", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"\x00\xff" * 50, b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"A" * 100_000,
    ]  # fmt: skip
    for begin in begins * 3:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(begin)
    assert httpx.get(f"http://127.0.0.1:{port}/").text == "ok"


def test_headers_that_do_not_arrive_end_the_connection(port: int) -> None:
    """Also where a byte of them comes now and then."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        with pytest.raises(ConnectionError):  # the byte after the end fails
            for _ in range(200):
                client.sendall(b"x")
                time.sleep(0.05)
    assert httpx.get(f"http://127.0.0.1:{port}/").text == "ok"


def test_the_browser_is_opened_when_the_server_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    done = threading.Event()

    def open_it(address: str) -> bool:
        opened.append(httpx.get(address).text)
        done.set()
        return True

    monkeypatch.setattr(running.webbrowser, "open", open_it)
    listening = listen("127.0.0.1", 0)
    server = server_of(Guard(_slow), browser=listening.address())
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening.socket]}, daemon=True)
    thread.start()
    assert done.wait(30)
    server.should_exit = True
    thread.join(30)
    listening.socket.close()
    assert opened == ["ok"]

"""A server in the process of a test, and sounds to drop on it."""

from __future__ import annotations

import io
import json
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile

from timbrespace.instrument import Instrument
from timbrespace.web.server.app import make_app
from timbrespace.web.server.guard import BYTES, JSON, Guard, Limits
from timbrespace.web.server.office import Office
from timbrespace.web.server.running import listen, server_of
from timbrespace.web.server.served import Served

BASE = "/api/instrument/0"
SIZES = {JSON: 128 * 1024, BYTES: 20_000_000}


class Site:
    """A server in this process. folder: its own, inside `around`, in which nothing else may change."""

    def __init__(self, files: list[Path], around: Path, *, folder: bool = True, engine: str = "auto"):
        self.folder = around / "OUT"
        self.folder.mkdir(parents=True, exist_ok=True)
        served = [Served(Instrument.load(file, engine=engine), title=f"tiny {n}", number=n) for n, file in enumerate(files)]
        self.office = Office(served, folder=self.folder if folder else None)
        self.app = make_app(self.office)
        self.listening = listen("127.0.0.1", 0)
        self.server = server_of(Guard(self.app, limits=Limits(sizes=SIZES)))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listening.socket]}, daemon=True)
        self.thread.start()
        self.home = self.listening.address().rstrip("/")
        self.client = httpx.Client(base_url=self.home, timeout=120)

    def close(self) -> None:
        self.client.close()
        self.server.should_exit = True
        self.thread.join(30)
        self.listening.socket.close()
        assert not self.thread.is_alive()
        assert self.office.jobs.close()

    def post(self, verb: str, body: Any, **headers: str) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body)
        kind = BYTES if verb == "encode" else JSON
        return self.client.post(f"{BASE}/{verb}", content=content, headers={"Content-Type": kind, **headers})

    def ended(self, answer: Any) -> dict[str, Any]:
        """The last state of a job that was taken."""
        assert answer.status_code == 202, answer.text
        for _ in range(3000):
            state: dict[str, Any] = self.client.get(f"/api/jobs/{answer.json()['job']}").json()
            if state["state"] not in ("waiting", "running"):
                return state
            time.sleep(0.01)
        raise AssertionError(state)

    def generate(self, **more: Any) -> Any:
        return self.post("generate", {"id": str(uuid.uuid4()), "count": 2, **more})


def wav(seconds: float = 0.2, rate: int = 44_100, channels: int = 1, kind: str = "WAV", subtype: str | None = None) -> bytes:
    time = np.arange(round(seconds * rate)) / rate
    audio = np.repeat((np.sin(2 * np.pi * 200 * time) * np.exp(-20 * time))[:, None], channels, axis=1)
    out = io.BytesIO()
    soundfile.write(out, audio, rate, format=kind, subtype=subtype)
    return out.getvalue()


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}

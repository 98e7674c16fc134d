"""An instrument that is served: opened, its page, and the training sounds nearest to a sound."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timbrespace.web.join import join
from timbrespace.web.page import policy_of, render_page, shown_rows

if TYPE_CHECKING:
    from torch import Tensor

    from timbrespace.instrument import Instrument
    from timbrespace.space.neighbours.search import Match

_MOST_SEARCHED = 1_000  # of more training sounds than the map has points


@dataclass(frozen=True)
class Page:
    """A page as it is sent: as it is, compressed, the tag by which a browser knows it again, and its Content-Security-Policy."""

    plain: bytes
    packed: bytes
    tag: str
    policy: str

    @classmethod
    def of(cls, text: str, policy: str) -> Page:
        """Returns the page of a text."""
        plain = text.encode()
        tag = f'"{hashlib.sha256(plain).hexdigest()[:24]}"'
        return cls(plain, gzip.compress(plain, 5, mtime=0), tag, f"{policy}; frame-ancestors 'none'")


class Served:
    """One instrument of the server."""

    def __init__(self, instrument: Instrument, *, title: str, number: int, file: Path | None = None):
        """number: its place among the instruments, from 0. file: its own, which no answer names."""
        self.instrument, self.title, self.number = instrument, title, number
        self._file = file or title
        self._lock = threading.Lock()
        self._page: Page | None = None

    @cached_property
    def key(self) -> str:
        """Differs between instruments, so that a page of an earlier server is not answered by another's."""
        from timbrespace.synthesis.detail.given import fingerprint

        return fingerprint(self.instrument.contents)

    @property
    def href(self) -> str:
        """Address of its page."""
        return f"/instrument/{self.number}"

    @property
    def base(self) -> str:
        """Where its interface begins."""
        return f"/api/instrument/{self.number}"

    @property
    def refusal(self) -> str:
        """Why the page cannot play it; empty where it can."""
        return self.instrument.not_native.replace(str(self._file), "its file")

    def page(self, facts: dict[str, Any]) -> Page:
        """Returns its page, which is made once. facts: what it knows of the server."""
        with self._lock:
            if self._page is None:
                text = render_page(self.instrument, title=self.title, server=facts)
                self._page = Page.of(text, policy_of(join("main.js"), served=True))
            return self._page

    def like_latent(self, z: Sequence[float], count: int) -> list[dict[str, Any]]:
        """Returns the `count` points of the page's map whose sounds are most like that of a latent `(dims,)`, nearest first."""
        import torch

        latent = torch.tensor(list(z), dtype=torch.float32)
        audio = self.instrument.decode(latent, texture=True)
        return self._near(lambda most: self.instrument.neighbours.find_new(latent, audio, most), count)

    def like_sound(self, sound: Tensor, count: int) -> list[dict[str, Any]]:
        """As `like_latent`, of a sound `(channels, time)` at the instrument's rate."""
        return self._near(lambda most: self.instrument.find(sound, most), count)

    def _near(self, find: Callable[[int], Sequence[Match]], count: int) -> list[dict[str, Any]]:
        """The nearest points: not every training sound is one on a very large map. None of an instrument without its training sounds."""
        points = self._points
        if not points:
            return []
        found = find(min(len(self._names), count if len(points) == len(self._names) else _MOST_SEARCHED))
        return [{"point": points[one.index], "distance": round(one.distance, 4)} for one in found if one.index in points][:count]

    @cached_property
    def _names(self) -> Sequence[str]:
        clips = self.instrument.contents.clips
        return () if clips is None else clips.names

    @cached_property
    def _points(self) -> dict[int, int]:
        """Number of a training sound -> number of its point."""
        return {} if not self._names else {int(row): point for point, row in enumerate(shown_rows(len(self._names)))}

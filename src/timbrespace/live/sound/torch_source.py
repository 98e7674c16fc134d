"""The sounds of one instrument, by PyTorch: of the families that the native core does not play."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from timbrespace.live.sound.pads import Pad, pads_of
from timbrespace.live.sound.places import Places
from timbrespace.live.state import SoundKey
from timbrespace.noise import seed_of

if TYPE_CHECKING:
    from timbrespace.synthesis.file.contents import InstrumentContents
    from timbrespace.synthesis.request import RenderRequest

_REACH = 0.5  # of the corpus's spread that a variation of humanise 1 is away, in each direction


class TorchSource:
    """Sounds of whole clips, see `SoundSource`. Named controls are left out: PyTorch takes too long for them while playing."""

    notes, velocities, held, lowest, highest = False, False, False, 0.0, 127.0

    def __init__(self, contents: InstrumentContents, *, title: str, seed: int = 0, humanise: float = 0.0):
        """contents: of an instrument whose latent is one point. seed, humanise: see `CoreSource`."""
        self.title, self._contents, self._seed, self._humanise = title, contents, seed, humanise
        self.sample_rate, self.dims = contents.sample_rate, contents.model.dims
        self.controls: dict[str, tuple[float, float]] = {}
        self.left_out: dict[str, str] = {}
        self.places = Places.of_contents(contents)
        self.mapped, self._axes = self.places.known, self.places.axes
        self.axes, self._known = len(self._axes), contents.model.conditioning.size
        self.pads: list[Pad] = pads_of(contents.space.categories)
        self._drawn: dict[int, RenderRequest] = {}
        self._lock = threading.RLock()

    def render(self, key: SoundKey) -> np.ndarray:
        """See `SoundSource`."""
        import torch

        from timbrespace.synthesis.rendering import finished

        request = self._request(key.pad)
        seed = seed_of(seed_of(self._seed, key.pad), 0 if key.variation is None else key.variation + 1)
        with torch.inference_mode():
            wanted = request._replace(z=torch.from_numpy(self.latent(key)), seed=seed)
            return finished(self._contents, wanted, level="peak", out_rate=self.sample_rate).audio.numpy()

    def latent(self, key: SoundKey) -> np.ndarray:
        """Returns the latent `(dims,)` of a sound."""
        own = self._request(key.pad).z.float().numpy()
        z = own.copy()
        if key.wanted.place is not None:
            z = self.places.at(key.wanted.place, category=self.pads[key.pad].category)
        if key.morph is not None:
            other, share = key.morph
            z = (1 - np.float32(share)) * z + np.float32(share) * self._request(other).z.float().numpy()
        for number, value in key.wanted.latents:
            z[number] += np.float32(value)
        for number, value in key.wanted.axes:
            z += np.float32(value) * self._axes[number]
        if key.variation is not None:
            draws = np.random.default_rng([self._seed, key.pad, key.variation]).standard_normal(len(self._axes))
            z += np.float32(_REACH * self._humanise) * (draws.astype(np.float32) @ self._axes)
        if self._known:
            z[-self._known :] = own[-self._known :]
        return z

    def _request(self, pad: int) -> RenderRequest:
        """The drawn sound of a pad."""
        from timbrespace.synthesis.request import DrawOptions, draw

        with self._lock:
            if pad not in self._drawn:
                wanted = self.pads[pad]
                self._drawn[pad] = draw(self._contents, wanted.number + 1, DrawOptions(category=wanted.category), seed=self._seed)[-1]
            return self._drawn[pad]

"""Makes sounds with the native core: draws, renders on all cores, and labels them as `synthesis.rendering` does. Without PyTorch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.mapped import Shelf
from timbrespace.noise import seed_of
from timbrespace.parallel import ordered_map
from timbrespace.synthesis.finish import check_target, finish_array
from timbrespace.synthesis.output.engines import NATIVE, RENDER_VERSION, read_request
from timbrespace.synthesis.output.labelling import Rendering, labelled, measured
from timbrespace.synthesis.output.requested import GivenArrays, RenderRequest

if TYPE_CHECKING:
    from timbrespace.native.interface import Opened
    from timbrespace.synthesis.file.facts import InstrumentFile
    from timbrespace.synthesis.finish import Level
    from timbrespace.synthesis.sounds import Sounds

Progress = Callable[[int, int], None]


class Player:
    """Plays an instrument file with the native core."""

    def __init__(self, file: InstrumentFile, core: Opened):
        """file: of the instrument, whose bytes the core has opened."""
        self.file, self.core = file, core

    def anonymous(self) -> Player:
        """Returns the player of the instrument without the names of its training sounds. Raises CoreError."""
        from timbrespace.synthesis.file.numbering import numbered

        file, data = numbered(self.file)
        return Player(file, self.core if data is self.file.data else self.core.other(data))

    @property
    def dims(self) -> int:
        """Size of the latent space."""
        return int(self.core.info.dims)

    def plays(self, request: RenderRequest) -> bool:
        """Returns whether the core renders a request: of a new sound, not one made from given sounds, nor one that moves."""
        return request.mix is None and request.moving is None and request.length is None and tuple(request.z.shape) == (self.dims,)

    def draws(self, *, category: str | None, pitch: float | None, velocity: float | None) -> bool:
        """Returns whether the instrument has this category, pitch (MIDI number) and velocity; `request.draw` says why not."""
        info = self.core.info
        return (
            (category is None or category in self.core.categories)
            and (pitch is None or (bool(info.notes) and info.lowest_pitch <= pitch <= info.highest_pitch))
            and (velocity is None or (bool(info.velocities) and 1 <= velocity <= 127))
        )

    def samples(self, request: RenderRequest, *, level: Level | None, rate: int) -> np.ndarray:
        """Returns the sound `(channels, time)` of a request at `rate` Hz, finished. Raises CoreError, ConfigError, ShapeError."""
        z, core = np.asarray(request.z, np.float32), self.core
        check_target(self.file.sample_rate, level or "peak", None, rate)
        if not np.isfinite(z).all():
            raise ShapeError(f"a latent must be (dims,) finite numbers, dims = {self.dims}")
        category = core.categories.index(request.category) if request.category in core.categories else -1
        if rate == self.file.sample_rate:
            return core.render(z, request.seed, category=category, level=level or "peak")
        raw = core.render(z, request.seed, category=category, finish=False)
        return finish_array(raw, self.file.sample_rate, level=level or "peak", out_rate=rate).astype(np.float32)

    def new(self, request: RenderRequest) -> np.ndarray:
        """Returns the finished sound `(channels, time)` of a request, at the instrument's rate and a peak of -1 dBFS."""
        return self.samples(request, level="peak", rate=self.file.sample_rate)

    def near(self, z: np.ndarray, sound: GivenArrays, *, samples: int, kept: float, seed: int) -> tuple[np.ndarray, float]:
        """See `Opened.near`."""
        return self.core.near(z, sound, samples=samples, kept=kept, seed=seed)

    def near_descriptors(self, z: np.ndarray, sound: GivenArrays, *, samples: int, kept: float, seed: int) -> np.ndarray:
        """See `Opened.near_descriptors`."""
        return self.core.near_descriptors(z, sound, samples=samples, kept=kept, seed=seed)

    def measure(self, z: np.ndarray) -> np.ndarray:
        """See `Opened.measure`."""
        return self.core.measure(z)

    def length(self, z: np.ndarray) -> int:
        """See `Opened.length`."""
        return self.core.length(z)

    def note(self, request: RenderRequest) -> int | None:
        """Returns the MIDI number that the latent of a request holds; None for an instrument without notes."""
        pitch = self.core.pitch(np.asarray(request.z, np.float32))
        return None if pitch is None else round(pitch)

    def recipe(self, request: RenderRequest) -> dict[str, Any]:
        """Returns what a recipe holds of a request, as `recipe.to_recipe` does."""
        return {
            "engine": NATIVE, "render_version": RENDER_VERSION, "instrument": self.file.fingerprint, "category": request.category,
            "phase_seed": request.seed, "latent": [float(value) for value in request.z],
        }  # fmt: skip

    def render(
        self, requests: Iterator[RenderRequest] | Sequence[RenderRequest], count: int, *, level: Level | None,
        out_rate: int | None, progress: Progress | None = None, numbered: bool = True,
    ) -> Sounds:  # fmt: skip
        """Returns the sounds of `count` requests, in order; see `rendering.render`. Requests may be drawn while earlier ones sound."""
        training, rate = self.file.training, self.file.sample_rate if out_rate is None else out_rate
        found: list[RenderRequest] = []

        def one(request: RenderRequest) -> Rendering:
            return measured(self.samples(request, level=level, rate=rate), rate, training, note=self.note(request))

        def noted() -> Iterator[RenderRequest]:
            for request in requests:
                found.append(request)
                yield request

        renderings: list[Rendering] = []
        shelf = Shelf()
        for rendering in ordered_map(one, noted(), workers=min(count, os.cpu_count() or 1)):
            renderings.append(rendering._replace(samples=shelf.keep(rendering.samples)))
            if progress is not None:
                progress(len(renderings), count)
        recipes = [self.recipe(request) for request in found]
        return labelled(found, renderings, recipes, training, rate=rate, level=level, numbered=numbered)

    def request_of(self, recipe: dict[str, Any]) -> tuple[RenderRequest, Level | None, int]:
        """Returns the request of a recipe of a new sound, its level and its rate in Hz. Raises ConfigError."""

        def latent(values: Any) -> np.ndarray:
            with np.errstate(over="ignore"):  # to infinity, which is refused
                z = np.array([float(value) for value in values], np.float32)
            if len(z) != self.dims or not np.isfinite(z).all():
                raise ConfigError(f"the recipe does not fit this instrument: {len(z)} latent values, {self.dims} expected")
            return z

        return read_request(recipe, latent)  # type: ignore[return-value]  # `finish` checks the level

    def draw(
        self, count: int, *, seed: int, category: str | None, temperature: float, pitch: float | None, velocity: float | None
    ) -> Iterator[RenderRequest]:
        """Yields requests for new sounds, as `request.draw`, of what `draws` allows. Raises CoreError."""
        core = self.core
        number = -1 if category is None else core.categories.index(category)
        extras = {name: value for name, value in (("pitch", pitch), ("velocity", velocity)) if value is not None}
        earlier = np.empty((count, self.dims), np.float32)
        for index in range(count):
            drawn = core.draw(seed, index, earlier[:index], category=number, temperature=temperature, pitch=pitch, velocity=velocity)
            earlier[index] = drawn.z
            asked = {"verb": "generate", "seed": seed, "index": index, "asked_category": category, "temperature": temperature, **extras}
            asked |= {"redrawn": drawn.redrawn} if drawn.redrawn else {}
            label = core.categories[drawn.category] if drawn.category >= 0 else None
            yield RenderRequest(drawn.z, label or "sound", label, asked, seed_of(seed, index))

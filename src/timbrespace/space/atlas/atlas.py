"""The map of an instrument: its training sounds and new ones in the plane, and the latent of any place between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from timbrespace.contracts import ShapeError
from timbrespace.noise import seed_of
from timbrespace.space.atlas.layout import Layout
from timbrespace.space.atlas.paths import latent_to_decode
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.request import RenderRequest
from timbrespace.synthesis.sound import Sound

TRAINING, NEW, GIVEN = "training", "new", "given"  # kinds of points
_SPOT_SEEDS = 1 << 32  # numbers of the seeds of places begin here, those of points at 0


@dataclass(frozen=True)
class MapPoints:
    """n sounds on a map: names, categories and kinds (TRAINING, NEW, GIVEN), one each; positions `(n, 2)`, latents `(n, dims)`, of
    time-varying latents their means over the steps; descriptors `(n, len(DESCRIPTORS))` on their scales, NaN where not measured."""

    names: tuple[str, ...]
    categories: tuple[str | None, ...]
    kinds: tuple[str, ...]
    positions: Tensor
    latents: Tensor
    descriptors: Tensor

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, repr=False)
class Atlas:
    """A map. `instrument.map()` returns one.

    contents: the parts of the instrument. layout: of the points it was fitted to, see `fit_layout`. points: all sounds on the map.
    requests: row -> how the sound of a new or given point is rendered; a training sound is rendered from its latent. seed: of all
    that is rendered from the map.
    """

    contents: InstrumentContents
    layout: Layout
    points: MapPoints
    requests: Mapping[int, RenderRequest] = field(default_factory=dict)
    seed: int = 0

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} sounds, {self.method})"

    @property
    def method(self) -> str:
        """How the positions were found: "tsne", "pca" or "umap"."""
        return self.layout.method

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sounds."""
        return self.points.names

    @property
    def categories(self) -> tuple[str | None, ...]:
        """Categories of the sounds."""
        return self.points.categories

    @property
    def positions(self) -> Tensor:
        """Positions of the sounds, `(n, 2)`; those that the map was fitted to are within -1 to 1."""
        return self.points.positions

    def place(self, sounds: Sequence[Sound] | Sequence[Tensor] | Tensor) -> Tensor:
        """Returns positions `(m, 2)` of further sounds, without refitting the map.

        sounds: sounds that this instrument made, or latents: a tensor `(m, dims)`, or a list of `(dims,)` or `(dims, steps)`.
        Raises ShapeError.
        """
        rows = [self._mean(sound.latent if isinstance(sound, Sound) else sound) for sound in sounds]
        return self.layout.place(torch.stack(rows) if rows else torch.zeros(0, self.contents.model.dims))

    def latent_at(self, x: float, y: float) -> Tensor:
        """Returns the latent of a place, `(dims,)` or `(dims, steps)`, which `instrument.decode` turns into audio.

        It is mixed from the latents of the five nearest sounds on the map, see `Layout.latents_at`; at a training sound it is that
        sound's own. Raises ShapeError for numbers that are not finite.
        """
        return latent_to_decode(self.contents, self.means_at(torch.tensor([[float(x), float(y)]]))[0])[0]

    def means_at(self, positions: Tensor) -> Tensor:
        """Returns points of the latent space `(m, dims)` of places `(m, 2)`; of a time-varying latent the means over time."""
        return self.layout.latents_at(positions, known=self.contents.model.conditioning.size)

    def request_of(self, row: int) -> RenderRequest:
        """Returns how the sound of a point is rendered: a training sound by decoding its latent, with the detail of new sounds."""
        if row in self.requests:
            return self.requests[row]
        z, length = latent_to_decode(self.contents, self.points.latents[row])
        asked = {"verb": "map", "point": row, "seed": self.seed}
        return RenderRequest(z, self.names[row], self.categories[row], asked, seed_of(self.seed, row), length)

    def requests_at(self, positions: Tensor) -> list[RenderRequest]:
        """Returns how the sounds of places `(m, 2)` are rendered. They are of the category of the nearest sound."""
        nearest = torch.cdist(positions.double(), self.positions.double()).argmin(1).tolist()
        requests = []
        for number, (mean, row) in enumerate(zip(self.means_at(positions), nearest, strict=True)):
            z, length = latent_to_decode(self.contents, mean)
            asked = {"verb": "map", "position": positions[number].tolist(), "seed": self.seed}
            seed = seed_of(self.seed, _SPOT_SEEDS + number)
            requests.append(RenderRequest(z, f"place {number + 1}", self.categories[row], asked, seed, length))
        return requests

    def with_descriptors(self, descriptors: Tensor) -> Atlas:
        """Returns the map with other descriptors `(n, len(DESCRIPTORS))` of its points."""
        return replace(self, points=replace(self.points, descriptors=descriptors))

    def _mean(self, latent: Tensor | None) -> Tensor:
        """A latent `(dims,)` or `(dims, steps)` as a point `(dims,)`."""
        dims, varies = self.contents.model.dims, self.contents.model.time_varying
        if latent is None or len(latent) != dims or not torch.isfinite(latent).all() or latent.ndim > 1 + varies or latent.ndim == 0:
            found = "none" if latent is None else f"{tuple(latent.shape)}"
            raise ShapeError(f"a sound to be placed needs a latent of {dims} finite numbers, not {found}; encode it with this instrument")
        return latent.mean(1).float() if latent.ndim == 2 else latent.float()

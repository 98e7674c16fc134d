"""What models around a closed-form codec share: principal components of whole sounds, and a small residual VAE inside."""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from timbrespace.contracts import ConfigError
from timbrespace.model.base import Batch, Evaluation, Model, Posterior, kl_to_normal, sample
from timbrespace.model.conditioning.pitch import PitchConditioning
from timbrespace.model.parts.layers import ResidualMLP
from timbrespace.model.parts.pitch import FEATURES, NoteRange, pitch_features
from timbrespace.model.parts.streamed_pca import principal_components
from timbrespace.representation.spec import FeatureSpec

_CLEARLY = 0.98  # of the objective so far: a less likely pitch counts only where it is clearly better
_SEARCH_RATE = 0.1  # of latents, whose spread is 1
# As a function: a torch.optim.Adam loads torch's compiler when it is made, more than a second.
_ADAM: dict[str, Any] = {
    "beta1": 0.9,
    "beta2": 0.999,
    "weight_decay": 0.0,
    "eps": 1e-8,
    "amsgrad": False,
    "maximize": False,
    "foreach": False,
}


class LinearCodecVAE(Model):
    """Flat images of sounds as coefficients of a linear codec, with a residual VAE over the coefficients.

        image ─ basis ─ coefficients ─┬─ first `dims`, whitened ─(+)─ mean
                                      └─ residual MLP ───────────┘
        latent ─┬─ transposed linear map ─(+)─ coefficients ─ basis ─ image
                └─ residual MLP ──────────┘└─ log2 length

    Both MLPs give zero before training, so the model starts as principal component analysis of the (augmented) corpus. With notes, the
    last entry of the latent is the pitch, which is known and not inferred, and an input of both networks.

    dims: latent size. coefficients: size of the linear codec. cells: values of an image. width, depth, dropout: of the MLPs.
    refinement_steps: of the search from the encoder's output to the nearest latent, for given sounds; training does not use it.
    axis: aligns images by pitch; None: sounds without pitch. fine_pitch: see `PitchConditioning`. A subclass writes `prepare_features`,
    `decode`, `loss`, `errors` and `_objective`.
    """

    mean: Tensor  # (cells,)
    basis: Tensor  # (coefficients, cells), orthonormal rows
    scale: Tensor  # (coefficients,), standard deviation of each coefficient
    length_statistics: Tensor  # (2,), mean and standard deviation of log2 length
    axis: NoteRange | None

    def __init__(
        self, spec: FeatureSpec, *, dims: int, coefficients: int, cells: int, width: int, depth: int, dropout: float, refinement_steps: int,
        axis: NoteRange | None, fine_pitch: bool = False,
    ):  # fmt: skip
        super().__init__(spec)
        if dims > coefficients:
            raise ConfigError(
                f"dims is {dims}, the linear codec around it has only {coefficients} coefficients; lower dims or raise coefficients"
            )
        if coefficients > cells:
            raise ConfigError(f"coefficients is {coefficients}, the features have only {cells} cells; lower it")
        self.dims, self.coefficients, self.refinement_steps = dims, coefficients, refinement_steps
        if axis is not None:
            self.conditioning = PitchConditioning(axis, fine=fine_pitch)
        if not self.inferred_dims:
            raise ConfigError("dims is 1 and its one number would be the pitch; raise dims, or set notes to null")
        self.axis = axis
        self.register_buffer("mean", torch.zeros(cells))
        self.register_buffer("basis", torch.zeros(coefficients, cells))
        self.register_buffer("scale", torch.ones(coefficients))
        self.register_buffer("length_statistics", torch.tensor([15.0, 1.0]))
        conditions = 0 if axis is None else FEATURES
        self.encoder = ResidualMLP(coefficients + 1 + conditions, 2 * self.inferred_dims, width=width, depth=depth, dropout=dropout)
        self.decoder = ResidualMLP(self.inferred_dims + conditions, coefficients + 1, width=width, depth=depth, dropout=dropout)
        self.length_path = nn.Linear(dims, 1)

    def set_codec(self, mean: Tensor, basis: Tensor, scale: Tensor, length_statistics: Tensor) -> None:
        """Takes the closed-form codec: `(cells,)`, `(coefficients, cells)`, `(coefficients,)`, `(2,)`."""
        self.mean.copy_(mean)
        self.basis.copy_(basis)
        self.scale.copy_(scale)
        self.length_statistics.copy_(length_statistics)

    def compress(self, features: Tensor) -> Tensor:
        """What is learned from: `(batch, cells) -> (batch, coefficients, and what a subclass adds)`."""
        return (features - self.mean) @ self.basis.T

    def standard_lengths(self, lengths: Tensor) -> Tensor:
        """Lengths in samples `(batch,)` as standardised log2 `(batch, 1)`."""
        return ((torch.log2(lengths.to(self.mean)) - self.length_statistics[0]) / self.length_statistics[1])[:, None]

    def lengths_of(self, standard: Tensor, asked: Tensor | None, *, most: int) -> Tensor:
        """Lengths in samples `(batch,)`, 1 to `most`: those asked for, or what the latents tell, standardised `(batch, 1)`."""
        log_length = (standard[:, 0] * self.length_statistics[1] + self.length_statistics[0]).clamp(0.0, math.log2(most))
        return (torch.exp2(log_length).round().to(torch.int64) if asked is None else asked).clamp(1, most)

    def standard_pitches(self, conditions: Tensor | None, like: Tensor) -> Tensor:
        """Returns pitches `(batch, 1)` as a latent holds them, `(batch, 0)` without notes. conditions: MIDI numbers `(batch, 1)`."""
        if self.axis is None:
            return like.new_zeros(len(like), 0)
        return self.axis.standard(unknown(like) if conditions is None else conditions[:, 0].to(like))

    def posterior(self, batch: Batch) -> Posterior:
        """Coefficients `(batch, coefficients, …)`, lengths, pitches -> Posterior `(batch, dims)`; a pitch is certain: log variance -inf."""
        coefficients, length = batch.values[:, : self.coefficients], self.standard_lengths(batch.lengths)
        pitch = self.standard_pitches(batch.conditions, length)
        # Weak coefficients are not blown up to full size: most of what they hold is noise.
        standard = coefficients / (self.scale + 0.05 * self.scale[0])
        known = [] if self.axis is None else [pitch_features(pitch)]
        change, log_variance = self.encoder(torch.cat([standard, length, *known], 1)).chunk(2, 1)
        linear = coefficients[:, : self.inferred_dims] / self.scale[: self.inferred_dims]
        log_variance = (log_variance - 3.0).clamp(-14.0, 4.0)
        return Posterior(torch.cat([linear + change, pitch], 1), torch.cat([log_variance, torch.full_like(pitch, -torch.inf)], 1))

    def reconstruct(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """`(batch, dims)` -> coefficients `(batch, coefficients)`, standardised lengths `(batch, 1)`."""
        timbre, pitch = z[:, : self.inferred_dims], z[:, self.inferred_dims :]
        inputs = timbre if self.axis is None else torch.cat([timbre, pitch_features(pitch)], 1)
        change, length = self.decoder(inputs).split([self.coefficients, 1], 1)
        linear = nn.functional.pad(timbre * self.scale[: self.inferred_dims], (0, self.coefficients - self.inferred_dims))
        return linear + change * self.scale.square().mean().sqrt(), length + self.length_path(z)

    def encode(self, features: Tensor, lengths: Tensor, conditions: Tensor | None = None) -> Posterior:
        """`(batch, parts, bands, frames)` and true lengths in samples `(batch,)` -> Posterior `(batch, dims)`.

        conditions: MIDI numbers `(batch, 1)` for a model with notes; the middle of its range where unknown (None, NaN).
        """
        return self.posterior(Batch(self.compress(self.prepare_features(features, conditions)), lengths, conditions))

    def infer(self, features: Tensor, lengths: Tensor, audio: Tensor, sample_rate: int) -> Tensor:
        """Returns the latent `(1, dims)` of a given sound, refined. Of several possible pitches the one with the least objective counts."""
        if not isinstance(self.conditioning, PitchConditioning):
            return super().infer(features, lengths, audio, sample_rate)
        best, least = torch.empty(0), math.inf
        # One by one: the latent of a sound must not depend on how many pitches are tried.
        for pitch in self.conditioning.candidates(audio, sample_rate):
            z = self.refine(features, lengths, self.encode(features, lengths, torch.tensor([[pitch]])).mean)
            objective = float(self.objective(features, lengths, z))
            if objective < least * _CLEARLY:
                best, least = z, objective
        return best

    def fit_codec(self, batches: Callable[[], Iterator[Tensor]], *, rows: int, lengths: Tensor, seed: int) -> dict[str, Tensor]:
        """Returns the principal components of all prepared features, and mean and deviation of log2 lengths; see `Model.fit_codec`."""
        mean, basis, scale = principal_components(batches, rows=rows, count=self.coefficients, seed=seed)
        log_lengths = torch.log2(lengths.float())
        statistics = torch.stack([log_lengths.mean(), log_lengths.std(correction=0).clamp_min(0.05)])
        basis = basis.half().float()  # as the instrument file keeps it
        # Directions that hardly vary get a small deviation: whitening must not divide by zero.
        scale = scale.clamp_min(float(scale[0].clamp_min(1e-3)) * 1e-3)
        return {"mean": mean, "basis": basis, "scale": scale, "lengths": statistics}

    def load_codec(self, state: Mapping[str, Tensor]) -> None:
        """Sets the codec of `fit_codec`."""
        self.set_codec(state["mean"], state["basis"], state["scale"], state["lengths"])

    def linear_part(self) -> LinearCodecVAE:
        """Returns a copy whose networks give zero: principal components, as many as latent dimensions."""
        model = copy.deepcopy(self)
        for network in (model.encoder, model.decoder):
            nn.init.zeros_(network.last.weight)
            nn.init.zeros_(network.last.bias)
        return model

    @abstractmethod
    def loss(self, coefficients: Tensor, batch: Batch) -> Tensor:
        """Of coefficients found `(batch, coefficients)` against those of a batch: a scalar."""

    @abstractmethod
    def errors(self, coefficients: Tensor, batch: Batch) -> Tensor:
        """The same for people: `(batch,)` in `unit`."""

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """reconstruction as `loss` has it, kl `(dims,)` in nats, length in standard deviations squared; see `Model`."""
        posterior = self.posterior(batch)
        coefficients, lengths = self.reconstruct(sample(posterior))
        return {
            "reconstruction": self.loss(coefficients, batch),
            "kl": kl_to_normal(posterior).mean(0),
            "length": (lengths - self.standard_lengths(batch.lengths)).square().mean(),
        }

    def evaluate(self, batch: Batch) -> Evaluation:
        """Errors as `errors` has them, of the posterior's means."""
        posterior = self.posterior(batch)
        found, _ = self.reconstruct(posterior.mean)
        return Evaluation(self.errors(found, batch), kl_to_normal(posterior).mean(0))

    def refine(self, features: Tensor, lengths: Tensor, z: Tensor) -> Tensor:
        """Descends from `z (batch, dims)` to the latent whose features are nearest within the true lengths `(batch,)`: `(batch, dims)`.

        The encoder must guess for sounds that it never heard; the decoder tells how good the guess was. Adam with a falling rate; each
        sound on its own. A pitch stays as it is.
        """
        misfit = self._objective(features, lengths, z)
        found = z.detach().clone().requires_grad_()
        first, second, count = torch.zeros_like(z), torch.zeros_like(z), torch.zeros(())  # what Adam keeps
        with torch.enable_grad():
            for step in range(self.refinement_steps):
                rate = _SEARCH_RATE * (1 - step / self.refinement_steps)
                (slope,) = torch.autograd.grad(misfit(found).sum(), [found])
                slope[:, self.inferred_dims :] = 0.0
                with torch.no_grad():
                    adam([found], [slope], [first], [second], [], [count], lr=rate, **_ADAM)
        return found.detach()

    def objective(self, features: Tensor, lengths: Tensor, z: Tensor) -> Tensor:
        """What `search` makes small, `(batch,)`: of sounds and latents `(batch, dims)`."""
        with torch.no_grad():
            return self._objective(features, lengths, z)(z)

    @abstractmethod
    def _objective(self, features: Tensor, lengths: Tensor, z: Tensor) -> Callable[[Tensor], Tensor]:
        """Latents `(batch, dims)` -> their misfit `(batch,)`; all have the pitches of `z`."""


def unknown(like: Tensor) -> Tensor:
    """Pitches that nobody knows, one a row of `like`: `(batch,)` of NaN."""
    return torch.full((len(like),), torch.nan, device=like.device)

"""The base of models with a codec in closed form: principal components of whole sounds, and a small residual VAE over them."""

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
from timbrespace.model.conditioning.velocity import VelocityConditioning, VelocityRange
from timbrespace.model.parts.layers import ResidualMLP
from timbrespace.model.parts.pitch import FEATURES, NoteRange, pitch_features
from timbrespace.model.parts.streamed_pca import principal_components
from timbrespace.representation.spec import FeatureSpec

_CLEARLY = 0.98  # of the objective so far: a less likely pitch counts only where it is clearly better
_RIDGE = 0.01  # of the rows, beside the variance of about 1 of a velocity's entry
_ROWS = 4_096  # in double precision at a time
_SEARCH_RATE = 0.1  # learning rate of the refinement; latents have a deviation of about 1
# The function, because a torch.optim.Adam imports torch's compiler, which takes more than a second.
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
    last entry of the latent is the pitch, which is known and not inferred, and an input of both networks. So is the velocity, the entry
    before it (or the last), in models that have it. The linear effect of the velocity on the coefficients, one for all sounds, is taken off
    before encoding and added in decoding, so that the other entries hold the sound and not how hard it was played.

    dims: latent size. coefficients: size of the linear codec. cells: values of an image. width, depth, dropout: of the MLPs.
    refinement_steps: of the search from the encoder's output to the nearest latent, for given sounds; training does not use it.
    axis: aligns images by pitch; None: sounds without pitch. fine_pitch: see `PitchConditioning`. velocities: None: sounds without
    velocity. A subclass writes `prepare_features`, `decode`, `loss`, `errors` and `_objective`.
    """

    mean: Tensor  # (cells,)
    basis: Tensor  # (coefficients, cells), orthonormal rows
    scale: Tensor  # (coefficients,), standard deviation of each coefficient
    length_statistics: Tensor  # (2,), mean and standard deviation of log2 length
    velocity_effect: Tensor  # (coefficients,), change of the coefficients with one unit of the velocity's entry
    axis: NoteRange | None

    def __init__(
        self, spec: FeatureSpec, *, dims: int, coefficients: int, cells: int, width: int, depth: int, dropout: float, refinement_steps: int,
        axis: NoteRange | None, fine_pitch: bool = False, velocities: VelocityRange | None = None,
    ):  # fmt: skip
        super().__init__(spec)
        if dims > coefficients:
            raise ConfigError(
                f"dims is {dims}, and the linear codec has only {coefficients} coefficients; lower dims or raise coefficients"
            )
        if coefficients > cells:
            raise ConfigError(f"coefficients is {coefficients}, the features have only {cells} cells; lower it")
        self.dims, self.coefficients, self.refinement_steps = dims, coefficients, refinement_steps
        self.pitch = None if axis is None else PitchConditioning(axis, fine=fine_pitch)
        if velocities is not None:
            self.conditioning = VelocityConditioning(velocities, self.pitch)
        elif self.pitch is not None:
            self.conditioning = self.pitch
        if self.inferred_dims < 1:
            if velocities is None:
                raise ConfigError("dims is 1 and its one number would be the pitch; raise dims, or set notes to null")
            known = " and ".join(self.conditioning.names)
            raise ConfigError(f"dims is {dims} and {known} would take all of it; raise dims, or set model.velocity to null")
        self.axis, self.velocities = axis, velocities
        self.register_buffer("mean", torch.zeros(cells))
        self.register_buffer("basis", torch.zeros(coefficients, cells))
        self.register_buffer("scale", torch.ones(coefficients))
        self.register_buffer("length_statistics", torch.tensor([15.0, 1.0]))
        if velocities is not None:
            self.register_buffer("velocity_effect", torch.zeros(coefficients))
        conditions = (0 if axis is None else FEATURES) + (velocities is not None)
        self.encoder = ResidualMLP(coefficients + 1 + conditions, 2 * self.inferred_dims, width=width, depth=depth, dropout=dropout)
        self.decoder = ResidualMLP(self.inferred_dims + conditions, coefficients + 1, width=width, depth=depth, dropout=dropout)
        self.length_path = nn.Linear(dims, 1)

    def set_codec(self, mean: Tensor, basis: Tensor, scale: Tensor, length_statistics: Tensor) -> None:
        """Sets the codec: mean `(cells,)`, basis `(coefficients, cells)`, scale `(coefficients,)`, length statistics `(2,)`."""
        self.mean.copy_(mean)
        self.basis.copy_(basis)
        self.scale.copy_(scale)
        self.length_statistics.copy_(length_statistics)

    def compress(self, features: Tensor) -> Tensor:
        """Returns coefficients, `(batch, cells) -> (batch, coefficients)`; a subclass may append columns."""
        return (features - self.mean) @ self.basis.T

    def standard_lengths(self, lengths: Tensor) -> Tensor:
        """Returns lengths in samples `(batch,)` as standardised log2 `(batch, 1)`."""
        return ((torch.log2(lengths.to(self.mean)) - self.length_statistics[0]) / self.length_statistics[1])[:, None]

    def lengths_of(self, standard: Tensor, asked: Tensor | None, *, most: int) -> Tensor:
        """Returns lengths in samples `(batch,)`, 1 to `most`: those `asked` for, else decoded ones, standardised `(batch, 1)`."""
        log_length = self._log2(standard).clamp(0.0, math.log2(most))
        return (torch.exp2(log_length).round().to(torch.int64) if asked is None else asked).clamp(1, most)

    def _log2(self, standard: Tensor) -> Tensor:
        """log2 of lengths in samples `(batch,)` of standardised ones `(batch, 1)`."""
        return standard[:, 0] * self.length_statistics[1] + self.length_statistics[0]

    def log_lengths(self, z: Tensor) -> Tensor:
        """Returns log2 of the decoded lengths in samples `(batch,)` of latents `(batch, dims)`, unrounded, differentiable."""
        return self._log2(self.reconstruct(z)[1])

    def standard_pitches(self, conditions: Tensor | None, like: Tensor) -> Tensor:
        """Returns pitches `(batch, 1)` as a latent holds them, `(batch, 0)` without notes. conditions: the last are MIDI numbers."""
        if self.axis is None:
            return like.new_zeros(len(like), 0)
        return self.axis.standard(unknown(like) if conditions is None else conditions[:, -1].to(like))

    def standard_velocities(self, conditions: Tensor | None, like: Tensor) -> Tensor:
        """Returns velocities `(batch, 1)` as a latent holds them, `(batch, 0)` without velocity. conditions: the first are velocities."""
        if self.velocities is None:
            return like.new_zeros(len(like), 0)
        return self.velocities.standard(unknown(like) if conditions is None else conditions[:, 0].to(like))

    def known_inputs(self, known: Tensor) -> list[Tensor]:
        """Returns the inputs of networks for the known entries `(batch, conditions)` of latents."""
        inputs = [] if self.axis is None else [pitch_features(known[:, -1:])]
        return inputs if self.velocities is None else [*inputs, self.velocities.held(known[:, :1])]

    def _velocity_change(self, known: Tensor) -> Tensor:
        """Returns the linear effect `(batch, coefficients)` of the velocity among known entries `(batch, conditions)`."""
        assert self.velocities is not None
        return self.velocities.held(known[:, :1]) * self.velocity_effect

    def posterior(self, batch: Batch) -> Posterior:
        """Returns the Posterior `(batch, dims)` of a batch of coefficients; known values have a log variance of -inf."""
        coefficients, length = batch.values[:, : self.coefficients], self.standard_lengths(batch.lengths)
        known = torch.cat([self.standard_velocities(batch.conditions, length), self.standard_pitches(batch.conditions, length)], 1)
        if self.velocities is not None:
            coefficients = coefficients - self._velocity_change(known)
        # Weak coefficients are not scaled to a deviation of 1: they are mostly noise.
        standard = coefficients / (self.scale + 0.05 * self.scale[0])
        change, log_variance = self.encoder(torch.cat([standard, length, *self.known_inputs(known)], 1)).chunk(2, 1)
        linear = coefficients[:, : self.inferred_dims] / self.scale[: self.inferred_dims]
        log_variance = (log_variance - 3.0).clamp(-14.0, 4.0)
        return Posterior(torch.cat([linear + change, known], 1), torch.cat([log_variance, torch.full_like(known, -torch.inf)], 1))

    def reconstruct(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Returns coefficients `(batch, coefficients)` and standardised lengths `(batch, 1)` of latents `(batch, dims)`."""
        timbre, known = z[:, : self.inferred_dims], z[:, self.inferred_dims :]
        change, length = self.decoder(torch.cat([timbre, *self.known_inputs(known)], 1)).split([self.coefficients, 1], 1)
        linear = nn.functional.pad(timbre * self.scale[: self.inferred_dims], (0, self.coefficients - self.inferred_dims))
        if self.velocities is not None:
            linear = linear + self._velocity_change(known)
        return linear + change * self.scale.square().mean().sqrt(), length + self.length_path(z)

    def encode(self, features: Tensor, lengths: Tensor, conditions: Tensor | None = None) -> Posterior:
        """Returns the Posterior `(batch, dims)` of features `(batch, parts, bands, frames)` of true lengths `(batch,)` in samples.

        conditions: `(batch, names)`, velocity and MIDI number as far as the model has them; the middle of the range where unknown (None,
        NaN).
        """
        return self.posterior(Batch(self.compress(self.prepare_features(features, conditions)), lengths, conditions))

    def infer(
        self, features: Tensor, lengths: Tensor, audio: Tensor, sample_rate: int, *, search: bool = True, known: Tensor | None = None
    ) -> Tensor:  # fmt: skip
        """Returns the latent `(1, dims)` of a given sound, see `Model.infer`: that of the possible pitch with the least objective."""
        if self.pitch is None:
            return super().infer(features, lengths, audio, sample_rate, search=search, known=known)
        best, least = torch.empty(0), math.inf
        # One by one: the latent of a sound must not depend on how many pitches are tried.
        for pitch in self.pitch.candidates(audio, sample_rate):
            conditions = torch.tensor([[*[math.nan] * (self.conditioning.size - 1), pitch]])
            conditions = conditions if known is None else torch.where(known.isfinite(), known, conditions)
            z = self.encode(features, lengths, conditions).mean
            z = self.refine(features, lengths, z) if search else z
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

    def fit_conditions(self, values: Tensor, conditions: Tensor | None, kinds: Tensor) -> None:
        """Sets the linear effect of the velocity, by least squares of velocity and pitch within each kind; see `Model.fit_conditions`."""
        if self.velocities is None or conditions is None:
            return
        velocity = self.standard_velocities(conditions, values).double()
        known = torch.cat([velocity, self.standard_pitches(conditions, values).double()], 1)
        rows = conditions[:, 0].isfinite().double()[:, None]
        counts = torch.zeros(int(kinds.max()) + 1, 1, dtype=torch.float64).index_add_(0, kinds, rows).clamp_min(1)
        means = torch.zeros(len(counts), known.shape[1], dtype=torch.float64).index_add_(0, kinds, known * rows) / counts
        centred = (known - means[kinds]) * rows  # within kinds: one that is only loud must not make loud sounds like it
        square = centred.T @ centred + _RIDGE * rows.sum() * torch.eye(known.shape[1], dtype=torch.float64)
        products = torch.zeros(known.shape[1], self.coefficients, dtype=torch.float64)
        for some, part in zip(centred.split(_ROWS), values.split(_ROWS), strict=True):
            products += some.T @ part[:, : self.coefficients].double()
        self.velocity_effect.copy_(torch.linalg.solve(square, products)[0])

    def linear_part(self) -> LinearCodecVAE:
        """Returns a copy whose networks give zero: principal components, as many as latent dimensions."""
        model = copy.deepcopy(self)
        for network in (model.encoder, model.decoder):
            nn.init.zeros_(network.last.weight)
            nn.init.zeros_(network.last.bias)
        return model

    @abstractmethod
    def loss(self, coefficients: Tensor, batch: Batch) -> Tensor:
        """Returns the reconstruction loss, a scalar, of decoded coefficients `(batch, coefficients)` against a batch."""

    @abstractmethod
    def errors(self, coefficients: Tensor, batch: Batch) -> Tensor:
        """Returns errors `(batch,)` in `unit` of decoded coefficients `(batch, coefficients)` against a batch."""

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Returns the losses: "reconstruction" of `loss`, "kl" `(dims,)` in nats, "length" in squared standard deviations."""
        posterior = self.posterior(batch)
        coefficients, lengths = self.reconstruct(sample(posterior))
        return {
            "reconstruction": self.loss(coefficients, batch),
            "kl": kl_to_normal(posterior).mean(0),
            "length": (lengths - self.standard_lengths(batch.lengths)).square().mean(),
        }

    def evaluate(self, batch: Batch) -> Evaluation:
        """Returns errors and KL of the posterior means."""
        posterior = self.posterior(batch)
        coefficients, _ = self.reconstruct(posterior.mean)
        return Evaluation(self.errors(coefficients, batch), kl_to_normal(posterior).mean(0))

    def refine(self, features: Tensor, lengths: Tensor, z: Tensor) -> Tensor:
        """Returns latents `(batch, dims)` near `z` that decode nearest to the features, within the true lengths `(batch,)` in samples.

        The encoder's output is less accurate for sounds outside the training set; gradients of the decoder's error improve it. Adam with a
        falling rate, each sound by itself; a pitch is not changed.
        """
        objective = self._objective(features, lengths, z)
        refined = z.detach().clone().requires_grad_()
        first, second, count = torch.zeros_like(z), torch.zeros_like(z), torch.zeros(())  # Adam's state
        with torch.enable_grad():
            for step in range(self.refinement_steps):
                rate = _SEARCH_RATE * (1 - step / self.refinement_steps)
                (slope,) = torch.autograd.grad(objective(refined).sum(), [refined])
                slope[:, self.inferred_dims :] = 0.0
                with torch.no_grad():
                    adam([refined], [slope], [first], [second], [], [count], lr=rate, **_ADAM)
        return refined.detach()

    def objective(self, features: Tensor, lengths: Tensor, z: Tensor) -> Tensor:
        """Returns the objective of `refine`, `(batch,)`, for latents `(batch, dims)`."""
        with torch.no_grad():
            return self._objective(features, lengths, z)(z)

    @abstractmethod
    def _objective(self, features: Tensor, lengths: Tensor, z: Tensor) -> Callable[[Tensor], Tensor]:
        """Returns a function from latents `(batch, dims)` with the pitches of `z` to objectives `(batch,)`."""


def unknown(like: Tensor) -> Tensor:
    """Returns unknown pitches, `(batch,)` of NaN, one a row of `like`."""
    return torch.full((len(like),), torch.nan, device=like.device)

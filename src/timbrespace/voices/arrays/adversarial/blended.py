"""`voices-blended-vae`, `voices-blended-gan`: models of the mixed pairs of a trained CycleGAN, given a piece and weights (source D)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from timbrespace.contracts import ConfigError
from timbrespace.voices.arrays.adversarial.blending import Pairs
from timbrespace.voices.arrays.adversarial.cyclegan import ARRAY_STRIDES, CycleGAN, Weight, check_two
from timbrespace.voices.arrays.adversarial.networks import Changer, Critic, Norm, Widths, frozen, least_squares
from timbrespace.voices.arrays.conv_vae import Beta
from timbrespace.voices.arrays.design import Design, Schedule, noise_like
from timbrespace.voices.arrays.layers import Channels, Decoder, Encoder, Latents, Scale, divergence

CYCLEGAN, BLENDED = "cyclegan", "blended"  # the stages
Share = Annotated[float, Field(gt=0, lt=1)]
Stock = Annotated[int, Field(ge=1, le=100_000)]
File = Annotated[str, Field(max_length=4_096)]


class Blended(Design):
    """The base: a CycleGAN is trained first, in `share` of the time, or taken from a file; then what mixes of its pairs sound like.

    The file of such a design holds no CycleGAN. A subclass writes `pair_losses` and `blend`, and adds to `loss_weights`.

    share: of the time or steps for the CycleGAN. cyclegan: a file of `voices-cyclegan` or `voices-cyclegan-image`, which is used instead.
    cyclegan_widths: channels of the one that is trained. pairs: of each instrument, see `Pairs`.
    """

    def __init__(self, names: tuple[str, ...], *, share: float, cyclegan: str, pairs: int, cyclegan_widths: tuple[int, ...]):
        super().__init__(names)
        check_two(names, "a model of blended pairs")
        self.given, self.stock, self.widths = {"cyclegan": cyclegan} if cyclegan else {}, pairs, cyclegan_widths
        self.stages = {BLENDED: 1.0} if cyclegan else {CYCLEGAN: share, BLENDED: 1 - share}
        self.pair_weights: dict[str, float] = {}
        self._seed = int(torch.randint(1 << 31, (), device="cpu"))
        self._pairs: Pairs | None = None

    def take(self, setting: str, other: Design) -> None:
        """Takes a trained CycleGAN in place of training one. Raises ConfigError for another design, or one of other instruments."""
        if not isinstance(other, CycleGAN):
            raise ConfigError(f"{setting} is no CycleGAN; give a file of the preset voices-cyclegan or voices-cyclegan-image")
        if sorted(other.names) != sorted(self.names):
            raise ConfigError(f"{setting} translates between {' and '.join(other.names)}, the recordings are of {' and '.join(self.names)}")
        self.translator = other

    def begin(self, stage: str) -> None:
        """Starts a stage: makes the CycleGAN, or freezes it and starts the stock of pairs."""
        super().begin(stage)
        device = next(self.parameters()).device
        if stage == CYCLEGAN:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self._seed)
                self.translator = CycleGAN(self.names, widths=self.widths, critic=self.widths).to(device)
            self.loss_weights, self.critic_weights = self.translator.loss_weights, self.translator.critic_weights
            return
        self.translator.to(device).eval().requires_grad_(False)
        self.loss_weights, self.critic_weights = self.pair_weights, {"critic": 1.0}
        self._pairs = Pairs(self.translator, size=self.stock)

    def losses(self, batch: Mapping[str, Tensor], *, generator: torch.Generator) -> dict[str, Tensor]:
        """Returns the losses of the stage; those of the second are of pairs from the stock, to which the batch may add."""
        if self._pairs is None:
            return self.translator.losses(batch, generator=generator)
        self._pairs.add({name: batch[name] for name in self.names}, generator)
        return self.pair_losses(*self._pairs.draw(len(batch[self.names[0]]), generator), generator=generator)

    def critic_losses(self, batch: Mapping[str, Tensor], *, generator: torch.Generator) -> dict[str, Tensor]:
        """Returns the losses of the CycleGAN's critics in the first stage, then those of the model's own critic, if it has one."""
        return self.translator.critic_losses(batch, generator=generator) if self._pairs is None else self.own_critic_losses()

    def critic_parameters(self) -> list[nn.Parameter]:
        """Returns the parameters of the critics of the stage."""
        return self.translator.critic_parameters() if self.stage == CYCLEGAN else self.own_critic_parameters()

    def trained_parameters(self) -> list[nn.Parameter]:
        """Returns the parameters that `losses` train in the stage: of the CycleGAN, or of the model."""
        if self.stage == CYCLEGAN:
            return self.translator.trained_parameters()
        others = {id(one) for one in (*self.translator.parameters(), *self.own_critic_parameters())}
        return [one for one in self.parameters() if id(one) not in others]

    def measure(self, pieces: Mapping[str, Iterable[Tensor]]) -> None:
        """Leaves the CycleGAN and its pairs out of the trained design."""
        del self.translator
        self._pairs = None

    def pair_losses(self, pieces: Tensor, weights: Tensor, targets: Tensor, *, generator: torch.Generator) -> dict[str, Tensor]:
        """Returns losses by name. pieces, targets: `(batch, BINS, FRAMES)`. weights: of the instruments `(batch, 2)`."""
        raise NotImplementedError

    def own_critic_losses(self) -> dict[str, Tensor]:
        """Returns the losses of the model's critic, of the pairs of the last `pair_losses`; {} without a critic."""
        return {}

    def own_critic_parameters(self) -> list[nn.Parameter]:
        """Returns the parameters of the model's critic."""
        return []


class BlendedVAE(Blended):
    """A VAE whose encoder sees the piece and the weight of the second instrument, and whose decoder gives the mix.

    latents, channels, kl: see `ConvVAE`. The rest: see `Blended`.
    """

    schedule = Schedule(steps=2_000, batch=1, learning_rate=1e-3)

    def __init__(
        self, names: tuple[str, ...], *, latents: Latents = 128, channels: Channels = (8, 16, 32, 64, 64), kl: Beta = 1e-5,
        share: Share = 0.6, cyclegan: File = "", pairs: Stock = 32, cyclegan_widths: Widths = (16, 32, 48),
    ):  # fmt: skip
        super().__init__(names, share=share, cyclegan=cyclegan, pairs=pairs, cyclegan_widths=cyclegan_widths)
        self.pair_weights = {"reconstruction": 1.0, "kl": kl}
        self.scale = Scale()
        self.encoder, self.decoder = Encoder(channels, latents, planes=2), Decoder(channels, latents)

    def prepare(self, pieces: Mapping[str, Iterable[Tensor]]) -> None:
        """Measures mean and deviation of each bin."""
        self.scale.fit(pieces)

    def pair_losses(self, pieces: Tensor, weights: Tensor, targets: Tensor, *, generator: torch.Generator) -> dict[str, Tensor]:
        """Returns mean squared error of the mix and divergence, see `Blended.pair_losses`."""
        mean, log_variance = self._encode(pieces, weights)
        z = mean + noise_like(mean, generator) * (log_variance / 2).exp()
        error = (self.scale.absolute(self.decoder(z)) - targets).square().mean()
        return {"reconstruction": error, "kl": divergence(mean, log_variance).mean() / mean.shape[1]}

    def translate(self, values: Tensor, source: str, weights: Tensor) -> Tensor:
        """See `Design.translate`."""
        return self.scale.absolute(self.decoder(self._encode(values, weights)[0]))

    def _encode(self, values: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance, `(batch, latents)` each, of `(batch, BINS, FRAMES)` and `(batch, 2)`."""
        planes = torch.stack([self.scale.relative(values), weights[:, 1, None, None].expand_as(values)], 1)
        return self.encoder(planes)


class BlendedGAN(Blended):
    """A generator that sees the piece and the weight of the second instrument, and a critic that sees these and a mix (Mirza and Osindero).

    widths, critic, norm: of generator and critic, see `CycleGAN`. absolute: weight of the mean absolute error beside the adversarial loss,
    as in Isola et al. 2017; 0: a plain GAN, which kept the piece as it was after 320 steps, whatever the weight. The rest: see `Blended`.
    """

    schedule = Schedule(steps=2_000, batch=1, learning_rate=1e-3)

    def __init__(
        self, names: tuple[str, ...], *, widths: Widths = (16, 32, 48), critic: Widths = (16, 32, 48), norm: Norm = "none",
        absolute: Weight = 20.0, share: Share = 0.6, cyclegan: File = "", pairs: Stock = 32, cyclegan_widths: Widths = (16, 32, 48),
    ):  # fmt: skip
        super().__init__(names, share=share, cyclegan=cyclegan, pairs=pairs, cyclegan_widths=cyclegan_widths)
        self.pair_weights = {"adversarial": 1.0, "absolute": absolute}
        self.changer = Changer(1, widths, ARRAY_STRIDES[: len(widths)], conditions=1)
        self.critic = Critic(2, critic, ARRAY_STRIDES[: len(critic)], norm=norm, conditions=1)
        self._last: tuple[Tensor, Tensor, Tensor, Tensor] | None = None

    def pair_losses(self, pieces: Tensor, weights: Tensor, targets: Tensor, *, generator: torch.Generator) -> dict[str, Tensor]:
        """Returns the adversarial loss and the mean absolute error of the mix, see `Blended.pair_losses`."""
        made = self.translate(pieces, self.names[0], weights)
        self._last = pieces, weights, targets, made.detach()
        with frozen(self.critic):
            scores = self.critic(torch.stack([pieces, made], 1), weights[:, 1:])
        return {"adversarial": least_squares(scores, 1.0), "absolute": (made - targets).abs().mean()}

    def own_critic_losses(self) -> dict[str, Tensor]:
        """Returns the mean squared error of the critic, of mixes and of what the generator made of the same pieces and weights."""
        assert self._last is not None
        pieces, weights, targets, made = self._last
        images = torch.cat([torch.stack([pieces, targets], 1), torch.stack([pieces, made], 1)])
        scores, of_made = self.critic(images, weights[:, 1:].repeat(2, 1)).chunk(2)
        return {"critic": 0.5 * (least_squares(scores, 1.0) + least_squares(of_made, 0.0))}

    def own_critic_parameters(self) -> list[nn.Parameter]:
        """Returns the parameters of the critic."""
        return list(self.critic.parameters())

    def translate(self, values: Tensor, source: str, weights: Tensor) -> Tensor:
        """See `Design.translate`."""
        return self.changer(values[:, None], weights[:, 1:])[:, 0]

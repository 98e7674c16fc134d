"""`voices-cyclegan`: two networks that translate spectrograms between two instruments, each undoing the other (source D)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from timbrespace.contracts import ConfigError
from timbrespace.voices.arrays.adversarial.networks import Changer, Critic, History, Norm, Widths, frozen, least_squares
from timbrespace.voices.arrays.design import Design, Schedule

ARRAY_STRIDES = ((4, 2), (4, 2), (4, 2), (2, 2))  # of the levels of a network on arrays, down and across
Kept = Annotated[int, Field(ge=0, le=10_000)]
Weight = Annotated[float, Field(ge=0, le=1_000)]


class CycleGAN(Design):
    """Zhu et al. 2017, with two instruments a and b: G makes b of a, F makes a of b, and a critic of each judges the results.

        adversarial    the critic of b takes G(a) for a recording of b (least squares), and so on
        cycle          F(G(a)) is a
        identity       G(b) is b: sounds of b stay as they are

    A voice between the two is the mean of both arrays by weight, which is one of levels in dB: the own array at weight 1 of its own
    instrument, the translated one at weight 1 of the other; beyond, the difference is prolonged.

    Errors of cycle and identity are squared: networks that start as the identity do not leave it against absolute errors, whose slope
    does not vanish there.

    widths: channels of the levels of both networks. critic: of the critics. norm: of the critics. cycle, identity: weights beside the
    adversarial loss. history: earlier arrays that are kept for the critics.
    """

    schedule = Schedule(steps=2_000, batch=1, learning_rate=1e-3)

    def __init__(
        self, names: tuple[str, ...], *, widths: Widths = (16, 32, 48), critic: Widths = (16, 32, 48), norm: Norm = "none",
        cycle: Weight = 50.0, identity: Weight = 25.0, history: Kept = 0,
    ):  # fmt: skip
        super().__init__(names)
        check_two(names, "voices-cyclegan")
        self.loss_weights = {"adversarial": 1.0, "cycle": cycle, "identity": identity}
        self.critic_weights = {"critic": 1.0}
        self.changers = nn.ModuleList(self.make_changer(widths) for _ in names)  # into the instrument of that number
        self.critics = nn.ModuleList(self.make_critic(critic, norm) for _ in names)
        self._histories = [History(history) for _ in names]
        self._made: list[Tensor] | None = None  # by the last step

    def make_changer(self, widths: tuple[int, ...]) -> Changer:
        """Returns a network that changes images."""
        return Changer(1, widths, ARRAY_STRIDES[: len(widths)])

    def make_critic(self, widths: tuple[int, ...], norm: str) -> Critic:
        """Returns a critic of images."""
        return Critic(1, widths, ARRAY_STRIDES[: len(widths)], norm=norm)

    def images(self, values: Tensor) -> Tensor:
        """Returns what the networks see, `(batch, parts, rows, columns)`, of arrays `(batch, BINS, FRAMES)`."""
        return values[:, None]

    def arrays(self, images: Tensor) -> Tensor:
        """Returns arrays `(batch, BINS, FRAMES)` of what the networks give, `(batch, parts, rows, columns)`."""
        return images[:, 0]

    def losses(self, batch: Mapping[str, Tensor], *, generator: torch.Generator) -> dict[str, Tensor]:
        """Returns the adversarial loss, and mean squared errors of the cycle and the identity, each the sum of both directions."""
        real = [self.images(batch[name]) for name in self.names]
        made, losses = [], dict.fromkeys(self.loss_weights, real[0].new_zeros(()))
        for into, own in ((1, 0), (0, 1)):
            found = self.changers[into](torch.cat([real[own], real[into]]))
            made_one, same = found.chunk(2)
            with frozen(self.critics[into]):
                losses["adversarial"] = losses["adversarial"] + least_squares(self.critics[into](made_one), 1.0)
            losses["cycle"] = losses["cycle"] + (self.changers[own](made_one) - real[own]).square().mean()
            losses["identity"] = losses["identity"] + (same - real[into]).square().mean()
            made.append(made_one.detach())
        self._made = made[::-1]
        return losses

    def critic_losses(self, batch: Mapping[str, Tensor], *, generator: torch.Generator) -> dict[str, Tensor]:
        """Returns the mean squared errors of both critics, of recordings and of what the networks made in `losses` or before."""
        total = next(iter(batch.values())).new_zeros(())
        for number, name in enumerate(self.names):
            made = self._made[number] if self._made else self._make(batch, number)
            real, made = self.images(batch[name]), self._histories[number].swap(made, generator)
            scores, of_made = self.critics[number](torch.cat([real, made])).chunk(2)
            total = total + 0.5 * (least_squares(scores, 1.0) + least_squares(of_made, 0.0))
        self._made = None
        return {"critic": total}

    @torch.no_grad()
    def _make(self, batch: Mapping[str, Tensor], into: int) -> Tensor:
        return self.changers[into](self.images(batch[self.names[1 - into]]))

    def critic_parameters(self) -> list[nn.Parameter]:
        """Returns the parameters of both critics."""
        return list(self.critics.parameters())

    def translate(self, values: Tensor, source: str, weights: Tensor) -> Tensor:
        """See `Design.translate`; weights blend the own array and the translated one."""
        images = self.images(values)
        into = 1 - self.names.index(source)
        own, translated = self.arrays(images), self.arrays(self.changers[into](images))
        return own + weights[:, into, None, None] * (translated - own)


def check_two(names: tuple[str, ...], preset: str) -> None:
    """Raises ConfigError unless there are exactly two instruments."""
    if len(names) != 2:
        raise ConfigError(
            f"{preset} translates between two instruments, {len(names)} are given; give two, or take voices-conv-vae, which has any number"
        )

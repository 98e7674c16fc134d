"""What an instrument stores for its named controls, and a control as a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from timbrespace.audio.describe import DESCRIPTORS, NAMES, Descriptor
from timbrespace.contracts import InstrumentFileError, Parameter

LEAST_REACH = 0.2  # spreads: a control that reaches less in both directions is not offered


@dataclass(frozen=True)
class Control(Parameter):
    """A named direction of the latent space: low, high, default are signed amounts in spreads of the corpus (+1: one standard deviation).

    A target in the descriptor's unit can be given instead, between `lowest` and `highest`, the range of the corpus. spread: the standard
    deviation of the descriptor over the corpus, on its scale (`descriptor.logarithmic`: in octaves).
    """

    descriptor: Descriptor = DESCRIPTORS["brightness"]
    lowest: float = 0.0
    highest: float = 0.0
    spread: float = 1.0

    @property
    def more(self) -> str:
        """The word for a positive amount."""
        return self.descriptor.more

    @property
    def less(self) -> str:
        """The word for a negative amount."""
        return self.descriptor.less


@dataclass(frozen=True)
class Controls:
    """Statistics of descriptors (D = len(DESCRIPTORS)) over a corpus, and how a latent space moves them. Tensors alone.

    spreads `(D,)`: standard deviations on the descriptors' scales; 0 of a descriptor that is not measured. lowest, highest `(D,)`: range of
    the corpus (1st and 99th percentile), on the scales. calibration `(2, D)`: factor and constant from decoded points to sounds.
    reach `(D, 2)`: how far a sound can typically be moved down and up, in spreads; 0 where it is not.
    slopes `(components, D, rank)`: change of every descriptor, in spreads, a unit of every coordinate (`Coordinates`), near each component
    of the density, or one for all. metric `(rank, rank)`: mean squared change in dB of decoded sounds.
    axes `(p, dims)`, centre `(dims,)`, scale `(p,)`, change `(p,)`: principal axes of the latents, most audible first, the mean, the
    standard deviations along the axes, and the change in dB of a decoded sound from one deviation under the mean to one above.
    """

    spreads: Tensor
    lowest: Tensor
    highest: Tensor
    calibration: Tensor
    reach: Tensor
    slopes: Tensor
    metric: Tensor
    axes: Tensor
    centre: Tensor
    scale: Tensor
    change: Tensor

    def tensors(self) -> dict[str, Tensor]:
        """Returns the tensors by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def load(cls, tensors: Mapping[str, Tensor], *, dims: int, components: int) -> Controls:
        """Returns the controls of a model of this latent size and density. Raises InstrumentFileError for other tensors or shapes."""
        names = [field.name for field in fields(cls)]
        if sorted(tensors) != sorted(names):
            raise InstrumentFileError(f"its controls hold {', '.join(sorted(tensors))}, {', '.join(names)} expected; the file is damaged")
        slopes, axes, size = tensors["slopes"], tensors["axes"], len(NAMES)
        if slopes.ndim != 3 or slopes.shape[0] not in (1, components) or not 1 <= slopes.shape[2] <= dims + 1:
            raise InstrumentFileError(f"controls.slopes is {tuple(slopes.shape)} for {components} components; the file is damaged")
        count, rank = len(axes), slopes.shape[2]
        shapes = {
            "spreads": (size,), "lowest": (size,), "highest": (size,), "calibration": (2, size), "reach": (size, 2),
            "slopes": (slopes.shape[0], size, rank), "metric": (rank, rank), "axes": (count, dims), "centre": (dims,), "scale": (count,),
            "change": (count,),
        }  # fmt: skip
        for name, shape in shapes.items():
            if tuple(tensors[name].shape) != shape:
                raise InstrumentFileError(f"controls.{name} is {tuple(tensors[name].shape)}, {shape} expected; the file is damaged")
        if bool((tensors["spreads"] < 0).any()) or bool((tensors["scale"] < 0).any()):
            raise InstrumentFileError("the spreads of its controls are negative; the file is damaged")
        return cls(**{name: tensors[name].float() for name in names})

    def offered(self) -> list[Control]:
        """Returns the controls that work for the instrument, in the order of DESCRIPTORS."""
        found = []
        for place, descriptor in enumerate(DESCRIPTORS.values()):
            down, up = self.reach[place].tolist()
            spread = float(self.spreads[place])
            if spread > 0 and max(-down, up) >= LEAST_REACH:
                low, high = (descriptor.from_scale(float(limit[place])) for limit in (self.lowest, self.highest))
                text = f"{descriptor.more} or {descriptor.less}: {descriptor.meaning}"
                reach = (descriptor.name, round(down, 1) + 0.0, round(up, 1) + 0.0, 0.0, descriptor.unit, text)
                found.append(Control(*reach, descriptor=descriptor, lowest=low, highest=high, spread=spread))
        return found

    def to_sound(self, values: Tensor) -> Tensor:
        """Returns descriptors of sounds `(…, D)` for those of decoded points, on the scales."""
        return values * self.calibration[0] + self.calibration[1]

    @property
    def unit(self) -> Tensor:
        """Spreads of decoded points `(D,)`: the change there for one spread of the sounds; 1 where it was not measured."""
        unit = self.spreads / self.calibration[0]
        return torch.where(unit > 0, unit, 1.0)

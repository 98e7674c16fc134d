"""The designs by the names of their presets, and their construction from settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import ValidationError

from timbrespace.contracts import ConfigError
from timbrespace.validation import arguments_schema, config_error
from timbrespace.voices.arrays.adversarial.blended import BlendedGAN, BlendedVAE
from timbrespace.voices.arrays.adversarial.cyclegan import CycleGAN
from timbrespace.voices.arrays.adversarial.pictures import PictureCycleGAN
from timbrespace.voices.arrays.conv_vae import ConvVAE
from timbrespace.voices.arrays.design import Design, Schedule
from timbrespace.voices.arrays.multi_encoder import MultiEncoder

DESIGNS: dict[str, type[Design]] = {
    "voices-conv-vae": ConvVAE,
    "voices-multi-encoder": MultiEncoder,
    "voices-cyclegan": CycleGAN,
    "voices-cyclegan-image": PictureCycleGAN,
    "voices-blended-vae": BlendedVAE,
    "voices-blended-gan": BlendedGAN,
}  # fmt: skip


def make_design(preset: str, names: tuple[str, ...], settings: Mapping[str, Any] | None = None, *, seed: int = 0) -> Design:
    """Returns a design with random weights. settings: arguments of its constructor. Raises ConfigError."""
    if preset not in DESIGNS:
        raise ConfigError(f"the design is {preset!r:.60}, allowed are {', '.join(DESIGNS)}")
    schema = arguments_schema(DESIGNS[preset].__init__)
    try:
        filled = schema(**(settings or {})).model_dump()
    except (ValidationError, TypeError) as error:
        raise config_error(error, "", schema) from None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        design = DESIGNS[preset](names, **filled)
    design.settings = filled
    return design


def split_settings(preset: str, settings: Mapping[str, Any]) -> tuple[dict[str, Any], Schedule]:
    """Returns the arguments of the design's constructor, and the schedule, among settings of both. Raises ConfigError."""
    own = {name: value for name, value in settings.items() if name not in Schedule.model_fields}
    schedule = DESIGNS[preset].schedule.model_dump() | {name: value for name, value in settings.items() if name not in own}
    known = [*arguments_schema(DESIGNS[preset].__init__).model_fields, *Schedule.model_fields]
    for name in own:
        if name not in known:
            raise ConfigError(f"{name!r:.60} is not a setting of {preset}; known are {', '.join(known)}")
    try:
        return own, Schedule(**schedule)
    except ValidationError as error:
        raise config_error(error, "", Schedule) from None

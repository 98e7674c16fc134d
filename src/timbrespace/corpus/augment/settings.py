"""Settings of augmentation: probabilities and ranges, the keys of `training.augmentation` in a preset."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

BANDS = 8  # of the equaliser, at most


class _Kind(BaseModel):
    """One kind of change; a plain number instead of it is its chance."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    chance: Annotated[float, Field(ge=0, le=1)] = 0.0  # probability that a variation has it

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        return {"chance": value} if isinstance(value, int | float) else value


class Pitch(_Kind):
    """Pitch and speed together, as in a sampler."""

    chance: Annotated[float, Field(ge=0, le=1)] = 0.8
    semitones: Annotated[float, Field(ge=0, le=12)] = 4.0  # at most, up or down


class Mix(_Kind):
    """Another clip of the corpus, added and shifted as by Pitch."""

    chance: Annotated[float, Field(ge=0, le=1)] = 0.4
    lowest: Annotated[float, Field(ge=-60, le=0)] = -18.0  # dB; from there to 0
    semitones: Annotated[float, Field(ge=0, le=12)] = 4.0


class Tilt(_Kind):
    """A brighter or darker spectrum, by a filter with one zero."""

    chance: Annotated[float, Field(ge=0, le=1)] = 0.5
    coefficient: Annotated[float, Field(ge=0, le=0.9)] = 0.6  # at most; 0.6: 12 dB between the lowest and highest frequencies


class Decay(_Kind):
    """An exponential envelope over the sound."""

    chance: Annotated[float, Field(ge=0, le=1)] = 0.5
    slowest: Annotated[float, Field(ge=-60, le=0)] = -26.0  # dB a second; below 0 the sound gets longer
    fastest: Annotated[float, Field(ge=0, le=240)] = 70.0


class Transpose(_Kind):
    """Pitch without a change of duration."""

    semitones: Annotated[float, Field(ge=0, le=12)] = 4.0


class Stretch(_Kind):
    """Duration without a change of pitch."""

    factor: Annotated[float, Field(ge=1, le=2)] = 1.25  # at most, longer or shorter


class Equaliser(_Kind):
    """A few peaking filters, 60 Hz to 12 kHz."""

    bands: Annotated[int, Field(ge=1, le=BANDS)] = 3
    gain: Annotated[float, Field(ge=0, le=24)] = 6.0  # dB at most, up or down


class Noise(_Kind):
    """Noise below the sound, of the same length."""

    lowest: Annotated[float, Field(ge=0, le=120)] = 20.0  # dB, level of the sound relative to the noise
    highest: Annotated[float, Field(ge=0, le=120)] = 50.0
    pink: Annotated[float, Field(ge=0, le=1)] = 0.5  # probability that it is pink instead of white


class Gain(_Kind):
    """Another level. Only useful if the model sees levels: `bands` and `oneshot` normalise every sound."""

    lowest: Annotated[float, Field(ge=-60, le=24)] = -12.0  # dB
    highest: Annotated[float, Field(ge=-60, le=24)] = 0.0


class Reverse(_Kind):
    """The sound backwards."""


class Augmentation(BaseModel):
    """The probability and range of each kind of change."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    pitch: Pitch = Pitch()
    mix: Mix = Mix()
    tilt: Tilt = Tilt()
    decay: Decay = Decay()
    transpose: Transpose = Transpose()
    stretch: Stretch = Stretch()
    equaliser: Equaliser = Equaliser()
    noise: Noise = Noise()
    gain: Gain = Gain()
    reverse: Reverse = Reverse()

    @model_validator(mode="after")
    def _ordered(self) -> Augmentation:
        for name in ("noise", "gain"):
            kind = getattr(self, name)
            if kind.lowest > kind.highest:
                raise ValueError(f"{name}.lowest is {kind.lowest:g}, above {name}.highest of {kind.highest:g}")
        return self

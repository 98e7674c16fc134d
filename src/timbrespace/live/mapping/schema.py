"""The file of a mapping: a list of controllers and what they move, checked as the project's settings are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from timbrespace.contracts import ConfigError
from timbrespace.live.mapping.targets import PROGRAMS, parse_target
from timbrespace.validation import FROZEN, config_error, shortened

_LARGEST = 200_000  # bytes of a file
_SOURCES = ("cc", "note", "bend", "pressure", "osc")


class Entry(BaseModel):
    """One controller. Exactly one of cc, note, bend, pressure and osc says which."""

    model_config = FROZEN
    cc: Annotated[int, Field(ge=0, le=127)] | None = None  # number of the MIDI controller
    note: Annotated[int, Field(ge=0, le=127)] | None = None  # MIDI number of a key or pad; its velocity is the value
    bend: bool = False  # the pitch bend wheel
    pressure: bool = False  # the pressure of a channel
    osc: Annotated[str, Field(pattern=r"^/[!-~]{1,100}$")] | None = None  # address of a message with one number
    channel: Annotated[int, Field(ge=1, le=16)] | None = None  # of MIDI; None: any
    target: str  # see `parse_target`
    low: Annotated[float, Field(ge=-1000, le=1000)] | None = None  # value of the target at the lower end; None: the target's own range
    high: Annotated[float, Field(ge=-1000, le=1000)] | None = None  # at the upper end; under `low`: the other way round
    curve: Annotated[float, Field(ge=0.1, le=10)] = 1.0  # exponent: 1 straight; over 1 slow at the start, under 1 fast
    smoothing: Annotated[float, Field(ge=0, le=10)] = 0.0  # s, time constant of the approach; 0: at once
    bits: Literal[7, 14] = 7  # 14: controllers 0 to 31, with 32 more as their fine part
    encoder: Literal["absolute", "twos", "offset", "sign"] = "absolute"  # how an endless encoder writes its steps
    pickup: bool = False  # nothing until the controller passes the present value, so that it does not jump
    input: tuple[float, float] = (0.0, 1.0)  # of an OSC address: its numbers at both ends

    @field_validator("target")
    @classmethod
    def _known_target(cls, target: str) -> str:
        return str(parse_target(target))

    @model_validator(mode="after")
    def _consistent(self) -> Entry:
        given = [name for name in _SOURCES if getattr(self, name) not in (None, False)]
        if len(given) != 1:
            found = " and ".join(given) + " are given" if given else "none is given"
            raise ValueError(f"one of {', '.join(_SOURCES)} says which controller it is; {found}")
        if self.osc is not None and self.channel is not None:
            raise ValueError("an OSC address has no channel; leave it out")
        if self.encoder != "absolute" and (self.cc is None or self.bits == 14 or self.pickup):
            raise ValueError(f"encoder {self.encoder!r} is for a cc of 7 bits without pickup")
        if self.bits == 14 and (self.cc is None or self.cc > 31):
            raise ValueError("14 bits are for cc 0 to 31: their fine parts are 32 to 63")
        if self.input[0] == self.input[1]:
            raise ValueError("both numbers of input are the same; give those of the lower and the upper end")
        if self.osc is None and self.input != (0.0, 1.0):
            raise ValueError("input is for an OSC address; MIDI has a range of its own")
        return self

    def range(self, programs: int = PROGRAMS) -> tuple[float, float]:
        """Returns the values of the target at both ends. programs: number of instruments."""
        low, high = parse_target(self.target).range(programs)
        return low if self.low is None else self.low, high if self.high is None else self.high

    def __str__(self) -> str:
        source = next(name for name in _SOURCES if getattr(self, name) not in (None, False))
        number = getattr(self, source)
        channel = f" of channel {self.channel}" if self.channel else ""
        return f"{source if number is True else f'{source} {number}'}{channel} moves {self.target}"


class MappingFile(BaseModel):
    """A whole file."""

    model_config = FROZEN
    controllers: tuple[Entry, ...] = ()


class _Untyped(BaseModel):
    """A file whose entries were not checked yet, so that an error can give the number of its entry."""

    model_config = FROZEN
    controllers: Annotated[list[dict[str, Any]], Field(max_length=1000)] = []


def read_mapping(path: Path) -> MappingFile:
    """Returns the mapping of a YAML file. Raises ConfigError, also for keys that are none."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise ConfigError(f"{path} has more than {_LARGEST // 1000} kB; a mapping is a short YAML file")
        text = data.decode("utf-8")
        _check_once(yaml.compose(text, yaml.SafeLoader))
        content = yaml.safe_load(text)
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; `timbrespace play --mapping {path} --learn brightness` makes it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid YAML: {(str(error).splitlines() or ['?'])[0]:.200}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold 'controllers:' and a list of them, not {shortened(content)}")
    return parse_mapping(content, name=str(path))


def _check_once(root: yaml.Node | None) -> None:
    """Raises YAMLError for keys that are there twice: PyYAML drops the first one, such as all that is under a first `controllers:`."""
    waiting, known = [] if root is None else [root], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in known:  # an alias
            continue
        known.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        if isinstance(node, yaml.MappingNode):
            waiting += [value for _, value in node.value]
            seen: set[str] = set()
            for key in [key for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]:
                if key.value in seen:
                    raise yaml.YAMLError(f"the key {key.value!r:.40} is there twice, again in line {key.start_mark.line + 1}")
                seen.add(key.value)


def parse_mapping(content: Mapping[str, Any], *, name: str = "the mapping") -> MappingFile:
    """Returns a mapping of keys and values. Raises ConfigError."""
    try:
        whole = _Untyped.model_validate(content)
    except (ValidationError, TypeError) as error:
        raise ConfigError(f"{name}: {config_error(error, '', _Untyped)}") from None
    entries = []
    for number, entry in enumerate(whole.controllers, 1):
        try:
            entries.append(Entry.model_validate(entry))
        except ValidationError as error:
            first = error.errors()[0]
            own = first.get("ctx", {}).get("error") if first["type"] == "value_error" else None
            raise ConfigError(f"{name}: controller {number}: {own or config_error(error, '', Entry)}") from None
    return MappingFile(controllers=tuple(entries))

"""Old words for new ones: names and keys of earlier versions, in presets, `--set`, YAML files, search ranges and instrument files.

This is the only place that knows them. The rest of the code sees the new words alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Each table maps an old word to the new one.
PRESETS: dict[str, str] = {"cycles": "pitch-synchronous"}
REPRESENTATIONS: dict[str, str] = {"ifreq": "instantaneous-frequency", "log": "log-stft"}
MODELS: dict[str, str] = {"cycles": "pitch-synchronous", "frames": "frame-vae", "stepwise": "autoregressive"}
KEYS: dict[str, dict[str, str]] = {  # keys of each section
    "representation": {},
    "model": {
        "books": "codebooks",
        "codes": "codebook_size",
        "dropped": "condition_dropout",
        "inside": "inner",
        "limit": "max_parameters",
        "numbers": "code_dims",
        "per_cycle": "points_per_cycle",
        "searching": "refinement_steps",
        "share": "outer_share",
        "squash": "sigmoid",
        "teacher": "teacher_forcing",
        "together": "joint",
    },
    "training": {"images": "examples", "start": "initialisation"},
}
VALUES: dict[str, dict[str, str]] = {"training.initialisation": {"corpus": "pca"}}  # section.key -> old value -> new value
TENSORS: dict[str, dict[str, str]] = {  # model -> old start of a tensor's name -> new one
    "conditional": {"inside.": "inner."},
    "vq": {"prior.chances.": "prior.output.", "prior.place": "prior.position", "prior.told.": "prior.previous."},
}

_NAMES = {"representation": REPRESENTATIONS, "model": MODELS}
_NESTED = ("inner", "outer")  # keys of `model` that hold the settings of another model


def modern_tensor(model: str, name: str) -> str:
    """Returns a name in the state dict of a model with its old start replaced."""
    for old, new in TENSORS.get(model, {}).items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def modern_key(keys: Sequence[str]) -> list[str]:
    """Returns a key as its parts, `["model", "inner", "dims"]`, with old names replaced."""
    if not keys:
        return []
    table = KEYS.get(keys[0], {})
    found = [keys[0]]
    for key in keys[1:]:
        # Below a key that is no nested model, names are a user's own (labels) or another class's.
        replaces = len(found) == 1 or (found[0] == "model" and all(part in _NESTED for part in found[1:]))
        found.append(table.get(key, key) if replaces else key)
    return found


def modernised(content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a preset's nested mapping with old names, keys and values replaced.

    Unknown keys stay. Where a key is given under its old and its new name, the new one counts.
    """
    return {
        section: _section(section, values, nested=section == "model") if isinstance(values, Mapping) else values
        for section, values in content.items()
    }


def modern_value(key: str, value: Any) -> Any:
    """Returns a value of a key such as `training.initialisation` with an old word replaced."""
    section, _, rest = key.partition(".")
    names = _NAMES.get(section, {}) if rest == "name" else VALUES.get(key, {})
    return names.get(value, value) if isinstance(value, str) else value


def _section(section: str, values: Mapping[str, Any], *, nested: bool) -> dict[str, Any]:
    table, found = KEYS.get(section, {}), dict[str, Any]()
    for old, value in values.items():
        key = table.get(old, old)
        if key != old and key in values:
            continue
        if nested and key in _NESTED and isinstance(value, Mapping):
            value = _section(section, value, nested=False)  # a nested model holds no others; YAML aliases may nest without end
        found[key] = modern_value(f"{section}.{key}", value)
    return found

"""A rendered sound: samples, recipe, and its nearest training sound."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from timbrespace.atomic import check_absent, write_json
from timbrespace.synthesis.showing import html_of

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, repr=False)
class Sound:
    """One rendered sound.

    name: file name without suffix. audio: `(channels, time)`, given as a tensor or an array and read as a tensor, which imports
    PyTorch; `samples` are the same numbers without it. sample_rate: Hz. recipe: plain JSON values that `Instrument.replay` renders again.
    nearest: name of the nearest training sound. novelty: distance to it over the median distance of held-out real sounds to theirs (0: a
    copy, about 1: as new as a held-out sound). is_copy: novelty is under `nearest.COPY`. The three are None, None and False for an
    instrument stripped of its training sounds. Where the sounds of the corpus repeat, so that novelty has no unit, novelty is None, and
    is_copy: the nearest training sound is within `nearest.COPY_DB`.
    is_own: the sound is one that was given, unchanged; nearest and novelty are then None.
    root_note: MIDI number where the pitch is clear.
    latent: `(dims,)` or `(dims, steps)`, as `audio` a tensor when it is read.
    """

    name: str
    audio: Tensor
    sample_rate: int
    recipe: dict[str, Any] = field(default_factory=dict)
    category: str | None = None
    nearest: str | None = None
    novelty: float | None = None
    is_copy: bool = False
    is_own: bool = False
    root_note: int | None = None
    latent: Tensor | None = None

    def __repr__(self) -> str:
        kind = f", {self.category}" if self.category else ""
        return f"<Sound {self.name!r}, {self.seconds:.2f} s{kind}>"

    def _repr_html_(self) -> str | None:
        return html_of([self])

    @property
    def samples(self) -> np.ndarray:
        """The audio as a NumPy array `(channels, time)`, float32; the memory of `audio`."""
        values: Any = vars(self)["audio"]
        return values if isinstance(values, np.ndarray) else np.asarray(values.detach().cpu().numpy())

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return float(vars(self)["audio"].shape[-1]) / self.sample_rate

    def save(self, folder: Path | str, *, subtype: str = "PCM_24", force: bool = False) -> Path:
        """Writes `name.wav` and its recipe `name.json` into `folder`. Returns the path of the WAV.

        subtype: PCM_16, PCM_24 or FLOAT. Raises OutputExistsError, TimbrespaceError.
        """
        from timbrespace.audio.files import sha256_of, write

        path = Path(folder) / f"{self.name}.wav"
        recipe = path.with_suffix(".json")
        for target in (path, recipe):
            check_absent(target, force=force)
        write(path, self.samples, self.sample_rate, subtype=subtype, force=force)
        write_json(recipe, self.recipe | {"file": path.name, "sha256": sha256_of(path)}, force=force)
        return path


class _Tensor:
    """An attribute that is read as a tensor, made of an array when it is first read: most sounds are only written, played or listed."""

    def __init__(self, name: str):
        self._name = name

    def __get__(self, sound: Sound | None, owner: type) -> Any:
        if sound is None:
            return self
        value = vars(sound)[self._name]
        if isinstance(value, np.ndarray):
            import torch

            value = vars(sound)[self._name] = torch.from_numpy(value)
        return value

    def __set__(self, sound: Sound, value: Any) -> None:
        vars(sound)[self._name] = value


for _name in ("audio", "latent"):
    setattr(Sound, _name, _Tensor(_name))

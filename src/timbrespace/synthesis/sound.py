"""A rendered sound: audio, recipe, and its nearest training sound."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from timbrespace.atomic import check_absent, write_json
from timbrespace.audio.files import write
from timbrespace.synthesis.detail.given import sha256_of
from timbrespace.synthesis.showing import html_of


@dataclass(frozen=True, repr=False)
class Sound:
    """One rendered sound.

    name: file name without suffix. audio: `(channels, time)`. sample_rate: Hz. recipe: plain JSON values that `Instrument.replay`
    renders again. nearest: name of the nearest training sound. novelty: distance to it over the median distance of held-out real
    sounds to theirs (0: a copy, about 1: as new as a held-out sound). is_copy: novelty is under `novelty.COPY`. The three are
    None, None and False for an instrument stripped of its training sounds. Where the sounds of the corpus repeat, so that novelty has no
    unit, novelty is None, and is_copy: the nearest training sound is within `novelty.COPY_DB`.
    is_own: the sound is one that was given, unchanged; nearest and novelty are then None.
    root_note: MIDI number where the pitch is clear.
    latent: `(dims,)` or `(dims, steps)`.
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
    def seconds(self) -> float:
        """Length in seconds."""
        return self.audio.shape[-1] / self.sample_rate

    def save(self, folder: Path | str, *, subtype: str = "PCM_24", force: bool = False) -> Path:
        """Writes `name.wav` and its recipe `name.json` into `folder`. Returns the path of the WAV.

        subtype: PCM_16, PCM_24 or FLOAT. Raises OutputExistsError, TimbrespaceError.
        """
        path = Path(folder) / f"{self.name}.wav"
        recipe = path.with_suffix(".json")
        for target in (path, recipe):
            check_absent(target, force=force)
        write(path, self.audio, self.sample_rate, subtype=subtype, force=force)
        write_json(recipe, self.recipe | {"file": path.name, "sha256": sha256_of(path)}, force=force)
        return path

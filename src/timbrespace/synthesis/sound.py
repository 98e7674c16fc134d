"""A sound as an instrument gives it: audio, and everything that is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from timbrespace.atomic import check_absent, write_json
from timbrespace.audio.files import write


@dataclass(frozen=True)
class Sound:
    """One rendered sound.

    name: file name without suffix. audio: `(channels, time)`. sample_rate: Hz. recipe: what makes it again, plain JSON values.
    nearest: name of the nearest training sound; novelty: its distance over the median distance of held-out real sounds to theirs
    (0: a copy, about 1: as new as a real sound nobody trained on); is_copy: novelty is so small that this is a copy. The three are
    unknown (None, False) for an instrument stripped of its training sounds. root_note: MIDI note, where a pitch is clear.
    """

    name: str
    audio: Tensor
    sample_rate: int
    recipe: dict[str, Any] = field(default_factory=dict)
    category: str | None = None
    nearest: str | None = None
    novelty: float | None = None
    is_copy: bool = False
    root_note: int | None = None
    latent: Tensor | None = None

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.audio.shape[-1] / self.sample_rate

    def save(self, folder: Path | str, *, subtype: str = "PCM_24", force: bool = False) -> Path:
        """Writes `name.wav` and its recipe `name.json` into `folder`, and returns the path of the WAV.

        subtype: PCM_16, PCM_24 or FLOAT. Raises OutputExistsError, TimbrespaceError.
        """
        path = Path(folder) / f"{self.name}.wav"
        recipe = path.with_suffix(".json")
        for target in (path, recipe):
            check_absent(target, force=force)
        write(path, self.audio, self.sample_rate, subtype=subtype, force=force)
        write_json(recipe, self.recipe | {"file": path.name}, force=force)
        return path

"""The folder beside the instrument-to-be that makes training interrupt-safe. Local to the machine, gone when training has ended."""

from __future__ import annotations

import io
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from timbrespace.atomic import disk_error, replacing, write_json
from timbrespace.contracts import OutputExistsError, TimbrespaceError


@dataclass(frozen=True)
class Plan:
    """What a training run will do, fixed by the first calibration so that a resumed run equals an unbroken one.

    fingerprint: of the corpus; source: the folder or synthetic corpus it was made from, None for a prepared one.
    samples: longest clip the model takes. variations: augmented copies a clip. synthesised: sounds learned from beside the corpus.
    steps: optimiser steps; check_every: steps between looks at the validation clips; inner_: of the second of two stages.
    threads: PyTorch's, which results depend on, as they do on the precision and on how many processes share a batch.
    """

    fingerprint: str
    config: dict[str, Any]
    seed: int
    samples: int
    variations: int
    steps: int = 0
    check_every: int = 0
    inner_steps: int = 0
    inner_check_every: int = 0
    threads: int = 1
    source: str | None = None
    precision: str = "32-true"
    processes: int = 1
    synthesised: int = 0


class Workspace:
    """`X.training/` beside `X.safetensors`: the plan, the encoded sounds, the last checkpoint."""

    def __init__(self, out: Path):
        self.path = out.with_name(out.name.removesuffix(".safetensors") + ".training")

    def start(self, *, resume: bool, force: bool) -> bool:
        """Makes the folder ready; True when an earlier run is taken up. Raises OutputExistsError, TimbrespaceError."""
        plan = self.path / "plan.json"
        if resume:
            if not self.path.is_dir():
                raise TimbrespaceError(f"{self.path} does not exist, there is no run to resume; leave --resume out to begin one")
            return plan.exists()
        if self.path.exists() and not self.path.is_dir():
            raise OutputExistsError(f"{self.path} is a file, where training keeps its working folder; move it away")
        if self.path.exists() and not force:
            raise OutputExistsError(f"{self.path} is left from an interrupted run; add --resume to take it up or --force to begin anew")
        if self.path.exists():
            self.remove()
        try:
            self.path.mkdir(parents=True)
        except OSError as error:
            raise disk_error(error, self.path) from error
        return False

    def has_plan(self) -> bool:
        """Whether an earlier run has left its plan."""
        return (self.path / "plan.json").exists()

    def read_plan(self) -> Plan:
        """The stored plan. Raises TimbrespaceError when it is damaged."""
        try:
            return Plan(**json.loads((self.path / "plan.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise TimbrespaceError(f"{self.path / 'plan.json'} is damaged ({error}); begin anew with --force") from None

    def write_plan(self, plan: Plan) -> None:
        """Stores the plan atomically."""
        write_json(self.path / "plan.json", asdict(plan), force=True)

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Stores tensors and plain values atomically: a kill leaves the previous state."""
        buffer = io.BytesIO()  # torch.save hides the reason when it meets a full disk itself
        torch.save(state, buffer)
        with replacing(self.path / name, force=True) as temporary, temporary.open("wb") as file:
            file.write(buffer.getbuffer())
            file.flush()
            os.fsync(file.fileno())

    def load(self, name: str) -> dict[str, Any] | None:
        """What `save` stored, or None. Raises TimbrespaceError when it is damaged."""
        path = self.path / name
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            return state
        except Exception as error:  # torch raises many kinds for a damaged file
            raise TimbrespaceError(f"{path} is damaged ({type(error).__name__}); begin anew with --force") from None

    def remove(self) -> None:
        """Deletes the folder, if it is one of ours."""
        known = {"plan.json", "corpus", "images.f16", "images.json", "codec.pt", "checkpoint.pt", "lengths.npy", "figures.json"}
        known |= {"outer.pt", "codes.pt", "codes", "inner.pt"}  # of two stages
        strangers = [p.name for p in self.path.iterdir() if p.name not in known and not p.name.startswith(".")]
        if strangers:
            raise TimbrespaceError(f"{self.path} holds files that training did not make ({strangers[0]}); move them away")
        shutil.rmtree(self.path)

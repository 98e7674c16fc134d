"""The working folder of a training, from which an interrupted run is resumed. It is local to the machine and removed at the end."""

from __future__ import annotations

import io
import json
import os
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch

from timbrespace.atomic import disk_error, replacing, write_json
from timbrespace.contracts import OutputExistsError, TimbrespaceError
from timbrespace.locks import lock


@dataclass(frozen=True)
class Plan:
    """The numbers of a training, fixed at its first start, so that a resumed run equals an unbroken one.

    fingerprint: of the corpus; source: the folder or synthetic corpus it was made from, None for a prepared one.
    samples: the longest clip; longer ones are cut. variations: of each clip. synthesised: sounds added to the corpus.
    steps: of the optimiser; check_every: steps between two checks; inner_: of the second of two stages. 0: not known yet.
    threads, precision, processes: the result depends on these, too. outer: checksum of an outer model that was trained before.
    continues: digest of the instrument file that the training continues from, None for a training from scratch.
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
    outer: str | None = None
    continues: str | None = None


class StateFolder:
    """A folder with states of a training: tensors and plain values, each in a file of its own."""

    def __init__(self, path: Path):
        self.path = path

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Stores tensors and plain values atomically: after a kill the previous state is still there."""
        buffer = io.BytesIO()  # when torch.save writes to a full disk, its error does not say so
        torch.save(state, buffer)
        with replacing(self.path / name, force=True) as temporary, temporary.open("wb") as file:
            file.write(buffer.getbuffer())
            file.flush()
            os.fsync(file.fileno())

    def load(self, name: str) -> dict[str, Any] | None:
        """The state that `save` stored, or None. Raises TimbrespaceError if it is damaged."""
        path = self.path / name
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            return state
        except Exception as error:  # torch raises many kinds for a damaged file
            raise TimbrespaceError(f"{path} is damaged ({type(error).__name__}); start again with --force") from None


class Workspace(StateFolder):
    """The folder `X.training/` beside `X.safetensors`: the plan, the encoded sounds, the last checkpoint."""

    def __init__(self, out: Path):
        super().__init__(out.with_name(out.name.removesuffix(".safetensors") + ".training"))
        self._lock_file: BinaryIO | None = None
        self._new_parents: list[Path] = []

    def start(self, *, resume: bool, force: bool) -> None:
        """Creates and locks the folder, or checks that there is one to resume from.

        A folder without a plan is what a run left that was killed before it had begun: it is replaced. Raises OutputExistsError,
        TimbrespaceError; both also while another run holds the lock, which no `force` overrides.
        """
        if self.path.is_dir():
            self._lock()
        if resume:
            if not self.path.is_dir():
                raise TimbrespaceError(f"{self.path} does not exist, there is no run to resume; leave --resume out to start one")
            return
        if self.path.exists() and not self.path.is_dir():
            raise OutputExistsError(f"{self.path} is a file, and training needs a folder of this name; move the file")
        if self.has_plan() and not force:
            raise OutputExistsError(f"{self.path} is left from an interrupted run; add --resume to continue it, or --force to start again")
        if self.path.exists():
            self.remove()
        try:
            self._new_parents = [parent for parent in self.path.parents if not parent.exists()]
            self.path.mkdir(parents=True)
        except OSError as error:
            raise disk_error(error, self.path) from error
        self._lock()

    def _lock(self) -> None:
        """Locks the folder until `release`. Raises TimbrespaceError if another run holds the lock."""
        try:
            file = (self.path / ".lock").open("ab")
        except OSError as error:
            raise disk_error(error, self.path) from error
        if not lock(file):
            file.close()
            raise TimbrespaceError(f"another run is training in {self.path}; wait for it to end, or give another name with --out")
        self._lock_file = file

    def release(self) -> None:
        """Unlocks the folder."""
        if self._lock_file is not None:
            if os.name != "nt":  # Windows removes no open file
                (self.path / ".lock").unlink(missing_ok=True)
            self._lock_file.close()
            self._lock_file = None

    def has_plan(self) -> bool:
        """Whether there is a plan, of an interrupted run."""
        return (self.path / "plan.json").exists()

    def read_plan(self) -> Plan:
        """The stored plan. Raises TimbrespaceError if it is damaged."""
        try:
            return Plan(**json.loads((self.path / "plan.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise TimbrespaceError(f"{self.path / 'plan.json'} is damaged ({error}); start again with --force") from None

    def write_plan(self, plan: Plan) -> None:
        """Stores the plan atomically."""
        write_json(self.path / "plan.json", asdict(plan), force=True)

    def remove(self) -> None:
        """Deletes the folder. Raises TimbrespaceError if it holds files that training did not write."""
        known = {"plan.json", "corpus", "images.f16", "images.json", "codec.pt", "checkpoint.pt", "conditions.json"}
        known |= {"new", "old"}  # sounds of a training that continues from an instrument, before they are one corpus
        known |= {"figures.json", "lengths.npy"}  # of earlier versions
        known |= {"outer.pt", "codes.pt", "codes", "inner.pt"}  # of two stages
        others = [p.name for p in self.path.iterdir() if p.name not in known and not p.name.startswith(".")]
        if others:
            raise TimbrespaceError(f"{self.path} holds files that training did not write ({others[0]}); move them")
        self.release()
        shutil.rmtree(self.path)

    def discard(self) -> None:
        """Deletes the folder of a run that has no plan yet, and the folders that were created for it. Raises nothing."""
        if self._lock_file is None or self.has_plan():
            return
        with suppress(OSError, TimbrespaceError):
            self.remove()
            for parent in self._new_parents:
                parent.rmdir()

"""The working folder of a training of voices, from which a stopped one is resumed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from timbrespace.contracts import ConfigError
from timbrespace.training.workspace import Plan, Workspace
from timbrespace.voices.frames import Frames

_CHECKPOINT = "checkpoint.pt"
_SAVE_SECONDS = 10.0  # between checkpoints


class Checkpoints:
    """States of a training, at most every ten seconds. folder: None for a training that is never resumed. plan: of this run."""

    def __init__(self, folder: Workspace | None = None, plan: Plan | None = None):
        self._folder, self._plan, self._saved = folder, plan, time.monotonic()
        self._stored = None if folder is None or plan is None else _stored_plan(folder, plan)

    def planned_steps(self, measure: Callable[[], int]) -> int:
        """Returns the number of steps of the plan; in a new run that of `measure`, which becomes part of the plan."""
        if self._stored is not None:
            return self._stored.steps
        steps = measure()
        if self._folder is not None and self._plan is not None:
            self._folder.write_plan(replace(self._plan, steps=steps))
        return steps

    def load(self) -> dict[str, Any] | None:
        """Returns the last state, None if there is none. Raises TimbrespaceError if it is damaged."""
        return None if self._folder is None or self._stored is None else self._folder.load(_CHECKPOINT)

    def is_due(self) -> bool:
        """Whether the last state is old enough."""
        return self._folder is not None and time.monotonic() - self._saved >= _SAVE_SECONDS

    def save(self, state: dict[str, Any]) -> None:
        """Stores a state. Raises TimbrespaceError where the disk is full; the state before it is kept."""
        if self._folder is not None:
            self._folder.save(_CHECKPOINT, state)
            self._saved = time.monotonic()


@contextmanager
def working_folder(out: Path | None, *, resume: bool, force: bool) -> Iterator[Workspace | None]:
    """Yields the working folder beside `out`, locked; removed at the end, and kept after an error once it holds a plan.

    Raises OutputExistsError where one is left from a stopped run, TimbrespaceError if there is none to resume.
    """
    if out is None:
        if resume:
            raise ConfigError("a training is resumed by the name of its file; give --out")
        yield None
        return
    workspace = Workspace(out)
    try:
        workspace.start(resume=resume, force=force)
        yield workspace
        workspace.remove()
    except Exception:
        if not resume:
            workspace.discard()
        raise
    finally:
        workspace.release()


def make_plan(recordings: Mapping[str, Sequence[tuple[str, Frames]]], *, preset: str, minutes: float | None, seed: int) -> Plan:
    """Returns the plan of a training, without its steps. recordings: path and frames of each, by instrument."""
    config = {"preset": preset, "instruments": list(recordings), "minutes": minutes}
    return Plan(_fingerprint(recordings), config, seed, samples=0, variations=0, threads=torch.get_num_threads())


def _stored_plan(workspace: Workspace, plan: Plan) -> Plan | None:
    """The stored plan of a stopped run, None for a new one. plan: of this run. Raises ConfigError if the runs differ."""
    if not workspace.has_plan():
        return None
    stored = workspace.read_plan()
    if stored.config.get("preset") != plan.config["preset"]:
        raise ConfigError(f"the run in {workspace.path} is none of voices; start again with --force")
    given = {**plan.config, "seed": plan.seed, "recordings": plan.fingerprint}
    wanted = {**stored.config, "seed": stored.seed, "recordings": stored.fingerprint}
    for what, value in given.items():
        if what == "minutes" and value is None:
            continue  # as long as it was planned
        if wanted.get(what) != value:
            shown = "are others than" if what == "recordings" else f"is {value}, not {wanted.get(what)} as"
            raise ConfigError(f"{what} {shown} in the run in {workspace.path}; resume with the same, or start again with --force")
    torch.set_num_threads(stored.threads)
    return stored


def _fingerprint(recordings: Mapping[str, Sequence[tuple[str, Frames]]]) -> str:
    """A hash of recordings: of the names of the instruments and files, and of all frames."""
    digest = hashlib.blake2b(digest_size=16)
    for name, several in recordings.items():
        digest.update(name.encode())
        for file, frames in several:
            digest.update(Path(file).name.encode("utf-8", "backslashreplace"))
            for values in (frames.pitch, frames.partials, frames.noise):
                digest.update(values.tobytes())
    return digest.hexdigest()

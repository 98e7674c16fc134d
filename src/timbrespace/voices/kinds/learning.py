"""Voices of every kind learned from recordings, chosen by the kind of the options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from timbrespace.atomic import check_absent
from timbrespace.contracts import ConfigError
from timbrespace.voices.arrays.data import read_spectrograms
from timbrespace.voices.arrays.file import ArrayFacts, ArrayVoices, write_array_voices
from timbrespace.voices.arrays.sources import profile
from timbrespace.voices.arrays.training import ArrayOptions, check_options, fit_design
from timbrespace.voices.file import Voices, write_voices
from timbrespace.voices.learning.stopped import Checkpoints, make_plan, working_folder
from timbrespace.voices.training import Progress, VoicesOptions, check_names, fit_voices, read_voices


def learn(
    folders: Mapping[str, Path],
    out: Path | None,
    options: VoicesOptions | ArrayOptions,
    *,
    force: bool = False,
    resume: bool = False,
    skipped: list[dict[str, str]] | None = None,
    progress: Progress | None = None,
) -> Voices | ArrayVoices:
    """Returns voices learned from recordings, and writes them to `out` where it is given, see `voices.train`."""
    if out is not None:
        check_absent(out, force=force)
    return _LEARNERS[type(options)](folders, out, options, force=force, resume=resume, skipped=skipped, progress=progress)


def _learn_voices(
    folders: Mapping[str, Path], out: Path | None, options: VoicesOptions, *,
    force: bool, resume: bool, progress: Progress | None, skipped: Any,
) -> Voices:  # fmt: skip
    check_names(folders)
    with working_folder(out, resume=resume, force=force) as folder:
        recordings = read_voices(folders, skipped=skipped, progress=progress)
        checkpoints = None
        if folder is not None:
            frames = {name: [(one.name, one.frames) for one in several] for name, several in recordings.items()}
            checkpoints = Checkpoints(folder, make_plan(frames, preset="voices", minutes=options.minutes, seed=options.seed))
        voices = Voices(*fit_voices(recordings, options, progress=progress, checkpoints=checkpoints))
        if out is not None:
            write_voices(voices, out, force=force)
        return voices


def _learn_design(
    folders: Mapping[str, Path], out: Path | None, options: ArrayOptions, *,
    force: bool, resume: bool, progress: Progress | None, skipped: Any,
) -> ArrayVoices:  # fmt: skip
    if resume:
        raise ConfigError(f"a training of the preset {options.preset} is not resumed; start it again without --resume")
    check_options(options, tuple(folders))  # before recordings are read, which takes longer
    recordings = read_spectrograms(folders, skipped=skipped, progress=progress)
    design, training = fit_design(recordings, options, progress=progress)
    profiles = np.stack([profile(one.values.numpy() for one in several) for several in recordings.values()])
    facts = {name: ArrayFacts(len(several), round(sum(one.seconds for one in several), 1)) for name, several in recordings.items()}
    voices = ArrayVoices(options.preset, design, profiles.astype(np.float32).astype(np.float64), facts, training)
    if out is not None:
        write_array_voices(voices, out, force=force)
    return voices


_LEARNERS: dict[type, Callable[..., Any]] = {VoicesOptions: _learn_voices, ArrayOptions: _learn_design}

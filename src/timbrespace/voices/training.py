"""Training of voices: frames of recordings of several instruments, one model."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import AudioFileError, ConfigError, CorpusError
from timbrespace.voices.analysis import analyse
from timbrespace.voices.frames import BANDS, HOP, PARTIALS, QUIET, RATE, Frames, Values, share_of_clear_pitch
from timbrespace.voices.learning.parts import choose_parts, read_part
from timbrespace.voices.learning.separation import separation
from timbrespace.voices.learning.stopped import Checkpoints
from timbrespace.voices.levels import to_levels
from timbrespace.voices.model import CELLS, VoiceModel, divergence

FEWEST_SECONDS = 5.0  # of pitched sound of each instrument
MOST_VOICES = 16
_LEAST_CLEAR = 0.25  # share of the sound with one clear pitch
_BATCH = 1_024  # frames
_RATE = 2e-3  # of learning, at first; it falls to 2 % of that
_KL = 0.02  # weight of the divergence
_UNIT = 8.0  # dB of reconstruction error that count 1
_DETUNE = 0.02  # octaves: pitch as a condition is moved a little, so that the model is smooth over it
_HEARD = 90.0  # dB under full scale: levels over that count, the louder the more
_NOISE_WEIGHT = 0.7
_CALIBRATION = 20  # steps that are timed
_RANGE = (1.0, 99.0)  # %, of the conditions that count as learned
STEPS = 4_000

Progress = Callable[[str, float], None]  # stage, share done


@dataclass(frozen=True)
class VoicesOptions:
    """How to train. minutes: of learning, else `steps`; the steps that fit are measured once. seed: of everything drawn."""

    minutes: float | None = None
    steps: int = STEPS
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises ConfigError for values out of range."""
        if self.minutes is not None and not 0.01 <= self.minutes <= 10_000:
            raise ConfigError(f"minutes is {self.minutes:g}, allowed is 0.01 to 10,000")
        if not 1 <= self.steps <= 10_000_000:
            raise ConfigError(f"steps is {self.steps}, allowed is 1 to 10,000,000")


@dataclass(frozen=True)
class Recording:
    """A recording of one instrument that was read, or a part of a long one: its file's path, seconds, and frames."""

    name: str
    seconds: float
    frames: Frames


@dataclass(frozen=True)
class VoiceFacts:
    """Values of an instrument, from its recordings: files, seconds, its range as MIDI numbers, the spread of its loudness in dB."""

    files: int
    seconds: float
    lowest: float
    highest: float
    loudness: tuple[float, ...]  # quantiles 0, 5 … 100 %


def read_voices(
    folders: Mapping[str, Path], *, skipped: list[dict[str, str]] | None = None, progress: Progress | None = None
) -> dict[str, list[Recording]]:
    """Returns the recordings of each instrument, by name. folders: of sound files, or one file.

    Raises CorpusError for fewer than two instruments, one folder for two names, one without sounds, or with less than FEWEST_SECONDS of
    sound that has a pitch.
    """
    check_names(folders)
    found: dict[str, list[Recording]] = {}
    for number, (name, folder) in enumerate(folders.items()):
        problems: list[tuple[Path, str]] = []
        parts = choose_parts(files_of(folder, problems), len(folders), problems)
        recordings = []
        for index, part in enumerate(parts):
            if progress is not None:
                progress("reading", (number + index / max(len(parts), 1)) / len(folders))
            try:
                wave = at_rate(*read_part(part))
            except AudioFileError as error:
                problems.append((part.path, str(error)))
                continue
            recordings.append(Recording(str(part.path), len(wave) / RATE, analyse(wave)))
        if skipped is not None:
            skipped += [{"file": path.name, "reason": reason} for path, reason in problems]
        pitched = sum(float((one.frames.pitched & (one.frames.loudness() > QUIET)).sum()) for one in recordings) * HOP / RATE
        clear = _clear_share(recordings)
        if pitched >= FEWEST_SECONDS and clear < _LEAST_CLEAR:
            raise CorpusError(
                f"{name}: only {100 * clear:.0f} % of the sound in {folder} has one clear pitch, at least {100 * _LEAST_CLEAR:.0f} % are "
                "needed; voices are learned from recordings of one melodic instrument"
            )
        if pitched < FEWEST_SECONDS:
            raise CorpusError(
                f"{name}: {folder} has {pitched:.1f} s of sound with a pitch in {len({one.name for one in recordings})} files, at least "
                f"{FEWEST_SECONDS:g} s are needed; voices are learned from recordings of one melodic instrument"
            )
        found[name] = recordings
    return found


def _clear_share(recordings: Sequence[Recording]) -> float:
    if not recordings:
        return 0.0
    loudness = np.concatenate([one.frames.loudness() for one in recordings])
    pitch, periodicity = (np.concatenate([getattr(one.frames, part) for one in recordings]) for part in ("pitch", "periodicity"))
    return share_of_clear_pitch(pitch, periodicity, loudness)


def check_names(folders: Mapping[str, Path]) -> None:
    """Raises CorpusError unless there are two or more instruments, each with its own folder that exists."""
    if not 2 <= len(folders) <= MOST_VOICES:
        raise CorpusError(
            f"{len(folders)} instrument{'s' * (len(folders) != 1)} given, allowed are 2 to {MOST_VOICES}: timbrespace train violin=FOLDER "
            "flute=FOLDER --preset voices --out X"
        )
    places: dict[Path, str] = {}
    for name, folder in folders.items():
        if not folder.exists():
            raise CorpusError(f"{name}: {folder} does not exist")
        other = places.setdefault(folder.resolve(), name)
        if other != name:
            raise CorpusError(f"{other} and {name} are the same folder, {folder}; give each instrument its own recordings")


def read_wave(path: Path) -> Values:
    """Returns a sound file as mono `(time,)` at RATE. Raises AudioFileError."""
    from timbrespace.audio.files import read_array

    samples, rate = read_array(path)
    return at_rate(samples.mean(axis=0, dtype=np.float32), rate)


def at_rate(wave: Values, rate: int) -> Values:
    """Returns audio `(time,)` at `rate` Hz as audio at RATE."""
    from timbrespace.audio.resampling import resample_array

    return wave if rate == RATE else resample_array(wave[None], rate, RATE)[0]


def files_of(folder: Path, problems: list[tuple[Path, str]]) -> list[Path]:
    """Returns the sound files of a folder, or the file itself. problems: gets what cannot be read, with reasons."""
    from timbrespace.audio.files import find_audio

    return sorted(find_audio(folder, problems=problems)) if folder.is_dir() else [folder]


def fit_voices(
    recordings: Mapping[str, Sequence[Recording]],
    options: VoicesOptions | None = None,
    *,
    progress: Progress | None = None,
    checkpoints: Checkpoints | None = None,
) -> tuple[VoiceModel, dict[str, VoiceFacts], dict[str, Any]]:
    """Returns a trained model, facts about each instrument, and how it was trained: steps, error in dB, divergence.

    Every instrument has the same share of each batch, however long its recordings. checkpoints: states to resume from, and the number of
    steps that is planned; a resumed training gives the tensors of an unbroken one.
    """
    options, checkpoints = options or VoicesOptions(), checkpoints or Checkpoints()
    generator = torch.Generator().manual_seed(options.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        model = VoiceModel(tuple(recordings))
    data = [_Data(_joined([to_levels(one.frames) for one in several])) for several in recordings.values()]
    _fit_scale(model, data)
    steps = checkpoints.planned_steps(lambda: options.steps if options.minutes is None else _affordable(model, data, options))
    optimizer = torch.optim.Adam(model.parameters(), lr=_RATE)
    error, kl, first = 0.0, 0.0, 0
    if state := checkpoints.load():
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        generator.set_state(state["generator"])
        first, error, kl = state["step"], state["error"], state["kl"]
    for step in range(first, steps):
        for group in optimizer.param_groups:
            group["lr"] = _RATE * max(0.02, 1 - step / steps)
        losses = _losses(model, data, generator)
        optimizer.zero_grad()
        sum(losses.values()).backward()  # type: ignore[union-attr]
        optimizer.step()
        error, kl = losses["reconstruction"].detach().item() * _UNIT, losses["kl"].detach().item() / _KL
        if checkpoints.is_due():
            checkpoints.save(
                {
                    "model": model.state_dict(), "optimizer": optimizer.state_dict(), "generator": generator.get_state(), "step": step + 1,
                    "error": error, "kl": kl,
                }
            )  # fmt: skip
        if progress is not None and step % 50 == 0:
            progress("training", step / steps)
    model.eval()
    _measure_conditions(model, data)
    facts = {name: _facts(several) for name, several in recordings.items()}
    names = tuple(recordings)
    apart = separation(model, [(one.levels, one.there, one.conditions) for one in data])
    training = {"steps": steps, "seed": options.seed, "error_db": round(error, 3), "kl": round(kl, 3)}
    return model, facts, training | {"separation": [[names[one], names[other], round(share, 3)] for one, other, share in apart]}


class _Data:
    """Audible frames of one instrument: levels, cells that hold one, conditions, how much each cell counts."""

    def __init__(self, parts: tuple[Tensor, Tensor, Tensor]):
        levels, there, conditions = parts
        loudness = 20 * (conditions[:, 3] - 2)
        loud = loudness > QUIET
        self.levels, self.there, self.conditions = levels[loud], there[loud], conditions[loud]
        partials = (self.levels[:, :PARTIALS] + loudness[loud, None] + _HEARD).clamp(1.0, 60.0) / 60
        self.weights = torch.cat([partials, torch.full((len(partials), BANDS), _NOISE_WEIGHT)], dim=1) * self.there


def _joined(parts: Sequence[tuple[Tensor, Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    first, second, third = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    return first, second, third


def _fit_scale(model: VoiceModel, data: Sequence[_Data]) -> None:
    """Sets mean and deviation of each cell, over the instruments with equal shares."""
    mean, square, count = torch.zeros(CELLS), torch.zeros(CELLS), torch.zeros(CELLS)
    for one in data:
        share = one.there / len(one.there)
        mean, square, count = mean + (one.levels * share).sum(0), square + (one.levels.square() * share).sum(0), count + share.sum(0)
    mean, square = mean / count.clamp_min(1e-9), square / count.clamp_min(1e-9)
    model.mean.copy_(torch.where(count > 0, mean, torch.full_like(mean, -60.0)))
    model.scale.copy_((square - mean.square()).clamp_min(1.0).sqrt())


def _losses(model: VoiceModel, data: Sequence[_Data], generator: torch.Generator) -> dict[str, Tensor]:
    """The weighted losses of a batch: mean absolute error of the levels, and the divergence."""
    each = -(-_BATCH // len(data))
    rows = [torch.randint(len(one.levels), (each,), generator=generator) for one in data]
    levels, there, conditions, weights = (
        torch.cat([getattr(one, part)[row] for one, row in zip(data, rows, strict=True)])
        for part in ("levels", "there", "conditions", "weights")
    )
    conditions = conditions.clone()
    conditions[:, 0] += _DETUNE * torch.randn(len(conditions), generator=generator)
    conditions[:, 1] = conditions[:, 0].square()
    place = model.places.repeat_interleave(each, dim=0)
    mean, log_variance = model.encode(levels, conditions, there, place)
    z = mean + torch.randn(mean.shape, generator=generator) * (log_variance / 2).exp()
    error = ((model.decode(z, conditions, place) - levels).abs() * weights).sum(1).mean() / (_UNIT * CELLS)
    return {"reconstruction": error, "kl": _KL * divergence(mean, log_variance, *model.expect(conditions, place)).mean()}


def _affordable(model: VoiceModel, data: Sequence[_Data], options: VoicesOptions) -> int:
    """The number of steps that fit into the minutes, measured without changing the model."""
    assert options.minutes is not None
    generator, times = torch.Generator().manual_seed(options.seed), []
    for _ in range(_CALIBRATION):
        before = time.perf_counter()
        sum(_losses(model, data, generator).values()).backward()  # type: ignore[union-attr]
        times.append(time.perf_counter() - before)
    model.zero_grad(set_to_none=True)
    return max(1, int(options.minutes * 60 / (1.1 * float(np.median(times)))))


@torch.no_grad()
def _measure_conditions(model: VoiceModel, data: Sequence[_Data]) -> None:
    """Sets the range of the conditions of each instrument, without the few that are farthest out."""
    for number, one in enumerate(data):
        pitched = one.conditions[:, 2] > 0.5
        edges = np.percentile(one.conditions.numpy(), _RANGE, axis=0)
        edges[:, 0] = np.percentile(one.conditions[pitched, 0].numpy(), _RANGE)
        edges[:, 2] = (0.0, 1.0)
        model.lowest[number], model.highest[number] = torch.from_numpy(edges).to(model.lowest)


def _facts(recordings: Sequence[Recording]) -> VoiceFacts:
    pitches, levels = [], []
    for one in recordings:
        loudness = one.frames.loudness()
        sounding = one.frames.pitched & (loudness > loudness.max() - 40)
        pitches.append(69 + 12 * np.log2(one.frames.pitch[sounding] / 440))
        levels.append(loudness[sounding])
    pitch, loudness = np.concatenate(pitches), np.concatenate(levels)
    low, high = np.percentile(pitch, [1, 99])
    quantiles = tuple(round(float(value), 2) for value in np.percentile(loudness, np.linspace(0, 100, 21)))
    return VoiceFacts(
        len({one.name for one in recordings}),
        round(sum(one.seconds for one in recordings), 1),
        round(float(low), 1),
        round(float(high), 1),
        quantiles,
    )

"""`train`: from a folder of sounds, or a corpus, to an instrument file."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from traceback import clear_frames
from typing import NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor

from timbrespace.atomic import check_absent
from timbrespace.config.build import build_model, build_representation, make_config
from timbrespace.config.presets import load_preset
from timbrespace.config.schema import Config
from timbrespace.contracts import ConfigError
from timbrespace.corpus.corpus import Corpus
from timbrespace.evaluation.card import make_card
from timbrespace.model.base import Model
from timbrespace.model.codec.linear import LinearCodecVAE
from timbrespace.model.registry import MODELS
from timbrespace.parallel import Pool
from timbrespace.synthesis.instrument import Instrument
from timbrespace.training.assemble import make_instrument, training_card
from timbrespace.training.calibration import (
    CHECKS,
    FEWEST_BETWEEN,
    Cost,
    affordable_steps,
    affordable_synthesised,
    affordable_variations,
    price,
)
from timbrespace.training.collapse import activity
from timbrespace.training.data.clip_dataset import ClipDataset, encode_rows
from timbrespace.training.data.conditions import with_conditions
from timbrespace.training.data.encode import encode_clips, fit_codec, image_shape, known_facts
from timbrespace.training.data.image_store import ImageStore, cached_folder
from timbrespace.training.data.normalise import fit_normalisation
from timbrespace.training.data.pitch import clip_pitches, with_notes
from timbrespace.training.data.sounds import OnDisk, Sounds, spread
from timbrespace.training.data.source import check_same, clip_samples, open_corpus, origin_of
from timbrespace.training.data.synthesised import COPIES, concatenated, synthesised_dataset
from timbrespace.training.distributed import check_compiler, make_fabric, rank_zero_first, together
from timbrespace.training.log import Board, log_path, write_log
from timbrespace.training.loop import CHECKED, History, best_check
from timbrespace.training.schedules import settled
from timbrespace.training.stages import learn, stage_steps
from timbrespace.training.workspace import Plan, Workspace

_CLOSING_SECONDS = 30.0  # about what latents, map and card take on a thousand clips: 27 to 33 s measured
_CLOSING_SHARE = 0.2  # of the time asked for, at most
_LEARNING_SHARE = 0.1  # of the time asked for, at least


@dataclass
class Report:
    """Where a training run stands: `stage` ("prepare", "encode", "codec", "outer", "codes", "train", "finish"),
    done and total of it, figures to show."""

    stage: str
    done: int = 0
    total: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    unit: str = "dB"  # of the figures
    advice: str | None = None  # a warning, and what to do about it
    epoch: float = 0.0  # passes over all sounds so far


Watcher = Callable[[Report], None]


class StopTraining(Exception):  # noqa: N818 - a wish, not a failure
    """Raised by a watcher, or by `ready`, ends a training for good: `train` removes its working folder and hands it on."""


class TrainingContext(NamedTuple):
    """A training before its first step: the model, what it learns from and is checked on, and how."""

    model: Model
    sounds: Sounds
    validation: Sounds
    config: Config
    fabric: Fabric


def train(
    source: Path | str | Corpus,
    out: Path | str,
    *,
    preset: str | Config = "oneshot",
    minutes: float | None = None,
    epochs: float | None = None,
    changes: tuple[str, ...] = (),
    seed: int = 0,
    device: str = "auto",
    channels: int = 1,
    resume: bool = False,
    force: bool = False,
    precision: str = "32",
    devices: int = 1,
    nodes: int = 1,
    tensorboard: Path | str | None = None,
    encoded: Path | None = None,
    ready: Callable[[TrainingContext], None] = lambda ready: None,
    watch: Watcher = lambda report: None,
    finished: Callable[[Instrument, Corpus], None] = lambda instrument, corpus: None,
) -> Instrument:
    """Trains an instrument and writes it to `out` (`.safetensors`); returns it.

    source: a folder of sounds, 'synthetic:NAME', a corpus folder, or an open Corpus. preset: name, YAML path or Config; changes:
    `key=value` over it. minutes: of work in all, turned into steps by a short calibration that the run keeps, so that the schedule
    runs by steps; epochs instead: passes over all sounds and variations, the same whatever the machine is doing, so that two
    runs with one seed give one instrument. device: auto, cpu, cuda or mps. watch: called with a Report now and then.
    What every check saw is written to `X.log.jsonl` beside `X.safetensors`.

    precision: 32, 16-mixed (GPU) or bf16-mixed. devices, nodes: so many devices of each of so many machines share every batch; the
    program starts itself again for each (see docs/training.md). tensorboard: a folder for its files. encoded: a folder that keeps the
    last encoded sounds for further runs. ready: called before the first step; finished: when the instrument is written, with the corpus
    it learned from. `ready` and `watch` may raise `StopTraining`.

    A killed run is taken up by `resume` from its last checkpoint, at most seconds old, and ends with the same instrument as an
    unbroken one on the same machine.

    Raises ConfigError, CorpusError (fewer than 2 clips), OutputExistsError, TimbrespaceError.
    """
    out = Path(out)
    if out.suffix != ".safetensors":
        raise ConfigError(f"the instrument is to be written to {out.name!r}; its name must end in .safetensors")
    check_absent(out, force=force)
    if minutes is not None and epochs is not None:
        raise ConfigError(f"minutes ({minutes:g}) and epochs ({epochs:g}) are both given; give one of them")
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ConfigError(f"seed is {seed!r}, allowed is a whole number from 0 to {2**32 - 1}")
    config = _config(preset, changes, minutes=minutes, epochs=epochs)
    fabric = make_fabric(device, precision=precision, devices=devices, nodes=nodes)
    if config.training.batch % (devices * nodes):
        many = devices * nodes
        raise ConfigError(f"training.batch is {config.training.batch}; {many} devices share it, so it must be a multiple of {many}")
    if config.training.compiled:
        check_compiler(fabric)
    workspace = Workspace(out)
    check_absent(log_path(out), force=force or workspace.path.exists())  # of an interrupted run: told, or taken up, below
    with together(fabric):
        board = Board(Path(tensorboard) / out.stem) if tensorboard is not None and fabric.is_global_zero else None
        rank_zero_first(fabric, lambda: workspace.start(resume=resume, force=force))
        try:
            return _learn(
                source, out, config, fabric, workspace, channels=channels, seed=seed, force=force, encoded=encoded, board=board,
                ready=ready, watch=watch if fabric.is_global_zero else lambda report: None, finished=finished,
            )  # fmt: skip
        except StopTraining as stop:
            clear_frames(stop.__traceback__)  # which hold the encoded sounds open
            workspace.remove()
            raise
        finally:
            if board is not None:
                board.close()


def _learn(
    source: Path | str | Corpus, out: Path, config: Config, fabric: Fabric, workspace: Workspace, *, channels: int, seed: int, force: bool,
    encoded: Path | None, board: Board | None, ready: Callable[[TrainingContext], None], watch: Watcher,
    finished: Callable[[Instrument, Corpus], None],
) -> Instrument:  # fmt: skip
    resumed = workspace.has_plan()
    started = time.monotonic()
    took: dict[str, float] = {}

    def opened() -> Corpus:
        return open_corpus(
            source, workspace, channels=channels, seed=seed, progress=lambda done, total: watch(Report("prepare", done, total))
        )

    if fabric.world_size > 1:
        rank_zero_first(fabric, opened)
    corpus = opened()
    clips = corpus.indices("train")
    config = with_notes(config, [corpus.clips[i].pitch for i in clips])
    config = with_conditions(config, corpus, clips)
    representation = build_representation(config.representation, sample_rate=corpus.sample_rate, channels=corpus.channels)
    plan = (
        workspace.read_plan()
        if resumed
        else Plan(
            corpus.fingerprint,
            config.model_dump(mode="json"),
            seed,
            clip_samples(corpus, config.training.seconds),
            0,
            threads=torch.get_num_threads(),
            source=origin_of(source, channels),
            precision=str(fabric.strategy.precision.precision),
            processes=fabric.world_size,
        )
    )
    if resumed:
        check_same(plan, corpus, config, seed, workspace, fabric, origin=origin_of(source, channels))
        torch.set_num_threads(plan.threads)
    fit_normalisation(representation, corpus, samples=plan.samples, padded=MODELS[config.model["name"]].fixed_length)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = build_model(config.model, representation=representation, samples=plan.samples)
    pitches = clip_pitches(corpus, clips, model) if model.pitched else None
    took["prepare"] = time.monotonic() - started
    shape = image_shape(model, representation, plan.samples)
    encoder = ClipDataset(
        corpus, clips, representation, model, samples=plan.samples, seed=seed, augmentation=config.training.augmentation, pitches=pitches,
        **known_facts(model, corpus, clips),
    )  # fmt: skip
    # Synthesised sounds bring no pitch of their own.
    foreign = synthesised_dataset(encoder, count=0 if model.pitched else config.training.synthesised, channels=corpus.channels)
    stage = time.monotonic()

    def work() -> Plan:
        return replace(plan, variations=affordable_variations(encoder, config), synthesised=affordable_synthesised(foreign, config))

    if not resumed:
        rank_zero_first(fabric, lambda: workspace.write_plan(work()))
        plan = workspace.read_plan()
    own_rows = len(clips) * (1 + plan.variations)
    foreign = synthesised_dataset(encoder, count=plan.synthesised, channels=corpus.channels)
    joined = concatenated(encoder, own_rows, foreign)
    rows = own_rows + plan.synthesised * COPIES
    folder = workspace.path if encoded is None else cached_folder(encoded, encoder, rows=rows, fingerprint=corpus.fingerprint)

    def fill() -> None:
        images = ImageStore(folder, rows=rows, cells=math.prod(shape))
        with Pool(torch.get_num_threads()) as pool:
            images.fill(
                lambda rows: encode_rows(joined, rows, pool), progress=lambda done, total: watch(Report("encode", done, total))
            )  # fmt: skip
        encoder.keep_figures(folder, own_rows)

    rank_zero_first(fabric, fill)
    if not fabric.is_global_zero:
        encoder.keep_figures(folder, own_rows)  # as the first has stored them
    store = ImageStore(folder, rows=rows, cells=math.prod(shape))
    took["encode"] = time.monotonic() - stage
    stage = time.monotonic()
    watch(Report("codec"))
    if isinstance(model, LinearCodecVAE) and fabric.world_size > 1:
        rank_zero_first(fabric, lambda: fit_codec(model, store, workspace, encoder, seed=seed))
    sounds = (
        fit_codec(model, store, workspace, encoder, seed=seed)
        if isinstance(model, LinearCodecVAE)
        else OnDisk(store, shape, _all_facts(encoder, own_rows, rows))
    )
    held = corpus.indices("validation") or clips
    validation = encode_clips(model, corpus, held, representation, samples=plan.samples, shape=shape)
    if config.training.start == "corpus" and not isinstance(model, LinearCodecVAE):  # which begins by its codec
        model.initialise(spread(sounds))
    took["codec"] = time.monotonic() - stage
    ready(TrainingContext(model, sounds, validation, config, fabric))

    stage = time.monotonic()
    if not plan.steps:
        timed = config.training.epochs is None
        (steps, every), (inner, inner_every) = stage_steps(
            model, sounds, validation, own=len(clips),
            price=lambda model, sounds, held: price(model, sounds, held, config, fabric, seed=seed) if timed else None,
            stint=lambda cost, **more: _stint(
                cost, config=config, images=len(sounds), looked=min(CHECKED, len(clips)) + len(validation), started=started, **more
            ),
        )  # fmt: skip
        counted = replace(plan, steps=steps, check_every=every, inner_steps=inner, inner_check_every=inner_every)
        rank_zero_first(fabric, lambda: workspace.write_plan(counted))
        plan = workspace.read_plan()

    def told(name: str, step: int, steps: int, seen: History) -> None:
        if not seen.step:
            return watch(Report(name, step, steps))
        if fabric.is_global_zero:
            write_log(log_path(out), seen, epochs_a_step=config.training.batch / len(sounds))
            if board is not None:
                board.check(seen)
        figures = {"train": seen.train[-1], "validation": seen.validation[-1]}
        unit = "%" if name == "train" and plan.inner_steps else model.unit
        watch(Report(name, step, steps, figures, unit=unit, epoch=step * config.training.batch / len(sounds)))

    history, more = learn(
        model, sounds, own=len(clips), validation=validation, settings=config.training, plan=plan,
        fabric=fabric, workspace=workspace, progress=told,
    )  # fmt: skip
    took["train"] = time.monotonic() - stage
    stage = time.monotonic()
    used = activity(model.cpu().eval(), sounds, own=len(clips))
    best = best_check(history, first=settled(config.training.kl, steps=plan.steps))
    reached = {name: more.get(f"{name}_error", getattr(history, name)[best]) for name in ("train", "validation")}
    watch(Report("finish", figures=reached, unit=model.unit, advice=used.advice()))
    if not fabric.is_global_zero:
        store.close()
        rank_zero_first(fabric, lambda: None)
        return Instrument.load(out)
    instrument = make_instrument(model, corpus, config, representation, samples=plan.samples, sounds=sounds, seed=seed)
    card = make_card(
        instrument,
        corpus,
        training=training_card(config, plan, history, sounds=sounds, clips=len(clips), device=_devices(fabric), unit=model.unit, took=took)
        | more
        | used.card(),
        seed=seed,
    )
    took["finish"] = time.monotonic() - stage
    card["training"]["seconds"] = {name: round(value, 1) for name, value in took.items()}
    instrument = Instrument(replace(instrument.contents, card=card))
    instrument.save(out, force=force)
    finished(instrument, corpus)
    if board is not None:
        board.sounds(instrument, [corpus.audio(i) for i in held[:4]], step=history.step[-1])
    store.close()
    workspace.remove()
    rank_zero_first(fabric, lambda: None)
    return instrument


def _config(preset: str | Config, changes: tuple[str, ...], *, minutes: float | None, epochs: float | None) -> Config:
    """The settings of this run; what is given by name counts over the preset, also over one given as Config."""
    if not isinstance(preset, Config):
        return load_preset(preset, changes=changes, minutes=minutes, epochs=epochs)
    if changes:
        raise ConfigError(f"changes ({', '.join(changes)}) go with a preset's name; change the Config itself with make_config")
    given: dict[str, float | None] = {"epochs": None} if minutes is not None else {}
    given |= {name: value for name, value in (("minutes", minutes), ("epochs", epochs)) if value is not None}
    return make_config(preset.model_dump() | {"training": preset.training.model_dump() | given})


def _all_facts(encoder: ClipDataset, own: int, rows: int) -> Tensor | None:
    """Facts of all rows `(rows, conditions)`: of the first `own` as the encoder knows them, of synthesised sounds none."""
    facts = encoder.row_facts(own)
    return None if facts is None else torch.cat([facts, torch.full((rows - own, facts.shape[1]), math.nan)])


def _devices(fabric: Fabric) -> str:
    """For the card: "cpu", "cuda:0", "cuda:0 × 4, bf16-mixed"."""
    many = f" × {fabric.world_size}" if fabric.world_size > 1 else ""
    precision = fabric.strategy.precision.precision
    return f"{fabric.device}{many}" + (f", {precision}" if precision != "32-true" else "")


def _stint(
    cost: Cost | None, *, config: Config, images: int, looked: int, started: float, share: float, after: float = 0.0
) -> tuple[int, int]:
    """Optimiser steps and steps between checks: by epochs, or what fits into the minutes that are left.

    cost: None counts epochs of so many images. looked: sounds that a check looks at. started: by `time.monotonic`; share: of what is
    left; after: seconds of work on every sound that comes when all is learned.
    """
    settings = config.training
    if cost is None:
        assert settings.epochs is not None
        steps = max(1, round(share * settings.epochs * images / settings.batch))
        return steps, max(FEWEST_BETWEEN, steps // CHECKS)
    seconds = settings.minutes * 60
    spent = time.monotonic() - started  # the calibration included
    left = max(seconds * _LEARNING_SHARE, seconds - spent - after - min(_CLOSING_SECONDS, seconds * _CLOSING_SHARE))
    return affordable_steps(cost, share * left, looked=looked)

"""`train`: from a folder of sounds, or a corpus, to an instrument file."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from lightning_fabric import Fabric

from timbrespace.audio.atomic import check_absent
from timbrespace.config import Config, build_model, build_representation, load_preset, make_config
from timbrespace.contracts import ConfigError, CorpusError
from timbrespace.corpus.corpus import Corpus, is_corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.corpus.sources import SYNTHETIC_PREFIX
from timbrespace.evaluation.card import make_card
from timbrespace.model.base import Model
from timbrespace.model.oneshot import OneShot
from timbrespace.parallel import Pool
from timbrespace.representation.base import Representation
from timbrespace.synthesis.instrument import Instrument
from timbrespace.training.assemble import make_instrument, training_card
from timbrespace.training.calibration import affordable_variations, seconds_a_step
from timbrespace.training.codec import principal_components
from timbrespace.training.data import InMemory, OnDisk
from timbrespace.training.images import Encoder, ImageStore
from timbrespace.training.loop import Sounds, run
from timbrespace.training.normalise import fit_normalisation
from timbrespace.training.workspace import Plan, Workspace

FEWEST_CLIPS = 2
_CHECKS = 60  # looks at the validation clips in a whole run
_CLOSING_SECONDS = 30.0  # about what latents, map and card take on a thousand clips: 27 to 33 s measured
_CLOSING_SHARE = 0.2  # of the time asked for, at most
_FEWEST_STEPS = 50


@dataclass
class Report:
    """Where a training run stands: `stage` ("prepare", "encode", "codec", "train", "finish"), done and total of it, figures to show."""

    stage: str
    done: int = 0
    total: int = 0
    figures: dict[str, float] = field(default_factory=dict)


Watcher = Callable[[Report], None]


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
    watch: Watcher = lambda report: None,
) -> Instrument:
    """Trains an instrument and writes it to `out` (`.safetensors`); returns it.

    source: a folder of sounds, 'synthetic:NAME', a corpus folder, or an open Corpus. preset: name, YAML path or Config; changes:
    `key=value` over it. minutes: of work in all, turned into steps by a short calibration that the run keeps, so that the schedule
    runs by steps; epochs instead: passes over all sounds and variations, the same whatever the machine is doing, so that two
    runs with one seed give one instrument. device: auto, cpu, cuda or mps. watch: called with a Report now and then.

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
    fabric = Fabric(accelerator=check_device(device), devices=1)
    workspace = Workspace(out)
    resumed = workspace.start(resume=resume, force=force)
    started = time.monotonic()
    took: dict[str, float] = {}

    corpus = _corpus(source, workspace, channels=channels, seed=seed, watch=watch)
    took["prepare"] = time.monotonic() - started
    representation = build_representation(config.representation, sample_rate=corpus.sample_rate, channels=corpus.channels)
    plan = (
        workspace.read_plan()
        if resumed
        else Plan(
            corpus.fingerprint,
            config.model_dump(),
            seed,
            _samples(corpus),
            0,
            threads=torch.get_num_threads(),
            source=_origin(source, channels),
        )
    )
    if resumed:
        _check_same(plan, corpus, config, seed, workspace, origin=_origin(source, channels))
        torch.set_num_threads(plan.threads)
    clips = corpus.indices("train")
    fit_normalisation(representation, corpus, samples=plan.samples)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = build_model(config.model, representation=representation, samples=plan.samples)
    shape = _image_shape(model, representation, plan.samples)
    encoder = Encoder(corpus, clips, representation, model, samples=plan.samples, seed=seed, augmentation=config.training.augmentation)
    stage = time.monotonic()
    if not resumed:
        variations = affordable_variations(encoder, config)
        plan = replace(plan, variations=variations)
        workspace.write_plan(plan)
    store = ImageStore(workspace.path, rows=len(clips) * (1 + plan.variations), cells=math.prod(shape))
    store.fill(encoder, workers=torch.get_num_threads(), progress=lambda done, total: watch(Report("encode", done, total)))
    took["encode"] = time.monotonic() - stage
    stage = time.monotonic()
    watch(Report("codec"))
    sounds = _codec(model, store, workspace, seed=seed) if isinstance(model, OneShot) else OnDisk(store, shape)
    held = corpus.indices("validation") or clips
    validation = _encode(model, corpus, held, representation, samples=plan.samples, shape=shape)
    took["codec"] = time.monotonic() - stage

    stage = time.monotonic()
    if not plan.steps:
        spent = time.monotonic() - started
        steps = _steps(model, sounds, validation, config, fabric, seed=seed, spent=spent)
        plan = replace(plan, steps=steps, check_every=max(10, steps // _CHECKS))
        workspace.write_plan(plan)
    history = run(
        model, sounds, own=len(clips), validation=validation, settings=config.training, steps=plan.steps, check_every=plan.check_every,
        seed=seed, fabric=fabric, checkpoints=workspace,
        progress=lambda step, steps, seen: watch(
            Report("train", step, steps, {"train": seen.train[-1], "validation": seen.validation[-1]})
        ),
    )  # fmt: skip
    took["train"] = time.monotonic() - stage
    stage = time.monotonic()
    watch(Report("finish"))
    instrument = make_instrument(model.cpu().eval(), corpus, config, representation, samples=plan.samples, sounds=sounds, seed=seed)
    card = make_card(
        instrument,
        corpus,
        training=training_card(
            config, plan, history, sounds=sounds, clips=len(clips), device=str(fabric.device), unit=model.unit, took=took
        ),
        seed=seed,
    )
    took["finish"] = time.monotonic() - stage
    card["training"]["seconds"] = {name: round(value, 1) for name, value in took.items()}
    instrument = Instrument(replace(instrument.contents, card=card))
    instrument.save(out, force=force)
    store.close()
    workspace.remove()
    return instrument


def _config(preset: str | Config, changes: tuple[str, ...], *, minutes: float | None, epochs: float | None) -> Config:
    """The settings of this run; what is given by name counts over the preset, also over one given as Config."""
    if not isinstance(preset, Config):
        return load_preset(preset, changes=changes, minutes=minutes, epochs=epochs)
    if changes:
        raise ConfigError(f"changes ({', '.join(changes)}) go with a preset's name; change the Config itself with make_config")
    given = {name: value for name, value in (("minutes", minutes), ("epochs", epochs)) if value is not None}
    return make_config(preset.model_dump() | {"training": preset.training.model_dump() | given})


def check_device(device: str) -> str:
    """The accelerator that `device` (auto, cpu, cuda, mps) means here. Raises ConfigError when it is not there."""
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if present[name])
    if device not in present:
        raise ConfigError(f"device is {device!r}, allowed are auto, {', '.join(present)}")
    if not present[device]:
        raise ConfigError(f"device {device} is not there; this machine has {', '.join(name for name, there in present.items() if there)}")
    return device


def _corpus(source: Path | str | Corpus, workspace: Workspace, *, channels: int, seed: int, watch: Watcher) -> Corpus:
    if isinstance(source, Corpus):
        corpus = source
    elif is_corpus(source):
        corpus = Corpus.open(source)
    else:
        place = workspace.path / "corpus"
        if not is_corpus(place):
            prepare(source, place, channels=channels, seed=seed, progress=lambda done, total: watch(Report("prepare", done, total)))
        corpus = Corpus.open(place)
    if len(corpus) < FEWEST_CLIPS:
        raise CorpusError(
            f"{len(corpus)} clip is too few to learn from, {FEWEST_CLIPS} are the least; 50 or more give an instrument worth playing"
        )
    return corpus


def _samples(corpus: Corpus) -> int:
    """The longest clip that the model takes: the corpus's clip length, less where every clip is shorter."""
    longest = max(corpus.samples(i) for i in range(len(corpus)))
    return max(4_096, min(longest, round(corpus.clip_seconds * corpus.sample_rate)))


def _origin(source: Path | str | Corpus, channels: int) -> str | None:
    """What a corpus inside the workspace is made from; None where the corpus stands elsewhere and its fingerprint says it all."""
    if isinstance(source, Corpus) or is_corpus(source):
        return None
    place = str(source) if str(source).startswith(SYNTHETIC_PREFIX) else str(Path(source).resolve())
    return f"{place}, {channels} channel(s)"


def _check_same(plan: Plan, corpus: Corpus, config: Config, seed: int, workspace: Workspace, *, origin: str | None) -> None:
    for what, given, stored in (
        ("source", origin, plan.source),
        ("corpus", corpus.fingerprint, plan.fingerprint),
        ("settings", config.model_dump(), plan.config),
        ("seed", seed, plan.seed),
    ):
        if given != stored:
            raise ConfigError(
                f"the {what} of the run in {workspace.path} differ from what is given now; resume with the same, or begin anew with --force"
            )


def _codec(model: OneShot, store: ImageStore, workspace: Workspace, *, seed: int) -> InMemory:
    """Fits the closed-form codec, or takes the stored one, and gives all images as coefficients."""
    state = workspace.load("codec.pt")
    if state is None:
        mean, basis, scale = principal_components(store.batches, rows=store.rows, count=model.coefficients, seed=seed)
        log_lengths = torch.log2(store.lengths.float())
        lengths = torch.stack([log_lengths.mean(), log_lengths.std(correction=0).clamp_min(0.05)])
        basis = basis.half().float()  # as the instrument file keeps it
        # Directions that few sounds never showed get a small deviation: whitening must not divide by zero.
        state = {"mean": mean, "basis": basis, "scale": scale.clamp_min(float(scale[0].clamp_min(1e-3)) * 1e-3), "lengths": lengths}
        workspace.save("codec.pt", state)
    model.set_codec(state["mean"], state["basis"], state["scale"], state["lengths"])
    return InMemory(torch.cat([model.project(batch) for batch in store.batches()]), store.lengths)


def _encode(
    model: Model, corpus: Corpus, clips: list[int], representation: Representation, *, samples: int, shape: tuple[int, ...]
) -> InMemory:
    """Clips as they are, in the form that the model learns from."""
    encoder = Encoder(corpus, clips, representation, model, samples=samples, seed=0)
    with Pool(torch.get_num_threads()) as pool:
        parts = [encoder.images(list(range(start, min(start + 256, len(clips)))), pool) for start in range(0, len(clips), 256)]
    values = [model.project(images) if isinstance(model, OneShot) else images.unflatten(1, shape) for images, _ in parts]
    return InMemory(torch.cat(values), torch.cat([length for _, length in parts]))


def _image_shape(model: Model, representation: Representation, samples: int) -> tuple[int, ...]:
    """Of one sound, as the model wants it stored."""
    silence = torch.zeros(1, representation.channels, samples)
    return tuple(model.images(representation.encode(silence)).shape[1:])


def _steps(model: Model, sounds: Sounds, validation: Sounds, config: Config, fabric: Fabric, *, seed: int, spent: float) -> int:
    """Optimiser steps: by epochs, or what fits into the minutes that are left. spent: seconds gone already."""
    settings = config.training
    if settings.epochs is not None:
        return max(1, round(settings.epochs * len(sounds) / settings.batch))
    seconds = settings.minutes * 60
    left = max(seconds * 0.1, seconds - spent - min(_CLOSING_SECONDS, seconds * _CLOSING_SHARE))
    return max(_FEWEST_STEPS, int(left / seconds_a_step(model, sounds, validation, config, fabric, seed=seed)))

"""One training from sounds to an instrument: prepare, encode, fit, finish."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor

from timbrespace.config.build import build_model, build_representation
from timbrespace.config.schema import Config, Training
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepared.origin import make_origin
from timbrespace.corpus.prepared.weights import counted_clips, weights_of
from timbrespace.evaluation.card import make_card
from timbrespace.instrument import Instrument
from timbrespace.model.base import Model
from timbrespace.parallel import Pool
from timbrespace.training.assemble import make_instrument, training_card
from timbrespace.training.calibration import (
    Cost,
    StepBudget,
    affordable_synthesised,
    affordable_variations,
    measure_cost,
    measure_evaluation,
)
from timbrespace.training.callbacks import Progress, TrainingCallbacks, TrainingContext
from timbrespace.training.collapse import activity
from timbrespace.training.continuation.start import Start
from timbrespace.training.continuation.union import open_union
from timbrespace.training.data.clip_dataset import ClipDataset, encode_rows
from timbrespace.training.data.codes import CodeSets, WithCodes
from timbrespace.training.data.conditions import resolved
from timbrespace.training.data.encode import encode_clips, image_shape, learned_sounds, row_conditions, row_kinds
from timbrespace.training.data.image_store import ImageStore, cached_folder
from timbrespace.training.data.normalise import fit_normalisation
from timbrespace.training.data.outer import TrainedOuter
from timbrespace.training.data.prepared import Prepared
from timbrespace.training.data.sounds import Sounds, initial_batch
from timbrespace.training.data.source import check_outer, check_same, clip_samples, open_corpus, origin_of, unused_files, with_stored_length
from timbrespace.training.data.synthesised import COPIES, concatenated, synthesised_dataset
from timbrespace.training.distributed import device_text, rank_zero_first, rank_zero_only
from timbrespace.training.history import History, best_check
from timbrespace.training.log import TensorBoard, log_path, write_log
from timbrespace.training.loop import CHECKED_CLIPS
from timbrespace.training.losses import settled_step
from timbrespace.training.options import TrainOptions
from timbrespace.training.sample import CARD_CLIPS, sample_clips
from timbrespace.training.stages import FittedStages, begin_inner, fit_stages, stage_steps, trained_card
from timbrespace.training.workspace import Plan, StateFolder, Workspace


@dataclass(frozen=True)
class Encoded:
    """Training clips, variations and synthesised sounds: the dataset that encodes them, and the store with all its `rows` encoded.

    folder: of the store. clip_rows: number of clips and variations; the rows of synthesised sounds follow them.
    """

    dataset: ClipDataset
    store: ImageStore
    folder: Path
    clip_rows: int
    plan: Plan


@dataclass(frozen=True)
class Sets:
    """The sounds that the model learns from, with their weights, and those that it is checked on: the clips `validation_clips`.

    codes: of both, where the outer model was trained before.
    """

    sounds: Sounds
    validation: Sounds
    validation_clips: list[int]
    weights: Tensor | None = None
    codes: CodeSets | None = None


@dataclass(frozen=True)
class Fitted:
    """The result of the fit, and the plan with the number of steps."""

    result: FittedStages
    plan: Plan


class TrainingRun:
    """One training from sounds to an instrument. Start reading at `run`; every step takes the results of earlier steps."""

    def __init__(
        self, source: Path | str | Corpus, out: Path, options: TrainOptions, config: Config, fabric: Fabric, workspace: Workspace,
        callbacks: TrainingCallbacks, tensorboard: TensorBoard | None = None, start: Start | None = None,
    ):  # fmt: skip
        self.source, self.out, self.options, self.config, self.fabric = source, out, options, config, fabric
        self.workspace, self.callbacks, self.tensorboard, self.start = workspace, callbacks, tensorboard, start
        assert not isinstance(options.outer, (str, Path)), "`train` reads the file"
        self.outer: TrainedOuter | None = options.outer
        self.resumed = workspace.has_plan()
        self.started, self.seconds = time.monotonic(), dict[str, float]()  # seconds of each step, for the card

    def run(self) -> Instrument:
        """The trained instrument, also written to `out`."""
        with self._timed("prepare"):
            prepared = self.prepare()
        with self._timed("encode"):
            encoded = self.encode(prepared)
        with self._timed("codec"):  # the card's word for this step, with or without a codec
            sets = self.initialise(prepared, encoded)
        with self._timed("train"):
            fitted = self.fit(prepared, encoded, sets)
        instrument = self.finish(prepared, sets, fitted)
        encoded.store.close()
        if sets.codes is not None:
            sets.codes.store.close()
        if self.fabric.is_global_zero:
            self.workspace.remove()
        return instrument

    def prepare(self) -> Prepared:
        """Opens or makes the corpus, resolves the settings with it, fits the representation and builds the model."""
        corpus = rank_zero_first(self.fabric, self._open_corpus)
        clips = corpus.indices("train")
        config = resolved(self.config, corpus, clips)
        if self.outer is None:
            representation = build_representation(config.representation, sample_rate=corpus.sample_rate, channels=corpus.channels)
        else:
            check_outer(self.outer, corpus, config)
            representation = self.outer.representation
        if self.resumed and self.options.minutes is None and self.options.epochs is None:
            config = with_stored_length(config, self.workspace.read_plan())
        plan = self._first_plan(corpus, config)
        with torch.random.fork_rng():
            torch.manual_seed(plan.seed)
            model = build_model(config.model, representation=representation, samples=plan.samples)
        if self.start is not None:
            model.load_state_dict(self.start.instrument.model.state_dict())
        weights = weights_of(corpus.clips, limit=config.training.file_limit)
        if self.outer is None:
            fit_normalisation(representation, corpus, model, clips=counted_clips(clips, [clip.file for clip in corpus.clips], weights))
        else:
            model.use_outer(self.outer.model)
        stored_shape = image_shape(model, representation, plan.samples)
        return Prepared(corpus, clips, weights, config, representation, model, stored_shape, plan)

    def encode(self, prepared: Prepared) -> Encoded:
        """Encodes the training clips, their variations and synthesised sounds; the plan now says how many."""
        corpus, model, plan, settings = prepared.corpus, prepared.model, prepared.plan, prepared.config.training
        clips = ClipDataset(
            corpus, prepared.clips, prepared.representation, model, samples=plan.samples, seed=plan.seed,
            augmentation=settings.augmentation, conditions=model.conditioning.of_clips(corpus, prepared.clips),
        )  # fmt: skip
        if not self.resumed:
            plan = self._stored(lambda: self._with_counts(prepared.plan, clips, settings, channels=corpus.channels))
        clip_rows = len(prepared.clips) * (1 + plan.variations)
        dataset = concatenated(clips, clip_rows, synthesised_dataset(clips, count=plan.synthesised, channels=corpus.channels))
        rows, folder = clip_rows + plan.synthesised * COPIES, self.workspace.path
        if self.options.encoded is not None:
            folder = cached_folder(self.options.encoded, clips, rows=rows, fingerprint=corpus.fingerprint)

        def filled() -> ImageStore:
            store = ImageStore(folder, rows=rows, cells=math.prod(prepared.stored_shape))
            with Pool(torch.get_num_threads()) as pool:
                store.fill(lambda some: encode_rows(dataset, some, pool), progress=self._progress("encode"))
            clips.keep_measured(folder, clip_rows)
            return store

        return Encoded(clips, rank_zero_first(self.fabric, filled), folder, clip_rows, plan)

    def initialise(self, prepared: Prepared, encoded: Encoded) -> Sets:
        """Fits the linear codec of a model that has one, encodes the validation clips, and initialises the weights."""
        model, corpus, store = prepared.model, prepared.corpus, encoded.store
        has_codec = type(model).fit_codec is not Model.fit_codec
        self._progress("codec" if has_codec else "weights")(0, 0)
        conditions, seed = row_conditions(encoded.dataset, encoded.clip_rows, store.rows), encoded.plan.seed
        continued = self.start is not None  # then codec and weights are those of the instrument
        weights, counted = prepared.row_weights(encoded.clip_rows, store.rows), prepared.counted_examples(encoded.clip_rows, store.rows)
        kinds = row_kinds([corpus.clips[clip].category for clip in prepared.clips], encoded.clip_rows, store.rows)
        sounds = rank_zero_first(
            self.fabric,
            lambda: learned_sounds(
                model, store, self.workspace, conditions=conditions, kinds=kinds, seed=seed, counted=counted, fitted=continued
            ),
        )
        validation_clips = prepared.counted(corpus.indices("validation") or prepared.clips)
        samples = encoded.plan.samples
        validation = encode_clips(model, corpus, validation_clips, prepared.representation, samples=samples, folder=self.workspace.path)
        if prepared.config.training.initialisation == "pca" and not continued:
            model.initialise(initial_batch(sounds, weights))
        if self.outer is None:
            return Sets(sounds, validation, validation_clips, weights)
        return self._with_codes(prepared, encoded, Sets(sounds, validation, validation_clips, weights))

    def _with_codes(self, prepared: Prepared, encoded: Encoded, sets: Sets) -> Sets:
        """The sets with the codes of the outer model; a search makes these once for all trials, and no trial encodes a sound again."""
        assert self.outer is not None
        folder, searching = StateFolder(encoded.folder / f"codes-{self.outer.checksum}"), self.options.encoded is not None
        if searching:
            folder.path.mkdir(exist_ok=True)
        codes = begin_inner(
            prepared.model, sets.sounds, sets.validation, settings=prepared.config.training, fabric=self.fabric,
            folder=folder if searching else self.workspace, keep=searching, progress=self._progress("codes"),
            weights=sets.weights,
        )  # fmt: skip
        if searching:
            sets = replace(sets, sounds=WithCodes(sets.sounds, codes.learned), validation=WithCodes(sets.validation, codes.validation))
        return replace(sets, codes=codes)

    def fit(self, prepared: Prepared, encoded: Encoded, sets: Sets) -> Fitted:
        """Decides on the number of steps, unless the plan has it, and trains the model in place."""
        model, settings = prepared.model, prepared.config.training
        learner = None if sets.codes is None else (model.stages()[-1].model, sets.codes.learned)
        skipped = prepared.corpus.skipped()
        self.callbacks.on_start(TrainingContext(model, sets.sounds, sets.validation, prepared.config, self.fabric, skipped, learner))
        plan = encoded.plan
        if not plan.steps:
            with_steps = self._with_steps(prepared, plan, sets)  # in all processes: they train together to measure the cost
            plan = self._stored(lambda: with_steps)
        epochs_per_step = settings.batch / len(sets.sounds)

        def on_check(stage: str, step: int, steps: int, history: History) -> None:
            if not history.step:
                return self.callbacks.on_progress(Progress(stage, step, steps))
            if self.fabric.is_global_zero:
                write_log(log_path(self.out), history, epochs_per_step=epochs_per_step)
                if self.tensorboard is not None:
                    self.tensorboard.add_check(history)
            metrics = {"train": history.train[-1], "validation": history.validation[-1]}
            unit = model.stages()[-1].model.unit if stage == "train" else model.unit
            self.callbacks.on_progress(Progress(stage, step, steps, metrics, unit=unit, epoch=step * epochs_per_step))

        result = fit_stages(
            model, sets.sounds, categories=prepared.categories, validation=sets.validation, settings=settings, plan=plan,
            fabric=self.fabric, workspace=self.workspace, on_check=on_check, codes=sets.codes, counted=prepared.counted_rows,
            weights=sets.weights, initialised=self.start is not None,
        )  # fmt: skip
        return Fitted(result, plan)

    def finish(self, prepared: Prepared, sets: Sets, fitted: Fitted) -> Instrument:
        """Assembles the instrument with its map and card, and writes it; processes other than the first load it."""
        model, plan, started = prepared.model, fitted.plan, time.monotonic()
        (history, stages, learned), clip_count = fitted.result, len(prepared.clips)
        checked = sample_clips(prepared.categories, CARD_CLIPS, seed=plan.seed, counted=prepared.counted_rows)
        latent_use = activity(model.cpu().eval(), sets.sounds, checked=checked)
        best = best_check(history, first=settled_step(prepared.config.training.kl, steps=plan.steps))
        errors = {name: stages.get(f"{name}_error", getattr(history, name)[best]) for name in ("train", "validation")}
        self.callbacks.on_progress(Progress("finish", metrics=errors, unit=model.unit, advice=latent_use.advice(), learned=learned))

        def write() -> None:
            instrument = make_instrument(
                model, prepared.corpus, prepared.config, prepared.representation, samples=plan.samples, sounds=sets.sounds, seed=plan.seed,
                origin=make_origin([self.source, *prepared.corpus.head.get("continued", {}).get("places", ())], prepared.corpus, self.out),
            )  # fmt: skip
            training = training_card(
                prepared.config, plan, history, sounds=sets.sounds, clip_count=clip_count, device=device_text(self.fabric), unit=model.unit
            )
            if self.outer is not None:
                before = trained_card(model, sets.sounds, sets.validation, checked=checked, device=torch.device("cpu"))
                stages["stages"] = {name: {"file": self.outer.name} | part for name, part in before.items()} | stages["stages"]
            card = make_card(
                instrument, prepared.corpus, training=training | stages | latent_use.card(), seed=plan.seed,
                file_limit=prepared.config.training.file_limit,
            )  # fmt: skip
            self.seconds["finish"] = time.monotonic() - started
            card["training"]["seconds"] = {name: round(value, 1) for name, value in self.seconds.items()}
            instrument = Instrument(replace(instrument.contents, card=card))
            instrument.save(self.out, force=self.options.force)
            self.callbacks.on_finish(instrument, prepared.corpus)
            if self.tensorboard is not None:
                self.tensorboard.add_sounds(
                    instrument, [prepared.corpus.audio(i) for i in sets.validation_clips[:4]], step=history.step[-1]
                )

        rank_zero_only(self.fabric, write)
        return Instrument.load(self.out)  # so that sounds come from the file, by the same engine

    def _open_corpus(self) -> Corpus:
        """The corpus that the source is, or the one made from it in the working folder."""
        progress, options = self._progress("prepare"), self.options
        if self.start is None:
            corpus = open_corpus(self.source, self.workspace, options, progress=progress)
        else:
            corpus, taken = open_union(self.source, self.workspace.path / "corpus", self.start, options, progress=progress)
            self.callbacks.on_progress(Progress("prepare", note=taken.text(self.start), advice=taken.advice(self.start)))
        unused = unused_files(self.source, corpus) if self.resumed else []
        if unused:
            files = f"{len(unused)} new file{'s' if len(unused) > 1 else ''} in {self.source} since this run began ({unused[0]}"
            advice = f"{files}{', …' if len(unused) > 1 else ''}): not used; when it has ended, add them with --from {self.out}"
            self.callbacks.on_progress(Progress("prepare", advice=advice))
        return corpus

    def _first_plan(self, corpus: Corpus, config: Config) -> Plan:
        """A new plan without counts; or the stored one of a resumed run. Raises ConfigError if that is another run."""
        origin = origin_of(self.source, self.options.channels)
        continues = None if self.start is None else self.start.digest
        if self.resumed:
            plan = self.workspace.read_plan()
            checksum = None if self.outer is None else self.outer.checksum
            check_same(
                plan, corpus, config, self.options.seed, self.workspace, self.fabric, origin=origin, outer=checksum, continues=continues
            )  # fmt: skip
            torch.set_num_threads(plan.threads)
            return plan
        return Plan(
            fingerprint=corpus.fingerprint,
            config=config.model_dump(mode="json"),
            seed=self.options.seed,
            samples=self._samples(corpus, config),
            variations=0,
            threads=torch.get_num_threads(),
            source=origin,
            precision=str(self.fabric.strategy.precision.precision),
            processes=self.fabric.world_size,
            outer=None if self.outer is None else self.outer.checksum,
            continues=continues,
        )

    def _samples(self, corpus: Corpus, config: Config) -> int:
        """The length in samples to which clips are cut: that of an instrument or outer model that was trained before."""
        if self.start is not None:
            return self.start.instrument.contents.samples
        return clip_samples(corpus, config.training.seconds) if self.outer is None else self.outer.samples

    def _with_counts(self, plan: Plan, clips: ClipDataset, settings: Training, *, channels: int) -> Plan:
        """The plan with the number of variations and of synthesised sounds; none of these for a model of notes, as they have no pitch."""
        wanted = 0 if clips.model.conditioning.required else settings.synthesised
        synthesised = synthesised_dataset(clips, count=wanted, channels=channels)
        return replace(
            plan, variations=affordable_variations(clips, settings), synthesised=affordable_synthesised(synthesised, settings)
        )  # fmt: skip

    def _with_steps(self, prepared: Prepared, plan: Plan, sets: Sets) -> Plan:
        """The plan with the number of steps of each stage."""
        settings, clip_count = prepared.config.training, len(prepared.clips)

        def cost(model: Model, sounds: Sounds, validation: Sounds) -> Cost | None:
            if settings.epochs is not None:
                return None
            return measure_cost(model, sounds, validation, settings, self.fabric, seed=plan.seed)

        def evaluation(model: Model, sounds: Sounds) -> float:
            return measure_evaluation(model, sounds, settings, self.fabric)

        def budget() -> StepBudget:
            checked = min(CHECKED_CLIPS, clip_count) + len(sets.validation)
            shared = ("encode", *(["codec"] if sets.codes is not None else [])) if self.options.encoded is not None else ()
            # In a search the first trial encodes for all: if that counted, it would learn less than the others.
            elapsed = time.monotonic() - self.started - sum(self.seconds[step] for step in shared)
            return StepBudget(settings, images=len(sets.sounds), checked=checked, elapsed=elapsed)

        (steps, every), (inner, inner_every) = stage_steps(
            prepared.model, sets.sounds, sets.validation, clip_count=clip_count, measure=cost, evaluation=evaluation, budget=budget
        )
        return replace(plan, steps=steps, check_every=every, inner_steps=inner, inner_check_every=inner_every)

    def _stored(self, make: Callable[[], Plan]) -> Plan:
        """The plan that the first process makes and stores in the working folder; the others read it there."""
        rank_zero_only(self.fabric, lambda: self.workspace.write_plan(make()))
        return self.workspace.read_plan()

    def _progress(self, stage: str) -> Callable[[int, int], None]:
        """A function of done and total that reports the progress of a stage."""
        return lambda done, total: self.callbacks.on_progress(Progress(stage, done, total))

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        """Measures the seconds of a step for the card."""
        started = time.monotonic()
        yield
        self.seconds[step] = time.monotonic() - started

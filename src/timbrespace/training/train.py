"""`train`: from a folder of sounds, or a corpus, to an instrument file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from traceback import clear_frames
from typing import Any

from timbrespace.atomic import check_absent
from timbrespace.contracts import ConfigError, OutputExistsError
from timbrespace.corpus.corpus import Corpus
from timbrespace.instrument import Instrument
from timbrespace.training.callbacks import StopTraining, TrainingCallbacks
from timbrespace.training.continuation.start import Start
from timbrespace.training.data.source import check_labels, check_source
from timbrespace.training.distributed import check_batch, check_compiler, launch, make_fabric, rank_zero_only
from timbrespace.training.log import TensorBoard, log_path
from timbrespace.training.options import TrainOptions
from timbrespace.training.run import TrainingRun
from timbrespace.training.workspace import Workspace


def train(
    source: Path | str | Corpus,
    out: Path | str,
    options: TrainOptions | None = None,
    *,
    callbacks: TrainingCallbacks | None = None,
    **keywords: Any,
) -> Instrument:
    """The instrument trained on `source`, also written to `out`.

    source: a folder of sounds, 'synthetic:NAME', a corpus folder, or an open Corpus. out: a path that ends in .safetensors; the metrics
    of every check are written to `X.log.jsonl` beside `X.safetensors`. options: see `TrainOptions`; keywords are fields of it and
    override it: `train("snares", "snares.safetensors", minutes=3)`. callbacks: see `TrainingCallbacks`.

    Raises ConfigError, CorpusError (fewer than 2 clips), OutputExistsError, TimbrespaceError; TypeError for an unknown keyword.
    """
    options = replace(options or TrainOptions(), **keywords)
    callbacks = callbacks or TrainingCallbacks()
    out = Path(out)
    if out.suffix != ".safetensors":
        raise ConfigError(f"the instrument's file is {out.name!r}; its name must end in .safetensors")
    check_absent(out, force=options.force)
    if isinstance(options.outer, (str, Path)) and Path(options.outer).resolve() == out.resolve():
        raise OutputExistsError(f"{out} is itself the outer model and is never replaced; give another name with --out")
    options = replace(options, outer=options.trained_outer())  # read once
    if options.continue_from is not None and options.outer is not None:
        raise ConfigError("--from continues with the instrument's own outer model; leave out --outer or --from")
    start = None if options.continue_from is None else Start.load(options.continue_from, out=out, channels=options.channels)
    config = options.config() if start is None else start.config(options)
    fabric = make_fabric(options.device, precision=options.precision, devices=options.devices, nodes=options.nodes)
    check_batch(config.training.batch, processes=options.devices * options.nodes)
    if config.training.compiled:
        check_compiler(fabric)
    check_labels(source, options)
    workspace = Workspace(out)
    if not options.resume:
        check_source(source)
    # With a working folder the log belongs to an interrupted run. `workspace.start` resumes this run, or refuses to start another.
    check_absent(log_path(out), force=options.force or workspace.path.exists())
    with launch(fabric):
        first = fabric.is_global_zero
        tensorboard = TensorBoard(Path(options.tensorboard) / out.stem) if options.tensorboard is not None and first else None
        if not first:
            callbacks = replace(callbacks, on_progress=lambda progress: None)
        try:
            rank_zero_only(fabric, lambda: workspace.start(resume=options.resume, force=options.force))
            return TrainingRun(source, out, options, config, fabric, workspace, callbacks, tensorboard, start).run()
        except StopTraining as stop:
            clear_frames(stop.__traceback__)  # they hold the encoded sounds open
            workspace.remove()
            raise
        except Exception:
            if first and not options.resume:
                workspace.discard()
            raise
        finally:
            workspace.release()
            if tensorboard is not None:
                tensorboard.close()

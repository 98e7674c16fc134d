"""Where a training run takes its sounds from, and whether a resumed one still does."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from lightning_fabric import Fabric

from timbrespace.config.schema import Config
from timbrespace.contracts import ConfigError, CorpusError
from timbrespace.corpus.corpus import Corpus, is_corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.corpus.synthetic.registry import SYNTHETIC_PREFIX
from timbrespace.training.workspace import Plan, Workspace

FEWEST_CLIPS = 2


def open_corpus(
    source: Path | str | Corpus, workspace: Workspace, *, channels: int, seed: int, progress: Callable[[int, int], None]
) -> Corpus:
    """The corpus that a source is, or is made into inside the workspace. Raises CorpusError where there are too few clips."""
    if isinstance(source, Corpus):
        corpus = source
    elif is_corpus(source):
        corpus = Corpus.open(source)
    else:
        place = workspace.path / "corpus"
        if not is_corpus(place):
            prepare(source, place, channels=channels, seed=seed, progress=progress)
        corpus = Corpus.open(place)
    if len(corpus) < FEWEST_CLIPS:
        raise CorpusError(
            f"{len(corpus)} clip is too few to learn from, {FEWEST_CLIPS} are the least; 50 or more give an instrument worth playing"
        )
    return corpus


def clip_samples(corpus: Corpus, seconds: float | None = None) -> int:
    """The longest clip that the model takes: the corpus's clip length, or so many seconds; less where every clip is shorter."""
    longest = max(corpus.samples(i) for i in range(len(corpus)))
    return max(4_096, min(longest, round(min(corpus.clip_seconds, seconds or math.inf) * corpus.sample_rate)))


def origin_of(source: Path | str | Corpus, channels: int) -> str | None:
    """What a corpus inside the workspace is made from; None where the corpus stands elsewhere and its fingerprint says it all."""
    if isinstance(source, Corpus) or is_corpus(source):
        return None
    place = str(source) if str(source).startswith(SYNTHETIC_PREFIX) else str(Path(source).resolve())
    return f"{place}, {channels} channel(s)"


def check_same(plan: Plan, corpus: Corpus, config: Config, seed: int, workspace: Workspace, fabric: Fabric, *, origin: str | None) -> None:
    """Raises ConfigError when a resumed run would not be the one that was begun."""
    for what, given, stored in (
        ("source", origin, plan.source),
        ("corpus", corpus.fingerprint, plan.fingerprint),
        ("settings", config.model_dump(mode="json"), plan.config),
        ("seed", seed, plan.seed),
        ("precision", str(fabric.strategy.precision.precision), plan.precision),
        ("devices", fabric.world_size, plan.processes),
    ):
        if given != stored:
            raise ConfigError(
                f"the {what} of the run in {workspace.path} differ from what is given now; resume with the same, or begin anew with --force"
            )

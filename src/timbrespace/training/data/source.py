"""The corpus of a training, and whether a resumed training still has the same one."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from lightning_fabric import Fabric

from timbrespace.config.aliases import modernised
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
    """The corpus that a source is, or the one prepared from it in the workspace. Raises CorpusError for fewer than 2 clips."""
    if isinstance(source, Corpus):
        corpus = source
    elif is_corpus(source):
        corpus = Corpus.open(source)
    else:
        folder = workspace.path / "corpus"
        if not is_corpus(folder):
            prepare(source, folder, channels=channels, seed=seed, progress=progress)
        corpus = Corpus.open(folder)
    if len(corpus) < FEWEST_CLIPS:
        raise CorpusError(
            f"{len(corpus)} clip is too few to train on, at least {FEWEST_CLIPS} are needed; 50 or more give an instrument worth playing"
        )
    return corpus


def clip_samples(corpus: Corpus, seconds: float | None = None) -> int:
    """The length in samples to which clips are cut: the corpus's clip length, at most `seconds`, and at most the longest clip."""
    longest = max(corpus.samples(i) for i in range(len(corpus)))
    return max(4_096, min(longest, round(min(corpus.clip_seconds, seconds or math.inf) * corpus.sample_rate)))


def origin_of(source: Path | str | Corpus, channels: int) -> str | None:
    """A text that identifies the folder a corpus is prepared from; None for a corpus, which its fingerprint identifies."""
    if isinstance(source, Corpus) or is_corpus(source):
        return None
    origin = str(source) if str(source).startswith(SYNTHETIC_PREFIX) else str(Path(source).resolve())
    return f"{origin}, {channels} channel(s)"


def check_same(plan: Plan, corpus: Corpus, config: Config, seed: int, workspace: Workspace, fabric: Fabric, *, origin: str | None) -> None:
    """Raises ConfigError if a resumed run differs from the interrupted one."""
    for what, given, stored in (
        ("source", origin, plan.source),
        ("corpus", corpus.fingerprint, plan.fingerprint),
        ("settings", config.model_dump(mode="json"), modernised(plan.config)),
        ("seed", seed, plan.seed),
        ("precision", str(fabric.strategy.precision.precision), plan.precision),
        ("devices", fabric.world_size, plan.processes),
    ):
        if given != stored:
            raise ConfigError(
                f"the {what} of the run in {workspace.path} differ from those given now; resume with the same, or start again with --force"
            )

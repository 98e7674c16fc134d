"""The corpus of a training, and whether a resumed training still has the same one."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_fabric import Fabric

from timbrespace.audio.embedding import embedding
from timbrespace.audio.files import find_audio
from timbrespace.config.aliases import modernised
from timbrespace.config.schema import Config
from timbrespace.contracts import ConfigError, CorpusError
from timbrespace.corpus.corpus import Corpus, is_corpus
from timbrespace.corpus.labels.pitch_names import check_mode
from timbrespace.corpus.prepare import prepare
from timbrespace.corpus.sources import named_files
from timbrespace.corpus.synthetic.registry import SYNTHETIC_PREFIX
from timbrespace.paths import is_folder
from timbrespace.synthesis.novelty import COPY_DB
from timbrespace.training.options import TrainOptions
from timbrespace.training.workspace import Plan, Workspace
from timbrespace.validation import shortened

if TYPE_CHECKING:
    from timbrespace.training.data.outer import TrainedOuter

FEWEST_CLIPS = 2


def open_corpus(
    source: Path | str | Corpus, workspace: Workspace, options: TrainOptions, *, progress: Callable[[int, int], None]
) -> Corpus:
    """The corpus that a source is, or the one prepared from it in the workspace.

    Raises CorpusError for fewer than 2 different sounds, ConfigError if a resumed run has other rules than the interrupted one.
    """
    if isinstance(source, Corpus):
        corpus = source
    elif is_corpus(source):
        corpus = Corpus.open(source)
    else:
        folder = workspace.path / "corpus"
        if not is_corpus(folder):
            prepare(
                source, folder, channels=options.channels, seed=options.seed, rules=options.rules, pitch_names=options.pitch_names,
                progress=progress,
            )  # fmt: skip
        corpus = Corpus.open(folder)
        check_same_labels(corpus, options, workspace.path)
    return check_trainable(corpus)


def check_trainable(corpus: Corpus) -> Corpus:
    """Returns the corpus. Raises CorpusError for fewer than 2 different sounds."""
    if len(corpus) < FEWEST_CLIPS:
        raise CorpusError(
            f"{len(corpus)} clip is too few to train on, at least {FEWEST_CLIPS} are needed; 50 or more give an instrument worth playing"
        )
    if _is_one_sound(corpus):
        raise CorpusError(
            f"all {len(corpus)} clips hold the same sound, at least {FEWEST_CLIPS} different sounds are needed; add others: "
            "50 or more give an instrument worth playing"
        )
    return corpus


def _is_one_sound(corpus: Corpus) -> bool:
    """Whether every clip is the first one or a near-duplicate of it: within 1 dB. Reading stops at the first clip that does not."""
    first = embedding([corpus.audio(0)], sample_rate=corpus.sample_rate)
    return all(bool((embedding([corpus.audio(i)], sample_rate=corpus.sample_rate) - first).norm() < COPY_DB) for i in range(1, len(corpus)))


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


def check_source(source: Path | str | Corpus) -> None:
    """Raises AudioFileError if the source is a folder that does not exist, before anything is written."""
    if not isinstance(source, Corpus) and not str(source).startswith(SYNTHETIC_PREFIX) and not is_folder(Path(source)):
        find_audio(source)


def check_outer(outer: TrainedOuter, corpus: Corpus, config: Config) -> None:
    """Raises ConfigError unless an outer model that was trained before can encode the clips of a corpus as the settings ask."""
    if corpus.channels != outer.channels:
        raise ConfigError(
            f"the outer model {outer.name} is for {outer.channels} channel(s), and these sounds have {corpus.channels}; "
            f"for a folder of sounds give --channels {outer.channels}, or train an outer model on these sounds"
        )
    if corpus.sample_rate != outer.sample_rate:
        raise ConfigError(
            f"the outer model {outer.name} is for {outer.sample_rate} Hz, and these sounds have {corpus.sample_rate} Hz; prepare them "
            f"with --rate {outer.sample_rate}, or train an outer model on these sounds"
        )
    seconds = config.training.seconds
    wanted = clip_samples(corpus, seconds)
    if wanted > outer.samples or (seconds is not None and round(seconds * corpus.sample_rate) < outer.samples):
        raise ConfigError(
            f"training.seconds is {seconds if seconds is not None else 'not given'}, and the outer model {outer.name} is for clips of "
            f"up to {outer.fixed.seconds:.6g} s; leave training.seconds out, or train an outer model with it"
        )


def check_labels(source: Path | str | Corpus, options: TrainOptions) -> None:
    """Raises ConfigError if rules or `pitch_names` are given for a prepared corpus, which has its labels already."""
    check_mode(options.pitch_names)
    given = ("--rule", "rules") if options.rules else ("--pitch-names", "pitch_names") if options.pitch_names != "auto" else None
    if given and (isinstance(source, Corpus) or is_corpus(source)):
        name = source.path if isinstance(source, Corpus) else source
        raise ConfigError(
            f"{given[0]} ({given[1]}) is for a folder of sounds, and {name} is a prepared corpus; "
            "give it to `timbrespace prepare`, or train on the folder"
        )


def check_same_labels(corpus: Corpus, options: TrainOptions, folder: Path) -> None:
    """Raises ConfigError if the corpus that an earlier run prepared in `folder` was made with other rules than those given now."""
    stored = corpus.head["options"]
    choices: tuple[tuple[str, Any, Any], ...] = (("rules", dict(options.rules), {}), ("pitch_names", options.pitch_names, "auto"))
    for name, given, default in choices:
        if given not in (default, stored.get(name, default)):
            raise ConfigError(
                f"{name} of the run in {folder} are {stored.get(name, default)}, not {given}; "
                "resume without them, or start again with --force"
            )


def with_stored_length(config: Config, plan: Plan) -> Config:
    """`config` with the minutes and epochs of the plan: a resumed run is as long as it was planned, whether this is given again or not."""
    stored = modernised(plan.config).get("training", {})
    length = {name: stored[name] for name in ("minutes", "epochs") if name in stored}
    return config.model_copy(update={"training": config.training.model_copy(update=length)})


def unused_files(source: Path | str | Corpus, corpus: Corpus) -> list[str]:
    """Relative names of sound files of a folder that were not there when the corpus was prepared from it; none for other sources."""
    if isinstance(source, Corpus) or str(source).startswith(SYNTHETIC_PREFIX) or is_corpus(source) or not is_folder(Path(source)):
        return []
    known = {clip.file for clip in corpus.clips} | {row["file"] for row in corpus.skipped()}
    return [name for _, name in named_files(find_audio(Path(source), problems=[]), Path(source)) if name not in known]


def check_same(
    plan: Plan, corpus: Corpus, config: Config, seed: int, workspace: Workspace, fabric: Fabric, *, origin: str | None,
    outer: str | None, continues: str | None = None,
) -> None:  # fmt: skip
    """Raises ConfigError if a resumed run differs from the interrupted one."""
    if plan.continues != continues:
        what = "continues from an instrument; add --from with the same file" if continues is None else "continues from no such instrument"
        raise ConfigError(f"the run in {workspace.path} {what}, or start again with --force")
    given_settings, stored_settings = config.model_dump(mode="json"), modernised(plan.config)
    if given_settings != stored_settings:
        raise ConfigError(
            f"the settings of the run in {workspace.path} differ from those given now: {_differences(given_settings, stored_settings)}; "
            "resume with the same, or start again with --force"
        )
    for what, given, stored in (
        ("source", origin, plan.source if origin is None or not _is_renamed(plan.source, origin) else origin),
        ("corpus", corpus.fingerprint, plan.fingerprint),
        ("seed", seed, plan.seed),
        ("outer model (checksum)", outer, plan.outer),
        ("precision", str(fabric.strategy.precision.precision), plan.precision),
        ("devices", fabric.world_size, plan.processes),
    ):
        if given != stored:
            raise ConfigError(
                f"the {what} of the run in {workspace.path} is {stored}, not {given}; resume with the same, or start again with --force"
            )


def _is_renamed(stored: str | None, given: str) -> bool:
    """Whether the stored origin is a folder that no longer exists, with the same number of channels: the workspace has its corpus."""
    if stored is None:
        return False
    (old, old_channels), (new, new_channels) = stored.rsplit(", ", 1), given.rsplit(", ", 1)
    synthetic = old.startswith(SYNTHETIC_PREFIX) or new.startswith(SYNTHETIC_PREFIX)
    return not synthetic and old_channels == new_channels and not Path(old).exists()


def _differences(given: dict[str, Any], stored: dict[str, Any], prefix: str = "") -> str:
    """The settings that differ, as text: 'model.depth is 2, not 3'; three at most."""
    parts = []
    for key in dict.fromkeys([*given, *stored]):
        one: Any = given.get(key)
        other: Any = stored.get(key)
        if one != other:
            nested = isinstance(one, dict) and isinstance(other, dict)
            parts.append(
                _differences(one, other, f"{prefix}{key}.") if nested else f"{prefix}{key} was {shortened(other)} and is {shortened(one)}"
            )
    return ", ".join(parts[:3])

"""What `represent` is asked to do: the view and its settings, the sounds and where their features go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timbrespace.features.clips import Clip
    from timbrespace.representation.base import Representation


@dataclass
class Plan:
    """What there is to do. bases: output of each clip without suffix, None where names are not known before."""

    clips: Callable[[], Iterable[Clip]]
    rate: int
    channels: int
    skipped: list[dict[str, str]]
    total: int = 0
    longest: float = 0.0
    bases: dict[str, Path] | None = None
    inputs: tuple[Path, ...] = ()


def parse_settings(view: str | None, changes: list[str] | None) -> dict[str, Any]:
    """--as and --set as the settings of a preset. Raises ConfigError."""
    import yaml

    from timbrespace.contracts import ConfigError
    from timbrespace.representation.registry import REPRESENTATIONS

    if view not in REPRESENTATIONS:
        given = "--as is missing" if view is None else f"--as is {view[:40]!r}"
        raise ConfigError(f"{given}, allowed are {', '.join(REPRESENTATIONS)}")
    settings: dict[str, Any] = {"name": view}
    for change in changes or ():
        key, equals, value = (word.strip() for word in change.partition("="))
        key = key.removeprefix("representation.")
        if not equals or not key or key == "name":
            raise ConfigError(f"--set is {change[:60]!r}, it must be KEY=VALUE; for instance --set bands=64")
        try:
            settings[key] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError, RecursionError):
            raise ConfigError(f"the value of --set {change[:60]!r} is not valid YAML; write for instance --set bands=64") from None
    return settings


def build_view(settings: dict[str, Any], plan: Plan) -> Representation:
    """The representation, at the plan's rate and channels. Raises ConfigError."""
    from timbrespace.config.build import build_representation
    from timbrespace.contracts import ConfigError

    try:
        return build_representation(settings, sample_rate=plan.rate, channels=plan.channels)
    except ConfigError as error:
        raise ConfigError(str(error).replace("representation.", "--set ", 1)) from None


def make_plan(sources: list[str], out: Path, *, channels: int | None, rate: int | None, count: int | None, seed: int) -> Plan:
    """Looks what the sources are, and at the headers of files. Raises ConfigError, AudioFileError, CorpusError."""
    from timbrespace.audio.resampling import HIGHEST_RATE, LOWEST_RATE
    from timbrespace.cli.common.jobs import plan_jobs
    from timbrespace.contracts import SAMPLE_RATE, ConfigError
    from timbrespace.corpus.corpus import Corpus, is_corpus
    from timbrespace.corpus.sources import relative_name
    from timbrespace.corpus.synthetic.registry import SYNTHETIC_PREFIX
    from timbrespace.features import clips as sounds

    if channels not in (None, 1, 2):
        raise ConfigError(f"--channels is {channels}, allowed are 1 and 2")
    if rate is not None and not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise ConfigError(f"--rate is {rate}, allowed is {LOWEST_RATE} to {HIGHEST_RATE} Hz")
    special = [source for source in sources if source.startswith(SYNTHETIC_PREFIX) or is_corpus(source)]
    if special and len(sources) > 1:
        raise ConfigError(f"{special[0]} is a corpus, which is represented on its own; give files and folders, or one corpus")
    if special and special[0].startswith(SYNTHETIC_PREFIX):
        from timbrespace.corpus.synthetic.registry import recipe_of

        wanted = rate or SAMPLE_RATE
        made = partial(sounds.clips_of_synthesiser, special[0], count=count, seed=seed, sample_rate=wanted)
        return Plan(made, wanted, channels or 1, [], count or recipe_of(special[0]).count, 2.0)
    if count is not None:
        raise ConfigError("--count chooses from a synthetic corpus; for files, give those that you want")
    if special:
        corpus = Corpus.open(special[0])
        if out.resolve().is_relative_to(corpus.path.resolve()):
            raise ConfigError(f"{out} lies in the corpus {corpus.path}; choose another folder with --out")
        found = list(sounds.clips_of_corpus(corpus))
        bases = {clip.name: out / clip.name for clip in found}
        longest = max(clip.seconds or 0.0 for clip in found)
        own = corpus.channels if corpus.channels in (1, 2) else 1
        return Plan(lambda: found, rate or corpus.sample_rate, channels or own, [], len(found), longest, bases)
    problems: list[tuple[Path, str]] = []
    jobs = plan_jobs([Path(source) for source in sources], out, problems=problems)
    skipped = [{"file": str(path), "reason": reason} for path, reason in problems]
    named = {relative_name(target, out): (path, target) for path, target in jobs}
    found = list(sounds.clips_of_files([(path, name) for name, (path, _) in named.items()], channels=channels or 1, skipped=skipped))
    longest = max((clip.seconds or 0.0 for clip in found), default=0.0)
    bases = {name: target for name, (_, target) in named.items()}
    return Plan(lambda: found, rate or SAMPLE_RATE, channels or 1, skipped, len(found), longest, bases, tuple(path for path, _ in jobs))

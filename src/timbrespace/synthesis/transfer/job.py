"""One transfer: which recordings, what becomes of them, and its recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from timbrespace.audio.files import find_audio, sha256_of
from timbrespace.contracts import ConfigError
from timbrespace.noise import seed_of
from timbrespace.synthesis.detail.given import fingerprint
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.finish import Level
from timbrespace.synthesis.names import safe_name
from timbrespace.synthesis.output.engines import PYTORCH, RENDER_VERSION, engine_of
from timbrespace.synthesis.transfer.makers import Maker, Reconstruction, Variation
from timbrespace.synthesis.transfer.morphing import Course, OverTime, check_values
from timbrespace.synthesis.transfer.recording import Given, Recording, recording_of
from timbrespace.synthesis.transfer.run import Progress, run
from timbrespace.synthesis.transfer.stretching import STRETCH
from timbrespace.synthesis.transfer.take import Take

Verb = Literal["reconstruct", "vary", "morph"]
SHORTEST_SECONDS = 8.0  # of a recording for models of whole clips, whose clips are at most half as long
_PATH_SECONDS, _TIMES = 30.0, 2.0  # for time-varying latents, which take that at once; times the longest clip
_MOST_RECORDINGS = 64


def is_recording(contents: InstrumentContents, samples: int) -> bool:
    """Returns whether a given sound of `samples` samples is too long to be varied as one sound of the instrument."""
    if contents.model.time_varying:
        return samples > _PATH_SECONDS * contents.sample_rate
    return samples > max(_TIMES * contents.samples, SHORTEST_SECONDS * contents.sample_rate)


@dataclass(frozen=True)
class Job:
    """A transfer of recordings with their final durations.

    stem: of its name. seed, amount, number: see `makers`; number: of the variation. course, soft: of a morph.
    """

    verb: Verb
    recordings: tuple[Recording, ...]
    stem: str
    seed: int = 0
    amount: float = 0.0
    number: int = 0
    course: Course | None = None
    soft: bool = False

    @property
    def samples(self) -> int:
        """Samples of the result, at the rate of the instrument."""
        lengths = [one.samples for one in self.recordings]
        if self.course is None:
            return lengths[0]
        plain = self.course.values == tuple(map(float, range(len(lengths))))
        return lengths[-1] if plain else max(lengths)

    @property
    def is_own(self) -> bool:
        """Whether the result is the recording itself, with its duration or another."""
        return self.verb == "vary" and self.amount == 0

    def render(self, contents: InstrumentContents, *, folder: Path | None = None, progress: Progress | None = None) -> Take:
        """Returns the result at the instrument's rate. folder: for temporary files. Raises TimbrespaceError."""
        if self.is_own:
            return self._own(contents, folder)
        seed = seed_of(self.seed, self.number)
        return run(
            contents, self._maker(contents), self.recordings, self.samples, seed=seed, near=self.verb != "reconstruct", folder=folder,
            progress=progress,
        )  # fmt: skip

    def _maker(self, contents: InstrumentContents) -> Maker:
        if self.course is not None:
            return OverTime(contents, self.recordings, self.course, seed=self.seed, soft=self.soft)
        one = self.recordings[0]
        if self.verb == "reconstruct":
            return Reconstruction(contents, one.open(), peak=one.peak, seed=self.seed)
        return Variation(contents, one.open(), peak=one.peak, seed=self.seed, amount=self.amount, number=self.number)

    def _own(self, contents: InstrumentContents, folder: Path | None) -> Take:
        take, feed = Take(contents.channels, contents.sample_rate, folder=folder), self.recordings[0].open(centred=False)
        for start in range(0, feed.samples, contents.sample_rate):
            take.add(feed.read(start, min(feed.samples, start + contents.sample_rate)))
        return take

    def recipe(self, contents: InstrumentContents, *, name: str, level: Level | None, rate: int) -> dict[str, Any]:
        """Returns the recipe of the result, as plain JSON values."""
        values: dict[str, Any] = {"verb": self.verb, "seed": self.seed, "amount": self.amount, "number": self.number}
        values["lengths"] = [one.samples for one in self.recordings]
        if self.course is not None:
            values |= {"curve": list(self.course.values), "end": self.course.end, "soft": self.soft}
        return {
            "timbrespace": "recipe", "name": name, "asked": {"verb": self.verb, "of": self.stem}, "engine": PYTORCH,
            "render_version": RENDER_VERSION, "instrument": fingerprint(contents), "category": None, "recording": values,
            "sources": [one.entry for one in self.recordings], "own_sound": self.is_own, "level": level, "sample_rate": rate,
        }  # fmt: skip


def reconstruction(contents: InstrumentContents, given: Given | Recording, *, seed: int = 0, stretch: float = 1.0) -> Job:
    """Returns the job of a reconstruction. stretch: factor of the duration. Raises TimbrespaceError."""
    one = _stretched(recording_of(contents, given), stretch)
    return Job("reconstruct", (one,), one.stem, seed)


def variations(
    contents: InstrumentContents, given: Given | Recording, count: int, *, amount: float, seed: int = 0, stretch: float = 1.0,
    named: bool = True,
) -> list[Job]:  # fmt: skip
    """Returns the jobs of variations of one recording. Raises TimbrespaceError."""
    one = _stretched(recording_of(contents, given, named=named), stretch)
    return [Job("vary", (one,), f"{one.stem} varied", seed, float(amount), number) for number in range(count)]


def morph(
    contents: InstrumentContents, given: Sequence[Given | Recording], *, curve: Sequence[float] | None = None, align: bool = False,
    stretch: float = 1.0, seed: int = 0, named: bool = True,
) -> Job:  # fmt: skip
    """Returns the job of a morph over time, see `Instrument.morph_over_time`. Raises TimbrespaceError."""
    if not 2 <= len(given) <= _MOST_RECORDINGS:
        raise ConfigError(f"a morph over time is of 2 to {_MOST_RECORDINGS} recordings, and {len(given)} are given")
    values = tuple(map(float, range(len(given)))) if curve is None else check_values(curve, len(given))
    found = [recording_of(contents, one, named=named) for one in given]
    if align:
        longest = max(one.samples for one in found)
        found = [one.lasting(longest) for one in found]
    found = [_stretched(one, stretch) for one in found]
    lengths = [one.samples for one in found]
    stem = f"{found[0].stem} to {found[-1].stem} over time"
    return Job("morph", tuple(found), stem, seed, course=Course(values, min(lengths) if curve is None else max(lengths)), soft=True)


def from_recipe(contents: InstrumentContents, recipe: dict[str, Any], where: Path | str | Sequence[Any] | None) -> Job:
    """Returns the job of a recipe. where: the folder of its recordings, or these, as files or samples. Raises ConfigError."""
    engine_of(recipe | {"latent": []})
    if recipe.get("instrument") != fingerprint(contents):
        raise ConfigError("the recipe is of another instrument; give the instrument that made the recording")
    try:
        values, entries = recipe["recording"], recipe["sources"]
        verb, lengths = str(values["verb"]), [int(length) for length in values["lengths"]]
        known = {"reconstruct": 1, "vary": 1, "morph": len(lengths)}
        if known.get(verb) != len(lengths) or len(entries) != len(lengths) or not 1 <= len(lengths) <= _MOST_RECORDINGS:
            raise ValueError("verb or number of recordings")
        digests = [str(entry["sha256"]) for entry in entries]
        course = None
        if verb == "morph":
            course = Course(check_values([float(value) for value in values["curve"]], len(lengths)), int(values["end"]))
        options = {"seed": int(values["seed"]), "amount": float(values["amount"]), "number": int(values["number"])}
        if not isinstance(soft := values.get("soft", False), bool):
            raise ValueError("soft is neither true nor false")
        if not (0 <= options["seed"] < 2**63 and 0 <= options["amount"] <= 16 and options["number"] >= 0 and min(lengths) > 0):
            raise ValueError("seed, amount, number or lengths")
        stem = str(recipe["asked"]["of"])
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ConfigError(f"the recipe of a recording is damaged ({error!s:.80}); give the JSON file as it was written") from None
    found = [_source(contents, digest, entry, where) for digest, entry in zip(digests, entries, strict=True)]
    found = [one if one.samples == length else one.lasting(length) for one, length in zip(found, lengths, strict=True)]
    return Job(verb, tuple(found), stem, course=course, soft=soft, **options)  # type: ignore[arg-type]


def recipe_options(recipe: dict[str, Any]) -> tuple[str, Level | None, int]:
    """Returns name, level and rate in Hz of a recipe. Raises ConfigError."""
    name, level, rate = recipe.get("name"), recipe.get("level"), recipe.get("sample_rate")
    if not isinstance(name, str) or level not in (None, "peak", "loudness", "keep") or not isinstance(rate, int) or isinstance(rate, bool):
        raise ConfigError("the recipe is damaged: its name, level or rate cannot be; give the JSON file as it was written")
    return safe_name(name), level, rate


def _source(contents: InstrumentContents, digest: str, entry: Any, where: Path | str | Sequence[Any] | None) -> Recording:
    """The recording of a recipe's entry. Raises ConfigError where it is gone or changed."""
    name = str(entry.get("file") or f"a recording that is not named (SHA-256 {digest[:12]}…)")
    if where is None:
        raise ConfigError(f"this was made from {name}, which is needed to make it again; give its folder (--source)")
    if isinstance(where, str | Path):
        folder = Path(where)
        if not folder.is_dir():
            raise ConfigError(f"{folder} is not a folder; give the one that holds {name} with --source")
        files = sorted(find_audio(folder), key=lambda path: path.name != entry.get("file"))
        for path in files:
            if path.is_file() and sha256_of(path) == digest:
                return recording_of(contents, path)
        raise ConfigError(
            f"{name}, which this was made from, is not in {folder}, or has changed; give the folder of the original (--source)"
        )
    for one in where:
        found = recording_of(contents, one)
        if found.sha256 == digest:
            return found
    raise ConfigError(f"{name}, which this was made from, is not among the given recordings; give it unchanged")


def _stretched(one: Recording, factor: float) -> Recording:
    factor = STRETCH.check(factor)
    return one if factor == 1 else one.lasting(max(1, round(one.samples * factor)))

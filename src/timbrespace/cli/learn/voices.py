"""`timbrespace train NAME=FOLDER NAME=FOLDER --preset voices`: several instruments, one file of voices; source D's designs likewise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timbrespace.voices.arrays import DESCRIPTIONS as DESIGNS

if TYPE_CHECKING:
    from timbrespace.cli.learn.options import TrainingFlags

PRESETS = {
    "voices": "timbres of several instruments from recordings, for `convert`: train violin=FOLDER flute=FOLDER --preset voices"
} | DESIGNS
_OF_DESIGNS = frozenset({"sources", "out", "preset", "minutes", "epochs", "seed", "force", "json", "changes", "device"})
_OF_VOICES = _OF_DESIGNS - {"changes", "device"} | {"resume"}


def named_folders(sources: Sequence[str]) -> dict[str, Path]:
    """Returns the folders of `NAME=FOLDER` words by name. Raises ConfigError."""
    from timbrespace.contracts import ConfigError

    found: dict[str, Path] = {}
    for word in sources:
        name, equals, folder = word.partition("=")
        name = name.strip()
        if not equals or not name or not folder:
            raise ConfigError(f"{word!r} is not NAME=FOLDER; for instance violin=recordings/violin")
        if not name.replace("-", "").replace("_", "").replace(" ", "").isalnum() or len(name) > 60:
            raise ConfigError(f"the name {name!r} of an instrument may have letters, digits, spaces, - and _, at most 60")
        if name in found:
            raise ConfigError(f"{name} is given twice; give all its recordings in one folder")
        found[name] = Path(folder)
    return found


def train_voices(
    sources: Sequence[str], out: Path, flags: TrainingFlags, *, force: bool, resume: bool, json: bool, given: Mapping[str, bool]
) -> None:  # fmt: skip
    """Trains voices and prints what was learned. given: the parameters of `train`, and whether they were given."""
    import time

    from timbrespace.cli.common.corpus import print_json, progress_bar
    from timbrespace.cli.common.text import command_line, printable
    from timbrespace.cli.learn.options import print_skipped
    from timbrespace.contracts import ConfigError
    from timbrespace.voices import train

    meant = _OF_DESIGNS if flags.preset in DESIGNS else _OF_VOICES
    if unused := [name for name in given if given[name] and name not in meant]:
        option = {"changes": "set"}.get(unused[0], unused[0].replace("_", "-"))
        raise ConfigError(f"--{option} has no meaning for the preset {flags.preset}; leave it out")
    if flags.epochs is not None:
        raise ConfigError(f"--epochs has no meaning for the preset {flags.preset}, which counts steps; give --minutes, or neither")
    skipped: list[dict[str, str]] = []
    start = time.perf_counter()
    with progress_bar("voices", quiet=json) as progress:
        reading = 0.05 if flags.preset in DESIGNS else 0.3  # of the time

        def show(stage: str, share: float) -> None:
            if progress is not None:
                progress(round(100 * (reading * share if stage == "reading" else reading + (1 - reading) * share)), 100)

        voices: Any = train(named_folders(sources), out, _options(flags), force=force, resume=resume, skipped=skipped, progress=show)
    seconds = time.perf_counter() - start
    if json:
        from dataclasses import asdict

        facts = {name: asdict(one) for name, one in voices.facts.items()}
        print_json(
            {"voices": str(out), "seconds": round(seconds, 1), "instruments": facts, "training": voices.training, "skipped": skipped}
        )
        return
    print("\n".join(map(printable, _design_lines(voices) if flags.preset in DESIGNS else _voices_lines(voices))))
    print_skipped(skipped)
    print(f"{printable(out)} ({out.stat().st_size / 1e6:.1f} MB) in {seconds:.0f} s")
    print(f"Next: {command_line('timbrespace', 'convert', out, 'PIECE.wav', '--to', f'{voices.names[-1]}=1', '--out', 'converted')}")


def design_settings(preset: str) -> dict[str, Any]:
    """Returns the settings of one of source D's designs, with defaults."""
    from timbrespace.voices.arrays.designs import DESIGNS as CLASSES
    from timbrespace.voices.arrays.designs import make_design

    return dict(make_design(preset, ("a", "b")).settings) | CLASSES[preset].schedule.model_dump()


def _options(flags: TrainingFlags) -> Any:
    from timbrespace.config.presets import apply_changes
    from timbrespace.voices.arrays.training import ArrayOptions
    from timbrespace.voices.training import VoicesOptions

    if flags.preset not in DESIGNS:
        return VoicesOptions(minutes=flags.minutes, seed=flags.seed)
    settings: dict[str, Any] = {}
    apply_changes(settings, flags.changes or ())
    return ArrayOptions(flags.preset, minutes=flags.minutes, settings=settings, seed=flags.seed, device=flags.device)


def _voices_lines(voices: Any) -> list[str]:
    from timbrespace.audio.pitch import note_name
    from timbrespace.voices.learning.separation import LEAST

    lines = []
    for name, one in voices.facts.items():
        notes = f"{note_name(round(one.lowest))} to {note_name(round(one.highest))}"
        lines.append(f"{name}: {one.files} file{'s' * (one.files != 1)}, {one.seconds:.0f} s, {notes}")
    lines += [
        f"{one} and {other} sound alike: {100 * share:.0f} % of their recordings are closer to their own voice, 50 % are by chance; "
        "blends of them change little. Are these recordings of the same instrument?"
        for one, other, share in voices.training["separation"] if share < LEAST
    ]  # fmt: skip
    return [
        *lines,
        f"Levels of partials and noise are decoded within {voices.training['error_db']:.1f} dB (mean over frames, weighted by level).",
    ]


def _design_lines(voices: Any) -> list[str]:
    lines = [f"{name}: {one.files} file{'s' * (one.files != 1)}, {one.seconds:.0f} s" for name, one in voices.facts.items()]
    count = sum(parameter.numel() for parameter in voices.design.parameters())
    losses = ", ".join(f"{name} {value:.4g}" for name, value in voices.training["losses"].items())
    made = voices.training
    return [*lines, f"{count:,} parameters, {made['steps']} steps on {made['device']}; losses at the end: {losses}"]

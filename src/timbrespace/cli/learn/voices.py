"""`timbrespace train NAME=FOLDER NAME=FOLDER --preset voices`: several instruments, one file of voices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

PRESET = "voices"
DESCRIPTION = "timbres of several instruments from recordings, for `convert`: train violin=FOLDER flute=FOLDER --preset voices"


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
    sources: Sequence[str],
    out: Path,
    *,
    minutes: float | None,
    epochs: float | None,
    seed: int,
    force: bool,
    json: bool,
    others: Mapping[str, bool],
) -> None:
    """Trains voices and prints what was learned. others: further options of `train`, and whether they were given."""
    import time

    from timbrespace.cli.common.corpus import print_json, progress_bar
    from timbrespace.cli.common.text import command_line, printable
    from timbrespace.cli.learn.options import print_skipped
    from timbrespace.contracts import ConfigError
    from timbrespace.voices import train
    from timbrespace.voices.training import VoicesOptions

    if unused := [name for name, given in others.items() if given]:
        raise ConfigError(f"{unused[0]} has no meaning for the preset voices; leave it out")
    if epochs is not None:
        raise ConfigError("--epochs has no meaning for the preset voices, which counts steps; give --minutes, or neither")
    skipped: list[dict[str, str]] = []
    start = time.perf_counter()
    with progress_bar("voices", quiet=json) as progress:

        def show(stage: str, share: float) -> None:
            if progress is not None:
                progress(round(100 * (0.3 * share if stage == "reading" else 0.3 + 0.7 * share)), 100)

        options = VoicesOptions(minutes=minutes, seed=seed)
        voices = train(named_folders(sources), out, options, force=force, skipped=skipped, progress=show)
    seconds = time.perf_counter() - start
    if json:
        from dataclasses import asdict

        facts = {name: asdict(one) for name, one in voices.facts.items()}
        print_json(
            {"voices": str(out), "seconds": round(seconds, 1), "instruments": facts, "training": voices.training, "skipped": skipped}
        )
        return
    from timbrespace.audio.pitch import note_name

    for name, one in voices.facts.items():
        notes = f"{note_name(round(one.lowest))} to {note_name(round(one.highest))}"
        print(printable(f"{name}: {one.files} file{'s' * (one.files != 1)}, {one.seconds:.0f} s, {notes}"))
    print(f"Levels of partials and noise are decoded within {voices.training['error_db']:.1f} dB (mean over frames, weighted by level).")
    print_skipped(skipped)
    print(f"{printable(out)} ({out.stat().st_size / 1e6:.1f} MB) in {seconds:.0f} s")
    print(f"Next: {command_line('timbrespace', 'convert', out, 'PIECE.wav', '--to', f'{voices.names[-1]}=1', '--out', 'converted')}")

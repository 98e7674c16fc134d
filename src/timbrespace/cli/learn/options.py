"""Flags that `train` and `tune` share; they fill `TrainOptions`, which documents them in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from timbrespace.cli.common.options import PitchNames, Rules

if TYPE_CHECKING:
    from timbrespace.corpus.corpus import Corpus
    from timbrespace.training.options import TrainOptions

Source = Annotated[
    str, typer.Argument(metavar="FOLDER|CORPUS|synthetic:NAME", help="Folder of sounds, or a prepared corpus.", show_default=False)
]
_OUTER_HELP = (
    "Instrument whose trained model is the outer one of a model in two stages (preset staged). It does not change; only the inner model "
    "is trained."
)


@dataclass(frozen=True)
class TrainingFlags:
    """How to train: one training, or every trial of a search."""

    preset: Annotated[str, typer.Option("--preset", help="Preset name or .yaml file; `timbrespace presets` lists the names.")] = "oneshot"
    minutes: Annotated[float | None, typer.Option("--minutes", help="Time for each training; the preset's minutes if not given.")] = None
    epochs: Annotated[
        float | None,
        typer.Option(
            "--epochs", help="Passes over all examples (sounds and variations), instead of minutes; two runs give the same tensors."
        ),
    ] = None
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; repeatable.")] = None
    outer: Annotated[Path | None, typer.Option("--outer", metavar="INSTRUMENT", help=_OUTER_HELP)] = None
    channels: Annotated[int, typer.Option("--channels", help="1 mixes a folder to mono, 2 keeps stereo.")] = 1
    rule: Rules = None
    pitch_names: PitchNames = "auto"
    device: Annotated[str, typer.Option("--device", help="auto | cpu | cuda | mps.")] = "auto"
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="The same seed (and --epochs) gives the same result.")] = 0
    precision: Annotated[str, typer.Option("--precision", help="32 | 16-mixed (GPU) | bf16-mixed.")] = "32"

    def options(self, **more: Any) -> TrainOptions:
        """The options of a training, with further ones. Raises ConfigError."""
        from timbrespace.cli.common.corpus import parse_rules
        from timbrespace.training.options import TrainOptions

        return TrainOptions(
            preset=self.preset, minutes=self.minutes, epochs=self.epochs, changes=tuple(self.changes or ()), outer=self.outer,
            channels=self.channels, rules=parse_rules(self.rule), pitch_names=self.pitch_names, device=self.device, seed=self.seed,
            precision=self.precision, **more,
        )  # fmt: skip

    def words(self, *, preset: object = None, change: str | None = None) -> list[object]:
        """The flags that were given, as words of a command line.

        preset: a file that replaces the preset, its changes and the time. change: `key=value` in place of earlier ones of that key.
        """
        words: list[object] = []
        if preset is None:
            changes = list(self.changes or ())
            if change is not None:
                key = change.partition("=")[0]
                changes = [one for one in changes if one.partition("=")[0].strip() != key] + [change]
            words += [] if self.preset == "oneshot" else ["--preset", self.preset]
            words += [] if self.minutes is None else ["--minutes", f"{self.minutes:g}"]
            words += [] if self.epochs is None else ["--epochs", f"{self.epochs:g}"]
            words += [word for one in changes for word in ("--set", one)]
        else:
            words += ["--preset", preset]
        words += [] if self.outer is None else ["--outer", self.outer]
        words += [] if self.channels == 1 else ["--channels", self.channels]
        words += [word for one in self.rule or () for word in ("--rule", one)]
        words += [] if self.pitch_names == "auto" else ["--pitch-names", self.pitch_names]
        words += [] if self.device == "auto" else ["--device", self.device]
        words += [] if self.seed == 0 else ["--seed", self.seed]
        return words + ([] if self.precision == "32" else ["--precision", self.precision])


def corpus_notes(corpus: Corpus) -> list[str]:
    """Lines about the files of a corpus: how notes in their names were read, and oddities of those that were read."""
    from timbrespace.cli.common.text import remark_lines

    votes = [vote["text"] for vote in corpus.head.get("pitch_names", ())]
    return votes + remark_lines(corpus.remarks(), rest="`timbrespace doctor FOLDER --json` lists all")


def print_skipped(skipped: Sequence[Mapping[str, str]]) -> None:
    """Prints the files that a corpus does not contain, with reasons."""
    from timbrespace.cli.common.text import skipped_lines

    for line in skipped_lines(skipped, rest="`timbrespace doctor FOLDER --json` lists all"):
        print(line)

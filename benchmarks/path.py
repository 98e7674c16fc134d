#!/usr/bin/env python3
"""The whole path measured on real drums: speed and memory of every verb, quality of copies, and new sounds against real ones.

    python benchmarks/path.py [SOUNDS] [--minutes 3] [--seeds 1] [--only speed,quality,crowd]

SOUNDS is the folder that benchmarks/real_audio.py makes; without it the script makes one first (Debian, as root). The tables are
printed and written to docs/benchmarks.md between the markers of the section `path`; other sections stay. Everything is seeded.
An instrument that an earlier run trained with the same code, sounds and settings is used again (--fresh: trained anew).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import ROOT, Run, run, say, stamp, update

if TYPE_CHECKING:
    from timbrespace.corpus.corpus import Corpus

UNSEEN = ("Audiophob", "HardElectro1", "circAfrique v4", "sonic-pi")  # kits that no instrument here is trained on
WORK = Path(tempfile.gettempdir()) / "timbrespace-benchmarks"


@dataclass(frozen=True)
class Trained:
    """An instrument file, and the run of `train` that made it."""

    path: Path
    run: Run

    @property
    def card(self) -> dict[str, Any]:
        """The card inside the file."""
        return dict(json.loads(self.run.output)["card"])


@dataclass
class Bench:
    """What all parts share. folder: of kits or instruments; work: a folder of our own for corpora and instruments.

    kept_away: the kits that are never trained on. clips: how many files of the others are, drawn at random; all if None.
    preset: what is trained.
    """

    folder: Path
    work: Path
    minutes: float
    seeds: int
    fresh: bool
    kept_away: tuple[str, ...] = UNSEEN
    what: str = "drums"
    clips: int | None = None
    preset: str = "oneshot"

    @cached_property
    def trained_kits(self) -> Path:
        """A folder with links to every kit but the unseen ones."""
        return self._linked("trained", [kit for kit in self._kits() if kit not in self.kept_away], most=self.clips)

    @cached_property
    def unseen_kits(self) -> Path:
        """A folder with links to the unseen kits."""
        return self._linked("unseen", [kit for kit in self._kits() if kit in self.kept_away])

    @cached_property
    def corpus(self) -> Corpus:
        """The trained kits, prepared; its split is the one that every instrument here is trained with."""
        return self._prepared(self.trained_kits)

    @cached_property
    def unseen(self) -> Corpus:
        """The unseen kits, prepared; all of its splits are for testing."""
        return self._prepared(self.unseen_kits)

    @cached_property
    def instruments(self) -> list[Trained]:
        """One instrument a seed, trained on the corpus by the command line (the first of them on the folder itself)."""
        return [self.train(seed) for seed in range(self.seeds)]

    def _kits(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.is_dir())

    def _linked(self, name: str, kits: list[str], *, most: int | None = None) -> Path:
        from timbrespace.audio.files import find_audio

        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        files = [file for kit in kits for file in find_audio(self.folder / kit)]
        if most is not None:
            files = sorted(random.Random(0).sample(files, min(most, len(files))))
        for file in files:
            link = folder / file.relative_to(self.folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            try:
                link.hardlink_to(file)
            except OSError:  # another file system
                shutil.copyfile(file, link)
        return folder

    def _prepared(self, folder: Path) -> Corpus:
        import timbrespace

        return timbrespace.prepare(folder, folder.with_suffix(".corpus"), force=True)

    def train(self, seed: int) -> Trained:
        """The instrument of one seed, an earlier run's where it fits."""
        from timbrespace.training.distributed import check_device

        made_by = hashlib.sha256(self.corpus.fingerprint.encode())
        for path in sorted((ROOT / "src").rglob("*")):
            if path.suffix in (".py", ".yaml"):
                made_by.update(path.read_bytes())
        settings = f"{check_device('auto')} {self.minutes:g} min seed {seed}"
        path = self.work / f"{self.what} {self.preset} {made_by.hexdigest()[:12]} {settings}.safetensors"
        note = path.with_suffix(".json")
        if path.exists() and note.exists() and not self.fresh:
            say(f"using the instrument of an earlier run, seed {seed}")
            return Trained(path, Run(**json.loads(note.read_text(encoding="utf-8"))))
        say(f"training {self.preset}, seed {seed}, {self.minutes:g} minutes")
        source = self.trained_kits if seed == 0 else self.corpus.path
        words = ["--preset", self.preset, "--minutes", f"{self.minutes:g}", "--seed", str(seed), "--force", "--json"]
        found = run(["train", source, "--out", path, *words])
        note.write_text(json.dumps(vars(found)), encoding="utf-8")
        trained = Trained(path, found)
        if trained.card["corpus"]["fingerprint"] != self.corpus.fingerprint:
            sys.exit("the instrument was trained on another split than the one measured; prepare and train no longer agree")
        return trained


def collect_sounds(folder: Path) -> Path:
    """Runs real_audio.py into `folder` unless its drums are there."""
    if not (folder / "drums").is_dir():
        say(f"collecting real sounds into {folder} (about two minutes)")
        subprocess.run([sys.executable, str(Path(__file__).with_name("real_audio.py")), str(folder)], check=True, stdout=sys.stderr)
    return folder


def folder_in(sounds: Path, what: str = "drums", kept_away: tuple[str, ...] = UNSEEN) -> Path:
    """The folder of kits in or at `sounds`; exits with a sentence when it is not there."""
    for folder in (sounds / what, sounds):
        if all((folder / kit).is_dir() for kit in kept_away):
            return folder
    return sys.exit(f"{sounds} does not hold the {what} {', '.join(kept_away)}; give the folder that benchmarks/real_audio.py made")


def parts() -> dict[str, tuple[str, Callable[[Bench], str]]]:
    """The parts of this benchmark: name -> heading, what measures it and gives Markdown."""
    import path_crowd
    import path_quality
    import path_speed

    return {
        "speed": ("Speed, memory, size", path_speed.measure),
        "quality": ("Copies against originals", path_quality.measure),
        "crowd": ("New sounds against held-out real ones", path_crowd.measure),
    }


PARTS = ("speed", "quality", "crowd")


def main(arguments: list[str] | None = None) -> None:
    """Measures what is asked for, prints it and writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sounds", nargs="?", type=Path, metavar="SOUNDS", help="folder made by real_audio.py; made when not given")
    parser.add_argument("--minutes", type=float, default=3.0, help="of training (default 3)")
    parser.add_argument("--seeds", type=int, default=1, help="instruments to train and measure (default 1)")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md", help="Markdown file (default docs/benchmarks.md)")
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts to measure, of {','.join(PARTS)} (default all)")
    parser.add_argument("--work", type=Path, default=WORK, help="folder for corpora and instruments (default %(default)s)")
    parser.add_argument("--fresh", action="store_true", help="train anew even when an earlier run's instrument fits")
    given = parser.parse_args(arguments)
    wanted = [part.strip() for part in given.only.split(",") if part.strip()]
    if not wanted or set(wanted) - set(PARTS):
        parser.error(f"--only is {given.only!r}, allowed are {', '.join(PARTS)}")
    if given.seeds < 1 or given.minutes <= 0:
        parser.error("--seeds must be 1 or more and --minutes above 0")
    drums = folder_in(collect_sounds(given.work / "real") if given.sounds is None else given.sounds)
    given.work.mkdir(parents=True, exist_ok=True)
    bench = Bench(drums, given.work, given.minutes, given.seeds, given.fresh)
    # Places differ from machine to machine and are nobody's business: the command names none.
    command = f"python benchmarks/path.py SOUNDS --minutes {given.minutes:g} --seeds {given.seeds}"
    for part, (heading, measure) in parts().items():
        if part in wanted:
            say(f"measuring: {heading}")
            body = f"### {heading}\n{stamp(f'{command} --only {part}')}\n\n{measure(bench)}"
            print(f"{body}\n", flush=True)
            update(given.out, f"path-{part}", body, inside="path")
    say(f"written to {given.out}")


if __name__ == "__main__":
    main()

"""The training corpus, the unseen kits and the trained instruments that the scripts share."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.process import ROOT, Run, run, say

if TYPE_CHECKING:
    from timbrespace.corpus.corpus import Corpus

UNSEEN = ("Audiophob", "HardElectro1", "circAfrique v4", "sonic-pi")  # kits that no instrument is trained on
KEPT_AWAY: dict[str, tuple[str, ...]] = {"drums": UNSEEN, "notes": ("viola", "trumpet", "lead", "kalimba")}
WORK = Path(tempfile.gettempdir()) / "timbrespace-benchmarks"


@dataclass(frozen=True)
class Trained:
    """An instrument file and the run of `timbrespace train` that made it."""

    path: Path
    run: Run

    @property
    def card(self) -> dict[str, Any]:
        """The card in the instrument file."""
        return dict(json.loads(self.run.output)["card"])


@dataclass
class Bench:
    """Corpora and instruments of one setting, made when they are first used.

    folder: of kits (drums) or instruments (notes), one sub-folder each. work: folder for corpora and instrument files.
    minutes: of training. seeds: number of instruments. fresh: whether to train again what an earlier run trained.
    kept_away: names of the kits that are never trained on. what: `drums` or `notes`. clips: number of training files, drawn at random;
    None: all. preset: name of the preset.
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
        """A folder with links to all kits except the unseen ones."""
        return self._linked("trained", [kit for kit in self._kits() if kit not in self.kept_away], most=self.clips)

    @cached_property
    def unseen_kits(self) -> Path:
        """A folder with links to the unseen kits."""
        return self._linked("unseen", [kit for kit in self._kits() if kit in self.kept_away])

    @cached_property
    def corpus(self) -> Corpus:
        """The corpus of the trained kits; every instrument is trained with its split."""
        return self._prepared(self.trained_kits)

    @cached_property
    def unseen(self) -> Corpus:
        """The corpus of the unseen kits; all of its splits are used for tests."""
        return self._prepared(self.unseen_kits)

    @cached_property
    def instruments(self) -> list[Trained]:
        """One instrument for each seed, trained by the command line (the first on the folder, the others on the corpus)."""
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
        """The instrument of one seed. An earlier run's file is used if the code in src/, the corpus and the settings are the same."""
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
            sys.exit("the instrument was trained on another split than the measured one; `prepare` and `train` no longer agree")
        return trained


def collect_sounds(folder: Path) -> Path:
    """Runs real_audio.py into `folder` unless that holds drums already; returns the folder."""
    if not (folder / "drums").is_dir():
        say(f"collecting real sounds into {folder} (about two minutes)")
        subprocess.run([sys.executable, str(ROOT / "benchmarks" / "real_audio.py"), str(folder)], check=True, stdout=sys.stderr)
    return folder


def folder_in(sounds: Path, what: str = "drums", kept_away: tuple[str, ...] = UNSEEN) -> Path:
    """The folder of kits: `sounds` or its sub-folder `what`. Ends the program with a sentence if the kits are not there."""
    for folder in (sounds / what, sounds):
        if all((folder / kit).is_dir() for kit in kept_away):
            return folder
    return sys.exit(f"{sounds} does not hold the {what} {', '.join(kept_away)}; give the folder that benchmarks/real_audio.py made")


def bench_for(sounds: Path, what: str, *, work: Path, minutes: float, fresh: bool = False, preset: str = "oneshot") -> Bench:
    """The bench of `drums` or `notes` with one seed and the usual unseen kits; `work` is created."""
    work.mkdir(parents=True, exist_ok=True)
    away = KEPT_AWAY[what]
    return Bench(folder_in(sounds, what, away), work, minutes, 1, fresh, kept_away=away, what=what, preset=preset)


def toy_corpus(name: str, count: int, *, work: Path) -> Corpus:
    """The synthetic corpus `name` with `count` sounds, prepared in `work` once."""
    from timbrespace.corpus.corpus import Corpus, is_corpus
    from timbrespace.corpus.prepare import prepare

    work.mkdir(parents=True, exist_ok=True)
    folder = work / f"{name} {count}"
    return Corpus.open(folder) if is_corpus(folder) else prepare(f"synthetic:{name}", folder, count=count)

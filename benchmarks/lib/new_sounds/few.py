"""A small corpus: twelve kicks learned alone, and how many of the new ones hiss more than any of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lib.new_sounds.measure import hiss
from lib.process import run, say

if TYPE_CHECKING:
    from timbrespace.corpus.corpus import Corpus

FILES, NEW, MINUTES = 12, 32, 1


def hiss_of_few(corpus: Corpus, folder: Path, *, work: Path, seeds: tuple[int, ...] = (0, 1)) -> str:
    """Returns a sentence: of 32 new kicks a seed, how many have more hiss than the worst of the 12 real ones.

    folder: of the files of `corpus`.
    """
    from timbrespace.instrument import Instrument

    kicks = [clip for clip in corpus.clips if clip.category == "kick" and clip.split == "train"]
    chosen = [kicks[k] for k in sorted(np.random.default_rng(0).permutation(len(kicks))[:FILES])]
    small, path = work / "few", work / "few.safetensors"
    shutil.rmtree(small, ignore_errors=True)
    small.mkdir(parents=True)
    for number, clip in enumerate(chosen):
        shutil.copyfile(folder / clip.file, small / f"kick {number:02d}{Path(clip.file).suffix}")
    say(f"training on {len(chosen)} kicks, {MINUTES} minute")
    run(["train", small, "--out", path, "--minutes", str(MINUTES), "--seed", "0", "--force", "--json"])
    instrument = Instrument.load(path)
    worst = max(hiss(corpus.audio(clip.id)[:, : instrument.contents.samples], instrument.sample_rate) for clip in chosen)
    counts = [sum(hiss(one.audio, one.sample_rate) > worst for one in instrument.generate(NEW, seed=seed)) for seed in seeds]
    found = " and ".join(map(str, counts))
    learned = f"An instrument of {len(chosen)} kicks ({MINUTES} minute)"
    return f"{learned}: {found} of {NEW} new ones hiss more than the worst real one ({worst:.1f} dB)."

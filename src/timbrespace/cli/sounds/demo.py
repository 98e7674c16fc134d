"""`timbrespace demo`: prepare, train, generate, morph, and write two pages, on a synthesised drum corpus or a folder of sounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from timbrespace.corpus.corpus import Corpus

_MARK = "made-by-timbrespace-demo.json"
_MORPHS, _MORPH_STEPS = 8, 6


def demo(
    source: Annotated[str, typer.Argument(metavar="FOLDER|synthetic:NAME", help="Sounds to train on.")] = "synthetic:drums",
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Folder for the results; that of an earlier demo is replaced.")
    ] = Path("demo"),
    minutes: Annotated[float, typer.Option("--minutes", help="Duration of the training.")] = 1.5,
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=1000, help="Number of new sounds.")] = 32,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Random seed; the same seed gives the same sounds.")] = 0,
) -> None:
    """Make a corpus, train on it, make new sounds and morphs, and write a page to play the instrument and one that shows the sounds."""
    import time

    from timbrespace.cli.common.corpus import progress_bar
    from timbrespace.cli.learn.progress import showing_progress
    from timbrespace.corpus.prepare import prepare
    from timbrespace.report.results import Morph, Results, write_results
    from timbrespace.training.callbacks import TrainingCallbacks
    from timbrespace.training.train import train
    from timbrespace.web.page import write_page
    from timbrespace.wording import counted

    _renew(out)
    steps: list[tuple[str, float]] = []
    start = time.perf_counter()

    def finish_step(step: str) -> None:
        nonlocal start
        now = time.perf_counter()
        steps.append((step, now - start))
        print(f"{step}: {now - start:.1f} s", flush=True)
        start = now

    with progress_bar("preparing", quiet=False) as progress:
        corpus = prepare(source, out / "corpus", seed=seed, progress=progress)
    finish_step(f"{'synthesised' if source.startswith('synthetic:') else 'prepared'} {counted(len(corpus), 'clip')}")
    with showing_progress(quiet=False) as show:
        instrument = train(
            corpus, out / "instrument.safetensors", minutes=minutes, seed=seed, callbacks=TrainingCallbacks(on_progress=show)
        )
    finish_step("trained the instrument")
    with progress_bar("generating", quiet=False) as progress:
        sounds = instrument.generate(count, seed=seed, progress=progress)
    finish_step(f"made {counted(count, 'new sound')}")
    morphs = []
    for a, b in _pairs(corpus, seed=seed):
        start_name, end_name = (corpus.clips[i].name.rpartition("/")[2] for i in (a, b))
        row = instrument.morph([corpus.audio(a), corpus.audio(b)], _MORPH_STEPS, seed=seed, name=f"{start_name} to {end_name}")
        morphs.append(Morph(start_name, end_name, row))
    finish_step(f"made {counted(len(morphs), 'morph')}")
    for folder, batch in (("sounds", sounds), ("morphs", [step for morph in morphs for step in morph.steps])):
        for sound in batch:
            sound.save(out / folder)
    learned = counted(len(corpus), "clip")
    about = f"New sounds by an instrument that learned from {learned} in a few minutes. Click to listen; hover over the map."
    title = "timbrespace demo" if source.startswith("synthetic:") else f"timbrespace: {Path(source).resolve().name}"
    page = write_results(Results(title, about, instrument, sounds, morphs, steps), out)
    playable = write_page(out / "play.html", instrument, title=title, force=True)
    finish_step("wrote sounds and pages")
    print(f"\nOpen {playable} in a browser to play the instrument, and {page} to hear these sounds.")
    print(f"The instrument is {out / 'instrument.safetensors'}; make more with")
    print(f"  timbrespace generate {out / 'instrument.safetensors'} -n 64 --out new")


def _renew(out: Path) -> None:
    """Creates the folder, or removes the files of an earlier demo from it. Raises OutputExistsError for any other existing folder."""
    import shutil

    from timbrespace.atomic import write_json
    from timbrespace.contracts import OutputExistsError

    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / _MARK).is_file())):
        raise OutputExistsError(f"{out} exists and was not made by the demo; choose another folder with --out")
    for name in ("corpus", "sounds", "morphs", "pictures", "index_files", "instrument.training"):
        if (out / name).is_dir():
            shutil.rmtree(out / name)
    for name in ("index.html", "play.html", "reel.wav", "instrument.safetensors", "instrument.log.jsonl"):
        (out / name).unlink(missing_ok=True)
    write_json(out / _MARK, {"note": "made by `timbrespace demo`, which replaces this folder"}, force=True)


def _pairs(corpus: Corpus, *, seed: int) -> list[tuple[int, int]]:
    """Pairs of training clips to morph between, half of them of the same category, half of different ones; the same for a seed."""
    import numpy as np

    rng = np.random.default_rng(seed)
    clips = rng.permutation(corpus.indices("train")).tolist()
    pairs: list[tuple[int, int]] = []
    for want_same in [k % 2 == 0 for k in range(_MORPHS)]:
        for a in clips:
            partners = [b for b in clips if b != a and (corpus.clips[a].category == corpus.clips[b].category) == want_same]
            if partners:
                b = partners[0]
                pairs.append((a, b))
                clips = [c for c in clips if c not in (a, b)]
                break
    return pairs

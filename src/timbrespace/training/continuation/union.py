"""The corpus of a training that continues from an instrument: the new sounds, and the old ones from where they can still be had."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.corpus.corpus import Corpus, is_corpus
from timbrespace.corpus.format import ClipInfo
from timbrespace.corpus.labels.descriptors import clip_label
from timbrespace.corpus.prepare import prepare
from timbrespace.corpus.prepared.merge import MergedClip, clips_of, write_merged
from timbrespace.corpus.prepared.origin import digest_of, held_out_split, origin_paths
from timbrespace.corpus.sources import ClipFormat, extract_clips
from timbrespace.paths import is_folder
from timbrespace.synthesis.novelty import COPY_DB, REPEAT_DB, UNLIKE, clip_embeddings
from timbrespace.training.continuation.start import Start, check_rate
from timbrespace.training.data.conditions import FEWEST_CLIPS
from timbrespace.training.options import TrainOptions

_BATCH = 64  # clips compared with all training clips at a time


@dataclass(frozen=True)
class Taken:
    """Where the sounds of a continued training are from.

    new: clips that the instrument did not know. here: old clips in the given folder. found: old clips from `places`. decoded: old clips
    made of their latents. left_out: old clips that are no longer in the instrument's own folder. unlike: new clips of a kind never learned.
    """

    new: int
    here: int = 0
    found: int = 0
    decoded: int = 0
    left_out: int = 0
    unlike: int = 0
    places: tuple[str, ...] = ()

    def text(self, start: Start) -> str:
        """What was taken, in one sentence for the user."""
        old = []
        if self.here:
            old.append(f"{self.here} from the given folder")
        if self.found:
            old.append(f"{self.found} from {', '.join(self.places)}")
        if self.decoded:
            old.append(f"{self.decoded} decoded from {start.path.name}, as their files were not found")
        left_out = f"; {self.left_out} are no longer in its folder and are left out" if self.left_out else ""
        return f"continues {start.path.name}: {self.new} new sounds; old sounds: {', '.join(old) or 'none'}{left_out}"

    def advice(self, start: Start) -> str | None:
        """A warning if most new sounds are of a kind that the instrument never learned."""
        if self.unlike <= self.new / 2:
            return None
        return (
            f"{self.unlike} of {self.new} new sounds are of a kind that {start.path.name} never learned: it keeps its principal "
            "components, which may not suit them; compare with a training from scratch (without --from)"
        )


def open_union(
    source: Path | str | Corpus, folder: Path, start: Start, options: TrainOptions, *, progress: Callable[[int, int], None]
) -> tuple[Corpus, Taken]:
    """The corpus of new and old sounds in `folder`, made there unless a resumed run has it already, and what it holds.

    Clips that the instrument was trained on are recognised by their sound, wherever they are now. They stay training clips, and clips
    that it held out stay held out. Near-duplicates of training clips are training clips, too.

    Raises ConfigError if there is nothing new, or new labels are not among the instrument's conditions; CorpusError, TimbrespaceError.
    """
    if is_corpus(folder):
        corpus = Corpus.open(folder)
        stored = corpus.head["continued"]
        return corpus, Taken(**{**stored, "places": tuple(stored["places"])})
    new = _opened(source, folder.with_name("new"), start, options, progress)
    match = _Match(start, new)
    if not match.new:
        raise ConfigError(
            f"there is nothing new in {source}: {start.path} was trained on all {len(new)} clips; add sounds, "
            "or train longer from scratch (more --minutes, without --from)"
        )
    _check_conditions(start, [new.clips[i] for i in match.new])
    clips = match.clips()
    missing = sorted(set(range(len(start.clips.names))) - set(match.known.values()))
    taken = Taken(new=len(match.new), here=len(match.known) + len(match.held_out), unlike=match.unlike())
    own_place = (source.path if isinstance(source, Corpus) else Path(source)).resolve()
    places = _old_places(start)
    if missing and places == [own_place]:
        taken, missing = replace(taken, left_out=len(missing)), []
    for place in places:
        if missing and place != own_place:
            found, missing = _found(start, place, missing, match, folder.with_name("old"), options)
            clips += found
            if found:
                taken = replace(taken, found=taken.found + len(found), places=(*taken.places, str(place)))
    decoded = [clip for row in missing if (clip := _decoded(start, row, new)) is not None]
    clips += decoded
    taken = replace(taken, decoded=len(decoded))
    head = {name: new.head[name] for name in ("sample_rate", "channels", "source", "layout", "options")}
    corpus = write_merged(folder, clips, head={**head, "continued": asdict(taken)}, skipped=new.skipped())
    for name in ("new", "old"):
        shutil.rmtree(folder.with_name(name), ignore_errors=True)
    return corpus, taken


def _opened(
    source: Path | str | Corpus, folder: Path, start: Start, options: TrainOptions, progress: Callable[[int, int], None] | None
) -> Corpus:
    """The corpus that a source is, or one prepared in `folder` at the instrument's rate and channels. Raises TimbrespaceError."""
    if isinstance(source, Corpus) or is_corpus(source):
        corpus = source if isinstance(source, Corpus) else Corpus.open(source)
        check_rate(start, corpus.sample_rate, corpus.channels, corpus.path)
        return corpus
    return prepare(
        source, folder, sample_rate=start.instrument.sample_rate, channels=start.instrument.channels, seed=options.seed,
        rules=options.rules, pitch_names=options.pitch_names, force=True, progress=progress,
    )  # fmt: skip


class _Match:
    """Which clips of a corpus the instrument knows.

    known: clip -> row among the instrument's training clips. held_out: clip -> the split it was held out in. new: all others.
    """

    def __init__(self, start: Start, corpus: Corpus):
        self.start, self.corpus = start, corpus
        self.distances, nearest = nearest_training(start, corpus)
        self.digests = [digest_of(corpus, i) for i in range(len(corpus))]
        self.known = {i: int(row) for i, row in enumerate(nearest.tolist()) if float(self.distances[i]) < REPEAT_DB}
        note = start.instrument.contents.origin or {}
        self.held_out: dict[int, str] = {}
        for i in range(len(corpus)):
            split = None if i in self.known else held_out_split(note, self.digests[i])
            if split is not None:
                self.held_out[i] = split
        self.new = [i for i in range(len(corpus)) if i not in self.known and i not in self.held_out]

    def clips(self, *, new: bool = True) -> list[MergedClip]:
        """The clips with their splits. new: also those that the instrument does not know."""
        near = {self.corpus.clips[i].group for i in range(len(self.corpus)) if float(self.distances[i]) < COPY_DB}
        out = []
        for i, clip in enumerate(clips_of(self.corpus)):
            if i in self.known:
                category = self.start.clips.categories[self.known[i]]
                info = replace(clip.info, split="train", category=category if clip.info.category is None else clip.info.category)
            elif i in self.held_out:
                info = replace(clip.info, split=self.held_out[i])
            elif not new:
                continue
            else:
                info = replace(clip.info, split="train") if clip.info.group in near else clip.info
            out.append(replace(clip, info=info))
        return out

    def unlike(self) -> int:
        """The number of new clips that are far from all training sounds, see `Nearest.is_unlike`."""
        unit = self.start.instrument.contents.novelty_unit
        far = UNLIKE if unit is None else max(UNLIKE, UNLIKE * unit)
        return 0 if unit is None else sum(float(self.distances[i]) > far for i in self.new)


def nearest_training(start: Start, corpus: Corpus) -> tuple[Tensor, Tensor]:
    """Distance of every clip to the nearest training clip of the instrument, and its row there: `(clips,)` each."""
    samples, known = start.instrument.contents.samples, start.clips.embeddings
    distances, rows = [], []
    for points in clip_embeddings(corpus, list(range(len(corpus))), samples=samples).split(_BATCH):
        nearest = torch.cdist(points, known, compute_mode="donot_use_mm_for_euclid_dist").min(1)
        distances.append(nearest.values)
        rows.append(nearest.indices)
    return torch.cat(distances), torch.cat(rows)


def _old_places(start: Start) -> list[Path]:
    """Folders and corpora that may hold the instrument's sounds: those of the note in its file, and the working folder beside it."""
    work = start.path.with_name(start.path.name.removesuffix(".safetensors") + ".training") / "corpus"
    named = origin_paths(start.instrument.contents.origin or {}, start.path)
    return [place.resolve() for place in (*named, work) if is_folder(place)]


def _found(
    start: Start, place: Path, missing: list[int], known: _Match, folder: Path, options: TrainOptions
) -> tuple[list[MergedClip], list[int]]:
    """Old clips from a place, and the rows that are not there. A place that cannot be used gives none. known: the clips of the source."""
    try:
        match = _Match(start, _opened(place, folder, start, options, None))
    except TimbrespaceError:
        return [], missing
    wanted, seen = set(missing), {known.digests[i] for i in known.held_out}
    match.known = {i: row for i, row in match.known.items() if row in wanted}
    match.held_out = {i: split for i, split in match.held_out.items() if match.digests[i] not in seen}
    return match.clips(new=False), sorted(wanted - set(match.known.values()))


def _decoded(start: Start, row: int, new: Corpus) -> MergedClip | None:
    """A training clip of the instrument, decoded from its latent; None if nothing audible results.

    Raises ConfigError for a time-varying latent, because the file keeps only its mean.
    """
    instrument, clips = start.instrument, start.clips
    if instrument.model.time_varying:
        raise ConfigError(
            f"the old sounds of {start.path} were not found, and its latent varies in time, so that its file does not hold enough to "
            "decode them; give a folder with old and new sounds, or train from scratch without --from"
        )
    name, category = clips.names[row], clips.categories[row]

    def audio() -> np.ndarray:
        return prepared().audio

    def prepared() -> Any:
        sound = instrument.decode(clips.latents[row], seed=row).numpy()
        form = ClipFormat(instrument.sample_rate, instrument.channels, "keep", 2.0)
        made = extract_clips(sound, instrument.sample_rate, form, compare=False)
        return made[0] if made else None

    made = prepared()
    if made is None:
        return None
    note = instrument.model.conditioning.note_of(clips.latents[row])
    file = name.rpartition("#")[0] if name.rpartition("#")[2].isdigit() and "#" in name else name
    info = ClipInfo(
        id=0, name=name, file=f"{file} (decoded)", start_s=0.0, seconds=made.audio.shape[1] / new.sample_rate, category=category,
        group=f"{file} (decoded)", split="train", gain_db=0.0, source_rate=new.sample_rate, source_channels=new.channels,
        pitch=None if note is None else float(note), velocity=None,
    )  # fmt: skip
    return MergedClip(info, audio)


def _check_conditions(start: Start, new: list[ClipInfo]) -> None:
    """Raises ConfigError if new sounds have labels that are not among those of the instrument's conditions."""
    conditions = start.instrument.contents.settings["model"].get("conditions")
    if not isinstance(conditions, Mapping):
        return
    for name, values in conditions.items():
        if not all(isinstance(value, str) for value in values):
            continue  # a range of numbers
        counts = Counter(label for clip in new if isinstance(label := clip_label(clip, name), str) and label not in values)
        frequent = {label: count for label, count in counts.items() if count >= FEWEST_CLIPS}
        if frequent:
            listed = ", ".join(f"{label} ({count} sounds)" for label, count in frequent.items())
            raise ConfigError(
                f"new sounds have a {name} that {start.path} has no condition for: {listed}; it knows {', '.join(map(str, values))}. "
                f"Give them one of these with --rule, or train from scratch on all sounds without --from"
            )

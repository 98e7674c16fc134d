"""Measures files and samples for the search of neighbours: encoded without the search for the best latent, and embedded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from timbrespace.audio.describe import NAMES, describe
from timbrespace.audio.embedding import embedding
from timbrespace.audio.files import find_audio, resample
from timbrespace.audio.files import read as read_audio
from timbrespace.contracts import AudioFileError, TimbrespaceError
from timbrespace.corpus.labels.categories import categorise
from timbrespace.corpus.manifest import names_without_suffix
from timbrespace.corpus.sources import named_files, reason_of
from timbrespace.paths import is_folder
from timbrespace.space.neighbours.cepstra import COEFFICIENTS, cepstrum
from timbrespace.space.neighbours.sounds import SoundSet, comparable, descriptors_of_embeddings
from timbrespace.synthesis import encoding
from timbrespace.synthesis.file.contents import InstrumentContents

# All descriptors but pitch and inharmonicity, whose estimation takes as long as all else together.
QUICK = tuple(name for name in NAMES if name not in ("pitch", "inharmonicity"))
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Measuring:
    """Measurements besides embedding and latent. descriptors: names of `audio.describe`. cepstra: those of the baseline, too."""

    descriptors: Collection[str] = ()
    cepstra: bool = False


@dataclass(frozen=True)
class Named:
    """A sound to measure: samples `(channels, time)` at `rate` Hz, or a file; its name and category."""

    name: str
    category: str | None = None
    path: Path | None = None
    audio: Tensor | None = None
    rate: int | None = None


@dataclass
class Found:
    """The files of sources: `sounds` to measure, and problems (file, reason)."""

    sounds: list[Named] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


def find_files(sources: Sequence[Path], *, whole: bool = False) -> Found:
    """Returns the sound files of files and folders, with their names and the categories that `prepare` would read from names.

    In a folder, names are relative to it. whole: with the name of the folder in front. Raises AudioFileError where there are none.
    """
    out = Found()
    for source in sources:
        if is_folder(source):
            problems: list[tuple[Path, str]] = []
            files = named_files(find_audio(source, problems=problems), source)
            out.problems += [(str(path), reason) for path, reason in problems]
            kinds = categorise([file for _, file in files], root=source.absolute().name)
            names = names_without_suffix([file for _, file in files])
            front = f"{source.name}/" if whole else ""
            out.sounds += [Named(front + name, kind, path) for (path, _), name, kind in zip(files, names, kinds, strict=True)]
        else:
            kind = categorise([source.name], root=source.absolute().parent.name)[0]
            out.sounds.append(Named(source.stem, kind, source))
    if not out.sounds:
        raise AudioFileError(
            f"there are no sound files in {', '.join(map(str, sources)) or 'nothing'}; give sound files, or folders of them"
        )
    return out


def measure(
    contents: InstrumentContents,
    sounds: Sequence[Named],
    asked: Measuring | None = None,
    *,
    problems: list[tuple[str, str]] | None = None,
    progress: Progress | None = None,
) -> SoundSet:
    """Returns sounds, measured with the ear of an instrument, in their order; on all cores.

    asked: what more to measure. problems: gets (file, reason) of those that cannot be used; None: the first of them raises its error.
    progress: called with the number of sounds done and of all. Raises TimbrespaceError.
    """
    from timbrespace.parallel import Pool

    asked = asked or Measuring()

    def one(sound: Named) -> _Row | TimbrespaceError:
        try:
            return _measured(contents, sound, asked)
        except TimbrespaceError as error:
            return error

    rows: list[_Row] = []
    used: list[Named] = []
    with Pool() as pool:
        for done, (sound, row) in enumerate(zip(sounds, pool.map(one, sounds), strict=True), start=1):
            if isinstance(row, _Row):
                rows.append(row)
                used.append(sound)
            elif problems is None:
                raise row
            else:
                file = sound.path or Path(sound.name)
                problems.append((str(file), reason_of(row, file)))
            if progress is not None:
                progress(done, len(sounds))
    width = contents.model.dims
    latents = torch.stack([row.latent for row in rows]) if rows else torch.zeros(0, width)
    return SoundSet(
        tuple(sound.name for sound in used),
        tuple(sound.category for sound in used),
        torch.stack([row.embedding for row in rows]) if rows else torch.zeros(0, 68),
        comparable(contents, latents),
        torch.stack([row.descriptors for row in rows]) if rows else torch.zeros(0, len(NAMES)),
        tuple(sound.path for sound in used),
        (torch.stack([row.cepstrum for row in rows]) if rows else torch.zeros(0, 2 * COEFFICIENTS)) if asked.cepstra else None,
    )


@dataclass(frozen=True)
class _Row:
    embedding: Tensor
    latent: Tensor
    descriptors: Tensor
    cepstrum: Tensor


def _measured(contents: InstrumentContents, named: Named, asked: Measuring) -> _Row:
    """One sound; descriptors that are not asked for are NaN. Raises AudioFileError, ShapeError."""
    audio, rate = named.audio, named.rate or contents.sample_rate
    if audio is None:
        assert named.path is not None
        audio, rate = read_audio(named.path, channels=contents.channels)
    if isinstance(audio, Tensor) and rate != contents.sample_rate:
        audio = resample(audio, rate, contents.sample_rate)
    sound = encoding.trim_to_onset(contents, audio, None)[0]
    z = encoding.encode(contents, sound, search=False).z
    if not torch.isfinite(z).all():
        raise AudioFileError(
            f"{named.name}: this instrument gives the sound a latent with infinite values; its file is damaged, train it again"
        )
    sound = sound[:, : contents.samples]
    point = embedding([sound], sample_rate=contents.sample_rate)[0].half().float()  # as an instrument stores them
    clips = contents.clips
    if asked.descriptors and clips is not None and clips.descriptors is None:
        values = descriptors_of_embeddings(point[None])[0]  # like those of the training sounds
    elif asked.descriptors:
        values = describe(sound, contents.sample_rate, only=asked.descriptors)
    else:
        values = torch.full((len(NAMES),), torch.nan)
    return _Row(
        point,
        z.mean(1) if z.ndim > 1 else z,
        values,
        cepstrum(sound, contents.sample_rate) if asked.cepstra else torch.zeros(2 * COEFFICIENTS),
    )

"""The work of `timbrespace represent`: for every clip an array, an image, a picture, or audio after a round trip."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timbrespace.atomic import check_absent, is_name_too_long, write_json
from timbrespace.audio.files import write
from timbrespace.contracts import AudioFileError, CorpusError, FeatureFileError, ShapeError, TimbrespaceError
from timbrespace.corpus.labels.values import is_relative_path
from timbrespace.features.arrays import write_array
from timbrespace.features.clips import Clip
from timbrespace.features.compute import encode_features
from timbrespace.features.header import IMAGE_SUFFIX, check_size
from timbrespace.features.roundtrip import reconstruction_errors
from timbrespace.features.sources import Sources
from timbrespace.parallel import ordered_map

if TYPE_CHECKING:
    from timbrespace.representation.base import Representation

_LONG_SECONDS = 60.0  # recordings over this length are encoded one at a time, to limit memory


@dataclass(frozen=True)
class Outputs:
    """The outputs for every clip, and their settings.

    subtype: of WAV files. seed: of random phases. samples: see `Clip.read`. pixels_per_second, limits: see `pictures.draw_features`.
    """

    array: bool = True
    image: bool = False
    picture: bool = False
    roundtrip: bool = False
    subtype: str = "FLOAT"
    seed: int = 0
    samples: int | None = None
    pixels_per_second: float = 0.0
    limits: tuple[float, float] | None = None
    force: bool = False

    def paths(self, base: Path) -> dict[str, Path]:
        """Returns the files of one clip. base: path without suffix."""
        suffixes = {"array": ".npy", "image": IMAGE_SUFFIX, "picture": ".png", "roundtrip": ".wav"}
        paths = {kind: base.with_name(base.name + suffix) for kind, suffix in suffixes.items() if getattr(self, kind)}
        return paths | ({"json": base.with_name(f"{base.name}.json")} if self.array or self.image else {})


def represent_clips(
    sources: Sources, view: Representation, settings: Mapping[str, Any], outputs: Outputs, out: Path
) -> Iterator[dict[str, Any]]:
    """Yields for every clip the row of `represent_clip`, or {"file", "reason"} if it cannot be represented. out: folder.

    Raises OutputExistsError, TimbrespaceError (full disk).
    """
    workers = 1 if sources.count < 2 or sources.longest_seconds > _LONG_SECONDS else min(4, os.cpu_count() or 1)

    def work(clip: Clip) -> dict[str, Any]:
        import torch

        if workers > 1:
            torch.set_num_threads(1)
        if sources.bases is None and not is_relative_path(clip.name):
            raise TimbrespaceError(f"{clip.name!r} is not a valid file name")
        base = sources.bases[clip.name] if sources.bases is not None else out / clip.name
        file = str(clip.path or clip.name)
        try:
            return represent_clip(clip, base, view, settings, outputs)
        except (AudioFileError, CorpusError, FeatureFileError, ShapeError) as error:
            return {"file": file, "reason": str(error).removeprefix(f"{file}: ")}
        except TimbrespaceError as error:
            if not is_name_too_long(error):  # a full disk ends the run
                raise
            return {"file": file, "reason": str(error)}
        except MemoryError:
            return {"file": file, "reason": "too long for the memory of this machine; cut it into shorter files"}

    yield from ordered_map(work, sources.clips(), workers=workers)


def represent_clip(clip: Clip, base: Path, view: Representation, settings: Mapping[str, Any], outputs: Outputs) -> dict[str, Any]:
    """Writes the outputs of one clip; returns its name, source, shape, seconds, written files, and the errors of a round trip.

    Raises AudioFileError, FeatureFileError, OutputExistsError, TimbrespaceError.
    """
    paths = outputs.paths(base)
    for path in paths.values():
        check_absent(path, force=outputs.force)
    audio, true_length = clip.read(sample_rate=view.sample_rate, channels=view.channels, samples=outputs.samples)
    features = encode_features(view, audio, settings, source=clip.source)
    if outputs.samples is not None:
        features.header["sound_length"] = true_length
    if outputs.image:
        from timbrespace.features.images import save_image

        features.header["image"] = save_image(paths["image"], features, force=outputs.force)
    if outputs.array:
        write_array(paths["array"], features.array, force=outputs.force)
    if "json" in paths:
        write_json(paths["json"], features.header, force=outputs.force)
    if outputs.picture:
        from timbrespace.features.pictures import draw_features  # late: loads matplotlib

        title = f"{clip.name}   {features.header['representation']['name']}"
        scale = {"pixels_per_second": outputs.pixels_per_second}
        draw_features(features, paths["picture"], title=title, limits=outputs.limits, force=outputs.force, **scale)
    row: dict[str, Any] = {"name": clip.name, "source": str(clip.path or clip.source), "shape": list(features.array.shape)}
    row |= {"seconds": round(features.length / view.sample_rate, 4), "written": [str(path) for path in paths.values()]}
    if outputs.roundtrip:
        reconstruction = features.audio(seed=outputs.seed)
        write(paths["roundtrip"], reconstruction, view.sample_rate, subtype=outputs.subtype, force=outputs.force)
        row |= reconstruction_errors(audio, reconstruction, view)
    return row


def fit_normalisation(
    view: Representation, clips: Iterable[Clip], *, samples: int | None = None, progress: Callable[[int], None] | None = None
) -> None:
    """Fits a normalised representation to all clips in one pass, one in memory at a time. Clips that cannot be read are left out."""
    import torch

    from timbrespace.representation.normalisation import Normalised
    from timbrespace.representation.normaliser import Moments

    if not isinstance(view, Normalised):
        return
    moments = Moments(view.parts, view.bands)
    for done, clip in enumerate(clips):
        try:
            audio, _ = clip.read(sample_rate=view.sample_rate, channels=view.channels, samples=samples)
            check_size(view, audio.shape[-1])
        except TimbrespaceError:
            continue
        with torch.inference_mode():
            moments.update(view.view.encode(audio[None]))
        if progress is not None:
            progress(done + 1)
    if moments.count:
        view.set(moments.normaliser(view.kind, kinds=[part.kind for part in view.view.axes(1).parts]))


def all_paths(bases: Iterable[Path], outputs: Outputs) -> list[Path]:
    """Returns all files that will be written. Raises FeatureFileError if two clips share one ('a.image.wav' beside 'a.wav')."""
    base_of: dict[Path, Path] = {}
    for base in bases:
        for path in outputs.paths(base).values():
            if path in base_of:
                raise FeatureFileError(f"{base.name} and {base_of[path].name} would both write {path}; rename one, or write two folders")
            base_of[path] = base
    return list(base_of)

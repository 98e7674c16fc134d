"""What `timbrespace represent` does with one sound: features as array, image or picture, and audio after the way there and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timbrespace.atomic import check_absent, write_json
from timbrespace.audio.files import write
from timbrespace.contracts import FeatureFileError
from timbrespace.features.arrays import features_through, write_array
from timbrespace.features.clips import Clip
from timbrespace.features.head import IMAGE_SUFFIX, check_size, view_within

if TYPE_CHECKING:
    from torch import Tensor

    from timbrespace.representation.base import Representation


@dataclass(frozen=True)
class Wanted:
    """What is written for each sound, and how. subtype: of the WAV. limits, pixels_per_second: see `pictures`. samples: see `Clip.read`."""

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

    def targets(self, base: Path) -> dict[str, Path]:
        """The files of a sound whose outputs are called `base` without suffix."""
        suffixes = {"array": ".npy", "image": IMAGE_SUFFIX, "picture": ".png", "roundtrip": ".wav"}
        found = {kind: base.with_name(base.name + suffix) for kind, suffix in suffixes.items() if getattr(self, kind)}
        return found | ({"json": base.with_name(f"{base.name}.json")} if self.array or self.image else {})


def represent_clip(clip: Clip, base: Path, view: Representation, settings: Mapping[str, Any], wanted: Wanted) -> dict[str, Any]:
    """Writes what is wanted of one clip; returns a row: name, shape, seconds, written files, and the errors of a round trip.

    Raises AudioFileError, FeatureFileError, OutputExistsError, TimbrespaceError.
    """
    targets = wanted.targets(base)
    for target in targets.values():
        check_absent(target, force=wanted.force)
    audio, true = clip.read(sample_rate=view.sample_rate, channels=view.channels, samples=wanted.samples)
    features = features_through(view, audio, settings, source=clip.source)
    if wanted.samples is not None:
        features.head["sound_length"] = true
    if wanted.image:
        from timbrespace.features.images import save_image

        features.head["image"] = save_image(targets["image"], features, force=wanted.force)
    if wanted.array:
        write_array(targets["array"], features.array, force=wanted.force)
    if "json" in targets:
        write_json(targets["json"], features.head, force=wanted.force)
    if wanted.picture:
        from timbrespace.features.pictures import draw_features

        title = f"{clip.name}   {features.head['representation']['name']}"
        draw_features(
            features, targets["picture"], title=title, pixels_per_second=wanted.pixels_per_second, limits=wanted.limits, force=wanted.force
        )
    row: dict[str, Any] = {"name": clip.name, "source": str(clip.path or clip.source), "shape": list(features.array.shape)}
    row |= {"seconds": round(features.length / view.sample_rate, 4), "written": [str(target) for target in targets.values()]}
    if wanted.roundtrip:
        copy = features.audio(seed=wanted.seed)
        write(targets["roundtrip"], copy, view.sample_rate, subtype=wanted.subtype, force=wanted.force)
        row |= errors_of(audio, copy, view)
    return row


def errors_of(audio: Tensor, copy: Tensor, view: Representation) -> dict[str, Any]:
    """How far `copy` is from `audio`, both `(channels, time)`: see docs/measures.md.

    log_mel_error_db: first 1.5 s. sound_error_db: over the whole sound. snr_db: only where the view keeps phase; None where it does not,
    for silence, and where copy and sound are the same (then identical is True).
    """
    import torch

    from timbrespace.audio.distance import log_mel_error, sound_error

    seconds = max(audio.shape[-1] / view.sample_rate, 0.01)
    row: dict[str, Any] = {
        "log_mel_error_db": round(float(log_mel_error([audio], [copy], sample_rate=view.sample_rate)), 3),
        "sound_error_db": round(float(sound_error([audio], [copy], sample_rate=view.sample_rate, seconds=seconds)), 3),
    }
    snr = None
    if keeps_phase(view):
        noise = float((audio.double() - copy.double()).square().sum())
        signal = float(audio.double().square().sum())
        snr = 10 * math.log10(signal / noise) if signal > 0 and noise > 0 else None
    return row | {"snr_db": None if snr is None else round(snr, 2), "identical": bool(torch.equal(audio, copy))}


def fit(view: Representation, clips: Iterable[Clip], *, samples: int | None = None, progress: Callable[[int], None] | None = None) -> None:
    """Fits a normalised view to all clips in one pass, one in memory at a time; clips that cannot be read are left out."""
    import torch

    from timbrespace.contracts import TimbrespaceError
    from timbrespace.representation.normalisation import Moments, Normalised

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


def keeps_phase(view: Representation) -> bool:
    """Whether the samples themselves come back, and not only a sound with the same spectrum."""
    return view.exact or any(part.kind in ("signed", "cyclic") for part in view_within(view).axes(1).parts)


def check_collisions(bases: list[Path], wanted: Wanted) -> list[Path]:
    """All files that would be written. Raises FeatureFileError where two sounds would write the same one ('a.image.wav' beside 'a.wav')."""
    seen: dict[Path, Path] = {}
    for base in bases:
        for target in wanted.targets(base).values():
            if target in seen:
                raise FeatureFileError(f"{base.name} and {seen[target].name} would both write {target}; rename one, or write two folders")
            seen[target] = base
    return list(seen)

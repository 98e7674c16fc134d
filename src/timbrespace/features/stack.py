"""Features of many clips of one length as one array `(clips, parts, bands, frames)`, written batch by batch with constant memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from timbrespace.atomic import check_absent, replacing, write_json
from timbrespace.contracts import FeatureFileError, TimbrespaceError
from timbrespace.corpus.writer import ArrayWriter
from timbrespace.features.arrays import checked_values, open_array
from timbrespace.features.clips import Clip
from timbrespace.features.compute import Features
from timbrespace.features.header import STACK_FORMAT, check_size, header_path, make_header, read_header
from timbrespace.parallel import ordered_map

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from timbrespace.representation.base import Representation

_BATCH_VALUES, _MAX_BATCH = 2**22, 256
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Stack:
    """Features of many clips. array: memory map `(clips, parts, bands, frames)`. clips: name, source, length (samples), labels of each."""

    path: Path
    array: NDArray[Any]
    representation: Representation
    length: int
    clips: list[dict[str, Any]]
    header: dict[str, Any]

    def __len__(self) -> int:
        return len(self.clips)

    def features(self, index: int) -> Features:
        """Returns a copy of one clip's features. Raises FeatureFileError for NaN and infinite values."""
        values = checked_values(self.array[index], self.path)
        return Features(values, self.representation, self.length, {**self.header, "shape": list(values.shape)})


@dataclass(frozen=True)
class _Batch:
    values: NDArray[np.float32]
    rows: list[dict[str, Any]]
    skipped: list[dict[str, str]]
    lengths: list[int]
    seen: int


def write_stack(
    path: Path | str,
    clips: Iterable[Clip],
    view: Representation,
    settings: Mapping[str, Any],
    *,
    samples: int | None = None,
    total: int = 0,
    force: bool = False,
    progress: Progress | None = None,
) -> tuple[int, list[dict[str, str]]]:
    """Writes NAME.npy and NAME.json; returns the number of clips written, and {"file", "reason"} of each clip that cannot be read.

    samples: every clip is cut or padded to this length; None: all must have the same length. total: number of clips, for
    progress(done, total). Raises FeatureFileError (different lengths, no clips), OutputExistsError, TimbrespaceError (full disk).
    """
    path = Path(path)
    header_file = header_path(path)
    for target in (path, header_file):
        check_absent(target, force=force)
    rows: list[dict[str, Any]] = []
    skipped: list[dict[str, str]] = []
    length, done = samples, 0
    clips = iter(clips)
    first = next(clips, None)
    if first is None:
        raise FeatureFileError("there are no clips to stack")
    size = check_size(view, samples or first.samples or 1)
    batch = max(1, min(_MAX_BATCH, _BATCH_VALUES // max(1, int(np.prod(size)))))
    with replacing(path, force=force) as temporary:
        writer: ArrayWriter | None = None
        try:
            batches = ordered_map(lambda group: _encode_batch(group, view, samples), _batches(itertools.chain([first], clips), batch))
            for result in batches:
                for clip_length, row in zip(result.lengths, result.rows, strict=True):
                    length = clip_length if length is None else length
                    if clip_length != length:
                        raise FeatureFileError(
                            f"{row['name']} has {clip_length} samples and the clips before it {length}, but one array needs one length; "
                            "--seconds S cuts or pads every clip"
                        )
                if result.rows:
                    if writer is None:
                        writer = ArrayWriter(temporary, result.values.shape[1:], "<f4")
                    writer.append(result.values)
                rows += result.rows
                skipped += result.skipped
                done += result.seen
                if progress is not None:
                    progress(done, max(total, done))
        except BaseException as error:
            if writer is not None:
                writer.__exit__(type(error), error, None)
            raise
        if writer is None or length is None:
            raise FeatureFileError(f"none of the {done} clips could be read; the first: {skipped[0]['file']}: {skipped[0]['reason']}")
        writer.__exit__(None, None, None)
    shape = (len(rows), view.parts, view.bands, view.frames(length))
    header = make_header(settings, view, length=length, shape=shape, source="")
    header |= {"format": STACK_FORMAT, "clips": rows, "skipped": skipped}
    write_json(header_file, header, force=force)
    return len(rows), skipped


def load_stack(path: Path | str) -> Stack:
    """Returns the stack in NAME.npy and NAME.json. Raises FeatureFileError."""
    path = Path(path)
    header, view = read_header(header_path(path))
    if header["format"] != STACK_FORMAT:
        raise FeatureFileError(f"{path} holds one sound; load it with timbrespace.features.arrays.load_features")
    check_size(view, header["length"])
    clips = header.get("clips")
    if not isinstance(clips, list) or len(clips) != header["shape"][0] or not all(_clip_fits(clip, header["length"]) for clip in clips):
        raise FeatureFileError(
            f"{header_path(path)}: clips must be {header['shape'][0]!r:.40} entries with name and length; make the stack again"
        )
    array = path if path.name.lower().endswith(".npy") else path.with_suffix(".npy")
    return Stack(array, open_array(array, tuple(header["shape"])), view, header["length"], clips, header)


def _clip_fits(clip: object, longest: int) -> bool:
    if not isinstance(clip, dict) or not isinstance(clip.get("name"), str) or type(clip.get("length")) is not int:
        return False
    return bool(1 <= clip["length"] <= longest)


def _batches(clips: Iterable[Clip], size: int) -> Iterator[list[Clip]]:
    clips = iter(clips)
    while group := list(itertools.islice(clips, size)):
        yield group


def _encode_batch(group: list[Clip], view: Representation, samples: int | None) -> _Batch:
    """Returns the features of a group of clips; without values if their lengths differ, which `lengths` shows."""
    import torch

    rows, skipped, audio = [], [], []
    for clip in group:
        try:
            sound, true_length = clip.read(sample_rate=view.sample_rate, channels=view.channels, samples=samples)
        except TimbrespaceError as error:
            skipped.append({"file": str(clip.path or clip.name), "reason": str(error).removeprefix(f"{clip.path}: ")})
            continue
        audio.append(sound)
        rows.append({"name": clip.name, "source": clip.source, "length": true_length, "labels": clip.labels})
    lengths = [sound.shape[-1] for sound in audio]
    if not audio or len(set(lengths)) > 1:
        return _Batch(np.zeros((0,), np.float32), rows, skipped, lengths, len(group))
    check_size(view, lengths[0])
    with torch.inference_mode():
        values = view.encode(torch.stack(audio)).to(torch.float32).numpy()
    return _Batch(values, rows, skipped, lengths, len(group))

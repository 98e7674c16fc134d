"""Opens a prepared corpus. Every file is checked before the first clip is returned."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from timbrespace.audio.trim import shorten
from timbrespace.contracts import CLIP_SECONDS, LONGEST_CLIP_SECONDS, ConfigError, CorpusError
from timbrespace.corpus import format as names
from timbrespace.corpus.format import SPLITS, ClipInfo, parse_manifest_row

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ClipInfo", "Corpus"]


class Corpus:
    """A prepared corpus, read through memory maps: memory use does not grow with the audio.

    Attributes: path; sample_rate (Hz); channels; clip_seconds (length that a model should process, s); categories and instruments
    (sorted names); clips (a ClipInfo per clip); fingerprint (SHA-256 of manifest and offsets); head (the content of corpus.json).
    """

    def __init__(self, path: Path, head: dict[str, Any], clips: list[ClipInfo], audio: np.ndarray, offsets: np.ndarray, fingerprint: str):
        """Use `Corpus.open`."""
        self.path, self.head, self.clips, self.fingerprint = path, head, clips, fingerprint
        self.sample_rate: int = head["sample_rate"]
        self.channels: int = head["channels"]
        self.clip_seconds: float = head["clip_seconds"]
        self.categories: list[str] = sorted({clip.category for clip in clips if clip.category is not None})
        self.instruments: list[str] = sorted({clip.instrument for clip in clips if clip.instrument is not None})
        self._audio, self._offsets = audio, offsets

    @classmethod
    def open(cls, path: Path | str) -> Corpus:
        """The corpus in a folder. Raises CorpusError if it is missing, foreign, damaged, or of another version."""
        path = Path(path)
        head = _read_head(path)
        manifest = _bytes(path / names.MANIFEST)
        offsets = np.array(_array(path / names.OFFSETS, np.int64, 1))
        audio = _array(path / names.AUDIO, np.float32, 2)
        clips = _read_manifest(path / names.MANIFEST, manifest, head["version"])
        if len(clips) != head["clips"] or len(offsets) != len(clips) + 1:
            raise CorpusError(
                f"{path}: corpus.json says {head['clips']} clips, the manifest has {len(clips)}, offsets.npy {len(offsets) - 1}; "
                "prepare the corpus again"
            )
        if offsets[0] != 0 or (np.diff(offsets) < 1).any() or offsets[-1] != len(audio):
            raise CorpusError(
                f"{path / names.OFFSETS}: offsets must rise from 0 to the {len(audio)} samples of audio.npy; prepare it again"
            )
        if audio.shape[1] != head["channels"]:
            raise CorpusError(f"{path}: corpus.json says {head['channels']} channels, audio.npy has {audio.shape[1]}; prepare it again")
        fingerprint = hashlib.sha256(manifest + offsets.astype("<i8").tobytes()).hexdigest()
        return cls(path, head, clips, audio, offsets, fingerprint)

    def __len__(self) -> int:
        return len(self.clips)

    def __repr__(self) -> str:
        return f"Corpus({str(self.path)!r}, {len(self)} clips, {self.sample_rate} Hz, {self.channels} channels)"

    def samples(self, index: int) -> int:
        """Length of clip `index` in samples."""
        return int(self._offsets[index + 1] - self._offsets[index])

    def audio(self, index: int) -> Tensor:
        """Audio of clip `index`, `(channels, time)` float32, a copy. Raises IndexError, CorpusError (damaged samples)."""
        import torch

        if not 0 <= index < len(self):
            raise IndexError(f"clip {index} of a corpus of {len(self)}")
        clip = np.array(self._audio[self._offsets[index] : self._offsets[index + 1]].T, order="C")
        if not np.isfinite(clip).all():
            raise CorpusError(f"{self.path / names.AUDIO}: clip {index} ({self.clips[index].name}) contains NaN; prepare the corpus again")
        return torch.from_numpy(clip)

    def indices(self, split: str | None = None, category: str | None = None, *, instrument: str | None = None) -> list[int]:
        """Ascending indices of the clips of a split, category and/or instrument. Raises ConfigError for a name that this corpus lacks."""
        if split is not None and split not in SPLITS:
            raise ConfigError(f"split is {split!r}, allowed are {', '.join(SPLITS)}")
        for what, name, known in (("category", category, self.categories), ("instrument", instrument, self.instruments)):
            if name is not None and name not in known:
                raise ConfigError(f"{what} is {name!r}, this corpus has {', '.join(known) or f'none: no clip has a {what}'}")
        return [
            i
            for i, clip in enumerate(self.clips)
            if (split is None or clip.split == split)
            and (category is None or clip.category == category)
            and (instrument is None or clip.instrument == instrument)
        ]

    def batch(self, indices: Sequence[int], *, samples: int) -> tuple[Tensor, Tensor]:
        """Audio `(batch, channels, samples)` and lengths `(batch,)` int64 in samples of the clips `indices`.

        Shorter clips are zero padded, longer ones are cut to `samples` with a fade-out over the last 10 ms. Raises ConfigError.
        """
        import torch

        if samples < 1:
            raise ConfigError(f"samples is {samples}, at least 1 is needed")
        audio = torch.zeros(len(indices), self.channels, samples)
        lengths = torch.empty(len(indices), dtype=torch.int64)
        for row, index in enumerate(indices):
            clip = torch.from_numpy(shorten(self.audio(index).numpy(), samples, self.sample_rate))
            audio[row, :, : clip.shape[-1]] = clip
            lengths[row] = clip.shape[-1]
        return audio, lengths

    def skipped(self) -> list[dict[str, str]]:
        """The files that `prepare` skipped: {"file", "reason"} each. Raises CorpusError if the list is damaged."""
        return self._lines(names.SKIPPED)

    def remarks(self) -> list[dict[str, str]]:
        """Oddities of the files that `prepare` read: {"file", "kind", "text"} each. Raises CorpusError if the list is damaged."""
        return self._lines(names.REMARKS) if (self.path / names.REMARKS).exists() else []

    def _lines(self, name: str) -> list[dict[str, str]]:
        path = self.path / name
        try:
            return [json.loads(line) for line in _bytes(path).splitlines() if line]
        except ValueError as error:
            raise CorpusError(f"{path} is damaged ({error}); prepare the corpus again") from None


def is_corpus(path: Path | str) -> bool:
    """Whether a folder is a corpus, of any version, according to its corpus.json."""
    try:
        return json.loads((Path(path) / names.HEAD).read_bytes())["format"] == names.FORMAT
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CorpusError(f"{path} is missing; prepare the corpus again") from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror or error}") from None


def _read_head(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        raise CorpusError(f"{path} {'is not a folder' if path.exists() else 'does not exist'}; give a corpus made by `timbrespace prepare`")
    if not (path / names.HEAD).exists():
        raise CorpusError(f"{path} is not a corpus: it has no {names.HEAD}; make one with `timbrespace prepare FOLDER --out CORPUS`")
    try:
        head = json.loads(_bytes(path / names.HEAD))
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{path / names.HEAD} is damaged ({error}); prepare the corpus again") from None
    if not isinstance(head, dict) or head.get("format") != names.FORMAT:
        raise CorpusError(f"{path} is not a timbrespace corpus; make one with `timbrespace prepare FOLDER --out CORPUS`")
    version = head.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or version not in names.READABLE:
        readable = " and ".join(map(str, names.READABLE))
        raise CorpusError(f"{path} is of corpus version {version!r:.40}, this release reads {readable}; prepare it again")
    limits = {
        "sample_rate": (1_000, 1_536_000),
        "channels": (1, 64),
        "clips": (1, 2**40),
        "clip_seconds": (CLIP_SECONDS, LONGEST_CLIP_SECONDS),
    }
    for name, (low, high) in limits.items():
        value = head.get(name)
        kinds = (int, float) if name == "clip_seconds" else (int,)
        if not isinstance(value, kinds) or isinstance(value, bool) or not low <= value <= high:
            raise CorpusError(f"{path / names.HEAD}: {name} is {value!r:.80}, allowed is {low} to {high}; prepare the corpus again")
    return head


def _read_manifest(path: Path, data: bytes, version: int) -> list[ClipInfo]:
    clips = []
    for number, line in enumerate(data.splitlines()):
        where = f"{path} line {number + 1}"
        try:
            clip = parse_manifest_row(json.loads(line), where=where, version=version)
        except (ValueError, RecursionError) as error:
            raise CorpusError(f"{where} is damaged ({error}); prepare the corpus again") from None
        if clip.id != number:
            raise CorpusError(f"{where}: id is {clip.id}, {number} expected; prepare the corpus again")
        clips.append(clip)
    return clips


def _array(path: Path, dtype: type, dims: int) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False, mmap_mode="r")
    except FileNotFoundError:
        raise CorpusError(f"{path} is missing; prepare the corpus again") from None
    except (OSError, ValueError, EOFError, SyntaxError, MemoryError, OverflowError, TypeError) as error:
        raise CorpusError(f"{path} is damaged ({error}); prepare the corpus again") from None
    if not isinstance(array, np.ndarray) or array.dtype != np.dtype(dtype) or array.ndim != dims or not array.size:
        actual = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise CorpusError(f"{path} must hold {np.dtype(dtype)} in {dims} dimensions, not {actual}; prepare the corpus again")
    return array

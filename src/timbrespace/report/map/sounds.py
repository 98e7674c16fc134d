"""What a map page can play: sounds rendered beforehand and compressed, of points chosen so that every other point has one nearby."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import soundfile
import torch
from torch import Tensor

from timbrespace.audio.describe import describe
from timbrespace.parallel import Pool
from timbrespace.space.atlas.atlas import TRAINING, Atlas
from timbrespace.synthesis.encoding import decode
from timbrespace.synthesis.finish import finish
from timbrespace.synthesis.request import RenderRequest

Progress = Callable[[int, int], None]

SOUNDS, PLACES = 300, 196  # rendered beforehand, of training sounds and of places between them
MOST_SOUNDS = 10_000
_SECONDS, _FADE = 2.0, 0.1  # a longer sound is faded out there
_MP3_RATES = (48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
_QUALITY = 0.3  # of libsndfile: 0 the best, 1 the smallest; at 0.7 hats lose 4 dB above 10 kHz (docs/space.md)
_CHOSEN_FROM = 64  # numbers of a latent by which sounds are chosen


@dataclass(frozen=True)
class MapSounds:
    """Sounds of a map page, compressed.

    files: MP3 (else Ogg Vorbis), one a sound, and media: its type. player `(n,)`: for each point the number of the sound that it plays;
    own `(n,)`: whether that is its own and not that of the nearest point with one. places: x, y and the number of the sound of each.
    """

    files: list[bytes] = field(default_factory=list)
    media: str = "audio/mpeg"
    player: list[int] = field(default_factory=list)
    own: list[bool] = field(default_factory=list)
    places: list[tuple[float, float, int]] = field(default_factory=list)


def render_sounds(
    atlas: Atlas, *, sounds: int = SOUNDS, places: int = PLACES, progress: Progress | None = None
) -> tuple[MapSounds, Atlas]:  # fmt: skip
    """Renders what a map page plays. Returns the sounds, and the map with descriptors of those that were rendered and had none.

    All new and given sounds are rendered, and at most `sounds` training sounds, spread over the latent space: each of the others plays
    the nearest rendered one. places: at most as many places on an even grid. Each training sound and each place is decoded from its
    latent with the detail of new sounds: no sample of a training sound is in the result. progress: called with the number of sounds done
    and of all.
    """
    rows = chosen_rows(atlas, sounds)
    grid = even_grid(atlas.positions, places)
    requests = [atlas.request_of(row) for row in rows] + atlas.requests_at(grid)
    media, rate = output_format(atlas.contents.sample_rate)
    missing = atlas.points.descriptors.isnan().all(1)
    measured = [bool(missing[row]) for row in rows] + [False] * len(grid)

    def one(task: tuple[RenderRequest, bool]) -> tuple[bytes, Tensor | None]:
        audio = rendered_audio(atlas, task[0], rate)
        return compressed(audio, rate, media), describe(audio, rate) if task[1] else None

    files, descriptors = list[bytes](), atlas.points.descriptors.clone()
    with Pool() as pool:
        for number, (data, values) in enumerate(pool.map(one, list(zip(requests, measured, strict=True)))):
            files.append(data)
            if values is not None:
                descriptors[rows[number]] = values
            if progress is not None:
                progress(len(files), len(requests))
    player = _nearest_rendered(atlas, rows)
    marks = [(float(x), float(y), len(rows) + number) for number, (x, y) in enumerate(grid.tolist())]
    own = [bool(rows) and rows[number] == row for row, number in enumerate(player)]
    return MapSounds(files, media, player, own, marks), atlas.with_descriptors(descriptors)


def rendered_audio(atlas: Atlas, request: RenderRequest, rate: int) -> Tensor:
    """Returns the finished sound `(channels, time)` of a request at `rate` Hz, at most 2 s long."""
    contents = atlas.contents
    raw = decode(contents, request.z, length=request.length, seed=request.seed, texture=True, category=request.category)
    audio = finish(raw, contents.sample_rate, level="peak", out_rate=rate)
    most, fade = round(_SECONDS * rate), round(_FADE * rate)
    if audio.shape[1] <= most:
        return audio
    audio = audio[:, :most].clone()
    audio[:, -fade:] *= torch.linspace(1, 0, fade)
    return audio


def chosen_rows(atlas: Atlas, count: int) -> list[int]:
    """Returns the rows of the points that are rendered, sorted: all new and given ones, and at most `count` training sounds.

    Each next training sound is the one farthest, in the latent space, from those chosen before (Gonzalez 1985).
    """
    training = [row for row, kind in enumerate(atlas.points.kinds) if kind == TRAINING]
    others = [row for row, kind in enumerate(atlas.points.kinds) if kind != TRAINING]
    if len(training) <= count:
        return sorted(training + others)
    if not count:
        return others
    latents = _short(atlas.points.latents[training])
    middle = int((latents - latents.mean(0)).square().sum(1).argmin())
    chosen, distance = [middle], torch.full((len(latents),), torch.inf)
    while len(chosen) < count:
        distance = torch.minimum(distance, (latents - latents[chosen[-1]]).square().sum(1))
        chosen.append(int(distance.argmax()))
    return sorted([training[row] for row in set(chosen)] + others)


def even_grid(positions: Tensor, count: int) -> Tensor:
    """Returns at most `count` places `(m, 2)` on an even square grid over the area of positions `(n, 2)`."""
    side = int(max(0, count) ** 0.5)
    if not side:
        return torch.zeros(0, 2)
    low, high = positions.min(0).values, positions.max(0).values
    size = (high - low).clamp_min(0.1 * float((high - low).max().clamp_min(0.1)))
    steps = (torch.arange(side) + 0.5) / side * 1.1 - 0.05  # a margin around the outermost sounds
    x, y = (low[axis] + steps * size[axis] for axis in (0, 1))
    return torch.cartesian_prod(y, x).flip(1)


def output_format(sample_rate: int) -> tuple[str, int]:
    """Returns the media type of the sounds and their sample rate (Hz) for an instrument's: the next lower that MP3 knows."""
    if "MP3" not in soundfile.available_formats():  # an old libsndfile of the system
        return "audio/ogg", sample_rate
    return "audio/mpeg", next((rate for rate in _MP3_RATES if rate <= sample_rate), _MP3_RATES[-1])


def compressed(audio: Tensor, rate: int, media: str) -> bytes:
    """Returns a sound `(channels, time)` as an MP3 or Ogg Vorbis file."""
    buffer, samples = io.BytesIO(), np.ascontiguousarray(audio.clamp(-1, 1).T.numpy())
    if media == "audio/ogg":
        soundfile.write(buffer, samples, rate, format="OGG", subtype="VORBIS")
    else:
        options = {"bitrate_mode": "VARIABLE", "compression_level": _QUALITY}
        soundfile.write(buffer, samples, rate, format="MP3", subtype="MPEG_LAYER_III", **options)
    return buffer.getvalue()


def _nearest_rendered(atlas: Atlas, rows: Sequence[int]) -> list[int]:
    """For each point the number, among `rows`, of the nearest in the latent space; -1 where none is rendered.

    A training sound is played by a training sound, if one is rendered.
    """
    if not rows:
        return [-1] * len(atlas)
    latents = _short(atlas.points.latents)
    candidates = [number for number, row in enumerate(rows) if atlas.points.kinds[row] == TRAINING] or list(range(len(rows)))
    chosen = latents[[rows[number] for number in candidates]]
    nearest = [torch.cdist(some, chosen).argmin(1) for some in latents.split(1024)]
    player = torch.tensor(candidates)[torch.cat(nearest)]
    player[list(rows)] = torch.arange(len(rows))  # also of two sounds with the same latent
    return player.tolist()


def _short(latents: Tensor) -> Tensor:
    """Latents `(n, dims)` by the dimensions that vary most, at most 64."""
    if latents.shape[1] <= _CHOSEN_FROM:
        return latents
    return latents[:, latents.var(0).topk(_CHOSEN_FROM).indices]

"""Further errors of a reconstruction, one number a sound: LSD, multi-resolution STFT, SI-SDR, frequency bands, source B's deviation.

Sounds are lists of `(channels, time)`, or a padded batch `(batch, channels, time)`; all are mixed to mono and resampled to 44.1 kHz, as for
the errors of `audio.distance`. Original and reconstruction are on one time grid. No gain is matched but where the text says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from timbrespace.audio.analysis import FLOOR_DB, TINY, Sounds, power_spectra, sound_pairs
from timbrespace.audio.distance import SECONDS
from timbrespace.audio.trim import pad_and_normalise, shorten
from timbrespace.config.build import build_representation
from timbrespace.contracts import SAMPLE_RATE, ShapeError

# key -> heading; smaller is better but for SI-SDR.
FURTHER = {
    "lsd_db": "log-spectral distance (dB)",
    "mr_stft": "multi-resolution STFT",
    "si_sdr_db": "SI-SDR (dB)",
    "stdev_percent": "source B's stdev (%)",
}
WINDOWS = (512, 1024, 2048)  # samples, of the multi-resolution STFT; hops are a quarter
# Name -> lower edge in Hz; the upper edge is the next one's lower edge.
BANDS_HZ = {
    "sub": 20.0, "bass": 60.0, "low mids": 250.0, "mids": 500.0, "upper mids": 2_000.0, "presence": 4_000.0, "treble": 8_000.0,
    "air": 16_000.0,
}  # fmt: skip
_TOP_HZ = 22_050.0
_HOLDS_DB = -60.0  # a band that holds less of the original's energy is left out
_SOURCE_B = {"name": "magnitude"}  # the view in which source B computed its error
_SHORTEST = 4_096  # samples, of that view


@torch.no_grad()
def log_spectral_distance(original: Sounds, reconstruction: Sounds, *, sample_rate: int = SAMPLE_RATE) -> Tensor:
    """Returns the log-spectral distance in dB (Gray and Markel 1976), `(batch,)`.

    Of each frame (1024-point periodic Hann, hop 256) the root mean square over bins of the difference of the levels in dB, both limited to
    80 dB under the original's loudest cell; mean over the frames whose centre is within the original's length, of the first 1.5 s. A
    constant gain counts: one of 6 dB gives 6 where no cell is at the limit. Raises ShapeError.
    """
    errors = []
    for a, b, true in sound_pairs(original, reconstruction, sample_rate=sample_rate, lengths=None, seconds=SECONDS):
        reference, estimate = power_spectra(a), power_spectra(b)
        floor = (reference.amax(dim=(1, 2), keepdim=True) * 10 ** (-FLOOR_DB / 10)).clamp_min(TINY)
        difference = 10 * (reference.maximum(floor).log10() - estimate.maximum(floor).log10())
        frames = difference.square().mean(dim=1).sqrt()
        inside = torch.arange(frames.shape[1])[None] * 256 < true[:, None]
        errors.append((frames * inside).sum(dim=1) / inside.sum(dim=1))
    return _joined(errors)


@torch.no_grad()
def multi_resolution_stft(original: Sounds, reconstruction: Sounds, *, sample_rate: int = SAMPLE_RATE) -> Tensor:
    """Returns the multi-resolution STFT error (Yamamoto et al. 2020), without unit, `(batch,)`.

    Spectral convergence, |X - Y| over |X| (Frobenius norms of the magnitudes), plus the mean absolute difference of their natural
    logarithms, both magnitudes limited to 80 dB under the original's largest; mean over windows of 512, 1024 and 2048 samples. Of the
    first 1.5 s; the logarithms of the frames whose centre is within the original's length. Raises ShapeError.
    """
    errors = []
    for a, b, true in sound_pairs(original, reconstruction, sample_rate=sample_rate, lengths=None, seconds=SECONDS):
        total = torch.zeros(len(a))
        for size in WINDOWS:
            x, y = power_spectra(a, n_fft=size).sqrt(), power_spectra(b, n_fft=size).sqrt()
            floor = (x.amax(dim=(1, 2), keepdim=True) * 10 ** (-FLOOR_DB / 20)).clamp_min(TINY**0.5)
            convergence = (x - y).flatten(1).norm(dim=1) / x.flatten(1).norm(dim=1).clamp_min(TINY**0.5)
            logarithms = (x.maximum(floor).log() - y.maximum(floor).log()).abs().mean(dim=1)
            inside = torch.arange(logarithms.shape[1])[None] * (size // 4) < true[:, None]
            total = total + convergence + (logarithms * inside).sum(dim=1) / inside.sum(dim=1)
        errors.append(total / len(WINDOWS))
    return _joined(errors)


@torch.no_grad()
def si_sdr(original: Sounds, reconstruction: Sounds, *, sample_rate: int = SAMPLE_RATE) -> Tensor:
    """Returns the scale-invariant signal-to-distortion ratio in dB (Le Roux et al. 2019), `(batch,)`; larger is better.

    It compares waveforms: it says something only where the phase is kept. Values are limited to -100 and 100 dB; a silent original or
    reconstruction gives NaN. Raises ShapeError.
    """
    ratios = []
    for a, b, _ in sound_pairs(original, reconstruction, sample_rate=sample_rate, lengths=None, seconds=None):
        x, y = a.double(), b.double()
        scale = (x * y).sum(dim=1, keepdim=True) / x.square().sum(dim=1, keepdim=True).clamp_min(TINY)
        target = scale * x
        ratio = target.square().sum(dim=1) / (y - target).square().sum(dim=1).clamp_min(TINY)
        valid = (x.square().sum(dim=1) > TINY) & (y.square().sum(dim=1) > TINY)
        ratios.append(torch.where(valid, (10 * ratio.clamp_min(TINY).log10()).clamp(-100, 100), torch.nan))
    return _joined(ratios)


@torch.no_grad()
def band_levels(original: Sounds, reconstruction: Sounds, *, sample_rate: int = SAMPLE_RATE) -> tuple[Tensor, Tensor]:
    """Returns, for each of BANDS_HZ, the change of the band's level and its error, both in dB, `(batch, bands)`.

    Change: energy of the reconstruction over that of the original within the band, over the first 1.5 s: negative where a band was lost.
    Error: root mean square over the frames within the original's length of the difference of the band's level in dB, both limited to
    60 dB under the band's loudest frame in the original. The whole reconstruction is first matched in energy. NaN for bands that hold less
    than -60 dB of the original's energy. Raises ShapeError.
    """
    edges = [*BANDS_HZ.values(), _TOP_HZ]
    hertz = torch.linspace(0, SAMPLE_RATE / 2, 513)
    changes, errors = [], []
    for a, b, true in sound_pairs(original, reconstruction, sample_rate=sample_rate, lengths=None, seconds=SECONDS):
        x, y = power_spectra(a), power_spectra(b)
        y = y * (x.sum(dim=(1, 2)) / y.sum(dim=(1, 2)).clamp_min(TINY))[:, None, None]
        change, error = torch.full((len(x), len(edges) - 1), torch.nan), torch.full((len(x), len(edges) - 1), torch.nan)
        inside = torch.arange(x.shape[2])[None] * 256 < true[:, None]
        for k in range(len(edges) - 1):
            chosen = (hertz >= edges[k]) & (hertz < edges[k + 1] if k + 2 < len(edges) else hertz <= edges[k + 1])
            one, other = x[:, chosen].sum(dim=1), y[:, chosen].sum(dim=1)
            whole = x.sum(dim=(1, 2))
            held = one.sum(dim=1) > whole * 10 ** (_HOLDS_DB / 10)
            held &= whole > TINY
            floor = (one.amax(dim=1, keepdim=True) * 1e-6).clamp_min(TINY)
            least = (one.sum(dim=1) * 1e-8).clamp_min(TINY)
            change[:, k] = torch.where(held, 10 * (other.sum(dim=1).maximum(least) / one.sum(dim=1).clamp_min(TINY)).log10(), torch.nan)
            square = (10 * (one.maximum(floor).log10() - other.maximum(floor).log10())).square()
            error[:, k] = torch.where(held, ((square * inside).sum(dim=1) / inside.sum(dim=1)).sqrt(), torch.nan)
        changes.append(change)
        errors.append(error)
    empty = torch.zeros(0, len(edges) - 1)
    return (torch.cat(changes), torch.cat(errors)) if changes else (empty, empty)


@torch.no_grad()
def source_b_squares(original: Sequence[Tensor], reconstruction: Sequence[Tensor], *, sample_rate: int = SAMPLE_RATE) -> Tensor:
    """Returns the mean square error of each sound in source B's view, companded magnitudes in full scale, `(batch,)`.

    100 times the root of their mean is source B's standard deviation in %. Sounds are padded to the longest original. Raises ShapeError.
    """
    if len(original) != len(reconstruction):
        raise ShapeError(f"{len(original)} originals and {len(reconstruction)} reconstructions: one for every original is needed")
    if not len(original):
        return torch.zeros(0)
    view = build_representation(_SOURCE_B, sample_rate=sample_rate, channels=original[0].shape[0])
    samples = max(_SHORTEST, max(audio.shape[-1] for audio in original))

    def features(audio: Tensor) -> Tensor:
        return view.encode(torch.from_numpy(pad_and_normalise(shorten(audio.numpy(), samples, sample_rate), samples))[None])

    return torch.tensor([float((features(a) - features(b)).square().mean()) for a, b in zip(reconstruction, original, strict=True)])


def further_errors(original: Sequence[Tensor], reconstruction: Sequence[Tensor], *, sample_rate: int = SAMPLE_RATE) -> dict[str, Tensor]:
    """Returns every measure of FURTHER of every sound, `{key: (batch,)}`. Raises ShapeError.

    "stdev_percent" is that of each sound; its mean over sounds is not the root of the mean of the squares, see `source_b_squares`.
    """
    return {
        "lsd_db": log_spectral_distance(original, reconstruction, sample_rate=sample_rate),
        "mr_stft": multi_resolution_stft(original, reconstruction, sample_rate=sample_rate),
        "si_sdr_db": si_sdr(original, reconstruction, sample_rate=sample_rate),
        "stdev_percent": 100 * source_b_squares(original, reconstruction, sample_rate=sample_rate).sqrt(),
    }


def _joined(parts: list[Tensor]) -> Tensor:
    return torch.cat(parts).float() if parts else torch.zeros(0)

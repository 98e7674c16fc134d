"""What a sound is like, in numbers with musicians' words: the descriptors that controls, maps, neighbours and prompts share."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from timbrespace.audio.descriptors import attack_time, decay_time, spectral_flatness
from timbrespace.audio.loudness import momentary_loudness
from timbrespace.audio.pitch import inharmonicity
from timbrespace.audio.pitch_estimation import CONFIDENT, estimate_hz
from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.parallel import Pool

LOW_END_HZ = 150.0
LENGTH_DB = 60.0  # under the loudest block: a sound ends where it stays below
FLATTEST_DB = -60.0  # of the mean power: weaker bands are inaudible beside the rest, and instruments render them as silence
_BLOCK_SECONDS = 0.002
_LONGEST_SECONDS = 10.0  # analysed of a sound
_HIGHEST_PITCH = 2500.0  # Hz
_SILENT = 1e-9  # peak


@dataclass(frozen=True)
class Descriptor:
    """A property of a sound that can be measured.

    unit: of its values, "" for a share. more, less: words for a sound with a larger and a smaller value. low, high: limits of its values.
    logarithmic: whether its *scale*, on which values are compared and averaged, is log2 of the value; else it is the value. meaning: how it
    is measured.
    """

    name: str
    unit: str
    more: str
    less: str
    low: float
    high: float
    logarithmic: bool
    meaning: str

    def to_scale(self, value: float) -> float:
        """Returns a value on the descriptor's scale; values beyond `low` and `high` are held there, NaN stays."""
        if math.isnan(value):
            return math.nan
        held = min(max(value, self.low), self.high)
        return math.log2(held) if self.logarithmic else held

    def from_scale(self, place: float) -> float:
        """Returns the value of a place on the scale; NaN stays."""
        return 2.0**place if self.logarithmic else place


DESCRIPTORS: Mapping[str, Descriptor] = {
    one.name: one
    for one in (
        Descriptor("brightness", "Hz", "brighter", "darker", 20.0, 22_050.0, True, "mean frequency of the power spectrum (centroid)"),
        Descriptor("decay", "s", "ringing", "damped", 0.002, 60.0, True, "time in which the sound decays by 60 dB"),
        Descriptor("attack", "s", "softer", "sharper", 0.0005, 10.0, True, "rise time of the envelope from 10 % to 90 % of its peak"),
        Descriptor("noisiness", "", "noisier", "purer", 1e-5, 1.0, True, "flatness of the spectrum, 0 (a tone) to 1 (white noise)"),
        Descriptor("pitch", "Hz", "higher", "lower", 20.0, 5_000.0, True, "fundamental frequency, of sounds with a clear one"),
        Descriptor("loudness", "dB", "louder", "quieter", -60.0, 6.0, False, "loudness at a peak of 1, LKFS of the loudest 0.4 s"),
        Descriptor("inharmonicity", "%", "metallic", "harmonic", 0.05, 50.0, True, "distance of partials from multiples of the pitch"),
        Descriptor("length", "s", "longer", "shorter", 0.002, 60.0, True, "time from onset to the last moment within 60 dB of the loudest"),
        Descriptor("low_end", "dB", "fuller", "thinner", -60.0, 0.0, False, "energy below 150 Hz against the whole"),
    )
}  # fmt: skip
NAMES = tuple(DESCRIPTORS)
# Of a steady tone, whatever its note, see `arrays.tones`. Hollow are odd harmonics alone, as of a clarinet's low notes.
TONES: Mapping[str, Descriptor] = {
    "brightness": DESCRIPTORS["brightness"],
    "noisiness": DESCRIPTORS["noisiness"],
    "hollowness": Descriptor(
        "hollowness", "dB", "hollower", "evener", -30.0, 30.0, False, "odd harmonics from the third on against even ones"
    ),
}


def describe(audio: Tensor, sample_rate: int, *, only: Collection[str] = NAMES) -> Tensor:
    """Returns the descriptors of a sound `(channels, time)` or `(time,)` on their scales, `(len(DESCRIPTORS),)` float32.

    NaN where a descriptor is not defined: the pitch of a cymbal, the inharmonicity of a sound without a pitch, all of silence. Channels
    are mixed to mono. Nothing depends on the level, nor on silence before the onset or after the end. Only the first 10 s are analysed.
    only: names to measure; the others are NaN. sample_rate: Hz, at least 4,000. Raises ShapeError, ConfigError.
    """
    unknown = sorted(set(only) - set(NAMES))
    if unknown:
        raise ConfigError(f"descriptors {', '.join(unknown)} are not known, allowed are: {', '.join(NAMES)}")
    sound = _sound(audio, sample_rate)
    values = torch.full((len(NAMES),), math.nan)
    if sound is None:
        return values
    measured = {name: value for name, value in _measure(sound, sample_rate, frozenset(only)).items() if value is not None}
    for place, (name, descriptor) in enumerate(DESCRIPTORS.items()):
        if name in measured and name in only:
            values[place] = descriptor.to_scale(measured[name])
    return values


def describe_all(sounds: Sequence[Tensor], sample_rate: int, *, only: Collection[str] = NAMES) -> Tensor:
    """Returns the descriptors of sounds, each as in `describe`, `(sounds, len(DESCRIPTORS))`; on all cores."""
    with Pool() as pool:
        rows = list(pool.map(lambda sound: describe(sound, sample_rate, only=only), sounds))
    return torch.stack(rows) if rows else torch.zeros(0, len(NAMES))


def _sound(audio: Tensor, sample_rate: int) -> Tensor | None:
    """The sound `(time,)` in mono, from its onset to its end, with a peak of 1; None for silence."""
    if not isinstance(audio, Tensor) or audio.ndim not in (1, 2) or 0 in audio.shape or not audio.is_floating_point():
        found = f"{tuple(audio.shape)} of {audio.dtype}" if isinstance(audio, Tensor) else type(audio).__name__
        raise ShapeError(f"a sound to describe must be a floating point tensor (channels, time) or (time,), not {found}")
    if isinstance(sample_rate, bool) or not 4_000 <= sample_rate <= 768_000:
        raise ConfigError(f"sample_rate is {sample_rate}, allowed is 4000 to 768000 Hz")
    mono = audio.detach().cpu().float()
    mono = mono.mean(0) if mono.ndim == 2 else mono
    if not torch.isfinite(mono).all():
        raise ShapeError("a sound to describe holds NaN or infinite samples")
    size = mono.abs()
    peak = float(size.max())
    if peak <= _SILENT:
        return None
    start = int((size > 10 ** (-LENGTH_DB / 20) * peak).int().argmax())  # not later: soft attacks are complete
    mono = mono[start : start + round(_LONGEST_SECONDS * sample_rate)]
    return mono[: _end(mono, sample_rate)] / peak


def _end(mono: Tensor, sample_rate: int) -> int:
    """Samples to the end of the last block of 2 ms within 60 dB of the loudest."""
    block = max(1, round(_BLOCK_SECONDS * sample_rate))
    padded = torch.nn.functional.pad(mono, (0, -len(mono) % block))
    energy = padded.square().unflatten(0, (-1, block)).mean(1)
    last = int((energy > energy.max() * 10 ** (-LENGTH_DB / 10)).nonzero()[-1])
    return min(len(mono), (last + 1) * block)


def _measure(mono: Tensor, rate: int, only: frozenset[str]) -> dict[str, float | None]:
    """Values of the descriptors `only`, and of those they need, of a sound `(time,)` with a peak of 1; None: not defined."""
    values: dict[str, float | None] = {"length": len(mono) / rate}
    if only & {"brightness", "low_end"}:
        values["brightness"], values["low_end"] = _spectrum(mono, rate)
    if "decay" in only:
        values["decay"] = float(decay_time(mono, rate))
    if "attack" in only:
        values["attack"] = float(attack_time(mono, rate))
    if "noisiness" in only:
        values["noisiness"] = float(spectral_flatness(mono, least_db=FLATTEST_DB))
    if "loudness" in only:
        values["loudness"] = momentary_loudness(mono[None], rate)
    if only & {"pitch", "inharmonicity"}:
        hz, confidence = estimate_hz(mono.numpy(), rate, high=min(_HIGHEST_PITCH, rate / 4))
        values["pitch"] = hz if hz is not None and confidence >= CONFIDENT else None
        if "inharmonicity" in only and values["pitch"] is not None:
            values["inharmonicity"] = inharmonicity(mono, rate, near=values["pitch"])
    return values


def _spectrum(mono: Tensor, rate: int) -> tuple[float, float]:
    """Mean frequency of the power spectrum in Hz, as `descriptors.spectral_centroid`; and energy below 150 Hz against the whole, dB."""
    pairs = torch.view_as_real(torch.fft.rfft(mono, n=1 << max(1, len(mono) - 1).bit_length()))
    power = pairs[:, 0].square().addcmul_(pairs[:, 1], pairs[:, 1])
    whole = float(power.sum(dtype=torch.float64))
    centroid = float(power @ torch.linspace(0, rate / 2, len(power))) / max(whole, 1e-30)
    low = int(LOW_END_HZ / (rate / 2) * (len(power) - 1)) + 1
    return centroid, 10 * math.log10(max(float(power[:low].sum(dtype=torch.float64)) / max(whole, 1e-30), 1e-9))

"""Everything that new_sounds.py measures of one set of sounds, against the real sounds of the trained kits."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from lib.new_sounds import intervals
from lib.new_sounds.details import Details, Encoded
from timbrespace.audio.descriptors import attack_time
from timbrespace.audio.embedding import embedding
from timbrespace.evaluation.artefacts import metrics_per_sound
from timbrespace.evaluation.distribution import compare
from timbrespace.evaluation.new_sounds import HELD_OUT

if TYPE_CHECKING:
    from timbrespace.corpus.corpus import Corpus
    from timbrespace.instrument import Instrument

KINDS = ("snare", "kick")  # whose attacks are compared
_HISS_HZ, _LATE_SECONDS = 3_000.0, 0.12
_HOP = 256

Labelled = tuple[Tensor, str | None]  # a sound (channels, time) and its category


class Real:
    """The real sounds of a corpus with their embeddings, cut to the instrument's longest clip."""

    def __init__(self, instrument: Instrument, corpus: Corpus):
        self.rate, samples = instrument.sample_rate, instrument.contents.samples
        held_out = [i for split in HELD_OUT for i in corpus.indices(split)]
        self.training, self.held_out = ([_cut(corpus, i, samples) for i in rows] for rows in (corpus.indices("train"), held_out))
        self.details = Details(instrument.contents, corpus, corpus.indices("train"), held_out)
        self.training_points = embedding([audio for audio, _ in self.training], sample_rate=self.rate)
        self.held_out_points = embedding([audio for audio, _ in self.held_out], sample_rate=self.rate)
        self.rise = {kind: _rise(self.training, kind, self.rate) for kind in KINDS}
        self.worst_hiss = {
            kind: max([hiss(audio, self.rate) for audio, label in self.training if label == kind], default=np.nan) for kind in KINDS
        }

    def measures(self, sounds: Sequence[Labelled], latents: Sequence[Tensor] | None = None) -> dict[str, float]:
        """Returns distance to held-out sounds, to all real ones, novelty, rise times, hiss and artefact metrics of sounds.

        Half-widths of their intervals are called `± NAME`. latents: of the sounds, for the novelty of their detail.
        """
        audio = [sound for sound, _ in sounds]
        points = embedding(audio, sample_rate=self.rate)
        result = compare(points, self.held_out_points, training=self.training_points)
        among = compare(points, torch.cat([self.held_out_points, self.training_points]))
        found = {key: float(result[key] or 0) for key in ("frechet", "accuracy", "precision", "recall", "novelty", "copies")}
        found |= {
            f"all_{key}": float(among[key] or 0) for key in ("frechet", "frechet_floor", "accuracy", "real_accuracy", "precision", "recall")
        }
        widths = intervals.of_distances(points, self.held_out_points, self.training_points)
        if latents is not None:
            encoded: list[Encoded] = list(zip(audio, latents, strict=True))
            found |= self.details.measures(encoded)
        rises = np.array([float(attack_time(sound.mean(0), self.rate)) for sound in audio])
        loud = np.array([hiss(sound, self.rate) > self.worst_hiss.get(str(label), np.inf) for sound, label in sounds], float)
        kinds, metrics = np.array([str(label) for _, label in sounds]), metrics_per_sound(audio, sample_rate=self.rate, hop=_HOP)

        def means(rows: np.ndarray) -> dict[str, float]:
            values = {name: _mean(np.asarray(metric)[rows]) for name, metric in metrics.items()}
            for kind in KINDS:
                of = rows[kinds[rows] == kind]
                values[f"rise_{kind}"] = 1_000 * float(np.median(rises[of])) / self.rise[kind] if len(of) and self.rise[kind] else np.nan
                values[f"hiss_{kind}"] = _mean(loud[of])
            return values

        found |= means(np.arange(len(audio)))
        widths |= intervals.of_sounds(len(audio), means)
        return found | {f"± {name}": width for name, width in widths.items()}


def hiss(audio: Tensor, rate: int) -> float:
    """Returns the RMS level over 3 kHz later than 120 ms after the peak, dB under the peak of the sound `(channels, time)`; least -120."""
    from scipy import signal

    wave = audio.double().mean(0).numpy()
    peak = np.abs(wave).max()
    late = int(np.abs(wave).argmax()) + round(_LATE_SECONDS * rate)
    bright = signal.sosfilt(signal.butter(6, _HISS_HZ, "highpass", fs=rate, output="sos"), wave)[late:]
    if not peak > 0 or len(bright) < 64:
        return -120.0
    return float(max(-120.0, 20 * np.log10(max(np.sqrt(np.mean(bright**2)) / peak, 1e-6))))


def _mean(values: np.ndarray) -> float:
    """The mean of the finite values, NaN without any."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def processor_seconds(instrument: Instrument, count: int) -> float:
    """Returns the processor time in s, user and system, of `count` new sounds in this process, which is warm."""
    instrument.generate(4, seed=99)
    before = resource.getrusage(resource.RUSAGE_SELF)
    instrument.generate(count, seed=1)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _cut(corpus: Corpus, index: int, samples: int) -> Labelled:
    audio = corpus.audio(index)[:, :samples]
    return audio, corpus.clips[index].category


def _rise(sounds: Sequence[Labelled], kind: str, rate: int) -> float:
    """Median rise time of a kind in ms, from 10 to 90 %; 0 without sounds of the kind."""
    found = [float(attack_time(audio.mean(0), rate)) for audio, label in sounds if label == kind]
    return 1000 * float(np.median(found)) if found else 0.0

"""Held voices of the core beside the plain way (`plain`): pitch, evenness, lines of a sweep, clicks, and what blocks change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lib.live.measures import Audio, beside, jump, line
from lib.live.plain import HOP, plain_bank, plain_inverse
from lib.page import table

RATE, CONTROL, BLOCK = 48_000, 100, 64
PITCH, HARMONICS, BANDWIDTH = 220.0, 20, 1.3628  # of the spectra: a tone of source E, in a Hamming window of 4096 at 44.1 kHz
NOTES = (33.0, 45.0, 57.0, 60.37, 72.0, 84.0)
KINDS = ("bank", "inverse")


@dataclass(frozen=True)
class Score:
    """What is played. fall: how far the latents move the harmonics. bends: semitones and when (s). down, up: the key (s)."""

    seconds: float
    note: float = 60.37
    fall: float = 0.0
    bend: tuple[float, float] | None = None
    down: float = 0.0
    up: float = 1e9

    def amplitudes(self, sample: int) -> Audio:
        """Of the harmonics, from the newest frame of the control rate."""
        seconds = sample * CONTROL // RATE / CONTROL
        number = np.arange(1, HARMONICS + 1)
        return 0.2 / number * 10 ** (-self.fall / 20 * (0.5 - 0.5 * np.cos(np.pi * seconds)) * number / HARMONICS)

    def magnitudes(self, sample: int) -> Audio:
        """The spectrum of those harmonics at `PITCH`."""
        return np.asarray(_spectra() @ self.amplitudes(sample))

    def hertz(self, sample: int) -> float:
        """The pitch, where a bend is a jump."""
        bent = self.bend[0] if self.bend and sample >= self.bend[1] * RATE else 0.0
        return float(440 * 2 ** ((self.note + bent - 69) / 12))

    def gate(self, sample: int) -> bool:
        """Whether the key is down."""
        return self.down * RATE <= sample < self.up * RATE


_KEPT: list[Audio] = []


def _spectra() -> Audio:
    """The spectrum of each harmonic, `(bins, harmonics)`: they hardly overlap, so magnitudes add up."""
    if not _KEPT:
        time, window = np.arange(4096) / 44_100, np.hamming(4097)[:-1]
        waves = np.sin(2 * np.pi * PITCH * np.outer(np.arange(1, HARMONICS + 1), time) + 1)
        _KEPT.append((np.abs(np.fft.rfft(waves * window)) * 2 / window.sum()).T[:1025])
    return _KEPT[0]


def core(kind: str, score: Score, block: int = BLOCK) -> Audio:
    """The score by the core, in blocks."""
    from timbrespace.native.live import Live

    live, length, pieces = Live(sample_rate=RATE), round(score.seconds * RATE), []
    for frame in range(0, length, RATE // CONTROL):
        options: dict[str, Any] = {"seconds": 1 / CONTROL, "time": frame}
        if kind == "bank":
            live.partials(0, np.arange(1, HARMONICS + 1), score.amplitudes(frame), **options)
        else:
            live.spectrum(0, score.magnitudes(frame), spacing=44_100 / 4096, hertz=PITCH, bandwidth=BANDWIDTH, **options)
        if frame == 0:
            names = {"bank": "bank", "inverse": "spectrum"}
            live.hold(0, score.note, kind=names[kind], attack=0.01, release=0.05, time=round(score.down * RATE))
            if score.up < score.seconds:
                live.release(0, time=round(score.up * RATE))
            if score.bend:
                live.move(0, "bend", score.bend[0], seconds=0.005, time=round(score.bend[1] * RATE))
        for start in range(frame, min(frame + RATE // CONTROL, length), block):
            pieces.append(live.render(min(block, frame + RATE // CONTROL - start, length - start))[:, 0])
    return np.concatenate(pieces).astype(np.float64)


def plain(kind: str, score: Score, block: int = BLOCK, *, random: bool = False) -> Audio:
    """The score in the plain way, in blocks."""
    length = round(score.seconds * RATE)
    if kind == "bank":
        return plain_bank(score.amplitudes, score.hertz, score.gate, length, block=block, sample_rate=RATE)
    return plain_inverse(
        score.magnitudes, 44_100 / 4096, PITCH, score.hertz, score.gate, length, block=block, sample_rate=RATE, random=random
    )


def ways() -> dict[str, Callable[..., Audio]]:
    """What is compared, by name."""
    return {
        "bank of the core": lambda score, block=BLOCK: core("bank", score, block),
        "bank, plain": lambda score, block=BLOCK: plain("bank", score, block),
        "inverse transform of the core": lambda score, block=BLOCK: core("inverse", score, block),
        "inverse transform, plain, fixed phases": lambda score, block=BLOCK: plain("inverse", score, block),
        "inverse transform, plain, random phases": lambda score, block=BLOCK: plain("inverse", score, block, random=True),
    }


def pitch_part() -> str:
    """The table of pitch: how far the first, third and seventh line are from the note's."""
    rows = []
    for note in NOTES:
        cells = []
        for kind in KINDS:
            audio, hertz = core(kind, Score(1.5, note)), 440 * 2 ** ((note - 69) / 12)
            cells.append(max(abs(line(audio, number * hertz, RATE)[0]) for number in (1, 3, 7)))
        rows.append([f"{note:g}", *(f"{cell:.4f}" for cell in cells)])
    return table(["MIDI note", "oscillator bank (cents)", "inverse transform (cents)"], rows)


def faults_part() -> str:
    """The table of faults, of the core and of the plain way."""
    rows = []
    for name, play in ways().items():
        steady = play(Score(2.5))[RATE // 4 :]
        cents, level, phase = line(steady, Score(0).hertz(0), RATE)
        sweep, hop = play(Score(3.0, fall=40.0))[RATE // 2 :], HOP if "plain" in name else 256
        steps = (RATE / BLOCK, CONTROL, RATE / hop)
        lines = [beside(sweep, Score(0).hertz(0), step, RATE) for step in steps[: 2 if "bank" in name else 3]]
        moved = play(Score(1.5, bend=(1.0, 0.7537), down=0.2513, up=1.2031))
        quiet = max(jump(play(Score(1.0, note=note))[RATE // 4 :]) for note in (60.37, 61.37))
        other = play(Score(1.0, fall=40.0, bend=(1.0, 0.5037)), 512) - play(Score(1.0, fall=40.0, bend=(1.0, 0.5037)))
        changed = f"{20 * np.log10(np.abs(other).max() / 0.2):.0f}" if other.any() else "the same bits"
        figures = [f"{abs(cents):.3f}", f"{level:.3f}", f"{phase:.4f}", *(f"{x:.0f}" for x in lines), *[""] * (3 - len(lines))]
        rows.append([name, *figures, f"{jump(moved) / quiet:.1f}", changed])
    head = [
        "",
        "first harmonic off by (cents)",
        "its level (dB rms)",
        "its phase (rad rms)",
        f"lines of the blocks, {RATE // BLOCK} Hz (dB)",
    ]
    head += [f"of the frames, {CONTROL} Hz (dB)", "of the hops (dB)", "largest jump of a sample (× the tone's own)"]
    head += ["blocks of 512 beside 64 (dB)"]
    note = (
        f"{HARMONICS} harmonics at note 60.37, frames {CONTROL} times a second, blocks of {BLOCK} at {RATE // 1000} kHz. Lines: largest "
        "beside the first harmonic, in dB under it, while the latents move the harmonics by up to 40 dB within a second. Jumps: second "
        "differences, with a key pressed, bent by a semitone and let go. With fixed phases everything repeats with the hops, so the first "
        "harmonic is at the nearest multiple of their rate, and lines are measured where nothing is."
    )
    return f"{table(head, rows)}\n\n{note}"

"""Runs a transfer: windows through a maker, the frames or samples of the windows into one stream, the stream into a take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.transfer.makers import Maker
from timbrespace.synthesis.transfer.overlap import Made, Overlapped, fades
from timbrespace.synthesis.transfer.recording import Recording
from timbrespace.synthesis.transfer.render import Near, audio_of_frames, audio_of_samples
from timbrespace.synthesis.transfer.take import Take
from timbrespace.synthesis.transfer.views import silent_frames
from timbrespace.synthesis.transfer.windows import Window, windows_of

Progress = Callable[[int, int], None]


@torch.no_grad()
def run(
    contents: InstrumentContents, maker: Maker, recordings: Sequence[Recording], samples: int, *, seed: int, near: bool,
    folder: Path | None = None, progress: Progress | None = None,
) -> Take:  # fmt: skip
    """Returns what a maker makes of recordings, `samples` long.

    seed: of phases. near: whether the result keeps the phases of the recordings, where the view can. folder: for temporary files; None:
    the system's. progress: called with seconds done and of all. Raises TimbrespaceError.
    """
    rate = contents.sample_rate
    marks: dict[int, float] = {}
    for number, one in enumerate(recordings if not contents.model.time_varying else ()):
        for mark in one.onsets():
            marks[mark] = max(marks.get(mark, 0.0), maker.weight(number, mark))
    windows = windows_of(contents, samples, marks)
    maker.start(windows)
    view, hop = maker.view, maker.model.hop
    take = Take(contents.channels, rate, folder=folder)
    if view.continues:

        def frames(window: Window) -> Made:
            values = maker.features(window)
            return Made(window.start // hop, values, fades(window, values.shape[-1], hop=hop))

        stream = Overlapped(map(frames, windows), silent_frames(view, 1))
        starts = Near([one.open() for one in recordings]) if near and view.starts_near else None
        blocks = audio_of_frames(view, stream, samples, near=starts, seed=seed)
    else:

        def audio(window: Window) -> Made:
            values = maker.audio(window)
            return Made(window.start, values, fades(window, values.shape[-1]))

        stream = Overlapped(map(audio, windows), torch.zeros(contents.channels, 1))
        blocks = audio_of_samples(stream, samples, step=rate)
    for block in blocks:
        take.add(block.numpy())
        if progress is not None:
            progress(round(take.samples / rate), max(1, round(samples / rate)))
    return take

"""The page of a conversion: a piece and its result to hear, spectrograms, pitch and loudness on top of each other."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from timbrespace.atomic import write_text
from timbrespace.report.charts import INK, SERIES, SOFT, Chart, figure_chart
from timbrespace.report.spectrogram import spectrogram_png
from timbrespace.report.survey_page import SurveyFrame
from timbrespace.report.templates import render
from timbrespace.voices.analysis import analyse
from timbrespace.voices.frames import HOP, QUIET, RATE, Frames, Values

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from timbrespace.voices.kinds.kind import Drawn

_WIDTH, _HEIGHT = 1_200, 220  # pixels, of a spectrogram
_POINTS = 2_000  # of a curve


def write_conversion_page(
    path: Path, wave: Values, result: Drawn, *, title: str, to: str, seconds: float | None = None, force: bool = False
) -> Path:  # fmt: skip
    """Writes the page and returns its path. wave: the piece `(channels, time)` at RATE. to: the weights, as text. seconds: of the whole
    result, where the page shows its beginning.

    Raises OutputExistsError.
    """
    again = analyse(result.audio.mean(axis=0, dtype=np.float64))
    facts = [f"played by {to}", f"the piece sounds most like {result.source}"]
    if result.passages:
        facts.append(
            f"several tones at once for {sum(stop - start for start, stop in result.passages):.1f} s, filtered instead of played again"
        )
    shown = result.audio.shape[1] / RATE
    if seconds is not None and seconds > shown + 1:
        facts.append(f"the first {shown / 60:.0f} minutes of {seconds / 60:.0f} are shown")
    sounds = [
        {
            "title": name,
            "audio": _audio(samples),
            "picture": _data(spectrogram_png(samples, RATE, width=_WIDTH, height=_HEIGHT), "image/png"),
        }
        for name, samples in (("The piece", wave), ("The result", result.audio))
    ]
    page = render(
        "conversion.html",
        page=SurveyFrame(f"{title}, converted", "The pitch and the loudness of the piece, the timbre of the voice."),
        facts=facts, sounds=sounds, seconds=f"{result.audio.shape[1] / RATE:.1f} s",
        charts=[_pitch_chart(result, again), _loudness_chart(result, again)],
        styles=["page.css", "conversion.css"], scripts=["page.js"], script_data={},
    )  # fmt: skip
    write_text(path, page, force=force)
    return path


def _audio(samples: Values) -> str:
    """The sound as a data address: FLAC, which browsers play and which keeps every bit of 16."""
    import soundfile

    stream = io.BytesIO()
    soundfile.write(stream, np.clip(samples.T, -1.0, 1.0), RATE, format="FLAC", subtype="PCM_16")
    return _data(stream.getvalue(), "audio/flac")


def _data(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _pitch_chart(result: Drawn, again: Frames) -> Chart:
    def midi(frames: Frames) -> Values:
        heard = frames.pitched & (frames.loudness() > QUIET + 20)
        return np.where(heard, 69 + 12 * np.log2(np.maximum(frames.pitch, 1.0) / 440), np.nan)

    return _curves("Pitch (MIDI number)", result, midi(result.frames), midi(again))


def _loudness_chart(result: Drawn, again: Frames) -> Chart:
    return _curves("Loudness (LUFS)", result, result.frames.loudness(), again.loudness())


def _curves(title: str, result: Drawn, piece: Values, made: Values) -> Chart:
    """Two curves over the time in s; passages with several tones are shaded."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for values, name, style in ((piece, "the piece", {"color": SOFT, "linewidth": 2.5}), (made, "the result", {"color": SERIES[0]})):
            step = max(1, len(values) // _POINTS)
            settings: dict[str, Any] = dict(style)
            axes.plot(np.arange(0, len(values), step) * HOP / RATE, values[::step], label=name, **settings)
        for start, stop in result.passages:
            axes.axvspan(start, stop, color=INK, alpha=0.1, linewidth=0)
        axes.set_xlabel("s")
        axes.set_ylabel(title)
        figure.legend(loc="outside lower left", ncols=3)

    return figure_chart(title, draw, width=11.0)

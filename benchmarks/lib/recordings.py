"""Recordings of any length: what joins leave in a steady tone, and how much memory and time a long file takes."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lib.page import table
from lib.process import ROOT, say
from timbrespace.audio.files import find_audio, read, write
from timbrespace.contracts import SAMPLE_RATE
from timbrespace.representation.views.bands import Bands
from timbrespace.representation.views.log_stft import LogStft
from timbrespace.representation.views.magnitude import Magnitude
from timbrespace.representation.views.mel import Mel
from timbrespace.representation.views.spectrum import Spectrum
from timbrespace.synthesis.transfer.overlap import Made, Overlapped, fades
from timbrespace.synthesis.transfer.render import audio_of_frames
from timbrespace.synthesis.transfer.views import silenced, silent_frames
from timbrespace.synthesis.transfer.windows import Window, even_windows

_HERTZ, _SECONDS = (440.7, 1_320.3), 12.0
_RUN = (
    "import json, resource, sys; from timbrespace.cli.main import main; code = main(sys.argv[1:]); "
    "own = resource.getrusage(resource.RUSAGE_SELF); print(json.dumps([code, own.ru_maxrss / 1024, own.ru_utime + own.ru_stime]))"
)


def seams() -> str:
    """Returns a table: the loudest line beside the partials of a steady tone, decoded at once and in windows of 3 s."""
    time = torch.arange(round(_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    partials = [level * torch.sin(2 * math.pi * hertz * time) for level, hertz in zip((0.3, 0.2), _HERTZ, strict=True)]
    tone = torch.stack(partials).sum(0, keepdim=True)
    rows = []
    for view in (Bands(), Mel(), LogStft(), Magnitude(), Spectrum()):
        say(f"seams of {type(view).__name__}")
        features = view.encode(tone[None])[0]
        whole = view.decode(features[None], length=tone.shape[1])[0]
        size, hop = round(2 * SAMPLE_RATE / view.hop) * view.hop, view.hop
        windows = even_windows(tone.shape[1], size=size, overlap=size // hop // 4 * hop)

        marked = silenced(view, features)
        parts = [(one, marked[..., frames_of(one, hop)]) for one in windows]
        made = iter([Made(one.start // hop, part, fades(one, part.shape[-1], hop=hop)) for one, part in parts])
        stream = Overlapped(made, silent_frames(view, 1))
        joined = torch.cat(list(audio_of_frames(view, stream, tone.shape[1], near=None, seed=0)), 1)
        jump = float(joined.diff().abs().max() / whole.diff().abs().max())
        rows.append([f"`{type(view).__name__.lower()}`", f"{line_of(whole):.1f}", f"{line_of(joined):.1f}", f"{jump:.2f}"])
    return table(["view", "at once (dB)", "in windows (dB)", "largest step, in windows over at once"], rows)


def frames_of(window: Window, hop: int) -> slice:
    """The frames of a window; of the last one all that follow."""
    return slice(window.start // hop, window.stop // hop if window.fade_out else None)


def line_of(audio: Tensor) -> float:
    """The loudest line farther than 25 Hz from the partials, dB under the louder one."""
    wave = audio[0, 8_192:-8_192].double().numpy()
    power = np.abs(np.fft.rfft(wave * np.blackman(len(wave)))) ** 2
    hertz = np.fft.rfftfreq(len(wave), 1 / SAMPLE_RATE)
    far = np.all([np.abs(hertz - one) > 25 for one in _HERTZ], axis=0)
    return float(10 * np.log10(power[far].max() / power.max()))


def long_files(instrument: Path, sounds: Path, minutes: Sequence[float], place: Path) -> str:
    """Returns a table: memory and speed of `vary` for files of so many minutes, in processes of their own. sounds: repeated."""
    audio = torch.cat([read(path, sample_rate=SAMPLE_RATE, channels=2)[0] for path in find_audio(sounds)], 1)
    rows = []
    for length in minutes:
        say(f"{length:g} minutes")
        samples = round(length * 60 * SAMPLE_RATE)
        path = place / f"{length:g} minutes.wav"
        write(path, audio.repeat(1, -(-samples // audio.shape[1]))[:, :samples], SAMPLE_RATE, subtype="PCM_16")
        words = ["vary", instrument, path, "--whole", "-n", "1", "--amount", "0.3", "--out", place / "out", "--force"]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))}
        done = subprocess.run([sys.executable, "-c", _RUN, *map(str, words)], capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            sys.exit(f"vary ended with {done.returncode}: {done.stderr.strip()[-1500:]}")
        code, megabytes, seconds = json.loads(done.stdout.splitlines()[-1])
        if code:
            sys.exit(f"vary ended with {code}: {done.stderr.strip()[-1500:]}")
        rows.append([f"{length:g}", f"{megabytes:.0f}", f"{60 * length / seconds:.0f}"])
    return table(["minutes, stereo", "memory, largest (MB)", "× real time (processor time)"], rows)

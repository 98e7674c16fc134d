"""Source D's designs beside our own voices: the same pieces, the same measures (`--part designs` of benchmarks/voices.py)."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lib.page import stamp, table
from lib.process import say
from lib.voices.judge import Curves, classifier_of, curves_of, kept, likeness
from timbrespace import voices
from timbrespace.audio.distance import log_mel_error
from timbrespace.audio.resampling import resample_array
from timbrespace.voices.arrays import DESCRIPTIONS
from timbrespace.voices.arrays.features import RATE as LOW_RATE
from timbrespace.voices.arrays.training import ArrayOptions
from timbrespace.voices.frames import RATE, Values
from timbrespace.voices.kinds.kind import kind_of
from timbrespace.voices.training import VoicesOptions, read_wave
from timbrespace.voices.weights import Curve

OURS = "voices"
_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the target
_COLUMNS = {
    "pitch, median (cents)": "cents", "off by over 50 cents (%)": "off", "without a pitch (%)": "unpitched",
    "onsets within 20 ms (%)": "onsets", "loudness, correlation": "loudness", "Fréchet over floor": "frechet", "told apart": "apart",
    "by its own instrument (dB)": "own",
}  # fmt: skip
_DIGITS = {"cents": 1, "loudness": 3, "frechet": 2, "apart": 2, "own": 2}


def add_options(parser: ArgumentParser) -> None:
    """Adds the options of the part."""
    parser.add_argument("--designs", help="with commas; default: all, and our own voices")
    parser.add_argument("--minutes", type=float, default=5.0, help="of training a design (default %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default %(default)s)")
    parser.add_argument(
        "--set", dest="changes", action="append", default=[], metavar="KEY=VALUE", help="setting of the designs; repeatable"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures into this file, after every design")
    parser.add_argument("--merge", metavar="FILES", help="print the tables of such files (with commas) and measure nothing")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep trained files and converted pieces there")
    parser.add_argument("--train-only", action="store_true", help="only train, and keep the files (with --keep), to be judged elsewhere")
    parser.add_argument("--trained", type=Path, metavar="DIR", help="judge the files that --keep left there, and train nothing")


def designs_section(given: Namespace, pairs: list[tuple[str, ...]]) -> str:
    """Returns the section: measures the designs of `given`, or reads their figures from files."""
    if given.merge:
        rows: list[dict[str, Any]] = [
            row for path in given.merge.split(",") for row in json.loads(Path(path).read_text(encoding="utf-8"))["rows"]
        ]
        made_by = " and ".join(dict.fromkeys(row["made_by"] for row in rows))
        return "\n\n".join([f"Measured by {made_by}.", *_tables(rows)])
    names = given.designs.split(",") if given.designs else [OURS, *DESCRIPTIONS]
    chosen = f" --designs {given.designs}" if given.designs else ""
    chosen += "".join(f" --set {change}" for change in given.changes)
    command = f"python benchmarks/voices.py SOUNDS --part designs --pairs {given.pairs} --seconds {given.seconds:g}"
    trained = f" --trained {given.trained.name}" if given.trained is not None else f" --minutes {given.minutes:g} --device {given.device}"
    command += chosen + trained
    rows = []
    for pair in pairs:
        judged = None if given.train_only else _Judged(given.sounds / "pieces", pair, given.seconds)
        for name in names:
            try:
                learned = _trained(pair, name, given)
                found = [] if judged is None else _measured(judged, learned, name, given)
            except Exception as error:  # one design that fails does not end hours of others
                say(f"{name}: {type(error).__name__}: {error}")
                continue
            rows += [row | {"made_by": f"`{command}` on {_processor(given.device)}"} for row in found]
            if given.json is not None:
                given.json.write_text(json.dumps({"rows": rows}, indent=1), encoding="utf-8")
    return "\n\n".join([stamp(command), *_tables(rows)])


class _Judged:
    """The pieces of a pair up to 11 kHz, what is measured of them, and a classifier of the two instruments."""

    def __init__(self, folder: Path, pair: tuple[str, ...], seconds: float):
        self.pair = pair
        self.whole = {name: read_wave(folder / name / f"{name}_2.wav")[: round(seconds * RATE)] for name in pair}
        self.pieces = {
            name: [_low(read_wave(folder / name / f"{name}_1.wav")[: round(seconds * RATE)]), _low(self.whole[name])] for name in pair
        }
        self.curves: dict[str, Curves] = {name: curves_of(self.pieces[name][1]) for name in pair}
        self.classifier = classifier_of([self.pieces[name][0] for name in pair])

    def shares(self, wave: Values, number: int) -> float:
        """The share of windows in % that are called the instrument of the number."""
        return 100 * float((self.classifier(wave) == number).mean())


def _trained(pair: tuple[str, ...], name: str, given: Namespace) -> Any:
    """Returns a design, or our own voices, learned from the first pieces of a pair, or read from --trained."""
    from timbrespace.config.presets import apply_changes

    file = f"{'_'.join(pair)}_{name}.safetensors"
    if given.trained is not None:
        return voices.load(given.trained / file)
    say(f"{' and '.join(pair)}: {name}")
    settings: dict[str, Any] = {}
    apply_changes(settings, given.changes)
    options: Any = VoicesOptions(steps=given.steps)
    if name != OURS:
        options = ArrayOptions(name, minutes=given.minutes, settings=settings, device=given.device)
    out = None if given.keep is None else given.keep / file
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
    trained = voices.train({one: given.sounds / "pieces" / one / f"{one}_1.wav" for one in pair}, out, options, force=True)
    say(json.dumps(trained.training))
    return trained


def _measured(judged: _Judged, trained: Any, name: str, given: Namespace) -> list[dict[str, Any]]:
    """The rows of a design: each piece of the pair as the other instrument."""
    rows = []
    for number, source in enumerate(judged.pair):
        target = judged.pair[1 - number]
        floor = judged.shares(judged.pieces[target][1], 1 - number)
        row: dict[str, Any] = {"design": name, "piece": source, "voice": target, "training": trained.training, "real": floor}
        called = []
        for weight in _WEIGHTS:
            start_cpu = time.process_time()
            curve = Curve(((0.0, {source: 1 - weight, target: weight}),))
            kind = kind_of(trained)
            result = _low(kind.convert(trained, judged.whole[source][None], curve, kind.options()).audio[0])
            spent = time.process_time() - start_cpu
            _keep(given.keep, result, f"{source}_to_{target}_{weight:g}_{name}")
            called.append(judged.shares(result, 1 - number))
            if weight == 0:
                row["own"] = _error(judged.pieces[source][1], result)
            elif weight == 1:
                row |= kept(judged.curves[source], curves_of(result))
                row["frechet"], row["apart"], row["apart_floor"] = likeness(result, judged.pieces[target])
                row["times_real_time"] = len(result) / RATE / spent
        rows.append(row | {"called": called})
        say(json.dumps({key: value for key, value in rows[-1].items() if key != "training"}))
    return rows


def _tables(rows: list[dict[str, Any]]) -> list[str]:
    """The tables of rows: course and likeness, and the classifier over weights."""
    rows = sorted(rows, key=lambda row: (row["piece"], row["design"] != OURS, row["design"]))
    first = [
        [row["piece"], row["voice"], _label(row), *(f"{row[key]:.{_DIGITS.get(key, 0)}f}" for key in _COLUMNS.values())]
        for row in rows
    ]  # fmt: skip
    second = [[row["piece"], row["voice"], _label(row), *(f"{share:.0f}" for share in row["called"]), f"{row['real']:.0f}"] for row in rows]
    weights = [f"weight {weight:g} (%)" for weight in _WEIGHTS]
    return [table(["piece", "voice", "by", *_COLUMNS], first), table(["piece", "voice", "by", *weights, "real (%)"], second)]


def _label(row: dict[str, Any]) -> str:
    """The design, its steps, and where it was trained."""
    made = row["training"]
    where = "" if made.get("device", "cpu") == "cpu" else ", GPU"
    return f"{row['design']}, {made['steps']} steps{where}"


def _processor(device: str) -> str:
    there = torch.cuda.is_available() and device != "cpu"
    return torch.cuda.get_device_name() if there else f"{torch.get_num_threads()} CPU threads"


def _low(wave: Values) -> Values:
    """The same recording up to 11 kHz, as the designs know it: what is above does not decide."""
    low = resample_array(wave[None].astype(np.float32), RATE, LOW_RATE)
    return resample_array(low, LOW_RATE, RATE)[0, : len(wave)]


def _error(piece: Values, made: Values) -> float:
    one, other = (torch.from_numpy(np.asarray(x[: min(len(piece), len(made))], np.float32))[None, None] for x in (piece, made))
    return float(log_mel_error(one, other, seconds=len(piece) / RATE))


def _keep(folder: Path | None, wave: Values, name: str) -> None:
    if folder is not None:
        from timbrespace.audio.files import write

        write(folder / f"{name}.wav", np.clip(wave, -1, 1)[None].astype(np.float32), RATE, force=True)

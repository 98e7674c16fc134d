"""The tables and the verdict of benchmarks/representations.py, from stored values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lib.page import table

Values = Mapping[str, Any]
Stored = Mapping[str, Values]  # row -> figures

NOTE = """Means over sounds; in brackets the 95 % bootstrap interval; smaller is better; columns are defined in [measures](../measures.md).
Clips are as `prepare` makes them (mono, 44.1 kHz, peak -1 dB), drums and notes of 1.5 s at most, pieces of 10 s, each with its own
length. *1024*: the log-mel error of all tables; *512*, *2048*: the same with another window (hop a quarter), without mel bands
that are too narrow to hold a bin. For pieces, all 10 s count. *Silence*: the error of silence. *Mean*: one sound for all, from the mean
spectrogram of the set."""


def rows_of(stored: Stored) -> dict[str, Values]:
    """The rows that are views or controls."""
    return {name: one for name, one in stored.items() if not name.startswith("scale/")}


def speed(stored: Stored) -> str:
    """Speed, memory and size."""
    head = ["view", "grid", "inversion", "values/s", "encode 1", "encode 2", "decode 1", "decode 2", "encode MB", "decode MB"]
    lines = []
    for name, one in rows_of(stored).items():
        if "values_per_second" in one:
            rates = [_rate(one[f"{what}_{threads}"]) for what in ("encode", "decode") for threads in (1, 2)]
            memory = [f"{one[key]:.0f}" for key in ("encode_mb", "decode_mb")]
            lines.append([f"`{name}`", _grid(one), _inversion(name, one), f"{one['values_per_second']:,.0f}", *rates, *memory])
    what = (
        "Encode, decode: × real time with one and with two threads, medians of three taken in turn, on 1 s one-shots (a batch of 32 "
        "encoded, one of 4 decoded). MB: peak above the idle process for those batches. Grid: window/hop, bands."
    )
    return f"{what}\n\n{table(head, lines)}"


def errors(stored: Stored) -> str:
    """The log-mel errors."""
    sets = _sets(stored)
    head = ["view", *(f"{name} 1024" for name in sets), *(f"{name} {n}" for n in (512, 2048) for name in sets)]
    lines = []
    for name, one in rows_of(stored).items():
        cells = [_interval(one.get(part, {})) for part in sets]
        lines.append([f"`{name}`", *cells, *(_cell(one.get(part, {}).get(f"log_mel_{n}")) for n in (512, 2048) for part in sets)])
    return f"{NOTE}\n\n{table(head, lines)}"


def ears(stored: Stored) -> str:
    """Errors of attack, decay and grain."""
    sets = [name for name in _sets(stored) if name != "pieces"]
    keys = {"sound_db": "sound (dB)", "attack_ms": "attack (ms)", "decay_percent": "decay (%)", "grain_db": "grain (dB)"}
    head = ["view", *(f"{part}: {text}" for part in sets for text in keys.values())]
    lines = [[f"`{name}`", *(_cell(one.get(part, {}).get(key)) for part in sets for key in keys)] for name, one in rows_of(stored).items()]
    return table(head, lines)


def phase(stored: Stored) -> str:
    """Spectral convergence or SNR, and the level after the end."""
    sets = _sets(stored)
    head = ["view", *(f"convergence {name} (dB)" for name in sets), "least SNR (dB)", "after the end (dBFS)"]
    lines = []
    for name, one in rows_of(stored).items():
        if "values_per_second" in one:
            near = [_cell(one.get(part, {}).get("convergence_db"), 1) for part in sets]
            ratios = [one[part]["snr_db"] for part in sets if one.get(part, {}).get("snr_db") is not None]
            lines.append([f"`{name}`", *near, _decibels(min(ratios, default=None)), _decibels(one.get("tail_dbfs"))])
    what = (
        "Convergence: norm of the error of the magnitudes over their norm, with the view's own window and hop. SNR: of views that keep "
        "phase or samples. After the end: the loudest sample later than one window after the end of a sound that is followed by "
        "digital silence."
    )
    return f"{what}\n\n{table(head, lines)}"


def scale(stored: Stored) -> str:
    """Whole corpora."""
    parts = []
    if one := stored.get("scale/exact"):
        rows = [[f"`{name}`", _decibels(view["snr_db"]), str(view["length"]), str(view["channels"])] for name, view in one["views"].items()]
        head = ["exact view", "least SNR (dB)", "at samples", "channels"]
        parts.append(f"Noise of {one['lengths']} lengths (edges of windows, and random ones), mono and stereo.\n\n{table(head, rows)}")
    if one := stored.get("scale/clips"):
        cells = [f"{one[key]:.2f}" for key in ("prepare_s", "encode_s")]
        cells += [f"{one['audio_s'] / (one['prepare_s'] + one['encode_s']):.0f}", f"{one['peak_mb']:.0f}"]
        head = ["files", "prepare (s)", "encode to `bands` (s)", "× real time", "peak memory (MB)"]
        parts.append(
            f"{one['files']:,} WAV files of synthetic drums ({one['audio_s']:.0f} s; 16 bit, mono, 44.1 kHz, in the system's cache) on "
            f"{one['cores']} cores, the features ({one['features_mb']:.0f} MB) written to disk; without Python's start-up.\n\n"
            + table(head, [[f"{one['files']:,}", *cells]])
        )
    if one := stored.get("scale/memory"):
        keys = ("corpus_mb", "clips", "features_mb", "prepare_s", "encode_s", "before_mb", "anonymous_mb", "prepare_peak_mb", "peak_mb")
        rows = [[f"{run[key]:,.0f}" for key in keys] for run in one["runs"]]
        head = ["corpus (MB)", "clips", "features (MB)", "prepare (s)", "encode (s)"]
        head += ["idle (MB)", "held (MB)", "peak of prepare (MB)", "peak in all (MB)"]
        limit = (
            f"the system limited each process to {one['runs'][0]['allowed_mb']} MB of data above idle"
            if one["runs"][0]["limited"]
            else "no limit was set"
        )
        parts.append(
            "Minutes of drums over noise cut into 2 s, prepared and read back by `Corpus.batch`, 16 clips at a time, into `bands`; one "
            f"process for each line; {limit}. *Held*: without pages of files, which the system can drop; the peaks include them.\n\n"
            + table(head, rows)
        )
    return "\n\n".join(parts)


def verdict(stored: Stored) -> str:
    """Each requirement: its bound, the measured value, whether it is met."""
    rows = [_line(*one) for one in _claims(stored)]
    return table(["requirement", "bound", "measured", "verdict"], rows)


def _claims(stored: Stored) -> list[tuple[str, str, str, bool | None]]:
    claims: list[tuple[str, str, str, bool | None]] = []
    exact = stored.get("scale/exact", {}).get("views", {})
    claims.append(
        _worst("exact views, any length", "≥ 120 dB SNR", {k: v["snr_db"] for k, v in exact.items()}, lambda x: x >= 120, min, _decibels)
    )
    bands = stored.get("bands", {})
    found = {part: bands[part] for part in ("drums", "notes") if part in bands}
    size = bands.get("values_per_second")
    claims.append(
        ("`bands`, values a second", "≤ 44,100", "" if size is None else f"{size:,.0f}", None if size is None else size <= 44_100)
    )
    for part in ("drums", "notes"):
        for n, most in ((1024, 1.0), (512, 1.5), (2048, 1.5)):
            value = found.get(part, {}).get(f"log_mel_{n}")
            reached = None if value is None else value <= most
            claims.append((f"`bands` → audio, {part}, {n} grid", f"≤ {most:.1f} dB", _cell(value), reached))
    met = [
        f"`{name}`"
        for name, one in rows_of(stored).items()
        if name.split("/")[0] == "bands" and one["values_per_second"] <= 44_100 and _meets(one)
    ]
    if bands:
        claims.append(("settings of `bands` that meet all of these", "any", ", ".join(met) or "none", bool(met)))
    tails = {name: one["tail_dbfs"] for name, one in rows_of(stored).items() if one.get("tail_dbfs") is not None}
    claims.append(_worst("level after the end, every view", "< -90 dBFS", tails, lambda x: x < -90, max, _decibels))
    fast = {
        name: one["encode_1"]
        for name, one in rows_of(stored).items()
        if (one.get("n_fft"), one.get("hop")) == (1024, 256) and "/" not in name
    }
    claims.append(_worst("encode, 1024/256 views, one thread", "≥ 500 × real time", fast, lambda x: x >= 500, min, lambda x: f"{x:.0f}"))
    many = stored.get("scale/clips")
    spent = many["prepare_s"] + many["encode_s"] if many else 0.0
    short = None if many is None or many["files"] < 1000 else spent < 60
    claims.append(("1,000 clips prepared and encoded", "< 60 s", "" if many is None else f"{many['files']:,}: {spent:.1f} s", short))
    runs = stored.get("scale/memory", {}).get("runs")
    if runs:
        grown = runs[-1]["anonymous_mb"] - runs[0]["anonymous_mb"]
        more = runs[-1]["corpus_mb"] - runs[0]["corpus_mb"]
        text = f"{grown:+.0f} MB held for {more:+.0f} MB of corpus; {runs[-1]['anonymous_mb']:.0f} of {runs[-1]['corpus_mb']:.0f} MB"
        claims.append(("memory bounded, whatever the corpus", "≤ 5 % of its growth", text, grown <= 0.05 * more))
    else:
        claims.append(("memory bounded, whatever the corpus", "≤ 5 % of its growth", "", None))
    return claims


def _worst(
    what: str, bound: str, values: Mapping[str, float], good: Callable[[float], bool], worst: Any, text: Callable[[float], str]
) -> tuple[str, str, str, bool | None]:
    """The requirement applied to the worst of several values; names it and all others that do not meet it."""
    if not values:
        return what, bound, "", None
    name = worst(values, key=lambda key: values[key])
    others = [f"`{key}` {text(value)}" for key, value in values.items() if key != name and not good(value)]
    return what, bound, ", ".join([f"`{name}` {text(values[name])}", *others]), good(values[name])


def _meets(one: Values) -> bool:
    limits = ((1024, 1.0), (512, 1.5), (2048, 1.5))
    found = [(one[part][f"log_mel_{n}"], most) for part in ("drums", "notes") if part in one for n, most in limits]
    return bool(found) and all(value is not None and value <= most for value, most in found)


def _line(what: str, bound: str, found: str, reached: bool | None) -> list[str]:
    return [what, bound, found or "–", "not measured" if reached is None else "reached" if reached else "**missed**"]


def _sets(stored: Stored) -> list[str]:
    return [name for name in ("drums", "notes", "pieces") if any(name in one for one in rows_of(stored).values())]


def _grid(one: Values) -> str:
    hop = f"/{one['hop']}" if "hop" in one else ""
    window = f"{one['n_fft']}{hop}" if "n_fft" in one else f"hop {one['hop']}" if hop else ""
    return ", ".join(filter(None, [window, str(one["bands"])]))


def _inversion(name: str, one: Values) -> str:
    if one["exact"]:
        return "exact"
    if not one["searched"]:
        return "phase kept"
    method = "librosa griffin-lim" if "librosa" in name else one.get("method", "")
    return f"{method} {one.get('iterations', '')}".strip() or "recovered"


def _interval(one: Values) -> str:
    if one.get("log_mel_1024") is None:
        return "–"
    if one["high"] < 0.005:
        return "0.00"
    digits = 2 if one["high"] < 100 else 0
    return f"{one['log_mel_1024']:.{digits}f} ({one['low']:.{digits}f}–{one['high']:.{digits}f})"


def _cell(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits if abs(value) < 100 else 0}f}"


def _decibels(value: float | None) -> str:
    if value is None:
        return "–"
    return "no error" if value >= 299 else "silence" if value <= -299 else f"{value:.0f}"


def _rate(value: float) -> str:
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}"

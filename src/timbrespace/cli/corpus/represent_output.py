"""What `represent` prints at its end."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from timbrespace.cli.common.corpus import print_json
from timbrespace.cli.common.text import printable, skipped_lines
from timbrespace.contracts import TimbrespaceError
from timbrespace.wording import counted

if TYPE_CHECKING:
    from timbrespace.features.represent import Outputs
    from timbrespace.features.stack import Stack
    from timbrespace.representation.base import Representation

_LISTED = 20  # lines on screen; --json prints all


def print_clips(
    rows: list[dict[str, Any]],
    skipped: list[dict[str, str]],
    outputs: Outputs,
    view: Representation,
    settings: dict[str, Any],
    out: Path,
    *,
    json: bool,
) -> None:
    """Prints what was written for each clip. Raises TimbrespaceError if nothing was."""
    means = {key: _mean(rows, key) for key in ("log_mel_error_db", "sound_error_db", "snr_db")} if outputs.roundtrip else {}
    if json:
        print_json(
            {
                "representation": settings,
                "sample_rate": view.sample_rate,
                "channels": view.channels,
                "sounds": rows,
                "skipped": skipped,
                **({"mean": means} if outputs.roundtrip else {}),
                **({"pixels_per_second": outputs.pixels_per_second} if outputs.picture else {}),
            }
        )
    else:
        _print_skipped(skipped)
        for row in rows[:_LISTED]:
            shape = " × ".join(map(str, row["shape"]))
            print(f"{printable(row['name'])}  {row['seconds']:.2f} s  {shape}{_errors(row) if outputs.roundtrip else ''}")
        if len(rows) > _LISTED:
            print(f"… and {len(rows) - _LISTED} more")
        if outputs.roundtrip and len(rows) > 1:
            print(f"mean{_errors(means)}")
        if outputs.picture and rows:
            print(f"pictures: {outputs.pixels_per_second:g} pixels per second")
        if rows:
            print(f"{counted(len(rows), 'sound')} as {settings['name']} (parts × bands × frames) in {out}")
    if not rows:
        raise TimbrespaceError("none of the sounds could be represented; the reasons are printed above")


def print_stack(stack: Stack, skipped: list[dict[str, str]], *, json: bool) -> None:
    """Prints what a stack holds."""
    header, shape = stack.header, list(stack.array.shape)
    if json:
        result = {"written": str(stack.path), "shape": shape, "representation": header["representation"], "length": stack.length}
        print_json(result | {"sample_rate": header["sample_rate"], "skipped": skipped})
        return
    _print_skipped(skipped)
    print(f"{stack.path}  {' × '.join(map(str, shape))} (clips × parts × bands × frames), names and labels in {stack.path.stem}.json")


def print_decoded(written: list[dict[str, Any]], skipped: list[dict[str, str]], out: Path, *, json: bool) -> None:
    """Prints which features were decoded to audio. Raises TimbrespaceError if none were."""
    if json:
        print_json({"sounds": written, "skipped": skipped})
    else:
        _print_skipped(skipped)
        print(f"{counted(len(written), 'sound')} in {out}")
    if not written:
        raise TimbrespaceError("none of the arrays could be decoded; the reasons are printed above")


def _print_skipped(skipped: list[dict[str, str]]) -> None:
    """Prints a line per file that was left out."""
    for line in skipped_lines(skipped, rest="--json prints all"):
        print(line)


def _errors(row: dict[str, Any]) -> str:
    parts = [f"log-mel error {row['log_mel_error_db']:.2f} dB", f"over the whole sound {row['sound_error_db']:.2f} dB"]
    if row.get("snr_db") is not None:
        parts.append(f"SNR {row['snr_db']:.1f} dB")
    if row.get("identical"):
        parts.append("identical")
    return "  " + ", ".join(parts)


def _mean(rows: list[dict[str, Any]], key: str) -> float | None:
    values = [row[key] for row in rows if row[key] is not None]
    return round(fmean(values), 3) if values else None

"""Text for the terminal: names without control characters, commands for the shell, lists of skipped files."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence

_LISTED, _NAMED = 20, 8  # lines on screen, and names of files with the same reason
_WIDEST, _NARROWEST = 110, 30  # columns of a wrapped text: with its head, and of the text itself
_DIRECTIONS = frozenset("\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: object) -> str:
    """The text with control characters, and characters that change the direction of writing, as escapes such as \\x1b."""
    return "".join(
        letter.encode("unicode_escape").decode() if unicodedata.category(letter) == "Cc" or letter in _DIRECTIONS else letter
        for letter in str(text)
    )


def hanging(head: str, text: str) -> list[str]:
    """A text behind its head, wrapped to the width of the terminal with the further lines below the text; one line where stdout is none."""
    if not sys.stdout.isatty():
        return [head + text]
    width = min(max(shutil.get_terminal_size().columns, len(head) + _NARROWEST), _WIDEST)
    return textwrap.wrap(text, width, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False) or [head.rstrip()]


def command_line(*words: object) -> str:
    """A command as one line for a shell: words with spaces or other special characters are quoted."""
    return printable(" ".join(shlex.quote(str(word)) for word in words))


def skipped_lines(rows: Sequence[Mapping[str, str]], *, rest: str, most: int = _LISTED) -> list[str]:
    """A line for each reason why files were passed over, 'skipped FILE, FILE: REASON'.

    Of files with the same reason the first eight are named; after `most` lines one says how many are missing, and where the `rest` is.
    """
    files: dict[str, list[str]] = {}
    for row in rows:
        files.setdefault(row["reason"], []).append(printable(row["file"]))
    lines, missing = list[str](), 0
    for reason, names in files.items():
        shown = names[:_NAMED] if len(lines) < most else []
        missing += len(names) - len(shown)
        if shown:
            more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
            lines.append(f"skipped {', '.join(shown)}{more}: {printable(reason)}")
    return lines + ([f"… and {missing} more were skipped; {rest}"] if missing else [])


def remark_lines(rows: Sequence[Mapping[str, str]], *, rest: str, most: int = 12) -> list[str]:
    """A line for each oddity of a file that was read, 'note FILE: TEXT'; files without a length are whole and not listed."""
    oddities = [row for row in rows if row["kind"] != "streamed"]
    lines = [f"note {printable(row['file'])}: {printable(row['text'])}" for row in oddities[:most]]
    return lines + ([f"… and {len(oddities) - most} more notes; {rest}"] if len(oddities) > most else [])


def decimal_comma_advice(words: Sequence[str]) -> str:
    """'; write 0.3 with a point, not 0,3' if a word of the command line is a number with a decimal comma, else nothing."""
    for word in words:
        number = re.fullmatch(r"(?:--[\w-]+=)?([+-]?\d+),(\d+)", word)
        if number:
            return f"; write {number[1]}.{number[2]} with a point, not {number[1]},{number[2]}"
    return ""

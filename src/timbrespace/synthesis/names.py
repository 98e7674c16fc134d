"""File names that work everywhere: Windows, macOS, Linux, and inside sampler kits."""

from __future__ import annotations

import re
import unicodedata

LONGEST_NAME = 120  # bytes of UTF-8 before the suffix; file systems allow 255, and recipes and pages add words
FALLBACK = "sound"

# pathvalidate 3.3 would replace the Windows rules alone: it returns "..", ".hidden", "", invisible letters (U+202E) and the reserved
# "aux" of "aux " as they are, and raises on lone surrogates. Every name made here is valid to it (5,000 random texts).
# Separators, what Windows forbids, and = $ # that have a meaning inside SFZ files ("C#3" becomes "Cs3" before).
_FORBIDDEN = re.compile(r'[<>:"/\\|?*=$#]+')
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)


def safe_name(text: str) -> str:
    """Returns a file name without suffix for any text: no separators, control or forbidden characters, no leading dot, never empty.

    At most 120 bytes of UTF-8, composed (NFC), never a name that Windows reserves. A safe name is returned unchanged.
    """
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"\b([A-Ga-g])#(?=-?\d)", r"\1s", text)
    text = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text)
    text = re.sub(r"\s+", " ", _FORBIDDEN.sub("-", text))
    text = _trim(_shorten(text.lstrip(" .-~"), LONGEST_NAME))
    if _RESERVED.fullmatch(text.split(".")[0].strip()):
        text = f"_{text}"
    return text or FALLBACK


def unique_names(stems: list[str]) -> list[str]:
    """Returns safe names, one a stem and in order, all different even without regard to case or Unicode form ("Kick", "kick 2").

    The first of equal stems keeps its name; further ones are numbered from 2, skipping names that are in the list.
    """
    safe = [safe_name(stem) for stem in stems]
    all_keys = {_key(name) for name in safe}
    used: set[str] = set()
    names = []
    for name in safe:
        chosen, number = name, 2
        while _key(chosen) in used or (chosen != name and _key(chosen) in all_keys):
            ending = f" {number}"
            chosen = _trim(_shorten(name, LONGEST_NAME - len(ending))) + ending
            number += 1
        used.add(_key(chosen))
        names.append(chosen)
    return names


def _key(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _shorten(text: str, most: int) -> str:
    return text.encode("utf-8")[:most].decode("utf-8", errors="ignore")


def _trim(text: str) -> str:
    return text.rstrip(" .")

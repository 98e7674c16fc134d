"""The category of a file: from the user's rules, then folder names, then its own name, then other folders.

A folder name gives a category if it is a known word, except for fillers, or ends in one; the nearest such folder wins over the file's
name. Where no word is known, the nearest folder with a telling name is the category, see `folder_kind`. Within a name a drum wins over
an instrument, an instrument over a general word, and the last of equals ('Synth Bass' is a bass).

A rule may name a list of categories instead, `LISTS`: then names are read with the words of these categories only, and the first one in
a name wins ('Synth Bass' is a synth).
"""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import PurePosixPath

from timbrespace.corpus.labels import vocabulary
from timbrespace.corpus.labels.values import clean_category, folder_category

DRUM_CATEGORIES = frozenset(vocabulary.DRUMS) | frozenset(vocabulary.DRUMS_GENERAL)
# Name of a list -> its categories. "source-b": those of a sample synthesiser whose file names begin with the kind ('Pulsing Pad').
LISTS: dict[str, tuple[str, ...]] = {
    "source-b": (
        "vocal", "synth", "guitar", "bass", "plucked", "bell", "strings", "pad", "piano", "brass", "e-piano", "wind", "organ",
        "percussion", "pulsing", "synth makes",
    )
}  # fmt: skip
Table = Mapping[tuple[str, ...], tuple[int, str]]  # word parts -> (rank, category); a lower rank wins
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ORDINAL = re.compile(r"^(?:\d+[ _.)]+|\d\d+-)[ -]*(?=\D)")  # '01 Casio' is casio; '8-bit toys' stays
_KIT_FILES, _KIT_SHARE = 2, 0.2  # least number and share of files with known words in a folder that is a kit
_DRUM_FOLDERS = 2  # least number of folders of drums beside those with short names
_FILES_PER_FOLDER = 2  # least mean number of files in folders that are categories


@lru_cache(maxsize=1)
def _table() -> Table:
    table: dict[tuple[str, ...], tuple[int, str]] = {}
    for rank, kinds in enumerate((vocabulary.DRUMS, vocabulary.NOTES, vocabulary.DRUMS_GENERAL, vocabulary.GENERAL)):
        for category, text in kinds.items():
            for word in text.split(","):
                parts = tuple(word.split())
                table[parts] = (rank, category)
                table[(*parts[:-1], parts[-1] + "s")] = (rank, category)
    return table


@lru_cache
def _list_table(name: str) -> Table:
    return {parts: found for parts, found in _table().items() if found[1] in LISTS[name]}


@lru_cache(maxsize=1)
def _short() -> dict[str, str]:
    return {word.strip(): category for category, text in vocabulary.DRUM_SHORT.items() for word in text.split(",")}


@lru_cache(maxsize=65536)
def parts_of(name: str) -> tuple[str, ...]:
    """Lower-case parts of a name: split at separators, at digits and before capitals; accents are dropped."""
    text = "".join(c for c in unicodedata.normalize("NFKD", name.replace("ß", "ss")) if not unicodedata.combining(c))
    return tuple(part.lower() for part in _PART.findall(text))


@lru_cache(maxsize=65536)
def category_of_name(name: str) -> str | None:
    """The category in a name, or None."""
    best: tuple[int, int, str] | None = None
    for rank, category, _, stop in _matches(parts_of(name)):
        if best is None or (rank, -stop) < best[:2]:
            best = (rank, -stop, category)
    return best[2] if best else None


def _matches(parts: Sequence[str], words: Table | None = None) -> list[tuple[int, str, int, int]]:
    """(rank, category, first part, end) of each known word in `parts`; longer words hide their parts. words: None: all known ones."""
    table, matches, index = _table() if words is None else words, [], 0
    while index < len(parts):
        for length in (3, 2, 1):
            word = tuple(parts[index : index + length])
            hit = table.get(word) or (table.get(("".join(word),)) if length == 2 else None)  # 'Hi Hat', 'BassDrum', 'tom 1'
            if len(word) == length and hit:
                matches.append((*hit, index, index + length))
                index += length
                break
        else:
            part = parts[index]
            glued = next((w for w in sorted(vocabulary.GLUED) if len(part) > len(w) and (part.startswith(w) or part.endswith(w))), None)
            if glued and (glued,) in table:
                matches.append((*table[(glued,)], index, index + 1))
            index += 1
    return matches


@lru_cache(maxsize=4096)
def category_of_folder(name: str) -> str | None:
    """The category in a folder name: a known word with fillers only, as its last word, or as its first before qualifiers; or None.

    Kits and packs have none.
    """
    parts = [part for part in parts_of(name) if not part.isdigit()]
    if not parts or vocabulary.NOT_A_CLASS & set(parts):
        return None
    matches = _matches(parts)
    if not matches:
        return None
    covered = {i for _, _, start, stop in matches for i in range(start, stop)}
    rest = [part for i, part in enumerate(parts) if i not in covered and part not in vocabulary.FILLERS]
    meaningful = [i for i, part in enumerate(parts) if part not in vocabulary.FILLERS or i in covered]
    qualified = meaningful[0] in covered and all(part in vocabulary.QUALIFIERS for part in rest)
    if rest and meaningful[-1] not in covered and not qualified:
        return None
    return category_of_name(name)


def categorise(files: Sequence[str], *, rules: Mapping[str, str] | None = None, root: str = "") -> list[str | None]:
    """The category of each relative posix path, or None.

    rules: pattern (*, ?, [..]; any case) -> category, first match wins; the name of a list of LISTS -> itself. With a list, names
    without one of its words have no category. root: name of the folder itself, used last.
    """
    out: list[str | None] = [None] * len(files)
    paths = [PurePosixPath(unicodedata.normalize("NFC", file)) for file in files]
    ruled = [category_by_rule(path, rules or {}) for path in paths]
    if any(is_list(pattern, category) for pattern, category in (rules or {}).items()):
        return ruled
    foldered = [next((c for part in reversed(path.parts[:-1]) if (c := category_of_folder(part))), None) for path in paths]
    named = [category_of_name(path.stem) for path in paths]
    known = [folder or name for folder, name in zip(foldered, named, strict=True)]
    short = [name or folder for name, folder in zip(_short_drum_names(paths, known), _short_folders(paths), strict=True)]
    sorted_in = _sorted_in(paths, [ruled[i] or known[i] or short[i] for i in range(len(paths))])
    root_kind = category_of_folder(root) if root else None
    for i in range(len(paths)):
        out[i] = ruled[i] or foldered[i] or known[i] or short[i] or root_kind or sorted_in[i]
    return out


def _short_folders(paths: Sequence[PurePosixPath]) -> list[str | None]:
    """Categories of files in folders with short drum names ('CH', 'OH', 'CP'), beside two folders of drums or more."""
    drums: dict[PurePosixPath, set[PurePosixPath]] = defaultdict(set)
    for folder in {path.parent for path in paths}:
        if category_of_folder(folder.name) in DRUM_CATEGORIES:
            drums[folder.parent].add(folder)
    return [_short().get(path.parent.name.casefold()) if len(drums[path.parent.parent]) >= _DRUM_FOLDERS else None for path in paths]


@lru_cache(maxsize=4096)
def folder_kind(name: str) -> str | None:
    """A folder name as a category: lower case, without an ordinal in front; None if it tells nothing.

    Telling nothing: numbers, years, single letters, and names with only words such as samples, one shots, wav, loops, 120 bpm, or with
    kit, pack, vol.
    """
    parts = [part for part in parts_of(name) if not part.isdigit()]
    telling = [part for part in parts if len(part) > 1 and part not in vocabulary.FILLERS | vocabulary.NOT_TELLING]
    other_script = any(letter.isalpha() and letter > "\u024f" for letter in name)  # Greek, Cyrillic, Chinese …
    if not (telling or other_script) or vocabulary.NOT_A_CLASS & set(parts):
        return None
    return clean_category(folder_category(_ORDINAL.sub("", name)))


def naming_folder(file: str, category: str | None) -> str | None:
    """The folder of a relative posix path whose own name is its `category`; None if the category is a known word or from elsewhere."""
    folders = reversed(PurePosixPath(unicodedata.normalize("NFC", file)).parts[:-1])
    return next((part for part in folders if category and folder_kind(part) == category and not category_of_folder(part)), None)


def _sorted_in(paths: Sequence[PurePosixPath], known: Sequence[str | None]) -> list[str | None]:
    """The category of each path from its innermost folder with a telling name; None where there is none.

    A folder that holds all files, or that is a kit (several of its files have known words), is no category. Nor are folders that hold
    one file each.
    """
    total, words = Counter[PurePosixPath](), Counter[PurePosixPath]()
    for path, kind in zip(paths, known, strict=True):
        total.update(path.parents)
        words.update(path.parents if kind else ())
    telling = {
        folder: kind
        for folder, count in total.items()
        if count < len(paths)
        and not (words[folder] >= _KIT_FILES and words[folder] >= _KIT_SHARE * count)
        and (kind := folder_kind(folder.name))
    }
    chosen = [next((folder for folder in path.parents if folder in telling), None) for path in paths]
    used = Counter(folder for folder in chosen if folder is not None)
    if used.total() < _FILES_PER_FOLDER * len(used):
        return [None] * len(paths)
    return [None if folder is None else telling[folder] for folder in chosen]


def is_list(pattern: str, category: str) -> bool:
    """Whether a rule is the name of a list of categories."""
    return pattern == category and pattern in LISTS


def category_by_list(path: PurePosixPath, name: str) -> str | None:
    """The first category of the list `name` in a file's name, else the nearest folder that is named so and nothing more; or None."""
    table = _list_table(name)
    found = _matches(parts_of(path.stem), table)
    if found:
        return found[0][1]
    folders = (table.get(tuple(part for part in parts_of(folder) if not part.isdigit())) for folder in reversed(path.parts[:-1]))
    return next((hit[1] for hit in folders if hit), None)


def category_by_rule(path: PurePosixPath, rules: Mapping[str, str]) -> str | None:
    """The category of the first rule whose pattern matches the path, the file name, or the name without suffix; or None.

    The name of a list matches where the list has a category.
    """
    whole, name = str(path).casefold(), path.name.casefold()
    for pattern, category in rules.items():
        if is_list(pattern, category):
            if listed := category_by_list(path, pattern):
                return listed
            continue
        plain = unicodedata.normalize("NFC", pattern).casefold()
        if fnmatch.fnmatchcase(whole, plain) or fnmatch.fnmatchcase(name, plain) or fnmatch.fnmatchcase(path.stem.casefold(), plain):
            return category
    return None


def _short_drum_names(paths: Sequence[PurePosixPath], known: Sequence[str | None]) -> list[str | None]:
    """Categories from two-letter drum names ('ft_01', 'mc_cb'), in folders where other names are drums."""
    drums: dict[str, int] = defaultdict(int)
    total: dict[str, int] = defaultdict(int)
    for path, kind in zip(paths, known, strict=True):
        total[str(path.parent)] += 1
        drums[str(path.parent)] += kind in DRUM_CATEGORIES
    out: list[str | None] = []
    for path in paths:
        folder = str(path.parent)
        is_drums = drums[folder] >= 2 and drums[folder] >= 0.25 * total[folder]
        is_drums = is_drums or any(vocabulary.DRUM_FOLDER_WORDS & set(parts_of(part)) for part in path.parts[:-1])
        out.append(_short_kind(path.stem) if is_drums else None)
    return out


def _short_kind(stem: str) -> str | None:
    pieces = [piece for piece in re.split(r"[^A-Za-z0-9]+", stem.lower()) if piece and not piece.isdigit()]
    for piece in (pieces[0], pieces[-1]) if pieces else ():
        kind = _short().get(piece) or _short().get(piece.rstrip("0123456789"))
        if kind:
            return kind
    return None

"""Packs: the files of a sound inside a script, for pages that are opened from disk.

A browser lets such a page play the sounds beside it, but neither read nor save them: its ZIP of favourites could not be made. A script
it may load, so `index_files/data` has one for each sound, which the page loads when the sound is downloaded.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path

from timbrespace.atomic import write_text

LARGEST = 300_000_000  # bytes of all files together; above, a page from disk lists the favourites instead


def write_packs(folder: Path, groups: Sequence[Sequence[str]]) -> list[str | None]:
    """Writes a pack for each group of files and returns their paths relative to `folder`; None for all if the files are too large.

    groups: paths relative to `folder`, which exist. Packs of an earlier page are replaced. Raises TimbrespaceError.
    """
    if sum((folder / file).stat().st_size for group in groups for file in group) > LARGEST:
        return [None] * len(groups)
    (folder / "index_files" / "data").mkdir(parents=True, exist_ok=True)
    packs: list[str | None] = []
    for number, group in enumerate(groups):
        files = [{"name": file, "data": base64.b64encode((folder / file).read_bytes()).decode()} for file in group]
        pack = f"index_files/data/{number + 1:04d}.js"
        write_text(folder / pack, f"timbrespacePack({number},{json.dumps(files)});\n", force=True)
        packs.append(pack)
    return packs

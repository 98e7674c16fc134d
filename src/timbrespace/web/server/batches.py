"""New sounds, written with their recipes into a folder of their own inside the server's folder."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from timbrespace.atomic import disk_error
from timbrespace.contracts import TimbrespaceError
from timbrespace.export.kits import write_kits
from timbrespace.synthesis.names import safe_name
from timbrespace.web.server.bodies import GenerateBody
from timbrespace.web.server.jobs import Job
from timbrespace.web.server.served import Served
from timbrespace.web.server.values import seed_in


def write_batch(served: Served, body: GenerateBody, folder: Path, job: Job) -> dict[str, Any]:
    """Returns the name of a new folder and its files. It appears whole, or not at all. Raises TimbrespaceError, CancelledError."""
    instrument = served.instrument
    category = instrument.categories[body.category] if body.category >= 0 else None
    steps = body.count * (3 if body.prompt else 2)  # a prompt chooses first; all are rendered, all are written
    sounds = instrument.generate(
        body.count, seed=seed_in(body.seed), category=category, temperature=body.temperature, prompt=body.prompt,
        progress=lambda done, of: job.progress(round(done * (steps - body.count) / max(of, 1)), steps),
    )  # fmt: skip
    try:
        with tempfile.TemporaryDirectory(prefix=".", suffix=".partial", dir=folder) as made:
            draft = Path(made) / "sounds"
            draft.mkdir()
            paths = []
            for number, sound in enumerate(sounds, start=1):
                paths.append(sound.save(draft))
                job.progress(steps - body.count + number, steps)
            left_out = write_kits(sounds, paths, draft, name=safe_name(f"{served.title} kit")).left_out if body.kit else []
            job.check()
            name = _moved(draft, folder, safe_name(served.title))
    except OSError as error:
        raise TimbrespaceError(_without(folder, str(disk_error(error, folder)))) from error
    except TimbrespaceError as error:
        raise TimbrespaceError(_without(folder, str(error))) from error
    files = sorted(path.name for path in (folder / name).iterdir())
    return {"folder": name, "files": files} | ({"not in the kit": left_out} if left_out else {})


def _without(folder: Path, words: str) -> str:
    """An error without the path of the folder: where it is on this computer is no matter of a browser."""
    return words.replace(str(folder), "the folder of the server")


def _moved(draft: Path, folder: Path, title: str) -> str:
    """Gives the finished folder its name, which is of the title and the time, and returns it. Another's folder is never replaced."""
    stem = f"{title} {time.strftime('%Y-%m-%d %H.%M.%S')}"
    for number in range(1, 1000):
        name = stem if number == 1 else f"{stem} {number}"
        if not os.path.lexists(folder / name):
            draft.rename(folder / name)
            return name
    raise TimbrespaceError(f"{folder} has too many folders called {stem}; choose another with --folder")

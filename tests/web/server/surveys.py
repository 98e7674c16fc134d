"""A survey of computed sounds, without an instrument, and a server in a thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from timbrespace.evaluation.survey.make import SurveyOptions, make_survey, write_survey
from timbrespace.evaluation.survey.survey import Survey
from timbrespace.report.survey_page import render_survey_page

RATE = 44_100


def small_survey(folder: Path, *, listeners: int = 3, seed: int = 5) -> Survey:
    """Two conditions of a kick and a snare each, and three attention checks, in `folder / "test"`: eight sounds for each listener."""
    time = np.arange(RATE // 4) / RATE
    for place, condition in enumerate(("new", "real")):
        (folder / condition).mkdir(parents=True)
        for number, category in enumerate(("kick", "snare")):
            wave = 0.3 * np.sin(2 * np.pi * (150 + 40 * number + 15 * place) * time) * np.exp(-8 * time)
            soundfile.write(folder / condition / f"{category}.wav", wave, RATE)
    options = SurveyOptions("Tones & <hats>", sounds=2, listeners=listeners, repeats=1, seed=seed)
    survey, sounds = make_survey({name: folder / name for name in ("new", "real")}, options)
    write_survey(survey, sounds, folder / "test", render_survey_page(survey))
    return survey


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Yields the address at which an ASGI application runs, in a thread of this process, until the block ends."""
    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"  # requests wait in the socket until the server takes them
        server.should_exit = True
        thread.join()

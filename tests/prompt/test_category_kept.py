"""Candidates of a prompt are judged by whether they are still of the category that is asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from timbrespace.instrument import Instrument
from timbrespace.prompt.choice import reference
from timbrespace.prompt.choice.reference import classifier_of, heard
from timbrespace.synthesis.output.requested import RenderRequest
from tiny import Tiny


def test_a_sound_is_likelier_and_less_foreign_in_its_own_category(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "_NEIGHBOURS", 3)  # the corpus is small
    contents = Instrument.load(tiny.file).contents
    clips = contents.clips
    assert clips is not None
    classifier = classifier_of(contents)
    assert classifier is not None
    assert classifier_of(contents) is classifier  # fitted once
    known = classifier.categories[:4]
    assert len(known) > 1
    own: list[float] = []
    other: list[float] = []
    for category in known:
        rows = [row for row, one in enumerate(clips.categories) if one == category][:2]
        requests = [RenderRequest(clips.latents[row], "sound", category, {}, row) for row in rows]
        for asked in known:
            _, foreign, likely = heard(contents, requests, ["brightness"], asked)
            assert float(foreign.min()) >= 0
            assert float(foreign.max()) <= 1
            (own if asked == category else other).extend((likely - foreign).tolist())
    assert sum(own) / len(own) > sum(other) / len(other) + 0.1


def test_a_stripped_instrument_judges_no_categories(tiny: Tiny) -> None:
    contents = replace(Instrument.load(tiny.file).contents, clips=None)
    request = RenderRequest(contents.space.means[0], "sound", None, {}, 0)
    _, foreign, likely = heard(contents, [request], ["brightness"], "kick")
    assert torch.equal(foreign, torch.zeros(1))
    assert torch.equal(likely, torch.ones(1))
    assert classifier_of(contents) is None

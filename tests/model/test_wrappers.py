"""Models around another: they store and prepare sounds as the model inside that sees the features."""

from __future__ import annotations

import pytest
import torch

from timbrespace.config.build import build_model, build_representation, make_config
from timbrespace.model.base import Batch
from timbrespace.model.clip.dense import Dense
from timbrespace.model.registry import MODELS


class Halved(Dense):
    """A family that learns halved images: it has its own `compress` and `prepare_audio`."""

    def compress(self, features: torch.Tensor) -> torch.Tensor:
        """Returns `(batch, parts, bands, frames)` of `(batch, cells)`."""
        return super().compress(features) / 2

    def prepare_audio(self, audio: torch.Tensor) -> torch.Tensor:
        """Returns a sound `(channels, time)` turned upside down."""
        return -super().prepare_audio(audio)


@pytest.mark.parametrize("wrapper", ["staged", "conditional"])
def test_wrappers_compress_and_prepare_as_the_model_inside_that_sees_the_features(wrapper: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "halved", Halved)
    inside = {"name": "halved", "dims": 4, "encoder": [8], "decoder": [8], "sigmoid": False}
    model = {"name": "staged", "outer": inside, "inner": {"name": "dense", "dims": 2}} if wrapper == "staged" else {
        "name": "conditional", "inner": inside, "conditions": {"category": ["kick", "snare"]}
    }  # fmt: skip
    view = build_representation({"name": "waveform", "block": 256}, sample_rate=44_100, channels=1)
    built = build_model(
        make_config({"representation": {"name": "waveform", "block": 256}, "model": model}).model, representation=view, samples=4_096
    )
    storing = built.storing
    assert isinstance(storing, Halved)
    audio = torch.rand(1, 3_000) - 0.5
    assert torch.equal(built.prepare_audio(audio), storing.prepare_audio(audio))
    features, lengths = view.encode(torch.rand(2, 1, 4_096) - 0.5), torch.tensor([4_096, 3_000])
    stored = built.prepare_features(features).flatten(1)
    values = built.compress(stored)
    assert torch.equal(values, stored.unflatten(1, storing.spec.shape) / 2)
    learned = built.posterior(Batch(values, lengths)).mean
    assert torch.equal(built.encode(features, lengths).mean, learned)  # a given sound is encoded as it was learned
    assert torch.equal(storing.encode(features, lengths).mean, storing.posterior(Batch(values, lengths)).mean)

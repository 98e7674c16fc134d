"""Sounds in the form that a model learns from: the same in training and in validation."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from timbrespace.config.build import build_representation
from timbrespace.config.presets import load_preset
from timbrespace.corpus.corpus import Corpus
from timbrespace.model.clip.dense import Dense
from timbrespace.parallel import Pool
from timbrespace.training.data.clip_dataset import ClipDataset, encode_rows
from timbrespace.training.data.encode import encode_clips, image_shape, learned_sounds
from timbrespace.training.data.image_store import ImageStore
from timbrespace.training.workspace import Workspace
from tiny import Tiny


class Doubled(Dense):
    """Learns doubled images, without a codec."""

    def compress(self, features: Tensor) -> Tensor:
        """Returns `(batch, parts, bands, frames)` of `(batch, cells)`."""
        return 2 * super().compress(features)


def test_a_family_learns_and_is_validated_on_the_same_values(tiny: Tiny, tmp_path: Path) -> None:
    corpus, samples = Corpus.open(tiny.corpus), 6_000
    settings = load_preset("dense").representation
    view = build_representation(settings, sample_rate=corpus.sample_rate, channels=corpus.channels)
    for family, factor in ((Dense, 1), (Doubled, 2)):
        model = family(view.spec(samples), dims=2, encoder=(4,), decoder=(4,))
        clips = corpus.indices("train")[:5]
        dataset = ClipDataset(corpus, clips, view, model, samples=samples, seed=0)
        shape = image_shape(model, view, samples)
        folder = tmp_path / family.__name__
        folder.mkdir()
        workspace = Workspace(folder / "x.safetensors")
        store = ImageStore(folder, rows=len(clips), cells=torch.Size(shape).numel())
        with Pool(1) as pool:
            store.fill(partial(encode_rows, dataset, pool=pool), progress=lambda done, total: None)
        learned = learned_sounds(model, store, workspace, conditions=None, kinds=torch.zeros(store.rows, dtype=torch.int64), seed=0)[
            torch.arange(len(clips))
        ]
        validated = encode_clips(model, corpus, clips, view, samples=samples)
        assert learned.values.shape == (len(clips), *shape)
        torch.testing.assert_close(learned.values, validated.values, rtol=1e-3, atol=1e-3)  # rows are stored in half precision
        assert float(learned.values.max()) > 0.9 * factor
        assert torch.equal(learned.lengths, validated.lengths)
        store.close()

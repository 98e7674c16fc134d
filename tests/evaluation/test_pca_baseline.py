"""Plain principal components as an instrument."""

from __future__ import annotations

import pytest
import torch

from timbrespace.corpus.corpus import Corpus
from timbrespace.evaluation.feature_error import feature_errors, features_of
from timbrespace.evaluation.pca_baseline import one_shot, pca_instrument, plain_pca, prepared_features, with_refinement
from timbrespace.instrument import Instrument
from tiny import Tiny


@pytest.fixture(scope="module")
def corpus(tiny: Tiny) -> Corpus:
    return Corpus.open(tiny.corpus)


def test_more_components_reconstruct_better_and_new_sounds_have_lengths_of_their_own(corpus: Corpus) -> None:
    few, many = pca_instrument(corpus, 2), pca_instrument(corpus, 12)
    known = [corpus.audio(i) for i in corpus.indices("train")]
    assert float(feature_errors(many, known).mean()) < float(feature_errors(few, known).mean())
    lengths = torch.tensor([sound.audio.shape[-1] for sound in many.generate(6, seed=1)])
    assert lengths.unique().numel() > 1


def test_plain_pca_has_the_size_of_the_instrument_and_no_networks(tiny: Tiny, corpus: Corpus) -> None:
    instrument = Instrument.load(tiny.file)
    plain = plain_pca(instrument, corpus)
    assert plain.dims == instrument.dims
    z = torch.zeros(1, plain.dims)
    with torch.no_grad():
        assert not one_shot(plain).decoder(z).any()
    features = prepared_features(plain, corpus, corpus.indices("train"))
    torch.testing.assert_close(one_shot(plain).mean, features.mean(0), rtol=0, atol=1e-3)


def test_refinement_lowers_the_objective_of_the_model(tiny: Tiny, corpus: Corpus) -> None:
    plain = plain_pca(Instrument.load(tiny.file), corpus)
    refined = with_refinement(plain, 30)
    audio = corpus.audio(corpus.indices("test")[0])
    features, lengths = features_of(plain, audio)
    start, end = (instrument.encode(audio).z[None] for instrument in (plain, refined))
    objective = one_shot(plain).objective
    assert float(objective(features, lengths, end)) < float(objective(features, lengths, start))
    assert one_shot(plain).refinement_steps == 0  # the instrument given is not changed

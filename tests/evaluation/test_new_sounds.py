"""Measures of new sounds against the real sounds of a corpus."""

from __future__ import annotations

import pytest
import torch

from timbrespace.corpus.corpus import Corpus
from timbrespace.evaluation.artefacts import ARTEFACTS
from timbrespace.evaluation.distribution import compare
from timbrespace.evaluation.new_sounds import (
    HELD_OUT,
    compare_artefacts,
    evenly_spaced,
    latent_values_per_second,
    midpoint_latents,
    prior_latents,
    real_sounds,
    reference_points,
    render_latents,
)
from timbrespace.instrument import Instrument
from tiny import Tiny


@pytest.fixture(scope="module")
def corpus(tiny: Tiny) -> Corpus:
    return Corpus.open(tiny.corpus)


@pytest.fixture(scope="module")
def instrument(tiny: Tiny) -> Instrument:
    return Instrument.load(tiny.file)


def test_real_sounds_are_cut_and_evenly_spaced(instrument: Instrument, corpus: Corpus) -> None:
    training = real_sounds(instrument, corpus, ["train"])
    assert len(training) == len(corpus.indices("train"))
    assert max(audio.shape[-1] for audio in training) <= instrument.contents.samples
    few = real_sounds(instrument, corpus, ["train"], most=3)
    assert len(few) == 3
    assert torch.equal(few[0], training[0])
    assert evenly_spaced(training, None) is evenly_spaced(training, 1_000) is training


def test_a_comparison_needs_held_out_and_training_points(instrument: Instrument, corpus: Corpus) -> None:
    held_out, training = reference_points(instrument, corpus)
    assert len(held_out) == len(real_sounds(instrument, corpus, HELD_OUT))
    assert held_out.shape[1] == training.shape[1] == 68
    assert compare(training, held_out, training=training)["novelty"] == 0
    assert len(reference_points(instrument, corpus, most=2)[1]) == 2


def test_artefacts_of_new_sounds_beside_those_of_real_sounds(instrument: Instrument, corpus: Corpus) -> None:
    metrics = compare_artefacts(instrument, corpus, [sound.audio for sound in instrument.generate(4)])
    assert metrics.keys() == ARTEFACTS.keys()
    assert metrics["variety"]["new"] > 0


def test_latents_of_control_rows_are_rendered_like_new_sounds(instrument: Instrument) -> None:
    for latents in (prior_latents(instrument, 3), midpoint_latents(instrument, 3)):
        assert latents.shape == (3, instrument.dims)
        sounds = render_latents(instrument, latents)
        assert all(sound.ndim == 2 and float(sound.abs().max()) == pytest.approx(10 ** (-1 / 20), abs=1e-3) for sound in sounds)
    assert torch.equal(prior_latents(instrument, 3), prior_latents(instrument, 3))


def test_a_stripped_instrument_has_no_midpoints(instrument: Instrument) -> None:
    from dataclasses import replace

    with pytest.raises(ValueError, match="stripped"):
        midpoint_latents(Instrument(replace(instrument.contents, clips=None)), 2)


def test_latent_values_per_second_of_whole_clips(instrument: Instrument, corpus: Corpus) -> None:
    seconds = sum(clip.seconds for clip in corpus.clips) / len(corpus)
    assert latent_values_per_second(instrument, corpus) == pytest.approx(instrument.dims / seconds, rel=0.1)

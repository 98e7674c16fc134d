"""The linear map from latents to traits."""

import numpy as np
import torch

from timbrespace.synthesis.harmonic.traits import FEWEST_NOTES, TRAITS, ZONES, NoteModel


def test_a_linear_relation_is_found() -> None:
    rng = np.random.default_rng(0)
    latents = rng.standard_normal((400, 6))
    truth = rng.standard_normal((7, TRAITS)) * 0.3
    truth[0] = -3.0
    traits = np.concatenate([np.ones((400, 1)), latents], 1) @ truth
    model = NoteModel.fit(torch.from_numpy(latents).float(), list(traits))
    assert model is not None
    np.testing.assert_allclose(model.weights.numpy(), truth, atol=0.03)
    found = model.of(torch.from_numpy(latents[0]).float())
    np.testing.assert_allclose(np.log(found.noise), np.minimum(traits[0, :-3], 0), atol=0.05)


def test_too_few_notes_give_none() -> None:
    rows = [np.zeros(TRAITS)] * (FEWEST_NOTES - 1)
    assert NoteModel.fit(torch.zeros(FEWEST_NOTES - 1, 4), rows) is None
    unmeasured = [np.full(TRAITS, np.nan)] * 50
    assert NoteModel.fit(torch.zeros(50, 4), unmeasured) is None


def test_a_zone_that_no_note_has_takes_the_nearest_one() -> None:
    rows = np.full((20, TRAITS), -2.0)
    rows[:, len(ZONES) - 2] = np.nan  # above 12.8 kHz
    rows[:, len(ZONES) - 3] = -5.0
    model = NoteModel.fit(torch.zeros(20, 3), list(rows))
    assert model is not None
    np.testing.assert_allclose(np.log(model.of(torch.zeros(3)).noise[-1]), -5.0, atol=1e-3)


def test_predictions_are_held_in_the_range_of_real_notes() -> None:
    model = NoteModel(torch.full((4, TRAITS), 50.0))
    for z in (torch.ones(3), -torch.ones(3)):
        traits = model.of(z)
        assert (traits.noise > 0).all()
        assert (traits.noise <= 1).all()
        assert 0 <= traits.flutter <= 5
        assert 0 <= traits.wander <= 25
        assert 0.5 <= traits.rate <= 12

"""The linear map from latents to traits."""

import numpy as np
import torch

from timbrespace.synthesis.harmonic.traits import ATTACK, EARLIER_TRAITS, FEWEST_NOTES, SUSTAINED, TRAITS, ZONES, NoteModel


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
    np.testing.assert_allclose(np.log(found.noise), np.minimum(traits[0, SUSTAINED], 0), atol=0.05)


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


def test_an_attack_that_no_note_shows_is_as_noisy_as_what_follows() -> None:
    rows = np.full((20, TRAITS), -2.0)
    rows[:, SUSTAINED], rows[:, ATTACK] = -4.0, np.nan
    model = NoteModel.fit(torch.zeros(20, 3), list(rows))
    assert model is not None
    np.testing.assert_allclose(np.log(model.of(torch.zeros(3)).attack), -4.0, atol=1e-3)


def test_weights_of_earlier_versions_have_one_share_for_the_whole_note() -> None:
    traits = NoteModel(torch.full((4, EARLIER_TRAITS), -1.0)).of(torch.zeros(3))
    np.testing.assert_array_equal(traits.attack, traits.noise)


def test_a_category_has_its_own_map_of_levels() -> None:
    maps = torch.arange(3.0)[:, None, None].expand(3, 2, 4)
    model = NoteModel(torch.zeros(4, TRAITS), maps, ("flute", "organ"))
    assert [float(model.levels_of(name)[0, 0]) for name in (None, "drum", "flute", "organ")] == [0, 0, 1, 2]  # type: ignore[index]
    assert NoteModel(torch.zeros(4, TRAITS)).levels_of("flute") is None


def test_predictions_are_held_in_the_range_of_real_notes() -> None:
    model = NoteModel(torch.full((4, TRAITS), 50.0))
    for z in (torch.ones(3), -torch.ones(3)):
        traits = model.of(z)
        assert (traits.noise > 0).all()
        assert (traits.noise <= 1).all()
        assert 0 <= traits.flutter <= 5
        assert 0 <= traits.wander <= 25
        assert 0.5 <= traits.rate <= 12

"""Words of names: those that say something about the sound are learned, others are not."""

from __future__ import annotations

import pytest
import torch

from timbrespace.contracts import ConfigError
from timbrespace.latent.name_words import NameWords
from timbrespace.prompt.learned import fit_name_words, words_in

EFFECTS = {"dusty": torch.tensor([2.0, 0.0, 0.0]), "closed": torch.tensor([0.0, -1.5, 0.0])}


def corpus(*, seed: int = 0, count: int = 120, shuffle: bool = False) -> tuple[list[str], list[str | None], torch.Tensor]:
    """Names with words that move the latent (dusty, closed, glued into others too) and words that do not (velvet, takes)."""
    generator = torch.Generator().manual_seed(seed)
    names: list[str] = []
    categories: list[str | None] = []
    rows = []
    for i in range(count):
        kind = ("snare", "hat")[i % 2]
        words = [kind]
        z = torch.randn(3, generator=generator) * 0.5 + (3.0 if kind == "hat" else 0.0)
        if i % 3 == 0:
            words.append("dusty")
            z = z + EFFECTS["dusty"]
        if i % 5 < 2:
            words.append("closed" if i % 4 else "hhclosed")
            z = z + EFFECTS["closed"]
        if torch.rand(1, generator=generator) < 0.3:
            words.append("velvet")
        names.append(f"Kit {i % 7}/{'_'.join(words)}_{i:03d}")
        categories.append(kind)
        rows.append(z)
    latents = torch.stack(rows)
    return names, categories, latents[torch.randperm(count, generator=generator)] if shuffle else latents


def test_words_with_an_effect_are_learned_with_that_effect() -> None:
    names, categories, latents = corpus()
    found = fit_name_words(names, categories, latents)
    assert {"dusty", "closed"} <= set(found.words)
    assert "velvet" not in found.words
    assert "kit" not in found.words
    for word, effect in EFFECTS.items():
        torch.testing.assert_close(found.effect(word), effect, atol=0.4, rtol=0.0)
    assert (found.gains > 0.02).all()


def test_the_order_of_the_sounds_changes_nothing() -> None:
    names, categories, latents = corpus()
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(3)).tolist()
    one, other = (
        fit_name_words(names, categories, latents),
        fit_name_words([names[i] for i in order], [categories[i] for i in order], latents[order]),
    )
    assert one.words == other.words
    torch.testing.assert_close(one.effects, other.effects)


def test_words_say_nothing_where_sounds_and_names_do_not_belong_together() -> None:
    accepted = sum(len(fit_name_words(*corpus(seed=seed, shuffle=True))) for seed in range(20))
    assert accepted <= 4  # of 20 times four words


def test_few_sounds_or_no_words_give_no_words() -> None:
    names, categories, latents = corpus(count=2)
    assert len(fit_name_words(names, categories, latents)) == 0
    assert len(fit_name_words(["001", "002", "003", "004"], [None] * 4, torch.randn(4, 5))) == 0


def test_layers_of_one_hit_are_one_sound() -> None:
    generator = torch.Generator().manual_seed(0)
    rows, names = [], []
    for hit in ("alpha", "beta", "gamma", "delta", "epsilon", "zeta"):
        centre = torch.randn(4, generator=generator) * 3
        for layer in ("Soft", "Med", "Hard", "Hardest"):
            names.append(f"{hit}-{layer}")
            rows.append(centre + 0.1 * torch.randn(4, generator=generator))
    found = fit_name_words(names, ["tom"] * len(names), torch.stack(rows))
    assert not {"alpha", "beta", "gamma"} & set(found.words)  # one sound each, however many layers


def test_words_of_a_name() -> None:
    assert words_in("The Kit 1.0/PaisteRide-Soft#2") == {"the", "kit", "paiste", "ride", "soft"}


def test_load_gives_back_what_was_stored_and_refuses_damage() -> None:
    found = fit_name_words(*corpus())
    again = NameWords.load(found.tensors(), found.rows(), dims=3)
    assert again.words == found.words
    assert again.categories == found.categories
    torch.testing.assert_close(again.effects, found.effects)
    for tensors, rows, dims in (
        (found.tensors(), found.rows(), 4),
        (found.tensors(), found.rows()[1:], 3),
        (found.tensors(), [["dusty", -1, None]] * len(found), 3),
        (found.tensors(), "dusty", 3),
        ({"effects": found.effects}, found.rows(), 3),
        (found.tensors(), [[7, 3, None] for _ in found.rows()], 3),
    ):
        with pytest.raises(ConfigError):
            NameWords.load(tensors, rows, dims=dims)
    with pytest.raises(ConfigError, match="dusty"):
        found.effect("velvet")

"""Vector quantisation: codes against slow references, what a step of learning does, the prior, and the instrument of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from specs import feature_spec
from timbrespace.config.presets import load_preset
from timbrespace.config.schema import Training
from timbrespace.contracts import ConfigError
from timbrespace.corpus.corpus import Corpus
from timbrespace.instrument import Instrument
from timbrespace.model.base import Batch
from timbrespace.model.clip.vq import VectorQuantised, overlapped
from timbrespace.model.parts.code_prior import CodePrior
from timbrespace.model.parts.codebook import Codebook
from timbrespace.noise import Noise, Purpose
from timbrespace.training import train as training
from timbrespace.training.losses import total
from tiny import Tiny, assert_same_tensors, quick_finish, tensors_of

BOOKS, SIZE, NUMBERS = 2, 8, 3
ALL = torch.ones(64)


def filled(*, size: int = SIZE, seed: int = 0) -> Codebook:
    """A book whose codes are all in use."""
    torch.manual_seed(seed)
    book = Codebook(codebooks=BOOKS, size=size, code_dims=NUMBERS, decay=0.9)
    book.vectors.copy_(torch.randn(BOOKS, size, NUMBERS))
    book.counts.fill_(5.0)
    return book


def vq(**more: Any) -> VectorQuantised:
    torch.manual_seed(1)
    given = {"patch": 4, "codebooks": BOOKS, "codebook_size": SIZE, "code_dims": NUMBERS, "width": 16, "depth": 1, "prior": 12}
    spec = feature_spec(1, 5, more.pop("frames", 18), floor=80.0, samples=180)
    return VectorQuantised(spec, **{**given, **more})


def sounds(count: int = 6) -> Batch:
    return Batch(torch.rand(count, 1, 5, 18, generator=torch.Generator().manual_seed(0)), torch.full((count,), 100))


# --- codes ----------------------------------------------------------------------------------------------------------------


def test_nearest_is_the_least_distance() -> None:
    book, vectors = filled(), torch.randn(50, BOOKS, NUMBERS)
    for k in range(BOOKS):
        distances = torch.cdist(vectors[:, k], book.vectors[k])
        torch.testing.assert_close(book.distances(vectors)[:, k].sqrt(), distances, atol=1e-3, rtol=1e-3)
        assert torch.equal(book.nearest(vectors)[:, k], distances.argmin(1))
    assert torch.equal(book.nearest(book.look_up(book.nearest(vectors))), book.nearest(vectors))


def test_learning_equals_a_naive_loop() -> None:
    book, vectors = filled(), torch.randn(64, BOOKS, NUMBERS)
    codes, counts = book.vectors.detach().clone(), book.counts.clone()
    sums = codes * counts[..., None]
    for k in range(BOOKS):
        nearest = [int((codes[k] - v).square().sum(1).argmin()) for v in vectors[:, k]]
        for code in range(SIZE):
            mine = [v for v, n in zip(vectors[:, k], nearest, strict=True) if n == code]
            counts[k, code] = 0.9 * counts[k, code] + 0.1 * len(mine)
            sums[k, code] = 0.9 * sums[k, code] + 0.1 * sum(mine, torch.zeros(NUMBERS))
    mixed = torch.cat([vectors, 9 + vectors])[torch.randperm(128)]  # half of them are not counted
    book.learn(mixed, (mixed < 5).all(2).all(1).float())
    torch.testing.assert_close(book.counts, counts)
    torch.testing.assert_close(book.vectors.detach(), sums / counts[..., None])


def test_many_steps_find_the_middles() -> None:
    torch.manual_seed(3)
    middles = 5 * torch.randn(SIZE, NUMBERS)
    book = Codebook(codebooks=1, size=3 * SIZE, code_dims=NUMBERS, decay=0.9)  # some to spare: two may share a middle
    for _ in range(200):
        book.learn((middles[torch.randint(SIZE, (256,))] + 0.1 * torch.randn(256, NUMBERS))[:, None], torch.ones(256))
    assert float(torch.cdist(middles, book.vectors[0].detach()).amin(1).max()) < 0.5
    assert 0.002 < float(book.spread) < 0.02  # the noise has 0.01 a number


def test_a_dead_code_is_revived_the_same_way_twice() -> None:
    found = []
    for _ in range(2):
        book = filled()
        book.counts[1, 3] = 0.0
        book.vectors[1, 3] = 1e3  # nothing is nearest to it
        torch.manual_seed(7)
        vectors = torch.randn(64, BOOKS, NUMBERS)
        book.learn(vectors, ALL)
        assert bool((vectors[:, 1] == book.vectors[1, 3]).all(1).any())  # it is one of the vectors now
        assert float(book.counts[1, 3]) == 64 / SIZE
        found.append(book.vectors.detach().clone())
    assert torch.equal(*found)


def test_the_first_batch_fills_the_books() -> None:
    book = Codebook(codebooks=BOOKS, size=SIZE, code_dims=NUMBERS, decay=0.99)
    book.learn(torch.randn(100, BOOKS, NUMBERS), torch.ones(100))
    assert len(torch.unique(book.vectors[0].detach(), dim=0)) >= SIZE // 2


def test_processes_learn_the_same_codes_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = torch.randn(64, BOOKS, NUMBERS)
    alone, together = filled(), filled()
    for book in (alone, together):
        book.counts[0, 2] = 0.0
    torch.manual_seed(5)
    alone.learn(vectors, ALL)

    def gathered(parts: list[Tensor], own: Tensor) -> None:
        assert torch.equal(own[:, :-1], vectors[32:].flatten(1))  # this is the second of two processes
        parts[0].copy_(torch.cat([vectors[:32].flatten(1), torch.ones(32, 1)], 1))
        parts[1].copy_(own)

    def told(drawn: Tensor, source: int) -> None:
        torch.manual_seed(5)
        drawn.copy_(torch.rand(drawn.shape))

    for name, stub in {"is_initialized": lambda: True, "get_world_size": lambda: 2, "all_gather": gathered, "broadcast": told}.items():
        monkeypatch.setattr(torch.distributed, name, stub)
    torch.manual_seed(6)
    together.learn(vectors[32:], ALL[32:])
    assert torch.equal(together.vectors, alone.vectors)
    assert torch.equal(together.counts, alone.counts)


def test_half_precision_does_not_touch_the_codes() -> None:
    one, other, vectors = filled(), filled(), torch.randn(64, BOOKS, NUMBERS)
    torch.manual_seed(5)
    one.learn(vectors, ALL)
    torch.manual_seed(5)
    with torch.autocast("cpu", torch.bfloat16):
        other.learn(vectors, ALL)
    assert torch.equal(one.vectors, other.vectors)
    model = vq().train()
    with torch.autocast("cpu", torch.bfloat16):
        assert all(loss.isfinite() for loss in model(sounds()).values())


@pytest.mark.parametrize("used", [1, 2, 8])
def test_perplexity_of_codes_used_alike_is_their_number(used: int) -> None:
    indices = (torch.arange(16) % used)[:, None].expand(16, BOOKS)
    metrics = filled().metrics(indices, torch.ones(16))
    assert metrics["perplexity"] == pytest.approx(used)
    assert metrics["codes used"] == pytest.approx(used / SIZE)


def test_perplexity_by_hand() -> None:
    indices = torch.tensor([[0, 0], [0, 1], [0, 2], [1, 3]])
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert filled().metrics(indices, torch.ones(4))["perplexity"] == pytest.approx((math.exp(entropy) + 4) / 2)


# --- the model ------------------------------------------------------------------------------------------------------------


def test_the_gradient_goes_straight_through() -> None:
    model, batch = vq().eval(), sounds()
    model.codebook.vectors.copy_(torch.randn_like(model.codebook.vectors))
    seen: dict[str, Tensor] = {}
    numbers, output = model.encode_raw, model.decode_raw

    def noted(images: Tensor) -> Tensor:
        seen["numbers"] = numbers(images).detach().requires_grad_()
        return seen["numbers"]

    def heard(z: Tensor) -> Tensor:
        seen["codes"] = z
        z.retain_grad()
        return output(z)

    model.encode_raw, model.decode_raw = noted, heard  # type: ignore[method-assign]
    model(batch)["reconstruction"].backward()
    assert seen["codes"].grad is not None
    assert torch.equal(seen["codes"].grad, seen["numbers"].grad)
    torch.testing.assert_close(seen["codes"].detach(), model.project(seen["numbers"].detach()))
    losses = model(batch)
    torch.testing.assert_close(losses["commitment"], (seen["numbers"] - model.project(seen["numbers"])).square().mean())


def test_the_prior_has_no_say_in_the_codes() -> None:
    model = vq()
    model(sounds())["prior"].backward()
    assert all(p.grad is None or not p.grad.any() for name, p in model.named_parameters() if not name.startswith("prior."))


def test_gradients_reach_every_parameter_and_codes_move_without() -> None:
    model = vq()
    losses = model.train()(sounds())
    total(losses, Training().weights.model_dump()).backward()
    missed = [n for n, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert not missed
    assert not model.codebook.vectors.requires_grad
    before = model.codebook.vectors.detach().clone()
    model.eval()(sounds())
    assert torch.equal(model.codebook.vectors, before)  # only learning moves them
    model.train()(sounds())
    assert not torch.equal(model.codebook.vectors, before)


def test_encode_gives_codes_and_decode_takes_the_nearest() -> None:
    model = vq().train()
    model(sounds())
    z = model.eval().encode(-80 * sounds().values, torch.full((6,), 100)).mean
    assert z.shape == (6, model.dims) == (6, 5 * BOOKS * NUMBERS)
    torch.testing.assert_close(model.project(z), z)
    apart = torch.cdist(model.codebook.vectors[0], model.codebook.vectors[0]).fill_diagonal_(9).min()
    torch.testing.assert_close(model.decode(z + 0.1 * float(apart) / NUMBERS).features, model.decode(z).features)
    measured = model.evaluate(sounds())
    assert measured.metrics is not None
    assert 1 <= measured.metrics["perplexity"] <= SIZE
    assert measured.metrics["prior nats a code"] > 0


@pytest.mark.parametrize("patch", [1, 2, 5, 6])
@pytest.mark.parametrize("frames", [1, 6, 17])
def test_overlapping_runs_meet_without_a_seam(patch: int, frames: int) -> None:
    runs = math.ceil(frames / patch)
    constant = overlapped(torch.full((1, 2, 2 * patch, runs), 3.0), frames)
    torch.testing.assert_close(constant, torch.full((1, 2, frames), 3.0))
    # Runs that all say the same of every frame give just that.
    line = torch.arange(-patch, frames + 2 * patch, dtype=torch.float32)
    said = torch.stack([line[patch + k * patch - patch // 2 :][: 2 * patch] for k in range(runs)], 1)[None, None]
    torch.testing.assert_close(overlapped(said, frames)[0, 0], torch.arange(frames, dtype=torch.float32))


def test_silence_behind_a_sound_says_nothing_of_the_codes() -> None:
    model, short = vq().train(), torch.tensor([1, 20, 40, 41, 170, 180])  # 10 samples a frame, 4 frames a run
    seen: list[Tensor] = []
    model.codebook.learn = lambda vectors, counted: seen.append(counted)  # type: ignore[method-assign]
    model(Batch(sounds().values, short))
    assert seen[0].view(6, 5).tolist() == [[1, 1, 0, 0, 0]] * 3 + [[1, 1, 1, 0, 0]] + [[1] * 5] * 2


# --- new sounds -----------------------------------------------------------------------------------------------------------


def taught() -> CodePrior:
    """A prior that has learned sequences 0 1 2 3 and 3 2 1 0."""
    torch.manual_seed(0)
    prior = CodePrior(positions=4, size=4, code_dims=4, width=16)
    indices = torch.tensor([[0, 1, 2, 3], [3, 2, 1, 0]])
    optimizer = torch.optim.Adam(prior.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        prior.loss(torch.eye(4)[indices], indices).backward()
        optimizer.step()
    return prior


def test_the_prior_knows_what_goes_together() -> None:
    prior, vectors = taught(), torch.eye(4).expand(4, 4, 4)
    drawn = {tuple(prior.draw(vectors, torch.zeros(4, 4), Noise(k, Purpose.LATENT), temperature=1.0).tolist()) for k in range(40)}
    assert {(0, 1, 2, 3), (3, 2, 1, 0)} <= drawn
    assert len(drawn) <= 6
    shifted = torch.zeros(4, 4)
    shifted[0, 3] = 3.0  # evidence for the second one
    cold = [prior.draw(vectors, shifted, Noise(k, Purpose.LATENT), temperature=0.0).tolist() for k in range(5)]
    assert cold == [[3, 2, 1, 0]] * 5
    hot = {tuple(prior.draw(vectors, shifted, Noise(k, Purpose.LATENT), temperature=50.0).tolist()) for k in range(40)}
    assert len(hot) > 25


def test_draws_are_codes_near_the_point() -> None:
    model = vq().train()
    for _ in range(20):
        model(sounds())
    model.eval()
    z = model.posterior(sounds()).mean[0]
    with torch.no_grad():
        model.codebook.spread.fill_(1e-6)  # nothing else is near
    drawn = model.draw(z + 1e-4, Noise(0, Purpose.LATENT), temperature=1.0)
    torch.testing.assert_close(drawn, z)
    with torch.no_grad():
        model.codebook.spread.fill_(1e6)  # all are near: the prior alone
    others = [model.draw(z, Noise(k, Purpose.LATENT), temperature=1.0) for k in range(3)]
    assert not torch.equal(others[0], others[1])
    assert torch.equal(others[2], model.draw(z, Noise(2, Purpose.LATENT), temperature=1.0))
    torch.testing.assert_close(model.project(torch.stack(others)), torch.stack(others))


SMALL = (
    "representation.iterations=2", "model.width=32", "model.codebook_size=16", "model.prior=16", "training.epochs=4", "training.batch=8",
    "training.variations=0",
)  # fmt: skip


def test_preset_learns_loads_and_plays(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick_finish(monkeypatch, sounds=2)
    for name in "ab":
        made = training.train(Corpus.open(tiny.corpus), tmp_path / f"{name}.safetensors", preset="vq", changes=SMALL, device="cpu")
    assert_same_tensors(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    loaded = Instrument.load(tmp_path / "a.safetensors")
    figures = loaded.card["training"]["metrics"]
    assert set(figures) == {"perplexity", "codes used", "prior nats a code"}
    assert len(loaded.card["training"]["curve"]["perplexity"]) == len(loaded.card["training"]["curve"]["step"])
    new = loaded.generate(2, seed=5, category=loaded.categories[0])
    again = made.generate(2, seed=5, category=loaded.categories[0])
    assert torch.equal(new[1].audio, again[1].audio)
    assert torch.equal(loaded.replay(new[0].recipe).audio, new[0].audio)
    latent = new[0].latent
    assert latent is not None
    torch.testing.assert_close(loaded.model.project(latent[None])[0], latent)  # a new sound is codes, too
    sound = loaded.read(tiny.sound)
    assert loaded.reconstruct(sound).shape == sound.shape
    assert "model.codebook.vectors" in tensors_of(tmp_path / "a.safetensors")


def test_too_many_numbers_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"360 runs of model\.codebooks=4 .* allowed are 1024; .* take model\.patch from 5"):
        vq(patch=1, frames=360, codebooks=4)
    assert vq(patch=5, frames=360, codebooks=4).dims == 864
    with pytest.raises(ConfigError, match=r"model\.codebook_size is .*numbers from 2"):
        load_preset("vq", changes=["model.codebook_size=1"])
    with pytest.raises(
        ConfigError, match=r"model\.bottleneck is not a setting of this preset .*; known here are patch, codebooks, codebook_size"
    ):
        load_preset("vq", changes=["model.bottleneck=plain"])

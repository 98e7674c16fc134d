"""CycleGANs of two instruments, on arrays and on pictures: losses in closed form, translation by weights, what they learn."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from timbrespace.contracts import ConfigError
from timbrespace.voices.arrays.adversarial.cyclegan import CycleGAN
from timbrespace.voices.arrays.adversarial.networks import Changer, Critic, History, least_squares, places
from timbrespace.voices.arrays.adversarial.pictures import PictureCycleGAN
from timbrespace.voices.arrays.design import BINS, FRAMES
from timbrespace.voices.arrays.designs import make_design
from timbrespace.voices.arrays.training import Schedule, _Stage

NAMES = ("reed", "string")
SMALL: dict[str, Any] = {"widths": (4, 6), "critic": (4, 6)}
STEPS, RATE = 150, 4e-3
BOTH = ["voices-cyclegan", "voices-cyclegan-image"]


def arrays(count: int, *, seed: int = 0, rows: int = BINS, columns: int = FRAMES) -> Tensor:
    """Arrays with lines across, smooth along time."""
    generator = torch.Generator().manual_seed(seed)
    row = torch.arange(rows)[None, :, None]
    spacing = torch.randint(20, 60, (count, 1, 1), generator=generator)
    lines = (-(((row % spacing) - spacing // 2) ** 2) / 8.0).exp() * (1 - row / rows)
    return (0.8 * lines * torch.linspace(1, 0.5, columns)).float()


def small(preset: str = "voices-cyclegan", **more: Any) -> CycleGAN:
    made = make_design(preset, NAMES, {**SMALL, **more})
    assert isinstance(made, CycleGAN)
    return made


def moved(design: CycleGAN) -> CycleGAN:
    """The same design, its networks no longer the identity."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for changer in design.changers:
            torch.nn.init.normal_(changer.up[-1].weight, std=0.05)  # type: ignore[union-attr, index, arg-type]
    return design


def weights(*rows: tuple[float, float]) -> Tensor:
    return torch.tensor(rows)


# --- parts ---------------------------------------------------------------------------------------------------------------


def test_a_changer_starts_as_the_identity_and_every_weight_can_learn() -> None:
    torch.manual_seed(0)
    net, images = Changer(2, (4, 6), ((4, 2), (2, 2)), conditions=1), torch.randn(3, 2, 32, 16)
    given = torch.rand(3, 1)
    torch.testing.assert_close(net(images, given), images)
    torch.nn.init.normal_(net.up[-1].weight)  # type: ignore[union-attr, arg-type]
    changed = net(images, given)
    assert changed.shape == images.shape
    changed.square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in net.parameters())
    assert not torch.allclose(net(images, given + 1), changed)


def test_rows_are_told_apart_by_their_frequency() -> None:
    planes = places(9, 3, torch.zeros(()))
    assert planes.shape == (2, 9, 3)
    torch.testing.assert_close(planes[0, :, 0], torch.linspace(-1, 1, 9))
    torch.testing.assert_close(planes[1, [0, 2, 8], 2], torch.tensor([-1.0, 0.0, 1.0]))


@pytest.mark.parametrize("norm", ["none", "spectral"])
def test_a_critic_scores_patches(norm: str) -> None:
    torch.manual_seed(0)
    critic = Critic(1, (4, 6), ((4, 2), (4, 2)), norm=norm).eval()
    images = torch.rand(2, 1, 64, 16)
    scores = critic(images)
    assert scores.shape == (2, 1, 4, 4)
    other = images.clone()
    other[0, 0, -1, -1] += 1
    changed = critic(other)
    assert not torch.equal(changed[0, 0, -1, -1], scores[0, 0, -1, -1])
    torch.testing.assert_close(changed[0, 0, 0, 0], scores[0, 0, 0, 0])  # another patch
    torch.testing.assert_close(changed[1], scores[1])


def test_the_norm_bounds_the_slope_of_a_critic() -> None:
    torch.manual_seed(0)
    layer = Critic(1, (4, 6), ((4, 2), (4, 2)), norm="spectral").train()
    for _ in range(30):  # power iteration
        layer(torch.rand(1, 1, 64, 16))
    weight = layer.eval().layers[0].weight
    assert isinstance(weight, Tensor)
    assert float(torch.linalg.matrix_norm(weight.detach().flatten(1), 2)) == pytest.approx(1, abs=0.02)


def test_least_squares_in_closed_form() -> None:
    assert float(least_squares(torch.tensor([0.0, 1.0, 3.0]), 1.0)) == pytest.approx(5 / 3)


def test_a_history_gives_earlier_images_in_place_of_some() -> None:
    generator, history = torch.Generator().manual_seed(0), History(4)
    first = torch.arange(4.0)[:, None]
    assert torch.equal(history.swap(first, generator), first)  # it is filled
    seen, given = [], set(range(4))
    for step in range(4, 204, 4):
        images = torch.arange(float(step), step + 4)[:, None]
        given |= set(range(step, step + 4))
        seen += history.swap(images, generator)[:, 0].tolist()
    assert len(seen) == 200
    assert len(set(seen)) == 200  # each one once
    assert set(map(int, seen)) <= given
    earlier = sum(value < 4 + 4 * (place // 4) for place, value in enumerate(seen))
    assert 60 < earlier < 140  # about half
    images = torch.rand(3, 2)
    assert torch.equal(History(0).swap(images, generator), images)


# --- the design ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", BOTH)
def test_losses_in_closed_form(preset: str) -> None:
    design, batch = small(preset), {"reed": arrays(2), "string": arrays(2, seed=1)}
    generator = torch.Generator()
    losses = design.losses(batch, generator=generator)
    assert losses["cycle"].item() == losses["identity"].item() == 0  # it starts as the identity
    real = [design.images(batch[name]) for name in NAMES]
    scores = [design.critics[number](real[number]) for number in (0, 1)]
    of_made = [design.critics[number](real[1 - number]) for number in (0, 1)]
    torch.testing.assert_close(losses["adversarial"], sum((one - 1).square().mean() for one in of_made))
    judged = design.critic_losses(batch, generator=generator)["critic"]
    wanted = sum(0.5 * ((one - 1).square().mean() + two.square().mean()) for one, two in zip(scores, of_made, strict=True))
    torch.testing.assert_close(judged, wanted)
    torch.testing.assert_close(design.critic_losses(batch, generator=generator)["critic"], wanted)  # also without `losses` before
    design = moved(design)
    a, b = (design.images(batch[name]) for name in NAMES)
    to_a, to_b = design.changers
    losses = design.losses(batch, generator=generator)
    torch.testing.assert_close(losses["cycle"], (to_a(to_b(a)) - a).square().mean() + (to_b(to_a(b)) - b).square().mean())
    torch.testing.assert_close(losses["identity"], (to_b(b) - b).square().mean() + (to_a(a) - a).square().mean())


def test_each_side_learns_by_its_own_losses() -> None:
    design, batch = moved(small()), {"reed": arrays(2), "string": arrays(2, seed=1)}
    critic = {id(one) for one in design.critic_parameters()}
    assert critic
    sum(design.losses(batch, generator=torch.Generator()).values()).backward()  # type: ignore[union-attr]
    assert all((one.grad is None) == (id(one) in critic) for one in design.parameters())
    design.zero_grad(set_to_none=True)
    design.critic_losses(batch, generator=torch.Generator())["critic"].backward()
    assert all((one.grad is None) == (id(one) not in critic) for one in design.parameters())


@pytest.mark.parametrize("preset", BOTH)
@pytest.mark.parametrize("source", NAMES)
def test_weights_blend_the_own_and_the_translated_array(preset: str, source: str) -> None:
    design, values = moved(small(preset)), arrays(1)
    own = NAMES.index(source)

    def voice(share: float) -> Tensor:
        with torch.no_grad():
            return design.translate(values, source, weights((share, 1 - share) if own else (1 - share, share)))

    images = design.images(values)
    torch.testing.assert_close(voice(0.0), design.arrays(images))
    with torch.no_grad():
        torch.testing.assert_close(voice(1.0), design.arrays(design.changers[1 - own](images)))
    torch.testing.assert_close(voice(0.25), 0.75 * voice(0.0) + 0.25 * voice(1.0))
    torch.testing.assert_close(voice(1.5), voice(1.0) + 0.5 * (voice(1.0) - voice(0.0)))
    assert not torch.allclose(voice(1.0), voice(0.0))
    assert voice(0.5).shape == values.shape


@pytest.mark.parametrize("preset", [*BOTH, "voices-blended-vae", "voices-blended-gan"])
@pytest.mark.parametrize("names", [("a",), ("a", "b", "c")])
def test_there_are_two_instruments(preset: str, names: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=rf"two instruments, {len(names)} .*voices-conv-vae"):
        make_design(preset, names)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"widths": [8]}, "widths"),
        ({"widths": [8, 8, 8, 8, 8]}, "widths"),
        ({"norm": "batch"}, "'none', 'spectral'"),
        ({"cycle": -1}, "cycle is -1"),
        ({"history": -1}, "history is -1"),
        ({"size": 100}, "size is 100"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make_design("voices-cyclegan-image", NAMES, settings)


class Drawn:
    """Small pieces for a stage of the training: lines with other levels in the upper half."""

    def __init__(self, lift: float):
        self.lift, self.seed = lift, 0

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        self.seed += 1
        values = arrays(count, seed=self.seed, rows=128, columns=32)
        values[:, 64:] *= self.lift
        return values


@pytest.mark.parametrize("preset", BOTH)
def test_it_learns_what_distinguishes_the_instruments(preset: str) -> None:
    design = small(preset, **({"size": 128, "colours": "grey"} if preset.endswith("image") else {}))
    pieces: Any = {"reed": Drawn(0.3), "string": Drawn(1.0)}
    run = _Stage(design, pieces, Schedule(steps=STEPS, batch=2, learning_rate=RATE), torch.Generator().manual_seed(0))
    run(STEPS, None, lambda share: None)
    design.eval()
    values = Drawn(0.3).draw(3, torch.Generator())
    with torch.no_grad():
        own = design.images(values)
        added = (design.changers[1](own) - own)[:, 0]
    middle = added.shape[1] // 2
    upper, lower = float(added[:, middle:].mean()), float(added[:, :middle].mean())
    assert upper > 0.3 * float((values / 0.3 - values)[:, 64:].mean())
    assert abs(lower) < 0.75 * upper


# --- pictures ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("colours", ["magma", "grey"])
def test_every_level_is_read_back_from_its_colour(colours: str) -> None:
    design = small("voices-cyclegan-image", colours=colours)
    assert isinstance(design, PictureCycleGAN)
    levels = torch.linspace(0, 1, 256)
    pixels = design.images(levels[None, :, None].expand(1, 256, 256).contiguous())
    assert pixels.shape == (1, 3 if colours == "magma" else 1, 256, 256)
    torch.testing.assert_close((pixels * 255).round(), pixels * 255)  # 8 bits
    found = design.arrays(pixels)
    assert found.shape == (1, BINS, FRAMES)
    torch.testing.assert_close(found[0, 2::4, 5], levels, atol=0.003, rtol=0)


def test_pictures_keep_smooth_arrays_and_lose_fine_ones() -> None:
    design = small("voices-cyclegan-image")
    smooth = (0.5 + 0.4 * torch.sin(torch.arange(BINS) / 60)[:, None] * torch.cos(torch.arange(FRAMES) / 9))[None]
    assert float((design.arrays(design.images(smooth)) - smooth).abs().mean()) < 0.01
    fine = (torch.arange(BINS) % 2).float()[None, :, None].expand(1, -1, FRAMES)
    assert float(design.arrays(design.images(fine)).std()) < 0.1


def test_a_colour_beside_the_map_is_the_nearest_one_of_it() -> None:
    design = small("voices-cyclegan-image")
    assert isinstance(design, PictureCycleGAN)
    beside = design.colour_map[100] + torch.tensor([0.004, -0.003, 0.003])
    picture = beside[None, :, None, None].expand(1, 3, 256, 256)
    torch.testing.assert_close(design.arrays(picture), torch.full((1, BINS, FRAMES), 100 / 255), atol=2 / 255, rtol=0)

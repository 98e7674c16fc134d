"""Pairs mixed as audio, the models that learn them, and the adversarial designs from the command on to a converted piece."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from melodies import REED, STRING, melody
from torch import Tensor

from timbrespace.audio.files import write
from timbrespace.contracts import ConfigError, InstrumentFileError
from timbrespace.voices import convert, load, train
from timbrespace.voices.arrays.adversarial.blended import BlendedGAN, BlendedVAE
from timbrespace.voices.arrays.adversarial.blending import (
    Pairs,
    analysed,
    audio_of_pairs,
    magnitudes_of,
    phase_search,
    synthesised,
    transformed,
)  # fmt: skip
from timbrespace.voices.arrays.design import BINS, FRAMES, Design
from timbrespace.voices.arrays.designs import make_design
from timbrespace.voices.arrays.features import HOP, RATE, WINDOW, spectrogram, to_magnitudes
from timbrespace.voices.arrays.file import ArrayVoices
from timbrespace.voices.arrays.training import ArrayOptions
from timbrespace.voices.frames import RATE as OUTPUT_RATE

NAMES = ("reed", "string")
GAN: dict[str, Any] = {"widths": (4, 6), "critic": (4, 6)}
VAE: dict[str, Any] = {"channels": (4, 4, 8, 8, 8), "latents": 8}
BOTH: dict[str, Any] = {"pairs": 2, "cyclegan_widths": (4, 6)}
SETTINGS: dict[str, dict[str, Any]] = {
    "voices-cyclegan": GAN,
    "voices-cyclegan-image": GAN | {"size": 128},
    "voices-blended-vae": VAE | BOTH,
    "voices-blended-gan": GAN | BOTH,
}


class Quieter(Design):
    """A translator whose translation has a given share of the amplitude, known in closed form."""

    def __init__(self, share: float):
        super().__init__(NAMES)
        self.share = share

    def translate(self, values: Tensor, source: str, weights: Tensor) -> Tensor:
        """Amplitude times `share` for the other instrument, `(batch, BINS, FRAMES)`."""
        assert bool((weights == torch.tensor([float(name != source) for name in NAMES])).all())
        return values_of(self.share * magnitudes_of(values)[:, :BINS])


def values_of(magnitudes: Tensor) -> Tensor:
    return torch.log1p(10_000 * magnitudes) / math.log1p(10_000)


def pieces(count: int = 2, *, seed: int = 0) -> Tensor:
    """Arrays of gliding tones, of true audio."""
    time = torch.arange((FRAMES - 1) * HOP) / RATE
    hertz = 200 + 700 * torch.rand(count, 1, generator=torch.Generator().manual_seed(seed)) + 20 * time
    audio = sum(torch.sin(2 * math.pi * k * hertz * time) / k for k in range(1, 6))
    return analysed(torch.as_tensor(audio) / WINDOW)


# --- mixing --------------------------------------------------------------------------------------------------------------


def test_arrays_are_those_that_recordings_become() -> None:
    wave = melody(STRING)[: 5 * RATE]
    values, reference = spectrogram(wave)
    found = analysed(torch.from_numpy(wave / reference).float()[None])[0]
    frames = min(found.shape[1], values.shape[1])
    torch.testing.assert_close(found[:, :frames], torch.from_numpy(values[:, :frames]).float(), atol=2e-3, rtol=0)
    levels = magnitudes_of(found[None])[0]
    assert levels.shape == (BINS + 1, found.shape[1])
    np.testing.assert_allclose(levels[:BINS], to_magnitudes(found.numpy(), 1.0), rtol=1e-3, atol=1e-6)


def test_the_phase_search_finds_audio_with_the_magnitudes() -> None:
    magnitudes = magnitudes_of(pieces())

    def missed(iterations: int) -> float:
        turns = 2 * math.pi * torch.rand(magnitudes.shape, generator=torch.Generator().manual_seed(0))
        phases = phase_search(magnitudes, torch.polar(torch.ones_like(magnitudes), turns), iterations)
        apart = transformed(synthesised(magnitudes * phases)).abs() - magnitudes
        return float(apart.square().sum() / magnitudes.square().sum())

    first, last = missed(0), missed(32)
    assert last < 0.1 * first
    assert last < 0.02


def test_both_sounds_of_a_pair_are_in_phase() -> None:
    values = pieces()
    own, other = audio_of_pairs(values, values_of(0.5 * magnitudes_of(values)[:, :BINS]), torch.Generator().manual_seed(0))
    assert own.shape == other.shape == (2, (FRAMES - 1) * HOP)
    for one, two in zip(own, other, strict=True):
        assert float(torch.corrcoef(torch.stack([one, two]))[0, 1]) > 0.95
        assert float(two.norm() / one.norm()) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("source", NAMES)
def test_a_target_is_the_mix_by_weight(source: str) -> None:
    number = NAMES.index(source)
    stock = Pairs(Quieter(0.2), size=3)
    batch = {name: pieces(2, seed=row) for row, name in enumerate(NAMES)}
    generator = torch.Generator().manual_seed(0)
    for _ in range(2):
        stock.add(batch, generator)
    values, weights, targets = stock.draw(4, generator)
    rows = slice(4 * number, 4 * number + 4)
    assert values.shape == targets.shape == (8, BINS, FRAMES)
    torch.testing.assert_close(weights.sum(1), torch.ones(8))
    known = torch.cat([batch[source].half().float(), batch[source].half().float()])
    for value, weight, target in zip(values[rows], weights[rows], targets[rows], strict=True):
        assert any(torch.equal(value, one) for one in known)
        gain = float(weight[number] + 0.2 * weight[1 - number])
        ratio = magnitudes_of(target[None]).norm() / magnitudes_of(value[None]).norm()
        assert float(ratio) == pytest.approx(gain, rel=0.06)


def test_the_stock_is_filled_then_renewed() -> None:
    stock, generator = Pairs(Quieter(0.5), size=2, renew=3), torch.Generator().manual_seed(0)
    seen = []
    for step in range(6):
        stock.add({name: pieces(1, seed=10 * step + row) for row, name in enumerate(NAMES)}, generator)
        assert all(len(one) <= 2 for one in stock._stock)
        seen.append([one[0].clone() for one in stock._stock[0]])
    assert len(seen[0]) == 1
    assert all(torch.equal(a, b) for a, b in zip(seen[1], seen[2 - 1], strict=True))
    assert not torch.equal(seen[5][-1], seen[4][-1])  # the sixth call renews
    assert torch.equal(seen[5][0], seen[4][-1])


def test_weights_reach_both_ends() -> None:
    stock, generator = Pairs(Quieter(0.5), size=1), torch.Generator().manual_seed(0)
    stock.add({name: pieces(1) for name in NAMES}, generator)
    _, weights, _ = stock.draw(40, generator)
    shares = weights[:, 1].tolist()
    assert {0.0, 1.0} <= set(shares)
    assert 40 < sum(0 < share < 1 for share in shares) < 78


# --- the designs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["voices-blended-vae", "voices-blended-gan"])
def test_the_first_stage_trains_the_cyclegan_and_the_second_the_model(preset: str) -> None:
    design = make_design(preset, NAMES, SETTINGS[preset])
    assert isinstance(design, (BlendedVAE, BlendedGAN))
    assert design.stages == {"cyclegan": 0.6, "blended": 0.4}
    batch, generator = {name: pieces(1, seed=row) for row, name in enumerate(NAMES)}, torch.Generator().manual_seed(0)
    own = set(map(id, design.parameters()))
    design.begin("cyclegan")
    trained = set(map(id, [*design.trained_parameters(), *design.critic_parameters()]))
    assert trained
    assert not trained & own
    assert set(design.losses(batch, generator=generator)) == set(design.loss_weights) == {"adversarial", "cycle", "identity"}
    assert set(design.critic_losses(batch, generator=generator)) == set(design.critic_weights) == {"critic"}
    design.begin("blended")
    assert set(map(id, [*design.trained_parameters(), *design.critic_parameters()])) == own
    losses = design.losses(batch, generator=generator)
    assert set(losses) == set(design.loss_weights)
    sum(losses.values()).backward()  # type: ignore[union-attr]
    assert all(parameter.grad is None for parameter in design.translator.parameters())
    assert set(design.critic_losses(batch, generator=generator)) == ({"critic"} if design.critic_parameters() else set())
    design.measure({})
    assert set(map(id, design.parameters())) == own


def test_a_blended_model_needs_the_weight() -> None:
    for preset in ("voices-blended-vae", "voices-blended-gan"):
        design = make_design(preset, NAMES, SETTINGS[preset])
        with torch.no_grad():
            for parameter in design.parameters():
                parameter.add_(0.02)
            one, other = (design.translate(pieces(1), "reed", torch.tensor([[1 - share, share]])) for share in (0.0, 1.0))
        assert one.shape == (1, BINS, FRAMES)
        assert not torch.allclose(one, other)


# --- from recordings to a piece ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(recordings: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("adversarial")
    found = {}
    for preset, settings in SETTINGS.items():
        found[preset] = folder / f"{preset}.safetensors"
        train(recordings, found[preset], ArrayOptions(preset, settings={**settings, "steps": 4, "batch": 1}, device="cpu"))
    return found


@pytest.mark.parametrize("preset", SETTINGS)
def test_it_trains_is_stored_and_converts(preset: str, trained: dict[str, Path], tmp_path: Path) -> None:
    opened: Any = load(trained[preset])
    assert isinstance(opened, ArrayVoices)
    assert opened.preset == preset
    assert not any("translator" in name for name in opened.design.state_dict())
    write(tmp_path / "piece.wav", melody(REED, seed=5)[None].astype(np.float32), OUTPUT_RATE)
    made = convert(opened, tmp_path / "piece.wav", {"reed": 0.5, "string": 0.5})
    assert made.audio.shape == (1, len(melody(REED, seed=5)))
    assert bool(np.isfinite(made.audio).all())
    assert float(np.abs(made.audio).max()) > 0.01


def test_the_same_options_give_the_same_tensors(recordings: dict[str, Path], trained: dict[str, Path], tmp_path: Path) -> None:
    preset = "voices-blended-gan"
    settings = {**SETTINGS[preset], "steps": 4, "batch": 1}
    again: Any = train(recordings, tmp_path / "a.safetensors", ArrayOptions(preset, settings=settings, device="cpu"))
    first: Any = load(trained[preset])
    assert again.digest == first.digest


def test_a_trained_cyclegan_is_taken_from_its_file(recordings: dict[str, Path], trained: dict[str, Path], tmp_path: Path) -> None:
    settings = {**VAE, "pairs": 1, "steps": 2, "batch": 1, "cyclegan": str(trained["voices-cyclegan-image"])}
    made: Any = train(recordings, tmp_path / "x.safetensors", ArrayOptions("voices-blended-vae", settings=settings, device="cpu"))
    assert made.training["steps"] == 2
    assert all(name.startswith("blended/") for name in made.training["losses"])
    assert made.design.settings["cyclegan"] == "voices-cyclegan-image.safetensors"  # its name alone
    assert load(tmp_path / "x.safetensors").names == NAMES


def test_files_that_are_no_cyclegan_are_refused(
    recordings: dict[str, Path], trained: dict[str, Path], voices_file: Path, tmp_path: Path
) -> None:
    def blended(file: Path, folders: dict[str, Path] = recordings) -> None:
        train(folders, tmp_path / "x.safetensors", ArrayOptions("voices-blended-vae", settings={"cyclegan": str(file)}, device="cpu"))

    with pytest.raises(ConfigError, match=r"cyclegan .*no CycleGAN.*voices-cyclegan"):
        blended(trained["voices-blended-gan"])
    with pytest.raises(ConfigError, match="preset voices"):
        blended(voices_file)
    with pytest.raises(InstrumentFileError, match=r"none\.safetensors"):
        blended(tmp_path / "none.safetensors")
    with pytest.raises(ConfigError, match="between reed and string, the recordings are of brass and string"):
        blended(trained["voices-cyclegan"], {"brass": recordings["reed"], "string": recordings["string"]})
    assert not list(tmp_path.iterdir())

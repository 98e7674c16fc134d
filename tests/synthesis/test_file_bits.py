"""Instrument files with weights of 16 and 8 bits: smaller, and of nearly the same sounds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from timbrespace.contracts import ConfigError, InstrumentFileError
from timbrespace.instrument import Instrument
from timbrespace.noise import Noise, Purpose
from timbrespace.synthesis.file.bits import restored, with_bits
from timbrespace.synthesis.file.writing import encoded, write_instrument


def test_rows_of_8_bits_are_within_half_a_step_of_their_scale() -> None:
    rows = torch.randn(5, 300) * torch.tensor([1e-6, 1.0, 30.0, 0.0, 2.0])[:, None]
    found = with_bits({"model.a": rows, "model.b": rows[0], "space.c": rows}, 8)
    assert found["model.a"].dtype == torch.int8
    assert torch.equal(found["model.b"], rows[0])  # no matrix
    assert torch.equal(found["space.c"], rows)  # draws stay the same
    step = rows.abs().amax(1) / 127
    assert torch.allclose(found["model.a.scale"], step)
    error = (restored(found)["model.a"] - rows).abs().amax(1)
    assert bool((error <= 0.5001 * step).all())
    assert restored(found).keys() == {"model.a", "model.b", "space.c"}


def test_matrices_of_more_axes_have_a_scale_a_first_entry() -> None:
    weights = torch.randn(4, 3, 2, 5)
    found = with_bits({"model.a": weights}, 8)
    assert found["model.a.scale"].shape == (4,)
    assert torch.allclose(restored(found)["model.a"], weights, atol=float(weights.abs().max()) / 250)


def test_a_tensor_named_scale_beside_floats_is_kept() -> None:
    tensors = {"model.norm": torch.ones(3), "model.norm.scale": torch.ones(3), "model.scale": torch.ones(2)}
    assert restored(tensors).keys() == tensors.keys()


def test_the_first_components_keep_what_8_bits_leave() -> None:
    basis = torch.randn(50, 400)
    found = with_bits({"model.basis": basis}, 8)
    assert found["model.basis.rest"].shape == (32, 400)
    error = (restored(found)["model.basis"] - basis).abs().amax(1)
    assert float(error[:32].max()) < 0.02 * float(error[32:].min())


@pytest.mark.parametrize("shape", [(51, 400), (32, 399), (32, 400, 1)])
def test_a_rest_that_does_not_fit_is_refused(shape: tuple[int, ...]) -> None:
    found = with_bits({"model.basis": torch.randn(50, 400)}, 8)
    rest = {"model.basis.rest": torch.ones(shape, dtype=torch.int8), "model.basis.rest.scale": torch.ones(shape[0])}
    with pytest.raises(InstrumentFileError, match="rest"):
        restored(found | rest)


@pytest.mark.parametrize("bits", [0, 4, 32, -8])
def test_other_bits_are_refused(tiny_file: Path, tmp_path: Path, bits: int) -> None:
    with pytest.raises(ConfigError, match=f"bits is {bits}, allowed are 16 and 8"):
        Instrument.load(tiny_file).save(tmp_path / "it.safetensors", bits=bits)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "scale", [torch.ones(4), torch.ones(5, 1), torch.tensor([1.0, 1, 1, 1, torch.nan]), torch.ones(5, dtype=torch.int8)]
)
def test_scales_that_do_not_fit_are_refused(scale: torch.Tensor) -> None:
    with pytest.raises(InstrumentFileError, match="scale"):
        restored({"model.a": torch.ones(5, 3, dtype=torch.int8), "model.a.scale": scale})


def test_whole_numbers_without_scales_are_refused(tiny_file: Path, tmp_path: Path) -> None:
    data = encoded(Instrument.load(tiny_file).contents, bits=8)
    size = int.from_bytes(data[:8], "little")
    tensors = {name: tensor for name, tensor in load_tensors(data).items() if name != "model.basis.scale"}
    text = json.loads(data[8 : 8 + size])["__metadata__"]
    (tmp_path / "one.safetensors").write_bytes(save_tensors(tensors, metadata=text))
    with pytest.raises(InstrumentFileError, match=r"model\.basis"):
        Instrument.load(tmp_path / "one.safetensors")


@pytest.mark.parametrize(("bits", "most_db"), [(16, 0.01), (8, 0.1)])
def test_a_file_of_fewer_bits_decodes_alike(tiny_file: Path, tmp_path: Path, bits: int, most_db: float) -> None:
    whole = Instrument.load(tiny_file)
    whole.save(tmp_path / "fewer.safetensors", bits=bits)
    fewer = Instrument.load(tmp_path / "fewer.safetensors")
    for index in range(12):
        z, _ = whole.space.draw(Noise(0, Purpose.LATENT, index))
        assert torch.equal(z, fewer.space.draw(Noise(0, Purpose.LATENT, index))[0])
        lengths = whole.model.decode(z[None]).lengths
        one, other = (each.model.decode(z[None], lengths=lengths).features for each in (whole, fewer))
        apart = (one - other)[one > -79.9]
        assert float((apart - apart.median()).square().mean().sqrt()) < most_db  # as a log-mel error, without a gain


def test_the_matrices_of_a_file_get_smaller(tiny_file: Path) -> None:
    contents = Instrument.load(tiny_file).contents

    def size(bits: int | None) -> int:
        tensors = load_tensors(encoded(contents, bits=bits))
        return sum(tensor.numel() * tensor.element_size() for name, tensor in tensors.items() if ".weight" in name and "norm" not in name)

    assert size(16) < 0.6 * size(None)
    assert size(8) < 0.4 * size(None)


def test_fewer_bits_written_again_are_the_same(tiny_file: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    write_instrument(Instrument.load(tiny_file).contents, first, bits=8)
    write_instrument(Instrument.load(first).contents, second, bits=8)
    one, other = restored(load_tensors(first.read_bytes())), restored(load_tensors(second.read_bytes()))
    assert all(
        torch.allclose(one[name], other[name], rtol=0, atol=1e-3 * float(one[name].abs().amax())) for name in one if one[name].numel()
    )


@pytest.fixture(scope="module")
def tiny_file(tiny: object) -> Path:
    return tiny.file  # type: ignore[attr-defined]

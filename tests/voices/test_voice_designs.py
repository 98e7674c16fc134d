"""The base of source D's designs: features and their inverse, files, conversion of any length, the two VAEs."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from melodies import REED, STRING, melody

from timbrespace import voices
from timbrespace.contracts import ConfigError, CorpusError, InstrumentFileError
from timbrespace.instrument import Instrument
from timbrespace.voices.arrays import DESCRIPTIONS
from timbrespace.voices.arrays.conv_vae import ConvVAE
from timbrespace.voices.arrays.conversion import ArrayConversionOptions, convert
from timbrespace.voices.arrays.data import Pieces, Spectrogram, read_spectrograms
from timbrespace.voices.arrays.design import BINS, FRAMES, Design
from timbrespace.voices.arrays.designs import DESIGNS, make_design, split_settings
from timbrespace.voices.arrays.features import HOP, PIECE, RATE, WINDOW, count_frames, spectra, spectrogram, to_magnitudes, to_values
from timbrespace.voices.arrays.file import ArrayFacts, ArrayVoices, write_array_voices
from timbrespace.voices.arrays.inversion import AHEAD, Inversion
from timbrespace.voices.arrays.sources import cepstra, most_like, profile
from timbrespace.voices.arrays.training import ArrayOptions, fit_design
from timbrespace.voices.frames import RATE as OUTPUT_RATE
from timbrespace.voices.frames import Values
from timbrespace.voices.weights import Curve

SMALL = {"latents": 3, "channels": (2, 3, 3, 3, 3), "batch": 2, "steps": 2}
VAES = ("voices-conv-vae", "voices-multi-encoder")
NAMES = ("reed", "string")


class Gain(Design):
    """A design that multiplies values by the weight of the second instrument: what it makes is known."""

    def translate(self, values: torch.Tensor, source: str, weights: torch.Tensor) -> torch.Tensor:
        return values * weights[:, 1, None, None]


def toy() -> ArrayVoices:
    profiles = np.stack([np.stack([np.full(20, float(k)), np.ones(20)]) for k in range(2)])
    return ArrayVoices("toy", Gain(NAMES), profiles, {name: ArrayFacts(1, 1.0) for name in NAMES}, {})


def to(weight: float) -> Curve:
    return Curve(((0.0, {"reed": 1 - weight, "string": weight}),))


def low_piece(seconds: float, rng: np.random.Generator) -> Values:
    return 0.1 * rng.standard_normal(round(seconds * RATE))


@pytest.fixture(scope="module")
def found(recordings: dict[str, Path]) -> dict[str, list[Spectrogram]]:
    return read_spectrograms(recordings)


@pytest.fixture(scope="module")
def trained(recordings: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("designs") / "vae.safetensors"
    voices.train(recordings, path, ArrayOptions("voices-conv-vae", settings=SMALL))
    return path


# --- features ----------------------------------------------------------------------------------------------------------


def test_five_seconds_are_1024_x_128() -> None:
    values, reference = spectrogram(np.sin(2 * np.pi * 440 * np.arange(PIECE) / RATE))
    assert values.shape == (BINS, FRAMES) == (1024, 128)
    assert reference == pytest.approx(WINDOW / 4, rel=0.02)
    assert int(values[:, 60].argmax()) == round(440 * WINDOW / RATE)
    assert float(values.max()) == 1


def test_values_and_magnitudes_are_inverse() -> None:
    magnitudes = np.array([0.0, 1e-5, 1e-3, 0.5, 2.0])
    values = to_values(magnitudes, 2.0)
    np.testing.assert_allclose(to_magnitudes(values, 2.0), magnitudes, rtol=1e-9, atol=1e-15)
    assert values[0] == 0
    assert values[-1] == pytest.approx(1)
    assert to_magnitudes(np.array([-3.0, 50.0]), 1.0)[0] == 0
    assert to_magnitudes(np.array([50.0]), 1.0)[0] < 3  # a network that fails is not deafening
    assert not to_values(np.zeros(3), 0.0).any()


@pytest.mark.parametrize("samples", [1, 100, 862, 2_049, 40_000])
def test_spectra_are_those_of_scipy_and_come_back(samples: int, rng: np.random.Generator) -> None:
    wave = rng.standard_normal(samples)
    count = count_frames(samples)
    whole = spectra(wave, 0, count)
    padded = torch.from_numpy(np.pad(wave, WINDOW // 2))
    direct = torch.stft(padded, WINDOW, HOP, window=torch.hann_window(WINDOW, dtype=torch.float64), center=False, return_complex=True)
    np.testing.assert_allclose(whole, direct.numpy().T, atol=1e-9)
    np.testing.assert_array_equal(spectra(wave, count - 1, 1)[0], whole[-1])
    inversion = Inversion(iterations=0)
    phases = np.exp(1j * np.angle(whole))
    back = np.concatenate([inversion.block(np.abs(whole), phases, count), inversion.rest()])[:samples]
    reached = samples - max(0, samples - ((count - 1) * HOP + WINDOW // 2 - 200))  # the edge of the last window is faded
    np.testing.assert_allclose(back[:reached], wave[:reached], atol=1e-6)


def test_blocks_of_an_inversion_have_no_seam(rng: np.random.Generator) -> None:
    wave = low_piece(6, rng)
    count = count_frames(len(wave))
    whole = spectra(wave, 0, count)
    magnitudes, phases = np.abs(whole), np.exp(2j * np.pi * rng.random(whole.shape))

    def inverted(size: int) -> Values:
        inversion, made = Inversion(iterations=12), []
        for start in range(0, count, size):
            some = min(size, count - start)
            made.append(inversion.block(magnitudes[start : start + some + AHEAD], phases[start : start + some + AHEAD], some))
        return np.concatenate([*made, inversion.rest()])[: len(wave)]

    def error(made: Values) -> Values:
        return np.square(np.abs(spectra(made, 0, count)) - magnitudes).sum(1)

    one, many = error(inverted(count)), error(inverted(16))
    seams = np.arange(16, count - 2, 16)
    assert many.mean() < 1.3 * one.mean()
    assert many[seams].mean() < 1.5 * many.mean()  # no worse where blocks meet
    better = Inversion(iterations=0)
    assert one.mean() < 0.5 * error(np.concatenate([better.block(magnitudes, phases, count), better.rest()])[: len(wave)]).mean()


def test_the_source_is_found_by_the_shape_of_spectra() -> None:
    makers = [(REED, 0), (STRING, 1)]
    learned = np.stack([profile([spectrogram(melody(partials, seed=seed)[::2])[0]]) for partials, seed in makers])
    for number, (partials, seed) in enumerate(makers):
        other = spectrogram(0.1 * melody(partials, (62, 66, 58), seed=seed + 5)[::2])[0]  # other notes, another level
        assert most_like(other, learned) == number
    assert cepstra(np.zeros((BINS, 4))).shape == (0, 20)
    assert most_like(np.zeros((BINS, 4)), learned) == 0  # silence is no reason to fail


# --- conversion --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [1, 700, 5_000, OUTPUT_RATE * 5, OUTPUT_RATE * 5 + 1, OUTPUT_RATE * 33 + 17])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_length_comes_back(samples: int, channels: int, rng: np.random.Generator) -> None:
    wave = 0.1 * rng.standard_normal((channels, samples)).astype(np.float32)
    result = convert(toy(), wave, to(1), ArrayConversionOptions(iterations=1))
    assert result.audio.shape == wave.shape
    assert np.isfinite(result.audio).all()


def test_a_design_that_changes_nothing_gives_the_piece_back_without_seams() -> None:
    """Pieces of 5 s that fade into each other sum to the whole."""
    tone = 0.2 * np.sin(2 * np.pi * 440 * np.arange(18 * OUTPUT_RATE) / OUTPUT_RATE)
    wave = np.stack([tone, -0.5 * tone]).astype(np.float32)  # the mean has a quarter of the level
    for iterations in (0, 8):
        made = convert(toy(), wave, to(1), ArrayConversionOptions(iterations=iterations)).audio
        inner = slice(3_000, -3_000)
        noise = np.square(made - wave)[:, inner].mean() / np.square(wave)[:, inner].mean()
        assert 10 * np.log10(noise) < -50


def test_weights_move_within_a_piece(rng: np.random.Generator) -> None:
    wave = 0.1 * rng.standard_normal((1, 20 * OUTPUT_RATE)).astype(np.float32)
    curve = Curve(((0.0, {"reed": 1.0}), (20.0, {"string": 1.0})))
    made = convert(toy(), wave, curve, ArrayConversionOptions(iterations=0)).audio[0]
    levels = [float(np.std(part)) for part in np.array_split(made, 10)]
    assert levels == sorted(levels)
    assert levels[0] < 0.01 < levels[-1]


def test_silence_and_an_empty_piece(rng: np.random.Generator) -> None:
    assert not convert(toy(), np.zeros((1, 9_000), np.float32), to(1)).audio.any()
    with pytest.raises(ConfigError, match="no samples"):
        convert(toy(), np.zeros((1, 0), np.float32), to(1))
    with pytest.raises(ConfigError, match="no voice 'harp'"):
        convert(toy(), np.ones((1, 900), np.float32), to(1), ArrayConversionOptions(source="harp"))
    with pytest.raises(ConfigError, match="iterations"):
        ArrayConversionOptions(iterations=-1)


# --- designs and their files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", VAES)
def test_shapes_losses_and_translation(preset: str) -> None:
    design = make_design(preset, NAMES, split_settings(preset, SMALL)[0])
    batch = {name: torch.rand(2, BINS, FRAMES) for name in NAMES}
    design.prepare({name: [values] for name, values in batch.items()})
    losses = design.losses(batch, generator=torch.Generator().manual_seed(0))
    assert set(losses) == set(design.loss_weights)
    torch.stack(list(losses.values())).sum().backward()
    assert all(parameter.grad is not None for parameter in design.parameters())
    with torch.no_grad():
        design.measure({name: [values] for name, values in batch.items()})
        made = design.translate(batch["reed"], "reed", torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    assert made.shape == (2, BINS, FRAMES)


def test_the_conv_vae_moves_latents_by_the_difference_of_the_means() -> None:
    design = make_design("voices-conv-vae", NAMES, split_settings("voices-conv-vae", SMALL)[0])
    assert isinstance(design, ConvVAE)
    design.means.copy_(torch.tensor([[1.0, 0, 0], [0, 2.0, 0]]))
    values = torch.rand(1, BINS, FRAMES)
    with torch.no_grad():
        z = design.encoder(design.scale.relative(values))[0] + torch.tensor([[-0.5, 1.0, 0.0]])
        wanted = design.scale.absolute(design.decoder(z))
        torch.testing.assert_close(design.translate(values, "reed", torch.tensor([[0.5, 0.5]])), wanted)


@pytest.mark.parametrize("preset", VAES)
def test_training_lowers_the_error_and_seeds_repeat_it(preset: str, found: dict[str, list[Spectrogram]]) -> None:
    settings = SMALL | {"latents": 8, "channels": (4, 6, 6, 6, 6), "learning_rate": 3e-3}
    batch = {name: next(Pieces(several, torch.device("cpu")).batches(8)) for name, several in found.items()}

    @torch.no_grad()
    def error(design: Design) -> float:
        return float(design.losses(batch, generator=torch.Generator().manual_seed(0))["reconstruction"])

    def fitted(steps: int, seed: int) -> Design:
        return fit_design(found, ArrayOptions(preset, settings=settings | {"steps": steps}, seed=seed))[0]

    assert error(fitted(40, seed=3)) < 0.97 * error(fitted(1, seed=3))
    one, again, other = (fitted(3, seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(tensor, again[name]) for name, tensor in one.items())
    assert not all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_every_design_has_a_description() -> None:
    assert set(DESCRIPTIONS) == set(DESIGNS)


def test_a_file_holds_the_same_design_and_converts_alike(trained: Path, tmp_path: Path, recordings: dict[str, Path]) -> None:
    opened: Any = voices.load(trained)
    again: Any = voices.load(write_array_voices(opened, tmp_path / "again.safetensors"))
    assert again.digest == opened.digest
    assert (again.facts, again.training, again.names) == (opened.facts, opened.training, NAMES)
    piece = recordings["reed"] / "reed.wav"
    one, other = (voices.convert(each, piece, {"string": 1.0}) for each in (opened, again))
    np.testing.assert_array_equal(one.audio, other.audio)
    assert one.source == "reed"
    assert voices.convert(opened, piece, {"string": 1.0}, source="string").source == "string"
    with pytest.raises(ConfigError, match="stretch has no meaning"):
        voices.convert(opened, piece, {"string": 1.0}, stretch=2.0)
    with pytest.raises(InstrumentFileError, match="timbrespace convert"):
        Instrument.load(trained)


def test_damaged_files_are_refused_by_name(trained: Path, tmp_path: Path) -> None:
    data = trained.read_bytes()
    rng = np.random.default_rng(1)
    path = tmp_path / "broken.safetensors"
    for number in range(45):
        broken = bytearray(data)
        if number % 3 == 0:
            broken = broken[: int(rng.integers(0, len(data)))]
        else:
            for _ in range(3):
                broken[int(rng.integers(0, 2_500 if number % 3 == 1 else len(data)))] = int(rng.integers(0, 256))
        path.write_bytes(broken)
        with contextlib.suppress(InstrumentFileError):  # no other error; a byte in a name can also change nothing
            voices.load(path)
    for old, new in (
        (b'\\"latents\\": 3', b'\\"latents\\": 4'),
        (b"voices-conv-vae", b"voices-conv-vax"),
        (b'\\"version\\": 1', b'\\"version\\": 9'),
    ):
        assert old in data
        path.write_bytes(data.replace(old, new))
        with pytest.raises(InstrumentFileError, match=r"broken\.safetensors"):
            voices.load(path)


def test_settings_that_cannot_be_are_refused(recordings: dict[str, Path], tmp_path: Path) -> None:
    for settings, message in (
        ({"latent": 3}, "'latent' is not a setting"),
        ({"latents": 0}, "latents is 0"),
        ({"steps": 0}, "steps is 0"),
        ({"channels": [1] * 9}, "channels"),
        ({"latents": 4_096, "channels": [1_024]}, "weights in one layer"),
    ):
        with pytest.raises(ConfigError, match=message):
            voices.train(recordings, tmp_path / "x.safetensors", ArrayOptions("voices-conv-vae", settings=settings))
    with pytest.raises(ConfigError, match="minutes"):
        ArrayOptions("voices-conv-vae", minutes=0.0)
    with pytest.raises(ConfigError, match="device"):
        voices.train(recordings, None, ArrayOptions("voices-conv-vae", device="tpu"))
    assert not (tmp_path / "x.safetensors").exists()


def test_recordings_that_teach_nothing_are_refused(recordings: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="s of sound in 0 files"):
        voices.train({"reed": recordings["reed"], "none": tmp_path / "empty"}, None, ArrayOptions("voices-conv-vae"))
    with pytest.raises(CorpusError, match="same folder"):
        voices.train({"reed": recordings["reed"], "other": recordings["reed"]}, None, ArrayOptions("voices-conv-vae"))


def test_pieces_cover_every_frame_and_stay_within_a_recording() -> None:
    lengths = (FRAMES, FRAMES + 70)
    marked = [
        Spectrogram(f"{k}", 1.0, (1_000 * k + torch.arange(length)).half().expand(BINS, length).clone()) for k, length in enumerate(lengths)
    ]  # fmt: skip
    pieces = Pieces(marked, torch.device("cpu"))
    seen = torch.cat(list(pieces.batches(2)))[:, 0]
    assert set(seen.flatten().tolist()) == {*range(FRAMES), *(float(torch.tensor(1_000.0 + k).half()) for k in range(FRAMES + 70))}
    drawn = pieces.draw(50, torch.Generator().manual_seed(0))
    assert drawn.shape == (50, BINS, FRAMES)
    assert bool(((drawn[:, 0] < 500).all(1) | (drawn[:, 0] > 500).all(1)).all())

"""Pitch as a variable of its own: the axis of harmonics, when a corpus is one of notes, and new sounds at a note that was asked for."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from specs import feature_spec
from timbrespace.audio.pitch import estimate_pitch
from timbrespace.audio.pitch_estimation import estimate_midi
from timbrespace.config.presets import load_preset
from timbrespace.contracts import ConfigError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.instrument import Instrument
from timbrespace.latent.space import LatentSpace
from timbrespace.model.base import Posterior, kl_to_normal
from timbrespace.model.codec.oneshot import OneShot
from timbrespace.model.parts.pitch import HarmonicAxis, cubic, pitch_features
from timbrespace.noise import Noise, Purpose
from timbrespace.training.data.conditions import with_notes
from tiny import RATE, Tiny, fix_plan, quick_train

CENTRES = [43.07 * k for k in range(120)]  # Hz


def hertz(midi: float) -> float:
    return 440 * 2 ** ((midi - 69) / 12)


def comb(midi: float) -> torch.Tensor:
    """Twelve partials as a window of four bins shows them, dB: `(1, 1, bands, 1)`."""
    bins = torch.arange(len(CENTRES))[:, None]
    distance = (bins - torch.arange(1, 13) * hertz(midi) / 43.07).abs().amin(1)
    return (-60 * (1 - torch.cos(distance.clamp_max(3) / 3 * math.pi)) / 2)[None, None, :, None]


def axis() -> HarmonicAxis:
    return HarmonicAxis(CENTRES, lowest=48, highest=72)


# --- the axis of harmonics ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("midi", [50.0, 57.3, 60.0, 66.6, 71.0])
def test_partials_of_every_note_lie_at_whole_numbers(midi: float) -> None:
    on = axis()
    aligned = on.align(comb(midi), torch.tensor([midi]))[0, 0, :, 0]
    for harmonic in range(1, 7):
        window = (on.slots - harmonic).abs() < 0.5
        peak = on.slots[window][aligned[window].argmax()]
        assert abs(float(peak) - harmonic) < 0.12
        assert aligned[window].max() > -12
    assert aligned[(on.slots - 1.5).abs().argmin()] < aligned[(on.slots - 1).abs().argmin()] - (10 if midi > 55 else 3)


@pytest.mark.parametrize("midi", [48.0, 55.5, 64.0, 72.0])
def test_there_and_back(midi: float) -> None:
    on, pitch = axis(), torch.tensor([midi])
    back = on.restore(on.align(comb(midi), pitch), pitch)
    assert float((back - comb(midi)).square().mean().sqrt()) < 2.0  # of 60 dB, at the sharpest combs there are
    flat = torch.full((1, 2, len(CENTRES), 3), -37.0)
    torch.testing.assert_close(on.restore(on.align(flat, pitch), pitch), flat)


def test_each_sound_of_a_batch_has_its_own_pitch() -> None:
    on, pitches = axis(), torch.tensor([50.0, 64.5, torch.nan])
    images = torch.cat([comb(50), comb(64.5), comb(60)])
    together = on.align(images, pitches)
    for k in range(2):
        torch.testing.assert_close(together[k : k + 1], on.align(images[k : k + 1], pitches[k : k + 1]))
    torch.testing.assert_close(together[2:], on.align(images[2:], torch.tensor([on.middle])))  # unknown: the middle stands in
    assert on.standard(pitches).shape == (3, 1)
    assert float(on.standard(pitches)[2]) == 0
    torch.testing.assert_close(on.midi(on.standard(pitches[:2])), pitches[:2])


def test_interpolation_meets_its_points_and_straight_lines() -> None:
    grid = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    torch.testing.assert_close(cubic(grid[None], grid)[0], torch.eye(5, dtype=torch.float64))
    places = torch.linspace(1, 3, 17, dtype=torch.float64)[None]
    torch.testing.assert_close(cubic(places, grid)[0] @ (2 * grid - 1), 2 * places[0] - 1)
    outside = cubic(torch.tensor([[-3.0, 9.0]], dtype=torch.float64), grid)[0]
    torch.testing.assert_close(outside @ grid, torch.tensor([0.0, 4.0], dtype=torch.float64))


@pytest.mark.parametrize("notes", [(60, 60), (72, 48), (-1, 60), (60, 128), (math.nan, 60)])
def test_ranges_that_cannot_be(notes: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="allowed are two rising MIDI numbers from 0 to 127, auto, or null"):
        HarmonicAxis(CENTRES, lowest=notes[0], highest=notes[1])


def test_networks_are_not_led_outside_the_range() -> None:
    assert torch.equal(pitch_features(torch.tensor([[2.0]])), pitch_features(torch.tensor([[5.0]])))
    assert not torch.allclose(pitch_features(torch.tensor([[1.0]])), pitch_features(torch.tensor([[1.1]])))


# --- the model ------------------------------------------------------------------------------------------------------------


def model(notes: list[float] | None = None, **more: object) -> OneShot:
    torch.manual_seed(0)
    options = {"dims": 4, "coefficients": 8, "attack": 4, "steps": 6, "width": 16, "depth": 1, "notes": notes}
    spec = feature_spec(1, len(CENTRES), 12, floor=80.0, hop=256, centres=more.pop("centres", CENTRES))  # type: ignore[arg-type]
    return OneShot(spec, **{**options, **more}).eval()  # type: ignore[arg-type]


def test_the_last_number_is_the_pitch_and_costs_nothing() -> None:
    one = model([48.0, 72.0])
    pitches = torch.tensor([60.0, 66.0])
    posterior = one.encode(comb(60).repeat(2, 1, 1, 12), torch.tensor([3000, 3000]), pitches[:, None])
    assert posterior.mean.shape == posterior.log_variance.shape == (2, 4)
    torch.testing.assert_close(posterior.mean[:, -1], torch.tensor([0.0, 0.75]))
    assert torch.isneginf(posterior.log_variance[:, -1]).all()
    inferred = Posterior(posterior.mean[:, :3], posterior.log_variance[:, :3])
    torch.testing.assert_close(kl_to_normal(posterior)[:, :3], kl_to_normal(inferred))
    assert not kl_to_normal(posterior)[:, 3].any()
    assert torch.isfinite(kl_to_normal(posterior)).all()


def test_one_timbre_at_two_pitches() -> None:
    one = model([48.0, 72.0])
    assert one.axis is not None
    slots = one.axis.slots
    partial = ((slots - slots.round()).abs() < 0.15) & (slots > 0.5)
    one.mean.copy_(torch.where(partial, 0.0, -50.0).repeat_interleave(one.steps))
    for midi in (52.0, 60.0, 69.0):
        z = torch.cat([torch.zeros(1, 3), one.axis.standard(torch.tensor([midi]))], 1)
        band = int(one.decode(z).features[0, 0, :, 3][: round(1.5 * hertz(midi) / 43.07)].argmax())
        assert abs(CENTRES[band] - hertz(midi)) < 43.07


def test_the_search_keeps_the_pitch_and_comes_nearer() -> None:
    one = model([48.0, 72.0])
    one.basis.copy_(torch.linalg.qr(torch.randn(one.basis.shape[1], 8))[0].T)
    one.mean.fill_(-30.0)
    one.scale.fill_(40.0)
    assert one.axis is not None
    there = torch.tensor([[0.5, -1.0, 1.0, 0.3]])
    features = one.decode(there).features
    one.mean -= one.band_images(there)[0].max()  # its loudest cell reads 0 dB
    start = torch.tensor([[0.0, 0.0, 0.0, 0.3]])
    lengths = torch.tensor([3000])
    found = one.refine(features, lengths, start)
    assert torch.equal(found[:, -1], start[:, -1])
    assert float(one.objective(features, lengths, found)) < 0.3 * float(one.objective(features, lengths, start))


def test_without_notes_nothing_is_new() -> None:
    one, other = model(None), model(None, centres=None)
    assert not one.conditioning.required
    assert {name: t.shape for name, t in one.state_dict().items()} == {name: t.shape for name, t in other.state_dict().items()}
    features, lengths = comb(60).repeat(1, 1, 1, 12), torch.tensor([3000.0])
    assert torch.equal(one.prepare_features(features), one.prepare_features(features, torch.tensor([[60.0]])))
    assert one.standard_pitches(torch.tensor([[60.0]]), lengths).shape == (1, 0)
    with pytest.raises(ConfigError, match="no bands in Hz; set"):
        model([48.0, 72.0], centres=None)
    with pytest.raises(ConfigError, match="its one number would be the pitch"):
        model([48.0, 72.0], dims=1)


# --- which corpora have notes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pitches", "notes"),
    [
        ([None] * 40, None),
        ([60.0, 62.0, 64.0] * 5, None),  # too few clips
        ([60.0, 62.0, 64.0] * 7 + [None] * 10, None),  # too few of them pitched
        ([60.0] * 40, None),  # one note alone
        ([60.0, 60.2, 61.0] * 20, None),
        ([48.0, 60.0, 72.0] * 10 + [None] * 5, [48.0, 72.0]),
        ([60.0, 61.0, 62.0] * 10, [59.0, 63.0]),  # a narrow range is widened
    ],
)
def test_the_corpus_decides(pitches: list[float | None], notes: list[float] | None) -> None:
    decided = with_notes(load_preset(), pitches)
    assert decided.model["notes"] == notes
    assert json.loads(json.dumps(decided.model)) == decided.model  # a plan on disk equals the one in memory


def test_what_is_asked_counts() -> None:
    pitches = [48.0, 60.0, 72.0] * 10
    assert with_notes(load_preset(changes=["model.notes=null"]), pitches).model["notes"] is None
    assert with_notes(load_preset(changes=["model.notes=[30, 80]"]), [None] * 9).model["notes"] == [30.0, 80.0]
    wider = load_preset(changes=["training.augmentation.pitch={chance: 1, semitones: 7}"])
    assert with_notes(wider, pitches).model["notes"] == [45.0, 75.0]
    with pytest.raises(ConfigError, match=r"model\.notes"):
        load_preset(changes=["model.notes=[60]"])


# --- drawing at a pitch ---------------------------------------------------------------------------------------------------


def test_the_rest_of_a_point_follows_its_pitch() -> None:
    rng = np.random.default_rng(0)
    pitch = rng.standard_normal(4000)
    points = torch.tensor(np.stack([0.8 * pitch + 0.6 * rng.standard_normal(4000), pitch], 1), dtype=torch.float32)
    space = LatentSpace.fit(points, [None] * 4000)
    drawn = torch.stack([space.draw(Noise(k, Purpose.LATENT), last=1.5)[0] for k in range(800)])
    assert (drawn[:, 1] == 1.5).all()
    assert float(drawn[:, 0].mean()) == pytest.approx(1.2, abs=0.12)
    assert float(drawn[:, 0].std()) == pytest.approx(0.6, abs=0.12)
    snapped = torch.stack([space.draw(Noise(k, Purpose.LATENT), last=round)[0] for k in range(50)])
    assert torch.equal(snapped[:, 1], snapped[:, 1].round())
    assert len(snapped[:, 1].unique()) > 2


def test_a_pitch_picks_the_kinds_that_reach_it() -> None:
    points = torch.cat([torch.randn(60, 2) * 0.1 + torch.tensor([5.0, -2.0]), torch.randn(60, 2) * 0.1 + torch.tensor([-5.0, 2.0])])
    space = LatentSpace.fit(points, ["low"] * 60 + ["high"] * 60)
    assert {space.draw(Noise(k, Purpose.LATENT), last=2.0)[1] for k in range(20)} == {"high"}
    assert space.draw(Noise(0, Purpose.LATENT), category="low", last=40.0)[1] == "low"  # far from all: still an answer


# --- an instrument of notes -----------------------------------------------------------------------------------------------


def tone(midi: float, *, brightness: float, seconds: float = 0.4) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    wave = sum(brightness**k * np.sin(2 * np.pi * k * hertz(midi) * time + k) for k in range(1, 16))
    return np.float32(0.4 * wave * np.exp(-5 * time) * np.minimum(1, np.arange(len(time))[::-1] / 400))


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an instrument learned from 36 tones at nine pitches, three semitones apart, one of them out of tune."""
    folder = tmp_path_factory.mktemp("notes")
    for midi, (name, brightness) in itertools.product(range(48, 73, 3), (("dark", 0.45), ("warm", 0.6), ("clear", 0.7), ("bright", 0.8))):
        path = folder / "in" / name / f"{name}_{midi:03d}_100.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tone(midi + (0.3 if name == "clear" else 0), brightness=brightness), RATE)
    prepare(folder / "in", folder / "corpus")
    with pytest.MonkeyPatch.context() as patch:
        fix_plan(patch, variations=6)
        changes = ("model.dims=8", "model.coefficients=60", "model.width=48", "model.depth=1", "training.batch=64", "training.examples=400")
        quick_train(Corpus.open(folder / "corpus"), folder / "notes.safetensors", steps_minutes=0.025, changes=changes)
    return folder


def test_pitches_are_of_the_key_and_tuned_as_heard(notes: Path) -> None:
    corpus = Corpus.open(notes / "corpus")
    conditioning = Instrument.load(notes / "notes.safetensors").model.conditioning
    found = conditioning.of_clips(corpus, range(len(corpus)))
    assert found is not None
    for clip, pitch in zip(corpus.clips, found[:, 0].tolist(), strict=True):
        assert clip.pitch is not None
        assert pitch == pytest.approx(clip.pitch + (0.3 if clip.name.startswith("clear") else 0), abs=0.06)


@pytest.mark.parametrize("pitch", [50, 60, 64, 71])  # most of them between those learned
def test_new_sounds_sound_at_the_note_asked_for(pitch: int, notes: Path) -> None:
    made = Instrument.load(notes / "notes.safetensors").generate(6, seed=3, pitch=pitch)
    heard = [estimate_pitch(sound.audio.mean(0), RATE)[0] for sound in made]
    near = [hz is not None and abs(12 * math.log2(hz / hertz(pitch))) < 0.5 for hz in heard]
    assert sum(near) >= 5, heard
    assert all(sound.root_note == pitch and sound.recipe["asked"]["pitch"] == pitch for sound in made)


def test_new_sounds_take_the_notes_of_the_scale(notes: Path) -> None:
    instrument = Instrument.load(notes / "notes.safetensors")
    assert instrument.model.conditioning.required
    made = instrument.generate(10, seed=1)
    assert len({sound.root_note for sound in made}) > 3
    assert all(48 <= (sound.root_note or 0) <= 72 for sound in made)
    again = instrument.replay(made[4].recipe)
    assert torch.equal(again.audio, made[4].audio)


def test_a_copy_and_its_variations_keep_the_pitch(notes: Path) -> None:
    instrument = Instrument.load(notes / "notes.safetensors")
    given = torch.from_numpy(tone(61.4, brightness=0.65))[None]
    midi, _ = estimate_midi(instrument.reconstruct(given).numpy(), RATE)
    assert midi == pytest.approx(61.4, abs=0.3)
    for sound in [*instrument.vary(given, 2), *instrument.generate(2, near=given)]:
        assert sound.root_note == 61
        assert sound.latent is not None
        assert torch.equal(sound.latent[-1], instrument.encode(given).z[-1])


def test_sounds_without_a_pitch_are_taken_too(notes: Path) -> None:
    instrument = Instrument.load(notes / "notes.safetensors")
    noise = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0)) * torch.linspace(1, 0, 4000)
    assert torch.isfinite(instrument.reconstruct(noise)).all()


@pytest.mark.parametrize("pitch", [20, 99, math.nan])
def test_notes_out_of_reach(pitch: float, notes: Path) -> None:
    with pytest.raises(ConfigError, match="allowed are MIDI numbers from 36 to 84: its range and an octave beyond"):
        Instrument.load(notes / "notes.safetensors").generate(1, pitch=pitch)


def test_drums_have_no_notes(tiny: Tiny) -> None:
    instrument = Instrument.load(tiny.file)
    assert instrument.contents.settings["model"]["notes"] is None
    assert not instrument.model.conditioning.required
    with pytest.raises(ConfigError, match="learned from sounds without a pitch; leave it out"):
        instrument.generate(1, pitch=60)

"""Notes as samples: the axis of cycles, errors from coefficients alone, the fine pitch, and an instrument from end to end."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from specs import feature_spec
from timbrespace.audio.pitch import estimate_pitch, refine_pitch
from timbrespace.config.build import build_model, build_representation
from timbrespace.config.presets import load_preset
from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.instrument import Instrument
from timbrespace.model.base import Batch
from timbrespace.model.codec.pitch_synchronous import PitchSynchronous, PitchSynchronousAxis
from tiny import RATE, fix_plan, quick_train, write_drums

SAMPLES = 6_000


def hertz(midi: float) -> float:
    return 440 * 2 ** ((midi - 69) / 12)


def tone(midi: float, *, samples: int = SAMPLES, brightness: float = 0.6, partials: int = 8, rate: int = RATE) -> Tensor:
    """Partials in fixed phases to each other, `(samples,)`."""
    cycles = hertz(midi) * torch.arange(samples, dtype=torch.float64) / rate
    return sum(brightness**k * torch.sin(2 * math.pi * k * cycles + k) for k in range(1, partials + 1)).float()  # type: ignore[union-attr]


def axis(points_per_cycle: int = 48) -> PitchSynchronousAxis:
    return PitchSynchronousAxis(lowest=48, highest=72, points_per_cycle=points_per_cycle, samples=SAMPLES, rate=RATE)


# --- the axis -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("midi", [48.0, 55.3, 60.0, 72.0])
def test_every_note_has_the_same_wave(midi: float) -> None:
    on = axis()
    aligned = on.align(tone(midi)[None, None], torch.tensor([midi]))[0, 0]
    cycles = torch.arange(on.points, dtype=torch.float64) / 48
    wanted = sum(0.6**k * torch.sin(2 * math.pi * k * cycles + k) for k in range(1, 9))
    assert isinstance(wanted, Tensor)
    inside = int(on.inside(torch.tensor([SAMPLES]), torch.tensor([midi])))
    middle = slice(96, inside - 96)  # the ends ring
    assert float((aligned - wanted)[middle].norm() / wanted[middle].norm()) < 0.02
    assert not aligned[inside + 1 :].any()


@pytest.mark.parametrize("midi", [48.0, 61.7, 72.0, 76.0])
def test_there_and_back(midi: float) -> None:
    on, pitch = axis(), torch.tensor([midi])
    audio = torch.stack([tone(midi), 0.5 * tone(midi, brightness=0.4)])[None] * torch.hann_window(SAMPLES)
    back = on.restore(on.align(audio, pitch), pitch)
    assert back.shape == audio.shape
    assert float((back - audio).norm() / audio.norm()) < 0.02


def test_partials_that_do_not_fit_are_left_out_not_folded() -> None:
    on, pitch = axis(points_per_cycle=16), torch.tensor([48.0])
    high = torch.sin(2 * math.pi * 11 * hertz(48) * torch.arange(SAMPLES) / RATE) * torch.hann_window(SAMPLES)
    assert float(on.align(high[None, None], pitch).norm()) < 0.02 * float(axis().align(high[None, None], pitch).norm())


def test_a_high_note_is_not_folded_on_its_way_back() -> None:
    on, pitch = PitchSynchronousAxis(lowest=48, highest=96, points_per_cycle=48, samples=SAMPLES, rate=RATE), torch.tensor([100.0])
    cycles = torch.arange(on.points) / 48
    wave = torch.sin(2 * math.pi * cycles) + torch.sin(2 * math.pi * 20 * cycles)  # the 20th partial lies at 53 kHz
    back = on.restore(wave[None, None], pitch)[0, 0, 500:-500]
    spectrum = torch.fft.rfft(back * torch.hann_window(len(back))).abs()
    near = (torch.arange(len(spectrum)) * RATE / len(back) - hertz(100)).abs() < 50
    assert float(spectrum[~near].norm()) < 0.02 * float(spectrum[near].norm())


def test_each_sound_of_a_batch_has_its_own_pitch() -> None:
    on, pitches = axis(), torch.tensor([50.0, 64.5, torch.nan])
    audio = torch.stack([tone(50), tone(64.5), tone(60)])[:, None]
    together = on.align(audio, pitches)
    for k in range(2):
        torch.testing.assert_close(together[k : k + 1], on.align(audio[k : k + 1], pitches[k : k + 1]))
    torch.testing.assert_close(together[2:], on.align(audio[2:], torch.tensor([on.middle])))  # unknown: the middle stands in


# --- the fine pitch -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cents", [-40.0, -3.5, 0.0, 0.5, 27.0])
@pytest.mark.parametrize("rate", [22_050, 44_100])
def test_a_pitch_is_found_to_half_a_cent(cents: float, rate: int) -> None:
    audio = tone(57 + cents / 100, samples=rate, rate=rate) * torch.exp(-3 * torch.arange(rate) / rate)
    assert 1200 * math.log2(refine_pitch(audio, rate, near=hertz(57)) / hertz(57)) == pytest.approx(cents, abs=0.51)


def test_what_has_no_pitch_to_find() -> None:
    assert refine_pitch(torch.zeros(4_000), RATE, near=220.0) == 220.0
    alone = torch.sin(2 * math.pi * 15_400 * torch.arange(RATE) / RATE)  # its other harmonics lie above what there is
    assert refine_pitch(alone, RATE, near=15_300.0) == pytest.approx(15_400, rel=3e-4)
    for near in (0.0, -1.0, math.nan, RATE / 2):
        with pytest.raises(ConfigError, match=r"near is .* allowed is above 0 and below 22050"):
            refine_pitch(torch.zeros(4_000), RATE, near=near)
    with pytest.raises(ShapeError, match="one mono sound"):
        refine_pitch(torch.zeros(2, 4_000), RATE, near=220.0)


# --- the model ------------------------------------------------------------------------------------------------------------


def model(notes: list[float] | None, **more: int) -> PitchSynchronous:
    torch.manual_seed(0)
    options = {"dims": 4, "coefficients": 6, "points_per_cycle": 24, "width": 16, "depth": 1} | more
    spec = feature_spec(
        options.pop("parts", 1), 1, options.get("samples", SAMPLES), samples=options.pop("samples", SAMPLES), sample_rate=RATE
    )
    one = PitchSynchronous(spec, **{"notes": notes, **options}).eval()  # type: ignore[arg-type]
    cells = len(one.mean)
    one.mean.copy_(0.1 * torch.randn(cells))
    one.basis.copy_(torch.linalg.qr(torch.randn(cells, one.coefficients))[0].T)
    torch.nn.init.normal_(one.decoder.last.weight, std=0.1)  # so that the residual path has a say
    return one


@pytest.mark.parametrize("notes", [[48.0, 72.0], None])
def test_errors_from_coefficients_are_those_of_waves(notes: list[float] | None) -> None:
    one, pitches = model(notes), torch.tensor([55.0, 66.0])
    waves = one.prepare_features(torch.stack([tone(55), tone(66)])[:, None, None], pitches[:, None])
    batch = Batch(one.compress(waves), torch.tensor([SAMPLES, SAMPLES]), pitches[:, None] if notes else None)
    found = one.reconstruct(one.posterior(batch).mean)[0]
    wanted = 100 * (waves - (found @ one.basis + one.mean)).norm(dim=1) / waves.norm(dim=1)
    torch.testing.assert_close(one.evaluate(batch).errors, wanted, rtol=1e-4, atol=1e-3)
    nats = 0.5 * len(one.mean) * (wanted / 100).square().mean().log()
    torch.testing.assert_close(one.loss(found, batch), nats, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("notes", [[48.0, 72.0], None])
def test_the_search_looks_inside_the_sound_alone(notes: list[float] | None) -> None:
    one, lengths = model(notes), torch.tensor([4_000])
    features = torch.zeros(1, 1, 1, SAMPLES)
    features[..., :4_000] = tone(58, samples=4_000)
    z = torch.tensor([[0.4, -1.0, 0.7, -0.2]])
    pitch = one.axis.midi(z[:, -1:]) if one.axis else None
    wave, whole = (
        one.prepare_features(features, None if pitch is None else pitch[:, None])[0],
        (one.reconstruct(z)[0] @ one.basis + one.mean)[0],
    )
    end = int(one.axis.inside(lengths, pitch)) if one.axis and pitch is not None else 4_000
    energy = features.square().sum() * (hertz(float(pitch[0])) * 24 / RATE if pitch is not None else 1)
    lost = (energy - wave.square().sum()).clamp_min(0)  # on its way to the axis
    assert float(lost / energy) < 0.01
    wanted = ((wave - whole)[:end].square().sum() + lost) / energy
    torch.testing.assert_close(one.objective(features, lengths, z)[0], wanted, rtol=1e-3, atol=1e-3)
    found = one.refine(features, lengths, z)
    assert float(one.objective(features, lengths, found)) < float(one.objective(features, lengths, z))
    assert notes is None or torch.equal(found[:, -1], z[:, -1])


def test_a_silent_sound_says_nothing_to_the_others() -> None:
    one, pitches, lengths = model([48.0, 72.0]), torch.tensor([55.0, torch.nan]), torch.tensor([SAMPLES, SAMPLES])
    values = one.compress(one.prepare_features(torch.stack([tone(55), torch.zeros(SAMPLES)])[:, None, None], pitches[:, None]))
    found = torch.randn(2, one.coefficients)
    both, alone = Batch(values, lengths, pitches[:, None]), Batch(values[:1], lengths[:1], pitches[:1, None])
    torch.testing.assert_close(one.loss(found, both), one.loss(found[:1], alone))
    assert float(one.errors(found, both)[1]) == 0
    assert torch.isfinite(one.loss(found[1:], Batch(values[1:], lengths[1:], pitches[1:, None])))
    assert torch.isfinite(one.refine(torch.zeros(1, 1, 1, SAMPLES), torch.tensor([1]), torch.zeros(1, 4))).all()


@pytest.mark.parametrize("notes", [[48.0, 72.0], None])
def test_each_sound_of_a_batch_is_searched_alone(notes: list[float] | None) -> None:
    one, lengths = model(notes, parts=2), torch.tensor([5_000, 700])
    features = torch.zeros(2, 2, 1, SAMPLES)
    features[0, :, 0, :5_000], features[1, :, 0, :700] = tone(58, samples=5_000), 0.1 * torch.randn(2, 700)
    start = torch.tensor([[0.1, 0.0, 0.0, -0.3], [0.0, 0.0, 0.2, 0.8]])
    together = one.refine(features, lengths, start)
    for k in range(2):
        torch.testing.assert_close(
            together[k], one.refine(features[k : k + 1], lengths[k : k + 1], start[k : k + 1])[0], rtol=1e-3, atol=1e-3
        )
    assert one.decode(together, lengths=lengths).features.shape == features.shape


def test_the_right_octave_misses_least() -> None:
    """An octave too low the axis holds half of the partials, and must not be judged on those alone."""
    one = model([36.0, 72.0], points_per_cycle=52)
    features = tone(60, brightness=0.95, partials=22)[None, None, None]

    def left(pitch: float) -> float:
        wave = one.prepare_features(features, torch.tensor([[pitch]]))[0]
        one.mean.copy_(wave)  # it knows the wave to perfection
        one.basis.zero_()
        assert one.axis is not None
        z = torch.cat([torch.zeros(1, 3), one.axis.standard(torch.tensor([pitch]))], 1)
        return float(one.objective(features, torch.tensor([SAMPLES]), z))

    assert left(60.0) < 0.05
    assert left(48.0) > 0.15


@pytest.mark.parametrize("pitch", [80.0, 84.0])
def test_a_note_above_the_axis_fades_where_it_ends(pitch: float) -> None:
    one = model([48.0, 72.0])
    assert one.axis is not None
    one.mean.copy_(torch.sin(2 * math.pi * torch.arange(len(one.mean)) / 24))
    one.basis.zero_()
    z = torch.cat([torch.zeros(1, 3), one.axis.standard(torch.tensor([pitch]))], 1)
    audio = one.decode(z, lengths=torch.tensor([SAMPLES])).features[0, 0, 0].detach()
    end = int(one.axis.reach(torch.tensor([pitch])))
    assert end < SAMPLES
    assert not audio[end:].any()
    assert audio[end - 20 : end].abs().max() < 0.1 < audio[end - 600 : end - 300].abs().max()


@pytest.mark.parametrize("change", ["representation.name=bands", "representation.block=2", "representation.normalisation=standard"])
def test_views_that_it_does_not_take(change: str) -> None:
    with pytest.raises(ConfigError, match="learns samples as they are; allowed with it is waveform with block 1, normalisation none"):
        load_preset("pitch-synchronous", changes=[change])


def test_what_it_does_not_take() -> None:
    view = build_representation({"name": "bands"}, sample_rate=RATE, channels=1)
    with pytest.raises(ConfigError, match=r"representation\.name is 'bands'.*allowed with it is waveform with block 1"):
        build_model(load_preset("pitch-synchronous").model | {"notes": None}, representation=view, samples=SAMPLES)
    with pytest.raises(ShapeError, match="features must be"):
        model(None).prepare_features(torch.zeros(1, 1, 1, SAMPLES - 1))
    with pytest.raises(ConfigError, match="raise dims, or set notes to null"):
        model([48.0, 72.0], dims=1)
    with pytest.raises(ConfigError, match="two rising MIDI numbers"):
        model([72.0, 48.0])


# --- instruments ----------------------------------------------------------------------------------------------------------

QUICK = ("model.dims=8", "model.coefficients=30", "model.width=32", "model.depth=1", "training.batch=32", "training.examples=120")


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an instrument of waves learned from 27 tones at nine pitches, one timbre out of tune."""
    folder = tmp_path_factory.mktemp("notes")
    for midi, (name, brightness) in itertools.product(range(48, 73, 3), (("dark", 0.45), ("clear", 0.6), ("bright", 0.75))):
        path = folder / "in" / name / f"{name}_{midi:03d}_100.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        wave = tone(midi + (0.3 if name == "clear" else 0), samples=16_000, brightness=brightness)
        soundfile.write(path, 0.3 * wave * torch.exp(-4 * torch.arange(16_000) / RATE), RATE)
    prepare(folder / "in", folder / "corpus")
    with pytest.MonkeyPatch.context() as patch:
        fix_plan(patch, variations=2)
        corpus = Corpus.open(folder / "corpus")
        quick_train(corpus, folder / "notes.safetensors", steps_minutes=0.02, preset="pitch-synchronous", changes=QUICK)
    return folder


def test_pitches_are_finer_than_those_of_pictures(notes: Path) -> None:
    corpus, trained = Corpus.open(notes / "corpus"), Instrument.load(notes / "notes.safetensors")
    found = trained.model.conditioning.of_clips(corpus, range(len(corpus)))
    assert found is not None
    for clip, pitch in zip(corpus.clips, found[:, 0].tolist(), strict=True):
        assert clip.pitch is not None
        assert pitch == pytest.approx(clip.pitch + (0.3 if clip.name.startswith("clear") else 0), abs=0.0075)


@pytest.mark.parametrize("pitch", [50, 60, 71])
def test_new_sounds_sound_at_the_note_asked_for(pitch: int, notes: Path) -> None:
    made = Instrument.load(notes / "notes.safetensors").generate(4, seed=3, pitch=pitch)
    heard = [estimate_pitch(sound.audio.mean(0), RATE)[0] for sound in made]
    assert all(hz is not None and abs(12 * math.log2(hz / hertz(pitch))) < 0.3 for hz in heard), heard
    assert all(sound.root_note == pitch for sound in made)


def test_copies_are_as_long_and_near(notes: Path) -> None:
    trained = Instrument.load(notes / "notes.safetensors")
    for samples in (1, 3_000, 16_000, 20_001):
        audio = tone(57, samples=samples, brightness=0.55)[None] * torch.exp(-4 * torch.arange(samples) / RATE)
        assert trained.reconstruct(audio + 1e-3).shape == audio.shape
    copy = trained.reconstruct(tone(57, samples=16_000)[None] * torch.exp(-4 * torch.arange(16_000) / RATE))
    wanted = tone(57, samples=16_000)[None] * torch.exp(-4 * torch.arange(16_000) / RATE)
    assert float((copy - wanted).norm() / wanted.norm()) < 0.5  # far less than what no phase is known of has: 1.4


def test_sounds_without_a_pitch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(write_drums(tmp_path / "in", 24), tmp_path / "corpus")
    fix_plan(monkeypatch, variations=1)
    quick_train(Corpus.open(tmp_path / "corpus"), tmp_path / "x.safetensors", steps_minutes=0.01, preset="pitch-synchronous", changes=QUICK)
    trained = Instrument.load(tmp_path / "x.safetensors")
    assert not trained.model.conditioning.required
    made = trained.generate(3, seed=1)
    assert all(np.isfinite(sound.audio.numpy()).all() and sound.audio.abs().max() > 0.1 for sound in made)
    again = Instrument.load(tmp_path / "x.safetensors").generate(3, seed=1)
    assert all(torch.equal(a.audio, b.audio) for a, b in zip(made, again, strict=True))

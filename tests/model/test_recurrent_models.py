"""Models along time steps: run by hand, causal, any length, and whole clips out of one state; bounded latents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from specs import feature_spec
from timbrespace.config.presets import load_preset
from timbrespace.contracts import ConfigError, ShapeError
from timbrespace.corpus.corpus import Corpus
from timbrespace.instrument import Instrument
from timbrespace.model.base import Batch, Model
from timbrespace.model.sequence.autoregressive import Autoregressive
from timbrespace.model.sequence.recurrent import Recurrent, RecurrentClip
from timbrespace.model.sequence.transformer import Transformer
from timbrespace.training import train as training
from timbrespace.training.losses import total
from tiny import Tiny, assert_same_tensors, quick_finish

PARTS, BANDS, FRAMES, HOP = 1, 6, 9, 10
CELLS = ("rnn", "gru", "lstm")
SPEC = feature_spec(PARTS, BANDS, FRAMES, floor=80.0, samples=FRAMES * HOP, frames_of=lambda samples: 1 + samples // HOP)


def stepwise(**more: Any) -> Autoregressive:
    torch.manual_seed(1)
    given = {"dims": 3, "encoder": (16, 8), "decoder": (8, 16)}
    return Autoregressive(SPEC, **{**given, **more})


def recurrent(cell: str, **more: Any) -> Recurrent:
    torch.manual_seed(1)
    given = {"dims": 3, "width": 8}
    return Recurrent(SPEC, **{**given, "cell": cell, **more})


def clip(cell: str, **more: Any) -> RecurrentClip:
    torch.manual_seed(1)
    given = {"dims": 3, "width": 8}
    return RecurrentClip(SPEC, **{**given, "cell": cell, **more})


def transformer(**more: Any) -> Transformer:
    torch.manual_seed(1)
    given = {"dims": 3, "width": 8, "window": 4}
    return Transformer(SPEC, **{**given, **more})


MOVING = [stepwise, *(lambda cell=cell, **more: recurrent(cell, **more) for cell in CELLS), transformer]
NAMES = ["stepwise", *CELLS, "transformer"]


def sounds(count: int = 5, *, frames: int = FRAMES, seed: int = 0) -> Batch:
    """Images and true lengths, the first sound as long as it can be."""
    images = torch.rand(count, PARTS, BANDS, frames, generator=torch.Generator().manual_seed(seed))
    return Batch(images, torch.tensor([frames * HOP - 1 - 17 * k for k in range(count)]))


# --- stepwise -------------------------------------------------------------------------------------------------------------


def by_hand(model: Autoregressive, z: Tensor) -> Tensor:
    """One sound, one step after the other, each out of what was made of the one before."""
    previous, slices = torch.zeros(BANDS), []
    for controls in z.T:
        x = torch.cat([previous, controls])
        for layer in model.decoder:
            x = layer.weight @ x + layer.bias if isinstance(layer, torch.nn.Linear) else x.clamp_min(0)
        slices.append(x)
        previous = x.clamp(0, 1)
    return torch.stack(slices, 1)


def test_free_running_equals_step_by_step() -> None:
    model = stepwise()
    z = 4 * torch.randn(2, 3, 13)
    torch.testing.assert_close(model.decode_raw(z)[1, 0], by_hand(model, z[1]))


def test_encoder_sees_previous_and_current_slice() -> None:
    model, images = stepwise(), sounds().values
    controls = model.encode_raw(images)
    frames = images[:, 0].mT
    torch.testing.assert_close(controls[:, :, 4], model.encoder(torch.cat([frames[:, 3], frames[:, 4]], 1)))
    torch.testing.assert_close(controls[:, :, 0], model.encoder(torch.cat([torch.zeros(5, BANDS), frames[:, 0]], 1)))


def test_teacher_tells_the_true_slice_while_learning_only() -> None:
    told, free, batch = stepwise(teacher_forcing=1.0), stepwise(), sounds(1)
    z = told.posterior(batch).mean
    before = torch.cat([torch.zeros(1, BANDS, 1), batch.values[:, 0, :, :-1]], 2)
    expected = told.decoder(torch.cat([before, z], 1).mT).mT
    loss = (expected - batch.values[:, 0]).square().sum(1).mean()
    torch.testing.assert_close(told(batch)["reconstruction"], loss)
    assert not torch.isclose(free(batch)["reconstruction"], loss)
    assert torch.equal(told.evaluate(batch).errors, free.evaluate(batch).errors)  # what is heard runs free
    assert torch.equal(told.decode(z).features, free.decode(z).features)


def test_a_share_of_teaching_lies_between_and_repeats() -> None:
    losses = []
    for seed in (0, 0, 1):
        model = stepwise(teacher_forcing=0.5)
        torch.manual_seed(seed)
        losses.append(float(model(sounds())["reconstruction"].detach()))
    assert losses[0] == losses[1] != losses[2]


# --- memories -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
def test_a_memory_goes_on_where_it_stopped(cell: str) -> None:
    model = recurrent(cell, depth=2)
    z = torch.randn(2, 3, FRAMES)
    whole, state, slices = model.decode_raw(z), None, []
    for k in range(FRAMES):
        out, state = model.decoder(z[:, None, :, k], state)
        slices.append(model.slice(out)[:, 0])
    torch.testing.assert_close(whole[:, 0], torch.stack(slices, 2))


def test_rnn_by_hand() -> None:
    model = recurrent("rnn")
    z, state = torch.randn(1, 3, FRAMES), torch.zeros(8)
    d = model.decoder
    for k in range(FRAMES):
        state = torch.tanh(d.weight_ih_l0 @ z[0, :, k] + d.bias_ih_l0 + d.weight_hh_l0 @ state + d.bias_hh_l0)
    torch.testing.assert_close(model.decode_raw(z)[0, 0, :, -1], model.slice.weight @ state + model.slice.bias)


@pytest.mark.parametrize("cell", CELLS)
def test_per_clip_starts_from_the_latent_and_stops_at_the_end(cell: str) -> None:
    model, batch = clip(cell, depth=2).eval(), sounds()
    z = model.posterior(batch).mean
    assert z.shape == (5, 3)
    later = batch.values.clone()
    later[3, ..., 5:] = 0.7  # 38 samples are 4 frames: what lies behind them is not heard
    torch.testing.assert_close(model.posterior(Batch(later, batch.lengths)).mean, z)
    later[3, ..., 3] = 0.7
    assert not torch.allclose(model.posterior(Batch(later, batch.lengths)).mean[3], z[3])
    features, lengths = model.decode(z, lengths=torch.tensor([5, 9, 30, 90, 500]))
    assert features.shape == (5, PARTS, BANDS, FRAMES)
    assert lengths.tolist() == [5, 9, 30, 90, 90]
    assert float(model.decode_raw(z).detach().std(3).min()) > 0  # one latent, yet it moves


# --- what moves -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MOVING, ids=NAMES)
@pytest.mark.parametrize("frames", [1, 2, 9, 40])
def test_any_length_comes_back(make: Any, frames: int) -> None:
    model = make().eval()
    features = -80 * torch.rand(2, PARTS, BANDS, frames)
    z = model.encode(features, torch.tensor([frames * HOP, frames * HOP])).mean
    assert z.shape == (2, 3, frames)
    decoded = model.decode(z)
    assert decoded.features.shape == features.shape
    assert decoded.lengths.tolist() == [frames * HOP - 1] * 2
    torch.testing.assert_close(decoded.features.amax((1, 2, 3)), torch.zeros(2))


@pytest.mark.parametrize("make", MOVING, ids=NAMES)
def test_the_future_is_not_heard(make: Any) -> None:
    model, images = make(), sounds().values
    other = images.clone()
    other[..., 6:] += 0.5
    there, changed = model.encode_raw(images), model.encode_raw(other)
    torch.testing.assert_close(changed[..., :6], there[..., :6])
    assert not torch.allclose(changed[..., 6], there[..., 6])
    back, changed_back = model.decode_raw(there), model.decode_raw(changed)
    torch.testing.assert_close(changed_back[..., :6], back[..., :6])
    assert not torch.allclose(changed_back[..., 6], back[..., 6])


@pytest.mark.parametrize("make", MOVING, ids=NAMES)
def test_silence_behind_the_end_counts_nowhere(make: Any) -> None:
    model, batch = make(bottleneck="bounded"), sounds()
    other = batch.values.clone()
    other[4, ..., 3:] = 5.0  # 21 samples are 3 frames
    one, two = model.evaluate(batch), model.evaluate(Batch(other, batch.lengths))
    torch.testing.assert_close(one.errors, two.errors)
    torch.testing.assert_close(model(batch)["reconstruction"], model(Batch(other, batch.lengths))["reconstruction"])
    with pytest.raises(ShapeError, match=r"must be \(batch, 3, steps\)"):
        model.decode(torch.zeros(1, 4, 9))


@pytest.mark.parametrize("likelihood", ["mean squared", "gaussian", "sigma", "bernoulli"])
@pytest.mark.parametrize("make", [*MOVING, *(lambda cell=cell, **more: clip(cell, **more) for cell in CELLS)], ids=[*NAMES, *CELLS])
def test_gradients_reach_every_parameter(make: Any, likelihood: str) -> None:
    model: Model = make(bottleneck="gaussian", likelihood=likelihood)
    total(model(sounds()), {"reconstruction": 1.0, "kl": 0.1}).backward()
    missed = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any() or not p.grad.isfinite().all()]
    assert not missed


def test_learning_makes_it_better() -> None:
    for model in (stepwise(), recurrent("gru"), transformer(), clip("lstm", bottleneck="plain")):
        batch = sounds()
        before = float(model.evaluate(batch).errors.detach().mean())
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(60):
            optimizer.zero_grad()
            model(batch)["reconstruction"].backward()
            optimizer.step()
        assert float(model.evaluate(batch).errors.detach().mean()) < 0.75 * before


# --- presets --------------------------------------------------------------------------------------------------------------

STEPS = ("training.epochs=1", "training.batch=8", "training.variations=0")
QUICK = ("representation.iterations=2", "representation.n_fft=512", "representation.hop=256", *STEPS)


def trained(preset: str, tiny: Tiny, out: Path, monkeypatch: pytest.MonkeyPatch, *changes: str) -> Instrument:
    quick_finish(monkeypatch, sounds=2)
    return training.train(Corpus.open(tiny.corpus), out, preset=preset, changes=(*QUICK, *changes), device="cpu", force=True)


@pytest.mark.parametrize("preset", ["mlp-steps", "rnn", "gru", "lstm", "transformer"])
def test_presets_learn_load_and_play(preset: str, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "a.safetensors"
    trained(preset, tiny, out, monkeypatch)
    loaded = Instrument.load(out)
    sound = loaded.read(tiny.sound)
    assert loaded.encode(sound).z.shape[0] == load_preset(preset).model["dims"]
    copy = loaded.reconstruct(sound)
    assert copy.shape == sound.shape
    assert torch.isfinite(copy).all()
    new = loaded.generate(2, seed=3)
    assert all(torch.isfinite(s.audio).all() and s.audio.abs().max() > 0.5 for s in new)
    assert torch.equal(loaded.replay(new[0].recipe).audio, new[0].audio)
    if preset in ("mlp-steps", "gru", "transformer"):
        trained(preset, tiny, tmp_path / "b.safetensors", monkeypatch)
        assert_same_tensors(out, tmp_path / "b.safetensors")


def test_bounded_stays_bounded(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = ("model.encoder=[32]", "model.decoder=[32]", "training.minutes=1")
    made = trained("bounded", tiny, tmp_path / "a.safetensors", monkeypatch, *small)
    sound = made.read(tiny.sound)
    hot = made.generate(4, temperature=4.0) + made.generate(2, near=sound, temperature=4.0) + made.vary(sound, 3, amount=4.0)
    latents = torch.stack([s.latent for s in hot if s.latent is not None])
    assert latents.shape == (9, 32)
    assert float(latents.abs().max()) <= 1
    assert float(made.encode(sound).z.abs().max()) <= 1
    torch.testing.assert_close(made.decode(torch.full((32,), 1.0)), made.decode(torch.full((32,), 9.0)))  # decoded as its nearest


@pytest.mark.parametrize(
    ("preset", "change", "said"),
    [
        ("mlp-steps", "model.teacher_forcing=1.5", r"model\.teacher_forcing is 1\.5, .*to 1;"),
        ("gru", "model.cell=transformer", r"model\.cell.*'rnn', 'gru', 'lstm'"),
        ("gru", "model.depth=0", r"model\.depth is 0, .*numbers from 1"),
        ("transformer", "model.heads=3", r"model\.heads is 3, .*1, 2, 4"),
        ("transformer", "model.width=100", r"model\.width is 100, .*8"),
        ("mlp-steps", "model.likelihood=stft", "samples of audio"),
    ],
)
def test_settings_that_cannot_be_are_refused(preset: str, change: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_preset(preset, changes=[change])

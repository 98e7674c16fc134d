"""Copies against originals, WAV to WAV and at the level of features, with control rows and bootstrap intervals over sounds."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from common import say, table
from timbrespace.audio.distance import MATCH_DB, log_mel_error
from timbrespace.config.build import build_model
from timbrespace.corpus.corpus import Corpus
from timbrespace.evaluation.card import copies, linear_path, true_features
from timbrespace.evaluation.features import feature_errors
from timbrespace.evaluation.reconstruction import control_rows, markdown_table, reconstruction_table, summary
from timbrespace.model.codec.oneshot import OneShot
from timbrespace.model.parts.timegrid import interpolation
from timbrespace.parallel import Pool
from timbrespace.synthesis.instrument import Instrument
from timbrespace.synthesis.notes import locate
from timbrespace.training.data.clip_dataset import ClipDataset, encode_rows

if TYPE_CHECKING:
    from path import Bench

NOTE = """Means over sounds with 95 % bootstrap intervals; smaller is better; the columns are defined in [measures](measures.md).
*Plain PCA*: as many principal components as the instrument has latent dimensions, fitted on the same training sounds without variations, in
the model's own image space and decoded by the same way back; its latent is the projection, or, *searched*, the nearest one within the
true length, found as the instrument's own is. *Encoder's guess alone*: the instrument without that search. *Linear path alone*: the
instrument with its networks silenced, searched. *True features*: no model at all. True lengths are given to every row that decodes.
Originals are clips as `prepare` makes them (mono, 44.1 kHz, from the onset)."""


def measure(bench: Bench) -> str:
    """The tables, as Markdown."""
    instruments = [Instrument.load(trained.path) for trained in bench.instruments]
    first = instruments[0]
    samples, corpus, unseen = first.contents.samples, bench.corpus, bench.unseen
    training = [corpus.audio(i)[:, :samples] for i in corpus.indices("train")]
    say(f"plain PCA of {len(training)} training sounds")
    plain = plain_pca(first, corpus)
    sets = {
        "held out": (f"files of the trained kits ({corpus.head['groups']} groups, the test split)", _clips(corpus, "test", samples)),
        "unseen": ("whole kits never trained on", _clips(unseen, None, samples)),
    }
    out = [NOTE]
    for name, (what, originals) in sets.items():
        say(f"{name}: {len(originals)} sounds, WAV to WAV")
        rows: dict[str, list[Tensor]] = {}
        for seed, instrument in enumerate(instruments):
            rows[f"instrument, {first.dims} latent dimensions" + _seed(seed)] = copies(instrument, originals)
        rows["encoder's guess alone"] = copies(searching(first, 0), originals)
        rows[f"plain PCA, {first.dims} dimensions"] = copies(plain, originals)
        rows[f"plain PCA, {first.dims} dimensions, searched"] = copies(searching(plain, _one_shot(first).searching), originals)
        for seed, instrument in enumerate(instruments):
            rows["linear path alone" + _seed(seed)] = copies(linear_path(instrument), originals)
        rows["true features"] = true_features(first, originals)
        rows |= dict(reversed(control_rows(originals, training, sample_rate=corpus.sample_rate).items()))
        wavs = markdown_table(reconstruction_table(rows, originals, sample_rate=corpus.sample_rate))
        versus = _versus(next(iter(rows.values())), rows[f"plain PCA, {first.dims} dimensions"], originals, rate=corpus.sample_rate)
        features = _features_table({f"instrument{_seed(k)}": one for k, one in enumerate(instruments)}, plain, originals)
        out += [f"**{name}**: {len(originals)} sounds, {what}.", wavs, versus, features]
    return "\n\n".join(out)


def plain_pca(instrument: Instrument, corpus: Corpus) -> Instrument:
    """The instrument with its codec replaced by plain principal components of the training clips, and its networks silenced."""
    from sklearn.decomposition import PCA

    clips = corpus.indices("train")
    settings = instrument.contents.settings["model"] | {"notes": None}  # plain: bands in Hz, no pitch
    model = build_model(settings, representation=instrument.representation, samples=instrument.contents.samples).eval()
    assert isinstance(model, OneShot)
    model.length_statistics.copy_(_one_shot(instrument).length_statistics)
    linear = Instrument(replace(instrument.contents, model=model))  # a new model's networks give zero
    encoder = ClipDataset(corpus, clips, instrument.representation, model, samples=instrument.contents.samples, seed=0)
    with Pool() as pool:
        images, _ = encode_rows(encoder, list(range(len(clips))), pool)
    fitted = PCA(min(model.dims, len(clips) - 1), svd_solver="full").fit(images.double().numpy())
    basis, scale = torch.zeros_like(model.basis), torch.ones_like(model.scale)
    count = fitted.n_components_
    basis[:count] = torch.from_numpy(fitted.components_)
    scale[:count] = torch.from_numpy(fitted.explained_variance_).sqrt().clamp_min(1e-3)
    model.set_codec(torch.from_numpy(fitted.mean_), basis, scale, model.length_statistics)
    model.searching = 0
    return linear


def searching(instrument: Instrument, steps: int) -> Instrument:
    """The same instrument with so many steps of search for the latent of a given sound."""
    model = copy.deepcopy(_one_shot(instrument))
    model.searching = steps
    return Instrument(replace(instrument.contents, model=model))


def codec_errors(instrument: Instrument, originals: list[Tensor], *, how: str) -> Tensor:
    """As `evaluation.features.feature_errors`, in dB, `(count,)`, of parts of the model.

    how: "codec" (through all its linear coefficients), "time" (through its coarse time axis alone), "mean" (the codec's mean image).
    """
    model = _one_shot(instrument)

    def one(audio: Tensor) -> Tensor:
        with torch.no_grad():
            features = instrument.representation.encode(audio[None])
            wanted = (features - features.amax()).clamp_min(-model.floor)
            pitch = None
            if model.axis is not None:
                length = torch.tensor([audio.shape[-1]])
                pitch = model.axis.midi(locate(model, features, length, audio, instrument.sample_rate)[:, -1:])
            image = model.prepare_features(features, pitch)
            if how == "codec":
                image = model.coefficients_of(image) @ model.basis + model.mean
            elif how == "mean":
                image = model.mean[None]
            image = image.reshape(1, model.parts, -1, model.steps)
            if model.axis is not None and pitch is not None:
                image = model.axis.restore(image, pitch)
            found = (image @ interpolation(model.edges))[..., : wanted.shape[3]]
            found = (found + (wanted - found)[wanted > -MATCH_DB].median()).clamp_min(-model.floor)
            return (found - wanted).square().mean().sqrt()

    with Pool() as pool:
        return torch.stack(list(pool.map(one, originals)))


def _features_table(instruments: dict[str, Instrument], plain: Instrument, originals: list[Tensor]) -> str:
    first = next(iter(instruments.values()))
    model = _one_shot(first)
    found = {name: feature_errors(one, originals) for name, one in instruments.items()}
    found["plain PCA"] = feature_errors(plain, originals)
    found["encoder's guess alone"] = feature_errors(searching(first, 0), originals)
    found["plain PCA, searched"] = feature_errors(searching(plain, model.searching), originals)
    found["linear path alone"] = feature_errors(linear_path(first), originals)
    found[f"linear codec, all {model.coefficients} coefficients"] = codec_errors(first, originals, how="codec")
    found[f"coarse time axis alone, {model.steps} steps"] = codec_errors(first, originals, how="time")
    found["mean of the training images"] = codec_errors(plain, originals, how="mean")
    rows = []
    for name, values in found.items():
        figure = summary(values)
        rows.append([name, f"{figure['mean']:.2f} ({figure['low']:.2f}–{figure['high']:.2f})"])
    return table(["features alone, no audio made", "RMSE (dB) of band levels within true lengths, one gain matched"], rows)


def _versus(ours: list[Tensor], theirs: list[Tensor], originals: list[Tensor], *, rate: int) -> str:
    difference = log_mel_error(originals, ours, sample_rate=rate) - log_mel_error(originals, theirs, sample_rate=rate)
    figure = summary(difference)
    mean, low, high = (f"{figure[key]:+.2f}" for key in ("mean", "low", "high"))
    better = 100 * float((difference < 0).float().mean())
    return f"Instrument less plain PCA, sound by sound: {mean} dB log-mel error ({low} to {high}); better on {better:.0f} % of the sounds."


def _clips(corpus: Corpus, split: str | None, samples: int) -> list[Tensor]:
    return [corpus.audio(i)[:, :samples] for i in corpus.indices(split)]


def _one_shot(instrument: Instrument) -> OneShot:
    assert isinstance(instrument.model, OneShot)
    return instrument.model


def _seed(seed: int) -> str:
    return f", seed {seed}" if seed else ""

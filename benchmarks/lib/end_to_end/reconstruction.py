"""Reconstructions against originals: errors WAV to WAV and errors of features, with control rows and bootstrap intervals over sounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lib.page import table
from lib.process import say
from timbrespace.audio.distance import MATCH_DB, log_mel_error
from timbrespace.corpus.corpus import Corpus
from timbrespace.evaluation.feature_error import feature_errors
from timbrespace.evaluation.pca_baseline import one_shot, plain_pca, with_refinement
from timbrespace.evaluation.reconstruction import markdown_table, reconstruction_table, summary
from timbrespace.evaluation.rows import control_rows, linear_path, reconstructions, true_features
from timbrespace.instrument import Instrument
from timbrespace.model.parts.timegrid import interpolation
from timbrespace.parallel import Pool

if TYPE_CHECKING:
    from lib.bench import Bench

NOTE = """Means over sounds with 95 % bootstrap intervals; smaller is better; the columns are defined in [measures](../measures.md).
*Plain PCA*: as many principal components as the instrument has latent dimensions, fitted on the same training sounds without variations, in
the model's own features and decoded in the same way. Its latent is the projection or, *refined*, the latent that gradient descent
finds, as for the instrument. *Encoder alone*: the instrument without that refinement. *Linear path alone*: the instrument with its
networks set to zero, refined. *True features*: no model at all. Every row that decodes gets the true lengths.
Originals are clips as `prepare` makes them (mono, 44.1 kHz, from the onset)."""


def measure(bench: Bench) -> str:
    """The tables as Markdown."""
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
            rows[f"instrument, {first.dims} latent dimensions" + _seed(seed)] = reconstructions(instrument, originals)
        rows["encoder alone"] = reconstructions(with_refinement(first, 0), originals)
        rows[f"plain PCA, {first.dims} dimensions"] = reconstructions(plain, originals)
        rows[f"plain PCA, {first.dims} dimensions, refined"] = reconstructions(
            with_refinement(plain, one_shot(first).refinement_steps), originals
        )
        for seed, instrument in enumerate(instruments):
            rows["linear path alone" + _seed(seed)] = reconstructions(_linear(instrument), originals)
        rows["true features"] = true_features(first, originals)
        rows |= dict(reversed(control_rows(originals, training, sample_rate=corpus.sample_rate).items()))
        wavs = markdown_table(reconstruction_table(rows, originals, sample_rate=corpus.sample_rate))
        versus = _versus(next(iter(rows.values())), rows[f"plain PCA, {first.dims} dimensions"], originals, rate=corpus.sample_rate)
        features = _features_table({f"instrument{_seed(k)}": one for k, one in enumerate(instruments)}, plain, originals)
        out += [f"**{name}**: {len(originals)} sounds, {what}.", wavs, versus, features]
    return "\n\n".join(out)


def codec_errors(instrument: Instrument, originals: list[Tensor], *, how: str) -> Tensor:
    """Errors `(count,)` in dB of a part of the model, defined as in `evaluation.features.feature_errors`.

    how: "codec" (all linear coefficients), "time" (the coarse time axis alone), "mean" (the codec's mean features).
    """
    model = one_shot(instrument)

    def one(audio: Tensor) -> Tensor:
        with torch.no_grad():
            features = instrument.representation.encode(audio[None])
            wanted = (features - features.amax()).clamp_min(-model.floor)
            pitch = None
            if model.axis is not None:
                length = torch.tensor([audio.shape[-1]])
                pitch = model.axis.midi(model.infer(features, length, audio, instrument.sample_rate)[:, -1:])
            image = model.prepare_features(features, pitch)
            if how == "codec":
                image = model.compress(image) @ model.basis + model.mean
            elif how == "mean":
                image = model.mean[None]
            image = image.reshape(1, model.spec.parts, -1, model.steps)
            if model.axis is not None and pitch is not None:
                image = model.axis.restore(image, pitch)
            found = (image @ interpolation(model.edges))[..., : wanted.shape[3]]
            found = (found + (wanted - found)[wanted > -MATCH_DB].median()).clamp_min(-model.floor)
            return (found - wanted).square().mean().sqrt()

    with Pool() as pool:
        return torch.stack(list(pool.map(one, originals)))


def _linear(instrument: Instrument) -> Instrument:
    """Returns the instrument without its networks."""
    linear = linear_path(instrument)
    assert linear is not None, "a model without a linear codec"
    return linear


def _features_table(instruments: dict[str, Instrument], plain: Instrument, originals: list[Tensor]) -> str:
    first = next(iter(instruments.values()))
    model = one_shot(first)
    found = {name: feature_errors(one, originals) for name, one in instruments.items()}
    found["plain PCA"] = feature_errors(plain, originals)
    found["encoder alone"] = feature_errors(with_refinement(first, 0), originals)
    found["plain PCA, refined"] = feature_errors(with_refinement(plain, model.refinement_steps), originals)
    found["linear path alone"] = feature_errors(_linear(first), originals)
    found[f"linear codec, all {model.coefficients} coefficients"] = codec_errors(first, originals, how="codec")
    found[f"coarse time axis alone, {model.steps} steps"] = codec_errors(first, originals, how="time")
    found["mean of the training features"] = codec_errors(plain, originals, how="mean")
    rows = []
    for name, values in found.items():
        statistics = summary(values)
        rows.append([name, f"{statistics['mean']:.2f} ({statistics['low']:.2f}–{statistics['high']:.2f})"])
    return table(["features alone, no audio made", "RMSE (dB) of band levels within true lengths, one gain matched"], rows)


def _versus(ours: list[Tensor], theirs: list[Tensor], originals: list[Tensor], *, rate: int) -> str:
    difference = log_mel_error(originals, ours, sample_rate=rate) - log_mel_error(originals, theirs, sample_rate=rate)
    statistics = summary(difference)
    mean, low, high = (f"{statistics[key]:+.2f}" for key in ("mean", "low", "high"))
    better = 100 * float((difference < 0).float().mean())
    return f"Instrument less plain PCA, sound by sound: {mean} dB log-mel error ({low} to {high}); better on {better:.0f} % of the sounds."


def _clips(corpus: Corpus, split: str | None, samples: int) -> list[Tensor]:
    return [corpus.audio(i)[:, :samples] for i in corpus.indices(split)]


def _seed(seed: int) -> str:
    return f", seed {seed}" if seed else ""

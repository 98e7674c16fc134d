"""Are the nearest training sounds of an unseen sound of its kind? And is its category recognised? Beside MFCC and principal components."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lib.page import table
from timbrespace.instrument import Instrument
from timbrespace.space.neighbours.classify import FEATURES, Classifier
from timbrespace.space.neighbours.measure import Measuring, Named, find_files, measure
from timbrespace.space.neighbours.metric import Metric, features_of, learnable, moving_features_of, nearest
from timbrespace.space.neighbours.origin import training_files
from timbrespace.space.neighbours.sounds import SoundSet, comparable
from timbrespace.space.neighbours.validate import baseline, cross_validate
from timbrespace.synthesis import encoding

UNSEEN = ("Audiophob", "HardElectro1", "circAfrique v4", "sonic-pi")  # kits that the instrument must not have learned
COUNT = 10
_DRAWS = 2_000  # of the bootstrap

NOTE = """Precision: share of the ten nearest training sounds that have the category (or kit, or instrument) of the sound, mean over the
sounds, with the 95 % interval of the difference to the means of MFCC (bootstrap over sounds). Only categories with ten training sounds or
more. MFCC: 20 coefficients of 40 mel bands: means, or means and deviations (standardised). Principal components: as many as the latent has
numbers, of the features that the model encodes. Latent, searched: after 60 gradient steps (`Model.refine`), as `vary` and `morph` encode;
`find` leaves them out. The support vector machine (radial kernel, standardised) takes the best of C = 1, 10, 100 for the test sounds."""


@dataclass(frozen=True)
class Case:
    """Test sounds against the training sounds. labels, known: of the test and of the training sounds; "" counts for nothing."""

    name: str
    test: SoundSet
    training: SoundSet
    labels: list[str]
    known: list[str]


def run(sounds: Path, *, drums: Path, notes: Path) -> str:
    """Returns the tables as Markdown. sounds: made by real_audio.py. drums: trained without the kits of `UNSEEN`; notes: on all notes."""
    instrument = Instrument.load(drums)
    training = _training(instrument, sounds / "drums")
    assert not {name.split("/")[0] for name in training.names} & set(UNSEEN), f"{drums} has learned unseen kits"
    unseen = _measured(instrument, find_files([sounds / "drums" / kit for kit in UNSEEN], whole=True).sounds)
    held = _held_out(instrument, training, sounds / "drums")
    piano = Instrument.load(notes)
    tones = _training(piano, sounds / "notes")
    others = _held_out(piano, tones, sounds / "notes")
    cases = [
        (instrument, Case("category, unseen kits", unseen, training, _kinds(unseen), _kinds(training))),
        (instrument, Case("kit, held-out drums", held, training, _folders(held), _folders(training))),
        (piano, Case("instrument, held-out notes", others, tones, _folders(others), _folders(tones))),
    ]
    columns = [_precisions(one, case) for one, case in cases]
    heads = [f"{case.name} ({len(_rows(case))})" for _, case in cases]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    text = [f"**Precision at {COUNT}**", "", table([f"the {COUNT} nearest by", *heads], rows), "", "**Recognised categories**", ""]
    recognised = [_recognised(training, unseen), _recognised(tones, replace(others, categories=tuple(_folders(others))), by_folder=True)]
    text.append(table(["", f"unseen kits ({recognised[0][0]})", f"held-out notes ({recognised[1][0]})"], [
        [name, *(one[1][name] for one in recognised)] for name in recognised[0][1]
    ]))  # fmt: skip
    return "\n".join([*text, "", NOTE])


def _training(instrument: Instrument, folder: Path) -> SoundSet:
    """The training sounds with a whole file of their own, with their cepstra."""
    sounds = instrument.neighbours.training
    files = training_files(sounds, [folder])
    rows = [row for row, name in enumerate(sounds.names) if name in files and "#" not in name]
    part = sounds.only(rows)
    read = measure(instrument.contents, [files[name] for name in part.names], Measuring(cepstra=True))
    return replace(part, cepstra=read.cepstra).with_paths(read.paths)


def _held_out(instrument: Instrument, training: SoundSet, folder: Path) -> SoundSet:
    """The files of the same folders that the instrument did not learn from."""
    folders, learned = set(_folders(training)), {name.partition("#")[0] for name in instrument.neighbours.training.names}
    files = [one for one in find_files([folder]).sounds if one.name.split("/")[0] in folders and one.name not in learned]
    return _measured(instrument, files)


def _measured(instrument: Instrument, sounds: list[Named]) -> SoundSet:
    return measure(instrument.contents, sounds, Measuring(cepstra=True), problems=[])


def _kinds(sounds: SoundSet) -> list[str]:
    return [category or "" for category in sounds.categories]


def _folders(sounds: SoundSet) -> list[str]:
    return [name.split("/")[0] for name in sounds.names]


def _rows(case: Case) -> list[int]:
    """The test sounds whose label ten training sounds have."""
    return [row for row, label in enumerate(case.labels) if label and case.known.count(label) >= COUNT]


def _precisions(instrument: Instrument, case: Case) -> dict[str, str]:
    """The precision of each way to compare sounds, as text."""
    test, training = case.test, case.training
    assert test.cepstra is not None
    assert training.cepstra is not None
    linear = instrument.model.linear_part()
    assert linear is not None
    plain = replace(instrument.contents, model=linear)
    means = slice(0, test.cepstra.shape[1] // 2)
    ways: dict[str, tuple[Tensor, Tensor]] = {
        "MFCC, means": (test.cepstra[:, means], training.cepstra[:, means]),
        "MFCC, means and deviations": _standard(test.cepstra, training.cepstra),
        "principal components": (_encoded(plain, instrument, test), _encoded(plain, instrument, training)),
        "embedding": (test.embeddings, training.embeddings),
        "latent": (test.latents, training.latents),
        "latent, searched": (_encoded(instrument.contents, instrument, test, search=True), training.latents),
    }
    unlabelled = Metric.fit(replace(training, categories=(None,) * len(training)))
    ways["embedding and latent"] = (unlabelled.points(test), unlabelled.points(training))
    whole = Metric.fit(training)
    ways["**`find`**: and what tells categories apart"] = (whole.points(test), whole.points(training))
    rows = _rows(case)
    hits = {name: _hits(case, rows, *points) for name, points in ways.items()}
    first = hits["MFCC, means"]
    return {name: f"{found.mean():.3f}" + ("" if found is first else _interval(found - first)) for name, found in hits.items()}


def _hits(case: Case, rows: list[int], test: Tensor, training: Tensor) -> np.ndarray:
    """Share of the ten nearest with the same label, one a test sound."""
    _, indices = nearest(test[rows].double(), training.double(), COUNT)
    return np.array([np.mean([case.known[k] == case.labels[row] for k in near]) for row, near in zip(rows, indices.tolist(), strict=True)])


def _interval(differences: np.ndarray) -> str:
    random = np.random.default_rng(0)
    means = differences[random.integers(0, len(differences), (_DRAWS, len(differences)))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f" ({low:+.3f} to {high:+.3f})"


def _standard(test: Tensor, training: Tensor) -> tuple[Tensor, Tensor]:
    mean, deviation = training.mean(0), training.std(0).clamp_min(1e-9)
    return (test - mean) / deviation, (training - mean) / deviation


def _encoded(contents: object, instrument: Instrument, sounds: SoundSet, *, search: bool = False) -> Tensor:
    """Latents `(n, dims)` of the files of sounds, by another model or with the search for the best latent."""
    latents = []
    for path in sounds.paths:
        assert path is not None
        sound = encoding.trim_to_onset(instrument.contents, instrument.read(path), None)[0]
        latents.append(encoding.encode(contents, sound, search=search).z)  # type: ignore[arg-type]
    return comparable(instrument.contents, torch.stack(latents))


def _recognised(training: SoundSet, test: SoundSet, *, by_folder: bool = False) -> tuple[int, dict[str, str]]:
    """How many test sounds have a category that can be learned, and the share that each classifier recognises, as text."""
    if by_folder:
        training = replace(training, categories=tuple(_folders(training)))
    part = test.only([row for row, kind in enumerate(test.categories) if kind in learnable(training.categories)])
    truth = np.array(part.categories)
    assert part.cepstra is not None
    assert training.cepstra is not None
    vectors = [np.array(baseline(training, part, penalty=c)) == truth for c in (1.0, 10.0, 100.0)]
    best = max(vectors, key=lambda right: right.mean())
    rows = {"MFCC and a support vector machine": best}
    chosen = cross_validate(training).uses
    for name, own, given in (
        ("MFCC and linear discriminant analysis", training.cepstra, part.cepstra),
        ("embedding and latent", features_of(training), features_of(part)),
        ("embedding and its movement", moving_features_of(training), moving_features_of(part)),
        ("**`find --classify`**: the better of the two in cross-validation", FEATURES[chosen](training), FEATURES[chosen](part)),
    ):
        classifier = Classifier.fit(training, features=own.double())
        found = np.array(classifier.categories)[classifier.log_probabilities(given.double()).argmax(1)]
        rows[name] = found == truth
    shown = {name: f"{right.mean():.3f}" + ("" if right is best else _interval(right - 1.0 * best)) for name, right in rows.items()}
    return len(part), shown

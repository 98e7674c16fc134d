"""How well categories are recognised: cross-validation by group, beside a plain baseline of MFCC and a support vector machine."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from timbrespace.contracts import ConfigError
from timbrespace.corpus.grouping import connected_components, layer_pairs
from timbrespace.corpus.labels.categories import DRUM_CATEGORIES
from timbrespace.corpus.labels.names import layer_key
from timbrespace.space.neighbours.classify import FEATURES, TOO_FEW, Classifier, softened
from timbrespace.space.neighbours.duplicates import duplicates
from timbrespace.space.neighbours.metric import learnable
from timbrespace.space.neighbours.sounds import SoundSet

_FOLDS = 5
_FEWEST_KITS, _KINDS_OF_A_KIT = 3, 2  # folders that are kits: as many of them, and as many categories in most of them
_TEMPERATURES = np.geomspace(0.5, 16.0, 31)


@dataclass(frozen=True)
class Recognition:
    """The result of a cross-validation.

    by: what training and test do not share: a "kit" (folder), or a "hit" (near-duplicates and layers of one sound). right: of each
    category, how many sounds were recognised, and of how many. rows: the sounds that were tried; named, found: their category by label
    and by recognition; confidences: of the latter. temperature: see `Classifier`. uses: the features that recognise more, see `FEATURES`.
    baseline: as `right`, of the same sounds by MFCC and a support vector machine; None where it was not measured. untried: categories
    whose sounds are all of one group.
    """

    by: str
    right: dict[str, tuple[int, int]]
    rows: tuple[int, ...]
    named: tuple[str, ...]
    found: tuple[str, ...]
    confidences: tuple[float, ...]
    temperature: float
    uses: str
    baseline: dict[str, tuple[int, int]] | None = None
    untried: tuple[str, ...] = ()

    @property
    def accuracy(self) -> float:
        """Share of the sounds that were recognised, 0 to 1."""
        return share_of(self.right)

    @property
    def baseline_accuracy(self) -> float | None:
        """The same of the baseline; None where it was not measured."""
        return None if self.baseline is None else share_of(self.baseline)


def share_of(right: dict[str, tuple[int, int]]) -> float:
    """Returns the share of recognised sounds over all categories."""
    return sum(a for a, _ in right.values()) / max(1, sum(b for _, b in right.values()))


def groups_of(sounds: SoundSet) -> tuple[str, np.ndarray]:
    """Returns "kit" or "hit" and the group `(n,)` of each sound, whose members must not be apart in a cross-validation.

    Kits are the outermost folders, where three or more hold sounds of several categories each. Else near-duplicates, layers of one hit
    and the parts of one file are together.
    """
    folders = [name.split("/")[0] if "/" in name else "" for name in sounds.names]
    kinds: dict[str, set[str]] = defaultdict(set)
    for folder, category in zip(folders, sounds.categories, strict=True):
        kinds[folder] |= {category} if category is not None else set()
    labelled = [folder for folder, found in kinds.items() if found]
    mixed = [folder for folder in labelled if len(kinds[folder]) >= _KINDS_OF_A_KIT]
    if len(mixed) >= _FEWEST_KITS and 2 * len(mixed) >= len(labelled):
        return "kit", np.unique(folders, return_inverse=True)[1]
    whole = [PurePosixPath(name.split("#")[0]) for name in sounds.names]
    kinds_known = zip(whole, sounds.categories, strict=True)
    pairs = [layer_pairs([(str(path.parent), *layer_key(path.name, is_drum=kind in DRUM_CATEGORIES)) for path, kind in kinds_known])]
    pairs += [np.array([[one.rows[0], row] for row in one.rows[1:]]) for one in duplicates(sounds)]
    files: dict[PurePosixPath, int] = {}
    pairs.append(np.array([(files.setdefault(path, row), row) for row, path in enumerate(whole)]))
    return "hit", connected_components(len(sounds), np.concatenate([pair.reshape(-1, 2) for pair in pairs]).astype(np.int64))


def cross_validate(sounds: SoundSet, *, groups: Sequence[int] | np.ndarray | None = None, by: str = "group") -> Recognition:
    """Returns how well the categories of labelled sounds are recognised by what was learned from other groups.

    groups: of each sound, with their name `by`; None: `groups_of`. The baseline is measured where the sounds have cepstra. Raises
    ConfigError with fewer than two categories of three sounds, or where all sounds are one group.
    """
    if groups is None:
        by, groups = groups_of(sounds)
    known = learnable(sounds.categories)
    rows = [row for row, category in enumerate(sounds.categories) if category in known]
    labels, places = np.array([sounds.categories[row] for row in rows]), np.asarray(groups)[rows]
    if len(known) < 2 or len(np.unique(places)) < 2:
        raise ConfigError(
            f"recognition cannot be measured: {len(known)} categories, {len(np.unique(places))} groups; {TOO_FEW}, in two groups"
        )
    fold = _folds(labels, places)
    plain = np.full(len(rows), "", labels.dtype)
    logs = {uses: np.full((len(rows), len(known)), -np.inf) for uses in FEATURES}
    for number in np.unique(fold):
        training = sounds.only([rows[k] for k in np.flatnonzero(fold != number)])
        learned = learnable(training.categories)
        test = np.array([k for k in np.flatnonzero(fold == number) if labels[k] in learned], np.int64)
        if len(learned) < 2 or not len(test):
            continue
        part = sounds.only([rows[k] for k in test])
        columns = np.array([known.index(name) for name in learned])
        for uses, features in FEATURES.items():
            logs[uses][np.ix_(test, columns)] = Classifier.fit(training, uses=uses).log_probabilities(features(part))
        if sounds.cepstra is not None:
            plain[test] = baseline(training, part)
    used = np.flatnonzero(np.isfinite(logs["latent"]).any(1))
    if not len(used):
        raise ConfigError(f"recognition cannot be measured: every category is of one {by}; {TOO_FEW}, in two groups")
    truth = np.array([known.index(label) for label in labels[used]])
    best = max(FEATURES, key=lambda uses: (logs[uses][used].argmax(1) == truth).sum())
    chosen = logs[best][used].clip(-700.0)
    temperature = _calibrated(chosen, truth)
    found = np.array(known)[chosen.argmax(1)]
    return Recognition(
        by,
        _right(labels[used], found),
        tuple(rows[k] for k in used),
        tuple(map(str, labels[used])),
        tuple(map(str, found)),
        tuple(float(value) for value in softened(chosen, temperature).max(1)),
        temperature,
        best,
        _right(labels[used], plain[used]) if sounds.cepstra is not None else None,
        tuple(name for name in known if name not in set(labels[used])),
    )


def baseline(training: SoundSet, test: SoundSet, *, penalty: float = 10.0) -> list[str]:
    """Returns the categories of test sounds by standardised MFCC and a support vector machine (radial kernel, C = `penalty`)."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    known = learnable(training.categories)
    rows = [row for row, category in enumerate(training.categories) if category in known]
    assert training.cepstra is not None
    assert test.cepstra is not None
    fitted = make_pipeline(StandardScaler(), SVC(C=penalty)).fit(
        training.cepstra[rows].double().numpy(), np.array([training.categories[row] for row in rows])
    )
    return [str(name) for name in fitted.predict(test.cepstra.double().numpy())]


def _folds(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The fold of each sound `(n,)`: groups stay together; the largest first, each to the fold with the fewest sounds of its categories."""
    names = np.unique(labels)
    held = np.zeros((_FOLDS, len(names)))
    fold = np.zeros(len(labels), np.int64)
    sizes = Counter(groups.tolist())
    for group in sorted(sizes, key=lambda one: (-sizes[one], one)):
        members = np.flatnonzero(groups == group)
        counts = np.array([(labels[members] == name).sum() for name in names])
        number = int(np.argmin((held * counts).sum(1) / counts.sum() + 1e-3 * held.sum(1)))
        held[number] += counts
        fold[members] = number
    return fold


def _calibrated(logs: np.ndarray, truth: np.ndarray) -> float:
    """The temperature at which the mean confidence is nearest to the share of sounds that are right."""
    share = (logs.argmax(1) == truth).mean()
    return float(min(_TEMPERATURES, key=lambda t: abs(softened(logs, t).max(1).mean() - share)))


def _right(labels: np.ndarray, found: np.ndarray) -> dict[str, tuple[int, int]]:
    return {str(name): (int((found[labels == name] == name).sum()), int((labels == name).sum())) for name in np.unique(labels)}

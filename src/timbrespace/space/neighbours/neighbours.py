"""Search, duplicates, outliers, clusters and categories of sounds, as an instrument encodes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from timbrespace.audio.describe import NAMES
from timbrespace.audio.embedding import embedding
from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.space.neighbours.classify import Classification, Classifier
from timbrespace.space.neighbours.clusters import Cluster, clusters
from timbrespace.space.neighbours.duplicates import Duplicates, duplicates
from timbrespace.space.neighbours.measure import QUICK, Measuring, Named, Progress, find_files, measure
from timbrespace.space.neighbours.metric import Metric
from timbrespace.space.neighbours.outliers import Outlier, outliers
from timbrespace.space.neighbours.search import Match, search
from timbrespace.space.neighbours.sounds import SoundSet, comparable, has_names, training_sounds
from timbrespace.space.neighbours.validate import Recognition, cross_validate
from timbrespace.synthesis.file.contents import InstrumentContents
from timbrespace.synthesis.novelty import COPY_DB
from timbrespace.synthesis.sound import Sound

Given = Tensor | Sound | Path | str  # a file, a sound of timbrespace, or samples `(channels, time)` at the instrument's rate
Among = SoundSet | Path | str | Sequence[Given]  # a folder, or several sounds


class Neighbours:
    """Searches the training sounds of an instrument, or any other sounds, with the instrument's ear.

    The measurements of the training sounds, and the distance fitted to them, are kept for further calls. With a stripped instrument only
    other sounds can be searched; the distance then has no directions of categories, and its unit is that of these sounds.
    """

    def __init__(self, contents: InstrumentContents):
        self.contents = contents
        self._metrics: dict[str, Metric] = {}

    @cached_property
    def training(self) -> SoundSet:
        """The training sounds. Raises ConfigError for a stripped instrument."""
        return training_sounds(self.contents)

    @cached_property
    def recognition(self) -> Recognition:
        """How well the categories of the training sounds are recognised, by cross-validation. Raises ConfigError."""
        return cross_validate(self.training)

    @cached_property
    def classifier(self) -> Classifier:
        """The classifier of the training sounds. Raises ConfigError for a stripped instrument, or one with fewer than two categories."""
        try:
            known = self.recognition
        except ConfigError:  # too few groups to validate; too few categories raise below
            return Classifier.fit(self.training)
        return Classifier.fit(self.training, uses=known.uses, temperature=known.temperature)

    def metric(self, among: SoundSet, *, by: str = "all") -> Metric:
        """Returns the distance fitted to the training sounds; of a stripped instrument, to the sounds `among`. Raises ConfigError."""
        if not has_names(self.contents):
            return Metric.fit(among, by=by)
        if by not in self._metrics:
            self._metrics[by] = Metric.fit(self.training, by=by)
        return self._metrics[by]

    def measured(
        self,
        sounds: Among,
        *,
        descriptors: Sequence[str] = QUICK,
        cepstra: bool = False,
        problems: list[tuple[str, str]] | None = None,
        progress: Progress | None = None,
    ) -> SoundSet:
        """Returns sounds, measured: a folder, or several files or samples. problems, progress: see `measure`. Raises TimbrespaceError."""
        if isinstance(sounds, SoundSet):
            return sounds
        named: list[Named] = []
        if isinstance(sounds, str | Path):
            found = find_files([Path(sounds)])
            named = found.sounds
            if problems is not None:
                problems += found.problems
        else:
            named = [_named(sound, number) for number, sound in enumerate(_several(sounds), start=1)]
        return measure(self.contents, named, Measuring(descriptors, cepstra), problems=problems, progress=progress)

    def find(
        self, sound: Given, count: int = 10, *, among: Among | None = None, category: str | None = None, by: str = "all"
    ) -> list[Match]:
        """Returns the `count` sounds most like one, see `Instrument.find`."""
        given = self.measured([sound], descriptors=NAMES)
        others = self.training if among is None else self.measured(among, problems=[])
        return search(self.metric(others, by=by), given, others, count, category=category)[0]

    def find_new(self, z: Tensor, sound: Tensor, count: int = 10) -> list[Match]:
        """Returns the `count` training sounds most like a new one: its latent `(dims,)` and its audio `(channels, time)`.

        The latent counts as it is, so that no sound is encoded. Raises ConfigError for a stripped instrument.
        """
        point = embedding([sound], sample_rate=self.contents.sample_rate).half().float()  # as an instrument stores them
        unknown = torch.full((1, len(NAMES)), torch.nan)
        new = SoundSet(("new",), (None,), point, comparable(self.contents, z[None]), unknown, (None,))
        return search(self.metric(self.training), new, self.training, count)[0]

    def classify(self, sounds: Given | Among) -> list[Classification]:
        """Returns the category of each sound, see `Instrument.classify`."""
        one = isinstance(sounds, Tensor | Sound) or (isinstance(sounds, str | Path) and not Path(sounds).is_dir())
        several: Among = [sounds] if one else sounds  # type: ignore[list-item,assignment]
        return self.classifier.classify(self.measured(several, descriptors=()))

    def outliers(self, among: Among | None = None) -> list[Outlier]:
        """Returns sounds by how unlike all training sounds they are, see `Instrument.outliers`."""
        if among is None:
            return outliers(self.metric(self.training), self.training)
        sounds = self.measured(among, problems=[])
        if has_names(self.contents):
            return outliers(self.metric(sounds), sounds, self.training)
        return outliers(self.metric(sounds), sounds)

    def clusters(self, count: int | None = None, *, among: Among | None = None, examples: int = 3) -> list[Cluster]:
        """Returns groups of like sounds, see `Instrument.clusters`."""
        sounds = self.training if among is None else self.measured(among, problems=[])
        return clusters(self.metric(sounds), sounds, count, examples=examples)

    def duplicates(self, *, within: float = COPY_DB, among: Among | None = None) -> list[Duplicates]:
        """Returns sets of sounds that are nearly the same, see `Instrument.duplicates`."""
        return duplicates(self.training if among is None else self.measured(among, descriptors=(), problems=[]), within=within)


def _several(sounds: Iterable[Given]) -> list[Given]:
    found = list(sounds)
    if not found:
        raise TimbrespaceError("no sounds were given; give a folder, files, or samples (channels, time)")
    return found


def _named(sound: Given, number: int) -> Named:
    """One given sound. Files outside a folder have the categories of their own and their folder's name."""
    if isinstance(sound, Sound):
        return Named(sound.name, sound.category, audio=sound.audio, rate=sound.sample_rate)
    if isinstance(sound, str | Path):
        if Path(sound).is_dir():
            raise ConfigError(f"{sound} is a folder where one sound is expected; give a file, or the folder alone as among=")
        return find_files([Path(sound)]).sounds[0]
    return Named(f"sound {number}", audio=sound)

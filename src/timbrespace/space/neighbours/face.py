"""The methods of an instrument that search sounds; a part of the class `Instrument`."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timbrespace.space.neighbours import neighbours as near
    from timbrespace.synthesis.file.contents import InstrumentContents


class NeighbourSearch:
    """Similar sounds, duplicates, outliers, clusters and categories, as an instrument encodes sounds."""

    if TYPE_CHECKING:

        @property
        def contents(self) -> InstrumentContents:
            """The parts of the instrument."""

    @cached_property
    def neighbours(self) -> near.Neighbours:
        """Similarity of sounds as the instrument encodes them: search, duplicates, outliers, clusters, categories; see `Neighbours`."""
        from timbrespace.space.neighbours.neighbours import Neighbours

        return Neighbours(self.contents)

    def find(
        self, sound: near.Given, n: int = 10, *, among: near.Among | None = None, category: str | None = None, by: str = "all"
    ) -> list[near.Match]:  # fmt: skip
        """Returns the `n` training sounds most like a sound, nearest first, with similarity and words for the difference.

        sound: a file, a Sound, or samples `(channels, time)` at the instrument's rate. among: a folder, or several sounds, to search
        instead. category: search only sounds of it. by: "all", or by the embedding ("sound") or the latent alone. Raises ConfigError,
        also for a stripped instrument without `among`, AudioFileError, ShapeError.
        """
        return self.neighbours.find(sound, n, among=among, category=category, by=by)

    def classify(self, sounds: near.Given | near.Among) -> list[near.Classification]:
        """Returns the likeliest category of each sound: of one, of several, or of all in a folder. Raises ConfigError, AudioFileError."""
        return self.neighbours.classify(sounds)

    def outliers(self, among: near.Among | None = None) -> list[near.Outlier]:
        """Returns the training sounds, the most unlike all others first, and why; among: those sounds against the training sounds."""
        return self.neighbours.outliers(among)

    def clusters(self, count: int | None = None, *, among: near.Among | None = None) -> list[near.Cluster]:
        """Returns groups of like training sounds, or of those `among`, the largest first. count: None chooses it, see `clusters`."""
        return self.neighbours.clusters(count, among=among)

    def duplicates(self, *, within: float = 1.0, among: near.Among | None = None) -> list[near.Duplicates]:
        """Returns sets of training sounds, or of those `among`, that are within `within` dB of each other, see `audio.embedding`."""
        return self.neighbours.duplicates(within=within, among=among)

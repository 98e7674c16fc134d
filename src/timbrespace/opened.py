"""An opened instrument: its file, its engine and its parts, the part class of `Instrument` that reads and writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timbrespace.contracts import ConfigError
from timbrespace.synthesis.output.engines import NATIVE, PYTORCH, check_engine
from timbrespace.synthesis.output.labelling import numbered_names, shared_card

if TYPE_CHECKING:
    from typing import Self

    from timbrespace.latent.space import LatentSpace
    from timbrespace.model.base import Model
    from timbrespace.native.engine import Player
    from timbrespace.native.opening import NoPlayer
    from timbrespace.representation.base import Representation
    from timbrespace.synthesis.file.contents import InstrumentContents


class OpenedInstrument:
    """The parts of an instrument. Those that need PyTorch are made when they are first used."""

    def __init__(self, contents: InstrumentContents | None = None, *, player: Player | NoPlayer | None = None):
        """contents: the parts of the instrument; use `Instrument.load` for a file. player: of the file, which replaces contents."""
        from timbrespace.native.engine import Player

        if contents is None and not isinstance(player, Player):
            raise TypeError("an instrument needs its contents; use Instrument.load for a file")
        self._contents = contents
        self._player = player if isinstance(player, Player) else None
        self._no_player = None if isinstance(player, Player) else player

    @classmethod
    def load(cls, path: Path | str, *, engine: str = "auto") -> Self:
        """Returns the instrument in a file. Raises InstrumentFileError when it is damaged, foreign, or of another version.

        engine: what renders new sounds: "native", the core, which is fast and needs no PyTorch; "pytorch"; or "auto", the core where it
        plays the instrument. Raises ConfigError where "native" is asked for and the core does not play it.
        """
        from timbrespace.native.engine import Player
        from timbrespace.native.opening import open_player

        player = open_player(Path(path)) if check_engine(engine) != PYTORCH else None
        if isinstance(player, Player):
            return cls(player=player)
        from timbrespace.synthesis.file.reading import read_instrument

        contents = read_instrument(Path(path))
        if engine == NATIVE and player is not None:
            raise ConfigError(f"the native core does not play {path}: {player.reason}; leave the engine out, or give pytorch")
        return cls(contents, player=player)

    @property
    def engine(self) -> str:
        """What renders new sounds: "native" or "pytorch"."""
        return PYTORCH if self._player is None else NATIVE

    @property
    def not_native(self) -> str:
        """Why the native core does not play it, in words; empty where it does."""
        return "" if self._player is not None else "its engine is pytorch" if self._no_player is None else self._no_player.reason

    @property
    def contents(self) -> InstrumentContents:
        """Everything that the instrument is made of, as PyTorch uses it; read from the file at first use."""
        if self._contents is None:
            from timbrespace.synthesis.detail.near import use_core
            from timbrespace.synthesis.file.reading import contents_of

            assert self._player is not None
            file = self._player.file
            contents = contents_of(file.path, file.data)
            self._contents = anonymised(contents) if file.anonymous else contents
            use_core(contents, self._player)
        return self._contents

    @property
    def representation(self) -> Representation:
        """The view of sound that the model learned."""
        return self.contents.representation

    @property
    def model(self) -> Model:
        """The model: encoder and decoder."""
        return self.contents.model

    @property
    def space(self) -> LatentSpace:
        """The density of the corpus in the latent space."""
        return self.contents.space

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz."""
        return self.contents.sample_rate if self._player is None else self._player.file.sample_rate

    @property
    def channels(self) -> int:
        """Channels of its sounds, 1 or 2."""
        return self.contents.channels if self._player is None else self._player.file.channels

    @property
    def card(self) -> dict[str, Any]:
        """The card: measured facts about the instrument."""
        return self.contents.card if self._player is None else self._player.file.card

    @property
    def dims(self) -> int:
        """Size of the latent space."""
        return self.contents.model.dims if self._player is None else self._player.dims

    @property
    def longest(self) -> int | None:
        """Samples of the longest sound that is encoded whole, from the onset; None where any length is encoded."""
        if self._player is not None:  # it plays no latents that vary in time
            return self._player.file.samples
        from timbrespace.synthesis.encoding import longest_length

        return longest_length(self.contents)

    @property
    def categories(self) -> list[str]:
        """Categories that `generate` accepts."""
        return self.contents.space.categories if self._player is None else self._player.file.categories

    @property
    def conditions(self) -> list[str]:
        """Conditions that `generate` accepts, for people: "category: kick, snare", "brightness: 200 to 9000"."""
        return self.contents.model.conditioning.describe()

    def save(self, path: Path | str, *, strip: bool = False, bits: int | None = None, force: bool = False) -> None:
        """Writes the instrument. Raises OutputExistsError, TimbrespaceError.

        strip: leave out names, latents and features of the training sounds, for sharing; categories of one or two sounds lose their
        name. bits: of the model's weights, 16 or 8, for a smaller file, see `file.bits`; None: as trained.
        """
        from timbrespace.synthesis.file.writing import write_instrument

        contents = self.contents
        if strip:
            space = self.space if contents.clips is None else self.space.anonymous(contents.clips.in_density)
            contents = replace(
                contents, clips=None, origin=None, name_words=None, space=space, card=shared_card(self.card, space.categories)
            )
        write_instrument(contents, Path(path), force=force, bits=bits)

    def anonymous(self) -> Self:
        """Returns the instrument without the names of its training sounds: they are numbered, "training sound 17".

        Categories of one or two sounds lose their name, as in a stripped file. Sounds, novelty and map stay, so its recipes and pages
        can be shared. Like a stripped instrument it gives the same sounds for the same seed, unless it has such categories.
        """
        if self._player is not None:
            return type(self)(player=self._player.anonymous())
        contents = anonymised(self.contents)
        return self if contents is self.contents else type(self)(contents)


def anonymised(contents: InstrumentContents) -> InstrumentContents:
    """Returns contents that number their training sounds, see `Instrument.anonymous`."""
    if contents.clips is None:
        return contents
    space = contents.space.anonymous(contents.clips.in_density)
    categories = tuple(name if name in space.categories else None for name in contents.clips.categories)
    clips = replace(contents.clips, names=numbered_names(len(contents.clips.names)), categories=categories)
    card = shared_card(contents.card, space.categories)
    return replace(contents, clips=clips, origin=None, name_words=None, space=space, card=card)

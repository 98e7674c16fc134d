"""The instrument: what training produces and everything else opens."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from timbrespace.contracts import ConfigError, Parameter
from timbrespace.opened import OpenedInstrument
from timbrespace.space.controls.face import Steerable
from timbrespace.space.neighbours.face import NeighbourSearch
from timbrespace.synthesis.output.engines import NATIVE, engine_of
from timbrespace.synthesis.showing import set_viewer
from timbrespace.synthesis.transfer.face import Recordings, check_seed

if TYPE_CHECKING:
    from torch import Tensor

    from timbrespace.model.conditioning.base import ConditionValues
    from timbrespace.prompt import Reading, TextEncoder
    from timbrespace.report.map.sound_map import SoundMap
    from timbrespace.space.atlas.build import GivenPoint
    from timbrespace.space.controls.wishes import Wishes
    from timbrespace.space.moves.moves import Moves
    from timbrespace.space.statistics.statistics import LatentStatistics
    from timbrespace.synthesis.detail.finding import Sources
    from timbrespace.synthesis.detail.given import GivenSound
    from timbrespace.synthesis.detail.source import Source
    from timbrespace.synthesis.encoding import EncodedSound
    from timbrespace.synthesis.finish import Level
    from timbrespace.synthesis.kinds import Kind
    from timbrespace.synthesis.output.nearest import Nearest
    from timbrespace.synthesis.rendering import Progress
    from timbrespace.synthesis.request import RenderRequest
    from timbrespace.synthesis.sound import Sound
    from timbrespace.synthesis.sounds import Sounds

    Given = GivenSound | Tensor | Path | str  # a sound that a user gives: a file, or samples at the instrument's rate

TEMPERATURE = Parameter("temperature", 0.0, 4.0, 1.0, help="spread of new sounds about the middle of their category; 0 gives the middles")
AMOUNT = Parameter("amount", 0.0, 4.0, 0.3, help="distance of variations from the sound, in units of the corpus's spread")
MOST_SOUNDS = 100_000
_ALIKE = "it is within 0.1 dB (log-mel) of the first one, and not the same samples"
_LOG = logging.getLogger(__name__)


class Instrument(OpenedInstrument, NeighbourSearch, Steerable, Recordings):
    """A trained instrument. `Instrument.load(path).generate(16, seed=1)` returns sixteen new sounds.

    Everything is deterministic: the same instrument, arguments, machine and versions give the same samples, and sound *i* of a
    batch does not depend on the batch's size.
    """

    def novelty(self, audio: Tensor, *, sample_rate: int | None = None) -> Nearest | None:
        """Returns the nearest training sound of a given sound `(channels, time)` and the distance to it.

        None for a stripped instrument. sample_rate: Hz, if not the instrument's. Raises ShapeError.
        """
        from timbrespace.synthesis import encoding
        from timbrespace.synthesis.novelty import nearest_sounds

        contents = self.contents
        if contents.clips is None:
            return None
        sound = encoding.trim_to_onset(contents, audio, sample_rate)[0][:, : contents.samples]
        return nearest_sounds([sound], self.sample_rate, embeddings=contents.clips.embeddings, unit=contents.novelty_unit)[0]

    def kind_of(self, audio: Tensor, *, file: Path | str = "") -> Kind | None:
        """Returns the category of a given sound `(channels, time)` at the instrument's rate, None if it is not known.

        By the name in `file`, else by the nearest training sounds, see `kinds.kind_of`.
        """
        from timbrespace.synthesis.encoding import trim_to_onset
        from timbrespace.synthesis.kinds import kind_of

        sound = trim_to_onset(self.contents, audio, None)[0][:, : self.contents.samples]
        return kind_of(self.contents, sound, file=file)

    # --- encode and decode ----------------------------------------------------------------------------------------------

    def encode(self, audio: Tensor, *, sample_rate: int | None = None) -> EncodedSound:
        """Encodes a sound `(channels, time)` -> EncodedSound with `z (dims,)` or `(dims, steps)`.

        Silence before the onset is skipped; a sound longer than `longest` is cut. sample_rate: Hz, if not the instrument's.
        Raises ShapeError.
        """
        from timbrespace.synthesis import encoding

        return encoding.encode(self.contents, encoding.trim_to_onset(self.contents, audio, sample_rate)[0])

    def decode(self, z: Tensor, *, length: int | None = None, seed: int = 0, texture: bool = False) -> Tensor:
        """Decodes a latent `(dims,)` or `(dims, steps)` -> audio `(channels, length)` of peak 1, before level and fades, see `finish`.

        length: samples; None for the model's own length. A path with another number of steps is stretched to it.
        seed: of the initial phase, and of the noise. texture: add what new sounds get beside the decoded mean: detail
        (`detail_model.draw`), the noise texture of older files (`texture`), or, for notes, partials and noise (`harmonic.render`);
        reconstructions of given sounds are nearer to them without.
        Raises ShapeError.
        """
        from timbrespace.synthesis.encoding import decode

        return decode(self.contents, z, length=length, seed=seed, texture=texture)

    def read(self, path: Path | str) -> Tensor:
        """Returns a sound file `(channels, time)` without DC offset, at the instrument's rate and channels. Raises AudioFileError."""
        import torch

        from timbrespace.audio.files import read, resample
        from timbrespace.audio.offset import remove_offset

        audio, rate = read(Path(path), channels=self.channels)
        return resample(torch.from_numpy(remove_offset(audio.numpy(), rate)), rate, self.sample_rate)

    # --- new sounds -----------------------------------------------------------------------------------------------------

    def generate(
        self,
        count: int = 16,
        *,
        seed: int = 0,
        category: str | None = None,
        temperature: float = 1.0,
        near: Given | None = None,
        near_file: Path | str = "",
        pitch: float | None = None,
        velocity: float | None = None,
        seconds: float | None = None,
        conditions: ConditionValues | None = None,
        controls: Wishes | None = None,
        prompt: str | None = None,
        like: Given | None = None,
        encoder: TextEncoder | None = None,
        level: Level | None = None,
        out_rate: int | None = None,
        progress: Progress | None = None,
    ) -> list[Sound]:
        """Returns new sounds of the same family, drawn from the density of the corpus in the latent space.

        category: one of `categories`, or None for all in the proportions of the corpus. temperature: see TEMPERATURE.
        near: a sound to draw around instead: a file, or samples `(channels, time)` at the instrument's rate; its detail is carried along
        and fades with the temperature, and at 0 the result is the sound itself, see `vary`. Without `category` the sounds are named by
        its kind, see `kind_of`, to which near_file, its path, may point. pitch: MIDI number (60 = C4), for an
        instrument of notes; None for notes of the corpus, or the note of `near`. velocity: 1 to 127, for an instrument of sounds with
        velocities; the same seed is then the same sound played softer or harder. seconds: length, for an instrument with a
        time-varying latent, see `sequences.SECONDS`; None for lengths of the corpus. conditions: name -> label or number, for an
        instrument with conditions, see the property `conditions`; those not given are drawn. controls: changes of each sound, see
        `steer`. prompt: what the sounds shall be like in
        words, see `understand`. like: a sound that the prompt compares with. encoder: reads the prompt too, see `prompt.TextEncoder`.
        level, out_rate: see `finish`; a level of None is "peak", and with `near` or `like` the level of that sound. progress: called
        with the number of sounds done and of all.
        Near-duplicates within the batch are drawn again. Raises ConfigError.
        """
        check_count(count)
        temperature = TEMPERATURE.check(temperature)
        if near is not None and category is not None and category not in self.categories:
            raise ConfigError(f"category is {category!r}, this instrument has {', '.join(self.categories) or 'none'}")
        check_seed(seed)
        asked: dict[str, Any] = {"category": category, "pitch": pitch, "velocity": velocity}
        given = near is not None or seconds is not None or prompt is not None or like is not None or encoder is not None
        if self._player is not None and not (given or conditions or controls) and self._player.draws(**asked):
            drawn = self._player.draw(count, seed=seed, temperature=temperature, **asked)
            return self._player.render(drawn, count, level=level, out_rate=out_rate, progress=progress)
        from timbrespace.synthesis import request, sequences

        length = sequences.requested_length(self.contents, seconds)
        centre = None if near is None else self._analysed(near)
        file = near_file or (near if isinstance(near, str | Path) else "")
        kind = self.kind_of(centre.given.audio, file=file) if centre is not None and category is None else None
        options = request.DrawOptions(category, temperature, centre, length, pitch, conditions, kind, velocity)
        if prompt is not None:
            from timbrespace.prompt.make import Words, prompted

            words = Words(prompt, None if like is None else self._analysed(like), encoder)
            requests = prompted(self.contents, words, count, options, seed=seed, progress=progress)
        elif like is not None or encoder is not None:
            raise ConfigError("like and encoder belong to a prompt; give a prompt, or draw around a sound with near")
        else:
            requests = request.draw(self.contents, count, options, seed=seed)
        if controls:
            from timbrespace.space.controls.requests import steer_requests

            requests = steer_requests(self.contents, requests, controls)
        return self._render(requests, level=level, out_rate=out_rate, progress=progress)

    def understand(self, prompt: str, *, like: Path | str | None = None, encoder: TextEncoder | None = None) -> Reading:
        """Returns how a prompt is understood: categories, wishes, comparisons, contradictions, and words without a meaning here.

        `print(*instrument.understand("short bright snare").lines(), sep="\\n")`. like: name of the sound that is given beside it.
        encoder: see `prompt.TextEncoder`. Raises ConfigError for an invalid prompt: no text, an empty or a very long one.
        """
        from timbrespace.prompt.ask import understand

        return understand(self.contents, prompt, given=None if like is None else str(like), encoder=encoder)

    def vary(
        self, sound: Given, count: int = 8, *, amount: float = 0.3, seed: int = 0, name: str | None = None, level: Level | None = None,
        out_rate: int | None = None, progress: Progress | None = None, whole: bool | None = None, stretch: float = 1.0,
    ) -> list[Sound]:  # fmt: skip
        """Returns variations of one sound: a file, or samples `(channels, time)` at the instrument's rate.

        Its detail is carried along and fades with the amount. At amount 0 the result is the sound itself, every sample as read; only a
        `level` or `out_rate` changes it. amount: see AMOUNT. name: stem of the new names; None: the file's. level: None keeps the
        level of the sound. whole: vary it as a recording of any length, in windows, with all of its detail; None: if it is much longer
        than the instrument's sounds, see `is_recording`. stretch: factor of the duration of a recording, 0.25 to 4. progress: of
        recordings in seconds. Others as in `generate`. Raises ConfigError, ShapeError, AudioFileError.
        """
        from timbrespace.synthesis import request

        check_count(count)
        amount = AMOUNT.check(amount)
        check_seed(seed)
        if whole or stretch != 1 or (whole is None and self.is_recording(sound)):
            options: dict[str, Any] = {"level": level, "out_rate": out_rate, "progress": progress}
            return self._varied(sound, count, amount=amount, seed=seed, stretch=stretch, name=name, **options)
        source = self._analysed(sound)
        requests = request.vary(self.contents, source, count, amount=amount, seed=seed, name=source.given.stem if name is None else name)
        return self._render(requests, level=level, out_rate=out_rate, progress=progress)

    def morph(
        self, sounds: Sequence[Given], steps: int = 8, *, seed: int = 0, name: str = "morph", level: Level | None = None,
        out_rate: int | None = None, progress: Progress | None = None,
    ) -> list[Sound]:  # fmt: skip
        """Returns `steps` sounds from the first of `sounds` to the last, in even steps. The ends are the given sounds themselves.

        sounds: files, or samples `(channels, time)` at the instrument's rate. Their detail, lengths and levels fade into each other.
        Three sounds or more: through each of them, if there are as many steps. Time-varying latents are blended step by step. Others
        as in `vary`. Raises ConfigError, ShapeError, AudioFileError.
        """
        from timbrespace.synthesis import request

        check_count(steps)
        if len(sounds) < 2:
            raise ConfigError(f"a morph needs two sounds or more, not {len(sounds)}")
        check_seed(seed)
        requests = request.interpolate(self.contents, [self._analysed(sound) for sound in sounds], steps, seed=seed, name=name)
        return self._render(requests, level=level, out_rate=out_rate, progress=progress)

    @property
    def moves(self) -> Moves:
        """Ways through the latent space: along axes, meshes, walks, splines, mixes …; as separate sounds, or as one that moves."""

        def whole() -> Moves:
            from timbrespace.space.moves.moves import Moves

            return Moves(self.contents, self._render)

        if self._player is None:
            return whole()
        from timbrespace.native.moves import PlayedMoves

        return cast("Moves", PlayedMoves(self._player, whole))  # it gives all that Moves gives

    def replay(self, values: dict[str, Any], *, sources: Sources | None = None) -> Sound:
        """Returns the sound of a recipe (`Sound.recipe`) again.

        sources: for a sound that was made from given ones: the folder that holds their files, or the sounds as they were given.
        Raises ConfigError when it is not a recipe of this instrument, or when one of its sources is gone or changed.
        """
        if "recording" in values:
            return self._replayed(values, sources)
        engine, options = engine_of(values), dict[str, Any](numbered=False)
        made_from = "sources" in values or "moving" in values
        if engine == NATIVE and self._player is not None and not made_from:
            one, level, out_rate = self._player.request_of(values)
            return self._player.render([one], 1, level=level, out_rate=out_rate, **options)[0]
        player = self._player if engine == NATIVE else None
        if engine == NATIVE and player is None:
            reason = f": {self._no_player.reason}" if self._no_player is not None else ""
            _LOG.warning("the recipe was rendered by the native core, and PyTorch renders it now%s; %s", reason, _ALIKE)
        from timbrespace.synthesis.recipe import from_recipe
        from timbrespace.synthesis.rendering import render

        one, level, out_rate = from_recipe(self.contents, values, sources)
        return render(self.contents, [one], level=level, out_rate=out_rate, player=player, **options)[0]

    def _render(self, requests: Sequence[RenderRequest], **options: Any) -> Sounds:
        """The sounds of requests: new ones by the core where it plays them, see `rendering.render`."""
        from timbrespace.synthesis.rendering import render

        if self._no_player is not None:
            self._no_player.say_slower()
        return render(self.contents, requests, player=self._player, **options)

    @property
    def keeps_detail(self) -> bool:
        """Whether variations and morphs carry along what the latent of a given sound does not hold; else only amount 0 and the ends do."""
        from timbrespace.synthesis.detail.source import keeps_detail

        return keeps_detail(self.contents)

    def given(self, path: Path | str, *, named: bool = True) -> GivenSound:
        """Returns the sound in a file, as it is given to `vary`, `morph` and `generate`: every sample as read.

        named: recipes hold the name of the file; else only its SHA-256. Raises AudioFileError.
        """
        from timbrespace.synthesis.detail.given import given_sound

        return given_sound(self.contents, path, named=named)

    def _analysed(self, sound: Given) -> Source:
        from timbrespace.synthesis.detail.given import given_sound
        from timbrespace.synthesis.detail.source import analyse

        return analyse(self.contents, given_sound(self.contents, sound))

    def statistics(self) -> LatentStatistics:
        """Returns statistics of the latent space: moments, KL, active units, histograms, correlations. See `LatentStatistics`."""
        from timbrespace.space.statistics.statistics import latent_statistics

        return latent_statistics(self.contents)

    def map(
        self, *, method: str | None = None, generated: int | None = None, given: Sequence[Path | str | GivenPoint] = (), seed: int = 0
    ) -> SoundMap:
        """Returns the map of the training sounds, with `generated` new ones beside them, and files `given` placed on it.

        `positions (n, 2)`; `place` gives positions of further sounds without refitting, `latent_at` the latent of a position, `save` writes
        a page, a picture or a table. method: "pca", "tsne" or "umap", fitted anew; None: the map in the file. The map of a stripped
        instrument shows new sounds only. Raises ConfigError, AudioFileError, ShapeError.
        """
        from timbrespace.report.map.sound_map import SoundMap
        from timbrespace.space.atlas.build import GivenPoint, build_atlas

        points = [one if isinstance(one, GivenPoint) else GivenPoint(Path(one).stem, self.encode(self.read(one))) for one in given]
        atlas = build_atlas(self.contents, method=method, generated=generated, given=points, seed=seed)
        return SoundMap(**vars(atlas))

    def map_positions(self, sounds: Sequence[Sound]) -> Tensor:
        """Returns positions `(n, 2)` of n sounds on the map of the training sounds. Raises ConfigError for a stripped instrument."""
        import torch

        from timbrespace.space.atlas.positions import interpolate_positions

        if self.contents.clips is None:
            raise ConfigError("this instrument was stripped of its training sounds and has no map; use the unstripped file")
        latents = [torch.zeros(self.dims) if sound.latent is None else sound.latent for sound in sounds]
        means = torch.stack([z.mean(1) if self.model.time_varying and z.ndim > 1 else z for z in latents])
        return interpolate_positions(means, latents=self.contents.clips.latents, positions=self.contents.clips.positions)

    def _repr_html_(self) -> str:
        from timbrespace.report.notebook.cells import instrument_html

        return instrument_html(self)


def load(path: Path | str, *, engine: str = "auto") -> Instrument:
    """Returns the instrument in a file; the same as `Instrument.load`."""
    return Instrument.load(path, engine=engine)


def check_count(count: int) -> None:
    """Raises ConfigError unless a number of sounds is a whole number in range."""
    if not isinstance(count, int) or not 1 <= count <= MOST_SOUNDS:
        raise ConfigError(f"the number of sounds is {count!r}, allowed is 1 to {MOST_SOUNDS}")


def _sounds_html(sounds: Sequence[Sound]) -> str:
    from timbrespace.report.notebook.cells import sounds_html

    return sounds_html(sounds)


set_viewer(_sounds_html)

"""The instrument: what training produces and everything else opens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from timbrespace.audio.files import read as read_audio
from timbrespace.audio.files import resample
from timbrespace.audio.pitch import PITCHED, estimate_pitch, hz_to_midi, note_name
from timbrespace.audio.trim import bounds, shorten
from timbrespace.contracts import ConfigError, Parameter, ShapeError, check_audio
from timbrespace.parallel import Pool
from timbrespace.synthesis import file as instrument_file
from timbrespace.synthesis import request, sequences
from timbrespace.synthesis.atlas import place
from timbrespace.synthesis.conditions import Wanted, described
from timbrespace.synthesis.finish import Level, finish
from timbrespace.synthesis.names import safe_name, unique_names
from timbrespace.synthesis.notes import locate, note_of
from timbrespace.synthesis.novelty import nearest_sounds
from timbrespace.synthesis.request import Encoded, RenderRequest
from timbrespace.synthesis.sound import Sound
from timbrespace.synthesis.texture import add_noise_texture, with_fewer_iterations

TEMPERATURE = Parameter("temperature", 0.0, 4.0, 1.0, help="spread of new sounds about the middle of their kind; 0 gives the middles")
AMOUNT = Parameter("amount", 0.0, 4.0, 0.3, help="how far variations lie from the sound, in units of the corpus's own spread")
MOST_SOUNDS = 100_000
_HIGHEST_NOTE = 2500.0  # Hz, looked for

Progress = Callable[[int, int], None]


class Instrument:
    """A trained instrument. `Instrument.load(path).generate(16, seed=1)` gives sixteen new sounds.

    Everything is deterministic: the same instrument, arguments, machine and versions give the same samples, and sound *i* of a
    batch does not depend on the batch's size.
    """

    def __init__(self, contents: instrument_file.Contents):
        """Use `Instrument.load`."""
        self.contents = contents
        self.representation, self.model, self.space = contents.representation, contents.model, contents.space
        self.sample_rate, self.channels, self.card = contents.sample_rate, contents.channels, contents.card

    @classmethod
    def load(cls, path: Path | str) -> Instrument:
        """Opens an instrument file. Raises InstrumentFileError when it is damaged, foreign, or of another version."""
        return cls(instrument_file.read(Path(path)))

    def save(self, path: Path | str, *, strip: bool = False, force: bool = False) -> None:
        """Writes the instrument. strip: leave out names, latents and features of the training sounds, for sharing;
        categories of one or two sounds lose their name."""
        contents = self.contents
        if strip:
            space = self.space if contents.clips is None else self.space.anonymous(len(contents.clips.names))
            contents = replace(contents, clips=None, space=space, card=_shared_card(self.card, space.categories))
        instrument_file.save(contents, Path(path), force=force)

    @property
    def dims(self) -> int:
        """Size of the latent space."""
        return self.model.dims

    @property
    def longest(self) -> int | None:
        """Samples of the longest sound that it takes whole, from the onset on; None where any length goes in."""
        return self.contents.samples if self.model.fixed_length or not self.model.time_varying else None

    @property
    def categories(self) -> list[str]:
        """Categories that `generate` can be asked for."""
        return self.space.categories

    @property
    def conditions(self) -> list[str]:
        """What `generate` can be asked for by `conditions`, in words: "category: kick, snare", "brightness: 200 to 9000"."""
        return described(self.model)

    # --- there and back -------------------------------------------------------------------------------------------------

    def encode(self, audio: Tensor, *, sample_rate: int | None = None) -> Encoded:
        """A sound `(channels, time)` -> Encoded. Silence before the onset is left out, what is too long for the model cut.

        sample_rate: Hz, if not the instrument's. Raises ShapeError.
        """
        return self._encode(self._onset_on(audio, sample_rate)[0])

    def _encode(self, audio: Tensor) -> Encoded:
        """Encodes a sound that begins at its onset."""
        length, sound = audio.shape[-1], self.model.prepare_audio(audio, self.contents.samples)
        with torch.no_grad():
            features, lengths = self.representation.encode(sound[None]), torch.tensor([length])
            z = locate(self.model, features, lengths, audio, self.sample_rate)[0]
        if self.model.time_varying:
            z = z[:, : sequences.steps_of(self.contents, length)]
        return Encoded(z, length, float(audio.abs().max()))

    def decode(self, z: Tensor, *, length: int | None = None, seed: int = 0, invented: bool = False) -> Tensor:
        """A latent `(dims,)`, or `(dims, steps)` where it moves -> audio `(channels, length)`, unfinished: peak 1, raw ends.

        length: samples; the model's own if None. A path of more or fewer steps than that has is made to last as long.
        invented: no copy of a given sound, but a new one, which gets a silent background and a noise texture
        (`texture.add_noise_texture`).
        Raises ShapeError.
        """
        fits = z.ndim == 2 and len(z) == self.dims and z.shape[1] > 0 if self.model.time_varying else tuple(z.shape) == (self.dims,)
        if not fits or not torch.isfinite(z).all():
            wanted = "(dims, steps)" if self.model.time_varying else "(dims,)"
            raise ShapeError(f"a latent must be {wanted} finite numbers, dims = {self.dims}, not {tuple(z.shape)}")
        if self.model.time_varying:
            z, length = sequences.fitted(self.contents, z, length)
        with torch.no_grad():
            decoded = self.model.decode(z[None].float(), lengths=None if length is None else torch.tensor([length]))
            if length is None or not self.model.time_varying:
                length = min(self.contents.samples, int(decoded.lengths[0]))
            features = decoded.features[..., : self.representation.frames(length)]
            view = self.representation
            if invented and self.model.noise_texture:
                features, view = add_noise_texture(features, view, length=length, seed=seed), with_fewer_iterations(view)
            audio = view.decode(features, length=length, seed=seed)[0]
        return audio / audio.abs().max().clamp_min(1e-9)

    def read(self, path: Path | str) -> Tensor:
        """A sound file as `(channels, time)` at the instrument's rate and channels. Raises AudioFileError."""
        return read_audio(Path(path), sample_rate=self.sample_rate, channels=self.channels)[0]

    # --- new sounds -----------------------------------------------------------------------------------------------------

    def generate(
        self,
        count: int = 16,
        *,
        seed: int = 0,
        category: str | None = None,
        temperature: float = 1.0,
        near: Tensor | None = None,
        pitch: float | None = None,
        seconds: float | None = None,
        conditions: Wanted | None = None,
        level: Level = "peak",
        out_rate: int | None = None,
        progress: Progress | None = None,
    ) -> list[Sound]:
        """New sounds of the same family, drawn from where the corpus lives in the latent space.

        category: one of `categories`, or None for all in the corpus's own proportions. temperature: see TEMPERATURE.
        near: `(channels, time)` at the instrument's rate: drawn around this sound instead. pitch: a MIDI number (60 = C4), for an
        instrument of notes; else new sounds take the notes of the corpus, or that of the sound they are near. conditions: name -> label
        or figure, for an instrument of the preset `conditional`, see `conditions`; the others are as the corpus has them.

        seconds: length asked for, see sequences.SECONDS; None: as long as the corpus's sounds are. Whole clips bring their own.
        level, out_rate: see `finish`.
        Near-doubles within the batch are drawn again. Raises ConfigError.
        """
        _check_count(count)
        temperature = TEMPERATURE.check(temperature)
        if near is not None and category is not None and category not in self.categories:
            raise ConfigError(f"category is {category!r}, this instrument has {', '.join(self.categories) or 'none'}")
        _check_seed(seed)
        length = sequences.wanted_length(self.contents, seconds)
        centre = None if near is None else self.encode(near)
        new = request.new(
            self.contents, count, seed=seed, category=category, temperature=temperature, centre=centre, length=length, pitch=pitch,
            conditions=conditions,
        )  # fmt: skip
        return self._render(new, level=level, out_rate=out_rate, progress=progress)

    def vary(
        self, audio: Tensor, count: int = 8, *, amount: float = 0.3, seed: int = 0, name: str = "sound", level: Level = "peak",
        out_rate: int | None = None, progress: Progress | None = None,
    ) -> list[Sound]:  # fmt: skip
        """Neighbours of one sound `(channels, time)`. amount: see AMOUNT. name: stem of the new names. Raises ConfigError."""
        _check_count(count)
        amount = AMOUNT.check(amount)
        _check_seed(seed)
        varied = request.variations(self.contents, self.encode(audio), count, amount=amount, seed=seed, name=name)
        return self._render(varied, level=level, out_rate=out_rate, progress=progress)

    def morph(
        self, sounds: Sequence[Tensor], steps: int = 8, *, seed: int = 0, name: str = "morph", level: Level = "peak",
        out_rate: int | None = None, progress: Progress | None = None,
    ) -> list[Sound]:  # fmt: skip
        """`steps` sounds on the straight way from the first of `sounds` `(channels, time)` to the last, both ends included.

        Three sounds or more: through each of them. A latent that moves is blended step by step, and so are the lengths. All sounds
        share one starting phase, so that only the timbre moves.
        """
        _check_count(steps)
        if len(sounds) < 2:
            raise ConfigError(f"a morph needs two sounds or more, not {len(sounds)}")
        _check_seed(seed)
        way = request.interpolate(self.contents, [self.encode(sound) for sound in sounds], steps, seed=seed, name=name)
        return self._render(way, level=level, out_rate=out_rate, progress=progress)

    def reconstruct(self, audio: Tensor, *, sample_rate: int | None = None, seed: int = 0) -> Tensor:
        """Encodes and decodes `(channels, time)`: same length, time grid and peak at the instrument's rate.

        Any length where the latent moves; else what lies beyond `longest`, from the onset on, comes back as silence.
        """
        _check_seed(seed)
        sound, start = self._onset_on(audio, sample_rate)
        total = audio.shape[-1] if sample_rate in (None, self.sample_rate) else round(audio.shape[-1] * self.sample_rate / sample_rate)
        encoded = self._encode(sound)
        body = self.decode(encoded.z, length=encoded.length, seed=seed)
        copy = torch.zeros(self.channels, total)
        copy[:, start : start + encoded.length] = (body * encoded.peak)[:, : max(0, total - start)]
        return copy

    def replay(self, recipe: dict[str, Any]) -> Sound:
        """The sound that a recipe describes, again. Raises ConfigError when it is not a recipe of this instrument."""
        order, level, out_rate = request.from_recipe(self.contents, recipe)
        return self._render([order], level=level, out_rate=out_rate, numbered=False)[0]

    def places(self, sounds: Sequence[Sound]) -> Tensor:
        """Where sounds lie on the map of the training sounds: `(n, 2)`. Raises ConfigError for a stripped instrument."""
        if self.contents.clips is None:
            raise ConfigError("this instrument was stripped of its training sounds and has no map; use the unstripped file")
        found = [torch.zeros(self.dims) if sound.latent is None else sound.latent for sound in sounds]
        latents = torch.stack([z.mean(1) if self.model.time_varying and z.ndim > 1 else z for z in found])
        return place(latents, latents=self.contents.clips.latents, places=self.contents.clips.places)

    # --- inside ---------------------------------------------------------------------------------------------------------

    def _onset_on(self, audio: Tensor, sample_rate: int | None) -> tuple[Tensor, int]:
        """Audio at the instrument's rate from onset to end, cut to `longest`; and where the onset was, in samples."""
        if not isinstance(audio, Tensor) or audio.ndim != 2:
            raise ShapeError(
                f"a sound must be a tensor (channels, time), not {tuple(audio.shape) if isinstance(audio, Tensor) else type(audio)}"
            )
        check_audio(audio[None], channels=self.channels)
        audio = audio.detach().cpu().float()
        if sample_rate is not None and sample_rate != self.sample_rate:
            audio = resample(audio, sample_rate, self.sample_rate)
        left, right = bounds(audio.numpy(), self.sample_rate)
        if right <= left:
            raise ShapeError("the sound is silent; there is nothing to encode")
        return torch.from_numpy(shorten(audio[:, left:right].numpy(), self.longest or right - left, self.sample_rate)), left

    def _render(
        self, ordered: list[RenderRequest], *, level: Level, out_rate: int | None, progress: Progress | None = None, numbered: bool = True
    ) -> list[Sound]:
        rate = self.sample_rate if out_rate is None else out_rate
        done = 0

        def one(order: RenderRequest) -> tuple[Tensor, int | None]:
            raw = self.decode(order.z, length=order.length, seed=order.seed, invented=True)
            audio = finish(raw, self.sample_rate, level=level, out_rate=rate)
            if self.model.pitched:
                return audio, note_of(self.model, order.z)
            hertz, confidence = estimate_pitch(audio.mean(0), rate, high=min(_HIGHEST_NOTE, rate / 4))
            return audio, None if hertz is None or confidence < PITCHED else round(hz_to_midi(hertz))

        rendered = []
        with Pool() as pool:
            for result in pool.map(one, ordered):
                rendered.append(result)
                done += 1
                if progress is not None:
                    progress(done, len(ordered))
        notes = ["" if note is None else f" {note_name(note)}" for _, note in rendered]
        stems = [f"{safe_name(order.stem)} {k + 1:03d}{notes[k]}" if numbered else order.stem for k, order in enumerate(ordered)]
        names = unique_names(stems)
        clips, unit = self.contents.clips, self.contents.novelty_unit
        near = None
        if clips is not None and unit is not None:
            near = nearest_sounds([audio for audio, _ in rendered], rate, embeddings=clips.embeddings, unit=unit)
        sounds = []
        for k, (order, (audio, note)) in enumerate(zip(ordered, rendered, strict=True)):
            nearest = near[k] if near is not None else None
            nearest_name = clips.names[nearest.index] if clips and nearest else None
            novelty = nearest.novelty if nearest else None
            recipe = {
                "timbrespace": "recipe", "name": names[k], "asked": order.recipe, "category": order.category, "phase_seed": order.seed,
                "level": level, "sample_rate": rate, **request.to_recipe(self.contents, order), "root_note": note,
                "nearest": nearest_name, "novelty": novelty,
            }  # fmt: skip
            sounds.append(
                Sound(
                    name=names[k],
                    audio=audio,
                    sample_rate=rate,
                    recipe=recipe,
                    category=order.category,
                    nearest=nearest_name,
                    novelty=novelty,
                    is_copy=bool(nearest and nearest.is_copy),
                    root_note=note,
                    latent=order.z,
                )
            )
        return sounds


def load(path: Path | str) -> Instrument:
    """Opens an instrument file; the same as `Instrument.load`."""
    return Instrument.load(path)


def _shared_card(card: dict[str, Any], categories: list[str]) -> dict[str, Any]:
    """The card without categories that a stripped instrument no longer names."""
    corpus = card.get("corpus")
    if not isinstance(corpus, dict) or not isinstance(corpus.get("categories"), dict):
        return card
    return {**card, "corpus": {**corpus, "categories": {k: v for k, v in corpus["categories"].items() if k in categories}}}


def _check_count(count: int) -> None:
    if not isinstance(count, int) or not 1 <= count <= MOST_SOUNDS:
        raise ConfigError(f"the number of sounds is {count!r}, allowed is 1 to {MOST_SOUNDS}")


def _check_seed(seed: int) -> None:
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        raise ConfigError(f"seed is {seed!r}, allowed is a whole number from 0 to {2**63 - 1}")

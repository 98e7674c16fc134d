"""The instrument: what training produces and everything else opens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from timbrespace.audio.descriptors import estimate_pitch, note_name
from timbrespace.audio.files import read as read_audio
from timbrespace.audio.files import resample
from timbrespace.contracts import ConfigError, Parameter, ShapeError, check_audio
from timbrespace.corpus.shaping import bounds, shorten, stand
from timbrespace.latent.paths import line
from timbrespace.parallel import Pool
from timbrespace.synthesis import file as instrument_file
from timbrespace.synthesis.atlas import place
from timbrespace.synthesis.finish import Level, finish
from timbrespace.synthesis.names import safe_name, unique_names
from timbrespace.synthesis.novelty import nearest_sounds
from timbrespace.synthesis.sound import Sound
from timbrespace.synthesis.texture import invent

TEMPERATURE = Parameter("temperature", 0.0, 4.0, 1.0, help="spread of new sounds about the middle of their kind; 0 gives the middles")
AMOUNT = Parameter("amount", 0.0, 4.0, 0.3, help="how far variations lie from the sound, in units of the corpus's own spread")
MOST_SOUNDS = 100_000
_PITCHED = 0.85  # confidence from which an estimated pitch names a root note
_HIGHEST_NOTE = 2500.0  # Hz, looked for
_TRIES = 20  # draws before a sound near another of its batch is accepted all the same
_DOUBLE = 0.15  # two sounds of a batch nearer than this share of the usual spread are doubles

Progress = Callable[[int, int], None]


class Encoded(NamedTuple):
    """A sound in the latent space: `z (dims,)`, its true length in samples from its onset, and its peak."""

    z: Tensor
    length: int
    peak: float


class _Order(NamedTuple):
    """One sound to be rendered: where from, what it is called, and what its recipe says beside the latent."""

    z: Tensor
    stem: str
    category: str | None
    recipe: dict[str, Any]
    seed: int


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
    def categories(self) -> list[str]:
        """Categories that `generate` can be asked for."""
        return self.space.categories

    # --- there and back -------------------------------------------------------------------------------------------------

    def encode(self, audio: Tensor, *, sample_rate: int | None = None) -> Encoded:
        """A sound `(channels, time)` -> Encoded. Silence before the onset is left out, what is too long for the model cut.

        sample_rate: Hz, if not the instrument's. Raises ShapeError.
        """
        return self._encode(self._onset_on(audio, sample_rate)[0])

    def _encode(self, audio: Tensor) -> Encoded:
        """Encodes a sound that begins at its onset."""
        length, sound = audio.shape[-1], audio
        if self.model.whole:
            sound = torch.from_numpy(stand(audio.numpy(), self.contents.samples))
        with torch.no_grad():
            features, lengths = self.representation.encode(sound[None]), torch.tensor([length])
            z = self.model.search(features, lengths, self.model.encode(features, lengths).mean)[0]
        return Encoded(z, length, float(audio.abs().max()))

    def decode(self, z: Tensor, *, length: int | None = None, seed: int = 0, invented: bool = False) -> Tensor:
        """A latent `(dims,)` -> audio `(channels, length)`, unfinished: peak 1, raw ends. length: samples; the model's own if None.

        invented: no copy of a given sound, but a new one, which wants a silent background and the grain of noise (`texture.invent`).
        """
        if tuple(z.shape) != (self.dims,) or not torch.isfinite(z).all():
            raise ShapeError(f"a latent must be {self.dims} finite numbers, not {tuple(z.shape)}")
        with torch.no_grad():
            decoded = self.model.decode(z[None].float(), lengths=None if length is None else torch.tensor([length]))
            length = min(self.contents.samples, int(decoded.lengths[0]))
            features = decoded.features[..., : self.representation.frames(length)]
            if invented and self.model.decibels:
                features = invent(features, self.representation, length=length, seed=seed)
            audio = self.representation.decode(features, length=length, seed=seed)[0]
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
        level: Level = "peak",
        out_rate: int | None = None,
        progress: Progress | None = None,
    ) -> list[Sound]:
        """New sounds of the same family, drawn from where the corpus lives in the latent space.

        category: one of `categories`, or None for all in the corpus's own proportions. temperature: see TEMPERATURE.
        near: `(channels, time)` at the instrument's rate: drawn around this sound instead. level, out_rate: see `finish`.
        Near-doubles within the batch are drawn again. Raises ConfigError.
        """
        _check_count(count)
        temperature = TEMPERATURE.check(temperature)
        if near is not None and category is not None and category not in self.categories:
            raise ConfigError(f"category is {category!r}, this instrument has {', '.join(self.categories) or 'none'}")
        _check_seed(seed)
        centre = None if near is None else self.encode(near).z
        orders: list[_Order] = []
        drawn = torch.empty(0, self.dims)
        for index in range(count):
            z, label = self._draw(index, drawn, seed=seed, category=category, temperature=temperature, centre=centre)
            drawn = torch.cat([drawn, z[None]])
            recipe = {"verb": "generate", "seed": seed, "index": index, "asked_category": category, "temperature": temperature}
            orders.append(_Order(z, label or "sound", label, recipe, _mixed(seed, index)))
        return self._render(orders, level=level, out_rate=out_rate, progress=progress)

    def vary(
        self, audio: Tensor, count: int = 8, *, amount: float = 0.3, seed: int = 0, name: str = "sound", level: Level = "peak",
        out_rate: int | None = None, progress: Progress | None = None,
    ) -> list[Sound]:  # fmt: skip
        """Neighbours of one sound `(channels, time)`. amount: see AMOUNT. name: stem of the new names. Raises ConfigError."""
        _check_count(count)
        amount = AMOUNT.check(amount)
        _check_seed(seed)
        centre = self.encode(audio)
        orders = []
        for index in range(count):
            z = self.space.around(centre.z, np.random.default_rng([seed, index]), amount=amount)
            recipe = {"verb": "vary", "seed": seed, "index": index, "amount": amount, "of": name}
            orders.append(_Order(z, f"{name} varied", None, recipe, _mixed(seed, index)))
        return self._render(orders, level=level, out_rate=out_rate, progress=progress)

    def morph(
        self, sounds: Sequence[Tensor], steps: int = 8, *, seed: int = 0, name: str = "morph", level: Level = "peak",
        out_rate: int | None = None, progress: Progress | None = None,
    ) -> list[Sound]:  # fmt: skip
        """`steps` sounds on the straight way from the first of `sounds` `(channels, time)` to the last, both ends included.

        Three sounds or more: through each of them. All steps share one starting phase, so that only the timbre moves.
        """
        _check_count(steps)
        if len(sounds) < 2:
            raise ConfigError(f"a morph needs two sounds or more, not {len(sounds)}")
        _check_seed(seed)
        corners = torch.stack([self.encode(sound).z for sound in sounds])
        orders = [
            _Order(z, name, None, {"verb": "morph", "seed": seed, "index": index, "steps": steps, "of": name}, _mixed(seed, 0))
            for index, z in enumerate(line(corners, steps))
        ]
        return self._render(orders, level=level, out_rate=out_rate, progress=progress)

    def reconstruct(self, audio: Tensor, *, sample_rate: int | None = None, seed: int = 0) -> Tensor:
        """Encodes and decodes `(channels, time)`: same length, time grid and peak at the instrument's rate.

        What lies beyond the longest clip of the model (`contents.samples` from the onset) comes back as silence.
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
        try:
            z = torch.tensor([float(value) for value in recipe["latent"]], dtype=torch.float32)
            order = _Order(z, str(recipe["name"]), recipe["category"], dict(recipe["asked"]), int(recipe["phase_seed"]))
            level, out_rate = recipe["level"], int(recipe["sample_rate"])
            fits = isinstance(level, str) and (order.category is None or isinstance(order.category, str))
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise ConfigError(
                f"this is not a recipe: {type(error).__name__} {error!s:.80}; give the JSON file beside a rendered WAV"
            ) from None
        if len(z) != self.dims or not torch.isfinite(z).all() or not fits or not 0 <= order.seed < 2**63:
            raise ConfigError(f"the recipe does not fit this instrument: {len(z)} latent values, {self.dims} expected")
        return self._render([order], level=level, out_rate=out_rate, numbered=False)[0]

    def places(self, sounds: Sequence[Sound]) -> Tensor:
        """Where sounds lie on the map of the training sounds: `(n, 2)`. Raises ConfigError for a stripped instrument."""
        if self.contents.clips is None:
            raise ConfigError("this instrument was stripped of its training sounds and has no map; use the unstripped file")
        latents = torch.stack([sound.latent if sound.latent is not None else torch.zeros(self.dims) for sound in sounds])
        return place(latents, latents=self.contents.clips.latents, places=self.contents.clips.places)

    # --- inside ---------------------------------------------------------------------------------------------------------

    def _onset_on(self, audio: Tensor, sample_rate: int | None) -> tuple[Tensor, int]:
        """Audio at the instrument's rate from onset to end, cut to the model's longest clip; and where the onset was, in samples."""
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
        return torch.from_numpy(shorten(audio[:, left:right].numpy(), self.contents.samples, self.sample_rate)), left

    def _draw(
        self, index: int, others: Tensor, *, seed: int, category: str | None, temperature: float, centre: Tensor | None
    ) -> tuple[Tensor, str | None]:
        """The latent of sound `index`: the first draw that is no double of `others (index, dims)`."""
        spread = float(self.space.shared.diagonal().mean()) * max(temperature, 0.05) * self.dims**0.5
        for attempt in range(_TRIES):
            dice = np.random.default_rng([seed, index, attempt])
            if centre is None:
                z, label = self.space.draw(dice, category=category, temperature=temperature)
            else:
                z, label = self.space.around(centre, dice, amount=temperature), category
            if not len(others) or float((others - z).norm(dim=1).min()) > _DOUBLE * spread:
                break
        return z, label

    def _render(
        self, orders: list[_Order], *, level: Level, out_rate: int | None, progress: Progress | None = None, numbered: bool = True
    ) -> list[Sound]:
        rate = self.sample_rate if out_rate is None else out_rate
        done = 0

        def one(order: _Order) -> tuple[Tensor, int | None]:
            audio = finish(self.decode(order.z, seed=order.seed, invented=True), self.sample_rate, level=level, out_rate=rate)
            hertz, confidence = estimate_pitch(audio.mean(0), rate, high=min(_HIGHEST_NOTE, rate / 4))
            note = None if hertz is None or confidence < _PITCHED else round(69 + 12 * float(np.log2(hertz / 440)))
            return audio, note

        rendered = []
        with Pool() as pool:
            for result in pool.map(one, orders):
                rendered.append(result)
                done += 1
                if progress is not None:
                    progress(done, len(orders))
        notes = ["" if note is None else f" {note_name(note)}" for _, note in rendered]
        stems = [f"{safe_name(order.stem)} {k + 1:03d}{notes[k]}" if numbered else order.stem for k, order in enumerate(orders)]
        names = unique_names(stems)
        clips, unit = self.contents.clips, self.contents.novelty_unit
        near = None
        if clips is not None and unit is not None:
            near = nearest_sounds([audio for audio, _ in rendered], rate, embeddings=clips.embeddings, unit=unit)
        sounds = []
        for k, (order, (audio, note)) in enumerate(zip(orders, rendered, strict=True)):
            nearest = near[k] if near is not None else None
            nearest_name = clips.names[nearest.index] if clips and nearest else None
            novelty = nearest.novelty if nearest else None
            recipe = {
                "timbrespace": "recipe", "name": names[k], "asked": order.recipe, "category": order.category, "phase_seed": order.seed,
                "level": level, "sample_rate": rate, "latent": [float(value) for value in order.z], "root_note": note,
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


def _mixed(seed: int, index: int) -> int:
    """One seed out of two, well mixed and below 2**63."""
    return int(np.random.SeedSequence([seed, index]).generate_state(1, np.uint64)[0] >> 1)

"""The instrument that a training continues from, and the settings that follow from it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timbrespace.config.build import make_config
from timbrespace.config.presets import changed, load_preset, presets
from timbrespace.config.schema import Config, Training
from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.instrument import Instrument
from timbrespace.synthesis.file.contents import TrainingClips
from timbrespace.training.options import TrainOptions
from timbrespace.validation import shortened

TIME_SHARE = 1 / 3  # of the instrument's own training, where neither minutes nor epochs are given
_LEARNT = ("notes", "velocity", "conditions")  # keys of a model whose values come from the corpus
_BY_CORPUS = ("notes", "velocity")  # of these, where "auto" lets the corpus decide


@dataclass(frozen=True)
class Start:
    """A trained instrument to continue from. digest: of its file, by which a resumed run knows it."""

    path: Path
    instrument: Instrument
    digest: str

    @classmethod
    def load(cls, path: Path | str, *, out: Path, channels: int) -> Start:
        """Opens the instrument. channels: asked for; 1 also means "not given".

        Raises InstrumentFileError for a damaged file, ConfigError if it is stripped, is the output itself, or has other channels.
        """
        path = Path(path)
        if path.resolve() == out.resolve():
            raise ConfigError(f"{path} is the instrument to continue from and is never replaced; give another --out")
        instrument = Instrument.load(path)
        if instrument.contents.clips is None:
            raise ConfigError(
                f"{path} was stripped for sharing: it holds neither names nor latents of its training sounds, so that none of them "
                "could be kept; give the unstripped file, or train from scratch without --from"
            )
        if channels > instrument.channels:
            raise ConfigError(f"--channels is {channels}, and {path} is mono; leave --channels out, or train from scratch without --from")
        return cls(path, instrument, hashlib.sha256(path.read_bytes()).hexdigest()[:32])

    @property
    def clips(self) -> TrainingClips:
        """What the instrument keeps of its training clips."""
        assert self.instrument.contents.clips is not None
        return self.instrument.contents.clips

    def config(self, options: TrainOptions) -> Config:
        """The settings of the training: representation and model of the instrument; its training settings, or those of a given preset.

        Without minutes or epochs the training takes a third of the time that the instrument's took. Raises ConfigError if a preset or a
        change contradicts the instrument's representation or model.
        """
        own = self.instrument.contents.settings
        content: dict[str, Any] = {"representation": own["representation"], "model": own["model"]}
        if options.preset:
            given = options.preset
            preset = given if isinstance(given, Config) else load_preset(given, changes=options.changes)
            self._check_preset(preset, "this Config" if isinstance(given, Config) else f"--preset {given}")
            content |= {"description": preset.description, "training": preset.training.model_dump()}
        else:
            content["training"] = self._own_training().model_dump()
        if options.minutes is None and options.epochs is None:
            training = content["training"]
            length = "minutes" if training["epochs"] is None else "epochs"
            training |= {length: training[length] * TIME_SHARE}
        config = changed(content, options.changes, minutes=options.minutes, epochs=options.epochs)
        for section in ("representation", "model"):
            for key, given, there in _differences(getattr(config, section), own[section], f"{section}."):
                raise ConfigError(
                    f"--set {key}={shortened(given)} contradicts {self.path}, whose {key} is {shortened(there)}: an instrument continues "
                    "with its own representation and model; leave this --set out, or train from scratch without --from"
                )
        # A file from before such a key has none of it, read as "auto": the corpus must not decide anew.
        known = {key: None if own["model"].get(key) == "auto" else own["model"].get(key) for key in _BY_CORPUS}
        decided = {key: value for key, value in known.items() if config.model.get(key) == "auto"}
        return config.model_copy(update={"model": config.model | decided})

    def _own_training(self) -> Training:
        """The training settings that the instrument was made with; of an older file those of the preset with its model."""
        own = self.instrument.contents.settings
        if isinstance(own.get("training"), Mapping):
            return make_config({"representation": own["representation"], "model": own["model"], "training": own["training"]}).training
        for name in ("oneshot", *presets()):
            preset = load_preset(name)
            if (preset.model["name"], preset.representation["name"]) == (own["model"]["name"], own["representation"]["name"]):
                return preset.training
        return Training()

    def _check_preset(self, preset: Config, name: str) -> None:
        """Raises ConfigError if a preset, with the changes over it, has another representation or model than the instrument."""
        for section in ("representation", "model"):
            for key, given, there in _differences(getattr(preset, section), self.instrument.contents.settings[section], f"{section}."):
                raise ConfigError(
                    f"{name} contradicts {self.path}: {key} is {shortened(given)} in the preset and {shortened(there)} in the "
                    "instrument, which continues with its own; leave --preset out, or train from scratch without --from"
                )


def _differences(given: Mapping[str, Any], own: Mapping[str, Any], prefix: str) -> list[tuple[str, Any, Any]]:
    """(key, given value, own value) of the settings that differ, but for those that come from a corpus, where names are given."""
    out: list[tuple[str, Any, Any]] = []
    for key in dict.fromkeys([*given, *own]):
        one, other = given.get(key), own.get(key)
        if key in _BY_CORPUS and one == "auto":
            continue
        if key == "conditions" and isinstance(one, list) and isinstance(other, Mapping) and set(other) <= set(one):
            continue
        if isinstance(one, Mapping) and isinstance(other, Mapping) and key not in _LEARNT:
            out += _differences(one, other, f"{prefix}{key}.")
        elif one != other:
            out.append((f"{prefix}{key}", one, other))
    return out


def check_rate(start: Start, sample_rate: int, channels: int, source: object) -> None:
    """Raises TimbrespaceError if a prepared corpus does not have the sample rate and channels of the instrument."""
    there = start.instrument
    if (sample_rate, channels) != (there.sample_rate, there.channels):
        raise TimbrespaceError(
            f"{source} has {sample_rate} Hz and {channels} channel(s), and {start.path} has {there.sample_rate} Hz and {there.channels}; "
            f"prepare the sounds again with --rate {there.sample_rate} --channels {there.channels}, or give their folder"
        )

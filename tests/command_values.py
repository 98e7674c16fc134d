"""Checks the values of a documented command: presets, settings, ranges, views, corpora and rules must exist; nothing is run."""

from __future__ import annotations

from typing import Any


def check_values(verb: str, values: dict[str, Any]) -> None:
    """Raises ConfigError for a value that the verb would refuse, as far as no file is needed. values: of the parser, by parameter."""
    from timbrespace.cli.common.corpus import parse_rules
    from timbrespace.features.settings import build_view, parse_settings

    for source in values.get("sources") or [values.get("source")]:
        _check_corpus(str(source))
    parse_rules(values.get("rules") or values.get("rule"))
    if verb in ("train", "tune"):
        _check_training(values)
    if verb == "prepare":
        _check_preparation(values)
    if verb == "represent" and values["name"] is not None:
        build_view(parse_settings(values["name"], values["changes"]), sample_rate=44_100, channels=1)


def _check_corpus(source: str) -> None:
    from timbrespace.contracts import ConfigError
    from timbrespace.corpus.synthetic.registry import SYNTHETIC, SYNTHETIC_PREFIX

    name = source.removeprefix(SYNTHETIC_PREFIX)
    if name != source and name not in SYNTHETIC:
        raise ConfigError(f"there is no {source}")


def _check_voices(preset: str, names: tuple[str, ...], changes: tuple[str, ...]) -> None:
    from timbrespace.config.presets import apply_changes
    from timbrespace.voices.arrays.designs import DESIGNS, make_design, split_settings

    settings: dict[str, Any] = {}
    apply_changes(settings, changes)
    if preset in DESIGNS:
        make_design(preset, names, split_settings(preset, settings)[0])
    else:
        assert not settings


def _check_training(values: dict[str, Any]) -> None:
    from pathlib import Path

    from timbrespace.cli.learn.voices import PRESETS as VOICES
    from timbrespace.cli.learn.voices import named_folders
    from timbrespace.config.presets import is_shipped, load_preset
    from timbrespace.training.distributed import PRECISIONS
    from timbrespace.training.options import TrainOptions

    preset, changes = values["preset"], tuple(values["changes"] or ())
    if preset in VOICES:
        _check_voices(preset, tuple(named_folders(values["sources"])), changes)
        return
    if not is_shipped(preset):
        assert Path(preset).suffix == ".yaml", preset
        preset = "staged" if any("model.inner" in text for text in (*changes, *(values.get("ranges") or ()))) else "oneshot"
    load_preset(preset, changes=changes)
    assert values["precision"] in PRECISIONS
    if "ranges" in values and (values["ranges"] or values["space"] is None):
        from timbrespace.tuning.options import TuneOptions
        from timbrespace.tuning.pruners import make_pruner
        from timbrespace.tuning.samplers import make_sampler
        from timbrespace.tuning.space import check_space, search_ranges

        training = TrainOptions(preset=preset, changes=changes, minutes=values["minutes"], epochs=values["epochs"])
        ranges = search_ranges(preset, values["ranges"] or (), None)
        check_space(training, ranges)
        make_sampler(values["sampler"], ranges, seed=0)
        make_pruner(TuneOptions(prune=values["cut"] or values["prune"]).prune, factor=values["factor"])


def _check_preparation(values: dict[str, Any]) -> None:
    from typing import get_args

    from timbrespace.corpus.cutting import CUTS
    from timbrespace.corpus.diversity import Rule
    from timbrespace.corpus.labels.pitch_names import check_mode

    assert values["cut"] in CUTS
    assert values["diverse_rule"] in get_args(Rule)
    check_mode(values["pitch_names"])

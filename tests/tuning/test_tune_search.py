"""Where a search may look, where it looks next, and what it cuts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna")

import optuna
from optuna.trial import FixedTrial, TrialState, create_trial

from timbrespace.config.presets import load_preset, presets
from timbrespace.contracts import ConfigError
from timbrespace.training.options import TrainOptions
from timbrespace.tuning.pruners import LAST_MARK, ThresholdPruner, epoch_of, expected_error, make_pruner, mark
from timbrespace.tuning.ranges import Range, cells, parse_range, parse_space
from timbrespace.tuning.samplers import Grid, make_sampler
from timbrespace.tuning.space import check_space, read_space, search_ranges, settings_with

DENSE = TrainOptions(preset="dense")

# --- ranges -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model.dims=4..64:int:log", Range("model.dims", low=4, high=64, whole=True, log=True)),
        ("model.dims=4..64", Range("model.dims", low=4, high=64, whole=True)),
        ("model.dims=4..64:real", Range("model.dims", low=4, high=64)),
        ("training.learning_rate=1e-5..1e-2:log", Range("training.learning_rate", low=1e-5, high=1e-2, log=True)),
        ("model.dropout=0..0.5:step=0.1", Range("model.dropout", high=0.5, step=0.1)),
        ("model.dims=2..8:points=3", Range("model.dims", low=2, high=8, whole=True, points=3)),
        ("training.batch=64,128,256", Range("training.batch", choices=(64, 128, 256))),
        ("training.learning_rate=1e-4,5e-4", Range("training.learning_rate", choices=(1e-4, 5e-4))),
        ("model.encoder=[8],[16, 8]", Range("model.encoder", choices=([8], [16, 8]))),
        ("model.name=dense", Range("model.name", choices=("dense",))),
    ],
)
def test_ranges_from_text(text: str, expected: Range) -> None:
    assert parse_range(text) == expected
    assert parse_range(expected.describe()).grid() == expected.grid()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model.dims", "is not a range; write for instance"),
        ("model.dims=64..4", "the lower end comes first"),
        ("training.learning_rate=0..1:log", "with log it must be above 0"),
        ("training.learning_rate=-1..1:log", "with log it must be above 0"),
        ("model.dims=1..8:log:step=2", "has log and step"),
        ("model.dims=1..8:step=0", "step 0"),
        ("model.dims=1..8:step=20", "fit into 1 to 8"),
        ("model.dims=1.5..8:int", "whole numbers"),
        ("model.dims=1..x", "high 'x'; that must be a number"),
        ("model.dims=1..nan", "both ends must be finite"),
        ("model.dims=1..8:lgo", "says 'lgo'; allowed are int, real, log"),
        ("model.dims=1..8:points=0", "at least 1"),
        ("model.dims=1..8:points=2.5", "points 2.5"),
        ("training.batch=64,64", "a choice twice"),
        ("training.batch=[64", "no list of values"),
    ],
)
def test_impossible_ranges(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as told:
        parse_range(text)
    assert words in str(told.value)


def test_ranges_from_yaml(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(
        "model.dims: 2..8:log\ntraining.batch: [8, 16]\ntraining.learning_rate: {low: 1e-4, high: 1e-2, log: true, points: 3}\n"
    )
    dims, batch, rate = read_space(file)
    assert (dims.whole, dims.log, batch.choices) == (True, True, (8, 16))
    assert rate.grid() == pytest.approx([1e-4, 1e-3, 1e-2])
    file.write_text("tune:\n  model.dims: [2, 3]\n")
    assert read_space(file) == [Range("model.dims", choices=(2, 3))]
    both = search_ranges("dense", ["model.dims=4..5", "training.batch=7,8"], file)
    assert [part.key for part in both] == ["model.dims", "training.batch"]
    assert both[0].high == 5  # what is given by itself counts over the file
    for bad in ({"model.dims": {"low": 1}}, {"model.dims": {"low": 1, "high": 2, "width": 3}}, {3: [1]}, {"model.dims": []}):
        with pytest.raises(ConfigError):
            parse_space(bad)
    file.write_text("- 3\n")
    with pytest.raises(ConfigError, match="must hold keys and values"):
        read_space(file)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model.dmis=4..8", "dmis is not a setting (did you mean model.dims?); known here are dims"),
        ("nothing.at.all=4..8", "nothing.at.all is not a setting"),
        ("model.dims=0..8", "model.dims is 0"),
        ("training.learning_rate=0.1..50", "learning_rate is 50"),
        ("model.name=dense,dnese", "'dnese', allowed are"),
    ],
)
def test_ranges_of_impossible_settings_are_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match="is impossible") as told:
        check_space(DENSE, [parse_range(text)])
    assert words in str(told.value)


def test_a_range_may_belong_to_one_choice_only() -> None:
    parts = [parse_range("model.name=dense,oneshot"), parse_range("representation.name=mel,bands"), parse_range("model.width=8..16")]
    check_space(DENSE, parts)  # width is a setting of oneshot
    with pytest.raises(ConfigError, match="width is not a setting"):
        check_space(DENSE, parts[2:])
    with pytest.raises(ConfigError, match="the time of a trial is given too"):
        check_space(TrainOptions(preset="dense", epochs=3.0), [parse_range("training.epochs=1,2")])


@pytest.mark.parametrize("value", [1e-5, 3, 0.1 + 0.2, [256, 8], "mel", True, None, list(range(100, 140))])
def test_values_reach_the_settings_unchanged(value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr("timbrespace.config.build.make_config", lambda content: seen.update(content) or content)
    settings_with(DENSE, {"model.thing": value})
    assert seen["model"]["thing"] == value
    assert type(seen["model"]["thing"]) is type(value)


@pytest.mark.parametrize("name", sorted(presets()))
def test_shipped_spaces_are_possible(name: str) -> None:
    if load_preset(name).tune:
        check_space(TrainOptions(preset=name), search_ranges(name, (), None))


def test_source_c_sweep() -> None:
    grid = cells(search_ranges("dense", (), None))
    assert len(grid) == 36
    assert grid[-1] == {"training.batch": 256, "training.learning_rate": 1e-3, "training.epochs": 1000}


# --- samplers ---------------------------------------------------------------------------------------------------------------------


def bowl(trial: optuna.Trial) -> float:
    """Least at x = 0.3, n = 5."""
    x, n = parse_range("x=0..1:real").suggest(trial), parse_range("n=1..9").suggest(trial)
    return float((x - 0.3) ** 2 + 0.01 * (n - 5) ** 2)


@pytest.mark.parametrize("name", ["tpe", "gp", "random"])
def test_samplers_search_and_repeat_themselves(name: str) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    found = []
    for parts in ((14,), (6, 8)):  # at once, and taken up again by a new process
        storage = optuna.storages.InMemoryStorage()
        for count in parts:
            study = optuna.create_study(storage=storage, study_name="x", load_if_exists=True, sampler=make_sampler(name, [], seed=3))
            study.optimize(bowl, n_trials=count)
        found.append([trial.params for trial in study.trials])
    assert found[0] == found[1]
    assert len({params["x"] for params in found[0]}) == 14
    if name != "random":
        assert study.best_value < 0.02


def test_every_cell_of_a_grid_is_tried_once() -> None:
    parts = [parse_range("x=1,2,3"), parse_range("n=1..8:log:points=3")]
    grid = make_sampler("grid", parts, seed=0)
    assert isinstance(grid, Grid)
    study = optuna.create_study(sampler=grid)
    study.optimize(lambda trial: float(sum(part.suggest(trial) for part in parts)), n_trials=4)
    assert len(grid.left(study)) == 5
    study.enqueue_trial({"x": 3, "n": 8})
    study.optimize(lambda trial: float(sum(part.suggest(trial) for part in parts)), n_trials=5)
    assert grid.left(study) == []
    assert sorted((t.params["x"], t.params["n"]) for t in study.trials) == [(x, n) for x in (1, 2, 3) for n in (1, 3, 8)]
    with pytest.raises(ConfigError, match="the grid has"):
        cells([parse_range(f"k{k}=1..9:points=9") for k in range(6)])


# --- pruners ----------------------------------------------------------------------------------------------------------------------


def curve(errors: dict[float, float], *, last: float = 100.0, state: TrialState = TrialState.COMPLETE) -> optuna.trial.FrozenTrial:
    """A trial with errors by epoch."""
    return create_trial(
        state=state, value=min(errors.values()) if state == TrialState.COMPLETE else None,
        intermediate_values={mark(epoch): error for epoch, error in errors.items()}, user_attrs={LAST_MARK: mark(last)},
    )  # fmt: skip


def pruned(rule: str, others: list[optuna.trial.FrozenTrial], errors: dict[float, float]) -> bool:
    study = optuna.create_study(pruner=make_pruner(rule))
    study.add_trials(others)
    trial = study.ask()
    trial.set_user_attr(LAST_MARK, mark(100.0))
    for epoch, error in errors.items():
        trial.report(error, mark(epoch))
    return trial.should_prune()


def test_marks_are_a_tenth_apart() -> None:
    assert mark(1.0) == mark(1.05)
    assert mark(1.0) < mark(1.2) < mark(2.0)
    assert mark(epoch_of(57)) == 57
    assert mark(0.0) == 0


def test_a_trial_far_worse_than_the_best_is_pruned() -> None:
    best = [curve({1: 8.0, 2: 4.0, 4: 2.0, 8: 1.5, 16: 1.4})]
    assert pruned("threshold", best, {1: 9.0, 2: 8.9, 4: 8.8, 8: 8.7})
    assert not pruned("threshold", best, {1: 9.0, 2: 8.9})  # too early to say
    assert not pruned("threshold", best, {1: 9.0, 2: 7.0, 4: 5.0, 8: 4.0})  # not three times worse
    assert not pruned("threshold", best, {1: 90.0, 2: 45.0, 4: 22.0, 8: 11.0})  # so fast that it gets there
    assert not pruned("threshold", [], {1: 90.0, 2: 90.0, 4: 90.0, 8: 90.0})
    assert not pruned("threshold", [curve({1: -8.0, 2: -9.0, 4: -9.0, 8: -9.0})], {1: 9.0, 2: 9.0, 4: 9.0, 8: 9.0})  # no ratio there
    assert pruned("threshold", [curve({1: 8.0, 2: 4.0, 4: 2.0, 8: 1.5}, state=TrialState.RUNNING)], {1: 9.0, 2: 8.9, 4: 8.8, 8: 8.7})
    assert isinstance(make_pruner("threshold", factor=2).rules[0], ThresholdPruner)  # type: ignore[attr-defined]


def test_a_trial_worse_than_the_median_is_pruned() -> None:
    others = [curve({1: 8.0, 2: 4.0 + k, 4: 2.0 + k}) for k in range(4)]
    assert pruned("median", others, {1: 8.0, 2: 7.0, 4: 6.0})
    assert pruned("both", others, {1: 8.0, 2: 7.0, 4: 6.0})
    assert not pruned("median", others, {1: 8.0, 2: 4.0, 4: 3.0})
    assert not pruned("median", others[:3], {1: 8.0, 2: 7.0, 4: 6.0})  # too few to compare with
    assert not pruned("none", others, {1: 8.0, 2: 7.0, 4: 6.0})


@pytest.mark.parametrize("power", [0.0, 0.5, 1.5])
def test_a_power_law_is_extrapolated_exactly(power: float) -> None:
    """Its error over the marks is a straight line, so that the expected error is its value at the last mark."""
    errors = {epoch: 7.0 * epoch_of(mark(epoch)) ** -power for epoch in (1, 2, 4, 8)}
    assert expected_error(curve(errors, last=100.0)) == pytest.approx(7.0 * epoch_of(mark(100.0)) ** -power, rel=1e-9)


def test_only_the_last_slope_counts_and_a_rise_is_no_slope() -> None:
    flat = curve({1: 90.0, 2: 9.0, 3.5: 5.0, 8: 5.0}, last=100.0)
    assert expected_error(flat) == 5.0
    assert expected_error(curve({1: 3.0, 2: 4.0, 4: 5.0, 8: 6.0})) == 6.0
    assert expected_error(curve({1: -3.0, 2: -4.0, 4: -5.0})) == -5.0
    assert expected_error(curve({1: 8.0, 2: 4.0}, last=2.0)) == 4.0  # at its end
    assert expected_error(curve({3: 4.0})) == 4.0


def test_a_trial_that_falls_fast_lives_by_its_rate_of_change() -> None:
    """All are behind the median at epoch 8. Those that fall as the power law of the others, or faster, may catch up; others may not."""
    others = [curve({1: 8.0 + k, 2: 4.0 + k, 4: 3.0 + k, 8: 2.5 + k, 100: 2.0 + k}) for k in range(4)]  # ends: 2, 3, 4, 5; median 3.5
    slow, fast = {1: 9.0, 2: 8.6, 4: 8.3, 8: 8.0}, {1: 64.0, 2: 32.0, 4: 16.0, 8: 8.0}
    just = {epoch: 3.4 * (epoch_of(mark(100.0)) / epoch_of(mark(epoch))) ** 0.4 for epoch in (1, 2, 4, 8)}
    missed = {epoch: 3.6 * (epoch_of(mark(100.0)) / epoch_of(mark(epoch))) ** 0.4 for epoch in (1, 2, 4, 8)}
    for errors in (slow, fast, just, missed):
        assert pruned("median", others, errors)
    assert [pruned("trend", others, errors) for errors in (slow, fast, just, missed)] == [True, False, False, True]
    assert not pruned("trend", others, {1: 8.0, 2: 4.0, 4: 3.0, 8: 2.0})  # ahead of the median: its slope does not matter
    assert not pruned("trend", others[:3], slow)  # too few to compare with
    running = [curve({1: 8.0, 2: 4.0, 4: 3.0, 8: 2.5}, state=TrialState.RUNNING) for _ in range(5)]
    assert not pruned("trend", running, slow)


def test_choices_stored_as_text_are_restored() -> None:
    part = parse_range("model.encoder=[8],[16, 8]")
    assert part.suggest(FixedTrial({"model.encoder": "[16, 8]"})) == [16, 8]

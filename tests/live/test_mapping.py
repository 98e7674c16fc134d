"""Mappings: files, positions and values, learning; and the queue of actions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine
from hypothesis import given, settings
from hypothesis import strategies as st

from timbrespace.contracts import ConfigError, OutputExistsError
from timbrespace.live.actions import Action, Inbox
from timbrespace.live.conductor import Conductor
from timbrespace.live.mapping.mapping import Mapping
from timbrespace.live.mapping.schema import Entry, parse_mapping, read_mapping
from timbrespace.live.mapping.targets import parse_target
from timbrespace.live.mapping.writing import write_mapping


def mapping(*entries: dict[str, Any]) -> Mapping:
    return Mapping(parse_mapping({"controllers": list(entries)}))


def values(mapping: Mapping, *messages: bytes) -> list[Any]:
    return [action.values[-1] for message in messages for action in mapping.midi(message) or ()]


# --- targets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "plain"),
    [
        ("z3", "latent", "z3"), ("latent 3", "latent", "z3"), ("PC1", "axis", "pc1"), ("axis 1", "axis", "pc1"), ("map x", "map", "map x"),
        ("morph 1 12", "morph", "morph 1 12"), ("gain", "gain", "gain"), ("pad 3", "pad", "pad 3"), ("brightness", "control", "brightness"),
        ("control pad", "control", "pad"), ("walk speed", "walk", "walk speed"), ("program", "program", "program"),
    ],
)  # fmt: skip
def test_targets_have_names(text: str, kind: str, plain: str) -> None:
    target = parse_target(text)
    assert (target.kind, str(target)) == (kind, plain)
    if plain != "pad":
        assert parse_target(str(target)) == target


@pytest.mark.parametrize("text", ["", "z0", "pc99999", "map", "map z", "morph 1", "walk far", "latent", "pad x", "z-1", "../x", "z" * 200])
def test_what_is_no_target_is_refused_in_words(text: str) -> None:
    with pytest.raises(ConfigError, match="is no target"):
        parse_target(text)


# --- files -------------------------------------------------------------------------------------------------------


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    content = parse_mapping(
        {
            "controllers": [
                {"cc": 21, "channel": 2, "target": "latent 3", "low": 1, "high": -1, "curve": 2},
                {"osc": "/1/fader1", "target": "map x"},
            ]
        }
    )
    path = tmp_path / "mine.yaml"
    write_mapping(content, path)
    assert read_mapping(path) == content
    assert "smoothing" not in path.read_text()
    with pytest.raises(OutputExistsError):
        write_mapping(content, path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("controllers: [{cc: 200, target: z1}]", "controller 1: cc is 200, allowed are whole numbers from 0 to 127"),
        ("controllers: [{cc: 1, target: z1}, {cc: 1, target: z1, chanel: 2}]", "controller 2: chanel is not a setting"),
        ("controls: []", "controls is not a setting; known here are controllers"),
        ("controllers: [{target: z1}]", "controller 1: one of cc, note, bend, pressure, osc says which"),
        ("controllers: [{cc: 1, note: 5, target: z1}]", "cc and note are given"),
        ("controllers: [{cc: 1, target: map q}]", "'map q' is no target"),
        ("controllers: [{cc: 1}]", "controller 1: target is not given"),
        ("controllers: [{cc: 1, target: z1, low: .nan}]", "controller 1: low is nan"),
        ("controllers: [{cc: 40, bits: 14, target: z1}]", "14 bits are for cc 0 to 31"),
        ("controllers: [{bend: true, encoder: twos, target: z1}]", "encoder 'twos' is for a cc"),
        ("controllers: [{osc: fader, target: z1}]", "controller 1: osc is 'fader'"),
        ("controllers: 7", "controllers is 7"),
        ("[1, 2]", "must hold 'controllers:'"),
        ("a: [", "not valid YAML"),
        ("!!python/object/apply:os.system [ls]", "not valid YAML"),
        ("controllers: [" + "[" * 1500, "not valid YAML"),
    ],
)
def test_a_bad_file_is_refused_in_words(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_mapping(path)
    assert says in str(raised.value)
    assert len(str(raised.value)) < 500


def test_a_file_of_endless_aliases_is_refused_quickly(tmp_path: Path) -> None:
    path = tmp_path / "aliases.yaml"
    path.write_text("a0: &a0 [x, x]\n" + "".join(f"a{k}: &a{k} [*a{k - 1}, *a{k - 1}]\n" for k in range(1, 40)) + "controllers: *a39\n")
    with pytest.raises(ConfigError):
        read_mapping(path)


# --- positions ---------------------------------------------------------------------------------------------------


def test_ends_curve_and_the_other_way_round() -> None:
    assert values(mapping({"cc": 7, "target": "z1", "low": -2, "high": 4}), b"\xb0\x07\x7f", b"\xb5\x07\x00") == [4.0, -2.0]
    assert values(mapping({"cc": 7, "target": "z1", "low": 1, "high": -1}), b"\xb0\x07\x7f") == [-1.0]
    assert values(mapping({"cc": 7, "target": "gain", "curve": 2, "low": 0, "high": 1}), b"\xb0\x07\x40") == pytest.approx(
        [(64 / 127) ** 2]
    )


def test_only_named_messages_are_taken() -> None:
    one = mapping({"cc": 7, "channel": 2, "target": "z1"})
    assert one.midi(b"\xb0\x07\x10") is None
    assert one.midi(b"\xb1\x08\x10") is None
    assert one.midi(b"\x91\x07\x10") is None
    assert one.midi(b"\xb1\x07\x10") == [Action("set_latent", (0, pytest.approx(-3 + 6 * 16 / 127)))]


def test_bend_and_pressure_and_notes() -> None:
    all_kinds = mapping({"bend": True, "target": "pc2"}, {"pressure": True, "target": "brightness"}, {"note": 60, "target": "pad 3"})
    assert all_kinds.midi(b"\xe0\x7f\x7f") == [Action("set_axis", (1, 2.0))]
    assert all_kinds.midi(b"\xd0\x7f") == [Action("set_control", ("brightness", 2.0))]
    assert all_kinds.midi(b"\x90\x3c\x40") == [Action("pad", (2, 64))]
    assert all_kinds.midi(b"\x90\x3c\x40") == [Action("pad", (2, 64))]  # again, without a release between
    assert all_kinds.midi(b"\x80\x3c\x40") == []  # taken: it is no note of the keyboard
    assert all_kinds.midi(b"\x90\x3d\x40") is None


def test_both_coordinates_of_the_map_are_kept() -> None:
    both = mapping({"cc": 1, "target": "map x"}, {"cc": 2, "target": "map y"})
    assert both.midi(b"\xb0\x01\x7f") == [Action("set_map", (1.0, 0.5))]
    assert both.midi(b"\xb0\x02\x00") == [Action("set_map", (1.0, 0.0))]


def test_fourteen_bits() -> None:
    fine = mapping({"cc": 1, "bits": 14, "target": "gain", "low": 0, "high": 1})
    assert values(fine, b"\xb0\x01\x40", b"\xb0\x21\x01") == pytest.approx([64 * 128 / 16383, (64 * 128 + 1) / 16383])
    assert values(fine, b"\xb0\x01\x7f", b"\xb0\x21\x7f") == [1.0]  # the fine part changes nothing at the end


@pytest.mark.parametrize(("encoder", "up", "down"), [("twos", 3, 125), ("offset", 67, 61), ("sign", 3, 67)])
def test_endless_encoders_count_steps(encoder: str, up: int, down: int) -> None:
    one = mapping({"cc": 9, "encoder": encoder, "target": "z1", "low": -1, "high": 1})
    assert values(one, bytes((0xB0, 9, up))) == pytest.approx([6 / 127])
    assert values(one, bytes((0xB0, 9, down))) == pytest.approx([0.0], abs=1e-12)
    assert values(one, *[bytes((0xB0, 9, down))] * 100)[-1] == -1.0


def test_pickup_waits_for_the_present_value() -> None:
    one = mapping({"cc": 9, "pickup": True, "target": "z1", "low": -1, "high": 1})  # the value is 0, in the middle
    assert one.midi(b"\xb0\x09\x7f") == one.midi(b"\xb0\x09\x60") == []
    assert values(one, b"\xb0\x09\x30") == pytest.approx([-1 + 2 * 48 / 127])  # passed it
    assert values(one, b"\xb0\x09\x7f") == [1.0]


def test_smoothing_approaches_by_its_time_constant() -> None:
    one = mapping({"cc": 9, "smoothing": 0.1, "target": "gain", "low": 0, "high": 1})  # begins at 1
    assert one.midi(b"\xb0\x09\x00") == []
    steps = [action.values[0] for _ in range(10) for action in one.advance(0.01)]
    assert steps[-1] == pytest.approx(math.exp(-1))
    assert steps == sorted(steps, reverse=True)
    assert one.advance(1e9) == [Action("set_gain", (0.0,))]
    assert one.advance(1.0) == []  # it is there


def test_a_pad_is_hit_once_where_a_controller_leaves_its_end() -> None:
    one = mapping({"cc": 9, "target": "pad 2"})
    assert values(one, b"\xb0\x09\x40", b"\xb0\x09\x60", b"\xb0\x09\x00", b"\xb0\x09\x7f") == [64, 127]


@settings(deadline=None)
@given(
    entry=st.fixed_dictionaries(
        {"cc": st.just(3), "target": st.sampled_from(["z1", "pc1", "decay", "map y", "pad 1", "program", "morph 1 2", "walk tempo"])},
        optional={
            "low": st.floats(-1000, 1000), "high": st.floats(-1000, 1000), "curve": st.floats(0.1, 10), "smoothing": st.floats(0, 10),
            "encoder": st.sampled_from(["absolute", "twos", "offset", "sign"]),
        },
    ),
    moves=st.lists(st.tuples(st.integers(0, 127), st.floats(0, 1000)), max_size=20),
)  # fmt: skip
def test_values_stay_within_their_range(entry: dict[str, Any], moves: list[tuple[int, float]]) -> None:
    one = mapping(entry)
    low, high = sorted(Entry.model_validate(entry).range())
    for value, seconds in moves:
        for action in [*(one.midi(bytes((0xB0, 3, value))) or ()), *one.advance(seconds)]:
            number = action.values[-1]
            assert math.isfinite(number)
            if action.name not in ("pad", "program"):
                assert low - 1e-9 * abs(low) - 1e-12 <= number <= high + 1e-9 * abs(high) + 1e-12


# --- learning ----------------------------------------------------------------------------------------------------


def test_a_target_learns_the_controller_that_moves_far_enough() -> None:
    learned: list[Entry] = []
    one = Mapping(learned=learned.append)
    one.learn(parse_target("z2"))
    for value in (60, 61, 60, 62):
        assert one.midi(bytes((0xB3, 5, value))) is None  # jitter of another one
    for value in range(0, 12, 2):
        one.midi(bytes((0xB0, 21, value)))
    assert [str(entry) for entry in learned] == ["cc 21 of channel 1 moves z2"]
    assert one.learning is None
    assert one.midi(b"\xb0\x15\x7f") == [Action("set_latent", (1, 3.0))]


def test_learning_again_forgets_the_earlier_controller() -> None:
    one = mapping({"cc": 1, "target": "z1"}, {"cc": 1, "target": "z2"})
    one.learn(parse_target("z1"))
    one.midi(b"\xb0\x05\x00")
    one.midi(b"\xb0\x05\x40")
    assert [str(entry) for entry in one.content.controllers] == ["cc 1 moves z2", "cc 5 of channel 1 moves z1"]


def test_a_pad_learns_a_key_and_not_a_controller() -> None:
    one = Mapping()
    one.learn(parse_target("pad 4"))
    one.midi(b"\xb0\x05\x00")
    one.midi(b"\xb0\x05\x7f")
    one.midi(b"\x99\x30\x64")
    assert [str(entry) for entry in one.content.controllers] == ["note 48 of channel 10 moves pad 4"]


def test_an_address_is_learned_and_data_entry_is_not() -> None:
    one = Mapping()
    one.learn(parse_target("brightness"))
    for message in (b"\xb0\x06\x00", b"\xb0\x06\x7f", b"\xb0\x7b\x00", b"\xb0\x7b\x7f"):
        one.midi(message)
    assert one.learning is not None
    one.osc("/1/fader3", 0.0)
    one.osc("/1/fader3", 0.5)
    assert one.content.controllers[0].osc == "/1/fader3"
    assert one.osc("/1/fader3", 1.0) == [Action("set_control", ("brightness", 2.0))]
    assert one.osc("/1/fader4", 1.0) is None


# --- the queue ---------------------------------------------------------------------------------------------------


def test_values_are_merged_but_never_past_an_event() -> None:
    inbox = Inbox()
    for action in (
        Action("set_latent", (1, 0.1)),
        Action("set_latent", (2, 0.5)),
        Action("set_latent", (1, 0.2)),
        Action("note_on", (60, 100)),
    ):
        inbox.put(action)
    inbox.put(Action("set_latent", (1, 0.3)))
    inbox.put(Action("set_latent", (1, 0.4)))
    assert [action.values for action in inbox.take()] == [(2, 0.5), (1, 0.2), (60, 100), (1, 0.4)]
    assert inbox.merged == 2
    assert inbox.take() == []


def test_a_full_queue_drops_notes_but_not_their_ends() -> None:
    inbox = Inbox(room=10)
    for _ in range(1000):
        inbox.put(Action("note_on", (60, 100)))
    for _ in range(1000):
        inbox.put(Action("note_off", (60, 0)))
    names = [action.name for action in inbox.take()]
    assert names == ["note_on"] * 10 + ["note_off"] * 30
    assert inbox.dropped == 990 + 970


def test_a_refused_value_is_said_once_and_the_rest_goes_on() -> None:
    engine, said = FakeEngine(), []
    conductor = Conductor(engine, say=said.append, mapping=mapping({"cc": 1, "target": "z100"}))
    for value in range(100):
        conductor.midi(bytes((0xB0, 1, value)))
        conductor.midi(bytes((0x90, value, 100)))
    conductor.put([Action("walk_speed", (1.0,)), Action("nothing_such", ())])
    conductor.step()
    assert len([call for call in engine.calls if call[0] == "note_on"]) == 100
    assert [line for line in said if "latent 100" in line] == ["latent 100 is not one of 8"]
    assert "no walk plays" in " ".join(said)
    assert "refused set_latent: 100 times" in conductor.reports.summary()


def test_a_program_goes_over_the_instruments_that_are_there_and_an_encoder_by_one_a_step() -> None:
    one = mapping(
        {"cc": 1, "target": "program"}, {"cc": 2, "target": "program", "encoder": "twos"}, {"cc": 3, "target": "program", "high": 9}
    )
    one.set_programs(3)
    assert values(one, *(bytes((0xB0, 1, value)) for value in (0, 20, 64, 100, 127))) == [0, 1, 2, 2]
    assert values(one, *(bytes((0xB0, 2, step)) for step in (1, 1, 1, 127, 127, 127))) == [1, 2, 1, 0]
    assert values(one, b"\xb0\x03\x7f") == [9]  # as it was written
    one.learn(parse_target("program"))
    values(one, b"\xb0\x05\x00", b"\xb0\x05\x10")
    assert values(one, b"\xb0\x05\x7f") == [2]

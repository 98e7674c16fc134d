"""Learning writes into a mapping that the user wrote: comments, order and spelling of the rest stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timbrespace.contracts import ConfigError
from timbrespace.live.mapping.mapping import Mapping
from timbrespace.live.mapping.schema import MappingFile, read_mapping
from timbrespace.live.mapping.targets import parse_target
from timbrespace.live.mapping.writing import write_mapping

OWN = """# My little controller.
controllers:
# the left knob
- cc: 21
  channel: 1
  target: brightness   # bright to the right

# the fader
- {cc: 1, target: map x, low: 0.2, high: 0.8, smoothing: 0.1}
- note: 60   # lowest key
  target: pad 3
# the end
"""


def learned(path: Path, target: str, *messages: bytes) -> str:
    mapping = Mapping(read_mapping(path))
    mapping.learn(parse_target(target))
    for message in messages:
        mapping.midi(message)
    write_mapping(mapping.content, path, force=True)
    assert {str(entry) for entry in read_mapping(path).controllers} == {str(entry) for entry in mapping.content.controllers}
    return path.read_text(encoding="utf-8")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "mine.yaml").write_text(OWN, encoding="utf-8")
    return tmp_path / "mine.yaml"


def test_a_new_entry_is_added_at_the_end_and_all_else_stays(path: Path) -> None:
    text = learned(path, "decay", b"\xb0\x30\x00", b"\xb0\x30\x40")
    assert text == OWN.replace("# the end", "- cc: 48\n  channel: 1\n  target: decay\n# the end")


def test_an_entry_that_is_learned_again_is_replaced_where_it_is(path: Path) -> None:
    text = learned(path, "brightness", b"\xb0\x30\x00", b"\xb0\x30\x40")
    assert text == OWN.replace(
        "- cc: 21\n  channel: 1\n  target: brightness   # bright to the right", "- cc: 48\n  channel: 1\n  target: brightness"
    )
    text = learned(path, "map x", b"\xb0\x31\x00", b"\xb0\x31\x40")
    assert "# the fader\n- cc: 49\n  channel: 1\n  target: map x\n- note: 60   # lowest key" in text


def test_indented_lists_and_dashes_on_their_own_lines(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("controllers:\n  -\n    cc: 5  # a\n    target: z1\n  - cc: 6\n    target: z2  # b", encoding="utf-8")
    text = learned(path, "z3", b"\xb0\x30\x00", b"\xb0\x30\x40")
    assert text.startswith("controllers:\n  -\n    cc: 5  # a\n    target: z1\n  - cc: 6\n    target: z2  # b\n  - cc: 48\n")


@pytest.mark.parametrize(
    "text", ["controllers: [{cc: 5, target: z1}]\n", "controllers: []\n", "controllers:\n", "# nothing yet\ncontrollers: []"]
)
def test_a_list_in_brackets_is_written_anew(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    if text != "controllers:\n":
        learned(path, "z3", b"\xb0\x30\x00", b"\xb0\x30\x40")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["brightness", "z1", "z2", "map x", "pc1"]), max_size=6), st.text("#- :\n ab", max_size=12))
def test_any_order_of_learning_gives_the_same_entries(tmp_path_factory: pytest.TempPathFactory, targets: list[str], noise: str) -> None:
    path = tmp_path_factory.mktemp("any") / "mine.yaml"
    comment = "".join(f"# {line}\n" for line in noise.split("\n"))
    path.write_text(comment + OWN + comment, encoding="utf-8")
    for number, target in enumerate(targets):
        text = learned(path, target, bytes((0xB0, 30 + number, 0)), bytes((0xB0, 30 + number, 99)))
        assert text.startswith(comment + "# My little controller.")
        assert "# the left knob" in text
        assert "# the end" in text
    assert isinstance(read_mapping(path), MappingFile)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("controllers:\n- {cc: 1, target: z1}\ncontrollers:\n- {cc: 2, target: z2}\n", 3),
        ("controllers:\n- cc: 1\n  target: z1\n  cc: 2\n", 4),
    ],
)
def test_a_key_that_is_there_twice_is_an_error(text: str, line: int, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"the key '\w+' is there twice, again in line {line}"):
        read_mapping(path)
    path.write_text("controllers:\n- &one {cc: 1, target: z1}\n- {<<: *one, cc: 2}\n")
    assert [entry.cc for entry in read_mapping(path).controllers] == [1, 2]

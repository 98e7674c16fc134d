"""Lists of categories that a rule names: source B's sixteen kinds by file name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.shell import Shell

from timbrespace.contracts import ConfigError
from timbrespace.corpus.labels.categories import LISTS, categorise
from timbrespace.corpus.prepare import prepare

LIST = {"source-b": "source-b"}
KINDS = "Vocal, Synth, Guitar, Bass, Plucked, Bell, Strings, Pad, Piano, Brass, E-Piano, Wind, Organ, Percussion, Pulsing, Synth Makes"


@pytest.mark.parametrize("kind", KINDS.split(", "))
@pytest.mark.parametrize("name", ["{}", "{} 01", "Dark {} C3", "0012_{}_60"])
def test_each_kind_of_source_b_is_found_in_a_name(kind: str, name: str) -> None:
    assert categorise([f"in/{name.format(kind)}.wav"], rules=LIST) == [kind.lower()]


def test_the_first_kind_in_a_name_wins_and_others_have_none() -> None:
    names = {
        "Synth Lead": "synth", "Pulsing Pad": "pulsing", "Synth Bass": "synth", "Bass Synth": "bass", "Synth Makes Pad": "synth makes",
        "E-Piano Bell": "e-piano", "ElectricPiano": "e-piano", "Voxes": None, "vox_01": "vocal", "Violin": None, "Lead": None,
        "Kick 3": None, "Launchpad": None, "Windows": None,
    }  # fmt: skip
    assert dict(zip(names, categorise([f"{name}.wav" for name in names], rules=LIST), strict=True)) == names
    assert categorise(["Synth Lead.wav", "Pulsing Pad.wav"]) == ["lead", "pad"]  # without the list


def test_folders_count_only_if_they_are_named_by_a_kind() -> None:
    files = ["Strings/01.wav", "My Synth Pack/kick.wav", "Strings/Pad 1.wav", "Pads 2/x/01.wav", "violins/1.wav", "violins/2.wav"]
    assert categorise(files, rules=LIST, root="bass") == ["strings", None, "pad", "pad", None, None]


def test_other_rules_stay_in_their_order() -> None:
    files = ["Synth Choir.wav", "Choir.wav", "Pad.wav", "Gong.wav"]
    assert categorise(files, rules={"*choir*": "vocal", **LIST, "*": "rest"}) == ["vocal", "vocal", "pad", "rest"]
    assert categorise(files, rules={**LIST, "*choir*": "vocal"}) == ["synth", "vocal", "pad", None]
    assert categorise(["source-b.wav"], rules={"source-b": "mine"}) == ["mine"]  # a pattern as any other


def test_the_list_at_the_command_line(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "Leads"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("Synth Lead 1", "Synth Lead 2", "Pulsing Pad", "Violin"):
        soundfile.write(folder / f"{name}.wav", rng.uniform(-0.3, 0.3, 8_000) * np.exp(-np.arange(8_000) / 2_000), 16_000)
    shown = shell("doctor", folder, "--rule", "source-b", "--json")
    assert '"synth": 2' in shown
    assert '"pulsing": 1' in shown
    assert '"lead"' not in shown
    shell("prepare", folder, "--rule", "source-b", "--rate", "16000", "--out", tmp_path / "c")
    corpus = prepare(folder, tmp_path / "same", sample_rate=16_000, rules=LIST)
    assert {clip.name: clip.category for clip in corpus.clips} == {
        "Synth Lead 1": "synth", "Synth Lead 2": "synth", "Pulsing Pad": "pulsing", "Violin": None,
    }  # fmt: skip
    said = shell("doctor", folder, "--rule", "source-x", code=2)
    assert "is not NAME=PATTERN" in said
    assert all(name in said for name in LISTS)
    with pytest.raises(ConfigError, match="plain category"):
        prepare(folder, tmp_path / "no", rules={"": "source-b"})

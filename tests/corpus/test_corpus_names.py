"""What file and folder names tell: kind, pitch, velocity, layers of one hit."""

from __future__ import annotations

import pytest

from timbrespace.corpus.labels.categories import categorise, category_of_folder, category_of_name
from timbrespace.corpus.labels.names import layer_key, pitch_and_velocity


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("bassdrum-4mics-br-stereo-normal3", "kick"),
        ("drum_bass_hard", "kick"),
        ("Bass Drum 2", "kick"),
        ("EE_Kick_Low_1", "kick"),
        ("808BD", "kick"),
        ("HiHatSemiopen-0", "hat"),
        ("hhclosed_01", "hat"),
        ("pedalhihat", "hat"),
        ("drum_cymbal_closed", "hat"),
        ("drum_cymbal_soft", "cymbal"),
        ("CrashRide18Bell-0", "cymbal"),
        ("jsnare_05", "snare"),
        ("PearlSideStick-Hard", "rim"),
        ("Cowbell-Med", "cowbell"),
        ("perc_bell2", "bell"),
        ("Djembe1 Bass", "djembe"),
        ("noise-tom1", "tom"),
        ("perc_door", "percussion"),
        ("Synth Bass 3", "bass"),
        ("E-Piano Soft", "e-piano"),
        ("Violín pizz", "plucked"),
        ("Caisse Claire 3", "snare"),
        ("Synth Makes 12", "synth makes"),
        ("organic texture", None),
        ("C sharp 3", None),
        ("beats_01-10", None),
        ("123", None),
        ("", None),
    ],
)
def test_category_of_a_name(name, kind):
    assert category_of_name(name) == kind


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("Kicks", "kick"), ("01 Analog Snares", "snare"), ("Hi-Hats (dry)", "hat"), ("Brass Construction Kit", None), ("bells", "bell")]
    + [("The Black Pearl 1.0", None), ("Kick Ass Sounds By Me", None), ("Drum Hits", "percussion"), ("Violín", "violin"), ("2019", None)],
)
def test_category_of_a_folder(folder, kind):
    assert category_of_folder(folder) == kind


def test_rules_then_folders_then_names_then_class_folders():
    files = ["Kicks/Snare 1.wav", "x/snare.wav", "x/zz_BD_3.wav", "x/other.wav"]
    assert categorise(files) == ["kick", "snare", "kick", None]
    assert categorise(files, rules={"*bd*": "boom", "kicks/*": "thud"}) == ["thud", "snare", "boom", None]
    assert categorise(files, root="Toms") == ["kick", "snare", "kick", "tom"]
    classes = [f"{folder}/{n}.wav" for folder in ("Dry Ice", "Rust") for n in range(4)]
    assert categorise(classes) == ["dry ice"] * 4 + ["rust"] * 4
    assert categorise([*classes, "loose.wav"]) == [None] * 9
    short = ["kit/bd_01.wav", "kit/sd_01.wav", "kit/ft_01.wav", "kit/mc_cb.wav", "else/ft_01.wav"]
    assert categorise(short) == ["kick", "snare", "tom", "cowbell", None]


@pytest.mark.parametrize(
    ("stem", "pitch", "velocity"),
    [
        ("violin_060_085", 60.0, 85),
        ("Pad C3", 48.0, None),
        ("piano_A#4_v100", 70.0, 100),
        ("Bb2 horn", 46.0, None),
        ("trimo-c3", 48.0, None),
        ("Kick 01", None, None),
        ("Crash18", None, None),
        ("Snare v2", None, None),
        ("loop_300_200", None, None),
    ],
)
def test_pitch_and_velocity(stem, pitch, velocity):
    assert pitch_and_velocity(stem) == (pitch, velocity)


def test_drum_numbers_are_no_pitch():
    assert pitch_and_velocity("snare-b1", is_drum=True) == (None, None)
    assert pitch_and_velocity("808 Kick C1", is_drum=True) == (24.0, None)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("BongoHi-Hard", "BongoHi-Softest", True),
        ("BongoHi-Hard", "BongoLo-Hard", False),
        ("Snare_1", "Snare_3", True),
        ("PearlTom1-Hard", "PearlTom2-Hard", False),
        ("violin_060_085", "violin_060_120", True),
        ("violin_060_085", "violin_063_085", False),
        ("Pad C3", "Pad C4", False),
        ("piano_A4_v100", "piano_A4_v050", True),
        ("EE_Kick_Hard_1", "EE_Kick_Lite_2", True),
        ("Kick", "Snare", False),
        ("01", "02", False),
    ],
)
def test_layers_of_one_hit(one, other, same):
    assert (layer_key(one)[0] == layer_key(other)[0]) == same

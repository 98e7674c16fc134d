"""What file and folder names tell: kind, pitch, velocity, layers of one hit."""

from __future__ import annotations

import pytest

from timbrespace.corpus.labels.categories import categorise, category_of_folder, category_of_name, folder_kind, naming_folder
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
    assert categorise([*classes, "loose.wav"]) == ["dry ice"] * 4 + ["rust"] * 4 + [None]
    short = ["kit/bd_01.wav", "kit/sd_01.wav", "kit/ft_01.wav", "kit/mc_cb.wav", "else/ft_01.wav"]
    assert categorise(short) == ["kick", "snare", "tom", "cowbell", None]


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("casio", "casio"), ("01 - Insects", "insects"), ("Dry_Ice", "dry ice"), ("Звери", "звери"), ("8-bit toys", "8-bit toys")]
    + [(name, None) for name in ("samples", "wav", "One Shots", "Kit 03", "Vol 1", "2019", "120 bpm", "loops_90BPM", "A", "C minor")]
    + [(name, None) for name in ("Sound Pack", "May 2020", "24bit 48kHz", "rr1", "___", "takes")],
)
def test_a_folder_name_tells_a_category_or_nothing(folder, kind):
    assert folder_kind(folder) == kind


def test_the_innermost_telling_folder_is_the_category_where_no_word_is_known():
    files = [
        f"lib/{folder}/{sub}{n}.wav" for folder in ("casio", "insect", "Kit 03", "speech") for sub in ("wav/", "120 bpm/") for n in range(2)
    ]
    assert categorise(files, root="My Library") == ["casio"] * 4 + ["insect"] * 4 + [None] * 4 + ["speech"] * 4
    assert categorise([*files, "lib/casio/kick.wav", "lib/casio/Snares/9.wav"])[-2:] == ["kick", "snare"]
    nested = ["lib/toys/robot/1.wav", "lib/toys/robot/2.wav", "lib/toys/3.wav", "lib/toys/4.wav", "x.wav"]
    assert categorise(nested) == ["robot", "robot", "toys", "toys", None]
    assert categorise(files, rules={"*/casio/*": "keys"})[:5] == ["keys"] * 4 + ["insect"]
    many = [f"{chr(97 + i // 26)}{chr(97 + i % 26)}x/{n}.wav" for i in range(90) for n in range(3)]
    assert categorise(many) == [file.partition("/")[0] for file in many]


def test_a_known_word_in_a_file_name_wins_over_a_folder_without_one():
    files = [f"{folder}/{name}.wav" for folder in ("Ember", "Quartz") for name in ("Pad 1", "x2", "x3", "x4", "x5", "x6")]
    assert categorise(files) == ["pad", *["ember"] * 5, "pad", *["quartz"] * 5]


def test_kits_common_folders_and_folders_of_one_file_are_no_categories():
    kit = [f"Thunder/{name}.wav" for name in ("kick 1", "kick 2", "snare 1", "zap", "bloop")]
    other = [f"Lightning/{name}.wav" for name in ("kick 1", "hat 2", "snare 1", "zap", "bloop")]
    assert categorise([*kit, *other])[3:5] == [None, None]
    assert categorise([f"my things/{n}.wav" for n in range(9)]) == [None] * 9
    assert categorise([f"{name}/1.wav" for name in ("rain", "sea", "fire", "hail")]) == [None] * 4


def test_which_folder_a_category_is_named_after():
    assert naming_folder("lib/01 Casio/wav/x.wav", "casio") == "01 Casio"
    assert naming_folder("Kicks/x.wav", "kicks") is None
    assert naming_folder("lib/Casio/kick.wav", "kick") is None


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

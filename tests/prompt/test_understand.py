"""Prompts are understood: categories, wishes with degree and direction, negation, values, comparisons, four languages."""

from __future__ import annotations

import pytest

from timbrespace.contracts import ConfigError
from timbrespace.prompt.reading import DEGREES, Reading, Wish
from timbrespace.prompt.tokens import MOST_CHARACTERS, midi_of
from timbrespace.prompt.understand import demand, read_prompt
from timbrespace.prompt.vocabulary import vocabulary_of

DRUMS = vocabulary_of(
    ["cymbal", "hat", "kick", "rim", "snare", "tom"],
    names=["Kit One/rim01", "Kit One/kick01", "Kit Two/kick01", "Kit Two/EE_Snare_1", "Kit Two/Big Room", "snare"],
    learned=frozenset({"paiste", "ride", "crash"}),
)
NOTES = vocabulary_of(["cello", "flute", "organ", "piano", "violin"], names=["cello/cello_048_050"], velocity=True)


def read(prompt: str) -> Reading:
    return read_prompt(prompt, DRUMS)


def wishes(prompt: str) -> dict[str, float]:
    """Descriptor -> signed amount, in degrees of the plain one."""
    return {wish.descriptor: wish.amount / DEGREES["plain"] for wish in read(prompt).wishes if wish.amount is not None}


def signs(prompt: str) -> dict[str, int]:
    return {wish.descriptor: wish.sign for wish in read(prompt).wishes}


def unknown(prompt: str) -> list[str]:
    return [one.word for one in read(prompt).unknown]


def only(prompt: str) -> Wish:
    (wish,) = read(prompt).wishes
    return wish


# --- the prompt of the documentation ---------------------------------------------------------------------------------


def test_the_prompt_of_the_documentation() -> None:
    reading = read("short bright snare, a bit noisy, like rim01 but darker")
    assert reading.categories == ("snare",)
    assert reading.compared is not None
    assert (reading.compared.name, reading.compared.like) == ("Kit One/rim01", True)
    found = {(wish.descriptor, wish.sign, wish.against) for wish in reading.wishes}
    assert found == {("length", -1, "category"), ("brightness", 1, "category"), ("noisiness", 1, "category"), ("brightness", -1, "sound")}
    assert not reading.unknown
    assert not reading.conflicts


# --- wishes ----------------------------------------------------------------------------------------------------------

SAME = {
    "en": ("short bright snare", "dark kick", "very long tom", "a bit noisy hi-hat", "snare, not bright", "kick without noise"),
    "de": ("kurze helle Snare", "dunkle Bassdrum", "sehr langes Tom", "etwas rauschige Hi-Hat", "Snare, nicht hell",
    "Bassdrum ohne Rauschen"),
    "es": ("caja corta y brillante", "bombo oscuro", "tom muy largo", "charles un poco ruidoso", "caja no brillante", "bombo sin ruido"),
    "fr": ("caisse claire courte et brillante", "grosse caisse sombre", "tom très long", "charley un peu bruité",
    "caisse claire pas brillante",
           "grosse caisse sans bruit"),
}  # fmt: skip


@pytest.mark.parametrize("language", ["de", "es", "fr"])
@pytest.mark.parametrize("number", range(6))
def test_the_same_prompt_in_each_language(language: str, number: int) -> None:
    one, other = read(SAME["en"][number]), read(SAME[language][number])
    assert other.categories == one.categories
    assert {wish.descriptor: wish.amount for wish in other.wishes} == {wish.descriptor: wish.amount for wish in one.wishes}
    assert one.wishes
    assert not other.unknown
    assert other.languages == (language,)


def test_degrees() -> None:
    assert 0 < wishes("a bit bright")["brightness"] < wishes("bright")["brightness"] == 1.0 < wishes("very bright")["brightness"]
    assert wishes("as dark as possible") == wishes("very dark")
    assert wishes("bright, BRIGHT!") == {"brightness": 1.0}


@pytest.mark.parametrize(
    "prompt",
    ["not bright", "isn't bright", "less bright", "too bright", "without brightness", "nicht hell", "weniger hell", "zu hell",
    "menos brillante",
     "demasiado brillante", "moins brillant", "trop brillant", "darker", "dunkler", "plus sombre", "más oscuro"],
)  # fmt: skip
def test_ways_to_ask_for_less(prompt: str) -> None:
    assert signs(prompt) == {"brightness": -1}


def test_not_too_bright_is_a_bit_darker() -> None:
    for prompt in ("not too bright", "not very bright", "nicht zu hell", "no muy brillante", "pas trop brillant"):
        assert -1 < wishes(prompt)["brightness"] < 0


def test_a_negation_ends_where_its_object_ends() -> None:
    assert signs("not bright, short") == {"brightness": -1, "length": -1}
    assert signs("not bright and short") == {"brightness": -1, "length": -1}
    assert signs("no hiss, bright") == {"noisiness": -1, "brightness": 1}
    assert signs("without hiss or ring") == {"noisiness": -1, "decay": -1}
    assert signs("ohne Rauschen und Nachklang") == {"noisiness": -1, "decay": -1}
    assert signs("neither bright nor long") == {"brightness": -1, "length": -1}
    assert signs("weder hell noch lang") == {"brightness": -1, "length": -1}
    assert signs("noch heller") == {"brightness": 1}
    assert signs("not noisy at all, long") == {"noisiness": -1, "length": 1}


def test_properties_with_a_size_before_or_behind_them() -> None:
    assert signs("short decay") == signs("decay: short") == signs("a very short decay") == {"decay": -1}
    assert signs("slow attack") == signs("ataque lento") == signs("attaque lente") == signs("langsamer Anschlag") == {"attack": 1}
    assert signs("long tail, fast attack") == {"length": 1, "attack": -1}
    assert signs("more low end") == signs("lots of low end") == signs("mucho cuerpo") == {"low_end": 1}
    assert signs("less low end") == signs("no low end") == {"low_end": -1}
    assert signs("more attack") == signs("punchy") == {"attack": -1}
    assert signs("with hiss") == {"noisiness": 1}


@pytest.mark.parametrize(
    ("prompt", "name", "factor"),
    [("half as long", "length", 0.5), ("twice as bright", "brightness", 2), ("twice as dark", "brightness", 0.5),
    ("3 times as long", "length", 3),
     ("three times as long", "length", 3), ("2x longer", "length", 2), ("doppelt so lang", "length", 2), ("halb so lang", "length", 0.5),
     ("la mitad de largo", "length", 0.5), ("el doble de largo", "length", 2), ("deux fois plus court", "length", 0.5),
     ("deux fois plus long", "length", 2), ("30% longer", "length", 1.3), ("30 % shorter", "length", 0.7), ("half the decay",
     "decay", 0.5)],
)  # fmt: skip
def test_factors(prompt: str, name: str, factor: float) -> None:
    wish = only(prompt)
    assert wish.descriptor == name
    assert wish.factor == pytest.approx(factor)


@pytest.mark.parametrize(
    ("prompt", "name", "value"),
    [("0.4 s", "length", 0.4), ("0,4 s lang", "length", 0.4), ("400ms", "length", 0.4), ("decay of 0.8 s", "decay", 0.8),
    ("0.8 s decay", "decay", 0.8),
     ("attack 5 ms", "attack", 0.005), ("2 kHz", "brightness", 2000), ("3000 Hz", "brightness", 3000), ("120 Hz", "pitch", 120),
     ("centroid around 500 Hz", "brightness", 500), ("C4", "pitch", 261.63), ("A3", "pitch", 220), ("Bb2", "pitch", 116.54),
     ("F#3", "pitch", 185.0),
     ("two seconds long", "length", None), ("loudness -12 dB", "loudness", -12)],
)  # fmt: skip
def test_values_with_units(prompt: str, name: str, value: float | None) -> None:
    if value is None:
        return
    wish = only(prompt)
    assert wish.descriptor == name
    assert wish.target == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(
    ("prompt", "name", "value"),
    [("two seconds", "length", 2.0), ("decay of two seconds", "decay", 2.0), ("note 60", "pitch", 261.63), ("0.1 to 0.4 s", "length", 0.2),
     ("between 100 ms and 400 ms", "length", 0.2), ("zwischen 1 und 4 kHz", "brightness", 2000)],
)  # fmt: skip
def test_values_in_words_and_ranges(prompt: str, name: str, value: float) -> None:
    wish = only(prompt)
    assert (wish.descriptor, wish.target) == (name, pytest.approx(value, rel=1e-3))
    assert not unknown(prompt)


@pytest.mark.parametrize(
    ("prompt", "factor"),
    [
        ("an octave higher", 2),
        ("two octaves lower", 0.25),
        ("eine Oktave tiefer", 0.5),
        ("3 semitones higher", 2 ** (3 / 12)),
        ("una octava más grave", 0.5),
    ],
)
def test_intervals(prompt: str, factor: float) -> None:
    wish = only(prompt)
    assert (wish.descriptor, wish.factor) == ("pitch", pytest.approx(factor))
    assert not unknown(prompt)


def test_hedges_and_superlatives() -> None:
    assert wishes("bright but not too bright") == wishes("a bit bright")
    usual = read("neither too long nor too short")
    assert (usual.wishes, usual.conflicts) == ((), ())
    assert "usual length" in usual.notes[0]
    assert wishes("the darkest kick possible") == wishes("very dark") == wishes("die dunkelste Bassdrum") == wishes("the darkest")
    assert wishes("maximum brightness") == wishes("bright")
    assert read("half as long").wishes[0].factor == read("1/2 as long").wishes[0].factor


def test_note_names() -> None:
    assert [midi_of(name) for name in ("C4", "c4", "A4", "Bb2", "B♭2", "C#-1", "G9")] == [60, 60, 69, 46, 46, 1, 127]
    assert [midi_of(name) for name in ("H4", "C", "tom1", "G#9", "C44")] == [None] * 5


def test_a_value_wins_over_a_direction_and_says_so() -> None:
    reading = read("short snare, 0.4 s")
    assert [wish.target for wish in reading.wishes] == [0.4]
    assert any("short" in note for note in reading.notes)


# --- categories ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "category"),
    [("bass drum", "kick"), ("kick", "kick"), ("Bassdrum", "kick"), ("große Trommel", "kick"), ("grosse caisse", "kick"), ("bombo",
    "kick"),
     ("hi-hats", "hat"), ("HiHat", "hat"), ("charleston", "hat"), ("side stick", "rim"), ("Becken", "cymbal"), ("crash", "cymbal"),
     ("caja", "snare"), ("SNARES", "snare")],
)  # fmt: skip
def test_categories_by_their_synonyms(prompt: str, category: str) -> None:
    assert read(prompt).categories == (category,)
    assert not unknown(prompt)


def test_own_categories_of_an_instrument_are_words() -> None:
    reading = read_prompt("bright my weird noises", vocabulary_of(["my weird noises", "snare"]))
    assert reading.categories == ("my weird noises",)
    assert not reading.unknown


def test_several_and_excluded_categories() -> None:
    assert read("kick or tom").categories == ("kick", "tom")
    assert read("anything, no snare").excluded == ("snare",)
    assert read("anything but, not a kick").excluded == ("kick",)
    both = read("snare, no snare")
    assert (both.categories, both.excluded) == ((), ())
    assert both.notes


def test_a_category_that_the_instrument_lacks_is_said() -> None:
    (one,) = read("bright piano").unknown
    assert one.word == "piano"
    assert "snare" in one.reason


# --- comparisons -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prompt",
    [
        "like rim01 but darker",
        "wie rim01, nur dunkler",
        "como rim01 pero más oscuro",
        "comme rim01 mais plus sombre",
        "darker, like RIM01.wav",
    ],
)
def test_a_training_sound_by_its_name(prompt: str) -> None:
    reading = read(prompt)
    assert reading.compared is not None
    assert (reading.compared.clip, reading.compared.like) == (0, True)
    (wish,) = reading.wishes
    assert (wish.descriptor, wish.sign, wish.against) == ("brightness", -1, "sound")
    assert not reading.unknown


def test_names_of_several_words_and_with_folders() -> None:
    assert read("like Big Room").compared == read("darker than big_room").compared.__class__("Kit Two/Big Room", 4, True)
    two = read("like kick01")
    assert two.compared is not None
    assert two.compared.name == "Kit One/kick01"
    assert "2 training sounds" in two.notes[0]
    exact = read("like Kit Two/kick01")
    assert exact.compared is not None
    assert exact.compared.name == "Kit Two/kick01"
    assert not exact.notes


def test_brighter_than_a_sound_is_no_wish_to_resemble_it() -> None:
    reading = read("snare brighter than rim01")
    assert reading.compared is not None
    assert not reading.compared.like
    assert reading.wishes[0].against == "sound"


def test_as_bright_as_a_sound() -> None:
    (wish,) = read("snare as bright as rim01").wishes
    assert wish.equal
    assert wish.against == "sound"
    (plain,) = read("as bright as possible").wishes
    assert not plain.equal


def test_like_a_category_is_that_category() -> None:
    reading = read("like a snare but darker")
    assert (reading.categories, reading.compared) == (("snare",), None)


def test_a_path_in_a_prompt_is_text(tmp_path: object) -> None:
    for path in ("/etc/passwd", "../../secret.wav", "C:\\Windows\\kick.wav", str(tmp_path)):
        reading = read(f"snare like {path}")
        assert reading.compared is None
        assert reading.categories == ("snare",)
        assert [one.word for one in reading.unknown] == [path]
        assert "--like" in reading.unknown[0].reason


def test_the_given_sound_by_its_name_or_as_this() -> None:
    own = vocabulary_of(["snare"], given="My Take 3.wav")
    for prompt in ("like this but darker", "like My Take 3.wav but darker", "darker"):
        reading = read_prompt(prompt, own)
        assert reading.compared is not None
        assert (reading.compared.name, reading.compared.clip) == ("My Take 3.wav", None)
        assert not reading.unknown
    assert read("like this one").unknown[0].word == "this one"


# --- what is not understood ------------------------------------------------------------------------------------------


def test_unknown_words_are_reported_with_a_reason() -> None:
    assert unknown("dusty short snare, vaporwave") == ["dusty", "vaporwave"]
    assert "room" in read("snare with reverb").unknown[0].reason
    assert unknown("808 kick") == ["808"]
    assert unknown("12 kicks") == ["12"]


def test_contradictions_are_named_and_not_used() -> None:
    reading = read("brighter and darker snare")
    assert [(one.descriptor, one.words) for one in reading.conflicts] == [("brightness", ("brighter", "darker"))]
    assert not reading.wishes
    assert read("0.2 s, 0.4 s").conflicts
    assert not read("bright snare, darker than rim01").conflicts  # bright for a snare, darker than the rim


def test_misspelt_words_are_read_and_said() -> None:
    reading = read("brigth snaer")
    assert reading.categories == ("snare",)
    assert signs("brigth snaer") == {"brightness": 1}
    assert len(reading.notes) == 2


def test_learned_words_of_names() -> None:
    reading = read("paiste ride, short")
    assert [(word.token, word.sign) for word in reading.named] == [("paiste", 1), ("ride", 1)]
    assert reading.categories == ("cymbal",)
    assert [word.sign for word in read("cymbal, not paiste").named] == [-1]


def test_how_hard_it_is_played() -> None:
    assert read_prompt("softly played piano", NOTES).velocity == -1
    assert "hard" in read("hard snare").unknown[0].reason


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t", None, 7, ["snare"], "x" * (MOST_CHARACTERS + 1)])
def test_what_is_no_prompt_is_refused(prompt: object) -> None:
    with pytest.raises(ConfigError):
        read_prompt(prompt, DRUMS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("prompt", "said"), [("purple unicorn", "purple"), ("brighter and darker", "contradict"), ("!?!", "category"), ("the", "category")]
)
def test_a_prompt_that_asks_for_nothing_is_refused_with_reasons(prompt: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        demand(read(prompt))
    assert demand(read(f"snare {prompt}")).categories == ("snare",)

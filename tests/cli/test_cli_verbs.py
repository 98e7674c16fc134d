"""Every verb that makes or opens an instrument, as typed: what it writes, what it keeps, and its error messages."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

import timbrespace
from shell import Shell
from timbrespace.cli.main import main
from timbrespace.corpus.corpus import Corpus
from timbrespace.synthesis.novelty import Nearest
from tiny import RATE, SMALL, Tiny, drum, fix_plan, hashes, write_drums

SET = [word for change in SMALL for word in ("--set", change)]


def starts(folder: Path, letters: int) -> list[str]:
    """The starts of the names; a note may follow."""
    return [name[:letters] for name in wavs(folder)]


def wavs(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.glob("*.wav"))


# --- generate ------------------------------------------------------------------------------------------------------------------


def test_generate(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    text = shell("generate", tiny.file, "-n", 3, "--out", tmp_path / "new", "--category", "snare", "--seed", 4)
    assert starts(tmp_path / "new", 9) == ["snare 001", "snare 002", "snare 003"]
    assert len(list((tmp_path / "new").iterdir())) == 6
    assert "3 sounds" in text
    assert "novelty" in text
    report = shell.json("generate", tiny.file, "-n", 3, "--out", tmp_path / "again", "--category", "snare", "--seed", 4)
    assert [Path(row["file"]).name for row in report["sounds"]] == wavs(tmp_path / "new")
    for row in report["sounds"]:
        assert row["category"] == "snare"
        assert soundfile.info(row["file"]).duration == pytest.approx(row["seconds"], abs=1e-3)
        assert row["nearest"]
        assert row["novelty"] >= 0
    for name in wavs(tmp_path / "new"):
        assert (tmp_path / "new" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_generate_defaults(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    shell("generate", tiny.file, "--out", tmp_path / "a b é")
    assert len(wavs(tmp_path / "a b é")) == 16
    info = soundfile.info(next((tmp_path / "a b é").glob("*.wav")))
    assert (info.samplerate, info.channels, info.subtype) == (RATE, 1, "PCM_24")


@pytest.mark.parametrize(("subtype", "rate"), [("PCM_16", 48_000), ("FLOAT", 22_050)])
def test_formats_rates_levels(subtype: str, rate: int, shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    shell("generate", tiny.file, "-n", 2, "--out", tmp_path, "--format", subtype, "--rate", rate, "--level", "loudness")
    for name in wavs(tmp_path):
        info = soundfile.info(tmp_path / name)
        assert (info.subtype, info.samplerate) == (subtype, rate)


def test_kit_and_reel(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    report = shell.json("generate", tiny.file, "-n", 4, "--out", tmp_path, "--kit", "--reel")
    sfz = (tmp_path / "tiny kit.sfz").read_text(encoding="utf-8")
    samples = re.findall(r"sample=(.+?)(?=\s+\w+=|\s*$)", sfz, re.MULTILINE)
    assert sorted(samples) == [name for name in wavs(tmp_path) if name != "reel.wav"]
    assert sfz.count("<region>") == 4
    from xml.etree import ElementTree

    root = ElementTree.parse(tmp_path / "tiny kit.dspreset").getroot()
    assert sorted(node.get("path", "") for node in root.iter("sample")) == sorted(samples)
    total = sum(soundfile.info(tmp_path / name).frames for name in samples)
    assert soundfile.info(tmp_path / "reel.wav").frames > total
    assert "tiny kit.sfz" in report["kit"]
    assert report["reel"].endswith("reel.wav")


def test_variations_and_morphs_have_kits_and_pages_too(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    varied = shell.json("vary", tiny.file, tiny.sound, "-n", 2, "--out", tmp_path / "vary", "--kit", "--page")
    assert (tmp_path / "vary" / "index.html").is_file()
    assert "tiny kit.sfz" in varied["kit"]
    morphed = shell.json("morph", tiny.file, tiny.sound, tiny.sound, "--steps", 2, "--out", tmp_path / "morph", "--reel")
    assert morphed["reel"].endswith("reel.wav")
    assert len(wavs(tmp_path / "morph")) == 3


def test_a_recipe_renders_the_same_file(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    shell("generate", tiny.file, "-n", 2, "--out", tmp_path / "one", "--rate", 48_000)
    for recipe in (tmp_path / "one").glob("*.json"):
        shell("generate", tiny.file, "--recipe", recipe, "--out", tmp_path / "two")
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    (tmp_path / "bad.json").write_text('{"name": 3}')
    assert "not a recipe" in shell("generate", tiny.file, "--recipe", tmp_path / "bad.json", "--out", tmp_path / "x", code=2)
    for content in (b"", b"[]", b"\xff", b"[" * 9999, b"3"):
        (tmp_path / "bad.json").write_bytes(content)
        assert "not a recipe" in shell("generate", tiny.file, "--recipe", tmp_path / "bad.json", "--out", tmp_path / "x", code=2)
    assert "not a recipe" in shell("generate", tiny.file, "--recipe", tmp_path / "no.json", "--out", tmp_path / "x", code=2)
    assert not (tmp_path / "x").exists()


def test_near_a_file(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    report = shell.json("generate", tiny.file, "-n", 2, "--near", tiny.sound, "--temperature", 0.1, "--out", tmp_path)
    assert len(report["sounds"]) == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--category", "gong"], r"'gong', this instrument has .*hat.*kick"),
        (["--temperature", "9"], r"temperature is 9.0, allowed is 0 to 4"),
        (["--temperature", "nan"], r"temperature is nan"),
        (["-n", "0"], r"number of sounds is 0, allowed is 1 to"),
        (["-n", "many"], r"--count"),
        (["--seed", "-1"], r"seed"),
        (["--seed", str(2**64)], r"seed"),
        (["--format", "MP3"], r"format is 'MP3', allowed are PCM_16, PCM_24, FLOAT"),
        (["--level", "loud"], r"level is 'loud', allowed is one of: peak"),
        (["--rate", "0"], r"out_rate is 0, allowed is 1000"),
        (["--rate", "-5"], r"out_rate is -5"),
        (["--near", "missing.wav"], r"missing.wav: does not exist"),
        (["--loud"], r"No such option: --loud"),
    ],
)
def test_wrong_options(words: list[str], expected: str, shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    assert re.search(expected, shell("generate", tiny.file, "--out", tmp_path / "x", *words, code=2))
    assert not (tmp_path / "x").exists()


# --- the other verbs ---------------------------------------------------------------------------------------------------------------


def test_vary(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    report = shell.json("vary", tiny.file, tiny.sound, "-n", 3, "--amount", 0.5, "--out", tmp_path)
    assert starts(tmp_path, 19) == [f"kick 001 varied 00{k}" for k in (1, 2, 3)]
    assert len(report["sounds"]) == 3
    assert "amount is 7.0, allowed is 0 to 4" in shell("vary", tiny.file, tiny.sound, "--amount", 7, "--out", tmp_path / "x", code=2)


def test_morph(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    report = shell.json("morph", tiny.file, tiny.sound, tiny.other, "--steps", 4, "--out", tmp_path)
    assert starts(tmp_path, 25) == [f"kick 001 to snare 001 00{k}" for k in (1, 2, 3, 4)]
    assert len(report["sounds"]) == 4
    assert "two sounds or more" in shell("morph", tiny.file, tiny.sound, "--out", tmp_path / "x", code=2)
    assert "allowed is 1 to" in shell("morph", tiny.file, tiny.sound, tiny.other, "--steps", 0, "--out", tmp_path / "x", code=2)
    assert not (tmp_path / "x").exists()


def test_reconstruct(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    folder = write_drums(tmp_path / "in", 3)
    (folder / "broken.wav").write_text("no")
    (folder / "deep" / "er").mkdir(parents=True)
    soundfile.write(folder / "deep" / "er" / "long.flac", (drum(1).repeat(1, 9) * 0.3)[0].numpy(), 48_000)
    before = hashes(folder)
    report = shell.json("reconstruct", tiny.file, folder, "--out", tmp_path / "out")
    assert hashes(folder) == before
    assert sorted(hashes(tmp_path / "out")) == ["deep/er/long.wav", "hat/hat 001.wav", "kick/kick 001.wav", "snare/snare 001.wav"]
    assert [row["file"] for row in report["skipped"]] == [str(folder / "broken.wav")]
    assert report["longer_than_the_model"] == [str(folder / "deep" / "er" / "long.flac")]
    assert report["longest_seconds"] == pytest.approx(timbrespace.load(tiny.file).contents.samples / RATE)
    for name in ("kick/kick 001.wav", "snare/snare 001.wav"):
        source, copy = soundfile.read(folder / name)[0], soundfile.read(tmp_path / "out" / name)[0]
        assert len(source) == len(copy)
        assert abs(copy).max() == pytest.approx(abs(source).max(), abs=1e-3)
    text = shell("reconstruct", tiny.file, folder, "--out", tmp_path / "words")
    assert "skipped" in text
    assert "broken.wav" in text
    assert "4 sounds in" in text
    assert "encodes at once: done in windows" in text


def test_reconstruct_two_files_of_one_name(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("hit.wav", "hit.flac", "hit.aiff"):
        soundfile.write(folder / name, drum(1)[0].numpy(), RATE)
    assert len(shell.json("reconstruct", tiny.file, folder, "--out", tmp_path / "out")["written"]) == 3
    (tmp_path / "two").mkdir()
    soundfile.write(tmp_path / "two" / "hit.wav", drum(0)[0].numpy(), RATE)
    text = shell("reconstruct", tiny.file, folder / "hit.wav", tmp_path / "two" / "hit.wav", "--out", tmp_path / "x", code=0)
    assert "2 sounds" in text
    (tmp_path / "none").mkdir()
    assert "no sound files" in shell("reconstruct", tiny.file, tmp_path / "none", "--out", tmp_path / "y", code=2)


def test_info(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    text = shell("info", tiny.file)
    for word in ("24 clips", "silence", "nearest training sound", "linear path alone", "novelty", "kick", "24 sounds are few"):
        assert word in text, word
    report = shell.json("info", tiny.file, "--sounds")
    opened = timbrespace.load(tiny.file)
    assert report["parameters"] == sum(p.numel() for p in opened.model.parameters())
    values = opened.model.spec.cells * opened.model.spec.frames
    assert report["compression"] == pytest.approx(values / opened.dims, abs=0.01)
    assert report["dims"] == 6
    assert report["categories"] == timbrespace.load(tiny.file).categories
    assert len(report["sounds"]) == len(Corpus.open(tiny.corpus).indices("train"))
    assert report["card"]["corpus"]["fingerprint"] == Corpus.open(tiny.corpus).fingerprint
    bare = tmp_path / "bare.safetensors"
    assert shell.json("info", tiny.file, "--strip", bare)["stripped"] == str(bare)
    assert timbrespace.load(bare).contents.clips is None
    before = bare.read_bytes()
    shell("info", tiny.file, "--strip", bare, code=2)
    assert bare.read_bytes() == before
    shell("info", tiny.file, "--strip", bare, "--force")
    assert shell.json("info", bare, "--sounds")["training_sounds_named"] == 0
    (row,) = shell.json("generate", bare, "-n", 1, "--out", tmp_path / "new")["sounds"]
    assert row["novelty"] is None
    assert row["novelty_reason"] == "the instrument was stripped of its training sounds"


def test_presets(shell: Shell) -> None:
    assert "oneshot" in shell("presets")
    assert "oneshot" in shell.json("presets")
    assert shell.json("presets", "oneshot")["model"]["dims"] == 32
    assert "n_fft: 1024" in shell("presets", "oneshot")
    assert "# 13,621 parameters, for sounds of 2 s" in shell("presets", "conv")  # as source B prints them
    assert "# 134,570 parameters" in shell("presets", "raw")
    assert "there are bounded, conditional, conv" in shell("presets", "none", code=2)


def test_train(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fix_plan(monkeypatch)
    folder, out = write_drums(tmp_path / "in put", 6, seconds=0.1), tmp_path / "new" / "my drums.safetensors"
    (folder / "broken.wav").write_text("no")
    before = hashes(folder)
    words = ["train", folder, "--out", out, "--minutes", 0.0125, "--device", "cpu", *SET]
    report = shell.json(*words)
    assert hashes(folder) == before
    assert report["instrument"] == str(out)
    assert report["card"]["corpus"]["skipped"] == 1
    assert sorted(p.name for p in out.parent.iterdir()) == ["my drums.log.jsonl", out.name]
    made = out.read_bytes()
    assert "exists already" in shell(*words, code=2)
    assert out.read_bytes() == made
    text = shell(*words, "--force", "--set", "model.dims=3")
    assert "timbrespace generate" in text
    assert timbrespace.load(out).dims == 3


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--set", "model.dimz=3"], "known here are dims"),
        (["--set", "dims"], "not key=value"),
        (["--preset", "best"], "there are bounded, conditional, conv"),
        (["--minutes", "0"], "training.minutes is 0"),
        (["--minutes", "nan"], "training.minutes is nan"),
        (["--device", "tpu"], "allowed are auto"),
        (["--seed", str(2**32)], "seed"),
        (["--channels", "3"], "channels is 3"),
        (["--resume"], "no run to resume"),
        (["--out", "x.pt"], "must end in .safetensors"),
    ],
)
def test_train_refuses(words: list[str], expected: str, shell: Shell, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert expected in shell("train", tiny.folder, "--out", "x.safetensors", *words, code=2)
    assert not list(tmp_path.glob("*.safetensors"))


def test_train_refuses_a_path_without_sounds(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.wav").write_text("no")
    for source, words in (
        ("empty", "no sound files"), ("bad", "no usable sound"), ("none", "does not exist"), ("bad/a.wav", "not a folder"),
    ):  # fmt: skip
        assert words in shell("train", tmp_path / source, "--out", tmp_path / "x.safetensors", "--force", code=2)
    assert "synthetic:drums" in shell("train", "synthetic:bells", "--out", tmp_path / "x.safetensors", "--force", code=2)
    write_drums(tmp_path / "one", 1)
    assert "too few" in shell("train", tmp_path / "one", "--out", tmp_path / "x.safetensors", "--force", code=2)
    assert not (tmp_path / "x.safetensors").exists()


def test_the_rule_that_doctor_advises_works_for_train(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fix_plan(monkeypatch)
    folder = tmp_path / "in"
    for index, path in enumerate(sorted(write_drums(tmp_path / "drums", 12, seconds=0.1).rglob("*.wav"))):
        folder.mkdir(exist_ok=True)
        path.rename(folder / f"{'qq' if index % 2 else 'zz'}{index:02d}.wav")
    assert "train with --rule" in shell("doctor", folder)
    words = ["train", folder, "--minutes", 0.0125, "--device", "cpu", *SET]
    shell(*words, "--out", tmp_path / "x.safetensors", "--rule", "gong=qq*", "--rule", "bell=zz*", "--pitch-names", "off")
    assert timbrespace.load(tmp_path / "x.safetensors").card["corpus"]["categories"] == {"bell": 6, "gong": 6}
    out = tmp_path / "y.safetensors"
    assert "is not NAME=PATTERN" in shell(*words, "--out", out, "--rule", "gong", code=2)
    assert "pitch_names is" in shell(*words, "--out", out, "--pitch-names", "c9", code=2)
    shell("prepare", folder, "--out", tmp_path / "made.corpus")
    assert "is a prepared corpus; give it to `timbrespace prepare`" in shell(
        "train", tmp_path / "made.corpus", "--out", out, "--rule", "gong=qq*", code=2
    )
    assert not out.exists()
    assert not out.with_name("y.training").exists()


def test_anonymous_sounds_name_no_training_sound(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    clips = timbrespace.load(tiny.file).contents.clips
    assert clips is not None
    stems = {name.rpartition("/")[2] for name in clips.names}
    words = ["-n", 3, "--seed", 2, "--kit", "--page"]
    text = shell("generate", tiny.file, *words, "--out", tmp_path / "named")
    assert any(stem in text for stem in stems)
    text = shell("generate", tiny.file, *words, "--out", tmp_path / "new", "--anonymous")
    assert "nearest training sound" in text
    text += shell("vary", tiny.file, tiny.sound, "-n", 2, "--out", tmp_path / "varied", "--anonymous", "--page")
    text += shell("morph", tiny.file, tiny.sound, tiny.other, "--steps", 2, "--out", tmp_path / "morphed", "--anonymous")
    written = [path for folder in ("new", "varied", "morphed") for path in (tmp_path / folder).rglob("*")]
    text += "".join(path.read_text(encoding="utf-8") for path in written if path.suffix in (".json", ".html", ".sfz", ".dspreset"))
    new_names = {path.stem for path in (tmp_path / "new").glob("*.wav")}  # "kick 001" may be both
    for stem in stems - new_names:
        assert stem not in text + " ".join(path.name for path in written), stem
    for name in clips.names:
        assert name not in text
    for name in wavs(tmp_path / "named"):
        assert (tmp_path / "named" / name).read_bytes() == (tmp_path / "new" / name).read_bytes()
    recipe = next((tmp_path / "named").glob("*.json"))
    assert "--anonymous cannot be given with --recipe" in shell(
        "generate", tiny.file, "--recipe", recipe, "--anonymous", "--out", tmp_path / "again", code=2
    )


def test_a_stripped_instrument_gives_the_same_sounds(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    shell("info", tiny.file, "--strip", tmp_path / "bare.safetensors")
    whole, bare = timbrespace.load(tiny.file), timbrespace.load(tmp_path / "bare.safetensors")
    kept = {label for label, own in zip(whole.space.labels, bare.space.labels, strict=True) if label == own}
    for one, other in zip(whole.generate(8, seed=5), bare.generate(8, seed=5), strict=True):
        if one.category in kept:
            assert (one.audio == other.audio).all()
            assert one.name == other.name
    one, other = whole.vary(whole.read(tiny.sound), 1, seed=1)[0], bare.vary(bare.read(tiny.sound), 1, seed=1)[0]
    assert (one.audio == other.audio).all()


def test_a_sound_of_a_kind_never_learned_is_said(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    words = "this instrument never learned anything like it: novelty "
    strange, rate = tmp_path / "whistle.wav", RATE
    soundfile.write(strange, 0.5 * np.sin(2 * np.pi * 3000 * np.arange(2 * rate) / rate), rate)
    bare = tmp_path / "bare.safetensors"
    shell("info", tiny.file, "--strip", bare)
    for number, line in enumerate((
        ["generate", "FILE", "-n", 1, "--near", strange], ["vary", "FILE", strange, "-n", 1],
        ["morph", "FILE", strange, tiny.sound, "--steps", 2], ["reconstruct", "FILE", strange, tiny.sound],
    )):  # fmt: skip
        typed = [tiny.file if word == "FILE" else word for word in line]
        assert main([str(word) for word in [*typed, "--out", tmp_path / f"a{number}"]]) == 0
        error = shell.capsys.readouterr().err
        assert error.count(words) == 1, error
        assert f"{strange}: {words}" in error
        (row,) = shell.json(*typed, "--out", tmp_path / f"b{number}")["unlike"]
        assert row["file"] == str(strange)
        assert row["novelty"] > 2.5
        typed = [bare if word == "FILE" else word for word in line]
        assert shell.json(*typed, "--out", tmp_path / f"c{number}")["unlike"] == []
    assert shell.json("vary", tiny.file, tiny.sound, "-n", 1, "--out", tmp_path / "known")["unlike"] == []


def test_repeats_among_held_out_sounds_make_no_sound_strange() -> None:
    assert Nearest(0, 14.4, 3.6).is_unlike
    assert not Nearest(0, 9.6, 2.4).is_unlike
    assert not Nearest(0, 0.9, 900.0).is_unlike
    assert not Nearest(0, 14.4, None).is_unlike

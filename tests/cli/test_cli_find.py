"""`find` as typed: similar sounds, duplicates, outliers, clusters, categories and their table, bad input."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from shell import Shell
from timbrespace.corpus.prepare import prepare
from timbrespace.instrument import Instrument
from tiny import RATE, Tiny, drum, hashes, write_drums


@pytest.fixture(scope="module")
def stripped(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stripped") / "stripped.safetensors"
    Instrument.load(tiny.file).save(path, strip=True)
    return path


@pytest.fixture(scope="module")
def labelled(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The tiny instrument with eight training sounds of each of eight kinds, and the folder of these."""
    folder = write_drums(tmp_path_factory.mktemp("labelled") / "sounds", 64)
    instrument = Instrument.load(tiny.file)
    sounds = instrument.neighbours.measured(folder)
    assert instrument.contents.clips is not None
    positions = torch.zeros(len(sounds), 2)
    clips = replace(
        instrument.contents.clips,
        names=sounds.names,
        categories=sounds.categories,
        latents=sounds.latents,
        embeddings=sounds.embeddings,
        positions=positions,
        counted=None,
        descriptors=sounds.descriptors,
    )
    path = folder.parent / "labelled.safetensors"
    Instrument(replace(instrument.contents, clips=clips, origin=None)).save(path)
    return path, folder


def read_table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


@pytest.fixture
def unlabelled(tmp_path: Path) -> Path:
    """Ten sounds of kinds that the tiny instrument knows, under names that tell nothing."""
    folder = tmp_path / "unlabelled"
    folder.mkdir()
    for index in range(10):
        soundfile.write(folder / f"{index:02}, take.wav", drum(index, seed=5).numpy().T, RATE)
    return folder


def test_a_file_of_the_corpus_is_most_like_itself(shell: Shell, tiny: Tiny) -> None:
    names = Instrument.load(tiny.file).neighbours.training.names
    for file in sorted(tiny.folder.rglob("*.wav"))[::4]:
        name = file.relative_to(tiny.folder).with_suffix("").as_posix()
        if name not in names:
            continue
        (one,) = shell.json("find", tiny.file, file, "-n", 3)["sounds"]
        assert one["matches"][0]["name"] == name
        assert one["matches"][0]["similarity"] > 95
        assert [match["distance"] for match in one["matches"]] == sorted(match["distance"] for match in one["matches"])


def test_search_of_a_folder_in_another(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    table = tmp_path / "found.csv"
    before = hashes(tiny.folder)
    text = shell("find", tiny.file, tiny.folder / "kick", "--in", tiny.folder, "--csv", table)
    rows = read_table(table)
    files = sorted((tiny.folder / "kick").glob("*.wav"))
    assert [row["file"] for row in rows if row["rank"] == "1"] == [str(file) for file in files]
    assert [row["path"] for row in rows if row["rank"] == "1"] == [str(file) for file in files]
    assert all(f"  100 %  kick/{file.stem}" in text for file in files)
    assert "exists already" in shell("find", tiny.file, tiny.sound, "--csv", table, code=2)
    assert hashes(tiny.folder) == before
    # A folder in itself: no sound is found for itself.
    found = shell.json("find", tiny.file, tiny.folder, "--in", tiny.folder, "-n", 1)["sounds"]
    assert all(Path(one["file"]) != Path(one["matches"][0]["path"]) for one in found)
    kinds = shell.json("find", tiny.file, tiny.sound, "--in", tiny.folder, "--category", "snare")["sounds"][0]["matches"]
    assert {match["category"] for match in kinds} == {"snare"}


def test_duplicates_of_another_level_and_silence(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    audio = drum(3).numpy()
    soundfile.write(tmp_path / "one.wav", audio.T, RATE)
    soundfile.write(tmp_path / "two.flac", np.pad(0.3 * audio, ((0, 0), (2000, 3000))).T, RATE, subtype="PCM_24")
    soundfile.write(tmp_path / "other.wav", drum(4).numpy().T, RATE)
    (tmp_path / "broken.wav").write_bytes(b"RIFF nothing")
    found = shell.json("find", tiny.file, tmp_path, "--duplicates")
    assert [(one["names"], one["same"]) for one in found["sets"]] == [(["one", "two"], True)]
    assert [Path(row["file"]).name for row in found["skipped"]] == ["broken.wav"]
    assert "the same sound: one, two" in shell("find", tiny.file, tmp_path, "--duplicates")
    assert shell.json("find", tiny.file, "--duplicates")["sounds"] == len(Instrument.load(tiny.file).neighbours.training)


def test_an_outlier_and_its_reason(shell: Shell, labelled: tuple[Path, Path], tmp_path: Path) -> None:
    time = np.arange(RATE // 4) / RATE
    soundfile.write(tmp_path / "beep.wav", 0.5 * np.sin(2 * np.pi * 15_000 * time), RATE)
    soundfile.write(tmp_path / "kick.wav", drum(0, seed=2).numpy().T, RATE)
    first, second = shell.json("find", labelled[0], tmp_path, "--outliers")["listed"]
    assert (first["name"], first["is_outlier"]) == ("beep", True)
    assert any(reason.startswith("brighter than all of the corpus") for reason in first["reasons"])
    assert not second["is_outlier"]
    assert len(shell.json("find", labelled[0], "--outliers", "-n", 4)["listed"]) == 4


def test_clusters(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    table = tmp_path / "clusters.csv"
    found = shell.json("find", tiny.file, "--clusters", "3", "--csv", table)["clusters"]
    names = Instrument.load(tiny.file).neighbours.training.names
    assert sorted(name for one in found for name in one["names"]) == sorted(names)
    assert len(found) == 3
    assert sum(row["example"] == "True" for row in read_table(table)) == sum(len(one["examples"]) for one in found)
    assert shell("find", tiny.file, tiny.folder, "--clusters", "auto").rstrip().endswith("of 24 sounds")


def test_categories_go_back_to_prepare(shell: Shell, labelled: tuple[Path, Path], unlabelled: Path, tmp_path: Path) -> None:
    file, folder = labelled
    table = unlabelled / "timbrespace.csv"
    found = shell.json("find", file, unlabelled, "--classify", "--table", table, "--sounds", folder)
    expected = {f"{one['name']}.wav": one["category"] for one in found["sounds"] if one["confidence"] >= 0.5}
    assert found["written"] == len(expected) == 10 - found["unsure"] > 0
    corpus = prepare(unlabelled, tmp_path / "corpus")
    assert {clip.file: clip.category for clip in corpus.clips if clip.category} == expected
    assert "--force completes it" in shell("find", file, unlabelled, "--classify", "--table", table, code=2)


def test_a_table_is_completed(shell: Shell, tiny: Tiny, unlabelled: Path) -> None:
    table = unlabelled / "timbrespace.csv"
    table.write_text('file;category;bpm\n"00, take.wav";gong;120,5\n"01, take.wav";;90,0\nlost.wav;kick;\n', encoding="utf-8")
    shell("find", tiny.file, unlabelled, "--classify", "--table", table, "--sure", 0, "--force")
    rows = {row["file"]: row for row in read_table(table)}
    assert (rows["00, take.wav"]["category"], rows["00, take.wav"]["bpm"]) == ("gong", "120,5")
    assert rows["01, take.wav"]["category"] in Instrument.load(tiny.file).categories
    assert rows["01, take.wav"]["bpm"] == "90,0"
    assert rows["lost.wav"]["category"] == "kick"
    assert len(rows) == 11
    assert all(row["category"] for row in rows.values())


def test_recognition_beside_the_baseline(shell: Shell, labelled: tuple[Path, Path]) -> None:
    file, folder = labelled
    result = shell.json("find", file, "--classify", "--sounds", folder)["recognition"]
    assert result["accuracy"] > 0.6
    assert 0 < result["baseline_accuracy"] <= 1
    tried = [name for name in Instrument.load(file).neighbours.training.categories if name in result["categories"]]
    assert sum(one["sounds"] for one in result["categories"].values()) == len(tried) > 30
    assert "MFCC and a support vector machine" in shell("find", file, "--classify", "--sounds", folder)
    assert shell.json("find", file, "--classify")["recognition"]["baseline_accuracy"] is None  # the folder is not known


def test_a_wrong_label_is_doubted(shell: Shell, labelled: tuple[Path, Path], tmp_path: Path) -> None:
    instrument = Instrument.load(labelled[0])
    assert instrument.contents.clips is not None
    kinds = list(instrument.contents.clips.categories)
    row = kinds.index("hat")
    kinds[row] = "kick"
    Instrument(replace(instrument.contents, clips=replace(instrument.contents.clips, categories=tuple(kinds)))).save(
        tmp_path / "x.safetensors"
    )
    doubtful = shell.json("find", tmp_path / "x.safetensors", "--classify")["doubtful"]
    assert (instrument.contents.clips.names[row], "kick") in [(one["name"], one["named"]) for one in doubtful]


def test_stripped(shell: Shell, tiny: Tiny, stripped: Path) -> None:
    for words in ([tiny.sound], ["--duplicates"], ["--outliers"], ["--clusters", "auto"], [tiny.folder, "--classify"]):
        assert "stripped of its training sounds" in shell("find", stripped, *words, code=2)
    (one,) = shell.json("find", stripped, tiny.sound, "--in", tiny.folder)["sounds"]
    assert one["matches"][0]["name"] == "kick/kick 001"
    assert shell.json("find", stripped, tiny.folder, "--duplicates")["sounds"] > 0
    assert shell.json("find", stripped, tiny.folder, "--outliers")["listed"]
    assert shell.json("find", stripped, tiny.folder, "--clusters", "2")["clusters"]


def test_bad_input(shell: Shell, tiny: Tiny, tmp_path: Path) -> None:
    silent, text, empty = tmp_path / "silent.wav", tmp_path / "text.wav", tmp_path / "empty"
    soundfile.write(silent, np.zeros(RATE), RATE)
    text.write_text("no sound")
    empty.mkdir()
    assert "silent" in shell("find", tiny.file, silent, code=2)
    assert "not readable as audio" in shell("find", tiny.file, text, code=2)
    assert "there are no sound files in" in shell("find", tiny.file, empty, code=2)
    assert "there are no sound files in" in shell("find", tiny.file, tiny.sound, "--in", empty, code=2)
    assert "no sound was given" in shell("find", tiny.file, code=2)
    assert "ask one at a time" in shell("find", tiny.file, "--duplicates", "--outliers", code=2)
    assert "leave it out with --outliers" in shell("find", tiny.file, "--outliers", "--in", tiny.folder, code=2)
    assert "--table is for --classify" in shell("find", tiny.file, tiny.sound, "--table", tmp_path / "timbrespace.csv", code=2)
    assert "timbrespace.csv" in shell("find", tiny.file, tiny.sound, "--classify", "--table", tmp_path / "x.csv", code=2)
    assert "not below" in shell(
        "find", tiny.file, tiny.sound, "--classify", "--relabel", "--sure", 0, "--table", tmp_path / "timbrespace.csv", code=2
    )
    assert "a number or auto" in shell("find", tiny.file, "--clusters", "many", code=2)
    assert "different sounds" in shell("find", tiny.file, "--clusters", "1000", code=2)
    assert "allowed are all, sound, latent" in shell("find", tiny.file, tiny.sound, "--by", "ear", code=2)
    assert "'gong'" in shell("find", tiny.file, tiny.sound, "--category", "gong", code=2)
    assert "holds none of the" in shell("find", tiny.file, tiny.sound, "--sounds", empty, code=2)
    assert "allowed is over 0" in shell("find", tiny.file, "--duplicates", "--within", 0, code=2)
    assert json.loads(shell("find", tiny.file, tiny.sound, silent, "--json"))["skipped"][0]["file"] == str(silent)


@pytest.mark.parametrize(
    "words", [["{sound}"], ["{folder}", "--duplicates", "--within", "9"], ["--outliers"], ["--clusters", "3"], ["{folder}", "--classify"]]
)
def test_a_page_with_players(shell: Shell, labelled: tuple[Path, Path], tmp_path: Path, words: list[str]) -> None:
    file, folder = labelled
    page = tmp_path / "page.html"
    given = [word.format(sound=folder / "kick" / "kick 001.wav", folder=folder) for word in words]
    found = shell.json("find", file, *given, "--sounds", folder, "--page", page)
    assert found["page"] == str(page)
    text = page.read_text(encoding="utf-8")
    assert text.count("<audio") == text.count("<img") > 2
    assert 'src="http' not in text
    assert "<script" not in text
    assert "exists already" in shell("find", file, *given, "--page", page, code=2)
    assert "must end in .html" in shell("find", file, *given, "--page", tmp_path / "page.txt", code=2)


def test_a_page_without_the_files(shell: Shell, labelled: tuple[Path, Path], tmp_path: Path) -> None:
    shell("find", labelled[0], "--outliers", "--page", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "its file is not known" in text
    assert "<audio" not in text

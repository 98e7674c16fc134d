"""`train NAME=FOLDER … --preset voices` and `convert`: files made, what is printed, bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from timbrespace import voices
from timbrespace.cli.main import main

RATE = 44_100


def recording(path: Path, partials: int, notes: tuple[int, ...] = (57, 62, 66, 69)) -> Path:
    time = np.arange(2 * RATE) / RATE
    shape = np.minimum(1, np.minimum(time / 0.03, (2 - time) / 0.05))
    sounds = [
        0.2 * shape * sum(np.cos(2 * np.pi * k * 440 * 2 ** ((note - 69) / 12) * time) / k for k in range(1, 9, partials)) for note in notes
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.concatenate(sounds), RATE)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recordings of two instruments and voices learned from them."""
    folder = tmp_path_factory.mktemp("made")
    sources = [f"{name}={recording(folder / name / 'a.wav', step).parent}" for name, step in (("reed", 2), ("string", 1))]
    assert main(["train", *sources, "--preset", "voices", "--minutes", "0.01", "--out", str(folder / "v.safetensors")]) == 0
    return folder


def test_training_says_what_was_learned(tmp_path: Path, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = [f"reed={made / 'reed'}", f"string={made / 'string'}"]
    out = tmp_path / "v.safetensors"
    assert main(["train", *sources, "--preset", "voices", "--minutes", "0.01", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "reed: 1 file, 8 s, A3 to A4" in printed
    assert "timbrespace convert" in printed
    assert main(["train", *sources, "--preset", "voices", "--minutes", "0.01", "--out", str(out)]) == 2  # exists
    assert main(["train", *sources, "--preset", "voices", "--minutes", "0.01", "--out", str(out), "--force", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["instruments"]) == {"reed", "string"}


def test_a_piece_is_converted_with_its_recipe_and_page(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    piece = recording(tmp_path / "solo.wav", 2, (60, 64))
    out = tmp_path / "out"
    words = ["convert", str(made / "v.safetensors"), str(piece), "--to", "reed=0.5,string=0.5", "--out", str(out), "--page"]
    assert main(words) == 0
    assert "sounds most like reed" in capsys.readouterr().out
    audio, rate = soundfile.read(out / "solo.wav")
    assert (len(audio), rate) == (4 * RATE, RATE)
    recipe = json.loads((out / "solo.json").read_text())
    assert recipe["to"] == "reed=0.5,string=0.5"
    assert "vibrato" not in recipe
    assert main([*words[:5], "--vibrato", "30cents", "--tremolo-rate", "x1.2", "--out", str(tmp_path / "vibrating")]) == 0
    vibrating = json.loads((tmp_path / "vibrating" / "solo.json").read_text())
    assert (vibrating["vibrato"]["depth"], vibrating["tremolo"]["speed"], vibrating["modulation_from"]) == (30.0, 1.2, None)
    assert main([*words[:5], "--modulation-from", str(piece), "--out", str(tmp_path / "x")]) == 2  # it has none
    assert main([*words[:5], "--keep", "loudness", "--vibrato", "2", "--out", str(tmp_path / "x")]) == 2
    assert recipe["voices"] == voices.load(made / "v.safetensors").digest
    page = (out / "solo.html").read_text()
    assert "data:audio/flac" in page
    inside = page.split("<main>")[1].split("</main>")[0].replace("http://www.w3.org", "")
    assert "http:" not in inside  # base64 may hold "http", but no colon
    assert "https:" not in inside
    assert main(words) == 2  # nothing is overwritten
    direct = voices.convert(voices.load(made / "v.safetensors"), piece, {"reed": 0.5, "string": 0.5})
    np.testing.assert_allclose(audio, direct.audio[0], atol=2**-22)


def test_other_rates_and_channels_and_the_rest_of_a_folder(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    time = np.arange(16_000) / 8_000
    tone = 0.3 * np.cos(2 * np.pi * 220 * time)
    pieces = tmp_path / "pieces"
    pieces.mkdir()
    soundfile.write(pieces / "telephone.wav", np.stack([tone, 0.5 * tone], axis=1), 8_000)
    soundfile.write(pieces / "silent.wav", np.zeros(1_000), RATE)
    (pieces / "broken.wav").write_bytes(b"RIFF nothing")
    assert main(["convert", str(made / "v.safetensors"), str(pieces), "--to", "string", "--out", str(tmp_path / "out"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [Path(one["file"]).name for one in result["converted"]] == ["telephone.wav"]
    assert len(result["skipped"]) == 2
    audio, rate = soundfile.read(tmp_path / "out" / "telephone.wav")
    assert (audio.shape, rate) == ((16_000, 2), 8_000)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--to WEIGHTS"),
        (["--to", "string", "--curve", "0:string=1"], "not both"),
        (["--to", "harp"], "no voice 'harp'"),
        (["--to", "reed=0"], "sum 0"),
        (["--curve", "1:reed=1; 0:string=1"], "must rise"),
        (["--to", "string", "--keep", "hall"], "keep 'hall'"),
        (["--to", "string", "--keep", "room", "--stretch", "2"], "cannot be stretched"),
        (["--to", "string", "--stretch", "0"], "stretch is 0"),
        (["--to", "string", "--from", "harp"], "no voice 'harp'"),
    ],
)
def test_what_means_nothing_is_refused(
    words: list[str], message: str, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    piece = recording(tmp_path / "solo.wav", 2, (60,))
    assert main(["convert", str(made / "v.safetensors"), str(piece), "--out", str(tmp_path / "out"), *words]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out" / "solo.wav").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["reed=R"], "2 to 16"),
        (["R", "S"], "is not NAME=FOLDER"),
        (["reed=R", "reed=S"], "given twice"),
        (["=R", "string=S"], "is not NAME=FOLDER"),
        (["re/ed=R", "string=S"], "may have letters"),
        (["reed=R", "string=S", "--epochs", "3"], "--epochs"),
        (["reed=R", "string=S", "--channels", "2"], "--channels"),
    ],
)
def test_folders_of_voices_are_checked(
    words: list[str], message: str, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.replace("=R", f"={made / 'reed'}").replace("=S", f"={made / 'string'}") for word in words]
    assert main(["train", *words, "--preset", "voices", "--out", str(tmp_path / "x.safetensors")]) == 2
    assert message in capsys.readouterr().err


def test_several_folders_need_the_preset(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", f"a={made / 'reed'}", f"b={made / 'string'}", "--out", str(tmp_path / "x.safetensors")]) == 2
    assert "--preset voices" in capsys.readouterr().err


def test_other_verbs_name_convert(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", str(made / "v.safetensors"), "-n", "1", "--out", str(tmp_path / "out")]) == 2
    assert "timbrespace convert" in capsys.readouterr().err
    assert main(["convert", str(made / "reed" / "a.wav"), "x.wav", "--to", "reed", "--out", str(tmp_path / "out")]) == 2
    assert "not a file of voices" in capsys.readouterr().err
    assert main(["convert", str(tmp_path / "none.safetensors"), "p.wav", "--to", "flute", "--out", str(tmp_path / "o")]) == 2
    assert "none.safetensors does not exist; make one: timbrespace train violin=FOLDER" in capsys.readouterr().err

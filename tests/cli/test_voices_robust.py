"""Voices in hard cases: recipes replayed, trainings stopped and resumed, full disks, interrupts, bad input."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from test_voices_verbs import RATE, recording

from timbrespace import voices
from timbrespace.atomic import disk_error
from timbrespace.cli.main import main
from timbrespace.contracts import ConfigError, CorpusError, TimbrespaceError
from timbrespace.voices.file import Voices
from timbrespace.voices.learning import parts, stopped
from timbrespace.voices.stream.rows import Rows
from timbrespace.voices.training import VoicesOptions, read_voices


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("robust")
    sources = {name: recording(folder / name / "a.wav", step).parent for name, step in (("reed", 2), ("string", 1))}
    voices.train(sources, folder / "v.safetensors", VoicesOptions(steps=60))
    return folder


def run(*words: object) -> int:
    return main([str(word) for word in words])


# --- recipes -----------------------------------------------------------------------------------------------------


def test_a_recipe_makes_the_same_samples_again(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    piece = recording(tmp_path / "solo.wav", 2, (60, 64))
    options = ["--curve", "0:reed=1; 1.1:reed=1,string=2", "--keep", "loudness", "--stretch", 1.1, "--transpose", 1, "--seed", 7]
    assert run("convert", made / "v.safetensors", piece, *options, "--rate", 22_050, "--out", tmp_path / "first") == 0
    recipe = tmp_path / "first" / "solo.json"
    assert run("convert", made / "v.safetensors", tmp_path, "--recipe", recipe, "--out", tmp_path / "again") == 0
    for suffix in (".wav", ".json"):
        assert (tmp_path / "again" / f"solo{suffix}").read_bytes() == (tmp_path / "first" / f"solo{suffix}").read_bytes()
    capsys.readouterr()
    moved = shutil.copy(piece, tmp_path / "first" / "solo.wav")  # beside the recipe
    assert run("convert", made / "v.safetensors", "--recipe", recipe, "--out", tmp_path / "third") == 0
    soundfile.write(moved, np.ones(1_000) / 2, RATE)
    assert run("convert", made / "v.safetensors", "--recipe", recipe, "--out", tmp_path / "fourth") == 2
    assert "not the piece" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"voices": "0" * 32}, "of other voices"), ({"render_version": 99}, "version 99"),
        ({"verb": "vary"}, "not the recipe of a conversion"),
        ({"stretch": "x"}, "damaged"), ({"keep": 3}, "damaged"), ({"seed": -1}, "damaged"), ({"to": "harp=1"}, "no voice 'harp'"),
        ({"sample_rate": None}, "damaged"), ({"odd": 1}, "damaged"), ({"piece": "none.wav"}, "does not exist"),
        ({"modulation_from": "other.wav"}, "--modulation-from"),
    ],
)  # fmt: skip
def test_recipes_that_cannot_be_replayed_say_why(
    change: dict[str, object], message: str, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = {
        "verb": "convert", "render_version": 2, "voices": voices.load(made / "v.safetensors").digest, "piece": "a.wav", "piece_hash": "",
        "to": "reed=1", "from": "reed", "keep": ["loudness"], "stretch": 1.0, "transpose": 0.0, "seed": 0, "sample_rate": RATE,
    }  # fmt: skip
    path = tmp_path / "r.json"
    path.write_text(json.dumps(recipe | change))
    assert run("convert", made / "v.safetensors", made / "reed", "--recipe", path, "--out", tmp_path / "out") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_options_that_a_recipe_holds_are_refused_beside_it(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in ((["--to", "reed"], "--to"), (["--seed", "0"], "--seed")):
        assert run("convert", made / "v.safetensors", "--recipe", tmp_path / "r.json", "--out", tmp_path / "out", *words) == 2
        assert f"{message} cannot be given with --recipe" in capsys.readouterr().err
    assert run("convert", made / "v.safetensors", "--recipe", tmp_path / "r.json", "--out", tmp_path / "out") == 2
    assert "is not a recipe" in capsys.readouterr().err
    assert run("convert", made / "v.safetensors", "--to", "reed", "--out", tmp_path / "out") == 2
    assert "no piece is given" in capsys.readouterr().err


# --- stopped and resumed trainings -------------------------------------------------------------------------------


def stop_after(saves: int, monkeypatch: pytest.MonkeyPatch, error: type[BaseException] | BaseException = KeyboardInterrupt) -> None:
    """Every step saves a checkpoint; after some, the training ends with an error."""
    monkeypatch.setattr(stopped, "_SAVE_SECONDS", 0.0)
    save, done = stopped.Checkpoints.save, [0]

    def counted(self: stopped.Checkpoints, state: dict[str, object]) -> None:
        save(self, state)
        done[0] += 1
        if done[0] == saves:
            raise error

    monkeypatch.setattr(stopped.Checkpoints, "save", counted)


@pytest.mark.parametrize("after", [1, 7])
def test_a_stopped_training_resumed_is_an_unbroken_one(after: int, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources, options, out = {name: made / name for name in ("reed", "string")}, VoicesOptions(steps=12, seed=3), tmp_path / "v.safetensors"
    whole = voices.train(sources, tmp_path / "whole.safetensors", options)
    with monkeypatch.context() as patch:
        stop_after(after, patch)
        with pytest.raises(KeyboardInterrupt):
            voices.train(sources, out, options)
    assert not out.exists()
    with pytest.raises(TimbrespaceError, match="--resume"):  # it is not lost by mistake
        voices.train(sources, out, options)
    with pytest.raises(ConfigError, match="seed is 4, not 3"):
        voices.train(sources, out, VoicesOptions(steps=12, seed=4), resume=True)
    with pytest.raises(ConfigError, match="instruments"):
        voices.train({"oboe": made / "reed", "string": made / "string"}, out, options, resume=True)
    resumed = voices.train(sources, out, options, resume=True)
    assert isinstance(whole, Voices)
    assert isinstance(resumed, Voices)
    assert resumed.digest == whole.digest
    assert resumed.training == whole.training
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.safetensors", "whole.safetensors"]


def test_there_must_be_something_to_resume(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = [f"{name}={made / name}" for name in ("reed", "string")]
    assert run("train", *sources, "--preset", "voices", "--resume", "--out", tmp_path / "v.safetensors") == 2
    assert "no run to resume" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_stops_a_training_and_loses_nothing(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources, options, out = {name: made / name for name in ("reed", "string")}, VoicesOptions(steps=8), tmp_path / "v.safetensors"
    full = disk_error(OSError(errno.ENOSPC, "No space left on device"), tmp_path / "v.training" / "checkpoint.pt")
    with monkeypatch.context() as patch:
        stop_after(3, patch, full)
        with pytest.raises(TimbrespaceError, match="no room left"):
            voices.train(sources, out, options)
    with monkeypatch.context() as patch:  # also when the result is written

        def fails(*args: object, **more: object) -> Path:
            raise full

        patch.setattr("timbrespace.voices.kinds.learning.write_voices", fails)
        with pytest.raises(TimbrespaceError, match="no room left"):
            voices.train(sources, out, options, resume=True)
    voices.train(sources, out, options, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["v.safetensors"]


# --- conversions that stop ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["rows", "wav"])
def test_a_conversion_that_stops_leaves_no_files(
    error: BaseException, where: str, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    piece, out = recording(tmp_path / "solo.wav", 2, (60, 64)), tmp_path / "out"

    def fails(*args: object, **more: object) -> None:
        raise error

    if where == "rows":
        append, rows = Rows.append, []

        def some(self: Rows, values: np.ndarray) -> None:
            rows.append(len(values))
            append(self, values) if len(rows) < 3 else fails()

        monkeypatch.setattr(Rows, "append", some)
    else:
        monkeypatch.setattr("timbrespace.voices.stream.writing._encoded", fails)
    code = run("convert", made / "v.safetensors", piece, "--to", "string", "--page", "--out", out)
    printed = capsys.readouterr().err
    if isinstance(error, OSError):
        assert code == 2
        assert "no room left on the disk" in printed
    else:
        assert code == 130
    assert not list(out.iterdir())


# --- bad input ---------------------------------------------------------------------------------------------------


def test_two_folders_of_one_instrument_are_said_to_sound_alike(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = recording(tmp_path / "other" / "a.wav", 2, (58, 61, 65, 69)).parent
    sources = (f"reed={made / 'reed'}", f"other={other}")
    assert run("train", *sources, "--preset", "voices", "--minutes", 0.02, "--out", tmp_path / "alike.safetensors") == 0
    assert "reed and other sound alike" in capsys.readouterr().out
    sources = (f"reed={made / 'reed'}", f"string={made / 'string'}")
    assert run("train", *sources, "--preset", "voices", "--minutes", 0.02, "--out", tmp_path / "v.safetensors") == 0
    assert "alike" not in capsys.readouterr().out


def test_an_empty_folder_and_files_that_are_no_sounds(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("empty", "odd"):
        (tmp_path / name).mkdir()
    (tmp_path / "odd" / "broken.wav").write_bytes(b"RIFF nothing")
    for name in ("empty", "odd"):
        assert run("train", f"reed={made / 'reed'}", f"x={tmp_path / name}", "--preset", "voices", "--out", tmp_path / "v.safetensors") == 2
        assert "x: " in (printed := capsys.readouterr().err)
        assert "0.0 s of sound with a pitch in 0 files" in printed
    recording(tmp_path / "odd" / "good.wav", 1)
    skipped: list[dict[str, str]] = []
    found = read_voices({"reed": made / "reed", "x": tmp_path / "odd"}, skipped=skipped)
    assert len(found["x"]) == 1
    assert [row["file"] for row in skipped] == ["broken.wav"]
    assert not (tmp_path / "v.training").exists()


@pytest.mark.parametrize("samples", [1, 2, 441, 4_410])
@pytest.mark.parametrize("rate", [8_000, 384_000])
def test_very_short_pieces_at_any_rate(samples: int, rate: int, made: Path, tmp_path: Path) -> None:
    piece = tmp_path / "short.wav"
    soundfile.write(piece, 0.3 * np.cos(np.arange(samples)[:, None] * [0.1, 0.2, 0.3]), rate, subtype="FLOAT")
    assert run("convert", made / "v.safetensors", piece, "--to", "string", "--out", tmp_path / "out") == 0
    audio, made_rate = soundfile.read(tmp_path / "out" / "short.wav", always_2d=True)
    assert made_rate == rate
    assert audio.shape == (samples, 1)
    assert np.isfinite(audio).all()


def test_pieces_that_are_no_melodies_are_converted_and_said_to_be_none(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE) * (np.arange(RATE) % 11_025 < 2_000)
    soundfile.write(tmp_path / "drums.wav", noise, RATE)
    assert run("convert", made / "v.safetensors", tmp_path / "drums.wav", "--to", "string", "--out", tmp_path / "out") == 0
    assert "no clear pitch was found" in capsys.readouterr().out


def test_drums_teach_no_voice(made: Path, tmp_path: Path) -> None:
    """An hour of them has some seconds with a pitch: few of its sound."""
    rng, time = np.random.default_rng(0), np.arange(12 * RATE) / RATE
    sound = 0.3 * rng.standard_normal(len(time)) * (time % 0.5 < 0.1) + 0.002 * np.cos(2 * np.pi * 440 * time)
    (tmp_path / "drums").mkdir()
    soundfile.write(tmp_path / "drums" / "a.wav", sound, RATE)
    with pytest.raises(CorpusError, match="one clear pitch"):
        read_voices({"reed": made / "reed", "drums": tmp_path / "drums"})


def test_a_curve_beyond_the_end_of_the_piece_is_converted(made: Path, tmp_path: Path) -> None:
    piece = recording(tmp_path / "solo.wav", 2, (60,))
    assert run("convert", made / "v.safetensors", piece, "--curve", "1:reed=1; 500:string=1", "--out", tmp_path / "out") == 0


def test_17_instruments_are_too_many(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = [f"i{number}={made / 'reed'}" for number in range(17)]
    assert run("train", *sources, "--preset", "voices", "--out", tmp_path / "v.safetensors") == 2
    assert "2 to 16" in capsys.readouterr().err


# --- long recordings ---------------------------------------------------------------------------------------------


def test_of_long_recordings_parts_are_taken_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, seconds in enumerate((40, 3, 20)):
        soundfile.write(tmp_path / f"{number}.wav", np.zeros(round(seconds * 8_000)), 8_000)
    paths = sorted(tmp_path.iterdir())
    assert parts.choose_parts(paths, 2, []) == [parts.Part(path) for path in paths]
    monkeypatch.setattr(parts, "MOST_SECONDS", 21.0)
    monkeypatch.setattr(parts, "_PART_SECONDS", 3.0)
    chosen = parts.choose_parts(paths, 2, problems := [])
    assert problems == []
    assert len(chosen) == 7
    assert all(one.stop - one.start <= 3 for one in chosen)
    np.testing.assert_allclose(np.diff([one.start for one in chosen if one.path == paths[0]]), 9.0)
    assert {one.path for one in chosen} == {paths[0], paths[2]}


def test_parts_begin_and_end_where_it_is_quiet(tmp_path: Path) -> None:
    """Notes of 0.9 s with gaps of 0.1 s at whole seconds."""
    time = np.arange(10 * 8_000) / 8_000
    soundfile.write(tmp_path / "a.wav", 0.3 * np.cos(2 * np.pi * 440 * time) * (time % 1 > 0.1), 8_000, subtype="FLOAT")
    wave, rate = parts.read_part(parts.Part(tmp_path / "a.wav", 2.5, 7.6))
    assert rate == 8_000
    assert np.abs(wave[:40]).max() < 1e-6
    assert np.abs(wave[-40:]).max() < 1e-6
    assert 3.0 < len(wave) / rate < 4.5
    whole, _ = parts.read_part(parts.Part(tmp_path / "a.wav"))
    assert len(whole) == len(time)

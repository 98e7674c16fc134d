"""What a clip's line says besides its name: labels, instrument, pitch and how sure; and choosing clips by it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import timbrespace
from timbrespace.audio.pitch_estimation import estimate_midi
from timbrespace.contracts import ConfigError, CorpusError
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.format import FIELDS, READABLE
from timbrespace.corpus.labels.names import instrument_of
from timbrespace.corpus.labels.values import are_labels
from timbrespace.corpus.prepare import prepare
from timbrespace.corpus.splits import assign_splits
from timbrespace.corpus.synthetic import registry as synthetic
from timbrespace.corpus.synthetic.base import Recipe, SyntheticClip

RATE = 16_000


def save(path: Path, sound: np.ndarray, rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate)


def note(hz: float, seconds: float = 0.5, rate: int = RATE) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return 0.2 * sum(np.sin(2 * np.pi * k * hz * t) / k for k in range(1, 6) if 2 * k * hz < rate) * np.exp(-2 * t)


def noise(seed: int, seconds: float = 0.5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    wave = np.convolve(rng.standard_normal(round(seconds * RATE)), rng.standard_normal(8), "same")
    return 0.05 * wave * np.exp(-rng.uniform(1, 12) * np.arange(len(wave)) / RATE)


@pytest.fixture(scope="module")
def corpus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labels")
    save(folder / "in" / "deep.wav", note(110.0))
    save(folder / "in" / "Pad C5.wav", note(110.0 * 2**2.25))  # C5, as the name says
    save(folder / "in" / "hiss.wav", noise(1))
    save(folder / "in" / "kick.wav", note(55.0))
    save(folder / "in" / "violin pizz 3.wav", note(440.0))
    prepare(folder / "in", folder / "c", sample_rate=RATE)
    return folder / "c"


@pytest.fixture
def copy(corpus_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(corpus_folder, tmp_path / "copy")
    return tmp_path / "copy"


# --- pitch ----------------------------------------------------------------------------------------------------------------


def test_pitch_is_estimated_where_the_name_is_silent(corpus_folder: Path) -> None:
    clips = {clip.name: clip for clip in Corpus.open(corpus_folder).clips}
    assert clips["deep"].pitch == pytest.approx(45.0, abs=0.1)
    assert clips["deep"].pitch_confidence > 0.9
    assert (clips["Pad C5"].pitch, clips["Pad C5"].pitch_confidence) == (72.0, None)
    assert clips["hiss"].pitch is None
    assert 0 <= clips["hiss"].pitch_confidence < 0.6
    assert (clips["kick"].pitch, clips["kick"].pitch_confidence) == (None, None)  # a drum's falling tone is no note
    assert clips["violin pizz 3"].pitch == pytest.approx(69.0, abs=0.1)
    assert clips["violin pizz 3"].instrument == "violin"
    assert clips["violin pizz 3"].category == "plucked"
    head = Corpus.open(corpus_folder).head
    assert head["pitches"] == {"labelled": 1, "estimated": 2, "none": 2}


def test_pitch_can_be_left_alone(corpus_folder: Path, tmp_path: Path) -> None:
    corpus = prepare(corpus_folder.parent / "in", tmp_path / "c", sample_rate=RATE, pitch=False)
    assert [clip.pitch for clip in corpus.clips if clip.pitch is not None] == [72.0]
    assert all(clip.pitch_confidence is None for clip in corpus.clips)


@pytest.mark.parametrize("rate", [8000, 44_100, 96_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_pitch_of_any_clip(rate: int, channels: int) -> None:
    for hz in (82.4, 440.0, 1200.0 if rate > 16_000 else 600.0):
        pitch, sure = estimate_midi(np.repeat(note(hz, rate=rate)[None], channels, 0).astype(np.float32), rate)
        assert pitch == pytest.approx(69 + 12 * np.log2(hz / 440), abs=0.2)
        assert sure > 0.9
    assert estimate_midi(np.zeros((channels, 100), np.float32), rate)[0] is None
    assert estimate_midi(np.ones((channels, 1), np.float32), rate) == (None, 0.0)


@pytest.mark.parametrize(
    ("file", "instrument"),
    [
        ("violin_060_085.wav", "violin"),
        ("Strings/Cello Suite/01.wav", "cello"),
        ("Electric Piano/C3.wav", "e-piano"),
        ("Double Bass pizz.wav", "contrabass"),
        ("flute and oboe.wav", "oboe"),
        ("Strings/a.wav", None),
        ("Pads/warm.wav", None),
        ("a.b/c", None),
    ],
)
def test_instrument_of_a_name(file: str, instrument: str | None) -> None:
    assert instrument_of(file) == instrument


# --- manifest -------------------------------------------------------------------------------------------------------------


def edit(folder: Path, **changes: object) -> None:
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    lines[1] = json.dumps({**json.loads(lines[1]), **changes})
    (folder / "manifest.jsonl").write_text("\n".join(lines), encoding="utf-8")


def head(folder: Path, **changes: object) -> None:
    text = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
    (folder / "corpus.json").write_text(json.dumps(text | changes), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("labels", None),
        ("labels", []),
        ("labels", {"a": float("nan")}),
        ("labels", {"a": float("inf")}),
        ("labels", {"a": None}),
        ("labels", {"a": True}),
        ("labels", {"a": [1]}),
        ("labels", {"a": {"b": 1}}),
        ("labels", {"a": 2**60}),
        ("labels", {"a": "x" * 201}),
        ("labels", {"x" * 65: 1}),
        ("labels", {"": 1}),
        ("labels", {"a\nb": 1}),
        ("labels", {str(i): i for i in range(65)}),
        ("instrument", "../x"),
        ("instrument", ""),
        ("instrument", 5),
        ("pitch_confidence", 1.5),
        ("pitch_confidence", -0.1),
        ("pitch_confidence", "high"),
    ],
)
def test_a_line_that_is_not_possible(copy: Path, name: str, value: object) -> None:
    edit(copy, **{name: value})
    with pytest.raises(CorpusError, match=f"line 2.*{name}") as error:
        Corpus.open(copy)
    assert len(str(error.value)) < 600


def test_labels_that_are_possible(copy: Path) -> None:
    labels = {"fold": 3, "salience": 0.5, "composer": "Dvořák", "deep": -1e-9, **{f"k{i}": 2**53 for i in range(60)}}
    assert are_labels(labels)
    edit(copy, labels=labels, instrument="cor anglais", pitch_confidence=1)
    corpus = Corpus.open(copy)
    assert corpus.clips[1].labels == labels
    assert corpus.instruments == ["cor anglais", "violin"]
    assert corpus.indices(instrument="cor anglais") == [1]
    with pytest.raises(ConfigError, match="cor anglais, violin"):
        corpus.indices(instrument="kazoo")


def test_version_1_is_read(copy: Path) -> None:
    lines = [json.loads(line) for line in (copy / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    old = [{name: line[name] for name in FIELDS if name not in ("instrument", "pitch_confidence", "labels")} for line in lines]
    (copy / "manifest.jsonl").write_text("\n".join(map(json.dumps, old)), encoding="utf-8")
    with pytest.raises(CorpusError, match="instrument"):
        Corpus.open(copy)  # a line of version 2 has it
    head(copy, version=1)
    corpus = Corpus.open(copy)
    assert corpus.clips[0].labels == {}
    assert corpus.clips[0].instrument is None
    assert corpus.audio(0).shape[0] == 1


@pytest.mark.parametrize("version", [0, 3, 99, "2", True, None, 2.0, [2]])
def test_other_versions_are_refused_by_name(copy: Path, version: object) -> None:
    head(copy, version=version)
    with pytest.raises(CorpusError, match="this release reads 1 and 2"):
        Corpus.open(copy)
    assert READABLE == (1, 2)


# --- splits ---------------------------------------------------------------------------------------------------------------


def test_given_splits_hold_and_the_missing_one_is_drawn() -> None:
    groups = [f"g{i // 2}" for i in range(200)]
    given: list[str | None] = ["test" if i >= 180 else "train" for i in range(200)]
    splits = assign_splits(groups, [None] * 200, given=given)
    assert [i for i, name in enumerate(splits) if name == "test"] == list(range(180, 200))
    assert 10 <= splits.count("validation") <= 26
    assert all(splits[i] == splits[i + 1] for i in range(0, 200, 2))
    given[:20] = ["validation"] * 20
    assert assign_splits(groups, [None] * 200, given=given) == given
    assert assign_splits(groups, [None] * 200, given=[None] * 200) == assign_splits(groups, [None] * 200)
    assert assign_splits(["a", "a"], [None] * 2, given=["test", "validation"]) == ["test", "validation"]
    assert assign_splits(["a", "b"], [None] * 2, given=["test", None]) == ["test", "train"]


# --- synthetic corpora ----------------------------------------------------------------------------------------------------


def grid(indices, *, seed: int, sample_rate: int):
    """A toy of its own: silent now and then, every fifth the same, none of it at -1 dB."""
    for i in indices:
        wave = torch.sin(torch.arange(512) * 0.01 * (i % 5)) * 0.3 + 0.1 * (i % 5 > 0)
        yield SyntheticClip(f"grid/{i:04d}", None, wave[None].float(), {"step": i, "depth": 0.5, "kind": "x"}, 50.0 + i % 5, 64, "grid")


@pytest.fixture
def grid_recipe(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    recipe = Recipe(grid, 40, as_is=True, fixed=True)
    monkeypatch.setitem(synthetic.SYNTHETIC, "grid", recipe)
    return recipe


@pytest.mark.parametrize("channels", [1, 2])
def test_toys_are_kept_exactly(grid_recipe: Recipe, tmp_path: Path, channels: int) -> None:
    corpus = prepare("synthetic:grid", tmp_path / "c", sample_rate=RATE, channels=channels)
    assert len(corpus) == 40
    assert corpus.head["layout"] == "synthetic"
    for i, clip in enumerate(grid(range(40), seed=0, sample_rate=RATE)):
        assert torch.equal(corpus.audio(i), clip.audio.repeat(channels, 1))
        info = corpus.clips[i]
        assert (info.name, info.gain_db, info.labels) == (clip.name, 0.0, clip.labels)
        assert (info.pitch, info.pitch_confidence, info.velocity, info.instrument) == (clip.pitch, None, 64, "grid")
    assert not corpus.audio(0).any()
    assert len({clip.group for clip in corpus.clips}) == 40
    assert corpus.head["splits"] == {"train": 32, "validation": 4, "test": 4}


def test_count(grid_recipe: Recipe, tmp_path: Path) -> None:
    assert len(prepare("synthetic:grid", tmp_path / "c", count=15)) == 15
    with pytest.raises(ConfigError, match="40"):
        prepare("synthetic:grid", tmp_path / "d", count=41)
    with pytest.raises(ConfigError, match="for synthetic corpora"):
        prepare(tmp_path, tmp_path / "e", count=5)
    with pytest.raises(ConfigError, match="for folders"):
        prepare("synthetic:grid", tmp_path / "d", layout="nsynth")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c"]


def test_drawn_parameters_reach_the_manifest(tmp_path: Path) -> None:
    corpus = prepare("synthetic:drums", tmp_path / "c", count=20, only=["kick", "snare"], sample_rate=RATE)
    assert corpus.categories == ["kick", "snare"]
    assert corpus.head["left_out"] == 20 - len(corpus)
    for clip in corpus.clips:
        assert clip.labels["kind"] == clip.category
        assert len(clip.labels) > 2
    with pytest.raises(ConfigError, match="kick"):
        prepare("synthetic:drums", tmp_path / "d", count=20, only=["sitar"])


def test_a_toy_that_cannot_be_stored_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bad(indices, *, seed: int, sample_rate: int):
        for i in indices:
            yield SyntheticClip(f"bad/{i}", None, torch.full((1, 9), float("nan")), {})

    monkeypatch.setitem(synthetic.SYNTHETIC, "bad", Recipe(bad, 4, as_is=True))
    with pytest.raises(CorpusError, match="bad/0"):
        prepare("synthetic:bad", tmp_path / "c")
    assert not list(tmp_path.iterdir())


# --- the most diverse -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["mean", "nearest"])
def test_the_most_diverse_are_kept(tmp_path: Path, rule: str) -> None:
    for i in range(12):
        save(tmp_path / "in" / f"{'abcdefghijkl'[i]}.wav", noise(i) if i < 4 else note(200.0 + 0.01 * i))
    whole = prepare(tmp_path / "in", tmp_path / "all", sample_rate=RATE)
    corpus = prepare(tmp_path / "in", tmp_path / "few", sample_rate=RATE, diverse=5, diverse_rule=rule, store_stft=True)
    kept = [clip.name for clip in corpus.clips]
    assert len(kept) == 5
    assert len([name for name in kept if name in "abcd"]) >= {"mean": 2, "nearest": 4}[rule]
    assert corpus.head["left_out"] == 7
    left = [json.loads(line) for line in (tmp_path / "few" / "left_out.jsonl").read_text().splitlines()]
    assert sorted([row["file"][0] for row in left] + kept) == list("abcdefghijkl")
    assert "5 most diverse" in left[0]["reason"]
    assert corpus.skipped() == []
    names = {clip.name: i for i, clip in enumerate(whole.clips)}
    for i, name in enumerate(kept):
        assert torch.equal(corpus.audio(i), whole.audio(names[name]))
    frames = np.load(tmp_path / "few" / "stft_offsets.npy")
    assert frames[-1] == len(np.load(tmp_path / "few" / "stft.npy")) == sum(1 + corpus.samples(i) // 256 for i in range(5))
    assert sorted(path.name for path in (tmp_path / "few").iterdir()) == sorted(
        [
            "audio.npy",
            "corpus.json",
            "files.jsonl",
            "left_out.jsonl",
            "manifest.jsonl",
            "offsets.npy",
            "skipped.jsonl",
            "stft.npy",
            "stft_offsets.npy",
        ]
    )
    assert len(prepare(tmp_path / "in", tmp_path / "more", sample_rate=RATE, diverse=50)) == 12


@pytest.mark.parametrize(
    "wrong", [{"diverse": 1}, {"diverse": True}, {"diverse": 2.5}, {"diverse_rule": "best"}, {"only": "violin"}, {"only": [""]}]
)
def test_choices_that_are_refused(tmp_path: Path, wrong: dict) -> None:
    with pytest.raises(ConfigError):
        prepare(tmp_path, tmp_path / "c", **wrong)


def test_diverse_toys(grid_recipe: Recipe, tmp_path: Path) -> None:
    corpus = prepare("synthetic:grid", tmp_path / "c", diverse=4)
    assert len({clip.labels["step"] % 5 for clip in corpus.clips}) >= 3  # type: ignore[operator]


# --- memory ---------------------------------------------------------------------------------------------------------------

_MEASURE = """
import resource, sys
from pathlib import Path
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
import torch
limit = int(sys.argv[3]) << 20
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
corpus = prepare(sys.argv[1], sys.argv[2], cut="keep", pitch=False)
for i in range(len(corpus)):
    corpus.batch([i, len(corpus) - 1 - i], samples=44100)
assert Path(sys.argv[2], "audio.npy").stat().st_size > limit
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of this kind are Linux' own")
def test_a_corpus_larger_than_the_memory_it_may_take(tmp_path: Path) -> None:
    """Prepared and read within 440 MiB of writable memory, 55 of them for scipy's graph routines: 48 minutes, 480 MiB as float32."""
    rng = np.random.default_rng(0)
    save(tmp_path / "in" / "000.wav", 0.3 * rng.uniform(-1, 1, 44100 * 60), 44_100)
    for i in range(1, 48):
        os.link(tmp_path / "in" / "000.wav", tmp_path / "in" / f"{i:03d}.wav")
    environment = {**os.environ, "PYTHONPATH": str(Path(timbrespace.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _MEASURE, str(tmp_path / "in"), str(tmp_path / "c"), "440"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]

#!/usr/bin/env python3
"""Collects recorded sounds for the benchmarks: drums, notes and pieces of free packages. The sounds do not belong in the repository.

    python benchmarks/real_audio.py OUT        (as root on Debian: installs the packages it needs; about two minutes)

OUT/drums/<kit>/*.wav|flac      774 recorded drum and percussion hits, unchanged: mixed sample rates, bit depths, mono and stereo,
                                nested folders, spaces in names (hydrogen-drumkits, sonic-pi-samples)
OUT/notes/<instrument>/*.wav    540 single notes, 20 sampled instruments x 9 pitches x 3 velocities, 44.1 kHz stereo, up to 4 s;
                                the name holds pitch and velocity: violin_060_085.wav (fluidsynth, FluidR3 GM)
OUT/pieces/<instrument>/*.wav   two different solo pieces of about a minute each for violin, flute, cello and clarinet

Kept for tests ("unseen"): the kits Audiophob, HardElectro1, circAfrique v4 and every sonic-pi sample; the notes of viola, trumpet, lead
and kalimba; the second piece of each instrument.
"""

import random
import shutil
import struct
import subprocess
import sys
import wave
from array import array
from pathlib import Path

PACKAGES = ["hydrogen-drumkits", "sonic-pi-samples", "fluidsynth", "fluid-soundfont-gm"]
SOUNDFONT = "/usr/share/sounds/sf2/FluidR3_GM.sf2"
PROGRAMS = {
    "piano": 0,
    "epiano": 4,
    "vibraphone": 11,
    "bells": 14,
    "organ": 19,
    "guitar": 24,
    "bass": 33,
    "violin": 40,
    "viola": 41,
    "cello": 42,
    "strings": 48,
    "choir": 52,
    "trumpet": 56,
    "oboe": 68,
    "clarinet": 71,
    "piccolo": 72,
    "flute": 73,
    "lead": 80,
    "pad": 88,
    "kalimba": 108,
}
SPACING, HELD, KEPT = 9.0, 1.8, 4.0  # seconds between note starts, how long a note is held, how much of it is kept


def variable_length(n: int) -> bytes:
    out = [n & 127]
    while n := n >> 7:
        out.insert(0, n & 127 | 128)
    return bytes(out)


def midi(path: Path, program: int, notes: list[tuple[float, float, int, int]]) -> None:
    """Writes notes (start s, length s, pitch, velocity) as a one-track MIDI file at 1000 ticks a second."""
    events = [(0, bytes([0xC0, program]))]
    for start, length, pitch, velocity in notes:
        events += [(round(start * 1000), bytes([0x90, pitch, velocity])), (round((start + length) * 1000), bytes([0x80, pitch, 0]))]
    body, now = b"\x00\xff\x51\x03\x0f\x42\x40", 0
    for tick, data in sorted(events, key=lambda e: e[0]):
        body += variable_length(tick - now) + data
        now = tick
    body += b"\x00\xff\x2f\x00"
    path.write_bytes(b"MThd" + struct.pack(">IHHH", 6, 0, 1, 1000) + b"MTrk" + struct.pack(">I", len(body)) + body)


def render(song: Path, out: Path) -> None:
    subprocess.run(
        ["fluidsynth", "-ni", "-g", "0.6", "-R", "0", "-C", "0", "-r", "44100", "-F", str(out), SOUNDFONT, str(song)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def ended(frames: bytes) -> bytes:
    """16-bit stereo frames without their silent end; a sound still ringing at the cut fades over 50 ms."""
    samples = array("h", frames)
    peak = max(map(abs, samples)) or 1
    last = max((i for i in range(0, len(samples), 2) if max(abs(samples[i]), abs(samples[i + 1])) * 1000 > peak), default=0)
    samples = samples[: last + 2]
    fade = min(4410, len(samples))
    for i in range(fade):
        samples[len(samples) - 1 - i] = samples[len(samples) - 1 - i] * i // fade
    return samples.tobytes()


def melody(name: str, piece: int) -> list[tuple[float, float, int, int]]:
    """The notes of a piece of an instrument: start s, length s, pitch, velocity."""
    rng = random.Random(f"{name}{piece}")
    scale = [0, 2, 4, 5, 7, 9, 11] if piece == 1 else [0, 2, 3, 5, 7, 8, 10]
    low = {"violin": 60, "flute": 65, "cello": 40, "clarinet": 55}[name]
    step, now, notes = 4, 0.1, []
    while now < 60:
        step = max(0, min(13, step + rng.choice([-3, -2, -1, -1, 0, 1, 1, 2, 4])))
        length = rng.choice([0.18, 0.25, 0.25, 0.5, 0.5, 1.0, 1.6])
        notes.append((now, length * rng.choice([0.9, 1.02]), low + 12 * (step // 7) + scale[step % 7], rng.randint(55, 115)))
        now += length + (0.4 if rng.random() < 0.06 else 0)
    return notes


def main(out: Path) -> None:
    if subprocess.run(["dpkg", "-s", *PACKAGES], capture_output=True).returncode:
        subprocess.run(["apt-get", "update", "-qq"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES], check=True, stdout=subprocess.DEVNULL)
    shutil.copytree(
        "/usr/share/hydrogen/data/drumkits",
        out / "drums",
        dirs_exist_ok=True,
        ignore=lambda d, names: [n for n in names if not (Path(d) / n).is_dir() and not n.lower().endswith((".wav", ".flac"))],
    )
    (out / "drums" / "sonic-pi").mkdir(exist_ok=True)
    for f in Path("/usr/share/sonic-pi/samples").glob("*.flac"):
        if f.name.split("_")[0] in {"bd", "drum", "sn", "elec", "perc", "tabla", "hat", "glitch"}:
            shutil.copy(f, out / "drums" / "sonic-pi")

    work = out / "work"
    work.mkdir(exist_ok=True)
    for name, program in PROGRAMS.items():
        grid = [(p, v) for p in range(48, 73, 3) for v in (50, 85, 120)]
        midi(work / "n.mid", program, [(0.1 + i * SPACING, HELD, p, v) for i, (p, v) in enumerate(grid)])
        render(work / "n.mid", work / "n.wav")
        (out / "notes" / name).mkdir(parents=True, exist_ok=True)
        with wave.open(str(work / "n.wav")) as w:
            for i, (p, v) in enumerate(grid):
                w.setpos(round((0.1 + i * SPACING) * 44100))
                with wave.open(str(out / "notes" / name / f"{name}_{p:03d}_{v:03d}.wav"), "wb") as one:
                    one.setparams(w.getparams())
                    one.writeframes(ended(w.readframes(round(KEPT * 44100))))

    for name in ("violin", "flute", "cello", "clarinet"):
        (out / "pieces" / name).mkdir(parents=True, exist_ok=True)
        for piece in (1, 2):
            midi(work / "p.mid", PROGRAMS[name], melody(name, piece))
            render(work / "p.mid", out / "pieces" / name / f"{name}_{piece}.wav")
    shutil.rmtree(work)
    for kind in ("drums", "notes", "pieces"):
        print(kind, sum(f.is_file() for f in (out / kind).rglob("*")), "files")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    main(target)

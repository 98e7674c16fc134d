"""Embeddings of a corpus and their distances: memory does not grow with the number of clips, and blocks change no value."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from timbrespace.synthesis import novelty

# Small results that threads keep between large freed blocks pin these: 0.5 MB a clip before, so 200 MB for these clips.
_GROWTH = """
import torch
from timbrespace.parallel import keep_freed_memory
from timbrespace.synthesis.novelty import clip_embeddings

class Clips:
    sample_rate = 44_100
    sound = torch.randn(1, 44_100, generator=torch.Generator().manual_seed(0))

    def audio(self, index):
        return self.sound[:, : 4_410 + 97 * (index % 401)]

def held():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("RssAnon"))

keep_freed_memory()
clip_embeddings(Clips(), list(range(64)), samples=44_100)
before = held()
clip_embeddings(Clips(), list(range(464)), samples=44_100)
print(held() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux' own")
def test_embedding_more_clips_takes_no_more_memory() -> None:
    done = subprocess.run([sys.executable, "-c", _GROWTH], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) < 60, "MB more for 400 clips more"


def test_blocks_change_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(1)
    training = 20 * torch.randn(150, 68, generator=generator)
    training[120:] = training[:30] + 0.001  # repeats
    held_out = torch.cat([training[:20], 20 * torch.randn(90, 68, generator=generator)])

    def measured() -> tuple[float | None, int, int, list[float]]:
        return (
            novelty.novelty_unit(held_out, training),
            novelty.count_different(torch.cat([training, held_out])),
            novelty.repeats_of(held_out, training),
            novelty._to_neighbours(training).tolist(),
        )

    whole = measured()
    monkeypatch.setattr(novelty, "_DISTANCES", 1)
    blocks = measured()
    assert blocks[0] == pytest.approx(whole[0])
    assert blocks[1:3] == whole[1:3] == (120 + 90, 20)
    difference = (training[:, None] - training[None]).norm(dim=2).fill_diagonal_(float("inf")).min(1).values
    # Products of matrices round equal points apart, by up to 0.2 dB at these levels.
    assert blocks[3] == pytest.approx(difference.tolist(), abs=0.2)
    assert whole[3] == pytest.approx(difference.tolist(), abs=0.2)

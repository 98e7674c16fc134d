#!/usr/bin/env python3
"""Which normalisation of spectra does a plain VAE learn best from: on toy corpora of single spectra, and on recorded notes?

    python benchmarks/normalisation.py [SOUNDS] [--steps 2000] [--clips 4000] [--out FILE]

Table (docs/benchmarks/normalisation.md): errors of held-out spectra for each scale and normalisation, beside PCA. SOUNDS is the folder that
benchmarks/real_audio.py makes; without it only the toy corpora are measured. The VAE is source E's, who found unnormalised magnitudes to be
best: one hidden layer of 400, ReLU, batch 100, Adam 1e-4, a Gaussian likelihood with a variance for each bin. Errors are computed after the
normalisation is inverted, so that rows can be compared. Everything is seeded.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lib.options import add_out, make_parser, publish
from lib.page import stamp, table
from lib.process import say
from timbrespace.config.build import build_representation
from timbrespace.corpus.corpus import Corpus
from timbrespace.corpus.prepare import prepare
from timbrespace.representation.base import Representation
from timbrespace.representation.normalisation import Normalised

TOYS = {"richness": 4, "additive": 4, "fm": 5}  # corpus -> number of factors, the latent size
NOTES_DIMS = 10
ROWS = (("magnitude", "none"), ("magnitude", "range"), ("magnitude", "standard"), ("magnitude", "band"),
        ("decibels", "none"), ("decibels", "range"), ("decibels", "standard"), ("decibels", "band"))  # fmt: skip
FLOOR_DB = -80.0  # under a spectrum's loudest bin
HIDDEN, BATCH, RATE = 400, 100, 1e-4


class Spectra(NamedTuple):
    """Features `(n, bands)` for training and for tests, and their view."""

    train: Tensor
    test: Tensor
    view: Representation


class Vae(nn.Module):
    """bands -> 400 -> dims -> 400 -> mean and log variance of every band."""

    def __init__(self, bands: int, dims: int):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(bands, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * dims))
        self.decoder = nn.Sequential(nn.Linear(dims, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * bands))

    def loss(self, x: Tensor) -> Tensor:
        """Negative evidence lower bound of spectra `(n, bands)`, nats for each, mean."""
        mean, log_variance = self.encoder(x).chunk(2, 1)
        z = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        found, spread = self.decoder(z).chunk(2, 1)
        spread = spread.clamp(-14.0, 14.0)
        error = 0.5 * ((x - found).square() * (-spread).exp() + spread).sum(1)
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        return (error + kl).mean()

    def reconstruct(self, x: Tensor) -> Tensor:
        """Spectra `(n, bands)` decoded from the means of the latents."""
        latent: Tensor = self.encoder(x).chunk(2, 1)[0]
        found: Tensor = self.decoder(latent).chunk(2, 1)[0]
        return found


def spectra(corpus: Corpus, scale: str, normalisation: str) -> Spectra:
    """Spectra of a corpus; every fourth frame of sounds longer than a window."""
    view = build_representation({"name": "spectrum", "scale": scale, "normalisation": normalisation}, sample_rate=44_100, channels=1)
    train = corpus.indices("train")
    if isinstance(view, Normalised):
        view.fit(corpus.audio(i) for i in train)

    def points(clips: list[int]) -> Tensor:
        return torch.cat([view.encode(corpus.audio(i)[None])[0, 0].T[::4] for i in clips])

    with torch.no_grad():
        return Spectra(points(train), points(corpus.indices("test")), view)


def magnitudes(features: Tensor, view: Representation, scale: str) -> Tensor:
    """Magnitudes `(n, bands)` from features `(n, bands)`."""
    if isinstance(view, Normalised):
        assert view.normaliser is not None
        features = view.normaliser.undo(features.T[None, None])[0, 0].T
    return 10 ** (features / 20) if scale == "decibels" else features.clamp_min(0)


def errors(found: Tensor, wanted: Tensor) -> tuple[float, float]:
    """Means over spectra: 100 |found - wanted| / |wanted|, and RMSE in dB over a range of 80 dB. Silent spectra are left out."""
    sounding = wanted.amax(1) > 1e-6
    found, wanted = found[sounding], wanted[sounding]
    share = 100 * (found - wanted).norm(dim=1) / wanted.norm(dim=1)
    least = wanted.amax(1, keepdim=True) * 10 ** (FLOOR_DB / 20)
    decibels = 20 * torch.log10(found.clamp_min(least) / wanted.clamp_min(least))
    return float(share.mean()), float(decibels.square().mean(1).sqrt().mean())


def measure(data: Spectra, scale: str, *, dims: int, steps: int, seed: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Errors of the VAE and of plain PCA of the same size, on the test spectra."""
    torch.manual_seed(seed)
    model = Vae(data.train.shape[1], dims)
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(steps):
        loss = model.loss(data.train[torch.randint(len(data.train), (BATCH,))])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1e4)
        optimiser.step()
    wanted = magnitudes(data.test, data.view, scale)
    mean = data.train.mean(0)
    basis = torch.pca_lowrank(data.train - mean, q=dims + 8, center=False, niter=4)[2][:, :dims]
    plain = (data.test - mean) @ basis @ basis.T + mean
    with torch.no_grad():
        reconstructed = model.reconstruct(data.test)
    return errors(magnitudes(reconstructed, data.view, scale), wanted), errors(magnitudes(plain, data.view, scale), wanted)


def main(arguments: list[str] | None = None) -> None:
    """Trains all rows, prints the table."""
    parser = make_parser(__doc__, sounds=False)
    parser.add_argument("--steps", type=int, default=2_000, help="of training for each row (default 2000)")
    parser.add_argument("--clips", type=int, default=4_000, help="of each toy corpus (default 4000)")
    parser.add_argument("--seed", type=int, default=0)
    add_out(parser, "normalisation.md")
    given = parser.parse_args(arguments)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        sources = {f"synthetic:{name}": dims for name, dims in TOYS.items()}
        if given.sounds is not None:
            sources[str(given.sounds / "notes")] = NOTES_DIMS
        for source, dims in sources.items():
            toy = source.startswith("synthetic:")
            name = source.removeprefix("synthetic:") if toy else "recorded notes"
            corpus = prepare(source, Path(folder) / name, count=given.clips if toy else None, force=True)
            for scale, normalisation in ROWS:
                say(f"{name}: {scale}, {normalisation}")
                ours, plain = measure(spectra(corpus, scale, normalisation), scale, dims=dims, steps=given.steps, seed=given.seed)
                cells = [f"{value:.1f}" for value in (*ours, *plain)]
                rows.append([name, str(dims), scale, normalisation, *cells])
    head = ["corpus", "latents", "scale", "normalisation", "VAE, % of the norm", "VAE, dB", "PCA, % of the norm", "PCA, dB"]
    note = (
        f"Held-out spectra after {given.steps} steps of batch {BATCH}; *% of the norm*: error of the magnitudes, dominated by loud "
        "bins; *dB*: RMSE of levels over 80 dB, dominated by quiet ones. PCA has the same size and the same normalised features."
    )
    sounds = " SOUNDS" if given.sounds is not None else ""
    command = f"python benchmarks/normalisation.py{sounds} --steps {given.steps} --clips {given.clips}"
    body = f"{stamp(command)}\n\n{note}\n\n{table(head, rows)}"
    publish(body, given.out, "normalisation")


if __name__ == "__main__":
    main()

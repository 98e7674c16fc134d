"""Codebooks learned by moving averages (VQ-VAE, van den Oord et al. 2017, appendix A)."""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn

_DEAD = 0.1  # a code used less than this share of the mean use is replaced


class Codebook(nn.Module):
    """`codebooks` codebooks of `size` codes of `code_dims` numbers each; a vector is quantised to the nearest code of its codebook.

    Codes follow the mean of the vectors quantised to them, by moving averages of `decay`, not by gradients. Hardly used codes are replaced
    by vectors of the batch; in the first batch, all are. Codes are parameters, so that a moving average of the model includes them.
    """

    def __init__(self, *, codebooks: int, size: int, code_dims: int, decay: float):
        super().__init__()
        self.decay = decay
        self.vectors = nn.Parameter(torch.zeros(codebooks, size, code_dims), requires_grad=False)
        self.spread = nn.Parameter(
            torch.ones(codebooks), requires_grad=False
        )  # mean squared distance from a vector to its code, of one number
        self.register_buffer("counts", torch.zeros(codebooks, size))
        self.counts: Tensor

    def nearest(self, vectors: Tensor) -> Tensor:
        """Returns indices `(n, codebooks)` of the nearest codes to `vectors (n, codebooks, code_dims)`."""
        return self.distances(vectors).argmin(-1)

    def distances(self, vectors: Tensor) -> Tensor:
        """Returns squared distances `(n, codebooks, size)` of `vectors (n, codebooks, code_dims)` to all codes, in float32."""
        vectors = vectors.float()
        with torch.autocast(vectors.device.type, enabled=False):
            squares = self.vectors.square().sum(-1) + vectors.square().sum(-1, keepdim=True)
            return (squares - 2 * torch.einsum("nbd,bkd->nbk", vectors, self.vectors)).clamp_min(0)

    def look_up(self, indices: Tensor) -> Tensor:
        """Returns codes `(n, codebooks, code_dims)` of `indices (n, codebooks)`."""
        return self.vectors[torch.arange(indices.shape[1], device=indices.device), indices]

    @torch.no_grad()
    def initialise(self, vectors: Tensor) -> None:
        """Sets codes `(codebooks, size, code_dims)`, each with a use count of 1."""
        self.vectors.copy_(vectors)
        self.counts.fill_(1.0)

    @torch.no_grad()
    def learn(self, vectors: Tensor, counted: Tensor) -> None:
        """Updates the averages by the `vectors (n, codebooks, code_dims)` whose `counted (n,)` is 1, not 0, over all processes.

        Vectors that replace unused codes are drawn on the CPU.
        """
        size = self.counts.shape[1]
        vectors, counted, drawn = _of_all_processes(
            vectors.float(), counted.float(), torch.rand(size, self.counts.shape[0]).to(vectors.device)
        )
        number = counted.sum()
        drawn = torch.searchsorted(counted.cumsum(0), drawn * number, right=True).clamp_max(len(vectors) - 1)  # of the counted
        used = _one_hot(self.nearest(vectors), self.counts) * counted[:, None, None]
        with torch.autocast(vectors.device.type, enabled=False):
            sums = torch.einsum("nbk,nbd->bkd", used, vectors)
        sums = self.decay * self.vectors * self.counts[..., None] + (1 - self.decay) * sums
        counts = self.decay * self.counts + (1 - self.decay) * used.sum(0)
        alike = number / size
        dead = counts < _DEAD * alike
        found = vectors[drawn, torch.arange(counts.shape[0], device=vectors.device)].transpose(0, 1)
        self.vectors.copy_(torch.where(dead[..., None], found, sums / counts[..., None].clamp_min(1e-12)))
        self.counts.copy_(torch.where(dead, alike, counts))
        errors = (vectors - self.look_up(self.nearest(vectors))).square().mean(2)
        self.spread.lerp_((errors * counted[:, None]).sum(0) / number, 1 - self.decay)

    def metrics(self, indices: Tensor, counted: Tensor) -> dict[str, float]:
        """Returns metrics, means over the codebooks, of the `indices (n, codebooks)` whose `counted (n,)` is 1.

        perplexity: exp of the entropy of the codes' use. codes used: share of the codes that are used.
        """
        share = (_one_hot(indices, self.counts) * counted[:, None, None]).sum(0) / counted.sum()
        entropy = -torch.xlogy(share, share).sum(1)
        return {"perplexity": float(entropy.exp().mean()), "codes used": float((share > 0).float().mean())}


def _of_all_processes(vectors: Tensor, counted: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the vectors of all processes, and the random numbers of the first; the arguments where there is one process."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return vectors, counted, drawn
    both = torch.cat([vectors.flatten(1), counted[:, None]], 1)
    parts = [torch.empty_like(both) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, both)
    distributed.broadcast(drawn, 0)
    joined = torch.cat(parts)
    return joined[:, :-1].unflatten(1, vectors.shape[1:]), joined[:, -1], drawn


def _one_hot(indices: Tensor, like: Tensor) -> Tensor:
    """Returns one-hot codes: `(n, codebooks) -> (n, codebooks, size)`, of the type of `like (codebooks, size)`."""
    return torch.nn.functional.one_hot(indices, like.shape[1]).to(like)

"""Books of codes that follow what is looked up in them (VQ-VAE with moving averages, van den Oord et al. 2017, appendix A)."""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn

_DEAD = 0.1  # share of the use that every code would have if all were used alike, under which one is given up


class Codebook(nn.Module):
    """`books` books of `size` codes with `numbers` numbers each; a vector of a book stands for its nearest code.

    Codes move towards the mean of what they stand for, by moving averages of `decay`, not by gradients; those hardly used are replaced
    by vectors of the batch, and so are all of them in the first. They are parameters, so that an average of the model holds theirs too.
    """

    def __init__(self, *, books: int, size: int, numbers: int, decay: float):
        super().__init__()
        self.decay = decay
        self.vectors = nn.Parameter(torch.zeros(books, size, numbers), requires_grad=False)
        self.spread = nn.Parameter(torch.ones(books), requires_grad=False)  # mean square from a vector to its code, a number
        self.register_buffer("counts", torch.zeros(books, size))
        self.counts: Tensor

    def nearest(self, vectors: Tensor) -> Tensor:
        """Indices `(n, books)` of the nearest codes to `vectors (n, books, numbers)`."""
        return self.distances(vectors).argmin(-1)

    def distances(self, vectors: Tensor) -> Tensor:
        """Squared distances `(n, books, size)` from `vectors (n, books, numbers)` to every code of their books; never in half precision."""
        vectors = vectors.float()
        with torch.autocast(vectors.device.type, enabled=False):
            squares = self.vectors.square().sum(-1) + vectors.square().sum(-1, keepdim=True)
            return (squares - 2 * torch.einsum("nbd,bkd->nbk", vectors, self.vectors)).clamp_min(0)

    def look_up(self, indices: Tensor) -> Tensor:
        """Codes `(n, books, numbers)` of `indices (n, books)`."""
        return self.vectors[torch.arange(indices.shape[1], device=indices.device), indices]

    @torch.no_grad()
    def initialise(self, vectors: Tensor) -> None:
        """Takes codes `(books, size, numbers)`, each as if it had been used once."""
        self.vectors.copy_(vectors)
        self.counts.fill_(1.0)

    @torch.no_grad()
    def learn(self, vectors: Tensor, counted: Tensor) -> None:
        """One step of the averages on those of `vectors (n, books, numbers)` that are `counted (n,)`, 1 or 0, in all processes together.

        Vectors for the dead are drawn on the CPU.
        """
        size = self.counts.shape[1]
        vectors, counted, drawn = _everyones(vectors.float(), counted.float(), torch.rand(size, self.counts.shape[0]).to(vectors.device))
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

    def figures(self, indices: Tensor, counted: Tensor) -> dict[str, float]:
        """For those of `indices (n, books)` that are `counted (n,)`, means over the books.

        perplexity: how many codes used alike would be as uncertain; codes used: a share.
        """
        share = (_one_hot(indices, self.counts) * counted[:, None, None]).sum(0) / counted.sum()
        entropy = -torch.xlogy(share, share).sum(1)
        return {"perplexity": float(entropy.exp().mean()), "codes used": float((share > 0).float().mean())}


def _everyones(vectors: Tensor, counted: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The vectors of all processes that learn together, and what the first of them drew; what is given where there is one alone."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return vectors, counted, drawn
    both = torch.cat([vectors.flatten(1), counted[:, None]], 1)
    parts = [torch.empty_like(both) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, both)
    distributed.broadcast(drawn, 0)
    all_of_them = torch.cat(parts)
    return all_of_them[:, :-1].unflatten(1, vectors.shape[1:]), all_of_them[:, -1], drawn


def _one_hot(indices: Tensor, like: Tensor) -> Tensor:
    """`(n, books) -> (n, books, size)`, of the type of `like (books, size)`."""
    return torch.nn.functional.one_hot(indices, like.shape[1]).to(like)

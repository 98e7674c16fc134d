"""A prior over sequences of codes: a small recurrent network that predicts each code from those before it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from timbrespace.noise import Noise


class CodePrior(nn.Module):
    """Probabilities of `size` codes at each of `positions`, given the codes (`code_dims` numbers each) at the positions before."""

    def __init__(self, *, positions: int, size: int, code_dims: int, width: int):
        super().__init__()
        self.position = nn.Parameter(0.1 * torch.randn(positions, width))
        self.previous = nn.Linear(code_dims, width)
        self.memory = nn.GRU(width, width, batch_first=True)
        self.output = nn.Linear(width, size)

    def loss(self, codes: Tensor, indices: Tensor) -> Tensor:
        """Returns the cross entropy in nats a code, scalar, of codes `(batch, positions, code_dims)` with indices `(batch, positions)`."""
        before = torch.cat([torch.zeros_like(codes[:, :1]), codes[:, :-1]], 1)
        logits = self.output(self.memory(self.previous(before) + self.position)[0])
        return functional.cross_entropy(logits.flatten(0, 1), indices.flatten())

    @torch.no_grad()
    def draw(self, vectors: Tensor, evidence: Tensor, noise: Noise, *, temperature: float) -> Tensor:
        """Returns one sequence of indices `(positions,)`, drawn with these probabilities times exp(`evidence (positions, size)`).

        vectors: codes of each position `(positions, size, code_dims)`. temperature: divides the logits; 0 gives the likeliest code.
        """
        before, state, indices = vectors.new_zeros(vectors.shape[2]), None, []
        for position in range(len(evidence)):
            out, state = self.memory((self.previous(before) + self.position[position])[None, None], state)
            logits = functional.log_softmax(self.output(out[0, 0]), 0) + evidence[position]
            gumbel = torch.from_numpy(noise.gumbel(len(logits)).astype(np.float32)).to(logits)
            index = int((logits + temperature * gumbel).argmax())
            indices.append(index)
            before = vectors[position, index]
        return torch.tensor(indices, device=vectors.device)

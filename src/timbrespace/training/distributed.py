"""Several processes that learn one model together, on one machine or many: who does what. The processes are Lightning Fabric's.

Every process takes its slice of the same drawn batch; what is decided or written is decided and written by the first alone.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from timbrespace.contracts import ConfigError, TimbrespaceError

PRECISIONS = ("32", "16-mixed", "bf16-mixed")
_PATIENCE = timedelta(days=2)  # the others wait as long while the first prepares and encodes


def check_device(device: str) -> str:
    """The accelerator that `device` (auto, cpu, cuda, mps) means here. Raises ConfigError when it is not there."""
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if present[name])
    if device not in present:
        raise ConfigError(f"device is {device!r}, allowed are auto, {', '.join(present)}")
    if not present[device]:
        raise ConfigError(f"device {device} is not there; this machine has {', '.join(name for name, there in present.items() if there)}")
    return device


def make_fabric(device: str = "auto", *, precision: str = "32", devices: int = 1, nodes: int = 1) -> Fabric:
    """The devices of a training; nothing is started. devices: a machine; nodes: machines. Raises ConfigError."""
    accelerator = check_device(device)
    if precision not in PRECISIONS:
        raise ConfigError(f"precision is {precision!r}, allowed are {', '.join(PRECISIONS)}")
    if precision == "16-mixed" and accelerator == "cpu":
        raise ConfigError("precision 16-mixed needs a GPU; on a CPU take bf16-mixed or 32")
    for name, count in (("devices", devices), ("num-nodes", nodes)):
        if count < 1:
            raise ConfigError(f"{name} is {count}, at least 1 is needed")
    if accelerator == "cuda" and devices > torch.cuda.device_count():
        raise ConfigError(f"devices is {devices}, this machine has {torch.cuda.device_count()}")
    if accelerator == "mps" and devices * nodes > 1:
        raise ConfigError(f"devices is {devices} and num-nodes {nodes}; mps is one device on one machine")
    chosen: Any = precision
    if devices * nodes == 1:
        return Fabric(accelerator=accelerator, devices=1, precision=chosen)
    from lightning_fabric.strategies import DDPStrategy

    # Some families leave parameters out of some steps.
    strategy = DDPStrategy(find_unused_parameters=True, timeout=_PATIENCE)
    return Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes, strategy=strategy, precision=chosen)


def check_compiler(fabric: Fabric) -> None:
    """Whether torch.compile can work for a training. Raises ConfigError."""
    if fabric.world_size > 1:
        raise ConfigError(f"training.compiled is true and {fabric.world_size} devices share a batch; leave one of them out")
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["c++", "g++", "clang++", "cl"]
    if fabric.device.type == "cpu" and not any(map(shutil.which, names)):
        raise ConfigError(f"training.compiled is true, and no C++ compiler is here ({', '.join(names)}); install one, or leave it false")


def rank_rows(rows: Tensor, fabric: Fabric) -> Tensor:
    """This process's slice of the rows `(batch,)` that all processes drew alike."""
    share = len(rows) // fabric.world_size
    return rows[fabric.global_rank * share : (fabric.global_rank + 1) * share]


def rank_noise(fabric: Fabric, share: int) -> AbstractContextManager[object]:
    """While it lasts, noise and dropout for `share` sounds are drawn for the whole batch, and this process gets its slice.

    All processes draw from the same state, so that together they have the noise of one. Only draws whose first dimension is `share`
    are shared out.
    """
    return nullcontext() if fabric.world_size == 1 else _Slice(fabric.global_rank, fabric.world_size, share)


class _Slice(TorchFunctionMode):
    def __init__(self, rank: int, world: int, share: int):
        super().__init__()
        self.whole, self.part, self.share = world * share, slice(rank * share, (rank + 1) * share), share

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (torch.randn, torch.rand) and args:
            size = tuple(args) if isinstance(args[0], int) else tuple(args[0])
            if size and size[0] == self.share:
                return func(self.whole, *size[1:], **kwargs)[self.part]
        if func is functional.dropout:
            return self._dropout(*args, **kwargs)
        return func(*args, **kwargs)

    def _dropout(self, values: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if not (training and p and values.ndim and len(values) == self.share):
            return functional.dropout(values, p, training, inplace)
        return values * functional.dropout(values.new_ones(self.whole, *values.shape[1:]), p)[self.part]


def decided(fabric: Fabric, work: Callable[[], tuple[Sequence[float], dict[str, float]]]) -> tuple[tuple[float, ...], dict[str, float]]:
    """What `work` gives in the first process, its numbers the same in all; the others wait, and get no more than the numbers."""
    numbers, more = work() if fabric.is_global_zero else ((), {})
    if fabric.world_size == 1:
        return tuple(numbers), more
    count = _sum(fabric, torch.tensor([len(numbers)], device=fabric.device))
    values = torch.zeros(int(count), dtype=torch.float64, device=fabric.device)
    values[: len(numbers)] = torch.tensor(numbers, dtype=torch.float64)
    return tuple(_sum(fabric, values).tolist()), more


def rank_zero_first(fabric: Fabric, work: Callable[[], object]) -> None:
    """Does `work` in the first process while the others wait. An error of it ends them all: the first raises it, the others leave."""
    error: Exception | None = None
    if fabric.is_global_zero:
        try:
            work()
        except Exception as caught:
            if fabric.world_size == 1:
                raise
            error = caught
    (failed,), _ = decided(fabric, lambda: ([float(error is not None)], {}))
    if error is not None:
        raise error
    if failed:
        raise SystemExit(0)  # the first process tells why


def is_first() -> bool:
    """Whether this process speaks for its training; the only one does."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"))


@contextmanager
def together(fabric: Fabric) -> Iterator[None]:
    """Starts the other processes; when one of them ends early so do all, and one sentence says why. Raises TimbrespaceError."""
    if fabric.strategy.launcher is None:  # one process
        yield
        return
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # which tells of every process
    try:
        fabric.launch()
        yield
    except BaseException as error:
        first = fabric.is_global_zero
        for process in getattr(fabric.strategy.launcher, "procs", ()):
            process.kill()  # they write nothing, and inside a collective they hear no gentler word
        words = str(error).lower()
        gone = isinstance(error, RuntimeError) and any(word in words for word in ("closed", "reset", "refused", "nccl", "gloo"))
        if gone and first:
            raise TimbrespaceError("another process of this training has ended; what was learned so far is kept: add --resume") from error
        if gone or (not first and fabric.node_rank == 0 and isinstance(error, TimbrespaceError | KeyboardInterrupt)):
            raise SystemExit(0) from error  # the first process, beside this one, tells why
        raise


def _sum(fabric: Fabric, values: Tensor) -> Tensor:
    total = fabric.all_reduce(values, reduce_op="sum")
    assert isinstance(total, Tensor)
    return total

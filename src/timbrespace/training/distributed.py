"""Several processes that train one model, on one machine or many. Lightning Fabric starts and connects them.

Every process learns from its slice of the same batch. Only the first one decides and writes files.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from timbrespace.contracts import ConfigError, TimbrespaceError

Result = TypeVar("Result")
PRECISIONS = ("32", "16-mixed", "bf16-mixed")
_TIMEOUT = timedelta(days=2)  # the others wait this long while the first prepares and encodes


def check_device(device: str) -> str:
    """The accelerator for `device` (auto, cpu, cuda, mps) on this machine. Raises ConfigError if the machine has none of this kind."""
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if present[name])
    if device not in present:
        raise ConfigError(f"device is {device!r}, allowed are auto, {', '.join(present)}")
    if not present[device]:
        raise ConfigError(
            f"device is {device!r}, which is not available; this machine has {', '.join(name for name, there in present.items() if there)}"
        )
    return device


def make_fabric(device: str = "auto", *, precision: str = "32", devices: int = 1, nodes: int = 1) -> Fabric:
    """Lightning Fabric for a training, not yet launched. devices: of each machine; nodes: machines. Raises ConfigError."""
    accelerator = check_device(device)
    if precision not in PRECISIONS:
        raise ConfigError(f"precision is {precision!r}, allowed are {', '.join(PRECISIONS)}")
    if precision == "16-mixed" and accelerator == "cpu":
        raise ConfigError("precision 16-mixed needs a GPU; on a CPU use bf16-mixed or 32")
    for name, count in (("devices", devices), ("num-nodes", nodes)):
        if count < 1:
            raise ConfigError(f"{name} is {count}, at least 1 is needed")
    if accelerator == "cuda" and devices > torch.cuda.device_count():
        raise ConfigError(f"devices is {devices}, this machine has {torch.cuda.device_count()}")
    if accelerator == "mps" and devices * nodes > 1:
        raise ConfigError(f"devices is {devices} and num-nodes {nodes}; mps is one device on one machine")
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it advises lower precision where a GPU has tensor cores
    chosen: Any = precision
    if devices * nodes == 1:
        return Fabric(accelerator=accelerator, devices=1, precision=chosen)
    from lightning_fabric.strategies import DDPStrategy

    # Some models do not use all parameters in every step.
    strategy = DDPStrategy(find_unused_parameters=True, timeout=_TIMEOUT)
    return Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes, strategy=strategy, precision=chosen)


def check_batch(batch: int, *, processes: int) -> None:
    """Raises ConfigError if a batch cannot be shared evenly by all processes."""
    if batch % processes:
        raise ConfigError(f"training.batch is {batch}; {processes} devices share it, so it must be a multiple of {processes}")


def check_compiler(fabric: Fabric) -> None:
    """Raises ConfigError if torch.compile cannot work for a training: it needs one process and, on a CPU, a C++ compiler."""
    if fabric.world_size > 1:
        raise ConfigError(
            f"training.compiled is true and {fabric.world_size} devices share a batch; use one device, or set training.compiled=false"
        )
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["c++", "g++", "clang++", "cl"]
    if fabric.device.type == "cpu" and not any(map(shutil.which, names)):
        raise ConfigError(
            f"training.compiled is true, and there is no C++ compiler ({', '.join(names)}); install one, or set training.compiled=false"
        )


def seed_generators(seed: int, device: torch.device) -> None:
    """Seeds the generators that a step on `device` draws from. `torch.manual_seed` looks for every kind of device, in each small step."""
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


def rank_rows(rows: Tensor, fabric: Fabric) -> Tensor:
    """This process's slice `(batch / processes,)` of rows `(batch,)` that all processes drew from the same seed."""
    share = len(rows) // fabric.world_size
    return rows[fabric.global_rank * share : (fabric.global_rank + 1) * share]


def rank_noise(fabric: Fabric, share: int) -> AbstractContextManager[object]:
    """A context in which noise and dropout for `share` sounds are drawn for the whole batch, and each process gets its slice.

    All processes draw from the same state, so together they draw the noise of one, and train like one. Shared are `torch.rand`,
    `torch.randn` and dropout, if the first dimension is `share`; docs/training.md says why not a seed for every process.
    """
    return nullcontext() if fabric.world_size == 1 else _SharedNoise(fabric.global_rank, fabric.world_size, share)


class _SharedNoise(TorchFunctionMode):
    """Replaces draws for one slice of a batch by that slice of a draw for the whole batch."""

    def __init__(self, rank: int, processes: int, share: int):
        super().__init__()
        self.whole, self.part, self.share = processes * share, slice(rank * share, (rank + 1) * share), share

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
        """Dropout of `values (share, …)` with this process's slice of a mask for the whole batch."""
        if not (training and p and values.ndim and len(values) == self.share):
            return functional.dropout(values, p, training, inplace)
        return values * functional.dropout(values.new_ones(self.whole, *values.shape[1:]), p)[self.part]


def broadcast(fabric: Fabric, work: Callable[[], tuple[Sequence[float], dict[str, float]]]) -> tuple[tuple[float, ...], dict[str, float]]:
    """The result of `work`, which only the first process runs. The others wait and get its numbers, and an empty dict."""
    numbers, metrics = work() if fabric.is_global_zero else ((), {})
    if fabric.world_size == 1:
        return tuple(numbers), metrics
    count = _sum(fabric, torch.tensor([len(numbers)], device=fabric.device))
    values = torch.zeros(int(count), dtype=torch.float64, device=fabric.device)
    values[: len(numbers)] = torch.tensor(numbers, dtype=torch.float64)
    return tuple(_sum(fabric, values).tolist()), metrics


def rank_zero_only(fabric: Fabric, work: Callable[[], object]) -> None:
    """Runs `work` in the first process while the others wait. An error there ends all of them: the first raises it, the others exit."""
    error: Exception | None = None
    if fabric.is_global_zero:
        try:
            work()
        except Exception as caught:
            if fabric.world_size == 1:
                raise
            error = caught
    (failed,), _ = broadcast(fabric, lambda: ([float(error is not None)], {}))
    if error is not None:
        raise error
    if failed:
        raise SystemExit(0)  # the first process reports the error


def rank_zero_first(fabric: Fabric, work: Callable[[], Result]) -> Result:
    """The result of `work`, run by the first process and after it by the others, which find the files that it wrote."""
    results: list[Result] = []
    rank_zero_only(fabric, lambda: results.append(work()))
    return results[0] if results else work()


def is_first() -> bool:
    """Whether this is the first process of its training, the one that prints; True for a single process."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"))


@contextmanager
def launch(fabric: Fabric) -> Iterator[None]:
    """Starts the other processes. If one of them ends early, all end, and one sentence says why. Raises TimbrespaceError."""
    if fabric.strategy.launcher is None:  # one process
        yield
        return
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it logs a line a process
    try:
        fabric.launch()
        yield
    except BaseException as error:
        first = fabric.is_global_zero
        for process in getattr(fabric.strategy.launcher, "procs", ()):
            process.kill()  # they write no files, and inside a collective operation they do not react to SIGTERM
        words = str(error).lower()
        gone = isinstance(error, RuntimeError) and any(word in words for word in ("closed", "reset", "refused", "nccl", "gloo"))
        if gone and first:
            raise TimbrespaceError(
                "another process of this training has ended; the last checkpoint is kept: add --resume to continue from it"
            ) from error
        if gone or (not first and fabric.node_rank == 0 and isinstance(error, TimbrespaceError | KeyboardInterrupt)):
            raise SystemExit(0) from error  # the first process, on the same machine, reports the error
        raise


def _sum(fabric: Fabric, values: Tensor) -> Tensor:
    total = fabric.all_reduce(values, reduce_op="sum")
    assert isinstance(total, Tensor)
    return total


def device_text(fabric: Fabric) -> str:
    """The devices for the card: "cpu", "cuda:0", "cuda:0 × 4, bf16-mixed"."""
    count = f" × {fabric.world_size}" if fabric.world_size > 1 else ""
    precision = fabric.strategy.precision.precision
    return f"{fabric.device}{count}" + (f", {precision}" if precision != "32-true" else "")

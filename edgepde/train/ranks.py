"""Processes that train together, as torchrun starts them: who they are, what they exchange, who is missing."""

from __future__ import annotations

import os
import re
import signal
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar, final

import torch
from torch import Tensor
from torch import distributed as dist

from edgepde.errors import TrainingError

T = TypeVar("T")
SECONDS, TIMEOUT = 300, "EDGEPDE_RANK_TIMEOUT"
"""A rank that says nothing for so many seconds, those of the variable, has ended the training."""
PLACE_IN_LIBRARY = re.compile(r"^\[[^]]*\] ")
AGENT = "TORCHELASTIC_USE_AGENT_STORE"
KEPT = "finished parts are kept, the same command resumes"


def place() -> tuple[int, int]:
    """This process's rank and how many there are, by the environment that torchrun sets; 0 of 1 without it.

    Raises TrainingError naming a variable that is no whole number in its range.
    """
    size = _whole("WORLD_SIZE", 1, 1, 1 << 16)
    return _whole("RANK", 0, 0, size - 1), size


class Ranks(ABC):
    """rank: mine, of size. sent: bytes that left this process by sum(), largest: by one of them."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank = rank
        self.size = size
        self.sent = 0
        self.largest = 0
        self.exchanges = 0

    @property
    def is_first(self) -> bool:
        """Whether this one writes files and speaks."""
        return self.rank == 0

    def mine(self, items: Sequence[T]) -> list[T]:
        """Those of the items that lie on this rank: every size-th; each item on one rank."""
        return list(items[self.rank :: self.size])

    @abstractmethod
    def sum(self, flat: Tensor) -> Tensor:
        """flat [P] summed over the ranks, in their order, so that every rank gets the same bits."""

    @abstractmethod
    def everyone(self, data: bytes) -> list[bytes]:
        """What each rank gave, in their order, on every rank."""

    def agree(self, what: str, data: bytes) -> None:
        """Raise TrainingError naming the ranks whose data is not that of rank 0."""
        held = self.everyone(data)
        other = [str(i) for i, one in enumerate(held) if one != held[0]]
        if other:
            raise TrainingError(f"rank {', '.join(other)}: expected the {what} of rank 0; start all by one command")


@final
class Alone(Ranks):
    """One process: nothing is exchanged."""

    def __init__(self) -> None:
        super().__init__(0, 1)

    def sum(self, flat: Tensor) -> Tensor:
        """Itself."""
        return flat

    def everyone(self, data: bytes) -> list[bytes]:
        """Itself."""
        return [data]


@final
class Together(Ranks):
    """Several processes; every exchange is between pairs, so that the one that does not answer is known by name.

    wait: how long that may take.
    Raises TrainingError naming a rank that has ended or is silent for so long, from every exchange.
    """

    def __init__(self, rank: int, size: int, wait: timedelta) -> None:
        super().__init__(rank, size)
        self.wait = wait

    def sum(self, flat: Tensor) -> Tensor:
        """flat [P] summed over the ranks, in their order."""
        self.exchanges += 1
        size = (self.size - 1) * flat.numel() * flat.element_size()
        self.sent, self.largest = self.sent + size, max(self.largest, size)
        if flat.is_cuda:
            parts = list(self._at_once(flat))
        else:
            parts = self._by_pairs(flat.contiguous(), [torch.empty_like(flat) for _ in range(self.size)])
        total = parts[0].clone()
        for part in parts[1:]:
            total += part
        return total

    def everyone(self, data: bytes) -> list[bytes]:
        """What each rank gave, in their order."""
        length = torch.tensor([len(data)])
        sizes = [int(n) for n in self._by_pairs(length, [torch.empty_like(length) for _ in range(self.size)])]
        mine = torch.frombuffer(bytearray(data or b"\0"), dtype=torch.uint8)
        parts = self._by_pairs(mine, [torch.empty(max(n, 1), dtype=torch.uint8) for n in sizes])
        return [part.numpy().tobytes()[:n] for part, n in zip(parts, sizes, strict=True)]

    def _by_pairs(self, mine: Tensor, parts: list[Tensor]) -> list[Tensor]:
        others = [r for r in range(self.size) if r != self.rank]
        parts[self.rank] = mine
        peer = others[0]
        try:
            begun = [(r, work) for r in others for work in (dist.isend(mine, r), dist.irecv(parts[r], r))]
            for peer, work in begun:  # noqa: B007 - the error names it
                work.wait(self.wait)  # type: ignore[union-attr]
        except RuntimeError as error:
            raise TrainingError(self._told(peer, error)) from error
        return parts

    def _at_once(self, flat: Tensor) -> tuple[Tensor, ...]:
        parts = torch.empty((self.size, flat.numel()), dtype=flat.dtype, device=flat.device)
        try:
            dist.all_gather_into_tensor(parts, flat.contiguous())
        except RuntimeError as error:
            raise TrainingError(f"rank {self.rank}: a rank does not answer: {_first_line(error)}; {KEPT}") from error
        return parts.unbind()

    def _told(self, peer: int, error: RuntimeError) -> str:
        text = str(error)
        late = "imed out" in text or "imeout" in text
        why = f"has not answered for {self.wait.total_seconds():g} s ({TIMEOUT})" if late else "has ended"
        return f"rank {peer} {why}: exchange {self.exchanges} of rank {self.rank} failed: {_first_line(error)}; {KEPT}"


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """The ranks torchrun started, or one alone; messages between CPUs by gloo, between GPUs by nccl.

    A rank may say nothing for 300 s, or what the variable EDGEPDE_RANK_TIMEOUT says. Raises TrainingError naming the
    ranks that do not come.
    """
    rank, size = place()
    if size == 1:
        yield Alone()
        return
    wait = timedelta(seconds=_whole(TIMEOUT, SECONDS, 1, 1 << 20))
    before: Any = signal.signal(signal.SIGTERM, _ended)
    try:
        _begin(rank, size, device, wait)
        yield Together(rank, size, wait)
    except BaseException:
        before = signal.SIG_IGN  # this process ends by itself, and says why
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
        if dist.is_initialized():
            with suppress(RuntimeError):
                dist.destroy_process_group()


def _begin(rank: int, size: int, device: torch.device, wait: timedelta) -> None:
    store = _store(rank, size, wait)
    store.set(f"here/{rank}", "1")
    absent = [r for r in range(size) if not _came(store, r, wait)]
    if absent:
        names = ", ".join(map(str, absent))
        raise TrainingError(f"rank {names} of {size}: not there after {wait.total_seconds():g} s; start all, or fewer")
    backend = "gloo"
    if device.type == "cuda":
        backend = "cpu:gloo,cuda:nccl"
        torch.cuda.set_device(_whole("LOCAL_RANK", 0, 0, torch.cuda.device_count() - 1))
    try:
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=wait)
    except RuntimeError as error:
        raise TrainingError(f"rank {rank} of {size}: cannot be connected: {_first_line(error)}") from error


def _store(rank: int, size: int, wait: timedelta) -> dist.Store:
    host, port = os.environ.get("MASTER_ADDR", "127.0.0.1"), _whole("MASTER_PORT", 29500, 1, 65535)
    own = rank == 0 and os.environ.get(AGENT) != "True"
    try:
        made = dist.TCPStore(host, port, size, is_master=own, timeout=wait, wait_for_workers=False)
    except RuntimeError as error:
        said = f"rank {rank} of {size}: {host}:{port} (MASTER_ADDR, MASTER_PORT) cannot be reached"
        raise TrainingError(f"{said}: {_first_line(error)}") from error
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return dist.PrefixStore(f"edgepde/{attempt}", made)


def _came(store: dist.Store, rank: int, wait: timedelta) -> bool:
    try:
        store.wait([f"here/{rank}"], wait)
    except RuntimeError:
        return bool(store.check([f"here/{rank}"]))
    return True


def _ended(_number: int, _frame: object) -> None:
    raise TrainingError(f"rank {place()[0]}: told to end, as the launcher does where another rank fails; {KEPT}")


def _first_line(error: BaseException) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return PLACE_IN_LIBRARY.sub("", line).partition(". ")[0]


def _whole(name: str, default: int, low: int, high: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise TrainingError(f"{name}: expected a whole number from {low} to {high}, got {text!r}")
    return int(text)

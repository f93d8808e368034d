"""Processes that find each other as torchrun's do, for tests; all of them are gone when the block ends."""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

WAIT = 60.0
"""Seconds after which a test gives up on a process; nothing depends on how fast one is."""


@contextmanager
def started(
    target: Callable[..., None],
    size: int,
    folder: Path,
    *args: Any,
    seconds: int = 60,
    only: Sequence[int] | None = None,
) -> Iterator[list[BaseProcess]]:
    """`size` processes (or only some) that call target(folder, *args) as ranks; what they raise: see said()."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["edgepde.modno.training_run", "torch._dynamo"])
    port = _free_port()
    made: list[BaseProcess] = [
        context.Process(target=_as_rank, args=(target, r, size, port, seconds, folder, args), daemon=True)
        for r in (range(size) if only is None else only)
    ]
    try:
        for process in made:
            process.start()
        yield made
    finally:
        for process in made:
            if process.pid is not None:
                process.kill()
                process.join()


def joined(processes: list[BaseProcess]) -> list[int | None]:
    """The exit codes, when all have ended."""
    for process in processes:
        process.join(WAIT)
    return [process.exitcode for process in processes]


def said(folder: Path, rank: int) -> str:
    """What a rank raised, "" for nothing."""
    path = folder / f"rank-{rank}.error"
    return path.read_text() if path.exists() else ""


def _as_rank(
    target: Callable[..., None], rank: int, size: int, port: int, seconds: int, folder: Path, args: Any
) -> None:
    os.environ.update(
        RANK=str(rank), WORLD_SIZE=str(size), LOCAL_RANK=str(rank), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port),
        EDGEPDE_RANK_TIMEOUT=str(seconds),
    )  # fmt: skip
    try:
        target(folder, *args)
    except Exception as error:
        (folder / f"rank-{rank}.error").write_text(f"{type(error).__name__}: {error}")
        raise SystemExit(1) from None


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])

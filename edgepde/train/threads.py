"""One thread for work too small to share: a second thread costs more in waiting than it computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from threadpoolctl import threadpool_limits


def one_thread() -> AbstractContextManager[None]:
    """Run torch, numpy and scipy on one CPU thread inside the block, and as before after it."""
    return threads(1)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run torch, numpy and scipy on so many CPU threads inside the block, and as before after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpool_limits(limits=count):
            yield
    finally:
        torch.set_num_threads(before)

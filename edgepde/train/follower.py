"""What a rank that writes no files has in place of a run folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

from torch import Tensor

from .progress import Progress


@final
class Follower:
    """Used as a `Run`, on every rank but the first: nothing is kept and nothing is found, all of it is done there."""

    def __init__(self, path: Path, identity: Mapping[str, Any], data: Any) -> None:
        self.path = path
        self.identity = dict(identity)
        self.data = data
        self.resumed = False
        self.finished = False

    @property
    def seed(self) -> int:
        """The seed of the identity, 0 where it names none."""
        return int(self.identity.get("seed") or 0)

    def save(self, name: str, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        """Nothing."""

    def restore(self, name: str) -> None:  # noqa: ARG002
        """Nothing is found."""
        return

    def names(self) -> list[str]:
        """None."""
        return []

    def finish(self, weights: Mapping[str, Tensor], spec: Mapping[str, Any]) -> None:  # noqa: ARG002
        """It is done."""
        self.finished = True

    @contextmanager
    def progress(self, label: str, total: float | None = None) -> Iterator[Progress]:
        """Shows nothing."""
        yield _Silent(label, total)


@final
class _Silent(Progress):
    def show(self) -> None:
        """Nothing."""

    def close(self, complete: bool) -> None:
        """Nothing."""

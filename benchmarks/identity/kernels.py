"""The test programs of the kernels, with their committed hashes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from support.targets import programs as kernels


def programs(_folder: Path, _seed: int) -> Sequence[kernels.Source]:
    """Every program of the tests."""
    return kernels.programs()

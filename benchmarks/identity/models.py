"""Generated models, with their committed hashes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from support import models
from support.targets.programs import Source


def programs(folder: Path, _seed: int) -> Sequence[Source]:
    """Every model of the tests."""
    return models.sources(folder)

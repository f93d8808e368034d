"""Runs of many operators are made small in training; `edgepde compress` says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from edgepde_runtime.errors import UnsupportedModel


def of_run(path: Path) -> NoReturn:
    """Raises UnsupportedModel saying what makes such a run smaller."""
    raise UnsupportedModel(
        f"{path}: a run of many operators is made small in training: give edgepde train a smaller --set rank=N, "
        "features=N or units=N (--sweep shows what each costs); edgepde export --precision f16w stores bases as halves"
    )


def compress_to(*_: Any, **__: Any) -> NoReturn:
    """Is never reached: there is no source to compress."""
    raise AssertionError

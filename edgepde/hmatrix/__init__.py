"""Hierarchical matrices: layers as dense and low-rank blocks, each with its true error (2409.07028)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgepde.hmatrix.compressing import compress
    from edgepde.hmatrix.config import HConfig
    from edgepde.hmatrix.hmatrix import HMatrix
    from edgepde.hmatrix.layer import HLinear
    from edgepde.hmatrix.ntk import ntk_check

__all__ = ["HConfig", "HLinear", "HMatrix", "compress", "ntk_check"]
_PLACES = {"HConfig": "config", "HLinear": "layer", "HMatrix": "hmatrix", "compress": "compressing", "ntk_check": "ntk"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)

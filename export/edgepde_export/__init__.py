"""From a PyTorch module, a run or an ONNX file to a bundle; torch and onnx are imported when `export` is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .exporting import export

__all__ = ["export"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(f"{__name__}.exporting"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

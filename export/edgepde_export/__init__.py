"""From a PyTorch module, a run or an ONNX file to a bundle; torch and onnx are imported when first needed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .exporting import export
    from .recompressing.rebuilding import recompress

__all__ = ["export", "recompress"]
_PLACES = {"export": "exporting", "recompress": "recompressing.rebuilding"}


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

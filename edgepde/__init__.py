"""Surrogates of PDEs: problems, training, compression, certification; torch is imported when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgepde_runtime.box import Box

if TYPE_CHECKING:
    from edgepde.compress.compressing import compress

__all__ = ["Box", "compress"]


def __getattr__(name: str) -> Any:
    if name == "compress":
        return import_module("edgepde.compress")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

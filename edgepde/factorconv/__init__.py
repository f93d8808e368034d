"""The family factorconv: convolutional simulators whose kernels are products of 1-way filters before training."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgepde.factorconv.converting import convert, factorise
    from edgepde.factorconv.layers import (
        FactorConv1d,
        FactorConv2d,
        FactorConv3d,
        FactorConvTranspose1d,
        FactorConvTranspose2d,
        FactorConvTranspose3d,
    )
    from edgepde.factorconv.truncating import truncate

__all__ = [
    "FactorConv1d",
    "FactorConv2d",
    "FactorConv3d",
    "FactorConvTranspose1d",
    "FactorConvTranspose2d",
    "FactorConvTranspose3d",
    "convert",
    "factorise",
    "truncate",
]
_PLACES = {"convert": "converting", "factorise": "converting", "truncate": "truncating"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES.get(name, 'layers')}"), name)

"""The bilinear forms of finite elements that problems share."""

from __future__ import annotations

from typing import Any

from skfem import BilinearForm
from skfem.helpers import dot, grad


@BilinearForm
def stiffness(u: Any, v: Any, w: Any) -> Any:
    """The integral of k grad u . grad v."""
    return w.k * dot(grad(u), grad(v))


@BilinearForm
def mass(u: Any, v: Any, _: Any) -> Any:
    """The integral of u v."""
    return u * v

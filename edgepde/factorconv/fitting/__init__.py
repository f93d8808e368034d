"""How factors are fitted to a kernel, or to factors of higher rank: one file for each form, of the same name.

Each has `fit(where, kernel, ranks, seed)`, factors of a kernel K [T, S, k_1..k_d], and `shrink(where, factors, ranks,
seed)`, factors of lower rank without K; everything is float64. `ranks_within(where, norms..)` where the form can say
from its singular values which ranks keep a tolerance.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from edgepde.factorconv.forms import form


def fitting(name: str) -> Any:
    """The module that fits a form. InputError for a form there is not."""
    return import_module(f"{__name__}.{form(name).name}")

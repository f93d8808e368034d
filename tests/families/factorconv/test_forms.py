"""What every form says of itself: that the folder is complete, numbers, ranks and full ranks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import edgepde.factorconv
from edgepde.factorconv.fitting import fitting
from edgepde.factorconv.forms import form, names
from edgepde.factorconv.geometry import Geometry, geometry
from edgepde.factorconv.layers import FactorConv1d, FactorConv2d, FactorConv3d

FORMS = names()
KINDS = (FactorConv1d, FactorConv2d, FactorConv3d)


def test_forms_and_fits_are_the_files_of_their_folders() -> None:
    folder = Path(edgepde.factorconv.__file__).parent
    assert set(FORMS) == {p.stem for p in (folder / "fitting").glob("[!_]*.py")}
    assert {"cp", "dense", "separable", "shared", "svd", "tt", "tucker2"} <= set(FORMS)
    for name in FORMS:
        assert form(name).name == name
        assert callable(fitting(name).fit)
        assert callable(fitting(name).shrink)


@settings(max_examples=60)
@given(
    name=st.sampled_from(FORMS),
    sizes=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    kernel=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    rank=st.one_of(st.none(), st.integers(1, 3), st.floats(0.01, 1.0)),
)
def test_numbers_are_those_of_the_parameters(name: str, sizes: tuple[int, int], kernel: list[int], rank: Any) -> None:
    made, where = form(name), where_of(*sizes, kernel)
    if isinstance(rank, int):
        rank = min(rank, max(made.limits(where)))
    layer = KINDS[len(kernel) - 1](*sizes, tuple(kernel), form=name, rank=rank, bias=False)
    assert layer.numbers == sum(p.numel() for p in layer.parameters())
    assert all(1 <= r <= limit for r, limit in zip(layer.ranks, made.limits(where), strict=True))
    assert made.tight(where, layer.ranks) == layer.ranks
    assert layer.kernel().shape == where.dense_shape
    assert layer.dense_numbers == math.prod(where.dense_shape)
    assert set(made.fans(where, layer.ranks)) == set(made.views(where, layer.factors))


@settings(max_examples=40)
@given(
    name=st.sampled_from(FORMS),
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    kernel=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    seed=st.integers(0, 99),
)
def test_every_kernel_has_the_full_rank(name: str, sizes: tuple[int, int], kernel: list[int], seed: int) -> None:
    """Factors at the limits hold any kernel: exactly where they are singular vectors, else as least squares reach."""
    torch.manual_seed(seed)
    made, where = form(name), where_of(*sizes, kernel)
    dense = torch.randn(where.dense_shape, dtype=torch.float64)
    factors = fitting(name).fit(where, dense, made.tight(where, made.limits(where)), 0)
    missed = float((made.kernel(where, factors) - dense).norm() / dense.norm())
    assert missed <= (0.1 if name == "shared" or (name == "cp" and len(kernel) == 3) else 1e-10)


def test_formulas_of_the_page() -> None:
    s, t, k = 6, 8, 5
    where = where_of(s, t, [k, k, k])
    counts = {
        ("cp", (2,)): s * t * 2 * 3 * k,
        ("svd", (2, 3)): s * t * 2 * (k + 3 * 2 * k),
        ("shared", (7,)): 7 * (s + t + 3 * k),
        ("tucker2", (3, 4)): s * 3 + 3 * 4 * k**3 + 4 * t,
        ("tt", (2, 3, 4, 5)): s * 2 + 2 * k * 3 + 3 * k * 4 + 4 * k * 5 + 5 * t,
        ("separable", (2,)): s * 2 * (k**3 + t),
        ("dense", (1,)): s * t * k**3,
    }
    assert {name for name, _ in counts} == set(FORMS)
    for (name, ranks), count in counts.items():
        assert form(name).numbers(where, ranks) == count


def test_a_fraction_is_of_the_limits_and_a_number_stops_at_them() -> None:
    where = where_of(4, 10, [3, 3])
    assert form("tucker2").ranks(where, 0.5) == (2, 5)
    assert form("tucker2").ranks(where, 6) == (4, 6)
    assert form("tucker2").ranks(where, [1, 9]) == (1, 9)
    assert form("tucker2").ranks(where_of(9, 9, [1, 1]), [2, 2]) == (2, 2)
    assert form("tucker2").ranks(where_of(2, 100, [3, 3]), 1.0) == (2, 18)  # more outputs than kernels
    assert form("shared").ranks(where, 1.0) == (4 * 9,)
    assert form("shared").ranks(where, None) == (8,)
    assert form("tt").ranks(where, 1.0) == (4, 12, 10)
    assert form("separable").ranks(where, 0.001) == (1,)


def where_of(inputs: int, outputs: int, kernel: list[int]) -> Geometry:
    return geometry(len(kernel), inputs, outputs, tuple(kernel), 1, 0, 1, "zeros")

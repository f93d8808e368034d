"""The C kernel of mollified_derivative: the same bits from every build, a row or a tile, the bound of its order."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from edgepde_runtime.rooms import Room
from hypothesis import given, settings
from support.mollified_banks import banks
from support.mollified_kernel import Kernel, build_kernel, defined
from support.op_cases import Case
from support.rooms import cases_module, cases_of

ROOM = Room("mollified_derivative")
BUILDS = [("gcc", isa) for isa in ("soft", "avx2", "avx512")]
MADE, MAGNITUDE = cases_module(ROOM).made, cases_module(ROOM).magnitude


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Kernel]:
    """Builds by compiler and instruction set, each made once."""
    return functools.cache(lambda compiler, isa: build_kernel(compiler, isa, tmp_path_factory.mktemp("mollified")))


@pytest.fixture(params=BUILDS, ids="-".join)
def kernel(request: Any, built: Callable[[str, str], Kernel]) -> Kernel:
    return built(*request.param)


@pytest.fixture(scope="module")
def scalar(built: Callable[[str, str], Kernel]) -> Kernel:
    """The definition."""
    return built("gcc", "scalar")


@pytest.fixture(scope="module")
def widest(built: Callable[[str, str], Kernel]) -> Kernel:
    """Vectors, where this processor has any that we build for."""
    for isa in ("avx512", "avx2"):
        try:
            return built("gcc", isa)
        except pytest.skip.Exception:
            continue
    return built("gcc", "scalar")


def same_bits(y: np.ndarray, z: np.ndarray) -> bool:
    """NaN meets NaN, whatever its bits."""
    bits = f"u{y.itemsize}"
    return bool(((y.view(bits) == z.view(bits)) | (np.isnan(y) & np.isnan(z))).all())


def gamma(terms: int, unit: float) -> float:
    """The bound of a sum in chunks of 16."""
    n = (min(terms, 16) + -(-terms // 16)) * unit
    return n / (1 - n)


def bound(inputs: list[np.ndarray]) -> np.ndarray:
    """What the kernel may be off by: every sum's factor on the op applied to absolute values."""
    x, *taps, orders, _ = inputs
    unit = float(np.finfo(x.dtype).eps) / 2
    used = [taps[a].shape[2] for a in range(3) if (orders[:, a] >= 0).any()]
    factor = float(np.prod([1 + gamma(n, unit) for n in (*used, len(orders))])) - 1
    return factor * MAGNITUDE(inputs, {})[1] + 1000 * np.finfo(x.dtype).tiny


@pytest.mark.parametrize("case", cases_of(ROOM), ids=lambda case: case[0])
def test_every_build_has_the_scalar_forms_bits(case: Case, kernel: Kernel, scalar: Kernel) -> None:
    wanted = scalar.run(case[1])
    for lanes in (False, True) if kernel.tile else (False,):
        assert same_bits(kernel.run(case[1], lanes=lanes), wanted)


@pytest.mark.parametrize("case", cases_of(ROOM), ids=lambda case: case[0])
def test_the_scalar_form_is_within_the_bound_of_its_own_order(case: Case, scalar: Kernel) -> None:
    inputs = case[1]
    wide = np.longdouble if inputs[0].dtype == np.float64 else np.float64
    exact = ROOM.reference([v.astype(wide) if v.dtype.kind == "f" else v for v in inputs], {})[0]
    assert (np.abs(scalar.run(inputs) - exact) <= bound(inputs)).all()


@pytest.mark.parametrize(
    "name", ["line-long", "picture", "picture-own-rows", "picture-narrow", "space", "many", "point"]
)
def test_the_scalar_form_is_its_definition(name: str, scalar: Kernel) -> None:
    (case,) = (c for c in cases_of(ROOM) if c[0] == f"float32-{name}")
    # products of numbers of 12 bits are exact in double, and so is what a chain of them rounds
    inputs = [np.round(v * 2**8) / 2**8 if v.dtype.kind == "f" else v for v in case[1]]
    inputs = [v.astype(np.float32) if v.dtype.kind == "f" else v for v in inputs]
    assert same_bits(scalar.run(inputs), defined(inputs))


def spoilt(value: float) -> list[np.ndarray]:
    inputs = MADE(np.float32, 1, (1, 12, 40), ((1, 1), (5, 5), (7, 7)), ((-1, -1, 0), (-1, 1, 1), (-1, -1, -1)), 3)
    inputs[-1] = np.eye(3, dtype=np.float32)
    inputs[0][0, 0, 5, 20] = value
    return inputs


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_windows(value: float, kernel: Kernel) -> None:
    inputs = spoilt(value)
    wanted = ROOM.run(inputs, {})[0]
    assert np.isfinite(wanted).sum(axis=(0, 2, 3, 4)).tolist() == [473, 445, 479]
    for lanes in (False, True) if kernel.tile else (False,):
        np.testing.assert_array_equal(np.isfinite(kernel.run(inputs, lanes=lanes)), np.isfinite(wanted))


@pytest.mark.parametrize("half", [4, 8, 12, 16])
@pytest.mark.parametrize("n", [33, 64, 100, 131])
def test_rows_of_every_length_have_the_same_bits(half: int, n: int, scalar: Kernel, widest: Kernel) -> None:
    width = 2 * half + 1
    orders = ((-1, -1, 0), (-1, -1, 1), (-1, 0, -1), (-1, 1, 0), (-1, 1, 1))
    for rows in (width, n):
        inputs = MADE(np.float32, 1, (1, 40, n), ((1, 1), (width, width), (rows, width)), orders, 5)
        assert same_bits(widest.run(inputs), scalar.run(inputs))


def test_what_is_kept_is_windows_of_lines_and_planes(scalar: Kernel) -> None:
    taps = ((3, 3), (5, 5), (7, 7))
    of = {
        ((-1, -1, 0), (-1, 1, -1)): 0,
        ((-1, -1, -1), (-1, -1, -1)): 0,
        ((-1, 1, 0), (-1, 0, 0), (-1, -1, 0)): 8 * 9,
        ((-1, 1, 0), (-1, 1, 1)): 2 * 8 * 9,
        ((1, -1, -1), (0, -1, -1)): 0,
        ((1, -1, 0), (-1, -1, 0)): 3 * 8 * 9,
        ((1, 1, 0), (0, 1, 0)): 3 * 8 * 9 + 8 * 9,
    }
    for orders, kept in of.items():
        inputs = MADE(np.float32, 1, (6, 8, 9), taps, orders, 2)
        inputs[-1] = np.eye(len(orders), dtype=np.float32)
        assert scalar.scratch(inputs) == kept
        inputs[-1] = 2 * inputs[-1]
        there = {(-1, -1, -1)} | ({(-1, -1, 0)} if (1, -1, 0) in orders else set())
        own = set(orders) - there
        assert scalar.scratch(inputs) == kept + len(own) * 4 * 9


@settings(max_examples=80)
@given(inputs=banks([np.float32, np.float64], (5, 9, 40), products=20))
def test_any_bank_is_within_the_bound_and_has_the_same_bits_in_vectors(
    inputs: list[np.ndarray], scalar: Kernel, widest: Kernel
) -> None:
    got = scalar.run(inputs)
    wide = np.longdouble if inputs[0].dtype == np.float64 else np.float64
    exact = ROOM.reference([v.astype(wide) if v.dtype.kind == "f" else v for v in inputs], {})[0]
    assert (np.abs(got - exact) <= bound(inputs)).all()
    for lanes in (False, True) if widest.tile else (False,):
        assert same_bits(widest.run(inputs, lanes=lanes), got)

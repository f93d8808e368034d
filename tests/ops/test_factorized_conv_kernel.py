"""The C kernel of factorized_conv: the same bits from every build, a row or a tile, and the bound of its own order."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from edgepde_runtime.rooms import Room
from hypothesis import given, settings
from hypothesis import strategies as st
from support.factorized_kernel import Kernel, build_kernel, defined
from support.op_cases import Case
from support.rooms import cases_module, cases_of

ROOM = Room("factorized_conv")
BUILDS = [("gcc", isa) for isa in ("soft", "avx2", "avx512")] + [("clang", "avx512")]
MADE = cases_module(ROOM).made


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Kernel]:
    """Builds by compiler and instruction set, each made once."""
    return functools.cache(lambda compiler, isa: build_kernel(compiler, isa, tmp_path_factory.mktemp("factorized")))


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


def bound(inputs: list[np.ndarray], attributes: dict[str, Any]) -> np.ndarray:
    """What the kernel may be off by: every stage's factor on the op applied to absolute values."""
    size = ROOM.run([np.abs(v).astype(np.float64) for v in inputs], attributes)[0]
    x, read, _, write, _ = inputs
    terms = [x.shape[1], *attributes["kernel_shape"], len(read) + 1]
    factor = float(np.prod([1 + gamma(n, float(np.finfo(x.dtype).eps) / 2) for n in terms])) - 1
    return factor * np.where(np.isfinite(size), size, 0) + len(write) * np.finfo(x.dtype).tiny


@pytest.mark.parametrize("case", cases_of(ROOM), ids=lambda case: case[0])
def test_every_build_has_the_scalar_forms_bits(case: Case, kernel: Kernel, scalar: Kernel) -> None:
    _, inputs, attributes = case
    wanted = scalar.run(inputs, attributes)
    for lanes in (False, True) if kernel.tile else (False,):
        assert same_bits(kernel.run(inputs, attributes, lanes=lanes), wanted)


@pytest.mark.parametrize("case", [c for c in cases_of(ROOM) if c[0].startswith("float32")], ids=lambda case: case[0])
def test_the_scalar_form_is_within_the_bound_of_its_own_order(case: Case, scalar: Kernel) -> None:
    _, inputs, attributes = case
    got = scalar.run(inputs, attributes)
    wide = [np.asarray(v).astype(np.float64) for v in inputs]
    exact = ROOM.run(wide, attributes)[0]
    near = np.abs(got - exact) <= bound(inputs, attributes)
    assert (near | (got == exact) | (np.isnan(got) & np.isnan(exact))).all()


def coarse(inputs: list[np.ndarray], bits: int = 10) -> list[np.ndarray]:
    """Numbers of few bits, so that a product and a sum in double round once."""
    return [np.asarray(np.round(v.astype(np.float64) * 2**bits) / 2**bits, v.dtype) for v in inputs]


@pytest.mark.parametrize("name", ["line", "picture-one-sided", "space", "space-rows", "channels"])
def test_the_order_of_the_sums_is_the_contracts(name: str, scalar: Kernel) -> None:
    """Chunks of 16 from zero, filters from the last axis to the first, the bias first in the last sum: in numpy."""
    case = next(c for c in cases_of(ROOM) if c[0] == f"float32-float32-{name}")
    inputs = coarse(case[1])
    assert same_bits(scalar.run(inputs, case[2]), defined(inputs, case[2]))


def test_a_long_filter_is_summed_in_chunks(scalar: Kernel, widest: Kernel) -> None:
    inputs, attributes = MADE(np.float32, np.float32, 2, (2, 18, 3), (6, 90), (2, 37), (0, 30, 1, 9), (1, 2), (3, 2))
    wanted = scalar.run(coarse(inputs), attributes)
    assert same_bits(wanted, defined(coarse(inputs), attributes))
    assert same_bits(widest.run(coarse(inputs), attributes), wanted)


@pytest.mark.parametrize("grid", [(3, 600), (40, 33), (1, 1025), (30, 16, 5)])
def test_grids_of_several_strips_have_the_same_bits(grid: tuple[int, ...], scalar: Kernel, widest: Kernel) -> None:
    d = len(grid)
    for strides in ((), (2,) * d):
        inputs, attributes = MADE(np.float32, np.float32, 1, (3, 5, 4), grid, (3,) * d, (1,) * (2 * d), strides)
        wanted = scalar.run(inputs, attributes)
        exact = ROOM.run([v.astype(np.float64) for v in inputs], attributes)[0]
        assert (np.abs(wanted - exact) <= bound(inputs, attributes)).all()
        for lanes in (False, True) if widest.tile else (False,):
            assert same_bits(widest.run(inputs, attributes, lanes=lanes), wanted)


AXES = st.integers(1, 3)


@st.composite
def layers(draw: Any) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Layers of all shapes whose kernel fits."""
    d = draw(AXES)
    axis = st.tuples(*(st.integers(a, b) for a, b in ((1, 20), (1, 6), (1, 3), (1, 3), (0, 4), (0, 4))))
    axes = draw(st.lists(axis, min_size=d, max_size=d))
    kernel = [min(k, (n + p + q - 1) // dilation + 1) for n, k, _, dilation, p, q in axes]
    channels = tuple(draw(st.integers(1, 20)) for _ in range(3))
    pads = [a[4] for a in axes] + [a[5] for a in axes]
    number = draw(st.sampled_from([(np.float32, np.float32), (np.float32, np.float16), (np.float64, np.float64)]))
    batch = draw(st.integers(1, 2))
    return MADE(
        *number, batch, channels, [a[0] for a in axes], kernel, pads, [a[2] for a in axes], [a[3] for a in axes]
    )


@settings(max_examples=60)
@given(layer=layers())
def test_any_layer_is_within_the_bound_and_has_the_same_bits_in_vectors(
    layer: tuple[list[np.ndarray], dict[str, Any]], scalar: Kernel, widest: Kernel
) -> None:
    inputs, attributes = layer
    got = scalar.run(inputs, attributes)
    exact = ROOM.run([v.astype(np.longdouble).astype(np.float64) for v in inputs], attributes)[0]
    near = bound(inputs, attributes) * (2 if inputs[0].dtype == np.float64 else 1)
    assert (np.abs(got - exact) <= near + 1e-13 * (inputs[0].dtype == np.float64)).all()
    for lanes in (False, True) if widest.tile else (False,):
        assert same_bits(widest.run(inputs, attributes, lanes=lanes), got)

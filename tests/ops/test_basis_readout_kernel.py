"""The C kernel of basis_readout: one set of bits, however many rows at once, and no byte past an array."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from edgepde_runtime.errors import EdgePDEError
from edgepde_runtime.rooms import Room
from numpy.typing import NDArray
from support.blocks_kernel import chunked
from support.op_cases import Case
from support.readout_kernel import ROW, ROWS, TILE, Kernel, build_kernel
from support.rooms import cases_of, tolerance

ROOM = Room("basis_readout")
BUILDS = [("gcc", "soft"), ("gcc", "avx2"), ("clang", "avx512")]


@pytest.fixture(scope="module", params=BUILDS, ids="-".join)
def kernel(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    return build_kernel(*request.param, tmp_path_factory.mktemp("readout"))


@pytest.fixture(scope="module")
def scalar(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    """The definition."""
    return build_kernel("gcc", "scalar", tmp_path_factory.mktemp("scalar"))


def same_bits(y: NDArray[Any], z: NDArray[Any]) -> bool:
    """NaN meets NaN, whatever its bits."""
    bits = f"u{y.itemsize}"
    return bool(((y.view(bits) == z.view(bits)) | (np.isnan(y) & np.isnan(z))).all())


def ways(kernel: Kernel) -> tuple[int, ...]:
    return (ROW, ROWS, TILE) if kernel.tile else (ROW, ROWS)


@pytest.mark.parametrize("case", cases_of(ROOM), ids=lambda case: case[0])
def test_every_build_has_the_scalar_forms_bits_and_is_within_the_bound(
    case: Case, kernel: Kernel, scalar: Kernel
) -> None:
    _, inputs, attributes = case
    wanted = scalar.run(inputs)
    (exact,) = ROOM.run(inputs, attributes)
    with np.errstate(invalid="ignore"):
        near = np.abs(wanted - exact) <= 2 * tolerance(ROOM, inputs, attributes, exact)
    assert (near | (wanted == exact) | (np.isnan(wanted) & np.isnan(exact))).all()
    for how in ways(kernel):
        assert same_bits(kernel.run(inputs, how), wanted)


@pytest.mark.parametrize(
    "types", [(np.float32, np.float32), (np.float32, np.float16), (np.float64, np.float64), (np.float64, np.float16)]
)
def test_every_width_has_the_same_bits(types: tuple[type, type], kernel: Kernel, scalar: Kernel) -> None:
    rng = np.random.default_rng(2)
    for columns in (*range(1, 36), 64, 71, 128, 135, 200):
        x, w = rng.standard_normal((5, 19)).astype(types[0]), rng.standard_normal((19, columns)).astype(types[1])
        inputs = [x, w, rng.standard_normal(columns if columns % 2 else 1).astype(types[0])]
        wanted = scalar.run(inputs)
        for how in ways(kernel):
            assert same_bits(kernel.run(inputs, how), wanted), columns


def test_halves_stand_for_their_numbers(kernel: Kernel) -> None:
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 0x7C00, (33, 40)).astype(np.uint16) | rng.integers(0, 2, (33, 40)).astype(np.uint16) << 15
    half = bits.view(np.float16)
    for kind in (np.float32, np.float64):
        x, scale = rng.standard_normal((3, 33)).astype(kind), rng.standard_normal(1).astype(kind)
        for how in ways(kernel):
            assert same_bits(kernel.run([x, half, scale], how), kernel.run([x, half.astype(kind), scale], how))


@pytest.mark.parametrize("basis_type", [np.float32, np.float16])
def test_the_order_of_the_sums_is_the_contracts(basis_type: type, scalar: Kernel) -> None:
    """Chunks of 16 from zero, chunk sums in order, one rounding by the scale: in numpy, fma through double."""
    rng = np.random.default_rng(5)
    x = rng.integers(-2048, 2048, (2, 75)).astype(np.float32) * np.float32(2.0**-11)
    w = rng.standard_normal((75, 21)).astype(np.float16).astype(basis_type)
    scale = rng.standard_normal(21).astype(np.float32)
    assert same_bits(scalar.run([x, w, scale]), chunked(x, w.astype(np.float32)) * scale)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (1, np.zeros((4, 6), np.float32), "'basis' expected shape"),
        (1, np.zeros((5, 0), np.float32), "basis"),
        (1, np.zeros(5, np.float32), "'basis' expected shape"),
        (1, np.zeros((5, 6)), "basis: expected float16 or float32, got float64"),
        (2, np.zeros(5, np.float32), "scale: expected 1 or 6 numbers"),
        (2, np.zeros((1, 6), np.float32), "'scale' expected shape"),
    ],
)
def test_sizes_and_types_that_do_not_fit_are_refused(place: int, value: Any, said: str) -> None:
    inputs = [np.zeros((2, 5), np.float32), np.zeros((5, 6), np.float32), np.zeros(6, np.float32)]
    inputs[place] = value
    with pytest.raises(EdgePDEError, match=said):
        ROOM.run(inputs, {})

"""The C kernel of block_low_rank_apply: the same bits from every build, a row or a tile, padded factors or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from edgepde_runtime.rooms import Room
from numpy.typing import NDArray
from support.blocks_kernel import Kernel, build_kernel, defined
from support.op_cases import Case
from support.packed_blocks import Packed, ladder, packed
from support.rooms import cases_of, tolerance

ROOM = Room("block_low_rank_apply")
BUILDS = [("gcc", isa) for isa in ("scalar", "soft", "avx2", "avx512")] + [("clang", "avx512")]


@pytest.fixture(scope="module", params=BUILDS, ids="-".join)
def kernel(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    return build_kernel(*request.param, tmp_path_factory.mktemp("blocks"))


@pytest.fixture(scope="module")
def scalar(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    """The definition."""
    return build_kernel("gcc", "scalar", tmp_path_factory.mktemp("scalar"))


def same_bits(y: NDArray[Any], z: NDArray[Any]) -> bool:
    """NaN meets NaN, whatever its bits."""
    bits = f"u{y.itemsize}"
    return bool(((y.view(bits) == z.view(bits)) | (np.isnan(y) & np.isnan(z))).all())


@pytest.mark.parametrize("case", cases_of(ROOM), ids=lambda case: case[0])
def test_every_build_has_the_scalar_forms_bits_and_is_within_the_bound(
    case: Case, kernel: Kernel, scalar: Kernel
) -> None:
    _, inputs, attributes = case
    wanted = scalar.run(inputs, attributes["rows"])
    (exact,) = ROOM.run(inputs, attributes)
    with np.errstate(invalid="ignore"):
        near = np.abs(wanted - exact) <= 2 * tolerance(ROOM, inputs, attributes, exact)
    assert (near | (wanted == exact) | (np.isnan(wanted) & np.isnan(exact))).all()
    for lanes in (False, True) if kernel.tile else (False,):
        for padded in (False, True):
            assert same_bits(kernel.run(inputs, attributes["rows"], lanes=lanes, padded=padded), wanted)


def every_width() -> Packed:
    """Groups of 1 to 70 columns, ranks and rows: every number of vectors, chunks and remainders."""
    rng = np.random.default_rng(7)
    thin = [[int(rng.integers(0, 50)), int(rng.integers(1, 71)), rank] for rank in range(1, 75)]
    wide = [[int(rng.integers(0, 60)), size, int(rng.integers(1, 150))] for size in range(1, 150, 2)]
    return packed("every-width", 210, 121, thin, wide, seed=7)


@pytest.mark.parametrize("types", [(np.float32, np.float32), (np.float32, np.float16), (np.float64, np.float64)])
def test_every_width_of_groups_has_the_same_bits(types: tuple[type, type], kernel: Kernel, scalar: Kernel) -> None:
    blocks = every_width()
    x = np.random.default_rng(1).standard_normal((3, blocks.columns)).astype(types[0])
    inputs = [x, *blocks.arrays(types[1])]
    wanted = scalar.run(inputs, blocks.rows)
    (exact,) = ROOM.run(inputs, {"rows": blocks.rows})
    np.testing.assert_allclose(wanted, exact, rtol=0, atol=1e-2)
    for lanes in (False, True) if kernel.tile else (False,):
        assert same_bits(kernel.run(inputs, blocks.rows, lanes=lanes), wanted)


@pytest.mark.parametrize("factor_type", [np.float32, np.float16])
def test_the_order_of_the_sums_is_the_contracts(factor_type: type, scalar: Kernel) -> None:
    """Chunks of 16 from zero, chunk sums in order, groups of rows in order: in numpy, fma through double."""
    blocks = ladder(n=150, leaf=40, rank=20, seed=3)
    rng = np.random.default_rng(5)
    x = rng.integers(-2048, 2048, (2, blocks.columns)).astype(np.float32) * np.float32(2.0**-11)
    arrays = blocks.arrays(np.float16)
    inputs = [x, *(v.astype(factor_type) if v.dtype == np.float16 else v for v in arrays)]
    assert same_bits(scalar.run(inputs, blocks.rows), defined(inputs, blocks.rows))

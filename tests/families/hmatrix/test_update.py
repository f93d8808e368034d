"""Updates: what stays is bit for bit the same, the total holds, blocks gain rank, are divided and merged."""

from __future__ import annotations

import numpy as np
import pytest
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgepde.hmatrix.clusters import from_points, in_order
from edgepde.hmatrix.compressing import compress
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.hmatrix import HBlock, HMatrix, check_tiling
from edgepde.hmatrix.update import Change, update

Array = NDArray[np.float64]
N = 192


def kernel(n: int = N) -> Array:
    x = np.arange(n) / n
    return np.asarray(1.0 / (np.abs(x[:, None] - x) + 0.02))


def bump(place: float, width: float = 0.02) -> Array:
    """A change around rows and columns at place of the unit interval."""
    near = np.exp(-(((np.arange(N) / N - place) / width) ** 2))
    return np.asarray(np.outer(near, near))


def same(a: HBlock, b: HBlock) -> bool:
    """Whether two blocks hold the same bits."""
    pairs = ((a.values, b.values), (a.left, b.left), (a.right, b.right))
    return a.halves == b.halves and all(
        x is None if y is None else x is not None and np.array_equal(x, y) for x, y in pairs
    )


def shared(old: HMatrix, new: HMatrix) -> int:
    """How many blocks of the old matrix are in the new one."""
    places = {(b.rows, b.columns): b for b in new.blocks}
    return sum((b.rows, b.columns) in places and same(b, places[b.rows, b.columns]) for b in old.blocks)


def check(old: HMatrix, new: HMatrix, change: Change, matrix: Array) -> None:
    """Within eps of the new matrix, whole, with errors and counts that are true."""
    check_tiling(new.shape, new.blocks)
    lost, norm = np.linalg.norm(new.dense() - matrix), np.linalg.norm(matrix)
    assert lost <= old.config.eps * norm * (1 + 1e-12)
    assert new.error == pytest.approx(lost, rel=1e-6, abs=1e-13 * norm)
    assert new.tolerance == pytest.approx(old.config.eps * norm)
    assert shared(old, new) >= change.kept
    assert change.kept + change.changed == len(old.blocks)
    assert change.kept + change.made == len(new.blocks)
    assert change.kept_bytes + change.made_bytes == new.nbytes


@settings(max_examples=20)
@given(
    seed=st.integers(0, 99),
    size=st.sampled_from([0.0, 1e-9, 1e-5, 1e-3, 0.1, 10.0, -1.0]),
    eps=st.sampled_from([1e-2, 1e-4, 1e-6]),
    half=st.booleans(),
    scale=st.sampled_from([1.0, 1e-20]),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_any_change_holds_the_tolerance(
    seed: int, size: float, eps: float, half: bool, scale: float, dtype: str
) -> None:
    draw = np.random.default_rng(seed)
    old = compress(kernel() * scale, HConfig(leaf=16, eps=eps), dtype=dtype, half=half)
    moved = (kernel() + size * bump(draw.random()) * draw.standard_normal((N, N)) ** (seed % 2)) * scale
    check(old, *update(old, moved), moved)


def test_nothing_changes_where_nothing_changed() -> None:
    old = compress(kernel(), HConfig(leaf=16))
    new, change = update(old, kernel())
    assert shared(old, new) == len(old.blocks)
    assert (change.changed, change.made, change.made_bytes, change.threshold) == (0, 0, 0, 0.0)
    assert [b.error for b in new.blocks] == pytest.approx([b.error for b in old.blocks], rel=1e-9)


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_local_change_is_followed_locally(place: float) -> None:
    old = compress(kernel(), HConfig(leaf=16, eps=1e-4))
    new, change = update(old, kernel() + 5.0 * bump(place))
    check(old, new, change, kernel() + 5.0 * bump(place))
    assert 0 < change.changed <= len(old.blocks) / 4
    centre = place * N
    for block in old.blocks:
        far = all(end <= centre - 25 or start >= centre + 25 for start, end in (block.rows, block.columns))
        kept = any(b.rows == block.rows and b.columns == block.columns and same(b, block) for b in new.blocks)
        assert kept or not far


def test_orders_stay() -> None:
    draw = np.random.default_rng(0)
    points = draw.random((N, 2))
    matrix = np.exp(-5 * np.linalg.norm(points[:, None] - points, axis=2))
    tree = from_points(points, 16)
    old = compress(matrix, HConfig(eps=1e-3), tree, tree)
    new, change = update(old, matrix + np.diag(np.linspace(0, 0.3, N) ** 4))
    check(old, new, change, matrix + np.diag(np.linspace(0, 0.3, N) ** 4))
    assert np.array_equal(new.row_order, old.row_order)
    assert change.kept > change.changed > 0


def test_a_block_gains_rank() -> None:
    draw = np.random.default_rng(0)
    low = draw.standard_normal((N, 2)) @ draw.standard_normal((2, N))
    old = compress(low, HConfig(eps=1e-4))
    more = low + draw.standard_normal((N, 1)) @ draw.standard_normal((1, N))
    new, change = update(old, more)
    assert [b.rank for b in old.blocks] == [2]
    assert [b.rank for b in new.blocks] == [3]
    assert (change.kept, change.reranked, change.divided, change.merged) == (0, 1, 0, 0)


def test_a_block_is_divided_and_merged_again() -> None:
    """A corner of full rank appears in a smooth block and goes away."""
    smooth = np.ones((N, N)) + np.outer(np.arange(N), np.arange(N)) / N**2
    rough = smooth.copy()
    rough[:12, :12] += np.random.default_rng(0).standard_normal((12, 12))
    before = compress(smooth, HConfig(leaf=12, eps=1e-4))
    divided, forth = update(before, rough)
    assert len(before.blocks) == 1
    assert forth.divided == 1
    assert len(divided.blocks) > 1
    merged, back = update(divided, smooth)
    check(divided, merged, back, smooth)
    assert back.merged > 0 or merged.numbers <= divided.numbers


def test_siblings_of_little_area_go_along_and_are_merged() -> None:
    """Where three quarters of a parent change and all of it is of low rank, the last quarter does not stand aside."""
    draw = np.random.default_rng(0)
    matrix = draw.standard_normal((64, 64))
    low = np.outer(np.arange(1, 33), np.arange(1, 33)) / 100.0
    matrix[:32, :32] = low
    matrix[16:32, 16:32] += draw.standard_normal((16, 16))
    matrix[:16, 16:32] += draw.standard_normal((16, 16))
    matrix[16:32, :16] += draw.standard_normal((16, 16))
    old = compress(matrix, HConfig(leaf=16, eps=1e-4))
    after = matrix.copy()
    after[:32, :32] = low
    new, change = update(old, after)
    check(old, new, change, after)
    assert change.merged == 1
    assert ((0, 32), (0, 32), 1) in [(b.rows, b.columns, b.rank) for b in new.blocks]
    assert change.kept > 0


def test_everything_new_is_built_anew() -> None:
    old = compress(kernel(), HConfig(leaf=16))
    other = np.random.default_rng(0).standard_normal((N, N))
    new, change = update(old, other)
    assert (change.kept, change.changed) == (0, len(old.blocks))
    assert new.note.startswith("dense")
    again, change = update(new, kernel())
    check(new, again, change, kernel())
    assert change.divided == 1


def test_zero_comes_and_goes() -> None:
    old = compress(kernel(), HConfig(leaf=16))
    none, change = update(old, np.zeros((N, N)))
    assert (none.numbers, change.kept) == (0, 0)
    check(none, *update(none, kernel()), kernel())


def test_what_does_not_fit() -> None:
    points = np.linspace(0, 1, N)
    tree = from_points(points, 16)
    old = compress(kernel(), HConfig(eta=1.0, leaf=16, eps=1e-3), tree, tree)
    with pytest.raises(InputError, match=r"expected a matrix \[192, 192\], got \[3, 3\]"):
        update(old, np.zeros((3, 3)))
    with pytest.raises(InputError, match="expected a finite number"):
        update(old, np.full((N, N), np.nan))
    with pytest.raises(InputError, match="rows: expected the clusters, because eta needs their points"):
        update(old, kernel())
    with pytest.raises(InputError, match="columns: expected the clusters of the old matrix"):
        update(old, kernel(), tree, from_points(-points, 16))
    with pytest.raises(InputError, match="eta: expected clusters from points"):
        update(old, 2 * kernel(), in_order(N, 16), in_order(N, 16))
    new, change = update(old, kernel() + bump(0.3), tree, tree)
    check(old, new, change, kernel() + bump(0.3))
    assert change.kept > 0


@pytest.mark.parametrize("eps", [4e-4, 3.5e-4, 3e-4])
def test_what_kept_blocks_lose_counts_where_new_ones_lose_more_than_expected(eps: float) -> None:
    """Every number lies midway between two of float16: new blocks lose twice what one expects."""
    rng = np.random.default_rng(0)

    def midway(n: int) -> Array:
        return rng.choice([-1.0, 1.0], (n, n)) * (1.0 + 2.0**-11) * np.exp2(rng.integers(-3, 3, (n, n)))

    matrix = midway(64)
    old = compress(matrix, HConfig(eps=eps, leaf=16), half=True)
    matrix[:32, :32] = 2.0 * midway(32)
    new, change = update(old, matrix)
    assert change.kept > 0
    assert np.linalg.norm(matrix - new.dense()) <= eps * np.linalg.norm(matrix)


def test_new_blocks_are_halves_where_the_old_ones_were() -> None:
    old = compress(kernel(), HConfig(eps=1e-3), half=True)
    new, change = update(old, kernel() + 5.0 * bump(0.3))
    before = {(b.rows, b.columns) for b in old.blocks if b.halves}
    assert before
    made = [b for b in new.blocks if not any(np.array_equal(b.dense(), a.dense()) for a in old.blocks)]
    assert 0 < len(made) == change.made
    assert any(b.halves for b in made)

"""The tolerance is never exceeded, storage is what is counted, cost alone decides, and what cannot be is said."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgepde.hmatrix.aca import cross
from edgepde.hmatrix.block_tree import BlockTree, block_tree
from edgepde.hmatrix.clusters import from_points, in_order
from edgepde.hmatrix.compressing import Compressor, compress
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.hmatrix import HBlock, HMatrix, check_tiling
from edgepde.hmatrix.partition import Partition
from edgepde.hmatrix.spectra import Spectra

Array = NDArray[np.float64]
Draw = np.random.Generator


def noisy(draw: Draw, m: int, n: int) -> Array:
    left, right = draw.standard_normal((m, 3)), draw.standard_normal((3, n))
    return np.asarray(left @ right + 1e-3 * draw.standard_normal((m, n)))


def kernel(draw: Draw, m: int, n: int) -> Array:
    x, y = np.sort(draw.random(m)), np.sort(draw.random(n))
    return np.asarray(1.0 / (np.abs(x[:, None] - y) + 0.01))


def spiky(draw: Draw, m: int, n: int) -> Array:
    """One enormous entry, the others at ten orders of magnitude."""
    made = 10.0 ** draw.uniform(-10, 0, (m, n))
    made[draw.integers(m), draw.integers(n)] = 1e6
    return np.asarray(made)


MATRICES: dict[str, Callable[[Draw, int, int], Array]] = {
    "normal": lambda draw, m, n: draw.standard_normal((m, n)),
    "kernel": kernel,
    "permuted kernel": lambda draw, m, n: draw.permutation(kernel(draw, m, n)),
    "low rank and noise": noisy,
    "rank one": lambda draw, m, n: np.outer(draw.random(m), draw.random(n)),
    "zero": lambda draw, m, n: np.zeros((m, n)),
    "diagonal": lambda draw, m, n: np.eye(m, n) * draw.random(n),
    "spiky": spiky,
}


def truth(matrix: Array, made: HMatrix) -> tuple[float, float]:
    """||A - H||_F and ||A||_F, free of over- and underflow."""
    scale = float(np.abs(matrix).max()) or 1.0
    lost = np.linalg.norm(matrix / scale - made.dense() / scale)
    return float(lost) * scale, float(np.linalg.norm(matrix / scale)) * scale


@settings(max_examples=100)
@given(
    name=st.sampled_from(sorted(MATRICES)),
    m=st.integers(1, 70),
    n=st.integers(1, 70),
    seed=st.integers(0, 1000),
    scale=st.sampled_from([1.0, 1e-30, 1e30, 1e-8, 3e4]),
    eps=st.sampled_from([0.0, 1e-12, 1e-7, 1e-6, 1e-4, 1e-2, 0.3, 0.99]),
    leaf=st.integers(1, 40),
    dtype=st.sampled_from(["float32", "float64"]),
    half=st.booleans(),
    factorisation=st.sampled_from(["svd", "aca"]),
    max_rank=st.sampled_from([None, 1, 4]),
)
def test_the_tolerance_is_never_exceeded(
    name: str, m: int, n: int, seed: int, scale: float, eps: float, leaf: int, dtype: str, half: bool,
    factorisation: str, max_rank: int | None,
) -> None:  # fmt: skip
    matrix = MATRICES[name](np.random.default_rng(seed), m, n) * scale
    config = HConfig(leaf=leaf, eps=eps, factorisation=factorisation, max_rank=max_rank)
    made = compress(matrix, config, dtype=dtype, half=half)
    lost, norm = truth(matrix, made)
    assert lost <= eps * norm * (1 + 1e-12)
    assert made.error == pytest.approx(lost, rel=1e-6, abs=1e-13 * norm)
    assert made.error <= made.tolerance
    assert made.tolerance == pytest.approx(eps * norm, rel=1e-12)
    check_tiling((m, n), made.blocks)
    assert max((b.rank or 0) for b in made.blocks) <= (max_rank or min(m, n))
    assert made.nbytes <= m * n * np.dtype(made.dtype).itemsize
    assert bool(made.note) == (made.is_dense and not any(b.halves for b in made.blocks))
    parts = made.packed(half)
    ordered = sum(part.dense() for part in parts)
    assert np.abs(ordered - made.in_cluster_order()).max() <= 1e-14 * max(norm, 1e-300)
    assert sum(part.left.nbytes + part.right.nbytes for part in parts) == made.nbytes
    assert sum(part.numbers for part in parts) == made.numbers


@settings(max_examples=20)
@given(seed=st.integers(0, 99), half=st.booleans(), eps=st.sampled_from([1e-6, 1e-3, 1e-1]))
def test_products_are_those_of_the_dense_form(seed: int, half: bool, eps: float) -> None:
    draw = np.random.default_rng(seed)
    points = draw.random((150, 2))
    matrix = np.exp(-3 * np.linalg.norm(points[:, None] - points[:110], axis=2))
    rows, columns = from_points(points, 16), from_points(points[:110], 16)
    made = compress(matrix, HConfig(eps=eps), rows, columns, half=half)
    x = draw.standard_normal((110, 3))
    np.testing.assert_allclose(made @ x, made.dense() @ x, atol=1e-12)
    np.testing.assert_allclose(made @ x[:, 0], matrix @ x[:, 0], atol=2 * eps * made.norm * np.linalg.norm(x[:, 0]))
    assert made.config.leaf == 16
    with pytest.raises(InputError, match=r"expected \[110\]"):
        made @ x[:100]


def cheapest(matrix: Array, mu: float, tree: BlockTree, node: int = 0) -> float:
    """Least of 8 numbers + mu error^2 over all partitions and ranks, by trying them all."""
    a, b, c, d = tree.bounds[node].tolist()
    m, n = b - a, d - c
    sigma = np.linalg.svd(matrix[a:b, c:d], compute_uv=False)
    options = [8.0 * m * n]
    options += [8.0 * k * (m + n) + mu * float(np.sum(sigma[k:] ** 2)) for k in range(sigma.size + 1)]
    if tree.children(node):
        options.append(sum(cheapest(matrix, mu, tree, child) for child in tree.children(node)))
    return min(options)


@settings(max_examples=25)
@given(seed=st.integers(0, 99), n=st.integers(2, 130), mu=st.floats(-1, 9))
def test_the_partition_is_the_optimum(seed: int, n: int, mu: float) -> None:
    draw = np.random.default_rng(seed)
    matrix = kernel(draw, n, n) if seed % 3 else noisy(draw, n, n)
    tree = block_tree(in_order(n, 16), in_order(n, 16), None)
    partition = Partition(Spectra(matrix, tree, 1e-9), 8)
    choice = partition.at(10.0**mu)
    numbers = sum(
        int(partition.area[node]) if kept.rank is None else kept.rank * int(tree.heights[node] + tree.widths[node])
        for node, kept in choice.held.items()
    )
    cost = 8.0 * numbers + 10.0**mu * choice.error2
    assert cost == pytest.approx(cheapest(matrix, 10.0**mu, tree), rel=3e-5)


def test_a_finer_tolerance_takes_no_less_storage() -> None:
    compressor = Compressor(kernel(np.random.default_rng(0), 300, 300), HConfig(leaf=16))
    ratios = [compressor.at(eps).storage_ratio for eps in (0.1, 1e-6, 1e-4, 1e-2)]
    assert ratios[0] < ratios[3] < ratios[2] < ratios[1] < 1.0


def test_eta_keeps_near_blocks_dense_and_needs_points() -> None:
    points = np.linspace(0, 1, 256)
    matrix = np.exp(-np.abs(points[:, None] - points))
    tree = from_points(points, 16)
    free, strict = (compress(matrix, HConfig(eta=eta, eps=1e-4), tree, tree) for eta in (None, 1.0))
    assert free.numbers < strict.numbers
    for block in strict.blocks:
        gap = max(block.rows[0] - block.columns[1], block.columns[0] - block.rows[1]) + 1
        assert block.rank is None or min(block.shape) - 1 <= gap
    with pytest.raises(InputError, match="eta: expected clusters from points"):
        compress(matrix, HConfig(eta=1.0))


def test_blocks_of_low_rank_and_noise_become_one() -> None:
    """Above the noise one low-rank block is the cheapest partition."""
    made = compress(noisy(np.random.default_rng(0), 200, 200), HConfig(eps=1e-2))
    assert [block.rank for block in made.blocks] == [3]
    assert made.rank_histogram() == {3: 1}


def test_random_matrices_stay_dense_and_say_so() -> None:
    made = compress(np.random.default_rng(0).standard_normal((100, 100)), HConfig(eps=1e-3))
    assert made.note == "dense: nothing cheaper holds the tolerance"
    assert (made.storage_ratio, len(made.blocks), made.dtype) == (1.0, 1, "float32")


def test_a_tolerance_of_zero_or_below_rounding_is_dense_and_says_so() -> None:
    matrix = np.outer(np.arange(1, 60) / 7, np.arange(1, 60))
    whole = compress(np.outer(np.arange(60.0), np.arange(60.0)), HConfig(eps=0.0))
    assert (whole.note, whole.error, whole.dtype) == ("dense: the tolerance is 0", 0.0, "float32")
    for eps in (0.0, 1e-12):
        made = compress(matrix, HConfig(eps=eps))
        assert made.note.startswith("dense, in float64: the tolerance")
        assert np.array_equal(made.dense(), matrix)
    assert not compress(matrix, HConfig(eps=1e-12), dtype="float64").note
    for eps in (1e-150, 1e-160, 1e-300):  # whose squares are barely numbers, or none
        with np.errstate(divide="raise", over="raise", invalid="raise"):
            assert compress(matrix, HConfig(eps=eps)).error == 0.0


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1e-170, 1e170, 1e300])
@pytest.mark.parametrize("half", [False, True])
def test_scales_beyond_float32(scale: float, half: bool) -> None:
    """Neither squares nor factors leave float64; what float32 cannot hold stays dense and says so."""
    matrix = np.outer(np.arange(1.0, 41), np.arange(1.0, 51)) / 2000.0 * scale
    lost, norm = truth(matrix, compress(matrix, HConfig(eps=1e-2), dtype="float64", half=half))
    assert lost <= 1e-2 * norm
    single = compress(matrix, HConfig(eps=1e-2), half=half)
    assert single.dtype == "float64"
    assert "below the rounding" in single.note


def test_a_matrix_of_zeros_takes_nothing() -> None:
    made = compress(np.zeros((50, 70)), HConfig(eps=0.0))
    assert (made.numbers, made.storage_ratio, made.note) == (0, 0.0, "")
    assert (made.packed()[0].dense() == np.zeros((50, 70))).all()


def test_halves_are_stored_only_where_float16_holds_them() -> None:
    matrix = kernel(np.random.default_rng(0), 200, 200)
    fine, tiny = (compress(matrix * scale, HConfig(eps=1e-3), half=True) for scale in (1.0, 1e-12))
    assert fine.bytes_ratio < 0.7 * fine.storage_ratio
    assert tiny.bytes_ratio == tiny.storage_ratio
    assert {p.left.dtype.name for p in fine.packed(half=True)} >= {"float16"}
    assert [p.left.dtype.name for p in fine.packed()] == ["float32"]
    both = compress(matrix, HConfig(eps=1e-5), half=True)
    assert [p.left.dtype.name for p in both.packed(half=True)] == ["float32", "float16"]
    for block in both.blocks:
        if block.left is not None and block.halves:
            last = block.left[:, -block.halves :]
            assert np.array_equal(last.astype(np.float16).astype(np.float64), last)


def test_crosses_that_miss_are_found_out() -> None:
    """Partial pivoting never sees the far corner of a block diagonal matrix; the true residual does."""
    matrix = np.zeros((256, 256))
    matrix[:128, :128] = kernel(np.random.default_rng(0), 128, 128) * 1e-3
    matrix[128:, 128:] = kernel(np.random.default_rng(1), 128, 128)
    left, right = cross(matrix, 1e-6, 256)
    assert np.linalg.norm(matrix - left @ right.T) > 0.9 * np.linalg.norm(matrix)
    made = compress(matrix, HConfig(eps=1e-5, factorisation="aca"))
    assert truth(matrix, made)[0] <= made.tolerance


def test_crosses_of_a_smooth_kernel() -> None:
    x = np.linspace(0, 1, 100)
    matrix = 1.0 / (x[:, None] + x + 1.0)
    left, right = cross(matrix, 1e-10, 100)
    assert left.shape[1] < 15
    assert np.linalg.norm(matrix - left @ right.T) < 1e-8
    left, right = cross(matrix, 0.0, 3)
    assert left.shape == (100, 3)
    assert cross(np.zeros((4, 5)), 1e-3, 5)[0].shape == (4, 0)


def test_a_measure_of_ones_own_is_held() -> None:
    matrix = kernel(np.random.default_rng(0), 200, 200)

    def measure(made: HMatrix) -> float:
        return float(np.abs(made.dense() - matrix).sum(axis=1).max())

    compressor = Compressor(matrix, HConfig(leaf=16))
    loose, tight = (compressor.until(measure, limit) for limit in (1.0, 1e-2))
    assert measure(loose) <= 1.0
    assert measure(tight) <= 1e-2
    assert loose.numbers < tight.numbers < 40000
    exact = compressor.until(measure, 0.0)
    assert measure(exact) == 0.0
    with pytest.raises(InputError, match=r"expected an error within -1, got"):
        compressor.until(measure, -1.0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_entries_that_are_not_finite(value: float) -> None:
    matrix = np.zeros((5, 6))
    matrix[2, 3] = value
    with pytest.raises(InputError, match=r"entry \(2, 3\): expected a finite number"):
        compress(matrix)


def test_complex_numbers_are_refused() -> None:
    made = compress(np.eye(4), HConfig())
    with pytest.raises(InputError, match="matrix: expected real numbers"):
        compress(np.eye(4) * 1j, HConfig())
    with pytest.raises(InputError, match="x: expected real numbers"):
        made @ (np.ones(4) * 1j)


def test_inputs_that_do_not_fit() -> None:
    for shape in ((0, 5), (5,), (2, 2, 2)):
        with pytest.raises(InputError, match=r"expected \[m, n\]"):
            compress(np.zeros(shape))
    with pytest.raises(InputError, match="rows: expected clusters of 5 points or indices, got 6"):
        compress(np.zeros((5, 6)), rows=in_order(6))
    with pytest.raises(InputError, match="columns: expected clusters of 6 points or indices, got 5"):
        compress(np.zeros((5, 6)), columns=in_order(5))
    with pytest.raises(InputError, match="expected one leaf size, got 4 for rows, 8"):
        compress(np.zeros((5, 6)), rows=in_order(5, 4), columns=in_order(6, 8))
    with pytest.raises(InputError, match=r"expected a norm within float64, got entries up to 1.7e\+308"):
        compress(np.full((3, 3), 1.7e308))
    with pytest.raises(InputError, match="dtype: expected float32 or float64"):
        compress(np.zeros((5, 6)), dtype="float16")


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("eta", (0, -1.0, np.nan, np.inf, "1", True)),
        ("leaf", (0, -3, 1.5, True, None)),
        ("eps", (-1e-9, 1.0, np.nan, "1e-3", None, True)),
        ("max_rank", (0, 2.0, True)),
        ("factorisation", ("SVD", None, "qr")),
    ],
)
def test_conventions_that_cannot_be(field: str, values: tuple[object, ...]) -> None:
    for value in values:
        with pytest.raises(InputError, match=f"hmatrix config: {field}"):
            HConfig(**{field: value})  # type: ignore[arg-type]


def test_blocks_that_do_not_tile() -> None:
    def block(rows: tuple[int, int], columns: tuple[int, int]) -> HBlock:
        return HBlock(rows, columns, np.zeros((rows[1] - rows[0], columns[1] - columns[0])), None, None, 0.0)

    check_tiling((4, 4), [block((0, 4), (0, 2)), block((0, 4), (2, 4))])
    with pytest.raises(InputError, match=r"entry \(0, 2\) is in 0"):
        check_tiling((4, 4), [block((0, 4), (0, 2))])
    with pytest.raises(InputError, match=r"entry \(0, 0\) is in 2"):
        check_tiling((4, 4), [block((0, 4), (0, 4)), block((0, 1), (0, 1))])
    with pytest.raises(InputError, match="expected within"):
        check_tiling((4, 4), [block((0, 5), (0, 4))])


@pytest.mark.parametrize("eps", [4.86e-4, 4.5e-4, 4e-4, 3.5e-4, 3e-4])
def test_halves_that_are_rounded_the_worst_way_keep_the_tolerance(eps: float) -> None:
    """Every number lies midway between two of float16, so that twice as much is lost as one expects."""
    rng = np.random.default_rng(0)
    matrix = rng.choice([-1.0, 1.0], (64, 64)) * (1.0 + 2.0**-11) * np.exp2(rng.integers(-3, 3, (64, 64)))
    made = compress(matrix, HConfig(eps=eps), half=True)
    assert np.linalg.norm(matrix - made.dense()) <= eps * np.linalg.norm(matrix)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_beyond_float32_make_no_noise(dtype: str) -> None:
    matrix = 1e200 / (1.0 + np.abs(np.subtract.outer(np.arange(100.0), np.arange(100.0))))
    for half in (False, True):
        made = compress(matrix, HConfig(), dtype=dtype, half=half)
        assert made.dtype == "float64"
        assert made.is_dense == (dtype == "float32")
        assert np.linalg.norm(1e-200 * (matrix - made.dense())) <= 1e-3 * np.linalg.norm(1e-200 * matrix)

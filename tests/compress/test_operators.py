"""Linear operators: the bound is never exceeded, the smallest of all forms is taken, and what cannot be is said."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import BudgetError, InputError, NotVerified, UnsupportedModel
from hypothesis import given, settings
from hypothesis import strategies as st
from support.operators import cube, kernel, operator, points

import edgepde
from edgepde.certify.network import Affine, Blocks, Gather, Network, Pointwise, Scale
from edgepde.compress import Compressed
from edgepde.compress.operators import is_operator, leading
from edgepde.compress.scaled import InScales, power_of_two, rescaled
from edgepde.hmatrix.clusters import from_points
from edgepde.network.module import NetworkModule

N = 200
AT = points(N)


@cache
def compressed(error: float = 1e-2) -> Compressed:
    return edgepde.compress(operator(kernel(AT)), domain=cube(N), max_error=error, points=AT, seconds=20.0)


def worst(made: Compressed, low: np.ndarray, high: np.ndarray) -> float:
    """The exact largest difference over the box, in float64."""
    assert isinstance(made.module, NetworkModule)
    eye = torch.eye(len(low), dtype=torch.float64)
    h, none = made.module.network(), torch.zeros(1, len(low), dtype=torch.float64)
    bias = h(none)[0].numpy()
    matrix = (h(eye) - h(none)).T.numpy()
    f = made.reference
    change = f.weight.detach().double().numpy() - matrix
    shift = f.bias.detach().double().numpy() - bias
    c, r = 0.5 * (low + high), 0.5 * (high - low)
    return float((np.abs(change) @ r + np.abs(change @ c + shift)).max())


def test_blocks_are_smaller_than_dense_and_than_low_rank_and_the_bound_is_tight() -> None:
    made = compressed()
    (part,) = made.ledger["parts"]
    assert part["form"].startswith("hmatrix")
    assert part["bytes_after"] < 0.35 * part["bytes_before"]
    error = made.ledger["error"]
    assert worst(made, -np.ones(N), np.ones(N)) <= error["compression"] <= 1.001 * error["found"]
    assert 0.8e-2 < error["value"] <= 1e-2
    outcomes = {entry["form"]: entry["outcome"] for entry in made.ledger["tried"]}
    assert "no neurons" in outcomes["merge"]
    assert "times what is allowed" in outcomes["low-rank"]
    assert outcomes["hmatrix"] == "proved"


def test_the_ledger_counts_every_byte_of_the_blocks() -> None:
    made = compressed()
    assert isinstance(made.module, NetworkModule)
    held = sum(t.numel() * t.element_size() for t in made.module.state_dict().values())
    assert made.ledger["total"]["bytes_after"] == held
    assert any(p.dtype == torch.float16 for p in made.module.parameters())


def test_the_network_is_gather_blocks_gather() -> None:
    made = compressed()
    assert isinstance(made.module, NetworkModule)
    kinds = [type(node) for node in made.module.network().nodes[1:]]
    assert kinds == [Gather, Blocks, Gather]


def test_low_rank_is_taken_where_it_is_smaller() -> None:
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(N, 2)) @ rng.normal(size=(2, N)) / N
    made = edgepde.compress(operator(matrix), domain=cube(N), max_error=1e-3, method="low-rank", seconds=5.0)
    (part,) = made.ledger["parts"]
    assert part["form"] == f"low rank: {N} x {N} at rank 2"
    assert worst(made, -np.ones(N), np.ones(N)) <= made.ledger["error"]["compression"] <= 1e-3
    both = edgepde.compress(operator(matrix), domain=cube(N), max_error=1e-3, seconds=5.0)
    assert both.ledger["total"]["bytes_after"] <= made.ledger["total"]["bytes_after"]


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 10_000), st.integers(40, 90), st.integers(40, 90), st.floats(-5.0, -1.0), st.sampled_from([0.0, 3.0])
)
def test_the_tolerance_is_never_exceeded(seed: int, m: int, n: int, power: float, shift: float) -> None:
    """Any shape, box, bias and error: supremum <= bound <= error, or it refuses for the device's arithmetic."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.random((m, 1)), rng.random((n, 1))
    matrix = 1.0 / (np.abs(rows - columns.T) + 0.02) / n
    low = shift - rng.random(n)
    high = low + 0.1 + rng.random(n)
    error = 10.0**power
    module = operator(matrix, rng.normal(size=m))
    at = rows, columns
    try:
        made = edgepde.compress(
            module, domain=Box(low, high), max_error=error, points=at, seconds=3.0, method="hmatrix"
        )
    except NotVerified:
        with pytest.raises(NotVerified, match="of it the device's arithmetic"):
            edgepde.compress(module, Box(low, high), error, method="low-rank", seconds=3.0)
        return
    assert worst(made, low, high) <= made.ledger["error"]["compression"] <= made.ledger["error"]["value"] <= error


def test_a_part_of_the_box_has_a_limit_of_its_own() -> None:
    text = "y=1e-1,y[x0=0.5:1,x1=0.9:1]=2e-2"
    made = edgepde.compress(operator(kernel(AT)), domain=cube(N), max_error=text, points=AT, seconds=10.0)
    low, high = -np.ones(N), np.ones(N)
    low[:2] = 0.5, 0.9
    assert worst(made, low, high) <= made.ledger["error"]["regions"][0]["compression"] <= 2e-2


class TestDense:
    """Where nothing is gained the layer stays, and says why."""

    def test_a_matrix_without_structure(self) -> None:
        matrix = np.random.default_rng(0).normal(size=(80, 80)) / 80
        made = edgepde.compress(operator(matrix), domain=cube(80), max_error=1e-4, seconds=5.0)
        (part,) = made.ledger["parts"]
        assert part["form"] == "dense"
        assert part["bytes_after"] == part["bytes_before"]
        assert "dense" in part["why"] or "not smaller" in part["why"] or "not less" in part["why"]

    def test_a_layer_too_small_to_gain(self) -> None:
        made = edgepde.compress(operator(np.eye(3)), domain=cube(3), max_error=1e-2, seconds=2.0)
        (part,) = made.ledger["parts"]
        assert part["form"] == "dense"
        assert part["why"]

    def test_an_error_below_the_arithmetic_is_refused_and_one_just_above_keeps_the_matrix(self) -> None:
        module = operator(kernel(AT))
        with pytest.raises(NotVerified, match="of it the device's arithmetic"):
            edgepde.compress(module, domain=cube(N), max_error=1e-12, points=AT, seconds=4.0)
        made = edgepde.compress(module, domain=cube(N), max_error=1e-5, points=AT, seconds=10.0)
        assert made.ledger["error"]["value"] <= 1e-5

    def test_tolerance_zero_is_no_error(self) -> None:
        with pytest.raises(BudgetError, match="above 0"):
            edgepde.compress(operator(np.eye(3)), domain=cube(3), max_error=0.0)

    @pytest.mark.parametrize("poison", [float("nan"), float("inf")])
    def test_weights_that_are_no_numbers(self, poison: float) -> None:
        matrix = kernel(AT)
        matrix[3, 4] = poison
        with pytest.raises(UnsupportedModel, match="expected finite numbers, got 1"):
            edgepde.compress(operator(matrix), domain=cube(N), max_error=1e-2)

    def test_derivatives_of_an_operator(self) -> None:
        with pytest.raises(BudgetError, match="no derivatives for a linear operator"):
            edgepde.compress(operator(np.eye(3)), domain=cube(3), max_error="y=1e-2,y_x0=1e-2")


class TestPoints:
    """Points that do not match are named."""

    @pytest.mark.parametrize(
        ("at", "said"),
        [
            (points(N - 1), rf"row points: expected \[{N}, k\].*{N} outputs, got \[{N - 1}, 2\]"),
            ((AT, points(7)), rf"column points: expected \[{N}, k\].*{N} inputs, got \[7, 2\]"),
            (np.where(AT[5] == AT, np.nan, AT), "row 5: expected finite numbers"),
            (np.zeros((N, 0)), r"row points"),
            ("nowhere.npz", r"--points nowhere\.npz: there is no such file"),
            ([["a"]], "expected numbers"),
        ],
    )
    def test_that_do_not_fit(self, at: object, said: str) -> None:
        with pytest.raises(InputError, match=said):
            edgepde.compress(operator(kernel(AT)), domain=cube(N), max_error=1e-2, points=at)

    def test_files(self, tmp_path: object) -> None:
        from pathlib import Path

        from edgepde.compress.geometry import geometry

        folder = Path(str(tmp_path))
        np.savez(folder / "both.npz", points=AT)
        np.savez(folder / "two.npz", row_points=AT, column_points=AT[:3])
        np.savez(folder / "other.npz", nodes=AT)
        (folder / "broken.npz").write_bytes((folder / "both.npz").read_bytes()[:300])
        assert np.array_equal(geometry(folder / "both.npz").columns, AT)
        two = geometry(folder / "two.npz")
        assert (len(two.rows), len(two.columns)) == (N, 3)
        with pytest.raises(InputError, match=r"other\.npz: expected an array `points`.*got \['nodes'\]"):
            geometry(folder / "other.npz")
        with pytest.raises(InputError, match=r"broken\.npz"):
            geometry(folder / "broken.npz")

    def test_a_mesh_file(self, tmp_path: object) -> None:
        from pathlib import Path

        from edgepde.compress.geometry import geometry

        meshio = pytest.importorskip("meshio")
        flat = np.column_stack([AT, np.zeros(N)])
        path = Path(str(tmp_path)) / "plate.vtu"
        meshio.write(path, meshio.Mesh(flat, [("triangle", np.array([[0, 1, 2]]))]))
        np.testing.assert_allclose(geometry(path).rows, AT)
        bad = Path(str(tmp_path)) / "bad.vtu"
        bad.write_text("no mesh")
        with pytest.raises(InputError, match=r"bad\.vtu: no mesh that meshio reads"):
            geometry(bad)

    def test_they_find_the_blocks_that_their_absence_hides(self) -> None:
        """Points or entries order the matrix; as it comes it gains little."""
        known = compressed().ledger["total"]["bytes_after"]
        module = operator(kernel(AT))
        found = edgepde.compress(module, domain=cube(N), max_error=1e-2, seconds=10.0).ledger["total"]["bytes_after"]
        assert found < 1.3 * known


def test_which_networks_are_operators() -> None:
    eye, zero = torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    from edgepde.certify.network import Input

    one = (Input(3), Scale((0,), zero + 2.0, zero), Affine((1,), eye, zero))
    assert is_operator(Network(one))
    assert not is_operator(Network((*one, Affine((2,), eye, zero))))
    assert not is_operator(Network((*one, Pointwise((2,), "tanh"))))
    assert not is_operator(Network((*one, Scale((2,), zero + 2.0, zero))))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(30, 80))
def test_scales_of_powers_of_two_are_undone_exactly(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    at = rng.random((n, 1))
    matrix = 1.0 / (np.abs(at - at.T) + 0.05)
    rows, columns = (np.exp2(rng.integers(-4, 1, n)) for _ in range(2))
    trees = from_points(at, 8), from_points(at, 8)
    made = InScales(matrix, trees, (rows, columns), "float32").at(1e-2)
    back = rescaled(rescaled(made, matrix, (rows, columns)), rows[:, None] * matrix * columns, (1 / rows, 1 / columns))
    for a, b in zip(made.blocks, back.blocks, strict=True):
        assert np.array_equal(a.dense(), b.dense())
    assert made.error == pytest.approx(float(np.linalg.norm(matrix - made.dense())))
    whole = np.linalg.norm(rows[:, None] * (matrix - made.dense()) * columns)
    assert whole <= 1e-2 * np.linalg.norm(rows[:, None] * matrix * columns) * (1 + 1e-9)


def test_powers_of_two_are_near() -> None:
    values = np.array([1.0, 0.6, 3.0, 0.01])
    share = power_of_two(values) / (values / 3.0)
    assert ((share <= 2.0**0.5) & (share >= 2.0**-0.5)).all()


@pytest.mark.parametrize(("rank", "n"), list(product((1, 3), (20, 60))))
def test_leading_values_are_those_of_the_decomposition(rank: int, n: int) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(n, n)) @ np.diag(0.3 ** np.arange(n)) @ rng.normal(size=(n, n))
    left, right = leading(matrix, rank, 0)
    lost = np.linalg.norm(matrix - left @ right, 2)
    assert lost <= 1.05 * np.linalg.svd(matrix, compute_uv=False)[rank]


def test_halves_that_a_scale_takes_out_of_float16_are_none() -> None:
    """What is packed is what its error was measured of."""
    at = points(96)
    trees = from_points(at, 32), from_points(at, 32)
    scales = np.where(np.arange(96) % 2, 1.0, 2.0**30), np.ones(96)
    made = InScales(kernel(at), trees, scales, "float32").at(1e-2)
    whole = np.zeros(made.shape)
    for part in made.packed(half=True):
        whole += part.dense()
    assert np.abs(whole - made.in_cluster_order()).max() <= 1e-12

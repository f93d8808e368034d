"""mollified_derivative as C: the scratch planned is what the kernel wants, what the target has not is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_export.c99.mollified import Sizes
from edgepde_runtime.errors import EdgePDEError
from edgepde_runtime.rooms import Room
from hypothesis import given, settings
from support import onnx_writer as w
from support.generated import Generated, builds, part
from support.kernel_libraries import needs_cc
from support.mollified_banks import MADE, banks
from support.mollified_kernel import Kernel, build_kernel


@pytest.fixture(scope="module")
def scalar(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    return build_kernel("gcc", "scalar", tmp_path_factory.mktemp("mollified"))


def single_products(combine: np.ndarray) -> frozenset[int]:
    """Products that are an output as they are."""
    return frozenset(int(np.flatnonzero(r)[0]) for r in combine if np.count_nonzero(r) == 1 and r.sum() == 1)


@needs_cc
def test_the_second_of_two_equal_products_may_be_the_output(scalar: Kernel) -> None:
    inputs = MADE(np.float32, 1, (2, 5, 3), ((1, 1), (5, 3), (1, 1)), ((0, 0, 0), (0, 0, 0)), 1)
    inputs[-1] = np.array([[0, 1]], np.float32)
    sizes = Sizes((2, 5, 3), ((1, 1), (5, 3), (1, 1)), ((0, 0, 0), (0, 0, 0)), 1, frozenset({1}))
    assert sizes.scratch() == scalar.scratch(inputs)
    np.testing.assert_allclose(scalar.run(inputs), Room("mollified_derivative").run(inputs, {})[0], atol=1e-6)


@needs_cc
@settings(max_examples=200)
@given(inputs=banks([np.float32], (4, 6, 9), products=12))
def test_the_export_plans_the_scratch_that_the_kernel_wants(inputs: list[np.ndarray], scalar: Kernel) -> None:
    x, *taps, orders, combine = inputs
    given = tuple((t.shape[1], t.shape[2]) for t in taps)
    planned = Sizes(x.shape[1:], given, tuple(map(tuple, orders.tolist())), len(combine), single_products(combine))
    assert planned.scratch() == scalar.scratch(inputs)


def model(inputs: list[Any], *, open_taps: bool = False) -> bytes:
    """x [B, ..] -> y; taps of axis 3 constant or given."""
    x, *rest = inputs
    held = {f"i{i + 1}": v for i, v in enumerate(rest)}
    given = [w.value_info("x", x.dtype, ["B", *x.shape[1:]])]
    if open_taps:
        given.append(w.value_info("i3", rest[2].dtype, rest[2].shape))
    only = w.node("mollified_derivative", ["x", *held], ["y"], domain="edgepde")
    made = w.value_info("y", x.dtype, ["B", len(rest[-1]), *x.shape[1:]])
    stored = {k: v for k, v in held.items() if not (open_taps and k == "i3")}
    return w.model(w.graph([only], given, [made], stored), opsets={"": 20, "edgepde": 1})


GOOD = MADE(np.float32, 1, (1, 6, 9), ((1, 1), (5, 5), (7, 7)), ((-1, -1, 0), (-1, 1, 1)), 2)


def changed(place: int, value: Any) -> list[Any]:
    inputs = list(GOOD)
    inputs[place] = value
    return inputs


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (changed(3, GOOD[3].astype(np.float64)), "taps_3.*expected float32, got float64"),
        (changed(2, GOOD[2][:, :4]), "taps_2: expected 5 or 6 rows, got 4"),
        (changed(0, GOOD[0][:, :, :, :6]), "axis 3: expected windows of 1 to 6 places"),
        (changed(4, GOOD[4] + 2), "orders: axis"),
        (changed(5, GOOD[5][:, :1]), "combine"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(inputs: list[Any], said: str) -> None:
    with pytest.raises(EdgePDEError, match=said):
        part(model(inputs), "probe")


def test_taps_that_are_given_at_run_time_are_refused() -> None:
    part(model(list(GOOD)), "probe")
    with pytest.raises(EdgePDEError, match="'taps_3' must be a constant"):
        part(model(list(GOOD), open_taps=True), "probe")


def test_axes_that_are_left_alone_cost_nothing() -> None:
    sizes = Sizes((1, 1, 50), ((1, 1), (9, 9), (7, 7)), ((-1, -1, 0),), 1, frozenset({0}))
    assert sizes.scratch() == 0
    assert sizes.used() == [False, False, True]


@needs_cc
def test_a_large_field_is_read_where_the_caller_has_it(tmp_path: Path) -> None:
    """There is scratch for four rows of what is no output, and none for the field."""
    n, orders = 130, ((-1, -1, 0), (-1, 1, -1))
    inputs = MADE(np.float32, 3, (1, n, n), ((1, 1), (5, 5), (7, 7)), orders, 2)
    inputs[-1] = np.array([[1, 0], [1, 1]], np.float32)
    made = Generated({"op": model(inputs)}, tmp_path)
    assert "tile_x = x" in made.text
    (wanted,) = Room("mollified_derivative").run(inputs, {})
    for isa in builds():
        got = made.on(isa)["op"]({"x": inputs[0]})["y"]
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)
        assert 4 * 4 * n <= made.on(isa)["op"].scratch_bytes < 4 * 4 * n + 512

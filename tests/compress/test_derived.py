"""Limits on derivatives: understood as typed, measured beside the proof, and refused where exceeded."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import BudgetError
from hypothesis import given, settings
from hypothesis import strategies as st
from support.small_nets import plain
from torch import nn

import edgepde
from edgepde.certify.network import mlp
from edgepde.compress.allowance import allowance
from edgepde.compress.area import Area
from edgepde.compress.derived import Derived, Sampled, columns_of, derivative, measure
from edgepde.network.reading import read_module

BOX = Box([-1.0, 0.0], [1.0, 0.3], ["x", "t"])


@pytest.mark.parametrize(
    ("name", "columns", "found"),
    [
        ("u_x", ("x", "t"), (0,)),
        ("u_xx", ("x", "t"), (0, 0)),
        ("u_xt", ("x", "t"), (0, 1)),
        ("u_x_t", ("x", "t"), (0, 1)),
        ("u_nu", ("n", "nu"), (1,)),
        ("u_nnu", ("n", "nu"), (0, 1)),
        ("u_y", ("x", "t"), None),
        ("u_", ("x", "t"), ()),
        ("v_x", ("x", "t"), None),
        ("u", ("x", "t"), None),
    ],
)
def test_names(name: str, columns: tuple[str, ...], found: tuple[int, ...] | None) -> None:
    assert columns_of(name, "u", columns) == found


def test_too_many_derivatives() -> None:
    with pytest.raises(BudgetError, match="u_xxxxx: expected at most 4 derivatives, got 5"):
        columns_of("u_xxxxx", "u", ("x",))


def test_limits_as_typed() -> None:
    allowed = allowance("1e-3,u_x=1e-1,u_xx=5,u_xx[x=0:0.5]=1", BOX, "u")
    assert allowed.tightest == 1e-3
    assert [(one.name, one.columns, [a.limit for a in one.areas]) for one in allowed.derived] == [
        ("u_x", (0,), [1e-1]),
        ("u_xx", (0, 0), [5.0, 1.0]),
    ]
    assert [area.limit for area in allowed.areas] == [1e-3]


@pytest.mark.parametrize("text", ["u=1e-3,u_y=1", "u=1e-3,w_x=1", "u_x=1e-1", "u=1e-3,u_x=0", "u=1e-3,u_=1"])
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(BudgetError, match="--max-error"):
        allowance(text, BOX, "u")


def test_a_derivative_by_no_column_names_the_columns() -> None:
    with pytest.raises(BudgetError, match="'u_y' is no derivative of 'u'; expected columns among 'x'"):
        allowance("u=1e-3,u_y=1", BOX, "u")
    many = Box([0.0] * 99, [1.0] * 99, [f"c{i}" for i in range(99)])
    with pytest.raises(BudgetError, match=r"'c0', 'c1', .*, \.\.\.$"):
        allowance("u=1e-3,u_y=1", many, "u")


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 1000),
    st.lists(st.integers(0, 1), min_size=1, max_size=2),
    st.sampled_from(["tanh", "sin", "sigmoid", "gelu", "softplus", "silu"]),
)
def test_derivatives_are_those_of_central_differences(seed: int, columns: list[int], function: str) -> None:
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=s) for s in ((6, 2), (5, 6), (2, 5))]
    network = mlp(weights, [rng.normal(size=len(w)) for w in weights], [function] * 2)
    x, step = torch.from_numpy(rng.uniform(-1, 1, (7, 2))), 1e-4

    def differences(f: object, k: int) -> object:
        e = torch.zeros(2, dtype=torch.float64)
        e[columns[k]] = step
        return lambda p: (f(p + e) - f(p - e)) / (2 * step)  # type: ignore[operator]

    wanted: object = network
    for k in range(len(columns)):
        wanted = differences(wanted, k)
    torch.testing.assert_close(derivative(network, columns)(x), wanted(x), rtol=1e-4, atol=1e-5)  # type: ignore[operator]


def test_what_is_measured_is_found_and_no_less_than_at_points() -> None:
    network, other = (read_module(plain(seed=s).double(), BOX).network for s in (0, 1))
    area = Area("the box", BOX, 0.5)
    (found,) = measure(network, other, [Derived("y_x", (0,), (area,))])
    x = torch.from_numpy(BOX.sample(3000, np.random.default_rng(2))).requires_grad_()
    (slope,) = torch.autograd.grad((network(x) - other(x)).sum(), x)
    assert found.value >= 0.999 * float(slope[:, 0].abs().max())
    assert found.share == found.value / 0.5
    assert Sampled(network, [Derived("y_x", (0,), (area,))]).worst(other) <= found.share * 1.001
    assert Sampled(network, [Derived("y_x", (0,), (area,))]).worst(network) == 0.0


def test_a_candidate_that_exceeds_one_is_refused_and_the_result_keeps_it() -> None:
    loose = edgepde.compress(plain(width=16), domain=BOX, max_error="u=1e-2", output="u", seconds=4.0)
    tight = edgepde.compress(
        plain(width=16), domain=BOX, max_error="u=1e-2,u_x=2e-2,u_xx=2e-2", output="u", seconds=4.0
    )
    assert tight.ledger["total"]["bytes_after"] > loose.ledger["total"]["bytes_after"]
    stated = {one["name"]: one for one in tight.ledger["error"]["derivatives"]}
    assert {one["class"] for one in stated.values()} == {"measured"}
    assert tight.ledger["error"]["class"] == "sound"
    assert "derivatives" not in loose.ledger["error"]
    x = torch.from_numpy(BOX.sample(2000, np.random.default_rng(3)))
    f, h = (read_module(m, BOX).network for m in (tight.reference, tight.module))
    for name, columns in (("u_x", (0,)), ("u_xx", (0, 0))):
        came = float((derivative(f, columns)(x) - derivative(h, columns)(x)).abs().max())
        assert came <= 1.02 * stated[name]["value"] <= 1.02 * 2e-2


def test_one_that_nothing_smaller_keeps_leaves_the_network() -> None:
    made = edgepde.compress(plain(), domain=BOX, max_error="u=1e-2,u_xx=1e-7", output="u", seconds=2.0)
    assert made.ledger["total"]["bytes_after"] == made.ledger["total"]["bytes_before"]
    assert math.isclose(made.ledger["error"]["derivatives"][0]["value"], 0.0, abs_tol=1e-7)


def test_kinks_are_measured_as_they_are() -> None:
    network = read_module(plain(nn.ReLU).double(), BOX).network
    x = torch.from_numpy(BOX.sample(10, np.random.default_rng(0)))
    assert bool((derivative(network, (0, 0))(x) == 0.0).all())

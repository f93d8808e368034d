"""Where factorised layers start, and the norms of their terms: variances, balance, the penalty on terms that cancel."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgepde.factorconv.forms import names
from edgepde.factorconv.layers import (
    FactorConv1d,
    FactorConv2d,
    FactorConv3d,
    FactorConvTranspose2d,
)
from edgepde.factorconv.norms import balance, cancellation, degeneracy_penalty

FORMS = names()
KINDS = (FactorConv1d, FactorConv2d, FactorConv3d)
SEEDS = 250


def within(samples: list[float], expected: float) -> None:
    """The mean of independent samples is within five of its standard errors of what is expected."""
    mean, error = np.mean(samples), np.std(samples, ddof=1) / math.sqrt(len(samples))
    assert abs(mean - expected) < 5 * error, (mean, expected, error)
    assert error < 0.15 * expected  # else the test could not fail


@pytest.mark.parametrize("rank", [1, 0.6])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_product_has_the_variance_of_a_dense_kernel(axes: int, form: str, rank: Any) -> None:
    torch.manual_seed(0)
    layer = KINDS[axes - 1](5, 4, (2, 3, 2)[:axes], form=form, rank=rank, dtype=torch.float64)
    x = torch.randn(4, 5, *(5,) * axes, dtype=torch.float64)
    squares, outputs = [], []
    for _ in range(SEEDS):
        layer.reset_parameters()
        with torch.no_grad():
            squares.append(float(layer.kernel().square().mean()))
            outputs.append(float(layer(torch.randn_like(x)).square().mean()))
    within(squares, 2 / layer.where.fan_in)
    within(outputs, 2.0)


@pytest.mark.parametrize("form", FORMS)
def test_transposed_layers_count_what_strides_leave_out(form: str) -> None:
    torch.manual_seed(1)
    layer = FactorConvTranspose2d(4, 3, 4, stride=2, form=form, rank=1.0, gain=1.0, dtype=torch.float64)
    outputs = []
    for _ in range(SEEDS):
        layer.reset_parameters()
        with torch.no_grad():
            y = layer(torch.randn(2, 4, 6, 6, dtype=torch.float64))[..., 3:-3, 3:-3]  # where all terms are inside
            outputs.append(float(y.square().mean()))
    within(outputs, 1.0)


@settings(max_examples=40)
@given(
    form=st.sampled_from(FORMS),
    axes=st.integers(1, 3),
    rank=st.sampled_from([1, 0.5, 1.0]),
    seed=st.integers(0, 1000),
    spread=st.floats(0, 3),
    dead=st.booleans(),
)
def test_balance_evens_norms_and_keeps_the_kernel(
    form: str, axes: int, rank: Any, seed: int, spread: float, dead: bool
) -> None:
    torch.manual_seed(seed)
    layer = KINDS[axes - 1](3, 4, (2, 3, 2)[:axes], form=form, rank=rank, dtype=torch.float64)
    with torch.no_grad():
        for factor in layer.parameters():
            factor.mul_(torch.exp(spread * torch.randn_like(factor)))
        if dead:
            next(iter(layer.factors.values())).flatten()[0] = 0.0
            next(iter(layer.factors.values()))[0] = 0.0
    before = layer.kernel().detach()
    balance(layer)
    after = layer.kernel().detach()
    assert (after - before).abs().max() <= 1e-11 * layer.form.component_norms(layer.where, layer.factors).sum()
    if dead:
        return
    views = layer.form.views(layer.where, layer.factors)
    for link in layer.form.links(layer.where):
        norms = [
            views[name].detach().square().sum(dim=[a for a in range(views[name].dim()) if a not in axes]).sqrt()
            for name, axes in link.members
        ]
        for one in norms[1:]:
            torch.testing.assert_close(one, norms[0], rtol=1e-2, atol=0.0)


@settings(max_examples=30)
@given(
    form=st.sampled_from(FORMS), axes=st.integers(1, 3), rank=st.sampled_from([1, 0.5, 1.0]), seed=st.integers(0, 99)
)
def test_norms_without_the_kernel_are_those_of_the_kernel(form: str, axes: int, rank: Any, seed: int) -> None:
    torch.manual_seed(seed)
    layer = KINDS[axes - 1](3, 4, (2, 3, 2)[:axes], form=form, rank=rank, dtype=torch.float64)
    norm = layer.kernel().norm().detach()
    torch.testing.assert_close(
        layer.form.squared_norm(layer.where, layer.factors).detach().sqrt(), norm, rtol=1e-8, atol=1e-12
    )
    terms = layer.form.component_norms(layer.where, layer.factors)
    assert float(terms.detach().sum()) >= float(norm) * (1 - 1e-9)


def cancelling() -> tuple[FactorConv2d, torch.Tensor]:
    """A layer of rank 2 and a kernel of rank 3 that sums of two terms approach as these grow without bound."""
    a, b = torch.eye(2, dtype=torch.float64)
    spot = lambda *v: torch.einsum("t,s,x->tsx", *v).unsqueeze(-1)  # noqa: E731
    torch.manual_seed(3)
    layer = FactorConv2d(2, 2, (2, 1), form="shared", rank=2, bias=False, dtype=torch.float64)
    return layer, spot(a, a, b) + spot(a, b, a) + spot(b, a, a)


def fitted(layer: nn.Module, target: torch.Tensor, weight: float, bound: float) -> float:
    """The ratio of terms to their sum after a fit to a kernel."""
    optimizer = torch.optim.LBFGS(layer.parameters(), lr=0.5, max_iter=120, tolerance_change=0, tolerance_grad=1e-12)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = (layer.kernel() - target).square().sum() + weight * degeneracy_penalty(layer, bound)  # type: ignore[operator]
        value.backward()
        return value

    optimizer.step(loss)
    return float(cancellation(layer).detach())  # type: ignore[arg-type]


def test_penalty_bounds_terms_that_would_cancel() -> None:
    layer, target = cancelling()
    other = copy.deepcopy(layer)
    assert fitted(layer, target, 0.0, 2.0) > 4.0
    assert fitted(other, target, 1.0, 2.0) < 2.1


def test_penalty_is_nothing_below_its_bound_and_grows_above() -> None:
    layer, _ = cancelling()
    with torch.no_grad():
        layer.read.copy_(torch.tensor([[1.0, 0.1], [1.0, -0.1]]))
        layer.write.copy_(torch.tensor([[1.0, -1.0], [0.0, 0.0]]))
        layer.filters.fill_(1.0)
    ratio = float(cancellation(layer).detach())
    assert ratio == pytest.approx(math.sqrt(2 * 1.01) / 0.2)
    assert float(degeneracy_penalty(layer, ratio * 1.01)) == 0.0
    assert float(degeneracy_penalty(layer, 1.0)) == pytest.approx(2 * math.log(ratio))
    degeneracy_penalty(layer, 1.0).backward()
    assert layer.read.grad is not None
    assert layer.read.grad[0, 1] < 0 < layer.read.grad[1, 1]  # they are to part
    assert float(degeneracy_penalty(nn.Linear(2, 2))) == 0.0


@pytest.mark.parametrize("bound", [0.5, -1.0, float("nan")])
def test_refuses_bounds_no_kernel_can_keep(bound: float) -> None:
    with pytest.raises(InputError, match="at least 1"):
        degeneracy_penalty(cancelling()[0], bound)

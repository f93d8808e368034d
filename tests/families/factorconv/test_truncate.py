"""Factors at lower ranks: the true error, no dense kernel on the way, layers that go on training."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest
import torch
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgepde.factorconv import FactorConv1d, FactorConv2d, FactorConv3d, FactorConvTranspose2d, truncate
from edgepde.factorconv.fitting import _rows, fitting
from edgepde.factorconv.forms import names

FORMS = [name for name in names() if name != "dense"]
KINDS = (FactorConv1d, FactorConv2d, FactorConv3d)


@settings(max_examples=40)
@given(
    form=st.sampled_from(FORMS),
    axes=st.integers(1, 3),
    before=st.sampled_from([2, 0.6, 1.0]),
    after=st.sampled_from([1, 0.5, 1.0]),
    seed=st.integers(0, 99),
)
def test_error_is_the_true_one(form: str, axes: int, before: Any, after: Any, seed: int) -> None:
    torch.manual_seed(seed)
    layer = KINDS[axes - 1](3, 4, (3, 2, 3)[:axes], form=form, rank=1.0 if before == 2 else before, dtype=torch.float64)
    lower, error = truncate(layer, after)
    assert all(new <= old for new, old in zip(lower.ranks, layer.ranks, strict=True))
    left = (layer.kernel() - lower.kernel()).detach()
    assert error.absolute == pytest.approx(float(left.norm()), rel=1e-9, abs=1e-12)
    x = torch.randn(2, 3, *(6,) * axes, dtype=torch.float64)
    off = (layer(x) - lower(x)).detach()
    assert float(off.abs().max()) <= error.sup * float(x.abs().max()) + 1e-12
    assert float(off.norm()) <= error.spectral * float(x.norm()) + 1e-12
    if lower.ranks == layer.ranks:
        assert error.absolute == 0.0


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("axes", [2, 3])
def test_what_is_of_lower_rank_is_found(axes: int, form: str) -> None:
    """Factors of a kernel of rank 1, written at a higher rank, come back to rank 1 without an error."""
    torch.manual_seed(0)
    low = KINDS[axes - 1](6, 5, 3, form=form, rank=1, dtype=torch.float64)
    high = KINDS[axes - 1](6, 5, 3, form=form, rank=3, dtype=torch.float64)
    made = fitting(form).fit(high.where, low.kernel().detach(), high.form.tight(high.where, high.ranks), 0)
    with torch.no_grad():
        for name, factor in made.items():
            high.factors[name].copy_(factor)
    lower, error = truncate(high, low.ranks)
    assert error.relative < 1e-5
    assert truncate(high, tolerance=1e-4)[0].ranks == low.ranks
    torch.testing.assert_close(lower.kernel(), low.kernel(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("form", ["tucker2", "tt", "separable", "svd"])
def test_from_factors_as_near_as_from_the_kernel(form: str) -> None:
    torch.manual_seed(0)
    layer = FactorConv2d(6, 5, 3, form=form, rank=0.8, dtype=torch.float64)
    ranks = layer.form.tight(layer.where, [max(1, r // 2) for r in layer.ranks])
    dense = layer.kernel().detach()
    fitted = layer.form.kernel(layer.where, fitting(form).fit(layer.where, dense, ranks, 0))
    _, error = truncate(layer, ranks)
    assert error.absolute == pytest.approx(float((fitted - dense).norm()), rel=1e-3)


@pytest.mark.parametrize("form", FORMS)
def test_a_tolerance_is_kept(form: str) -> None:
    torch.manual_seed(0)
    layer = FactorConv2d(6, 5, 3, form=form, rank=0.7)
    loose, error = truncate(layer, tolerance=0.7)
    assert error.relative <= 0.7
    assert loose.numbers < layer.numbers
    exact, none = truncate(layer, tolerance=0.0)
    assert none.relative == 0.0
    assert exact.ranks == layer.ranks


@pytest.mark.parametrize("form", FORMS)
def test_the_kernel_is_never_whole(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer = FactorConv2d(7, 6, 5, form=form, rank=2 if form != "tucker2" else (3, 3))
    seen = []
    kind = type(layer.form)
    kernel = kind.kernel
    monkeypatch.setattr(_rows, "NUMBERS", 2 * 7 * 25)
    monkeypatch.setattr(kind, "kernel", lambda self, *a: seen.append(made := kernel(self, *a)) or made)
    truncate(layer, 1)
    assert seen
    assert max(made.numel() for made in seen) == 2 * 7 * 25 < layer.dense_numbers


def test_a_truncated_layer_goes_on_training() -> None:
    torch.manual_seed(0)
    layer = FactorConvTranspose2d(4, 4, 3, stride=2, form="shared", rank=6)
    nn.init.normal_(layer.bias)
    layer.read.requires_grad_(False)
    layer.eval()
    lower, _ = truncate(layer, 3)
    assert lower.ranks == (3,)
    assert not lower.training
    assert not lower.read.requires_grad
    assert lower.write.requires_grad
    assert torch.equal(lower.bias, layer.bias)
    assert layer.ranks == (6,)
    assert layer.read.shape == (6, 4)
    lower(torch.randn(1, 4, 5, 5)).sum().backward()
    assert lower.write.grad is not None
    assert lower.numbers == sum(p.numel() for name, p in lower.named_parameters() if name != "bias")
    assert "ranks=(3,)" in repr(lower)


def test_refuses_ranks_above_the_layers() -> None:
    layer = FactorConv2d(4, 6, 3, form="tucker2", rank=(2, 3))
    cases: list[tuple[dict[str, Any], str]] = [
        ({"rank": 4}, "at most 3, got 4"),
        ({"rank": (3, 3)}, r"at most \[2, 3\]"),
        ({"rank": 0}, "got 0"),
        ({"rank": 1.5}, "a fraction"),
        ({}, "neither"),
        ({"rank": 1, "tolerance": 0.5}, "a rank or a tolerance"),
        ({"tolerance": -0.1}, "tolerance"),
    ]
    for how, told in cases:
        with pytest.raises(InputError, match=told):
            truncate(layer, **how)
    with pytest.raises(InputError, match=r"expected a layer of factors .* got Conv2d"):
        truncate(cast(Any, torch.nn.Conv2d(4, 6, 3)), 1)
    with torch.no_grad():
        layer.core[0, 0, 0, 0] = math.inf
    with pytest.raises(InputError, match="NaN or infinity"):
        truncate(layer, 1)

"""Candidates of a net for the search of ranks: what they hold, what they add, nets built of them."""

from __future__ import annotations

import pytest
import torch
from edgepde_runtime.errors import InputError
from torch import nn

from edgepde.factorconv import FactorConv2d, convert, truncate
from edgepde.factorconv.layers import FactorConv
from edgepde.factorconv.planning import plan
from edgepde.factorconv.ranks import search


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(6, 8, 5, padding=2),
        nn.SiLU(),
        FactorConv2d(8, 6, 3, padding=1, form="tucker2", rank=(6, 4)),
        nn.Conv2d(6, 1, 1),
    )


def numbers(module: nn.Module) -> float:
    """A clock that is a count."""
    return float(sum(p.numel() for p in module.parameters()))


def test_candidates_are_converted_and_truncated_layers() -> None:
    given = net()
    found = plan(given, (0.5, 0.25, 0.1), "tt")
    assert found.names == ("0", "2")
    assert found.candidates[1] == (None, (3, 2), (2, 1), (1, 1))
    layer, error = convert(given[0], "tt", 0.25)
    assert found.errors[0][found.candidates[0].index(layer.ranks)] == pytest.approx(error.relative**2)
    layer, error = truncate(given[2], 0.5)  # type: ignore[arg-type]
    assert found.errors[1][1] == pytest.approx(error.relative**2)
    built = found.build([None, (3, 2)])
    assert isinstance(built[0], nn.Conv2d)  # type: ignore[index]
    assert built[2].ranks == (3, 2)  # type: ignore[index, union-attr]
    assert given[2].ranks == (6, 4)
    x = torch.randn(1, 6, 8, 8)
    assert not torch.equal(built(x), given(x))
    torch.testing.assert_close(found.build([None, None])(x), given(x))


def test_what_holds_no_fewer_numbers_is_left_out() -> None:
    found = plan(net(), (1.0, 0.3), "shared", skip=["2"])
    assert found.names == ("0",)
    assert len(found.candidates[0]) == 2
    for module, how in ((nn.Linear(2, 2), {}), (net(), {"skip": ["*"]}), (nn.Conv2d(2, 2, 3, groups=2), {})):
        with pytest.raises(InputError, match="fewer numbers"):
            plan(module, (0.5,), **how)  # type: ignore[arg-type]


def test_a_search_spends_its_budget_on_what_matters() -> None:
    given = net()
    x = torch.randn(4, 6, 8, 8)
    y = given(x).detach()

    def error(module: nn.Module) -> float:
        return float((module(x) - y).square().mean().detach())

    found = plan(given, (0.75, 0.5, 0.25), "separable", error=error)
    assert found.errors[0][0] == found.errors[1][0] == 0.0
    picked = search(found.build, found.candidates, found.errors, numbers, 0.6 * numbers(given))
    built = found.build(picked.ranks)
    assert numbers(built) <= 0.6 * numbers(given)
    assert picked.error == pytest.approx(sum(row[i] for row, i in zip(found.errors, picked.chosen, strict=True)))
    assert isinstance(built[0], FactorConv)  # type: ignore[index]


def test_a_convolution_alone_is_a_net() -> None:
    found = plan(nn.Conv2d(4, 4, 5), (0.2,), "separable")
    assert found.names == ("",)
    assert isinstance(found.build(found.candidates[0][1:]), FactorConv)

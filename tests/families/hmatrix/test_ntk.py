"""The tangent kernel against torch's own Jacobian, the inequality for random pairs, and every verdict."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call, jacrev

from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.layer import HLinear
from edgepde.hmatrix.ntk import NtkCheck, ntk_check
from edgepde.hmatrix.penalty import truncate


def net(width: int = 12, outputs: int = 1, seed: int = 0, depth: int = 2) -> nn.Sequential:
    torch.manual_seed(seed)
    layers: list[nn.Module] = [nn.Linear(2, width), nn.Tanh()]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(width, outputs)).double()


def points(count: int = 6) -> Tensor:
    return torch.rand(count, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def burgers(network: nn.Module, x: Tensor) -> Tensor:
    """u u_x - 0.02 u_xx + u_t."""
    x = x.detach().requires_grad_()
    u = network(x)[:, 0]
    slope = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
    bend = torch.autograd.grad(slope[:, 0].sum(), x, create_graph=True)[0][:, 0]
    return slope[:, 1] + u * slope[:, 0] - 0.02 * bend


def jacobian(module: nn.Module, x: Tensor) -> Tensor:
    """By torch's own differentiation [N outputs, weights], outputs first."""
    parameters = {name: value.detach() for name, value in module.named_parameters()}
    found = jacrev(lambda p: functional_call(module, p, (x,)).T.reshape(-1))(parameters)
    return torch.cat([part.flatten(1) for part in found.values()], dim=1)


@pytest.mark.parametrize("outputs", [1, 3])
def test_is_what_the_whole_jacobians_say(outputs: int) -> None:
    one, other, x = net(outputs=outputs), net(outputs=outputs, seed=1), points()
    J, K = jacobian(one, x), jacobian(other, x)
    found = ntk_check(one, other, x)
    assert found.size == 6 * outputs
    assert found.norm == pytest.approx(torch.linalg.matrix_norm(J, 2).item())
    assert found.distance == pytest.approx(torch.linalg.matrix_norm(J - K, 2).item())
    assert found.moved == pytest.approx(torch.linalg.matrix_norm(J @ J.T - K @ K.T, 2).item())
    assert found.before == pytest.approx(torch.linalg.eigvalsh(J @ J.T)[0].item(), abs=1e-12)
    assert found.after == pytest.approx(torch.linalg.eigvalsh(K @ K.T)[0].item(), abs=1e-12)


def test_a_residual_has_a_kernel_of_its_own() -> None:
    one, x = net(), points(5)
    found = ntk_check(one, one, x, burgers)
    rows = []
    for i in range(5):
        one.zero_grad()
        burgers(one, x)[i].backward()
        rows.append(torch.cat([torch.zeros(0, dtype=x.dtype), *(p.grad.flatten() for p in one.parameters())]))
    J = torch.stack(rows)
    assert found.quantity == "residual"
    assert found.norm == pytest.approx(torch.linalg.matrix_norm(J, 2).item())
    assert found.before == pytest.approx(torch.linalg.eigvalsh(J @ J.T)[0].item(), rel=1e-6)
    assert found.moved == 0.0
    assert found.distance == 0.0
    assert found.verdict == "guaranteed"


@settings(max_examples=30)
@given(
    seeds=st.tuples(st.integers(0, 99), st.integers(0, 99)),
    size=st.floats(1e-8, 10),
    width=st.integers(1, 10),
    depth=st.integers(1, 3),
    outputs=st.integers(1, 2),
    count=st.integers(1, 8),
    of_residual=st.booleans(),
)
def test_the_inequality_holds_for_any_pair(
    seeds: tuple[int, int], size: float, width: int, depth: int, outputs: int, count: int, of_residual: bool
) -> None:
    one, far = (net(width, outputs, seed, depth) for seed in seeds)
    other = copy.deepcopy(one)
    with torch.no_grad():
        for value, step in zip(other.parameters(), far.parameters(), strict=True):
            value.add_(size * step)
    found = ntk_check(one, other, points(count), burgers if of_residual else None)
    assert found.moved <= found.bound + 1e-12 * found.norm**2
    assert found.least[1] >= found.least[0] - found.distance - 2 * found.rounding
    assert found.after >= found.before - found.bound - 1e-12 * found.norm**2
    if found.by_kernel:
        assert found.verdict == "guaranteed"
    if found.verdict == "guaranteed":
        assert found.after > 0


def test_a_layer_in_blocks_is_read_as_its_matrix() -> None:
    torch.manual_seed(0)
    blocks = HLinear(12, 12, HConfig(leaf=3), rank=1, dtype=torch.float64)
    one = nn.Sequential(nn.Linear(2, 12).double(), nn.Tanh(), blocks, nn.Tanh(), nn.Linear(12, 1).double())
    dense = copy.deepcopy(one)
    whole = nn.Linear(12, 12).double()
    whole.load_state_dict({"weight": blocks.dense().detach(), "bias": blocks.bias.detach()})
    dense[2] = whole
    found = ntk_check(one, dense, points())
    assert found.distance < 1e-9 * found.norm
    truncate(one[2], 0.5)
    found = ntk_check(dense, one, points())
    assert 0 < found.moved <= found.bound
    assert isinstance(one[2], HLinear)  # the networks that were given stay as they are


def test_a_module_that_is_one_layer() -> None:
    x = points(2)
    found = ntk_check(nn.Linear(2, 1), HLinear(2, 1, bias=False), x)
    assert found.norm == pytest.approx(torch.linalg.matrix_norm(torch.cat([x, torch.ones(2, 1)], dim=1), 2).item())
    assert found.moved == pytest.approx(0.0, abs=1e-12)


def test_every_verdict() -> None:
    one, x = net(), points(4)
    near, far, flat = (copy.deepcopy(one) for _ in range(3))
    with torch.no_grad():
        near[2].weight += 1e-9
        far[2].weight *= 1.5
        for part in (flat[0], flat[2], flat[4]):
            part.weight.zero_()
    kept = ntk_check(one, near, x)
    assert kept.verdict == "guaranteed"
    assert kept.by_kernel
    assert "lambda_min(Theta)" in str(kept).splitlines()[-1]
    nearer = copy.deepcopy(one)
    with torch.no_grad():
        nearer[2].weight += 1e-4 * torch.eye(12)
    kept = ntk_check(one, nearer, x)
    assert (kept.verdict, kept.by_kernel) == ("guaranteed", False)
    assert ntk_check(one, far, x).verdict == "observed"
    lost = ntk_check(one, flat, x)  # the last layer's inputs are the same at every point, nothing else moves
    assert lost.verdict == "lost"
    assert "no longer" in str(lost)
    twice = torch.cat([x, x[:1]])
    assert ntk_check(one, near, twice).verdict == "absent"


def test_people_can_read_it() -> None:
    text = str(NtkCheck("outputs", 3, 2.0, 0.1, 0.3, (1.0, 0.9), 1e-12))
    assert "0.41" in text
    assert "0.81" in text
    assert text.endswith("guaranteed: d < sigma_min(J) and 2 |J|_2 d + d^2 < lambda_min(Theta)")


class Scaled(nn.Module):
    """A network with a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(2, 1)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * self.inner(x)


def test_networks_that_cannot_be_compared_are_refused() -> None:
    one, x = net(), points()
    for other, match in (
        (net(width=13), r"Linear '0': expected \[12, 2\]"),
        (net(depth=3), "equally many"),
        (net(outputs=2), r"expected \[1, 12\]"),
    ):
        with pytest.raises(InputError, match=match):
            ntk_check(one, other, x)
    for module, match in ((Scaled(), "'scale'"), (nn.Tanh(), "found none")):
        with pytest.raises(InputError, match=match):
            ntk_check(module, module, x)
    broken = copy.deepcopy(one)
    with torch.no_grad():
        broken[0].bias[0] = math.nan
    with pytest.raises(InputError, match="not finite"):
        ntk_check(one, broken, x)


def test_points_and_residuals_that_do_not_fit_are_refused() -> None:
    one, x = net(), points()
    for wrong in (x[0], x[:0], x * math.nan):
        with pytest.raises(InputError, match="points"):
            ntk_check(one, one, wrong)
    with pytest.raises(InputError, match="one row a point"):
        ntk_check(one, one, x, lambda network, at: network(at).sum())
    with pytest.raises(InputError, match="one row a point"):
        ntk_check(one, one, x, lambda network, at: network(at[:2])[:, 0])


def test_every_verdict_has_its_limit() -> None:
    """A distance of sigma_min, or within rounding of it, guarantees nothing."""

    def check(distance: float, least: tuple[float, float]) -> NtkCheck:
        return NtkCheck("outputs", 3, 2.0, distance, 0.5, least, 1e-3)

    assert check(0.998, (1.0, 0.5)).verdict == "guaranteed"
    for distance in (0.9995, 1.0, 1.4):
        assert check(distance, (1.0, 0.5)).verdict == "observed"
    assert check(1.4, (1.0, 1e-3)).verdict == "lost"
    assert check(0.0, (1e-3, 0.5)).verdict == "absent"
    near = (1.0 - 1e-3) ** 2
    root = math.sqrt(4.0 + near) - 2.0
    assert check(root * (1.0 - 1e-9), (1.0, 0.5)).by_kernel
    assert not check(root * (1.0 + 1e-9), (1.0, 0.5)).by_kernel

"""Terms measured where nothing is proved: they hold on points they have not seen, steep networks included."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from edgepde_export.bundle import BundleContent
from edgepde_export.lowering import plain
from edgepde_export.lowering.measured import load_backends
from edgepde_export.lowering.module import lower
from edgepde_export.lowering.options import Options
from edgepde_export.passes.clean import serialize
from edgepde_runtime.box import Box
from edgepde_runtime.errors import UnsupportedModel
from torch import nn

ROWS = 200_000


def quiet(_: str) -> None:
    """Hears of skipped backends and says nothing."""


@pytest.fixture(autouse=True)
def unproved(monkeypatch: pytest.MonkeyPatch) -> None:
    """No operation has a rule."""

    def refuse(*_: object, **__: object) -> None:
        raise UnsupportedModel("no rule")

    monkeypatch.setattr(plain, "from_graph", refuse)


def steep(factor: float, depth: int, inputs: int, seed: int, dtype: torch.dtype = torch.float32) -> nn.Module:
    """`depth` hidden tanh layers of 16, all weights and biases multiplied by `factor`."""
    torch.manual_seed(seed)
    widths = [inputs, *[16] * depth]
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(widths):
        layers += [nn.Linear(a, b), nn.Tanh()]
    made = nn.Sequential(*layers, nn.Linear(16, 1))
    with torch.no_grad():
        for parameter in made[:-1].parameters():
            parameter.mul_(factor)
    return made.to(dtype)


def cliff(slope: float = 3e6, at: float = 0.3) -> nn.Module:
    """tanh(slope (x - at))."""
    made = nn.Sequential(nn.Linear(1, 1), nn.Tanh())
    with torch.no_grad():
        made[0].weight.fill_(slope)  # type: ignore[operator,union-attr]
        made[0].bias.fill_(-slope * at)  # type: ignore[operator,union-attr]
    return made


def exact(module: nn.Module, x: np.ndarray) -> np.ndarray:
    """The module in float64."""
    with torch.no_grad():
        y: np.ndarray = module.double()(torch.from_numpy(x.astype(np.float64))).numpy()
    return y


def box_of(inputs: int) -> Box:
    """[-1, 1]^inputs."""
    return Box([-1.0] * inputs, [1.0] * inputs)


def worst_seen(content: BundleContent, module: nn.Module, x: np.ndarray) -> float:
    """max |device - float64| over both backends."""
    truth = exact(module, x)
    seen = [b.run({"x": x})["y"] for b in load_backends(serialize(content.model), quiet).values()]
    return max(float(np.abs(y - truth).max()) for y in seen)


NETS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "plain": (lambda: steep(1.0, 2, 2, 0), 2),
    "weights x300": (lambda: steep(300.0, 1, 2, 0), 2),
    "weights x300, deeper": (lambda: steep(300.0, 2, 1, 1), 1),
    "4x16, weights x10": (lambda: steep(10.0, 4, 2, 3), 2),
    "4x16, weights x100": (lambda: steep(100.0, 4, 2, 2), 2),
    "4x16, weights x100, one input": (lambda: steep(100.0, 4, 1, 0), 1),
    "cliff 300": (lambda: cliff(300.0), 1),
    "cliff 3e6": (cliff, 1),
}


@pytest.mark.parametrize("name", NETS)
def test_the_rounding_term_holds_on_points_it_has_not_seen(name: str) -> None:
    make, inputs = NETS[name]
    content = lower(make(), box_of(inputs), Options(log=quiet))
    stated = content.certificate.outputs["y"].terms["rounding"]
    assert stated.value is not None
    rng = np.random.default_rng(99)
    x = box_of(inputs).sample(ROWS, rng)
    if name.startswith("cliff"):
        x[ROWS // 2 :] = 0.3 + 3e-6 * rng.standard_normal((ROWS - ROWS // 2, 1))
    seen = worst_seen(content, make(), x.astype(np.float32))
    assert seen <= stated.value
    assert "local search" in stated.how


def test_an_ordinary_network_is_not_charged_for_steepness() -> None:
    content = lower(steep(1.0, 2, 2, 0), box_of(2), Options(log=quiet))
    term = content.certificate.outputs["y"].terms["rounding"]
    x = box_of(2).sample(ROWS, np.random.default_rng(1)).astype(np.float32)
    assert term.value is not None
    assert term.value <= 4.0 * worst_seen(content, steep(1.0, 2, 2, 0), x)
    assert "first-order" not in term.how


def test_a_cliff_costs_at_most_twice_its_height() -> None:
    term = lower(cliff(3e12), box_of(1), Options(log=quiet)).certificate.outputs["y"].terms["rounding"]
    assert term.value is not None
    assert 2.0 - 1e-6 <= term.value <= 4.0


def test_a_float64_cliff_is_estimated_from_its_slope() -> None:
    module = nn.Sequential(nn.Linear(1, 1), nn.Tanh()).double()
    with torch.no_grad():
        module[0].weight.fill_(3e6)  # type: ignore[operator,union-attr]
        module[0].bias.fill_(-9e5)  # type: ignore[operator,union-attr]
    term = lower(module, box_of(1), Options(log=quiet)).certificate.outputs["y"].terms["rounding"]
    unit = np.finfo(np.float64).eps / 2
    assert term.value is not None
    assert term.value >= 2.0 * unit * 9e5
    assert term.value < 1e-6


def test_a_float64_network_s_term_covers_its_device() -> None:
    content = lower(steep(30.0, 2, 2, 0, torch.float64), box_of(2), Options(log=quiet))
    term = content.certificate.outputs["y"].terms["rounding"]
    x = box_of(2).sample(20_000, np.random.default_rng(3))
    assert term.value is not None
    assert 0.0 < worst_seen(content, steep(30.0, 2, 2, 0, torch.float64), x) <= term.value < 1e-9


def test_a_compressed_network_s_term_holds_between_the_samples() -> None:
    """original - shipped is a spike of height 1.5 and width 2e-7 that the sample misses."""
    from edgepde_export.lowering.module import Compression

    original, shipped = cliff(1e7), cliff(1e7, at=0.3000002)
    content = lower(shipped, box_of(1), Options(log=quiet), Compression(original, {}))
    term = content.certificate.outputs["y"].terms["compression"]
    x = (0.3000001 + 3e-7 * np.random.default_rng(1).standard_normal((ROWS, 1))).astype(np.float32)
    seen = float(np.abs(exact(original, x) - exact(shipped, x)).max())
    assert seen > 1.0
    assert term.value is not None
    assert seen <= term.value
    assert "local search" in term.how


def test_the_search_takes_about_a_second_for_a_small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgepde_export.lowering import measured

    spent: list[float] = []
    certify = measured.certify

    def timed(*arguments: object) -> object:
        began = time.process_time()
        made = certify(*arguments)  # type: ignore[arg-type]
        spent.append(time.process_time() - began)
        return made

    monkeypatch.setattr(measured, "certify", timed)
    lower(steep(1.0, 4, 2, 0), box_of(2), Options(log=quiet))
    assert spent[0] < 3.0

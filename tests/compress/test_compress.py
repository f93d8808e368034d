"""edgepde.compress: what it proves holds, what it stores adds up, and what it cannot do it says."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import BudgetError, InputError, NotVerified, UnsupportedModel
from support.small_nets import Fourier, Gated, Residual, Shared, plain, seeded
from torch import nn

import edgepde
from edgepde.certify.from_module import from_module
from edgepde.compress import Compressed
from edgepde.compress.hunt import Known
from edgepde.compress.refit import Target, refit
from edgepde.network.module import NetworkModule
from edgepde.network.reading import read_module

BOX = Box([-1.0, 0.0], [1.0, 0.3], ["x", "t"])
E = 5e-3
MODULES = {
    "tanh": plain,
    "relu": lambda: plain(nn.ReLU),
    "gelu of three outputs in float64": lambda: plain(nn.GELU, outputs=3).double(),
    "residual": lambda: seeded(Residual),
    "gated": lambda: seeded(Gated),
    "shared": lambda: seeded(Shared),
    "one layer": lambda: nn.Linear(2, 1),
}


@cache
def compressed(name: str) -> Compressed:
    return edgepde.compress(MODULES[name](), domain=BOX, max_error=E, seconds=6.0)


def points(dtype: torch.dtype, count: int = 4000) -> torch.Tensor:
    return torch.from_numpy(BOX.sample(count, np.random.default_rng(7))).to(dtype)


@pytest.mark.parametrize("name", MODULES)
class TestEveryStructure:
    """Each kind of network, compressed once."""

    def test_the_proved_bound_holds_at_random_points(self, name: str) -> None:
        made = compressed(name)
        f, h = (from_module(module, 2) for module in (made.reference, made.module))
        x = points(torch.float64)
        error = made.ledger["error"]
        assert float((f(x) - h(x)).abs().max()) <= error["compression"]
        assert error["found"] <= error["compression"]
        assert error["compression"] + error["device"] == error["value"] <= E

    def test_the_signature_stays(self, name: str) -> None:
        made = compressed(name)
        dtype = next(made.reference.parameters()).dtype
        assert {p.dtype for p in made.module.parameters()} == {dtype}
        x = points(dtype, 3)
        assert made.module(x).shape == made.reference(x).shape
        assert made.module(x).dtype == dtype

    def test_the_ledger_adds_up_and_is_json(self, name: str) -> None:
        made = compressed(name)
        ledger = json.loads(json.dumps(made.ledger, allow_nan=False))
        held = [sum(p.numel() * p.element_size() for p in m.parameters()) for m in (made.reference, made.module)]
        parts = ledger["parts"]
        assert ledger["total"] == {"bytes_before": held[0], "bytes_after": held[1]}
        assert [sum(p[f"bytes_{when}"] for p in parts) for when in ("before", "after")] == held
        assert all(p["why"] and p["form"] for p in parts)
        assert ledger["error"]["class"] == "sound"
        assert held[1] <= held[0]

    def test_it_can_be_read_again(self, name: str) -> None:
        made = compressed(name)
        assert isinstance(made.module, NetworkModule)
        x = points(torch.float64, 50)
        torch.testing.assert_close(from_module(made.module, 2)(x), made.module.network()(x))


def test_plain_networks_get_smaller_and_losers_are_in_the_ledger() -> None:
    ledger = compressed("tanh").ledger
    assert ledger["total"]["bytes_after"] < 0.3 * ledger["total"]["bytes_before"]
    assert any("larger than merge" in t["outcome"] for t in ledger["tried"])
    assert any(t["outcome"] == "proved" and t.get("fitted_again") for t in ledger["tried"])


def test_one_form_alone_can_be_asked_for() -> None:
    made = edgepde.compress(plain(width=20), domain=BOX, max_error=E, method="low-rank", seconds=5.0)
    assert {t["form"] for t in made.ledger["tried"]} == {"low-rank"}
    assert any("low rank" in p["form"] for p in made.ledger["parts"])


def test_a_wide_network_is_cut_to_a_fraction() -> None:
    made = edgepde.compress(plain(width=150), domain=BOX, max_error=1e-2, seconds=20.0)
    assert made.ledger["total"]["bytes_after"] < 0.01 * made.ledger["total"]["bytes_before"]


def test_a_part_of_the_box_is_held_to_its_own_limit() -> None:
    made = edgepde.compress(plain(), domain=BOX, max_error="y=1e-2,y[x=0:0.2]=2e-4", seconds=8.0)
    region = made.ledger["error"]["regions"][0]
    assert region["value"] <= 2e-4
    x = points(torch.float64)
    x = x[(x[:, 0] >= 0.0) & (x[:, 0] <= 0.2)]
    h, f = read_module(made.module, BOX).network, read_module(made.reference, BOX).network
    assert float((h(x) - f(x)).abs().max()) <= region["compression"]


def test_what_was_proved_before_is_where_a_search_goes_on() -> None:
    kept: list[Known] = []
    edgepde.compress(plain(), domain=BOX, max_error=E, seconds=5.0, keep=kept.append)
    made = edgepde.compress(plain(), domain=BOX, max_error=E, seconds=1.0, known=kept[-1])
    numbers = sum(p.numel() for p in NetworkModule(kept[-1].network).parameters())
    assert made.ledger["total"]["bytes_after"] <= 4 * numbers


def test_a_known_form_that_does_not_hold_is_not_taken() -> None:
    f = plain()
    wrong = read_module(plain(seed=1), BOX).network
    options = tuple([0, 0])
    made = edgepde.compress(f, domain=BOX, max_error=E, seconds=4.0, known=Known("merge", options, wrong, True))
    x = points(torch.float32)
    assert float((made.module(x) - f(x)).detach().abs().max()) <= E


class TestRefusals:
    """Each way to be wrong says what and where."""

    def test_no_box(self) -> None:
        with pytest.raises(InputError, match=r"domain: expected an edgepde\.Box"):
            edgepde.compress(plain(), domain="-1:1,0:1", max_error=E)  # type: ignore[arg-type]

    def test_a_box_of_other_columns(self) -> None:
        with pytest.raises(InputError, match="the box has 1 columns"):
            edgepde.compress(plain(), domain=Box([0.0], [1.0]), max_error=E)
        again = read_module(plain(), BOX).rebuilt()
        with pytest.raises(InputError, match="the module takes 2"):
            edgepde.compress(again, domain=Box([0.0], [1.0]), max_error=E)

    @pytest.mark.parametrize("poison", [float("nan"), float("inf")])
    def test_weights_that_are_no_numbers(self, poison: float) -> None:
        module = plain()
        module[2].weight.data[0, 0] = poison
        with pytest.raises(UnsupportedModel, match=r"parameter 2\.weight: expected finite numbers, got 1"):
            edgepde.compress(module, domain=BOX, max_error=E)

    def test_an_operation_without_a_rule_is_named(self) -> None:
        module = nn.Sequential(nn.Linear(2, 8), Fourier(), nn.Linear(8, 1))
        with pytest.raises(UnsupportedModel, match="fft"):
            edgepde.compress(module, domain=BOX, max_error=E)

    def test_half_precision(self) -> None:
        with pytest.raises(UnsupportedModel, match="expected float32 or float64, got float16"):
            edgepde.compress(plain().half(), domain=BOX, max_error=E)

    @pytest.mark.parametrize("error", [0.0, -1.0, "much", "v=1e-3", {}])
    def test_an_error_that_is_none(self, error: object) -> None:
        with pytest.raises(BudgetError, match="--max-error"):
            edgepde.compress(plain(), domain=BOX, max_error=error)  # type: ignore[arg-type]

    def test_an_unknown_method_or_class(self) -> None:
        with pytest.raises(BudgetError, match=r"auto, hmatrix, low-rank, merge, got 'prune'"):
            edgepde.compress(plain(), domain=BOX, max_error=E, method="prune")
        with pytest.raises(BudgetError, match="min_class"):
            edgepde.compress(plain(), domain=BOX, max_error=E, min_class="proved")

    def test_an_error_below_the_device_s_rounding_tells_the_best_bound(self) -> None:
        with pytest.raises(NotVerified, match=r"best bound so far is .* the device's arithmetic"):
            edgepde.compress(plain(), domain=BOX, max_error=1e-12, seconds=3.0)


class TestRefit:
    """Fitting again."""

    def test_it_undoes_a_disturbance_and_never_worsens(self) -> None:
        f = read_module(plain(width=6).double(), BOX).network
        module = read_module(plain(width=6).double(), BOX).rebuilt()
        with torch.no_grad():
            for p in module.parameters():
                p.add_(1e-2 * torch.randn(p.shape, generator=torch.Generator().manual_seed(0), dtype=p.dtype))
        x = points(torch.float64, 600)
        target = Target(x, f(x), torch.full((600,), 1e-3, dtype=torch.float64), 400)
        before = target.worst(module.network())
        made, worst = refit(module.network(), target, 1e-2, 20.0)
        assert worst == target.worst(made) <= 1e-2 * before
        assert refit(module.network(), target, 0.0, 0.0)[1] == before


def test_the_package_is_the_function_and_stays_light() -> None:
    code = (
        "import sys, edgepde\n"
        "assert 'torch' not in sys.modules\n"
        "from edgepde import compress\n"
        "import edgepde.compress.ledger\n"
        "assert 'torch' not in sys.modules\n"
        "assert callable(edgepde.compress) and edgepde.compress is compress is sys.modules['edgepde.compress']\n"
        "from edgepde.compress import compress as function, compress_run, Compressed\n"
        "from edgepde.compress.budget import path\n"
        "assert callable(function) and callable(edgepde.compress)\n"
        "try:\n    edgepde.compres\nexcept AttributeError as e:\n    print(e)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "compres" in done.stdout


def test_a_step_of_the_fit_that_is_not_finite_is_refused() -> None:
    """Singular equations of a relu network once made weights that are no numbers."""
    from edgepde.compress.refit import _Refit

    target = SimpleNamespace(
        x=torch.zeros(4, 2, dtype=torch.float64),
        y=torch.zeros(4, 1, dtype=torch.float64),
        fitted=4,
        limit=torch.ones(4, dtype=torch.float64),
    )
    fit = _Refit(from_module(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)), 2), target)  # type: ignore[arg-type]
    theta = fit._packed(fit.network)
    theta[0, 0] = torch.nan
    assert torch.isinf(fit._residual(theta)).all()

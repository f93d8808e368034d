"""Modules that return a tuple: one bundle, an entry of the certificate for every output."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import edgepde_runtime
import numpy as np
import pytest
import torch
from edgepde_export.errors import BoundExceeded
from edgepde_export.exporting import export
from edgepde_export.lowering.module import lower
from edgepde_export.lowering.options import Naming, Options
from edgepde_runtime import bundle as reader
from edgepde_runtime.__main__ import main
from edgepde_runtime.box import Box
from edgepde_runtime.errors import BudgetError, NotVerified, UnsupportedModel
from torch import Tensor, nn

from edgepde.errors import DataError


def quiet(_: str) -> None:
    """A log nobody reads."""


class Pair(NamedTuple):
    """What the net returns."""

    u: Tensor
    flux: Tensor


class Two(nn.Module):
    """A value per row and three more."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.one, self.three = nn.Linear(2, 6), nn.Linear(6, 1), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.first(x))
        return Pair(self.one(h)[:, 0], 40.0 * self.three(h))


class Plain(Two):
    """The same without names."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return tuple(super().forward(x))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several") / "b"
    box = Box([-1.0, 0.0], [1.0, 0.3], ["x", "t"], ["m", "s"])
    units = Naming(units={"u": "K", "flux": "W/m^2"})
    limits = "u=1e-5,flux=1e-3"
    return export(Two(), folder, domain=box, naming=units, max_error=limits, targets=("onnx", "c99"), log=quiet)


def test_every_output_has_its_own_entry(made: Path) -> None:
    bundle = reader.read(made)
    assert [(o.name, o.shape, o.unit) for o in bundle.manifest.outputs] == [
        ("u", ("M",), "K"),
        ("flux", ("M", 3), "W/m^2"),
    ]
    u, flux = (bundle.certificate.outputs[name] for name in ("u", "flux"))
    assert u.device_class == flux.device_class == "sound"
    assert u.device_total is not None
    assert flux.device_total is not None
    assert flux.device_total > 5.0 * u.device_total
    assert set(u.elsewhere) == set(flux.elsewhere)


def test_every_backend_stays_within_every_entry(made: Path) -> None:
    net = Two().double()
    bundle = reader.read(made)
    x = Box([-1.0, 0.0], [1.0, 0.3]).sample(300, np.random.default_rng(5)).astype(np.float32)
    with torch.no_grad():
        exact = net(torch.from_numpy(x.astype(np.float64)))
    for backend in bundle.certificate.backends:
        model = edgepde_runtime.load(made, backend=backend)
        y = model(x)
        for name in ("u", "flux"):
            bound = model.certificate.outputs[name].device_total
            assert bound is not None
            assert np.abs(getattr(y, name) - getattr(exact, name).numpy()).max() <= bound


def test_verify_judges_every_output(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(made), "--max-error", "u=1e-9,flux=1", "--backend", "reference"]) == 1
    told = capsys.readouterr().out
    assert "golden u" in told
    assert "golden flux" in told
    assert "error flux" in told


def test_a_limit_is_of_one_output(tmp_path: Path, box: Box) -> None:
    with pytest.raises((BoundExceeded, NotVerified), match="output flux"):
        export(Two(), tmp_path / "b", domain=box, max_error="u=1e-3,flux=1e-9", prove_seconds=1.0, log=quiet)
    with pytest.raises(BudgetError, match="expected flux, u"):
        export(Two(), tmp_path / "b", domain=box, max_error="v=1e-3", log=quiet)


def test_a_tuple_without_names_is_numbered(box: Box) -> None:
    content = lower(Plain(), box, Options(log=quiet, seconds=1.0))
    assert [o.name for o in content.outputs] == ["y0", "y1"]


def test_data_are_given_by_output(tmp_path: Path, box: Box) -> None:
    x = box.sample(200, np.random.default_rng(1))
    with torch.no_grad():
        y = Two().double()(torch.from_numpy(x))
    np.savez(tmp_path / "d.npz", x=x, flux=y[1].numpy() + 0.5)
    content = lower(Two(), box, Options(data=tmp_path / "d.npz", log=quiet, seconds=1.0))
    entries = content.certificate.outputs
    assert entries["u"].terms["model"].value is None
    assert entries["flux"].terms["model"].value == pytest.approx(1.25 * 0.5, rel=1e-3)
    np.savez(tmp_path / "d.npz", x=x, pressure=y[0].numpy())
    with pytest.raises(DataError, match="among u, flux, got pressure, x"):
        lower(Two(), box, Options(data=tmp_path / "d.npz", log=quiet))


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (lambda x: (x, 5), "output 1: expected one tensor as output, got int"),
        (lambda x: (x, x.sum()), r"output 1: expected y \[M, k\]"),
        (lambda x: (), "expected one tensor as output or a tuple"),
    ],
)
def test_an_output_that_is_none_is_named(result: object, said: str, box: Box) -> None:
    class Odd(nn.Module):
        def forward(self, x: Tensor) -> object:
            return result(x)  # type: ignore[operator]

    with pytest.raises(UnsupportedModel, match=said):
        lower(Odd(), box, Options(log=quiet))


def test_an_output_may_not_be_called_like_the_input(box: Box) -> None:
    with pytest.raises(UnsupportedModel, match="output u: the input has that name"):
        lower(Two(), box, Options(log=quiet, naming=Naming(input="u")))

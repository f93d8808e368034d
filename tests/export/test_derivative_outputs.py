"""Bundles with derivative and residual outputs: points and grids, every backend, a threshold that tells."""

from __future__ import annotations

import json
from pathlib import Path

import edgepde_runtime
import numpy as np
import pytest
import torch
from edgepde_export.cli.main import app
from edgepde_export.exporting import export
from edgepde_export.lowering.module import lower
from edgepde_export.lowering.options import Options
from edgepde_runtime import bundle as reader
from edgepde_runtime.__main__ import main
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError, UnsupportedModel
from edgepde_runtime.inputs import ABOVE_THRESHOLD
from torch import Tensor, nn
from typer.testing import CliRunner

from edgepde.mollifier.grid import Grid
from edgepde.mollifier.outputs.appended import plan
from edgepde.mollifier.outputs.request import Request
from edgepde.problems.equation import Equation
from edgepde.problems.problem import Term

DECAY = Box([0.0, 0.0, 0.5], [1.0, 1.0, 1.0], ["x", "t", "k"], ["m", "s", "m^2/s"])
HEAT = Equation(
    "heat",
    Box([0.0, 0.0], [1.0, 1.0], ["x", "t"]),
    Box([0.5], [1.0], ["k"]),
    (Term(lambda c, p: 1.0, ("u_t",)), Term(lambda c, p: -p["k"], ("u_xx",))),
    "K/s",
)
PLATE = Box([0.5, 1.0], [1.0, 2.0], ["a", "k"], ["K", "W/(m K)"])
SIZES = (9, 10)
OFF = 0.01
TILT = 0.02
POISSON = Equation(
    "poisson",
    Box([0.0, 0.0], [1.0, 1.0], ["x", "y"]),
    Box([0.5, 1.0], [1.0, 2.0], ["a", "k"]),
    (
        Term(lambda c, p: p["k"], ("u_xx",)),
        Term(lambda c, p: p["k"], ("u_yy",)),
        Term(lambda c, p: 2.0 * p["k"] * p["a"] * torch.sin(c["x"]) * torch.cos(c["y"])),
    ),
    "W/m^3",
)


def quiet(_: str) -> None:
    """A log nobody reads."""


class Decay(nn.Module):
    """exp(-k t) sin((1 + off) x), which nearly obeys u_t = k u_xx."""

    def __init__(self, off: float = OFF) -> None:
        super().__init__()
        self.wave = nn.Parameter(torch.tensor([[1.0 + off], [0.0], [0.0]]))

    def forward(self, x: Tensor) -> Tensor:
        return torch.exp(-x[:, 2] * x[:, 1]) * torch.sin((x @ self.wave)[:, 0])


class Plate(nn.Module):
    """a (sin(x) cos(y) + TILT x^2) on a grid, which obeys but for its second summand."""

    def __init__(self) -> None:
        super().__init__()
        y, x = np.meshgrid(*(np.linspace(0.0, 1.0, n) for n in SIZES), indexing="ij")
        field = np.sin(x) * np.cos(y) + TILT * x**2
        self.modes = nn.Parameter(torch.from_numpy(np.stack([field, 0.0 * x])).float().reshape(2, -1))

    def forward(self, p: Tensor) -> Tensor:
        return (p @ self.modes).reshape(-1, *SIZES)


@pytest.fixture(scope="module")
def at_points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("points") / "b"
    options = {"derivatives": "u_xx", "residual": HEAT, "prove_seconds": 1.0, "false_alarm": 0.5}
    return export(Decay(), folder, domain=DECAY, targets=("onnx", "c99"), log=quiet, **options)


@pytest.fixture(scope="module")
def on_grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grid") / "b"
    grid = f"y=0:1*{SIZES[0]}[m],x=0:1*{SIZES[1]}[m]"
    options = {"derivatives": ["laplacian"], "residual": POISSON, "grid": grid, "prove_seconds": 1.0}
    return export(Plate(), folder, domain=PLATE, targets=("onnx", "c99"), log=quiet, false_alarm=0.05, **options)


def test_outputs_have_names_units_and_entries(at_points: Path, on_grid: Path) -> None:
    bundle = reader.read(at_points)
    assert [(o.name, o.unit, o.diagnostic) for o in bundle.manifest.outputs] == [
        ("u", "", False),
        ("u_xx", "1/m^2", False),
        ("residual", "K/s", True),
    ]
    entries = bundle.certificate.outputs
    assert list(entries) == ["u", "u_xx"]
    assert all(entries[name].sound_total is not None for name in entries)
    how = entries["u_xx"].terms["model"].how
    assert "the reference is the derivative of the reference network itself" in how
    kernels = reader.read(on_grid).certificate.outputs["laplacian"].terms["model"].how
    assert "the reference network followed by kernels on the grid" in kernels
    assert "their own error counts here" in kernels
    assert entries["u_xx"].terms["model"].value is None


def test_derivatives_at_points_are_right_on_every_backend(at_points: Path) -> None:
    x = DECAY.sample(200, np.random.default_rng(3)).astype(np.float32)
    wide = x.astype(np.float64)
    decay = np.exp(-wide[:, 2] * wide[:, 1])
    wave = float(np.float32(1.0 + OFF))
    exact = -decay * wave**2 * np.sin(wave * wide[:, 0])
    for backend in reader.read(at_points).certificate.backends:
        model = edgepde_runtime.load(at_points, backend=backend, out_of_box="flag")
        made = model(x)
        bound = model.certificate.outputs["u_xx"].device_total
        assert bound is not None
        assert np.abs(made.u_xx - exact).max() <= bound < 1e-5


def test_derivatives_on_a_grid_are_right_on_every_backend(on_grid: Path) -> None:
    p = PLATE.sample(5, np.random.default_rng(3)).astype(np.float32)
    y, x = np.meshgrid(*(np.linspace(0.0, 1.0, n) for n in SIZES), indexing="ij")
    bundle = reader.read(on_grid)
    assert [(o.name, o.shape, o.unit) for o in bundle.manifest.outputs][1:] == [
        ("laplacian", ("M", *SIZES), "1/m^2"),
        ("residual", ("M",), "W/m^3"),
    ]
    assert {"c99", "ort", "reference"} <= set(bundle.certificate.backends)
    for backend in bundle.certificate.backends:
        made = edgepde_runtime.load(on_grid, backend=backend, out_of_box="flag")(p)
        a = p[:, 0, None, None].astype(np.float64)
        apart = np.abs(made.laplacian - a * (2.0 * TILT - 2.0 * np.sin(x) * np.cos(y)))
        assert apart.max() < 0.02
        assert apart[:, 3:-3, 3:-3].max() < 2e-3
        k = p[:, 1].astype(np.float64)
        assert np.abs(made.residual - 2.0 * TILT * p[:, 0] * k).max() < 0.1 * (2.0 * TILT * p[:, 0] * k).max()


@pytest.mark.parametrize("which", ["at_points", "on_grid"])
def test_every_verb_takes_such_a_bundle(
    which: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made: Path = request.getfixturevalue(which)
    assert main(["verify", str(made), "--backend", "ort"]) == 4  # the model's own error is not known
    told = capsys.readouterr().out
    assert "golden residual" in told
    assert "fail" not in told
    assert main(["inspect", str(made)]) == 0
    assert "residual, threshold" in capsys.readouterr().out
    box = DECAY if which == "at_points" else PLATE
    np.savez(tmp_path / "in.npz", x=box.sample(3, np.random.default_rng(0)))
    assert main(["run", str(made), "--input", str(tmp_path / "in.npz"), "--output", str(tmp_path / "out.npz")]) == 0
    with np.load(tmp_path / "out.npz") as out:
        assert {"u", "residual"} <= set(out.files)
    assert "residual" in (made / "card.md").read_text()


def test_the_threshold_is_calibrated_and_says_so(at_points: Path, on_grid: Path) -> None:
    assert json.loads((at_points / "monitor.json").read_text())["level"] == 0.5
    monitor = json.loads((on_grid / "monitor.json").read_text())
    assert (monitor["output"], monitor["level"], monitor["count"]) == ("residual", 0.05, 999)
    p = PLATE.sample(2000, np.random.default_rng(77)).astype(np.float32)
    spec = reader.read(on_grid).manifest.outputs[-1]
    assert spec.threshold is not None
    share = (
        edgepde_runtime.load(on_grid, backend="ort", out_of_box="flag").call(x=p).outputs["residual"] > spec.threshold
    ).mean()
    assert 0.02 < share < 0.09


@pytest.mark.parametrize("which", ["at_points", "on_grid"])
def test_rows_above_the_threshold_have_flag_4_on_every_backend(which: str, request: pytest.FixtureRequest) -> None:
    made: Path = request.getfixturevalue(which)
    bundle = reader.read(made)
    threshold = bundle.manifest.outputs[-1].threshold
    assert threshold is not None
    box = DECAY if which == "at_points" else PLATE
    x = box.sample(60, np.random.default_rng(5)).astype(np.float32)
    seen = {}
    for backend in bundle.certificate.backends:
        model = edgepde_runtime.load(made, backend=backend, out_of_box="flag")
        residual = model.call(x=x).outputs["residual"]
        clear = np.abs(residual / threshold - 1.0) > 1e-3
        seen[backend] = np.array([model.call(x=row[None]).flags for row in x[clear]])
        assert np.array_equal(seen[backend], np.where(residual[clear] > threshold, ABOVE_THRESHOLD, 0))
        assert model.call(x=x).flags == ABOVE_THRESHOLD
    (first, *others) = seen.values()
    assert set(first) == {0, ABOVE_THRESHOLD}
    assert all(np.array_equal(first, other) for other in others)


def test_a_wrong_network_is_above_the_threshold_of_the_right_one(at_points: Path) -> None:
    threshold = reader.read(at_points).manifest.outputs[-1].threshold
    assert threshold is not None
    made = plan(Decay(), DECAY, Request(("u_xx",), HEAT), ("u", ""), quiet)
    x = torch.from_numpy(DECAY.sample(200, np.random.default_rng(1))).float()
    right, wrong = (made.of(Decay(w))(x)[-1].detach().numpy() for w in (OFF, 0.5))
    assert 0.3 < (right > threshold).mean() < 0.7
    assert (wrong > threshold).mean() > 0.9


@pytest.mark.parametrize("off", [OFF, -OFF])
def test_a_residual_at_points_is_its_size(off: float) -> None:
    x = torch.from_numpy(DECAY.sample(50, np.random.default_rng(2)))
    network = Decay(off).double()
    u, found = plan(network, DECAY, Request((), HEAT), ("u", ""), quiet).of(network)(x)
    meant = (x[:, 2] * u * (float(np.float32(1.0 + off)) ** 2 - 1.0)).abs()
    assert (found - meant).abs().max() < 1e-12
    assert found.max() > 1e-3


class Numbers(nn.Module):
    """A network with numbers in its code that float32 does not have."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner = nn.Linear(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return ((torch.tanh(self.inner(x)) * (1 / 3) + 0.1).sum(1) / 0.7 - 0.3).add(1.1 - x[:, 0] * 0.9, alpha=1.3)


def test_numbers_of_float64_networks_and_of_their_derivatives_stay_float64(tmp_path: Path) -> None:
    box = Box([0.0, 0.0], [1.0, 1.0], ["x", "t"])
    network = Numbers().double()
    made = export(network, tmp_path / "b", domain=box, derivatives="u_xxx", prove_seconds=0.2, log=quiet)
    x = box.sample(50, np.random.default_rng(0))
    found = edgepde_runtime.load(made, backend="reference")(x)
    wide = plan(network, box, Request(("u_xxx",)), ("u", ""), quiet).of(network)
    for got, meant in zip((found.u, found.u_xxx), wide(torch.from_numpy(x)), strict=True):
        assert np.abs(got - meant.detach().numpy()).max() <= 1e-14


class Constant(nn.Module):
    """Does not look at its input."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.value.expand(x.shape[0])


class Detached(Decay):
    """Cut off from what autograd would see, and alive all the same."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.detach())


@pytest.mark.parametrize(("module", "name"), [(Constant(), "u"), (nn.Linear(3, 1), "u_xx")], ids=lambda v: str(v)[:8])
def test_an_output_that_does_not_follow_the_input_is_named(module: nn.Module, name: str) -> None:
    with pytest.raises(UnsupportedModel, match=f"output {name}: does not follow the input"):
        lower(module, DECAY, Options(append=Request(("u_xx",) if name == "u_xx" else ("u_x",)), log=quiet))


def test_derivatives_of_a_detached_module_are_alive() -> None:
    made = plan(Detached(), DECAY, Request(("u_x",)), ("u", ""), quiet)
    x = torch.from_numpy(DECAY.sample(20, np.random.default_rng(0))).float()
    slope = made.of(Detached(0.0))(x)[1]
    assert (slope - torch.exp(-x[:, 2] * x[:, 1]) * torch.cos(x[:, 0])).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("asked", "box", "words"),
    [
        (lambda: Request(("u_q",)), DECAY, "expected axes of x, t, k, got q"),
        (
            lambda: Request((), HEAT),
            Box([0, 0], [1, 1], ["x", "t"]),
            "parameter k: the model has no such input; it has x, t",
        ),
        (lambda: Request((), HEAT), Box([0, 0], [1, 1], ["x", "k"]), "coordinate t: the model has no such coordinate"),
        (
            lambda: Request(("u_x",)),
            Box([0, 0], [1, 1], ["width", "height"]),
            "columns of one letter to differentiate by",
        ),
        (lambda: Request(("laplacian",)), Box([0], [1], ["t"]), "laplacian: expected coordinates among x, y, z, got t"),
        (lambda: Request(("u_x",), grid=Grid.of(x=[0, 1, 2])), DECAY, r"rows of shape \[1\], the grid is x 3"),
    ],
)
def test_what_the_model_does_not_have_is_named(asked: object, box: Box, words: str) -> None:
    with pytest.raises(InputError, match=words):
        lower(nn.Linear(box.dimension, 1), box, Options(append=asked(), log=quiet))  # type: ignore[operator]


def test_fields_without_a_grid_and_residuals_of_many_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="give the axes of its grid with --grid"):
        lower(Plate(), PLATE, Options(append=Request(("u_a",)), log=quiet))
    with pytest.raises(InputError, match="a residual at points wants one number per row"):
        lower(nn.Linear(3, 2), DECAY, Options(append=Request((), HEAT), log=quiet))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--grid", "x=0:1*8"], "neither was given"),
        (["--derivatives", "u_x", "--grid", "x=0:1"], "--grid: expected axes as in"),
        (["--derivatives", "u_x", "--grid", "x=1:0*8"], "axis x: expected low < high"),
        (["--derivatives", "u_x", "--derivative-form", "magic"], "expected auto, exact, stencil"),
        (["--derivatives", "u_x,u_x"], "asked for twice"),
        (["--derivatives", "u"], "u is no derivative"),
        (["--residual", "burger"], "did you mean burgers"),
        (["--derivatives", "u_x", "--false-alarm", "0.1"], "--residual, which was not given"),
        (["--residual", "burgers", "--false-alarm", "0.0001"], "expected 0.001 or more"),
    ],
)
def test_the_command_says_what_is_wrong(more: list[str], words: str, source: Path, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "b"), "--domain", "x=-1:1,t=0:1"]
    done = CliRunner().invoke(app, ["export", f"{source}:net", *out, *more])
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())

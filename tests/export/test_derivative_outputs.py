"""Bundles with derivative and residual outputs: points and grids, every backend, a threshold that tells."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import edgepde_runtime
import numpy as np
import pytest
import torch
from edgepde_export.bundle import write
from edgepde_export.cli.main import app
from edgepde_export.exporting import export
from edgepde_export.lowering.module import lower
from edgepde_export.lowering.options import Options
from edgepde_export.native import Native
from edgepde_runtime import bundle as reader
from edgepde_runtime.__main__ import main
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError, UnsupportedModel
from edgepde_runtime.inputs import ABOVE_THRESHOLD
from torch import Tensor, nn
from typer.testing import CliRunner

from edgepde.mollifier.grid import Grid
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
SIZES = (12, 14)
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
    """exp(-k t) sin(x), which obeys u_t = k u_xx; `wrong` changes a weight."""

    def __init__(self, wrong: float = 0.0) -> None:
        super().__init__()
        self.wave = nn.Parameter(torch.tensor([[1.0 + wrong], [0.0], [0.0]]))

    def forward(self, x: Tensor) -> Tensor:
        return torch.exp(-x[:, 2] * x[:, 1]) * torch.sin((x @ self.wave)[:, 0])


class Plate(nn.Module):
    """a sin(x) cos(y) on a grid; `tilt` adds what does not obey."""

    def __init__(self, tilt: float = 0.0) -> None:
        super().__init__()
        y, x = np.meshgrid(*(np.linspace(0.0, 1.0, n) for n in SIZES), indexing="ij")
        field = np.sin(x) * np.cos(y) + tilt * x**2
        self.modes = nn.Parameter(torch.from_numpy(np.stack([field, 0.1 * x * y])).float().reshape(2, -1))

    def forward(self, p: Tensor) -> Tensor:
        weights = torch.cat([p[:, :1], torch.zeros_like(p[:, :1]) * p[:, 1:]], dim=1)
        return (weights @ self.modes).reshape(-1, *SIZES)


@pytest.fixture(scope="module")
def at_points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("points") / "b"
    options = {"derivatives": "u_x,u_xx", "residual": HEAT, "prove_seconds": 2.0, "with_reference": True}
    return export(Decay(), folder, domain=DECAY, targets=("onnx", "c99"), log=quiet, **options)


@pytest.fixture(scope="module")
def on_grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grid") / "b"
    grid = f"y=0:1*{SIZES[0]}[m],x=0:1*{SIZES[1]}[m]"
    options = {"derivatives": ["u_x", "laplacian"], "residual": POISSON, "grid": grid, "prove_seconds": 2.0}
    return export(Plate(), folder, domain=PLATE, log=quiet, false_alarm=0.05, **options)


def test_outputs_have_names_units_and_entries(at_points: Path) -> None:
    bundle = reader.read(at_points)
    assert [(o.name, o.unit, o.diagnostic) for o in bundle.manifest.outputs] == [
        ("u", "", False),
        ("u_x", "1/m", False),
        ("u_xx", "1/m^2", False),
        ("residual", "K/s", True),
    ]
    entries = bundle.certificate.outputs
    assert list(entries) == ["u", "u_x", "u_xx"]
    assert all(entries[name].sound_total is not None for name in entries)
    how = entries["u_xx"].terms["model"].how
    assert "the reference is the reference network followed by: exact" in how
    assert "the operator's own error counts here" in how
    assert entries["u_xx"].terms["model"].value is None


def test_derivatives_at_points_are_right_on_every_backend(at_points: Path) -> None:
    x = DECAY.sample(200, np.random.default_rng(3)).astype(np.float32)
    wide = x.astype(np.float64)
    decay = np.exp(-wide[:, 2] * wide[:, 1])
    exact = {"u_x": decay * np.cos(wide[:, 0]), "u_xx": -decay * np.sin(wide[:, 0])}
    for backend in reader.read(at_points).certificate.backends:
        model = edgepde_runtime.load(at_points, backend=backend)
        made = model(x)
        for name, values in exact.items():
            bound = model.certificate.outputs[name].device_total
            assert bound is not None
            assert np.abs(getattr(made, name) - values).max() <= bound < 1e-5


def test_derivatives_on_a_grid_are_right_on_every_backend(on_grid: Path) -> None:
    p = PLATE.sample(5, np.random.default_rng(3)).astype(np.float32)
    y, x = np.meshgrid(*(np.linspace(0.0, 1.0, n) for n in SIZES), indexing="ij")
    bundle = reader.read(on_grid)
    assert [(o.name, o.shape, o.unit) for o in bundle.manifest.outputs][1:3] == [
        ("u_x", ("M", *SIZES), "1/m"),
        ("laplacian", ("M", *SIZES), "1/m^2"),
    ]
    assert bundle.manifest.outputs[3].shape == ("M",)
    for backend in ("ort", "reference"):
        made = edgepde_runtime.load(on_grid, backend=backend)(p)
        a = p[:, 0, None, None].astype(np.float64)
        assert np.abs(made.u_x - a * np.cos(x) * np.cos(y)).max() < 1e-3
        assert np.abs(made.laplacian + 2.0 * a * np.sin(x) * np.cos(y)).max() < 0.2
        assert np.abs(made.laplacian + 2.0 * a * np.sin(x) * np.cos(y))[:, 3:-3, 3:-3].max() < 0.02


@pytest.mark.parametrize("which", ["at_points", "on_grid"])
def test_every_verb_takes_such_a_bundle(
    which: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made: Path = request.getfixturevalue(which)
    more = ["--attack", "0.2"] if which == "at_points" else []
    assert main(["verify", str(made), "--backend", "ort", *more]) == 4  # the model's own error is not known
    told = capsys.readouterr().out
    assert "golden residual" in told
    assert "fail" not in told
    assert main(["inspect", str(made)]) == 0
    assert "residual, threshold" in capsys.readouterr().out
    box = DECAY if which == "at_points" else PLATE
    np.savez(tmp_path / "in.npz", x=box.sample(3, np.random.default_rng(0)))
    assert main(["run", str(made), "--input", str(tmp_path / "in.npz"), "--output", str(tmp_path / "out.npz")]) == 0
    with np.load(tmp_path / "out.npz") as out:
        assert {"u", "u_x", "residual"} <= set(out.files)
    assert "u_x" in (made / "card.md").read_text()


def test_the_threshold_is_calibrated_and_says_so(at_points: Path, on_grid: Path) -> None:
    assert json.loads((at_points / "monitor.json").read_text())["level"] == 0.01
    monitor = json.loads((on_grid / "monitor.json").read_text())
    assert (monitor["output"], monitor["level"], monitor["count"]) == ("residual", 0.05, 999)
    p = PLATE.sample(2000, np.random.default_rng(77)).astype(np.float32)
    spec = reader.read(on_grid).manifest.outputs[3]
    assert spec.threshold is not None
    share = (
        edgepde_runtime.load(on_grid, backend="ort", out_of_box="flag").call(x=p).outputs["residual"] > spec.threshold
    ).mean()
    assert 0.02 < share < 0.09


def broken(
    made: Path, wrong: nn.Module, box: Box, asked: Request, folder: Path, native: Native | None
) -> dict[str, int]:
    """Flags by backend of a wrong network that ships with the threshold of the right one."""
    content = lower(wrong, box, Options(append=asked, log=quiet, seconds=0.5))
    right = reader.read(made).manifest.outputs
    bundle = write(folder, replace(content, name="wrong", outputs=right, monitor=None, native=native))
    x = box.sample(4, np.random.default_rng(0)).astype(np.float32)
    backends = [*reader.read(bundle).certificate.backends, *(["c99"] if native else [])]
    loaded = {name: edgepde_runtime.load(bundle, backend=name, out_of_box="flag") for name in backends}
    return {name: model.call(x=x).flags for name, model in loaded.items()}


def test_a_wrong_network_of_points_raises_flag_4_on_every_backend(at_points: Path, tmp_path: Path) -> None:
    asked = Request(("u_x", "u_xx"), HEAT)
    flags = broken(at_points, Decay(0.2), DECAY, asked, tmp_path / "w", Native(log=quiet))
    assert {"c99", "ort", "reference"} <= set(flags)
    assert set(flags.values()) == {ABOVE_THRESHOLD}
    x = DECAY.sample(4, np.random.default_rng(0)).astype(np.float32)
    assert edgepde_runtime.load(at_points, backend="c99", out_of_box="flag").call(x=x).flags == 0


def test_a_wrong_field_raises_flag_4_on_every_backend(on_grid: Path, tmp_path: Path) -> None:
    grid = Grid.of(y=np.linspace(0, 1, SIZES[0]), x=np.linspace(0, 1, SIZES[1]))
    flags = broken(on_grid, Plate(2.0), PLATE, Request(("u_x", "laplacian"), POISSON, grid), tmp_path / "w", None)
    assert set(flags.values()) == {ABOVE_THRESHOLD}


class Constant(nn.Module):
    """Does not look at its input."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.value.expand(x.shape[0])


class Forgets(nn.Module):
    """Reads t alone."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(1, 4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.first(x[:, 1:2])).sum(1)


class Detached(Decay):
    """Cut off from what autograd would see, and alive all the same."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.detach())


@pytest.mark.parametrize(
    ("module", "name"), [(Constant(), "u"), (Forgets(), "u_x"), (nn.Linear(3, 1), "u_xx")], ids=lambda v: str(v)[:8]
)
def test_an_output_that_does_not_follow_the_input_is_named(module: nn.Module, name: str) -> None:
    with pytest.raises(UnsupportedModel, match=f"output {name}: does not follow the input"):
        lower(module, DECAY, Options(append=Request(("u_xx",) if name == "u_xx" else ("u_x",)), log=quiet))


def test_derivatives_of_a_detached_module_are_alive() -> None:
    content = lower(Detached(), DECAY, Options(append=Request(("u_x",)), log=quiet, seconds=0.2))
    x, made = content.golden["input/x"].astype(np.float64), content.golden["output/u_x"]
    assert np.abs(made - np.exp(-x[:, 2] * x[:, 1]) * np.cos(x[:, 0])).max() < 1e-6


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

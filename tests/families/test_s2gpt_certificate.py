"""The certificate of an s2gpt bundle: every term against a search of our own on a tiny Burgers run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from edgepde_export.bundle import BundleContent
from edgepde_export.lowering import s2gpt
from edgepde_export.lowering.measured import load_backends
from edgepde_export.lowering.options import Options
from edgepde_export.passes.clean import serialize
from edgepde_runtime.backends import Backend
from edgepde_runtime.certificate import OutputCertificate
from numpy.typing import NDArray

from edgepde.problems.burgers import burgers
from edgepde.problems.derivatives import by_name
from edgepde.problems.problem import Problem
from edgepde.recipes.s2gpt import Config, train_problem
from edgepde.s2gpt.candidates import candidates
from edgepde.s2gpt.compress import Loaded, Small, load, small_of
from edgepde.s2gpt.errors import residual_l1, residual_sup, sample_of, tabulated_field
from edgepde.s2gpt.reduced import ReducedModel
from edgepde.train.problem_source import of_factory
from edgepde.train.run_folder import Run

Array = NDArray[np.float64]

CONFIG = Config(snapshots=4, refinements=1, width=8, iterations=40, points=200, grid=400, residual=1e-9)
LOW, HIGH = 0.2, 1.0


def quiet(_: str) -> None:
    """Says nothing."""


@dataclass(frozen=True)
class Exported:
    """A run, what export makes of it, and the backends that load it."""

    loaded: Loaded
    small: Small
    content: BundleContent
    backends: dict[str, Backend]

    @property
    def problem(self) -> Problem:
        return self.loaded.problem

    @property
    def sup(self) -> OutputCertificate:
        return self.content.certificate.outputs["u"]

    def term(self, name: str) -> float:
        value = self.sup.terms[name].value
        assert value is not None
        return value

    def device(self, name: str, parameters: Array, points: Array) -> Array:
        fed = {"parameters": np.ascontiguousarray(parameters), "points": points.astype(np.float32)}
        return self.backends[name].run(fed)["u"].astype(np.float64)

    def exact(self, parameters: Array, points: Array) -> Array:
        assert self.problem.reference is not None
        return self.problem.reference(parameters, points.astype(np.float32).astype(np.float64))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    path = tmp_path_factory.mktemp("burgers") / "run"
    source = of_factory("burgers", "burgers", {"low": LOW, "high": HIGH})
    with Run.start(path, {"recipe": "small", "seed": 3}) as run:
        train_problem(burgers(LOW, HIGH), CONFIG, run, torch.device("cpu"), source)
    content = s2gpt.lower(path, None, None, Options(log=quiet))
    loaded = load(path)
    return Exported(loaded, small_of(loaded), content, load_backends(serialize(content.model), quiet))


def viscosities(n: int = 9) -> Array:
    """Both ends, values just inside them, and some between, none on the sample's grid."""
    between = np.random.default_rng(11).uniform(LOW, HIGH, n)
    return np.concatenate([[LOW, LOW * (1 + 1e-9), HIGH * (1 - 1e-9), HIGH], between])[:, None]


def places(n: int, seed: int = 12) -> Array:
    """Fresh points of the whole domain; a fifth each near x = 0, t = 0, t = 1 and x = +-1."""
    rng = np.random.default_rng(seed)
    x, t = rng.uniform(-1.0, 1.0, n), rng.uniform(0.0, 1.0, n)
    near = 10.0 ** rng.uniform(-9.0, -1.0, n)
    part = rng.integers(0, 5, n)
    x = np.where(part == 0, near * np.sign(x), np.where(part == 1, np.sign(x) * (1.0 - near), x))
    t = np.where(part == 2, near, np.where(part == 3, 1.0 - near, t))
    return np.stack([x, t], axis=1).astype(np.float32).astype(np.float64)


def densely(error: Callable[[Array, Array], Array], points: int = 1500, rows: int = 9) -> float:
    """max |error| on fresh parameters and points, then on a fine patch around the worst."""
    parameters, where = viscosities(rows), places(points)
    values = np.abs(error(parameters, where))
    b, m = np.unravel_index(int(values.argmax()), values.shape)
    rng = np.random.default_rng(13)
    patch = np.clip(where[m] + rng.normal(0.0, 0.02, (points, 2)), [-1.0, 0.0], [1.0, 1.0])
    return max(float(values.max()), float(np.abs(error(parameters[b : b + 1], patch)).max()))


class TestTerms:
    """Every term is at least what an independent search finds, and not far above it."""

    def test_the_model_term_covers_the_reference_network_s_error(self, exported: Exported) -> None:
        def error(parameters: Array, points: Array) -> Array:
            return exported.loaded.reference.field(parameters, points) - exported.exact(parameters, points)

        found = densely(error)
        assert found <= exported.term("model") <= 2.0 * found

    def test_the_compression_term_covers_the_table_s_error(self, exported: Exported) -> None:
        small, reference = exported.small, exported.loaded.reference

        def error(parameters: Array, points: Array) -> Array:
            return tabulated_field(small.model, small.table, parameters, points) - reference.field(parameters, points)

        found = densely(error, 20_000)
        assert 1.4 * found <= exported.term("compression") <= 3.0 * found

    @pytest.mark.parametrize("name", ["ort", "reference"])
    def test_the_rounding_term_covers_each_backend(self, exported: Exported, name: str) -> None:
        parameters, points = viscosities(), places(20_000)
        exact = tabulated_field(exported.small.model, exported.small.table, parameters, points)
        found = float(np.abs(exported.device(name, parameters, points) - exact).max())
        assert 1.2 * found <= exported.term("rounding") <= 6.0 * found

    @pytest.mark.parametrize("name", ["ort", "reference"])
    def test_the_total_covers_the_device_s_error_on_fresh_points(self, exported: Exported, name: str) -> None:
        parameters, points = viscosities(), places(200_000 // 13, seed=21)
        error = np.abs(exported.device(name, parameters, points) - exported.exact(parameters, points))
        assert exported.sup.total is not None
        assert error.size > 199_000
        assert error.max() <= exported.sup.total

    def test_what_was_found_is_below_the_total_and_is_found_again(self, exported: Exported) -> None:
        found, total = exported.sup.found, exported.sup.total
        assert found is not None
        assert total is not None
        parameters = np.array([found.input["parameters"]])
        points = np.array([found.input["points"]])
        again = np.abs(exported.device("ort", parameters, points) - exported.exact(parameters, points))[0, 0]
        assert again == pytest.approx(found.value, rel=1e-6, abs=1e-9)
        assert 0.5 * total <= found.value <= total

    def test_the_terms_say_what_was_done(self, exported: Exported) -> None:
        terms = exported.sup.terms
        assert "97 parameters x 6004 points and local search" in terms["model"].how
        assert terms["model"].how.startswith("1.25 x")
        assert "local search" in terms["compression"].how
        assert "ort and reference" in terms["rounding"].how
        assert exported.content.certificate.backends == ("ort", "reference")


class TestL1:
    """The bound in L1 from the residual, on a problem with an odd axis."""

    def entry(self, exported: Exported) -> OutputCertificate:
        [entry] = [e for e in exported.content.certificate.outputs.values() if e.norm == "L1"]
        return entry

    def test_it_has_its_own_unit_and_scaled_terms(self, exported: Exported) -> None:
        entry = self.entry(exported)
        assert entry.unit == "m/s*m*s"
        for name in ("compression", "rounding"):
            assert entry.terms[name].value == pytest.approx(2.0 * exported.term(name))

    def test_its_model_term_covers_the_true_l1_error(self, exported: Exported) -> None:
        term = self.entry(exported).terms["model"].value
        x, t = (np.arange(80) + 0.5) / 40.0 - 1.0, (np.arange(40) + 0.5) / 40.0
        points = np.stack([m.ravel() for m in np.meshgrid(x, t, indexing="ij")], axis=1)
        parameters = viscosities(5)
        assert exported.problem.reference is not None
        error = exported.loaded.reference.field(parameters, points) - exported.problem.reference(parameters, points)
        true = 2.0 * np.abs(error).mean(axis=1).max()
        assert term is not None
        assert true <= term

    def test_the_integral_is_over_both_sides_of_the_odd_axis(self, exported: Exported) -> None:
        """Against a plain midpoint rule on the whole domain."""
        from edgepde.s2gpt.reduced import Rows, fold, residual_at, tabulate

        model, problem = exported.loaded.reference, exported.problem
        sample = dataclasses.replace(sample_of(problem, exported.loaded.axes), parameters=viscosities(3))
        stated = residual_l1(model, exported.loaded.axes, sample)
        x, t = (np.arange(120) + 0.5) / 60.0 - 1.0, (np.arange(60) + 0.5) / 60.0
        points, _ = fold(problem, np.stack([m.ravel() for m in np.meshgrid(x, t, indexing="ij")], axis=1))
        basis = tabulate(problem, model.layers, model.theta, model.transform, points, problem.factors)
        coefficients, _ = model.solve(sample.parameters)
        residual = residual_at(problem, Rows(points, np.ones(len(points)), basis), sample.parameters, coefficients)
        assert problem.l1_stability is not None
        weight = problem.l1_stability(by_name(problem.coordinates.names, torch.from_numpy(points))).numpy()
        whole = 2.0 * (np.abs(residual) * weight).mean(axis=1).max()
        assert stated == pytest.approx(whole, rel=0.03)


class TestSample:
    """Where errors are looked for."""

    def test_an_odd_axis_is_sampled_on_both_sides(self, exported: Exported) -> None:
        x = sample_of(exported.problem, exported.loaded.axes).points[:, 0]
        assert 0.4 < (x < 0.0).mean() < 0.6
        assert (x.min(), x.max()) == (-1.0, 1.0)

    def test_both_ends_of_the_parameters_and_the_corners_are_in(self, exported: Exported) -> None:
        sample = sample_of(exported.problem, exported.loaded.axes)
        assert (sample.parameters.min(), sample.parameters.max()) == (LOW, HIGH)
        corners = {(-1.0, 0.0), (-1.0, 1.0), (1.0, 0.0), (1.0, 1.0)}
        assert corners <= {(float(a), float(b)) for a, b in sample.points}


class TestResidual:
    """The residual output and its threshold."""

    def residual(self, exported: Exported, parameters: Array) -> Array:
        fed = {"parameters": parameters, "points": np.zeros((1, 2), dtype=np.float32)}
        return exported.backends["ort"].run(fed)["residual"]

    def test_every_candidate_and_every_fresh_parameter_is_below(self, exported: Exported) -> None:
        threshold = exported.content.outputs[1].threshold
        assert threshold is not None
        assert self.residual(exported, candidates(exported.problem)).max() < threshold
        assert self.residual(exported, viscosities(200)).max() < threshold

    def test_parameters_far_outside_the_box_are_mostly_flagged(self, exported: Exported) -> None:
        threshold = exported.content.outputs[1].threshold
        assert threshold is not None
        far = np.concatenate([np.geomspace(LOW / 100, LOW / 4, 20), np.geomspace(HIGH * 20, HIGH * 1000, 10)])
        residual = self.residual(exported, far[:, None])
        flagged = ~(residual <= threshold)
        assert flagged.mean() > 0.5

    def test_the_threshold_is_ten_times_the_worst_candidate(self, exported: Exported) -> None:
        worst = float(self.residual(exported, candidates(exported.problem)).max())
        assert exported.content.outputs[1].threshold == pytest.approx(10.0 * worst, rel=0.06)


def test_the_golden_rows_converge(exported: Exported) -> None:
    golden = exported.content.golden
    _, converged = exported.loaded.reference.solve(golden["input/parameters"])
    assert len(converged) == s2gpt.GOLDEN_PARAMETERS
    assert converged.all()
    assert all(np.isfinite(a).all() for a in golden.values())
    assert golden["output/u"].shape == (s2gpt.GOLDEN_PARAMETERS, s2gpt.GOLDEN_POINTS)
    assert golden["output/residual"].shape == (s2gpt.GOLDEN_PARAMETERS,)


def test_the_report_s_arrays_have_their_shapes(exported: Exported) -> None:
    report = exported.content.report
    assert report is not None
    shapes = {name: a.shape for name, a in report.items()}
    field = (3, 65, 41)
    size = exported.loaded.reference.size
    assert shapes["parameters"] == (3, 1)
    assert (shapes["axis0"], shapes["axis1"]) == ((65,), (41,))
    assert shapes["predicted"] == shapes["exact"] == field
    assert shapes["snapshots"] == (size, 1)
    assert shapes["collocation"][1] == shapes["validation"][1] == 2
    assert shapes["greedy_error"] == shapes["greedy_parameter"][:1]
    assert shapes["offline_seconds"] == shapes["reference_seconds"] == ()
    assert (np.diff(report["axis0"]) > 0).all()
    assert exported.sup.total is not None
    assert np.abs(report["predicted"] - report["exact"]).max() <= exported.sup.total


class TestUnconverged:
    """A solve that did not converge is never counted as a small error."""

    @pytest.fixture
    def failing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        solve = ReducedModel.solve

        def partly(self: ReducedModel, parameters: Array) -> tuple[Array, NDArray[np.bool_]]:
            coefficients, converged = solve(self, parameters)
            return coefficients, converged & (parameters[:, 0] < 0.9 * HIGH)

        monkeypatch.setattr(ReducedModel, "solve", partly)

    @pytest.mark.usefixtures("failing")
    def test_its_rows_are_nan_in_the_tabulated_field(self, exported: Exported) -> None:
        parameters = np.array([[0.3], [0.95], [0.5]])
        field = tabulated_field(exported.small.model, exported.small.table, parameters, places(10))
        assert np.isnan(field).all(axis=1).tolist() == [False, True, False]
        assert not np.isnan(field[[0, 2]]).any()

    @pytest.mark.usefixtures("failing")
    def test_its_residual_is_infinite(self, exported: Exported) -> None:
        sample = sample_of(exported.problem, exported.loaded.axes, parameters=5, points=10)
        assert residual_sup(exported.loaded.reference, exported.loaded.axes, sample, 100) == np.inf
        assert residual_l1(exported.loaded.reference, exported.loaded.axes, sample, 100) == np.inf

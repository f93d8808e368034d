"""Waves on a plate: order in h, energy after the source, the mesh, sampling, what is refused."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from edgepde.errors import ProblemError, SettingError
from edgepde.problems.newmark import Newmark
from edgepde.problems.wave2d import CYCLES, Wave2D, generate
from edgepde.problems.wave2d_mesh import plate
from edgepde.problems.wave2d_plate import Plate, checked_plate, pulse

SMALL = Wave2D(gap=0.06, nx=8, ny=10, nt=6)


@pytest.fixture(scope="module")
def small() -> Plate:
    return Plate(SMALL)


def standing(made: Plate) -> float:
    """The relative error of cos(2 pi x) cos(pi y), c = 1, released, after 0.5 ms, in the mass norm."""
    x, y = made.basis.doflocs
    mode, omega = np.cos(2 * math.pi * x) * np.cos(math.pi * y), math.sqrt(5) * math.pi
    steps = math.ceil(0.5 / (0.5 * made.limit))
    scheme = Newmark(made.mass, made.stiffness(1.0, 1.0), 0.5 / steps, limit=made.limit)
    *_, end = scheme.march(np.zeros(len(mode)), np.zeros(steps + 2), mode)
    off = end - math.cos(0.5 * omega) * mode
    return math.sqrt((off @ (made.mass @ off)) / (mode @ (made.mass @ mode)))


def test_a_standing_wave_converges_with_h() -> None:
    """Mesh and step refined by two: third order of P2 gives 8."""
    errors = [standing(Plate(replace(SMALL, gap=gap))) for gap in (0.08, 0.04)]
    assert math.log2(errors[0] / errors[1]) > 2.8
    assert errors[1] < 5e-5


def test_energy_stays_when_the_source_is_over(small: Plate) -> None:
    case = SMALL.parameters(0, 0, 1)[0]
    x0, y0, width, frequency, *speeds = case
    scheme = Newmark(small.mass, small.stiffness(*speeds), small.step, limit=small.limit)
    over = math.ceil(CYCLES / frequency / small.step) + 1
    source = pulse(small.step * np.arange(-1, over + 60), frequency)
    steps = list(scheme.march(small.load(x0, y0, width), source))
    energies = np.array([scheme.energy(a, b) for a, b in itertools.pairwise(steps[over:])])
    assert energies[0] > 0
    assert np.ptp(energies) <= 1e-11 * energies[0]
    assert energies[0] > 2 * scheme.energy(*steps[3:5])


def test_a_symmetric_source_makes_a_symmetric_field() -> None:
    """The disk is at y = 1/2: a source there sends the same up and down, as far as the mesh is symmetric."""
    made = Plate(replace(SMALL, gap=0.04, zone_y=(0.2, 0.8)))
    field = made.solve(np.array([0.15, 0.5, 0.05, 2.5, 1.0, 0.7]))
    assert np.abs(field - field[:, ::-1]).max() < 0.02 * np.abs(field).max()


def test_it_is_linear_in_nothing_but_the_source(small: Plate) -> None:
    slow, fast = (small.solve(np.array([0.15, 0.5, 0.05, 2.5, c, 0.7])) for c in (0.9, 1.1))
    assert np.abs(slow - fast).max() > 0.1 * np.abs(fast).max()


def test_half_the_step_changes_nothing_that_counts(small: Plate) -> None:
    case = SMALL.parameters(0, 1, 1)[0]
    fine = Plate(replace(SMALL, step=small.step / 2))
    assert fine.substeps == 2 * small.substeps
    one, two = small.solve(case), fine.solve(case)
    assert np.linalg.norm(one - two) < 3e-4 * np.linalg.norm(two)


def test_sampling_is_exact_for_quadratics(small: Plate) -> None:
    x, y = small.basis.doflocs
    _, ys, xs = SMALL.axes
    found = (small.sampling @ (1 + x - 2 * y + x * y - 3 * x**2 + y**2)).reshape(len(ys), len(xs))
    gx, gy = np.meshgrid(xs, ys)
    assert np.abs(found - (1 + gx - 2 * gy + gx * gy - 3 * gx**2 + gy**2)).max() < 1e-12


def test_the_mesh_follows_the_disk() -> None:
    held = plate(0.04, 0.42, 0.5, 0.12)
    ends = held.points[held.triangles]
    a, b, c = (ends[:, i] for i in range(3))
    areas = np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    assert areas.sum() == pytest.approx(1.0, abs=1e-12)
    assert areas[held.in_disk].sum() == pytest.approx(math.pi * 0.12**2, rel=1e-9)
    assert held.shortest > 0.4 * 0.04
    distance = np.hypot(*(ends - [0.42, 0.5]).transpose(2, 0, 1))
    assert distance[held.in_disk].max() <= distance[~held.in_disk].min() * 1.02


def test_a_finer_disk_is_nearer() -> None:
    """At the same edges elsewhere; the step stays, for waves are slower there."""
    config = replace(SMALL, gap=0.08)
    cases = config.parameters(0, 0, 2)
    fine = Plate(replace(config, gap=0.03, inner=0.7))
    coarse, graded = Plate(config), Plate(replace(config, inner=0.65))
    assert graded.limit > 0.9 * coarse.limit
    assert graded.mesh.in_disk.sum() > 2 * coarse.mesh.in_disk.sum()
    for case in cases:
        truth = fine.solve(case)
        assert np.linalg.norm(graded.solve(case) - truth) < 0.6 * np.linalg.norm(coarse.solve(case) - truth)


def test_a_hole_has_five_parameters_and_no_points_in_it() -> None:
    config = replace(SMALL, obstacle="hole")
    data = generate(config, 1)
    assert data.names == ("x0", "y0", "width", "frequency", "c_plate")
    assert data.field.shape == (1, 6, 10, 8)
    assert np.abs(data.field).max() > 0.1
    x, y = Plate(config).basis.doflocs
    assert np.hypot(x - 0.42, y - 0.5).min() > 0.11


def test_a_case_depends_on_seed_and_number_alone() -> None:
    many, one = generate(SMALL, 3, seed=5), generate(SMALL, 1, seed=5, first=2)
    assert np.array_equal(many.parameters[2:], one.parameters)
    assert np.array_equal(many.field[2:], one.field)
    assert not np.array_equal(many.parameters[0], generate(SMALL, 1, seed=6).parameters[0])


def test_before_the_pulse_the_plate_is_still() -> None:
    field = Plate(replace(SMALL, zone_t=(0.0, 1.0))).solve(np.array([0.1, 0.4, 0.03, 3.0, 1.0, 0.6]))
    assert np.abs(field[0]).max() == 0
    assert np.abs(field[1]).max() < 1e-3 * np.abs(field).max()


def test_a_step_above_the_limit_is_refused_with_the_limit(small: Plate) -> None:
    with pytest.raises(ProblemError, match=f"step: 0.1 ms is above the stability limit {small.limit:g} ms"):
        Plate(replace(SMALL, step=0.1))
    assert Plate(replace(SMALL, step=0.1, beta=0.25)).step > small.limit


def test_the_limit_holds_for_the_whole_box(small: Plate) -> None:
    """At the greatest speeds the limit is that of the matrices themselves."""
    speeds = SMALL.high[4:]
    Newmark(small.mass, small.stiffness(*speeds), 0.999 * small.limit)
    with pytest.raises(ProblemError, match="above the stability limit"):
        Newmark(small.mass, small.stiffness(*speeds), 1.001 * small.limit)


def test_too_fine_a_mesh_is_refused() -> None:
    with pytest.raises(ProblemError, match=r"gap: 0.03 m makes 5.* unknowns, expected at most 5000"):
        checked_plate(Wave2D(gap=0.03))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"nx": 1}, "nx: expected 2 .. 1024, got 1"),
        ({"zone_x": (0.5, 0.5)}, "zone_x: expected 0 <= low < high"),
        ({"zone_y": (0.5, 1.5)}, "zone_y: expected 0 <= low < high <= 1"),
        ({"low": (0.3, 0.35, 0.03, 2.5, 0.9, 0.55)}, "low, high of x0"),
        ({"low": (0.08, 0.35, 0.0, 2.5, 0.9, 0.55)}, "low of width: expected a positive"),
        ({"disk": (0.05, 0.5, 0.1)}, "disk: expected inside the plate"),
        ({"gap": 0.5}, "gap: expected"),
        ({"gap": math.nan}, "gap: expected"),
        ({"inner": 0.1}, "inner: expected 0.25 .. 1"),
        ({"beta": 0.3}, "beta: expected"),
        ({"step": -1.0}, "step: expected"),
        ({"step": math.nan}, "step: expected"),
        ({"zone_x": (0.1, 0.9)}, "a zone without the source"),
        ({"obstacle": "hole", "zone_x": (0.45, 0.9)}, "a zone without the hole"),
    ],
)
def test_settings_that_make_no_sense(change: dict[str, object], told: str) -> None:
    with pytest.raises(SettingError, match=told):
        replace(SMALL, **change)  # type: ignore[arg-type]

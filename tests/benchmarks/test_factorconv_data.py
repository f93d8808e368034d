"""Rows on the wave data's accuracy and on coarser meshes: what they state is what was computed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from _harness import OURS
from factorconv_parts import coarse_fe, data

from edgepde.problems.wave2d import Wave2D

SMALL = Wave2D(gap=0.1, nx=6, ny=6, nt=6)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Wave2D, "quick", lambda self: replace(SMALL, obstacle=self.obstacle))
    monkeypatch.setattr(coarse_fe, "QUICK_SECONDS", 0.05)
    monkeypatch.setattr(coarse_fe, "QUICK_GAPS", (0.12, 0.11))


def test_the_data_is_compared_with_twice_as_fine() -> None:
    rows = data.rows(True)
    assert {row.target for row in rows} == {None}
    for obstacle in ("inclusion", "hole"):
        mine = {row.case: row.measured or 0.0 for row in rows if row.rival == OURS and obstacle in row.case}
        mean, worst = mine[f"data, {obstacle}, mean"], mine[f"data, {obstacle}, worst of 2"]
        assert 0.005 < mean <= worst < 0.5
        halved = next(r for r in rows if r.rival == data.HALVED and obstacle in r.case)
        assert (halved.measured or 0.0) == pytest.approx(mean, rel=0.05)


def test_a_finer_mesh_is_nearer() -> None:
    parameters = SMALL.parameters(0, 0, 1)
    fine = data.solved(replace(SMALL, gap=0.04), parameters).fields
    found = [data.errors(data.solved(replace(SMALL, gap=gap), parameters).fields, fine)[0] for gap in (0.1, 0.07)]
    assert found[0] > 1.5 * found[1] > 0


def test_errors_are_relative_to_the_reference() -> None:
    field = np.ones((2, 2, 2), np.float32)
    assert data.errors([1.5 * field], [field]) == pytest.approx([0.5])


def test_coarse_meshes_have_an_error_and_a_time() -> None:
    every = coarse_fe.rows(True)
    assert len({row.case for row in every}) == 2
    rows = [row for row in every if row.case == coarse_fe.CASE]
    off = [row.measured or 0.0 for row in rows if row.unit == data.RELATIVE]
    assert len(off) == 2
    assert all(0.001 < value < 2 for value in off)
    assert sum(row.unit == "ms" and (row.measured or 0.0) > 0 for row in rows) == 3

"""The latency part of the study of mollifiers: every way computes the same derivatives, figures are consistent."""

from __future__ import annotations

import onnxruntime
import pytest
from _harness import OURS, Row
from edgepde_runtime import native
from edgepde_runtime.onnxfile import parse
from mollifier_parts import _standard, latency


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return latency.rows(quick=True)


def measured(rows: list[Row], case: str) -> dict[str, float]:
    return {row.rival: row.measured or 0.0 for row in rows if row.case == case}


def test_every_way_is_timed_and_its_memory_known(rows: list[Row]) -> None:
    case = "four derivatives, 24 x 24, half-width 4"
    times, memory = measured(rows, case), measured(rows, f"{case}: memory")
    assert len(times) == 7 + (native.library() is not None)
    assert times.keys() == memory.keys()
    assert min(times.values()) > 0.0
    # four rows of the product along y that is part of the Laplacian alone; without vectors, with them 16 fields at once
    assert 4 * 4 * 24 <= 1024 * memory[OURS] < 16 * 8 * 24 * 24 * 4


def test_gains_are_ratios_of_the_times(rows: list[Row]) -> None:
    case = "four derivatives, 24 x 24, half-width 4"
    times = measured(rows, case)
    gains = {row.case: row.measured for row in rows if row.unit == "x"}
    assert gains[f"{case}: separate Conv nodes / ours"] == times["separate Conv nodes"] / times[OURS]
    assert all(row.target is None for row in rows)


@pytest.mark.parametrize("half", [2, 5])
def test_standard_graphs_are_derivatives_inside_or_everywhere(half: int) -> None:
    n = 16
    x = latency.field(n, 1)
    for name, graph in _standard.graphs(n, half)[1].items():
        session = onnxruntime.InferenceSession(graph.model, providers=["CPUExecutionProvider"])
        made = dict(zip(graph.shapes, session.run(list(graph.shapes), {"x": x}), strict=True))
        got = _standard.derivatives(made)
        latency.near(got, x, half, 0 if graph.everywhere else half, name)
        if not graph.everywhere:
            with pytest.raises(AssertionError, match="off by"):
                latency.near(got, x, half, 0, name)


def test_a_wrong_derivative_is_not_timed() -> None:
    x = latency.field(16, 1)
    got = _standard.kernels(16, 2).apply(x[0, 0])
    latency.near(got, x, 2, 2, "x")
    got[2, 4, 4] *= 1.01
    with pytest.raises(AssertionError, match="u_xxxx: off by"):
        latency.near(got, x, 2, 2, "x")


def test_our_op_is_one_node() -> None:
    assert [node.op_type for node in parse(_standard.graphs(16, 2)[0].model).graph.nodes] == ["mollified_derivative"]

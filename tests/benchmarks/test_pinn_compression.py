"""What the benchmark's rivals store, and that they change nothing where nothing is cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pinn_compression as benchmark
import pytest
from tightness.compress import Layers, evaluate


def net(width: int = 10) -> Layers:
    rng = np.random.default_rng(0)
    sizes = [2, width, width, 1]
    return [(rng.normal(size=(m, n)) / n, rng.normal(size=m)) for n, m in pairwise(sizes)]


X = np.random.default_rng(1).uniform(-1.0, 1.0, (500, 2))


@pytest.mark.parametrize("aware", [False, True])
def test_a_rank_stores_both_factors_and_costs_what_was_cut(aware: bool) -> None:
    full = net()
    shrink = benchmark.factored(full, aware, X)
    same, numbers = shrink(1e-12)
    assert numbers == benchmark.hidden(full)
    np.testing.assert_array_equal(evaluate(same, X), evaluate(full, X))
    cut, fewer = shrink(0.99)
    assert fewer == 20
    assert np.linalg.matrix_rank(cut[1][0]) == 1
    assert np.abs(evaluate(cut, X) - evaluate(full, X)).max() > 1e-3


def test_knowing_the_activations_helps() -> None:
    full = net()
    errors = {}
    for aware in (False, True):
        made, _ = benchmark.factored(full, aware, X)(0.99)
        errors[aware] = np.abs(evaluate(made, X) - evaluate(full, X)).mean()
    assert errors[True] <= errors[False]


def test_the_smallest_is_proved_within_the_error() -> None:
    import torch

    from edgepde.compress.allowance import allowance
    from edgepde.compress.proof import judge

    full = [tuple(v.astype(np.float32).astype(np.float64) for v in layer) for layer in net()]
    judged = judge(benchmark.network(full), allowance(1e-2, benchmark.BOX), torch.float32)
    made, numbers, note = benchmark.smallest(judged, full, benchmark.merging(full, X), 1e-2, X)
    assert "proved" in note
    assert numbers == benchmark.hidden(made) <= benchmark.hidden(full)
    assert np.abs(evaluate(made, X) - evaluate(full, X)).max() <= 1e-2
    assert benchmark.total(full) == 30 + 110 + 11

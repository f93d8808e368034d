"""What inaccurate parameters and coordinates cost an s2gpt bundle: searched, no proof."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from edgepde_runtime.term import Term
from numpy.typing import NDArray

from edgepde.certify.search import worst_case
from edgepde.certify.sensor import Accuracy, parse_accuracies
from edgepde.s2gpt.compress import MARGIN, Loaded
from edgepde.s2gpt.errors import Sample, boxes

Array = NDArray[np.float64]


def sensor_term(loaded: Loaded, sample: Sample, accuracy: str) -> Term:
    """MARGIN x the largest change of the reference network's field at the ends of what the accuracies allow."""
    problem = loaded.problem
    names = (*problem.parameters.names, *problem.coordinates.names)
    accuracies = parse_accuracies(accuracy, names)
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(accuracies))))
    moves = np.zeros((len(signs), len(names)))
    moves[:, [names.index(name) for name in accuracies]] = signs
    allowed = [accuracies.get(name, Accuracy(0.0)) for name in names]
    change = _change(loaded, allowed, moves)
    thinned = sample.parameters[:: max(1, len(sample.parameters) // 16)], sample.points[::8]
    worst = worst_case(change, *thinned, boxes(problem), seed=11)
    stated = ", ".join(f"{name} +- {a}" for name, a in accuracies.items())
    if not np.isfinite(worst.value):
        return Term.not_verified(f"some parameters within {stated} of the box do not converge")
    how = f"{MARGIN:g} x the largest |u(x + delta) - u(x)| for {stated} among {worst.compared} values"
    return Term(MARGIN * worst.value, "measured", f"{how}, local search included")


def _change(loaded: Loaded, allowed: list[Accuracy], moves: Array) -> Callable[[Array, Array], Array]:
    """(parameters [k, P], points [m, d]) -> the largest |u(x + delta) - u(x)| [k, m] over the moves."""
    split, field = len(loaded.problem.parameters.names), loaded.reference.field

    def moved(x: Array, of: list[Accuracy], share: Array) -> Array:
        most = np.stack([a.value * (np.abs(x[:, i]) if a.relative else np.ones(len(x))) for i, a in enumerate(of)], 1)
        return x + share * most

    def change(parameters: Array, points: Array) -> Array:
        there = [
            field(moved(parameters, allowed[:split], m[:split]), moved(points, allowed[split:], m[split:]))
            for m in moves
        ]
        return np.asarray(np.abs(np.stack(there) - field(parameters, points)).max(axis=0))

    return change

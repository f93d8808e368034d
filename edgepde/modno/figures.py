"""What a shared model does on cases: errors per operator, what each reads of the branch, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from edgepde_runtime import render

from edgepde.problems.operator_data import OperatorData

from .cassette import Cassette
from .model import Deployed, SharedModel
from .prepared import Floats

AT_ONCE = 256
READ = 1e-12


@final
@dataclass(frozen=True, eq=False)
class Errors:
    """relative [N]: L2 error of every case over the norm of its field; sup [N]: the largest error anywhere in it."""

    relative: Floats
    sup: Floats

    @property
    def mean(self) -> float:
        """Of the relative errors."""
        return float(self.relative.mean())


def predicted(model: SharedModel, cassette: Cassette, data: OperatorData) -> Floats:
    """u [N, T, n] of the model on the data's grid, in the model's own precision."""
    deployed = Deployed(model, list(data.times / cassette.horizon), list(data.x))
    slots = model.slots(cassette)
    sensors = torch.tensor(data.sensors).to(model.analysis)
    with torch.no_grad():
        parts = [deployed(rows, *slots) for rows in sensors.split(AT_ONCE)]
    return torch.cat(parts).double().cpu().numpy()


def errors(model: SharedModel, cassette: Cassette, data: OperatorData) -> Errors:
    """Of every case, against the data's own field."""
    wrong = predicted(model, cassette, data) - data.field
    norms = np.sqrt((np.asarray(data.field, np.float64) ** 2).sum((1, 2)))
    return Errors(np.sqrt((wrong**2).sum((1, 2))) / norms, np.abs(wrong).max((1, 2)))


def without_branch(model: SharedModel, cassette: Cassette) -> Cassette:
    """The cassette as if the shared features were zero: the linear part and what is read of the inputs themselves."""
    mixing = cassette.mixing.copy()
    mixing[: model.branch.width] = 0.0
    return replace(cassette, mixing=mixing)


def features_read(model: SharedModel, cassette: Cassette) -> int:
    """How many features of the shared branch have a weight in the cassette."""
    weights = np.abs(cassette.mixing[: model.branch.width])
    largest = np.abs(cassette.mixing).max(initial=0.0)
    return int((weights.max(1, initial=0.0) > READ * max(largest, 1e-300)).sum()) if weights.size else 0


def figures(model: SharedModel, cassette: Cassette, validation: OperatorData, test: OperatorData) -> dict[str, Any]:
    """What spec.json says of one operator."""
    measured = errors(model, cassette, test)
    read = features_read(model, cassette)
    plain = errors(model, without_branch(model, cassette), validation).mean if read else None
    chosen = errors(model, cassette, validation).mean
    return {
        "validation": chosen,
        "validation_without_branch": chosen if plain is None else plain,
        "test": measured.mean,
        "test_worst": float(measured.relative.max()),
        "sup": float(measured.sup.max()),
        "relative": [float(v) for v in measured.relative],
        "sups": [float(v) for v in measured.sup],
        "features_read": read,
        "features": model.branch.width,
        "frame": cassette.frame,
        "rank": cassette.rank,
        "numbers": cassette.numbers,
        "cases": {"validation": len(validation), "test": len(test)},
    }


def table(found: Mapping[str, Mapping[str, Any]], shared: int, passes: Mapping[str, int]) -> str:
    """Errors in percent of all operators, what they read of the branch, their numbers."""
    header = ("operator", "validation %", "test %", "worst %", "without branch %", "features read", "rank", "numbers")
    rows = [
        (
            name,
            *(f"{100.0 * one[key]:.3g}" for key in ("validation", "test", "test_worst", "validation_without_branch")),
            f"{one['features_read']} of {one['features']}",
            str(one["rank"]),
            str(one["numbers"]),
        )
        for name, one in found.items()
    ]
    total = shared + sum(one["numbers"] for one in found.values())
    said = [
        f"relative L2 error; {shared} numbers are shared, {total} in all",
        passes_said(passes),
        "without branch: on validation cases, with the shared features set to zero",
        "",
        render.table(rows, header, right=range(1, len(header))),
    ]
    return "\n".join(line for line in said if line is not None)


def passes_said(passes: Mapping[str, int]) -> str:
    """How many samples went through what, in words."""
    if not passes:
        return "passes: none through the branch, nothing was iterated"
    return "passes: " + ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in passes.items())


def against_exact(found: Mapping[str, Mapping[str, Any]], solution: str) -> dict[str, Any]:
    """history.against_exact: the worst over all operators, and how each does."""
    relative: Sequence[float] = [v for one in found.values() for v in one["relative"]]
    return {
        "solution": solution,
        "compared": len(relative),
        "worst": max(one["sup"] for one in found.values()),
        "relative_mean": float(np.mean(relative)),
        "relative_worst": float(np.max(relative)),
        "operators": {
            name: {key: one[key] for key in ("test", "test_worst", "sup", "validation")} for name, one in found.items()
        },
    }

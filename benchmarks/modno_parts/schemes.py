"""Which scheme learns most from the same number of passes: alternating, joint, or trunks in closed form?

Seven curved operators whose linear parts are fitted first, one branch of 100-100-64, the same for all schemes; every
scheme may use the same passes (of a case through branch or trunk, each way) and stops there. Rates are chosen on
validation cases for each scheme; the state that is kept, too; errors are on fresh cases.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from _harness import OURS, Row, say
from edgepde_runtime import render
from edgepde_runtime.errors import EdgePDEError

from edgepde.modno.training.fitting import Fitted, fit
from edgepde.modno.training.settings import Fit

from ._learning import Lesson, Size, branch, geometric, kept, lesson, size

STEPS, QUICK_STEPS = 100, 20
"""Full steps of the joint scheme that set the budget of passes."""
CHECKS = 8
RATES, BATCH = (1e-3, 4e-3), 50
"""Closed-form trunks take all cases in every step; the others so many, which is better for them: more steps."""
ALTERNATING, HALF, JOINT, VARPRO, LEFT_OUT = (
    "alternating, q = 1", "alternating, q = 0.5", "joint", "closed-form trunks", "closed-form trunks, leave one out",
)  # fmt: skip
PAPER, DEEPONET = "alternating, trunk networks (the paper's)", "joint, trunk networks"
KINDS: dict[str, Fit] = {
    ALTERNATING: Fit(scheme="alternating", refit=False),
    HALF: Fit(scheme="alternating", q=0.5, refit=False),
    JOINT: Fit(scheme="joint", refit=False),
    VARPRO: Fit(scheme="varpro"),
    LEFT_OUT: Fit(scheme="varpro", objective="loo"),
    PAPER: Fit(scheme="alternating", trunk="network"),
    DEEPONET: Fit(scheme="joint", trunk="network"),
}
UNIT, MEAN = "%", "equal passes, geometric mean"


def rows(quick: bool, runs: Path) -> list[Row]:
    """Per operator and scheme, of the first seed; closed-form trunks are ours."""
    what, seed = size(quick), 0
    budget = 4 * what.training * len(what.names) * (QUICK_STEPS if quick else STEPS)
    results = {}
    for kind, how in KINDS.items():
        key = f"schemes-{'quick-' if quick else ''}{list(KINDS).index(kind)}-{seed}"
        results[kind] = kept(runs, key, lambda how=how: _best(what, lesson(what, seed), how, budget, seed, quick))  # type: ignore[misc]
        say(f"  {kind}: {100 * results[kind]['mean']:.3g} %, passes {results[kind]['passes']}")
    table = [(kind, *(f"{100 * found['errors'][n]:.3g}" for n in what.names)) for kind, found in results.items()]
    say(render.table(table, ("scheme", *what.names), right=range(1, len(what.names) + 1)))
    if worst := [kind for kind, found in results.items() if found["passes"] > budget]:
        raise EdgePDEError(f"more than {budget} passes: {', '.join(worst)}")
    made = []
    for kind, found in results.items():
        note = f"rate {found['rate']:g}, batch {found['batch'] or 'all'}, {found['passes']} passes"
        made.append(Row(MEAN, _rival(kind), UNIT, 100 * found["mean"], note=note))
        made += [Row(f"equal passes, {name}", _rival(kind), UNIT, 100 * e) for name, e in found["errors"].items()]
    over = results[VARPRO]["mean"] / results[ALTERNATING]["mean"]
    return [*made, Row("closed-form trunks over alternating, equal passes", OURS, "x", over, 1.0)]


def _rival(kind: str) -> str:
    return OURS if kind == VARPRO else kind


def _best(what: Size, learned: Lesson, how: Fit, budget: int, seed: int, quick: bool) -> dict[str, Any]:
    """With the rate that validation likes best."""
    batch = 0 if how.scheme == "varpro" else BATCH
    tried = []
    for rate in RATES[-1:] if quick else RATES:
        made = replace(how, batch=batch, rate=rate, branch_rate=rate)
        tried.append(_learn(what, learned, _within(made, what, budget), seed))
    return min(tried, key=lambda one: float(one["validation"]))


def _within(how: Fit, what: Size, budget: int) -> Fit:
    """As many steps as the passes allow; trunks in closed form are solved at every check too, which counts."""
    cases = what.training
    batch = min(how.batch or cases, cases)
    per = 4 * batch if how.scheme != "alternating" else 3 * batch + 3 * math.ceil(how.q * batch)
    left = budget // len(what.names)
    if how.scheme == "varpro":
        left -= 3 * cases * (CHECKS + 3)
    steps = max(1, left // per)
    return replace(how, steps=steps, check=max(1, math.ceil(steps / CHECKS)), patience=10**6)


def _learn(what: Size, learned: Lesson, how: Fit, seed: int) -> dict[str, Any]:
    tasks = learned.tasks(how.trunk)
    shared = branch(what, tasks, seed)
    found = fit(shared, tasks, how, seed=seed, name=f"  {how.scheme} {how.trunk} {how.rate:g} {how.batch}")
    errors = _measured(learned, how, found)
    return {
        "rate": how.rate,
        "batch": how.batch,
        "passes": found.passes.total,
        "validation": geometric([made.error for made in found.operators.values()]),
        "mean": geometric(list(errors.values())),
        "errors": errors,
    }


def _measured(learned: Lesson, how: Fit, found: Fitted) -> dict[str, float]:
    measured = learned.measured_gridded if how.trunk == "network" else learned.measured
    return {name: found.error_on(name, task.held) for name, task in measured.items()}

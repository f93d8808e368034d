"""What do the canonical frame, mirror images and cases from the equation change, on operators that are not linear?

The same fit in closed form with and without them, the same given cases, everything else chosen anew on validation
cases. With no frame the linear part and the branch read inputs as they come; with the given cases only, no further ones
are made by the equation that they obey (later times of mixtures still are).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _harness import OURS, Row, say

from edgepde.modno import figures
from edgepde.modno.closed_form import Closed, fit
from edgepde.problems import operators
from modno_parts import _study
from modno_parts._study import Study

UNIT = "%"
GIVEN = "given cases only"
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    OURS: {},
    GIVEN: {"more": 0},
    f"{GIVEN}, no mirror images": {"more": 0, "images": False},
    f"{GIVEN}, no canonical frame": {"more": 0, "frame": False},
    f"{GIVEN}, neither": {"more": 0, "images": False, "frame": False},
}


def rows(quick: bool, runs: Path) -> list[Row]:
    """Per operator and variant, of the first seed; then how much each makes of an error in the geometric mean."""
    made = _study.plan(quick)
    seed = made.seeds[0]
    names = [name for name in made.names if not operators.operator(name).is_linear]
    studies = [_study.study(runs, made, name, seed) for name in names]
    found = {variant: errors(runs, studies, variant) for variant in VARIANTS}
    table = [
        Row(f"{name}, with and without", variant, UNIT, 100.0 * found[variant][name])
        for name in names
        for variant in VARIANTS
    ]
    for variant in list(VARIANTS)[1:]:
        ratios = [found[variant][name] / found[OURS][name] for name in names]
        worse = [name for name, ratio in zip(names, ratios, strict=True) if ratio < 1.0]
        note = f"better so: {', '.join(worse) or 'none'}"
        mean = float(np.exp(np.mean(np.log(ratios))))
        table.append(Row("error over that of ours, geometric mean", variant, "x", mean, None, ">=", note=note))
    return table


def errors(runs: Path, studies: Sequence[Study], variant: str) -> dict[str, float]:
    """Mean test errors by operator, read where this variant was fitted before."""
    seed = studies[0].seed
    path, _ = _study.kept(runs, f"ablation-{seed}", [[s.digest for s in studies], variant])
    if not path.exists():
        say(f"  fit of {len(studies)} operators: {variant}")
        path.write_text(json.dumps(_fitted(studies, Closed(**VARIANTS[variant]))), encoding="utf-8")
    kept: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def _fitted(studies: Sequence[Study], how: Closed) -> dict[str, float]:
    horizons = {s.name: s.horizon for s in studies}
    made = fit([s.train for s in studies], [s.held for s in studies], how, horizons, {s.name: s.reach for s in studies})
    return {s.name: figures.errors(made.model, made.cassettes[s.name], s.test).mean for s in studies}

"""What do the canonical frame and the mirror images of cases change, on operators that are not linear?

The same fit in closed form with and without them, the same cases, everything else chosen anew on validation cases. With
no frame the linear part and the branch read inputs as they come.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
from _harness import OURS, Row, say

from edgepde.modno import figures
from edgepde.modno.closed_form import fitting
from edgepde.problems import operators
from modno_parts import _study
from modno_parts._study import Study

UNIT = "%"
FRAME = "shift"
"""The symmetry that the canonical frame rests on; the others are images of cases."""
Keeps = Callable[[str], bool]
VARIANTS: dict[str, Keeps] = {
    OURS: lambda name: True,
    "no mirror images": lambda name: name == FRAME,
    "no canonical frame": lambda name: name != FRAME,
    "neither": lambda name: False,
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
        path.write_text(json.dumps(_fitted(studies, VARIANTS[variant])), encoding="utf-8")
    kept: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def _fitted(studies: Sequence[Study], keeps: Keeps) -> dict[str, float]:
    known = fitting.symmetries

    def some(*given: object) -> tuple[str, ...]:
        return tuple(name for name in known(*given) if keeps(name))  # type: ignore[arg-type]

    with patch.object(fitting, "symmetries", some):
        made = fitting.fit(
            [s.train for s in studies], [s.held for s in studies], horizons={s.name: s.horizon for s in studies}
        )
    return {s.name: figures.errors(made.model, made.cassettes[s.name], s.test).mean for s in studies}

"""What happens where an input has almost no mode 1, by whose phase the canonical frame turns it?

The same test inputs as they are, with mode 1 made so small that it still turns them (twice the threshold), and so small
that it does not (half of it); the solutions are those of the changed inputs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from _harness import OURS, Row, say

from edgepde.modno import figures
from edgepde.modno.closed_form import fit
from edgepde.modno.encoding import LEAST, Encoding
from edgepde.problems import operators
from edgepde.problems.operator_data import OperatorData
from modno_parts import _study
from modno_parts._study import Study

UNIT = "%"
SHARES: Mapping[str, float | None] = {"as drawn": None, "turned by a faint mode 1": 2.0, "not turned": 0.5}
"""Of the threshold."""


def rows(quick: bool, runs: Path) -> list[Row]:
    """Per operator that is not linear, of the first seed: mean relative error on each kind of input."""
    made = _study.plan(quick)
    seed = made.seeds[0]
    names = [n for n in made.names if not operators.operator(n).is_linear and operators.operator(n).inputs == "fourier"]
    studies = [_study.study(runs, made, name, seed) for name in names]
    path, _ = _study.kept(runs, f"mode-one-{seed}", [[s.digest for s in studies], list(SHARES.values()), LEAST])
    if not path.exists():
        say(f"  fit of {len(studies)} operators")
        path.write_text(json.dumps(_errors(studies)), encoding="utf-8")
    found: dict[str, dict[str, float]] = json.loads(path.read_text(encoding="utf-8"))
    return [Row(f"{name}, {kind}", OURS, UNIT, 100.0 * found[name][kind]) for name in names for kind in SHARES]


def _errors(studies: list[Study]) -> dict[str, dict[str, float]]:
    made = fit([s.train for s in studies], [s.held for s in studies], None, {s.name: s.horizon for s in studies})
    return {
        s.name: {
            kind: figures.errors(made.model, made.cassettes[s.name], changed(s.test, share)).mean
            for kind, share in SHARES.items()
        }
        for s in studies
    }


def changed(data: OperatorData, share: float | None) -> OperatorData:
    """With mode 1 of every input `share` times the threshold of its other modes, and the solutions of these inputs."""
    if share is None:
        return data
    encoding = Encoding(data.sensor_x, data.period, (len(data.sensor_x) - 1) // 2)
    c = encoding.coefficients(data.sensors)
    m = encoding.modes
    pair = [1, m + 1]
    turn = c[:, pair] / np.linalg.norm(c[:, pair], axis=1, keepdims=True)
    c[:, pair] = 0.0
    c[:, pair] = share * LEAST * np.linalg.norm(c[:, 1:], axis=1, keepdims=True) * turn
    spectrum = np.concatenate([c[:, :1] + 0j, 0.5 * (c[:, 1 : m + 1] - 1j * c[:, m + 1 :])], axis=1)
    field = operators.operator(data.name).fields(spectrum, data.times, data.x)
    return replace(data, sensors=c @ np.linalg.pinv(encoding.analysis), field=field)

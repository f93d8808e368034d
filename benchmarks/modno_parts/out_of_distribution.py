"""How wrong are the shared model and its rivals on inputs of another kind: Gaussian random fields?

Training and validation saw sums of four waves (or of two bumps); a random field of the same mean square has more waves.
Nothing is chosen or trained for it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _harness import OURS, Row, say

from modno_parts import _study
from modno_parts._all import RIVALS, SEPARATE, contest

UNIT = "%"


def rows(quick: bool, runs: Path) -> list[Row]:
    """A row per operator and rival of the first seed, and where ours is the better one."""
    made = _study.plan(quick)
    seed = made.seeds[0]
    all_of = contest(runs, made, seed)
    found, won = [], []
    for name in made.names:
        say(f"  {name}")
        data = _study.obtained(runs, made, name, seed, "grf", made.test)
        errors = {rival: 100.0 * one.whole for rival, one in all_of.errors(name, data).items()}
        for rival in (OURS, *RIVALS):
            quartiles = np.quantile(errors[rival], [0.25, 0.75])
            spread = (float(quartiles[0]), float(quartiles[1]))
            found.append(Row(f"{name}, random fields", rival, UNIT, float(errors[rival].mean()), spread=spread))
        if errors[OURS].mean() <= errors[SEPARATE].mean():
            won.append(name)
    note = f"worse on {', '.join(n for n in made.names if n not in won) or 'none'}"
    return [*found, Row(f"random fields: no worse than {SEPARATE}", OURS, "operators", len(won), None, ">=", note=note)]

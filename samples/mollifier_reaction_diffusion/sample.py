"""The rate of a reaction in a separating mixture, an equation of order four, from a block of readings.

Run: python samples/mollifier_reaction_diffusion/sample.py [--cases N] [--solver] [--picture FILE.png] [--bundle FOLDER]
The number to reach: a correlation of at least 0.99 with the true rate in every draw, and a relative error of at most
0.03 in the median.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import edgepde_runtime
import numpy as np
from numpy.typing import NDArray

from edgepde.mollifier.device.figures import Score, score
from edgepde.mollifier.device.picture import draw
from edgepde.mollifier.grid import Grid
from edgepde.mollifier.inverse.recovering import recover
from edgepde.mollifier.inverse.statement import statement
from edgepde.problems.inverse_case import Case
from edgepde.problems.reaction_diffusion import ReactionDiffusion

HERE = Path(__file__).parent
TARGET, ERROR = 0.99, 0.03
NEW = 2_026_000_000
"""The first seed of the draws compared here; the bundle's training had others."""
PROBLEM = ReactionDiffusion(points=41, fine=81)
BASELINES = ("savgol", "weak", "spline")
Array = NDArray[np.float64]


def cases(count: int) -> list[Case]:
    """Draws nobody has seen: rate, first mixture and noise (1 %)."""
    return [PROBLEM.case(NEW + number) for number in range(count)]


def row(case: Case) -> NDArray[np.float32]:
    """The readings of a case as one row of the bundle's input: 16 times, 41 by 41 places."""
    return np.ascontiguousarray(case.readings.reshape(1, -1), dtype=np.float32)


def by_device(model: edgepde_runtime.Model, found: list[Case]) -> tuple[list[Score], float, int]:
    """How far the bundle is from the truth; the share of places inside its band, least of all cases; flagged rows."""
    scores, inside, flagged = [], 1.0, 0
    for case in found:
        made = model.call(row(case))
        lam, band = made.outputs["lam"][0], made.outputs["band"][0]
        scores.append(score(lam, case.lam))
        inside = min(inside, float((np.abs(lam - case.lam) <= band).mean()))
        flagged += bool(made.flags)
    return scores, inside, flagged


def on_host(method: str, found: list[Case]) -> tuple[list[Score], float]:
    """The same by a method of the host, and seconds per case."""
    stated, scores = statement("reaction_diffusion"), []
    began = time.perf_counter()
    for case in found:
        made = recover(case.readings, Grid.of(None, **case.axes), stated, method=method, baseline=False)
        scores.append(score(made.lam, case.lam))
    return scores, (time.perf_counter() - began) / len(found)


def said(name: str, scores: list[Score], seconds: float) -> str:
    """A line of the table."""
    correlation, relative = (np.array([getattr(s, n) for s in scores]) for n in ("correlation", "relative"))
    return (
        f"{name:28} {np.median(correlation):11.4f} {correlation.min():9.4f} "
        f"{np.median(relative):14.3f} {relative.max():9.3f} {1e3 * seconds:10.2f}"
    )


def timed(model: edgepde_runtime.Model, x: NDArray[np.float32]) -> float:
    """Seconds of a call, the median of many."""
    spent = []
    for _ in range(50):
        began = time.perf_counter()
        model(x)
        spent.append(time.perf_counter() - began)
    return float(np.median(spent))


def main() -> int:
    """Print the table; exit 1 where the number is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=HERE / "bundle")
    parser.add_argument("--cases", type=int, default=12)
    parser.add_argument("--solver", action="store_true", help="compare a solver in the loop too, seconds per case")
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="draw the first case")
    args = parser.parse_args()
    found = cases(args.cases)
    print(f"{len(found)} new draws: rate 0.4 to 1.6, 16 x 41 x 41 readings, noise 1 %")
    print(f"{'':28} {'correlation':>11} {'worst':>9} {'relative error':>14} {'worst':>9} {'ms':>10}")
    model = edgepde_runtime.load(args.bundle)
    scores, inside, flagged = by_device(model, found)
    print(said(f"bundle ({model.backend})", scores, timed(model, row(found[0]))))
    print(f"{'':28} at least {100 * inside:.1f} % of the places inside the band; {flagged} rows flagged")
    for method in (*BASELINES, *(["solver"] if args.solver else [])):
        print(said(f"host: {method}", *on_host(method, found)))
    worst, middle = min(s.correlation for s in scores), float(np.median([s.relative for s in scores]))
    met = worst >= TARGET and middle <= ERROR
    print(f"correlation to reach {TARGET:g}, relative error {ERROR:g} in the median: {'met' if met else 'MISSED'}")
    if args.picture:
        made = model.call(row(found[0])).outputs
        lam, truth = made["lam"][0].astype(np.float64), found[0].lam
        panels = {
            "truth": truth,
            "estimate": lam,
            "difference": lam - truth,
            "band": made["band"][0].astype(np.float64),
        }
        draw(panels, {a: found[0].axes[a] for a in "yx"}, "rate", args.picture)
        print(f"picture: {args.picture}")
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())

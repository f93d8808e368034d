"""Does any input exceed a bound of the certificate? Random points, points climbed to, and devices as bad as promised.

Networks chosen to hurt (large weights, saturated units, cancellation, width 1, depth 10), compressed in every way or
with all weights moved; bounds over boxes of every size, by branch and bound, over families of inputs, for inexact
inputs and for rounding: float32 in the order of the kernels, and arithmetic whose every rounding is the worst allowed.
Truth is in long double.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from _harness import OURS, Row, closing, on_one_thread, parser, publish, say

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.soundness import KINDS, Tried, adversarial

RANDOM, ADVERSARIAL = 1_000_000, 1_000
NETWORKS = {"enclosures": 420, "families": 120, "sensor": 120, "rounding": 120, "adversarial": 120}
POINTS = {"enclosures": 48, "families": 500, "sensor": 500, "rounding": 500}
SHARE, NAMED = 12, 3


def searched(kind: str, search: Callable[[int], Tried], networks: range) -> tuple[int, Row]:
    """How many points one kind of search tried, and its row."""
    say(f"{kind}: {len(networks)} networks")
    began, points, wrong = time.monotonic(), 0, list[str]()
    for seed in networks:
        tried = search(seed)
        points += tried.points
        wrong += tried.wrong
    note = f"{points:,} points on {len(networks)} networks, {time.monotonic() - began:.3g} s"
    return points, Row(kind, OURS, "violations", len(wrong), 0, note="; ".join([note, *wrong[:NAMED]]))


def main() -> None:
    """Search, print; exits 1 where a bound was exceeded."""
    args = parser(__doc__ or "").parse_args()
    on_one_thread()
    torch.set_num_threads(1)
    rows, counted = [], {}
    searches = {kind: lambda seed, kind=kind: KINDS[kind](seed, POINTS[kind]) for kind in KINDS}
    for kind, search in {**searches, "adversarial": adversarial}.items():
        count = NETWORKS[kind] // (SHARE if args.quick else 1)
        counted[kind], row = searched(kind, search, range(args.seed * 1000, args.seed * 1000 + count))
        rows.append(row)
    random = sum(counted[kind] for kind in KINDS)
    goals = (None, None) if args.quick else (RANDOM, ADVERSARIAL)
    rows += [
        Row("random checks", OURS, "points", random, goals[0], ">="),
        Row("adversarial checks", OURS, "points", counted["adversarial"], goals[1], ">="),
    ]
    publish(args, rows, {"threads": 1}, [], closing(rows))
    sys.exit(any(row.met is False for row in rows))


if __name__ == "__main__":
    main()

"""How many more samples per second do two ranks learn from than one, each on one thread?

Runs of one and of two ranks in turn, started by torchrun, one thread per rank in both; every step is a whole one: all
training cases of all operators move the trunks and, summed over ranks, the branch. The clock runs between two points
where all ranks meet, after a few steps that do not count.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from _harness import OURS, Row, say

from modno_parts import _study

FASTER = 1.6
ROUNDS, SECONDS = 5, 6.0
SCHEMES = ("joint", "alternating")
WORKER = Path(__file__).with_name("_rank.py")


def rows(quick: bool) -> list[Row]:
    """Per scheme: samples per second on one rank and on two, and their ratio."""
    made = _study.plan(quick)
    names = made.names[: 2 * (len(made.names) // 2)]  # as many on every rank
    found = []
    for scheme in SCHEMES[: 1 if quick else None]:
        rates: dict[int, list[float]] = {1: [], 2: []}
        sent = 0
        for turn in range(2 if quick else ROUNDS):
            for ranks, kept in rates.items():
                told = measured(ranks, scheme, names, made.training, SECONDS / 6 if quick else SECONDS)
                kept.append(told["samples_per_second"])
                sent = max(sent, int(told["bytes_per_step"]))
            say(f"  {scheme}, round {turn}: {rates[1][-1]:.0f} and {rates[2][-1]:.0f} samples/s")
        found += _rows(f"{scheme}, {len(names)} operators", rates, sent)
    return found


def measured(ranks: int, scheme: str, names: Sequence[str], samples: int, seconds: float) -> dict[str, float]:
    """What one run tells: samples per second, bytes sent per rank and step."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    asked = {"operators": list(names), "samples": samples, "scheme": scheme, "seconds": seconds}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    done = subprocess.run(
        [*command, str(WORKER), json.dumps(asked)],
        env=environment, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    told: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def _rows(case: str, rates: dict[int, list[float]], sent: int) -> list[Row]:
    middle = {ranks: statistics.median(found) for ranks, found in rates.items()}
    made = [
        Row(case, f"{ranks} rank{'s' * (ranks > 1)}", "samples/s", middle[ranks], goal=">=", spread=_quartiles(found))
        for ranks, found in rates.items()
    ]
    ratios = [two / one for one, two in zip(rates[1], rates[2], strict=True)]
    note = f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the end; {sent} bytes per rank and step"
    ratio = Row(
        f"{case}, 2 ranks over 1", OURS, "x", statistics.median(ratios), FASTER, ">=", _quartiles(ratios), note=note
    )
    return [*made, ratio]


def _quartiles(found: list[float]) -> tuple[float, float]:
    low, _, high = statistics.quantiles(found, n=4, method="inclusive")
    return low, high

"""One rank of scaling.py: trains for a while and, on rank 0, prints how fast. Argument: what, in JSON."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch

from edgepde.modno.by_gradients import begun, fit_settings
from edgepde.modno.cases import drawn
from edgepde.modno.distributed import from_first
from edgepde.modno.settings import Settings
from edgepde.modno.training.trainer import Trainer
from edgepde.modno.training_run import common_encoding
from edgepde.train.ranks import Ranks, joined
from edgepde.train.threads import one_thread

WARM = 3
"""Steps that do not count."""


def speed(asked: dict[str, Any], ranks: Ranks) -> dict[str, float]:
    """Samples per second of all ranks together, bytes sent per rank and step."""
    how = Settings(operators=tuple(asked["operators"]), samples=asked["samples"], scheme=asked["scheme"])
    cases = [drawn(name, how, 0) for name in ranks.mine(how.named())]
    encoding = common_encoding(cases, ranks)
    _, branch, tasks = begun(cases, encoding, how, ranks, 0, torch.device("cpu"))
    trainer = Trainer(branch, tasks, fit_settings(how), 0, ranks.sum)
    steps = _steps(trainer, ranks, float(asked["seconds"]))
    began = _met(ranks)
    for _ in range(steps):
        trainer.step()
    seconds = _met(ranks) - began
    samples = len(how.named()) * how.samples * steps
    return {"samples_per_second": samples / seconds, "bytes_per_step": ranks.largest, "steps": steps}


def _steps(trainer: Trainer, ranks: Ranks, seconds: float) -> int:
    """How many fit into that time, the same on all ranks."""
    trainer.step()
    began = _met(ranks)
    for _ in range(WARM):
        trainer.step()
    each = (_met(ranks) - began) / WARM
    return int(from_first(ranks, max(3, round(seconds / each))))


def _met(ranks: Ranks) -> float:
    """The clock when all ranks are here."""
    ranks.everyone(b"")
    return time.perf_counter()


def main() -> None:
    """Train, print."""
    with joined(torch.device("cpu")) as ranks, one_thread():
        told = speed(json.loads(sys.argv[1]), ranks)
        if ranks.is_first:
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()

"""Training on many ranks: trunks and their data stay on theirs, the branch's slope is all that is summed.

Source of the scheme: arXiv 2404.02892, algorithm 1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import Tensor

from edgepde.train import tensor_file
from edgepde.train.ranks import Ranks
from edgepde.train.run_folder import Run

from .training.trainer import Trainer

OWN = "operator."
"""How the names of tensors begin that are one operator's alone."""
META = "meta"
State = tuple[dict[str, Tensor], dict[str, Any]]


def fit(trainer: Trainer, ranks: Ranks, run: Run, part: str, steps: int, check: int) -> int:
    """Train to the last step, or until a check says stop; the step that was reached.

    Resumes what the run keeps as `part`, on as many ranks as there are now, and keeps it again at every check; only
    rank 0 writes. Raises TrainingError naming a rank that does not answer, RunError for a damaged checkpoint.
    """
    began = restore(trainer, ranks, run, part)
    with run.progress(part, steps) as shown:
        for step in range(began, steps):
            trainer.step()
            last = step + 1 == steps
            if last or (step + 1) % check == 0:
                stop = trainer.check()
                keep(trainer, ranks, run, part, step + 1, done=stop or last)
                shown.update(step + 1)
                if stop:
                    return step + 1
    return max(began, steps)


def keep(trainer: Trainer, ranks: Ranks, run: Run, part: str, step: int, done: bool = False) -> None:
    """Write a checkpoint: rank 0 gets the operators of the others first."""
    tensors, meta = trainer.state()
    own = tensors if ranks.is_first else {name: t for name, t in tensors.items() if name.startswith(OWN)}
    gathered = everything(ranks, own)
    if ranks.is_first:
        run.save(part, gathered, {"step": step, "done": done, "trainer": meta})


def restore(trainer: Trainer, ranks: Ranks, run: Run, part: str) -> int:
    """Put the checkpoint, which rank 0 reads, back on every rank; the next step, beyond the last where all is done."""
    found = run.restore(part) if ranks.is_first else None
    tensors, meta = from_first(ranks, found)
    if not meta:
        return 0
    trainer.load(tensors, meta["trainer"])
    return int(meta["step"]) if not meta["done"] else 1 << 62


def everything(ranks: Ranks, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of all ranks by name, on every rank."""
    if ranks.size == 1:
        return dict(tensors)
    held: dict[str, Tensor] = {}
    for data in ranks.everyone(to_bytes(tensor_file.to_host(tensors))):
        held |= from_bytes(data)
    return held


def from_first(ranks: Ranks, found: State | None) -> State:
    """What rank 0 found, on every rank; nothing where it found nothing."""
    if ranks.size == 1:
        return found or ({}, {})
    data = b""
    if found is not None:
        meta = torch.frombuffer(bytearray(json.dumps(found[1]).encode()), dtype=torch.uint8)
        data = to_bytes(tensor_file.to_host({**found[0], META: meta}))
    data = ranks.everyone(data)[0]
    if not data:
        return {}, {}
    tensors = from_bytes(data)
    return tensors, json.loads(tensors.pop(META).numpy().tobytes())

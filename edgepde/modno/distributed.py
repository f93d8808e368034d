"""Training on many ranks: trunks and their data stay on theirs, the branch's slope is all that is summed.

Source of the scheme: arXiv 2404.02892, algorithm 1.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import Tensor

from edgepde.problems.operator_data import OperatorData
from edgepde.train import tensor_file
from edgepde.train.ranks import Ranks
from edgepde.train.run_folder import Run

from .branches._branch import Branch
from .cassette import Cassette
from .training import fitting
from .training.settings import Fit
from .training.task import Task
from .training.trainer import Trainer

OWN = ("operator.", "best.operator.")
"""How the names of tensors begin that are one operator's alone."""
DATA = ("sensors", "sensor_x", "x", "times", "field")
State = tuple[dict[str, Tensor], dict[str, Any]]


def fit(
    branch: Branch,
    tasks: Sequence[Task],
    how: Fit,
    ranks: Ranks,
    run: Run,
    name: str = "modno",
    seed: int = 0,
    groups: Mapping[str, int] | None = None,
    deltas: Mapping[str, int] | None = None,
    seconds: float = fitting.SECONDS_BETWEEN_SAVES,
) -> fitting.Fitted:
    """Train the branch of all ranks for the operators of all ranks; those of this rank are returned.

    tasks: of this rank. seconds: between checkpoints, which rank 0 writes after a check. What the run keeps under
    `name` is resumed bit for bit, on as many ranks as there are now. Raises TrainingError naming a rank that does not
    answer or holds another branch, RunError for a damaged checkpoint.
    """
    if ranks.size == 1:
        return fitting.fit(branch, tasks, how, run, name, seed, groups, deltas)
    ranks.agree("branch", to_bytes(tensor_file.to_host(branch.state_dict())))
    trainer = Trainer(branch, tasks, how, seed, ranks.sum, groups, deltas)
    if not restore(trainer, ranks, run, name):
        trainer.check()
    saved, over = time.monotonic(), trainer.course.over(how)
    with run.progress(name, how.steps) as shown:
        while not over:
            trainer.step()
            if not trainer.due:
                continue
            over = trainer.check()
            shown.update(trainer.course.step)
            shown.note(fitting.said(trainer))
            if from_first(ranks, over or time.monotonic() - saved >= seconds):
                keep(trainer, ranks, run, name)
                saved = time.monotonic()
    return fitting.finish(trainer)


def keep(trainer: Trainer, ranks: Ranks, run: Run, name: str) -> None:
    """Write a checkpoint: rank 0 gets the operators of the others first."""
    tensors, meta = trainer.state()
    own = {key: t for key, t in tensors.items() if key.startswith(OWN)}
    gathered, metas = everything(ranks, own), [json.loads(m) for m in ranks.everyone(json.dumps(meta).encode())]
    if ranks.is_first:
        run.save(name, tensors | gathered, merged(metas))


def restore(trainer: Trainer, ranks: Ranks, run: Run, name: str) -> bool:
    """Put the checkpoint, which rank 0 reads, back on every rank; whether there is one. Rank 0 keeps all passes."""
    found = run.restore(name) if ranks.is_first else None
    meta = from_first(ranks, None if found is None else found[1])
    if meta is None:
        return False
    tensors = from_bytes(ranks.everyone(to_bytes(found[0]) if found is not None else b"")[0])
    if not ranks.is_first:
        meta["passes"] = dict.fromkeys(meta["passes"], 0)
    trainer.load(tensors, meta)
    return True


def merged(metas: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all ranks say of a training: passes summed, errors of all operators in every entry of the history."""
    course = dict(metas[0]["course"])
    course["own"] = {name: kept for meta in metas for name, kept in meta["course"]["own"].items()}
    course["history"] = [
        {**rows[0], "errors": {name: error for row in rows for name, error in row["errors"].items()}}
        for rows in zip(*(meta["course"]["history"] for meta in metas), strict=True)
    ]
    passes = {name: sum(meta["passes"][name] for meta in metas) for name in metas[0]["passes"]}
    return {"course": course, "passes": passes}


def everything(ranks: Ranks, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of all ranks by name, on every rank."""
    held: dict[str, Tensor] = {}
    for data in ranks.everyone(to_bytes(tensor_file.to_host(tensors))):
        held |= from_bytes(data)
    return held


def from_first(ranks: Ranks, value: Any) -> Any:
    """What rank 0 says, in JSON, on every rank."""
    return json.loads(ranks.everyone(json.dumps(value).encode() if ranks.is_first else b"")[0])


def everyones(ranks: Ranks, value: Mapping[str, Any]) -> dict[str, Any]:
    """Entries of all ranks, in JSON, on every rank."""
    parts = ranks.everyone(json.dumps(value).encode())
    return {name: entry for part in parts for name, entry in json.loads(part).items()}


def cassettes(ranks: Ranks, own: Mapping[str, Cassette]) -> dict[str, Cassette]:
    """The cassettes of all ranks by name, sorted, on every rank."""
    if ranks.size == 1:
        return dict(sorted(own.items()))
    arrays: dict[str, Tensor] = {}
    texts: dict[str, Any] = {}
    for name, cassette in own.items():
        held = {field.name: getattr(cassette, field.name) for field in fields(cassette)}
        arrays |= {f"{name}/{n}": torch.from_numpy(v) for n, v in held.items() if isinstance(v, np.ndarray)}
        texts[name] = {n: v for n, v in held.items() if not isinstance(v, np.ndarray)}
    return {name: Cassette(**held) for name, held in _with_arrays(ranks, arrays, texts).items()}


def operator_data(ranks: Ranks, own: Mapping[str, OperatorData]) -> dict[str, OperatorData]:
    """The data of all ranks by name, on every rank; its file is not known any more."""
    if ranks.size == 1:
        return dict(own)
    arrays: dict[str, Tensor] = {}
    texts: dict[str, Any] = {}
    for name, data in own.items():
        arrays |= {f"{name}/{n}": torch.from_numpy(np.ascontiguousarray(getattr(data, n))) for n in DATA}
        texts[name] = {"name": name, "period": data.period, "unit": data.unit}
    return {name: OperatorData(**held) for name, held in _with_arrays(ranks, arrays, texts).items()}


def _with_arrays(ranks: Ranks, arrays: Mapping[str, Tensor], texts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The entries of all ranks by name, sorted, with the arrays "name/member" in them."""
    tensors, known = everything(ranks, arrays), everyones(ranks, texts)
    for key, tensor in tensors.items():
        name, _, member = key.rpartition("/")
        known[name][member] = tensor.numpy()
    return dict(sorted(known.items()))

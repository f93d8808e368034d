"""Reading a finished run back: nothing in it is believed before it is checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from edgepde.errors import RunError
from edgepde.train import spec as text
from edgepde.train import tensor_file
from edgepde.train.layout import IDENTITY, LEDGER, REFERENCE, SPEC, WEIGHTS


@dataclass(frozen=True)
class FinishedRun:
    """A run that was read and checked: spec as written, weights on the CPU; reference and ledger where it has them."""

    path: Path
    spec: dict[str, Any]
    weights: dict[str, Tensor]
    reference: dict[str, Tensor] | None = None
    ledger: dict[str, Any] | None = None


def open_run(path: Path | str) -> FinishedRun:
    """Read the run in a folder.

    Raises RunError naming file and field: no run, an unfinished one (with the command that resumes it), a newer
    schema_version, a missing, truncated or altered file, shapes that disagree, weights that are not finite.
    """
    folder = Path(path)
    _refuse_unfinished(folder)
    spec = text.check(text.read_json(folder / SPEC), folder / SPEC)
    weights_file = folder / WEIGHTS
    weights = _tensors(weights_file, spec["tensors"])
    if _sha256(weights_file) != spec["weights_sha256"]:
        raise RunError(f"{weights_file}: altered: its sha256 is not weights_sha256 of {SPEC}")
    reference = _tensors(folder / REFERENCE, None) if (folder / REFERENCE).exists() else None
    ledger = text.read_json(folder / LEDGER) if (folder / LEDGER).exists() else None
    return FinishedRun(folder, spec, weights, reference, ledger)


def of_family(path: Path | str, family: str) -> tuple[FinishedRun, str, dict[str, Any]]:
    """The run of a family in a folder, its spec.json as messages name it, and what that says under the family's name.

    Raises what open_run() raises, RunError for a run of another family.
    """
    run = open_run(path)
    where = f"{run.path / SPEC}"
    if run.spec["family"] != family:
        raise RunError(f"{where}: family: expected {family!r}, got {run.spec['family']!r}")
    section = run.spec.get(family)
    if not isinstance(section, dict):
        raise RunError(f"{where}: {family}: expected an object, got {type(section).__name__}")
    return run, where, section


def _refuse_unfinished(folder: Path) -> None:
    if not folder.is_dir():
        raise RunError(f"{folder}: expected a run folder, there is none")
    if (folder / SPEC).exists():
        return
    if not (folder / IDENTITY).exists():
        raise RunError(f"{folder}: expected a run folder, it has no {SPEC}")
    kept = text.read_json(folder / IDENTITY)
    command = kept.get("command") if isinstance(kept, dict) else None
    how = f"`{command}`" if command else "the command that started it"
    raise RunError(f"{folder}: the training is not finished; {how} resumes it")


def _tensors(path: Path, expected: dict[str, Any] | None) -> dict[str, Tensor]:
    if not path.is_file():
        raise RunError(f"{path}: missing")
    tensors, _ = tensor_file.decode(path, expected)
    tensor_file.refuse_not_finite(str(path), tensors)
    return tensors


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Compression of a reduced model: the fewest basis functions and the smallest field table that stay under an error."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepde.certify.search import Worst
from edgepde.errors import CompressionError, RunError, TrainingError
from edgepde.problems.problem import Problem
from edgepde.s2gpt import store
from edgepde.s2gpt.assemble import SAFE_RATIO
from edgepde.s2gpt.candidates import candidates
from edgepde.s2gpt.errors import Sample, compression_error, sample_of
from edgepde.s2gpt.field_table import FieldTable, build_table
from edgepde.s2gpt.grid import Axis
from edgepde.s2gpt.reduced import ReducedModel
from edgepde.train import problem_source
from edgepde.train.finished_run import FinishedRun, open_run
from edgepde.train.progress import progress
from edgepde.train.run_folder import Run
from edgepde.train.threads import one_thread

Array = NDArray[np.float64]

MARGIN = 2.0
DEFAULT_ERROR = 2e-5


@dataclass(frozen=True)
class Small:
    """A compressed model: its own size, its table, and the largest |difference| to the reference that was found."""

    model: ReducedModel
    table: FieldTable
    worst: Worst

    @property
    def stated(self) -> float:
        """The compression term: what was found, times the margin for what was not sampled."""
        return MARGIN * self.worst.value


@dataclass(frozen=True)
class Loaded:
    """A run of this family: the full reference, and the compressed form where the run has one."""

    run: FinishedRun
    problem: Problem
    reference: ReducedModel
    axes: tuple[Axis, ...]
    small: tuple[ReducedModel, FieldTable] | None


def load(path: Path) -> Loaded:
    """Read a run, compressed or not; raises RunError naming file and field."""
    run = open_run(path)
    section = run.spec[store.FAMILY]
    problem = problem_source.load(run.spec["problem"], path)
    axes = store.load_axes(section["axes"])
    model = store.load_model(problem, run.weights, section, path)
    table = store.load_table(run.weights, section, path)
    if table is None or run.reference is None:
        return Loaded(run, problem, model, axes, None)
    reference = store.load_model(problem, run.reference, {**section, **section["reference"]}, path)
    return Loaded(run, problem, reference, axes, (model, table))


def truncation_error(reference: ReducedModel, size: int, sample: Sample) -> float:
    """max |reference - its first `size` functions| over the sample; infinite where a solve does not converge."""
    small = reference.truncated(size)
    points = sample.points[:: max(1, len(sample.points) // 600)]
    difference = np.abs(small.field(sample.parameters, points) - reference.field(sample.parameters, points))
    return float(np.where(np.isfinite(difference), difference, np.inf).max())


def smallest_size(reference: ReducedModel, sample: Sample, allowed: float) -> int:
    """The fewest functions whose truncation error stays within `allowed`; all of them if no fewer do."""
    for size in range(1, reference.size):
        if truncation_error(reference, size, sample) <= allowed:
            return size
    return reference.size


def compress_model(reference: ReducedModel, axes: tuple[Axis, ...], max_error: float, seed: int = 0) -> Small:
    """The smallest form whose stated compression error is at most `max_error`, in the field's unit, sup norm.

    Fewer functions leave less to the table: the error is split, and the result is measured as a whole.
    Raises CompressionError naming the error reached when even the full basis and the finest table miss it.
    """
    with one_thread():
        return _compress(reference, axes, max_error, seed)


def _compress(reference: ReducedModel, axes: tuple[Axis, ...], max_error: float, seed: int) -> Small:
    problem = reference.problem
    sample = sample_of(problem, axes, seed=seed)
    allowed = max_error / MARGIN
    size = smallest_size(reference, sample, 0.6 * allowed)
    share = 0.35 if size < reference.size else 0.8
    reached = np.inf
    for _ in range(4):
        model = reference.truncated(size)
        coefficients, _ = model.solve(candidates(problem, seed))
        try:
            table, _ = build_table(model.basis, coefficients, axes, share * allowed, seed)
        except TrainingError as error:
            raise CompressionError(f"an error of {max_error:g} cannot be reached: {error}") from error
        small = Small(model, table, compression_error(reference, model, table, sample))
        if small.stated <= max_error:
            return small
        reached = min(reached, small.stated)
        size, share = min(size + 1, reference.size), 0.7 * share
    told = f"an error of {max_error:g} cannot be reached; the smallest stated was {reached:g}"
    raise CompressionError(told + _unsolved(reference, sample))


def _unsolved(reference: ReducedModel, sample: Sample) -> str:
    """Which of the sample's parameters the full basis does not solve, and what helps."""
    _, converged = reference.solve(sample.parameters)
    if converged.all():
        return ""
    failed = sample.parameters[~converged]
    shown = ", ".join(f"{n} = {v:.4g}" for n, v in zip(reference.problem.parameters.names, failed[0], strict=True))
    return (
        f": {len(failed)} of {len(sample.parameters)} parameters do not converge, {shown} among them; "
        "train with more snapshots or a narrower box"
    )


def small_of(loaded: Loaded, max_error: float = DEFAULT_ERROR) -> Small:
    """What is exported: the run's compressed form measured anew, or the full basis under a table of small error."""
    if loaded.small is None:
        return compress_model(loaded.reference, loaded.axes, min(max_error, DEFAULT_ERROR))
    model, table = loaded.small
    sample = sample_of(loaded.problem, loaded.axes)
    return Small(model, table, compression_error(loaded.reference, model, table, sample))


def ledger(loaded: Loaded, small: Small) -> dict[str, Any]:
    """Per part: the form chosen, its bytes, its true error, and why."""
    full, table = loaded.reference, small.table
    nodes = [len(f) for f in table.factors]
    ranks = [f.shape[1] for f in table.factors]
    dense = int(np.prod(nodes)) * small.model.size * 4
    networks = 4 * small.model.theta.numel()
    rows = 8 * (small.model.rows.basis.size + small.model.validation.basis.size)
    return {
        "error": {"value": small.worst.value, "stated": small.stated, "class": "measured", "norm": "sup"},
        "parts": [
            {
                "part": "basis",
                "form": f"{small.model.size} of {full.size} functions",
                "why": "the fewest whose difference to the full basis leaves room for the table",
            },
            {
                "part": "field",
                "form": f"Tucker, nodes {nodes}, ranks {ranks}, quintic interpolation",
                "bytes": 4 * table.numbers,
                "instead of": {"table without factors": dense, "the snapshot networks": networks},
                "why": "no network is evaluated on the device; those of the snapshots would be, at every point",
            },
            {
                "part": "collocation",
                "form": f"{len(small.model.rows.weights)} rows solved, {len(small.model.validation.weights)} checked",
                "bytes": rows,
                "why": _rows_why(loaded),
            },
        ],
        "provenance": {
            "problem": loaded.problem.name,
            "identity": loaded.run.spec["identity"],
            "versions": loaded.run.spec["versions"],
        },
    }


def _rows_why(loaded: Loaded) -> str:
    history = loaded.run.spec["history"]
    trials = history.get("row_trials", []) if isinstance(history, dict) else []
    if trials and trials[-1]["ratio"] is not None and trials[-1]["ratio"] <= SAFE_RATIO:
        return (
            f"the smallest set of the ladder whose worst indicator stays within {SAFE_RATIO:g} x the dense solution's"
        )
    return "no set tried was as good as the dense solution; this is the best of them"


def compress(path: Path, out: Path, max_error: float) -> tuple[Loaded, Small]:
    """Write the compressed run `out` of the run `path`; raises CompressionError, RunError."""
    loaded = load(path)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out}: expected nothing or an empty folder for the compressed run; give another --out")
    with progress(f"compressing {loaded.problem.name}"):
        small = compress_model(loaded.reference, loaded.axes, max_error)
    identity = {"compressed": str(path.name), "of": loaded.run.spec["identity"], "max_error": max_error}
    section = store.model_section(small.model, loaded.axes)
    extra = {"table_axes": list(small.table.axes), "reference": store.model_section(loaded.reference, loaded.axes)}
    carried = {key: loaded.run.spec[key] for key in ("family", "problem", "box", "units", "history")}
    with Run.start(out, identity) as run:
        run.finish(
            store.model_tensors(small.model) | store.table_tensors(small.table),
            {**carried, "architecture": f"{small.model.size} functions, Tucker", store.FAMILY: {**section, **extra}},
            reference=store.model_tensors(loaded.reference),
            ledger=ledger(loaded, small),
        )
    return loaded, small


def told(loaded: Loaded, small: Small) -> str:
    """What a compression cost and gained, in a line."""
    full = loaded.reference
    return (
        f"{small.model.size} of {full.size} functions, {sized(small) / 1024:.1f} KB on the device "
        f"(the snapshot networks alone: {8 * full.theta.numel() / 1024:.1f} KB); "
        f"|compressed - reference| <= {small.stated:.3g} {loaded.problem.unit}, measured"
    )


def sized(small: Small) -> int:
    """Bytes of what the device stores: table in float32, rows in float64."""
    model = small.model
    rows = sum(r.basis.size + r.points.size + r.weights.size for r in (model.rows, model.validation))
    return 4 * small.table.numbers + 8 * (rows + model.start_matrix.size)

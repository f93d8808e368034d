"""Why a bundle is made anew: the alarms of a state file of drift, and the inputs it saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from edgepde_runtime.bundle import Bundle
from edgepde_runtime.drift import Drift
from edgepde_runtime.driftstate import ABOVE, FAILED, OUTSIDE, State
from edgepde_runtime.evidence import shape_evidence, uniform_evidence
from edgepde_runtime.manifest import Manifest
from edgepde_runtime.watched import Figure, watched
from numpy.typing import NDArray

OUT_OF_BOX, RESIDUAL, INPUTS = "out of box", "residual", "inputs"
_RATES = {OUTSIDE: OUT_OF_BOX, FAILED: RESIDUAL, ABOVE: RESIDUAL}
Key: TypeAlias = tuple[str, str]
# Edges [K + 1] in the column's unit, and counts [K] between them.
Bins: TypeAlias = tuple[NDArray[np.float64], NDArray[np.int64]]


@dataclass(frozen=True)
class Because:
    """alarms: by kind, each in words. seen: ends of inputs, bins: recent ones in the box, by (input, column)."""

    where: str
    alarms: Mapping[str, str]
    seen: Mapping[Key, tuple[float, float]]
    bins: Mapping[Key, Bins]


def read(path: Path, bundle: Bundle) -> Because:
    """The state in a file; raises StateError where it is another bundle's, or naming the field that is wrong."""
    drift = Drift.read(path, bundle)
    state, columns = drift.state, watched(bundle.manifest, bundle.monitor).figures
    inputs = {figure.name for figure in columns}
    told: dict[str, list[str]] = {}
    for alarm in drift.alarms:
        kind = _RATES.get(alarm.statistic, INPUTS if alarm.statistic in inputs else RESIDUAL)
        told.setdefault(kind, []).append(f"{alarm.statistic}: {alarm.reason}")
    own = [(i, figure) for i, figure in enumerate(columns) if figure.how == "column"]
    moved = [state.settings.names.index(a.statistic) for a in drift.alarms if a.statistic in inputs]
    bins = _recent(state, bundle.manifest, own, moved) if moved else {}
    seen = {_key(bundle.manifest, f): _ends(bundle.manifest, f, state.ends[i]) for i, f in own if state.observations}
    return Because(str(path), {kind: "; ".join(reasons) for kind, reasons in told.items()}, seen, bins)


def _recent(state: State, manifest: Manifest, own: list[tuple[int, Figure]], moved: list[int]) -> dict[Key, Bins]:
    """The inputs of the window in which they differ most from the reference, by column; none without such a window."""
    edges = state.reference.edges
    if edges is None or not state.shapes.any():
        return {}
    logs = shape_evidence(state.reference.counts, state.shapes) if state.settings.commissioning else None
    logs = uniform_evidence(state.shapes) if logs is None else logs
    window = int(np.argmax(logs[:, moved].max(axis=1)))
    made = {}
    for i, figure in own:
        low, high = _hull(state.histograms[i])
        inner = np.clip(edges[i], low, high)
        scaled = np.concatenate([[low], inner, [high]])
        made[_key(manifest, figure)] = _placed(manifest, figure, scaled), state.shapes[window, i]
    return made


def _hull(histogram: NDArray[np.int64]) -> tuple[float, float]:
    """The ends of the bins of the box [K + 2] in which anything ever was, the whole box where nothing was."""
    inside = np.flatnonzero(histogram[1:-1])
    size = len(histogram) - 2
    return (inside[0] / size, (inside[-1] + 1) / size) if len(inside) else (0.0, 1.0)


def _ends(manifest: Manifest, figure: Figure, scaled: NDArray[np.float64]) -> tuple[float, float]:
    low, high = _placed(manifest, figure, scaled).tolist()
    return low, high


def _placed(manifest: Manifest, figure: Figure, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    column = next(s for s in manifest.inputs if s.name == figure.input).columns[figure.first]
    return np.asarray(column.low + scaled * (column.high - column.low))


def _key(manifest: Manifest, figure: Figure) -> Key:
    spec = next(s for s in manifest.inputs if s.name == figure.input)
    return figure.input, spec.columns[figure.first].name

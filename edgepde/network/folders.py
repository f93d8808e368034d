"""What compressing keeps in a run folder beside the network: points, and where affine maps are found as blocks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgepde.certify.network import Affine
from edgepde.compress.blocked import Placed
from edgepde.compress.compressing import Compressed
from edgepde.compress.geometry import Geometry
from edgepde.errors import RunError
from edgepde.network import store

SIDES = ("rows", "columns")
POINTS, BLOCKS = "points", "hmatrix"


def geometry_of(loaded: store.Loaded) -> Geometry:
    """The points of a run, as its spec names them; raises RunError naming what does not fit."""
    where = f"{loaded.run.path / 'spec.json'}: {store.FAMILY}.{POINTS}"
    named = _section(loaded).get(POINTS, {})
    if not isinstance(named, dict):
        raise RunError(f"{where}: expected an object with rows and columns, got {type(named).__name__}")
    found = {side: _points(loaded, named.get(side), f"{where}.{side}") for side in SIDES}
    return Geometry(found["rows"], found["columns"], str(loaded.run.path))


def previous_of(path: Path) -> Compressed:
    """A compressed run as compress() gave it; raises RunError naming what does not fit."""
    loaded = store.load(path)
    if loaded.reference is None or loaded.run.ledger is None:
        missing = "original" if loaded.reference is None else "ledger.json"
        raise RunError(f"--from {path}: expected a compressed run, it has no {missing}")
    ledger = {**loaded.run.ledger, "name": str(path)}
    return Compressed(loaded.module, loaded.reference, ledger, _placed(loaded))


def kept(made: Compressed) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors, entries of the spec's section) of what a compressed network has beside its own."""
    tensors: dict[str, Tensor] = {}
    section: dict[str, Any] = {}
    sides = {"rows": made.geometry.rows, "columns": made.geometry.columns}
    for side, points in sides.items():
        if points is not None:
            same = side == "columns" and sides["rows"] is not None and np.array_equal(points, sides["rows"])
            name = f"{POINTS}_{'rows' if same else side}"
            tensors[name] = torch.from_numpy(points.copy())
            section.setdefault(POINTS, {})[side] = name
    for place, placed in made.blocks.items():
        entry: dict[str, Any] = {"node": placed.node, "leaf": placed.leaf}
        for side in SIDES:
            entry[side] = f"{BLOCKS}{place}_{side}"
            tensors[entry[side]] = torch.from_numpy(getattr(placed, side).copy())
        section.setdefault(BLOCKS, {})[str(place)] = entry
    return tensors, section


def told_of_update(ledger: Mapping[str, Any]) -> list[str]:
    """What an update did, in lines for people."""
    update = ledger.get("update")
    if update is None:
        return []
    lines = [f"  from {update['from']}: {update['outcome']}, {update['seconds']:.3g} s"]
    for name, part in update["parts"].items():
        counts = (
            f"{part['changed']} of {part['kept'] + part['changed']} blocks changed ({part['reranked']} of other rank"
        )
        lines.append(
            f"    {name}: {counts}, {part['divided']} divided, {part['merged']} merged); "
            f"{part['made_bytes']} bytes new, {part['kept_bytes']} kept"
        )
    return lines


def _section(loaded: store.Loaded) -> dict[str, Any]:
    found = loaded.run.spec.get(store.FAMILY)
    return found if isinstance(found, dict) else {}


def _points(loaded: store.Loaded, name: Any, where: str) -> NDArray[np.float64] | None:
    if name is None:
        return None
    held = loaded.run.weights.get(name) if isinstance(name, str) else None
    if held is None or held.dim() != 2:
        raise RunError(f"{where}: expected the name of a tensor [n, k], got {name!r}")
    return np.asarray(held.double().numpy())


def _placed(loaded: store.Loaded) -> dict[int, Placed]:
    where = f"{loaded.run.path / 'spec.json'}: {store.FAMILY}.{BLOCKS}"
    stated = _section(loaded).get(BLOCKS, {})
    if not isinstance(stated, dict):
        raise RunError(f"{where}: expected an object, got {type(stated).__name__}")
    made = {}
    for place, entry in stated.items():
        try:
            orders = [loaded.run.weights[entry[side]] for side in SIDES]
            numbers = int(place), int(entry["node"]), int(entry["leaf"])
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{where}.{place}: expected node, leaf, rows and columns: {error}") from None
        for side, order in zip(SIDES, orders, strict=True):
            if order.dtype != torch.int64 or not torch.equal(order.sort().values, torch.arange(order.numel())):
                raise RunError(f"{where}.{place}.{side}: expected every index once")
        node = dict(enumerate(loaded.reference.nodes if loaded.reference is not None else ())).get(numbers[0])
        sizes = tuple(order.numel() for order in orders)
        if not isinstance(node, Affine) or tuple(node.weight.shape) != sizes:
            raise RunError(f"{where}.{place}: expected an affine map of the original, {sizes[0]} x {sizes[1]}")
        if not 0 <= numbers[1] < len(loaded.module.nodes) or numbers[2] < 1:
            raise RunError(f"{where}.{place}: expected a node of the network and a leaf size, got {numbers[1:]}")
        made[numbers[0]] = Placed(numbers[1], orders[0].numpy(), orders[1].numpy(), numbers[2])
    return made

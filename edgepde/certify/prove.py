"""The terms after `model`, proved: what separates a reference network from the code of the graph that ships."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from edgepde_runtime.box import Box
from numpy.typing import NDArray

from .engine import Bound, bound_difference
from .family import Family
from .network import Network
from .rounding import Arithmetic, RoundingBound, bound_rounding

SECONDS = 60.0
SHARE_OF_ROUNDING = 0.25
NEGLIGIBLE = 0.02
Array = NDArray[np.float64]
Tell = Callable[[str, float], None]


@dataclass(frozen=True)
class Rewritten:
    """The graph before and after convolutions were written in another way, before constants were stored in fewer bits.

    exact: both are the same function. Else kernels were merged, and each number of one was rounded so little that the
    layer's sum, of two terms or more in floating point, may be off by as much: with y = K x + b and a merged
    |K' - K| <= gamma_n |K'|, n the terms of a sum, the network before is one that computes `after` with such errors,
    so what bounds rounding in any order bounds |before - after|.
    """

    before: Network
    after: Network
    exact: bool


@dataclass(frozen=True)
class Lineage:
    """The networks in real arithmetic: the reference, the module that is exported, the graph with its stored constants.

    module is reference where nothing was compressed. dtype: the arithmetic of the graph, float32 or float64. rewritten:
    what lies between module and graph, where convolutions were written in another way.
    """

    reference: Network
    module: Network
    graph: Network
    dtype: str
    rewritten: Rewritten | None = None


@dataclass(frozen=True)
class Proof:
    """|reference - device| <= compression + quantisation + rounding + activation over a box, per output.

    compression is None where nothing was compressed; rounding: the C99 order of sums, any_order: every order.
    """

    compression: Bound | None
    quantisation: Bound
    rounding: RoundingBound
    any_order: RoundingBound

    @property
    def finished(self) -> bool:
        """Whether every search went as far as asked; the bounds hold in any case."""
        return self.quantisation.finished and (self.compression is None or self.compression.finished)

    @property
    def exact(self) -> bool:
        """Whether the worst inputs are known and need no search."""
        bounds = [self.quantisation] if self.compression is None else [self.compression, self.quantisation]
        return all(bound.how in ("linear", "equal") for bound in bounds)

    @property
    def suspects(self) -> Array:
        """Points [n, d] where the searches found the largest differences."""
        bounds = [self.quantisation] if self.compression is None else [self.compression, self.quantisation]
        return np.concatenate([b.points for b in bounds])


def prove(
    lineage: Lineage, box: Box | Family, seconds: float = SECONDS, tell: Tell | None = None, most: float | None = None
) -> Proof:
    """The four bounds over `box` or a family, which must hold every input that is meant (see `widened`, `rounded`).

    seconds: the time for all searches together. tell(what, worst bound / goal) is called as they go. most: what all
    terms may add up to; bounds that stop short of it only because they are close to the worst found go on.
    Raises InputError where the networks and the box do not fit each other.
    """
    share = SHARE_OF_ROUNDING * seconds
    orders = {order: _rounding(lineage, box, order, share / 2) for order in ("c99", "any")}
    least = orders["c99"].rounding + orders["c99"].activation
    spent = sum(made.seconds for made in orders.values())
    compression = None
    if lineage.module is not lineage.reference:
        left = max(0.5 * seconds, seconds - spent) * 0.8
        pair = lineage.reference, lineage.module
        compression = _difference(*pair, box, left, _room(most, least), None, _heard(tell, "compression"))
        least = least + compression.value
        spent += compression.seconds
    left = max(0.2 * seconds, seconds - spent)
    room, goal, heard = _room(most, least), _negligible(least), _heard(tell, "quantisation")
    quantisation = _stored(lineage, box, left, orders["any"], partial(_difference, room=room, goal=goal, heard=heard))
    return Proof(compression, quantisation, orders["c99"], orders["any"])


def _stored(
    lineage: Lineage, box: Box | Family, seconds: float, rounding: RoundingBound, difference: Callable[..., Bound]
) -> Bound:
    """sup |module - graph|, by way of the graphs before and after convolutions were written in another way."""
    between = lineage.rewritten
    if between is None:
        return difference(lineage.module, lineage.graph, box, seconds)
    first = difference(lineage.module, between.before, box, 0.5 * seconds)
    then = difference(between.after, lineage.graph, box, 0.5 * seconds)
    more = then.value
    if not between.exact:
        if then.how != "equal":
            how = Arithmetic("float64" if lineage.dtype == "float64" else "float32", "any")
            rounding = bound_rounding(between.after, box, how, seconds=0.25 * seconds)
        more = (more + rounding.rounding + rounding.activation) * (1.0 + 1e-12)
    larger = max(first, then, key=lambda bound: float(bound.found.max()))
    boxes = first.boxes + then.boxes + (0 if between.exact else rounding.boxes)
    worst = float(np.max(more))
    return replace(
        first,
        value=first.value + more,
        found=larger.found,
        points=larger.points,
        boxes=boxes,
        how=first.how if between.exact and then.how == "equal" else "apart",
        per_box=first.per_box + worst,
        finished=first.finished and then.finished,
    )


def _room(most: float | None, least: Array) -> float | None:
    """What is left of `most`, a little less for what is added in floating point."""
    return None if most is None else (most - float(least.max())) * (1.0 - 1e-9)


def _difference(
    f: Network,
    g: Network,
    box: Box | Family,
    seconds: float,
    room: float | None,
    goal: list[float] | None,
    heard: Callable[[float, int], None] | None,
) -> Bound:
    """sup |f - g|, near the worst found; nearer where only that keeps it above `room`."""
    made = bound_difference(f, g, box, target=goal, seconds=seconds, progress=heard)
    if room is None or not made.found.max() < room < made.value.max():
        return made
    left = max(0.5 * seconds, seconds - made.seconds)
    nearer = bound_difference(f, g, box, target=room, seconds=left, progress=heard)
    return nearer if nearer.value.max() < made.value.max() else made


def widened(box: Box, dtype: str) -> Box:
    """The box with every end moved outwards to a number of `dtype`: the device compares inputs in that type."""
    low, high = (np.asarray(side, dtype=np.float64) for side in (box.low, box.high))
    held_low, held_high = (side.astype(dtype).astype(np.float64) for side in (low, high))
    return Box(np.minimum(low, held_low).tolist(), np.maximum(high, held_high).tolist(), box.names, box.units)


def _rounding(lineage: Lineage, box: Box | Family, order: str, seconds: float) -> RoundingBound:
    how = Arithmetic("float64" if lineage.dtype == "float64" else "float32", "c99" if order == "c99" else "any")
    return bound_rounding(lineage.graph, box, how, seconds=seconds)


def _negligible(least: Array) -> list[float]:
    """A difference that does not matter beside what is already stated; engine.py wants numbers above 0."""
    return [NEGLIGIBLE * v if 0.0 < v < math.inf else 1e-300 for v in least.tolist()]


def _heard(tell: Tell | None, what: str) -> Callable[[float, int], None] | None:
    if tell is None:
        return None
    return lambda ratio, boxes: tell(f"{what}: {boxes} boxes", ratio)

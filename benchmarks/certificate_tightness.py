"""How close is the proved bound on what compression changed to the worst that a search finds, and how fast?

Tanh networks are trained here, compressed to a sup error of about 1e-3 by merging neurons, with and without fitting
them again, and bounded by our engine, a product of norms, intervals of the difference and CROWN on the twin network.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from _harness import OURS, Row, closing, on_one_thread, parser, publish, say
from edgepde_runtime.box import Box
from tightness import rivals
from tightness.compress import Layers, fitted, layers, merged_to, widths
from tightness.train import field, fit, plain, uniform

from edgepde.certify.align import aligned
from edgepde.certify.engine import Bound, bound_difference
from edgepde.certify.network import Network, mlp
from edgepde.certify.rounding import Arithmetic, bound_rounding

ERROR = 1e-3
GOAL = 1e-3
RATIO = 1.1
PATIENCE = 2.0
SEED_MERGE, SEED_FIT = 5, 7


@dataclass(frozen=True)
class Case:
    """sizes of the layers; train, refit: seconds; limit: seconds for the bound; start: sup error before refitting."""

    sizes: tuple[int, ...]
    train: float
    limit: float
    refit: float = 0.0
    start: float = ERROR

    @property
    def name(self) -> str:
        """Inputs, width, hidden layers, outputs."""
        hidden = self.sizes[1:-1]
        student = ", student" if self.refit else ""
        return f"{self.sizes[0]}-{hidden[0]}x{len(hidden)}-{self.sizes[-1]}{student}"


CASES = (
    Case((2, 64, 64, 64, 1), 150.0, 3.0),
    Case((3, 64, 64, 64, 64, 1), 240.0, 30.0),
    Case((2, 128, 128, 128, 128, 1), 240.0, 10.0, 60.0, 5e-3),
)
QUICK = (Case((2, 16, 16, 1), 4.0, 3.0), Case((2, 16, 16, 16, 1), 4.0, 3.0, 2.0, 3e-2))


def network(net: Layers) -> Network:
    """The tanh network of these layers."""
    return mlp([w for w, _ in net], [b for _, b in net], ["tanh"] * (len(net) - 1))


def compressed(case: Case, seed: int) -> tuple[Layers, Layers, float]:
    """A trained network, its compressed form, and the relative error of the first."""
    say(f"{case.name}: training for at most {case.train:g} s")
    module, d = plain(list(case.sizes), seed), case.sizes[0]
    error = fit(module, field, d, case.train, GOAL, seed)
    f = layers(module)
    g = merged_to(f, case.start, d, SEED_MERGE + seed)
    if case.refit:
        say(f"{case.name}: {widths(g)} neurons fitted again for {case.refit:g} s")
        g = fitted(f, g, d, case.refit, SEED_FIT + seed)
    return f, g, error


def ours(case: Case, f: Network, g: Network, box: Box, words: str) -> tuple[list[Row], Bound]:
    """Tightness and time of our bound; unlimited in time beyond the target, so that both are seen."""
    made = bound_difference(f, g, box, seconds=PATIENCE * case.limit)
    note = f"{made.how}, {made.boxes} boxes, bound {made.value[0]:.4g}, found {made.found[0]:.4g}; {words}"
    return [
        Row(f"{case.name}: bound / found", OURS, "", float(made.tightness[0]), RATIO * (1.0 + 1e-9), note=note),
        Row(f"{case.name}: time", OURS, "s", made.seconds, case.limit, note="search for the worst included"),
    ], made


def others(case: Case, f: Network, g: Network, box: Box, found: float) -> list[Row]:
    """The rivals on networks of one structure, with the seconds that ours may take."""
    rows = []
    points = uniform(2048, box.dimension, 0)
    twin = aligned(f, g, points)
    if twin is not None:
        value = rivals.norm_product(f, twin, box)
        rows.append(Row(f"{case.name}: bound / found", "norm product", "", value / found))
        rows.append(_rival(case, "interval", rivals.interval(f, twin), box, found))
    rows.append(_rival(case, "CROWN on the twin", rivals.crown(f, g), box, found))
    return rows


def _rival(case: Case, name: str, bound: rivals.Bounding, box: Box, found: float) -> Row:
    say(f"{case.name}: {name}")
    first, _, _ = rivals.split(bound, box, 0.0, math.inf)
    value, boxes, seconds = rivals.split(bound, box, case.limit, RATIO * found)
    note = f"{boxes} boxes in {seconds:.3g} s; the whole box at once {first / found:.3g}"
    return Row(f"{case.name}: bound / found", name, "", value / found, note=note)


def rounding(case: Case, net: Layers, box: Box) -> list[Row]:
    """The rounding bound of the float32 network in the C99 order and any, beside what float32 in torch shows."""
    stored = [tuple(v.astype(np.float32).astype(np.float64) for v in layer) for layer in net]
    g = network([(w, b) for w, b in stored])
    x = uniform(20000, box.dimension, 3).float()
    shown = float((g(x).double() - g(x.double())).abs().max())
    rows = [Row(f"{case.name}: rounding", "measured", "1e-6", 1e6 * shown, note="float32 in torch, 20,000 points")]
    for order, target in (("c99", 50.0 if case.sizes == CASES[0].sizes else None), ("any", None)):
        made = bound_rounding(g, box, Arithmetic(order="c99" if order == "c99" else "any"), seconds=10.0)
        total = float(made.rounding[0] + made.activation[0])
        note = (
            f"{order} order; of that functions {1e6 * made.activation[0]:.3g}; {made.boxes} boxes, {made.seconds:.3g} s"
        )
        rows.append(
            Row(
                f"{case.name}: rounding",
                OURS if order == "c99" else "any order",
                "1e-6",
                1e6 * total,
                target,
                note=note,
            )
        )
    return rows


def main() -> None:
    """Train, compress, bound, print."""
    args = parser(__doc__ or "").parse_args()
    on_one_thread()
    torch.set_num_threads(1)
    rows, remarks = [], []
    for case in QUICK if args.quick else CASES:
        began = time.monotonic()
        f_layers, g_layers, error = compressed(case, args.seed)
        f, g = network(f_layers), network(g_layers)
        box = Box([-1.0] * case.sizes[0], [1.0] * case.sizes[0])
        found, made = ours(case, f, g, box, f"kept {widths(g_layers)}")
        rows += found + others(case, f, g, box, float(made.found[0])) + rounding(case, f_layers, box)
        remarks.append(
            f"{case.name}: relative error of the network {error:.2g}; {time.monotonic() - began:.3g} s in all"
        )
    publish(args, rows, {"threads": 1}, remarks, closing(rows))


if __name__ == "__main__":
    main()

"""How close is the proved bound on what compression changed to the worst that a search finds, and how fast?

Tanh networks are trained here to a relative error of 1e-3, compressed to a sup error of about 1e-3 by merging neurons,
with and without fitting all weights again, and bounded by our engine, a product of norms, intervals of the difference
and CROWN on the twin network. The rounding bounds stand beside what the compiled C code and torch really do.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
from _harness import OURS, Row, closing, on_one_thread, parser, publish, say
from edgepde_runtime.box import Box
from tightness import rivals
from tightness.compress import Layers, fitted, merged_to, widths
from tightness.device import deviations, stored
from tightness.train import field, fit, plain, uniform

from edgepde.certify.align import aligned
from edgepde.certify.engine import Bound, bound_difference
from edgepde.certify.network import Network, mlp
from edgepde.certify.rounding import Arithmetic, bound_rounding

GOAL = 1e-3
RATIO = 1.1
PATIENCE = 8.0
ROUNDING_SECONDS = 40.0
SEED_MERGE, SEED_FIT, SEED_DEVICE = 5, 7, 3
FOLLOWED = 2e-4


@dataclass(frozen=True)
class Case:
    """sizes of the layers; train: seconds at most; limit: seconds for the bound, 0 where nothing is compressed.

    refit: seconds at most to fit all weights again; start: the sup error merged to; rounding: 1e-6 at most in C.
    """

    sizes: tuple[int, ...]
    train: float
    limit: float
    refit: float = 0.0
    start: float = 1e-3
    rounding: float | None = None

    @property
    def name(self) -> str:
        """Inputs, width, hidden layers, outputs."""
        hidden = self.sizes[1:-1]
        student = ", student" if self.refit else ""
        return f"{self.sizes[0]}-{hidden[0]}x{len(hidden)}-{self.sizes[-1]}{student}"


CASES = (
    Case((2, 64, 64, 64, 1), 120.0, 3.0, rounding=50.0),
    Case((3, 64, 64, 64, 64, 1), 240.0, 30.0),
    Case((2, 128, 128, 128, 128, 1), 120.0, 10.0, 60.0, 5e-3),
    Case((2, 256, 256, 256, 1), 120.0, 0.0, rounding=300.0),
)
QUICK = (Case((2, 40, 40, 40, 1), 30.0, 3.0), Case((2, 40, 40, 40, 1), 30.0, 3.0, 10.0, 5e-3))


def network(net: Layers) -> Network:
    """The tanh network of these layers."""
    return mlp([w for w, _ in net], [b for _, b in net], ["tanh"] * (len(net) - 1))


def trained(case: Case, seed: int) -> tuple[Layers, Row]:
    """A network and its relative error."""
    say(f"{case.name}: training for at most {case.train:g} s")
    began = time.monotonic()
    net, error = fit(plain(list(case.sizes), seed), field, case.sizes[0], case.train, GOAL, seed)
    note = f"{time.monotonic() - began:.3g} s of training"
    return net, Row(f"{case.name}: relative error", "the network", "1e-3", 1e3 * error, 1e3 * GOAL, note=note)


def compressed(case: Case, net: Layers, seed: int) -> tuple[Layers, str]:
    """Its compressed form and what was done."""
    d = case.sizes[0]
    small = merged_to(net, case.start, d, SEED_MERGE + seed)
    words = f"kept {widths(small)}"
    if case.refit:
        say(f"{case.name}: {widths(small)} neurons fitted again for at most {case.refit:g} s")
        small, error = fitted(net, small, d, case.refit, FOLLOWED, SEED_FIT + seed)
        words += f", fitted again to {error:.2g}"
    return small, words


def ours(case: Case, f: Network, g: Network, box: Box, words: str) -> tuple[list[Row], Bound]:
    """Tightness and processor time of our bound, which may take longer than its target, so that both are seen."""
    began = time.process_time()
    made = bound_difference(f, g, box, seconds=PATIENCE * case.limit)
    spent = time.process_time() - began
    note = f"{made.how}, {made.boxes} boxes, bound {made.value[0]:.4g}, found {made.found[0]:.4g}; {words}"
    clock = f"search for the worst included; {made.seconds:.3g} s by the clock"
    return [
        Row(f"{case.name}: bound / found", OURS, "", float(made.tightness[0]), RATIO * (1.0 + 1e-9), note=note),
        Row(f"{case.name}: time", OURS, "s of one core", spent, case.limit, note=clock),
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
    """The rounding bound of the float32 network in the C99 order and any, beside what the C code and torch show."""
    say(f"{case.name}: rounding")
    held = stored(net)
    g, shown = network(held), deviations(held, SEED_DEVICE)
    title, rows = f"{case.name}: rounding", []
    for name, order in ((OURS, "c99"), ("any order", "any")):
        made = bound_rounding(g, box, Arithmetic(order="c99" if order == "c99" else "any"), seconds=ROUNDING_SECONDS)
        both = 1e6 * float(made.rounding[0] + made.activation[0])
        note = f"of that tanh {1e6 * made.activation[0]:.3g}; {made.boxes} boxes, {made.seconds:.3g} s"
        rows.append(Row(title, name, "1e-6", both, case.rounding if order == "c99" else None, note=note))
        who = "the C code, measured" if order == "c99" else "torch, measured"
        value = 1e6 * shown["c99" if order == "c99" else "torch"]
        rows.append(Row(title, who, "1e-6 measured", value, note="50,000 points"))
    return rows


def answered(case: Case, seed: int) -> tuple[list[Row], str]:
    """All rows of one network, and a remark."""
    began = time.monotonic()
    net, error = trained(case, seed)
    f, box = network(net), Box([-1.0] * case.sizes[0], [1.0] * case.sizes[0])
    rows = [error]
    if case.limit:
        small, words = compressed(case, net, seed)
        g = network(small)
        found, made = ours(case, f, g, box, words)
        rows += found + others(case, f, g, box, float(made.found[0]))
    rows += rounding(case, net, box)
    return rows, f"{case.name}: {time.monotonic() - began:.3g} s in all"


def main() -> None:
    """Train, compress, bound, print."""
    args = parser(__doc__ or "").parse_args()
    on_one_thread()
    torch.set_num_threads(1)
    made = [answered(case, args.seed) for case in (QUICK if args.quick else CASES)]
    rows = [row for some, _ in made for row in some]
    publish(args, rows, {"threads": 1}, [remark for _, remark in made], closing(rows))


if __name__ == "__main__":
    main()

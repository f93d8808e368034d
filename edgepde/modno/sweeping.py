"""What sharing costs and saves: errors, numbers and passes by what operators share and how large a basis is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import final

import numpy as np
import torch
from edgepde_runtime import render

from edgepde.train import atomic
from edgepde.train.layout import PICTURE, SWEEP
from edgepde.train.ranks import Alone
from edgepde.train.run_folder import Run
from edgepde.train.spec import plain, write_json
from edgepde.train.threads import one_thread

from .cases import Cases, cases, names
from .encoding import Encoding
from .figures import errors
from .making import Made
from .model import model_for
from .settings import Settings
from .sharing import ALL, DEPTHS, shared
from .training_run import common_encoding, tell_untested

SHARE, BASIS = SWEEPS = ("share", "basis")


@final
@dataclass(frozen=True)
class Point:
    """share: what operators have in common; basis: functions of an operator at most; errors: on validation cases.

    forward, backward: passes of cases through branch and trunks, all operators together.
    """

    share: str
    basis: int
    numbers: int
    forward: int
    backward: int
    errors: dict[str, float]

    @property
    def mean(self) -> float:
        """Of the errors of all operators."""
        return float(np.mean(list(self.errors.values())))

    @property
    def worst(self) -> str:
        """The operator with the largest error."""
        return max(self.errors, key=lambda name: self.errors[name])


def sweep(config: Settings, run: Run, device: torch.device, swept: Sequence[str]) -> str:
    """A point per depth and number of basis functions; sweep.json and sweep.png in the run's folder, a table in text.

    Points that are done are kept: the same command goes on where it was.
    """
    depths = DEPTHS if SHARE in swept else (ALL,)
    bases = config.bases if BASIS in swept else (max(config.bases),)
    wanted = names(config, run.data)
    with one_thread():
        drawn = [cases(name, config, run.data, run.seed) for name in wanted]
        tell_untested(drawn)
        encoding = common_encoding(drawn, Alone())
        points = [_point(config, drawn, encoding, depth, basis, run, device) for depth, basis in product(depths, bases)]
    document = {"schema_version": 1, "points": [asdict(point) for point in points]}
    atomic.write_file(run.path / SWEEP, write_json(plain(document, SWEEP, lenient=True)))
    draw(points, run.path / PICTURE)
    return f"{table(points)}\n\n{run.path / SWEEP}, {run.path / PICTURE}"


def table(points: Sequence[Point]) -> str:
    """A row per point."""
    header = ("shared", "basis", "mean error %", "worst %", "of", "numbers", "forward", "backward")
    rows = [
        (
            p.share,
            str(p.basis),
            f"{100.0 * p.mean:.3g}",
            f"{100.0 * p.errors[p.worst]:.3g}",
            p.worst,
            str(p.numbers),
            str(p.forward),
            str(p.backward),
        )
        for p in points
    ]
    said = "relative L2 error on validation cases; passes of cases through branch and trunks, all operators together"
    return f"{said}\n\n{render.table(rows, header, right=(1, 2, 3, 5, 6, 7))}"


def draw(points: Sequence[Point], path: Path) -> None:
    """Mean error over numbers, a line per depth."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.0, 4.5), layout="constrained")
    for depth in dict.fromkeys(p.share for p in points):
        line = [p for p in points if p.share == depth]
        axes.loglog([p.numbers for p in line], [100.0 * p.mean for p in line], "o-", label=f"shared: {depth}")
        for p in line:
            axes.annotate(str(p.basis), (p.numbers, 100.0 * p.mean), xytext=(4, 4), textcoords="offset points")
    axes.set(xlabel="numbers stored, all operators", ylabel="mean relative L2 error on validation cases, %")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _point(
    config: Settings, drawn: Sequence[Cases], encoding: Encoding, depth: str, basis: int, run: Run, device: torch.device
) -> Point:
    name = f"sweep-{DEPTHS.index(depth)}-{basis}"
    kept = run.restore(name)
    if kept is not None:
        return Point(**kept[1]["point"])
    how = replace(config, features=basis, rank=basis)
    made, numbers = shared(drawn, encoding, how, depth, run, device, f"{name}-part")
    found = {n: e for one in made for n, e in _errors(one, drawn).items()}
    in_order = {one.name: found[one.name] for one in drawn}
    point = Point(depth, basis, numbers, _passes(made, "forward"), _passes(made, "backward"), in_order)
    run.save(name, {"numbers": torch.tensor(numbers)}, {"point": asdict(point)})
    return point


def _passes(made: Sequence[Made], way: str) -> int:
    return sum(count for one in made for name, count in one.passes.items() if name.endswith(way))


def _errors(made: Made, drawn: Sequence[Cases]) -> dict[str, float]:
    model = model_for(made.encoding, made.branch, made.cassettes.values())
    return {
        one.name: errors(model, made.cassettes[one.name], one.validation).mean
        for one in drawn
        if one.name in made.cassettes
    }

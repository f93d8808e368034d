"""Which form derivatives of a network of points take: exact, or a stencil whose step balances bias and rounding.

Both are run on points of the box in the module's own arithmetic and held against the exact form in float64, or where
there is none against the float64 stencil that agrees best with its neighbours.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import UnsupportedModel
from numpy.typing import NDArray
from torch import Tensor, nn

from edgepde.network.signature import parameter_dtype, spelled

from ..names import Index, Sum
from .forward import Exact, Graphs
from .series import below
from .stencil import Stencil, Step, Steps

POINTS, HALVINGS, WIDER = 192, 12, (0, 1, 2)
# An error above this share of the largest value is of no use; the exact form wins unless it is so many times worse.
HOPELESS, WORSE = 0.1, 2.0
Array = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Chosen:
    """The form; errors: by factor, what it was off by on points of the box; words: what stands in the certificate."""

    of: Callable[[nn.Module], nn.Module]
    form: str
    words: str
    errors: Mapping[str, float]


@dataclass(frozen=True)
class _Tried:
    """Values [P, ..] of every factor in the module's arithmetic, and what they cost in passes of the network.

    doubt: by factor, what the values they are held against may be off by themselves.
    """

    of: Callable[[nn.Module], nn.Module]
    values: Sequence[Array]
    passes: int
    words: str
    doubt: Sequence[float] = ()


def chosen(module: nn.Module, box: Box, sums: Mapping[str, Sum], form: str, log: Callable[[str], None]) -> Chosen:
    """The form that errs least of those asked for: "auto" (both), "exact" or "stencil".

    Raises UnsupportedModel where none errs less than HOPELESS of the largest value, naming the derivative.
    """
    module = copy.deepcopy(module).cpu().eval()
    points = _points(box)
    graphs = Graphs()
    exact, why = _exact(module, box, sums, points, graphs)
    reference: Sequence[Array] | None = None
    if exact is not None:
        reference = _run(Exact(_wide(module), box.dimension, list(sums.values()), graphs), points, torch.float64)
    if form == "exact" and exact is None:
        raise UnsupportedModel(f"--derivative-form exact: {why}")
    tried = {} if exact is None or form == "stencil" else {"exact": exact}
    if form != "exact":
        stencil, far = _stencil(module, box, sums, points, reference, graphs)
        tried["stencil"] = stencil
        reference = far if reference is None else reference
    assert reference is not None
    errors = {name: _errors(one, reference) for name, one in tried.items()}
    largest = [float(np.abs(r).max()) for r in reference]
    shares = {name: _worst(found, largest) for name, found in errors.items()}
    best = min(shares, key=lambda name: shares[name])
    if "exact" in shares and shares["exact"] <= WORSE * shares[best]:
        best = "exact"
    _tell(log, tried, shares, best, why if exact is None else "")
    _check_of_use(dict(zip(sums, errors[best], strict=True)), largest, best, spelled(parameter_dtype(module)), why)
    return Chosen(tried[best].of, best, tried[best].words, dict(zip(sums, errors[best], strict=True)))


def _points(box: Box) -> Tensor:
    """Points of the box, the first ones moved to its faces."""
    x = box.sample(POINTS, np.random.default_rng(0))
    sides = np.array([box.low, box.high])
    for row in range(min(4 * box.dimension, POINTS)):
        x[row, row % box.dimension] = sides[row // box.dimension % 2, row % box.dimension]
    return torch.from_numpy(x)


def _exact(
    module: nn.Module, box: Box, sums: Mapping[str, Sum], points: Tensor, graphs: Graphs
) -> tuple[_Tried | None, str]:
    def of(inner: nn.Module) -> nn.Module:
        return Exact(inner, box.dimension, list(sums.values()))

    try:
        made = Exact(copy.deepcopy(module), box.dimension, list(sums.values()), graphs)
        values = _run(made, points, parameter_dtype(module))
    except UnsupportedModel as error:
        return None, str(error)
    asked = {orders for terms in sums.values() for _, orders in terms}
    passes = len({index for orders in asked for index in below(orders)})
    return _Tried(of, values, passes, "the derivative of the reference network itself, by Taylor series through it"), ""


def _stencil(
    module: nn.Module,
    box: Box,
    sums: Mapping[str, Sum],
    points: Tensor,
    reference: Sequence[Array] | None,
    graphs: Graphs,
) -> tuple[_Tried, Sequence[Array]]:
    """The best stencil per multi-index, and the reference it was held against where none was given."""
    dtype = parameter_dtype(module)
    asked = list(dict.fromkeys(orders for terms in sums.values() for _, orders in terms if any(orders)))
    steps: dict[Index, Mapping[int, Step]] = {}
    wide: dict[Index, Mapping[int, Step]] = {}
    doubt: dict[Index, float] = {}
    exact = None if reference is None else _parts(module, box, asked, points, graphs)
    for place, orders in enumerate(asked):
        options = candidates(orders, box)
        found = [_alone(_wide(module), box, orders, one, points, torch.float64) for one in options]
        near, doubt[orders] = _agreeing(found) if exact is None else (exact[place], 0.0)
        here = [_alone(copy.deepcopy(module), box, orders, one, points, dtype) for one in options]
        steps[orders] = options[int(np.argmin([_off(h, near) for h in here]))]
        wide[orders] = options[int(np.argmin([_off(f, near) for f in found]))]

    def of(inner: nn.Module, use: Steps = steps) -> nn.Module:
        return Stencil(inner, box, list(sums.values()), use)

    passes = 1 + sum(int(np.prod([s.nodes for s in parts.values()])) for parts in steps.values())
    told = "; ".join(_words(orders, parts, box) for orders, parts in steps.items())
    values = _run(of(copy.deepcopy(module)), points, dtype)
    far = reference if reference is not None else _run(of(_wide(module), wide), points, torch.float64)
    unsure = [sum(abs(c) * doubt.get(orders, 0.0) for c, orders in terms) for terms in sums.values()]
    return _Tried(
        of,
        values,
        passes,
        f"the reference network followed by stencils around the point, one-sided at edges ({told}), "
        "in exact arithmetic; their own error counts here",
        unsure,
    ), far


def candidates(orders: Index, box: Box) -> list[dict[int, Step]]:
    """Steps to try: the sides of the box halved again and again, some numbers of nodes."""
    columns = [i for i, k in enumerate(orders) if k]
    found = []
    for more, halving in itertools.product(WIDER, range(1, HALVINGS + 1)):
        made = {}
        for i in columns:
            half = (orders[i] + 1) // 2 + more
            made[i] = Step(half, (box.high[i] - box.low[i]) / (2.0 * half * 1.001) / 2.0 ** (halving - 1))
        found.append(made)
    return found


def _parts(module: nn.Module, box: Box, asked: Sequence[Index], points: Tensor, graphs: Graphs) -> list[Array]:
    made = Exact(_wide(module), box.dimension, [((1.0, orders),) for orders in asked], graphs)
    return list(_run(made, points, torch.float64))


def _alone(
    module: nn.Module, box: Box, orders: Index, steps: Mapping[int, Step], points: Tensor, dtype: torch.dtype
) -> Array:
    return _run(Stencil(module, box, [((1.0, orders),)], {orders: steps}), points, dtype)[0]


def _agreeing(found: Sequence[Array]) -> tuple[Array, float]:
    """Of stencils of ever smaller steps the one that differs least from the next, and by how much."""
    apart = [_off(found[i], found[i + 1]) if (i + 1) % HALVINGS else np.inf for i in range(len(found) - 1)]
    best = int(np.argmin(apart))
    return found[best], apart[best]


def _off(a: Array, b: Array) -> float:
    return float(np.abs(a - b).max())


def _errors(tried: _Tried, reference: Sequence[Array]) -> list[float]:
    doubt = tried.doubt or [0.0] * len(reference)
    return [_off(v, r) + d for v, r, d in zip(tried.values, reference, doubt, strict=True)]


def _worst(errors: Sequence[float], largest: Sequence[float]) -> float:
    """The largest error as a share of the largest value of its factor; of factors that are 0 it is none."""
    return max((e / most for e, most in zip(errors, largest, strict=True) if most > 0.0), default=0.0)


def _run(module: nn.Module, points: Tensor, dtype: torch.dtype) -> list[Array]:
    """The factors, without the value that comes first."""
    with torch.no_grad():
        made = module.to(dtype).eval()(points.to(dtype))
    return [np.asarray(part.double().numpy()) for part in made[1:]]


def _wide(module: nn.Module) -> nn.Module:
    return copy.deepcopy(module).double()


def _words(orders: Index, parts: Mapping[int, Step], box: Box) -> str:
    order = "".join(box.names[i] * k for i, k in enumerate(orders))
    sides = ", ".join(f"{s.nodes} nodes {s.h:.3g} apart in {box.names[i]}" for i, s in parts.items())
    return f"u_{order}: {sides}"


def _tell(
    log: Callable[[str], None], tried: Mapping[str, _Tried], shares: Mapping[str, float], best: str, why: str
) -> None:
    told = [f"{n} off by {100.0 * shares[n]:.2g} % in {one.passes} passes of the network" for n, one in tried.items()]
    reason = f" (no exact form: {why})" if why else ""
    log(f"derivatives: {'; '.join(told)}: {best}{reason}")


def _check_of_use(errors: Mapping[str, float], largest: Sequence[float], form: str, dtype: str, why: str) -> None:
    for (name, error), most in zip(errors.items(), largest, strict=True):
        if error <= HOPELESS * most:
            continue
        wider = ["a float64 module (module.double())"] if dtype == "float32" else []
        other = ["--derivative-form exact"] if form == "stencil" and not why else []
        smooth = f"; there is no exact form: {why}" if why else ""
        helps = " or ".join([*wider, *other]) or "a smoother network"
        raise UnsupportedModel(
            f"derivative {name}: in {dtype} the best {form} is off by {error:.3g}, {100 * error / most:.0f} % of its "
            f"largest value {most:.3g}, where rounding and bias are balanced; {helps} would help{smooth}"
        )

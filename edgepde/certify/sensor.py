"""What inputs known only to an accuracy cost: sup |f(x + delta) - f(x)| over the box and |delta_i| <= accuracy_i.

f after f is a difference of two networks of one structure whose vectors differ by F alone, F_x = delta. Therefore
(propagate.py) |f(x + delta) - f(x)| <= sum_i |a_i| accuracy_i + what the slopes leave open, a the adjoint of the input:
proved slopes, for any number of columns. That is first order in delta; where the accuracy is so coarse that a search
stays far below it, and columns are few, delta_i = accuracy_i s_i with s in [-1, 1] are inputs more of the network
(x, s) -> f(x + delta) and boxes are split in s as well.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from edgepde_runtime.manifest import SHOWN
from numpy.typing import NDArray
from torch import Tensor

from . import network as nw
from . import propagate
from .attack import Found, attack
from .bisect import Limits, cover
from .domain import Domain, constant
from .engine import (
    BOXES,
    CONFIRMED,
    MARGIN,
    SECONDS,
    Bound,
    batch,
    bound_difference,
    bound_of,
    influence,
    samples,
    telling,
)
from .expanding import expanded, wide
from .family import Family
from .linear import bound_sensitivity as bound_linear_sensitivity
from .linear import linear
from .network import Network
from .propagate import Begin, Enclosure
from .rules._enclosure import OUT, Taylor
from .wide import bound_sensitivity as bound_wide

FEW, ABOVE = 4, 1.03
EVERY = "*"
SAMPLES = 512
COLUMN = re.compile(r"\s*([^=,\s]+)\s*=\s*([^=,\s%]+)\s*(%?)\s*")


@dataclass(frozen=True)
class Accuracy:
    """How far a true input may be from the one given: |delta| <= value, or value |x| where relative; value >= 0."""

    value: float
    relative: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value >= 0.0):
            raise InputError(f"accuracy: expected a finite number >= 0, got {self.value}")

    def __str__(self) -> str:
        return f"{100.0 * self.value:.12g}%" if self.relative else f"{self.value:.12g}"


def told(accuracies: Mapping[str, Accuracy]) -> str:
    """In words; equal accuracies of many columns together."""
    if len(accuracies) > FEW and len(set(accuracies.values())) == 1:
        return f"{len(accuracies)} columns +- {next(iter(accuracies.values()))}"
    return ", ".join(f"{name} +- {accuracy}" for name, accuracy in accuracies.items())


def parse_accuracies(text: str, columns: Sequence[str]) -> dict[str, Accuracy]:
    """By column from `nu=1%,x=0.001`, `*` for every one: absolute in the column's unit, or per cent of the value given.

    Raises InputError naming the part that is no `column=number` or `column=number%`, or a column that there is not.
    """
    made: dict[str, Accuracy] = {}
    known = set(columns)
    for part in text.split(","):
        read = COLUMN.fullmatch(part)
        if read is None:
            raise InputError(f"input accuracy: expected column=number or column=number%, got {part.strip()!r}")
        name, number, percent = read.groups()
        if name not in known and name != EVERY:
            raise InputError(f"input accuracy: no column {name}; there are {', '.join(columns[:SHOWN])}")
        if name in made:
            raise InputError(f"input accuracy: column {name} expected once")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value > 0.0):
            raise InputError(f"input accuracy: column {name} expected a number > 0, got {number}{percent}")
        read_as = Accuracy(value / 100.0, True) if percent else Accuracy(value)
        made |= dict.fromkeys(columns, read_as) if name == EVERY else {name: read_as}
    return made


def bound_sensitivity(
    f: Network,
    box: Box | Family,
    accuracy: Mapping[str, Accuracy],
    *,
    seconds: float = SECONDS,
    boxes: int = BOXES,
    stop: Callable[[], bool] | None = None,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> Bound:
    """sup over x in the box and |delta_i| <= accuracy_i of |f(x + delta) - f(x)| per output; x + delta may leave it.

    Columns are called as in the box, x0, x1 .. in a family; those without an accuracy are exact. how: "slopes", or
    "split" where the boxes returned have a column more for every accuracy. points: the x at which the worst was found.
    Raises InputError where a column is not there or f does not fit the box.
    """
    began = time.monotonic()
    give = _Given.of(box, accuracy, device)
    if f.dimension != box.dimension:
        raise InputError(f"f: expected {box.dimension} inputs as in the box, got {f.dimension}")
    if linear(f):
        made = bound_linear_sensitivity(f, box, give.absolute, give.relative)
        return replace(made, seconds=time.monotonic() - began)
    if wide(f):
        most = partial(_largest, give)
        return replace(bound_wide(f, box, most, seconds=seconds, boxes=boxes, seed=seed), points=_middle(box))
    f, domain = expanded(f).to(device), Domain.of(box, device)
    found = _searched(f, domain, give, seed)
    domain = domain.for_networks(max(f.widths), influence(f, domain, seed))
    with torch.no_grad():
        found = _confirmed(f, found)
        least = _least(f, give, _places(found, domain, seed))
        limits = Limits(
            torch.maximum(MARGIN * found.value, ABOVE * least).clamp(min=1e-300),
            max(0.0, seconds - (time.monotonic() - began)),
            boxes,
            batch(f, domain.variables),
        )
        coarse = bool((ABOVE * least > MARGIN * found.value).any())
        if not coarse or isinstance(box, Family) or box.dimension + give.count > FEW:
            return _by_slopes(f, give, domain, found, limits, stop, began)
    pair = _moving(f, give, 1.0), _moving(f, give, 0.0)
    made = bound_difference(
        *pair, _longer(box, give.count), seconds=limits.seconds, boxes=boxes, stop=stop, device=device, seed=seed
    )
    if not made.proved:
        with torch.no_grad():
            other = _by_slopes(f, give, domain, found, limits, stop, began)
        if (other.value <= made.value).all():
            return other
    return replace(made, how="split", points=made.points[:, : box.dimension], seconds=time.monotonic() - began)


def _largest(give: _Given, at: Taylor) -> Tensor:
    """sup |delta| [B, d] over boxes."""
    return give.most((at.size + at.rest) * OUT) * OUT


def _middle(box: Box | Family) -> NDArray[np.float64]:
    mean = box.arrays()[0] if isinstance(box, Family) else (np.array(box.low) + np.array(box.high)) / 2.0
    return np.asarray(mean, dtype=np.float64)[None]


def _by_slopes(
    f: Network,
    give: _Given,
    domain: Domain,
    found: Found,
    limits: Limits,
    stop: Callable[[], bool] | None,
    began: float,
) -> Bound:
    def analyse(low: Tensor, high: Tensor) -> Enclosure:
        return domain.strained(_slopes(f, give, low, high, 1.0 / limits.threshold, domain.begin), low, high)

    made = cover(analyse, domain.low, domain.high, limits, telling(None, stop, limits.threshold))
    return bound_of(made, Found(found.value, found.points[:, 0]), None, "slopes", began)


@dataclass(frozen=True)
class _Given:
    """absolute, relative [d]: |delta_i| <= absolute_i + relative_i |x_i|, one of them 0."""

    absolute: Tensor
    relative: Tensor

    @staticmethod
    def of(box: Box | Family, accuracy: Mapping[str, Accuracy], device: torch.device | str) -> _Given:
        names = [f"x{i}" for i in range(box.dimension)] if isinstance(box, Family) else list(box.names)
        rows = np.zeros((2, len(names)))
        places = {name: place for place, name in enumerate(names)}
        for name, value in accuracy.items():
            if name not in places:
                raise InputError(f"input accuracy: no column {name}; there are {', '.join(names[:SHOWN])}")
            rows[int(value.relative), places[name]] = value.value
        absolute, relative = torch.tensor(rows, dtype=torch.float64, device=device)
        return _Given(absolute, relative)

    @property
    def columns(self) -> Tensor:
        """The columns that have an accuracy."""
        return ((self.absolute > 0.0) | (self.relative > 0.0)).nonzero()[:, 0]

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.columns)

    def most(self, size: Tensor) -> Tensor:
        """sup |delta| for |x| <= size."""
        return self.absolute + self.relative * size


def _slopes(f: Network, give: _Given, low: Tensor, high: Tensor, scale: Tensor, begin: Begin) -> Enclosure:
    first = begin(low, high)
    off = _largest(give, first)
    return propagate.moved(f, f, first, Taylor(torch.zeros_like(first.poly), off), scale)


def _searched(f: Network, domain: Domain, give: _Given, seed: int) -> Found:
    """The worst found; points [m, 2, d]: x and x + delta."""
    low, high = domain.search()
    n, columns = len(low), give.columns
    ones = torch.ones(len(columns), dtype=low.dtype, device=low.device)

    def both(c: Tensor) -> tuple[Tensor, Tensor]:
        x = domain.inputs(c[:, :n])
        delta = give.most(x.abs())[:, columns] * c[:, n:] * (1.0 - 1e-12)
        return x, x.index_add(1, columns, delta)

    def change(c: Tensor) -> Tensor:
        x, y = both(c)
        return f(y) - f(x)

    found = attack(change, torch.cat([low, -ones]), torch.cat([high, ones]), seed=seed, samples=samples(f))
    return Found(found.value, torch.stack(both(found.points), dim=1))


def _least(f: Network, give: _Given, x: Tensor) -> Tensor:
    """What slopes say at single points [N, d], which no splitting goes below."""
    ones = torch.ones(f.outputs, dtype=torch.float64, device=x.device)
    parts = [_slopes(f, give, some, some, ones, constant).rest for some in x.split(batch(f, 1))]
    return torch.cat(parts).amax(dim=0)


def _confirmed(f: Network, found: Found) -> Found:
    """What the change is at least at the pairs found."""
    ones = torch.ones(f.outputs, dtype=torch.float64, device=found.points.device)
    sides = []
    for place in range(2):
        parts = [propagate.one(f, x, x, ones, constant).low_high() for x in found.points[:, place].split(CONFIRMED)]
        sides.append([torch.cat(side).diagonal() for side in zip(*parts, strict=True)])
    (low, high), (low_off, high_off) = sides
    return Found(torch.maximum(low_off - high, low - high_off).clamp(min=0.0) * (1.0 - 1e-15), found.points)


def _places(found: Found, domain: Domain, seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    share = torch.rand(SAMPLES, len(domain.low), generator=draw, dtype=torch.float64).to(domain.low.device)
    return torch.cat([domain.inputs(domain.low + share * (domain.high - domain.low)), found.points[:, 0]])


def _moving(f: Network, give: _Given, amount: float) -> Network:
    """(x, s) -> f(x + amount delta), delta_i = absolute_i s_i or relative_i x_i s_i."""
    d, q = f.dimension, give.count
    eye = torch.eye(d, dtype=torch.float64, device=give.absolute.device)
    columns, none = give.columns, eye.new_zeros(d)
    pick, without = eye[:, columns], eye.new_zeros(d, q)
    proportional = (give.relative > 0.0).to(eye.dtype)
    nodes: list[nw.Node] = [
        nw.Input(d + q),
        nw.Affine((0,), torch.cat([eye, without], dim=1), none),
        nw.Affine((0,), torch.cat([0.0 * eye, amount * give.most(eye.new_ones(d))[:, None] * pick], dim=1), none),
        nw.Affine((1,), torch.diag(proportional), 1.0 - proportional),
        nw.Product((2, 3)),
        nw.Sum((1, 4)),
    ]
    for node in f.nodes[1:]:
        nodes.append(replace(node, sources=tuple(s + 5 for s in node.sources)))  # type: ignore[type-var]
    return Network(tuple(nodes))


def _longer(box: Box, more: int) -> Box:
    return Box([*box.low, *[-1.0] * more], [*box.high, *[1.0] * more])

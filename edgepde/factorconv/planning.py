"""What a search of ranks needs to know of a net: each layer at several ranks, and what that does."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, final

from edgepde_runtime.errors import InputError
from torch import nn

from .converting import KINDS, convert, put
from .layers import FactorConv
from .truncating import truncate

Rank = tuple[int, ...] | None


@final
@dataclass(frozen=True)
class Plan:
    """For every layer its candidates, None for the layer as it is, and the error each adds; `build` makes the net."""

    module: nn.Module
    names: tuple[str, ...]
    candidates: tuple[tuple[Rank, ...], ...]
    errors: tuple[tuple[float, ...], ...]
    layers: tuple[tuple[nn.Module | None, ...], ...]

    def build(self, ranks: Sequence[Rank]) -> nn.Module:
        """A copy of the net with one of the candidates for every layer."""
        made = copy.deepcopy(self.module)
        for name, candidates, layers, rank in zip(self.names, self.candidates, self.layers, ranks, strict=True):
            layer = layers[candidates.index(rank)]
            if layer is not None:
                made = put(made, name, made.get_submodule(name), copy.deepcopy(layer))
        return made


def plan(
    module: nn.Module,
    shares: Sequence[float],
    form: str = "shared",
    *,
    error: Callable[[nn.Module], float] | None = None,
    skip: Sequence[str] = (),
    seed: int = 0,
) -> Plan:
    """Candidates for torch's convolutions in a form, and for layers that are factors in their own, at shares of ranks.

    A share is of the form's full ranks, or of the ranks a layer has; candidates that hold no fewer numbers than the
    layer are left out. Errors are squares of the kernels' relative errors, or by how much `error(net)` grows where one
    layer alone is changed, at least 0. InputError where there is nothing to choose.
    """
    names, candidates, layers, losses = [], [], [], []
    for name, layer in module.named_modules():
        if any(fnmatchcase(name, pattern) for pattern in skip) or not _open(layer):
            continue
        held: dict[Rank, tuple[nn.Module | None, float]] = {None: (None, 0.0)}
        for share in shares:
            made, lost = _at(layer, float(share), form, seed)
            if _numbers(made) < _numbers(layer):
                held.setdefault(made.ranks, (made, lost**2))
        if len(held) > 1:
            names.append(name)
            candidates.append(tuple(held))
            layers.append(tuple(changed for changed, _ in held.values()))
            losses.append(tuple(lost for _, lost in held.values()))
    if not names:
        raise InputError("factorconv plan: expected a net with convolutions that fewer numbers can take the place of")
    found = Plan(module, tuple(names), tuple(candidates), tuple(losses), tuple(layers))
    return found if error is None else _measured(found, error)


def _measured(found: Plan, error: Callable[[nn.Module], float]) -> Plan:
    whole: list[Rank] = [None] * len(found.names)
    base = float(error(found.build(whole)))
    rows = []
    for place, row in enumerate(found.candidates):
        nets = (found.build([*whole[:place], rank, *whole[place + 1 :]]) for rank in row)
        rows.append(tuple(max(0.0, float(error(net)) - base) for net in nets))
    return Plan(found.module, found.names, found.candidates, tuple(rows), found.layers)


def _open(layer: nn.Module) -> bool:
    if isinstance(layer, FactorConv):
        return layer.form.name != "dense"
    one: Any = layer
    return type(layer) in KINDS and one.groups == 1 and any(k > 1 for k in one.kernel_size)


def _at(layer: nn.Module, share: float, form: str, seed: int) -> tuple[FactorConv, float]:
    if isinstance(layer, FactorConv):
        made, lost = truncate(layer, share, seed=seed)
    else:
        made, lost = convert(layer, form, share, seed=seed)
    return made, lost.relative


def _numbers(layer: nn.Module) -> int:
    return sum(p.numel() for p in layer.parameters(recurse=False))

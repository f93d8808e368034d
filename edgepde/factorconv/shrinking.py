"""Smaller forms of a simulator: lower ranks of factors, dense kernels as factors, fewer numbers of a decoder's core."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from edgepde.compress.ledger import Entry
from edgepde.errors import CompressionError

from .converting import convert
from .decoder import Decoder, DecoderModule
from .description import Convolutional, Description
from .layers import FactorConv
from .residual import KernelError
from .truncating import truncate

TOLERANCES = (0.5, 0.35, 0.25, 0.18, 0.12, 0.08, 0.05, 0.03, 0.02, 0.01, 5e-3, 2e-3, 1e-3, 3e-4, 1e-4)
FORMS = ("shared", "tucker2", "svd")
SHARES = (0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.92, 1.0)
METHODS = ("auto", "truncate", *FORMS, "decoder")
Measure = Callable[[nn.Module], float]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A smaller module in the type of the original, and which of its parameters may be taught.

    told(alone): what was done to its parts; alone(module) is the largest error that a module with one part changed
    makes.
    """

    method: str
    description: Description
    module: nn.Module
    told: Callable[[Measure], tuple[Entry, ...]]
    taught: tuple[str, ...] = ()

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        return sum(p.numel() for p in self.module.parameters())


def candidates(description: Description, module: nn.Module, points: Tensor, method: str) -> list[Candidate]:
    """What `method` makes of a simulator, the fewest numbers first; only what is smaller than the original."""
    made: list[Candidate] = []
    if isinstance(module, DecoderModule) and isinstance(description, Decoder):
        if method in ("auto", "decoder"):
            made += _decoders(description, module, points)
    elif isinstance(description, Convolutional):
        made += _convolutional(description, module, method)
    most = sum(p.numel() for p in module.parameters())
    kept: dict[int, Candidate] = {}
    for one in made:
        if one.numbers < most:
            kept.setdefault(one.numbers, one)
    return [kept[n] for n in sorted(kept)]


def _convolutional(how: Convolutional, module: nn.Module, method: str) -> Iterator[Candidate]:
    layers = {name: m for name, m in module.named_modules() if _is_kernel(m, how)}
    forms = ("truncate",) if how.form != "dense" else FORMS
    for way in forms:
        if method not in ("auto", way):
            continue
        for tolerance in TOLERANCES:
            found = _lowered(layers, way, tolerance)
            if found is not None:
                yield _candidate(how, module, way, found)


def _is_kernel(module: nn.Module, how: Convolutional) -> bool:
    if how.form != "dense":
        return isinstance(module, FactorConv)
    return isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d) and how.kernel > 1


def _lowered(layers: dict[str, Any], way: str, tolerance: float) -> dict[str, tuple[FactorConv, KernelError]] | None:
    """Every kernel within a tolerance of its norm; None where factors would hold more numbers than the kernel."""
    try:
        if way == "truncate":
            return {name: truncate(layer, tolerance=tolerance) for name, layer in layers.items()}
        return {name: convert(layer, way, tolerance=tolerance) for name, layer in layers.items()}
    except CompressionError:
        return None


def _candidate(
    how: Convolutional, module: nn.Module, way: str, found: dict[str, tuple[FactorConv, KernelError]]
) -> Candidate:
    ranks = tuple(layer.ranks for layer, _ in found.values())
    form = how.form if way == "truncate" else way

    def told(alone: Measure) -> tuple[Entry, ...]:
        entries = []
        for name, (layer, error) in found.items():
            old = module.get_submodule(name)
            most = f" of {list(old.ranks)}" if isinstance(old, FactorConv) else ""
            why = f"ranks {list(layer.ranks)}{most}: the kernel was off by {error.relative:.2g} of its norm"
            effect = alone(_replaced(module, {name: layer})) if error.absolute else 0.0
            entries.append(Entry(name, f"{form} convolution", _bytes(old), _bytes(layer), effect, why))
        return (*entries, _rest(module, entries))

    made = _replaced(module, {name: layer for name, (layer, _) in found.items()})
    taught = tuple(name for name, _ in made.named_parameters())
    return Candidate(way, replace(how, form=form, rank=None, ranks=ranks), made, told, taught)


def _replaced(module: nn.Module, layers: dict[str, FactorConv]) -> nn.Module:
    made = copy.deepcopy(module)
    for name, layer in layers.items():
        parent, _, last = name.rpartition(".")
        setattr(made.get_submodule(parent), last, copy.deepcopy(layer))
    return made.eval()


def _rest(module: nn.Module, entries: list[Entry]) -> Entry:
    left = _bytes(module) - sum(entry.bytes_before for entry in entries)
    return Entry("the rest", "as it was", left, left, 0.0, "not a kernel")


def _bytes(module: nn.Module) -> int:
    return sum(p.numel() * p.element_size() for p in module.parameters())


def _decoders(how: Decoder, module: DecoderModule, points: Tensor) -> Iterator[Candidate]:
    """Fewer positions, those of the largest numbers, and lower ranks, the best for inputs like `points`."""
    h, weight, bias = _features(module, points), _weight(module), module.core.bias.detach().double()
    most = how.rank or how.hidden[-1]
    numbers = h @ weight.T + bias
    order = numbers.abs().amax(0).argsort(descending=True, stable=True)
    for count in sorted({max(1, math.ceil(share * how.positions)) for share in SHARES}):
        kept = order[:count].sort().values
        some = weight[kept]
        middle = h.mean(0)
        right: Tensor = torch.linalg.svd((h - middle) @ some.T, full_matrices=False)[2]
        for rank in sorted({max(1, math.ceil(share * most)) for share in SHARES}):
            if rank > min(count, len(right)) or (rank == most and count == how.positions):
                continue
            if rank == most:
                yield _decoder(how, module, kept, None, how.rank)
                continue
            v = right[:rank].T
            shift = bias[kept] + (some - v @ (v.T @ some)) @ middle
            yield _decoder(how, module, kept, (v.T @ some, v, shift), rank)


def _weight(module: DecoderModule) -> Tensor:
    """The linear layer from the last waves to the core's numbers: [positions, H]."""
    core = module.core.weight.detach().double()
    return core @ module.mix.weight.detach().double() if isinstance(module.mix, nn.Linear) else core


def _features(module: DecoderModule, points: Tensor) -> Tensor:
    wide = copy.deepcopy(module).double()
    with torch.no_grad():
        h = wide.scaled(points)
        for layer in wide.waves:
            h = torch.sin(layer(h))
    return h


def _decoder(
    how: Decoder, module: DecoderModule, kept: Tensor, parts: tuple[Tensor, Tensor, Tensor] | None, rank: int
) -> Candidate:
    """The decoder with some positions of its core and another linear layer before them, or rows of its own."""
    place = module.get_buffer("place").reshape(how.axes[::-1])
    there = torch.isin(place, kept)
    used = [there.any(dim=tuple(j for j in range(3) if j != i)).nonzero().flatten() for i in range(3)][::-1]
    new = torch.full((how.positions + 1,), len(kept), dtype=place.dtype)
    new[kept] = torch.arange(len(kept))
    small = replace(how, rank=rank, positions=len(kept), axes=tuple(len(u) for u in used))
    made = DecoderModule(small)
    held = {n: t for n, t in module.state_dict().items() if not n.startswith(_CHANGED)}
    if parts is None:
        held |= {n: t for n, t in module.state_dict().items() if n.startswith("mix.")}
        held |= {"core.weight": module.core.weight[kept], "core.bias": module.core.bias[kept]}
    else:
        held |= dict(zip(("mix.weight", "core.weight", "core.bias"), parts, strict=True))
    held |= {name: getattr(module, name)[u] for name, u in zip(_AXES, used, strict=True)}
    held["place"] = new[place][used[2]][:, used[1]][:, :, used[0]].flatten()
    kind = module.time.dtype
    held = {n: (t.to(kind) if t.is_floating_point() else t).detach().clone().contiguous() for n, t in held.items()}
    made.to(kind).load_state_dict(held)
    made.eval()
    told = f"{len(kept)} of {how.positions} positions, rank {rank or how.hidden[-1]} of {how.rank or how.hidden[-1]}"
    axes = f"{list(small.axes)} of {list(how.axes)} modes"
    names = {"waves": "as it was", "core and mix": told, "axes": axes}
    sizes = [_sizes(one) for one in (module, made)]
    entries = tuple(Entry(name, form, sizes[0][name], sizes[1][name], None, told) for name, form in names.items())
    return Candidate("decoder", small, made, lambda _: entries)


_AXES = ("time", "row", "column")
_CHANGED = ("mix.", "core.", "time", "row", "column", "place")


def _sizes(module: DecoderModule) -> dict[str, int]:
    axes = [getattr(module, name) for name in _AXES]
    return {
        "waves": _bytes(module.waves),
        "core and mix": _bytes(module.mix) + _bytes(module.core),
        "axes": sum(p.numel() * p.element_size() for p in axes),
    }

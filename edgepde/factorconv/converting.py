"""Trained dense convolutions as factors, one by one or all of a net, each with its true error."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, final

import torch
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

from edgepde.compress.ledger import Entry, Ledger
from edgepde.errors import CompressionError

from . import layers
from .fitting import fitting
from .forms import form as form_of
from .forms._form import Form, Rank
from .geometry import Geometry, geometry
from .layers import FactorConv
from .norms import even_out
from .residual import KernelError, residual

PLAIN = {nn.Conv1d: layers.FactorConv1d, nn.Conv2d: layers.FactorConv2d, nn.Conv3d: layers.FactorConv3d}
TRANSPOSED = {
    nn.ConvTranspose1d: layers.FactorConvTranspose1d,
    nn.ConvTranspose2d: layers.FactorConvTranspose2d,
    nn.ConvTranspose3d: layers.FactorConvTranspose3d,
}
KINDS: dict[Any, Any] = {**PLAIN, **TRANSPOSED}


def convert(
    conv: nn.Module, form: str = "shared", rank: Rank = None, *, tolerance: float | None = None, seed: int = 0
) -> tuple[FactorConv, KernelError]:
    """The layer of a form nearest to torch's convolution, at a rank or the least one within a tolerance of |K|.

    The error is the true one, of the factors as they are stored. InputError for a module that is no convolution of one
    group or holds NaN, for a rank larger than the kernel, or both rank and tolerance; CompressionError where no rank
    keeps the tolerance.
    """
    where, kernel = of_torch(conv)
    weight: Any = conv.weight
    made = form_of(form)
    check_wish(rank, tolerance)
    fit = Fit(made, where, kernel, weight.dtype, seed)
    ranks = fit.within(tolerance) if tolerance is not None else made.tight(where, made.ranks(where, rank))
    held = fit.at(ranks)
    return _layer(conv, where, form, ranks, held), fit.error(held)


def of_torch(conv: nn.Module) -> tuple[Geometry, Tensor]:
    """Geometry and K [T, S, k_1..k_d] in float64 of torch's convolution."""
    if type(conv) not in KINDS:
        raise InputError(f"factorconv: expected torch's convolution of 1 to 3 axes, got {type(conv).__name__}")
    one: Any = conv
    if one.groups != 1:
        raise InputError(f"factorconv: groups: expected 1, got {one.groups}")
    kernel = one.weight.detach().double().cpu()
    if not kernel.isfinite().all():
        raise InputError("factorconv: weight: expected finite numbers, got NaN or infinity")
    back, axes = type(conv) in TRANSPOSED, kernel.dim() - 2
    sizes = (axes, one.in_channels, one.out_channels, one.kernel_size, one.stride, one.padding, one.dilation)
    where = geometry(*sizes, one.padding_mode)
    if back:
        where = replace(where, transposed=True, output_padding=tuple(one.output_padding))
    return where, kernel.transpose(0, 1) if back else kernel


def check_wish(rank: Rank, tolerance: float | None) -> None:
    """Raise InputError where both are given, or a tolerance is none."""
    if tolerance is not None and rank is not None:
        raise InputError(f"factorconv: expected a rank or a tolerance, got {rank!r} and {tolerance!r}")
    if tolerance is not None and not 0.0 <= tolerance < 1.0:
        raise InputError(f"factorconv: tolerance: expected a share of the kernel's norm below 1, got {tolerance!r}")


@final
class Fit:
    """Fits of one kernel at different ranks, as they are stored in a dtype."""

    def __init__(self, form: Form, where: Geometry, kernel: Tensor, dtype: torch.dtype, seed: int) -> None:
        self.form, self.where, self.kernel, self.dtype, self.seed = form, where, kernel, dtype, seed

    def at(self, ranks: Sequence[int]) -> dict[str, Tensor]:
        """Balanced factors."""
        made = fitting(self.form.name).fit(self.where, self.kernel, tuple(ranks), self.seed)
        return stored(self.form, self.where, made, self.dtype)

    def error(self, held: dict[str, Tensor], bounds: bool = True) -> KernelError:
        """The true one."""
        return residual(self.where, lambda a, b: self.kernel[a:b], rows(self.form, self.where, held), bounds)

    def within(self, tolerance: float) -> tuple[int, ...]:
        """The least ranks found that keep a tolerance."""
        known = getattr(fitting(self.form.name), "ranks_within", None)
        given = None if known is None else known(self.where, self.kernel, tolerance)
        return least_ranks(self.form, self.where, tolerance, given, lambda r: self.error(self.at(r), False).relative)


def stored(form: Form, where: Geometry, made: dict[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Factors of equal norms in the dtype of a layer."""
    held = {name: factor.clone() for name, factor in made.items()}
    even_out(form, where, held)
    return {name: factor.to(dtype).contiguous() for name, factor in held.items()}


def rows(form: Form, where: Geometry, factors: dict[str, Tensor]) -> Callable[[int, int], Tensor]:
    """K of outputs start .. stop - 1 in float64."""
    exact = {name: factor.detach().double().cpu() for name, factor in factors.items()}

    def some(start: int, stop: int) -> Tensor:
        return form.kernel(replace(where, outputs=stop - start), form.of_outputs(exact, start, stop))

    return some


def least_ranks(
    form: Form,
    where: Geometry,
    tolerance: float,
    given: tuple[int, ...] | None,
    error: Callable[[tuple[int, ...]], float],
) -> tuple[int, ...]:
    """Of the ranks given and the least number R for every rank, those of fewer numbers that keep the tolerance.

    Numbers are doubled until one keeps it, then halved between. CompressionError where no fewer numbers than K's do.
    """
    kept = [] if given is None or error(given) > tolerance else [given]
    most = max(form.limits(where))
    low, high, reached = 0, 1, error(form.ranks(where, 1))
    while reached > tolerance and high < most and form.numbers(where, form.ranks(where, high)) <= where.dense_numbers:
        low, high = high, min(2 * high, most)
        reached = error(form.ranks(where, high))
    while reached <= tolerance and high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if error(form.ranks(where, middle)) <= tolerance else (middle, high)
    if reached <= tolerance:
        kept.append(form.ranks(where, high))
    best = min(kept, key=lambda ranks: form.numbers(where, ranks), default=None)
    if best is None or form.numbers(where, best) > where.dense_numbers:
        ranks = best or form.ranks(where, high)
        raise CompressionError(
            f"factorconv {form.name}: a tolerance of {tolerance:g} takes more numbers than the kernel has: "
            f"{form.numbers(where, ranks)} of {where.dense_numbers} at ranks {list(ranks)}, where the error is "
            f"{error(ranks):.3g}"
        )
    return best


def _layer(conv: Any, where: Geometry, form: str, ranks: tuple[int, ...], held: dict[str, Tensor]) -> FactorConv:
    """A layer with these factors, of the same arguments as torch's."""
    more: dict[str, Any] = {"output_padding": where.output_padding} if where.transposed else {}
    made: FactorConv = KINDS[type(conv)](
        where.inputs, where.outputs, where.kernel, conv.stride, conv.padding, dilation=conv.dilation,
        bias=conv.bias is not None, padding_mode=conv.padding_mode, device=conv.weight.device,
        dtype=conv.weight.dtype, form=form, rank=ranks, **more,
    )  # fmt: skip
    with torch.no_grad():
        for name, factor in held.items():
            made.factors[name].copy_(factor)
        if made.bias is not None:
            made.bias.copy_(conv.bias)
    return made.train(conv.training)


def factorise(
    module: nn.Module,
    form: str = "shared",
    rank: Rank = None,
    *,
    tolerance: float | None = None,
    skip: Sequence[str] = (),
    seed: int = 0,
) -> tuple[nn.Module, Ledger]:
    """A copy of a net whose convolutions are factors, and what became of each; `skip` are names, * for any part.

    A layer stays dense where it has more than one group, where its kernel is one point, or where factors would hold no
    fewer numbers. InputError where the net has no convolution.
    """
    check_wish(rank, tolerance)
    made = copy.deepcopy(module)
    entries: list[Entry] = []
    largest = 0.0
    for name, conv in list(made.named_modules()):
        if type(conv) not in KINDS:
            continue
        taken, entry = _converted(name or type(conv).__name__, conv, form, rank, tolerance, skip, seed)
        entries.append(entry)
        largest = max(largest, entry.error or 0.0)
        if taken is not None:
            made = put(made, name, conv, taken)
    if not entries:
        raise InputError("factorconv: expected a net with torch's convolutions, got one without")
    error = {"largest relative error of a kernel": largest}
    return made, Ledger(tuple(entries), error)


def _converted(
    name: str, conv: Any, form: str, rank: Rank, tolerance: float | None, skip: Sequence[str], seed: int
) -> tuple[FactorConv | None, Entry]:
    before = _bytes(conv)

    def dense(why: str) -> tuple[None, Entry]:
        return None, Entry(name, "dense", before, before, None, why)

    if any(fnmatchcase(name, pattern) for pattern in skip):
        return dense("to be left as it is")
    if conv.groups != 1:
        return dense(f"{conv.groups} groups")
    if all(k == 1 for k in conv.kernel_size):
        return dense("a kernel of one point")
    where, asked = of_torch(conv)[0], form_of(form)
    if isinstance(rank, int) and rank > (most := max(asked.limits(where))):
        return dense(f"rank {rank} is above {most}, which every such kernel has")
    try:
        if tolerance is None:
            _gains(asked, where, asked.tight(where, asked.ranks(where, rank)))
        taken, error = convert(conv, form, rank, tolerance=tolerance, seed=seed)
        _gains(taken.form, where, taken.ranks)
    except CompressionError as failure:
        return dense(str(failure))
    why = f"ranks {list(taken.ranks)}; |K - K'| = {error.absolute:.3g}, outputs change by at most " + (
        f"{error.sup:.3g} max |x| and {error.spectral:.3g} |x|_2"
    )
    return taken, Entry(name, f"{form} {list(taken.ranks)}", before, _bytes(taken), error.relative, why)


def _gains(form: Form, where: Geometry, ranks: Sequence[int]) -> None:
    numbers = form.numbers(where, ranks)
    if numbers >= where.dense_numbers:
        raise CompressionError(f"{form.name} at ranks {list(ranks)} holds {numbers} numbers, K {where.dense_numbers}")


def _bytes(module: nn.Module) -> int:
    return sum(p.numel() * p.element_size() for p in module.parameters(recurse=False))


def put(root: nn.Module, name: str, old: nn.Module, new: nn.Module) -> nn.Module:
    """`new` wherever `old` stands."""
    if not name:
        return new
    for parent in root.modules():
        for key, child in list(parent._modules.items()):
            if child is old:
                setattr(parent, key, new)
    return root

"""Sizes of dimensions: products of numbers and of the graph's symbols, in the order in which a flat index runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from edgepde_runtime.errors import UnsupportedModel

Factor = int | str
Dim = tuple[Factor, ...]
"""Factors of a size, slowest first; numbers are > 1 or 0, neighbours that are numbers are merged; () is 1."""

Shape = tuple[Dim, ...]

_PRIMES = (1_000_003, 1_000_033, 1_000_037, 1_000_039)
LARGEST = 1_000_000


def dim(*factors: Factor) -> Dim:
    """A dimension from factors in order, in canonical form."""
    merged: list[Factor] = []
    for factor in factors:
        if factor == 1:
            continue
        if merged and isinstance(factor, int) and isinstance(merged[-1], int):
            merged[-1] = merged[-1] * factor
        else:
            merged.append(factor)
    return tuple(merged)


def numbers(factors: Iterable[Factor]) -> int:
    """The product of the numbers among factors."""
    return math.prod(f for f in factors if isinstance(f, int))


def features(shape: Shape) -> int:
    """Numbers in one row of every symbol."""
    return math.prod(numbers(d) for d in shape)


def symbols(shape: Shape) -> tuple[str, ...]:
    """The symbols of a shape in order."""
    return tuple(f for d in shape for f in d if isinstance(f, str))


def flat(shape: Shape) -> list[Factor]:
    """All factors of a shape in the order of a flat index."""
    return [f for d in shape for f in d]


def spelled(shape: Shape) -> str:
    """A shape in words."""
    return "[" + ", ".join(" * ".join(str(f) for f in d) or "1" for d in shape) + "]"


def stand_ins(names: Sequence[str]) -> dict[str, int]:
    """A large prime for every symbol, so that sizes computed from it can be read back; at most four symbols."""
    if len(names) > len(_PRIMES):
        raise UnsupportedModel(f"expected at most {len(_PRIMES)} free sizes, got {', '.join(names)}")
    return dict(zip(names, _PRIMES, strict=False))


def evaluate(shape: Shape, values: dict[str, int]) -> list[int]:
    """The shape with numbers for its symbols."""
    return [math.prod(values[f] if isinstance(f, str) else f for f in d) for d in shape]


def wanted(size: int, values: dict[str, int]) -> tuple[int, tuple[str, ...]]:
    """A number made of stand-ins, read back as (number, symbols in any order)."""
    found = []
    for name, prime in values.items():
        while size and size % prime == 0:
            size //= prime
            found.append(name)
    if not 0 <= size <= LARGEST:
        raise UnsupportedModel(
            f"expected a size that is a number times the free sizes, got one computed otherwise ({size})"
        )
    return size, tuple(sorted(found))


def regroup(shape: Shape, target: Sequence[int], values: dict[str, int]) -> Shape:
    """The same flat order cut into the sizes of `target`, numbers made of stand-ins; one may be -1.

    Raises UnsupportedModel where that cannot be done without knowing the symbols.
    """
    queue = flat(shape)
    before = target.index(-1) if -1 in target else len(target)
    try:
        head = [_take(queue, *wanted(size, values), last=False) for size in target[:before]]
        tail = [_take(queue, *wanted(size, values), last=True) for size in reversed(target[before + 1 :])]
    except UnsupportedModel as error:
        raise UnsupportedModel(f"{error}: {spelled(shape)} into {_read(target, values)}") from None
    middle = [dim(*queue)] if before < len(target) else []
    if before == len(target) and dim(*queue):
        raise UnsupportedModel(f"cannot cut {spelled(shape)} into {_read(target, values)}")
    return (*head, *middle, *reversed(tail))


def _read(target: Sequence[int], values: dict[str, int]) -> str:
    """Sizes of a reshape in words, stand-ins as the symbols they stand for."""
    found: list[Dim] = []
    for size in target:
        number, names = (size, ()) if size == -1 else wanted(size, values)
        found.append((*names, *((number,) if number != 1 or not names else ())))
    return spelled(tuple(found))


def _take(queue: list[Factor], number: int, names: tuple[str, ...], *, last: bool) -> Dim:
    """Removes factors with this product from one end of the queue."""
    taken: list[Factor] = []
    left, free = number, list(names)
    end = -1 if last else 0
    while left != 1 or free:
        if not queue:
            raise UnsupportedModel("a reshape mixes free sizes: rows would not stay apart")
        factor = queue[end]
        if isinstance(factor, str):
            if factor not in free:
                raise UnsupportedModel(f"a reshape mixes the free size {factor} with others: rows would not stay apart")
            free.remove(factor)
            queue.pop(end)
            taken.append(factor)
            continue
        common = math.gcd(factor, left) if left else factor
        if left == 1 or common not in (factor, left):
            raise UnsupportedModel("a reshape cuts a free size from its rows")
        queue[end] = factor // common if common else 0
        if queue[end] == 1 or not common:
            queue.pop(end)
        taken.append(common)
        left = left // common if common else 1
    return dim(*(reversed(taken) if last else taken))

"""Names of derivatives: "u", "u_x", "u_xxyy", and the sums "laplacian" and "biharmonic"."""

from __future__ import annotations

from collections.abc import Sequence

from edgepde_runtime.errors import InputError

TIME = "t"
HIGHEST = 8
Index = tuple[int, ...]
Sum = tuple[tuple[float, Index], ...]


def multi_index(name: str, letters: Sequence[str]) -> Index:
    """Orders along the axes: "u_xxy" -> (1, 2) for letters y, x. InputError for letters or orders there are not."""
    head, _, tail = name.partition("_") if isinstance(name, str) else ("", "", "")
    if head != "u" or (name != "u" and not tail):
        raise InputError(f"derivative: expected u, u_<axes>, laplacian or biharmonic, got {name!r}")
    unknown = sorted(set(tail) - set(letters))
    if unknown:
        raise InputError(f"derivative {name}: expected axes of {', '.join(letters)}, got {', '.join(unknown)}")
    orders = tuple(tail.count(letter) for letter in letters)
    if max(orders, default=0) > HIGHEST:
        raise InputError(f"derivative {name}: expected an order up to {HIGHEST} along an axis, got {max(orders)}")
    return orders


def combination(name: str, letters: Sequence[str]) -> Sum:
    """A name as a sum of (coefficient, orders); sums run over the axes of space, which are all but t.

    laplacian = sum_a u_aa, biharmonic = sum_ab u_aabb. InputError where there is no axis of space.
    """
    if name not in ("laplacian", "biharmonic"):
        return ((1.0, multi_index(name, letters)),)
    space = [letter for letter in letters if letter != TIME]
    if not space:
        raise InputError(f"derivative {name}: expected an axis of space, got {', '.join(letters)}")
    if name == "laplacian":
        return tuple((1.0, multi_index(f"u_{a}{a}", letters)) for a in space)
    pairs = [(a, b) for i, a in enumerate(space) for b in space[i:]]
    return tuple((1.0 if a == b else 2.0, multi_index(f"u_{a}{a}{b}{b}", letters)) for a, b in pairs)


def canonical(orders: Index, letters: Sequence[str]) -> str:
    """The name of a multi-index, letters in the order of the axes: (1, 2) of y, x -> "u_yxx"."""
    tail = "".join(letter * k for letter, k in zip(letters, orders, strict=True))
    return f"u_{tail}" if tail else "u"

"""A table of overlapping windows that is only looked up is not written down: the lookup reads what it was cut from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from .code import Axis, merged
from .operations import Copy, Operation, Take, Windows
from .value import Value


def read_in_place(operations: Iterable[Operation], outputs: Iterable[Value]) -> tuple[Operation, ...]:
    """The steps with such tables left out."""
    steps = list(operations)
    uses = Counter(store for op in steps for store in op.reads())
    kept = {v.store for v in outputs}
    found: dict[Operation, Operation] = {}
    gone: set[Operation] = set()
    for op in steps:
        if not isinstance(op, Take) or op.outer != 1:
            continue
        table = op.inputs[0].store
        makers = [m for m in steps if table in m.writes()]
        cuts = [m for m in makers if isinstance(m, Copy)]
        if not cuts or uses[table] != 1 or table in kept or len(cuts) != len(makers) or op.inputs[0].offset:
            continue
        windows = _windows(op, cuts)
        if windows is not None:
            found[op] = windows
            gone |= set(makers)
    return tuple(found.get(op, op) for op in steps if op not in gone)


def _windows(take: Take, cuts: list[Copy]) -> Operation | None:
    """The lookup in the source of all cuts; None where they are no windows of equal form at equal distance."""
    source = cuts[0].inputs[0]
    shapes = {tuple(merged(cut.axes)) for cut in cuts}
    cuts = sorted(cuts, key=lambda cut: cut.target)
    starts = [cut.inputs[0].offset + cut.source for cut in cuts]
    apart = {b - a for a, b in pairwise(starts)} or {1}
    same = len(shapes) == 1 and len({cut.inputs[0].store for cut in cuts}) == 1 and len(apart) == 1
    if not same or [cut.target for cut in cuts] != list(range(take.inner)) or source.varying or min(apart) < 1:
        return None
    axes = next(iter(shapes))
    if not _enumerates(axes, take):
        return None
    data = Value(source.store, source.shape, starts[0], apart=source.apart)
    strides = tuple((count, steps[0]) for count, steps in axes)
    return Windows(
        (data, take.inputs[1]), take.output, take.label, take.size, take.picks, take.inner, strides, apart.pop()
    )


def _enumerates(axes: tuple[Axis, ...], take: Take) -> bool:
    """Whether the loops run over the table's rows in order."""
    step = take.inner
    for count, (_, target) in reversed(axes):
        if target != step:
            return False
        step *= count
    return step == take.inner * take.size

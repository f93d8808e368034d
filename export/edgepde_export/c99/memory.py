"""Where values lie in scratch: those that are never alive together share memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from .operations import Operation
from .value import BYTES, Store, Value

# Rows of a tile: EP_TILE of the kernels, which the generated file asserts.
TILE, SINGLE = 16, 1
ALIGNMENT = 64
SLACK = 64
# Bytes of scratch per row above which rows run one by one: a tile of them would leave the caches.
WIDE = 64 * 1024
ATTEMPTS = 32


@dataclass(frozen=True)
class Plan:
    """Offsets of stores in bytes, and how many bytes in all, for tiles of `lanes` rows."""

    lanes: int
    offsets: Mapping[Store, int]
    bytes: int


@dataclass(frozen=True)
class Life:
    """The first and last step at which a store holds something."""

    first: int
    last: int


def lives(
    uniform: list[Operation], tiled: list[Operation], inputs: Iterable[Value], outputs: Iterable[Value]
) -> dict[Store, Life]:
    """Uniform steps run first, then the tile's, over and over: what a tile reads from before lives to the end."""
    found: dict[Store, Life] = {}
    order = [*uniform, *tiled]
    end, start = len(order), len(uniform)

    def touch(store: Store, when: int) -> None:
        life = found.get(store, Life(when, when))
        found[store] = Life(min(life.first, when), max(life.last, when))

    for when, op in enumerate(order):
        for store in sorted(op.reads() | op.writes(), key=lambda s: s.label):
            touch(store, when)
    for value in inputs:
        if value.varying:
            touch(value.store, start)
    for value in outputs:
        touch(value.store, end)
    return {
        store: Life(life.first, end) if life.first < start <= life.last else life
        for store, life in found.items()
        if store.kind == "scratch" or store.varying
    }


def plan(life: Mapping[Store, Life], lanes: int) -> Plan:
    """First fit, the largest first; then, while more is needed than lives at once, what ended highest first."""
    order = sorted(life, key=lambda s: (-size(s, lanes), life[s].first, life[s].last))
    best = _fitted(order, life, lanes)
    floor = least(life, lanes) + SLACK
    tried = best
    for _ in range(ATTEMPTS):
        if best.bytes <= floor:
            break
        ends = {store: begin + size(store, lanes) for store, begin in tried.offsets.items()}
        top = max(order, key=ends.__getitem__)
        order = [top, *(s for s in order if s is not top)]
        tried = _fitted(order, life, lanes)
        best = min(best, tried, key=lambda p: p.bytes)
    return best


def least(life: Mapping[Store, Life], lanes: int) -> int:
    """Bytes that are in use at once: no plan needs less."""
    changes: dict[int, int] = {}
    for store, span in life.items():
        changes[span.first] = changes.get(span.first, 0) + size(store, lanes)
        changes[span.last + 1] = changes.get(span.last + 1, 0) - size(store, lanes)
    return max(accumulate(changes[when] for when in sorted(changes)), default=0)


def _fitted(order: Sequence[Store], life: Mapping[Store, Life], lanes: int) -> Plan:
    """Each store at the lowest place that is free while it lives, a multiple of 64 bytes."""
    placed: list[tuple[Store, int, int]] = []
    for store in order:
        taken = sorted(
            (begin, end)
            for other, begin, end in placed
            if life[other].first <= life[store].last and life[store].first <= life[other].last
        )
        at, need = 0, size(store, lanes)
        for begin, end in taken:
            if begin - at >= need:
                break
            at = max(at, end)
        placed.append((store, at, at + need))
    total = max((end for _, _, end in placed), default=0)
    return Plan(lanes, {store: begin for store, begin, _ in placed}, total + SLACK)


def plans(life: Mapping[Store, Life]) -> tuple[Plan, Plan]:
    """For tiles and for single rows; the same plan twice where one row needs more than WIDE bytes."""
    tiled, single = plan(life, TILE), plan(life, SINGLE)
    return (tiled if tiled.bytes - single.bytes <= (TILE - SINGLE) * WIDE else single), single


def size(store: Store, lanes: int) -> int:
    """Bytes of a store, rounded up."""
    count = store.count * (lanes if store.varying else 1) * BYTES[store.code]
    return -(-max(count, 1) // ALIGNMENT) * ALIGNMENT

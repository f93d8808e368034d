"""Random networks on generated C: within their rounding bound, the same bits in any batch, memory never shared."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
from edgepde_export.c99.memory import Plan
from edgepde_export.c99.memory import size as size_of
from edgepde_export.c99.program import Part
from edgepde_export.c99.source import _plans
from edgepde_export.c99.value import Store
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.generated import Array, Generated, builds, part, same_bits
from support.kernel_libraries import needs_cc
from support.random_graphs import Net, nets

# Compiling is slow, and a failure names its network: no shrinking.
FEW = settings(
    max_examples=4, phases=(Phase.explicit, Phase.reuse, Phase.generate), suppress_health_check=list(HealthCheck)
)
MANY = settings(max_examples=60, suppress_health_check=list(HealthCheck))
ROWS = (1, 2, 9, 10, 16, 23, 37)


def inputs(net: Net, rows: int) -> dict[str, Array]:
    """Rows that depend on their number alone, some with zeros of both signs."""
    found = {}
    for k, (name, width) in enumerate(net.inputs.items()):
        x = np.stack([np.random.default_rng(100 * k + r).uniform(-1, 1, width) for r in range(rows)])
        x[2::7] = 0.0
        x[4::7] = -0.0
        found[name] = x.astype(np.float32).astype(net.dtype)
    return found


@needs_cc
@FEW
@given(st.lists(nets(), min_size=8, max_size=8))
def test_networks_keep_their_bounds_in_every_batch(drawn: list[Net]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        models = {str(i): net.encoded(net.dtype) for i, net in enumerate(drawn)}
        made = Generated(models, Path(folder), "-O1")
        for i, net in enumerate(drawn):
            keeps_its_bound(made, str(i), net)
            is_the_same_in_every_batch(made, str(i), net)


def keeps_its_bound(made: Generated, name: str, net: Net) -> None:
    given = inputs(net, ROWS[-1])
    found = made.on("scalar")[name](given)
    values, errors = net.exact(given)
    parties = 2 if net.dtype == "float64" else 1  # what it is compared with rounds as it does
    for output in net.outputs:
        wrong = np.abs(found[output] - values[output]) > parties * errors[output]
        assert not wrong.any(), f"{output}: {found[output][wrong][:4]} for {values[output][wrong][:4]} of {net.steps}"


def is_the_same_in_every_batch(made: Generated, name: str, net: Net) -> None:
    whole = inputs(net, ROWS[-1])
    alone = [made.on("scalar")[name]({n: x[r : r + 1] for n, x in whole.items()}) for r in range(ROWS[-1])]
    for isa, rows in itertools.product(builds(), ROWS):
        order = np.random.default_rng(rows).permutation(ROWS[-1])[:rows]
        found = made.on(isa)[name]({n: x[order] for n, x in whole.items()}, fill=0xFF)
        expected = {n: np.concatenate([alone[r][n] for r in order]) for n in net.outputs}
        assert same_bits(found, expected), f"{rows} rows on {isa}: {net.steps}"


@MANY
@given(nets())
def test_what_is_alive_together_never_shares_memory(net: Net) -> None:
    made = part(net.encoded(net.dtype), "probe")
    for plan in planned(made):
        replayed(made, plan)


def planned(made: Part) -> tuple[Plan, Plan]:
    """Both memory plans, as the generator makes them."""
    number = itertools.count()
    for op in made.operations:
        for store in sorted(op.reads() | op.writes(), key=lambda s: (s.kind, s.count)):
            store.label = store.label or f"v{next(number)}"
    return _plans(made)


def replayed(made: Part, plan: Plan) -> None:
    """Runs the steps on memory that knows which store wrote it last; every read must find its own."""
    owner: dict[int, Store] = {}

    def slots(store: Store) -> range:
        first = plan.offsets[store]
        end = first + size_of(store, plan.lanes)
        assert first % 64 == 0
        assert end <= plan.bytes - 64, "a layer may read one vector past its end"
        return range(first // 64, end // 64)

    def write(store: Store) -> None:
        if store in plan.offsets:
            owner.update(dict.fromkeys(slots(store), store))

    def check(store: Store) -> None:
        if store in plan.offsets:
            assert all(owner.get(slot) is store for slot in slots(store))

    entry = made.entry
    before = [op for op in made.operations if not op.varying]
    tile = [op for op in made.operations if op.varying]
    for _ in range(2):
        for op in before:
            step(op.reads(), op.writes(), write, check, plan)
        outer = [o.value.store for o in entry.outputs if entry.lane not in o.symbols]
        for store in outer:
            check(store)
        for _ in range(3):
            for given_ in entry.inputs:
                if given_.value.varying:
                    write(given_.value.store)
            for op in tile:
                step(op.reads(), op.writes(), write, check, plan)
            for output in entry.outputs:
                check(output.value.store)


def step(reads: set[Store], writes: set[Store], write: object, check: object, plan: Plan) -> None:
    """One operation: what it reads is there, and what it writes lies elsewhere."""
    assert callable(write)
    assert callable(check)
    written = {s for store in writes for s in spans(store, plan)}
    for store in reads:
        check(store)
        assert store in writes or not written & set(spans(store, plan))
    for store in writes:
        write(store)


def spans(store: Store, plan: Plan) -> range:
    """The bytes of a store, in units of 64; none for what lies elsewhere."""
    if store not in plan.offsets:
        return range(0)
    first = plan.offsets[store]
    return range(first // 64, (first + size_of(store, plan.lanes)) // 64)

"""`<model>.c`: kernels, constants, static functions and the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .block_product import BlockProduct
from .building import literal
from .driver import Driver
from .functions import Functions
from .memory import SINGLE, TILE, Plan, lives, plan, plans
from .operations import Solve
from .program import Part, Program
from .rules.gauss_newton_solve import scratch_doubles
from .value import BYTES, C_TYPES, Store

_ARM_SCALAR = ("arm_scalar_begin.h", "arm_scalar_end.h")


@dataclass(frozen=True)
class Source:
    """The text of the file, the kernel files it needs and the bytes it takes."""

    text: str
    kernels: tuple[str, ...]
    weights_bytes: int
    tiled_bytes: int
    single_bytes: int


def write(program: Program, banner: str) -> Source:
    """The whole file; the same for the same program."""
    _label(program)
    functions = Functions()
    constants, padded = _constants(program)
    bodies, plans = [], []
    for part in program.parts:
        tiled, single = _plans(part)
        plans.append((tiled, single))
        driver = Driver(program.name, part.entry, part.operations, program.ids, tiled, single, functions)
        bodies.append(driver.write())
        if part is program.parts[0]:
            bodies.append(driver.check())
    functions.kernel("box.h", *_ARM_SCALAR)
    head = [banner, _includes(functions, program), _names(program), _PLACES]
    head += [_array(label, store, padded.get(label)) for label, store in constants.items()]
    head += [_limits(program), *functions.definitions.values(), _asserts(program)]
    return Source(
        "\n".join([*head, *bodies, f'#include "kernels/{_ARM_SCALAR[1]}"\n']),
        tuple(functions.kernels),
        sum(s.count * BYTES[s.code] for s in constants.values()),
        max(p.bytes for p, _ in plans),
        max(p.bytes for _, p in plans),
    )


_PLACES = """#define EP_MOST ((size_t)PTRDIFF_MAX)
#if EP_VECTOR_BYTES
#define EP_AT(tiled, single) (tiled)
#define EP_PAD_f32 (EP_WIDTH_F32 - 1)
#define EP_PAD_f64 (EP_WIDTH_F64 - 1)
#define EP_ALIGNED __attribute__((aligned(64)))
#ifndef EP_FEW
#define EP_FEW 10 /* fewer rows than this run one by one */
#endif
#else
#define EP_AT(tiled, single) (single)
#define EP_PAD_f32 0
#define EP_PAD_f64 0
#define EP_ALIGNED
#endif
"""


def _includes(functions: Functions, program: Program) -> str:
    """Kernel files that are included once; those for one type or activation stand where they are used."""
    several = {
        text.split('"kernels/')[1].split('"')[0] for text in functions.definitions.values() if "#include" in text
    }
    names = sorted({*functions.kernels, "generic.h"} - several - {*_ARM_SCALAR})
    system = "#include <math.h>\n\n" if needs_math(program) else ""
    return system + "".join(f'#include "kernels/{name}"\n' for name in (_ARM_SCALAR[0], *names))


def _names(program: Program) -> str:
    """The API under names of one instruction set, where several are built."""
    functions = [f"{program.name}_check", *(f"{program.name}_{part.entry.name}" for part in program.parts)]
    renamed = "".join(f"#define {name} EP_JOIN({name}, EP_JOIN(_, EDGEPDE_ISA))\n" for name in functions)
    return f'#ifdef EDGEPDE_ISA\n{renamed}#endif\n#include "{program.name}.h"\n'


def _label(program: Program) -> None:
    """Names of stores in C."""
    for given in (i for part in program.parts for i in part.entry.inputs):
        name, store = program.ids[given.name], given.value.store
        store.label = "solved" if store.kind == "scratch" else f"tile_{name}" if store.varying else name
    number = 0
    for part in program.parts:
        for op in part.operations:
            for store in op.stores():
                if store.kind == "scratch" and not store.label:
                    store.label, number = f"v{number}", number + 1


def _constants(program: Program) -> tuple[dict[str, Store], dict[str, str]]:
    """Arrays by name, equal ones once, and of those that are read past their end up to a vector of which type."""
    found: dict[str, Store] = {}
    known: dict[tuple[str, bytes], str] = {}
    padded: dict[str, str] = {}
    for part in program.parts:
        stores = [s for op in part.operations for s in op.stores()] + [o.value.store for o in part.entry.outputs]
        for store in stores:
            if store.kind != "constant" or store.data is None or not store.count:
                continue
            key = (store.code, store.data.tobytes())
            store.label = known.setdefault(key, f"c{len(known)}")
            found.setdefault(store.label, store)
        for op in part.operations:
            padded |= {store.label: code for store, code in op.padded().items()}
    return found, padded


def _array(label: str, store: Store, padded: str | None) -> str:
    values = np.asarray(store.data).ravel()
    size = f"{store.count} + EP_PAD_{padded}" if padded else str(store.count)
    lines, line = [], "   "
    for value in values:
        text = f" {literal_in_array(value)},"
        if len(line) + len(text) > 120:
            lines.append(line)
            line = "   "
        line += text
    lines.append(line)
    aligned = " EP_ALIGNED" if padded else ""
    body = "\n".join(lines)
    return f"static const {C_TYPES[store.code]} {label}[{size}]{aligned} = {{\n{body}\n}};\n"


def literal_in_array(value: np.generic) -> str:
    """A number in a constant initialiser; a half as its bits."""
    if value.dtype == np.float16:
        return f"0x{int(value.view(np.uint16)):04x}"
    if value.dtype == np.int8:
        return str(int(value))
    if value.dtype.kind == "f" and np.isinf(value):
        return "-INFINITY" if float(value) < 0 else "INFINITY"
    return literal(value)


def _plans(part: Part) -> tuple[Plan, Plan]:
    before = [op for op in part.operations if not op.varying]
    inside = [op for op in part.operations if op.varying]
    given = {i.value.store for i in part.entry.inputs if not i.value.varying}
    inputs = [i.value for i in part.entry.inputs]
    life = lives(before, inside, inputs, [o.value for o in part.entry.outputs])
    life = {store: span for store, span in life.items() if store not in given}
    tiled, single = plans(life)
    if tiled.lanes > SINGLE:
        return tiled, single
    past_end = {store for op in part.operations for store in op.padded()}
    elsewhere = {o.value.store for o in part.entry.direct()} - past_end | _read_there(part)
    alone = plan({store: span for store, span in life.items() if store not in elsewhere}, SINGLE)
    return alone, alone


def _read_there(part: Part) -> set[Store]:
    """Inputs that steps may read where the caller has them, where rows run one by one."""
    written = {store for op in part.operations for store in op.writes()} | {o.value.store for o in part.entry.outputs}
    beyond = {store for op in part.operations if not op.reads_within() for store in op.reads()}
    return {i.value.store for i in part.entry.inputs if i.value.varying} - written - beyond


def _limits(program: Program) -> str:
    """The boxes of inputs, rounded to their own type as the runtime rounds them."""
    lines = []
    for given in program.parts[0].entry.inputs:
        kind, name = given.value.code, program.ids[given.name]
        if not given.box:
            continue
        number = np.float32 if kind == "f32" else np.float64
        for end, values in zip(("low", "high"), zip(*given.box, strict=True), strict=True):
            texts = ", ".join(literal(number(v)) for v in values)
            lines.append(f"static const {C_TYPES[kind]} {name}_{end}[{len(values)}] = {{{texts}}};\n")
    return "".join(lines)


def _asserts(program: Program) -> str:
    """That the kernels' own sizes are those that were planned with."""
    lines = [f"typedef char ep_tile_as_planned[EP_TILE == {TILE} ? 1 : -1];\n"]
    solvers = [op for op in program.parts[0].operations if isinstance(op, Solve)]
    for i, op in enumerate(solvers):
        sizes = ", ".join(str(n) for n in op.sizes)
        planned = scratch_doubles(*op.sizes) * 8
        lines.append(
            f"typedef char ep_scratch_{i}_as_planned[EP_GAUSS_NEWTON_SOLVE_SCRATCH({sizes}) <= {planned} ? 1 : -1];\n"
        )
    blocks = [op for part in program.parts for op in part.operations if isinstance(op, BlockProduct)]
    for i, product in enumerate(blocks):
        _, _, columns, _, ranks, entries, size = product.sizes
        fits = f"EP_BLOCKS_SCRATCH({ranks}, {columns}, {entries}, {size}) <= {product.scratch.count}"
        lines.append(f"typedef char ep_blocks_{i}_as_planned[{fits} ? 1 : -1];\n")
    return "".join(lines)


def needs_math(program: Program) -> bool:
    """Whether a constant is infinite."""
    stores: Sequence[Store] = [s for part in program.parts for op in part.operations for s in op.stores()]
    stores = [*stores, *(o.value.store for part in program.parts for o in part.entry.outputs)]
    known: Mapping[int, Store] = {id(s): s for s in stores if s.kind == "constant" and s.data is not None}
    return any(s.data is not None and s.data.dtype.kind == "f" and bool(np.isinf(s.data).any()) for s in known.values())

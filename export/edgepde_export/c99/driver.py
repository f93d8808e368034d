"""The C of one entry: steps that are the same for all rows of a tile, the tile, and the loops around them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from .code import Code, pointer
from .dims import flat, numbers
from .entry import Entry, Input, Output, after, product
from .functions import Functions
from .memory import SINGLE, Plan
from .operations import Operation
from .value import BYTES, C_TYPES, Store


def threshold(value: float, kind: str) -> str:
    """The largest number of the residual's type that is not above `value`, in C: r > value is r > that number."""
    if kind != "f32":
        return float(value).hex()
    with np.errstate(over="ignore"):
        limit = np.float32(value)
    limit = np.nextafter(limit, np.float32(-np.inf)) if float(limit) > value else limit
    return f"{float(limit).hex()}f"


@final
@dataclass
class Driver:
    """Writes the functions of one entry; `ids` are C names of symbols, inputs and outputs, `plans` where stores lie."""

    prefix: str
    entry: Entry
    operations: Sequence[Operation]
    ids: Mapping[str, str]
    tiled: Plan
    single: Plan
    functions: Functions

    def write(self) -> str:
        """All functions of the entry, static ones first."""
        parts = []
        before = [op for op in self.operations if not op.varying]
        inside = [op for op in self.operations if op.varying]
        if before:
            parts.append(self._before(before))
        if self.entry.lane is not None:
            parts.append(self._tile(inside))
        parts.append(self._rows())
        parts.append(self._run())
        return "\n".join(parts)

    def _name(self, part: str) -> str:
        return f"{self.entry.name}_{part}"

    def _places(self, code: Code, operations: Sequence[Operation], extra: Sequence[Store] = ()) -> None:
        """Pointers to the stores that a function uses."""
        used = dict.fromkeys(extra)
        for op in operations:
            used.update(dict.fromkeys(sorted(op.reads() | op.writes(), key=lambda s: s.label)))
        for store in used:
            if store in self.tiled.offsets and store.count:
                kind = C_TYPES[store.code]
                at = f"EP_AT({self.tiled.offsets[store]}, {self.single.offsets[store]})"
                code.line(f"{kind} *const {store.label} = ({kind} *)(void *)(s + {at});")

    def _inputs_read(self, operations: Sequence[Operation], outputs: Sequence[Output] = ()) -> list[Input]:
        read = {store for op in operations for store in op.reads()} | {o.value.store for o in outputs}
        return [i for i in self.entry.inputs if i.value.store in read and not i.value.varying]

    def _uniform_parameters(self, inputs: Sequence[Input]) -> list[str]:
        return [f"const {C_TYPES[i.value.code]} *{i.value.store.label}" for i in inputs]

    def _before(self, operations: Sequence[Operation]) -> str:
        code = Code()
        self._places(code, operations)
        for op in operations:
            op.write(code, self.functions)
        head = ", ".join([*self._uniform_parameters(self._inputs_read(operations)), "unsigned char *s"])
        return _function(f"static void {self._name('before')}({head})", code)

    def _lane_inputs(self) -> list[Input]:
        return [i for i in self.entry.inputs if i.value.varying]

    def _lane_outputs(self) -> list[Output]:
        return [o for o in self.entry.outputs if self.entry.lane in o.symbols]

    def _direct(self) -> list[Output]:
        """Outputs that lie in the caller's arrays while they are made."""
        return [o for o in self.entry.direct() if o.value.store not in self.tiled.offsets]

    def _tile_head(self, operations: Sequence[Operation]) -> list[str]:
        found = [
            "const size_t L",
            "size_t left",
            *self._uniform_parameters(self._inputs_read(operations, self._lane_outputs())),
        ]
        found += [f"const {C_TYPES[i.value.code]} *{self.ids[i.name]}" for i in self._lane_inputs()]
        found += [f"{C_TYPES[o.value.code]} *{self.ids[o.name]}" for o in self._lane_outputs()]
        return [*found, "unsigned char *s"]

    def _tile(self, operations: Sequence[Operation]) -> str:
        code = Code()
        inputs = [i.value.store for i in self._lane_inputs()]
        outputs = [o.value.store for o in self._lane_outputs()]
        self._places(code, operations, [*inputs, *outputs])
        for output in self._direct():
            code.line(f"{C_TYPES[output.value.code]} *const {output.value.store.label} = {self.ids[output.name]};")
        code.line("int flags = 0;")
        head = len(code.lines)
        for given in self._lane_inputs():
            store = given.value.store
            if store in self.tiled.offsets:
                self._load(code, given)
            else:
                code.line(f"const {C_TYPES[store.code]} *const {store.label} = {self.ids[given.name]};")
        for op in operations:
            op.write(code, self.functions)
        for output in self._lane_outputs():
            self._store(code, output)
        if any(re.search(r"\brows\b", line) for line in code.lines[head:]):
            code.lines.insert(head - 1, "    const size_t rows = left < L ? left : L;")
        code.line("return flags;")
        return _function(f"EP_INLINE int {self._name('tile')}({', '.join(self._tile_head(operations))})", code)

    def _load(self, code: Code, given: Input) -> None:
        """Rows of an input side by side; those past the end repeat the last."""
        label, name, columns = given.value.store.label, self.ids[given.name], given.columns
        code.line("for (size_t l = 0; l < L; l++)")
        code.line(
            f"    for (size_t c = 0; c < {columns}; c++) "
            f"{label}[c * L + l] = {name}[(l < rows ? l : rows - 1) * {columns} + c];"
        )

    def _store(self, code: Code, output: Output) -> None:
        """An output's rows to the caller; a row that is not finite becomes NaN and flag 2."""
        value, name = output.value, self.ids[output.name]
        place = pointer(value)
        count = value.count
        lane = "l" if value.varying else "0"
        run = f"{count} * L" if value.varying else str(count)
        step = "L" if value.varying else "1"
        if output in self._direct():
            pass
        elif count == 1 and value.varying:
            code.line(f"__builtin_memcpy({name}, {place}, rows * sizeof *{name});")
        else:
            code.line("for (size_t l = 0; l < rows; l++)")
            code.line(
                f"    for (size_t c = 0; c < {count}; c++) {name}[l * {count} + c] = ({place})[c * {step} + {lane}];"
            )
        if output.diagnostic:
            self._judge(code, output, f"{name}[l]", "rows")
            return
        code.line(f"if (!ep_finite_{value.code}({run}, {place})) flags |= EP_NOT_CONVERGED;")

    def _judge(self, code: Code, output: Output, element: str, rows: str) -> None:
        """Flags of a residual."""
        if output.threshold is None:
            return
        kind = output.value.code
        limit = threshold(output.threshold, kind)
        with code.block(f"for (size_t l = 0; l < {rows}; l++)"):
            code.line(f"const {C_TYPES[kind]} r = {element};")
            code.line(f"if (!ep_finite_{kind}(1, &r)) flags |= EP_NOT_CONVERGED;")
            code.line(f"else if (r > {limit} || r < -{limit}) flags |= EP_ABOVE_THRESHOLD;")

    def _rows(self) -> str:
        """One row of the outer symbol: the steps before the tiles, the tiles, and NaN for a row that failed."""
        entry, code = self.entry, Code()
        before = [op for op in self.operations if not op.varying]
        inside = [op for op in self.operations if op.varying]
        outer_only = [o for o in entry.outputs if entry.lane not in o.symbols]
        code.line("int flags = 0;")
        for given in entry.inputs:
            if given not in (*self._inputs_read(self.operations, entry.outputs), *self._lane_inputs()):
                code.line(f"(void){self.ids[given.name]};")
        self._places(code, [], [o.value.store for o in outer_only])
        if before:
            arguments = [self.ids[i.name] for i in self._inputs_read(before)]
            code.line(f"{self._name('before')}({', '.join([*arguments, 's'])});")
        for output in outer_only:
            value, name = output.value, self.ids[output.name]
            code.line(f"__builtin_memcpy({name}, {pointer(value)}, {value.count} * sizeof *{name});")
            if output.diagnostic:
                self._judge(code, output, f"{name}[l]", "1")
            else:
                code.line(f"if (!ep_finite_{value.code}({value.count}, {name})) flags |= EP_NOT_CONVERGED;")
        if entry.lane is not None:
            self._tiles(code, inside)
        if entry.outer is not None:
            with code.block("if (flags & EP_NOT_CONVERGED)"):
                for output in entry.outputs:
                    if not output.diagnostic and entry.outer in output.symbols:
                        size = product(output.factors[1:], self.ids) or "1"
                        code.line(f"ep_blank_{output.value.code}({size}, 1, {self.ids[output.name]});")
        code.line("return flags;")
        return _function(f"static int {self._name('rows')}({', '.join(self._rows_head())})", code)

    def _rows_head(self) -> list[str]:
        entry = self.entry
        found = [f"size_t {self.ids[entry.lane]}"] if entry.lane is not None else []
        found += [f"const {C_TYPES[i.value.code]} *{self.ids[i.name]}" for i in entry.inputs]
        found += [f"{C_TYPES[o.value.code]} *{self.ids[o.name]}" for o in entry.outputs]
        return [*found, "unsigned char *s"]

    def _tiles(self, code: Code, inside: Sequence[Operation]) -> None:
        entry = self.entry
        size = self.ids[entry.lane] if entry.lane is not None else "1"
        uniform = [self.ids[i.name] for i in self._inputs_read(inside, self._lane_outputs())]
        loop = f"for (size_t m = 0, n; m < {size}; m += n)"
        kept = entry.outer is None or any(o.diagnostic for o in self._lane_outputs())
        guard = "" if kept else "if (!(flags & EP_NOT_CONVERGED)) "
        with code.block(f"{guard}{loop}"):
            places = [f"{self.ids[i.name]} + m * {i.columns}" for i in self._lane_inputs()]
            outputs = [f"{self.ids[o.name]} + m * {o.value.count}" for o in self._lane_outputs()]
            rest = ", ".join([f"{size} - m", *uniform, *places, *outputs, "s"])
            name = self._name("tile")
            code.line("int found;")
            tile = self.tiled.lanes
            if tile > SINGLE:
                code.lines.append("#if EP_VECTOR_BYTES")
                code.line(f"n = {size} - m < EP_FEW ? 1 : {size} - m < {tile} ? {size} - m : {tile};")
                code.line(f"found = n == 1 ? {name}(1, {rest}) : {name}({tile}, {rest});")
                code.lines.append("#else")
            code.line("n = 1;")
            code.line(f"found = {name}(1, {rest});")
            if tile > SINGLE:
                code.lines.append("#endif")
            if entry.outer is None:
                self._blank_rows(code)
            code.line("flags |= found;")

    def _blank_rows(self, code: Code) -> None:
        """NaN in all answers of a row in which one is not finite, or whose residual is not."""
        answers = [o for o in self._lane_outputs() if not o.diagnostic]
        residuals = [o for o in self._lane_outputs() if o.threshold is not None]
        if not answers:
            return
        with code.block("if (found & EP_NOT_CONVERGED) for (size_t l = m; l < m + n; l++)"):
            tests = [
                f"ep_finite_{o.value.code}({o.value.count}, {self.ids[o.name]} + l * {o.value.count})"
                for o in [*answers, *residuals]
            ]
            code.line(f"if ({' && '.join(tests)}) continue;")
            for output in answers:
                count = output.value.count
                code.line(f"ep_blank_{output.value.code}({count}, 1, {self.ids[output.name]} + l * {count});")

    def _run(self) -> str:
        entry, code = self.entry, Code()
        for test in self._size_tests():
            code.line(f"if ({test}) return EP_BAD_SIZE;")
        code.line("unsigned char *const s = (unsigned char *)scratch;")
        code.line("int flags = 0;")
        self.boxes(code, {})
        arguments = [self.ids[entry.lane]] if entry.lane is not None else []
        for given in entry.inputs:
            moved = entry.outer is not None and given.rows == entry.outer
            arguments.append(f"{self.ids[given.name]} + b * {given.columns}" if moved else self.ids[given.name])
        for output in entry.outputs:
            moved = entry.outer is not None and output.symbols[0] == entry.outer
            step = after(output.factors, 0, self.ids)
            arguments.append(f"{self.ids[output.name]} + b * {step}" if moved and step else f"{self.ids[output.name]}")
        call = f"flags |= {self._name('rows')}({', '.join([*arguments, 's'])});"
        if entry.outer is not None:
            code.line(f"for (size_t b = 0; b < {self.ids[entry.outer]}; b++) {call}")
        else:
            code.line(call)
        code.line("return flags;")
        head = ", ".join(entry.parameters(self.ids))
        return _function(f"int {self.prefix}_{entry.name}({head})", code)

    def _size_tests(self) -> list[str]:
        """A size of 0, or one with which an array would be larger than memory can be: per product, its widest array."""
        found = [f"{self.ids[s]} == 0" for s in self.entry.symbols]
        arrays = [(flat(i.value.shape), BYTES[i.value.code]) for i in self.entry.inputs]
        arrays += [(o.factors, BYTES[o.value.code]) for o in self.entry.outputs]
        rows: dict[tuple[str, ...], int] = {}
        for factors, width in arrays:
            names = tuple(self.ids[f] for f in factors if isinstance(f, str))
            if names:
                rows[names] = max(rows.get(names, 0), width * numbers(factors))
        tests = [f"{names[-1]} > {' / '.join([f'EP_MOST / {row}', *names[:-1]])}" for names, row in rows.items()]
        return [*found, *tests]

    def boxes(self, code: Code, flags: Mapping[str, str]) -> None:
        """Every checked input against its box."""
        for given in self.entry.inputs:
            if not given.box:
                continue
            name, kind = self.ids[given.name], given.value.code
            with code.block(""):
                target = flags.get(given.name, "NULL")
                rows = self.ids[given.rows] if given.rows else "1"
                limits = f"{name}_low, {name}_high"
                code.line(f"const int found = ep_box_{kind}({rows}, {given.columns}, {name}, {limits}, {target});")
                code.line("if (found < 0) return found;")
                code.line("flags |= found;")

    def check(self) -> str:
        """`<model>_check`: flags per row without computing."""
        code = Code()
        for test in self._size_tests():
            code.line(f"if ({test}) return EP_BAD_SIZE;")
        code.line("int flags = 0;")
        names = {i.name: f"{self.ids[i.name]}_flags" for i in self.entry.inputs if i.box}
        self.boxes(code, names)
        code.line("return flags;")
        return _function(f"int {self.prefix}_check({', '.join(check_parameters(self.entry, self.ids))})", code)


def check_parameters(entry: Entry, ids: Mapping[str, str]) -> list[str]:
    """The C parameters of `<model>_check`."""
    checked = [i for i in entry.inputs if i.box]
    found = [f"size_t {ids[s]}" for s in entry.symbols]
    found += [f"const {C_TYPES[i.value.code]} *{ids[i.name]}" for i in checked]
    return [*found, *(f"int *{ids[i.name]}_flags" for i in checked)]


def _function(head: str, code: Code) -> str:
    return f"{head} {{\n" + "\n".join(code.lines) + "\n}\n"

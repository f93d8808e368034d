"""Steps of the generated program: each knows what it reads and writes and writes its own C."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from .code import Axis, Code, at, merged, pointer
from .dims import Shape, flat
from .functions import Functions, Steps
from .value import C_TYPES, Store, Value, operand_strides

INDICES = "ijkmnpqr"
NOTHING = {
    "f32": "ep_from_bits_f32(0x7fc00000u)",
    "f64": "ep_from_bits_f64(0x7ff8000000000000u)",
    "i64": "0",
    "i32": "0",
    "u8": "0",
}


@dataclass(eq=False)
class Operation(ABC):
    """One step; `label` names the node it came from."""

    inputs: tuple[Value, ...]
    output: Value
    label: str

    @abstractmethod
    def write(self, code: Code, functions: Functions) -> None:
        """Appends the C of this step."""

    @property
    def varying(self) -> bool:
        """Whether it runs once per tile of rows."""
        return self.output.varying

    def reads(self) -> set[Store]:
        """Stores it reads."""
        return {v.store for v in self.inputs}

    def writes(self) -> set[Store]:
        """Stores it writes."""
        return {self.output.store}

    def stores(self) -> list[Store]:
        """All stores it names, inputs first."""
        return [*(v.store for v in self.inputs), self.output.store]

    def padded(self) -> dict[Store, str]:
        """Constants that are read past their end, up to one vector of this type."""
        return {}

    def takes_halves(self) -> bool:
        """Whether weights may be stored in fewer bits."""
        return False

    def reads_within(self) -> bool:
        """Whether it reads nothing behind its operands, so that they may be the caller's arrays."""
        return False

    def takes_nothing(self) -> bool:
        """Whether an operand may have no elements."""
        return False


def axes_of(out: Shape, operands: list[Value]) -> list[Axis]:
    """Loops over one row of `out` with the strides of operands; the last is the output's own."""
    strides = [operand_strides(value, out) for value in operands]
    own: list[list[int]] = []
    step = 1
    for size in reversed(out):
        steps = []
        for number in reversed([f for f in size if isinstance(f, int)]):
            steps.append(step)
            step *= number
        own.append(steps[::-1])
    own = own[::-1]
    found: list[Axis] = []
    for axis, size in enumerate(out):
        counts = [f for f in size if isinstance(f, int)]
        for i, count in enumerate(counts):
            found.append((count, (*(s[axis][i] for s in strides), own[axis][i])))
    return merged(found)


def empty(shape: Shape) -> bool:
    """Whether a row has no elements."""
    return 0 in flat(shape)


@final
@dataclass(eq=False)
class Lanes(Operation):
    """y = steps on operands, element by element, in float lanes."""

    steps: Steps
    files: tuple[str, ...]

    def write(self, code: Code, functions: Functions) -> None:
        """A call of a map over the longest run, inside loops over the rest."""
        arity, kind = len(self.inputs), self.output.code
        name = functions.map(kind, arity, functions.lane(kind, arity, self.steps, self.files))
        values = [*self.inputs, self.output]
        axes = axes_of(self.output.shape, list(self.inputs)) or [(1, (0,) * arity + (1,))]
        outer, (count, steps) = axes[:-1], axes[-1]
        indices = [(INDICES[i], n) for i, (n, _) in enumerate(outer)]
        moved = [
            at(pointer(v), [(INDICES[i], s[k]) for i, (_, s) in enumerate(outer)], lanes=v.varying)
            for k, v in enumerate(values)
        ]
        with code.loops(indices):
            self._runs(code, name, count, steps, moved)

    def _runs(self, code: Code, name: str, count: int, steps: tuple[int, ...], places: list[str]) -> None:
        unit = all(step in (0, 1) for step in steps)
        if not self.varying:
            if unit:
                code.line(call(name, str(count), places, steps))
                return
            with code.loops([("e", count)]):
                code.line(
                    call(name, "1", [at(p, [("e", s)]) for p, s in zip(places, steps, strict=True)], (0,) * len(steps))
                )
            return
        varying = [v.varying for v in (*self.inputs, self.output)]
        if all(step == (1 if varies else 0) for step, varies in zip(steps, varying, strict=True)):
            run = "L" if count == 1 else f"{count} * L"
            code.line(call(name, run, places, tuple(int(v) for v in varying)))
            return
        moved = [at(p, [("e", s)], lanes=v) for p, s, v in zip(places, steps, varying, strict=True)]
        each = call(name, "L", moved, tuple(int(v) for v in varying))
        if count == 1:
            code.line(call(name, "L", places, tuple(int(v) for v in varying)))
        elif unit:
            code.line(f"if (L == 1) {call(name, str(count), places, steps)}")
            code.line(f"else for (size_t e = 0; e < {count}; e++) {each}")
        else:
            code.line(f"for (size_t e = 0; e < {count}; e++) {each}")


def call(name: str, count: str, places: list[str], steps: tuple[int, ...]) -> str:
    """A call of a map: count, then place and stride of every operand, then the output."""
    operands = "".join(f", {place}, {step}" for place, step in zip(places[:-1], steps[:-1], strict=True))
    return f"{name}({count}{operands}, {places[-1]});"


@final
@dataclass(eq=False)
class Scalars(Operation):
    """y = expression of operands, element by element, in plain C: integers, truth values, conversions, copies."""

    expression: str
    files: tuple[str, ...] = ()

    def write(self, code: Code, functions: Functions) -> None:
        """Loops over the row's axes and, innermost, the lanes."""
        functions.kernel(*self.files)
        values = [*self.inputs, self.output]
        axes = axes_of(self.output.shape, list(self.inputs))
        with code.loops([(INDICES[i], n) for i, (n, _) in enumerate(axes)]):
            elements = []
            for k, value in enumerate(values):
                steps = [(INDICES[i], s[k]) for i, (_, s) in enumerate(axes)]
                place = at(pointer(value), steps, lanes=value.varying)
                lane = "l" if value.varying else "0"
                elements.append(f"({place})[{lane}]" if "+" in place else f"{place}[{lane}]")
            head = "for (size_t l = 0; l < L; l++) " if self.varying else ""
            code.line(f"{head}{elements[-1]} = {self.expression.format(*elements[:-1])};")


@final
@dataclass(eq=False)
class Dense(Operation):
    """y[p, n] = act(bias[n] + sum_k x[p, k] w[k, n]) for rows p; weights are the same for all rows of a tile.

    Inputs are x, w and perhaps the bias; w may be stored as halves, or as bytes that `scale` [N] belongs to.
    """

    rows: int
    terms: int
    columns: int
    act: Steps = ()
    act_files: tuple[str, ...] = ()
    scale: Value | None = None

    def stores(self) -> list[Store]:
        """The scale too."""
        return [*super().stores(), *([self.scale.store] if self.scale else [])]

    def takes_halves(self) -> bool:
        """As halves or bytes."""
        return True

    def padded(self) -> dict[Store, str]:
        """Weights, scale and bias."""
        return {s: self.output.code for s in self.stores() if s not in (self.inputs[0].store, self.output.store)}

    def write(self, code: Code, functions: Functions) -> None:
        """One call per row p."""
        x, w, *bias = self.inputs
        kind = self.output.code
        act = functions.lane(kind, 1, self.act, self.act_files) if self.act else f"ep_same_{kind}"
        name = functions.dense(kind, act, w.code)
        start = pointer(bias[0]) if bias else "NULL"
        weights = f"{pointer(w)}, {self.columns}{f', {pointer(self.scale)}' if self.scale else ''}"
        indices = [("p", self.rows)] if self.rows > 1 else []
        k, n = self.terms, self.columns
        with code.loops(indices):
            source = at(pointer(x), [("p", k)] if indices else [], lanes=x.varying)
            target = at(pointer(self.output), [("p", n)] if indices else [], lanes=self.varying)
            rest = f"{k}, {n}, {source}, {weights}, {start}, {target}"
            code.row_or_lanes(f"{name}_row({rest})", f"{name}_lanes({rest})", varying=self.varying)


@final
@dataclass(eq=False)
class Sum(Operation):
    """y[o, i] = (sum_j x[o, j, i]) / divisor."""

    outer: int
    terms: int
    inner: int
    divisor: int

    def write(self, code: Code, functions: Functions) -> None:
        """One call per outer index."""
        (x,) = self.inputs
        name = functions.included("sum", "sum.h", self.output.code)
        run = f"{self.inner} * L" if self.varying else str(self.inner)
        indices = [("o", self.outer)] if self.outer > 1 else []
        with code.loops(indices):
            source = at(pointer(x), [("o", self.terms * self.inner)] if indices else [], lanes=x.varying)
            target = at(pointer(self.output), [("o", self.inner)] if indices else [], lanes=self.varying)
            code.line(f"{name}({run}, {self.terms}, {self.divisor}, {source}, {target});")


@final
@dataclass(eq=False)
class Copy(Operation):
    """Part of the output takes elements of the input with other strides; several fill a Concat."""

    axes: Sequence[Axis]
    source: int
    target: int

    def write(self, code: Code, functions: Functions) -> None:
        """Runs of memory where both run on, else element by element."""
        del functions
        (x,) = self.inputs
        axes = merged(self.axes) or [(1, (1, 1))]
        start, end = pointer(x, self.source), pointer(self.output, self.target)
        run = axes[-1][0] if axes[-1][1] == (1, 1) and x.varying == self.varying else 0
        loops = axes[:-1] if run or axes[-1][0] == 1 else axes
        kind = C_TYPES[self.output.code]
        with code.loops([(INDICES[i], n) for i, (n, _) in enumerate(loops)]):
            source = at(start, [(INDICES[i], s[0]) for i, (_, s) in enumerate(loops)], lanes=x.varying)
            target = at(end, [(INDICES[i], s[1]) for i, (_, s) in enumerate(loops)], lanes=self.varying)
            if run:
                size = f"{run} * L" if self.varying else str(run)
                code.line(f"__builtin_memcpy({target}, {source}, {size} * sizeof({kind}));")
            elif not self.varying:
                code.line(f"({target})[0] = ({source})[0];")
            else:
                lane = "l" if x.varying else "0"
                code.line(f"for (size_t l = 0; l < L; l++) ({target})[l] = ({source})[{lane}];")


@final
@dataclass(eq=False)
class Take(Operation):
    """y[o, j, i] = data[o, index[j], i] with an index that is computed; one outside gives NaN (0 for integers)."""

    outer: int
    size: int
    picks: int
    inner: int

    def write(self, code: Code, functions: Functions) -> None:
        """A gather; indices from the end are negative."""
        data, index = self.inputs
        functions.kernel("take.h")
        lanes = "L" if self.varying else "1"
        numbers = f"{lanes}, {self.outer}, {self.size}, {self.picks}, {self.inner}"
        varies = f"{int(data.varying)}, {int(index.varying)}"
        code.line(
            f"ep_take_{self.output.code}_{index.code}({numbers}, {pointer(data)}, {pointer(index)}, {varies}, "
            f"{pointer(self.output)});"
        )


@final
@dataclass(eq=False)
class Windows(Operation):
    """y[j, i] = data[place(index[j]) + i * apart]: rows of a table that is never written down.

    digits: counts and strides, slowest first, that make the place of a row of its number.
    """

    size: int
    picks: int
    inner: int
    digits: tuple[tuple[int, int], ...]
    apart: int

    def write(self, code: Code, functions: Functions) -> None:
        """A gather through the digits of the index."""
        data, index = self.inputs
        del functions
        lanes = "L" if self.varying else "1"
        lane = "l" if index.varying else "0"
        kind = C_TYPES[self.output.code]
        step = "L" if index.varying else "1"
        with code.block(f"for (size_t j = 0; j < {self.picks}; j++) for (size_t l = 0; l < {lanes}; l++)"):
            code.line(f"const int64_t given = ({pointer(index)})[j * {step} + {lane}];")
            code.line(f"const int64_t row = given < 0 ? given + {self.size} : given;")
            code.line(f"const int inside = row >= 0 && row < {self.size};")
            code.line("const size_t r = inside ? (size_t)row : 0;")
            moves, below = [], 1
            for count, stride in reversed(self.digits):
                digit = f"r / {below}" if below > 1 else "r"
                moves.append(f"{'+' if stride > 0 else '-'} {digit} % {count} * {abs(stride)}")
                below *= count
            code.line(f"const {kind} *const p = {pointer(data)} {' '.join(sorted(moves))};")
            code.line(f"{kind} *const q = {pointer(self.output)} + j * {self.inner} * {lanes} + l;")
            value = f"inside ? p[i * {self.apart}] : {NOTHING[self.output.code]}"
            code.line(f"for (size_t i = 0; i < {self.inner}; i++) q[i * {lanes}] = {value};")


@final
@dataclass(eq=False)
class Solve(Operation):
    """One problem of `gauss_newton_solve`; the second output is whether it converged."""

    sizes: tuple[int, int, int, int, int, int]
    most: int
    tolerance: str
    converged: Value
    scratch: Store

    def takes_nothing(self) -> bool:
        """No constraints."""
        return True

    def write(self, code: Code, functions: Functions) -> None:
        """A call of the room's kernel."""
        functions.kernel("gauss_newton_solve.h")
        numbers = ", ".join(str(n) for n in self.sizes)
        places = ", ".join(pointer(v) if v.count else "NULL" for v in self.inputs)
        code.line(
            f"ep_gauss_newton_solve_row({numbers}, {places}, {self.most}, {self.tolerance}, {pointer(self.output)}, "
            f"{pointer(self.converged)}, {self.scratch.label});"
        )

    def writes(self) -> set[Store]:
        """Both outputs and the kernel's own memory."""
        return {self.output.store, self.converged.store, self.scratch}

    def stores(self) -> list[Store]:
        """The second output and the kernel's own memory too."""
        return [*super().stores(), self.converged.store, self.scratch]

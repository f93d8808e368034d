"""C text of the kernels: named accumulators, the loops over k as the form orders them.

Tiles are [feature][lane]: R outputs x H vectors of samples. A single sample has V vectors of outputs and I partial sums
side by side. All of one form give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from reduction_forms.forms import Form

WIDTH = 64


@dataclass(frozen=True)
class Tile:
    """R outputs x H vectors of samples."""

    R: int
    H: int

    @property
    def words(self) -> str:
        """As the table says it."""
        return f"{self.R}x{self.H}"


@dataclass(frozen=True)
class Single:
    """V vectors of outputs, I partial sums at a time."""

    V: int
    I: int  # noqa: E741

    @property
    def words(self) -> str:
        """As the table says it."""
        return f"{self.V} vectors, {self.I} sums"


def loops(form: Form) -> tuple[str, str]:
    """The loop over partial sums and the loop over the terms of one."""
    if form.chunk:
        c = form.chunk
        over = f"for (size_t k = first, stop = K - first < {c} ? K : first + {c}; k < stop; ++k)"
        return f"for (; first < K; first += {c})", over
    n = form.chains
    return f"for (; first < {n} && first < K; ++first)", f"for (size_t k = first; k < K; k += {n})"


def tile(form: Form, shape: Tile, name: str, finish: str = "") -> str:
    """One block of R outputs: w [K][R], bias [R], x [K][lanes], y [R][lanes]."""
    R, H = range(shape.R), range(shape.H)
    cells = [f"{r}_{h}" for r in R for h in H]

    def terms(into: str) -> str:
        lines = [f"const ep_f32 x{h} = ep_load_f32(x + (k * {shape.H} + {h}) * EP_WIDTH_F32);" for h in H]
        for r in R:
            lines.append(f"const ep_f32 w{r} = ep_set_f32(w[k * {shape.R} + {r}]);")
            lines += [f"{into}{r}_{h} = ep_fma_f32(w{r}, x{h}, {into}{r}_{h});" for h in H]
        return _lines(lines)

    start = _lines(f"ep_f32 t{r}_{h} = ep_set_f32(bias[{r}]);" for r in R for h in H)
    stores = _lines(f"ep_store_f32(y + {i} * EP_WIDTH_F32, {finish}(t{cell}));" for i, cell in enumerate(cells))
    if not form.split:
        return _function(name, start, f"for (size_t k = 0; k < K; ++k) {{\n{terms('t')}\n}}", stores)
    outer, inner = loops(form)
    part = [_zeros(f"s{cell}" for cell in cells), f"{inner} {{\n{terms('s')}\n}}", _added((c, c) for c in cells)]
    return _function(name, start, f"size_t first = 0;\n{outer} {{\n{_lines(part)}\n}}", stores)


def single(form: Form, shape: Single, name: str, finish: str = "") -> str:
    """V vectors of outputs of one sample: w [K][64], bias [64], x [K], y [64]."""
    V = range(shape.V)

    def terms(into: str, k: str, x: str) -> str:
        fma = "{0}{1} = ep_fma_f32({3}, ep_load_f32(w + ({2}) * 64 + {1} * EP_WIDTH_F32), {0}{1});"
        return _lines([f"const ep_f32 {x} = ep_set_f32(x[{k}]);", *(fma.format(into, v, k, x) for v in V)])

    start = _lines(f"ep_f32 t{v} = ep_load_f32(bias + {v} * EP_WIDTH_F32);" for v in V)
    stores = _lines(f"ep_store_f32(y + {v} * EP_WIDTH_F32, {finish}(t{v}));" for v in V)
    if not form.split:
        return _function(name, start, f"for (size_t k = 0; k < K; ++k) {{ {terms('t', 'k', 'xk')} }}", stores)
    return _function(name, start, _abreast(form, shape, terms), stores)


def _abreast(form: Form, shape: Single, terms: Callable[[str, str, str], str]) -> str:
    """I partial sums side by side while there are as many whole ones, the rest one at a time."""
    V, abreast = range(shape.V), range(shape.I)
    outer, inner = loops(form)
    alone = [_zeros(f"s0_{v}" for v in V), f"{inner} {{ {terms('s0_', 'k', 'xk')} }}", _added((v, f"0_{v}") for v in V)]
    if form.chunk:
        whole, apart = f"K - first >= {form.chunk * shape.I}", form.chunk
        over = f"for (size_t k = first; k < first + {form.chunk}; ++k)"
    else:
        whole, apart = f"K % {form.chains} == 0 && first < {form.chains}", 1
        over = f"for (size_t k = first; k < K; k += {form.chains})"
    many = [
        _zeros(f"s{i}_{v}" for i in abreast for v in V),
        f"{over} {{ {_lines(terms(f's{i}_', f'k + {i * apart}', f'x{i}') for i in abreast)} }}",
        _added((v, f"{i}_{v}") for i in abreast for v in V),
    ]
    step = f"for (; {whole}; first += {apart * shape.I})"
    return f"size_t first = 0;\n{step} {{\n{_lines(many)}\n}}\n{outer} {{\n{_lines(alone)}\n}}"


def dot(form: Form, name: str) -> str:
    """One output of one sample, w [64]: all partial sums side by side."""
    parts = form.parts(WIDTH)
    step = "{0} = ep_fma1_f32(w[{1} + {2} * k], x[{1} + {2} * k], {0});"
    if parts:
        start = _lines(f"float s{i} = 0.0f;" for i in range(len(parts)))
        steps = _lines(step.format(f"s{i}", first, stride) for i, (first, _, stride) in enumerate(parts))
        body = f"for (size_t k = 0; k < {WIDTH // len(parts)}; ++k) {{\n{steps}\n}}\n"
        text = start + body + _lines(f"t += s{i};" for i in range(len(parts)))
    else:
        text = f"for (size_t k = 0; k < {WIDTH}; ++k) {step.format('t', 0, 1)}"
    arguments = "const float *restrict w, float bias, const float *restrict x"
    return f"static float {name}({arguments}) {{\nfloat t = bias;\n{text}\nreturn t;\n}}\n"


def _function(name: str, *parts: str) -> str:
    """noinline: with a constant K gcc unrolls a whole chunk and runs out of registers."""
    pointers = "const float *restrict w, const float *restrict bias, const float *restrict x, float *restrict y"
    return f"static __attribute__((noinline)) void {name}({pointers}, size_t K) {{\n{_lines(parts)}\n}}\n"


def _lines(parts: Iterable[str]) -> str:
    return "\n".join(parts)


def _zeros(names: Iterable[str]) -> str:
    return _lines(f"ep_f32 {name} = ep_set_f32(0.0f);" for name in names)


def _added(pairs: Iterable[tuple[object, object]]) -> str:
    return _lines(f"t{total} += s{part};" for total, part in pairs)

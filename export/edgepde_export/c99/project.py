"""What stands around the model's own files: dispatch, build files, an example and a golden test."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
from edgepde_runtime.certificate import Certificate
from numpy.typing import NDArray

from .entry import Entry, Input, Output
from .program import Program
from .source import literal_in_array
from .value import C_TYPES

GOLDEN_ROWS = 8
DTYPES = {"f16": "float16", "f32": "float32", "f64": "float64"}
Golden = Mapping[str, NDArray[np.floating]]
_ZEROS = """/* Whether an array of a cassette is still zeros, which it also says. */
static int ep_zeros(const char *name, const void *array, size_t bytes) {
    const unsigned char *const held = (const unsigned char *)array;
    for (size_t i = 0; i < bytes; i++)
        if (held[i]) return 0;
    printf("%s is all zeros\\n", name);
    return 1;
}

"""


def files(program: Program, golden: Golden, certificate: Certificate) -> dict[str, str]:
    """Text by file name."""
    entry = program.parts[0].entry
    base = {"name": program.name, "upper": program.name.upper()}
    made = {
        "dispatch.c": {**base, **_dispatch(entry)},
        "Makefile": base,
        "CMakeLists.txt": base,
        "example.c": {**base, **_example(program, entry)},
    }
    if golden:
        made["test_golden.c"] = {**base, **_golden(program, entry, golden, certificate)}
    return {name: fill(name, facts) for name, facts in made.items()}


def fill(name: str, facts: Mapping[str, str]) -> str:
    """A template with @words@ replaced; KeyError for one that is unknown."""
    text = (resources.files(__package__) / "templates" / name).read_text("utf-8")
    return re.sub(r"@(\w+)@", lambda found: facts[found[1]], text)


def _dispatch(entry: Entry) -> dict[str, str]:
    sizes = ["size_t"] * len(entry.symbols)
    inputs = [f"const {C_TYPES[i.value.code]} *" for i in entry.inputs]
    outputs = [f"{C_TYPES[o.value.code]} *" for o in entry.outputs]
    checked = [kind for i, kind in zip(entry.inputs, inputs, strict=True) if i.box]
    flags = ["int *"] * len(checked)
    given = [f"sizes[{i}]" for i in range(len(sizes))]
    read = [f"({kind})inputs[{i}]" for i, kind in enumerate(inputs)]
    written = [f"({kind})outputs[{i}]" for i, kind in enumerate(outputs)]
    return {
        "run_types": ", ".join([*sizes, *inputs, *outputs, "void *"]),
        "check_types": ", ".join([*sizes, *checked, *flags]),
        "check_arguments": ", ".join([*given, *read[: len(checked)], *(f"flags[{i}]" for i in range(len(flags)))]),
        "silent_arguments": ", ".join([*given, *read[: len(checked)], *(["NULL"] * len(flags))]),
        "run_arguments": ", ".join([*given, *read, *written]),
    }


def _example(program: Program, entry: Entry) -> dict[str, str]:
    ids = program.ids
    declared, prints = [], []
    slots = [ids[given.name] for given in entry.inputs if not given.box]
    for given in entry.inputs:
        if not given.box:
            declared.append("    /* fill in: an array of a cassette stands here */")
            declared.append(f"    static const {C_TYPES[given.value.code]} {ids[given.name]}[{given.columns}] = {{0}};")
            continue
        number = np.dtype(DTYPES[given.value.code]).type
        middle = ", ".join(literal_in_array(number((low + high) / 2)) for low, high in given.box)
        declared.append(f"    const {C_TYPES[given.value.code]} {ids[given.name]}[{given.columns}] = {{{middle}}};")
    for output in entry.outputs:
        count = output.value.count
        declared.append(f"    {C_TYPES[output.value.code]} {ids[output.name]}[{count}];")
        name = ids[output.name]
        prints.append(f'    for (size_t i = 0; i < {count}; i++) printf("{name} %.9g\\n", (double){name}[i]);')
    arguments = ["1"] * len(entry.symbols) + [ids[name] for name in entry.names]
    return {
        "declarations": "\n".join(declared),
        "prints": "\n".join(prints),
        "arguments": ", ".join(arguments),
        "zeros": _ZEROS if slots else "",
        "filled": _filled(slots) if slots else "",
    }


def _filled(slots: Sequence[str]) -> str:
    """Statements that end the example as long as every array of the cassette is zeros."""
    tests = " + ".join(f'ep_zeros("{name}", {name}, sizeof {name})' for name in slots)
    return (
        f"    if ({tests} == {len(slots)}) {{\n"
        '        printf("nothing was computed: fill in the arrays of a cassette first\\n");\n'
        "        return 2;\n"
        "    }\n"
    )


def _golden(program: Program, entry: Entry, golden: Golden, certificate: Certificate) -> dict[str, str]:
    rows = {i.rows: min(GOLDEN_ROWS, len(golden[f"input/{i.name}"])) for i in entry.inputs if i.box}
    ids = program.ids
    arrays, checks, kinds = [], [], set()
    for given in entry.inputs:
        slot = golden.get(f"slot/{given.name}", np.zeros(0 if given.box else given.columns))
        held = golden[f"input/{given.name}"][: rows[given.rows]] if given.box else slot
        arrays.append(_array(ids[given.name], given, held))
    for output in entry.outputs:
        name, kind = ids[output.name], output.value.code
        count = _count(output, rows)
        arrays.append(f"static {C_TYPES[kind]} {name}[{count}];\n")
        checks.append(f'    for (size_t i = 0; i < {count}; i++) printf("{name}[%zu] %a\\n", i, (double){name}[i]);')
        bound = None if output.diagnostic else certificate.outputs[output.name].device_total
        if bound is None:
            continue
        kinds.add(kind)
        reference = golden[f"output/{output.name}"][_rows(output, rows)].astype(np.float64)
        values = ", ".join(literal_in_array(v) for v in reference.ravel())
        arrays.append(f"static const double {name}_reference[{count}] = {{{values}}};\n")
        checks.append(f"    wrong += beyond_{kind}({count}, {name}, {name}_reference, {float(bound).hex()});")
    comparison = "".join(_comparison(kind) for kind in sorted(kinds))
    arguments = [str(rows[s]) for s in entry.symbols] + [ids[name] for name in entry.names]
    return {
        "arrays": "".join(arrays),
        "comparison": comparison,
        "checks": "\n".join(checks),
        "arguments": ", ".join(arguments),
    }


def _comparison(kind: str) -> str:
    return (
        f"static size_t beyond_{kind}(size_t n, const {C_TYPES[kind]} *y, const double *reference, double allowed) {{\n"
        "    size_t wrong = 0;\n"
        "    for (size_t i = 0; i < n; i++) {\n"
        "        const double error = (double)y[i] - reference[i];\n"
        "        wrong += !(error <= allowed && error >= -allowed);\n"
        "    }\n"
        "    return wrong;\n"
        "}\n\n"
    )


def _count(output: Output, rows: Mapping[str, int]) -> int:
    return int(np.prod([rows[f] if isinstance(f, str) else f for f in output.factors], dtype=np.int64))


def _rows(output: Output, rows: Mapping[str, int]) -> tuple[Any, ...]:
    """The index of the first rows of every free size."""
    return tuple(slice(rows[d[0]]) if d and isinstance(d[0], str) else slice(None) for d in output.value.shape)


def _array(name: str, given: Input, values: NDArray[np.floating]) -> str:
    kind = given.value.code
    typed = np.ascontiguousarray(values, dtype=DTYPES[kind])
    texts = ", ".join(literal_in_array(v) for v in typed.ravel())
    return f"static const {C_TYPES[kind]} {name}[{typed.size}] = {{{texts}}};\n"

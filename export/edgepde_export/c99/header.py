"""`<model>.h`: the API with shapes, units, box, bound and hash."""

from __future__ import annotations

from edgepde_runtime import columns
from edgepde_runtime.certificate import Certificate
from edgepde_runtime.manifest import Manifest, OutputSpec
from edgepde_runtime.term import CLASSES, upward

from .dims import Shape, spelled
from .driver import check_parameters
from .program import COEFFICIENTS, Part, Program
from .project import fill
from .source import Source

_OF_CASSETTES = (
    " * Each cassette has a certificate of its own. What is said of errors above is for any, that is the worst.",
    " * A cassette's own box may be narrower than the one above. THIS CODE DOES NOT KNOW IT: flags are 0 for an input",
    " * that is inside the box above and outside the cassette's, for which nothing is stated and which Python refuses.",
    " * The caller must check inputs against the box in the cassette's certificate before a call.",
)
_ASCII = str.maketrans({"µ": "u", "μ": "u", "°": "deg ", "²": "^2", "³": "^3", "·": "*", "Ω": "Ohm"})


def write(program: Program, source: Source, manifest: Manifest, certificate: Certificate) -> str:
    """The text of the header."""
    name, upper = program.name, program.name.upper()
    declarations = [_declaration(program, part) for part in program.parts]
    parameters = ",\n    ".join(check_parameters(program.parts[0].entry, program.ids))
    check = f"int {name}_check(\n    {parameters});"
    facts = {
        **{"title": _comment(manifest.name), "hash": manifest.model_hash, "upper": upper},
        **{"inputs": _inputs(program, manifest), "outputs": _outputs(program, manifest, certificate)},
        **{"most": str(max(source.tiled_bytes, source.single_bytes)), "single": str(source.single_bytes)},
        **{"declarations": "\n".join(declarations), "check": check},
    }
    return fill("model.h", facts)


def _declaration(program: Program, part: Part) -> str:
    entry = part.entry
    words = {
        "run": "The whole model.",
        "coefficients": "The solve alone: once per row of parameters.",
        "field": "The field from coefficients of the same parameters: as often as wanted.",
    }
    parameters = ",\n    ".join(entry.parameters(program.ids))
    solved = ""
    if entry.name == COEFFICIENTS:
        count = entry.outputs[0].value.count
        solved = f"/* Numbers per row of coefficients. */\n#define {program.name.upper()}_COEFFICIENTS {count}\n\n"
    return f"{solved}/* {words[entry.name]} */\nint {program.name}_{entry.name}(\n    {parameters});\n"


def _inputs(program: Program, manifest: Manifest) -> str:
    lines = []
    given_by = {i.name: i for i in program.parts[0].entry.inputs}
    for spec in manifest.inputs:
        given = given_by[spec.name]
        shape = _spelled(program, given.value.shape)
        whose = "the box of all cassettes" if manifest.slots else "the box"
        lines.append(f" * {program.ids[spec.name]} {spec.dtype} {shape}, inside {whose}")
        for column in columns.compact([vars(c) for c in spec.columns], "name"):
            unit = f" {_comment(column['unit'])}" if column["unit"] else ""
            name = _comment(columns.spelled(column, "name"))
            lines.append(f" *     {name}: {column['low']!r} .. {column['high']!r}{unit}")
    for slot in manifest.slots:
        shape = _spelled(program, given_by[slot.name].value.shape)
        bits = ", the bits of halves" if slot.dtype == "float16" else ""
        lines.append(f" * {program.ids[slot.name]} {slot.dtype} {shape}{bits}: of one cassette, finite; not looked at")
    return "\n".join(lines)


def _outputs(program: Program, manifest: Manifest, certificate: Certificate) -> str:
    lines = []
    for spec, output in zip(manifest.outputs, program.parts[0].entry.outputs, strict=True):
        unit = f" {_comment(spec.unit)}" if spec.unit else ""
        lines.append(f" * {program.ids[spec.name]} {spec.dtype} {_spelled(program, output.value.shape)}{unit}")
        lines.append(f" *     {_bound(spec, certificate)}")
    if manifest.slots:
        lines += _OF_CASSETTES
    if certificate.family is not None:
        lines.append(" * Errors are bounded for the family of inputs in certificate.json alone. Flags know only the")
        lines.append(" * box: that an input belongs to the family is for the caller to see to.")
    return "\n".join(lines)


def _bound(spec: OutputSpec, certificate: Certificate) -> str:
    """What is known of an output's error."""
    entry = certificate.outputs.get(spec.name)
    if entry is None:
        limit = f", flag 4 above {spec.threshold!r}" if spec.threshold is not None else ""
        return f"a diagnostic{limit}"
    parts = (("against the exact solution", entry.total, entry.total_class),)
    device = ("against the network in exact arithmetic", entry.device_total, entry.device_class)
    told = [f"{what} {_value(value, class_)}" for what, value, class_ in (*parts, device)]
    return f"error {'; '.join(told)}"


def _value(value: float | None, class_: str) -> str:
    """A total in the words of its class: what was measured, or holds for most draws, is no bound over the box."""
    if value is None:
        return "not verified"
    if class_ == CLASSES[0]:
        return f"at most {upward(value)} ({class_})"
    return f"{upward(value)} ({class_}, no bound over the box)"


def _spelled(program: Program, shape: Shape) -> str:
    return spelled(tuple(tuple(program.ids[f] if isinstance(f, str) else f for f in d) for d in shape))


def _comment(text: str) -> str:
    """Text that does not end a comment and stays on its line."""
    spelled_out = text.translate(_ASCII)
    plain = "".join(c if c.isprintable() and c.isascii() else "?" for c in spelled_out)
    return plain.replace("*/", "* /").replace("/*", "/ *").replace("\\", "/").replace("??", "? ?")

"""What is other in a new bundle: box, outputs, error terms, threshold, bytes and time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgepde_runtime import render
from edgepde_runtime.bundle import Bundle
from edgepde_runtime.errors import EdgePDEError, InputError, NotVerified
from edgepde_runtime.latency import measure
from edgepde_runtime.manifest import SHOWN, InputSpec, OutputSpec
from edgepde_runtime.term import Totals, at_least, upward
from edgepde_runtime.verbs.timing import bound

HEADER = ("what", "before", "after")
NONE = "-"
SECONDS = 0.5


@dataclass(frozen=True)
class Change:
    """One thing and what it was and is, as text."""

    what: str
    before: str
    after: str


def table(changes: Sequence[Change]) -> str:
    """The changes as people read them."""
    return render.table([(c.what, c.before, c.after) for c in changes], HEADER)


def changes(old: Bundle, new: Bundle, backend: str = "auto") -> tuple[Change, ...]:
    """What differs, and always bytes, error on the device and time per call."""
    return (*_box(old, new), *_outputs(old, new), *_terms(old, new), *_bytes(old, new), _latency(old, new, backend))


def same_signature(old: Bundle, new: Bundle) -> None:
    """Raises InputError naming the input or output that a caller of the old bundle would miss or find changed."""
    for what, before, after in (
        ("input", old.manifest.inputs, new.manifest.inputs),
        ("output", old.manifest.outputs, new.manifest.outputs),
    ):
        held = {spec.name: spec for spec in after}
        for spec in before:
            now = held.get(spec.name)
            if now is None or _face(spec) != _face(now):
                got = "none" if now is None else _words(now)
                raise InputError(
                    f"the new bundle does not fit where {old.root} is used: {what} {_words(spec)} expected, got {got}"
                )
        if what == "input" and len(after) > len(before):
            more = next(spec for spec in after if spec.name not in {s.name for s in before})
            raise InputError(f"the new bundle does not fit where {old.root} is used: it needs {_words(more)} too")


def not_weaker(old: Bundle, new: Bundle) -> None:
    """Raises NotVerified naming an output whose error on the device has a weaker class than it had."""
    for key, entry in new.certificate.outputs.items():
        before = old.certificate.outputs.get(key)
        if (
            before is not None
            and before.device_total is not None
            and not at_least(entry.device_class, before.device_class)
        ):
            raise NotVerified(
                f"output {key}: the error on the device is {entry.device_class}, it was {before.device_class}; "
                f"--min-class {entry.device_class} accepts that"
            )


def _face(spec: InputSpec | OutputSpec) -> tuple[object, ...]:
    """What a caller relies on."""
    symbols = tuple(n if isinstance(n, int) else "" for n in spec.shape)
    if isinstance(spec, InputSpec):
        return spec.dtype, symbols, tuple((c.name, c.unit) for c in spec.columns)
    return spec.dtype, symbols, spec.unit, spec.diagnostic


def _words(spec: InputSpec | OutputSpec) -> str:
    shape = ", ".join(str(n) for n in spec.shape)
    if isinstance(spec, OutputSpec):
        return f"{spec.name} {spec.dtype} [{shape}] {spec.unit}".rstrip()
    columns = ", ".join(f"{c.name} {c.unit}".rstrip() for c in spec.columns[:SHOWN])
    return f"{spec.name} {spec.dtype} [{shape}] ({columns})"


def _box(old: Bundle, new: Bundle) -> Iterator[Change]:
    before = {(c.input, c.column): (c.low, c.high) for c in old.certificate.box}
    for c in new.certificate.box:
        ends = before.get((c.input, c.column))
        if ends is not None and ends != (c.low, c.high):
            yield Change(f"box of {c.column}", _range(*ends), _range(c.low, c.high))


def _range(low: float, high: float) -> str:
    return f"{low:.6g} .. {high:.6g}"


def _outputs(old: Bundle, new: Bundle) -> Iterator[Change]:
    before, after = ({s.name: s for s in b.manifest.outputs} for b in (old, new))
    for name in dict.fromkeys((*before, *after)):
        one, other = before.get(name), after.get(name)
        if one is None or other is None:
            yield Change(f"output {name}", "there" if one else NONE, "there" if other else NONE)
        elif one.threshold != other.threshold:
            yield Change(f"threshold of {name}", render.number(one.threshold), render.number(other.threshold))


def _terms(old: Bundle, new: Bundle) -> Iterator[Change]:
    for key, entry in new.certificate.outputs.items():
        before = old.certificate.outputs.get(key)
        for name in entry.names:
            was, now = (None if e is None else e.terms.get(name) for e in (before, entry))
            if was is None or (was.value, was.class_) != (getattr(now, "value", None), getattr(now, "class_", None)):
                yield Change(f"{key}: {name}", _term(before, name), _term(entry, name))
        yield Change(f"{key}: error on the device", _total(before), _total(entry))
        for region in entry.regions:
            part = ", ".join(f"{column} {_range(*ends)}" for column, ends in region.box.items())
            known = [] if before is None else [r for r in before.regions if r.box == region.box]
            yield Change(f"{key}: the same, {part}", _total(known[0] if known else None), _total(region))


def _term(entry: Totals | None, name: str) -> str:
    term = None if entry is None else entry.terms.get(name)
    return NONE if term is None else term.class_ if term.value is None else f"{upward(term.value)} ({term.class_})"


def _total(entry: Totals | None) -> str:
    if entry is None:
        return NONE
    return "not verified" if entry.device_total is None else f"{upward(entry.device_total)} ({entry.device_class})"


def _bytes(old: Bundle, new: Bundle) -> Iterator[Change]:
    yield Change("bytes without c99/ and lib/", str(old.size), str(new.size))
    yield Change("bytes of model.onnx", *(str(b.manifest.files["model.onnx"].bytes) for b in (old, new)))


def _latency(old: Bundle, new: Bundle, backend: str) -> Change:
    """The medians of calls of one row in turn, and the ratio of both."""
    try:
        times = measure({name: bound(b, backend, 1) for name, b in (("before", old), ("after", new))}, SECONDS)
    except EdgePDEError as error:
        return Change("time per call", NONE, f"not measured: {error}")
    was, now = times["before"].p50, times["after"].p50
    return Change("time per call, one row", f"{was:.3g} us", f"{now:.3g} us ({now / was:.2g} x)")

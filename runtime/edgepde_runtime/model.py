"""A loaded bundle: inputs checked against the box, outputs checked for convergence, nothing silent."""

from __future__ import annotations

import os
import warnings
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from . import bundle as bundles
from .binding import bind
from .bound import Bound
from .bundle import Bundle
from .certificate import Certificate
from .choose import choose
from .diagnostics import blank, finite_flags, residual_flags, row_flags
from .errorbound import UNCOVERED, error_bounds, outsiders
from .errors import BackendError, InputError, NotConverged
from .filling import Filled
from .inputs import (
    ABOVE_THRESHOLD,
    NOT_CONVERGED,
    OUT_OF_BOX,
    POLICIES,
    ROUNDED,
    Prepared,
    as_floats,
    complete,
    prepare,
    same_rows,
)
from .manifest import ASKED, InputSpec, Manifest, OutputSpec

Array = NDArray[np.floating]


class ResidualWarning(UserWarning):
    """The residual of some rows is above its threshold; `call` gives it as flag 4 instead."""


class OutOfBoxWarning(UserWarning):
    """Some rows of an input are outside the box; `call` gives it as flag 1 instead."""


class FallbackWarning(UserWarning):
    """The bundle's own code could not be used; another backend computes."""


class RoundedWarning(UserWarning):
    """Some rows of an input were rounded to the graph's dtype; `call` gives it as flag 8 instead."""


@dataclass(frozen=True)
class Result:
    """outputs: arrays by name. flags: the OR of all rows' flags. error_bound: by output name, in the output's unit."""

    outputs: Mapping[str, Array]
    flags: int
    error_bound: Mapping[str, Mapping[str, object]]


@final
class Model:
    """A bundle on a backend.

    `model(x)` with one input, `model(name=..., ...)` with several; one output is an array, several are a named tuple.
    A model with slots computes with a cassette: the one it holds, or `model(x, cassette=name)` of several.
    note: why the backend is not the one that "auto" would have taken of a trusted bundle, "" where it is.
    fell_back: that one was tried and could not be loaded.
    """

    def __init__(
        self,
        bundle: Bundle,
        backend: str,
        out_of_box: str,
        strict: bool,
        trust: bool = False,
        cassettes: Sequence[str] = (),
    ) -> None:
        if out_of_box not in POLICIES:
            raise InputError(f"out_of_box expected {' or '.join(POLICIES)}, got {out_of_box!r}")
        if twice := next((name for i, name in enumerate(cassettes) if name in cassettes[:i]), None):
            raise InputError(f"cassettes expected distinct names, got {twice!a} twice")
        self._held = {name: bundle.holding(name) for name in cassettes}
        self._ready: dict[str, Model] = {}
        chosen = choose(backend, bundle, trust)
        self._loaded, self.note, self.fell_back = chosen.backend, chosen.note, chosen.failed
        self._policy, self._strict = out_of_box, strict
        self._outputs = _named_tuple([o.name for o in bundle.manifest.outputs])
        self._use(next(iter(self._held.values())) if len(self._held) == 1 else bundle)

    def _use(self, bundle: Bundle) -> None:
        slots = None if bundle.cassette is None else bundle.cassette.slots
        self.bundle = bundle
        self._backend = self._loaded if slots is None else self._loaded.fed(slots)
        self._certificate = bundle.certificate.on(self._backend.name)

    def __repr__(self) -> str:
        inputs, outputs = _arrays(self.manifest.inputs), _arrays(self.manifest.outputs)
        return f"<Model {self.manifest.name} on {self.backend}: inputs {inputs}; outputs {outputs}>"

    def flagging(self) -> Model:
        """The same model, with rows outside the box computed and flagged."""
        other = copy(self)
        other._policy, other._ready = "flag", {}
        return other

    @property
    def cassettes(self) -> tuple[str, ...]:
        """The names of the cassettes that were loaded."""
        return tuple(self._held)

    def holding(self, cassette: str) -> Model:
        """The same model with one of its cassettes: its box, certificate and golden data. InputError for another."""
        if cassette not in self._held:
            raise InputError(f"cassette {cassette!a} is not loaded; {self._known()}")
        if cassette not in self._ready:
            other = copy(self)
            other._use(self._held[cassette])
            self._ready[cassette] = other
        return self._ready[cassette]

    def _chosen(self, named: dict[str, object]) -> Model:
        """The model that computes: with the cassette a call names, which is taken out of `named`, or the one held."""
        if not self.manifest.slots:
            return self
        asked = named.pop(ASKED, None)
        if asked is not None:
            return self.holding(str(asked))
        if self.bundle.cassette is None:
            raise InputError(f"expected {ASKED}=NAME for the model's slots, got none; {self._known()}")
        return self

    def fill(self, values: object, *, cassette: str | None = None, noise: float | None = None) -> Filled:
        """NaN in the only input [N, S] filled by what the cassette knows of its inputs, and flagged; see Filling.

        What a certificate states is not of these inputs: it knows complete ones without noise. noise: standard
        deviation of what is measured; where given, it is damped. Raises InputError where no cassette
        is held, it fills nothing, or too much is missing.
        """
        held = (self.bundle if cassette is None else self.holding(cassette).bundle).cassette
        if held is None or held.filling is None:
            of = f"cassette {held.name}" if held else f"a model that holds no cassette; {self._known()}"
            raise InputError(f"fill: nothing is known of the inputs of {of}")
        spec = self.manifest.inputs[0]
        given = as_floats(spec, values)
        found = held.filling.fill(given, noise)
        made = found.sensors.astype(given.dtype)
        new = found.flags if noise is None else np.ones_like(found.flags)
        return replace(found, sensors=np.where(new, made.astype(spec.dtype), made))

    def _known(self) -> str:
        there = f"loaded are {', '.join(self._held) or 'none'}"
        others = [name for name in self.bundle.cassettes if name not in self._held]
        return f"{there}, the bundle also has {', '.join(others)}" if others else there

    @property
    def manifest(self) -> Manifest:
        """What goes in and out."""
        return self.bundle.manifest

    @property
    def certificate(self) -> Certificate:
        """The error statement, as it holds on the backend in use."""
        return self._certificate

    @property
    def backend(self) -> str:
        """The name of the backend in use."""
        return self._backend.name

    def __call__(self, *args: object, **named: object) -> Any:
        """Outputs for inputs [n, d].

        Raises InputError, OutOfBox (unless flagged) and NotConverged naming the rows, also where an output is not
        finite. Warns, once per call and reason, of whatever else takes the error bound away.
        """
        this = self._chosen(named)
        prepared, outputs = this._run(args, named)
        residuals = residual_flags(this.manifest, outputs)
        failed = "the solve did not converge", residuals
        for what, flags in (failed, ("outputs are not finite", finite_flags(this.manifest, outputs))):
            for symbol, rows in flags.items():
                if where := _rows(rows, NOT_CONVERGED):
                    at = f"{symbol} {where}" if symbol else "all rows"
                    raise NotConverged(f"{what} for {at}; call() returns the other rows")
        doubts = _doubts(this.manifest, prepared, residuals)
        if strange := outsiders(this.certificate, {name: p.array for name, p in prepared.items()}):
            words = f"{_count(strange)} not shown to be of the family of inputs the certificate is for"
            doubts.append((OutOfBoxWarning, f"{words}; the certified bound does not hold there"))
        for category, text in doubts:
            warnings.warn(text, category, stacklevel=2)
        values = this._outputs(**outputs)
        return values[0] if len(values) == 1 else values

    def call(self, *args: object, **named: object) -> Result:
        """Outputs with flags and error bound; rows that did not converge are NaN in all but the diagnostic outputs.

        A row with a value that is not finite counts as one that did not converge.
        """
        this = self._chosen(named)
        prepared, outputs = this._run(args, named)
        rows = row_flags(this.manifest, outputs)
        flags = _union([*(p.flags for p in prepared.values()), *rows.values()])
        bounds = error_bounds(this.certificate, this._covered(flags, prepared))
        return Result(blank(this.manifest, outputs, rows), flags, bounds)

    def _covered(self, flags: int, prepared: Mapping[str, Prepared]) -> bool:
        if self.backend not in self.certificate.backends or flags & UNCOVERED:
            return False
        return not outsiders(self.certificate, {name: p.array for name, p in prepared.items()})

    def check(self, *args: object, **named: object) -> dict[str, NDArray[np.int32]]:
        """Flags 1 and 8 of each row by input, int32 [n], without computing; InputError as for a call."""
        specs = self._chosen(named).manifest.inputs
        values = complete(specs, args, named)
        return {s.name: prepare(s, values[s.name], "flag", self._strict).flags for s in specs}

    def bind(self, *args: object, out: object = None, **named: object) -> Bound:
        """A callable on the caller's own arrays, which are neither copied nor cast.

        bind(x), bind(x, out) or bind(name=..., out=...); `out` is an array, or arrays by name or in order.
        Raises InputError naming an array that is not C-contiguous or has the wrong dtype or shape.
        """
        this = self._chosen(named)
        if len(args) > 1 and len(self.manifest.inputs) == 1 and out is None:
            args, out = (args[0], *args[2:]), args[1]
        values = complete(this.manifest.inputs, args, named)
        whole = this.bundle.whole
        narrower = whole is not None and whole.manifest.inputs != this.manifest.inputs
        return bind(this.manifest, this._backend, values, out, self._policy, checked=narrower)

    def _run(
        self, args: tuple[object, ...], named: Mapping[str, object]
    ) -> tuple[dict[str, Prepared], dict[str, Array]]:
        specs = self.manifest.inputs
        values = complete(specs, args, named)
        prepared = {s.name: prepare(s, values[s.name], self._policy, self._strict) for s in specs}
        arrays = {name: p.array for name, p in prepared.items()}
        sizes = same_rows(specs, arrays)
        outputs = self._backend.run(arrays)
        checked: dict[str, Array] = {}
        for spec in self.manifest.outputs:
            shape = tuple(sizes[n] if isinstance(n, str) else n for n in spec.shape)
            value = outputs[spec.name]
            if value.shape != shape or value.dtype.name != spec.dtype:
                got = f"{value.dtype.name} {list(value.shape)}"
                raise BackendError(f"{self.backend}: output {spec.name} expected {spec.dtype} {list(shape)}, got {got}")
            checked[spec.name] = value  # type: ignore[assignment]
        return prepared, checked


def _doubts(
    manifest: Manifest, prepared: Mapping[str, Prepared], residuals: Mapping[str, NDArray[np.int32]]
) -> list[tuple[type[UserWarning], str]]:
    """What a caller who asked for plain outputs must be told: one text per reason."""
    outside, rounded = (
        [(spec, n) for spec in manifest.inputs if (n := int(np.count_nonzero(prepared[spec.name].flags & bit)))]
        for bit in (OUT_OF_BOX, ROUNDED)
    )
    above = [f"{symbol} {where}" for symbol, rows in residuals.items() if (where := _rows(rows, ABOVE_THRESHOLD))]
    found: list[tuple[type[UserWarning], str]] = []
    if outside:
        words = "; ".join(f"input {spec.name}: {_count(n)} outside the box" for spec, n in outside)
        found.append((OutOfBoxWarning, f"{words}; the certified bound does not hold there"))
    if rounded:
        words = "; ".join(f"input {s.name}: {_count(n)} rounded to {s.dtype}, pass {s.dtype}" for s, n in rounded)
        found.append((RoundedWarning, f"{words} to keep the certified bound"))
    if above:
        found.append((ResidualWarning, f"residual above its threshold for {'; '.join(above)}"))
    return found


def _arrays(specs: Sequence[InputSpec | OutputSpec]) -> str:
    return ", ".join(f"{s.name} {s.dtype} [{', '.join(map(str, s.shape))}]" for s in specs)


def _count(rows: int) -> str:
    return f"{rows} row{'s' if rows > 1 else ''}"


def _named_tuple(names: list[str]) -> Callable[..., Any]:
    return namedtuple("Outputs", names)


def _rows(flags: NDArray[np.int32], bit: int) -> str:
    rows = [int(r) for r in np.flatnonzero(flags & bit)]
    more = f" and {len(rows) - 10} more" if len(rows) > 10 else ""
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows[:10]))}{more}" if rows else ""


def _union(flags: list[NDArray[np.int32]]) -> int:
    return reduce(lambda a, b: a | int(np.bitwise_or.reduce(b)), flags, 0)


def load(
    path: str | os.PathLike[str],
    backend: str = "auto",
    trust: bool = False,
    out_of_box: str = "raise",
    strict: bool = False,
    cassettes: Sequence[str] | None = None,
) -> Model:
    """Opens a bundle, checks it whole and loads it on a backend.

    backend: auto, c99, ort or reference. trust: the bundle's own C code may be compiled and loaded; without it only
    where the bundle was written on this machine. out_of_box: "raise" OutOfBox or "flag" such rows with 1. strict:
    refuse inexact casts to the graph's dtype. cassettes: names of those to hold, of a model with slots; None: all of
    the bundle. Warns where "auto" tried the C code and could not use it; where it is not
    trusted, the model's note says so.
    Raises BundleError, ModelFileError, UnsupportedModel, BackendError, and InputError for a cassette that is not there.
    """
    bundle = bundles.read(path)
    names = bundle.cassettes if cassettes is None else [cassettes] if isinstance(cassettes, str) else cassettes
    model = Model(bundle, backend, out_of_box, strict, trust, names)
    if model.fell_back:
        warnings.warn(model.note, FallbackWarning, stacklevel=2)
    return model

"""The statement on |reference network - device| against an adversary on this device."""

from __future__ import annotations

import io
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from .. import choose
from ..atomic import write_bytes
from ..attack import Array, Search, Worst
from ..backends import Backend
from ..bundle import Bundle
from ..certificate import OutputCertificate
from ..difference import Difference
from ..errors import BundleError, EdgePDEError
from ..inputspace import InputSpace
from ..manifest import SHOWN
from ..subbox import SubBox, words
from ..term import Totals, ratio
from ..verdict import FAIL, NOT_VERIFIED, PASS, Check

LOG = logging.getLogger(__name__)
TOLD_SECONDS = 5.0
# The reference is a network of another size: its own roundoff in float64 is taken as this multiple of the graph's.
REFERENCE_SHARE = 4.0
MISSING = "needs reference.npz to search against; export with --with-reference"


@dataclass(frozen=True)
class AttackOptions:
    """seconds: of search in all. seed: the same one looks at the same inputs in the same order."""

    seconds: float
    seed: int = 0


@dataclass(frozen=True)
class _Target:
    """Statements by output on all of the box, or on a part of it."""

    statements: Mapping[str, Totals]
    part: SubBox | None = None

    def row(self, output: str) -> str:
        """The name of its check."""
        return f"attack {output}" if self.part is None else f"attack {output}[{words(self.part)}]"


@dataclass(frozen=True)
class _Finding:
    """The worst input of one output, where |reference - device| is `value`; slack: the reference's own roundoff."""

    row: str
    unit: str
    value: float
    bound: float | None
    slack: float
    inputs: Mapping[str, NDArray[np.floating]]
    about: str

    @property
    def violates(self) -> bool:
        """Whether the input disproves the bound."""
        return self.bound is not None and self.value > self.bound + self.slack

    @property
    def excess(self) -> float:
        """By what factor the bound is missed."""
        return self.value / max(self.bound or 0.0, 1e-300)

    def check(self, covers: str, saved: str) -> Check:
        """The row of the verdict; covers: why the bound does not speak of this backend, "" where it does."""
        value = self.value if 0.0 <= self.value < np.inf else None

        def verdict(status: str, detail: str) -> Check:
            return Check(self.row, status, value, self.bound, self.unit, detail)

        if self.value < 0.0:
            return verdict(NOT_VERIFIED, f"no input could be searched; {self.about}")
        if self.violates:
            what = "no finite value" if value is None else "|reference - device| above its bound"
            return verdict(FAIL, f"{what}; {saved}; {self.about}")
        if covers:
            return verdict(NOT_VERIFIED, f"{covers}; {self.about}")
        if self.bound is None:
            return verdict(NOT_VERIFIED, f"the terms after model are not verified; {self.about}")
        tight = ratio(self.bound, self.value)
        return verdict(PASS, f"{'' if tight is None else f'bound / found {tight:.3g}; '}{self.about}")


@final
class _Attack:
    """One target under attack."""

    def __init__(self, bundle: Bundle, backend: str, target: _Target, trust: bool) -> None:
        self._bundle, self._target, self._backend = bundle, target, backend
        manifest = bundle.manifest
        self._space = InputSpace.of(manifest.inputs, bundle.certificate, target.part)
        device = choose.choose(backend, bundle, trust).backend
        self._difference = Difference(manifest, self._space, list(target.statements), device, _reference(bundle))
        starts = _known(bundle, self._space, target)
        outputs = len(target.statements)
        self._search: Search | None = None
        numbers = [math.prod(n for n in spec.shape if isinstance(n, int)) for spec in manifest.outputs]
        width = max(numbers, default=1)
        self._new = partial(Search, self._difference, self._space.dimension, outputs, starts=starts, width=width)
        self._began = self._told = self._spent = 0.0

    def run(self, options: AttackOptions) -> None:
        """Searches; raises BundleError where the reference gives no finite value."""
        self._began = self._told = time.monotonic()
        self._search = self._new(seed=options.seed, progress=self._tell)
        self._search.run(options.seconds)

    def _tell(self, worst: Worst) -> None:
        now = time.monotonic()
        self._spent = now - self._began
        if now - self._told < TOLD_SECONDS:
            return
        self._told = now
        found = ", ".join(
            f"{self._target.row(name)} {value:.3g} of {s.device_total or np.nan:.3g}"
            for (name, s), value in zip(self._target.statements.items(), worst.value, strict=True)
        )
        LOG.info("%d s, %d inputs: %s", self._spent, worst.tried, found)

    def findings(self) -> Iterator[_Finding]:
        """What was found so far, an output each."""
        if self._search is None:
            return
        worst = self._search.worst
        for i, (name, statement) in enumerate(self._target.statements.items()):
            alone, _ = self._space.inputs(worst.place[i][None])
            entry = self._bundle.certificate.outputs[name]
            bound, slack = statement.device_total, self._slack(entry, name)
            found = float(worst.value[i])
            inputs: Mapping[str, NDArray[np.floating]] = alone
            if bound is not None and found > bound + slack and not self._difference.at(alone)[0, i] > bound + slack:
                inputs, _ = self._space.inputs(worst.calls[i])
            place = "; ".join(f"{key} = ({_few(a[0])})" for key, a in alone.items())
            about = f"worst of {worst.tried} inputs in {self._spent:.3g} s on {self._backend}, at {place}"
            yield _Finding(self._target.row(name), entry.unit, found, bound, slack, inputs, about)

    def _slack(self, entry: OutputCertificate, name: str) -> float:
        """What the reference's own float64 arithmetic may add to a difference."""
        terms = entry.on("reference").terms
        values = [terms[term].value or 0.0 for term in ("rounding", "activation")]
        (dtype,) = (spec.dtype for spec in self._bundle.manifest.outputs if spec.name == name)
        return REFERENCE_SHARE * sum(values) * float(np.finfo(np.float64).eps / np.finfo(dtype).eps)


def _few(values: NDArray[np.floating]) -> str:
    """The first of many numbers."""
    more = len(values) - SHOWN
    return ", ".join(f"{v:.9g}" for v in values[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def check_attack(bundle: Bundle, backend: str, options: AttackOptions, trust: bool = False) -> list[Check]:
    """One check per output and per region of its entry: found <= the sum of the terms after model on that backend.

    The input that misses its bound by most is saved in the current folder, also where the search is interrupted.
    """
    if bundle.reference is None:
        return [Check("attack", NOT_VERIFIED, detail=MISSING)]
    targets = _targets(bundle, backend)
    share = AttackOptions(options.seconds / len(targets), options.seed)
    attacks: list[_Attack] = []
    try:
        attacks += [_Attack(bundle, backend, target, trust) for target in targets]
        for one in attacks:
            one.run(share)
    except KeyboardInterrupt:
        if told := _saved(bundle, [f for one in attacks for f in one.findings()]):
            LOG.info("a bound does not hold; %s", told)
        raise
    except BundleError as error:
        return [Check("attack", FAIL, detail=str(error))]
    found = [finding for one in attacks for finding in one.findings()]
    covered = bundle.certificate.backends
    covers = "" if backend in covered else f"certificate covers {', '.join(covered)}, not {backend}"
    saved = _saved(bundle, found)
    return [finding.check(covers, saved) for finding in found]


def _known(bundle: Bundle, space: InputSpace, target: _Target) -> Array:
    """Places [k, D] of the inputs the certificate itself names as the worst."""
    entries = [bundle.certificate.outputs[name] for name in target.statements]
    found = [entry.found.input for entry in entries if entry.found is not None]
    return space.places([[v for spec in space.specs for v in place[spec.name]] for place in found])


def _reference(bundle: Bundle) -> Backend:
    try:
        found = choose.of_model("reference", bundle.reference or b"")
    except EdgePDEError as error:
        raise BundleError(f"reference.npz: cannot be evaluated: {error}") from None
    if bundle.cassette is None:
        return found
    return found.fed({name: array.astype(np.float64) for name, array in bundle.cassette.slots.items()})


def _targets(bundle: Bundle, backend: str) -> list[_Target]:
    entries = bundle.certificate.on(backend).outputs
    sup = {name: entry for name, entry in entries.items() if entry.norm == "sup"}
    parts = [_Target({name: region}, region.box) for name, entry in sup.items() for region in entry.regions]
    return [_Target(dict(sup)), *parts]


def _saved(bundle: Bundle, found: Sequence[_Finding]) -> str:
    """Writes the input of the worst violation to the current folder and says where; "" where there is none."""
    worst = max((f for f in found if f.violates), key=lambda f: f.excess, default=None)
    if worst is None:
        return ""
    file = Path(f"{bundle.manifest.name}-violation.npz")
    try:
        root, here = bundle.root.resolve(), Path.cwd()
        if root == here or root in here.parents:
            return f"the input of {worst.row} is not saved: the current folder lies in the bundle"
        buffer = io.BytesIO()
        np.savez(buffer, **worst.inputs)  # type: ignore[arg-type]
        write_bytes(file, buffer.getvalue())
    except OSError as error:
        return f"the input of {worst.row} could not be saved: {file}: {error.strerror or error}"
    return f"the input of {worst.row} is in {file}, for run --input"

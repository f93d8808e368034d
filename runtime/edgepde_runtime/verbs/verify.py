"""edgepde verify: is this bundle what it says, and is it good enough?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import bundle as bundles
from .. import library, machine, render
from ..bundle import Bundle
from ..errors import BundleError, EdgePDEError, InputError, ModelFileError, NoBundle
from ..fields import short
from ..golden import Golden
from ..latency import Latency, measure
from ..limits import Limits
from ..model import Model
from ..verdict import FAIL, NOT_VERIFIED, PASS, Check, exit_code
from .attackcheck import AttackOptions, check_attack
from .errorcheck import check_errors
from .memorycheck import check_memory
from .replay import few, replay
from .timing import bound, check_latency, rows_in_words

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class VerifyOptions:
    """limits: what must hold. seconds: how long latency is measured. attack: seconds of search, None for none.

    seed: of the search. cassette: the only one that is looked at, of a model with slots; None: all.
    """

    limits: Limits = field(default_factory=Limits)
    backend: str = "auto"
    trust: bool = False
    seconds: float = 1.0
    attack: float | None = None
    seed: int = 0
    cassette: str | None = None


@dataclass(frozen=True)
class VerifyReport:
    """The checks of one bundle; the exit code is 1 where one failed, else 4 where one is not verified, else 0.

    origin: whose limits these are, where it is not plain. note: why it is not the backend of a trusted bundle.
    samples: the times behind `latency`, by backend and the floor; not part of the JSON document.
    """

    bundle: Path
    name: str
    id: str
    backend: str
    checks: tuple[Check, ...]
    latency: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    samples: Mapping[str, Latency] = field(default_factory=dict)
    origin: str = ""
    note: str = ""

    @property
    def exit_code(self) -> int:
        """The command's exit code."""
        return exit_code(self.checks)

    @property
    def verdict(self) -> str:
        """The worst status in one word."""
        return {0: PASS, 1: FAIL}.get(self.exit_code, NOT_VERIFIED)

    def as_dict(self) -> dict[str, object]:
        """The JSON document."""
        return {
            "schema_version": SCHEMA_VERSION,
            "bundle": str(self.bundle),
            "name": self.name,
            "id": self.id,
            "backend": self.backend,
            "note": self.note,
            "limits_from": self.origin,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "checks": [check.as_dict() for check in self.checks],
            "latency": {name: dict(figures) for name, figures in self.latency.items()},
            "machine": machine.describe(),
        }

    def table(self) -> str:
        """The table a person reads, verdict last."""
        rows = [_row(check) for check in self.checks]
        text = render.table(rows, ("check", "verdict", "value", "limit", "", "what was looked at"), right=(2, 3))
        counted = [f"{n} {s}" for s in (FAIL, NOT_VERIFIED) if (n := sum(c.status == s for c in self.checks))]
        ending = f" ({', '.join(counted)})" if counted else ""
        title = "\n".join(line for line in (str(self.bundle), self.origin, self.note) if line)
        return f"{render.safe(title)}\n\n{text}\n\nverdict: {render.word(self.verdict)}{ending}"


def _row(check: Check) -> tuple[str, ...]:
    figures = (render.bound(check.value), render.bound(check.limit), check.unit)
    return (check.name, render.word(check.status), *figures, check.detail)


def verify(path: str | os.PathLike[str], options: VerifyOptions | None = None) -> VerifyReport:
    """Checks integrity, golden data, certificate and latency of a bundle against limits.

    A broken bundle is a failed check. Raises NoBundle, BackendError, UnsupportedModel, BudgetError, and InputError for
    a cassette that is not there.
    """
    options = options or VerifyOptions()
    root = Path(path)
    try:
        bundle = bundles.read(root)
        held = _held(bundle, options.cassette)
        _ = [(one.golden, one.plan, one.reference) for one in held]
    except NoBundle:
        raise
    except (BundleError, ModelFileError) as error:
        return VerifyReport(
            root, "", "", options.backend, (Check("integrity", FAIL, detail=str(error)),), origin=options.limits.origin
        )
    model = Model(held[0], options.backend, "raise", False, options.trust)
    backend = model.backend
    checks = _integrity(bundle)
    for one in held:
        checks += [_of(one, check) for check in _stated(one, backend, options)]
    checks += check_memory(bundle.plan, options.limits, library.triples(bundle.manifest.files))
    checks += _unavailable(options.limits)
    if options.attack is not None:
        share = AttackOptions(options.attack / len(held), options.seed)
        checks += [_of(one, check) for one in held for check in check_attack(one, backend, share, options.trust)]
    batch = options.limits.batch
    times = measure({backend: bound(held[0], backend, batch, options.trust)}, options.seconds)
    checks += check_latency(times, backend, options.limits, rows_in_words(held[0], batch))
    figures = {name: latency.as_dict() for name, latency in times.items()}
    origin = options.limits.origin
    return VerifyReport(
        root, bundle.manifest.name, bundle.id, backend, tuple(checks), figures, times, origin, model.note
    )


def _held(bundle: Bundle, cassette: str | None) -> list[Bundle]:
    """What is verified: the bundle with each of its cassettes, or with the one asked for; itself without slots."""
    if cassette is not None:
        return [bundle.holding(cassette)]
    if not bundle.manifest.slots:
        return [bundle]
    if not bundle.cassettes:
        raise InputError(f"{bundle.root}: expected a cassette for the model's slots, there are none")
    return [bundle.holding(name) for name in bundle.cassettes]


def _stated(bundle: Bundle, backend: str, options: VerifyOptions) -> list[Check]:
    """Golden data and errors, of a bundle or of one of its cassettes."""
    checks = _replayed(bundle, backend, bundle.golden, options.trust)
    if backend != "reference" and "reference" in bundle.certificate.backends:
        checks += _replayed(bundle, "reference", few(bundle.golden, bundle.manifest))
    native = any(name.startswith("c99/") for name in bundle.manifest.files)
    return checks + check_errors(bundle.certificate, backend, options.limits, native)


def _of(bundle: Bundle, check: Check) -> Check:
    """The check with the name of its cassette."""
    return check if bundle.cassette is None else replace(check, name=f"{bundle.cassette.name}: {check.name}")


def _integrity(bundle: Bundle) -> list[Check]:
    count = len(bundle.manifest.files) + 1 + (len(bundle.cassettes) + 1 if bundle.cassettes else 0)
    detail = f"{count} files, {render.size(bundle.size)} without c99/ and lib/, every hash as listed"
    return [
        Check("integrity", PASS, detail=detail),
        Check(
            "model hash", PASS, detail=f"{short(bundle.manifest.model_hash)} in manifest, certificate and model.onnx"
        ),
    ]


def _replayed(bundle: Bundle, backend: str, golden: Golden, trust: bool = False) -> list[Check]:
    try:
        return replay(bundle, backend, golden, trust)
    except EdgePDEError as error:
        return [Check(f"golden on {backend}", FAIL, detail=str(error))]


def _unavailable(limits: Limits) -> list[Check]:
    checks = []
    if limits.board and limits.p50_us is None and limits.p99_us is None:
        checks.append(Check("board", NOT_VERIFIED, detail=f"this machine is not known to be {limits.board}"))
    return checks

"""From a bundle to a page on the disk, there whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from edgepde_runtime import budget as budgets
from edgepde_runtime.limits import Limits, positive
from edgepde_runtime.verbs.verify import VerifyOptions

from edgepde.train.atomic import write_file

from ..errors import TargetError
from .collect import collect
from .page import render


def options(
    bundle: Path, budget: Path | None, p50_us: str | None, p99_us: str | None, backend: str, seconds: str
) -> VerifyOptions:
    """Limits from the budget file, overridden by the flags; raises BudgetError naming the key or flag."""
    limits = Limits() if budget is None else budgets.find(budget, bundle)
    flags: dict[str, Any] = {}
    for name, value in (("p50_us", p50_us), ("p99_us", p99_us)):
        if value is not None:
            flags[name] = positive(value, f"--{name.replace('_', '-')}")
    return VerifyOptions(replace(limits, **flags), backend, seconds=positive(seconds, "--seconds"))


def write(bundle: Path, out: Path, asked: VerifyOptions) -> str:
    """Write the page about `bundle` to `out` and return the verdict's word.

    Raises TargetError for an `out` that cannot be, RunError where the disk refuses, BundleError, BackendError.
    """
    check_target(bundle, out)
    facts = collect(bundle, asked)
    write_file(out, render(facts).encode())
    return facts.verdict.verdict


def check_target(bundle: Path, out: Path) -> None:
    """Raises TargetError where `out` has no folder, is no regular file, or would lie in the bundle."""
    if not out.parent.is_dir():
        raise TargetError(f"{out}: expected a file in an existing folder, got no folder {out.parent}")
    if out.exists() and not out.is_file():
        raise TargetError(f"{out}: expected a file to write, got {'a folder' if out.is_dir() else 'a device'}")
    inside, root = out.resolve(), bundle.resolve()
    if inside == root or root in inside.parents:
        raise TargetError(f"{out}: lies in the bundle, where only its listed files may be; choose another --out")

"""From a bundle to a page on the disk, there whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from edgepde_runtime import budget as budgets
from edgepde_runtime.limits import Limits, positive
from edgepde_runtime.verbs.verify import VerifyOptions

from edgepde.train.atomic import write_file

from ..errors import TargetError
from .collect import collect
from .page import render


@dataclass(frozen=True)
class Asked:
    """What was typed: limits of a budget file, overridden by the flags; microseconds and seconds as text."""

    budget: Path | None = None
    p50_us: str | None = None
    p99_us: str | None = None
    backend: str = "auto"
    seconds: str = "1"

    def options(self, bundle: Path) -> VerifyOptions:
        """What to hold the bundle against; raises BudgetError naming the key or flag."""
        limits = Limits() if self.budget is None else budgets.find(self.budget, bundle)
        given = {name: getattr(self, name) for name in ("p50_us", "p99_us") if getattr(self, name) is not None}
        flags: dict[str, Any] = {n: positive(v, f"--{n.replace('_', '-')}") for n, v in given.items()}
        return VerifyOptions(limits.overridden(flags), self.backend, seconds=positive(self.seconds, "--seconds"))

    @property
    def words(self) -> list[str]:
        """The flags that repeat it, for verify and report alike."""
        usual = Asked()
        changed = [f for f in fields(self) if getattr(self, f.name) != getattr(usual, f.name)]
        return [word for f in changed for word in (f"--{f.name.replace('_', '-')}", str(getattr(self, f.name)))]


def write(bundle: Path, out: Path, asked: Asked) -> str:
    """Write the page about `bundle` to `out` and return the verdict's word.

    Raises TargetError for an `out` that cannot be, RunError where the disk refuses, BundleError, BackendError and
    BudgetError.
    """
    check_target(bundle, out)
    facts = collect(bundle, asked.options(bundle), asked.words)
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

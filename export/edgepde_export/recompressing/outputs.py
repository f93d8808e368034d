"""Outputs that export appends to a network: which of a bundle's are such, and the options that ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgepde_runtime.bundle import Bundle
from edgepde_runtime.errors import BundleError, InputError

from edgepde.mollifier.outputs.request import FORMS, RESIDUAL
from edgepde.problems.finding import known, split

from ..appending import APPENDED


def extra(bundle: Bundle, ledger: Mapping[str, Any], residual: str | None) -> dict[str, Any]:
    """The options of export() for derivatives, residual and threshold that the bundle was made with.

    residual: in the place of the equation the bundle names; one that is no name of edgepde/problems must be given
    again, since a bundle is no reason to run a file. Raises InputError for that, BundleError for a damaged note.
    """
    stated, where = ledger.get(APPENDED), f"{bundle.root / 'ledger.json'}: {APPENDED}"
    if stated is None:
        return {}
    names, equation, form, grid = _fields(stated, where)
    if stated.get("on_grid") and grid is None:
        raise InputError(
            f"{bundle.root}: its derivatives are on an uneven grid, which a bundle cannot state; export it"
        )
    made: dict[str, Any] = {"derivatives": names or None, "grid": grid, "derivative_form": form}
    if equation is None:
        return made
    if residual is None and split(equation)[0] not in known():
        raise InputError(
            f"{bundle.root}: its residual is of {equation!a}, which is not among those of edgepde; give --residual "
            "FILE.py:NAME again"
        )
    monitor = bundle.monitor
    level = None if monitor is None or monitor.output != RESIDUAL else monitor.level
    return {**made, "residual": residual or equation, "false_alarm": level}


def own(bundle: Bundle, ledger: Mapping[str, Any]) -> list[str]:
    """Outputs that the network itself has: those that were not appended."""
    stated = ledger.get(APPENDED)
    names = stated.get("derivatives") if isinstance(stated, dict) else None
    added = {*(names if isinstance(names, list) else ()), *([RESIDUAL] if isinstance(stated, dict) else ())}
    return [spec.name for spec in bundle.manifest.outputs if spec.name not in added]


def _fields(stated: Any, where: str) -> tuple[list[str], str | None, str, str | None]:
    if not isinstance(stated, dict):
        raise BundleError(f"{where}: expected an object, got {type(stated).__name__}")
    names, form = stated.get("derivatives"), stated.get("form")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BundleError(f"{where}.derivatives: expected names, got {str(names)[:80]!a}")
    if form not in FORMS:
        raise BundleError(f"{where}.form: expected {', '.join(FORMS)}, got {str(form)[:80]!a}")
    texts = [stated.get("residual"), stated.get("grid")]
    for key, text in zip(("residual", "grid"), texts, strict=True):
        if text is not None and not isinstance(text, str):
            raise BundleError(f"{where}.{key}: expected a text or null, got {type(text).__name__}")
    return names, texts[0], form, texts[1]

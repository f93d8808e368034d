"""compress(): the smallest form of a module that is proved within an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import BudgetError, InputError, NotVerified
from edgepde_runtime.limits import class_name

from edgepde.certify.network import Affine
from edgepde.compress import forms
from edgepde.compress.allowance import MaxError, allowance
from edgepde.compress.derived import Measured
from edgepde.compress.geometry import geometry
from edgepde.compress.hunt import Candidate, Hunt, Known
from edgepde.compress.joints import numbers
from edgepde.compress.ledger import Entry, Ledger
from edgepde.compress.operators import OperatorSearch, is_operator
from edgepde.compress.proof import Part, judge
from edgepde.compress.searching import Search
from edgepde.network.reading import Read, read_module
from edgepde.train.progress import Progress, progress
from edgepde.train.threads import one_thread

SECONDS = 120.0


@final
@dataclass(frozen=True)
class Compressed:
    """module: smaller, of the same signature as reference, the original. ledger: what was done, as JSON."""

    module: torch.nn.Module
    reference: torch.nn.Module
    ledger: Mapping[str, Any]


def compress(
    module: torch.nn.Module,
    domain: Box,
    max_error: MaxError,
    *,
    output: str = "y",
    min_class: str = "sound",
    method: str = "auto",
    seconds: float = SECONDS,
    seed: int = 0,
    points: Any = None,
    keep: Callable[[Known], None] | None = None,
    known: Known | None = None,
) -> Compressed:
    """The smallest form found whose sup |module - device| over the domain is proved at most max_error.

    max_error: in the output's unit, 1e-3 or y=1e-3 or, tighter on a part of the box, 1e-2,[x=0.4:0.6]=1e-4; it bounds
    compression, stored weights, rounding and activation of the C99 code together; y_x=1e-1,y_xx=5 beside it limit what
    derivatives are measured to be off. output: its name. points: where outputs and inputs lie, one array [n, k] for
    both, a pair (rows, columns), or a file; they order the clusters of the hmatrix form.
    method: "auto" or one of the forms. seconds: for search and proofs.
    keep(known) is called with every smaller form that is proved; given back as `known` the search goes on from it.
    Raises UnsupportedModel naming the node or parameter, InputError for a box that does not fit, BudgetError for
    an error or method that cannot be understood, NotVerified with the best bound where nothing is proved.
    """
    if not isinstance(domain, Box):
        raise InputError(f"domain: expected an edgepde.Box, got {type(domain).__name__}")
    allowed = allowance(max_error, domain, output)
    class_name(min_class, "min_class")
    names = methods(method)
    read = read_module(module, domain)
    at = geometry(points).checked(read.network)
    with one_thread(), progress("compressing", seconds) as bar, torch.no_grad():
        tell = partial(_tell, bar, seconds)
        judged = judge(read.network, allowed, read.dtype)
        kind = OperatorSearch if is_operator(read.network) else Search
        search: Hunt = kind(judged, seconds, seed, tell, keep, at, known=known)
        search.run(names)
    if search.best is None:
        raise NotVerified(_unproved(search))
    document = _ledger(read, search, search.best, method, str(max_error)).as_dict()
    return Compressed(read.rebuilt(search.best.network), module, document)


def _tell(bar: Progress, seconds: float, spent: float, text: str) -> None:
    bar.note(text)
    bar.update(min(spent, seconds))


def methods(method: str) -> tuple[str, ...]:
    """The forms that a method means; raises BudgetError for one nobody knows."""
    known = forms.names()
    if method != "auto" and method not in known:
        raise BudgetError(f"--method expected auto, {', '.join(known)}, got {method!r}")
    return known if method == "auto" else (method,)


def _ledger(read: Read, search: Hunt, best: Candidate, method: str, asked: str) -> Ledger:
    assert best.proof is not None
    f, kept = read.network, search.kept()
    entries = []
    for place, node in enumerate(f.nodes):
        if not isinstance(node, Affine):
            continue
        before = search.each * numbers(f, place)
        form, after = best.changes.get(place, ("dense", before))
        why = _why(best) if place in best.changes else kept.get(place, "no smaller form was proved")
        alone = search.alone(best, place) if place in best.changes else None
        entries.append(Entry(f"node{place}", form, before, after, alone, why))
    areas = [_stated(part) for part in best.proof.parts]
    error = {**areas[0], "class": "sound", "norm": "sup"}
    if len(areas) > 1:
        error["regions"] = areas[1:]
    if best.proof.measured:
        error["derivatives"] = [_derivative(one) for one in best.proof.measured]
    notes = {"method": method, "seconds": search.seconds, "max_error": asked}
    return Ledger(tuple(entries), error, tuple(search.tried), notes)


def _derivative(one: Measured) -> dict[str, Any]:
    return {
        "name": one.name,
        "where": one.area.name,
        "max_error": one.area.limit,
        "value": one.value,
        "class": "measured",
    }


def _stated(part: Part) -> dict[str, Any]:
    return {
        "where": part.area.name,
        "max_error": part.area.limit,
        "value": part.total,
        "compression": part.compression,
        "device": part.device,
        "found": part.found,
    }


def _unproved(search: Hunt) -> str:
    best = search.closest
    assert best is not None
    assert best.proof is not None
    worst = max(best.proof.parts, key=lambda part: part.share)
    return (
        f"no form is proved within {worst.area.limit:.3g} on {worst.area.name} in {search.seconds:.3g} s; the best "
        f"bound so far is {worst.total:.3g}, of the {best.form} form, {worst.device:.3g} of it the device's arithmetic"
    )


def _why(best: Candidate) -> str:
    fitted = ", all weights fitted again to the original" if best.fitted else ""
    return f"{best.why or 'the smallest form that was proved'}{fitted}"

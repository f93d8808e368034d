"""compress(): the smallest form of a module that is proved within an error."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, final

import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import BudgetError, InputError, NotVerified
from edgepde_runtime.limits import class_name

from edgepde.certify.network import Affine
from edgepde.compress import forms
from edgepde.compress.allowance import MaxError, allowance
from edgepde.compress.blocked import Placed, placed
from edgepde.compress.derived import Measured
from edgepde.compress.geometry import Geometry, geometry
from edgepde.compress.hunt import Candidate, Hunt, Known
from edgepde.compress.joints import numbers
from edgepde.compress.ledger import Entry, Ledger
from edgepde.compress.operators import OperatorSearch, is_operator
from edgepde.compress.proof import Part, judge
from edgepde.compress.searching import Search
from edgepde.compress.updating import Previous, Updating
from edgepde.network.reading import Read, read_module
from edgepde.train.progress import Progress, progress
from edgepde.train.threads import one_thread

SECONDS = 120.0


@final
@dataclass(frozen=True)
class Compressed:
    """module: smaller, of the same signature as reference, the original. ledger: what was done, as JSON.

    blocks: where affine maps of the original are found as blocks. geometry: points that were given.
    """

    module: torch.nn.Module
    reference: torch.nn.Module
    ledger: Mapping[str, Any]
    blocks: Mapping[int, Placed] = field(default_factory=dict)
    geometry: Geometry = field(default_factory=Geometry)


def compress(
    module: torch.nn.Module,
    domain: Box,
    max_error: MaxError | None = None,
    *,
    output: str = "y",
    min_class: str = "sound",
    method: str = "auto",
    seconds: float = SECONDS,
    seed: int = 0,
    points: Any = None,
    previous: Compressed | None = None,
    keep: Callable[[Known], None] | None = None,
    known: Known | None = None,
) -> Compressed:
    """The smallest form found whose sup |module - device| over the domain is proved at most max_error.

    max_error: in the output's unit, 1e-3 or y=1e-3 or, tighter on a part of the box, 1e-2,[x=0.4:0.6]=1e-4; it bounds
    compression, stored weights, rounding and activation of the C99 code together; y_x=1e-1,y_xx=5 beside it limit what
    derivatives are measured to be off. output: its name. points: where outputs and inputs lie, one array [n, k] for
    both, a pair (rows, columns), or a file; they order the clusters of the hmatrix form. previous: a compressed module
    of the same architecture, whose blocks are kept where they still hold; max_error is then by default its own.
    method: "auto" or one of the forms. seconds: for search and proofs. keep(known) is called with every smaller form
    that is proved; given back as `known` the search goes on from it.
    Raises UnsupportedModel naming node or parameter, InputError for a box, points or previous module that does not fit,
    BudgetError for an error or method nobody understands, NotVerified with the best bound where nothing is proved.
    """
    asked = _asked(domain, max_error, previous, min_class)
    allowed, names = allowance(asked, domain, output), methods(method)
    read = read_module(module, domain)
    at = geometry(points).checked(read.network)
    with one_thread(), progress("compressing", seconds) as bar, torch.no_grad():
        given = (judge(read.network, allowed, read.dtype), seconds, seed, partial(_tell, bar, seconds), keep, at)
        search, told = _searched(given, names, known) if previous is None else _updated(previous, domain, given, names)
    if search.best is None:
        raise NotVerified(_unproved(search))
    document = _ledger(read, search, search.best, {"method": method, "max_error": str(asked)}).as_dict()
    blocks = placed(search.best.network, search.best.formed, read.network)
    return Compressed(read.rebuilt(search.best.network), module, {**document, **told}, blocks, at)


def _asked(domain: Any, max_error: MaxError | None, previous: Compressed | None, min_class: str) -> MaxError:
    class_name(min_class, "min_class")
    if not isinstance(domain, Box):
        raise InputError(f"domain: expected an edgepde.Box, got {type(domain).__name__}")
    if max_error is not None:
        return max_error
    if previous is None or "max_error" not in previous.ledger:
        raise BudgetError("--max-error E is missing: the error to stay under")
    return str(previous.ledger["max_error"])


def _searched(given: tuple[Any, ...], names: tuple[str, ...], known: Known | None) -> tuple[Hunt, dict[str, Any]]:
    search: Hunt = (OperatorSearch if is_operator(given[0].f) else Search)(*given, known=known)
    search.run(names)
    return search, {}


def _updated(
    previous: Compressed, domain: Box, given: tuple[Any, ...], names: tuple[str, ...]
) -> tuple[Hunt, dict[str, Any]]:
    """The search that followed the previous module, an ordinary one where that does not suffice; and what it told."""
    began = time.monotonic()
    name = str(previous.ledger.get("name", "the old network"))
    if not previous.blocks:
        raise InputError(f"--from {name}: expected layers as blocks (form hmatrix), it has none")
    try:
        old, reference = (read_module(m, domain).network for m in (previous.module, previous.reference))
    except InputError as error:
        raise InputError(f"--from {name}: {error}") from None
    before = Previous(old, reference, previous.blocks, name)
    before.check(given[0].f)
    update = Updating(*given, previous=before)
    update.run(names)
    told = {"update": update.told(time.monotonic() - began)}
    if update.best is not None:
        return update, told
    told["update"]["outcome"] += "; compressed anew"
    update.say(told["update"]["outcome"])
    return _searched(given, names, None)[0], told


def _tell(bar: Progress, seconds: float, spent: float, text: str) -> None:
    bar.note(text)
    bar.update(min(spent, seconds))


def methods(method: str) -> tuple[str, ...]:
    """The forms that a method means; raises BudgetError for one nobody knows."""
    known = forms.names()
    if method != "auto" and method not in known:
        raise BudgetError(f"--method expected auto, {', '.join(known)}, got {method!r}")
    return known if method == "auto" else (method,)


def _ledger(read: Read, search: Hunt, best: Candidate, notes: dict[str, Any]) -> Ledger:
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
    return Ledger(tuple(entries), error, tuple(search.tried), {**notes, "seconds": search.seconds})


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

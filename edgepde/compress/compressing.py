"""compress(): the smallest form of a module that is proved within an error."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import BudgetError, InputError, NotVerified
from edgepde_runtime.limits import class_name

from edgepde.certify.network import Affine, Network
from edgepde.compress import forms
from edgepde.compress.allowance import MaxError, allowance
from edgepde.compress.joints import layout, numbers
from edgepde.compress.ledger import Entry, Ledger
from edgepde.compress.proof import Part, judge
from edgepde.compress.searching import Candidate, Known, Search
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
    keep: Callable[[Known], None] | None = None,
    known: Known | None = None,
) -> Compressed:
    """The smallest form found whose sup |module - device| over the domain is proved at most max_error.

    max_error: in the output's unit, 1e-3 or y=1e-3 or, tighter on a part of the box, 1e-2,[x=0.4:0.6]=1e-4; it bounds
    compression, stored weights, rounding and activation of the C99 code together. output: its name.
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
    with one_thread(), progress("compressing", seconds) as bar, torch.no_grad():
        tell = partial(_tell, bar, seconds)
        search = Search(judge(read.network, allowed, read.dtype), seconds, seed, tell, keep, known)
        search.run(names)
    if search.best is None:
        raise NotVerified(_unproved(search))
    document = _ledger(read, search, search.best, method).as_dict()
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


def _ledger(read: Read, search: Search, best: Candidate, method: str) -> Ledger:
    assert best.proof is not None
    each = torch.finfo(read.dtype).bits // 8
    f, kept = read.network, layout(read.network).kept
    changed = {} if best.form == "dense" else forms.form(best.form).described(f, best.choice.options)
    entries = []
    for place, node in enumerate(f.nodes):
        if not isinstance(node, Affine):
            continue
        before = each * numbers(f, place)
        form, after = changed.get(place, ("dense", before // each))
        why = _why(best) if place in changed else kept.get(place, "no smaller form was proved")
        alone = _alone(search, best, place) if place in changed else None
        entries.append(Entry(f"node{place}", form, before, each * after, alone, why))
    areas = [_stated(part) for part in best.proof.parts]
    error = {**areas[0], "class": "sound", "norm": "sup"}
    if len(areas) > 1:
        error["regions"] = areas[1:]
    return Ledger(tuple(entries), error, tuple(search.tried), {"method": method, "seconds": search.seconds})


def _stated(part: Part) -> dict[str, Any]:
    return {
        "where": part.area.name,
        "max_error": part.area.limit,
        "value": part.total,
        "compression": part.compression,
        "device": part.device,
        "found": part.found,
    }


def _unproved(search: Search) -> str:
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
    return f"the smallest form that was proved{fitted}"


def _alone(search: Search, best: Candidate, place: int) -> float | None:
    """The error over sample points where only the part that ends at this place is changed, not fitted again."""
    form, f = forms.form(best.form), search.judge.f
    names = [part.name for part in form.parts(f, search.target.few)]
    if str(place) not in names:
        return None
    options = [o if n == str(place) else 0 for n, o in zip(names, best.choice.options, strict=True)]
    made: Network = form.apply(f, options, search.target.few)
    worst = float((made(search.target.x) - search.target.y).abs().max())
    return worst if math.isfinite(worst) else None

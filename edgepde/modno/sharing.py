"""How deep operators share the branch: nothing of it, its first layer, or all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from edgepde.train.ranks import Alone
from edgepde.train.run_folder import Run

from .branches._branch import Branch
from .branches.gaussian import Gaussian
from .branches.grouped import Grouped
from .branches.mlp import Mlp
from .by_gradients import learned
from .cases import Cases
from .encoding import Encoding
from .making import Made, make
from .settings import Settings

NOTHING, FIRST, ALL = "nothing", "first layer", "all"
DEPTHS = (NOTHING, FIRST, ALL)


def shared(
    cases: Sequence[Cases], encoding: Encoding, how: Settings, depth: str, run: Run, device: torch.device, part: str
) -> tuple[list[Made], int]:
    """One branch for all operators, or one for each where they share nothing; and the numbers of it all."""
    if depth == NOTHING:
        made = [make([one], encoding, how, Alone(), run, device, f"{part}-{one.name}") for one in cases]
    elif depth == FIRST and how.by_gradients:
        found = learned(cases, encoding, how, Alone(), run, device, part, apart)
        made = [Made(encoding, found.branch, found.cassettes, found.passes, found.history)]
    elif depth == FIRST:
        made = [make(cases, encoding, _own_outputs(how), Alone(), run, device, part)]
    else:
        made = [make(cases, encoding, how, Alone(), run, device, part)]
    return made, sum(numbers(one) for one in made)


def numbers(made: Made) -> int:
    """What is stored: a tensor of several parts of the branch once, rows of mixing that read no feature never."""
    branch = made.branch
    held = {t.data_ptr(): t.numel() for t in branch.state_dict().values()}
    parts = len(branch.parts) if isinstance(branch, Grouped) else 1
    unread = branch.width - branch.width // parts
    total = sum(held.values()) + sum(c.numbers - unread * c.rank for c in made.cassettes.values())
    identity = branch.output.numel() if isinstance(branch, Gaussian) and branch.units == branch.width else 0
    return total - identity


def apart(branch: Branch, count: int) -> Grouped:
    """So many branches that begin like this one and have its first layer in common."""
    made = Grouped([dict(branch.description())] * count).to(next(branch.parameters()))
    for place in range(count):
        part = made.part(place)
        part.load_state_dict(branch.state_dict())
        if isinstance(part, Gaussian) and isinstance(branch, Gaussian):
            part.scale, part.centres = branch.scale, branch.centres
        elif isinstance(part, Mlp) and isinstance(branch, Mlp):
            part.scale, part.layers[0] = branch.scale, branch.layers[0]
    return made


def _own_outputs(how: Settings) -> Settings:
    """As many features as units: what mixes the units is an operator's own."""
    from .closed_form import Closed

    units = Closed().units if how.units is None else how.units
    return replace(how, units=units, features=units)

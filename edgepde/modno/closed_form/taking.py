"""What a fit makes of an operator's data: its linear part, the equation it obeys, its symmetries, more cases."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np

from .. import symmetry
from ..encoding import Encoding
from ..prepared import prepare
from ..sizes import output_sizes
from ..spectral import Spectral
from ..symmetry import TRANSFORMS
from ..training.passes import Passes
from . import more, solving
from .kernels import Floats
from .member import Member, held, member
from .more import Law
from .settings import Closed

if TYPE_CHECKING:
    from edgepde.problems.operator_data import OperatorData

SYMMETRIC = 2e-3
"""Relative difference of an equation's solutions from images of others at which an image is as good as a case."""
TESTED, MEASURED = 24, 64
"""Cases on which an image is tested; by which degrees and modes are counted."""
ROWS = 3600
"""Cases and images of an operator at most."""


@final
@dataclass(frozen=True, eq=False)
class Cases:
    """An operator's data, what it is chosen by, its last time and up to how many of that it is wanted."""

    data: OperatorData
    others: OperatorData
    horizon: float
    reach: float = 1.0


@final
@dataclass(frozen=True, eq=False)
class Taken:
    """member: ready to be fitted; linear: validation error of the linear part alone; figures: what was found."""

    member: Member
    linear: float
    figures: dict[str, Any]


def taken_in(cases: Cases, encoding: Encoding, how: Closed, passes: Passes | None = None) -> Taken:
    """An operator's linear part; where that is not enough, or later times are wanted, its equation and more cases."""
    data, horizon, passes = cases.data, cases.horizon, Passes() if passes is None else passes
    inputs = encoding.coefficients(data.sensors)
    sizes = output_sizes(data.take(slice(0, MEASURED)), horizon)
    form = Spectral(encoding.period, sizes.modes, horizon, sizes.terms - 1)
    has = symmetry.symmetries(inputs, form.coefficients(data.field, data.times, data.x))
    turned = how.frame and "shift" in has
    found = _fitted(data, cases, encoding, turned, horizon, passes)
    images = tuple(name for name in TRANSFORMS if how.images and name in has and name != "shift")
    if found.linear <= how.exact and cases.reach == 1.0:
        return replace(found, figures={"linear": found.linear, "equation": None, "images": []})
    curved = found.linear > how.exact
    wanted = "shift" in has and (how.more or cases.reach > 1.0)
    law = more.law(data, cases.others, encoding, horizon) if wanted else None
    if law is not None:
        images = tuple(name for name in images if _has_image(cases.others, law, encoding, name))
        sensors = more.inputs(data, encoding, how.more if curved else 0, how.seed)
        data = more.with_more(data, law, sensors, cases.reach, horizon)
    elif cases.reach > 1.0:
        data = more.carried(data, cases.reach, horizon)
    found = _fitted(data, cases, encoding, turned, cases.reach * horizon, passes, images)
    if law is None and curved and images:
        plain = _fitted(data, cases, encoding, turned, cases.reach * horizon, passes)
        if solving.alone(plain.member, how, passes) < solving.alone(found.member, how, passes):
            found, images = plain, ()
    figures = {"linear": found.linear, "equation": law.flow.statement if law else None, "images": list(images)}
    return replace(found, figures=figures | ({"equation_error": law.flow.error} if law else {}))


def _fitted(
    data: OperatorData,
    cases: Cases,
    encoding: Encoding,
    turned: bool,
    horizon: float,
    passes: Passes,
    images: tuple[str, ...] = (),
) -> Taken:
    sizes = output_sizes(data.take(slice(0, min(MEASURED, len(cases.data)))), horizon)
    fitted = prepare(data, encoding, *sizes, turned, horizon)
    passes.solved(len(data))
    others = held(cases.others, encoding, fitted)
    return Taken(member(fitted, others, images, ROWS), others.error(np.zeros_like(others.rest)), {})


def _has_image(others: OperatorData, law: Law, encoding: Encoding, name: str) -> bool:
    """Whether solutions from images of inputs are the images of solutions."""
    some = others.take(slice(0, TESTED))
    modes = min((len(some.x) - 1) // 2, law.flow.factors.shape[1] - 1)
    space = Spectral(some.period, modes, 1.0, 0).space_matrix(some.x)
    outputs = np.asarray(some.field, np.float64) @ np.linalg.pinv(space)
    given = encoding.coefficients(some.sensors)
    changed, wanted = TRANSFORMS[name](given, outputs, np.random.default_rng(0))
    found: Floats = more.solved(some, law, changed @ np.linalg.pinv(encoding.analysis), some.times)
    if not np.isfinite(found).all():
        return False
    images = wanted @ space
    return bool(np.linalg.norm(found - images) <= (SYMMETRIC + 2.0 * law.flow.error) * np.linalg.norm(images))

"""From data of operators to a shared branch of Gaussian units and a cassette for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..cassette import Cassette
from ..model import SharedModel, model_for
from ..prepared import cassette
from ..sizes import encoding_of, input_modes
from ..training.passes import Passes
from .features import Shared
from .member import Member
from .settings import Closed
from .solving import branch, operator
from .taking import Cases, taken_in

if TYPE_CHECKING:
    from edgepde.problems.operator_data import OperatorData


class Fitted(NamedTuple):
    """model, its cassettes, per operator what was found and chosen, by name, and the passes that ran."""

    model: SharedModel
    cassettes: dict[str, Cassette]
    figures: dict[str, dict[str, Any]]
    passes: Passes


def fit(
    datas: Sequence[OperatorData],
    validation: Sequence[OperatorData],
    settings: Closed | None = None,
    horizons: Mapping[str, float] | None = None,
    reaches: Mapping[str, float] | None = None,
    learn: Callable[[Sequence[Member]], Shared] | None = None,
) -> Fitted:
    """One shared branch and a cassette per operator; validation: further cases of each, in the same order.

    horizons: last times, those of the data where not given; reaches: 1 or up to how many horizons an operator is
    wanted. learn: another way to the branch, for the operators that are not linear. InputError where sensors differ
    between operators.
    """
    how = settings or Closed()
    encoding = encoding_of(datas, max(input_modes(data) for data in datas))
    cases = [
        Cases(data, other, (horizons or {}).get(data.name, float(data.times[-1])), (reaches or {}).get(data.name, 1.0))
        for data, other in zip(datas, validation, strict=True)
    ]
    passes = Passes()
    taken = [taken_in(one, encoding, how, passes) for one in cases]
    curved = [one.member for one in taken if one.linear > how.exact]
    output = learn(curved) if learn and curved else branch(curved or [one.member for one in taken], how, passes)
    cassettes, figures = {}, {}
    for one, data in zip(taken, datas, strict=True):
        mixing, basis, found = operator(one.member, output, one.linear, how, passes)
        empty = cassette(one.member.fitted, data.sensors, mixing[:, :0], basis[:0])
        made = replace(empty, mixing=mixing.astype(np.float32), basis=basis.astype(np.float32))
        cassettes[data.name] = made
        figures[data.name] = one.figures | found | {"numbers": made.numbers}
    return Fitted(model_for(encoding, output.branch(), cassettes.values()), cassettes, figures, passes)

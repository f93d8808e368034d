"""Noise and missing sensors in the study of many operators: what is torn, what is refused, what a solver makes."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modno_parts import _study, robustness

from edgepde.modno.encoding import Encoding
from edgepde.modno.filling import filling
from edgepde.problems import operators
from edgepde.problems.operator_data import OperatorData, generate


@given(st.integers(4, 40), st.floats(0.0, 0.9), st.integers(0, 2**31))
def test_every_row_loses_its_share(sensors: int, share: float, seed: int) -> None:
    gone = robustness.torn((5, sensors), share, np.random.default_rng(seed))
    assert (gone.sum(1) == round(share * sensors)).all()


def test_more_missing_is_refused_more_often() -> None:
    how = filling(generate("wave", 60, 0, points=8, times=2).sensors)
    fresh = generate("wave", 60, 1, points=8, times=2).sensors
    few, many = (robustness.share_of_rows(how, fresh, share, 0.05, np.random.default_rng(0)) for share in (0.1, 0.5))
    assert few == (0.0, 0.0, 0.0)
    assert many[0] == 100.0
    assert many[1] == 0.0


@dataclass(frozen=True)
class Perfect:
    """A model that is the exact operator for its own sensors."""

    loaded: Any

    def predicted(self, name: str, data: OperatorData) -> robustness.Floats:
        return robustness._exact(name, self, data)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["advection", "sine_gordon"])
def test_an_exact_model_loses_what_the_exact_solution_loses(name: str) -> None:
    train, test = (generate(name, 24, 0, split=split, points=32, times=3) for split in ("train", "test"))  # type: ignore[arg-type]
    own = _study.Study(name, 0, operators.operator(name).horizon, train, train, test)
    model = SimpleNamespace(encoding=Encoding(train.sensor_x, train.period, 15))
    ours = Perfect(SimpleNamespace(shared=SimpleNamespace(model=model)))
    found = {(r.case.partition(", ")[2], r.rival): r for r in robustness._of(name, ours, own, 0)}  # type: ignore[arg-type]
    clean = found["as measured", "ours"].measured
    noisy, exact = found["5 % noise", "ours"].measured, found["5 % noise", robustness.EXACT].measured
    missing, damped = found["10 % missing", "ours"], found["5 % noise, damped", "ours"].measured
    assert clean is not None
    assert noisy is not None
    assert damped is not None
    assert missing.measured is not None
    assert clean < 1e-6
    assert noisy == exact
    assert noisy > 0.2
    assert damped < noisy
    assert missing.measured < 1e-4
    assert "72 sensors filled and flagged, 0 of 24 cases refused" in missing.note

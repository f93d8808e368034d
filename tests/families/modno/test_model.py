"""The shared model: its formula, shifts in and out, room that changes nothing, and the same as ONNX and as C."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from edgepde_export.lowering.graph import to_onnx
from edgepde_export.lowering.prepare import prepare
from edgepde_runtime.errors import InputError
from families.modno.periodic_fields import PERIOD, SENSORS, cassette, inputs, model
from hypothesis import given, settings
from hypothesis import strategies as st
from support.generated import Generated
from support.kernel_libraries import needs_cc

from edgepde.modno import branches, linear_part
from edgepde.modno.cassette import SLOTS, Cassette
from edgepde.modno.encoding import LEAST, Encoding, frame, rotate
from edgepde.modno.model import Deployed, SharedModel
from edgepde.modno.spectral import fourier

X = np.arange(16) * PERIOD / 16 + 0.03
TIMES = [0.0, 0.4, 1.0]


def sensors(coefficients: np.ndarray, distance: float = 0.0) -> torch.Tensor:
    """Readings of s(x + distance)."""
    m = coefficients.shape[-1] // 2
    return torch.from_numpy(coefficients @ fourier(SENSORS + distance, PERIOD, m))


def run(made: SharedModel, own: Cassette, given: torch.Tensor, x: np.ndarray = X) -> np.ndarray:
    with torch.no_grad():
        found: np.ndarray = Deployed(made, TIMES, x)(given, *made.slots(own)).numpy()
    return found


def test_it_is_its_formula() -> None:
    made, own, s = model(), cassette(terms=3, modes=6), inputs(4, 5, mean=True)
    turn = frame(s, 6)
    c = rotate(s, turn)
    with torch.no_grad():
        read = made.branch(torch.from_numpy(c)).numpy()
    features = np.concatenate([read, c, np.ones((4, 1))], axis=1)
    parts = np.einsum("nk,kr,rqj->nqj", features, own.mixing, own.basis)
    wanted = rotate(own.scale * (parts + linear_part.apply(own.multiplier, c, 13)), turn, back=True)
    with torch.no_grad():
        found = made(sensors(s), *made.slots(own)).numpy()
    assert found == pytest.approx(wanted, abs=1e-10)
    assert run(made, own, sensors(s)) == pytest.approx(made.spectral.values(wanted, TIMES, X), abs=1e-10)


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.floats(0.0, PERIOD))
def test_shifted_inputs_give_shifted_outputs(seed: int, distance: float) -> None:
    made, own, s = model(), cassette(seed), inputs(3, 5, seed, mean=True)
    s[:, 1] += np.where(s[:, 1] < 0, -0.1, 0.1)
    there, here = run(made, own, sensors(s, distance)), run(made, own, sensors(s), X + distance)
    assert there == pytest.approx(here, abs=1e-9 * np.abs(here).max())


@pytest.mark.parametrize("mean", [0.0, 1.0, -1e8])
def test_a_constant_input_is_not_turned_by_its_rounding(mean: float) -> None:
    made, own, s = model(), cassette(), np.eye(11)[:1] * mean
    assert (run(made, own, sensors(s)) == run(made, replace(own, frame=False), sensors(s))).all()


def test_an_operator_without_a_frame_is_not_shifted() -> None:
    made, own, s = model(), cassette(frame=False), inputs(3, 5)
    there, here = run(made, own, sensors(s, 0.3)), run(made, own, sensors(s), X + 0.3)
    assert np.abs(there - here).max() > 0.1 * np.abs(here).max()


def test_below_the_threshold_the_answer_is_that_without_a_frame() -> None:
    made, own, s = model(), cassette(), inputs(3, 5)
    s[:, [1, 6]] *= 0.5 * LEAST
    assert (run(made, own, sensors(s)) == run(made, replace(own, frame=False), sensors(s))).all()


def test_the_linear_part_alone_never_notices_the_threshold() -> None:
    made, own, s = model(), replace(cassette(), mixing=np.zeros((17, 3))), inputs(1, 5)
    near = [run(made, own, sensors(_with_mode_one(s, share * LEAST))) for share in (0.999999, 1.000001)]
    assert near[0] == pytest.approx(near[1], abs=1e-7)


@pytest.mark.parametrize("more", [{"modes": 9}, {"rank": 20}, {"terms": 7}, {"linear_terms": 9}, {"delta": 2}])
def test_room_for_more_changes_nothing(more: dict[str, int]) -> None:
    s = sensors(inputs(4, 5))
    assert run(model(**more), cassette(), s) == pytest.approx(run(model(), cassette(), s), abs=1e-12)


def test_modes_that_are_not_read_reach_the_linear_part_alone() -> None:
    made, own, s = model(), cassette(), inputs(4, 5)
    blind = replace(own, reads=np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]))
    low, high = s.copy(), s.copy()
    low[:, [3, 4, 5, 8, 9, 10]] = 0.0
    high[:, [0, 1, 2, 6, 7]] = 0.0
    only = replace(own, mixing=np.zeros((17, 3)), frame=False)
    parts = run(made, replace(blind, frame=False), sensors(low)) + run(made, only, sensors(high))
    assert run(made, replace(blind, frame=False), sensors(s)) == pytest.approx(parts, abs=1e-9)
    assert run(made, blind, sensors(low)) == pytest.approx(run(made, own, sensors(low)), abs=1e-12)
    assert np.abs(run(made, blind, sensors(s)) - run(made, own, sensors(s))).max() > 1e-3


def test_a_delta_changes_what_the_branch_reads() -> None:
    rng = np.random.default_rng(0)
    changed = replace(cassette(), left=rng.standard_normal((11, 1)), right=rng.standard_normal((1, 11)))
    made, s = model(delta=1), sensors(inputs(4, 5))
    assert np.abs(run(made, changed, s) - run(made, cassette(), s)).max() > 1e-3


def test_a_halved_basis_is_read_as_it_is() -> None:
    made, s = model(), sensors(inputs(4, 5))
    half = cassette().halved()
    wide = replace(half, basis=half.basis.astype(np.float64))
    assert made.slots(half)[SLOTS.index("basis")].dtype == torch.float16
    assert run(made, half, s) == pytest.approx(run(made, wide, s), abs=1e-13)


def test_a_branch_of_other_inputs_is_refused() -> None:
    branch = branches.build({"kind": "gaussian", "inputs": 9, "features": 2, "units": 3})
    with pytest.raises(InputError, match="branch: expected 11 inputs, got 9"):
        SharedModel(Encoding(SENSORS, PERIOD, 5), branch, 2, 3, 1)


MODELS = {"small": model(4, 3, 2), "large": model(7, 20, 5, linear_terms=9)}


@pytest.fixture(scope="module")
def graphs() -> dict[str, bytes]:
    """Of both, with the slots as inputs."""
    found = {}
    for name, made in MODELS.items():
        slots = dict(zip(SLOTS, made.slots(cassette()), strict=False))
        given = {"sensors": torch.zeros(2, 12, dtype=torch.float64), **slots}
        graph = to_onnx(Deployed(made, TIMES, X), given, {"sensors": {0: "B"}}, ["u"])
        found[name] = prepare(graph, lambda *_: None).SerializeToString()
    return found


class TestExported:
    """As ONNX, and as C."""

    def test_onnx_agrees_also_where_nothing_is_turned(self, graphs: dict[str, bytes]) -> None:
        made, own = MODELS["small"], cassette()
        rows = np.concatenate([np.zeros((1, 11)), np.eye(11), 1e-200 * np.eye(11)[1:3], inputs(5, 5)])
        given = {"sensors": sensors(rows).numpy(), **own.arrays(made.sizes, np.float64)}
        found = onnxruntime.InferenceSession(graphs["small"]).run(None, given)[0]
        assert np.isfinite(found).all()
        assert found == pytest.approx(run(made, own, torch.from_numpy(given["sensors"])), abs=1e-11)

    @needs_cc
    def test_in_c_room_for_more_changes_no_bit(self, graphs: dict[str, bytes], tmp_path: Path) -> None:
        own, rows = cassette(), sensors(inputs(4, 5)).numpy()
        built = Generated(graphs, tmp_path).on("scalar")
        found = {n: built[n]({"sensors": rows, **own.arrays(m.sizes, np.float64)})["u"] for n, m in MODELS.items()}
        assert found["small"].tobytes() == found["large"].tobytes()
        assert found["small"] == pytest.approx(run(MODELS["small"], own, torch.from_numpy(rows)), abs=1e-11)


def _with_mode_one(s: np.ndarray, share: float) -> np.ndarray:
    found = s.copy()
    found[:, [1, 6]] = 0.0
    size = np.linalg.norm(found[:, 1:])
    found[:, [1, 6]] = np.array([0.6, 0.8]) * share * size / np.sqrt(1.0 - share**2)
    return found

"""The study of simulators: the rival it picks, memory it counts, trainings it reads again, targets it keeps."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import factorconv
import numpy as np
import onnx
import pytest
import torch
from factorconv_parts import _rivals, _study, parameters, rollout, simulators
from onnx import TensorProto, helper
from support.standing_waves import standing
from torch import nn

from edgepde.errors import DataError
from edgepde.factorconv.decoder import Decoder
from edgepde.factorconv.description import Generator
from edgepde.factorconv.training import Fit
from edgepde.problems.wave2d import Wave2D
from edgepde.problems.zone import ZoneData

DATA = _study.Data("standing", *standing(30).split(0, 4, 4))
HOW = Generator(parameters=2, times=8, rows=8, columns=8, hidden=(6,), coarse=(4, 4), channels=(4, 4))


def trained(parameters: int, validation: float, test: float = 0.1) -> _study.Trained:
    return _study.Trained("net", nn.Identity(), parameters, 1, 1.0, 1.0, 0.0, validation, test, 0.0)


def test_the_parts_of_the_issue_are_there() -> None:
    assert {"parameters", "oversized", "simulators", "data_size", "coarse_fe", "data", "rollout"} <= set(
        factorconv.parts()
    )


@pytest.mark.parametrize(
    ("nets", "wanted"),
    [([(10, 0.5), (20, 0.11), (30, 0.1)], 2), ([(10, 0.5), (20, 0.101), (30, 0.1)], 1), ([(10, 0.1), (20, 0.2)], 0)],
)
def test_the_rival_is_the_smallest_within_two_percent(nets: list[tuple[int, float]], wanted: int) -> None:
    assert _rivals.smallest_good([trained(n, e) for n, e in nets]) == wanted


def test_a_ratio_counts_only_at_the_rivals_error() -> None:
    rival = trained(100, 0.1, 0.1)
    assert parameters._fewer("case", trained(10, 0.1, 0.105), rival, 7.0).met
    missed = parameters._fewer("case", trained(10, 0.1, 0.106), rival, 7.0)
    assert missed.measured is None
    assert "1.060" in missed.note


def test_what_was_trained_is_read_again_and_another_seed_is_not(tmp_path: Path) -> None:
    first = _study.obtain(tmp_path, DATA, "net", HOW, Fit(1, 8), 0)
    again = _study.obtain(tmp_path, DATA, "net", HOW, Fit(1, 8), 0)
    assert first.seconds == again.seconds
    x = torch.from_numpy(DATA.test.parameters).float()
    torch.testing.assert_close(first.module(x), again.module(x), rtol=0.0, atol=0.0)
    other = _study.obtain(tmp_path, DATA, "net", HOW, Fit(1, 8), 1)
    assert other.test != first.test
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_other_test_cases_change_the_figures_and_train_nothing(tmp_path: Path) -> None:
    first = _study.obtain(tmp_path, DATA, "net", HOW, Fit(1, 8), 0)
    other = replace(DATA, test=DATA.validation, test_key="other")
    again = _study.obtain(tmp_path, other, "net", HOW, Fit(1, 8), 0)
    assert again.seconds == first.seconds
    assert again.test != first.test
    assert again.test == pytest.approx(again.validation, rel=1e-5)
    assert _study.obtain(tmp_path, DATA, "net", HOW, Fit(1, 8), 0).test == first.test
    assert len(list(tmp_path.glob("*.json"))) == 1


def test_test_cases_are_of_a_draw_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def drawn(config: Wave2D, count: int, seed: int) -> ZoneData:
        return config.zone(config.parameters(seed, 0, count), np.ones((count, 16, 16, 16), np.float32))

    monkeypatch.setattr(_study, "generate", drawn)
    data = _study.obtain_data(tmp_path, quick=True)
    others = np.concatenate([data.train.parameters, data.validation.parameters])
    assert np.abs(data.test.parameters[:, None] - others[None]).max(2).min() > 0.0
    assert str(_study.TEST_SEED) in data.test_key
    assert str(_study.TEST_SEED) not in data.key
    wide = replace(_study.WAVE.quick(), low=Wave2D().low)
    with pytest.raises(DataError, match="parameters: expected those of"):
        _study.simulated(tmp_path, wide, len(data.test.parameters), _study.TEST_SEED)


@pytest.mark.parametrize(("error", "width"), [(0.5, 8), (0.15, 16), (0.01, 32)])
def test_filters_are_the_narrowest_at_the_validation_error(
    error: float, width: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = {8: trained(8, 0.2, 0.0), 16: trained(16, 0.15, 0.9), 32: trained(32, 0.02, 0.0)}
    monkeypatch.setattr(_rivals, "shared", lambda _runs, _data, _plan, w, _seed: found[w])
    plan = replace(_rivals.FULL, widths_modulated=(8, 16, 32))
    assert _rivals.filters(tmp_path, DATA, plan, 0, error).parameters == width


def test_steps_of_a_rollout() -> None:
    assert [rollout.steps(n) for n in (1, 8, 12, 28)] == [[1], [1, 2, 4, 8], [1, 2, 4, 8, 12], [1, 2, 4, 8, 16, 28]]


def test_a_decoder_is_kept_with_the_size_that_was_chosen(tmp_path: Path) -> None:
    made = _rivals.decoder(tmp_path, DATA, _rivals.QUICK, 0, 0.5)
    again = _rivals.decoder(tmp_path, DATA, _rivals.QUICK, 0, 0.5)
    assert isinstance(made.module.description, Decoder)
    assert again.module.description == made.module.description
    assert made.validation <= 0.5
    other = _rivals.decoder(tmp_path, DATA, _rivals.QUICK, 0, 0.0)
    assert other.validation <= made.validation
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_noise_is_in_training_fields_alone_and_as_large_as_it_says() -> None:
    noisy = DATA.noisy(0.05)
    off = noisy.train.field - DATA.train.field
    assert np.sqrt(np.mean(off**2) / np.mean(DATA.train.field**2)) == pytest.approx(0.05, rel=0.05)
    assert noisy.test is DATA.test
    assert noisy.key != DATA.key
    assert len(DATA.first(5).train) == 5


def chain(*ops: str) -> onnx.ModelProto:
    names = [f"v{i}" for i in range(len(ops))] + ["u"]
    nodes = [
        helper.make_node(op, [a, a] if op == "Add" else [a], [b])
        for op, (a, b) in zip(ops, pairwise(names), strict=True)
    ]
    given, made = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["M", 100]) for n in ("v0", "u"))
    graph = helper.make_graph(nodes, "chain", [given], [made])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])


@pytest.mark.parametrize(
    ("ops", "bytes_alive"),
    [(("Relu",), 0), (("Relu", "Relu"), 400), (("Relu", "Relu", "Relu"), 800), (("Relu", "Sin", "Relu"), 400)],
)
def test_memory_is_that_of_results_alive_at_a_time(ops: tuple[str, ...], bytes_alive: int) -> None:
    assert simulators.liveness(chain(*ops)) == bytes_alive


def test_simulators_agree_with_torch_in_onnx_runtime() -> None:
    module = HOW.seeded(0).eval()
    x = DATA.test.parameters[:1].astype(np.float32)
    found = simulators.session(simulators.graph(module, 2), x, (1, 8, 8, 8))()
    with torch.no_grad():
        wanted = module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5 * float(np.abs(wanted).max()))


def test_pod_with_an_mlp_learns_standing_waves() -> None:
    few, many = (_rivals.pod(DATA, 6, 16, steps, 0) for steps in (2, 400))
    assert many.test < 0.5 * few.test
    assert many.parameters == few.parameters == 2 * 16 + 16 + 16 * 16 + 16 + 16 * 6 + 6 + 6 * 512


def test_memory_of_a_step_is_what_backward_keeps_and_the_numbers_four_times() -> None:
    x = torch.randn(3, 2)
    kept, output, numbers = 3 * 2, 3 * 4, 2 * 4 + 4
    assert _study.held(torch.nn.Linear(2, 4), x) == 4 * (kept + output + 4 * numbers)
    longer = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh())
    assert _study.held(longer, x) == 4 * (kept + output + 4 * numbers)
    deeper = torch.nn.Sequential(*longer, torch.nn.Linear(4, 4))
    assert _study.held(deeper, x) == 4 * (kept + 2 * output + 4 * (numbers + 20))

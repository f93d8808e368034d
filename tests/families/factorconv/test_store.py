"""Runs of simulators: read back bit for bit, refused with file and field where altered."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from support.standing_waves import standing

from edgepde.errors import RunError
from edgepde.factorconv import store
from edgepde.factorconv.decoder import Decoder
from edgepde.factorconv.description import Description, Generator, UNet
from edgepde.factorconv.store import Simulator
from edgepde.train.run_folder import Run

SMALL = Generator(
    parameters=2, times=8, rows=8, columns=8, hidden=(4,), coarse=(4, 4), channels=(3, 3), form="shared", modes=3
)
SHOWN: list[Description] = [
    SMALL,
    dataclasses.replace(SMALL, form="dense", dimension=3, coarse=(4, 4, 4), modes=0, norm="batch"),
    dataclasses.replace(SMALL, form="tucker2", rank=(2, 2)),
    dataclasses.replace(SMALL, form="shared", ranks=((2,), (3,), (1,))),
    UNet(past=2, future=8, rows=8, columns=8, channels=(3, 4), form="separable"),
    Decoder(times=8, rows=8, columns=8, parameters=2, hidden=(4, 6), rank=3, positions=20, axes=(4, 4, 4)),
]


def simulator(how: Description, seed: int = 0) -> Simulator:
    data = standing(3)
    box = data.box if how.inputs == 2 else Box([-1.0] * how.inputs, [1.0] * how.inputs)
    axes = {"t": data.t, "y": data.y, "x": data.x}
    module = how.seeded(seed).eval()
    return Simulator(how, module, box, "parameters", "u", "mm", axes, ("s", "m", "m"), {"more": [1, 2]})


def written(path: Path, made: Simulator, reference: Simulator | None = None) -> Path:
    with Run.start(path, {"made": "by a test"}) as run:
        ledger = None if reference is None else {"error": {}}
        store.save(run, made, {"name": "toy"}, {"seconds": 1.0}, reference, ledger)
    return path


@pytest.mark.parametrize("how", SHOWN, ids=lambda how: type(how).__name__)
def test_a_run_is_read_back_bit_for_bit(tmp_path: Path, how: Description) -> None:
    made = simulator(how)
    loaded = store.load(written(tmp_path / "r", made))
    found = loaded.simulator
    assert found.description == how
    assert (found.input, found.output, found.unit, found.axis_units) == ("parameters", "u", "mm", ("s", "m", "m"))
    assert found.box == made.box
    assert found.about == {"more": [1, 2]}
    assert loaded.reference is None
    assert found.parameters == made.parameters
    assert all(np.array_equal(found.axes[name], made.axes[name]) for name in "tyx")
    x = torch.from_numpy(made.box.sample(3, np.random.default_rng(0))).float()
    assert torch.equal(found.module(x), made.module(x))
    assert not found.module.training


def test_a_compressed_run_holds_both(tmp_path: Path) -> None:
    small = simulator(dataclasses.replace(SMALL, rank=1))
    loaded = store.load(written(tmp_path / "r", small, simulator(SMALL)))
    assert loaded.reference is not None
    assert (loaded.simulator.description, loaded.reference.description) == (small.description, SMALL)
    x = torch.zeros(1, 2)
    assert torch.equal(loaded.reference.module(x), simulator(SMALL).module(x))
    spec = json.loads((tmp_path / "r" / "spec.json").read_text())
    spec["factorconv"]["reference"]["rows"] = 16
    spec["factorconv"]["reference"]["coarse"] = [8, 4]
    (tmp_path / "r" / "spec.json").write_text(json.dumps(spec))
    with pytest.raises(RunError, match=r"factorconv.reference: expected 2 inputs and outputs \[8, 8, 8\]"):
        store.load(tmp_path / "r")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("store") / "r", simulator(SMALL))


def altered(run: Path, target: Path, *where: Any) -> Path:
    """A copy whose spec has another value; the last entry is the value."""
    target.mkdir()
    for name in ("weights.safetensors", "spec.json"):
        (target / name).write_bytes((run / name).read_bytes())
    spec = json.loads((target / "spec.json").read_text())
    *keys, last, value = where
    at = spec
    for key in keys:
        at = at[key]
    if value is None:
        del at[last]
    else:
        at[last] = value
    (target / "spec.json").write_text(json.dumps(spec))
    return target


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (("family", "network"), "unknown keys"),
        (("factorconv", None), "factorconv: expected an object, got NoneType"),
        (("factorconv", "input", None), "factorconv.input: expected a name, got None"),
        (("factorconv", "output", "../u"), "factorconv.output: expected a name"),
        (("factorconv", "axis_units", ["s"]), "factorconv.axis_units: expected 3 texts"),
        (("architecture", "kind", "net"), "architecture.kind: expected one of decoder, generator, "),
        (("architecture", "hidden", [5]), r"architecture: tensor 'head.0.weight': expected torch.float32 \[5, 2\]"),
        (("architecture", "form", "cp"), "architecture: tensors: missing"),
        (("architecture", "form", 7), "architecture.form: expected str"),
        (("architecture", "rank", 2.5), "architecture: .*rank"),
        (("architecture", "rank", [1, 2, 3, 4]), "architecture: .*rank"),
        (("architecture", "rank", 10000), "architecture: .*rank"),
        (("architecture", "ranks", [[1]]), "tensor 'body.*expected torch.float32"),
        (("architecture", "times", 16), r"tensor axis_t: expected 16 increasing float64, got torch.float64 \[8\]"),
        (("architecture", "times", 65536), "architecture.times: expected 1 to 1024, got 65536"),
        (("architecture", "hidden", [65536, 65536]), "architecture: expected at most|tensors: missing"),
        (("architecture", "parameters", 3), "box.parameters: expected 3 columns, got 2"),
        (("architecture", "modes", 4), "tensor 'body|tensor 'basis"),
        (("box", "parameters", None), "box.parameters: missing"),
        (("box", "parameters", "low", [5.0, 5.0]), "box.parameters: "),
        (("tensors", "axis_x", [[7], "float64"]), r"weights.safetensors: tensor 'axis_x'"),
    ],
)
def test_altered_specs_are_refused_with_the_field(run: Path, tmp_path: Path, where: Any, said: str) -> None:
    with pytest.raises(RunError, match=said):
        store.load(altered(run, tmp_path / "r", *where))


@pytest.mark.parametrize("name", ["weights.safetensors", "spec.json"])
@pytest.mark.parametrize("cut", [0.0, 0.4, 0.99])
def test_truncated_files_are_refused_with_their_name(run: Path, tmp_path: Path, name: str, cut: float) -> None:
    target = altered(run, tmp_path / "r", "seed", 0)
    data = (target / name).read_bytes()
    (target / name).write_bytes(data[: int(cut * len(data))])
    with pytest.raises(RunError, match=name):
        store.load(target)


def test_an_altered_weight_is_refused(run: Path, tmp_path: Path) -> None:
    target = altered(run, tmp_path / "r", "seed", 0)
    data = bytearray((target / "weights.safetensors").read_bytes())
    data[-9] ^= 64
    (target / "weights.safetensors").write_bytes(data)
    with pytest.raises(RunError, match=r"weights\.safetensors: altered"):
        store.load(target)


def test_numbers_that_make_no_field_are_refused(tmp_path: Path) -> None:
    made = simulator(SMALL)
    made.module.get_buffer("width").zero_()
    with pytest.raises(RunError, match=r"expected finite outputs .* in the middle of the box"):
        store.load(written(tmp_path / "zero", made))
    made = simulator(SMALL)
    made.module.get_buffer("scale").fill_(float("nan"))
    with pytest.raises(RunError, match="tensor 'scale': expected finite values"):
        written(tmp_path / "nan", made)


@pytest.mark.parametrize("values", [np.arange(7.0), np.arange(8.0)[::-1].copy(), np.zeros(8), None])
def test_axes_that_are_none_are_refused(tmp_path: Path, values: Any) -> None:
    made = simulator(SMALL)
    axes = {name: held for name, held in {**made.axes, "y": values}.items() if held is not None}
    path = written(tmp_path / "r", dataclasses.replace(made, axes=axes))
    with pytest.raises(RunError, match="tensor axis_y: expected 8 increasing float64"):
        store.load(path)


def test_another_family_is_named(tmp_path: Path) -> None:
    with Run.start(tmp_path / "r", {"a": 1}) as run:
        run.finish({"w": torch.zeros(1)}, {"family": "mine", "architecture": "rows", "problem": "toy", "box": {}})
    with pytest.raises(RunError, match="family: expected 'factorconv', got 'mine'"):
        store.load(tmp_path / "r")

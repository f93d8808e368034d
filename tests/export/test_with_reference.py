"""A bundle that carries its reference network can be attacked where torch is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from edgepde_export import export
from edgepde_export.bundle import write
from edgepde_export.lowering.module import lower
from edgepde_export.lowering.options import Options
from edgepde_runtime import bundle as bundles
from edgepde_runtime.__main__ import main
from edgepde_runtime.backends.reference import load
from edgepde_runtime.box import Box
from edgepde_runtime.errors import BundleError
from edgepde_runtime.verbs.attackcheck import AttackOptions, check_attack
from edgepde_runtime.verdict import PASS

BOX = Box([-1.0, 0.0], [1.0, 1.0], ["x", "t"], ["m", "s"])


def quiet(*_: object) -> None:
    """Nothing is told."""


def net() -> torch.nn.Module:
    """A small network, the same every time."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))


def test_the_reference_is_the_module_in_float64_and_the_bound_withstands_an_attack(tmp_path: Path) -> None:
    module = net()
    made = export(module, tmp_path / "b", domain=BOX, with_reference=True, precision="f16w", log=quiet)
    opened = bundles.read(made)
    assert opened.reference is not None
    x = BOX.sample(50, np.random.default_rng(0))
    with torch.no_grad():
        expected = module.double()(torch.from_numpy(x)).numpy()
    name = opened.manifest.inputs[0].name
    got = next(iter(load(opened.reference).run({name: x}).values()))
    assert np.abs(got - expected).max() < 1e-14
    for backend in ("reference", "ort"):
        (check,) = check_attack(opened, backend, AttackOptions(0.5))
        assert (check.status, check.unit) == (PASS, opened.manifest.outputs[0].unit)
        assert check.value is not None
        assert check.limit is not None
        assert 0.0 < check.value <= check.limit < 10.0 * check.value


def test_the_same_bytes_twice_and_none_where_it_is_not_asked_for(tmp_path: Path) -> None:
    made = [export(net(), tmp_path / n / "b", domain=BOX, with_reference=True, log=quiet) for n in ("one", "two")]
    first, second = ((path / "reference.npz").read_bytes() for path in made)
    assert first == second
    plain = export(net(), tmp_path / "plain", domain=BOX, log=quiet)
    assert not (plain / "reference.npz").exists()
    assert main(["verify", str(plain), "--attack", "0.1", "--seconds", "0.02", "--backend", "reference"]) == 4


def test_a_reference_with_another_signature_is_refused_and_nothing_written(tmp_path: Path) -> None:
    content = lower(net(), BOX, Options(log=quiet))
    with pytest.raises(BundleError, match=r"b/reference\.npz: member graph: inputs expected"):
        write(tmp_path / "b", replace(content, reference=content.model))
    assert not (tmp_path / "b").exists()

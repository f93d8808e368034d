"""The shipped bundle of sixteen operators: its numbers on new draws, its promises, its size."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from edgepde_runtime import bundle
from edgepde_runtime.__main__ import main

from edgepde.problems import operators

FOLDER = Path(__file__).resolve().parents[2] / "samples" / "modno_16"
BUNDLE = FOLDER / "bundle"
SIZE_LIMIT = 2_000_000
CASES = 20


@pytest.fixture(scope="module")
def sample() -> ModuleType:
    spec = importlib.util.spec_from_file_location("modno_16_sample", FOLDER / "sample.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("backend", ["ort", "reference"])
def test_the_sample_reaches_its_numbers(sample: ModuleType, backend: str) -> None:
    linear = [name for name in operators.names() if operators.operator(name).is_linear]
    found = sample.rows(BUNDLE, backend, CASES, [*linear, *sample.TARGETS])
    assert [one.name for one in found if not one.met] == []
    assert min(one.inside for one in found) >= 0.9
    assert sum(one.refused for one in found) == 0


def test_all_sixteen_are_there_and_the_bundle_is_small() -> None:
    held = bundle.read(BUNDLE)
    assert held.cassettes == tuple(sorted(operators.names()))
    assert len(held.cassettes) == 16
    assert held.size <= SIZE_LIMIT


def test_the_bundle_verifies(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(BUNDLE), "--backend", "reference"]) == 0
    assert "pass" in capsys.readouterr().out


def test_every_promise_is_statistical_and_the_rest_is_small() -> None:
    held = bundle.read(BUNDLE)
    for name in held.cassettes:
        entry = held.holding(name).certificate.outputs["u"]
        assert entry.terms["model"].class_ == "statistical"
        assert (entry.device_total or 0.0) <= max(0.1 * (entry.terms["model"].value or 0.0), 1e-5)


def test_the_report_is_of_this_bundle() -> None:
    page = (FOLDER / "report.html").read_text(encoding="utf-8")
    held = bundle.read(BUNDLE)
    assert held.id in page
    assert all(f"<h3>{name}</h3>" in page for name in held.cassettes)

"""Blocks in modules and run folders, bit for bit; operators of many columns as bundles in proportion."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from edgepde_export.exporting import export
from edgepde_runtime import bundle as reader
from edgepde_runtime import load
from edgepde_runtime.box import Box
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.verbs.inspect import inspect
from support.block_matrices import random_blocks

from edgepde.certify.network import Affine, Blocks, Gather, Input, Network, tensor
from edgepde.errors import RunError
from edgepde.network import store
from edgepde.network.module import NetworkModule
from edgepde.network.signature import parameter_dtype

WIDE = 300


def quiet(_: str) -> None:
    """Says nothing."""


def operator(n: int, seed: int = 0) -> NetworkModule:
    """A linear operator in blocks between permutations, one part of halves."""
    rng = np.random.default_rng(seed)
    parts = tuple(random_blocks(rng, n, n, groups=6, dtype=kind, size=0.1) for kind in (np.float32, np.float16))
    order = torch.from_numpy(rng.permutation(n))
    nodes = (Input(n), Gather((0,), order), Blocks((1,), parts, torch.zeros(n).double()), Gather((2,), order))
    return NetworkModule(Network(nodes)).eval()


def held(module: NetworkModule) -> dict[str, torch.Tensor]:
    return store.tensors(module)


def test_a_round_trip_keeps_every_bit_and_type() -> None:
    module = operator(12)
    stated = json.loads(json.dumps(store.architecture(module)))
    again = store.rebuilt(stated, held(module), "here")
    assert held(again).keys() == held(module).keys()
    for name, values in held(module).items():
        assert held(again)[name].dtype == values.dtype
        assert torch.equal(held(again)[name], values)
    assert {v.dtype for v in held(module).values()} == {torch.float16, torch.float32, torch.int64}
    x = torch.rand(3, 12)
    assert torch.equal(module(x), again(x))


Change = Callable[[dict[str, Any], dict[str, torch.Tensor]], None]


def _entry(stated: dict[str, Any], **members: Any) -> None:
    stated["nodes"][2].update(members)


def _tensor(name: str, make: Callable[[torch.Tensor], torch.Tensor]) -> Change:
    def change(_: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
        tensors[name] = make(tensors[name])

    return change


P0 = "node2.parts.0"
ALTERED: Mapping[str, tuple[Change, str]] = {
    "fewer numbers": (_tensor(f"{P0}.left", lambda t: t[:-1]), "node2.parts.0: blocks: left: expected"),
    "not finite": (_tensor(f"{P0}.right", lambda t: t * torch.inf), "node2.parts.0: blocks: right: expected finite"),
    "an index outside": (_tensor(f"{P0}.index", lambda t: t + 10**6), "node2.parts.0: blocks: index: expected 0"),
    "groups of another shape": (_tensor(f"{P0}.row_groups", lambda t: t[:, :2]), "row_groups: expected"),
    "a group outside": (_tensor(f"{P0}.row_groups", lambda t: t + 10**9), "row_groups: expected groups within"),
    "floats for groups": (_tensor(f"{P0}.index", lambda t: t.double()), "index: expected torch.int64"),
    "bytes for factors": (_tensor(f"{P0}.left", lambda t: t.to(torch.int8)), "left: expected torch.float16 or"),
    "no such tensor": (lambda _, t: t.__delitem__(f"{P0}.left"), "tensor 'node2.parts.0.left': missing"),
    "too many rows": (lambda s, _: _entry(s, rows=1 << 40), "rows and columns: expected up to"),
    "rows that are no number": (lambda s, _: _entry(s, rows="12"), "rows: expected a whole number"),
    "no parts": (lambda s, _: _entry(s, parts=[]), "parts: expected a list of 1 to 8 names"),
    "two sources": (lambda s, _: _entry(s, sources=[0, 1]), "sources: expected 1, got 2"),
    "another width": (lambda s, _: _entry(s, columns=11), "expected"),
}


@pytest.mark.parametrize("case", ALTERED)
def test_what_was_altered_is_refused_by_name(case: str) -> None:
    module = operator(12)
    stated, tensors = json.loads(json.dumps(store.architecture(module))), held(module)
    change, message = ALTERED[case]
    change(stated, tensors)
    with pytest.raises(RunError, match="here") as caught:
        store.rebuilt(stated, tensors, "here")
    assert message in str(caught.value)


def test_halves_are_for_modules_that_say_so() -> None:
    assert parameter_dtype(operator(8)) == torch.float32
    with pytest.raises(UnsupportedModel, match="expected float32 or float64, got float16"):
        parameter_dtype(torch.nn.Linear(2, 2).half())


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An operator of 300 columns, compressed from a dense one, with its reference."""
    small = operator(WIDE)
    rng = np.random.default_rng(5)
    inner = small.network().nodes
    blocks, order = inner[2], inner[1]
    assert isinstance(blocks, Blocks)
    assert isinstance(order, Gather)
    places = order.index.numpy()
    whole = np.zeros((WIDE, WIDE))
    whole[:, places] = sum(part.dense() for part in blocks.parts)[places]
    whole += 1e-5 * rng.standard_normal(whole.shape)
    none = torch.zeros(WIDE).double()
    reference = NetworkModule(Network((Input(WIDE), Affine((0,), tensor(whole), none))), dtype=torch.float64)

    class Made:
        module, ledger = small, {"parts": []}

    Made.reference = reference  # type: ignore[attr-defined]
    box = Box([-1.0] * WIDE, [1.0] * WIDE, [f"f{i}" for i in range(WIDE)])
    out = tmp_path_factory.mktemp("operator") / "b"
    return export(Made, out, domain=box, blocks="op", input_accuracy="*=1%", with_reference=True, log=quiet)


def test_an_operator_is_bounded_by_its_own_supremum(bundle: Path) -> None:
    entry = reader.read(bundle).certificate.outputs["y"]
    terms = entry.terms
    assert terms["compression"].class_ == terms["quantisation"].class_ == terms["rounding"].class_ == "sound"
    assert terms["quantisation"].value == 0.0
    assert entry.tightness_compression == pytest.approx(1.0, abs=1e-6)
    assert entry.found is not None
    assert entry.device_total is not None
    assert 0.999 * (terms["compression"].value or 0.0) <= entry.found.value <= entry.device_total
    assert terms["sensor"].class_ == "sound"
    assert "300 columns +- 1%" in terms["sensor"].how


def test_what_is_written_of_many_columns_is_short(bundle: Path) -> None:
    assert len((bundle / "manifest.json").read_bytes()) < 4096
    assert len((bundle / "card.md").read_bytes()) < 8192
    assert len((bundle / "golden.npz").read_bytes()) < 1 << 18
    stated = json.loads((bundle / "manifest.json").read_text())["inputs"][0]["columns"]
    assert stated == [{"name": "f0", "count": WIDE, "unit": "", "low": -1.0, "high": 1.0}]
    assert len(reader.read(bundle).manifest.inputs[0].columns) == WIDE
    text = "\n".join(" ".join(row) for rows in inspect(bundle).sections.values() for row in rows)
    assert "f0 .. f299" in text
    assert "f17 " not in text


def test_it_runs_and_the_worst_input_is_searched_from(bundle: Path) -> None:
    from edgepde_runtime.verbs.attackcheck import AttackOptions, check_attack

    x = np.random.default_rng(1).uniform(-1.0, 1.0, (4, WIDE)).astype(np.float32)
    with torch.no_grad():
        wanted = operator(WIDE)(torch.from_numpy(x)).numpy()
    assert load(bundle, backend="ort")(x) == pytest.approx(wanted, abs=1e-5)
    (check,) = check_attack(reader.read(bundle), "ort", AttackOptions(0.5))
    assert check.status != "fail"
    assert len(check.detail) < 1000
    found = reader.read(bundle).certificate.outputs["y"].found
    assert found is not None
    assert (check.value or 0.0) >= 0.99 * found.value

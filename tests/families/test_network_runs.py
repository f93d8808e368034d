"""Runs of the family network: read back as they were written, refused where altered; the PINN that is one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import edgepde_runtime
import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from support.block_matrices import random_blocks
from support.small_nets import Gated, Residual, Shared, plain, seeded
from torch import nn

from edgepde.certify import rules
from edgepde.certify.from_module import from_module
from edgepde.certify.network import Affine, Blocks, Concat, Gather, Input, Network, Pointwise, Product, Scale, Sum
from edgepde.errors import RunError, SettingError
from edgepde.network import pinn, store
from edgepde.network.module import NetworkModule
from edgepde.network.pinn_rows import rows
from edgepde.network.reading import read_module
from edgepde.problems.burgers import cole_hopf
from edgepde.recipes import pinn_burgers
from edgepde.train.run_folder import Run

CPU = torch.device("cpu")
BOX = Box([-1.0, 0.0], [1.0, 1.0], ["x", "t"])
X = torch.from_numpy(BOX.sample(40, np.random.default_rng(0)))
SMALL = pinn_burgers.Config(nu=0.2, width=8, depth=2, points=100, rounds=3, steps=5)


def every_kind() -> Network:
    """A network with every kind of node."""
    draw = torch.Generator().manual_seed(0)

    def numbers(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    return Network(
        (
            Input(2),
            Affine((0,), numbers(5, 2), numbers(5)),
            Pointwise((1,), "tanh"),
            Scale((2,), numbers(5), numbers(5)),
            Gather((3,), torch.tensor([4, 0, 0, 2, 1])),
            Product((2, 4)),
            Sum((3, 4, 5)),
            Pointwise((6,), "power", 3),
            Concat((7, 0)),
            Affine((8,), numbers(12, 7), numbers(12)),
            Blocks((9,), (random_blocks(np.random.default_rng(0), 2, 12, dtype=np.float64),), numbers(2)),
        )
    )


def written(path: Path, module: NetworkModule, reference: NetworkModule | None = None) -> None:
    with Run.start(path, {"made": "by a test"}) as run:
        run.finish(
            store.tensors(module),
            {
                "family": store.FAMILY,
                "architecture": store.architecture(module),
                "problem": {"name": "toy"},
                "box": {"x": BOX},
                "units": {"u": "m/s"},
                store.FAMILY: store.section(reference, {"input": "x", "output": "u"}),
            },
            reference=store.tensors(reference) if reference else None,
            ledger={"error": {}} if reference else None,
        )


def test_every_kind_of_node_is_read_back(tmp_path: Path) -> None:
    network = every_kind()
    assert {type(node) for node in network.nodes} == set(store.KINDS.values())
    written(tmp_path / "r", NetworkModule(network, dtype=torch.float64))
    loaded = store.load(tmp_path / "r")
    assert (loaded.input, loaded.output, loaded.unit, loaded.reference) == ("x", "u", "m/s", None)
    assert loaded.box == Box(BOX.low, BOX.high, BOX.names, BOX.units)
    torch.testing.assert_close(loaded.module(X), network(X), rtol=0.0, atol=1e-14)
    torch.testing.assert_close(from_module(loaded.module, 2)(X), network(X), rtol=0.0, atol=1e-14)


@pytest.mark.parametrize("name", rules.functions())
def test_every_function_of_the_certificate_has_its_module(name: str) -> None:
    exponent = 4 if name == "power" else 0
    network = Network(
        (Input(2), Pointwise((0,), name, exponent), Scale((1,), torch.ones(2).double(), torch.ones(2).double()))
    )
    x = X.abs() + 0.5
    module = NetworkModule(network, dtype=torch.float64)
    torch.testing.assert_close(module(x), network(x))
    torch.testing.assert_close(from_module(module, 2)(x), network(x))


@pytest.mark.parametrize("module", [plain(), plain(nn.ReLU).double(), seeded(Residual), seeded(Gated), seeded(Shared)])
def test_a_module_is_rebuilt_with_its_signature(module: nn.Module) -> None:
    made = read_module(module, BOX).rebuilt()
    dtype = next(module.parameters()).dtype
    x = X.to(dtype)
    torch.testing.assert_close(made(x), module(x), rtol=1e-5, atol=1e-6)
    assert sum(p.numel() for p in made.parameters()) == sum(p.numel() for p in module.parameters())


def change(path: Path, edit: Any) -> None:
    spec = json.loads((path / "spec.json").read_text())
    edit(spec)
    (path / "spec.json").write_text(json.dumps(spec))


def put(*where: Any) -> Any:
    """An edit: the last entry is the value, the others say where."""
    *keys, last, value = where

    def edit(spec: dict[str, Any]) -> None:
        at: Any = spec
        for key in keys:
            at = at[key]
        at[last] = value

    return edit


NODES = ("architecture", "nodes")
ALTERED = [
    (put(*NODES, 1, "kind", "lambda"), r"nodes\[1\]: kind: expected one of affine"),
    (put(*NODES, 1, "weight", "other"), "tensor 'other': missing"),
    (put(*NODES, 1, "sources", [5]), "sources before their uses"),
    (put(*NODES, 1, "sources", [0, 0]), r"nodes\[1\]: sources: expected 1, got 2"),
    (put(*NODES, 1, "sources", [-1]), "sources: expected a whole number"),
    (put(*NODES, 1, "sources", [0.5]), "sources: expected a whole number above -1, got 0.5"),
    (put(*NODES, 7, "exponent", 33), "exponent from 2 to 32"),
    (put("architecture", "shape", [3]), "3 outputs as in shape"),
    (put(*NODES, slice(10, 10), [{"kind": "concat", "sources": [9] * 600_000}]), "widths up to"),
    (put(*NODES, 0, "width", 3), "weight expected shape"),
    (put(*NODES, 0, "width", "2"), "width: expected a whole number"),
    (put(*NODES, 2, "function", "eval"), "no certificate rule for eval"),
    (put(*NODES, 4, "index", "node1_weight"), "index: expected int64"),
    (put("architecture", "nodes", []), "nodes: expected a list of 1"),
    (put("architecture", "dtype", "int8"), "dtype: expected float32 or float64"),
    (put("architecture", "shape", [0]), "shape: expected a list of sizes"),
    (put("architecture", "mlp"), "expected nodes, shape and dtype"),
    (put("box", "x", "low", [2.0, 0.0]), "box: column x expected low < high"),
    (put("box", "x", {"low": [0], "high": [1]}), "box: expected 2 columns, got 1"),
    (put("box", {}), "spec.json: box"),
    (put("network", "output", 5), "network.output: expected a text"),
    (put("family", "s2gpt"), "unknown keys|family: expected 'network'"),
]


@pytest.mark.parametrize(("edit", "said"), ALTERED)
def test_an_altered_statement_is_refused_by_name(tmp_path: Path, edit: Any, said: str) -> None:
    written(tmp_path / "r", NetworkModule(every_kind()))
    change(tmp_path / "r", edit)
    with pytest.raises(RunError, match=said):
        store.load(tmp_path / "r")


def test_a_reference_without_its_nodes_is_refused(tmp_path: Path) -> None:
    module = NetworkModule(every_kind())
    written(tmp_path / "r", module, module)
    change(tmp_path / "r", lambda spec: spec["network"].pop("reference"))
    with pytest.raises(RunError, match=r"network\.reference: expected nodes"):
        store.load(tmp_path / "r")


class TestPinn:
    """The recipe pinn_burgers."""

    def test_the_residual_is_that_of_the_equation(self) -> None:
        layers = pinn.start(6, 3, 0, CPU).layers
        x = X.clone().requires_grad_(True)
        u = pinn.field(layers, x)
        (first,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first[:, 0].sum(), x)
        wanted = first[:, 1] + u * first[:, 0] - 0.3 * second[:, 0]
        torch.testing.assert_close(pinn.residual(layers, x, 0.3), wanted)

    @pytest.mark.parametrize("depth", [1, 2, 3])
    def test_rows_are_the_loss_and_their_products_those_of_its_slopes(self, depth: int) -> None:
        draw = torch.Generator().manual_seed(depth)
        layers = [
            (w.requires_grad_(), torch.randn(b.shape, generator=draw, dtype=b.dtype).requires_grad_())
            for w, b in pinn.start(7, depth, 0, CPU).layers
        ]
        inner, edge, wanted = X[:12], X[12:18], X[18:24, 0]
        with torch.no_grad():
            at = rows(layers, inner, edge, wanted, 0.02, 20.0)
        value = torch.cat(
            [
                pinn.residual(layers, inner, 0.02) / 12**0.5,
                (pinn.field(layers, edge) - wanted) * (20.0 / 6.0) ** 0.5,
            ]
        )
        held = [t for layer in layers for t in layer]
        slopes = [torch.autograd.grad(v, held, retain_graph=True) for v in value]
        J = torch.stack([torch.cat([g.reshape(-1) for g in s]) for s in slopes])
        share = torch.randn(len(value), generator=draw, dtype=torch.float64)
        with torch.no_grad():
            step = at.pulled(share)
            flat = torch.cat([t.reshape(-1) for layer in step for t in layer])
            torch.testing.assert_close(at.value, value)
            torch.testing.assert_close(at.kernel(), J @ J.T)
            torch.testing.assert_close(flat, J.T @ share)
            torch.testing.assert_close(at.along(step), J @ (J.T @ share))

    def test_it_learns_the_exact_solution(self, tmp_path: Path) -> None:
        config = pinn_burgers.Config(nu=0.2, width=10, depth=2, points=200, rounds=6, steps=10, tolerance=2e-2)
        with Run.start(tmp_path / "r", {"seed": 1}) as run:
            pinn_burgers.train(config, run, CPU)
        loaded = store.load(tmp_path / "r")
        exact = cole_hopf(np.array([[0.2]]), X.numpy())[0]
        field = loaded.module(X.float()).detach().numpy()[:, 0]
        assert np.linalg.norm(field - exact) < 5e-2 * np.linalg.norm(exact)
        rounds = loaded.run.spec["history"]["rounds"]
        assert rounds[-1]["relative_l2"] < 0.1 * rounds[0]["relative_l2"] or rounds[-1]["relative_l2"] < 2e-2

    def test_an_interrupted_training_ends_where_it_would_have(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def trained(path: Path) -> dict[str, torch.Tensor]:
            with Run.start(path, {"seed": 3}) as run:
                pinn_burgers.train(SMALL, run, CPU)
            return store.load(path).run.weights

        whole, save = trained(tmp_path / "whole"), Run.save

        def interrupted(self: Run, *arguments: Any) -> None:
            save(self, *arguments)
            raise KeyboardInterrupt

        monkeypatch.setattr(Run, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "parts")
        monkeypatch.undo()
        parts = trained(tmp_path / "parts")
        for name, tensor in whole.items():
            torch.testing.assert_close(parts[name], tensor, rtol=0.0, atol=0.0)

    @pytest.mark.parametrize("wrong", [{"width": 0}, {"rounds": 0}, {"points": 3}, {"nu": 0.0}, {"nu": float("nan")}])
    def test_bad_settings_are_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(SettingError, match=next(iter(wrong))):
            pinn_burgers.Config(**wrong)

    def test_a_run_becomes_a_bundle(self, tmp_path: Path) -> None:
        from edgepde_export.exporting import export

        with Run.start(tmp_path / "r", {"seed": 3}) as run:
            pinn_burgers.train(SMALL, run, CPU)
        export(tmp_path / "r", tmp_path / "b", min_class="sound", log=lambda _: None)
        model = edgepde_runtime.load(tmp_path / "b")
        assert model.manifest.outputs[0].name == "u"
        assert model.manifest.outputs[0].unit == "m/s"
        loaded = store.load(tmp_path / "r")
        y = model(X.numpy().astype(np.float32))
        np.testing.assert_allclose(y, loaded.module(X.float()).detach().numpy(), atol=1e-5)

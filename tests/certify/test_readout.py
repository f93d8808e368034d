"""basis_readout in the certificate: the graph is read as what it computes, and the kernel's roundings are covered."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from edgepde_runtime.backends.reference import load
from edgepde_runtime.box import Box
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.onnxfile import parse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support import onnx_writer as w
from support.blocks_kernel import chunked

from edgepde.certify.from_graph import from_graph
from edgepde.certify.rounding import Arithmetic, bound_rounding

Array = NDArray[np.generic]
TERMS, COLUMNS = 37, 5


def arrays(seed: int, kind: str, scales: int) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    basis = rng.standard_normal((TERMS, COLUMNS)).astype(kind)
    return {"basis": basis, "scale": rng.uniform(-3, 3, scales).astype(np.float32)}


def graph(held: dict[str, Array], *, slots: bool = False) -> bytes:
    """y = basis_readout(x); slots: basis and scale are inputs of the graph."""
    node = w.node("basis_readout", ["x", "basis", "scale"], ["y"], domain="edgepde", name="read")
    given = [w.value_info("x", "float32", ["B", TERMS])]
    given += [w.value_info(n, a.dtype, list(a.shape)) for n, a in held.items()] if slots else []
    made = w.graph([node], given, [w.value_info("y", "float32", ["B", COLUMNS])], {} if slots else held)
    return w.model(made, opsets={"": 20, "edgepde": 1})


def exact(x: Array, held: dict[str, Array]) -> NDArray[np.longdouble]:
    wide = [np.asarray(v, np.longdouble) for v in (x, held["basis"], held["scale"])]
    made: NDArray[np.longdouble] = wide[0] @ wide[1] * wide[2]
    return made


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["float32", "float16"]), st.sampled_from([1, COLUMNS]))
def test_the_graph_is_read_and_its_roundings_are_covered(seed: int, kind: str, scales: int) -> None:
    held = arrays(seed, kind, scales)
    net = from_graph(parse(graph(held)))
    x = np.random.default_rng(seed).uniform(-1, 1, (200, TERMS)).astype(np.float32)
    wanted = exact(x, held)
    np.testing.assert_allclose(net(torch.from_numpy(x.astype(np.float64))).numpy(), wanted.astype(float), atol=1e-12)
    box = Box([-1.0] * TERMS, [1.0] * TERMS)
    kernel = chunked(x, held["basis"].astype(np.float32)) * held["scale"].astype(np.float32)
    (reference,) = load(graph(held)).run({"x": x}).values()
    for order, device in (("c99", kernel), ("any", reference)):
        bound = bound_rounding(net, box, Arithmetic(order=order)).rounding
        off = np.abs(device - wanted).max(axis=0).astype(float)
        assert (off <= bound).all()
        assert (bound <= 200.0 * off).all()


def test_a_slot_that_nothing_fills_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match="expected one input, got x, basis, scale"):
        from_graph(parse(graph(arrays(0, "float16", 1), slots=True)))

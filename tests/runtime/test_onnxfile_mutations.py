"""The reader of model files: truncated, mutated and random files end in an error of ours, in bounded memory."""

from __future__ import annotations

import random
import tracemalloc

import numpy as np
import pytest
from edgepde_runtime.backends.reference import load
from edgepde_runtime.errors import EdgePDEError
from edgepde_runtime.onnxfile import model_hash, parse
from hypothesis import given, settings
from hypothesis import strategies as st
from support import onnx_writer as w

X, Y = w.value_info("x", np.float32, ["M", 2]), w.value_info("y", np.float32, ["M", 2])


def rich_model() -> bytes:
    """A model with something of everything the reader knows."""
    body = [w.node("Elu", ["a"], ["b"], encoded_attributes=[w.reference_attribute("alpha", "slope", 1)])]
    function = w.function("local", "f", ["a"], ["b"], body, attributes=["slope"])
    nodes = [
        w.node("Transpose", ["x"], ["t"], {"perm": [1, 0]}, name="turn"),
        w.node("f", ["t"], ["e"], {"slope": 0.5}, domain="local"),
        w.node("Constant", [], ["c"], {"value": np.arange(3)}),
        w.node("Reshape", ["e", "shape"], ["y"]),
    ]
    initializers = [w.tensor("shape", np.array([-1, 2]), raw=False), w.tensor("h", np.ones(3, np.float16), raw=False)]
    graph = w.graph(nodes, [X], [Y], initializers)
    return w.model(graph, opsets={"": 20, "local": 1}, metadata={"edgepde.name": "rich"}, functions=[function])


SEEDS = (w.mlp_model(metadata={"a": "b"}), rich_model())


def survives(data: bytes) -> None:
    """Reading, hashing, loading and running end in a result or an error of ours, within 64 MB."""
    tracemalloc.start()
    try:
        model_hash(data)
        parse(data)
        load(data).run({"x": np.ones((3, 2), np.float32)})
    except EdgePDEError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 64 << 20


@pytest.mark.parametrize("data", SEEDS)
def test_the_seeds_of_the_mutations_run(data: bytes) -> None:
    assert load(data).run({"x": np.ones((3, 2), np.float32)})["y"].shape[0] == 3


@pytest.mark.parametrize("data", SEEDS)
def test_every_truncation_is_an_error_of_ours_or_a_model(data: bytes) -> None:
    for length in range(0, len(data), 3):
        survives(data[:length])


@settings(max_examples=400, deadline=2000)
@given(st.sampled_from(SEEDS), st.integers(0, 2**32), st.integers(1, 8))
def test_mutations_never_escape(data: bytes, seed: int, edits: int) -> None:
    rng, mutated = random.Random(seed), bytearray(data)
    for _ in range(edits):
        at, kind = rng.randrange(len(mutated)), rng.randrange(4)
        if kind == 0:
            mutated[at] = rng.randrange(256)
        elif kind == 1:
            del mutated[at : at + rng.randrange(1, 9)]
        elif kind == 2:
            mutated[at:at] = w.varint(rng.randrange(1 << rng.choice((7, 14, 31, 63))))
        else:
            start = rng.randrange(len(mutated))
            mutated[at:at] = mutated[start : start + rng.randrange(1, 33)]
        mutated = mutated or bytearray(1)
    survives(bytes(mutated))


@settings(max_examples=200, deadline=2000)
@given(st.binary(max_size=200))
def test_noise_never_escapes(data: bytes) -> None:
    survives(data)

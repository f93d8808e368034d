"""Layers on maps that the C99 target does not take: the node, the attribute or axis, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from edgepde_runtime.errors import EdgePDEError
from support import onnx_writer as w
from support.generated import part

DIMS, ROWS = ["M", 2, 4, 4], np.array([-1, 2, 4, 4])
ONES = np.ones(2, np.float32)
DOUBLE = np.array([1, 1, 2, 2], np.float32)


def taken(
    op: str,
    more: Sequence[np.ndarray | None] = (),
    outputs: Sequence[str] = ("y",),
    inner: Any = None,
    **attributes: Any,
) -> None:
    """What the target says to y = op(x, more...), x [M, 2, 4, 4]; `inner` is the shape behind M instead."""
    names = [f"c{i}" if v is not None else "" for i, v in enumerate(more)]
    held = {name: v for name, v in zip(names, more, strict=True) if v is not None}
    only = w.node(op, ["x", *names], list(outputs), attributes, name="the_node")
    read = w.node("Cast", [outputs[-1]], ["z"], {"to": 1})
    dims = DIMS if inner is None else ["M", *inner]
    infos = [w.value_info("x", "float32", dims), w.value_info("z", "float32", ["M", *"abc"[: len(dims) - 1]])]
    part(w.model(w.graph([only, read], infos[:1], infos[1:], held)), "probe")


POOL = {"kernel_shape": [2, 2]}
CUBES = {"inner": (2, 2, 2, 2, 2), "kernel_shape": [2] * 4}
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("AveragePool", {**POOL, "auto_pad": "SAME_UPPER"}, r"'auto_pad' expected one of \['NOTSET'\], got 'SAME_UPPER'"),
    ("AveragePool", {**POOL, "pads": [2, 0, 0, 0]}, "expected pads of 0 to less than the kernel"),
    ("AveragePool", {"kernel_shape": [5, 1]}, "expected windows within 4 cells"),
    ("AveragePool", {"kernel_shape": [2]}, "of 2 axes"),
    ("AveragePool", CUBES, "at most 3 axes, got 4"),
    ("MaxPool", {**POOL, "strides": [0, 1]}, "above 0"),
    ("MaxPool", {**POOL, "storage_order": 1}, "'storage_order' expected one of"),
    ("MaxPool", {**POOL, "outputs": ["y", "places"]}, "expected 1 outputs for the C99 target, got 'places' besides"),
    ("GlobalAveragePool", {"inner": (4,)}, r"expected a map of rows, channels and sizes .*, got \[M, 4\]"),
    ("Resize", {"more": [None, DOUBLE], "mode": "cubic"}, "'mode' expected one of"),
    ("Resize", {"more": [None, DOUBLE], "antialias": 1}, "'antialias' expected one of"),
    (
        "Resize",
        {"more": [None, DOUBLE], "coordinate_transformation_mode": "tf_crop_and_resize"},
        "'coordinate_transformation_mode' expected one of",
    ),
    ("Resize", {"more": [None, DOUBLE[::-1].copy()]}, "axis 0 is a free size"),
    ("Resize", {"more": [None, DOUBLE[:3]]}, "expected scales or sizes for 4 axes"),
    ("Resize", {"more": [None, DOUBLE * 0]}, "above 0"),
    ("Pad", {"more": [np.array([1, 0, 0, 0, 0, 0, 0, 0])]}, "axis 0 is a free size"),
    ("Pad", {"more": [np.array([0, 0, 4, 0, 0, 0, 0, 0])], "mode": "reflect"}, "axis 2: expected pads of 0 to 3"),
    ("Pad", {"more": [np.array([0, 0, 0, 5, 0, 0, 0, 0])], "mode": "wrap"}, "axis 3: expected pads of 0 to 4"),
    ("Pad", {"more": [np.array([0, 0, -1, 0, 0, 0, 0, 0])], "mode": "edge"}, "axis 2: expected pads >= 0"),
    ("Pad", {"more": [np.array([1, 1])]}, "expected 8 pads, got 2"),
    ("BatchNormalization", {"more": [ONES] * 4, "training_mode": 1}, "'training_mode' expected one of"),
    ("BatchNormalization", {"more": [np.ones(3, np.float32)] * 4}, "expected 3 channels"),
    ("InstanceNormalization", {"more": [np.ones(3, np.float32)] * 2}, "expected 3 channels"),
    ("GatherND", {"more": [np.array([[0]])]}, "hold a free size"),
]


@pytest.mark.parametrize(("op", "way", "message"), [pytest.param(*c, id=f"{c[0]}-{i}") for i, c in enumerate(REFUSED)])
def test_refused_with_the_node_and_why(op: str, way: dict[str, Any], message: str) -> None:
    with pytest.raises(EdgePDEError, match=f"the_node.*{message}"):
        taken(op, **way)


def test_what_varies_is_no_factor() -> None:
    node = w.node("InstanceNormalization", ["x", "s", "s"], ["y"], {}, name="the_node")
    infos = [w.value_info(n, "float32", d) for n, d in (("x", DIMS), ("s", [2]), ("y", DIMS))]
    with pytest.raises(EdgePDEError, match=r"the_node.*'scale' must be a constant"):
        part(w.model(w.graph([node], infos[:2], infos[2:])), "probe")

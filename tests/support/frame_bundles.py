"""Bundles whose outputs feed their inputs: frames [M, k 2 3] -> [M, j, 2, 3], linear and exact in float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from edgepde_runtime.certificate import OutputCertificate
from edgepde_runtime.manifest import Column, InputSpec, OutputSpec
from numpy.typing import NDArray
from support import onnx_writer as w
from support.bundles import terms, write

FRAME = (2, 3)
CELLS = 6
BOX = 8.0


def step_matrix(past: int, future: int, factor: float = 0.5) -> NDArray[np.float32]:
    """W [k 6, j 6]: output frame i is factor^(i + 1) times the oldest frame, its cells moved by one."""
    made = np.zeros((past * CELLS, future * CELLS), np.float32)
    for i in range(future):
        for cell in range(CELLS):
            made[cell, i * CELLS + (cell + 1) % CELLS] = factor ** (i + 1)
    return made


def frame_bundle(
    root: Path,
    past: int = 2,
    future: int = 1,
    *,
    factor: float = 0.5,
    unit: str = "mm",
    shape: tuple[int | str, ...] | None = None,
    reciprocal: bool = False,
    **options: Any,
) -> Path:
    """y = x W, reshaped; 1 / (x W) where `reciprocal`, which is infinite for a frame of zeros."""
    matrix = step_matrix(past, future, factor)
    out = ("M", future, *FRAME) if shape is None else shape
    nodes = [w.node("MatMul", ["frames", "W"], ["z"])]
    nodes += [w.node("Reciprocal", ["z"], ["r"])] if reciprocal else []
    nodes += [w.node("Reshape", ["r" if reciprocal else "z", "to"], ["u"])]
    values = w.value_info("frames", "float32", ["M", len(matrix)]), w.value_info("u", "float32", list(out))
    to = np.array([-1, *(n for n in out[1:])], np.int64)
    x = np.random.default_rng(0).uniform(0.5, 1, (3, len(matrix))).astype(np.float32)
    y = x.astype(np.float64) @ matrix
    columns = tuple(Column(f"f{i}", "mm", -BOX, BOX) for i in range(len(matrix)))
    return write(
        root,
        w.model(w.graph(nodes, [values[0]], [values[1]], {"W": matrix, "to": to})),
        inputs=(InputSpec("frames", "float32", ("M", len(matrix)), columns),),
        outputs=(OutputSpec("u", "float32", out, unit),),
        golden={"input/frames": x, "output/u": (1 / y if reciprocal else y).reshape(-1, *out[1:])},
        entries=[OutputCertificate.from_terms("u", unit, terms())],
        **options,
    )


def exact(frames: NDArray[Any], matrix: NDArray[np.float32], steps: int) -> NDArray[np.float64]:
    """What a rollout of frames [n, k, 2, 3] gives, in float64."""
    made = frames.astype(np.float64)
    past, future = frames.shape[1], matrix.shape[1] // CELLS
    for _ in range(steps):
        new = made[:, -past:].reshape(len(made), -1) @ matrix
        made = np.concatenate([made, new.reshape(-1, future, *FRAME)], axis=1)
    return made[:, past:]

"""A chain of convolutions written as our op, in standard nodes, or as one dense convolution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
import onnx
from edgepde_runtime.errors import InputError
from onnx import helper, numpy_helper

from .conv_chain import OP, Array, Chain, Step, dense, mergeable
from .custom_ops import DOMAIN

# A dense kernel above so many numbers is not made.
MOST = 1 << 24


@final
@dataclass
class Written:
    """Nodes and constants that compute what a chain computes; names begin with that of its output."""

    chain: Chain
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)

    def constant(self, label: str, value: Array) -> str:
        """The name of a constant; numbers in the chain's own type."""
        if not np.issubdtype(value.dtype, np.integer):
            value = value.astype(self.chain.dtype)
            if not np.isfinite(value).all():
                raise InputError(f"{self.chain.y}: {label}: expected finite numbers, got NaN or infinity")
        name = f"{self.chain.y}.{label}{len(self.constants)}"
        self.constants[name] = value
        return name

    def node(self, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """The name of a node's output."""
        made = output or f"{self.chain.y}_part{len(self.nodes)}"
        domain = DOMAIN if op == OP else ""
        self.nodes.append(helper.make_node(op, list(inputs), [made], domain=domain, **attributes))
        return made

    def convolved(self, x: str, step: Step, output: str = "") -> str:
        """One convolution as one node."""
        kernel = _grouped(step)
        inputs = [x, self.constant("weight", np.ascontiguousarray(kernel))]
        if step.bias.any():
            inputs.append(self.constant("bias", step.bias))
        sizes = {"strides": step.strides, "pads": step.pads, "dilations": step.dilations}
        more = {"output_padding": step.extra} if any(step.extra) else {}
        op = "ConvTranspose" if step.transposed else "Conv"
        shape = step.kernel.shape[2:]
        return self.node(op, *inputs, output=output, kernel_shape=shape, group=step.group, **sizes, **more)


def ways(chain: Chain) -> dict[str, Callable[[Chain], Written]]:
    """The forms a chain can be written in, by name."""
    made: dict[str, Callable[[Chain], Written]] = {"plain": as_plain}
    if chain.is_op or chain.factored:
        made["op"] = as_op
    t, s = chain.channels
    spread = np.prod([max(step.kernel.shape[2 + i] for step in chain.steps) for i in range(chain.steps[0].axes)])
    if mergeable(chain.steps) and t * s * spread <= MOST:
        made["dense"] = as_dense
    return made


def as_dense(chain: Chain) -> Written:
    """One convolution with the merged kernel, its numbers rounded to the chain's type."""
    written = Written(chain)
    written.convolved(chain.x, dense(chain.steps), chain.y)
    return written


def bounded(chain: Chain) -> bool:
    """Whether each number of the merged kernel, as it is rounded to float32, is off by at most 2 u of itself.

    Then a sum of two terms or more in floating point may be off by as much (edgepde/certify/prove.py). The merging's
    own error is at most gamma_n of the product of absolute kernels, n the terms of its sums and factors.
    """
    if chain.dtype != "float32":
        return False
    made, sizes = dense(chain.steps), dense([_absolute(step) for step in chain.steps])
    terms = sum(step.kernel.shape[1] * step.kernel[0, 0].size + 4 for step in chain.steps)
    own = 1.01 * terms * np.finfo(np.float64).eps
    unit = float(np.finfo(np.float32).eps) / 2.0
    if made.kernel.shape[1] * made.kernel[0, 0].size < 2:
        return False
    pairs = ((made.kernel, sizes.kernel), (made.bias.astype(np.float64), sizes.bias))
    held = [(exact, size, exact.astype(np.float32).astype(np.float64)) for exact, size in pairs]
    return all(bool((np.abs(v - exact) + own * size <= 2.0 * unit * np.abs(v)).all()) for exact, size, v in held)


def _absolute(step: Step) -> Step:
    return replace(step, kernel=np.abs(step.kernel), bias=np.abs(step.bias))


def as_op(chain: Chain) -> Written:
    """One node of our op; expects a factored chain."""
    read, *filters, write = chain.steps
    d = read.axes
    written = Written(chain)
    rank = len(read.kernel)
    by_axis: Mapping[int, Step] = {step.way: step for step in filters if step.way is not None}
    parts, kernel, strides, dilations = [], [], [1] * d, [1] * d
    pads = [0] * (2 * d)
    for i in range(d):
        step = by_axis.get(i)
        kernel.append(1 if step is None else step.kernel.shape[2 + i])
        if step is None:
            parts.append(np.ones((rank, 1)))
            continue
        parts.append(step.kernel[np.arange(rank), np.arange(rank)].reshape(rank, -1))
        strides[i], dilations[i] = step.strides[i], step.dilations[i]
        pads[i], pads[d + i] = step.pads[i], step.pads[d + i]
    inputs = [
        written.constant("read", read.kernel.reshape(rank, -1)),
        written.constant("filters", np.concatenate(parts, axis=1)),
        written.constant("write", write.kernel.reshape(-1, rank)),
        written.constant("bias", write.bias),
    ]
    sizes = {"kernel_shape": kernel, "strides": strides, "pads": pads, "dilations": dilations, "rank": rank}
    written.node(OP, chain.x, *inputs, output=chain.y, **sizes)
    return written


def as_plain(chain: Chain) -> Written:
    """Standard nodes, one per step; filters along one of three axes as grouped convolutions of pictures.

    Along z they see [z, y x], along x [z y, x], and along y [z, y x] too, where a step in y is as many as there are x.
    """
    written, x, spatial, seen = Written(chain), chain.x, chain.spatial, ""
    last = len(chain.steps) - 1
    for place, step in enumerate(chain.steps):
        flat, view = _flat(step, spatial)
        if view != seen:
            x = _viewed(written, x, spatial, view)
        spatial, seen = step.sizes(spatial), view
        x = written.convolved(x, flat, chain.y if place == last and not view else "")
    if seen:
        shape = [0, 0, *spatial]
        written.node("Reshape", x, written.constant("shape", np.array(shape, np.int64)), output=chain.y)
    return written


def _flat(step: Step, spatial: tuple[int, ...]) -> tuple[Step, str]:
    """A step on three axes as one on two, and the view of x it takes: "z,yx", "zy,x" or none."""
    if step.axes != 3 or step.transposed:
        return step, ""
    way = step.way
    if way == 1 and step.strides[1] != 1:
        return step, ""
    if way is None and step.acting:
        return step, ""
    axis = 0 if way is None else way
    times = spatial[2] if axis == 1 else 1
    first = axis == 0
    count = step.kernel.shape[2 + axis]
    kernel = step.kernel.reshape(*step.kernel.shape[:2], *((count, 1) if first else (1, count)))

    def two(value: int, other: int) -> tuple[int, int]:
        return (value, other) if first else (other, value)

    pads = (*two(times * step.pads[axis], 0), *two(times * step.pads[3 + axis], 0))
    strides, dilations = two(step.strides[axis], 1), two(times * step.dilations[axis], 1)
    return Step(kernel, step.bias, strides, pads, dilations, step.group), "zy,x" if axis == 2 else "z,yx"


def _viewed(written: Written, x: str, spatial: tuple[int, ...], view: str) -> str:
    """x with its axes put together as a view says; the batch stays free."""
    z, y, w = spatial if len(spatial) == 3 else (0, 0, 0)
    sizes = {"": spatial, "z,yx": (z, y * w), "zy,x": (z * y, w)}[view]
    return written.node("Reshape", x, written.constant("shape", np.array([0, 0, *sizes], np.int64)))


def _grouped(step: Step) -> Array:
    """The weight as ONNX has it: [T, S / g, ...], or [S, T / g, ...] of a transposed convolution."""
    t, s = step.kernel.shape[:2]
    g = step.group
    parts = step.kernel.reshape(g, t // g, g, s // g, *step.kernel.shape[2:])
    own = parts[np.arange(g), :, np.arange(g)]  # [g, T / g, S / g, ...]
    if step.transposed:
        return own.swapaxes(1, 2).reshape(s, t // g, *step.kernel.shape[2:])
    return own.reshape(t, s // g, *step.kernel.shape[2:])


def rewritten(model: onnx.ModelProto, *forms: Written) -> onnx.ModelProto:
    """The graph with other nodes in the places of chains read from it; function bodies are added by who needs them.

    Chains may lie between each other's nodes: all are replaced at once, each at its last place.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    inside = {place for written in forms for place in written.chain.places}
    last = {max(written.chain.places): written for written in forms}
    nodes: list[onnx.NodeProto] = []
    for place, node in enumerate(model.graph.node):
        if place in last:
            nodes += last[place].nodes
        elif place not in inside:
            nodes.append(node)
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    constants = {name: value for written in forms for name, value in written.constants.items()}
    made.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in constants.items())
    return made

"""Linear chains of convolutions: read from a graph, merged to one dense kernel, taken apart into the op's factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import onnx
from edgepde_runtime.errors import ModelFileError
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from .custom_ops import DOMAIN

OP = "factorized_conv"
CONVOLUTIONS = {"Conv": False, "ConvTranspose": True}
Array = NDArray[Any]


@final
@dataclass(frozen=True, eq=False)
class Step:
    """One convolution: kernel [T, S, k_1 .. k_d] with zeros outside its groups, bias [T]; per axis the sizes.

    extra: output_padding of a transposed one. group: as the node had it.
    """

    kernel: Array
    bias: Array
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    group: int = 1
    transposed: bool = False
    extra: tuple[int, ...] = ()

    @property
    def axes(self) -> int:
        """d, the number of axes."""
        return self.kernel.ndim - 2

    @property
    def acting(self) -> frozenset[int]:
        """The axes along which this step is more than a product with a number."""
        d = self.axes
        return frozenset(
            i
            for i in range(d)
            if self.kernel.shape[2 + i] != 1
            or self.strides[i] != 1
            or self.pads[i]
            or self.pads[d + i]
            or (self.extra and self.extra[i])
        )

    @property
    def way(self) -> int | None:
        """The one axis of a filter per channel, T = S = group; None for any other step."""
        channels = self.kernel.shape[0]
        if self.transposed or len(self.acting) != 1 or not self.group == channels == self.kernel.shape[1]:
            return None
        return next(iter(self.acting))

    def sizes(self, spatial: Sequence[int]) -> tuple[int, ...]:
        """Sizes of the output of an input of sizes n_1 .. n_d."""
        d, made = self.axes, []
        for i, n in enumerate(spatial):
            reach = (self.kernel.shape[2 + i] - 1) * self.dilations[i] + 1
            pad = self.pads[i] + self.pads[d + i]
            if self.transposed:
                made.append((n - 1) * self.strides[i] + reach - pad + (self.extra[i] if self.extra else 0))
            else:
                made.append((n + pad - reach) // self.strides[i] + 1)
        return tuple(made)


@final
@dataclass(frozen=True, eq=False)
class Chain:
    """Convolutions that feed each other and nobody else: their places in the graph, what is read and what is made.

    is_op: one node of our op, whose steps these are. spatial: sizes n_1 .. n_d of the input.
    """

    places: tuple[int, ...]
    x: str
    y: str
    steps: tuple[Step, ...]
    spatial: tuple[int, ...]
    dtype: str
    is_op: bool = False

    @property
    def channels(self) -> tuple[int, int]:
        """(S, T)."""
        return self.steps[0].kernel.shape[1], self.steps[-1].kernel.shape[0]

    @property
    def factored(self) -> bool:
        """Whether it is a product with a matrix, one filter per axis, and a product with a matrix: what the op is."""
        ways = [step.way for step in self.steps[1:-1]]
        ends = (self.steps[0], self.steps[-1])
        if len(self.steps) < 3 or len(set(ways)) != len(ways) or None in ways:
            return False
        flat = all(not step.acting and not step.transposed and step.group == 1 for step in ends)
        return flat and not any(step.bias.any() for step in self.steps[:-1])


def chains(model: onnx.ModelProto) -> list[Chain]:
    """Every node of our op, and every longest chain of two or more convolutions that is one dense convolution."""
    held = {t.name: t for t in model.graph.initializer}
    shapes = _shapes(model)
    readers: dict[str, list[int]] = {}
    for place, node in enumerate(model.graph.node):
        for name in node.input:
            readers.setdefault(name, []).append(place)
    for value in model.graph.output:
        readers.setdefault(value.name, []).append(-1)
    found: list[Chain] = []
    taken: set[int] = set()
    for place in range(len(model.graph.node)):
        if place in taken:
            continue
        made = _begun(model, place, held, shapes)
        if made is None:
            continue
        chain = made if made.is_op else _grown(made, model, held, readers)
        taken.update(chain.places)
        if chain.is_op or len(chain.steps) > 1:
            found.append(chain)
    return found


def dense(steps: Sequence[Step]) -> Step:
    """The one convolution that steps along different axes are together, in float64.

    K[t, s, i_1 .. i_d] = sum_u K2[t, u, ..] K1[u, s, ..]
    """
    made = steps[0]
    for step in steps[1:]:
        made = _product(step, made)
    return made


def mergeable(steps: Sequence[Step]) -> bool:
    """Whether steps are one dense convolution: no axis acted on twice, one kind, and no bias that padding would cut."""
    acting = [step.acting for step in steps]
    if sum(map(len, acting)) != len(frozenset().union(*acting)):
        return False
    if len({step.transposed for step in steps if step.acting}) > 1:
        return False
    return all(
        not earlier.bias.any() or not (any(later.pads) or any(later.extra) or (later.transposed and later.acting))
        for i, earlier in enumerate(steps)
        for later in steps[i + 1 :]
    )


def _product(later: Step, earlier: Step) -> Step:
    d = later.axes
    lk, ek = later.kernel.astype(np.float64), earlier.kernel.astype(np.float64)
    both = np.tensordot(lk, ek, axes=(1, 0))  # [T, l_1 .. l_d, S, e_1 .. e_d]
    order = (0, d + 1, *(axis for i in range(d) for axis in (1 + i, d + 2 + i)))
    shape = (lk.shape[0], ek.shape[1], *(lk.shape[2 + i] * ek.shape[2 + i] for i in range(d)))
    bias = later.bias + lk.sum(axis=tuple(range(2, 2 + d))) @ earlier.bias.astype(np.float64)

    def of(name: str, count: int) -> tuple[int, ...]:
        a, b = getattr(later, name) or (0,) * count, getattr(earlier, name) or (0,) * count
        return tuple(a[i] if i % d in later.acting else b[i] for i in range(count))

    transposed = any(step.transposed and step.acting for step in (later, earlier))
    return Step(
        both.transpose(order).reshape(shape),
        bias,
        of("strides", d),
        of("pads", 2 * d),
        of("dilations", d),
        transposed=transposed,
        extra=of("extra", d) if transposed else (),
    )


def _begun(
    model: onnx.ModelProto, place: int, held: Mapping[str, onnx.TensorProto], shapes: Mapping[str, tuple[int, ...]]
) -> Chain | None:
    node = model.graph.node[place]
    shape = shapes.get(node.input[0]) if node.input else None
    if shape is None or len(shape) < 3 or not all(n > 0 for n in shape[1:]):
        return None
    steps: tuple[Step, ...] | None
    if (node.domain, node.op_type) == (DOMAIN, OP):
        steps = op_steps(node, held)
    else:
        step = _step(node, held)
        steps = None if step is None else (step,)
    if steps is None:
        return None
    kind = str(steps[0].kernel.dtype)
    return Chain((place,), node.input[0], node.output[0], steps, shape[2:], kind, node.domain == DOMAIN)


def _grown(
    chain: Chain, model: onnx.ModelProto, held: Mapping[str, onnx.TensorProto], readers: Mapping[str, list[int]]
) -> Chain:
    while True:
        after = readers.get(chain.y, [])
        if len(after) != 1 or after[0] < 0:
            return chain
        node = model.graph.node[after[0]]
        step = _step(node, held) if node.input[0] == chain.y else None
        if step is None or not mergeable((*chain.steps, step)):
            return chain
        chain = replace(chain, places=(*chain.places, after[0]), y=node.output[0], steps=(*chain.steps, step))


def op_steps(node: onnx.NodeProto, held: Mapping[str, onnx.TensorProto]) -> tuple[Step, ...] | None:
    """The op as steps: read, one filter along each axis, write with the bias; None where its factors are no constants.

    Raises ModelFileError where they do not fit each other.
    """
    if any(name not in held for name in node.input[1:]) or len(node.input) != 5:
        return None
    read, filters, write, bias = (numpy_helper.to_array(held[name]) for name in node.input[1:])
    read, filters, write = (factor.astype(bias.dtype) for factor in (read, filters, write))  # halves count as they are
    stated = {a.name: tuple(a.ints) for a in node.attribute}
    kernel = stated["kernel_shape"]
    d, rank = len(kernel), len(read)
    if filters.shape != (rank, sum(kernel)) or write.shape[1:] != (rank,) or bias.shape != write.shape[:1]:
        raise ModelFileError(f"node {node.name}: factors of {OP} do not fit each other")
    strides, dilations = stated.get("strides") or (1,) * d, stated.get("dilations") or (1,) * d
    pads = stated.get("pads") or (0,) * (2 * d)
    ones, none = (1,) * d, np.zeros(rank, read.dtype)
    steps = [Step(read.reshape(*read.shape, *ones), none, ones, (0,) * (2 * d), ones)]
    begin = 0
    for i, k in enumerate(kernel):

        def at(values: tuple[int, ...], default: int, i: int = i) -> tuple[int, ...]:
            return tuple(v if j % d == i else default for j, v in enumerate(values))

        own = np.zeros((rank, rank, k), read.dtype)
        own[np.arange(rank), np.arange(rank)] = filters[:, begin : begin + k]
        begin += k
        shaped = own.reshape(rank, rank, *(k if j == i else 1 for j in range(d)))
        step = Step(shaped, none, at(strides, 1), at(pads, 0), at(dilations, 1), group=rank)
        if step.acting:
            steps.append(step)
        else:
            steps[0] = replace(steps[0], kernel=steps[0].kernel * filters[:, begin - 1].reshape(-1, 1, *ones))
    return (*steps, Step(write.reshape(*write.shape, *ones), bias, ones, (0,) * (2 * d), ones))


def _step(node: onnx.NodeProto, held: Mapping[str, onnx.TensorProto]) -> Step | None:
    if node.domain or node.op_type not in CONVOLUTIONS or any(n not in held for n in node.input[1:] if n):
        return None
    stated = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if stated.get("auto_pad", b"NOTSET") != b"NOTSET" or "output_shape" in stated:
        return None
    weight = numpy_helper.to_array(held[node.input[1]])
    transposed, group = CONVOLUTIONS[node.op_type], int(stated.get("group", 1))
    d = weight.ndim - 2
    kernel = _ungrouped(weight, group, transposed)
    has_bias = len(node.input) > 2 and node.input[2]
    bias = numpy_helper.to_array(held[node.input[2]]) if has_bias else np.zeros(len(kernel), weight.dtype)

    def of(name: str, default: int, count: int) -> tuple[int, ...]:
        return tuple(stated.get(name) or (default,) * count)

    extra = of("output_padding", 0, d) if transposed else ()
    return Step(
        kernel, bias, of("strides", 1, d), of("pads", 0, 2 * d), of("dilations", 1, d), group, transposed, extra
    )


def _ungrouped(weight: Array, group: int, transposed: bool) -> Array:
    """The kernel [T, S, ...] of a weight [T, S / g, ...], or [S, T / g, ...] where transposed."""
    rows, each = len(weight) // group, weight.shape[1]
    parts = weight.reshape(group, rows, *weight.shape[1:])
    parts = parts.swapaxes(1, 2) if transposed else parts
    outs, ins = (each, rows) if transposed else (rows, each)
    full = np.zeros((group, outs, group, ins, *weight.shape[2:]), weight.dtype)
    full[np.arange(group), :, np.arange(group)] = parts
    return full.reshape(group * outs, group * ins, *weight.shape[2:])


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Shapes as the graph says or implies them, -1 for a free size; those of the op's outputs worked out here."""
    known = onnx.ModelProto()
    known.CopyFrom(model)
    held = {t.name: t for t in model.graph.initializer}
    while True:
        inferred = onnx.shape_inference.infer_shapes(known, data_prop=True).graph
        values = (*inferred.input, *inferred.value_info, *inferred.output)
        found = {v.name: tuple(dim.dim_value or -1 for dim in v.type.tensor_type.shape.dim) for v in values}
        stated = {v.name for v in (*known.graph.value_info, *known.graph.output)}
        ops = [_op_shape(node, held, found) for node in model.graph.node if node.output[0] not in stated]
        more = [made for made in ops if made is not None]
        if not more:
            return found
        known.graph.value_info.extend(more)


def _op_shape(
    node: onnx.NodeProto, held: Mapping[str, onnx.TensorProto], found: Mapping[str, tuple[int, ...]]
) -> onnx.ValueInfoProto | None:
    if (node.domain, node.op_type) != (DOMAIN, OP) or min(found.get(node.output[0], ())[1:], default=-1) > 0:
        return None
    shape = found.get(node.input[0], ())
    if min(shape[1:], default=-1) <= 0 or (steps := op_steps(node, held)) is None:
        return None
    spatial = shape[2:]
    for step in steps:
        spatial = step.sizes(spatial)
    if min(spatial) <= 0:
        return None
    kind = helper.np_dtype_to_tensor_dtype(steps[0].kernel.dtype)
    return helper.make_tensor_value_info(node.output[0], kind, ["_batch", len(steps[-1].kernel), *spatial])

"""The same graph in another floating-point type: what an ONNX file is measured against."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

_TYPES = {"float32": onnx.TensorProto.FLOAT, "float64": onnx.TensorProto.DOUBLE}


def retype(model: onnx.ModelProto, dtype: str) -> onnx.ModelProto:
    """A copy with every float32 and float64 made `dtype`: inputs, outputs, weights, constants and casts.

    Inferred types are dropped.
    """
    out = onnx.ModelProto()
    out.CopyFrom(model)
    graph, to = out.graph, _TYPES[dtype]
    del graph.value_info[:]
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type in _TYPES.values():
            value.type.tensor_type.elem_type = to
    for tensor in graph.initializer:
        _retype_tensor(tensor, dtype)
    for node in (*graph.node, *(node for function in out.functions for node in function.node)):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                _retype_tensor(attribute.t, dtype)
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i in _TYPES.values():
                attribute.i = to
    return out


def _retype_tensor(tensor: onnx.TensorProto, dtype: str) -> None:
    if tensor.data_type in _TYPES.values():
        values = numpy_helper.to_array(tensor).astype(np.dtype(dtype))
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

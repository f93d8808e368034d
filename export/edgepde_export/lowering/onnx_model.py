"""An ONNX file made elsewhere, with one input of rows and columns and one output, treated as a module is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.version_converter
from edgepde_runtime.backends.reference import load
from edgepde_runtime.box import Box
from edgepde_runtime.errors import EdgePDEError, InputError, UnsupportedModel
from edgepde_runtime.manifest import InputSpec, OutputSpec
from edgepde_runtime.onnxfile import parse
from numpy.typing import NDArray

from edgepde.certify.from_graph import from_graph
from edgepde.certify.network import Network

from ..bundle import BundleContent
from ..errors import SourceError
from ..passes.clean import serialize
from ..passes.retype import retype
from . import measured
from .graph import IR_VERSION, OPSET
from .module import ROWS, columns, named
from .options import Naming, Options
from .plain import Answer, Plain, content
from .prepare import prepare
from .samples import golden_points

LIMIT_BYTES = 1 << 28
_DTYPES: dict[int, np.dtype[np.floating]] = {
    onnx.TensorProto.FLOAT: np.dtype(np.float32),
    onnx.TensorProto.DOUBLE: np.dtype(np.float64),
}


def lower(path: Path, box: Box, options: Options | None = None) -> BundleContent:
    """The bundle of an ONNX file x [M, d] -> y [M, ...]; the reference is the same graph in float64.

    Raises SourceError for a file that is no ONNX model, UnsupportedModel naming what the runtime cannot run, InputError
    where the box has another number of columns than the input.
    """
    options = options or Options()
    naming = options.naming or Naming()
    if options.append is not None:
        raise InputError(f"{path}: --derivatives and --residual are for modules and runs, which can be evaluated anew")
    given = _at_our_opset(_load(path), path)
    dtype = _rename(given, naming, box, path)
    model = prepare(given, options.log)
    wide = _evaluated(model, naming, "float64")
    shape: tuple[int | str, ...] = (ROWS, *wide(golden_points(box, 3, options.seed, dtype)[:3]).shape[1:])
    spec = InputSpec(naming.input, dtype.name, (ROWS, box.dimension), columns(box))

    def networks() -> tuple[Network, Network]:
        graph = from_graph(parse(serialize(given)).graph)
        return graph, graph

    values = measured.Networks(wide, wide, False, _evaluated(model, naming, "float32"))
    answer = Answer(OutputSpec(naming.output, dtype.name, shape, naming.unit), values, networks)
    return content(
        Plain(
            model=model,
            spec=spec,
            answers=(answer,),
            reference=lambda: retype(given, "float64"),
            problem=f"The network of {path.name}, of {named(box)}.",
        ),
        box,
        options,
    )


def _load(path: Path) -> onnx.ModelProto:
    try:
        size = path.stat().st_size
        if size > LIMIT_BYTES:
            raise SourceError(f"{path}: expected at most {LIMIT_BYTES} bytes, got {size}")
        model = onnx.load_from_string(path.read_bytes())
        onnx.checker.check_model(model)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"{path}: expected an ONNX model: {str(error).splitlines()[0]}") from error
    return model


def _at_our_opset(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset != OPSET:
        try:
            model = onnx.version_converter.convert_version(model, OPSET)
        except Exception as error:
            reason = str(error).splitlines()[0]
            raise UnsupportedModel(f"{path}: opset {opset} cannot be converted to {OPSET}: {reason}") from error
    model.ir_version = IR_VERSION
    return model


def _rename(model: onnx.ModelProto, naming: Naming, box: Box, path: Path) -> np.dtype[np.floating]:
    """Check the signature, give input, output and rows our names; the dtype of both."""
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise UnsupportedModel(f"{path}: expected one input and one output, got {len(inputs)} and {len(graph.output)}")
    given, made = inputs[0], graph.output[0]
    dims = given.type.tensor_type.shape.dim
    dtype = _DTYPES.get(given.type.tensor_type.elem_type)
    if dtype is None or made.type.tensor_type.elem_type != given.type.tensor_type.elem_type:
        raise UnsupportedModel(f"{path}: input {given.name} and output {made.name} expected float32 or float64 alike")
    if len(dims) != 2 or dims[0].HasField("dim_value"):
        raise UnsupportedModel(f"{path}: input {given.name} expected shape [rows, {box.dimension}] with rows left free")
    if dims[1].dim_value != box.dimension:
        got = dims[1].dim_value or dims[1].dim_param or "a free size"
        raise InputError(f"{path}: input {given.name} has {got} columns, the box has {box.dimension}")
    old = {given.name: naming.input, made.name: naming.output}
    dims[0].dim_param = ROWS
    made.type.tensor_type.shape.dim[0].dim_param = ROWS
    for node in graph.node:
        node.input[:] = [old.get(name, name) for name in node.input]
        node.output[:] = [old.get(name, name) for name in node.output]
    given.name, made.name = naming.input, naming.output
    del graph.value_info[:]
    return dtype


def _evaluated(model: onnx.ModelProto, naming: Naming, dtype: str) -> measured.Network:
    """The graph in another floating-point type."""
    try:
        backend = load(serialize(retype(model, dtype)))
    except EdgePDEError as error:
        raise UnsupportedModel(f"the graph cannot be evaluated in {dtype}: {error}") from error

    def evaluate(x: NDArray[np.floating]) -> NDArray[np.float64]:
        values = backend.run({naming.input: np.ascontiguousarray(x, dtype=dtype)})
        return np.asarray(values[naming.output], dtype=np.float64)

    return evaluate

"""From a torch module to an ONNX graph with symbolic batch sizes and ops of our own domain."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, final

import onnx
import torch
from edgepde_runtime.errors import UnsupportedModel
from torch.overrides import TorchFunctionMode

from .custom_ops import append_bodies, translation_table
from .registry import one_registry

OPSET = 20
# Sums, differences, products and quotients, with and without underscores around them.
BINARY = {"add", "radd", "sub", "rsub", "mul", "rmul", "div", "truediv", "rdiv", "rtruediv"}
IR_VERSION = 10  # the newest that onnxruntime 1.20 reads


def to_onnx(
    module: torch.nn.Module,
    inputs: Mapping[str, torch.Tensor],
    dynamic: Mapping[str, Mapping[int, str]],
    outputs: Sequence[str],
) -> onnx.ModelProto:
    """The module's graph at opset 20, with torch's notes of where each node came from still in its metadata.

    inputs: examples in the order of forward's arguments, by the names they get, sizes >= 2 along dynamic axes.
    dynamic: input name -> axis -> symbol; equal symbols are equal sizes. outputs: names, in order.
    Raises UnsupportedModel, naming the module's path and torch's reason.
    """
    symbols = {symbol: torch.export.Dim(symbol) for axes in dynamic.values() for symbol in axes.values()}
    shapes = tuple({axis: symbols[s] for axis, s in dynamic.get(name, {}).items()} or None for name in inputs)
    with _quiet():
        program = _trace(module, inputs, shapes)
        model = _translate(program, inputs, shapes, outputs)
    model.ir_version = IR_VERSION
    append_bodies(model)
    _check_signature(model, inputs, dynamic, outputs)
    return model


def _trace(module: torch.nn.Module, inputs: Mapping[str, torch.Tensor], shapes: Any) -> torch.export.ExportedProgram:
    with torch.no_grad(), _whereabouts(module) as where, _Numbers():
        try:
            return torch.export.export(module, tuple(inputs.values()), dynamic_shapes=shapes, strict=False)
        except Exception as error:
            raise UnsupportedModel(f"{where()}: torch.export refused it: {_reason(error)}") from error


@final
class _Numbers(TorchFunctionMode):
    """Numbers beside float64 tensors as tensors of float64; torch.onnx would write them as float32."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "").strip("_") in BINARY and any(_is_double(a) for a in args):
            args = tuple(torch.tensor(a, dtype=torch.float64) if isinstance(a, float) else a for a in args)
        return func(*args, **(kwargs or {}))


def _is_double(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype == torch.float64


def _translate(
    program: torch.export.ExportedProgram, inputs: Mapping[str, torch.Tensor], shapes: Any, outputs: Sequence[str]
) -> onnx.ModelProto:
    try:
        with one_registry():
            exported = torch.onnx.export(
                program,
                tuple(inputs.values()),
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=shapes,
                input_names=list(inputs),
                output_names=list(outputs),
                custom_translation_table=translation_table(),
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        raise UnsupportedModel(_untranslated(program, error)) from error
    assert exported is not None
    model: onnx.ModelProto = exported.model_proto
    return model


def _untranslated(program: torch.export.ExportedProgram, error: BaseException) -> str:
    """Which module's node torch.onnx has no ONNX form for."""
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    found = next((m for m in (re.search(r"%(\w+) : .*?target=([\w.]+)\]", str(e)) for e in chain) if m), None)
    if found is None:
        return f"torch.onnx refused the model: {_reason(chain[-1])}"
    name, target = found.groups()
    plain = name.replace("_", "")  # decomposition renames special_bessel_j0 to bessel_j0, erfinv to erf_inv
    stacks = [n.meta.get("nn_module_stack") for n in program.graph.nodes if n.name.replace("_", "").endswith(plain)]
    path, kind = list(stacks[0].values())[-1] if stacks and stacks[0] else ("", "")
    kind = kind if isinstance(kind, str) else getattr(kind, "__name__", "")
    return f"{describe(path, kind)}: node {name} ({target.removeprefix('torch.ops.')}) has no ONNX form"


def describe(path: str, kind: str) -> str:
    """How messages name a module: its path, "the module" for the root, and its class."""
    name = f"module {path}" if path else "the module"
    return f"{name} ({kind.rsplit('.', 1)[-1]})" if kind else name


def _check_signature(
    model: onnx.ModelProto,
    inputs: Mapping[str, torch.Tensor],
    dynamic: Mapping[str, Mapping[int, str]],
    outputs: Sequence[str],
) -> None:
    found = {value.name: value for value in model.graph.input}
    for name in inputs:
        if name not in found:
            raise UnsupportedModel(f"input {name}: expected in the graph's inputs {sorted(found)}, got none")
        for axis, symbol in dynamic.get(name, {}).items():
            dim = found[name].type.tensor_type.shape.dim[axis]
            if dim.dim_param != symbol:
                got = dim.dim_param or dim.dim_value
                raise UnsupportedModel(
                    f"input {name}: axis {axis} expected the free size {symbol}, torch fixed it to {got}"
                )
    if len(model.graph.output) != len(outputs):
        raise UnsupportedModel(
            f"outputs: expected {list(outputs)}, the module returns {len(model.graph.output)} tensors"
        )


@contextlib.contextmanager
def _whereabouts(module: torch.nn.Module) -> Iterator[Callable[[], str]]:
    """While the module is traced: a function that says which submodule was running, or had fixed a dynamic size."""
    kinds = {path: type(child).__name__ for path, child in module.named_modules()}
    running: list[str] = []
    sizes: list[Any] = []
    fixing: list[str] = []

    def enter(path: str) -> Callable[..., None]:
        def hook(_: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            running.append(path)
            if not path:
                tensors = [v for v in (*args, *kwargs.values()) if isinstance(v, torch.Tensor)]
                sizes.extend(n for t in tensors for n in t.shape if isinstance(n, torch.SymInt))

        return hook

    def leave(path: str) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            running.pop()
            if any(size.node.maybe_as_int() is not None for size in sizes):
                fixing.append(path)

        return hook

    def where() -> str:
        path = running[-1] if running else fixing[0] if fixing else ""
        return describe(path, kinds[path])

    handles = []
    for path, child in module.named_modules():
        handles.append(child.register_forward_pre_hook(enter(path), with_kwargs=True))
        handles.append(child.register_forward_hook(leave(path)))
    try:
        yield where
    finally:
        for handle in handles:
            handle.remove()


def _reason(error: BaseException) -> str:
    """The first line of a reason; the next one's sentence where only that says what broke."""
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    head = lines[0].split(" For more information", 1)[0]
    return lines[1].split(". ", 1)[0] if "Constraints violated" in head and len(lines) > 1 else head


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's warnings, log lines and prints kept from the user; our errors say what matters."""
    previous = logging.root.manager.disable
    sink = io.StringIO()
    try:
        logging.disable(logging.ERROR)
        with warnings.catch_warnings(), contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)

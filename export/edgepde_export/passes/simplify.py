"""Simplification of the graph: constants folded, redundant nodes removed; always runs."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator

import onnx
from edgepde_runtime.errors import UnsupportedModel

Log = Callable[[str], None]


def to_stderr(line: str) -> None:
    """A log that writes to stderr, which is where progress belongs."""
    print(line, file=sys.stderr)


def simplify(model: onnx.ModelProto, log: Log = to_stderr) -> onnx.ModelProto:
    """onnxsim.simplify with our nodes, their bodies and symbolic sizes kept; node counts go to `log`.

    Raises UnsupportedModel where onnxsim fails or loses one of those.
    """
    import onnxsim

    try:
        with _quiet():
            simpler, agrees = onnxsim.simplify(model)
    except Exception as error:
        raise UnsupportedModel(
            f"simplification failed: {(str(error) or type(error).__name__).splitlines()[0]}"
        ) from error
    if not agrees:
        raise UnsupportedModel("simplification failed: the simplified graph computes something else")
    _check_kept(model, simpler)
    log(f"simplified: {len(model.graph.node)} -> {len(simpler.graph.node)} nodes")
    return simpler


def _check_kept(before: onnx.ModelProto, after: onnx.ModelProto) -> None:
    for label, what in (("inputs", _inputs), ("outputs", _outputs), ("function bodies", _bodies)):
        if what(before) != what(after):
            raise UnsupportedModel(f"simplification changed the {label}: {what(before)} became {what(after)}")
    defined = set(_bodies(after))
    for node in after.graph.node:
        if node.domain and (node.domain, node.op_type) not in defined:
            raise UnsupportedModel(f"simplification lost the body of {node.domain}.{node.op_type} (node {node.name})")


def _signature(values: list[onnx.ValueInfoProto]) -> list[tuple[str, list[str | int]]]:
    return [(v.name, [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]) for v in values]


def _inputs(model: onnx.ModelProto) -> list[tuple[str, list[str | int]]]:
    return _signature(list(model.graph.input))


def _outputs(model: onnx.ModelProto) -> list[tuple[str, list[str | int]]]:
    return _signature(list(model.graph.output))


def _bodies(model: onnx.ModelProto) -> list[tuple[str, str]]:
    return sorted((f.domain, f.name) for f in model.functions)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """onnxsim's prints and onnxruntime's log lines, Python's and C++'s alike, kept from the user."""
    previous = logging.root.manager.disable
    logging.disable(logging.ERROR)
    sys.stderr.flush()
    saved = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)
        logging.disable(previous)

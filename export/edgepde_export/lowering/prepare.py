"""From a fresh graph to the one that ships: simplified, checked against the runtime's rooms, cleaned."""

from __future__ import annotations

import onnx

from ..passes.clean import clean
from ..passes.simplify import Log, simplify, to_stderr
from .support import check_supported, origins


def prepare(model: onnx.ModelProto, log: Log = to_stderr) -> onnx.ModelProto:
    """The graph that golden outputs, certificate and hashes are made from; the same bytes for the same mathematics.

    Raises UnsupportedModel naming what the runtime cannot run.
    """
    origin = origins(model)
    simpler = simplify(model, log)
    check_supported(simpler, origin)
    return clean(simpler)

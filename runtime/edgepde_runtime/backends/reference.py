"""The backend that walks a model file through the rooms' numpy references: slow, obvious, and always there."""

from __future__ import annotations

from copy import copy
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, ModelFileError
from ..onnxfile import parse
from ..onnxmodel import Model
from . import Arrays
from .program import Compiler


@final
class ReferenceBackend:
    """A model of `domain edgepde` and standard nodes; a node with a room runs that room, never the function body."""

    name = "reference"

    def __init__(self, model: Model) -> None:
        self._graph = model.graph
        self._program = Compiler(model).graph()
        self._slots: Arrays = {}

    def fed(self, slots: Arrays) -> ReferenceBackend:
        """The same model with its slots filled."""
        other = copy(self)
        other._slots = dict(slots)
        return other

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """Evaluate the graph once; raises InputError, ModelFileError or UnsupportedModel naming input or node."""
        given: list[NDArray[Any] | None] = []
        inputs = {**inputs, **self._slots}
        for info in self._graph.inputs:
            if info.name not in inputs:
                raise InputError(f"input {info.name!r}: expected {info.dtype}, got none")
            array = np.asarray(inputs[info.name])
            if array.dtype != info.dtype:
                raise InputError(f"input {info.name!r}: expected {info.dtype}, got {array.dtype}")
            given.append(array)
        results = self._program.run(given, self._graph.initializers)
        outputs: dict[str, NDArray[np.generic]] = {}
        for info, value in zip(self._graph.outputs, results, strict=True):
            if value.dtype != info.dtype:
                raise ModelFileError(f"output {info.name!r}: expected {info.dtype} as declared, got {value.dtype}")
            # A copy: the value may be an input, a constant of the model or a view of one.
            outputs[info.name] = np.array(value)
        return outputs


def load(model: bytes) -> ReferenceBackend:
    """The backend of a model file; raises ModelFileError for a broken file, UnsupportedModel naming node and op."""
    return ReferenceBackend(parse(model))

"""What weights stored in fewer bits make of the networks that a device is measured against."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
from edgepde_runtime.backends.reference import load
from edgepde_runtime.manifest import InputSpec, OutputSpec
from numpy.typing import NDArray

from ..passes.clean import serialize
from ..passes.precision import restored
from ..passes.retype import retype
from .measured import Network, Networks


def networks(values: Networks, model: onnx.ModelProto, signature: tuple[InputSpec, OutputSpec]) -> Networks:
    """The networks with the weights as `model` stores them, and the module beside them; `model` is `store`'s."""
    plain = restored(model)
    wide, narrow = (_evaluated(retype(plain, dtype), signature, dtype) for dtype in ("float64", "float32"))
    return replace(values, shipped=wide, narrow=narrow, module=values.shipped)


def _evaluated(model: onnx.ModelProto, signature: tuple[InputSpec, OutputSpec], dtype: str) -> Network:
    backend, (spec, output) = load(serialize(model)), signature

    def evaluate(x: NDArray[np.floating]) -> NDArray[np.float64]:
        values = backend.run({spec.name: np.ascontiguousarray(x, dtype=dtype)})
        return np.asarray(values[output.name], dtype=np.float64)

    return evaluate

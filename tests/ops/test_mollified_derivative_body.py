"""The function body of mollified_derivative where a product overflows: what does not count it stays as it is."""

from __future__ import annotations

import numpy as np
import pytest
from edgepde_runtime.rooms import Room
from support.rooms import case_model, with_body

ROOM = Room("mollified_derivative")


def test_a_product_that_overflows_reaches_only_the_outputs_that_count_it() -> None:
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    one = np.ones((1, 1, 1), np.float32)
    taps = np.array([3e38, 0.5], np.float32).reshape(2, 1, 1)
    orders, combine = np.array([[-1, -1, 0], [-1, -1, 1]]), np.array([[0, 1], [1, 1], [0, 0]], np.float32)
    x = np.array([1.0, 2.0, -4.0], np.float32).reshape(1, 1, 1, 3)
    inputs = [x, one, one, taps, orders, combine]
    encoded, given = case_model(ROOM, ("overflow", inputs, {}))
    model = with_body(encoded, ROOM).SerializeToString()
    (y,) = runtime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, given)
    np.testing.assert_array_equal(y[0, 0, 0, 0], [0.5, 1.0, -2.0])
    np.testing.assert_array_equal(np.isfinite(y[0, 1, 0, 0]), [True, False, False])
    np.testing.assert_array_equal(y[0, 2], 0.0)
    np.testing.assert_array_equal(y, ROOM.run(inputs, {})[0])

"""The backend c99 hands addresses to C, so it takes no array whose numbers do not lie side by side."""

from __future__ import annotations

import numpy as np
import pytest
from edgepde_runtime import compiler
from edgepde_runtime.backends.c99 import C99Backend, load_bundle
from edgepde_runtime.bundle import read
from edgepde_runtime.errors import BackendError
from support import c99

pytestmark = pytest.mark.skipif(compiler.find() is None, reason="no C compiler")
X = np.array([[0.5, 0.25], [-0.75, 1.0]], dtype=np.float32)
OUT = np.empty((2, 1), np.float32)
APART = {
    "every other row": np.repeat(X, 2, axis=0)[::2],
    "columns first": np.asfortranarray(X),
    "backwards": X[::-1],
    "one number for all": np.broadcast_to(X[0, :1], (2, 2)),
}


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> C99Backend:
    """The toy MLP, compiled."""
    return load_bundle(read(c99.mlp_bundle(tmp_path_factory.mktemp("toy") / "b")), True)


@pytest.mark.parametrize("x", APART.values(), ids=APART)
def test_an_input_that_does_not_lie_side_by_side_is_refused(backend: C99Backend, x: np.ndarray) -> None:
    for call in (backend.run, backend.check, lambda given: backend.prebuilt(given, {"u": OUT}, False)):
        with pytest.raises(BackendError, match="x: expected a C-contiguous float32 array"):
            call({"x": x})


def test_an_output_that_does_not_lie_side_by_side_is_refused(backend: C99Backend) -> None:
    with pytest.raises(BackendError, match="u: expected a C-contiguous float32 array"):
        backend.prebuilt({"x": X}, {"u": np.empty((4, 1), np.float32)[::2]}, False)


@pytest.mark.parametrize("dtype", ["float64", "int32", ">f4"])
def test_numbers_of_another_kind_are_refused(backend: C99Backend, dtype: str) -> None:
    with pytest.raises(BackendError, match="x: expected a C-contiguous float32 array"):
        backend.run({"x": X.astype(dtype)})
    with pytest.raises(BackendError, match="u: expected a C-contiguous float32 array"):
        backend.prebuilt({"x": X}, {"u": OUT.astype(dtype)}, False)


def test_what_lies_side_by_side_is_taken(backend: C99Backend) -> None:
    call = backend.prebuilt({"x": X}, {"u": OUT}, True)
    assert call.function(call.argument) == 0
    np.testing.assert_array_equal(backend.run({"x": X})["u"], OUT)

"""onnxruntime with our kernel of basis_readout: the kernel's bits, the op's own refusals, and that it is what ran."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_runtime.rooms import Room
from support.op_cases import Case
from support.readout_kernel import Kernel, build_kernel
from support.rooms import case_model, cases_of

ort = pytest.importorskip("onnxruntime")

ROOM = Room("basis_readout")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    return build_kernel("gcc", "scalar", tmp_path_factory.mktemp("kernel"))


def session(case: Case, library: Path, inputs: list[Any] | None = None) -> Any:
    """Runs a case, or other inputs in sizes that the model leaves open."""
    encoded, _ = case_model(ROOM, case)
    if inputs is not None:
        onnx = pytest.importorskip("onnx")
        found = onnx.load_from_string(encoded)
        for given in found.graph.input:
            for axis, dim in enumerate(given.type.tensor_type.shape.dim):
                dim.dim_param = f"{given.name}_{axis}"
        encoded = found.SerializeToString()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.register_custom_ops_library(str(library))
    running = ort.InferenceSession(encoded, options, providers=["CPUExecutionProvider"])
    given = case[1] if inputs is None else inputs
    return running.run(None, {f"i{n}": x for n, x in enumerate(given)})[0]


@pytest.mark.parametrize("case", cases_of(ROOM), ids=lambda case: case[0])
def test_onnxruntime_gives_the_kernels_bits(case: Case, library: Path, kernel: Kernel) -> None:
    y, expected = session(case, library), kernel.run(case[1])
    bits = f"u{y.itemsize}"
    assert y.dtype == expected.dtype
    assert ((y.view(bits) == expected.view(bits)) | (np.isnan(y) & np.isnan(expected))).all()


@pytest.mark.parametrize("case", cases_of(ROOM)[::9], ids=lambda case: case[0])
def test_the_kernel_ran_and_not_the_body(case: Case, library: Path, marked: Path) -> None:
    np.testing.assert_allclose(session(case, marked) - session(case, library), 1.0, atol=1e-2)


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ([(2, 5), (4, 6), (1,)], "basis"),
        ([(2, 5), (5, 6), (5,)], "scale: expected one number, or one per column"),
        ([(2, 0), (0, 6), (6,)], "basis: expected rows and columns"),
    ],
)
def test_sizes_that_do_not_fit_are_errors(shapes: list[tuple[int, ...]], said: str, library: Path) -> None:
    inputs = [np.zeros(shape, np.float32) for shape in shapes]
    with pytest.raises(Exception, match=f"basis_readout: .*{said}"):
        session(cases_of(ROOM)[0], library, inputs)

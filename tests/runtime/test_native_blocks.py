"""onnxruntime with our kernel of block_low_rank_apply: every type, the kernel's bits, nothing out of bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_runtime.errors import ModelFileError
from edgepde_runtime.rooms import Room
from support.blocks_kernel import Kernel, build_kernel
from support.op_cases import Case
from support.packed_blocks import ladder
from support.rooms import case_model, cases_of

ort = pytest.importorskip("onnxruntime")

ROOM = Room("block_low_rank_apply")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    return build_kernel("gcc", "scalar", tmp_path_factory.mktemp("kernel"))


def session(case: Case, library: Path, inputs: list[Any] | None = None, attributes: Any = None) -> Any:
    """Runs a case, other inputs or attributes in their place, through a library."""
    encoded, _ = case_model(ROOM, case)
    if attributes is not None:
        onnx = pytest.importorskip("onnx")
        found = onnx.load_from_string(encoded)
        del found.graph.node[0].attribute[:]
        found.graph.node[0].attribute.extend(onnx.helper.make_attribute(k, v) for k, v in attributes.items())
        encoded = found.SerializeToString()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.register_custom_ops_library(str(library))
    running = ort.InferenceSession(encoded, options, providers=["CPUExecutionProvider"])
    given = case[1] if inputs is None else inputs
    return running.run(None, {f"i{n}": x for n, x in enumerate(given)})[0]


@pytest.mark.parametrize("case", cases_of(ROOM), ids=lambda case: case[0])
def test_onnxruntime_gives_the_kernels_bits(case: Case, library: Path, kernel: Kernel) -> None:
    y = session(case, library)
    expected = kernel.run(case[1], case[2]["rows"])
    bits = f"u{y.itemsize}"
    assert y.dtype == expected.dtype
    assert ((y.view(bits) == expected.view(bits)) | (np.isnan(y) & np.isnan(expected))).all()


@pytest.mark.parametrize("case", cases_of(ROOM)[::12], ids=lambda case: case[0])
def test_the_kernel_ran_and_not_the_body(case: Case, library: Path, marked: Path) -> None:
    np.testing.assert_allclose(session(case, marked) - session(case, library), 1.0, atol=1e-2)


def spoilt() -> dict[str, tuple[int, Any, str]]:
    """What is wrong: the input, how it is changed, and what is said of it."""

    def at(place: Any, value: int) -> Any:
        def change(v: Any) -> Any:
            v = v.copy()
            v[place] = value
            return v

        return change

    def emptied(v: Any) -> Any:
        return at((0, 1), 0)(v)

    return {
        "column-start": (1, at((0, 0), -1), "column_groups"),
        "column-start-far": (1, at((0, 0), 2**62), "column_groups"),
        "column-size": (1, at((0, 1), 42), "column_groups"),
        "column-size-far": (1, at((0, 1), 2**63 - 1), "column_groups"),
        "rank": (1, at((0, 2), 40), "right"),
        "rank-far": (1, at((0, 2), 2**62), "right"),
        "rank-below": (1, at((0, 2), -(2**62)), "column_groups"),
        "rank-of-nothing": (1, emptied, "column_groups"),
        "right-short": (2, lambda v: v[:-1], "right"),
        "right-long": (2, lambda v: np.append(v, v[:1]), "right"),
        "row-start": (3, at((-1, 0), 40), "row_groups"),
        "row-size": (3, at((0, 1), -3), "row_groups"),
        "row-count": (3, at((0, 2), 2**61), "row_groups|index|left"),
        "index-below": (4, at(0, -1), "index"),
        "index-above": (4, at(-1, 10**6), "index"),
        "index-far": (4, at(3, 2**63 - 1), "index"),
        "index-short": (4, lambda v: v[:-1], "index"),
        "left-short": (5, lambda v: v[:-1], "left"),
        "left-none": (5, lambda v: v[:0], "left"),
        "x-narrow": (0, lambda v: v[:, :-1], "column_groups|index"),
    }


@pytest.mark.parametrize("what", spoilt())
@pytest.mark.parametrize("factor_type", [np.float32, np.float16])
def test_groups_and_indices_that_do_not_fit_are_errors_on_both_backends(
    what: str, factor_type: type, library: Path
) -> None:
    number, change, said = spoilt()[what]
    blocks = ladder()
    good: Case = (
        "good",
        [np.ones((2, blocks.columns), np.float32), *blocks.arrays(factor_type)],
        {"rows": blocks.rows},
    )
    inputs = list(good[1])
    inputs[number] = np.ascontiguousarray(change(np.asarray(inputs[number])))
    with pytest.raises(ModelFileError, match=said):
        ROOM.run(inputs, good[2])
    with pytest.raises(Exception, match=f"block_low_rank_apply: .*({said})"):
        _open_session(good, inputs, library)


def _open_session(case: Case, inputs: list[Any], library: Path) -> Any:
    """As `session`, with the sizes of the inputs left open in the model."""
    onnx = pytest.importorskip("onnx")
    encoded, _ = case_model(ROOM, case)
    found = onnx.load_from_string(encoded)
    for given in found.graph.input:
        for axis, dim in enumerate(given.type.tensor_type.shape.dim):
            dim.dim_param = f"{given.name}_{axis}"
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.register_custom_ops_library(str(library))
    running = ort.InferenceSession(found.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return running.run(None, {f"i{n}": x for n, x in enumerate(inputs)})


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({}, "rows: expected a value"),
        ({"rows": -1}, "rows: expected a size"),
        ({"rows": 2**40}, "rows: expected a size"),
    ],
)
def test_rows_that_are_missing_or_senseless_are_errors(attributes: dict[str, int], said: str, library: Path) -> None:
    with pytest.raises(Exception, match=f"block_low_rank_apply: {said}"):
        session(cases_of(ROOM)[0], library, attributes=attributes)


def test_fewer_rows_than_the_groups_reach_are_an_error(library: Path) -> None:
    with pytest.raises(Exception, match="row_groups: expected groups within the rows"):
        session(cases_of(ROOM)[0], library, attributes={"rows": 40})

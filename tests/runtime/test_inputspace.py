"""The inputs an attack may choose from: numbers of the graph's dtype in the box, in a part of it, in a family."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from edgepde_runtime.boxcheck import outside
from edgepde_runtime.certificate import BoxEntry, Certificate, OutputCertificate, index
from edgepde_runtime.family import Family
from edgepde_runtime.inputspace import InputSpace
from edgepde_runtime.manifest import Column, InputSpec
from hypothesis import given
from hypothesis import strategies as st
from support.bundles import terms

ends = st.tuples(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6)).map(lambda e: (e[0], e[0] + e[1]))
wide = st.floats(1e-6, 1.0).map(lambda low: (low, 1e3))


def space_of(ranges: list[tuple[float, float]], dtype: str = "float32", family: Family | None = None) -> InputSpace:
    """The space of one input with these columns."""
    columns = tuple(Column(f"c{i}", "", low, high) for i, (low, high) in enumerate(ranges))
    box = tuple(BoxEntry("x", c.name, "", c.low, c.high) for c in columns)
    entry = OutputCertificate.from_terms("u", "", terms())
    certificate = Certificate("a" * 64, ("ort",), box, (), "e", index([entry]), family)
    return InputSpace.of((InputSpec("x", dtype, ("M", len(columns)), columns),), certificate)


def grid(dimension: int, seed: int = 0) -> np.ndarray:
    """Places of the cube with its corners."""
    places = np.random.default_rng(seed).random((64, dimension))
    return np.concatenate([places, np.round(places)])


@given(st.lists(ends | wide, min_size=1, max_size=3), st.sampled_from(["float32", "float64"]))
def test_every_place_is_an_input_of_the_box(ranges: list[tuple[float, float]], dtype: str) -> None:
    space = space_of(ranges, dtype)
    arrays, valid = space.inputs(grid(space.dimension))
    assert arrays["x"].dtype == dtype
    assert valid.all()
    assert not outside(arrays["x"], space.specs[0]).any()
    for j, (low, high) in enumerate(ranges):
        assert arrays["x"][:, j].min() == np.dtype(dtype).type(low)
        assert arrays["x"][:, j].max() == np.dtype(dtype).type(high)


@given(st.lists(ends | wide, min_size=1, max_size=3), st.integers(0, 2**16))
def test_places_of_points_give_the_points(ranges: list[tuple[float, float]], seed: int) -> None:
    space = space_of(ranges, "float64")
    points = space.inputs(grid(space.dimension, seed))[0]["x"]
    again = space.inputs(space.places(points.tolist()))[0]["x"]
    scale = np.maximum(np.abs(space.low), np.abs(space.high))
    assert (np.abs(again - points) <= 1e-12 * scale).all()
    assert space.places([]).shape == (0, len(ranges))


@given(ends, st.floats(0.01, 0.49), st.floats(0.51, 0.99))
def test_inputs_of_a_part_are_never_rounded_out_of_it(whole: tuple[float, float], a: float, b: float) -> None:
    space = space_of([whole])
    low, high = (whole[0] + share * (whole[1] - whole[0]) for share in (a, b))
    part = replace(space, low=np.array([low]), high=np.array([high]), inside=True)
    arrays, valid = part.inputs(grid(1))
    inside = (arrays["x"].astype(np.float64) >= low) & (arrays["x"].astype(np.float64) <= high)
    assert (inside[:, 0] == valid).all()
    if np.float32(high) - np.float32(low) > 4 * np.spacing(np.float32(max(abs(low), abs(high)))):
        assert valid.all()


@given(st.integers(0, 2**16), st.sampled_from(["float32", "float64"]))
def test_inputs_of_a_family_are_members(seed: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    modes = rng.uniform(-1, 1, (2, 6))
    family = Family((0.5,) * 6, tuple(map(tuple, modes)), (-1.0, 0.0), (1.0, 2.0), (1e-4,) * 6)
    low, high = family.hull()
    space = space_of(list(zip(low.tolist(), high.tolist(), strict=True)), dtype, family)
    assert space.dimension == 8
    arrays, valid = space.inputs(grid(8, seed))
    assert valid.mean() > 0.9
    assert family.contains(arrays["x"][valid]).mean() > 0.6

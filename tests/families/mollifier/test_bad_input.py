"""What kernels, banks and layers are given by mistake: refused, the axis or field named, or masked, never spread."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from edgepde_runtime.errors import InputError
from hypothesis import given
from hypothesis import strategies as st

from edgepde.mollifier.bank import bank
from edgepde.mollifier.grid import Axis, Grid
from edgepde.mollifier.layer import MollifierLayer

X = np.linspace(0.0, 1.0, 16)
GRID = Grid.of(y=np.linspace(0.0, 2.0, 30), x=np.linspace(0.0, 1.0, 40))
NAMES = ["u", "u_x", "u_yy", "laplacian", "u_xxyy"]
HALF = 4
FIELD = np.sin(3.0 * GRID.mesh()["x"]) * np.cos(GRID.mesh()["y"])


class TestAxes:
    """Coordinates that are none."""

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            (np.array(["a", "b"]), "axis x: values: expected real numbers, got <U1"),
            (np.array([1j, 2.0]), "axis x: values: expected real numbers, got complex128"),
            (np.array([None, 1.0]), "axis x: values: expected real numbers, got object"),
            ([[1.0], [1.0, 2.0]], "axis x: values: expected an array of real numbers"),
            ([[0.0, 1.0]], r"axis x: values: expected \[N\], N > 0, got shape \[1, 2\]"),
            ([], r"axis x: values: expected \[N\], N > 0"),
            ([0.0, np.nan, 1.0], r"axis x: values\[1\]: expected finite values, got nan"),
            ([0.0, np.inf], r"axis x: values\[1\]: expected finite values, got inf"),
            ([0.0, 1.0, 1.0], r"axis x: values\[2\]: expected increasing values, got 1.0"),
            ([0.0, 2.0, 1.0], r"axis x: values\[2\]: expected increasing values, got 1.0"),
            (
                np.ma.array([0.0, 1.0, 2.0], mask=[False, True, False]),
                r"axis x: values\[1\]: expected finite values, got nan",
            ),
            ([-1e308, 1e308], r"axis x: values: expected gaps from 1e-30 and a length up to 1e\+30"),
            ([0.0, 1e-300], r"axis x: values: expected gaps from 1e-30"),
        ],
    )
    def test_values(self, values: Any, message: str) -> None:
        with pytest.raises(InputError, match=message):
            Axis("x", values)
        with pytest.raises(InputError, match=message):
            Grid.of(x=values)

    @pytest.mark.parametrize("name", ["", "xy", "1", " ", 3, None])
    def test_names(self, name: Any) -> None:
        with pytest.raises(InputError, match="name: expected one letter"):
            Axis(name, X)

    def test_grids(self) -> None:
        with pytest.raises(InputError, match="expected Axis, got ndarray"):
            Grid((X,))  # type: ignore[arg-type]
        with pytest.raises(InputError, match="expected 1 to 3, got 4"):
            Grid.of(t=X, z=X, y=X, x=X)
        with pytest.raises(InputError, match="expected different names, got x twice"):
            Grid((Axis("x", X), Axis("x", X)))

    @given(st.integers(0, 14), st.floats(1e-5, 0.4))
    def test_uneven_spacing_is_never_taken_for_even(self, place: int, by: float) -> None:
        values = X.copy()
        values[place + (place == 0)] += by * (X[1] - X[0])
        axis = Axis("x", values)
        assert not axis.uniform
        with pytest.raises(InputError, match=r"axis x: expected even spacing .* after values\[\d+\]"):
            _ = axis.spacing
        made = bank(Grid((axis,)), ["u_x"], degree=4, half=3)
        assert made.taps[2].shape == (1, 16, 7)
        np.testing.assert_allclose(made.apply(values**4)[0], 4.0 * values**3, rtol=1e-9, atol=1e-9)


class TestRequests:
    """Kernels that a grid has no room for, and names of nothing."""

    @pytest.mark.parametrize(
        "name", ["", "u_", "v", "u_z", "u_q", "u__x", "U_x", "u_x ", "laplace", "laplacian_x", "u_xxxxxxxxx", 3, None]
    )
    def test_unknown_derivatives(self, name: Any) -> None:
        with pytest.raises(InputError, match="derivative"):
            bank(GRID, [name])
        with pytest.raises(InputError, match="derivative"):
            MollifierLayer(GRID, [name])

    def test_no_names_and_names_twice(self) -> None:
        for names in ([], ["u_x", "u_x"]):
            with pytest.raises(InputError, match="names: expected one or more different"):
                bank(GRID, names)

    @pytest.mark.parametrize("order", range(1, 5))
    def test_grids_too_small_for_the_order(self, order: int) -> None:
        name = "u_" + "x" * order
        for samples in range(1, order + 1):
            with pytest.raises(InputError, match="axis x: "):
                bank(Grid.of(x=X[:samples]), [name])
        with pytest.raises(InputError, match="laplacian: expected an axis of space"):
            bank(Grid.of(t=X), ["laplacian"])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"half": 8}, "axis x: expected a window of at most its 16 samples, got 17"),
            ({"half": -1}, "axis x: half: expected a number, whole and from 0, got -1"),
            ({"half": 2.5}, "axis x: half: expected a number, whole and from 0, got 2.5"),
            ({"half": float("nan")}, "axis x: half: expected a number, whole and from 0, got nan"),
            ({"degree": True}, "axis x: degree: expected a number, whole and from 0, got True"),
            ({"degree": "line"}, "axis x: degree: expected a number"),
            ({"half": {"q": 3}}, "half: expected axes of x, got q"),
            ({"degree": 1}, "axis x: expected a degree of at least the order 2, got 1"),
            ({"degree": 9, "half": 4}, "axis x: degree 9: expected a window of 10 samples, got 9"),
            ({"degree": 10**9}, "axis x: degree 1000000000: expected a window"),
            ({"profile": "gauss"}, "profile: expected one of bump, polynomial, got 'gauss'"),
        ],
    )
    def test_windows_too_wide_or_too_small(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            bank(Grid.of(x=X), ["u_xx"], **options)
        with pytest.raises(InputError, match=message):
            MollifierLayer(Grid.of(x=X), ["u_xx"], **options)


class TestFields:
    """Values on a grid: their shape and type, readings that are missing."""

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            (FIELD.T, r"field: expected shape \[..., 30, 40\], got \[40, 30\]"),
            (FIELD[0], r"field: expected shape \[..., 30, 40\], got \[40\]"),
            (3.0, r"field: expected shape .* got \[\]"),
            (FIELD + 1j, "field: expected real numbers, got complex128"),
            (np.full((30, 40), "1"), "field: expected real numbers, got <U1"),
            (np.full((30, 40), None), "field: expected real numbers, got object"),
            (np.where(FIELD > 0.9, np.inf, FIELD), r"field\[\d+, \d+\]: expected finite values or NaN .* got inf"),
        ],
    )
    def test_bank(self, values: Any, message: str) -> None:
        with pytest.raises(InputError, match=message):
            bank(GRID, ["u_x"]).apply(values)

    @pytest.mark.parametrize("form", ["matrices", "op"])
    def test_layer(self, form: Any) -> None:
        layer = MollifierLayer(GRID, ["u_x"], dtype=torch.float64, form=form)
        field = torch.from_numpy(FIELD)
        wrong = {
            "expected torch.float64, got torch.float32": field.float(),
            "expected torch.float64, got torch.int64": field.long(),
            "axis y: expected 30 points, got 40": field.T.contiguous(),
            r"expected \[.., 30, 40\], got \[40\]": field[0],
            "expected finite numbers, got nan": torch.where(field > 0.9, torch.nan, field),
            "expected finite numbers, got inf": torch.where(field > 0.9, torch.inf, field),
        }
        with pytest.raises(InputError, match="values: expected a tensor, got ndarray"):
            layer(FIELD)
        for message, values in wrong.items():
            with pytest.raises(InputError, match=f"MollifierLayer: values: .*{message}"):
                layer(values)

    @given(st.integers(0, 29), st.integers(0, 39))
    def test_a_missing_reading_leaves_all_rows_outside_its_window_bit_equal(self, i: int, j: int) -> None:
        made = bank(GRID, NAMES, degree=4, half=HALF)
        holed = FIELD.copy()
        holed[i, j] = np.nan
        before, after = made.apply(FIELD), made.apply(holed)
        reach = {name: reached(GRID.shape, (i, j), name) for name in NAMES}
        for name, old, new in zip(NAMES, before, after, strict=True):
            assert np.array_equal(old[~reach[name]], new[~reach[name]]), name
            assert np.isfinite(new[~reach[name]]).all()

    @given(st.integers(0, 29), st.integers(0, 39))
    def test_rows_that_miss_a_reading_are_as_exact_as_the_others(self, i: int, j: int) -> None:
        made = bank(GRID, NAMES, degree=4, half=HALF)
        cubic = (GRID.mesh()["x"] - 0.3) ** 3 * (GRID.mesh()["y"] + 0.2) ** 3
        holed = cubic.copy()
        holed[i, j] = np.nan
        for old, new in zip(made.apply(cubic), made.apply(holed), strict=True):
            there = np.isfinite(new)
            assert (~there).sum() <= 1
            np.testing.assert_allclose(new[there], old[there], rtol=0.0, atol=1e-7 * np.abs(old).max())

    def test_masked_values_are_missing_readings(self) -> None:
        made = bank(GRID, ["u_x"], degree=4, half=HALF)
        holed = FIELD.copy()
        holed[3, 4] = np.nan
        masked = np.ma.array(np.where(np.isnan(holed), 1e20, holed), mask=np.isnan(holed))
        assert np.array_equal(made.apply(masked), made.apply(holed), equal_nan=True)

    def test_nothing_there_gives_nothing(self) -> None:
        assert np.isnan(bank(GRID, ["u", "u_x"]).apply(np.full(GRID.shape, np.nan))).all()
        assert bank(GRID, ["u_x"]).apply(np.zeros((0, *GRID.shape))).shape == (0, 1, *GRID.shape)

    @given(st.floats(1e-3, 1e3))
    def test_spacings_far_apart_do_not_mix_the_axes(self, ratio: float) -> None:
        grid = Grid.of(y=ratio * np.linspace(0.0, 1.0, 14), x=np.linspace(0.0, 1.0, 20))
        y, x = (grid.mesh()[name] for name in "yx")
        u = (y / ratio) ** 3 * x**2
        made = bank(grid, ["u_y", "u_xx", "u_yx", "laplacian"], degree=4, half=4).apply(u)
        exact = (
            3.0 * (y / ratio) ** 2 / ratio * x**2,
            2.0 * (y / ratio) ** 3,
            6.0 * (y / ratio) ** 2 / ratio * x,
            6.0 * (y / ratio) / ratio**2 * x**2 + 2.0 * (y / ratio) ** 3,
        )
        for got, wanted in zip(made, exact, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=0.0, atol=1e-8 * np.abs(wanted).max())


def reached(shape: tuple[int, ...], place: tuple[int, int], name: str) -> np.ndarray:
    """Which rows read a sample, where every window has 2 HALF + 1 samples: those with `place` in their window."""
    near = []
    for n, at in zip(shape, place, strict=True):
        start = np.clip(np.arange(n) - HALF, 0, n - 2 * HALF - 1)
        near.append((start <= at) & (at <= start + 2 * HALF))
    here = [np.arange(n) == at for n, at in zip(shape, place, strict=True)]
    along_x, along_y = np.outer(here[0], near[1]), np.outer(near[0], here[1])
    both = {"laplacian": along_x | along_y, "u_xxyy": np.outer(near[0], near[1]), "u": np.outer(*here)}
    return both.get(name, along_x if "x" in name else along_y)

"""The elementwise kernels: the references' answers, the same bits from every build, errors as bound.py says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_runtime.ops.check import complete
from edgepde_runtime.rooms import Room
from numpy.typing import NDArray
from support.exact import WIDE, exact, ulps
from support.kernel_libraries import PACKAGE
from support.lane_kernels import Kernels, applied, build_kernels, signatures
from support.rooms import cases_of, tolerance

KERNELS = {s.name: s for s in signatures()}
ROOMS = sorted({s.room for s in signatures()})
FUNCTIONS = [n for n, s in KERNELS.items() if len(s.arguments) == 1 and Room(s.room).rounding.own_ulps is not None]
ONCE = [
    n
    for n, s in KERNELS.items()
    if n == s.room and n not in FUNCTIONS and (len(s.arguments) == len(Room(n).op.inputs) or n in ("max", "min"))
]
BUILDS = [
    ("gcc", "scalar"),
    ("gcc", "soft"),
    ("gcc", "avx2"),
    ("gcc", "avx512"),
    ("clang", "scalar"),
    ("clang", "soft"),
    ("clang", "avx2"),
    ("clang", "avx512"),
]
SPECIAL = [
    0.0,
    -0.0,
    np.inf,
    -np.inf,
    np.nan,
    1.0,
    -1.0,
    0.5,
    -2.5,
    3.0,
    1e-45,
    -1e-45,
    1e-40,
    3e38,
    -3e38,
    5e-324,
    1e308,
]
SPECIAL_OF = {np.float32: SPECIAL[:-2], np.float64: SPECIAL}


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """kernels(compiler, isa): a build, made once."""
    made: dict[tuple[str, str], Kernels] = {}

    def get(compiler: str, isa: str) -> Kernels:
        if (compiler, isa) not in made:
            made[compiler, isa] = build_kernels(compiler, isa, tmp_path_factory.mktemp(f"{compiler}-{isa}"), "-O2")
        return made[compiler, isa]

    return get


def sweep(dtype: type) -> NDArray[Any]:
    """Every 65537th pattern of a float, as many of a double and doubles of moderate size, and the special values."""
    special = np.array(SPECIAL_OF[dtype], dtype)
    if dtype is np.float32:
        return np.concatenate([np.arange(0, 1 << 32, 65537, dtype=np.uint64).astype(np.uint32).view(dtype), special])
    patterns = (np.arange(1 << 13, dtype=np.uint64) * np.uint64(0x0007FFFFFFFB1235)).view(dtype)
    return np.concatenate([patterns, np.linspace(-40, 40, 8191), np.linspace(-760, 760, 8191), special])


def same_bits(name: str, one: NDArray[Any], other: NDArray[Any]) -> None:
    """Equal to the bit; a NaN is any NaN."""
    unsigned = {4: np.uint32, 8: np.uint64}[one.itemsize]
    differ = (one.view(unsigned) != other.view(unsigned)) & ~(np.isnan(one) & np.isnan(other))
    assert not differ.any(), f"{name}: {one[differ][:3]} and {other[differ][:3]}"


def test_every_kernel_and_every_promise_is_covered() -> None:
    promised = {room for room in ROOMS if Room(room).rounding.own_ulps is not None}
    assert promised == {KERNELS[n].room for n in FUNCTIONS} | {"elu", "selu"}
    for room in ROOMS:
        unproved = Room(room).rounding.ulps is None
        assert not unproved or room in promised | {"pow"}, f"{room} has a kernel and says nothing about its error"


@pytest.mark.parametrize("room", ROOMS)
def test_the_cases_of_a_room(room: str, kernels: Any) -> None:
    reference, runs = Room(room), 0
    for name, inputs, attributes in cases_of(reference):
        y = applied(kernels("gcc", "scalar"), reference, inputs, attributes)
        if y is None:
            continue
        runs += 1
        expected = np.asarray(reference.run(inputs, attributes)[0])
        assert (y.dtype, y.shape) == (expected.dtype, expected.shape), name
        if y.dtype.kind != "f":
            np.testing.assert_array_equal(y, expected, err_msg=name)
            continue
        own = (reference.rounding.own_ulps or (0.0, 0.0))[y.itemsize == 8]
        near = 2 * tolerance(reference, inputs, attributes, expected) + own * np.spacing(np.abs(expected))
        with np.errstate(invalid="ignore"):
            close = (np.abs(y - expected) <= near) | (y == expected) | (np.isnan(y) & np.isnan(expected))
        assert close.all(), f"{name}: {y} and {expected}"
    assert runs, "no case of this room reached its kernel"


def grid(count: int, dtype: type) -> list[NDArray[Any]]:
    """Every combination of `count` special values."""
    values = np.array(SPECIAL_OF[dtype], dtype)
    return [np.ascontiguousarray(x.ravel()) for x in np.meshgrid(*[values] * count)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("compiler", "isa"), BUILDS)
def test_every_build_gives_the_same_bits(compiler: str, isa: str, dtype: type, kernels: Any) -> None:
    build, scalar = kernels(compiler, isa), kernels("gcc", "scalar")
    for name, signature in KERNELS.items():
        if any(kind == "unsigned" for kind, _ in signature.arguments):
            continue
        count = len(signature.arguments)
        arrays = grid(count, dtype) if count > 1 else [sweep(dtype)]
        same_bits(f"{name} {compiler} {isa}", build.run(name, *arrays), scalar.run(name, *arrays))
    for n in (0, 1, 2, 3, 7, 64, 100):
        arrays = [sweep(dtype)[::5], np.full_like(sweep(dtype)[::5], n)]
        same_bits(f"powi {n}", build.run("powi", *arrays), scalar.run("powi", *arrays))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_as_near_as_its_room_says(name: str, dtype: type, kernels: Any) -> None:
    x = sweep(dtype)
    promised = Room(KERNELS[name].room).rounding.own_ulps
    assert promised is not None
    slack = 0.02 if dtype is np.float32 else 1.0 if WIDE else 4.0
    error = ulps(kernels("gcc", "scalar").run(name, x), exact(name, x))
    worst = int(np.argmax(error))
    assert error[worst] <= promised[dtype is np.float64] + slack, f"{name}({x[worst]!r}) is off by {error[worst]} ulp"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ONCE)
def test_what_rounds_once_is_the_reference(name: str, dtype: type, kernels: Any) -> None:
    signature = KERNELS[name]
    room = Room(signature.room)
    arrays = grid(len(signature.arguments), dtype)
    y = kernels("gcc", "scalar").run(name, *arrays)
    inputs = [x != 0 if kind == "ep_u32" else x for x, (kind, _) in zip(arrays, signature.arguments, strict=True)]
    with np.errstate(all="ignore"):
        expected = np.asarray(room.reference(inputs, complete(room.op, {}))[0])
    np.testing.assert_array_equal(y != 0 if signature.mask else y, expected)


def paired(values: NDArray[Any]) -> NDArray[Any]:
    return values[~np.isnan(values)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("name", "sign"), [("tanh", -1), ("sin", -1), ("erf", -1), ("sinh", -1), ("cos", 1), ("cosh", 1)]
)
def test_symmetry_is_exact(name: str, sign: int, dtype: type, kernels: Any) -> None:
    x, build = paired(sweep(dtype)), kernels("gcc", "scalar")
    same_bits(name, build.run(name, -x), dtype(sign) * build.run(name, x))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["tanh", "exp", "erf", "log"])
def test_monotone(name: str, dtype: type, kernels: Any) -> None:
    x = np.sort(paired(sweep(dtype)))
    y = kernels("gcc", "scalar").run(name, x[x > 0] if name == "log" else x)
    assert (y[1:] >= y[:-1]).all()
    assert name in ("exp", "log") or (np.abs(y) <= 1).all()


def test_integer_powers(kernels: Any) -> None:
    x = np.array([-2.0, 0.0, -0.0, 1.5, np.inf, -np.inf, np.nan, 3.0])
    for n in (0, 1, 2, 3, 5, 8, 13):
        y = kernels("gcc", "scalar").run("powi", x, np.full_like(x, n))
        with np.errstate(all="ignore"):
            error = ulps(y, np.power(x.astype(np.longdouble), n))
        assert (error <= max(0, n - 1)).all()


MUTATIONS = [
    pytest.param("tanh", r"ep_set_f32\(0x1\.5554aap-1f\)", "ep_set_f32(0x1.5564aap-1f)", id="coefficient"),
    pytest.param("sin", r"ep_signbit_f32\(x\)", "ep_signbit_f32(ep_set_f32(1.0f))", id="sign"),
    pytest.param("log", r"denormal, x \* ep_set_f32\(0x1p24f\)", "denormal, x * ep_set_f32(0x1p23f)", id="denormals"),
]


@pytest.mark.parametrize(("room", "pattern", "change"), MUTATIONS)
def test_a_changed_kernel_is_seen(room: str, pattern: str, change: str, kernels: Any, tmp_path: Path) -> None:
    text, count = re.subn(pattern, change, (PACKAGE / "ops" / room / f"{room}.h").read_text(encoding="utf-8"))
    assert count >= 1
    (tmp_path / f"{room}.h").write_text(text, encoding="utf-8")
    build = build_kernels("gcc", "scalar", tmp_path, f"-I{tmp_path}", "-O1")
    with pytest.raises(AssertionError):
        same_bits(room, build.run(room, sweep(np.float32)), kernels("gcc", "scalar").run(room, sweep(np.float32)))
    with pytest.raises(AssertionError):
        test_a_function_is_as_near_as_its_room_says(room, np.float32, lambda *_: build)

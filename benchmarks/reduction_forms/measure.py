"""The kernels built, checked against each other and float64, and timed in turn."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from native.build import AVX512, HERE, OPS, Isa, shared_library
from numpy.typing import NDArray

from reduction_forms.forms import FORMS, Form
from reduction_forms.program import fits, identity, program
from reduction_forms.source import WIDTH, Single, Tile

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
SIZES = (3, WIDTH, WIDTH, WIDTH, WIDTH, 1)
TILES = {16: (Tile(16, 1), Tile(8, 2), Tile(8, 1)), 8: (Tile(16, 1), Tile(8, 2), Tile(8, 1), Tile(4, 2), Tile(4, 3))}
SINGLES = {16: (Single(4, 1), Single(4, 2), Single(4, 4)), 8: (Single(8, 1), Single(4, 1), Single(4, 2), Single(2, 4))}


class Work(ctypes.Structure):
    """The argument of every kernel."""

    _fields_ = (
        ("weights", ctypes.c_void_p * 5),
        ("bias", ctypes.c_void_p * 5),
        ("x", ctypes.c_void_p),
        ("y", ctypes.c_void_p),
        ("n", ctypes.c_size_t),
    )


@dataclass(frozen=True)
class Contestant:
    """One kernel with its argument, and the arrays that argument points into."""

    what: str
    batch: int
    isa: str
    form: Form
    shape: Tile | Single
    call: ctypes._CFuncPtr  # type: ignore[name-defined]
    work: Work
    held: tuple[object, ...]
    y: F32

    def seconds(self, clock: ctypes.CDLL, times: int) -> float:
        """Per call, by the clock in C."""
        return float(clock.bench_time(self.call, ctypes.byref(self.work), times)) / times


@dataclass(frozen=True)
class Network:
    """Weights [J, K] and biases [J] of every layer, uniform in +-1/sqrt(K)."""

    weights: tuple[F32, ...]
    bias: tuple[F32, ...]

    @classmethod
    def random(cls, rng: np.random.Generator, sizes: tuple[int, ...] = SIZES) -> Network:
        """As a network is initialised."""
        pairs = list(pairwise(sizes))
        scale = [K**-0.5 for K, _ in pairs]
        weights = [rng.uniform(-s, s, (J, K)).astype(np.float32) for s, (K, J) in zip(scale, pairs, strict=True)]
        bias = [rng.uniform(-s, s, J).astype(np.float32) for s, (_, J) in zip(scale, pairs, strict=True)]
        return cls(tuple(weights), tuple(bias))

    def packed(self, shape: Tile | Single) -> tuple[F32, ...]:
        """The weights in the order a kernel reads them: blocks [K][R], or [K][J]; the last layer [K]."""
        if isinstance(shape, Single):
            made = [w.T for w in self.weights[:-1]]
        else:
            made = [w.reshape(-1, shape.R, w.shape[1]).transpose(0, 2, 1) for w in self.weights[:-1]]
        return tuple(aligned(w) for w in (*made, self.weights[-1][0]))


def aligned(values: F32) -> F32:
    """A contiguous copy that starts on a cache line."""
    room = np.empty(values.size + 16, dtype=np.float32)
    skip = -room.ctypes.data % 64 // 4
    place = room[skip : skip + values.size].reshape(values.shape)
    place[...] = values
    return place


def contestants(isa: Isa, folder: Path, network: Network, batches: tuple[int, ...], x: F32) -> list[Contestant]:
    """Every form in every shape at every batch; x [n, 3] is where the samples come from, and of a layer [n, 64]."""
    lanes = 16 if isa is AVX512 else 8
    text = folder / f"kernels_{lanes}.c"
    text.write_text(program(FORMS, TILES[lanes], SINGLES[lanes]), encoding="utf-8")
    library = shared_library([text], isa.flags, folder / f"kernels_{lanes}.so", [Path(__file__).parent, OPS / "tanh"])
    made = []
    for form in FORMS:
        for batch in batches:
            for shape in SINGLES[lanes] if batch == 1 else TILES[lanes]:
                if not fits(form, shape):
                    continue
                packed = network.packed(shape)
                for what in ("layer", "network"):
                    call = getattr(library, f"{what}_{identity(form, shape)}")
                    made.append(_contestant(what, batch, isa.name, form, shape, call, network, packed, x, lanes))
    return made


def _contestant(
    what: str,
    batch: int,
    isa: str,
    form: Form,
    shape: Tile | Single,
    call: object,
    network: Network,
    packed: tuple[F32, ...],
    x: F32,
    lanes: int,
) -> Contestant:
    rows = x[:batch, :3] if what == "network" else x[:batch]
    if what == "layer" and isinstance(shape, Tile):
        rows = into_tiles(rows, shape.H * lanes)
    given = aligned(rows)
    y = aligned(np.full(batch if what == "network" else given.size, np.nan, dtype=np.float32))
    work = Work(n=batch, x=given.ctypes.data, y=y.ctypes.data)
    biases = tuple(aligned(b) for b in network.bias)
    for i in range(5):
        work.weights[i], work.bias[i] = packed[i].ctypes.data, biases[i].ctypes.data
    return Contestant(what, batch, isa, form, shape, call, work, (packed, biases, given), y)


def into_tiles(rows: F32, lanes: int) -> F32:
    """[n, K] -> [n / lanes, K, lanes], padded with zeros."""
    padded = np.zeros((-(-len(rows) // lanes) * lanes, rows.shape[1]), dtype=np.float32)
    padded[: len(rows)] = rows
    return np.ascontiguousarray(padded.reshape(-1, lanes, rows.shape[1]).transpose(0, 2, 1))


def outputs(one: Contestant, lanes: int) -> F32:
    """What the kernel computes: [n, 64] of the layer, [n] of the network."""
    one.call(ctypes.byref(one.work))
    if one.what == "network":
        return one.y.copy()
    if isinstance(one.shape, Single):
        return one.y.reshape(one.batch, WIDTH).copy()
    width = one.shape.H * lanes
    return one.y.reshape(-1, WIDTH, width).transpose(0, 2, 1).reshape(-1, WIDTH)[: one.batch].copy()


def clock(folder: Path) -> ctypes.CDLL:
    """The timing loop."""
    library = shared_library([HERE / "probe.c"], ["-mavx2", "-mfma"], folder / "clock.so")
    library.bench_time.restype = ctypes.c_double
    library.bench_time.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    return library


def exact_layer(network: Network, x: F32) -> tuple[F64, F64]:
    """b + W x in float64 and |b| + |W| |x|: [n, 64] each."""
    w, b, x64 = network.weights[1].astype(np.float64), network.bias[1].astype(np.float64), x.astype(np.float64)
    return x64 @ w.T + b, np.abs(x64) @ np.abs(w).T + np.abs(b)


def exact_network(network: Network, x: F32) -> F64:
    """The network in float64: [n]."""
    y = x.astype(np.float64)
    for i, (w, b) in enumerate(zip(network.weights, network.bias, strict=True)):
        y = y @ w.astype(np.float64).T + b.astype(np.float64)
        y = np.tanh(y) if i < len(network.weights) - 1 else y
    return np.asarray(y[:, 0])

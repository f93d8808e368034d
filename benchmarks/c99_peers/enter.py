"""Everybody who takes part, as entries of the contest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edgepde_runtime
import numpy as np
import torch
from native.build import AVX2, AVX512, Isa

from c99_peers import emx
from c99_peers.networks import Workload, onnx_file, reference, samples
from c99_peers.ours import Ours, library, manifest_of
from c99_peers.spec import Entry

C512, C256, BIND = "ours", "ours, AVX2", "ours, bind()"
ON_ORT = "ours, bind() on ort"
BINDING = "ORT io-binding"
PYTHON = {"ORT run": "ort_run", BINDING: "ort_binding", "OpenVINO": "openvino"}
MANY = 10_000
COEFFICIENTS, FIELD = "S2GPT Burgers, coefficients", f"S2GPT Burgers, + field at {MANY:,} points"
VISCOSITIES = (0.006, 0.02, 0.07, 0.25, 0.8)
EMPTY = {"empty call, Python": "python", "empty call, ctypes": "ctypes", "empty call, C": "c"}


@dataclass(frozen=True)
class Hall:
    """Where files go, the library with the clock, and the instruction sets there are."""

    folder: Path
    clock: Path
    isas: tuple[Isa, ...]

    def arrays(self, name: str, **values: np.ndarray[Any, Any]) -> str:
        """A file of arrays."""
        path = self.folder / f"{name}.npz"
        np.savez(path, **values)
        return str(path)


def peers(net: torch.nn.Sequential, asked: Workload, hall: Hall, seed: int) -> list[Entry]:
    """ONNX Runtime, OpenVINO and emx-onnx-cgen at every batch."""
    made = []
    for batch in asked.batches:
        case, options = asked.case(batch), {"clock": str(hall.clock)}
        given, expected = _questions(net, asked, batch, hall, seed)
        model = onnx_file(net, asked, batch, hall.folder / f"{asked.name}_{batch}.onnx")
        rivals = {rival: (kind, (("", str(model)),)) for rival, kind in PYTHON.items()}
        rivals |= {f.rival: ("c", emx.variants(net, asked, batch, f, hall.folder)) for f in emx.ALL}
        made += [
            Entry(case, rival, kind, variants, given, expected, {"y": "float32"}, (batch,), options)
            for rival, (kind, variants) in rivals.items()
        ]
    return made


def networks(net: torch.nn.Sequential, asked: Workload, ours: Ours, hall: Hall, seed: int) -> list[Entry]:
    """Ours at every batch: in C per instruction set, and through bind()."""
    made = []
    for batch in () if ours.missing else asked.batches:
        given, expected = _questions(net, asked, batch, hall, seed)
        made += _own(asked.case(batch), ours, hall, given, expected, (batch,), ("c99",))
    return made


def queries(ours: Ours, hall: Hall) -> list[Entry]:
    """The S2GPT model at several viscosities, for one point and for many."""
    assert ours.bundle is not None
    rng = np.random.default_rng(0)
    points = np.stack([rng.uniform(-1.0, 1.0, MANY), rng.uniform(0.0, 1.0, MANY)], axis=1).astype(np.float32)
    exact = edgepde_runtime.load(ours.bundle, backend="reference")
    made = []
    for nu in VISCOSITIES:
        for case, at in ((COEFFICIENTS, points[:1].copy()), (FIELD, points)):
            asked = {"parameters": np.array([[nu]]), "points": at}
            u = exact(**asked).u.astype(np.float64)
            name = f"burgers_{nu}_{len(at)}"
            given = hall.arrays(f"{name}_in", **asked)
            expected = hall.arrays(f"{name}_out", u=u, residual=np.full(1, np.nan))
            made += _own(case, ours, hall, given, expected, (1, len(at)), ("c99", "ort"))
    return made


def floors(hall: Hall) -> list[Entry]:
    """Calls that do nothing."""
    none = hall.arrays("none")
    options = {"clock": str(hall.clock)}
    return [
        Entry("empty call", rival, "nothing", (("", how),), none, none, options=options) for rival, how in EMPTY.items()
    ]


def _own(
    case: str, ours: Ours, hall: Hall, given: str, expected: str, sizes: tuple[int, ...], backends: tuple[str, ...]
) -> list[Entry]:
    names: Mapping[Isa, str] = {AVX512: C512, AVX2: C256}
    dtypes = {spec.name: spec.dtype for spec in manifest_of(ours).outputs}
    made = []
    for isa in () if ours.missing else hall.isas:
        built = (("", str(library(ours, isa, hall.folder))),)
        made.append(Entry(case, names[isa], "c", built, given, expected, dtypes, sizes, {"clock": str(hall.clock)}))
    bundle = (("", str(ours.bundle)),)
    rivals = {"c99": BIND, "ort": ON_ORT}
    return made + [
        Entry(case, rivals[name], "bundle", bundle, given, expected, dtypes, sizes, {"backend": name})
        for name in backends
        if name != "c99" or not ours.missing
    ]


def _questions(net: torch.nn.Sequential, asked: Workload, batch: int, hall: Hall, seed: int) -> tuple[str, str]:
    x = samples(asked, batch, seed)
    name = f"{asked.name}_{batch}"
    return hall.arrays(f"{name}_in", x=x), hall.arrays(f"{name}_out", y=reference(net, x))

"""How much faster does a GPU train each family than one CPU core, and does it give the same numbers?

A family takes part by a module benchmarks/gpu/<family>.py with rows(quick, seed, gpu). Without a GPU its rows say so.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence

import gpu
import torch
from _harness import Row, on_one_thread, parser, publish, stdout_to_stderr

from edgepde.train.device import pick_device

CPU, GPU = "one CPU core", "cuda"


def families() -> list[str]:
    """The families that have a row, by listing the folder."""
    return sorted(entry.name for entry in pkgutil.iter_modules(gpu.__path__))


def summary(rows: Sequence[Row]) -> str:
    """The line that says in which cases a CPU core is as good, or that there was no GPU."""
    if all(row.measured is None for row in rows if row.rival == GPU):
        return "no GPU here: only the CPU's rows were measured"
    core = {(row.case, row.unit): row for row in rows if row.rival == CPU}
    lost = [
        f"{row.case} ({row.unit})"
        for row in rows
        if row.rival == GPU and (row.case, row.unit) in core and core[row.case, row.unit].beats(row)
    ]
    return f"where one CPU core is better: {'; '.join(lost) or 'nowhere in this table'}"


def main() -> None:
    """Every family in turn."""
    args = parser(__doc__ or "").parse_args()
    on_one_thread()
    torch.set_num_threads(1)
    device = pick_device("auto")
    where = device if device.type == "cuda" else None
    rows: list[Row] = []
    with stdout_to_stderr():
        for family in families():
            rows += importlib.import_module(f"{gpu.__name__}.{family}").rows(args.quick, args.seed, where)
    name = torch.cuda.get_device_name(where) if where else None
    words = f"GPU: {name or 'none'}; float64, TF32 off; CPU on one thread; devices in turn, medians"
    publish(args, rows, {"threads": 1, "gpu": name}, [words], summary(rows))


if __name__ == "__main__":
    main()

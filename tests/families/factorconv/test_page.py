"""docs/factorconv.md: its example runs as it stands and does what the page says."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from edgepde.factorconv.forms import names

PAGE = (Path(__file__).parents[3] / "docs" / "factorconv.md").read_text("utf-8")


def test_the_example_runs() -> None:
    example, more = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    held: dict[str, Any] = {}
    exec(compile(example, "docs/factorconv.md", "exec"), held)
    layer = held["layer"]
    assert layer.numbers == 24 * 42
    assert layer.dense_numbers == 6400
    assert held["loss"].item() < 0.05 * held["y"].square().mean().item()
    assert float(held["cancellation"](layer).detach()) <= 3.1
    assert held["lower"].ranks < layer.ranks
    assert 0.0 < held["lost"].relative <= 0.2
    assert [entry.form for entry in held["ledger"].entries] == ["tucker2 [8, 8]", "dense"]
    assert held["error"].relative <= 0.6
    assert torch.isfinite(held["small"](held["x"])).all()
    ticks = itertools.count()
    more = more.replace("import time\n", "")
    held["time"] = SimpleNamespace(perf_counter=lambda: float(next(ticks)))  # every net takes one second
    exec(compile(more, "docs/factorconv.md", "exec"), held)
    assert held["picked"].ranks == (None,)
    assert [len(row) for row in held["found"].candidates] == [4]
    assert torch.equal(held["fast"](held["x"]), held["net"](held["x"]))


def test_the_page_tells_of_every_form() -> None:
    table = PAGE.split("## Forms")[1].split("**Training")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(names())

"""docs/layers.md: its example runs as it stands and does what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

PAGE = (Path(__file__).parents[3] / "docs" / "layers.md").read_text("utf-8")


def test_the_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/layers.md", "exec"), names)
    layer, y = names["layer"], names["y"]
    relative = (names["loss"]().item() / y.square().mean().item()) ** 0.5
    assert relative < 0.02
    assert 0.0 <= names["done"].error <= 1e-3
    assert layer.storage_ratio < 0.6
    assert any((block.rank or 0) > 1 for block in layer.layout.blocks)
    assert layer(torch.zeros(2, 3, 64)).shape == (2, 3, 64)

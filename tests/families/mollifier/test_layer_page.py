"""docs/mollifier.md: the example of the layer runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = (Path(__file__).parents[3] / "docs" / "mollifier.md").read_text("utf-8")


def test_the_example_runs() -> None:
    example = re.findall(r"```python\n(.*?)```", PAGE.split("## The layer, and")[1], re.DOTALL)[0]
    held: dict[str, Any] = {}
    exec(compile(example, "docs/mollifier.md", "exec"), held)
    assert held["residual"].shape == (16, 33, 33)
    assert held["residual"].requires_grad

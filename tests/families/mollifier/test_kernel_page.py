"""docs/mollifier.md: the example of kernels runs as it stands and does what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

PAGE = (Path(__file__).parents[3] / "docs" / "mollifier.md").read_text("utf-8")


def test_the_example_runs() -> None:
    example = re.findall(r"```python\n(.*?)```", PAGE.split("## Kernels and their bound")[1], re.DOTALL)[0]
    held: dict[str, Any] = {}
    exec(compile(example, "docs/mollifier.md", "exec"), held)
    u = held["u"]
    exact = np.stack([-49 * u, 25 * 49 * u, -74 * u, (25 + 49) ** 2 * u])
    assert (np.abs(held["y"] - exact) <= held["bound"]).all()
    assert (np.sqrt(np.mean((held["y"] - exact)[:, 16:-16, 16:-16] ** 2, (1, 2))) < 1e-6 * exact.std((1, 2))).all()
    found = held["quiet"].apply(held["readings"])
    inner = (slice(None), slice(8, -8), slice(8, -8))
    error = np.sqrt(np.nanmean((found - exact)[inner] ** 2, (1, 2))) / exact[inner].std((1, 2))
    assert (error < (0.05, 0.3, 0.05, 0.5)).all()
    assert not any(choice.refused for choice in held["chosen"].values())
    assert held["kept"].keep.shape == (4, 48, 48)
    assert set(held["kept"].reasons) <= set(held["names"])

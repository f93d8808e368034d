"""The first example of docs/modno.md is run as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[3] / "docs" / "modno.md"


def test_the_example_of_the_method_runs() -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text().partition("## Method")[2], re.DOTALL)[0]
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["u"].shape == (20, 2, 128)

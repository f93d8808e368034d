"""Why a bundle is made anew: the alarms of a state file of drift, and the inputs it saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from edgepde_runtime.bundle import Bundle
from numpy.typing import NDArray

OUT_OF_BOX, RESIDUAL, INPUTS = "out of box", "residual", "inputs"


@dataclass(frozen=True)
class Because:
    """alarms: by kind, each in words. seen: ends of inputs, by (input, column). counts: inputs by bin of the box."""

    where: str
    alarms: Mapping[str, str]
    seen: Mapping[tuple[str, str], tuple[float, float]]
    counts: Mapping[str, NDArray[np.int64]]


def read(path: Path, bundle: Bundle) -> Because:
    """The state in a file; raises InputError where it is another bundle's, or naming the field that is wrong."""
    raise NotImplementedError(path, bundle)

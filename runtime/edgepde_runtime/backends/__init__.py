"""Ways to run a model file; each module of this folder has `load(model: bytes) -> Backend`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[np.generic]]


class Backend(Protocol):
    """A loaded model: named arrays in, named arrays out, in the graph's own dtypes."""

    name: str

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """Evaluate the graph once; inputs are complete, of the right dtype and checked."""
        ...

    def fed(self, slots: Arrays) -> Backend:
        """The same model with these arrays as its inputs after those of every call, checked and not copied."""
        ...

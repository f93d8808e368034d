"""A matrix as a hierarchy of dense and low-rank blocks, the error of each weighed by what it does to the output.

With C the covariance of a layer's inputs and A the second moment of the output's adjoint at the layer, a block with
rows s and columns t counts as |A_ss^(1/2) (W - W')_st C_tt^(1/2)|. For a multiplier every block is dense, of low rank
or divided, whichever stores least at its error; one option per multiplier. One block of low rank is among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgepde.certify.network import Affine, Network
from edgepde.compress.adjoint import adjoints
from edgepde.compress.aware import Aware
from edgepde.compress.blocked import Formed, blocked, gathers
from edgepde.compress.budget import Part
from edgepde.compress.forms._prepared import Prepared
from edgepde.compress.forms.low_rank import root
from edgepde.compress.joints import affine, layout, shared_places
from edgepde.hmatrix.clusters import ClusterTree, from_points
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.seriation import from_activations

Array = NDArray[np.float64]
SMALLEST = 64
MULTIPLIERS = 28
FINEST, COARSEST = 1e-7, 3.0


@final
class HMatrices(Prepared):
    """One part per affine map that is large enough; option i is the i-th multiplier worth having."""

    refitted = False
    nothing = "no layer is both large enough and smaller as blocks at this error"

    def _parts(self) -> list[Part]:
        """Errors: |A^(1/2) (W - W') C^(1/2)| of the whole matrix."""
        self.options: dict[int, list[Formed]] = {}
        self.why = _small(self.network)
        places = [p for p in _places(self.network) if p not in self.why]
        if not places:
            return []
        at, slopes = adjoints(self.network, self.x)
        inner = {joint.before: joint.inner[-1] for joint in layout(self.network).joints}
        trees: dict[int, ClusterTree] = {}
        made = []
        for place in places:
            node = affine(self.network, place)
            rows, columns = self.how.geometry.of(self.network, place)
            pair = (
                self._tree(trees, inner.get(place, place), at, rows),
                self._tree(trees, node.sources[0], at, columns),
            )
            errors = self._curve(place, node, at[node.sources[0]], slopes[place], pair)
            if errors:
                made.append(Part(str(place), (0.0, *errors)))
            else:
                self.why[place] = "as blocks it takes no fewer bytes at any error"
        return made

    def _tree(self, trees: dict[int, ClusterTree], place: int, at: list[Tensor], points: Array | None) -> ClusterTree:
        if place not in trees:
            leaf = HConfig().leaf
            values = at[place].numpy()
            trees[place] = from_activations(values, leaf) if points is None else from_points(points, leaf)
        return trees[place]

    def _curve(
        self, place: int, node: Affine, inputs: Tensor, slopes: Tensor, trees: tuple[ClusterTree, ClusterTree]
    ) -> list[float]:
        """Fill in the options of a place, falling bytes and growing errors; the errors."""
        mean = inputs.mean(dim=0)
        h = (inputs - mean).numpy()
        a = slopes.permute(1, 0, 2).reshape(-1, slopes.shape[2]).numpy()
        moments = a.T @ a / len(h), h.T @ h / len(h)
        weight = node.weight.numpy()
        aware = Aware(weight, moments, trees, self.how.each)
        pull, spread = root(moments[0])[0], root(moments[1])[0]
        errors, most = list[float](), self.before[place]
        options = list[Formed]()
        for share in np.geomspace(FINEST, COARSEST, MULTIPLIERS):
            matrix = aware.at(aware.multiplier(float(share)))
            lost = weight - matrix.dense()
            formed = Formed(matrix, node.bias + torch.from_numpy(lost) @ mean)
            size, error = formed.nbytes(self.how.each), float(np.linalg.norm(pull @ lost @ spread))
            if size < most and not matrix.is_dense:
                most = size
                errors.append(max([error, *errors[-1:]]))
                options.append(formed)
        self.options[place] = options
        return errors

    def described(self, options: Sequence[int]) -> dict[int, tuple[str, int]]:
        """Blocks and their bytes."""
        chosen = self.chosen(options)
        made = {place: (formed.text, formed.nbytes(self.how.each)) for place, formed in chosen.items()}
        return self._with_gathers(made, chosen)

    def _with_gathers(self, made: dict[int, tuple[str, int]], chosen: dict[int, Formed]) -> dict[int, tuple[str, int]]:
        """The bytes of what has to be permuted go to the first of the blocks."""
        more = sum(gathers(blocked(self.network, chosen)).values()) if chosen else 0
        for place, (text, size) in list(made.items())[:1]:
            made[place] = text, size + more
        return made

    def apply(self, options: Sequence[int], x: Tensor) -> Network:
        """The network with blocks, whatever the points are by now."""
        del x
        return blocked(self.network, self.chosen(options))

    def refused(self) -> dict[int, str]:
        """Layers that are too small, or no smaller as blocks."""
        return self.why

    def chosen(self, options: Sequence[int]) -> dict[int, Formed]:
        """The blocks of every affine map that changes."""
        places = [int(part.name) for part in self.parts]
        return {p: self.options[p][option - 1] for p, option in zip(places, options, strict=True) if option}


FORM = HMatrices


def _places(network: Network) -> list[int]:
    shared = shared_places(network)
    return [p for p, node in enumerate(network.nodes) if isinstance(node, Affine) and p not in shared]


def _small(network: Network) -> dict[int, str]:
    made = {}
    for place in _places(network):
        m, n = affine(network, place).weight.shape
        if min(m, n) < SMALLEST:
            made[place] = f"{m} x {n} is too small to gain as blocks"
    return made

"""Neurons whose activation the others reproduce are dropped; what reads them is fitted to the rest.

At sample points a [N, n] are the activations of a joint and W its outgoing matrix. Column-pivoted QR of a diag(|W_j|)
orders the neurons; with the first k, a ~ [a_k 1] F by least squares, and the next layer becomes W F_k^T, b + W F_1.
Joints are treated in order, each on the activations of the network merged so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import lstsq, qr
from torch import Tensor

from edgepde.certify.network import Affine, Network, Scale
from edgepde.compress.adjoint import adjoints, replaced, values
from edgepde.compress.budget import Part
from edgepde.compress.forms._prepared import Prepared
from edgepde.compress.joints import Joint, layout

Array = NDArray[np.float64]
FINE, ENOUGH, WIDE = 64, 1000, 256


@final
class Merge(Prepared):
    """One part per joint; option i drops drops(width)[i] of its neurons."""

    def _parts(self) -> list[Part]:
        """Errors: the rms over x [N, d] of adjoint . W (a - fold), first order in the difference."""
        f, joints = self.network, layout(self.network).joints
        if not joints:
            return []
        at, slopes = adjoints(f, self.x[: max(ENOUGH, 2 * max(f.widths))])
        return [Part(str(joint.before), _errors(f, joint, at, slopes)) for joint in joints]

    def described(self, options: Sequence[int]) -> dict[int, tuple[str, int]]:
        """Narrower matrices."""
        nodes = enumerate(self.network.nodes)
        shapes = {place: list(node.weight.shape) for place, node in nodes if isinstance(node, Affine)}
        made = {}
        for place, (rows, columns) in _shapes(shapes, layout(self.network).joints, options).items():
            if [rows, columns] != shapes[place]:
                old = " x ".join(map(str, shapes[place]))
                made[place] = (f"merged: {old} to {rows} x {columns}", self.how.each * (rows * columns + rows))
        return made

    def apply(self, options: Sequence[int], x: Tensor) -> Network:
        """The network with neurons of every joint dropped as its option says."""
        network = self.network
        for joint, option in zip(layout(network).joints, options, strict=True):
            if option:
                network = _merged(network, joint, drops(network.widths[joint.before])[option], x)
        return network


FORM = Merge


def drops(width: int) -> tuple[int, ...]:
    """How many of `width` neurons an option drops: 0, 1, 2, ... of few, of many in shrinking steps."""
    if width <= FINE:
        return tuple(range(width))
    kept = np.geomspace(1.0, width, FINE).round().astype(int)
    return tuple(sorted({width - int(k) for k in kept}))


def _shapes(
    shapes: dict[int, list[int]], joints: Sequence[Joint], options: Sequence[int]
) -> dict[int, tuple[int, int]]:
    made = {place: list(shape) for place, shape in shapes.items()}
    for joint, option in zip(joints, options, strict=True):
        dropped = drops(shapes[joint.before][0])[option]
        made[joint.before][0] -= dropped
        made[joint.after][1] -= dropped
    return {place: (rows, columns) for place, (rows, columns) in made.items()}


def _errors(network: Network, joint: Joint, at: list[Tensor], slopes: dict[int, Tensor]) -> tuple[float, ...]:
    a, after = at[joint.inner[-1]], network.nodes[joint.after]
    assert isinstance(after, Affine)
    order, R, Q = _pivoted(a, after.weight)
    outgoing = (after.weight.numpy() / _norms(after.weight))[:, order]
    pull = slopes[joint.after].numpy()  # [m, N, width]
    errors = [0.0]
    width = len(order)
    for dropped in drops(width)[1:]:
        k = width - dropped
        lost = Q[:, k:] @ (R[k:, k:] @ outgoing[:, k:].T)  # [N, width after]
        worst = np.sqrt(((pull * lost).sum(axis=2) ** 2).mean(axis=1)).max()
        errors.append(max(errors[-1], float(worst)))
    return tuple(errors)


def _norms(weight: Tensor) -> Array:
    return np.asarray(np.maximum(np.linalg.norm(weight.numpy(), axis=0), 1e-300))


def _pivoted(a: Tensor, weight: Tensor) -> tuple[Array, Array, Array]:
    Q, R, order = qr(a.numpy() * _norms(weight), mode="economic", pivoting=True)
    return order, R, Q


def _merged(network: Network, joint: Joint, dropped: int, x: Tensor) -> Network:
    at = values(network, x)
    before, after = network.nodes[joint.before], network.nodes[joint.after]
    assert isinstance(before, Affine)
    assert isinstance(after, Affine)
    a = at[joint.inner[-1]]
    enough = len(a) if len(a.T) <= WIDE else 2 * len(a.T)
    order, _, _ = _pivoted(a[:enough], after.weight)
    kept = torch.from_numpy(np.sort(order[: len(order) - dropped]))
    some = np.hstack([a.numpy()[:, kept.numpy()], np.ones((len(a), 1))])
    fold = torch.from_numpy(lstsq(some, a.numpy())[0])  # [k + 1, n]
    changes = {
        joint.before: (before.weight[kept], before.bias[kept]),
        joint.after: (after.weight @ fold[:-1].T, after.bias + after.weight @ fold[-1]),
    }
    for place in joint.inner:
        node = network.nodes[place]
        if isinstance(node, Scale):
            changes[place] = (node.weight[kept], node.bias[kept])
    return replaced(network, changes)

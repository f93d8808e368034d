"""How few bytes does a PINN need at an error that is proved, and what do simpler ways of compressing need?

A tanh PINN of viscous Burgers (nu = 0.02, full domain) is trained here on its residual, then made smaller by
edgepde.compress, by singular value decomposition of its weights, by the same weighed with the covariance of the
activations, and by merging neurons without fitting again. Every size is the smallest whose bound is proved.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from _harness import OURS, Row, closing, on_one_thread, parser, publish, say
from edgepde_runtime.box import Box
from numpy.typing import NDArray
from tightness.compress import Layers, evaluate, merged

import edgepde
from edgepde.certify.network import Affine, Network, mlp
from edgepde.compress.allowance import allowance
from edgepde.compress.area import spread
from edgepde.compress.proof import Judge, judge
from edgepde.network import pinn
from edgepde.network.module import NetworkModule
from edgepde.problems.burgers import cole_hopf

Array = NDArray[np.float64]
Shrink = Callable[[float], tuple[Layers, int]]
BOX = Box([-1.0, 0.0], [1.0, 1.0], ["x", "t"], ["m", "s"])
NU, SAMPLES, CHECKS = 0.02, 12000, 8000
BISECTIONS, LARGER = 16, 4
ROOM, PROOF = 0.97, 30.0


@dataclass(frozen=True)
class Plan:
    """The network, rounds of training, seconds of each compression, and {error: target share of hidden bytes}."""

    width: int
    depth: int
    rounds: int
    seconds: float
    errors: dict[float, float | None]


FULL = Plan(64, 3, 6, 120.0, {1e-2: 0.12, 1e-3: 0.29})
QUICK = Plan(24, 2, 6, 10.0, {1e-1: None, 3e-2: None})


def trained(plan: Plan, seed: int) -> tuple[Layers, str]:
    """The layers in float32 numbers, and how far the PINN is from the exact solution."""
    how = pinn.Training(rounds=plan.rounds)
    say(f"training 2-{plan.width}x{plan.depth}-1 for {how.rounds * how.steps} steps")
    state = pinn.start(plan.width, plan.depth, seed, torch.device("cpu"))
    points = BOX.sample(CHECKS, np.random.default_rng(1))
    exact, began = cole_hopf(np.array([[NU]]), points)[0], time.monotonic()
    pinn.train_pinn(state, NU, how, seed, lambda _, __: False)
    held = [tuple(t.detach().float().double().numpy() for t in layer) for layer in state.layers]
    error = evaluate(held, points)[:, 0] - exact
    relative = np.linalg.norm(error) / np.linalg.norm(exact)
    spent = time.monotonic() - began
    return held, f"relative L2 error of the PINN {relative:.2g}, largest {np.abs(error).max():.2g}, after {spent:.3g} s"


def network(net: Layers) -> Network:
    """The tanh network of these layers."""
    return mlp([w for w, _ in net], [b for _, b in net], ["tanh"] * (len(net) - 1))


def hidden(net: Layers) -> int:
    """Numbers of the hidden-to-hidden matrices."""
    return sum(w.size for w, _ in net[1:-1])


def total(net: Layers) -> int:
    """All numbers."""
    return sum(w.size + b.size for w, b in net)


def factored(net: Layers, aware: bool, x: Array) -> Shrink:
    """Hidden matrices at the rank that one relative tolerance of singular values leaves; dense where none is saved."""
    roots, h = [], x
    for weight, bias in net[1:-1]:
        before, shift = net[len(roots)]
        h = np.tanh(h @ before.T + shift)
        root = np.linalg.cholesky(h.T @ h / len(h) + 1e-14 * np.eye(h.shape[1])) if aware else np.eye(h.shape[1])
        roots.append((np.linalg.svd(weight @ root, full_matrices=False), root, bias))

    def shrink(tolerance: float) -> tuple[Layers, int]:
        made, numbers = [net[0]], 0
        for (weight, bias), ((U, s, Vt), root, _) in zip(net[1:-1], roots, strict=True):
            rank = max(1, int((s > tolerance * s[0]).sum()))
            saved = rank * sum(weight.shape) < weight.size
            lower = (U[:, :rank] * s[:rank]) @ np.linalg.solve(root.T, Vt[:rank].T).T
            made.append((lower if saved else weight, bias))
            numbers += rank * sum(weight.shape) if saved else weight.size
        return [*made, net[-1]], numbers

    return shrink


def merging(net: Layers, x: Array) -> Shrink:
    """Neurons merged at one relative tolerance."""

    def shrink(tolerance: float) -> tuple[Layers, int]:
        made = merged(net, tolerance, x)
        return made, hidden(made)

    return shrink


def smallest(judged: Judge, net: Layers, shrink: Shrink, error: float, x: Array) -> tuple[Layers, int, str]:
    """The coarsest tolerance that is sampled within the error, then finer ones until the bound is proved."""
    exact, low, high = evaluate(net, x), -10.0, 0.0
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        within = np.abs(evaluate(shrink(10.0**middle)[0], x) - exact).max() <= ROOM * error
        low, high = (middle, high) if within else (low, middle)
    for finer in range(LARGER):
        made, numbers = shrink(10.0 ** (low - 0.05 * finer))
        h = judged.rounded(network(made))
        proof = judged.prove(h, PROOF, judged.device(h))
        if proof.holds:
            return made, numbers, f"proved {proof.parts[0].total:.3g}"
    return net, hidden(net), "nothing smaller was proved"


def ours(net: Layers, error: float, plan: Plan, target: float | None, seed: int) -> list[Row]:
    """edgepde.compress on the same network."""
    began = time.monotonic()
    made = edgepde.compress(NetworkModule(network(net)), domain=BOX, max_error=error, seconds=plan.seconds, seed=seed)
    module = made.module
    assert isinstance(module, NetworkModule)
    sizes = [len(node.bias) for node in module.network().nodes if isinstance(node, Affine)]
    matrices = [p.numel() for name, p in module.named_parameters() if name.endswith("weight")]
    note = (
        f"widths {sizes[:-1]}, proved {made.ledger['error']['value']:.3g}, found {made.ledger['error']['found']:.3g}; "
        f"{time.monotonic() - began:.3g} s"
    )
    held = sum(p.numel() for p in module.parameters())
    return rows(error, OURS, net, sum(matrices[1:-1]), held, note, target)


def rows(
    error: float, rival: str, net: Layers, inner: int, everything: int, note: str, target: float | None = None
) -> list[Row]:
    """The share of the hidden matrices, and of everything."""
    return [
        Row(f"hidden-to-hidden at {error:g}", rival, "of dense", inner / hidden(net), target, note=note),
        Row(f"all bytes at {error:g}", rival, "of dense", everything / total(net), note=f"{4 * everything} bytes"),
    ]


def rivals(net: Layers, error: float, seed: int) -> list[Row]:
    """What others reach at the same proved error."""
    judged = judge(network(net), allowance(error, BOX), torch.float32)
    x = spread(judged.allowed.areas, SAMPLES, seed).numpy()
    made = []
    for name, shrink in (
        ("SVD of the weights", factored(net, False, x)),
        ("activation-aware low rank", factored(net, True, x)),
        ("merging, not fitted again", merging(net, x)),
    ):
        say(f"{error:g}: {name}")
        small, numbers, note = smallest(judged, net, shrink, error, x)
        everything = total(small) - hidden(small) + numbers
        made += rows(error, name, net, numbers, everything, note)
    return made


def main() -> None:
    """Train, compress, prove, print."""
    args = parser(__doc__ or "").parse_args()
    on_one_thread()
    torch.set_num_threads(1)
    plan = QUICK if args.quick else FULL
    net, remark = trained(plan, args.seed)
    found: list[Row] = []
    for error, target in plan.errors.items():
        say(f"{error:g}: ours")
        found += ours(net, error, plan, target, args.seed) + rivals(net, error, args.seed)
    publish(args, found, {"threads": 1, "nu": NU, "rounds": plan.rounds}, [remark], closing(found))


if __name__ == "__main__":
    main()

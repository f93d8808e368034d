"""The nets of the study: dense ones of several widths, the factorised ones, the decoder, POD with an MLP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from edgepde.factorconv.decoder import Decoder
from edgepde.factorconv.decoding import Decoders, Search, fit_decoders
from edgepde.factorconv.description import Generator
from edgepde.factorconv.modulated import Modulated
from edgepde.factorconv.training import Fit
from edgepde.recipes.factorconv_wave import Config

from ._study import Data, Trained, obtain

NEAR, ALLOWED = 1.02, 1.05
PASSES, BATCH, RATE = 40, 10, 4e-3
WIDTHS, QUICK_WIDTHS = (16, 24, 32, 48, 64), (8, 12)


@dataclass(frozen=True)
class Plan:
    """How much is trained: widths of the dense nets, passes, the decoder's search.

    widths_modulated: of 1-way filters, the narrowest first. widths_layout: of the same layout with dense kernels.
    """

    widths: tuple[int, ...]
    fit: Fit
    modulated: Fit
    widths_modulated: tuple[int, ...]
    widths_layout: tuple[int, ...]
    search: Search


FULL = Plan(
    WIDTHS,
    Fit(PASSES, BATCH, RATE),
    Fit(PASSES, BATCH, 2.0 * RATE),
    (24, 32, 44),
    (16, 24, 32),
    Search(),
)
QUICK = Plan(
    QUICK_WIDTHS,
    Fit(4, 8, RATE),
    Fit(4, 8, 2.0 * RATE),
    (8,),
    (8,),
    Search(hidden=((12, 8),), ranks=(0, 4), positions=(20, 60)),
)


def generator(data: Data, width: int, form: str = "dense", **other: object) -> Generator:
    """The recipe's generator: a fixed time basis, a grid half as fine as the zone, for dense and factorised alike."""
    return replace(Config(width=width).generator(data.train, form), **other)  # type: ignore[arg-type]


def modulated(data: Data, width: int, form: str = "shared") -> Modulated:
    """Product maps and modulated convolutions of one width throughout; factorised with rank 2 width."""
    how = generator(data, width)
    return Modulated(
        form=form,
        rank=2 * width if form == "shared" else None,
        kernel=how.kernel,
        hidden=(2 * width, 2 * width),
        seeds=2 * width,
        coarse=how.coarse,
        channels=(width, width),
        modes=min(16, how.times),
        parameters=how.parameters,
        times=how.times,
        rows=how.rows,
        columns=how.columns,
    )


def sweep(runs: Path, data: Data, plan: Plan, seed: int) -> list[Trained]:
    """Dense nets of all widths."""
    return [obtain(runs, data, f"dense-{w}", generator(data, w), plan.fit, seed) for w in plan.widths]


def filters(runs: Path, data: Data, plan: Plan, seed: int, error: float) -> Trained:
    """1-way filters: the narrowest of at most this validation error, the widest where none has it."""
    for width in plan.widths_modulated:
        made = shared(runs, data, plan, width, seed)
        if made.validation <= error:
            break
    return made


def shared(runs: Path, data: Data, plan: Plan, width: int, seed: int) -> Trained:
    """1-way filters of a width."""
    return obtain(runs, data, f"shared modulated-{width}", modulated(data, width), plan.modulated, seed)


def smallest_good(found: Sequence[Trained]) -> int:
    """The place of the smallest within 2 % of the best validation error."""
    best = min(t.validation for t in found)
    good = [i for i, t in enumerate(found) if t.validation <= NEAR * best]
    return min(good, key=lambda i: found[i].parameters)


def decoder(runs: Path, data: Data, plan: Plan, seed: int, error: float, name: str = "decoder") -> Trained:
    """The smallest decoder of at most this validation error; its seconds are those of the whole search."""
    t, y, x = data.train.grid
    asked = Decoder(len(data.train.names), t, y, x, (1,), 0, 1, (1, 1, 1))
    passes = Fit(plan.search.regression.iterations, len(data.train), 1.0)

    def trainer(_: object, given: Data, __: Fit, start: int) -> nn.Module:
        found: Decoders = fit_decoders(given.train, given.validation, start, plan.search)
        return found.build(found.smallest(error))

    return obtain(runs, data, f"{name}-at-{error:.4f}", asked, passes, seed, trainer)


@dataclass(frozen=True)
class Pod:
    """Relative L2 error on test cases of POD with an MLP, how many numbers, processor seconds."""

    test: float
    parameters: int
    validation: float


def pod(data: Data, modes: int, width: int, steps: int, seed: int) -> Pod:
    """POD of the training fields, coefficients by an MLP of two hidden layers: AdamW on all cases at once."""
    flat = [torch.from_numpy(p.field.reshape(len(p), -1)) for p in (data.train, data.validation, data.test)]
    norm = flat[0].norm(dim=1, keepdim=True)
    basis = torch.linalg.svd(flat[0] / norm, full_matrices=False)[2][:modes]
    middle, half = (data.train.low + data.train.high) / 2, (data.train.high - data.train.low) / 2
    x = [torch.from_numpy((p.parameters - middle) / half).float() for p in (data.train, data.validation, data.test)]
    wanted = flat[0] @ basis.T
    scale = wanted.std()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Linear(x[0].shape[1], width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, modes)
        )
    adam = torch.optim.AdamW(net.parameters(), 3e-3)
    falling = torch.optim.lr_scheduler.OneCycleLR(adam, 5e-3, total_steps=steps)
    for _ in range(steps):
        loss = ((net(x[0]) * scale - wanted) / norm).square().sum(1).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        falling.step()
    with torch.no_grad():
        errors = [
            float(((net(a) * scale @ basis - f).norm(dim=1) / f.norm(dim=1)).mean())
            for a, f in zip(x[1:], flat[1:], strict=True)
        ]
    return Pod(errors[1], sum(p.numel() for p in net.parameters()) + basis.numel(), errors[0])

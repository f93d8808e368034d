"""S2GPT: S snapshots of Burgers, log-spaced in nu, trained as one batch for a fixed number of steps."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from _harness import Row, say
from torch import Tensor

from edgepde.problems.burgers import burgers
from edgepde.s2gpt import jet_mlp
from edgepde.s2gpt.snapshot import Settings, train

CPU, GPU = "one CPU core", "cuda"
BATCHES = (1, 8, 32)
WIDTH, DEPTH = 20, 2
WHOLE = Settings()
AGREED_STEPS, AGREEMENT = 5, 1e-6


@dataclass(frozen=True)
class Size:
    """How much is timed: batches of so many snapshots, steps per timing, timings per device."""

    batches: tuple[int, ...] = BATCHES
    steps: int = 25
    repeats: int = 3


QUICK = Size(BATCHES[:2], 8, 3)


def rows(quick: bool, seed: int, gpu: torch.device | None) -> list[Row]:
    """Time per snapshot and step, snapshots per second at the recipe's number of steps, and whether both agree."""
    size = QUICK if quick else Size()
    devices = {CPU: torch.device("cpu"), GPU: gpu}
    made: list[Row] = []
    for batch in size.batches:
        say(f"s2gpt: {batch} snapshots at once")
        times = timings(batch, size, seed, devices)
        for name in devices:
            made += speed_rows(batch, name, times.get(name))
    return [*made, agreement_row(seed, gpu)]


def timings(batch: int, size: Size, seed: int, devices: dict[str, torch.device | None]) -> dict[str, list[float]]:
    """Seconds per step of the whole batch on every device there is, in turn, after a warm-up."""
    present = {name: device for name, device in devices.items() if device is not None}
    found: dict[str, list[float]] = {name: [] for name in present}
    for device in present.values():
        trained(batch, 1, seed, device)
    for _ in range(size.repeats):
        for name, device in present.items():
            began = time.perf_counter()
            trained(batch, size.steps, seed, device)
            found[name].append((time.perf_counter() - began) / size.steps)
    return found


def trained(batch: int, steps: int, seed: int, device: torch.device) -> Tensor:
    """The weights [S, n] after so many steps, on the CPU; equal starts and points on every device."""
    problem = burgers()
    layers = jet_mlp.layer_sizes(problem.coordinates.dimension, WIDTH, DEPTH)
    generator = torch.Generator().manual_seed(seed)
    theta = jet_mlp.initial_weights(batch, layers, generator)
    s = np.linspace(-1.0, 1.0, batch)[:, None] if batch > 1 else np.zeros((1, 1))
    nu = torch.from_numpy(problem.unscaled(s))
    settings = Settings(iterations=steps, tolerance=0.0)
    with torch.no_grad():
        found, _ = train(problem, layers, theta.to(device), nu.to(device), settings, generator)
    return found.cpu()


def speed_rows(batch: int, name: str, seconds: list[float] | None) -> list[Row]:
    """Both figures of one device; figures of None where it is not there."""
    case = f"s2gpt, {batch} snapshot{'s' if batch > 1 else ''} at once"
    rate = f"{case}: snapshots of {WHOLE.iterations} steps"
    if not seconds:
        note = "skipped: no GPU"
        return [
            Row(case, name, "ms per snapshot-step", None, note=note),
            Row(rate, name, "1/s", None, None, ">=", note=note),
        ]
    low, middle, high = (float(q) for q in np.quantile(seconds, [0.25, 0.5, 0.75]))
    each = 1e3 / batch
    return [
        Row(case, name, "ms per snapshot-step", each * middle, spread=(each * low, each * high)),
        Row(rate, name, "1/s", batch / (WHOLE.iterations * middle), None, ">="),
    ]


def agreement_row(seed: int, gpu: torch.device | None) -> Row:
    """max |theta_cuda - theta_cpu| / max |theta_cpu| after a few steps of eight snapshots."""
    case = f"s2gpt, weights after {AGREED_STEPS} steps, cuda against CPU"
    if gpu is None:
        return Row(case, GPU, "relative", None, AGREEMENT, note="skipped: no GPU")
    host, device = (trained(8, AGREED_STEPS, seed, place) for place in (torch.device("cpu"), gpu))
    return Row(case, GPU, "relative", float((device - host).abs().max() / host.abs().max()), AGREEMENT)

"""Wide PINNs of Burgers: bytes of the hidden matrices at one proved output error, ours, each of our forms, rivals."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from _harness import OURS, Row, say
from edgepde_runtime.errors import NotVerified

import edgepde
from edgepde.certify.network import Affine, Blocks, Network
from edgepde.compress import forms
from edgepde.network.module import NetworkModule

from . import contest, rivals
from .trained import BOX, Trained, against_exact, layers, obtain, reference

TARGET, SCRATCH, FINEST = 0.10, "equally small, trained from scratch", 1e-5


@dataclass(frozen=True)
class Plan:
    """Networks (width, depth), the error allowed, seconds of ours and of every rival, of each form alone."""

    networks: tuple[tuple[int, int], ...]
    error: float
    seconds: float
    form_seconds: float
    rounds: int
    target: float | None


FULL = Plan(((256, 3), (512, 2)), 1e-3, 90.0, 45.0, 25, TARGET)
QUICK = Plan(((32, 2),), 1e-2, 6.0, 2.0, 6, None)


def rows(quick: bool, runs: Path, seed: int = 0) -> list[Row]:
    """All networks."""
    plan = QUICK if quick else FULL
    made = []
    for width, depth in plan.networks:
        for row in _network(plan, runs, width, depth, seed):
            say(f"  {row.rival}: {row.measured if row.measured is not None else '-'} {row.unit} ({row.note})")
            made.append(row)
    return made


def _network(plan: Plan, runs: Path, width: int, depth: int, seed: int) -> Iterator[Row]:
    net = reference(runs, width, depth, seed)
    name = f"2-{width}x{depth}-1"
    say(f"{name}: {net.words}")
    yield Row(f"PINN {name}", "trained here", "relative L2", net.relative, 1e-3, note=net.words)
    case = f"PINN {name}: hidden storage at {plan.error:g}"
    small, ours = _ours(net, plan, case, seed)
    yield ours
    for form in forms.names():
        yield _form(net, plan, case, form, seed)
    asked = contest.case(net.layers, plan.error, seed)
    for rival in rivals.known():
        yield from _rival(asked, rival, case, plan)
    yield from _scratch(net, small, plan, f"PINN {name}", runs, depth, seed)


def _ours(net: Trained, plan: Plan, case: str, seed: int) -> tuple[Network, Row]:
    say(f"{case}: ours")
    try:
        small, note = _compressed(net, plan.error, "auto", plan.seconds, seed)
    except NotVerified as error:
        return net.network, Row(case, OURS, "of dense", 1.0, plan.target, note=f"not reached: {error}")
    return small, Row(case, OURS, "of dense", _share(net, small), plan.target, note=note)


def _form(net: Trained, plan: Plan, case: str, name: str, seed: int) -> Row:
    """One of our forms alone."""
    say(f"{case}: {name} alone")
    try:
        small, note = _compressed(net, plan.error, name, plan.form_seconds, seed)
    except NotVerified as error:
        return Row(case, f"our {name} alone", "of dense", None, note=f"not reached: {error}")
    return Row(case, f"our {name} alone", "of dense", _share(net, small), note=note)


def _compressed(net: Trained, error: float, method: str, seconds: float, seed: int) -> tuple[Network, str]:
    began = time.monotonic()
    module = NetworkModule(net.network, None, torch.float32)
    made = edgepde.compress(module, domain=BOX, max_error=error, method=method, seconds=seconds, seed=seed)
    assert isinstance(made.module, NetworkModule)
    small = made.module.network()
    stated, sizes = made.ledger["error"], [w.shape for w, _ in layers(small)]
    text = (
        f"{' '.join(f'{m}x{n}' for m, n in sizes)}, proved {stated['value']:.3g}, found {stated['found']:.3g}; "
        f"{time.monotonic() - began:.3g} s"
    )
    return small, text


def _share(net: Trained, small: Network) -> float:
    """Numbers of the hidden matrices of both."""
    return _hidden(small) / _hidden(net.network)


def _hidden(network: Network) -> int:
    """Numbers of all matrices but the first and the last."""
    counted = [
        node.weight.numel() if isinstance(node, Affine) else sum(part.numbers for part in node.parts)
        for node in network.nodes
        if isinstance(node, Affine | Blocks)
    ]
    return sum(counted[1:-1])


def _rival(asked: contest.Case, rival: ModuleType, case: str, plan: Plan) -> list[Row]:
    """A rival as its projection leaves it, and fitted again for as long as ours may take."""
    name, began = rival.NAME, time.monotonic()
    say(f"{case}: {name}")
    entry, said = contest.plain(asked, rival)
    most = entry.nbytes if entry is not None else float(asked.dense)
    made = [_stated(case, name, asked, entry, said, f"{time.monotonic() - began:.3g} s")]
    say(f"{case}: {name}, fitted again")
    began = time.monotonic()
    again, said = contest.fitted(asked, rival, plan.seconds, most)
    spent = f"{time.monotonic() - began:.3g} s"
    if again is None:
        note = f"nothing smaller than {most / asked.dense:.3g} was proved; {spent}"
        return [*made, Row(case, f"{name}, fitted again", "of dense", None, note=note)]
    return [*made, _stated(case, f"{name}, fitted again", asked, again, said, spent)]


def _stated(case: str, name: str, asked: contest.Case, entry: contest.Entry | None, *said: str) -> Row:
    if entry is None:
        return Row(case, name, "of dense", None, note="; ".join(t for t in ("not reached below dense", *said) if t))
    return Row(
        case, name, "of dense", entry.nbytes / asked.dense, note="; ".join([f"at setting {entry.setting:.3g}", *said])
    )


def _scratch(net: Trained, small: Network, plan: Plan, name: str, runs: Path, depth: int, seed: int) -> list[Row]:
    """Ours against the exact solution, beside a dense net of no fewer numbers that never was large."""
    numbers = sum(w.size + b.size for w, b in layers(small))
    width = next(w for w in range(1, 10**4) if (depth - 1) * w * w + (depth + 4) * w + 1 >= numbers)
    case = f"{name}: error against the exact solution"
    say(f"{case}: 2-{width}x{depth}-1 from scratch")
    other = obtain(runs, width, depth, seed, FINEST, plan.rounds)
    relative, sup = against_exact(small)
    return [
        Row(case, OURS, "relative L2", relative, note=f"{numbers} numbers, sup {sup:.2g}; dense {net.relative:.2g}"),
        Row(case, SCRATCH, "relative L2", other.relative, note=f"2-{width}x{depth}-1, {other.words}"),
    ]

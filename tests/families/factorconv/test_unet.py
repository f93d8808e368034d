"""U-Nets: frames in the right order, what they start from, rollouts as the runtime makes them, windows that fit."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from support.standing_waves import standing
from torch import Tensor, nn

from edgepde.errors import SettingError
from edgepde.factorconv.description import UNet
from edgepde.factorconv.forms import names
from edgepde.factorconv.tasks import FramesTask, Unrolled, rolled, rollout_errors
from edgepde.factorconv.unet import UNetModule

CPU = torch.device("cpu")
SMALL = UNet(past=3, future=2, rows=8, columns=4, channels=(4, 6), repeats=0)


def made(how: UNet) -> UNetModule:
    module = how.seeded(0).eval()
    assert isinstance(module, UNetModule)
    return module


@pytest.mark.parametrize("form", names())
def test_frames_give_frames_in_every_form(form: str) -> None:
    module = made(dataclasses.replace(SMALL, form=form))
    out = module(torch.randn(5, 3 * 8 * 4))
    assert out.shape == (5, 2, 8, 4)
    out.sum().backward()
    assert all(p.grad is not None for p in module.parameters())


@pytest.mark.parametrize(("order", "past"), [(0, 1), (0, 3), (1, 2), (1, 3)])
def test_without_its_last_layer_it_continues_the_frames(order: int, past: int) -> None:
    module = made(dataclasses.replace(SMALL, order=order, past=past))
    data = standing(4, (past, 8, 4), amplitude=5.0) if past > 1 else standing(4, (2, 8, 4), amplitude=5.0)
    module.fit_scales(data.low, data.high, data.field)
    with torch.no_grad():
        for parameter in module.last.parameters():
            parameter.zero_()
    frames = torch.from_numpy(data.field)[:, :past]
    out = module(frames.reshape(4, -1))
    newest = frames[:, -1]
    step = newest - frames[:, -2] if order else torch.zeros_like(newest)
    torch.testing.assert_close(out[:, 0], newest + step, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(out[:, 1], newest + 2 * step, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("padding", ["zeros", "reflect", "replicate"])
def test_it_exports_with_a_free_batch(padding: Any) -> None:
    module = made(dataclasses.replace(SMALL, padding=padding, form="shared", norm="batch"))
    x = torch.randn(3, SMALL.inputs)
    exported = torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim("M")},)).module()
    torch.testing.assert_close(exported(x[:1]), module(x[:1]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"past": 1, "order": 1}, "order: expected 0, got 1"),
        ({"order": 2}, "order: expected 0 or 1, got 2"),
        ({"rows": 7}, "channels: 2 levels need rows and columns divisible by 2"),
        ({"channels": ()}, "channels: expected 1 to"),
        ({"padding": "reflect", "channels": (4, 4, 4)}, "channels: expected more than 1 cells for reflection"),
        ({"upsampling": "spline"}, "upsampling: expected"),
        ({"future": 0}, "future: expected 1 to"),
        ({"direct": 4}, "direct: expected 0 or an odd number"),
        ({"direct": -1}, "direct: expected 0 or an odd number"),
        ({"padding": "reflect", "direct": 9}, "direct: expected more than 4 cells for reflection"),
    ],
)
def test_descriptions_that_make_no_sense_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        dataclasses.replace(SMALL, **changes)


def test_the_direct_part_alone_is_a_difference_scheme() -> None:
    """u_(n+1) = 2 u_n - u_(n-1) + r (five-point Laplacian of u_n), edges reflected: exact by weights set by hand."""
    module = made(UNet(past=2, future=1, rows=6, columns=5, channels=(2,), direct=3, padding="reflect"))
    r = 0.3
    stencil = torch.zeros(1, 2, 3, 3)
    stencil[0, 0, 1, 1] = -1.0
    stencil[0, 1] = r * torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])
    stencil[0, 1, 1, 1] += 1.0
    with torch.no_grad():
        module.direct.weight.copy_(stencil)
        for parameter in module.last.parameters():
            parameter.zero_()
    u = torch.randn(1, 2, 6, 5, generator=torch.Generator().manual_seed(0))
    wide = nn.functional.pad(u[:, 1:], (1, 1, 1, 1), mode="reflect")[:, 0]
    around = wide[:, :-2, 1:-1] + wide[:, 2:, 1:-1] + wide[:, 1:-1, :-2] + wide[:, 1:-1, 2:]
    wanted = 2 * u[:, 1] - u[:, 0] + r * (around - 4 * u[:, 1])
    torch.testing.assert_close(module(u.reshape(1, -1))[:, 0], wanted)


def test_places_make_the_same_frame_mean_something_else_elsewhere() -> None:
    flat = torch.ones(1, SMALL.inputs)
    module = made(dataclasses.replace(SMALL, places=True, direct=0))
    inner = module(flat)[0, 0]
    torch.testing.assert_close(inner, inner.mean().expand_as(inner))
    with torch.no_grad():
        module.places[:, 2, 1] = 1.0
    assert float(module(flat)[0, 0].detach().std()) > 1e-6
    assert "places" not in dict(made(dataclasses.replace(SMALL, places=False)).named_parameters())


class Counting(nn.Module):
    """The next `future` frames are the mean of the window plus 1, 2 ...; remembers what it was given."""

    def __init__(self, past: int, future: int) -> None:
        super().__init__()
        self.past, self.future = past, future
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        frames = x.reshape(len(x), self.past, 2, 2)
        self.seen.append(frames[0, :, 0, 0])
        more = torch.arange(1, self.future + 1, dtype=x.dtype)[:, None, None]
        return frames.mean(1, keepdim=True) + more


@pytest.mark.parametrize(("past", "future"), [(1, 1), (3, 1), (3, 2), (2, 5)])
def test_rolled_feeds_the_newest_frames_back(past: int, future: int) -> None:
    module = Counting(past, future)
    start = torch.arange(past, dtype=torch.float32)[None, :, None, None].expand(1, past, 2, 2)
    out = rolled(module, start, 3)
    assert out.shape == (1, 3 * future, 2, 2)
    all_frames = torch.cat([start, out], dim=1)[0, :, 0, 0]
    for step, seen in enumerate(module.seen):
        assert torch.equal(seen, all_frames[step * future : step * future + past])


def test_rollout_errors_see_whole_rollouts_and_survive_those_that_blow_up() -> None:
    data = standing(3, (9, 2, 2), amplitude=2.0)
    field = torch.from_numpy(data.field)

    class Doubling(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 1e30 * x.reshape(len(x), 1, 2, 2)

    class Nothing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 0.0 * x.reshape(len(x), 1, 2, 2)

    np.testing.assert_allclose(rollout_errors(Nothing(), field, 1, 1), 1.0, rtol=1e-6)
    assert rollout_errors(Doubling(), field, 1, 1) == [1e6] * 3


def test_a_perfect_step_has_no_loss_and_no_error() -> None:
    """Frames that stay as they are: the network without its last layer, order 0."""
    data = standing(6, (10, 8, 4))
    still = dataclasses.replace(data, field=np.repeat(data.field[:, :1], 10, axis=1))
    how = dataclasses.replace(SMALL, order=0)
    module = made(how)
    module.fit_scales(still.low, still.high, still.field)
    with torch.no_grad():
        for parameter in module.last.parameters():
            parameter.zero_()
    task = FramesTask(still, still, 3, 2, Unrolled(4, 2, noise=0.0), 0, CPU)
    assert task.size == 24
    assert task.loss(module, torch.arange(24), 3).item() < 1e-6
    assert task.error(module) < 1e-6
    noisy = FramesTask(still, still, 3, 2, Unrolled(4, 2, noise=0.2), 0, CPU)
    assert noisy.loss(module, torch.arange(24), 3).item() > 0.05


def test_the_unrolling_grows_and_windows_reach_the_last_frame() -> None:
    assert [Unrolled(8, 4).steps(epoch) for epoch in range(8)] == [1, 2, 3, 4, 4, 4, 4, 4]
    assert [Unrolled(1, 1).steps(0), Unrolled(1, 3).steps(0)] == [1, 1]
    data = standing(2, (9, 8, 4))
    task = FramesTask(data, data, 3, 2, Unrolled(4, 3), 0, CPU)
    module = Remember()
    for rows in range(task.size):
        task.loss(module, torch.tensor([rows]), 3)
    assert module.sizes == {(1, 3 * 8 * 4)}
    short = FramesTask(standing(2, (8, 8, 4)), data, 3, 2, Unrolled(4, 3), 0, CPU)
    with pytest.raises(RuntimeError):
        short.loss(module, torch.tensor([0]), 3)


class Remember(nn.Module):
    """Two frames of zeros; the shapes it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: set[tuple[int, ...]] = set()

    def forward(self, x: Tensor) -> Tensor:
        self.sizes.add(tuple(x.shape))
        return x.new_zeros(len(x), 2, 8, 4)

"""Where a training runs and what it repeats."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from edgepde.errors import DeviceError
from edgepde.train.device import pick_device, seed_all, stage_generator


def test_auto_takes_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [pick_device(n).type for n in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [pick_device(n).type for n in ("auto", "cpu")] == ["cpu", "cpu"]


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=r"device cuda: PyTorch .* sees no GPU.*--device cpu"):
        pick_device("cuda")
    with pytest.raises(DeviceError, match="'tpu': expected one of auto, cpu, cuda"):
        pick_device("tpu")


def test_tf32_is_off() -> None:
    torch.backends.cuda.matmul.allow_tf32 = True
    pick_device("cpu")
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.deterministic


def test_a_seed_repeats_everything() -> None:
    def draw(seed: int) -> tuple[float, ...]:
        own = seed_all(seed)
        return (torch.rand(1).item(), torch.rand(1, generator=own).item(), np.random.rand(), random.random())

    assert draw(3) == draw(3)
    assert all(a != b for a, b in zip(draw(3), draw(4), strict=True))
    draw(2**63 - 1)
    for bad in (-1, 2**63):
        with pytest.raises(DeviceError, match="seed: expected"):
            seed_all(bad)


def test_a_stage_draws_the_same_whatever_ran_before() -> None:
    torch.rand(7)
    first = torch.rand(3, generator=stage_generator(1, "snapshot 4"))
    assert torch.equal(first, torch.rand(3, generator=stage_generator(1, "snapshot 4")))
    for seed, stage in ((2, "snapshot 4"), (1, "snapshot 5")):
        assert not torch.equal(first, torch.rand(3, generator=stage_generator(seed, stage)))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_float32_product_on_the_gpu_is_not_tf32() -> None:
    device = pick_device("cuda")
    a = torch.rand(256, 256, generator=seed_all(0))
    error = ((a.to(device) @ a.to(device)).cpu().double() - a.double() @ a.double()).abs().max()
    assert error < 1e-4

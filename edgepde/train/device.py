"""Where a training runs and what makes it repeatable."""

from __future__ import annotations

import hashlib
import os
import random

import numpy as np
import torch

from edgepde.errors import DeviceError

NAMES = ("auto", "cpu", "cuda")


def pick_device(name: str = "auto") -> torch.device:
    """The device to train on; "auto" is cuda where there is one. TF32 is off and deterministic kernels are chosen.

    Raises DeviceError for another name, and for "cuda" where PyTorch sees no GPU.
    """
    if name not in NAMES:
        raise DeviceError(f"device {name!r}: expected one of {', '.join(NAMES)}")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        built = torch.version.cuda
        reason = f"its CUDA {built} finds no usable GPU or driver" if built else "it was installed without CUDA"
        raise DeviceError(f"device cuda: PyTorch {torch.__version__} sees no GPU, {reason}; use --device cpu or auto")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    tf32_off()
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def tf32_off() -> None:
    """Products of float32 matrices on CUDA keep all their digits, from here on."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def seed_all(seed: int) -> torch.Generator:
    """Seed torch, numpy and random; returns a CPU generator of that seed. DeviceError unless 0 <= seed < 2^63."""
    if not 0 <= seed < 2**63:
        raise DeviceError(f"seed: expected 0 <= seed < 2^63, got {seed}")
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)
    return torch.Generator().manual_seed(seed)


def stage_generator(seed: int, stage: str) -> torch.Generator:
    """A CPU generator for one named stage, independent of what ran before it: resuming gives the same numbers."""
    digest = hashlib.sha256(f"{seed}/{stage}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))

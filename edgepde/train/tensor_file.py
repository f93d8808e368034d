"""Named tensors in a safetensors file, with a checksum over every byte that counts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from edgepde.errors import RunError

FORMAT = 1
LIMIT_BYTES = 4 << 30
SPELLED = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}


def to_host(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous copies on the CPU that share no memory; TypeError naming an entry that is no such tensor."""
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"tensor {name!r}: expected a torch.Tensor, got {type(tensor).__name__}")
        if _spelled(tensor) not in SPELLED:
            raise TypeError(f"tensor {name!r}: expected one of {', '.join(SPELLED)}, got {tensor.dtype}")
    return {
        name: t.detach().to("cpu").clone(memory_format=torch.contiguous_format) for name, t in sorted(tensors.items())
    }


def layout(tensors: Mapping[str, Tensor]) -> dict[str, list[Any]]:
    """{name: [shape, dtype]}, dtype as torch spells it ("float64")."""
    return {name: [list(t.shape), _spelled(t)] for name, t in sorted(tensors.items())}


def encode(tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> bytes:
    """The bytes of a safetensors file whose metadata holds `meta` as JSON and a sha256 over meta, layout and data."""
    host = to_host(tensors)
    text = json.dumps(dict(meta), sort_keys=True, default=_as_json)
    head = {"format": str(FORMAT), "meta": text, "sha256": _digest(host, text)}
    return save(host, metadata=head)


def decode(path: Path, expected: Mapping[str, list[Any]] | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and meta of a file written by `encode`; `expected` is the layout to hold it to before anything is read.

    Raises RunError naming the file where it is too large, truncated, altered or of another layout.
    """
    size = path.stat().st_size
    if size > LIMIT_BYTES:
        raise RunError(f"{path}: expected at most {LIMIT_BYTES} bytes, got {size}")
    try:
        with safe_open(path, framework="pt") as file:
            head = file.metadata() or {}
            text = _meta_text(path, head)
            if expected is not None:
                _same_layout(path, file, expected)
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - not a mapping
    except SafetensorError as error:
        raise RunError(f"{path}: truncated or altered: {error}") from None
    if _digest(tensors, text) != head.get("sha256"):
        raise RunError(f"{path}: altered: its contents do not match the sha256 written with them")
    return tensors, json.loads(text)


def refuse_not_finite(label: str, tensors: Mapping[str, Tensor]) -> None:
    """RunError naming the first tensor that holds NaN or infinity, and how many."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() or tensor.is_complex():
            bad = int((~torch.isfinite(tensor)).sum())
            if bad:
                raise RunError(
                    f"{label}: tensor {name!r}: expected finite values, got {bad} of {tensor.numel()} NaN or inf"
                )


def _as_json(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"meta: expected what JSON holds, got {type(value).__name__}")


def _spelled(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    digest.update(json.dumps(layout(tensors)).encode())
    for _, tensor in sorted(tensors.items()):
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _meta_text(path: Path, head: Mapping[str, str]) -> str:
    version = head.get("format")
    if version is None or "meta" not in head:
        raise RunError(f"{path}: expected a tensor file of a run, its metadata has no format and meta")
    if not version.isascii() or not version.isdigit() or int(version) > FORMAT:
        raise RunError(f"{path}: expected format at most {FORMAT}, got {version!r}; a newer edgepde wrote it")
    return head["meta"]


def _same_layout(path: Path, file: Any, expected: Mapping[str, list[Any]]) -> None:
    found = set(file.keys())
    if found != set(expected):
        missing, extra = sorted(set(expected) - found), sorted(found - set(expected))
        raise RunError(f"{path}: expected the tensors of spec.json; missing {missing}, not in spec {extra}")
    for name, (shape, dtype) in expected.items():
        part = file.get_slice(name)
        got = [list(part.get_shape()), part.get_dtype()]
        if got != [list(shape), SPELLED.get(dtype)]:
            raise RunError(f"{path}: tensor {name!r}: spec.json expected {[list(shape), dtype]}, got {got}")

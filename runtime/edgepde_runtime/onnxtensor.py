"""Tensors and element types of a model file, read with every size compared against the bytes present."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelFileError
from .onnxmodel import Tensor
from .protobuf import Message

ELEMENTS: dict[int, np.dtype[Any]] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.uint8),
    3: np.dtype(np.int8),
    6: np.dtype(np.int32),
    7: np.dtype(np.int64),
    9: np.dtype(np.bool_),
    10: np.dtype(np.float16),
    11: np.dtype(np.float64),
}
MAX_RANK = 16
MAX_ELEMENTS = 1 << 28
_DIMS, _TYPE, _FLOATS, _INT32S, _INT64S, _RAW, _DOUBLES, _EXTERNAL, _LOCATION = 1, 2, 4, 5, 7, 9, 10, 13, 14


def element(code: int, where: str) -> np.dtype[Any]:
    """The dtype of an element type code; ModelFileError where this runtime has none."""
    if code not in ELEMENTS:
        known = ", ".join(str(d) for d in ELEMENTS.values())
        raise ModelFileError(f"{where}: expected an element type among {known}, got code {code}")
    return ELEMENTS[code]


def read_tensor(message: Message) -> tuple[str, Tensor]:
    """Name and read-only array of a TensorProto.

    Raises ModelFileError for external data, a size that is not the data's, an unknown dtype or NaN.
    """
    name = message.text(8, "name")
    where = message.where = f"{message.where} {name!r}" if name else message.where
    if message.has(_EXTERNAL) or message.integer(_LOCATION, "data_location"):
        raise ModelFileError(f"{where}: expected its data inside the file, got external data")
    dtype = element(message.integer(_TYPE, "data_type"), f"{where}.data_type")
    shape = tuple(int(d) for d in message.integers(_DIMS, "dims", MAX_RANK))
    if min(shape, default=0) < 0 or math.prod(max(d, 1) for d in shape) > MAX_ELEMENTS:
        raise ModelFileError(f"{where}.dims: expected sizes >= 0 of at most {MAX_ELEMENTS} elements, got {list(shape)}")
    count = math.prod(shape)
    values = _raw(message, dtype, count) if message.has(_RAW) else _typed(message, dtype, count)
    if dtype.kind == "f" and np.isnan(values).any():
        raise ModelFileError(f"{where}: expected numbers, got NaN")
    array = values.reshape(shape)
    array.setflags(write=False)
    return name, array


def _raw(message: Message, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    data = message.blob(_RAW, "raw_data")
    if data is None or len(data) != count * dtype.itemsize:
        got = 0 if data is None else len(data)
        raise ModelFileError(f"{message.where}.raw_data: expected {count * dtype.itemsize} bytes, got {got}")
    if dtype.kind == "b":
        bits = np.frombuffer(data, np.uint8)
        if (bits > 1).any():
            raise ModelFileError(f"{message.where}.raw_data: expected booleans 0 or 1, got {int(bits.max())}")
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype)


def _typed(message: Message, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    where = message.where
    values: NDArray[Any]
    if dtype == np.float32:
        field, values = "float_data", message.reals(_FLOATS, "float_data", "<f4", count)
    elif dtype == np.float64:
        field, values = "double_data", message.reals(_DOUBLES, "double_data", "<f8", count)
    elif dtype == np.int64:
        field, values = "int64_data", message.integers(_INT64S, "int64_data", count)
    else:
        field, values = "int32_data", message.integers(_INT32S, "int32_data", count)
    if len(values) != count:
        raise ModelFileError(f"{where}.{field}: expected {count} values, got {len(values)}")
    return _narrow(values, dtype, f"{where}.{field}") if field == "int32_data" else values


def _narrow(values: NDArray[np.int64], dtype: np.dtype[Any], where: str) -> NDArray[Any]:
    if dtype.kind == "b":
        low, high = 0, 1
    else:
        limits = np.iinfo(np.uint16 if dtype.kind == "f" else dtype)
        low, high = int(limits.min), int(limits.max)
    if values.size and not (low <= int(values.min()) and int(values.max()) <= high):
        raise ModelFileError(
            f"{where}: expected values in {low} ... {high} for {dtype}, got {int(values.min())} ... {int(values.max())}"
        )
    # A half is stored as the integer of its 16 bits.
    return values.astype(np.uint16).view(np.float16) if dtype.kind == "f" else values.astype(dtype)

"""Reads tensors from PyTorch's checkpoint format before 1.6, without PyTorch and safely.

The format (`torch/serialization.py`, `_legacy_save`) is a sequence: pickles of a magic number, a
protocol version and the writer's system; a pickle of the object, in which each tensor is a call
of `torch._utils._rebuild_tensor_v2` with the persistent id of a storage; a pickle of the storages'
keys; and each storage as an int64 count and its elements.

A pickle may call anything, so this unpickler allows only an ordered dict, that function and the
types of storages, replaces the latter two with its own code, and refuses all other names.
"""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.errors import BadInputError

if TYPE_CHECKING:
    import io
    from pathlib import Path

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
# The exceptions that reading another kind of file may raise.
_FAULTS = (
    *(EOFError, ValueError, TypeError, LookupError, AttributeError, RuntimeError),
    *(pickle.UnpicklingError, struct.error),
)
# The unpickler written in Python: the one in C allocates memory for any memo index in the file.
_Unpickler: Any = pickle.__dict__["_Unpickler"]
_PID_LENGTH = 6  # ("storage", type, key, device, count, view metadata)
_DTYPES: dict[tuple[str, str], np.dtype[Any]] = {
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "DoubleStorage"): np.dtype("<f8"),
    ("torch", "HalfStorage"): np.dtype("<f2"),
    ("torch", "LongStorage"): np.dtype("<i8"),
    ("torch", "IntStorage"): np.dtype("<i4"),
}


@dataclass(frozen=True)
class _StorageType:
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class _View:
    """A tensor whose storage has not been read yet: the place of its elements in the storage."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _TensorUnpickler(_Unpickler):  # type: ignore[misc]
    """Reads an ordered dict of tensors in typed storages, and refuses anything else."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        super().__init__(file)
        self.storages: dict[str, tuple[np.dtype[Any], int]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_view
        if (module, name) in _DTYPES:
            return _StorageType(_DTYPES[module, name])
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is not a tensor storage")

    def persistent_load(self, pid: Any) -> str:
        if isinstance(pid, tuple) and len(pid) == _PID_LENGTH and pid[0] == "storage":
            _, kind, key, _device, count, _view_metadata = pid
            if isinstance(kind, _StorageType) and isinstance(key, str) and isinstance(count, int):
                declared = (kind.dtype, count)
                if count < 0 or self.storages.setdefault(key, declared) != declared:
                    raise pickle.UnpicklingError(f"storage {key} is declared inconsistently")
                return key
        raise pickle.UnpicklingError("it refers to something that is not a tensor storage")


def _rebuild_view(storage: Any, offset: Any, shape: Any, strides: Any, *_gradient: Any) -> _View:
    numbers = (offset, *shape, *strides)
    if (
        not isinstance(storage, str)
        or len(shape) != len(strides)
        or not all(isinstance(number, int) and number >= 0 for number in numbers)
    ):
        raise pickle.UnpicklingError("a tensor's offset, shape or strides make no sense")
    return _View(storage, offset, tuple(shape), tuple(strides))


def read(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Read a checkpoint of the old format that holds a state dict.

    Args:
        path: The `.pth` file.

    Returns:
        Tensor name to array, in the checkpoint's order, little-endian, C-contiguous.

    Raises:
        BadInputError: The file is not such a checkpoint, is cut off, or holds anything but
            tensors.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except (OSError, MemoryError, ArithmeticError, *_FAULTS) as error:
        reason = str(error) or type(error).__name__
        raise BadInputError(
            f"{path.name} is not a readable PyTorch checkpoint: {reason}"
        ) from error


def _read(file: io.BufferedReader) -> dict[str, np.ndarray[Any, Any]]:
    def plain() -> Any:
        return _TensorUnpickler(file).load()

    if plain() != _MAGIC or plain() != _PROTOCOL or not plain().get("little_endian"):
        raise ValueError("it does not begin as a legacy checkpoint of a little-endian machine")
    unpickler = _TensorUnpickler(file)
    state = unpickler.load()
    keys = plain()
    if not isinstance(state, dict) or sorted(keys) != sorted(unpickler.storages):
        raise ValueError("it holds no state dict with its storages")
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for key in keys:
        dtype, count = unpickler.storages[key]
        if int.from_bytes(file.read(8), "little", signed=True) != count:
            raise ValueError(f"storage {key} has another length than declared")
        content = file.read(count * dtype.itemsize)
        arrays[key] = np.frombuffer(content, dtype, count)
    return {str(name): _view(arrays, view) for name, view in state.items()}


def _view(arrays: dict[str, np.ndarray[Any, Any]], view: Any) -> np.ndarray[Any, Any]:
    if not isinstance(view, _View):
        raise TypeError("the state dict holds something that is not a tensor")
    flat = arrays[view.storage]
    last = view.offset + sum(
        (size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True)
    )
    if 0 not in view.shape and (last >= flat.size or prod(view.shape) > flat.size):
        raise ValueError(f"a tensor reaches past the end of storage {view.storage}")
    strides = tuple(stride * flat.itemsize for stride in view.strides)
    window = np.lib.stride_tricks.as_strided(
        flat[view.offset :], view.shape, strides, writeable=False
    )
    return np.array(window, order="C")

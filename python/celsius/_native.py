"""Helpers between Python values and the C library. Every module of the package uses them.

`lib` has every public function of include/celsius/ under its C name, and `ffi` makes and reads C
values. A call releases the interpreter lock.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ._celsius import ffi, lib
from .errors import check, error, keep_raised

__all__ = [
    "array_view", "check", "contiguous", "error", "ffi", "keep_raised", "lib", "own",
    "own_result", "path_bytes",
    "pointer", "text",
]  # fmt: skip

# NumPy types of the library's element types, and of C types in function arguments.
DTYPES: dict[int, Any] = {
    lib.CEL_F32: np.float32,
    lib.CEL_F64: np.float64,
    lib.CEL_I32: np.int32,
    lib.CEL_I64: np.int64,
    lib.CEL_U8: np.uint8,
    lib.CEL_U32: np.uint32,
    lib.CEL_U64: np.uint64,
}
_C_TYPES = {
    "f4": "float *", "f8": "double *", "i4": "int32_t *", "i8": "int64_t *",
    "u1": "uint8_t *", "u4": "uint32_t *", "u8": "uint64_t *", "b1": "bool *",
}  # fmt: skip


def text(value: Any) -> str:
    """Returns a C string as str; "" for NULL."""
    return ffi.string(value).decode("utf-8", "replace") if value else ""


def path_bytes(path: str | os.PathLike[str]) -> bytes:
    """Returns a path as the bytes that C functions take."""
    return os.fsencode(os.fspath(path))


def own(create: Any, destroy: Any, *arguments: Any) -> Any:
    """Calls create(out, *arguments) and returns the object. Collecting it calls destroy."""
    out = ffi.new(ffi.typeof(create).args[0])
    status = create(out, *arguments)
    made = ffi.gc(out[0], destroy) if status == lib.CEL_OK else None
    check(status)  # may raise what a callback raised, although the call succeeded
    return made


def own_result(create: Any, destroy: Any, *arguments: Any) -> Any:
    """As `own`, for a function whose `out` is its last argument."""
    out = ffi.new(ffi.typeof(create).args[-1])
    status = create(*arguments, out)
    made = ffi.gc(out[0], destroy) if status == lib.CEL_OK else None
    check(status)
    return made


def contiguous(values: Any, dtype: DTypeLike, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """Returns a C-contiguous array of the type: `values` itself where it is one.

    `shape` is checked; -1 accepts any length.
    """
    array = np.ascontiguousarray(values, dtype=dtype)
    if shape is not None and (
        array.ndim != len(shape)
        or any(want not in (-1, have) for want, have in zip(shape, array.shape, strict=True))
    ):
        wanted = tuple("any" if n == -1 else n for n in shape)
        raise ValueError(f"the array has shape {array.shape}; it must be {wanted}")
    return array


def pointer(array: NDArray[Any] | None) -> Any:
    """Returns the address of a C-contiguous array for a call; NULL for None. Nothing is copied.

    The array must stay alive until the call ends. The pointer keeps it alive.
    """
    if array is None:
        return ffi.NULL
    return ffi.from_buffer(_C_TYPES[array.dtype.str[1:]], array, require_writable=False)


def array_view(
    address: Any, shape: tuple[int, ...], dtype: DTypeLike, owner: Any, writable: bool = False
) -> NDArray[Any]:
    """Returns memory of the library as an array, without a copy. It keeps `owner` alive."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    if size == 0:
        return np.zeros(shape, kind)
    kept = ffi.gc(ffi.cast("char *", address), lambda _: owner)
    array = np.frombuffer(ffi.buffer(kept, size), kind).reshape(shape)
    array.flags.writeable = writable
    return array

"""Reads files of torch.save, and NumPy arrays inside pickles, without torch.

A file is a zip archive with the pickle data.pkl and one member of bytes per storage. Only the calls
that rebuild tensors are understood; any other is an error. Sizes are checked against the archive
before an array is made.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _pickle
from ._pickle import Name, Object
from .errors import CorruptError, FormatError

PICKLE_MAX = 64 << 20  # bytes of a pickle
STORAGE_MAX = 4 << 30  # bytes of a member of an archive
_MEMBERS_MAX = 100_000

_STORAGES = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8",
    "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1",
    "BoolStorage": "?",
}  # fmt: skip


def open_zip(data: bytes | io.BufferedReader, what: str) -> zipfile.ZipFile:
    """Opens an archive. Raises FormatError if it is none."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data) if isinstance(data, bytes) else data)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError) as broken:
        raise FormatError(f"{what} is not a zip archive: {broken}") from None
    if len(archive.infolist()) > _MEMBERS_MAX:
        raise FormatError(f"{what} has more than {_MEMBERS_MAX} members")
    return archive


def read_member(archive: zipfile.ZipFile, name: str, limit: int, what: str) -> bytes:
    """Reads a member of at most `limit` bytes. Raises FormatError, CorruptError."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise FormatError(f"{what} has no member {name!r}") from None
    if info.file_size > limit:
        raise FormatError(f"{what}: {name} has {info.file_size} bytes; the limit is {limit}")
    try:
        with archive.open(info) as member:
            data = member.read(info.file_size + 1)
    except (
        zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError,
    ) as broken:  # fmt: skip
        raise CorruptError(f"{what}: {name} cannot be read: {broken}") from None
    except Exception as broken:  # zlib.error and lzma.LZMAError have no common base
        raise CorruptError(f"{what}: {name} is corrupt: {broken}") from None
    if len(data) != info.file_size:
        raise CorruptError(f"{what}: {name} is shorter or longer than the archive says")
    return data


# ---- NumPy arrays in pickles


class _Array:
    """An array that a pickle makes in two steps, numpy's _reconstruct and its state."""

    def __init__(self) -> None:
        self.array: NDArray[Any] | None = None

    def set_pickle_state(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise FormatError("an array of the pickle has no state")
        _, shape, dtype, fortran, data = state
        self.array = _make_array(data, dtype, shape, "F" if fortran else "C")


class _Dtype:
    """numpy.dtype in a pickle: its code, then a state with the byte order."""

    def __init__(self, code: Any) -> None:
        if not isinstance(code, str) or code[:1] not in "fiub" or len(code) > 3:
            raise FormatError(f"arrays of type {code!r} are not supported")
        try:
            self.dtype = np.dtype(code)
        except TypeError:
            raise FormatError(f"arrays of type {code!r} are not supported") from None

    def set_pickle_state(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|", "="):
            self.dtype = self.dtype.newbyteorder(state[1])


def _make_array(data: Any, dtype: Any, shape: Any, order: Any) -> NDArray[Any]:
    kind = dtype.dtype if isinstance(dtype, _Dtype) else None
    if kind is None or not isinstance(data, bytes | bytearray) or order not in ("C", "F"):
        raise FormatError("an array of the pickle has a type that is not supported")
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise FormatError("an array of the pickle has no shape")
    size = kind.itemsize
    for n in shape:
        size *= n
    if size != len(data) or len(shape) > 32:
        raise FormatError(f"an array of the pickle has {len(data)} bytes for the shape {shape}")
    flat = np.frombuffer(bytes(data), kind)
    array: NDArray[Any] = flat.reshape(shape, order="F" if order == "F" else "C").copy()
    return array


def _frombuffer(arguments: tuple[Any, ...]) -> Any:
    if len(arguments) != 4:
        raise FormatError("an array of the pickle has the wrong arguments")
    return _make_array(*arguments)


def _scalar(arguments: tuple[Any, ...]) -> Any:
    if len(arguments) != 2:
        raise FormatError("a number of the pickle has the wrong arguments")
    return _make_array(arguments[1], arguments[0], (), "C")[()]


def _dtype(arguments: tuple[Any, ...]) -> _Dtype:
    return _Dtype(arguments[0] if arguments else None)


NUMPY_CALLS: dict[str, _pickle.Call] = {
    "numpy.dtype": _dtype,
    "collections.OrderedDict": lambda _: {},
}
for _core in ("numpy.core", "numpy._core"):
    NUMPY_CALLS[f"{_core}.multiarray._reconstruct"] = lambda _: _Array()
    NUMPY_CALLS[f"{_core}.multiarray.scalar"] = _scalar
    NUMPY_CALLS[f"{_core}.numeric._frombuffer"] = _frombuffer


def finish(value: Any) -> Any:
    """Returns an array of a pickle as an array, other values as they are."""
    return value.array if isinstance(value, _Array) else value


def load_data(data: bytes) -> Any:
    """Reads any pickle as data. Classes become `Name`, instances `Object`; see `finish`."""
    if len(data) > PICKLE_MAX:
        raise FormatError(f"the pickle has {len(data)} bytes; the limit is {PICKLE_MAX}")
    return _pickle.load(data, NUMPY_CALLS)


# ---- Tensors


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    count: int


class _Tensors:
    """Rebuilds the tensors of an archive."""

    def __init__(self, archive: zipfile.ZipFile, prefix: str, what: str) -> None:
        self.archive, self.prefix, self.what = archive, prefix, what
        self.read: dict[str, NDArray[Any]] = {}

    def persistent(self, key: Any) -> _Storage:
        if not isinstance(key, tuple) or len(key) != 5 or key[0] != "storage":
            raise FormatError(f"{self.what}: a tensor has no storage")
        _, kind, name, _, count = key
        code = _STORAGES.get(kind.name) if isinstance(kind, Name) else None
        if code is None or not isinstance(name, str) or type(count) is not int or count < 0:
            raise FormatError(f"{self.what}: the storage {kind} is not supported")
        return _Storage(name, np.dtype(code), count)

    def bytes_of(self, storage: _Storage) -> NDArray[Any]:
        if storage.key not in self.read:
            name = f"{self.prefix}/data/{storage.key}"
            try:
                size = self.archive.getinfo(name).file_size
            except KeyError:
                raise FormatError(f"{self.what} has no member {name!r}") from None
            if size != storage.count * storage.dtype.itemsize:
                raise CorruptError(
                    f"{self.what}: {name} has {size} bytes; {storage.count} numbers of type "
                    f"{storage.dtype} need {storage.count * storage.dtype.itemsize}"
                )
            data = read_member(self.archive, name, STORAGE_MAX, self.what)
            self.read[storage.key] = np.frombuffer(data, storage.dtype)
        array = self.read[storage.key]
        if array.dtype != storage.dtype or array.size != storage.count:
            raise FormatError(f"{self.what}: a storage has two types")
        return array

    def tensor(self, arguments: tuple[Any, ...]) -> NDArray[Any]:
        if len(arguments) < 4 or not isinstance(arguments[0], _Storage):
            raise FormatError(f"{self.what}: a tensor has no storage")
        storage, offset, shape, stride = arguments[:4]
        numbers = (offset, *shape, *stride) if isinstance(shape, tuple | list) else (None,)
        if not all(type(n) is int and n >= 0 for n in numbers) or len(shape) != len(stride):
            raise FormatError(f"{self.what}: a tensor has no shape")
        if len(shape) > 32:
            raise FormatError(f"{self.what}: a tensor has more than 32 dimensions")
        size = 1
        for n in shape:
            size *= n
        last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
        if size > storage.count or (size > 0 and last >= storage.count):
            raise CorruptError(f"{self.what}: a tensor of shape {tuple(shape)} exceeds its storage")
        flat = self.bytes_of(storage)
        if size == 0:
            return np.zeros(tuple(shape), storage.dtype)
        view = np.lib.stride_tricks.as_strided(
            flat[offset:], tuple(shape), tuple(n * storage.dtype.itemsize for n in stride)
        )
        return view.copy()

    def calls(self) -> dict[str, _pickle.Call]:
        def parameter(arguments: tuple[Any, ...]) -> Any:
            return arguments[0] if arguments else None

        def nothing(arguments: tuple[Any, ...]) -> Any:
            raise FormatError(f"{self.what}: a storage is called")

        storages = {f"torch.{name}": nothing for name in _STORAGES}
        return {
            "torch._utils._rebuild_tensor_v2": self.tensor,
            "torch._utils._rebuild_parameter": parameter,
            "collections.OrderedDict": lambda _: {},
            **storages,
        }


def load_tensors(data: bytes, what: str) -> dict[str, NDArray[Any]]:
    """Reads a state dict that torch.save wrote: names and arrays. what: for messages.

    Raises FormatError (not such a file, or anything in it but tensors), CorruptError.
    """
    archive = open_zip(data, what)
    pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise FormatError(f"{what} is not a file of torch.save: it has no data.pkl")
    prefix = pickles[0].removesuffix("/data.pkl")
    if f"{prefix}/byteorder" in archive.namelist():
        order = read_member(archive, f"{prefix}/byteorder", 16, what)
        if order != b"little":
            raise FormatError(f"{what} has the byte order {order!r}; only little is supported")
    tensors = _Tensors(archive, prefix, what)
    program = read_member(archive, pickles[0], PICKLE_MAX, what)
    found = _pickle.load(program, tensors.calls(), tensors.persistent, strict=True)
    if not isinstance(found, dict):
        raise FormatError(f"{what} has no dictionary of tensors")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, np.ndarray):
            raise FormatError(f"{what}: {name!r} is not a tensor")
    return found


__all__ = [
    "PICKLE_MAX", "STORAGE_MAX", "Name", "Object", "finish", "load_data", "load_tensors",
    "open_zip", "read_member",
]  # fmt: skip

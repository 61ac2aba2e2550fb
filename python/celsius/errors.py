"""Exceptions: the library's messages, by kind.

Every exception of the library is an `Error` and also the built-in kind that a Python program would
catch: `ValueError`, `OSError`, `MemoryError` and so on.
"""

from __future__ import annotations

import errno
import os
import threading

from ._celsius import ffi, lib


class Error(Exception):
    """Base of all errors of the library. `status` is the number of the C status."""

    status = 0


class ArgumentError(Error, ValueError):
    """A call that makes no sense."""


class RangeError(Error, ValueError):
    """A value out of range."""


class NameNotFoundError(Error, ValueError):
    """No such environment, algorithm, field or tensor. The message suggests the nearest name."""


class TypeMismatchError(Error, TypeError):
    """A value of the wrong type."""


class ShapeError(Error, ValueError):
    """Sizes that do not match."""


class OutOfMemoryError(Error, MemoryError):
    """Not enough memory. The message says how much is needed."""


class FileError(Error, OSError):
    """The file system failed. A missing file raises `FileMissingError`, and so on."""


class FileMissingError(FileError, FileNotFoundError):
    """No such file or folder."""


class FilePermissionError(FileError, PermissionError):
    """The file system does not permit this."""


class FilePresentError(FileError, FileExistsError):
    """The file or folder exists already."""


class FormatError(Error, ValueError):
    """A file of another or a broken format."""


class CorruptError(Error, ValueError):
    """A file whose digest or length is wrong."""


class UnsupportedError(Error, ValueError, NotImplementedError):
    """A combination that the library does not support."""


class NotFiniteError(Error, FloatingPointError):
    """A reward, observation, loss or parameter that is not finite."""


class StateError(Error, RuntimeError):
    """A call in the wrong order."""


class EnvironmentFailed(Error, RuntimeError):
    """The caller's own environment failed."""


class Interrupted(Error, KeyboardInterrupt):
    """Stopped on request."""


_KINDS: dict[int, type[Error]] = {
    lib.CEL_E_ARGUMENT: ArgumentError,
    lib.CEL_E_RANGE: RangeError,
    lib.CEL_E_NAME: NameNotFoundError,
    lib.CEL_E_TYPE: TypeMismatchError,
    lib.CEL_E_SHAPE: ShapeError,
    lib.CEL_E_MEMORY: OutOfMemoryError,
    lib.CEL_E_IO: FileError,
    lib.CEL_E_FORMAT: FormatError,
    lib.CEL_E_CORRUPT: CorruptError,
    lib.CEL_E_UNSUPPORTED: UnsupportedError,
    lib.CEL_E_NAN: NotFiniteError,
    lib.CEL_E_STATE: StateError,
    lib.CEL_E_ENV: EnvironmentFailed,
    lib.CEL_E_INTERRUPTED: Interrupted,
}

# The library's messages end with the C library's text for the reason.
_FILE_KINDS: list[tuple[int, type[Error]]] = [
    (errno.ENOENT, FileMissingError),
    (errno.EACCES, FilePermissionError),
    (errno.EPERM, FilePermissionError),
    (errno.EEXIST, FilePresentError),
]


def error(status: int) -> Error:
    """Returns the exception for the calling thread's last failure."""
    message = ffi.string(lib.cel_error()).decode("utf-8", "replace")
    kind = _KINDS.get(status, Error)
    if kind is FileError:
        for number, narrower in _FILE_KINDS:
            if os.strerror(number) in message:
                kind = narrower
                break
    raised = kind(message)
    raised.status = status
    return raised


_raised = threading.local()


def keep_raised(_kind: object, exception: BaseException, _traceback: object) -> None:
    """Keeps an exception of a callback until `check`. For onerror of ffi.def_extern."""
    if getattr(_raised, "exception", None) is None:
        _raised.exception = exception


def check(status: int) -> None:
    """Raises what a callback raised during the call, else the exception of a failed status."""
    raised = getattr(_raised, "exception", None)
    if raised is not None:
        _raised.exception = None
        raise raised
    if status != 0:
        raise error(status)

"""The extension module: made by cffi from the public headers (python/generate.py)."""

from collections.abc import Callable
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])

class _FFI:
    NULL: Any
    def def_extern(
        self, name: str | None = ..., error: Any = ..., onerror: Callable[..., Any] | None = ...
    ) -> Callable[[_F], _F]: ...
    def __getattr__(self, name: str) -> Any: ...

ffi: _FFI
lib: Any

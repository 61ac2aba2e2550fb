"""Ctrl-C stops long computations of the library that take no hooks of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ._hooks import Hooks
from ._native import check, ffi, lib


@contextmanager
def interruptible() -> Iterator[None]:
    """Lets Ctrl-C stop solvers, evaluations and tabular learning of this thread.

    Raises KeyboardInterrupt at the end of the block if it did.
    """
    hooks = Hooks()
    lib.cel_set_interrupt_hook(lib.celpy_stop, hooks.state)
    try:
        yield
        check(0)
    finally:
        lib.cel_set_interrupt_hook(ffi.NULL, ffi.NULL)

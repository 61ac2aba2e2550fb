"""Callbacks of long C calls: Ctrl-C, notes, progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._native import ffi, keep_raised, lib, text


class Hooks:
    """CelRunHooks for one call. `c` is the struct; pass it to C, then call `check(status)`.

    Python's signal handlers run while C computes, so Ctrl-C stops the call. `stop` may end it too.
    """

    def __init__(
        self,
        stop: Callable[[], bool] | None = None,
        note: Callable[[str], None] | None = None,
        progress: Callable[[Any], None] | None = None,
        updated: Callable[[], bool] | None = None,
        episode: Callable[[float, int], None] | None = None,
    ) -> None:
        self.stop, self.note, self.progress = stop, note, progress
        self.updated, self.episode = updated, episode
        self.handle = ffi.new_handle(self)
        self.state = ffi.new("CelpyHooks *", {"handle": self.handle})
        lib.celpy_hooks_reset(self.state)
        self.c = ffi.new("CelRunHooks *")
        self.c.user = self.state
        self.c.stop = lib.celpy_stop
        if note:
            self.c.note = lib.celpy_note
        if progress:
            self.c.progress = lib.celpy_progress
        if updated:
            self.c.updated = lib.celpy_updated
        if episode:
            self.c.episode = lib.celpy_episode


def _self(user: Any) -> Any:
    return ffi.from_handle(ffi.cast("CelpyHooks *", user).handle)


def _stop_failed(kind: Any, exception: Any, traceback: Any) -> bool:
    keep_raised(kind, exception, traceback)
    return True


@ffi.def_extern(onerror=_stop_failed)
def celpy_should_stop(handle: Any) -> bool:
    """Pending signal handlers run before this returns, so KeyboardInterrupt is raised here."""
    stop = ffi.from_handle(handle).stop
    return bool(stop()) if stop else False


@ffi.def_extern(onerror=keep_raised)
def celpy_note(user: Any, message: Any) -> None:
    _self(user).note(text(message))


@ffi.def_extern(onerror=keep_raised)
def celpy_progress(user: Any, progress: Any) -> None:
    _self(user).progress(progress)


@ffi.def_extern(onerror=keep_raised)
def celpy_episode(user: Any, episode_return: float, length: int) -> None:
    _self(user).episode(episode_return, length)


def _updated_failed(kind: Any, exception: Any, traceback: Any) -> int:
    keep_raised(kind, exception, traceback)
    return int(lib.CEL_E_INTERRUPTED)


@ffi.def_extern(onerror=_updated_failed)
def celpy_updated(user: Any, _agent: Any) -> int:
    return int(lib.CEL_OK if _self(user).updated() else lib.CEL_E_INTERRUPTED)

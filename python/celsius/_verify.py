"""The checks of the theory: every claim of the notes, computed in two ways."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ._native import check, ffi, keep_raised, lib, own_result, path_bytes, text


@dataclass(frozen=True)
class Check:
    """One row of the report: two numbers, and how they must compare."""

    note: str
    equation: str
    claim: str
    #: Function of the C library that it tests, or "".
    function: str
    #: "=", "<=", "!=" or ">": the relation of left to right, within the tolerance.
    relation: str
    left: float
    right: float
    residual: float
    tolerance: float
    passed: bool
    #: Problems tried, and the seed of the worst one.
    cases: int
    seed: int
    seconds: float
    #: Why the row could not run; "" otherwise.
    message: str


def _row(c: Any) -> Check:
    return Check(
        text(c.note), text(c.equation), text(c.claim), text(c.function),
        text(lib.cel_check_kind_text(c.kind)), c.left, c.right, c.residual, c.tolerance,
        bool(getattr(c, "pass")), c.cases, c.seed, c.seconds, text(c.message),
    )  # fmt: skip


class Report:
    """The result of `verify`: `checks`, and how many of them failed."""

    def __init__(self, c: Any) -> None:
        self._c = c
        self.checks = tuple(_row(c.check[i]) for i in range(c.count))
        self.failed: int = c.failed
        self.seconds: float = c.seconds

    def __repr__(self) -> str:
        return f"<Report: {len(self.checks)} checks, {self.failed} failed, {self.seconds:.1f} s>"

    def write_html(self, path: str | os.PathLike[str]) -> None:
        """Writes a self-contained page with the table and the plots."""
        check(lib.cel_verify_write_html(self._c, path_bytes(path)))


def notes() -> dict[str, str]:
    """Returns the notes by name, each with what it is about."""
    found = {}
    i = 0
    while (name := lib.cel_verify_note_at(i)) != ffi.NULL:
        found[text(name)] = text(lib.cel_verify_note_about(i))
        i += 1
    return found


def verify(
    note: str | None = None,
    *,
    seed: int = 0,
    threads: int = 1,
    quick: bool = False,
    row: Callable[[Check], None] | None = None,
) -> Report:
    """Computes the claims of the notes in two ways and compares the numbers.

    note: only this note; None: all. threads: any number gives the same report. quick: fewer cases.
    row: called with each row as it is done. A failed check is not an exception.
    """
    options = ffi.new("CelVerifyOptions *")
    name = ffi.NULL if note is None else ffi.new("char[]", note.encode())
    options.note, options.seed, options.threads, options.quick = name, seed, threads, quick
    handle = ffi.new_handle(row)
    if row is not None:
        options.row = lib.celpy_checked
        options.user = handle
    return Report(own_result(lib.cel_verify, lib.cel_verify_report_destroy, options))


@ffi.def_extern(onerror=keep_raised)
def celpy_checked(user: Any, c: Any) -> None:
    ffi.from_handle(user)(_row(c))

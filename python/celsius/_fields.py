"""Config structs through their field tables, so that an option of C needs no line of Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ._native import check, ffi, keep_raised, lib, text


@dataclass(frozen=True)
class Field:
    """One row of a table, as `celsius list fields` shows it."""

    name: str  # dotted where the row is in a group
    kind: str  # "bool", "int", "float", "choice", "text", "list", "schedule", "auto", "interval"
    default: str
    doc: str
    unit: str
    choices: tuple[str, ...]
    low: float  # the range is low to high; unlimited where low == high
    high: float


_KINDS = {
    lib.CEL_FIELD_BOOL: "bool",
    lib.CEL_FIELD_INT: "int",
    lib.CEL_FIELD_U64: "int",
    lib.CEL_FIELD_DOUBLE: "float",
    lib.CEL_FIELD_ENUM: "choice",
    lib.CEL_FIELD_STRING: "text",
    lib.CEL_FIELD_PATH: "text",
    lib.CEL_FIELD_INT_LIST: "list",
    lib.CEL_FIELD_SCHEDULE: "schedule",
    lib.CEL_FIELD_INTERVAL: "interval",
    lib.CEL_FIELD_AUTO: "auto",
}


def rows(table: Any, prefix: str = "") -> Iterator[Field]:
    """Yields the rows of a C field table, those of groups under dotted names."""
    i = 0
    while table and table[i].name != ffi.NULL:
        row = table[i]
        name = prefix + text(row.name)
        if row.type == lib.CEL_FIELD_GROUP:
            yield from rows(row.group, name + ".")
        else:
            choices = tuple(text(row.choices).split("|")) if row.choices else ()
            low, high = (row.min, row.max) if row.min < row.max else (0.0, 0.0)
            yield Field(
                name, _KINDS[row.type], text(getattr(row, "def")), text(row.doc), text(row.unit),
                choices, low, high,
            )  # fmt: skip
        i += 1


def to_text(value: Any) -> str:
    """Returns a Python value as the text that cel_fields_set reads back to the same bits."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return ",".join(str(v) if isinstance(v, int) else repr(float(v)) for v in value)
    if isinstance(value, int):
        return str(value)
    return repr(float(value))


class Config:
    """A config struct with its table. `data` is the struct, for C calls."""

    def __init__(self, table: Any, data: Any, defaults: bool = True) -> None:
        self.table = table
        self.data = data
        self._schedules: dict[str, tuple[Callable[[float], float], Any]] = {}
        if defaults:
            lib.cel_fields_default(table, data)

    @classmethod
    def of_size(cls, table: Any, size: int) -> Config:
        """Returns a config with its defaults, in new memory of `size` bytes, aligned for any "
        "type."""
        words = ffi.new("double[]", max(1, (size + 7) // 8))
        return cls(table, words)

    def names(self) -> list[str]:
        return [row.name for row in rows(self.table)]

    def __contains__(self, name: str) -> bool:
        return bool(lib.cel_fields_find(self.table, name.encode()) != ffi.NULL)

    def set(self, name: str, value: Any) -> None:
        """Sets one field from a Python value or from text. A schedule may be a function."""
        if callable(value):
            self._set_function(name, value)
            return
        check(lib.cel_fields_set(self.table, self.data, name.encode(), to_text(value).encode()))
        self._schedules.pop(name, None)

    def get_text(self, name: str) -> str:
        """Returns one field as text."""
        size = lib.cel_fields_get(self.table, self.data, name.encode(), ffi.NULL, 0)
        if size < 0:
            raise KeyError(name)
        out = ffi.new("char[]", size + 1)
        lib.cel_fields_get(self.table, self.data, name.encode(), out, size + 1)
        return text(out)

    def get(self, name: str) -> Any:
        """Returns one field as a Python value. An automatic or falling value is text."""
        if name in self._schedules:
            return self._schedules[name][0]
        row = next((row for row in rows(self.table) if row.name == name), None)
        if row is None:
            raise KeyError(name)
        value = self.get_text(name)
        if row.kind == "bool":
            return value == "true"
        if row.kind == "int":
            return int(value)
        if row.kind == "list" and value == "auto":
            return value
        if row.kind == "list":
            return [int(part) for part in value.strip("[]").split(",") if part.strip()]
        if row.kind == "interval":
            return [float(part) for part in value.strip("[]").split(",")]
        if row.kind in ("float", "auto", "schedule"):
            try:
                return float(value)
            except ValueError:
                return value
        return value

    def as_dict(self) -> dict[str, Any]:
        return {name: self.get(name) for name in self.names()}

    def _set_function(self, name: str, function: Callable[[float], float]) -> None:
        row = lib.cel_fields_find(self.table, name.encode())
        if row == ffi.NULL or row.type != lib.CEL_FIELD_SCHEDULE:
            raise TypeError(f"{name} does not take a function; only a schedule does")
        handle = ffi.new_handle(function)
        address = ffi.cast("char *", self.data) + row.offset
        schedule = ffi.cast("CelSchedule *", address)
        schedule.kind = lib.CEL_CALLBACK
        schedule.value = float(function(1.0))
        schedule.callback = lib.celpy_schedule
        schedule.user = handle
        self._schedules[name] = (function, handle)


def _failed(kind: Any, exception: Any, traceback: Any) -> float:
    keep_raised(kind, exception, traceback)
    return 0.0  # a step size of 0 changes nothing; the exception is raised after the call


@ffi.def_extern(onerror=_failed)
def celpy_schedule(progress_remaining: float, user: Any) -> float:
    return float(ffi.from_handle(user)(progress_remaining))

"""Logs of numbers, with the interface of Stable-Baselines3's Logger.

A logger collects values by name with `record` and writes them to its outputs with `dump`.
`model.set_logger` takes this one or Stable-Baselines3's.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from ._native import check, ffi, lib, path_bytes


class Output:
    """Where a logger writes to. `name`: as in `exclude` of `Logger.record`."""

    name = ""

    def write(
        self, values: dict[str, Any], excluded: dict[str, tuple[str, ...]], step: int
    ) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Closes the output."""


class TableOutput(Output):
    """A table for people, on the terminal or in a file."""

    name = "stdout"

    def __init__(self, file: TextIO | str | os.PathLike[str]) -> None:
        self._owned = not hasattr(file, "write")
        given: Any = file
        self.file: TextIO = open(given, "w", encoding="utf-8") if self._owned else given
        self.name = "log" if self._owned else "stdout"

    def write(
        self, values: dict[str, Any], excluded: dict[str, tuple[str, ...]], step: int
    ) -> None:
        rows: list[tuple[str, str]] = []
        group = None
        for key in sorted(values):
            head, _, tail = key.rpartition("/")
            if head != group and head:
                rows.append((head + "/", ""))
            group = head
            value = values[key]
            shown = f"{value:.3g}" if isinstance(value, (float, np.floating)) else str(value)
            rows.append((("   " if head else "") + tail, shown[:36]))
        if not rows:
            return
        left, right = (max(len(row[i]) for row in rows) for i in (0, 1))
        line = "-" * (left + right + 7)
        body = "\n".join(f"| {key:<{left}} | {value:<{right}} |" for key, value in rows)
        self.file.write(f"{line}\n{body}\n{line}\n")
        self.file.flush()

    def close(self) -> None:
        if self._owned:
            self.file.close()


class CsvOutput(Output):
    """A CSV file. A new column rewrites the file with empty cells in its older rows."""

    name = "csv"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.columns: list[str] = []
        self.path.write_text("", encoding="utf-8")

    def write(
        self, values: dict[str, Any], excluded: dict[str, tuple[str, ...]], step: int
    ) -> None:
        new = sorted(set(values) - set(self.columns))
        before: list[dict[str, Any]] = []
        if new:
            with self.path.open(newline="", encoding="utf-8") as file:
                before = list(csv.DictReader(file))
        self.columns += new
        with self.path.open("w" if new else "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns, restval="")
            if new:
                writer.writeheader()
            writer.writerows([*before, values])


class JsonOutput(Output):
    """One JSON object per line."""

    name = "json"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.file = open(path, "w", encoding="utf-8")

    def write(
        self, values: dict[str, Any], excluded: dict[str, tuple[str, ...]], step: int
    ) -> None:
        plain = {k: v.item() if hasattr(v, "item") else v for k, v in values.items()}
        self.file.write(json.dumps(plain, default=str) + "\n")
        self.file.flush()

    def close(self) -> None:
        self.file.close()


class TensorBoardOutput(Output):
    """TensorBoard events, written by the library: TensorBoard itself is not needed."""

    name = "tensorboard"

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        out = ffi.new("CelEvents **")
        check(lib.cel_events_open(out, path_bytes(folder), -1))
        self._c = ffi.gc(out[0], lib.cel_events_close)

    def write(
        self, values: dict[str, Any], excluded: dict[str, tuple[str, ...]], step: int
    ) -> None:
        for key, value in values.items():
            if isinstance(value, (int, float, np.number)):
                check(lib.cel_events_scalar(self._c, key.encode(), step, float(value)))
        check(lib.cel_events_flush(self._c))

    def close(self) -> None:
        if self._c is not None:
            ffi.gc(self._c, None)
            check(lib.cel_events_close(self._c))
            self._c = None


class Logger:
    """Collects values and writes them. `dir`: the folder of its files, or None."""

    def __init__(self, folder: str | None, output_formats: list[Output]) -> None:
        self.dir = folder
        self.output_formats = output_formats
        self.level = 20
        self.name_to_value: dict[str, Any] = defaultdict(float)
        self.name_to_count: dict[str, int] = defaultdict(int)
        self.name_to_excluded: dict[str, tuple[str, ...]] = {}

    def record(self, key: str, value: Any, exclude: str | tuple[str, ...] | None = None) -> None:
        """Sets a value of the next dump. `exclude`: outputs that do not write it."""
        self.name_to_value[key] = value
        self.name_to_excluded[key] = (
            (exclude,) if isinstance(exclude, str) else tuple(exclude or ())
        )

    def record_mean(
        self, key: str, value: float | None, exclude: str | tuple[str, ...] | None = None
    ) -> None:
        """Adds a value to a mean."""
        if value is None:
            return
        count = self.name_to_count[key]
        self.record(
            key, self.name_to_value[key] * count / (count + 1) + value / (count + 1), exclude
        )
        self.name_to_count[key] = count + 1

    def dump(self, step: int = 0) -> None:
        """Writes everything recorded since the last dump."""
        for output in self.output_formats:
            names = {output.name, "stdout"} if output.name == "log" else {output.name}
            kept = {
                key: value
                for key, value in self.name_to_value.items()
                if not names.intersection(self.name_to_excluded.get(key, ()))
            }
            output.write(kept, self.name_to_excluded, step)
        self.name_to_value.clear()
        self.name_to_count.clear()
        self.name_to_excluded.clear()

    def log(self, *args: Any, level: int = 20) -> None:
        """Prints a message on the terminal, where that is an output."""
        if level >= self.level and any(output.name == "stdout" for output in self.output_formats):
            print(*args)

    def debug(self, *args: Any) -> None:
        self.log(*args, level=10)

    def info(self, *args: Any) -> None:
        self.log(*args, level=20)

    def warn(self, *args: Any) -> None:
        self.log(*args, level=30)

    def error(self, *args: Any) -> None:
        self.log(*args, level=40)

    def set_level(self, level: int) -> None:
        self.level = level

    def get_dir(self) -> str | None:
        return self.dir

    def close(self) -> None:
        for output in self.output_formats:
            output.close()


def configure(folder: str | None = None, format_strings: list[str] | None = None) -> Logger:
    """Makes a logger. Formats: "stdout", "log", "csv", "json", "tensorboard"."""
    formats = [
        name for name in (["stdout", "csv"] if format_strings is None else format_strings) if name
    ]
    needed = [name for name in formats if name != "stdout"]
    if needed and folder is None:
        raise ValueError(f"the formats {needed} write files; give a folder")
    if folder is not None:
        os.makedirs(folder, exist_ok=True)
    path = Path(folder or ".")
    makers: dict[str, Any] = {
        "stdout": lambda: TableOutput(sys.stdout),
        "log": lambda: TableOutput(path / "log.txt"),
        "csv": lambda: CsvOutput(path / "progress.csv"),
        "json": lambda: JsonOutput(path / "progress.json"),
        "tensorboard": lambda: TensorBoardOutput(path),
    }
    unknown = [name for name in formats if name not in makers]
    if unknown:
        raise ValueError(f"unknown format {unknown[0]!r}; use one of {', '.join(makers)}")
    return Logger(folder, [makers[name]() for name in formats])


def _of_sb3(tensorboard_log: str | None) -> Any:
    """Stable-Baselines3's module that makes loggers, where the program uses it; else None.

    Its callbacks look for its own outputs. It cannot write events without the package tensorboard.
    """
    utils = sys.modules.get("stable_baselines3.common.utils")
    outputs = sys.modules.get("stable_baselines3.common.logger")
    if utils is None or outputs is None or not hasattr(utils, "configure_logger"):
        return None
    events = getattr(outputs, "SummaryWriter", None)
    return None if tensorboard_log is not None and events is None else utils


def for_run(verbose: int, tensorboard_log: str | None, name: str, new: bool) -> Any:
    """The logger of `learn`: folders NAME_1, NAME_2, ... as Stable-Baselines3 numbers them."""
    theirs = _of_sb3(tensorboard_log)
    if theirs is not None:
        return theirs.configure_logger(verbose, tensorboard_log, name, new)
    if tensorboard_log is None:
        return Logger(None, [TableOutput(sys.stdout)] if verbose >= 1 else [])
    runs = [
        int(path.name[len(name) + 1 :])
        for path in Path(tensorboard_log).glob(f"{name}_*")
        if path.name[len(name) + 1 :].isdigit()
    ]
    number = max(runs, default=0) + (1 if new or not runs else 0)
    folder = os.path.join(tensorboard_log, f"{name}_{number}")
    return configure(folder, (["stdout"] if verbose >= 1 else []) + ["tensorboard"])

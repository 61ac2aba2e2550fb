"""Tables of run folders: progress.csv and evaluations.csv, as pandas frames or NumPy arrays."""

from __future__ import annotations

import csv
import os
from typing import Any

import numpy as np

from ._model import Floats

Path = str | os.PathLike[str]

__all__ = ["columns", "evaluations", "guarantee", "progress", "run_folders"]


def run_folders(folder: Path) -> list[str]:
    """Returns the runs of a folder: itself, or its seed-1, seed-2, ... in order.

    Raises FileNotFoundError.
    """
    name = os.fspath(folder)
    if os.path.exists(os.path.join(name, "progress.csv")):
        return [name]
    if not os.path.isdir(name):
        raise FileNotFoundError(f"{name}: no such folder")
    seeds = [s for s in os.listdir(name) if s.startswith("seed-") and s[5:].isdigit()]
    found = [os.path.join(name, s) for s in sorted(seeds, key=lambda s: int(s[5:]))]
    found = [run for run in found if os.path.exists(os.path.join(run, "progress.csv"))]
    if not found:
        raise FileNotFoundError(f"{name}: it has no progress.csv, nor folders seed-K with one")
    return found


def columns(path: Path) -> dict[str, Floats]:
    """Reads a table of a run by column. An empty cell is NaN. A broken last row is left out.

    Raises FileNotFoundError, ValueError (with the line).
    """
    with open(path, newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    if not lines:
        raise ValueError(f"{os.fspath(path)} is empty")
    names, data = lines[0], lines[1:]
    if data and len(data[-1]) != len(names):
        data = data[:-1]  # a run that is being written, or was killed
    out = np.full((len(data), len(names)), np.nan)
    for i, row in enumerate(data):
        if len(row) != len(names):
            raise ValueError(
                f"{os.fspath(path)}: line {i + 2} has {len(row)} cells; it must have {len(names)}"
            )
        for j, cell in enumerate(row):
            try:
                out[i, j] = float(cell) if cell else np.nan
            except ValueError:
                raise ValueError(
                    f"{os.fspath(path)}: line {i + 2}: {cell!r} is not a number"
                ) from None
    return {name: np.ascontiguousarray(out[:, j]) for j, name in enumerate(names)}


def _frame(folder: Path, name: str) -> Any:
    tables = [(run, columns(os.path.join(run, name))) for run in run_folders(folder)]
    try:
        import pandas as pd
    except ImportError:
        if len(tables) == 1:
            return tables[0][1]
        return {os.path.basename(run): table for run, table in tables}
    if len(tables) == 1:
        return pd.DataFrame(tables[0][1])
    frames = []
    for run, table in tables:
        frame = pd.DataFrame(table)
        frame.insert(0, "run", os.path.basename(run))
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def progress(folder: Path) -> Any:
    """Returns progress.csv of a run as a pandas frame; several runs get a column `run`.

    Without pandas: a dictionary of arrays by column (of several runs: one per run).
    """
    return _frame(folder, "progress.csv")


def evaluations(folder: Path) -> Any:
    """Returns evaluations.csv of a run, as `progress` does."""
    return _frame(folder, "evaluations.csv")


def guarantee(folder: Path) -> Any:
    """Returns guarantee.csv of a run with --guarantee, as `progress` does."""
    return _frame(folder, "guarantee.csv")

"""Runs the notebook examples/python/tour.ipynb.

    notebook.py           runs it and stores the outputs in the file
    notebook.py --check   runs it, and fails if a printed output differs from the stored one

The same seeds give the same numbers on every machine, so printed outputs are compared exactly.
Pictures only must be there. Needs the package on PYTHONPATH.
"""

import difflib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

import celsius

NOTEBOOK = Path(__file__).parents[2] / "examples" / "python" / "tour.ipynb"
PACKAGE = str(Path(celsius.__file__).parents[1].resolve())


def shown(cell: Any) -> list[str]:
    """What a cell printed, as lines, and the kinds of its pictures."""
    lines: list[str] = []
    for output in cell.get("outputs", []):
        if output["output_type"] == "stream":
            lines += output["text"].splitlines()
        elif "image/png" in output.get("data", {}):
            lines.append("(a picture)")
        else:
            lines += output["data"]["text/plain"].splitlines()
    return lines


def tidy(cell: Any) -> None:
    """Removes times and kinds of outputs that no reader needs."""
    cell.metadata.pop("execution", None)
    for output in cell.get("outputs", []):
        if "data" in output:
            kind = "image/png" if "image/png" in output["data"] else "text/plain"
            output["data"] = {kind: output["data"][kind]}


def main() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    before = [shown(cell) for cell in notebook.cells]
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", coalesce_streams=True)
    environment = {**os.environ, "PYTHONPATH": PACKAGE}
    with tempfile.TemporaryDirectory() as folder:
        manager = client.create_kernel_manager()
        manager.transport, manager.ip = "ipc", f"{folder}/kernel"  # files instead of ports
        # Raises CellExecutionError, with the traceback, if a cell fails.
        client.execute(cwd=str(NOTEBOOK.parent), env=environment)
    for cell in notebook.cells:
        tidy(cell)
    if sys.argv[1:] != ["--check"]:
        notebook.metadata = {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
        }
        nbformat.write(notebook, NOTEBOOK)
        print(f"wrote {NOTEBOOK}, {NOTEBOOK.stat().st_size} bytes")
        return
    wrong = 0
    for cell, expected in zip(notebook.cells, before, strict=True):
        found = shown(cell)
        if found == expected:
            continue
        wrong += 1
        print(f"this cell has another output than the stored one:\n{cell.source}\n")
        print("\n".join(difflib.unified_diff(expected, found, "stored", "now", lineterm="")))
    if wrong:
        sys.exit(f"{wrong} cells differ; run python/tests/notebook.py if that is right")
    print(f"{len(before)} cells, as stored")


if __name__ == "__main__":
    main()

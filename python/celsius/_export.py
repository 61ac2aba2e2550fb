"""Trained policies for other software: C, ONNX, PyTorch's safetensors."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from ._native import check, ffi, lib, path_bytes, text

Path = str | os.PathLike[str]


def export_formats() -> dict[str, str]:
    """Returns the formats of `export` that this build has, each with one line about it."""
    found = {}
    i = 0
    while (row := lib.cel_export_format(i)) != ffi.NULL:
        if row.available:
            found[text(row.name)] = text(row.doc)
        i += 1
    return found


def export(model: Any, format: str, path: Path, *, name: str | None = None) -> None:
    """Writes the policy of a model, atomically.

    model: a learner, a model file, a checkpoint, or a run folder (its best model).
    format: "c" (OUT.h and OUT.c without dependencies), "onnx", or "safetensors" (a PyTorch state
    dict). name: prefix of the C functions and name of the ONNX graph; None: made from the file's.
    Every format computes the policy's mode, as predict(deterministic=True) does.
    Raises ValueError (unknown format, no C identifier), FileNotFoundError, OSError.
    """
    label = ffi.NULL if name is None else ffi.new("char[]", name.encode())
    if isinstance(model, str | os.PathLike):
        file = path_bytes(model)
        if os.path.isdir(file):
            out = ffi.new("char[]", lib.CEL_PATH_MAX)
            check(lib.cel_run_model(file, ffi.NULL, out))
            file = ffi.string(out)
        check(lib.cel_export(file, format.encode(), path_bytes(path), label))
        return
    agent = getattr(model, "_agent", None)
    if agent is None:
        raise TypeError(f"model is {type(model).__name__}; give a learner or the path of a model")
    with tempfile.TemporaryDirectory() as folder:
        file = os.fsencode(os.path.join(folder, "model.safetensors"))
        agent.save_model(os.fsdecode(file))
        check(lib.cel_export(file, format.encode(), path_bytes(path), label))

"""Model files with functions, which only `celsius.sb3.classes(functions=True)` writes and reads.

A file is a zip of two members: "model.safetensors", which is what other models are saved as, and
"data", a JSON text with the pickle of each argument that is a function, in base64, as in zips of
Stable-Baselines3. Reading the file runs these pickles.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from ._torchfile import open_zip, read_member
from .errors import FormatError

_MODEL, _FUNCTIONS = "model.safetensors", "data"
_FUNCTIONS_MAX = 64 << 20  # bytes


def write(path: str, save: Callable[[str], None], functions: dict[str, Any]) -> None:
    """Writes a zip whole or not at all. `save` writes the model to the path that it gets."""
    import cloudpickle  # type: ignore[import-untyped, unused-ignore]

    texts = {
        name: {
            ":type:": str(type(function)),
            ":serialized:": base64.b64encode(cloudpickle.dumps(function)).decode(),
        }
        for name, function in functions.items()
    }
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path) or ".") as folder:
        model, whole = os.path.join(folder, _MODEL), os.path.join(folder, "zip")
        save(model)
        with zipfile.ZipFile(whole, "w") as archive:
            archive.write(model, _MODEL)
            archive.writestr(_FUNCTIONS, json.dumps(texts, indent=4))
        os.replace(whole, path)


@contextmanager
def opened(path: str, skip: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Gives the path of the model, and the functions by name, without those of `skip`.

    A function whose pickle fails is left out.
    """
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):
            raise FormatError(
                f"{path} wasn't a zip-file; a .safetensors file is loaded by the classes of celsius"
            )
        with open_zip(file, path) as archive, tempfile.TemporaryDirectory() as folder:
            functions = _functions(archive, path, skip)
            if _MODEL not in archive.namelist():
                raise FormatError(f"{path} has no {_MODEL}; celsius.from_sb3 reads other zips")
            yield archive.extract(_MODEL, folder), functions


def _functions(
    archive: zipfile.ZipFile, path: str, skip: Collection[str]
) -> dict[str, Any]:  # fmt: skip
    import cloudpickle

    out: dict[str, Any] = {}
    if _FUNCTIONS not in archive.namelist():
        return out
    try:
        found = json.loads(read_member(archive, _FUNCTIONS, _FUNCTIONS_MAX, path))
        pickles = {
            name: base64.b64decode(entry[":serialized:"], validate=True)
            for name, entry in found.items()
            if name not in skip
        }
    except (AttributeError, KeyError, TypeError, ValueError, binascii.Error) as error:
        raise FormatError(f"{path}: its member 'data' is damaged: {error!r}") from error
    for name, pickle in pickles.items():
        try:
            out[name] = cloudpickle.loads(pickle)
        except Exception:  # whatever a pickle raises; `load` warns that the function is missing
            continue
    return out

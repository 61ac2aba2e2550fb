"""Files of models: safetensors that the C library and the command `celsius` read as well.

A file holds everything but stored transitions. Its metadata "note" is a JSON text with what only
Python knows: the class, the constructor's arguments, the spaces, the counters. Nothing in it is
executed when it is read.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from . import _archive, _spaces, wrap
from ._native import DTYPES, array_view, check, ffi, lib, path_bytes, text
from .errors import FormatError
from .schedules import without_float

Array = NDArray[Any]

ENDING = ".safetensors"


class Spaces(NamedTuple):
    """Stands for the environment of a model that is loaded without one."""

    observation: spaces.Space[Any]
    action: spaces.Space[Any]
    n_envs: int


# ---- arguments as JSON.


def _plain(value: Any) -> Any:
    """A value as JSON has it. A function becomes {"function": name}, and is not saved."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, type) and value.__module__.startswith("torch"):
        return value.__name__  # an activation or an optimizer, which its name chooses too
    inner = without_float(value)
    if inner is not value:
        return _plain(inner)
    return {"function": getattr(value, "__name__", type(value).__name__)}


def _is_function(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"function"}


def note_of(model: Any, exclude: Any = ()) -> str:
    """The JSON text of a model, without some arguments."""
    left_out = {"env", "policy", *exclude}
    arguments = {
        name: _plain(str(value) if name == "device" else getattr(model, name, value))
        for name, value in model._arguments.items()
        if name not in left_out
    }
    return json.dumps(
        {
            "class": type(model).__name__,
            "policy": model._arguments["policy"],
            "arguments": arguments,
            "observation_space": _spaces.describe(model.observation_space),
            "action_space": _spaces.describe(model.action_space),
            "n_envs": model.n_envs,
            "seed": model._agent_seed,
            "num_timesteps": model.num_timesteps,
            "total_timesteps": model._total_timesteps,
            "episodes": model._episode_num,
            "last_obs": _plain(model._last_obs),
        }
    )


# ---- reading and writing.


@contextmanager
def _as_path(target: Any, mode: str) -> Iterator[str]:
    """A path for the library: that of a name, or of a temporary file for a file object."""
    if isinstance(target, (str, os.PathLike)):
        yield os.fspath(target)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model" + ENDING)
        if mode == "r":
            target.seek(0)
            Path(path).write_bytes(target.read())
        yield path
        if mode == "w":
            target.write(Path(path).read_bytes())
            target.flush()


def _name_to_write(path: Any, ending: str) -> Any:
    if not isinstance(path, (str, os.PathLike)):
        return path
    name = Path(path)
    name.parent.mkdir(parents=True, exist_ok=True)
    return name if name.suffix else name.with_name(name.name + ending)


def _name_to_read(path: Any, ending: str) -> Any:
    if not isinstance(path, (str, os.PathLike)):
        return path
    name = Path(path)
    if name.exists():
        return name
    others = [name.with_name(name.name + end) for end in (ending, ENDING)]
    if name.suffix == ".zip":
        others.append(name.with_suffix(ENDING))
    return next((other for other in others if other.exists()), name)


@contextmanager
def _opened(cls: Any, path: Any, skip: Any = ()) -> Iterator[tuple[File, dict[str, Any]]]:
    """Gives the open file, and the functions of a file that holds some, without those of `skip`."""
    with _as_path(_name_to_read(path, cls.ENDING), "r") as name:
        if not cls.FUNCTIONS:
            yield File(name), {}
            return
        with _archive.opened(name, skip) as (model, functions):
            file = File(model)
            file.path = name
            yield file, functions


def save(model: Any, path: Any, exclude: Any = None, include: Any = None) -> None:
    """Writes a model. Without an ending, the name gets the model's, ".safetensors"."""
    more = set(include or ()) - set(model._arguments)
    if more:
        raise ValueError(
            f"save cannot include {sorted(more)}: a model file holds what the agent knows"
        )
    left_out = set(exclude or ()) - set(include or ())
    note = note_of(model, left_out)
    with _as_path(_name_to_write(path, model.ENDING), "w") as name:
        if not model.FUNCTIONS:
            model._agent.save(name, note)
            return
        functions = {
            argument: without_float(getattr(model, argument))
            for argument, value in json.loads(note)["arguments"].items()
            if _is_function(value)
        }
        _archive.write(name, lambda path: model._agent.save(path, note), functions)


class File:
    """An open model file: its note and its tensors."""

    def __init__(self, path: str) -> None:
        out = ffi.new("CelSafetensors **")
        check(lib.cel_safetensors_open(path_bytes(path), out))
        self.c = ffi.gc(out[0], lib.cel_safetensors_close)
        self.path = path
        self.algo = text(lib.cel_safetensors_meta(self.c, b"algo"))
        self.version = text(lib.cel_safetensors_meta(self.c, b"version"))

    def note(self) -> dict[str, Any]:
        written = text(lib.cel_safetensors_meta(self.c, b"note"))
        if not written:
            raise FormatError(
                f"{self.path} has no settings of a Python model: it comes from a run. Use "
                "set_parameters on a model with the same settings"
            )
        try:
            found = json.loads(written)
            if isinstance(found, dict):
                return found
        except ValueError:
            pass
        raise FormatError(f"{self.path}: its note is not JSON")

    def tensors(self) -> dict[str, Array]:
        found = {}
        for i in range(lib.cel_safetensors_count(self.c)):
            tensor = lib.cel_safetensors_at(self.c, i)
            shape = tuple(tensor.shape[d] for d in range(tensor.ndim))
            found[text(tensor.name)] = array_view(tensor.data, shape, DTYPES[tensor.type], self.c)
        return found


def load(
    cls: Any, path: Any, env: Any, custom: dict[str, Any], changed: dict[str, Any], reset: bool
) -> Any:  # fmt: skip
    """Makes the model of a file."""
    with _opened(cls, path, {*custom, *changed}) as (file, functions):
        note = file.note()
        if file.algo != cls.ALGO:
            raise FormatError(
                f"{file.path} holds a model of {note.get('class')}, not of {cls.__name__}"
            )
        model = _make(cls, note, env, {**functions, **custom}, changed)
        _fill(model, file, note)
        if env is not None and not reset and note.get("last_obs") is not None:
            model._last_obs = _observations(model, note["last_obs"])
    return model


def _observations(model: Any, plain: Any) -> Any:
    space = model.observation_space
    if isinstance(space, spaces.Dict):
        return {key: np.asarray(plain[key], part.dtype) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(
            np.asarray(row, part.dtype) for row, part in zip(plain, space.spaces, strict=True)
        )
    return np.asarray(plain, space.dtype)


def _make(
    cls: Any, note: dict[str, Any], env: Any, custom: dict[str, Any], changed: dict[str, Any]
) -> Any:
    try:
        arguments, n_envs = dict(note["arguments"]), int(note["n_envs"])
        observation, action = (
            _spaces.restore(note[k]) for k in ("observation_space", "action_space")
        )
        policy = note["policy"]
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"the note of the model is damaged: {error!r}") from error
    if (
        "policy_kwargs" in changed
        and _plain(changed["policy_kwargs"]) != arguments["policy_kwargs"]
    ):
        raise ValueError(
            "The specified policy kwargs do not equal the stored policy kwargs."
            f"Stored kwargs: {arguments['policy_kwargs']}, specified kwargs: "
            f"{changed['policy_kwargs']}"
        )
    lost = [
        k for k, v in arguments.items() if _is_function(v) and k not in custom and k not in changed
    ]
    for name in lost:
        del arguments[name]
    if lost:
        warnings.warn(
            f"functions are not read from the file: {', '.join(lost)} has its default again; give "
            f"it as custom_objects={{{lost[0]!r}: ...}}",
            stacklevel=4,
        )
    known = cls.__init__.__annotations__
    arguments.update({k: v for k, v in custom.items() if k in known})
    arguments.update({k: v for k, v in changed.items() if k in cls.__init__.__annotations__})
    unknown = set(changed) - set(cls.__init__.__annotations__)
    if isinstance(arguments.get("train_freq"), list):
        arguments["train_freq"] = tuple(arguments["train_freq"])
    arguments.pop("_init_setup_model", None)
    if env is None:
        model = cls(policy, Spaces(observation, action, n_envs), **arguments)
    else:
        model = cls(policy, env, **arguments)
        wrap.check_spaces(model.env, observation, action)
    for name in unknown:
        setattr(model, name, changed[name])
    return model


def _fill(model: Any, file: File, note: dict[str, Any]) -> None:
    """Copies tensors and counters. With another number of environments, only what was learned."""
    from .base import _STATE

    try:
        seed, same = int(note["seed"]), int(note["n_envs"]) == model.n_envs
        steps, total, episodes = (
            int(note[k]) for k in ("num_timesteps", "total_timesteps", "episodes")
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{file.path}: the note of the model is damaged: {error!r}") from error
    if seed != model._agent_seed and model.seed is None:
        model._agent_seed = seed
        model._replace_agent()
    tensors = file.tensors()
    wanted = {k: v for k, v in model._agent.tensors(*_STATE).items() if not k.startswith("replay.")}
    if not same:  # what belongs to the environments starts anew
        wanted = {k: v for k, v in wanted.items() if k in tensors and v.shape == tensors[k].shape}
    missing = sorted(set(wanted) - set(tensors))
    if missing:
        raise FormatError(f"{file.path} has no tensor {missing[0]!r}")
    try:
        copy_tensors({k: tensors[k] for k in wanted}, wanted, strict=True)
    except ValueError as error:
        raise FormatError(f"{file.path}: {error}") from error
    if not same:
        model._agent.restart()
    model._agent.sync()
    model.num_timesteps, model._total_timesteps, model._episode_num = steps, total, episodes
    model._n_updates = model._agent.updates
    model._agent.plan(max(model._agent.steps + total - steps, 0))


def check_tensors(given: dict[str, Any], own: dict[str, Array], strict: bool) -> None:
    """Raises ValueError where names, shapes or numbers do not fit."""
    missing, unexpected = sorted(set(own) - set(given)), sorted(set(given) - set(own))
    if unexpected:
        raise ValueError(f"there is no tensor {unexpected[0]!r}")
    if strict and missing:
        raise ValueError(f"the tensor {missing[0]!r} is missing ({len(missing)} are)")
    for name, value in given.items():
        array = np.asarray(value)
        if array.shape != own[name].shape:
            raise ValueError(
                f"the tensor {name!r} has shape {array.shape}; it must be {own[name].shape}"
            )
        if array.dtype.kind == "f" and name != "metrics" and not np.isfinite(array).all():
            raise ValueError(f"the tensor {name!r} has a number that is not finite")


def copy_tensors(given: dict[str, Array], own: dict[str, Array], strict: bool) -> None:
    """Copies tensors of the same names and shapes. Checks all before it copies one."""
    check_tensors(given, own, strict)
    for name, value in given.items():
        own[name][...] = value


def parameters(path: Any, model: Any) -> dict[str, dict[str, Array]]:
    """The parameters of a file in the form of get_parameters."""
    own = model.get_parameters()
    with _opened(type(model), path) as (file, _):
        found = {k: v.copy() for k, v in file.tensors().items()}
    groups = {g: {k: found[k] for k in own[g] if k in found} for g in own}
    return {g: tensors for g, tensors in groups.items() if tensors}


def print_info(cls: Any, path: Any) -> None:
    """Prints what is known about the program that wrote a file."""
    with _opened(cls, path) as (file, _):
        print(f"{file.path}: written by Celsius {file.version}, algorithm {file.algo}")
    print(f"This is Celsius {text(lib.cel_version())}, NumPy {np.__version__}")


# ---- arrays.


def save_arrays(path: Any, arrays: dict[str, Array]) -> None:
    """Writes arrays as .npz. Without an ending, the name gets one."""
    if isinstance(path, (str, os.PathLike)):
        name = Path(path)
        name.parent.mkdir(parents=True, exist_ok=True)
        path = name if name.suffix else name.with_name(name.name + ".npz")
        with open(path, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
    else:
        np.savez(path, **arrays)  # type: ignore[arg-type]


def _all(file: Any) -> bytes:
    file.seek(0)
    return bytes(file.read())


def load_arrays(path: Any) -> dict[str, Array]:
    """Reads arrays of `save_arrays`. Executes nothing."""
    if isinstance(path, (str, os.PathLike)):
        name = Path(path)
        longer = name.with_name(name.name + ".npz")
        path = longer if not name.exists() and longer.exists() else name
    source = path if isinstance(path, Path) else io.BytesIO(_all(path))
    try:
        with np.load(source, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except (ValueError, EOFError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise FormatError(f"{path} is not a file of save_replay_buffer: {error}") from error

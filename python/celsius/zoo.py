"""Hyperparameter files of RL Zoo (RL Baselines3 Zoo), read by the library.

    entries = celsius.zoo.read("ppo.yml")
    model = celsius.zoo.make("ppo.yml", "CartPole-v1")
    model.learn(celsius.zoo.settings("ppo.yml", "CartPole-v1").n_timesteps)

Python literals in the files, such as "dict(net_arch=[64, 64])", are parsed and never evaluated.

`register` lets RL Zoo's own scripts train Celsius' classes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from ._native import check, ffi, lib, own, path_bytes, text
from .errors import UnsupportedError

Path = str | os.PathLike[str]

__all__ = ["Settings", "fields", "linear", "make", "read", "register", "settings"]


class _File:
    def __init__(self, path: Path) -> None:
        self.c = own_zoo(path)

    def names(self) -> list[str]:
        found: list[str] = []
        while (name := lib.cel_zoo_entry(self.c, len(found))) != ffi.NULL:
            found.append(text(name))
        return found

    def entry(self, i: int) -> dict[str, Any]:
        out = ffi.new("char **")
        check(lib.cel_zoo_json(self.c, i, out))
        loaded: dict[str, Any] = json.loads(text(out[0]))
        return loaded

    def find(self, name: str) -> int:
        out = ffi.new("int64_t *")
        check(lib.cel_zoo_find(self.c, name.encode(), out))
        return int(out[0])


def own_zoo(path: Path) -> Any:
    """Opens a file; it is closed when the object is collected."""
    out = ffi.new("CelZoo **")
    check(lib.cel_zoo_open(path_bytes(path), out))
    return ffi.gc(out[0], lib.cel_zoo_close)


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Returns all entries of a file by environment, with merges and Python literals resolved.

    Names such as nn.ReLU are texts, tuples lists. Raises FileNotFoundError, ValueError (with the
    line).
    """
    file = _File(path)
    return {name: file.entry(i) for i, name in enumerate(file.names())}


def linear(start: float) -> Callable[[float], float]:
    """Returns a schedule that falls from `start` to 0, as "lin_3e-4" does."""

    def schedule(progress_remaining: float) -> float:
        return progress_remaining * start

    schedule.__name__ = f"lin_{start!r}"
    return schedule


@dataclass
class Settings:
    """An entry, split into what RL Zoo does with it."""

    #: Name of the entry: the environment, or "default".
    entry: str
    #: Environment steps to train; 0 if the entry has none.
    n_timesteps: int
    n_envs: int
    #: Arguments of VecNormalize; None: no normalization.
    normalize: dict[str, Any] | None
    #: Arguments of gymnasium.make.
    env_kwargs: dict[str, Any]
    #: Arguments of the algorithm's class, `policy` included. Schedules are functions; classes of
    #: torch are their names, such as "ReLU".
    arguments: dict[str, Any]
    #: Settings outside the algorithm that you must apply yourself, such as env_wrapper.
    rest: dict[str, Any] = field(default_factory=dict)


_SCHEDULES = ("learning_rate", "clip_range", "clip_range_vf")
_OUTSIDE = ("env_wrapper", "vec_env_wrapper", "callback", "monitor_kwargs", "frame_stack")


def settings(path: Path, env: str, *, entry: str | None = None) -> Settings:
    """Returns the settings of an environment: its entry, or else "default".

    entry: the name of another entry. Raises ValueError if there is none.
    """
    file = _File(path)
    i = file.find(env if entry is None else entry)
    found = file.entry(i)
    normalize = found.pop("normalize", False)
    if normalize is True:
        normalize = {}
    if isinstance(normalize, dict) and "gamma" in found:
        normalize["gamma"] = found["gamma"]
    arguments: dict[str, Any] = {"policy": found.pop("policy", "MlpPolicy")}
    n_timesteps, n_envs = int(found.pop("n_timesteps", 0)), int(found.pop("n_envs", 1))
    env_kwargs = found.pop("env_kwargs", None) or {}
    rest: dict[str, Any] = {key: found.pop(key) for key in _OUTSIDE if key in found}
    noise = {str(key): found.pop(key) for key in ("noise_type", "noise_std") if key in found}
    if noise.get("noise_type"):
        rest.update(noise)
    for key, value in found.items():
        if key in _SCHEDULES and isinstance(value, str):
            value = linear(float(value.rpartition("_")[2]))
        elif key == "train_freq" and isinstance(value, list):
            value = tuple(value)
        elif key == "policy_kwargs" and isinstance(value, dict):
            for name in ("activation_fn", "optimizer_class", "features_extractor_class"):
                if isinstance(value.get(name), str):
                    value[name] = value[name].rpartition(".")[2]
        arguments[key] = value
    rest = {key: value for key, value in rest.items() if value not in (None, [], {})}
    return Settings(
        file.names()[i], n_timesteps, n_envs, normalize if isinstance(normalize, dict) else None,
        env_kwargs, arguments, rest,
    )  # fmt: skip


def fields(
    path: Path, env: str, *, algo: str | None = None, entry: str | None = None
) -> dict[str, str]:
    """Returns every field of a run of the command with this file, as text by name.

    env: an environment of the library. algo: "ppo"; None: the file's name. This is what
    `celsius train --zoo FILE --env ID` uses. Raises ValueError for a setting without a counterpart.
    """
    name = algo or PurePath(path).name.split(".")[0]
    setup = own(lib.cel_setup_create, lib.cel_setup_destroy, name.encode(), env.encode())
    file = _File(path)
    check(lib.cel_zoo_apply(file.c, file.find(env if entry is None else entry), setup))
    from ._fields import rows

    names = [
        (row.name, "") for table in (lib.cel_run_fields(), setup.algo.fields) for row in rows(table)
    ]
    names += [(row.name, "env.") for row in rows(setup.env_fields)]
    found = {}
    for row_name, prefix in names:
        full = (prefix + row_name).encode()
        size = lib.cel_setup_get(setup, full, ffi.NULL, 0)
        out = ffi.new("char[]", size + 1)
        lib.cel_setup_get(setup, full, out, size + 1)
        found[prefix + row_name] = text(out)
    return found


def make(
    path: Path, env: str, *, algo: str | None = None, entry: str | None = None, **arguments: Any
) -> Any:
    """Creates a model with the settings of an environment, as RL Zoo does.

    algo: "ppo"; None: the file's name. entry: another entry of the file. arguments: of the
    algorithm's class; they win over the file. Raises ValueError for a setting without a
    counterpart, such as env_wrapper.
    """
    import celsius

    name = algo or PurePath(path).name.split(".")[0]
    kinds = {kind.ALGO: kind for kind in vars(celsius).values() if getattr(kind, "ALGO", "")}
    if name not in kinds:
        raise ValueError(
            f"{name} is not an algorithm; give algo=, one of {', '.join(sorted(kinds))}"
        )
    found = settings(path, env, entry=entry)
    if found.rest:
        raise UnsupportedError(
            f"{os.fspath(path)}: {found.entry}: {next(iter(found.rest))} is not supported; apply "
            "it yourself with `celsius.zoo.settings`"
        )
    merged = {**found.arguments, **arguments}
    policy = merged.pop("policy")
    if found.normalize is not None:
        merged = {**_normalization(found), **merged}
    return kinds[name](policy, _environment(env, found), **merged)


def register(*names: str) -> None:
    """Points RL Zoo's table of algorithms at Celsius' classes, for its train and enjoy scripts.

    names: entries of the table, such as "ppo"; none: a2c, ppo, sac and trpo. Models of these
    classes are saved as NAME.zip, where RL Zoo looks for them. They remain safetensors files.
    Raises ImportError without rl_zoo3.
    """
    import rl_zoo3  # type: ignore[import-not-found, unused-ignore]

    from .sb3 import classes

    ours = {name.lower(): kind for name, kind in classes().items()}
    for name in names or tuple(ours):
        if name not in ours:
            raise ValueError(f"{name} is not one of {', '.join(ours)}")
        rl_zoo3.ALGOS[name] = ours[name]


def _normalization(found: Settings) -> dict[str, Any]:
    """Returns the library's fields for the arguments of VecNormalize."""
    names = {
        "norm_obs": "normalize_observation", "norm_reward": "normalize_reward",
        "clip_obs": "clip_observation", "clip_reward": "clip_reward",
    }  # fmt: skip
    given: dict[str, Any] = {"norm_obs": True, "norm_reward": True, **(found.normalize or {})}
    out: dict[str, Any] = {}
    for key, value in given.items():
        if key in names:
            out[names[key]] = value
        elif key == "gamma":
            gamma = found.arguments.get("gamma", 0.99)
            if value != gamma:
                raise UnsupportedError(
                    "returns are normalized with the discount of the algorithm, "
                    f"{gamma}, not {value}"
                )
        elif (key, value) not in (("epsilon", 1e-8), ("training", True)):
            raise UnsupportedError(f"normalize: {key}={value!r} has no counterpart in Celsius")
    return out


def _environment(env: str, found: Settings) -> Any:
    """Returns what a learner takes: the id alone where it says everything."""
    if found.n_envs == 1 and not found.env_kwargs:
        return env
    from .vec_env import make_vec_env

    return make_vec_env(env, n_envs=found.n_envs, env_kwargs=found.env_kwargs or None)

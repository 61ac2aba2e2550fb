"""Whatever a learner takes as `env`, as a VecEnv."""

from __future__ import annotations

import sys
from typing import Any

import gymnasium as gym
from gymnasium import spaces
from gymnasium.vector import VectorEnv

from . import native_env
from .gym_vec_env import GymVecEnv
from .vec_env import SerialVecEnv, VecEnv, is_wrapped, register


def is_vec_env(env: Any) -> bool:
    """Whether an object has Stable-Baselines3's interface of a VecEnv."""
    return isinstance(env, VecEnv) or all(
        hasattr(env, name) for name in ("num_envs", "step_async", "step_wait", "env_is_wrapped")
    )


def _has_native(env_id: str) -> bool:
    """Whether Celsius has the environment in C, with the spaces that Gymnasium's has."""
    if not native_env.type_of(env_id):
        return False
    if env_id not in gym.registry:
        return True
    env = gym.make(env_id)
    spec = native_env.Spec(env_id)
    same = all(
        type(ours) is type(theirs) and ours.shape == theirs.shape
        for ours, theirs in (
            (spec.observation_space, env.observation_space),
            (spec.action_space, env.action_space),
        )
    )
    env.close()
    return same


def from_id(env_id: str, native: bool | None, seed: int, verbose: int) -> Any:
    """Makes the environment of an id: the one in C if there is one, unless native is False."""
    if native is not False and _has_native(env_id):
        if verbose >= 1:
            print(f"Using Celsius' own {env_id}, in C; native=False takes Gymnasium's")
        return native_env.NativeVecEnv(env_id, 1, seed)
    if native:
        raise ValueError(
            f"native=True, but Celsius has no environment {env_id!r} in C; it has "
            f"{', '.join(native_env.ids())}"
        )
    if verbose >= 1:
        print(f"Creating environment from the given name '{env_id}'")
    try:
        return gym.make(env_id, render_mode="rgb_array")
    except TypeError:
        return gym.make(env_id)


def as_vec_env(env: Any, verbose: int = 0, monitor: bool = True) -> Any:
    """Returns a VecEnv. A single environment is wrapped, and its episodes are recorded."""
    register()
    if is_vec_env(env):
        _refuse_nested(env.observation_space)
        return env
    if isinstance(env, VectorEnv):
        return GymVecEnv(env)
    if isinstance(env, gym.Env):
        _refuse_nested(env.observation_space)
        if verbose >= 1:
            print("Wrapping the env with a `Monitor` wrapper" if monitor else "", end="\n")
            print("Wrapping the env in a DummyVecEnv.")
        return SerialVecEnv([lambda: env], monitor=monitor and not _records(env))
    raise TypeError(
        f"env is a {type(env).__name__}; use an id, a Gymnasium environment or vector "
        "environment, or "
        "a VecEnv of Stable-Baselines3"
    )


def _records(env: gym.Env[Any, Any]) -> bool:
    sb3 = sys.modules.get("stable_baselines3.common.monitor")
    return is_wrapped(env, gym.wrappers.RecordEpisodeStatistics) or (
        sb3 is not None and is_wrapped(env, sb3.Monitor)
    )


def _refuse_nested(space: spaces.Space[Any]) -> None:
    parts = (
        space.spaces.values()
        if isinstance(space, spaces.Dict)
        else space.spaces
        if isinstance(space, spaces.Tuple)
        else ()
    )
    if any(isinstance(part, (spaces.Dict, spaces.Tuple)) for part in parts):
        raise NotImplementedError(
            "Nested observation spaces are not supported (Tuple/Dict space inside Tuple/Dict "
            "space)."
        )


def vec_normalize_of(env: Any) -> Any:
    """The VecNormalize of Stable-Baselines3 around an environment, or None."""
    while env is not None:
        if type(env).__name__ == "VecNormalize":
            return env
        env = getattr(env, "venv", None)
    return None


def check_spaces(env: Any, observation: spaces.Space[Any], action: spaces.Space[Any]) -> None:
    """Raises ValueError where an environment has other spaces than the model."""
    if observation != env.observation_space:
        raise ValueError(
            f"Observation spaces do not match: {observation} != {env.observation_space}"
        )
    if action != env.action_space:
        raise ValueError(f"Action spaces do not match: {action} != {env.action_space}")

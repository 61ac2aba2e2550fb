"""Environments that step together, with Stable-Baselines3's interface of a VecEnv.

A learner takes any of these: a Gymnasium environment, a Gymnasium vector environment, a VecEnv of
Stable-Baselines3, an id. `make_vec_env` makes several copies of one environment.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import create_empty_array
from numpy.typing import NDArray

from .errors import UnsupportedError

Array = NDArray[Any]
Indices = None | int | Iterable[int]


class VecEnv:
    """Base of the package's vector environments.

    `step(actions)` returns observations, rewards (N,) float32, dones (N,) and infos. An environment
    whose episode ended is reset at once: its observation is the first one of the next episode, and
    its info has "terminal_observation" and "TimeLimit.truncated".
    """

    def __init__(
        self, num_envs: int, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]
    ) -> None:
        self.num_envs = num_envs
        self.observation_space, self.action_space = observation_space, action_space
        self.metadata: dict[str, Any] = {}
        self.render_mode: str | None = None
        self.reset_infos: list[dict[str, Any]] = [{} for _ in range(num_envs)]
        self._seeds: list[int | None] = [None] * num_envs
        self._options: list[dict[str, Any]] = [{} for _ in range(num_envs)]
        self._actions: Any = None
        register()

    # ---- what a subclass defines.

    def reset(self) -> Any:
        raise NotImplementedError

    def step(self, actions: Any) -> tuple[Any, Array, Array, list[dict[str, Any]]]:
        raise NotImplementedError

    def close(self) -> None:
        """Closes all environments."""

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        raise NotImplementedError

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        raise NotImplementedError

    def env_method(
        self, method_name: str, *args: Any, indices: Indices = None, **kwargs: Any
    ) -> list[Any]:
        raise NotImplementedError

    def env_is_wrapped(self, wrapper_class: type, indices: Indices = None) -> list[bool]:
        return [False for _ in self._chosen(indices)]

    # ---- the same for all.

    def step_async(self, actions: Any) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[Any, Array, Array, list[dict[str, Any]]]:
        return self.step(self._actions)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Sets the seeds of the next reset: environment i gets seed + i."""
        if seed is None:
            seed = int(np.random.randint(0, np.iinfo(np.uint32).max, dtype=np.uint32))
        self._seeds = [seed + i for i in range(self.num_envs)]
        return self._seeds

    def set_options(self, options: list[dict[str, Any]] | dict[str, Any] | None = None) -> None:
        """Sets the options of the next reset."""
        if isinstance(options, list):
            self._options = options
        else:
            self._options = [dict(options or {}) for _ in range(self.num_envs)]

    def has_attr(self, attr_name: str) -> bool:
        try:
            self.get_attr(attr_name)
        except AttributeError:
            return False
        return True

    def get_images(self) -> Sequence[Array | None]:
        return [None] * self.num_envs

    def render(self, mode: str | None = None) -> Array | None:
        """Returns the picture of the first environment that has one."""
        images = [image for image in self.get_images() if image is not None]
        return images[0] if images else None

    def getattr_depth_check(self, name: str, already_found: bool) -> str | None:
        """For wrappers of Stable-Baselines3: whether they hide an attribute of this object."""
        return f"{type(self).__module__}.{type(self).__name__}" if already_found and hasattr(
            self, name) else None  # fmt: skip

    @property
    def unwrapped(self) -> VecEnv:
        return self

    def _chosen(self, indices: Indices) -> list[int]:
        if indices is None:
            return list(range(self.num_envs))
        return [indices] if isinstance(indices, int) else list(indices)

    def __repr__(self) -> str:
        name, spaces = type(self).__name__, f"{self.observation_space}, {self.action_space}"
        return f"<{name} of {self.num_envs}: {spaces}>"

    def __enter__(self) -> VecEnv:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def register() -> None:
    """Lets Stable-Baselines3, where the program uses it, treat these objects as its VecEnv."""
    sb3 = sys.modules.get("stable_baselines3.common.vec_env.base_vec_env")
    if sb3 is not None:
        sb3.VecEnv.register(VecEnv)


class Stack:
    """Observations of N environments in one array, or in a dict or tuple of arrays."""

    def __init__(self, space: spaces.Space[Any], n: int) -> None:
        self.space = space
        self.plain = isinstance(space, spaces.Box)
        self.rows: Any = create_empty_array(space, n)

    def set(self, i: int, obs: Any) -> None:
        if isinstance(self.rows, dict):
            for key, rows in self.rows.items():
                rows[i] = obs[key]
        elif isinstance(self.rows, tuple):
            for rows, part in zip(self.rows, obs, strict=True):
                rows[i] = part
        else:
            self.rows[i] = obs

    def copy(self) -> Any:
        if isinstance(self.rows, dict):
            return {key: rows.copy() for key, rows in self.rows.items()}
        if isinstance(self.rows, tuple):
            return tuple(rows.copy() for rows in self.rows)
        return self.rows.copy()


class Episodes:
    """Returns and lengths of running episodes, for the key "episode" of infos."""

    def __init__(self, n: int) -> None:
        self.start, self.returns, self.lengths = time.time(), [0.0] * n, [0] * n

    def restart(self, i: int) -> None:
        self.returns[i], self.lengths[i] = 0.0, 0

    def add(self, i: int, reward: float) -> None:
        self.returns[i] += reward
        self.lengths[i] += 1

    def add_all(self, rewards: Any) -> None:
        """Adds a step of every environment. rewards (N,)."""
        for i, reward in enumerate(np.asarray(rewards, np.float64).tolist()):
            self.returns[i] += reward
            self.lengths[i] += 1

    def end(self, i: int, info: dict[str, Any]) -> None:
        if "episode" not in info:
            info["episode"] = {
                "r": round(self.returns[i], 6), "l": self.lengths[i],
                "t": round(time.time() - self.start, 6),
            }  # fmt: skip


class SerialVecEnv(VecEnv):
    """Several Gymnasium environments, one after another in this process."""

    def __init__(
        self, env_fns: Sequence[Callable[[], gym.Env[Any, Any]]], monitor: bool = True
    ) -> None:
        self.envs = [fn() for fn in env_fns]
        if len({id(env.unwrapped) for env in self.envs}) != len(self.envs):
            raise ValueError(
                "You tried to create multiple environments, but the function to create them "
                "returned "
                "the same instance instead of creating different objects. You are probably using "
                "`make_vec_env(lambda: env)` or `DummyVecEnv([lambda: env] * n_envs)`. You should "
                "replace `lambda: env` by a `make_env` function that creates a new instance of the "
                "environment at every call (using `gym.make()` for instance)."
            )
        first = self.envs[0]
        super().__init__(len(self.envs), first.observation_space, first.action_space)
        self.metadata, self.render_mode = dict(first.metadata), first.render_mode
        self._obs = Stack(self.observation_space, self.num_envs)
        self._rewards = np.zeros(self.num_envs, np.float32)
        self._dones = np.zeros(self.num_envs, bool)
        self.episodes = Episodes(self.num_envs) if monitor else None

    def reset(self) -> Any:
        for i, env in enumerate(self.envs):
            more: dict[str, Any] = {"options": self._options[i]} if self._options[i] else {}
            obs, self.reset_infos[i] = env.reset(seed=self._seeds[i], **more)
            self._obs.set(i, obs)
            if self.episodes:
                self.episodes.restart(i)
        self._seeds = [None] * self.num_envs
        self._options = [{} for _ in self.envs]
        return self._obs.copy()

    def step(self, actions: Any) -> tuple[Any, Array, Array, list[dict[str, Any]]]:
        infos, episodes = [], self.episodes
        for i, env in enumerate(self.envs):
            obs, reward, terminated, truncated, info = env.step(actions[i])
            done = bool(terminated or truncated)
            self._rewards[i], self._dones[i] = reward, done
            if episodes:
                episodes.add(i, float(reward))
            info["TimeLimit.truncated"] = bool(truncated and not terminated)
            if done:
                info["terminal_observation"] = deepcopy(obs)  # reset may change the same array
                if episodes:
                    episodes.end(i, info)
                    episodes.restart(i)
                obs, self.reset_infos[i] = env.reset()
            self._obs.set(i, obs)
            infos.append(info)
        return self._obs.copy(), self._rewards.copy(), self._dones.copy(), infos

    def set_observation(self, i: int, obs: Any) -> None:
        """Replaces the last observation of an environment that the caller stepped itself."""
        self._obs.set(i, obs)

    def observations(self) -> Any:
        """The last observations."""
        return self._obs.copy()

    def close(self) -> None:
        for env in self.envs:
            env.close()

    def get_images(self) -> Sequence[Array | None]:
        if self.render_mode != "rgb_array":
            return [None] * self.num_envs
        return [np.asarray(env.render()) for env in self.envs]

    def render(self, mode: str | None = None) -> Array | None:
        if self.render_mode == "rgb_array":
            return super().render(mode)
        for env in self.envs:
            env.render()
        return None

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        return [self.envs[i].get_wrapper_attr(attr_name) for i in self._chosen(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        for i in self._chosen(indices):
            self.envs[i].set_wrapper_attr(attr_name, value)

    def env_method(
        self, method_name: str, *args: Any, indices: Indices = None, **kwargs: Any
    ) -> list[Any]:
        return [
            self.envs[i].get_wrapper_attr(method_name)(*args, **kwargs)
            for i in self._chosen(indices)
        ]

    def env_is_wrapped(self, wrapper_class: type, indices: Indices = None) -> list[bool]:
        return [is_wrapped(self.envs[i], wrapper_class) or (
            self.episodes is not None and wrapper_class.__name__ == "Monitor"
        ) for i in self._chosen(indices)]  # fmt: skip


def is_wrapped(env: Any, wrapper_class: type) -> bool:
    """Whether one of the wrappers around an environment is of this class."""
    while isinstance(env, gym.Wrapper):
        if isinstance(env, wrapper_class):
            return True
        env = env.env
    return False


def make_vec_env(
    env_id: str | Callable[..., gym.Env[Any, Any]],
    n_envs: int = 1,
    seed: int | None = None,
    start_index: int = 0,
    monitor_dir: str | None = None,
    wrapper_class: Callable[[gym.Env[Any, Any]], gym.Env[Any, Any]] | None = None,
    env_kwargs: dict[str, Any] | None = None,
    vec_env_cls: Callable[..., Any] | None = None,
    vec_env_kwargs: dict[str, Any] | None = None,
    monitor_kwargs: dict[str, Any] | None = None,
    wrapper_kwargs: dict[str, Any] | None = None,
) -> Any:
    """Makes n_envs copies of an environment. Arguments as in Stable-Baselines3.

    Celsius records returns and lengths of episodes itself, so it has no monitor files.
    `vec_env_cls` may be a class of Stable-Baselines3.
    """
    if monitor_dir is not None or monitor_kwargs:
        raise UnsupportedError(
            "make_vec_env writes no monitor files; use "
            "stable_baselines3.common.env_util.make_vec_env, "
            "whose result a learner takes as well"
        )
    kwargs = dict(env_kwargs or {})

    def make(rank: int) -> Callable[[], gym.Env[Any, Any]]:
        def one() -> gym.Env[Any, Any]:
            if isinstance(env_id, str):
                options = {"render_mode": "rgb_array", **kwargs}
                try:
                    env = gym.make(env_id, **options)
                except TypeError:
                    env = gym.make(env_id, **kwargs)
            else:
                env = env_id(**kwargs)
            if seed is not None:
                env.action_space.seed(seed + rank)
            return wrapper_class(env, **(wrapper_kwargs or {})) if wrapper_class else env

        return one

    cls = vec_env_cls or SerialVecEnv
    vec = cls([make(i + start_index) for i in range(n_envs)], **(vec_env_kwargs or {}))
    vec.seed(seed)
    return vec

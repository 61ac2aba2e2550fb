"""The environments that Celsius has in C: as a VecEnv for learners, and in Gymnasium's registry.

`gymnasium.make("Celsius/MultiGoal-v0")` makes one environment, `gymnasium.make_vec` several.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ._fields import Config, rows
from ._native import DTYPES, array_view, check, ffi, lib, own, path_bytes, pointer, text
from ._spaces import Actions
from .errors import UnsupportedError
from .vec_env import Indices, VecEnv

Array = NDArray[Any]


def type_of(env_id: str) -> Any:
    """The library's environment type of an id (NULL: none)."""
    i = 0
    while kind := lib.cel_env_type_at(i):
        if text(kind.id) == env_id:
            return kind
        i += 1
    return ffi.NULL


def ids() -> list[str]:
    """The ids of the environments that Celsius has in C."""
    found, i = [], 0
    while kind := lib.cel_env_type_at(i):
        found.append(text(kind.id))
        i += 1
    return found


def gym_space(space: Any) -> spaces.Space[Any]:
    """The Gymnasium space of a CelSpace of one part."""
    part = space.part[0]
    shape = tuple(part.shape[d] for d in range(part.ndim))
    if part.kind == lib.CEL_DISCRETE:
        return spaces.Discrete(part.n)
    n = min(part.size, lib.CEL_SPACE_BOUNDS_MAX)
    low, high = (np.array([bound[i] for i in range(n)]) for bound in (part.low, part.high))
    if part.kind == lib.CEL_MULTI_DISCRETE:
        return spaces.MultiDiscrete(high.astype(np.int64))
    if part.kind == lib.CEL_MULTI_BINARY:
        return spaces.MultiBinary(part.size)
    if part.size > n:
        low, high = np.full(part.size, low[0]), np.full(part.size, high[0])
    kind = DTYPES[part.type]
    return spaces.Box(
        low.reshape(shape).astype(kind), high.reshape(shape).astype(kind), shape, kind
    )


class Spec:
    """An environment of the library with its arguments: CelEnvSpec."""

    def __init__(self, env_id: str, **arguments: Any) -> None:
        kind = type_of(env_id)
        if not kind:
            out = ffi.new("CelEnvType **")
            check(lib.cel_env_find(env_id.encode(), out))  # a plug-in, or the error
            kind = out[0]
        self.id, self.type, self.arguments = env_id, kind, arguments
        self.config = Config.of_size(kind.fields, kind.config_size) if kind.fields else None
        options = ffi.new("CelEnvOptions *")
        own_options = Config(lib.cel_env_option_fields(), options)
        for name, value in arguments.items():
            target = own_options if name in own_options else self.config
            if target is None:
                raise TypeError(f"{env_id} has no argument {name!r}")
            target.set(name, value)
        self.c = own(
            lib.cel_env_spec_create, lib.cel_env_spec_destroy, env_id.encode(),
            self.config.data if self.config else ffi.NULL, options,
        )  # fmt: skip
        self.observation_space = gym_space(self.c.observation)
        self.action_space = gym_space(self.c.action)

    def picture(self, state: Array, size: int = 400) -> Array:
        """Draws a state as (size, size, 3) bytes."""
        try:
            from matplotlib.image import imread
        except ImportError as error:
            raise UnsupportedError(
                "pictures of native environments as arrays need matplotlib: pip install matplotlib"
            ) from error
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "state.png")
            check(lib.cel_render_png(path_bytes(path), self.c, pointer(state), size))
            image = np.asarray(imread(path))[..., :3]
        return (image * 255).round().astype(np.uint8)


class NativeVecEnv(VecEnv):
    """N environments in C: CelVecEnv. `celsius.SAC(..., "Pendulum-v1").learn` runs on it in C."""

    def __init__(self, env_id: str, num_envs: int = 1, seed: int = 0, **arguments: Any) -> None:
        self.spec = Spec(env_id, **arguments)
        super().__init__(num_envs, self.spec.observation_space, self.spec.action_space)
        self.metadata, self.render_mode = {"render_modes": ["rgb_array"]}, "rgb_array"
        self.codec = Actions(self.action_space)
        self._make(seed)

    def _make(self, seed: int) -> None:
        n, spec = self.num_envs, self.spec
        self._tensors = own(lib.cel_tensors_create, lib.cel_tensors_destroy)
        self.c = ffi.new("CelVecEnv *")
        check(lib.cel_vecenv_declare(
            self.c, self._tensors, b"env", spec.c, n, seed, lib.CEL_RNG_ENV, 0))  # fmt: skip
        check(lib.cel_tensors_allocate(self._tensors))
        self.started = False
        c, part = self.c, spec.c.observation.part[0]
        shape = (n, *(part.shape[d] for d in range(part.ndim)))
        if part.kind == lib.CEL_DISCRETE:
            shape = (n,)

        def view(address: Any, shape: tuple[int, ...], dtype: Any, writable: bool = False) -> Array:
            return array_view(address, shape, dtype, self._tensors, writable)

        self._obs = view(c.obs, shape, DTYPES[part.type])
        self._final = view(c.final_obs, shape, DTYPES[part.type])
        self._reward = view(c.reward, (n,), np.float32)
        self._terminated = view(c.terminated, (n,), np.uint8)
        self._truncated = view(c.truncated, (n,), np.uint8)
        self._return = view(c.final_return, (n,), np.float64)
        self._length = view(c.final_length, (n,), np.int64)
        self._elapsed = view(c.elapsed, (n,), np.int64)
        self.states = view(c.states, (n, spec.c.state_size), np.float64, True)
        self._actions_in = self.codec.rows(n)
        self._address = pointer(self._actions_in)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Sets the seed of all environments. Environment i draws from stream i of it."""
        found = super().seed(seed)
        self._make(int(found[0] or 0))
        return found

    def reset(self) -> Any:
        check(lib.cel_vecenv_reset(self.c))
        self.started = True
        return self._obs.copy()

    @property
    def observations(self) -> Array:
        """The observations to act on next; memory of the library."""
        return self._obs

    def step(self, actions: Any) -> tuple[Any, Array, Array, list[dict[str, Any]]]:
        self.codec.write(self._actions_in, actions)
        check(lib.cel_vecenv_step(self.c, self._address, 0, self.num_envs))
        terminated, truncated = self._terminated.view(bool), self._truncated.view(bool)
        dones = terminated | truncated
        infos: list[dict[str, Any]] = [{"TimeLimit.truncated": False} for _ in range(self.num_envs)]
        if dones.any():
            for i in np.flatnonzero(dones):
                infos[i] = {
                    "TimeLimit.truncated": bool(truncated[i] and not terminated[i]),
                    "terminal_observation": self._final[i].copy(),
                    "episode": {"r": float(self._return[i]), "l": int(self._length[i]), "t": 0.0},
                }
        return self._obs.copy(), self._reward.copy(), dones, infos

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        return [getattr(self, attr_name) for _ in self._chosen(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        raise UnsupportedError(f"an environment in C has no attribute {attr_name!r} to set")

    def env_method(
        self, method_name: str, *args: Any, indices: Indices = None, **kwargs: Any
    ) -> list[Any]:
        raise UnsupportedError(f"an environment in C has no method {method_name!r}")

    def env_is_wrapped(self, wrapper_class: type, indices: Indices = None) -> list[bool]:
        return [wrapper_class.__name__ == "Monitor" for _ in self._chosen(indices)]

    def get_images(self) -> Sequence[Array | None]:
        return [self.spec.picture(np.ascontiguousarray(state)) for state in self.states]

    def __getstate__(self) -> dict[str, Any]:
        return {"id": self.spec.id, "n": self.num_envs, "arguments": self.spec.arguments}

    def __setstate__(self, state: dict[str, Any]) -> None:
        NativeVecEnv.__init__(self, state["id"], state["n"], **state["arguments"])


class NativeEnv(gym.Env[Any, Any]):
    """One environment in C for Gymnasium."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 25}

    def __init__(self, env_id: str, render_mode: str | None = None, **arguments: Any) -> None:
        # Gymnasium's registry has the time limit, so the environment itself has none.
        self._vec = NativeVecEnv(env_id, 1, 0, max_episode_steps=0, **arguments)
        self.observation_space = self._vec.observation_space
        self.action_space = self._vec.action_space
        self.render_mode = render_mode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        if seed is not None or not self._vec.started:
            self._vec.seed(seed if seed is not None else int(self.np_random.integers(2**31)))
        return self._row(self._vec.reset()[0]), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs, reward, done, infos = self._vec.step(np.asarray(action)[None])
        last = infos[0]["terminal_observation"] if done[0] else obs[0]
        return self._row(last), float(reward[0]), bool(done[0]), False, {}

    def _row(self, obs: Any) -> Any:
        return int(obs) if isinstance(self.observation_space, spaces.Discrete) else obs

    def render(self) -> Any:
        if self.render_mode != "rgb_array":
            return None
        return self._vec.get_images()[0]


class NativeVectorEnv(VectorEnv[Any, Any, Any]):
    """N environments in C for gymnasium.make_vec, with autoreset in the same step."""

    def __init__(
        self, env_id: str, num_envs: int = 1, max_episode_steps: int = -1,
        render_mode: str | None = None, **arguments: Any,
    ) -> None:  # fmt: skip
        self._vec = NativeVecEnv(
            env_id, num_envs, 0, max_episode_steps=max_episode_steps, **arguments
        )
        self.num_envs, self.render_mode = num_envs, render_mode
        self.metadata = {"render_modes": ["rgb_array"], "autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_observation_space = self._vec.observation_space
        self.single_action_space = self._vec.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed if isinstance(seed, int) else None)
        if isinstance(seed, list):
            seed = seed[0]
        if seed is not None or not self._vec.started:
            self._vec.seed(seed if seed is not None else int(self.np_random.integers(2**31)))
        return self._vec.reset(), {}

    def step(self, actions: Any) -> tuple[Any, Array, Array, Array, dict[str, Any]]:
        obs, rewards, dones, infos = self._vec.step(np.asarray(actions))
        truncated = np.array([info["TimeLimit.truncated"] for info in infos])
        more: dict[str, Any] = {}
        if dones.any():
            final = np.full(self.num_envs, None, object)
            for i in np.flatnonzero(dones):
                final[i] = infos[i]["terminal_observation"]
            more = {"final_obs": final, "_final_obs": dones}
        return obs, rewards, dones & ~truncated, truncated, more

    def render(self) -> Any:
        return tuple(self._vec.get_images()) if self.render_mode == "rgb_array" else None


def register_all() -> None:
    """Puts the library's environments into Gymnasium's registry, under "Celsius/"."""
    i = 0
    while kind := lib.cel_env_type_at(i):
        i += 1
        own_id, threshold = text(kind.id), kind.reward_threshold
        name = "Celsius/" + (own_id if "-v" in own_id else own_id + "-v0")
        gym.register(
            name,
            entry_point="celsius.native_env:NativeEnv",
            vector_entry_point="celsius.native_env:NativeVectorEnv",
            max_episode_steps=kind.max_episode_steps or None,
            reward_threshold=None if np.isnan(threshold) else threshold,
            kwargs={"env_id": own_id},
        )


def arguments_of(env_id: str) -> list[str]:
    """The names of the arguments of an environment."""
    return [row.name for row in rows(type_of(env_id).fields)] + [
        row.name for row in rows(lib.cel_env_option_fields())
    ]

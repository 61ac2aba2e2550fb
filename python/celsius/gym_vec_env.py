"""Gymnasium's vector environments as the package's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import iterate

from .errors import UnsupportedError
from .vec_env import Array, Episodes, Indices, VecEnv


class GymVecEnv(VecEnv):
    """A Gymnasium vector environment with any autoreset mode."""

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self.env = env
        self.metadata, self.render_mode = dict(env.metadata), env.render_mode
        self.mode = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        if self.mode != AutoresetMode.SAME_STEP and not isinstance(
            env.unwrapped, (SyncVectorEnv, AsyncVectorEnv)
        ):
            raise UnsupportedError(
                f"{env} resets an environment in the step after its episode ended, and cannot "
                "reset "
                "single environments; make it with gymnasium.make_vec(id, n, "
                'vectorization_mode="sync") or with autoreset_mode SAME_STEP'
            )
        self.episodes = Episodes(self.num_envs)

    def reset(self) -> Any:
        known = all(seed is not None for seed in self._seeds)
        obs, infos = self.env.reset(
            seed=self._seeds if known else None,  # type: ignore[arg-type]
            options=self._options[0] or None,
        )
        self.reset_infos = self._split(infos)
        self._seeds = [None] * self.num_envs
        self._options = [{} for _ in range(self.num_envs)]
        for i in range(self.num_envs):
            self.episodes.restart(i)
        return obs

    def _split(self, infos: dict[str, Any]) -> list[dict[str, Any]]:
        """One info for each environment, from arrays with masks."""
        rows: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for key, values in infos.items():
            if key.startswith("_") or isinstance(values, dict):
                continue
            mask = infos.get("_" + key)
            for i in range(self.num_envs):
                if mask is None or mask[i]:
                    rows[i][key] = values[i]
        return rows

    def step(self, actions: Any) -> tuple[Any, Array, Array, list[dict[str, Any]]]:
        return self.outcome(*self.env.step(np.asarray(actions)))

    def outcome(
        self, obs: Any, rewards: Any, terminated: Any, truncated: Any, more: dict[str, Any]
    ) -> tuple[Any, Array, Array, list[dict[str, Any]]]:
        """What `step` returns, from what the Gymnasium environment returned."""
        dones = np.logical_or(terminated, truncated)
        infos = self._split(more)
        final = self._final(obs, dones, more) if dones.any() else None
        if final is not None and self.mode != AutoresetMode.SAME_STEP:
            obs, again = self.env.reset(options={"reset_mask": dones})
            split = self._split(again)
        self.episodes.add_all(rewards)
        for i in range(self.num_envs):
            infos[i]["TimeLimit.truncated"] = bool(truncated[i] and not terminated[i])
            if final is None or not dones[i]:
                continue
            infos[i]["terminal_observation"] = final[i]
            infos[i].pop("final_obs", None)
            self.episodes.end(i, infos[i])
            self.episodes.restart(i)
            if self.mode != AutoresetMode.SAME_STEP:
                self.reset_infos[i] = split[i]
        return obs, np.asarray(rewards, np.float32), dones, infos

    def _final(self, obs: Any, dones: Array, more: dict[str, Any]) -> list[Any]:
        """The last observations of the episodes that ended; None for the others."""
        if self.mode != AutoresetMode.SAME_STEP:
            rows = list(iterate(self.env.observation_space, obs))
            return [_copy(rows[i]) if done else None for i, done in enumerate(dones)]
        final = more["final_obs"]
        if isinstance(final, np.ndarray) and final.dtype == object:
            return list(final)
        rows = list(iterate(self.env.observation_space, final))
        return [rows[i] if done else None for i, done in enumerate(dones)]

    def close(self) -> None:
        self.env.close()

    def get_images(self) -> Sequence[Array | None]:
        images: Any = self.env.render()
        return [*images] if images is not None else [None] * self.num_envs

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        values = self.env.get_attr(attr_name) if hasattr(self.env, "get_attr") else (
            getattr(self.env, attr_name),) * self.num_envs  # fmt: skip
        return [values[i] for i in self._chosen(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        if indices is not None:
            raise UnsupportedError(
                "a Gymnasium vector environment sets attributes of all environments"
            )
        self.env.set_attr(attr_name, value)  # type: ignore[attr-defined]

    def env_method(
        self, method_name: str, *args: Any, indices: Indices = None, **kwargs: Any
    ) -> list[Any]:
        values = self.env.call(method_name, *args, **kwargs)  # type: ignore[attr-defined]
        return [values[i] for i in self._chosen(indices)]

    def env_is_wrapped(self, wrapper_class: type, indices: Indices = None) -> list[bool]:
        return [wrapper_class.__name__ == "Monitor" for _ in self._chosen(indices)]


def _copy(obs: Any) -> Any:
    if isinstance(obs, dict):
        return {key: np.copy(value) for key, value in obs.items()}
    if isinstance(obs, tuple):
        return tuple(np.copy(value) for value in obs)
    return np.copy(obs)

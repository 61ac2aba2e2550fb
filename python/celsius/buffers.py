"""What an agent has stored, as arrays: `model.replay_buffer` and `model.rollout_buffer`."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ._agent import Agent
from ._native import check, contiguous, ffi, lib, pointer

Array = NDArray[Any]


class ReplayBuffer:
    """The replay buffer of an off-policy learner, a view that reads the agent's memory.

    The arrays have the shapes of Stable-Baselines3's, (size, N, ...), oldest first, and are copies.
    Observations are the networks' inputs (float32); actions are as stored, scaled to [-1, 1].
    """

    def __init__(
        self, agent: Agent, buffer_size: int, n_steps: int = 1, device: Any = "cpu"
    ) -> None:  # fmt: skip
        register()
        self._agent = agent
        self.buffer_size, self.n_envs = max(buffer_size // agent.n_envs, 1), agent.n_envs
        self.n_steps, self.device = n_steps, device
        self.gamma = float(agent.config.get("gamma"))
        self.observation_space = agent.observations.space
        self.action_space = agent.action_codec.space

    def _arrays(self, n: int) -> dict[str, Array]:
        codec, shape = self._agent.action_codec, (n, self.n_envs)
        width = self._agent.observations.size
        return {
            "observations": np.zeros((*shape, width), np.float32),
            "next_observations": np.zeros((*shape, width), np.float32),
            "actions": np.zeros((*shape, codec.size), codec.kind),
            "rewards": np.zeros(shape, np.float32),
            "terminated": np.zeros(shape, np.uint8),
            "truncated": np.zeros(shape, np.uint8),
        }

    def read(self) -> dict[str, Array]:
        """Copies of all arrays, each (n, N, ...)."""
        arrays = self._arrays(self.size())
        c = ffi.new("CelTransitions *", [pointer(array) for array in arrays.values()])
        check(lib.cel_agent_read_transitions(self._agent.c, c, len(arrays["rewards"])))
        return arrays

    def extend(
        self, obs: Any, next_obs: Any, action: Array, reward: Array, done: Array,
        infos: Any = None,
    ) -> None:  # fmt: skip
        """Adds transitions (n, N, ...) as the networks see them. Arguments: Stable-Baselines3's.

        infos (n, N): a step whose info has "TimeLimit.truncated" was cut off.
        """
        done = np.asarray(done).astype(np.uint8)
        cut = np.array([
            [bool(info.get("TimeLimit.truncated", False)) if isinstance(info, dict) else bool(info)
             for info in (row if isinstance(row, (list, tuple)) else [row])]
            for row in (infos if infos is not None else [{}] * len(done))
        ], np.uint8).reshape(-1, 1) & done  # fmt: skip
        self.add_arrays({
            "observations": obs, "next_observations": next_obs, "actions": action,
            "rewards": reward, "terminated": done & (1 - cut), "truncated": cut,
        })  # fmt: skip

    def add_arrays(self, arrays: dict[str, Any]) -> None:
        """Adds transitions in the form of `read`, such as those of another model."""
        n = len(arrays["rewards"])
        rows = {}
        for name, like in self._arrays(n).items():
            if name not in arrays:
                raise ValueError(f"the transitions have no array {name!r}")
            rows[name] = contiguous(arrays[name], like.dtype, like.shape)
        c = ffi.new("CelTransitions *", [pointer(array) for array in rows.values()])
        check(lib.cel_agent_add_transitions(self._agent.c, c, n))

    def size(self) -> int:
        """How many transitions of each environment it holds, at most buffer_size."""
        return int(lib.cel_agent_stored(self._agent.c))

    def __len__(self) -> int:
        return self.size()

    @property
    def pos(self) -> int:
        return self.size() % self.buffer_size

    @property
    def full(self) -> bool:
        return self.size() >= self.buffer_size

    @property
    def observations(self) -> Any:
        """(n, N, O), or a dict of arrays where the observation space is a Dict."""
        return self._split(self.read()["observations"])

    @property
    def next_observations(self) -> Any:
        return self._split(self.read()["next_observations"])

    def _split(self, array: Array) -> Any:
        if not isinstance(self.observation_space, spaces.Dict):
            return array
        parts, at = {}, 0
        for part in self._agent.observations.parts:
            parts[part.key] = array[..., at : at + part.size]
            at += part.size
        return parts

    @property
    def actions(self) -> Array:
        return self.read()["actions"]

    @property
    def rewards(self) -> Array:
        return self.read()["rewards"]

    @property
    def dones(self) -> Array:
        """1 at the end of an episode, whatever ended it."""
        arrays = self.read()
        return (arrays["terminated"] | arrays["truncated"]).astype(np.float32)

    @property
    def timeouts(self) -> Array:
        """1 where an episode was cut off."""
        return self.read()["truncated"].astype(np.float32)

    def __repr__(self) -> str:
        size = f"buffer_size={self.buffer_size}, n_envs={self.n_envs}"
        return f"{type(self).__name__}({size}, n_steps={self.n_steps})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """A copy of the arrays, which no longer changes."""
        names = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
        return SimpleNamespace(**{name: getattr(self, name) for name in names})


class NStepReplayBuffer(ReplayBuffer):
    """A replay buffer whose targets sum several rewards."""


def register() -> None:
    """Lets Stable-Baselines3, where the program uses it, treat these objects as its buffers."""
    sb3 = sys.modules.get("stable_baselines3.common.buffers")
    if sb3 is None:
        return
    for ours in (ReplayBuffer, NStepReplayBuffer, RolloutBuffer):
        if hasattr(sb3, ours.__name__):
            getattr(sb3, ours.__name__).register(ours)


class RolloutBuffer:
    """The last rollout of an on-policy learner: arrays (n_steps, N, ...), copies."""

    def __init__(self, agent: Agent, n_steps: int) -> None:
        register()
        self._agent = agent
        self.buffer_size, self.n_envs = n_steps, agent.n_envs
        self.observation_space = agent.observations.space
        self.action_space = agent.action_codec.space

    NAMES = {
        "observations": "rollout.obs", "actions": "rollout.actions", "rewards": "rollout.reward",
        "values": "rollout.value", "advantages": "rollout.advantage", "returns": "rollout.returns",
    }  # fmt: skip

    def __getattr__(self, name: str) -> Array:
        if name not in RolloutBuffer.NAMES:
            raise AttributeError(f"the rollout buffer has no attribute {name!r}")
        tensors = self._agent.tensors(lib.CEL_STATE, lib.CEL_SCRATCH)
        found = tensors.get(RolloutBuffer.NAMES[name])
        if found is None:
            raise AttributeError(f"this learner's rollouts have no {name}")
        steps, n = self.buffer_size, self.n_envs
        if name == "actions":
            kind = self._agent.action_codec.kind
            return found.view(np.uint8).reshape(-1).view(kind).reshape(steps, n, -1).copy()
        return found.reshape(-1, n, *found.shape[2:])[:steps].copy()

    @property
    def pos(self) -> int:
        return self._agent.filled

    @property
    def full(self) -> bool:
        return self.pos == self.buffer_size

    def __repr__(self) -> str:
        return f"RolloutBuffer(buffer_size={self.buffer_size}, n_envs={self.n_envs})"

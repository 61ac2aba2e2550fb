"""Steps of environments for a loop without callbacks.

Each class takes one step of all environments, writes the results into the agent's arrays and
returns the indices of those whose episode ended. What only a callback could read (lists of infos,
copies of observations) is not made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .gym_vec_env import GymVecEnv
from .vec_env import SerialVecEnv

Array = NDArray[Any]


def make(learner: Any) -> Any:
    """The fastest way to step the environment of a learner."""
    if type(learner.env) is SerialVecEnv:
        return SerialSteps(learner)
    return GymSteps(learner) if type(learner.env) is GymVecEnv else VecSteps(learner)


class VecSteps:
    """Steps of any VecEnv."""

    def __init__(self, learner: Any) -> None:
        self.learner, self.agent = learner, learner._agent
        self.codec = self.agent.action_codec
        self.obs, self.dones = learner._last_obs, learner._last_episode_starts
        self.clear()

    def step(self) -> Sequence[int]:
        """Applies the agent's actions. Returns the environments whose episode ended."""
        obs, rewards, dones, infos = self.learner.env.step(self.codec.read(self.agent.actions))
        return self.take(obs, rewards, dones, infos)

    def take(
        self, obs: Any, rewards: Array, dones: Array, infos: list[dict[str, Any]]
    ) -> Sequence[int]:
        """Gives the agent what a VecEnv returned."""
        agent = self.agent
        self.learner._update_info_buffer(infos, dones)
        agent.reward[:] = rewards
        agent.observations.write(agent.obs, obs)
        self.obs, self.dones = obs, dones
        flags = dones.tolist()
        if True not in flags:  # faster than any() for a few environments
            return ()
        agent.terminated[:] = dones
        self.learner._ends(dones, infos)
        return [i for i, done in enumerate(flags) if done]

    def clear(self) -> None:
        """To be called after the agent has observed the end of an episode."""
        self.agent.terminated.fill(0)
        self.agent.truncated.fill(0)

    def finish(self) -> None:
        """Sets what a loop with callbacks, or a later call of learn, continues from."""
        self.learner._last_obs, self.learner._last_episode_starts = self.obs, self.dones


class GymSteps(VecSteps):
    """Steps of a Gymnasium vector environment. Infos are read only where an episode ends."""

    def __init__(self, learner: Any) -> None:
        super().__init__(learner)
        self.none = np.zeros(learner.n_envs, bool)

    def step(self) -> Sequence[int]:
        env, agent = self.learner.env, self.agent
        obs, rewards, terminated, truncated, more = env.env.step(self.codec.read(agent.actions))
        if np.logical_or(terminated, truncated).any() or "episode" in more:
            return self.take(*env.outcome(obs, rewards, terminated, truncated, more))
        env.episodes.add_all(rewards)
        agent.reward[:] = rewards
        agent.observations.write(agent.obs, obs)
        self.obs, self.dones = obs, self.none
        return ()


class SerialSteps(VecSteps):
    """Steps of Gymnasium environments in this process, one after another."""

    def __init__(self, learner: Any) -> None:
        super().__init__(learner)
        self.envs, rows = learner.env, self.agent.obs
        if self.agent.observations.plain:
            shape = learner.observation_space.shape
            writers = [_writer(row.reshape(shape)) for row in rows]
        else:
            writers = [_parts_writer(learner, rows[i : i + 1]) for i in range(len(rows))]
        steps = [env.step for env in self.envs.envs]
        self.each = list(zip(range(len(steps)), steps, writers, strict=True))
        self.last: list[Any] = [None] * learner.n_envs  # observations
        self.infos: list[dict[str, Any]] = [{}] * learner.n_envs  # where episodes ended last
        self.ended: Sequence[int] = ()  # in the last step

    def step(self) -> Sequence[int]:
        agent, last, episodes = self.agent, self.last, self.envs.episodes
        actions, reward_of = self.codec.read(agent.actions), agent.reward
        ended: Sequence[int] = ()
        for i, step, write in self.each:
            obs, reward, terminated, truncated, info = step(actions[i])
            reward_of[i] = reward
            if episodes is not None:
                episodes.returns[i] += float(reward)
                episodes.lengths[i] += 1
            if terminated or truncated:
                obs = self._end(i, obs, bool(truncated and not terminated), info)
                ended = [*ended, i]
            elif "episode" in info:
                self.learner._update_info_buffer([info], (False,))
            write(obs)
            last[i] = obs
        self.ended = ended
        if ended:
            dones = self._dones()
            agent.terminated[:] = dones
            self.learner._ends(dones, self.infos)
        return ended

    def _end(self, i: int, obs: Any, cut: bool, info: dict[str, Any]) -> Any:
        """Notes the end of an episode. Returns the first observation of the next one."""
        env = self.envs
        info["TimeLimit.truncated"] = cut
        info["terminal_observation"] = deepcopy(obs)  # reset may change the same array
        self.infos[i] = info
        if env.episodes is not None:
            env.episodes.end(i, info)
            env.episodes.restart(i)
        self.learner._update_info_buffer([info], (True,))
        obs, env.reset_infos[i] = env.envs[i].reset()
        return obs

    def _dones(self) -> Array:
        dones = np.zeros(len(self.last), bool)
        dones[list(self.ended)] = True
        return dones

    def finish(self) -> None:
        if self.last[0] is None:
            return  # no step was taken
        for i, obs in enumerate(self.last):
            self.envs.set_observation(i, obs)
        self.obs, self.dones = self.envs.observations(), self._dones()
        super().finish()


def _writer(row: Array) -> Callable[[Any], None]:
    """Writes an observation of a Box into a row of the agent's."""
    shape = row.shape

    def write(obs: Any) -> None:
        if type(obs) is not np.ndarray or obs.shape != shape:
            obs = np.asarray(obs).reshape(shape)  # an assignment alone would broadcast
        row[...] = obs

    return write


def _parts_writer(learner: Any, row: Array) -> Callable[[Any], None]:
    return lambda obs: learner._write_row(row, obs)

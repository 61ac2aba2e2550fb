"""What the loops of all learners need: the start, episodes, logs, the loop in C."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from . import callbacks, logger, vec_env
from ._agent import Agent
from ._hooks import Hooks
from .native_env import NativeVecEnv

Array = NDArray[Any]


class Learning:
    """The part of a learner that learns."""

    verbose: int
    n_envs: int
    num_timesteps: int
    stats_window_size: int
    tensorboard_log: str | None
    env: Any
    ep_info_buffer: deque[dict[str, Any]] | None
    ep_success_buffer: deque[Any] | None
    start_time: int
    _agent: Agent
    _logger: Any
    _custom_logger: bool
    _last_obs: Any
    _last_episode_starts: Array | None
    _episode_num: int
    _n_updates: int
    _current_progress_remaining: float
    _recorded: int
    _total_timesteps: int
    _num_timesteps_at_start: int

    @property
    def logger(self) -> Any:
        return self._logger

    def set_logger(self, logger: Any) -> None:
        """Replaces the logger: celsius.logger.configure's, or Stable-Baselines3's."""
        self._logger, self._custom_logger = logger, True

    def _say(self, note: str) -> None:
        if note and self.verbose >= 1:
            print(note)

    def learn(
        self, total_timesteps: int, callback: Any = None, log_interval: int | None = 1,
        tb_log_name: str = "run", reset_num_timesteps: bool = True, progress_bar: bool = False,
    ) -> Self:  # fmt: skip
        """Takes at least total_timesteps steps, all environments together, and learns from them.

        `callback`: a callback, a function of (locals, globals), or a list of both; one that returns
        False stops. An environment in C without callbacks is stepped in C.
        """
        raise NotImplementedError

    def _setup_learn(
        self, total_timesteps: int, callback: Any, reset_num_timesteps: bool, tb_log_name: str,
        progress_bar: bool,
    ) -> tuple[int, Any]:  # fmt: skip
        if self.env is None:
            raise ValueError("this model has no environment: call set_env before learn")
        self.start_time = time.time_ns()
        if self.ep_info_buffer is None or reset_num_timesteps:
            self.ep_info_buffer = deque(maxlen=self.stats_window_size)
            self.ep_success_buffer = deque(maxlen=self.stats_window_size)
        if reset_num_timesteps:
            self.num_timesteps = self._episode_num = 0
            self._agent.restart()
        else:
            total_timesteps += self.num_timesteps
        self._total_timesteps, self._num_timesteps_at_start = total_timesteps, self.num_timesteps
        self._agent.plan(self._agent.steps + total_timesteps - self.num_timesteps)
        if reset_num_timesteps or self._last_obs is None:
            self._last_obs = self.env.reset()
            self._last_episode_starts = np.ones(self.n_envs, bool)
            self._agent.restarted = True
        self._agent.observations.write(self._agent.obs, self._last_obs)
        self._recorded = self._agent.updates
        if not self._custom_logger:
            self._logger = logger.for_run(
                self.verbose, self.tensorboard_log, tb_log_name, reset_num_timesteps
            )
        made = callbacks.make(callback, progress_bar)
        if made is not None:
            vec_env.register()
            made.init_callback(self)
        return total_timesteps, made

    def _can_run_in_c(self, callback: Any) -> bool:
        return callback is None and isinstance(self.env, NativeVecEnv)

    def _update_info_buffer(self, infos: list[dict[str, Any]], dones: Array) -> None:
        assert self.ep_info_buffer is not None and self.ep_success_buffer is not None
        for i, info in enumerate(infos):
            episode, success = info.get("episode"), info.get("is_success")
            if episode is not None:
                self.ep_info_buffer.append(episode)
            if success is not None and dones[i]:
                self.ep_success_buffer.append(success)

    def _outcome(self, obs: Any, rewards: Array, dones: Array, infos: list[dict[str, Any]]) -> bool:
        """Gives the agent the results of a step. Returns whether an episode ended."""
        agent = self._agent
        agent.reward[:] = rewards
        agent.terminated[:] = dones
        ended = True in dones.tolist()  # faster than any() for a few environments
        if ended:
            self._ends(dones, infos)
        agent.observations.write(agent.obs, obs)
        agent.observe()
        if ended:
            agent.truncated.fill(0)
        self._last_obs, self._last_episode_starts = obs, dones
        return ended

    def _ends(self, dones: Array, infos: list[dict[str, Any]]) -> None:
        """Notes the last observations of episodes, and those that were cut off."""
        agent = self._agent
        agent.truncated.fill(0)
        for i in np.flatnonzero(dones):
            info = infos[i]
            last = info.get("terminal_observation")
            if last is None:
                raise ValueError(
                    f"environment {i} ended an episode without info['terminal_observation']"
                )
            self._write_row(agent.final_obs[i : i + 1], last)
            if info.get("TimeLimit.truncated", False):
                agent.terminated[i], agent.truncated[i] = 0, 1

    def _write_row(self, row: Array, obs: Any) -> None:
        codec = self._agent.observations
        if isinstance(obs, dict):
            obs = {key: np.asarray(value)[None] for key, value in obs.items()}
        elif isinstance(obs, tuple):
            obs = tuple(np.asarray(value)[None] for value in obs)
        else:
            obs = np.asarray(obs)[None]
        codec.write(row, obs)

    def _record_update(self) -> None:
        """Records what the last update measured, unless it is recorded already."""
        updates = self._agent.updates
        if updates == self._recorded:
            return
        self._recorded = updates
        for name, value in self._agent.metrics().items():
            if value == value:  # NaN: not measured yet, as the policy's loss with policy_delay
                self.logger.record(name, value)
        self._n_updates = updates
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")

    def dump_logs(self, iteration: int = 0) -> None:
        """Records times and episodes, and writes everything recorded."""
        assert self.ep_info_buffer is not None and self.ep_success_buffer is not None
        elapsed = max((time.time_ns() - self.start_time) / 1e9, sys.float_info.epsilon)
        if iteration > 0:
            self.logger.record("time/iterations", iteration, exclude="tensorboard")
        else:
            self.logger.record("time/episodes", self._episode_num, exclude="tensorboard")
        if self.ep_info_buffer:
            for name, key in (("rollout/ep_rew_mean", "r"), ("rollout/ep_len_mean", "l")):
                self.logger.record(name, float(np.mean([ep[key] for ep in self.ep_info_buffer])))
        self.logger.record(
            "time/fps", int((self.num_timesteps - self._num_timesteps_at_start) / elapsed)
        )
        self.logger.record("time/time_elapsed", int(elapsed), exclude="tensorboard")
        self.logger.record("time/total_timesteps", self.num_timesteps, exclude="tensorboard")
        if self.ep_success_buffer:
            self.logger.record("rollout/success_rate", float(np.mean(self.ep_success_buffer)))
        self.logger.dump(step=self.num_timesteps)

    def _learn_in_c(
        self, total: int, updated: Callable[[], None] | None, episode: Callable[[], None]
    ) -> None:
        """Runs the loop in C. `updated` and `episode` are called at updates and ends of episodes.

        Without `updated`, the metrics are recorded when logs are written, and at the end.
        """
        assert self.ep_info_buffer is not None
        infos, env = self.ep_info_buffer, self.env
        before = self.num_timesteps - self._agent.steps

        def after_update() -> bool:
            self.num_timesteps = before + self._agent.steps
            assert updated is not None
            updated()
            return True

        def after_episode(episode_return: float, length: int) -> None:
            self.num_timesteps = before + self._agent.steps
            infos.append({"r": episode_return, "l": length, "t": 0.0})
            self._episode_num += 1
            episode()

        hooks = Hooks(updated=after_update if updated else None, episode=after_episode)
        try:
            self._agent.learn(env.c, total - self.num_timesteps, hooks)
        finally:
            self.num_timesteps = before + self._agent.steps
            self._last_obs = env.observations.copy()
            self._record_update()
        self._say(self._agent.note)

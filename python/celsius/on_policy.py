"""The loop of learners from rollouts."""

from __future__ import annotations

import warnings
from typing import Any, Self

from . import _steps
from .base import Learner
from .buffers import RolloutBuffer
from .callbacks import stops
from .errors import UnsupportedError


class OnPolicyLearner(Learner):
    """Base of PPO, A2C, TRPO, REINFORCE and AC."""

    n_steps: int

    # Buffer classes of Stable-Baselines3 whose meaning this one has.
    BUFFERS = ("RolloutBuffer", "DictRolloutBuffer")

    def _check(self, policy: str) -> None:
        super()._check(policy)
        cls = getattr(self, "rollout_buffer_class", None)
        if cls is not None and getattr(cls, "__name__", "") not in self.BUFFERS:
            raise UnsupportedError(
                f"rollout_buffer_class {cls!r} is not supported: the buffer is in C"
            )
        if getattr(self, "rollout_buffer_kwargs", None):
            raise UnsupportedError("rollout_buffer_kwargs is not supported: the buffer is in C")

    def _maybe_recommend_cpu(self) -> None:
        """Warns where `device` was set to a GPU afterwards."""
        kind = getattr(self.device, "type", str(self.device))
        if kind != "cpu":
            warnings.warn(
                f"You are trying to run {type(self).__name__} on the GPU ({kind}), but Celsius "
                "runs on the CPU; model.device has no effect",
                stacklevel=2,
            )

    @property
    def rollout_buffer(self) -> RolloutBuffer:
        """The last rollout, as arrays."""
        return RolloutBuffer(self._agent, self.n_steps)

    def learn(
        self, total_timesteps: int, callback: Any = None, log_interval: int | None = 1,
        tb_log_name: str | None = None, reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:  # fmt: skip
        """Takes at least total_timesteps steps in whole rollouts, and learns from each.

        `log_interval` counts rollouts. `callback`: see Learner.learn.
        """
        self._maybe_recommend_cpu()
        total_timesteps, callback = self._setup_learn(
            total_timesteps, callback, reset_num_timesteps, tb_log_name or type(self).__name__,
            progress_bar,
        )  # fmt: skip
        if callback is not None:
            callback.on_training_start(locals(), globals())
        iteration = 0

        def log() -> None:
            nonlocal iteration
            iteration += 1
            if log_interval is not None and iteration % log_interval == 0:
                self.dump_logs(iteration)

        if self._can_run_in_c(callback):
            rollout = self.n_steps * self.n_envs
            rollouts = -(-(total_timesteps - self.num_timesteps) // rollout)

            def updated() -> None:
                log()
                self._record_update()

            self._learn_in_c(self.num_timesteps + rollouts * rollout, updated, lambda: None)
            return self
        plain = _steps.make(self) if callback is None else None
        try:
            while self.num_timesteps < total_timesteps and (
                self._collect_plain(plain) if plain else self._collect(callback)
            ):
                self._current_progress_remaining = 1.0 - self.num_timesteps / total_timesteps
                log()
                self._agent.update()
                self._record_update()
        except BaseException:
            self._last_obs = None  # the environment may be in the middle of a step
            raise
        if plain:
            plain.finish()
        if callback is not None:
            callback.on_training_end()
        self._say(self._agent.note)
        return self

    def _collect_plain(self, steps: Any) -> bool:
        """Takes one rollout without callbacks: between two steps, one call of C."""
        agent, n_envs = self._agent, self.n_envs
        # A rollout that an exception or a callback ended goes on. A full one has an update due.
        left = self.n_steps - agent.filled
        if left > 0:
            agent.act()
        while left > 0:
            ended = steps.step()
            self.num_timesteps += n_envs
            left -= 1
            if left > 0 and not ended:
                agent.advance(False)
                continue
            agent.observe()
            steps.clear()
            if left > 0:
                agent.act()
        return True

    def _collect(self, callback: Any) -> bool:
        """Takes one rollout. Returns False if a callback stops."""
        agent, env, n_envs = self._agent, self.env, self.n_envs
        # A rollout that an exception or a callback ended goes on. A full one has an update due.
        codec, n_steps = agent.action_codec, agent.filled
        if callback is not None:
            callback.on_rollout_start()
        while n_steps < self.n_steps:
            agent.act()
            actions = codec.read(agent.actions)
            new_obs, rewards, dones, infos = env.step(actions)
            self.num_timesteps += n_envs
            if callback is not None:
                callback.update_locals(locals())
                if stops(callback):
                    return False
            self._update_info_buffer(infos, dones)
            n_steps += 1
            self._outcome(new_obs, rewards, dones, infos)
        if callback is not None:
            callback.update_locals(locals())
            callback.on_rollout_end()
        return True

"""The loop of learners from a replay buffer."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple, Self

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from . import _steps, saving
from ._fields import Config
from ._native import lib
from .base import Learner
from .buffers import NStepReplayBuffer, ReplayBuffer
from .callbacks import stops
from .errors import UnsupportedError
from .noise import VectorizedActionNoise

Array = NDArray[Any]

# A train_freq that never comes, where the loop counts episodes itself.
_NEVER = 10**9


class TrainFreq(NamedTuple):
    """How often updates come: every `frequency` steps or episodes."""

    frequency: int
    unit: str


class OffPolicyLearner(Learner):
    """Base of SAC, TQC, TD3, DDPG, DiscreteSAC, DQN, SQL and SoftQ."""

    train_freq: Any
    gradient_steps: int
    learning_starts: int
    buffer_size: int
    action_noise: Any
    n_steps: int = 1
    use_sde: bool = False
    optimize_memory_usage: bool = False

    # Buffer classes of Stable-Baselines3 whose meaning this one has.
    BUFFERS = ("ReplayBuffer", "DictReplayBuffer", "NStepReplayBuffer")

    def _check(self, policy: str) -> None:
        super()._check(policy)
        self._convert_train_freq()
        cls = getattr(self, "replay_buffer_class", None)
        kwargs = dict(getattr(self, "replay_buffer_kwargs", None) or {})
        if cls is not None and getattr(cls, "__name__", "") not in self.BUFFERS:
            raise UnsupportedError(
                f"replay_buffer_class {cls!r} is not supported: the buffer is in C. It stores each "
                "observation once, handles timeouts, and has n_steps"
            )
        if cls is not None and self.n_steps > 1:
            warnings.warn(
                f"`n_steps={self.n_steps}` is ignored because a custom `replay_buffer_class` "
                f"(`{cls.__name__}`) was passed",
                stacklevel=4,
            )
            self.n_steps = 1
        self._buffer_gamma = self.gamma
        if getattr(cls, "__name__", "") == "NStepReplayBuffer":
            # Its own discount replaces the learner's, as in Stable-Baselines3.
            self.n_steps = int(kwargs.pop("n_steps", 3))
            self._buffer_gamma = float(kwargs.pop("gamma", 0.99))
        self._handle_timeouts = bool(kwargs.pop("handle_timeout_termination", True))
        kwargs.pop("optimize_memory_usage", None)
        if kwargs:
            raise UnsupportedError(
                f"replay_buffer_kwargs has {sorted(kwargs)[0]!r}, which is not known"
            )
        if isinstance(self.observation_space, spaces.Dict):
            assert self.n_steps == 1, (
                "N-step returns are not supported for Dict observation spaces yet."
            )

    gamma: float
    _buffer_gamma: float
    _handle_timeouts: bool

    def _convert_train_freq(self) -> None:
        given = self.train_freq
        if isinstance(given, (list, tuple)):
            frequency, unit = given[0], getattr(given[1], "value", given[1])
        else:
            frequency, unit = given, "step"
        if unit not in ("step", "episode"):
            raise ValueError(
                f"The unit of the `train_freq` must be either 'step' or 'episode' not '{unit}'!"
            )
        if not isinstance(frequency, int):
            raise ValueError(
                f"The frequency of `train_freq` must be an integer and not {frequency}"
            )
        self.train_freq = TrainFreq(frequency, unit)
        assert frequency > 0, "Should at least collect one step or episode."

    def _convert(self, config: Config) -> None:
        freq = self.train_freq
        config.set("train_freq", freq.frequency if freq.unit == "step" else _NEVER)
        config.set("gamma", self._buffer_gamma)
        if "n_steps" in config:
            config.set("n_steps", self.n_steps)
        elif self.n_steps > 1:
            raise UnsupportedError(
                f"{type(self).__name__} has no n-step targets; take SAC or DiscreteSAC"
            )

    def _set(self, config: Config, field: str, value: Any) -> None:
        if field != "train_freq":
            super()._set(config, field, value)

    # Without handle_timeout_termination, an episode that is cut off counts as terminated. Only the
    # loop with infos knows that.

    def _can_run_in_c(self, callback: Any) -> bool:
        return self._handle_timeouts and super()._can_run_in_c(callback)

    def _ends(self, dones: Array, infos: list[dict[str, Any]]) -> None:
        super()._ends(dones, infos)
        if not self._handle_timeouts:
            self._agent.terminated |= self._agent.truncated
            self._agent.truncated.fill(0)

    @property
    def log_ent_coef(self) -> Array | None:
        """A copy of the logarithm (1,) of the learned temperature; None where it is fixed."""
        config = self._agent.config
        if "ent_coef" not in config or not config.get_text("ent_coef").startswith("auto"):
            return None
        return self._agent.tensors(lib.CEL_PARAM)["log_ent_coef"].reshape(1).copy()

    @property
    def replay_buffer(self) -> ReplayBuffer:
        """What the agent has stored, as arrays."""
        kind = NStepReplayBuffer if self.n_steps > 1 else ReplayBuffer
        return kind(self._agent, self.buffer_size, self.n_steps, self.device)

    @replay_buffer.setter
    def replay_buffer(self, value: ReplayBuffer | None) -> None:
        """None empties the buffer; a buffer of another model is copied."""
        fresh = self._new_agent()
        if value is not None:
            ReplayBuffer(fresh, self.buffer_size).add_arrays(value.read())
        self._agent.take_replay(fresh)

    def save_replay_buffer(self, path: Any) -> None:
        """Writes the stored transitions as a NumPy archive (.npz)."""
        saving.save_arrays(path, self.replay_buffer.read())

    def load_replay_buffer(self, path: Any, truncate_last_traj: bool = True) -> None:
        """Replaces the stored transitions by those of a file of save_replay_buffer."""
        arrays = saving.load_arrays(path)
        fresh = self._new_agent()
        ReplayBuffer(fresh, self.buffer_size).add_arrays(arrays)
        self._agent.take_replay(fresh)

    def _setup_learn(self, *args: Any) -> tuple[int, Any]:
        reset = args[2]
        if self.optimize_memory_usage and reset and len(self.replay_buffer) > 0:
            warnings.warn(
                "The last trajectory in the replay buffer will be truncated, see "
                "https://github.com/DLR-RM/stable-baselines3/issues/46."
                "You should use `reset_num_timesteps=False` or `optimize_memory_usage=False`"
                "to avoid that issue.",
                stacklevel=3,
            )
        if (
            self.action_noise is not None
            and self.n_envs > 1
            and not hasattr(self.action_noise, "noises")
        ):
            self.action_noise = VectorizedActionNoise(self.action_noise, self.n_envs)
        if self.action_noise is not None:
            self.action_noise.reset()
        return super()._setup_learn(*args)

    def learn(
        self, total_timesteps: int, callback: Any = None, log_interval: int | None = 4,
        tb_log_name: str | None = None, reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:  # fmt: skip
        """Takes at least total_timesteps steps, all environments together, and learns from them.

        `log_interval` counts episodes. `callback`: see Learner.learn.
        """
        total_timesteps, callback = self._setup_learn(
            total_timesteps, callback, reset_num_timesteps, tb_log_name or type(self).__name__,
            progress_bar,
        )  # fmt: skip
        if callback is not None:
            callback.on_training_start(locals(), globals())
        by_step = self.train_freq.unit == "step"
        if self.n_envs > 1:
            assert by_step, "You must use only one env when doing episodic training."
        if self._can_run_in_c(callback) and by_step and self.action_noise is None:
            self._learn_in_c(total_timesteps, None, lambda: self._log_episode(log_interval))
            return self
        try:
            if callback is None and self.action_noise is None:
                self._learn_plain(total_timesteps, log_interval)
            while self.num_timesteps < total_timesteps:
                steps = self._collect(callback, log_interval)
                if steps < 0:
                    break
                self._update(by_step, steps)
                self._record_update()
        except BaseException:
            self._last_obs = None  # the environment may be in the middle of a step
            raise
        if callback is not None:
            callback.on_training_end()
        self._say(self._agent.note)
        return self

    def _learn_plain(self, total_timesteps: int, log_interval: int | None) -> None:
        """The loop without callbacks and noise: between two steps, one call of C.

        Where an episode ends or a log is due, the calls are made one by one. Metrics are recorded
        when logs are written, and at the end.
        """
        freq, by_step = self.train_freq.frequency, self.train_freq.unit == "step"
        agent, n_envs, steps = self._agent, self.n_envs, _steps.make(self)
        collected = episodes = 0
        if self.num_timesteps >= total_timesteps:
            return
        try:
            agent.act()
            while True:
                ended = steps.step()
                self.num_timesteps += n_envs
                collected += 1
                due = by_step and collected == freq
                if not ended and self.num_timesteps < total_timesteps:
                    agent.advance(due)
                else:
                    agent.observe()
                    for _ in ended:
                        episodes += 1
                        self._episode_num += 1
                        self._log_episode(log_interval)
                    if ended:
                        steps.clear()
                    due = due or (not by_step and episodes >= freq)
                    if due:
                        self._update(by_step, collected * n_envs)
                    if due and self.num_timesteps >= total_timesteps:
                        break
                    agent.act()
                if due:
                    collected = episodes = 0
        finally:
            self._record_update()
        steps.finish()
        self._current_progress_remaining = 1.0 - self.num_timesteps / self._total_timesteps

    def _update(self, by_step: bool, steps: int) -> None:
        if by_step:
            self._agent.update()
        elif self.num_timesteps > self.learning_starts:
            self._agent.update_n(self.gradient_steps if self.gradient_steps >= 0 else steps)

    def _log_episode(self, log_interval: int | None) -> None:
        if log_interval is not None and self._episode_num % log_interval == 0:
            self._record_update()
            self.dump_logs()

    def _collect(self, callback: Any, log_interval: int | None) -> int:
        """Steps until an update is due. Returns the steps taken, or -1 if a callback stops."""
        agent, env, n_envs, noise = self._agent, self.env, self.n_envs, self.action_noise
        freq, by_step = self.train_freq.frequency, self.train_freq.unit == "step"
        num_collected_steps = num_collected_episodes = 0
        codec = agent.action_codec
        if callback is not None:
            callback.on_rollout_start()
        while (num_collected_steps if by_step else num_collected_episodes) < freq:
            agent.act()
            actions = codec.read(agent.actions)
            if noise is not None:
                actions = self._add_noise(actions, noise)
            new_obs, rewards, dones, infos = env.step(actions)
            self.num_timesteps += n_envs
            num_collected_steps += 1
            if callback is not None:
                callback.update_locals(locals())
                if stops(callback):
                    return -1
            self._update_info_buffer(infos, dones)
            ended = self._outcome(new_obs, rewards, dones, infos)
            self._current_progress_remaining = 1.0 - self.num_timesteps / self._total_timesteps
            if not ended:
                continue
            for i in np.flatnonzero(dones):
                num_collected_episodes += 1
                self._episode_num += 1
                if noise is not None:
                    noise.reset(**({"indices": [i]} if n_envs > 1 else {}))
                self._log_episode(log_interval)
        if callback is not None:
            callback.on_rollout_end()
        return num_collected_steps * n_envs

    def _add_noise(self, actions: Array, noise: Any) -> Array:
        if not isinstance(self.action_space, spaces.Box):
            raise UnsupportedError("action_noise needs continuous actions")
        scaled = np.clip(self.policy.scale_action(actions) + noise(), -1, 1)
        codec = self._agent.action_codec
        codec.write(self._agent.actions, self.policy.unscale_action(scaled))
        self._agent.replace_actions()
        return codec.read(self._agent.actions)

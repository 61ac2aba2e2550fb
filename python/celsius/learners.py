"""The learners.

Names, order and defaults of arguments are Stable-Baselines3's (for TRPO and TQC, sb3_contrib's).

After them, by keyword only: `native` (False: Gymnasium's environment even where Celsius has it in
C), `threads` (any number gives the same bits), and every further field of the algorithm, as
`celsius list fields ALGO` shows them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from gymnasium import spaces

from ._fields import Config
from .errors import UnsupportedError
from .off_policy import OffPolicyLearner
from .on_policy import OnPolicyLearner
from .schedules import float_schedule

Schedule = float | Callable[[float], float]
TrainFrequency = int | tuple[int, str]
_ALL = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)


class SAC(OffPolicyLearner):
    """Soft actor-critic, for continuous actions."""

    ALGO = "sac"

    def __init__(
        self,
        policy: str,
        env: Any,
        learning_rate: Schedule = 3e-4,
        buffer_size: int = 1_000_000,
        learning_starts: int = 100,
        batch_size: int = 256,
        tau: float = 0.005,
        gamma: float = 0.99,
        train_freq: TrainFrequency = 1,
        gradient_steps: int = 1,
        action_noise: Any = None,
        replay_buffer_class: Any = None,
        replay_buffer_kwargs: dict[str, Any] | None = None,
        optimize_memory_usage: bool = False,
        n_steps: int = 1,
        ent_coef: str | float = "auto",
        target_update_interval: int = 1,
        target_entropy: str | float = "auto",
        use_sde: bool = False,
        sde_sample_freq: int = -1,
        use_sde_at_warmup: bool = False,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: Any = "auto",
        _init_setup_model: bool = True,
        *,
        native: bool | None = None,
        threads: int = 1,
        **fields: Any,
    ) -> None:
        self._start(locals())

    def _convert(self, config: Config) -> None:
        super()._convert(config)
        if self.use_sde:
            config.set("use_sde", True)
            config.set(
                "clip_mean", 2.0
            )  # the default of Stable-Baselines3; policy_kwargs replace it

    def _squashes(self) -> bool:
        return self.policy_kwargs.get("policy") != "gaussian"


class TQC(SAC):
    """Soft actor-critic with truncated quantile critics, for continuous actions."""

    def __init__(
        self,
        policy: str,
        env: Any,
        learning_rate: Schedule = 3e-4,
        buffer_size: int = 1_000_000,
        learning_starts: int = 100,
        batch_size: int = 256,
        tau: float = 0.005,
        gamma: float = 0.99,
        train_freq: TrainFrequency = 1,
        gradient_steps: int = 1,
        action_noise: Any = None,
        replay_buffer_class: Any = None,
        replay_buffer_kwargs: dict[str, Any] | None = None,
        optimize_memory_usage: bool = False,
        n_steps: int = 1,
        ent_coef: str | float = "auto",
        target_update_interval: int = 1,
        target_entropy: str | float = "auto",
        top_quantiles_to_drop_per_net: int = 2,
        use_sde: bool = False,
        sde_sample_freq: int = -1,
        use_sde_at_warmup: bool = False,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: Any = "auto",
        _init_setup_model: bool = True,
        *,
        native: bool | None = None,
        threads: int = 1,
        **fields: Any,
    ) -> None:
        self._start(locals())

    def _convert(self, config: Config) -> None:
        super()._convert(config)
        config.set("critic", "quantile")


class TD3(OffPolicyLearner):
    """Twin delayed DDPG, for continuous actions: a deterministic policy."""

    ALGO = "td3"

    def __init__(
        self,
        policy: str,
        env: Any,
        learning_rate: Schedule = 1e-3,
        buffer_size: int = 1_000_000,
        learning_starts: int = 100,
        batch_size: int = 256,
        tau: float = 0.005,
        gamma: float = 0.99,
        train_freq: TrainFrequency = 1,
        gradient_steps: int = 1,
        action_noise: Any = None,
        replay_buffer_class: Any = None,
        replay_buffer_kwargs: dict[str, Any] | None = None,
        optimize_memory_usage: bool = False,
        n_steps: int = 1,
        policy_delay: int = 2,
        target_policy_noise: float = 0.2,
        target_noise_clip: float = 0.5,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: Any = "auto",
        _init_setup_model: bool = True,
        *,
        native: bool | None = None,
        threads: int = 1,
        **fields: Any,
    ) -> None:
        self._start(locals())

    def _convert(self, config: Config) -> None:
        super()._convert(config)
        config.set("noise", "none")  # action_noise adds it, or the field `noise`

    def _squashes(self) -> bool:
        return True


class DDPG(TD3):
    """Deep deterministic policy gradient: TD3 with one critic, no delay and no target noise."""

    def __init__(
        self,
        policy: str,
        env: Any,
        learning_rate: Schedule = 1e-3,
        buffer_size: int = 1_000_000,
        learning_starts: int = 100,
        batch_size: int = 256,
        tau: float = 0.005,
        gamma: float = 0.99,
        train_freq: TrainFrequency = 1,
        gradient_steps: int = 1,
        action_noise: Any = None,
        replay_buffer_class: Any = None,
        replay_buffer_kwargs: dict[str, Any] | None = None,
        optimize_memory_usage: bool = False,
        n_steps: int = 1,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: Any = "auto",
        _init_setup_model: bool = True,
        *,
        native: bool | None = None,
        threads: int = 1,
        **fields: Any,
    ) -> None:
        self.stats_window_size = 100
        self._start(locals())

    def _convert(self, config: Config) -> None:
        super()._convert(config)
        for name, value in (("policy_delay", 1), ("target_policy_noise", 0.0), ("n_critics", 1)):
            config.set(name, value)


class DiscreteSAC(OffPolicyLearner):
    """Soft actor-critic for discrete actions, with exact expectations."""

    ALGO = "dsac"
    ACTIONS = (spaces.Discrete,)

    def __init__(
        self,
        policy: str,
        env: Any,
        learning_rate: Schedule = 3e-4,
        buffer_size: int = 1_000_000,
        learning_starts: int = 100,
        batch_size: int = 256,
        tau: float = 0.005,
        gamma: float = 0.99,
        train_freq: TrainFrequency = 1,
        gradient_steps: int = 1,
        replay_buffer_class: Any = None,
        replay_buffer_kwargs: dict[str, Any] | None = None,
        optimize_memory_usage: bool = False,
        n_steps: int = 1,
        ent_coef: str | float = "auto",
        target_update_interval: int = 1,
        target_entropy: str | float = "auto",
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: Any = "auto",
        _init_setup_model: bool = True,
        *,
        native: bool | None = None,
        threads: int = 1,
        **fields: Any,
    ) -> None:
        self.action_noise = None
        self._start(locals())


class DQN(OffPolicyLearner):
    """Deep Q-networks, for discrete actions. Further fields: `double_q`, `dueling`, `loss`."""

    ALGO = "dqn"
    ACTIONS = (spaces.Discrete,)

    def __init__(
        self,
        policy: str,
        env: Any,
        learning_rate: Schedule = 1e-4,
        buffer_size: int = 1_000_000,
        learning_starts: int = 100,
        batch_size: int = 32,
        tau: float = 1.0,
        gamma: float = 0.99,
        train_freq: TrainFrequency = 4,
        gradient_steps: int = 1,
        replay_buffer_class: Any = None,
        replay_buffer_kwargs: dict[str, Any] | None = None,
        optimize_memory_usage: bool = False,
        n_steps: int = 1,
        target_update_interval: int = 10_000,
        exploration_fraction: float = 0.1,
        exploration_initial_eps: float = 1.0,
        exploration_final_eps: float = 0.05,
        max_grad_norm: float = 10,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: Any = "auto",
        _init_setup_model: bool = True,
        *,
        native: bool | None = None,
        threads: int = 1,
        **fields: Any,
    ) -> None:
        self.action_noise = None
        self._start(locals())

    target_update_interval: int
    exploration_fraction: float
    exploration_initial_eps: float
    exploration_final_eps: float

    def _check(self, policy: str) -> None:
        super()._check(policy)
        if self.n_envs > self.target_update_interval:
            warnings.warn(
                "The number of environments used is greater than the target network update "
                f"interval ({self.n_envs} > {self.target_update_interval}), therefore the target "
                "network will be updated after each call to env.step() which corresponds to "
                f"{self.n_envs} steps.",
                stacklevel=4,
            )

    @property
    def exploration_rate(self) -> float:
        """The probability of a random action in the next step of learn."""
        done = self.num_timesteps / max(self._total_timesteps, 1)
        start, end = self.exploration_initial_eps, self.exploration_final_eps
        if done >= self.exploration_fraction:
            return end
        return start + (end - start) * done / self.exploration_fraction


class SQL(OffPolicyLearner):
    """Soft Q-learning with discrete actions: pi(a|s) is proportional to exp(Q(s,a)/alpha)."""

    ALGO = "sql"
    ACTIONS = (spaces.Discrete,)

    def __init__(
        self,
        policy: str,
        env: Any,
        learning_rate: Schedule = 3e-4,
        buffer_size: int = 1_000_000,
        learning_starts: int = 100,
        batch_size: int = 256,
        tau: float = 0.005,
        gamma: float = 0.99,
        train_freq: TrainFrequency = 1,
        gradient_steps: int = 1,
        replay_buffer_class: Any = None,
        replay_buffer_kwargs: dict[str, Any] | None = None,
        optimize_memory_usage: bool = False,
        ent_coef: float = 0.1,
        target_update_interval: int = 1,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: Any = "auto",
        _init_setup_model: bool = True,
        *,
        native: bool | None = None,
        threads: int = 1,
        **fields: Any,
    ) -> None:
        self.action_noise = None
        self._start(locals())


class SoftQ(OffPolicyLearner):
    """Soft Q-learning with continuous actions: a sampler trained by Stein variational gradients."""

    ALGO = "sqlc"

    def __init__(
        self,
        policy: str,
        env: Any,
        learning_rate: Schedule = 3e-4,
        buffer_size: int = 1_000_000,
        learning_starts: int = 100,
        batch_size: int = 256,
        tau: float = 0.005,
        gamma: float = 0.99,
        train_freq: TrainFrequency = 1,
        gradient_steps: int = 1,
        action_noise: Any = None,
        replay_buffer_class: Any = None,
        replay_buffer_kwargs: dict[str, Any] | None = None,
        optimize_memory_usage: bool = False,
        ent_coef: float = 0.1,
        target_update_interval: int = 1,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: Any = "auto",
        _init_setup_model: bool = True,
        *,
        native: bool | None = None,
        threads: int = 1,
        **fields: Any,
    ) -> None:
        self._start(locals())

    def _squashes(self) -> bool:
        return True


class PPO(OnPolicyLearner):
    """Proximal policy optimization."""

    ALGO = "ppo"
    ACTIONS = _ALL

    def __init__(
        self,
        policy: str,
        env: Any,
        learning_rate: Schedule = 3e-4,
        n_steps: int = 2048,
        batch_size: int = 64,
        n_epochs: int = 10,
        gamma: float = 0.99,
        gae_lambda: float = 0.95,
        clip_range: Schedule = 0.2,
        clip_range_vf: Schedule | None = None,
        normalize_advantage: bool = True,
        ent_coef: float = 0.0,
        vf_coef: float = 0.5,
        max_grad_norm: float = 0.5,
        use_sde: bool = False,
        sde_sample_freq: int = -1,
        rollout_buffer_class: Any = None,
        rollout_buffer_kwargs: dict[str, Any] | None = None,
        target_kl: float | None = None,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: Any = "auto",
        _init_setup_model: bool = True,
        *,
        native: bool | None = None,
        threads: int = 1,
        **fields: Any,
    ) -> None:
        self._start(locals())

    batch_size: int
    normalize_advantage: bool
    clip_range: Schedule
    clip_range_vf: Schedule | None

    def _setup_model(self) -> None:
        super()._setup_model()
        self.clip_range = float_schedule(self.clip_range)
        if self.clip_range_vf is not None:
            self.clip_range_vf = float_schedule(self.clip_range_vf)

    def _check(self, policy: str) -> None:
        super()._check(policy)
        if self.normalize_advantage:
            assert self.batch_size > 1, (
                "`batch_size` must be greater than 1. See "
                "https://github.com/DLR-RM/stable-baselines3/issues/440"
            )
        rows, left = self.n_envs * self.n_steps, self.n_envs * self.n_steps % self.batch_size
        assert rows > 1 or not self.normalize_advantage, (
            f"`n_steps * n_envs` must be greater than 1. Currently n_steps={self.n_steps} and "
            f"n_envs={self.n_envs}"
        )
        if left:
            warnings.warn(
                f"You have specified a mini-batch size of {self.batch_size}, but because the "
                f"`RolloutBuffer` is of size `n_steps * n_envs = {rows}`, after every "
                f"{rows // self.batch_size} untruncated mini-batches, there will be a truncated "
                f"mini-batch of size {left}\nWe recommend using a `batch_size` that is a factor of "
                f"`n_steps * n_envs`.\nInfo: (n_steps={self.n_steps} and n_envs={self.n_envs})",
                stacklevel=4,
            )
        vf = self.clip_range_vf
        if isinstance(vf, (int, float)):
            assert vf > 0, "`clip_range_vf` must be positive, pass `None` to deactivate vf clipping"


class A2C(OnPolicyLearner):
    """Advantage actor-critic."""

    ALGO = "a2c"
    ACTIONS = _ALL
    RENAMED = {"rms_prop_eps": "epsilon"}

    def __init__(
        self,
        policy: str,
        env: Any,
        learning_rate: Schedule = 7e-4,
        n_steps: int = 5,
        gamma: float = 0.99,
        gae_lambda: float = 1.0,
        ent_coef: float = 0.0,
        vf_coef: float = 0.5,
        max_grad_norm: float = 0.5,
        rms_prop_eps: float = 1e-5,
        use_rms_prop: bool = True,
        use_sde: bool = False,
        sde_sample_freq: int = -1,
        rollout_buffer_class: Any = None,
        rollout_buffer_kwargs: dict[str, Any] | None = None,
        normalize_advantage: bool = False,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: Any = "auto",
        _init_setup_model: bool = True,
        *,
        native: bool | None = None,
        threads: int = 1,
        **fields: Any,
    ) -> None:
        self._start(locals())

    use_rms_prop: bool

    def _convert(self, config: Config) -> None:
        config.set("optimizer", "rmsprop" if self.use_rms_prop else "adam")


class TRPO(OnPolicyLearner):
    """Trust region policy optimization."""

    ALGO = "trpo"
    ACTIONS = _ALL

    def __init__(
        self,
        policy: str,
        env: Any,
        learning_rate: Schedule = 1e-3,
        n_steps: int = 2048,
        batch_size: int = 128,
        gamma: float = 0.99,
        cg_max_steps: int = 15,
        cg_damping: float = 0.1,
        line_search_shrinking_factor: float = 0.8,
        line_search_max_iter: int = 10,
        n_critic_updates: int = 10,
        gae_lambda: float = 0.95,
        use_sde: bool = False,
        sde_sample_freq: int = -1,
        rollout_buffer_class: Any = None,
        rollout_buffer_kwargs: dict[str, Any] | None = None,
        normalize_advantage: bool = True,
        target_kl: float = 0.01,
        sub_sampling_factor: int = 1,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: Any = "auto",
        _init_setup_model: bool = True,
        *,
        native: bool | None = None,
        threads: int = 1,
        **fields: Any,
    ) -> None:
        self._start(locals())

    sub_sampling_factor: int

    def _check(self, policy: str) -> None:
        super()._check(policy)
        if self.sub_sampling_factor != 1:
            raise UnsupportedError("sub_sampling_factor is 1 here: the line search uses every row")


class REINFORCE(OnPolicyLearner):
    """Policy gradients from whole returns, with a baseline."""

    ALGO = "reinforce"
    ACTIONS = _ALL

    def __init__(
        self,
        policy: str,
        env: Any,
        learning_rate: Schedule = 1e-3,
        n_steps: int = 2048,
        gamma: float = 0.99,
        baseline: str = "value",
        normalize_advantage: bool = True,
        ent_coef: float = 0.0,
        max_grad_norm: float = 0.5,
        use_sde: bool = False,
        sde_sample_freq: int = -1,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: Any = "auto",
        _init_setup_model: bool = True,
        *,
        native: bool | None = None,
        threads: int = 1,
        **fields: Any,
    ) -> None:
        self._start(locals())


class AC(OnPolicyLearner):
    """Actor-critic with one-step temporal differences."""

    ALGO = "ac"
    ACTIONS = _ALL

    def __init__(
        self,
        policy: str,
        env: Any,
        learning_rate: Schedule = 3e-4,
        n_steps: int = 1,
        gamma: float = 0.99,
        critic_learning_rate: Schedule = 1e-3,
        ent_coef: float = 0.0,
        max_grad_norm: float = 0.0,
        use_sde: bool = False,
        sde_sample_freq: int = -1,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: Any = "auto",
        _init_setup_model: bool = True,
        *,
        native: bool | None = None,
        threads: int = 1,
        **fields: Any,
    ) -> None:
        self._start(locals())

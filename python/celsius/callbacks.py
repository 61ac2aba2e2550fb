"""Callbacks of `learn`, with Stable-Baselines3's classes and arguments.

`learn` also takes Stable-Baselines3's own callbacks, lists of callbacks, and functions of
(locals, globals) whose return value False stops.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from .evaluation import evaluate_policy
from .wrap import as_vec_env


class BaseCallback:
    """Base of callbacks. Override `_on_step`, which returns False to stop, and the others."""

    model: Any

    def __init__(self, verbose: int = 0) -> None:
        self.verbose = verbose
        self.n_calls = 0
        self.num_timesteps = 0
        self.locals: dict[str, Any] = {}
        self.globals: dict[str, Any] = {}
        self.parent: Any = None

    @property
    def training_env(self) -> Any:
        env = self.model.get_env()
        assert env is not None, (
            "`model.get_env()` returned None, you must initialize the model with an environment"
        )
        return env

    @property
    def logger(self) -> Any:
        return self.model.logger

    def init_callback(self, model: Any) -> None:
        self.model = model
        self._init_callback()

    def on_training_start(self, locals_: dict[str, Any], globals_: dict[str, Any]) -> None:
        self.locals, self.globals = locals_, globals_
        self.num_timesteps = self.model.num_timesteps
        self._on_training_start()

    def on_rollout_start(self) -> None:
        self._on_rollout_start()

    def on_step(self) -> bool:
        self.n_calls += 1
        self.num_timesteps = self.model.num_timesteps
        return self._on_step()

    def on_rollout_end(self) -> None:
        self._on_rollout_end()

    def on_training_end(self) -> None:
        self._on_training_end()

    def update_locals(self, locals_: dict[str, Any]) -> None:
        self.locals.update(locals_)
        self.update_child_locals(locals_)

    def update_child_locals(self, locals_: dict[str, Any]) -> None:
        """Passes locals on to the callbacks inside this one."""

    def _init_callback(self) -> None:
        """Called once the model is known."""

    def _on_training_start(self) -> None:
        """Called before the first step."""

    def _on_rollout_start(self) -> None:
        """Called before each rollout."""

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        """Called before each update."""

    def _on_training_end(self) -> None:
        """Called after the last step."""


class CallbackList(BaseCallback):
    """Several callbacks, one after another. One that returns False stops."""

    def __init__(self, callbacks: list[Any]) -> None:
        super().__init__()
        self.callbacks = callbacks

    def _init_callback(self) -> None:
        for callback in self.callbacks:
            callback.init_callback(self.model)
            if getattr(self, "parent", None) is not None:
                callback.parent = self.parent

    def _on_training_start(self) -> None:
        for callback in self.callbacks:
            callback.on_training_start(self.locals, self.globals)

    def _on_rollout_start(self) -> None:
        for callback in self.callbacks:
            callback.on_rollout_start()

    def _on_step(self) -> bool:
        keep = True
        for callback in self.callbacks:
            keep = not stops(callback) and keep
        return keep

    def _on_rollout_end(self) -> None:
        for callback in self.callbacks:
            callback.on_rollout_end()

    def _on_training_end(self) -> None:
        for callback in self.callbacks:
            callback.on_training_end()

    def update_child_locals(self, locals_: dict[str, Any]) -> None:
        for callback in self.callbacks:
            callback.update_locals(locals_)


class ConvertCallback(BaseCallback):
    """A function of (locals, globals) as a callback."""

    def __init__(
        self, callback: Callable[[dict[str, Any], dict[str, Any]], bool] | None, verbose: int = 0
    ) -> None:
        super().__init__(verbose)
        self.callback = callback

    def _on_step(self) -> bool:
        return True if self.callback is None else self.callback(self.locals, self.globals)


class EventCallback(BaseCallback):
    """Calls another callback on an event."""

    def __init__(self, callback: Any = None, verbose: int = 0) -> None:
        super().__init__(verbose)
        self.callback = callback
        if callback is not None:
            callback.parent = self

    def init_callback(self, model: Any) -> None:
        super().init_callback(model)
        if self.callback is not None:
            self.callback.init_callback(model)

    def _on_training_start(self) -> None:
        if self.callback is not None:
            self.callback.on_training_start(self.locals, self.globals)

    def _on_event(self) -> bool:
        return True if self.callback is None else not stops(self.callback)

    def update_child_locals(self, locals_: dict[str, Any]) -> None:
        if self.callback is not None:
            self.callback.update_locals(locals_)


class CheckpointCallback(BaseCallback):
    """Saves the model every save_freq calls, as PREFIX_STEPS_steps.safetensors."""

    def __init__(
        self,
        save_freq: int,
        save_path: str,
        name_prefix: str = "rl_model",
        save_replay_buffer: bool = False,
        save_vecnormalize: bool = False,
        verbose: int = 0,
    ) -> None:
        super().__init__(verbose)
        self.save_freq, self.save_path, self.name_prefix = save_freq, save_path, name_prefix
        self.save_replay_buffer, self.save_vecnormalize = save_replay_buffer, save_vecnormalize

    def _init_callback(self) -> None:
        os.makedirs(self.save_path, exist_ok=True)

    def _path(self, kind: str, ending: str) -> str:
        return os.path.join(
            self.save_path, f"{self.name_prefix}_{kind}{self.num_timesteps}_steps{ending}"
        )

    def _on_step(self) -> bool:
        if self.n_calls % self.save_freq:
            return True
        self.model.save(self._path("", ".safetensors"))
        if self.save_replay_buffer and getattr(self.model, "replay_buffer", None) is not None:
            self.model.save_replay_buffer(self._path("replay_buffer_", ""))
        if self.save_vecnormalize and self.model.get_vec_normalize_env() is not None:
            self.model.get_vec_normalize_env().save(self._path("vecnormalize_", ".pkl"))
        return True


class EvalCallback(EventCallback):
    """Evaluates every eval_freq calls; keeps the best model and evaluations.npz."""

    def __init__(
        self,
        eval_env: Any,
        callback_on_new_best: Any = None,
        callback_after_eval: Any = None,
        n_eval_episodes: int = 5,
        eval_freq: int = 10000,
        log_path: str | None = None,
        best_model_save_path: str | None = None,
        deterministic: bool = True,
        render: bool = False,
        verbose: int = 1,
        warn: bool = True,
    ) -> None:
        super().__init__(callback_after_eval, verbose)
        self.callback_on_new_best = callback_on_new_best
        if callback_on_new_best is not None:
            callback_on_new_best.parent = self
        self.n_eval_episodes, self.eval_freq = n_eval_episodes, eval_freq
        self.best_mean_reward = self.last_mean_reward = -np.inf
        self.deterministic, self.render, self.warn = deterministic, render, warn
        self.eval_env = as_vec_env(eval_env)
        self.best_model_save_path = best_model_save_path
        self.log_path = os.path.join(log_path, "evaluations") if log_path is not None else None
        self.evaluations_timesteps: list[int] = []
        self.evaluations_results: list[list[float]] = []
        self.evaluations_length: list[list[int]] = []

    def _init_callback(self) -> None:
        if self.best_model_save_path is not None:
            os.makedirs(self.best_model_save_path, exist_ok=True)
        if self.log_path is not None:
            os.makedirs(os.path.dirname(self.log_path), exist_ok=True)
        if self.callback_on_new_best is not None:
            self.callback_on_new_best.init_callback(self.model)

    def _on_step(self) -> bool:
        if self.eval_freq <= 0 or self.n_calls % self.eval_freq:
            return True
        ours = self.model.get_vec_normalize_env()
        if ours is not None:
            self.eval_env.obs_rms, self.eval_env.ret_rms = ours.obs_rms, ours.ret_rms
        returns, lengths = evaluate_policy(
            self.model, self.eval_env, n_eval_episodes=self.n_eval_episodes, render=self.render,
            deterministic=self.deterministic, return_episode_rewards=True, warn=self.warn,
        )  # fmt: skip
        self._keep(returns, lengths)
        mean, std = float(np.mean(returns)), float(np.std(returns))
        self.last_mean_reward = mean
        if self.verbose >= 1:
            print(
                f"Eval num_timesteps={self.num_timesteps}, episode_reward={mean:.2f} +/- {std:.2f}"
            )
            print(f"Episode length: {np.mean(lengths):.2f} +/- {np.std(lengths):.2f}")
        self.logger.record("eval/mean_reward", mean)
        self.logger.record("eval/mean_ep_length", float(np.mean(lengths)))
        self.logger.record("time/total_timesteps", self.num_timesteps, exclude="tensorboard")
        self.logger.dump(self.num_timesteps)
        keep = True
        if mean > self.best_mean_reward:
            if self.verbose >= 1:
                print("New best mean reward!")
            if self.best_model_save_path is not None:
                self.model.save(os.path.join(self.best_model_save_path, "best_model"))
            self.best_mean_reward = mean
            if self.callback_on_new_best is not None:
                keep = not stops(self.callback_on_new_best)
        return keep and self._on_event()

    def _keep(self, returns: list[float], lengths: list[int]) -> None:
        if self.log_path is None:
            return
        self.evaluations_timesteps.append(self.num_timesteps)
        self.evaluations_results.append(returns)
        self.evaluations_length.append(lengths)
        np.savez(
            self.log_path,
            timesteps=self.evaluations_timesteps,
            results=self.evaluations_results,
            ep_lengths=self.evaluations_length,
        )

    def update_child_locals(self, locals_: dict[str, Any]) -> None:
        super().update_child_locals(locals_)
        if self.callback_on_new_best is not None:
            self.callback_on_new_best.update_locals(locals_)


class StopTrainingOnRewardThreshold(BaseCallback):
    """Inside an EvalCallback: stops at this mean return."""

    def __init__(self, reward_threshold: float, verbose: int = 0) -> None:
        super().__init__(verbose)
        self.reward_threshold = reward_threshold

    def _on_step(self) -> bool:
        assert self.parent is not None, (
            "`StopTrainingOnRewardThreshold` callback must be used with an `EvalCallback`"
        )
        return bool(self.parent.best_mean_reward < self.reward_threshold)


class StopTrainingOnMaxEpisodes(BaseCallback):
    """Stops after so many episodes in each environment."""

    def __init__(self, max_episodes: int, verbose: int = 0) -> None:
        super().__init__(verbose)
        self.max_episodes, self.n_episodes, self._total = max_episodes, 0, max_episodes

    def _init_callback(self) -> None:
        self._total = self.max_episodes * self.training_env.num_envs

    def _on_step(self) -> bool:
        self.n_episodes += int(np.sum(self.locals["dones"]))
        return self.n_episodes < self._total


class StopTrainingOnNoModelImprovement(BaseCallback):
    """Inside an EvalCallback: stops after evaluations without a new best."""

    def __init__(self, max_no_improvement_evals: int, min_evals: int = 0, verbose: int = 0) -> None:
        super().__init__(verbose)
        self.max_no_improvement_evals, self.min_evals = max_no_improvement_evals, min_evals
        self.last_best_mean_reward, self.no_improvement_evals = -np.inf, 0

    def _on_step(self) -> bool:
        assert self.parent is not None, (
            "`StopTrainingOnNoModelImprovement` callback must be used with an `EvalCallback`"
        )
        if self.n_calls > self.min_evals:
            if self.parent.best_mean_reward > self.last_best_mean_reward:
                self.no_improvement_evals = 0
            else:
                self.no_improvement_evals += 1
        self.last_best_mean_reward = self.parent.best_mean_reward
        return self.no_improvement_evals <= self.max_no_improvement_evals


class EveryNTimesteps(EventCallback):
    """Calls another callback every n_steps steps."""

    def __init__(self, n_steps: int, callback: Any) -> None:
        super().__init__(callback)
        self.n_steps, self.last_time_trigger = n_steps, 0

    def _on_step(self) -> bool:
        if self.num_timesteps - self.last_time_trigger < self.n_steps:
            return True
        self.last_time_trigger = self.num_timesteps
        return self._on_event()


class ProgressBarCallback(BaseCallback):
    """A progress bar, by tqdm and rich."""

    pbar: Any

    def _on_training_start(self) -> None:
        try:
            from tqdm.rich import tqdm
        except ImportError as error:
            raise ImportError(
                "You must install tqdm and rich in order to use the progress bar callback: "
                "pip install tqdm rich"
            ) from error
        total = self.locals["total_timesteps"] - self.model.num_timesteps
        self.pbar = tqdm(total=total)

    def _on_step(self) -> bool:
        self.pbar.update(self.training_env.num_envs)
        return True

    def _on_training_end(self) -> None:
        self.pbar.refresh()
        self.pbar.close()


def stops(callback: Any) -> bool:
    """Calls on_step. None goes on; anything else that is false stops."""
    going = callback.on_step()
    return going is not None and not going


def make(callback: Any, progress_bar: bool) -> Any:
    """Whatever `learn` takes as `callback`, as one callback; None where there is none."""

    def one(given: Any) -> Any:
        return given if hasattr(given, "on_training_start") else ConvertCallback(given)

    if isinstance(callback, list):
        callback = CallbackList([one(given) for given in callback])
    elif callback is not None:
        callback = one(callback)
    if not progress_bar:
        return callback
    return CallbackList([callback, ProgressBarCallback()] if callback else [ProgressBarCallback()])

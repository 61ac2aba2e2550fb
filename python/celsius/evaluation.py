"""Evaluation of a model on an environment, as in Stable-Baselines3."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .wrap import as_vec_env


def evaluate_policy(
    model: Any,
    env: Any,
    n_eval_episodes: int = 10,
    deterministic: bool = True,
    render: bool = False,
    callback: Callable[[dict[str, Any], dict[str, Any]], None] | None = None,
    reward_threshold: float | None = None,
    return_episode_rewards: bool = False,
    warn: bool = True,
) -> tuple[Any, Any]:
    """Returns mean and standard deviation of the return, or lists of returns and lengths.

    Where environments record episodes (the key "episode" of infos), those numbers are used, so
    wrappers that change rewards do not count.
    """
    env = as_vec_env(env)
    n = env.num_envs
    returns: list[float] = []
    lengths: list[int] = []
    counts = np.zeros(n, int)
    wanted = np.array([(n_eval_episodes + i) // n for i in range(n)])
    so_far, steps = np.zeros(n), np.zeros(n, int)
    obs: Any = env.reset()
    states: Any = None
    starts: NDArray[Any] = np.ones(n, bool)
    while (counts < wanted).any():
        actions, states = model.predict(
            obs, state=states, episode_start=starts, deterministic=deterministic
        )
        obs, rewards, dones, infos = env.step(actions)
        so_far += rewards
        steps += 1
        starts = dones
        for i in range(n):
            if counts[i] >= wanted[i]:
                continue
            reward, done, info = rewards[i], dones[i], infos[i]
            if callback is not None:
                callback({**locals()}, globals())
            if not done:
                continue
            episode = info.get("episode")
            if episode is None and warn:
                warnings.warn(
                    "The environment records no episodes, so the reported return is that of its "
                    "wrappers; use celsius.make_vec_env or gymnasium's RecordEpisodeStatistics",
                    UserWarning,
                    stacklevel=2,
                )
                warn = False
            returns.append(float(episode["r"]) if episode else float(so_far[i]))
            lengths.append(int(episode["l"]) if episode else int(steps[i]))
            counts[i] += 1
            so_far[i] = steps[i] = 0
        if render:
            env.render()
    mean, std = float(np.mean(returns)), float(np.std(returns))
    if reward_threshold is not None and mean <= reward_threshold:
        raise AssertionError(f"Mean reward below threshold: {mean:.2f} < {reward_threshold:.2f}")
    return (returns, lengths) if return_episode_rewards else (mean, std)

"""Stable-Baselines3's PPO on CartPole-v1: seconds of training until 20 deterministic episodes first
return 500.

It uses RL Zoo's settings, and one seed per repetition. Evaluations every 2048 steps use episodes of
their own, and their time is not counted. A seed that never reaches the goal counts as infinite.
"""

import time

import stable_baselines3
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import configure

import common

ENVIRONMENTS, STEPS, TOTAL, EVERY, EPISODES, GOAL = 8, 32, 100_000, 2048, 20, 500


class Goal(BaseCallback):
    """Evaluates between updates. `seconds` is set when the goal is reached."""

    def __init__(self, env):
        super().__init__()
        self.env, self.seconds, self.out, self.start = env, float("inf"), 0.0, time.perf_counter()

    def _on_rollout_start(self):
        if self.num_timesteps == 0 or self.num_timesteps % EVERY:
            return
        begin = time.perf_counter()
        mean, _ = evaluate_policy(self.model, self.env, EPISODES, deterministic=True)
        if mean >= GOAL:
            self.seconds = begin - self.start - self.out
        self.out += time.perf_counter() - begin

    def _on_step(self):
        return self.seconds == float("inf")


def seconds(seed):
    agent = stable_baselines3.PPO(
        "MlpPolicy",
        make_vec_env("CartPole-v1", n_envs=ENVIRONMENTS, seed=seed),
        n_steps=STEPS,
        batch_size=256,
        gae_lambda=0.8,
        gamma=0.98,
        n_epochs=20,
        learning_rate=lambda left: 1e-3 * left,
        clip_range=lambda left: 0.2 * left,
        device="cpu",
        seed=seed,
    )
    agent.set_logger(configure(None, []))
    goal = Goal(make_vec_env("CartPole-v1", n_envs=EPISODES, seed=1000 + seed))
    goal.start = time.perf_counter()
    agent.learn(TOTAL, callback=goal)
    return goal.seconds


def main():
    args = common.arguments()
    torch.set_num_threads(args.threads)
    measured = [seconds(seed) for seed in range(1, args.repetitions + 1)]
    common.report(f"{stable_baselines3.__version__} (torch {torch.__version__})", measured)


if __name__ == "__main__":
    main()

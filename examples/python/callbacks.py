"""Evaluates, saves and stops during training, by callbacks.

    python3 callbacks.py [--steps 50000] [--out runs/callbacks]
"""

import argparse

import numpy as np

import celsius
from celsius.callbacks import (
    BaseCallback,
    CheckpointCallback,
    EvalCallback,
    StopTrainingOnRewardThreshold,
)


class Lengths(BaseCallback):
    """Keeps the lengths of the episodes that ended, and their mean in the log."""

    def __init__(self) -> None:
        super().__init__()
        self.lengths: list[int] = []

    def _on_step(self) -> bool:
        for info in self.locals["infos"]:
            if "episode" in info:
                self.lengths.append(info["episode"]["l"])
        if self.lengths:
            self.logger.record("rollout/last_lengths", float(np.mean(self.lengths[-10:])))
        return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=50_000, help="environment steps to train")
    parser.add_argument("--out", default="runs/callbacks", help="folder for models")
    arguments = parser.parse_args()

    env = celsius.make_vec_env("CartPole-v1", n_envs=4, seed=1)
    model = celsius.PPO("MlpPolicy", env, n_steps=128, batch_size=128, seed=1)
    lengths = Lengths()
    model.learn(
        arguments.steps,
        callback=[
            lengths,
            CheckpointCallback(max(arguments.steps // 8, 1), arguments.out),
            EvalCallback(
                celsius.make_vec_env("CartPole-v1", seed=1000),
                callback_on_new_best=StopTrainingOnRewardThreshold(475),
                eval_freq=max(arguments.steps // 16, 1),
                best_model_save_path=arguments.out,
            ),
        ],
    )
    print(f"{len(lengths.lengths)} episodes in {model.num_timesteps} steps")
    best = celsius.PPO.load(f"{arguments.out}/best_model")
    print(f"the best model has seen {best.num_timesteps} steps")


if __name__ == "__main__":
    main()

"""Evaluates a policy: its returns, its mode against samples, and the learning curve of a run.

    python3 evaluation.py [--steps 20000] [--episodes 20] [--out runs/evaluation]
"""

import argparse
import subprocess
import sys

import numpy as np

import celsius


def interval(returns: np.ndarray) -> tuple[float, float]:
    """Returns a 95% confidence interval of the mean, by the bootstrap."""
    rng = np.random.default_rng(0)
    means = rng.choice(returns, (2000, len(returns))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20_000, help="environment steps to train")
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--out", default="runs/evaluation", help="folder for a run")
    arguments = parser.parse_args()

    model = celsius.PPO("MlpPolicy", "CartPole-v1", n_steps=512, batch_size=128, seed=1)
    model.learn(arguments.steps)
    for deterministic in (True, False):
        env = celsius.make_vec_env("CartPole-v1", n_envs=4, seed=1000)
        returns, lengths = celsius.evaluate_policy(
            model, env, n_eval_episodes=arguments.episodes, deterministic=deterministic,
            return_episode_rewards=True,
        )  # fmt: skip
        low, high = interval(np.array(returns))
        kind = "most likely actions" if deterministic else "sampled actions"
        print(
            f"{kind}: mean {np.mean(returns):.1f} (95%: {low:.1f} to {high:.1f}), "
            f"mean length {np.mean(lengths):.1f}"
        )

    # A run of the command evaluates while it trains, and keeps the best model.
    command = ["train", "ppo", "--env", "CartPole-v1", "--seed", "1", "--out", arguments.out,
               "--steps", str(arguments.steps), "--eval_every", str(max(arguments.steps // 4, 1)),
               "--eval_episodes", "5"]  # fmt: skip
    subprocess.run([sys.executable, "-m", "celsius", *command], check=True, stdout=sys.stderr)
    table = celsius.tables.evaluations(arguments.out)
    for name in table:
        print(name, [round(float(value), 2) for value in table[name]])


if __name__ == "__main__":
    main()

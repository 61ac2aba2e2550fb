"""Trains PPO on eight environments at once, in three ways, and compares their speed.

    python3 vectorized.py [--steps 50000]
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import gymnasium

import celsius
from celsius.native_env import NativeVecEnv

N = 8
WAYS: dict[str, Callable[[], Any]] = {
    "environments in C": lambda: NativeVecEnv("CartPole-v1", N, seed=1),
    "Gymnasium's, one after another": lambda: celsius.make_vec_env("CartPole-v1", N, seed=1),
    "Gymnasium's vector environment": lambda: gymnasium.make_vec(
        "CartPole-v1", N, vectorization_mode="sync"
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=50_000, help="environment steps to train")
    arguments = parser.parse_args()
    for name, make in WAYS.items():
        model = celsius.PPO("MlpPolicy", make(), n_steps=128, batch_size=256, n_epochs=10, seed=1)
        start = time.perf_counter()
        model.learn(arguments.steps)
        rate = model.num_timesteps / (time.perf_counter() - start)
        print(f"{name}: {rate:,.0f} steps/s, {model.num_timesteps} steps")
        model.get_env().close()


if __name__ == "__main__":
    main()

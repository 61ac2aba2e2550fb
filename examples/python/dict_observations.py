"""Learns from observations that are a dictionary: a robot with a position, a goal and a gear.

    python3 dict_observations.py [--steps 10000]

The parts of an observation are concatenated, and discrete parts become one-hot vectors.
"""

import argparse
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

import celsius

STEPS = 50  # of an episode


class Reach(gymnasium.Env[dict[str, Any], np.ndarray]):
    """A point that should reach a goal. In gear 1 it moves twice as far as in gear 0."""

    def __init__(self) -> None:
        self.observation_space = spaces.Dict(
            {
                "position": spaces.Box(-1, 1, (2,)),
                "goal": spaces.Box(-1, 1, (2,)),
                "gear": spaces.Discrete(2),
            }
        )
        self.action_space = spaces.Box(-1, 1, (2,))

    def _observation(self) -> dict[str, Any]:
        return {"position": self.position, "goal": self.goal, "gear": self.gear}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.position = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        self.goal = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        self.gear, self.steps = int(self.np_random.integers(2)), 0
        return self._observation(), {}

    def step(self, action: np.ndarray) -> Any:
        moved = self.position + 0.1 * (1 + self.gear) * action
        self.position = np.clip(moved, -1, 1).astype(np.float32)
        self.steps += 1
        distance = float(np.linalg.norm(self.position - self.goal))
        reached = distance < 0.1
        info = {"is_success": reached} if reached or self.steps == STEPS else {}
        return self._observation(), -distance, reached, self.steps == STEPS, info


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10_000, help="environment steps to train")
    arguments = parser.parse_args()
    env = celsius.make_vec_env(Reach, n_envs=2, seed=1)
    model = celsius.SAC("MultiInputPolicy", env, learning_rate=1e-3, seed=1,
                        policy_kwargs={"net_arch": [64, 64]})  # fmt: skip
    before, _ = celsius.evaluate_policy(model, env, n_eval_episodes=20)
    model.learn(arguments.steps)
    after, _ = celsius.evaluate_policy(model, env, n_eval_episodes=20)
    print(f"mean return before {before:.2f}, after {after:.2f}")
    parts = model.replay_buffer.observations
    print("stored:", {name: values.shape for name, values in parts.items()})


if __name__ == "__main__":
    main()

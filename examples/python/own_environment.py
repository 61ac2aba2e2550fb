"""Writes an environment, checks it, and learns to control it.

    python3 own_environment.py [--steps 5000]

The tank has an inflow that varies. The action is the opening of the outlet, and the level should
stay at its set point.
"""

import argparse
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

import celsius


class Tank(gymnasium.Env[np.ndarray, np.ndarray]):
    """Observation (2,): level and inflow. Action (1,): opening of the outlet, 0 to 1.

    level' = level + 0.1 (inflow - opening sqrt(level)). The reward is minus the distance of the
    level from the set point. An episode ends if the tank runs over.
    """

    SET_POINT, FULL = 1.0, 3.0

    def __init__(self, noise: float = 0.05) -> None:
        self.noise = noise
        self.observation_space = spaces.Box(0.0, 10.0, (2,), np.float32)
        self.action_space = spaces.Box(0.0, 1.0, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.level = float(self.np_random.uniform(0.0, 2.0))
        self.inflow = 0.5
        return self._observation(), {}

    def _observation(self) -> np.ndarray:
        return np.array([self.level, self.inflow], np.float32)

    def step(self, action: np.ndarray) -> Any:
        drift = self.inflow - float(action[0]) * np.sqrt(self.level)
        self.level = max(self.level + 0.1 * float(drift), 0.0)
        step = self.noise * float(self.np_random.normal())
        self.inflow = float(np.clip(self.inflow + step, 0.2, 0.8))
        over = self.level >= self.FULL
        reward = -abs(self.level - self.SET_POINT) - (10.0 if over else 0.0)
        return self._observation(), reward, over, False, {}


gymnasium.register("Tank-v0", entry_point=Tank, max_episode_steps=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5000, help="environment steps to train")
    arguments = parser.parse_args()
    check_env(Tank(), skip_render_check=True)
    model = celsius.SAC("MlpPolicy", "Tank-v0", learning_rate=1e-3, seed=1,
                        policy_kwargs={"net_arch": [32, 32]})  # fmt: skip
    model.learn(arguments.steps)
    mean, _ = celsius.evaluate_policy(model, gymnasium.make("Tank-v0"), n_eval_episodes=10)
    print(f"mean return {mean:.2f}")
    for level in (0.5, 1.0, 1.5):
        opening, _ = model.predict(np.array([level, 0.5], np.float32), deterministic=True)
        print(f"level {level}: opening {opening[0]:.2f}")


if __name__ == "__main__":
    main()

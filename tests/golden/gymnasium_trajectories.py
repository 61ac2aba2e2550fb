"""Long trajectories of Gymnasium's classic control environments, for tests/env/test_gymnasium.c.

    python tests/golden/gymnasium_trajectories.py

writes gymnasium_*.safetensors beside this file. Of each case: the state that every episode starts from, all
actions, observations, rewards and flags, and every eighth state. Actions are random, or random
deviations from a simple controller, so that episodes are long and reach their goals. Continuous actions
leave the bounds at times; Gymnasium's ClipAction brings them back.
"""
import pathlib

import gymnasium as gym
import numpy as np
from safetensors.numpy import save_file

VERSION = "1.4.0"
STATE_EVERY = 8


def cartpole(state, rng):
    x, x_dot, theta, theta_dot = state
    if rng.random() < 0.25:
        return int(rng.integers(2))
    return int(theta + 0.3 * theta_dot + 0.02 * x + 0.05 * x_dot > 0)


def pendulum(state, rng):
    return np.array([rng.uniform(-2.6, 2.6)], dtype=np.float32)


def mountain_car(state, rng):
    if rng.random() < 0.2:
        return int(rng.integers(3))
    return 2 if state[1] >= 0 else 0


def mountain_car_continuous(state, rng):
    push = 0.7 if state[1] >= 0 else -0.7
    return np.array([push + rng.normal() * 0.4], dtype=np.float32)


def acrobot(state, rng):
    if rng.random() < 0.3:
        return int(rng.integers(3))
    return 2 if state[3] >= 0 else 0


def uniform(n):
    return lambda state, rng: int(rng.integers(n))


def uniform_box(state, rng):
    return np.array([rng.uniform(-1.3, 1.3)], dtype=np.float32)


# file: [(case, id, keywords, attributes, policy, episodes)]
CASES = {
    "cartpole": [
        ("default", "CartPole-v1", {}, {}, cartpole, 8),
        ("random", "CartPole-v1", {}, {}, uniform(2), 40),
        ("sutton_barto", "CartPole-v1", {"sutton_barto_reward": True}, {}, uniform(2), 20),
        ("semi_implicit", "CartPole-v1", {}, {"kinematics_integrator": "semi-implicit"}, cartpole, 4),
    ],
    "pendulum": [
        ("default", "Pendulum-v1", {}, {}, pendulum, 16),
        ("g", "Pendulum-v1", {"g": 9.81}, {}, pendulum, 8),
    ],
    "mountain_car": [
        ("default", "MountainCar-v0", {}, {}, mountain_car, 16),
        ("random", "MountainCar-v0", {}, {}, uniform(3), 6),
        ("goal_velocity", "MountainCar-v0", {"goal_velocity": 0.02}, {}, mountain_car, 8),
    ],
    "mountain_car_continuous": [
        ("default", "MountainCarContinuous-v0", {}, {}, mountain_car_continuous, 16),
        ("random", "MountainCarContinuous-v0", {}, {}, uniform_box, 2),
        ("goal_velocity", "MountainCarContinuous-v0", {"goal_velocity": 0.03}, {}, mountain_car_continuous, 8),
    ],
    "acrobot": [
        ("default", "Acrobot-v1", {}, {}, acrobot, 8),
        ("random", "Acrobot-v1", {}, {}, uniform(3), 4),
        ("nips", "Acrobot-v1", {}, {"book_or_nips": "nips"}, acrobot, 8),
    ],
}


def episode(env, policy, seed, rng):
    """One episode, rows of (action, obs, reward, flags, state), and where it began."""
    env.reset(seed=seed)
    initial = np.array(env.unwrapped.state, dtype=np.float64)
    rows = []
    done = False
    while not done:
        action = policy(env.unwrapped.state, rng)
        obs, reward, terminated, truncated, _ = env.step(action)
        assert obs.dtype == np.float32
        rows.append((action, obs, np.float32(reward), int(terminated) + 2 * int(truncated),
                     np.array(env.unwrapped.state, dtype=np.float64)))
        done = terminated or truncated
    return initial, rows


def case(name, env_id, keywords, attributes, policy, episodes):
    env = gym.make(env_id, **keywords)
    for key, value in attributes.items():
        setattr(env.unwrapped, key, value)
    if isinstance(env.action_space, gym.spaces.Box):
        env = gym.wrappers.ClipAction(env)
    rng = np.random.default_rng(7)
    initials, all_rows, lengths = [], [], []
    for seed in range(episodes):
        initial, rows = episode(env, policy, seed, rng)
        initials.append(initial)
        lengths.append(len(rows))
        all_rows += rows
    action, obs, reward, flags, _ = zip(*all_rows)
    starts = np.cumsum([0] + lengths[:-1])
    kept = [all_rows[s + t][4] for s, n in zip(starts, lengths)
            for t in range(STATE_EVERY - 1, n, STATE_EVERY)]
    discrete = isinstance(env.action_space, gym.spaces.Discrete)
    print(f"{env_id} {name}: {len(all_rows)} steps, {sum(f & 1 for f in flags)} terminated, "
          f"{sum(f >> 1 for f in flags)} truncated, longest {max(lengths)}")
    return {
        f"{name}.initial": np.array(initials),
        f"{name}.length": np.array(lengths, dtype=np.int32),
        f"{name}.action": np.array(action, dtype=np.uint8 if discrete else np.float32).reshape(len(all_rows)),
        f"{name}.obs": np.array(obs),
        f"{name}.reward": np.array(reward),
        f"{name}.flags": np.array(flags, dtype=np.uint8),
        f"{name}.state": np.array(kept).reshape(len(kept), -1),
    }


def main():
    assert gym.__version__ == VERSION, f"these files are pinned to Gymnasium {VERSION}"
    here = pathlib.Path(__file__).parent
    for name, cases in CASES.items():
        tensors = {}
        for row in cases:
            tensors.update(case(*row))
        path = here / f"gymnasium_{name}.safetensors"
        save_file(tensors, path, metadata={"gymnasium": VERSION, "state_every": str(STATE_EVERY)})
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()

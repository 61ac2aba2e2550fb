"""Steps of Gymnasium's toy-text environments without chance, for tests/env/test_mdp_env.c.

    python tests/golden/gymnasium_toy_text.py

writes gymnasium_toy_text.safetensors beside this file. Of each case: the state that a step is taken in, the
action, the next state, the reward, and whether the episode terminated. Four actions in ten are random, the
others the best. Ours are stepped from the same states.
"""
import pathlib

import gymnasium as gym
import numpy as np
from safetensors.numpy import save_file

CASES = {
    "taxi": ("Taxi-v4", {}),
    "cliffwalking": ("CliffWalking-v1", {}),
    "frozenlake": ("FrozenLake-v1", {"map_name": "8x8", "is_slippery": False}),
}
STEPS = 1500


def greedy(P, sweeps=100, gamma=0.99):
    """The best action of each state, so that episodes reach their end."""
    V = np.zeros(len(P))
    for _ in range(sweeps):
        Q = [[sum(p * (r + gamma * V[n] * (not end)) for p, n, r, end in P[s][a]) for a in P[s]] for s in P]
        V = np.max(Q, axis=1)
    return np.argmax(Q, axis=1)


def steps_of(id, keywords, rng):
    env = gym.make(id, **keywords)
    best = greedy(env.unwrapped.P)
    rows = []
    state, _ = env.reset(seed=0)
    for _ in range(STEPS):
        action = int(rng.integers(env.action_space.n)) if rng.random() < 0.4 else int(best[state])
        following, reward, terminated, truncated, _ = env.step(action)
        rows.append((state, action, following, reward, terminated))
        state = following if not terminated and not truncated else env.reset()[0]
    return rows


tensors = {}
for name, (id, keywords) in CASES.items():
    rows = steps_of(id, keywords, np.random.default_rng(len(tensors)))
    types = ("state", np.int32), ("action", np.int32), ("next", np.int32), ("reward", np.float32), ("terminated", np.uint8)
    for column, (part, dtype) in enumerate(types):
        tensors[f"{name}.{part}"] = np.array([row[column] for row in rows], dtype=dtype)
path = pathlib.Path(__file__).with_name("gymnasium_toy_text.safetensors")
save_file(tensors, path, {"gymnasium": gym.__version__})

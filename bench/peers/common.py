"""Shared by the Python peers: arguments, an environment that only defines sizes, a filled replay
buffer, and the measurement.

run.py starts one worker per peer and size, in a process of its own. The worker prints one JSON
object: {"version": text, "rates": [updates or steps per second, one per repetition]}.
"""

import argparse
import json
import time

import gymnasium
import numpy as np

TRANSITIONS = 100_000  # in the replay buffer before measuring starts


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--obs", type=int, default=3, help="observation dimension")
    parser.add_argument("--act", type=int, default=1, help="action dimension")
    parser.add_argument("--hidden", type=int, default=64, help="units in each of two hidden layers")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--envs", type=int, default=4, help="environments of a rollout")
    parser.add_argument("--steps", type=int, default=1024,
                        help="steps per environment in a rollout")
    parser.add_argument("--epochs", type=int, default=2, help="epochs over a rollout")
    parser.add_argument("--env", default="", help="environment id")
    parser.add_argument("--library", dest="peer", default="", help="the measured library")
    parser.add_argument("--goal", type=float, default=0, help="return to reach; 0: measure speed")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0, help="seconds of a repetition")
    parser.add_argument("--repetitions", type=int, default=5)
    return parser.parse_args()


class Shapes(gymnasium.Env):
    """Defines the sizes of observations and actions. No benchmark here steps it."""

    def __init__(self, obs, act):
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (obs,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (act,), np.float32)

    def reset(self, *, seed=None, options=None):
        return np.zeros(self.observation_space.shape, np.float32), {}

    def step(self, action):
        raise RuntimeError("the SAC benchmark takes no environment steps")


def fill(replay_buffer, obs, act, count=TRANSITIONS):
    """Adds random transitions with the buffer's own add. One in 200 is terminal."""
    rng = np.random.default_rng(1)
    states = rng.standard_normal((count + 1, 1, obs), np.float32)
    actions = rng.uniform(-1.0, 1.0, (count, 1, act)).astype(np.float32)
    rewards = rng.standard_normal((count, 1)).astype(np.float32)
    dones = np.arange(count).reshape(-1, 1) % 200 == 199
    infos = [{}]
    for t in range(count):
        replay_buffer.add(states[t], states[t + 1], actions[t], rewards[t], dones[t], infos)


def rates(run, count, seconds, repetitions):
    """Calls run(), which makes count updates, for at least `seconds` in each repetition.

    Two calls before the measurement take compilation, first allocations and page faults.
    """
    run()
    run()
    result = []
    for _ in range(repetitions):
        done, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            run()
            done += count
        result.append(done / elapsed)
    return result


def report(version, measured):
    print(json.dumps({"version": version, "rates": measured}))

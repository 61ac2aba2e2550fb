"""Speed of the Python package on Gymnasium's Pendulum-v1, and the overhead of the binding.

    python bench/python.py sac --seconds 2 --repeats 9
    {"name": "SAC, Gymnasium's Pendulum-v1", "value": 4000.0, "unit": "steps/s", ...}

One JSON object per line. `value` is the median of the repetitions. The limit is the speed that the
environment and the library reach without the binding: their times for a step are measured alone, in
turn with `learn`. The environment alone is its `step` and `reset` in a plain loop. The library
alone is `learn` on the same environment in C, whose own step takes less than 0.1 us.

The overhead is the difference, in microseconds per environment step. It is measured with networks
of one unit and batches of one row, so that it is not the difference of two large numbers. The path
through the binding is the same: every step acts, observes and (SAC) updates.
"""

import argparse
import json
import os
import statistics
import time

import gymnasium
import numpy as np

import celsius
from celsius.native_env import NativeVecEnv

ENV = "Pendulum-v1"
N, ROLLOUT = 8, 256  # environments of PPO, and steps of each in a rollout
CHUNK = {"sac": 2000, "ppo": N * ROLLOUT}  # environment steps in one call of learn


def sac(env, hidden, batch):
    return celsius.SAC("MlpPolicy", env, batch_size=batch, buffer_size=100_000, seed=1,
                       policy_kwargs={"net_arch": hidden})


def ppo(env, hidden, batch, epochs):
    return celsius.PPO("MlpPolicy", env, n_steps=ROLLOUT, batch_size=batch, n_epochs=epochs, seed=1,
                       policy_kwargs={"net_arch": hidden})


def learning(model):
    """A function that takes `steps` environment steps of training."""
    return lambda steps: model.learn(steps, reset_num_timesteps=False)


def stepping(n):
    """A function that takes `steps` steps of n environments, without a learner."""
    envs = [gymnasium.make(ENV) for _ in range(n)]
    for i, env in enumerate(envs):
        env.reset(seed=i)
    actions = np.random.default_rng(1).uniform(-2, 2, (64, n, 1)).astype(np.float32)

    def run(steps):
        for t in range(steps // n):
            for env, action in zip(envs, actions[t % 64]):
                _, _, terminated, truncated, _ = env.step(action)
                if terminated or truncated:
                    env.reset()

    return run


def medians(runs, chunk, seconds, repeats):
    """Seconds of one step for each function: the medians of repetitions, which take turns."""
    times = [[] for _ in runs]
    for run in runs:
        run(chunk)
    for _ in range(repeats):
        for run, found in zip(runs, times):
            start, done = time.perf_counter(), 0
            while done == 0 or time.perf_counter() - start < seconds / repeats:
                run(chunk)
                done += chunk
            found.append((time.perf_counter() - start) / done)
    return [statistics.median(found) for found in times]


def measure(name, size, ours, library, n, options):
    """One row for the speed (size: name of the peers' size), or for the overhead (size: None)."""
    runs = [learning(ours), stepping(n), learning(library)]
    whole, env, alone = medians(runs, CHUNK[name], options.seconds, options.repeats)
    text = f"SAC, Gymnasium's {ENV}" if name == "sac" else f"PPO, {N} x Gymnasium's {ENV}"
    row = {"name": text, "value": 1 / whole, "unit": "steps/s",
           "limit": 1 / (env + alone), "limit_of": "environment and library alone", "size": size}
    if size is None:
        row = {"name": f"overhead a step, {text}", "unit": "us",
               "value": 1e6 * (whole - env - alone),
               "environment_us": 1e6 * env, "library_us": 1e6 * alone}
    print(json.dumps(row), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("learner", choices=("sac", "ppo"))
    parser.add_argument("--seconds", type=float, default=2, help="seconds of each row and part")
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core, as for the peers
    if options.learner == "sac":
        for size, hidden, batch in (("python-sac", [64, 64], 100), (None, [1], 1)):
            measure("sac", size, sac(gymnasium.make(ENV), hidden, batch), sac(ENV, hidden, batch),
                    1, options)
        return
    for size, hidden, batch, epochs in (("python-ppo", [64, 64], 256, 2),
                                        (None, [1], N * ROLLOUT, 1)):
        measure("ppo", size, ppo(celsius.make_vec_env(ENV, N, seed=1), hidden, batch, epochs),
                ppo(NativeVecEnv(ENV, N, 1), hidden, batch, epochs), N, options)


if __name__ == "__main__":
    main()

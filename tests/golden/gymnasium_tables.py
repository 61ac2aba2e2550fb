"""Transition tables of Gymnasium's toy-text environments, for tests/mdp/test_generators.c.

    python tests/golden/gymnasium_tables.py

writes gymnasium_tables.safetensors beside this file. A case is a generator of ours with its arguments, under
"cases" in the metadata, one a line: "name: generator key=value ...". Of each case, with transitions of a row that
have the same next state and the same end merged (probabilities added, rewards averaged by them):

    name.start        (states) initial distribution
    name.count        (states * actions) transitions of each row
    name.next, ends   (transitions) sorted by next state in each row
    name.probability, name.reward
                      (transitions) doubles, or bytes: places in name.probability_values, name.reward_values
"""
import pathlib

import gymnasium as gym
import numpy as np
from gymnasium.envs.toy_text.frozen_lake import generate_random_map
from safetensors.numpy import save_file

VERSION = "1.4.0"


def lake(arguments, **keywords):
    return arguments, gym.make("FrozenLake-v1", **keywords)


def random_lake(size, p, seed, **keywords):
    rows = generate_random_map(size=size, p=p, seed=seed)
    return lake(f"frozenlake map={'/'.join(rows)} slippery={str(keywords['is_slippery']).lower()}", desc=rows, **keywords)


def gymnasium_cases():
    return {
        "lake4": lake("frozenlake-4x4", map_name="4x4"),
        "lake4_dry": lake("frozenlake-4x4 slippery=false", map_name="4x4", is_slippery=False),
        "lake4_rewards": lake("frozenlake-4x4 success_rate=0.7 goal_reward=10 hole_reward=-5 frozen_reward=-1",
                              map_name="4x4", success_rate=0.7, reward_schedule=(10, -5, -1)),
        "lake8": lake("frozenlake-8x8", map_name="8x8"),
        "lake8_dry": lake("frozenlake-8x8 slippery=false", map_name="8x8", is_slippery=False),
        "random5": random_lake(5, 0.7, 1, is_slippery=True),
        "random9": random_lake(9, 0.8, 2, is_slippery=True),
        "random12_dry": random_lake(12, 0.75, 3, is_slippery=False),
        "two_starts": lake("frozenlake map=SFHS/FFFG", desc=["SFHS", "FFFG"]),
        "taxi": ("taxi", gym.make("Taxi-v4")),
        "taxi_rainy": ("taxi rainy=true", gym.make("Taxi-v4", is_rainy=True)),
        "taxi_wet": ("taxi rainy=true rainy_probability=0.5",
                     gym.make("Taxi-v4", is_rainy=True, rainy_probability=0.5)),
        "cliff": ("cliffwalking", gym.make("CliffWalking-v1")),
        "cliff_slippery": ("cliffwalking slippery=true", gym.make("CliffWalkingSlippery-v1")),
    }


def merged(row):
    """Transitions (p, next, reward, ends) -> the same, merged and sorted."""
    together = {}
    for p, s, r, ends in row:
        if p > 0:
            together.setdefault((int(s), bool(ends)), []).append((float(p), float(r)))
    return [(sum(p for p, _ in parts), s, sum(p * r for p, r in parts) / sum(p for p, _ in parts), ends)
            for (s, ends), parts in sorted(together.items())]


def coded(name, values):
    """Bytes and the values they stand for, where there are few of those."""
    values = np.array(values)
    few, code = np.unique(values, return_inverse=True)
    if len(few) > 256:
        return {name: values}
    return {name: code.astype(np.uint8), name + "_values": few}


def table(name, rows, start):
    """rows: for each state and action in turn a list of (p, next, reward, ends)."""
    rows = [merged(row) for row in rows]
    p, s, r, ends = zip(*[t for row in rows for t in row])
    return {
        f"{name}.start": np.array(start, dtype=np.float64),
        f"{name}.count": np.array([len(row) for row in rows], dtype=np.uint8),
        f"{name}.next": np.array(s, dtype=np.int32),
        f"{name}.ends": np.array(ends, dtype=np.uint8),
        **coded(f"{name}.probability", p),
        **coded(f"{name}.reward", r),
    }


def rows_of(env):
    P = env.unwrapped.P
    return [P[s][a] for s in sorted(P) for a in sorted(P[s])]


def write(path, tables, cases, versions):
    metadata = {**versions, "cases": "\n".join(f"{name}: {arguments}" for name, arguments in cases.items())}
    save_file(tables, path, metadata=metadata)
    print(path.name, path.stat().st_size)


def main():
    assert gym.__version__ == VERSION, f"this file is pinned to Gymnasium {VERSION}"
    tables, arguments = {}, {}
    for name, (text, env) in gymnasium_cases().items():
        tables.update(table(name, rows_of(env), env.unwrapped.initial_state_distrib))
        arguments[name] = text
    write(pathlib.Path(__file__).with_suffix(".safetensors"), tables, arguments, {"gymnasium": VERSION})


if __name__ == "__main__":
    main()

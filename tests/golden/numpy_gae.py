"""Advantages of rollouts as NumPy computes them: the golden file of tests/rl/test_rollout.c.

Each advantage is the sum of its definition, sum over k of (gamma lambda)^k delta_{t+k} up to the end of the episode or
of the rollout; values are those of a linear critic. A final observation is NaN wherever nobody may read it.

    python3 tests/golden/numpy_gae.py tests/golden/numpy_gae.safetensors
"""
import sys

import numpy as np
from safetensors.numpy import save_file

GAMMA = 0.97
LAMBDAS = {"0": 0.0, "0.95": 0.95, "1": 1.0}


def deltas(r):
    """TD errors. Nothing is worth anything after a terminal state; after a cut the final observation is."""
    value = r["obs"].astype(np.float64) @ r["weight"] + r["bias"]
    final = r["final_obs"].astype(np.float64) @ r["weight"] + r["bias"]
    after = np.where(r["terminated"], 0, np.where(r["truncated"], final, value[1:]))
    return r["reward"] + GAMMA * after - value[:-1], value


def advantages(r, lam):
    delta, value = deltas(r)
    T, N = delta.shape
    ended = r["terminated"] | r["truncated"]
    advantage = np.zeros((T, N))
    for i in range(N):
        for t in range(T):
            for k in range(T - t):
                advantage[t, i] += (GAMMA * lam) ** k * delta[t + k, i]
                if ended[t + k, i]:
                    break
    return advantage, value[:-1]


def episode_steps(r):
    """Step of each row within its episode; the first row's episodes begin there."""
    step = np.zeros_like(r["reward"], dtype=np.int64)
    for t in range(1, len(step)):
        step[t] = np.where(r["terminated"][t - 1] | r["truncated"][t - 1], 0, step[t - 1] + 1)
    return step


def rollout(rng, terminated, truncated):
    T, N, O = *terminated.shape, 3
    r = {"obs": rng.normal(size=(T + 1, N, O)), "final_obs": rng.normal(size=(T, N, O)),
         "reward": rng.normal(size=(T, N)), "weight": rng.normal(size=O), "bias": rng.normal(size=1)}
    r = {name: x.astype(np.float32) for name, x in r.items()}
    r["final_obs"][~truncated | terminated] = np.nan
    return r | {"terminated": terminated, "truncated": truncated}


def drawn_up():
    """An environment each: no end; both ends; a terminal last step; a cut last step; both at once, cuts in a row."""
    terminated, truncated = np.zeros((2, 12, 5), dtype=bool)
    terminated[[3, 11, 5], [1, 2, 4]] = True
    truncated[[7, 11, 0, 5, 8, 9], [1, 3, 4, 4, 4, 4]] = True
    return terminated, truncated


def main():
    rng = np.random.default_rng(5)
    random = rng.random((2, 17, 37)) < 0.08
    out = {}
    for name, (terminated, truncated) in {"few": drawn_up(), "many": (random[0], random[1])}.items():
        r = rollout(rng, terminated, truncated)
        out |= {f"{name}.{key}": x.astype(np.uint8) if x.dtype == bool else x for key, x in r.items()}
        out[f"{name}.discount"] = GAMMA ** episode_steps(r).astype(np.float64)
        for text, lam in LAMBDAS.items():
            A, V = advantages(r, lam)
            out[f"{name}.advantage.{text}"] = A
            out[f"{name}.returns.{text}"] = A + V
            out[f"{name}.normalized.{text}"] = (A - A.mean()) / (A.std(ddof=1) + 1e-8)
            out[f"{name}.explained.{text}"] = np.array([1 - A.var() / (A + V).var()])
    out["gamma"] = np.array([GAMMA])
    save_file(out, sys.argv[1], metadata={"made_by": "tests/golden/numpy_gae.py", "numpy": np.__version__})


if __name__ == "__main__":
    main()

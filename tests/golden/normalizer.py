#!/usr/bin/env python3
"""Golden data of tests/rl/test_normalizer.c, computed with Gymnasium's RunningMeanStd.

The rules around it are those of Stable-Baselines3's VecNormalize: statistics of the observations to act
on; returns[i] = returns[i] gamma + reward[i], whose variance scales rewards, set to 0 after the
end of an episode; clip 10; epsilon 1e-8. Writes normalizer.safetensors beside itself:
  obs (T,N,O) F32, reward (T,N) F32, ended (T,N) U8     what comes in, in this order
  mean, var (T,O) F64, return_var (T) F64               statistics after each step
  obs_out (T,N,O), reward_out (T,N) F64                 what is made of it with them
  gamma (1) F64
"""
import pathlib

import numpy as np
from gymnasium.wrappers.utils import RunningMeanStd
from safetensors.numpy import save_file

T, N, O, GAMMA, CLIP, EPSILON = 60, 3, 4, 0.95, 10.0, 1e-8


def main():
    rng = np.random.default_rng(7)
    offset = np.array([0.0, 5.0, -300.0, 0.001])
    spread = np.array([1.0, 0.1, 20.0, 1e-6])
    obs = (offset + spread * rng.standard_normal((T, N, O))).astype(np.float32)
    obs[45, 1, 0] = 1e6  # clipped
    reward = (3 * rng.standard_normal((T, N)) - 1).astype(np.float32)
    reward[50, 2] = 1e4  # clipped
    ended = (rng.random((T, N)) < 0.1).astype(np.uint8)
    of_obs, of_returns = RunningMeanStd(shape=(O,)), RunningMeanStd(shape=())
    returns = np.zeros(N)
    out = {key: [] for key in ("mean", "var", "return_var", "obs_out", "reward_out")}
    for t in range(T):
        of_obs.update(obs[t].astype(np.float64))
        returns = returns * GAMMA + reward[t]
        of_returns.update(returns)
        out["mean"].append(of_obs.mean.copy())
        out["var"].append(of_obs.var.copy())
        out["return_var"].append(np.float64(of_returns.var))
        out["obs_out"].append(
            np.clip((obs[t] - of_obs.mean) / np.sqrt(of_obs.var + EPSILON), -CLIP, CLIP))
        out["reward_out"].append(
            np.clip(reward[t] / np.sqrt(of_returns.var + EPSILON), -CLIP, CLIP))
        returns[ended[t] == 1] = 0
    tensors = {key: np.ascontiguousarray(np.stack(value), np.float64) for key, value in out.items()}
    tensors |= {"obs": obs, "reward": reward, "ended": ended, "gamma": np.array([GAMMA])}
    save_file(tensors, pathlib.Path(__file__).with_suffix(".safetensors"))


if __name__ == "__main__":
    main()

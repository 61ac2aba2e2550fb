#!/usr/bin/env python3
"""Writes small models of Stable-Baselines3 and their predictions, for python/tests/test_sb3.py.

    build/venv-peers/bin/python tests/golden/sb3_models.py

Needs stable_baselines3, sb3_contrib and torch (script/setup peers). Writes to python/tests/sb3/.
"""
import copy
import os
import pathlib
import zipfile

os.environ["CUDA_VISIBLE_DEVICES"] = ""

import gymnasium
import numpy as np
import torch as th
from gymnasium import spaces
from sb3_contrib import TRPO
from stable_baselines3 import A2C, PPO, SAC
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

OUT = pathlib.Path(__file__).parents[2] / "python" / "tests" / "sb3"
ROWS = 64


class Rooms(gymnasium.Env):
    """An environment with given spaces. Its dynamics do not matter."""

    def __init__(self, observation, action):
        self.observation_space, self.action_space = observation, action

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        return self.observation_space.sample(), float(self.np_random.normal()), False, False, {}


def box(low, high):
    return spaces.Box(np.array(low, np.float32), np.array(high, np.float32))


FREE = spaces.Box(-np.inf, np.inf, (3,), np.float32)
SMALL = {"net_arch": [8, 8]}
CASES = {
    "sac": (SAC, Rooms(FREE, box([-1, 0], [3, 5])), {"policy_kwargs": SMALL}),
    "sac-tanh": (SAC, Rooms(FREE, box([-2], [2])),
                 {"policy_kwargs": {"net_arch": {"pi": [4], "qf": [4]}, "n_critics": 1,
                                    "activation_fn": th.nn.Tanh}, "ent_coef": 0.25}),
    "sac-sde": (SAC, Rooms(FREE, box([-1], [1])), {"policy_kwargs": SMALL, "use_sde": True}),
    "ppo-box": (PPO, Rooms(FREE, box([-0.1, -0.1], [0.1, 0.2])), {"policy_kwargs": SMALL}),
    "ppo-discrete": (PPO, gymnasium.make("CartPole-v1"),
                     {"policy_kwargs": dict(SMALL, activation_fn=th.nn.ReLU)}),
    "ppo-multi": (PPO, Rooms(FREE, spaces.MultiDiscrete([3, 2, 4])), {"policy_kwargs": SMALL}),
    "ppo-bits": (PPO, Rooms(FREE, spaces.MultiBinary(3)), {"policy_kwargs": SMALL}),
    "ppo-states": (PPO, Rooms(spaces.Discrete(5), spaces.Discrete(3)), {"policy_kwargs": SMALL}),
    "ppo-dict": (PPO, Rooms(spaces.Dict({"b": box([0, 0], [1, 1]), "a": FREE}), spaces.Discrete(3)),
                 {"policy_kwargs": SMALL}),
    "ppo-differs": (PPO, Rooms(FREE, spaces.Discrete(2)),
                    {"policy_kwargs": {"net_arch": {"pi": [4], "vf": [8]}}}),
    "a2c-sde": (A2C, Rooms(FREE, box([-1], [1])),
                {"policy_kwargs": dict(SMALL, log_std_init=-1), "use_sde": True}),
    "a2c-discrete": (A2C, Rooms(FREE, spaces.Discrete(4)), {"policy_kwargs": SMALL}),
    "trpo-box": (TRPO, Rooms(FREE, box([-2], [2])), {"policy_kwargs": SMALL}),
    "trpo-discrete": (TRPO, Rooms(FREE, spaces.Discrete(2)), {"policy_kwargs": SMALL}),
    "ppo-normalized": (PPO, Rooms(FREE, box([-1], [1])), {"policy_kwargs": SMALL}),
}
STEPS = {SAC: {"learning_starts": 16, "batch_size": 8, "buffer_size": 100},
         PPO: {"n_steps": 32, "batch_size": 16, "n_epochs": 2}, A2C: {},
         TRPO: {"n_steps": 32, "batch_size": 16}}


def widen(model):
    """Moves the parameters, so that every action occurs and bounds matter."""
    with th.no_grad():
        for name, parameter in model.policy.named_parameters():
            if "log_std" not in name and "target" not in name:
                parameter.add_(0.3 * th.randn_like(parameter))


def shrink(path):
    """Removes what the tests do not need: the state of the optimizers."""
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist() if "optimizer" not in name}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in kept.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def main():
    OUT.mkdir(exist_ok=True)
    expected = {}
    for name, (algo, env, arguments) in CASES.items():
        th.manual_seed(0)
        env.observation_space.seed(1)
        env.reset(seed=2)
        vec = DummyVecEnv([lambda env=env: env])
        if name == "ppo-normalized":
            vec = VecNormalize(vec, clip_obs=2.0)
        policy = "MultiInputPolicy" if name == "ppo-dict" else "MlpPolicy"
        model = algo(policy, vec, seed=3, device="cpu", **STEPS[algo], **copy.deepcopy(arguments))
        model.learn(64)
        widen(model)
        model.save(OUT / f"{name}.zip")
        # one case keeps the file exactly as Stable-Baselines3 writes it
        if name != "ppo-box":
            shrink(OUT / f"{name}.zip")
        space = env.observation_space
        if isinstance(space, spaces.Dict):
            obs = {key: np.random.default_rng(4).normal(size=(ROWS, *part.shape)).astype(np.float32)
                   for key, part in space.items()}
            expected.update({f"{name}/obs/{key}": value for key, value in obs.items()})
        elif isinstance(space, spaces.Discrete):
            obs = expected[f"{name}/obs"] = np.arange(ROWS) % space.n
        else:
            scale = {"ppo-normalized": 3.0, "ppo-discrete": 10.0}.get(name, 1.0)
            obs = np.random.default_rng(4).normal(size=(ROWS, *space.shape)).astype(np.float32) * scale
            expected[f"{name}/obs"] = obs
        given = obs
        if name == "ppo-normalized":
            vec.training = False
            vec.save(str(OUT / f"{name}.pkl"))
            given = vec.normalize_obs(obs).astype(np.float32)
        expected[f"{name}/action"] = model.predict(given, deterministic=True)[0]
        if not isinstance(env.action_space, spaces.Box):
            assert len(np.unique(expected[f"{name}/action"])) > 1, name
        with th.no_grad():
            tensors = model.policy.obs_to_tensor(given)[0]
            if algo is SAC:
                actions = th.as_tensor(model.policy.scale_action(expected[f"{name}/action"]))
                expected[f"{name}/q"] = np.stack(
                    [q.numpy()[:, 0] for q in model.critic(tensors, actions.float())])
            else:
                expected[f"{name}/value"] = model.policy.predict_values(tensors).numpy()[:, 0]
    np.savez_compressed(OUT / "expected.npz", **expected)


if __name__ == "__main__":
    main()

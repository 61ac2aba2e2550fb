"""Interchange: models of Stable-Baselines3, exports, RL Zoo's files, the command."""

import copy
import ctypes
import json
import os
import shutil
import subprocess
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from numpy.typing import NDArray

import celsius
from celsius import zoo
from celsius.__main__ import command
from celsius._native import lib

ZIPS = Path(__file__).parent / "sb3"
EXPECTED = np.load(ZIPS / "expected.npz")
NAMES = sorted(path.stem for path in ZIPS.glob("*.zip"))


def observations(name: str) -> Any:
    if f"{name}/obs" in EXPECTED:
        return EXPECTED[f"{name}/obs"]
    return {key: EXPECTED[f"{name}/obs/{key}"] for key in ("a", "b")}


# ---- from_sb3


@pytest.mark.parametrize("name", NAMES)
def test_predictions_equal_stable_baselines3(name: str, tmp_path: Path) -> None:
    pickle = ZIPS / f"{name}.pkl"
    model = celsius.from_sb3(ZIPS / f"{name}.zip", normalize=pickle if pickle.exists() else None)
    obs, action = observations(name), EXPECTED[f"{name}/action"]
    found = model.predict(obs, deterministic=True)[0]
    assert found.shape == action.shape
    if isinstance(model.action_space, spaces.Box):
        assert np.abs(found - action).max() < 1e-5
    else:
        assert np.array_equal(found, action)
        assert len(np.unique(action)) > 1
    if f"{name}/value" in EXPECTED:
        unit = 1.0  # of the values: rewards, not normalized rewards
        if pickle.exists():
            unit = np.sqrt(celsius.sb3.read_normalization(pickle).returns[1] + 1e-8)
        values = model.policy.predict_values(obs)[:, 0] / unit
        assert np.abs(values - EXPECTED[f"{name}/value"]).max() < 1e-5
    else:
        q = model._agent.q_values(obs, action, len(action))
        assert np.abs(q - EXPECTED[f"{name}/q"].min(axis=0)).max() < 1e-5
    assert model.num_timesteps >= 64 and model.seed == 3
    model.save(tmp_path / "model")
    again = type(model).load(tmp_path / "model")
    assert np.array_equal(again.predict(obs, deterministic=True)[0], found)
    assert (
        "squashed"
        in subprocess.run(
            [command(), "info", tmp_path / "model.safetensors"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        or name[:3] != "sac"
    )


def test_settings_of_the_zip() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = celsius.from_sb3(ZIPS / "sac-tanh.zip")
    assert isinstance(model, celsius.SAC)
    assert (model.ent_coef, model.batch_size, model.learning_starts) == (0.25, 8, 16)
    assert model.policy_kwargs["n_critics"] == 1
    assert model.train_freq == (1, "step")
    learned = celsius.from_sb3(ZIPS / "sac.zip")
    saved = celsius.sb3.read(ZIPS / "sac.zip")
    assert learned._agent.temperature == pytest.approx(
        float(np.exp(saved.variables["log_ent_coef"][0]))
    )
    changed = celsius.from_sb3(ZIPS / "sac.zip", learning_rate=1e-4, gamma=0.5, batch_size=4)
    assert (changed.learning_rate, changed.gamma, changed.batch_size) == (1e-4, 0.5, 4)
    rollout = celsius.from_sb3(ZIPS / "ppo-box.zip")
    assert (rollout.n_steps, rollout.n_epochs, rollout.clip_range(1.0)) == (32, 2, 0.2)
    sde = celsius.from_sb3(ZIPS / "a2c-sde.zip")
    assert sde.use_sde and sde.policy_kwargs["log_std_init"] == -1
    assert celsius.from_sb3(ZIPS / "sac-sde.zip")._agent.config.get("clip_mean") == 2.0


class Env(gymnasium.Env[Any, Any]):
    """The spaces of the zip "ppo-box"."""

    def __init__(self) -> None:
        self.observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float32)
        self.action_space = spaces.Box(np.float32([-0.1, -0.1]), np.float32([0.1, 0.2]))

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self.np_random.normal(size=3).astype(np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self.np_random.normal(size=3).astype(np.float32), float(action[0]), False, False, {}


def test_learning_goes_on() -> None:
    model = celsius.from_sb3(ZIPS / "ppo-box.zip", Env())
    before = model.get_parameters()["policy"]
    model.learn(64, reset_num_timesteps=False)
    after = model.get_parameters()["policy"]
    assert model.num_timesteps == 128
    assert any(not np.array_equal(before[name], after[name]) for name in before)
    with pytest.raises(ValueError, match="other spaces"):
        celsius.from_sb3(ZIPS / "ppo-box.zip", "Pendulum-v1")
    alone = celsius.from_sb3(ZIPS / "ppo-box.zip")
    with pytest.raises(ValueError, match="set_env"):
        alone.learn(10)
    alone.set_env(Env())
    alone.learn(32)


class Pair(Env):
    """The spaces of the zip "ppo-normalized"."""

    def __init__(self) -> None:
        super().__init__()
        self.action_space = spaces.Box(np.float32([-1]), np.float32([1]))


def test_normalization_must_fit() -> None:
    with pytest.raises(ValueError, match="for 3 numbers per observation, the model for 4"):
        celsius.from_sb3(ZIPS / "ppo-discrete.zip", normalize=ZIPS / "ppo-normalized.pkl")
    model = celsius.from_sb3(ZIPS / "ppo-normalized.zip", normalize=ZIPS / "ppo-normalized.pkl")
    statistics = celsius.sb3.read_normalization(ZIPS / "ppo-normalized.pkl")
    found = model._agent.tensors(lib.CEL_STATE, lib.CEL_MODEL)
    scale = float(found["normalizer.reward_scale"][0])
    assert scale == pytest.approx(1 / np.sqrt(statistics.returns[1] + 1e-8), rel=1e-6)
    assert found["normalizer.return_stats"][0] == statistics.returns[2]
    assert np.allclose(found["normalizer.m2"] / found["normalizer.count"], statistics.var)
    model.set_env(Pair())
    model.learn(32, reset_num_timesteps=False)
    assert found["normalizer.count"][0] == pytest.approx(statistics.count + 32, abs=1)
    plain = celsius.from_sb3(ZIPS / "ppo-normalized.zip")
    assert not np.allclose(
        plain.predict(EXPECTED["ppo-normalized/obs"], deterministic=True)[0],
        EXPECTED["ppo-normalized/action"],
    )


# ---- export


def network(tensors: dict[str, NDArray[Any]], obs: NDArray[Any]) -> NDArray[Any]:
    """The mode of an exported ReLU or tanh policy of the tests, in NumPy."""
    x = obs.astype(np.float64)
    layers = sorted(
        int(name.split(".")[1]) for name in tensors if name.startswith("net.") and "weight" in name
    )
    for i in layers:
        x = np.maximum(x @ tensors[f"net.{i}.weight"].T + tensors[f"net.{i}.bias"], 0)
    x = np.tanh(x @ tensors["mean.weight"].T + tensors["mean.bias"])
    return np.asarray(tensors["action_shift"] + tensors["action_scale"] * x)


def test_export_safetensors(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    model = celsius.from_sb3(ZIPS / "sac.zip")
    model.export("safetensors", tmp_path / "policy.safetensors")
    obs = EXPECTED["sac/obs"]
    found = network(load_file(tmp_path / "policy.safetensors"), obs)
    assert np.abs(found - EXPECTED["sac/action"]).max() < 1e-5


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_export_c(tmp_path: Path) -> None:
    model = celsius.from_sb3(ZIPS / "sac.zip")
    model.export("c", tmp_path / "robot.c", name="arm")
    assert "arm_act" in (tmp_path / "robot.h").read_text()
    subprocess.run(
        ["cc", "-O1", "-shared", "-fPIC", "-o", tmp_path / "robot.so", tmp_path / "robot.c", "-lm"],
        check=True,
    )
    act = ctypes.CDLL(str(tmp_path / "robot.so")).arm_act
    for obs, expected in zip(EXPECTED["sac/obs"], EXPECTED["sac/action"], strict=True):
        action = np.zeros(2, np.float32)
        row = np.ascontiguousarray(obs)
        act(row.ctypes.data_as(ctypes.c_void_p), action.ctypes.data_as(ctypes.c_void_p))
        assert np.abs(action - expected).max() < 1e-5


def test_export_formats_and_sources(tmp_path: Path) -> None:
    assert {"c", "safetensors"} <= set(celsius.export_formats())
    model = celsius.from_sb3(ZIPS / "ppo-discrete.zip")
    model.save(tmp_path / "saved")
    for format, ending in (("onnx", "onnx"), ("c", "h")):
        if format not in celsius.export_formats():
            continue
        celsius.export(tmp_path / "saved.safetensors", format, tmp_path / f"a.{ending}", name="p")
        celsius.export(model, format, tmp_path / f"b.{ending}", name="p")
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()
    run = tmp_path / "run"
    subprocess.run(
        [
            command(),
            "train",
            "ppo",
            "--env",
            "CartPole-v1",
            "--steps",
            "64",
            "--n-steps",
            "32",
            "--quiet",
            "--eval-episodes",
            "1",
            "--out",
            run,
        ],
        check=True,
        capture_output=True,
    )
    celsius.export(run, "c", tmp_path / "run.c")
    assert (tmp_path / "run.h").exists()
    for arguments, kind, message in (
        ((model, "tflite", tmp_path / "x"), ValueError, "no export format"),
        ((model, "c", tmp_path / "no" / "x.c"), FileNotFoundError, "no/x"),
        ((tmp_path / "missing", "c", tmp_path / "x.c"), FileNotFoundError, "missing"),
        ((3, "c", tmp_path / "x.c"), TypeError, "model is int"),
    ):
        with pytest.raises(kind, match=message):
            celsius.export(*arguments)
    with pytest.raises(ValueError, match="C name"):
        model.export("c", tmp_path / "x.c", name="a-b")


# ---- RL Zoo


FILE = """
default: {n_timesteps: 500}
Pendulum-v1: &base
  n_timesteps: !!float 2e4
  policy: 'MlpPolicy'
  n_envs: 2
  normalize: "dict(norm_obs=True, norm_reward=False, clip_obs=5.0)"
  learning_rate: lin_1e-3
  n_steps: 64
  batch_size: 32
  policy_kwargs: "dict(log_std_init=-1, ortho_init=False, activation_fn=nn.ReLU,
                       net_arch=[dict(pi=[8], vf=[8])])"
Other-v0:
  <<: *base
  gamma: 0.9
  env_wrapper: [x.FrameSkip]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ppo.yml"
    path.write_text(FILE)
    return path


def test_read(file: Path) -> None:
    found = zoo.read(file)
    assert list(found) == ["default", "Pendulum-v1", "Other-v0"]
    entry = found["Pendulum-v1"]
    assert entry["n_timesteps"] == 20000.0 and entry["learning_rate"] == "lin_1e-3"
    assert entry["normalize"] == {"norm_obs": True, "norm_reward": False, "clip_obs": 5.0}
    assert entry["policy_kwargs"] == {
        "log_std_init": -1,
        "ortho_init": False,
        "activation_fn": "nn.ReLU",
        "net_arch": [{"pi": [8], "vf": [8]}],
    }
    assert found["Other-v0"] == {**entry, "gamma": 0.9, "env_wrapper": ["x.FrameSkip"]}
    file.write_text("a: *b")
    with pytest.raises(ValueError, match="line 1"):
        zoo.read(file)
    with pytest.raises(FileNotFoundError):
        zoo.read(file.parent / "missing.yml")


def test_equal_to_yaml_and_eval(file: Path) -> None:
    """What PyYAML and Python's own literals make of the same file."""
    import yaml

    loaded = yaml.safe_load(FILE)
    names = {"dict": dict, "nn": types.SimpleNamespace(ReLU="nn.ReLU")}
    for name, entry in loaded.items():
        for key in ("policy_kwargs", "normalize"):
            if key in entry:
                entry[key] = eval(entry[key], dict(names))  # noqa: S307
        assert zoo.read(file)[name] == entry


def test_settings(file: Path) -> None:
    found = zoo.settings(file, "Pendulum-v1")
    assert (found.entry, found.n_timesteps, found.n_envs) == ("Pendulum-v1", 20000, 2)
    assert found.normalize == {"norm_obs": True, "norm_reward": False, "clip_obs": 5.0}
    rate = found.arguments["learning_rate"]
    assert [rate(p) for p in (1.0, 0.5, 0.0)] == [1e-3, 5e-4, 0.0]
    assert found.arguments["policy"] == "MlpPolicy" and found.rest == {}
    assert zoo.settings(file, "Unknown-v0").entry == "default"
    other = zoo.settings(file, "Pendulum-v1", entry="Other-v0")
    assert other.rest == {"env_wrapper": ["x.FrameSkip"]} and other.normalize["gamma"] == 0.9  # type: ignore[index]


def test_make(file: Path) -> None:
    model = zoo.make(file, "Pendulum-v1", seed=1)
    assert isinstance(model, celsius.PPO) and model.n_envs == 2 and model.n_steps == 64
    config = model._agent.config
    assert config.get("normalize_observation") is True and config.get("normalize_reward") is False
    assert config.get("clip_observation") == 5.0 and config.get("init") == "kaiming_uniform"
    model.learn(256)
    with pytest.raises(ValueError, match="env_wrapper is not supported"):
        zoo.make(file, "Pendulum-v1", entry="Other-v0")
    shutil.copy(file, file.parent / "mine.yml")
    with pytest.raises(ValueError, match="mine is not an algorithm"):
        zoo.make(file.parent / "mine.yml", "Pendulum-v1")
    named = zoo.make(file.parent / "mine.yml", "Pendulum-v1", algo="ppo", n_steps=32)
    assert named.n_steps == 32


def test_fields_equal_the_command(file: Path) -> None:
    found = zoo.fields(file, "Pendulum-v1")
    assert found["net_arch"] == "8" and found["n_envs"] == "2" and found["activation"] == "relu"
    out = file.parent / "run"
    subprocess.run(
        [
            command(),
            "train",
            "--zoo",
            file,
            "--env",
            "Pendulum-v1",
            "--steps",
            "200",
            "--quiet",
            "--eval-episodes",
            "1",
            "--out",
            out,
        ],
        check=True,
        capture_output=True,
    )
    import yaml

    config = yaml.safe_load((out / "config.yaml").read_text())
    for name in ("learning_rate", "clip_observation", "gamma", "n_steps", "init", "log_std_init"):
        assert str(config["ppo"][name]).rstrip("0").rstrip(".") == found[name].rstrip("0").rstrip(
            "."
        )
    with pytest.raises(ValueError, match="ortho_init: sac has no"):
        zoo.fields(file, "Pendulum-v1", algo="sac")


# ---- the command


def test_python_m_celsius(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "celsius", "--version"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert celsius.__version__ in done.stdout
    done = subprocess.run(
        [sys.executable, "-m", "celsius", "train", "saac"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4 and "did you mean" in done.stderr
    solved = subprocess.run(
        [sys.executable, "-m", "celsius", "solve", "taxi", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(solved.stdout)["value_start"] == celsius.MDP.generate("taxi").solve().J


def test_a_missing_command_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import celsius.__main__ as main

    monkeypatch.setattr(main, "__file__", "/nowhere/celsius/__main__.py")
    with pytest.raises(FileNotFoundError, match="install the package again"):
        main.command()
    with pytest.raises(SystemExit) as stopped:
        main.main()
    assert stopped.value.code == 8


def test_copies_of_loaded_models() -> None:
    model = celsius.from_sb3(ZIPS / "sac.zip")
    other = copy.deepcopy(model)
    obs = EXPECTED["sac/obs"]
    assert np.array_equal(
        other.predict(obs, deterministic=True)[0], model.predict(obs, deterministic=True)[0]
    )

"""Ctrl-C, exceptions, threads, forks, callbacks, logs, memory."""

import csv
import multiprocessing
import os
import resource
import signal
import threading
import time
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import celsius
from celsius import callbacks, logger

SMALL: dict[str, Any] = {"policy_kwargs": {"net_arch": [8]}, "batch_size": 8, "buffer_size": 500,
                         "learning_starts": 10}  # fmt: skip


@pytest.mark.parametrize("cls,arguments", [
    (celsius.SAC, {"gradient_steps": 1}),
    (celsius.SAC, {"gradient_steps": 100_000}),  # one long update
    (celsius.PPO, {"n_steps": 2048, "n_epochs": 100_000}),
])  # fmt: skip
@pytest.mark.parametrize("native", [True, False])
def test_ctrl_c(cls: Any, arguments: dict[str, Any], native: bool) -> None:
    model = cls("MlpPolicy", "Pendulum-v1", seed=1, native=native, **arguments)
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.learn(10_000_000)
    assert time.time() - model.start_time / 1e9 < 2.5
    action, _ = model.predict(np.zeros(3))
    assert np.isfinite(action).all()
    if arguments.get("gradient_steps") == 1:
        steps = model.num_timesteps
        model.learn(30, reset_num_timesteps=False)
        assert model.num_timesteps == steps + 30


class Fails(gym.Wrapper):  # type: ignore[type-arg]
    """Raises in step 40."""

    steps = 0

    def step(self, action: Any) -> Any:
        self.steps += 1
        if self.steps == 40:
            raise ConnectionError("the robot is gone")
        return super().step(action)


@pytest.mark.parametrize("cls", [celsius.SAC, celsius.PPO])
def test_exception_in_the_environment(cls: Any) -> None:
    arguments = SMALL if cls is celsius.SAC else {"n_steps": 16, "batch_size": 8}
    model = cls("MlpPolicy", Fails(gym.make("Pendulum-v1")), **arguments)
    with pytest.raises(ConnectionError, match="robot"):
        model.learn(100)
    assert model.num_timesteps == 39
    model.learn(100, reset_num_timesteps=False)
    assert model.num_timesteps >= 139


def test_exception_in_a_callback() -> None:
    def broken(_locals: Any, _globals: Any) -> bool:
        raise LookupError("mine")

    model = celsius.SAC("MlpPolicy", "Pendulum-v1", **SMALL)
    with pytest.raises(LookupError, match="mine"):
        model.learn(20, callback=broken)
    model.learn(20)


def test_bad_numbers_are_named() -> None:
    class NotANumber(gym.Wrapper):  # type: ignore[type-arg]
        def step(self, action: Any) -> Any:
            obs, _, terminated, truncated, info = super().step(action)
            return obs, float("nan"), terminated, truncated, info

    model = celsius.SAC("MlpPolicy", NotANumber(gym.make("Pendulum-v1")), **SMALL)
    with pytest.raises(FloatingPointError, match="reward of environment 0 is nan"):
        model.learn(20)


def test_two_models_in_two_threads() -> None:
    models = [celsius.SAC("MlpPolicy", "Pendulum-v1", seed=3, **SMALL) for _ in range(3)]
    threads = [threading.Thread(target=model.learn, args=(300,)) for model in models[:2]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    models[2].learn(300)
    first, *others = [model.get_parameters()["policy"] for model in models]
    for other in others:
        assert all(np.array_equal(first[k], other[k]) for k in first)


def test_one_model_in_two_threads_is_refused() -> None:
    model = celsius.SAC("MlpPolicy", "Pendulum-v1", seed=3, gradient_steps=200, **SMALL)
    refused: list[str] = []

    def learn() -> None:
        try:
            model.learn(400)
        except RuntimeError as error:  # it may be the one that is refused
            refused.append(str(error))

    thread = threading.Thread(target=learn)
    thread.start()
    while thread.is_alive():
        try:
            model.predict(np.zeros(3), deterministic=True)
        except RuntimeError as error:
            refused.append(str(error))
    thread.join()
    assert refused and all("another thread" in message for message in refused)


def _learn_in_child(model: Any, out: Any) -> None:
    model.learn(60)
    out.put({k: v.tolist() for k, v in model.get_parameters()["policy"].items()})


@pytest.mark.parametrize("threads", [1, 2])
def test_fork(threads: int) -> None:
    """A child that was forked while the agent had threads learns the same bits."""
    model = celsius.SAC("MlpPolicy", "Pendulum-v1", seed=3, threads=threads, **SMALL).learn(60)
    context = multiprocessing.get_context("fork")
    out = context.Queue()
    child = context.Process(target=_learn_in_child, args=(model, out))
    child.start()
    theirs = out.get(timeout=30)
    child.join()
    model.learn(60)
    ours = model.get_parameters()["policy"]
    assert all(np.array_equal(ours[k], np.array(theirs[k], ours[k].dtype)) for k in ours)


# ---- callbacks and logs.


class Recorder(callbacks.BaseCallback):
    """Notes what is called."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []

    def _on_training_start(self) -> None:
        self.events.append("start")

    def _on_rollout_start(self) -> None:
        self.events.append("rollout")

    def _on_step(self) -> bool:
        self.events.append("step")
        assert {"new_obs", "rewards", "dones", "infos", "actions", "self"} <= set(self.locals)
        return True

    def _on_rollout_end(self) -> None:
        self.events.append("end")

    def _on_training_end(self) -> None:
        self.events.append("done")


def test_order_of_callbacks() -> None:
    seen = Recorder()
    celsius.PPO("MlpPolicy", "CartPole-v1", n_steps=2, batch_size=2).learn(4, callback=[seen])
    assert seen.events == ["start", *["rollout", "step", "step", "end"] * 2, "done"]


@pytest.mark.parametrize("answer,steps", [(None, 60), (True, 60), (False, 1), (np.False_, 1)])
def test_return_value_stops(answer: Any, steps: int) -> None:
    model = celsius.SAC("MlpPolicy", "Pendulum-v1", **SMALL)
    model.learn(60, callback=lambda _locals, _globals: answer)
    assert model.num_timesteps == steps
    model.learn(60, callback=[Recorder(), lambda _locals, _globals: answer])
    assert model.num_timesteps == steps


def test_eval_and_checkpoint_callbacks(tmp_path: Path) -> None:
    made = callbacks.CallbackList([
        callbacks.EvalCallback(gym.make("CartPole-v1"), eval_freq=64, n_eval_episodes=2, verbose=0,
                               best_model_save_path=str(tmp_path), log_path=str(tmp_path),
                               callback_on_new_best=callbacks.StopTrainingOnRewardThreshold(1)),
        callbacks.CheckpointCallback(32, str(tmp_path), "mine"),
    ])  # fmt: skip
    model = celsius.PPO("MlpPolicy", "CartPole-v1", n_steps=32, batch_size=8)
    model.learn(1000, callback=made)
    assert model.num_timesteps == 64  # above the threshold at once
    assert (tmp_path / "mine_32_steps.safetensors").exists()
    assert celsius.PPO.load(tmp_path / "best_model").num_timesteps == 64
    assert np.load(tmp_path / "evaluations.npz")["results"].shape == (1, 2)


def test_progress_bar(capsys: Any) -> None:
    model = celsius.SAC("MlpPolicy", "Pendulum-v1", **SMALL)
    model.learn(30, progress_bar=True)
    assert model.num_timesteps == 30


@pytest.mark.parametrize("native", [True, False])
def test_logs(tmp_path: Path, native: bool) -> None:
    model = celsius.SAC("MlpPolicy", "Pendulum-v1", native=native, **SMALL)
    model.set_logger(logger.configure(str(tmp_path), ["csv", "json", "log", "tensorboard"]))
    model.learn(800, log_interval=2)
    with open(tmp_path / "progress.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["time/total_timesteps"]) for row in rows] == [400, 800]
    assert float(rows[1]["train/critic_loss"]) > 0 and float(rows[1]["rollout/ep_len_mean"]) == 200
    assert "ep_rew_mean" in (tmp_path / "log.txt").read_text()
    assert len(list(tmp_path.glob("events.out.tfevents.*"))) == 1


def test_tensorboard_folders(tmp_path: Path) -> None:
    model = celsius.A2C("MlpPolicy", "CartPole-v1", tensorboard_log=str(tmp_path))
    model.learn(10)
    model.learn(10)
    model.learn(10, reset_num_timesteps=False, tb_log_name="A2C")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["A2C_1", "A2C_2"]


# ---- memory.


def test_no_leak() -> None:
    """100 models are made, learn and are deleted; memory stays."""

    def cycle() -> None:
        celsius.SAC("MlpPolicy", "Pendulum-v1", native=False, buffer_size=100_000, batch_size=32,
                    policy_kwargs={"net_arch": [64, 64]}).learn(120)  # fmt: skip

    def resident() -> int:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()

    for _ in range(20):
        cycle()
    before = resident()
    for _ in range(100):
        cycle()
    assert resident() - before < 8 << 20, f"{(resident() - before) >> 10} KiB more after 100 models"

"""The same bits from Python and from the command, from the same seed and settings."""

import os
import subprocess
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import celsius
from celsius._native import ffi, lib
from celsius.saving import File

COMMAND = os.path.join(os.path.dirname(celsius.__file__), "bin", "celsius")
SEED, STEPS = 5, 700


class Stream:
    """A random number stream of the library in place of an environment's np_random."""

    def __init__(self, seed: int) -> None:
        self.c = ffi.new("CelRng *", lib.cel_rng(seed, lib.CEL_RNG_ENV, 0))

    def uniform(self, low: Any, high: Any, size: Any = None) -> Any:
        low, high = np.broadcast_arrays(low, high)
        return np.array([lib.cel_rng_range(self.c, a, b) for a, b in zip(low, high, strict=True)])


class FromStream(gym.Wrapper):  # type: ignore[type-arg]
    """Draws initial states from the library's stream. Everything else is Gymnasium's."""

    def __init__(self, env: gym.Env[Any, Any], seed: int) -> None:
        super().__init__(env)
        self.unwrapped.np_random = Stream(seed)  # type: ignore[assignment]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return super().reset(options=options)


def trained_by_command(folder: Path, *settings: str) -> dict[str, Any]:
    subprocess.run(
        [COMMAND, "train", "sac", "--env", "Pendulum-v1", "--steps", str(STEPS),
         "--seed", str(SEED),
         "--out", str(folder / "run"), "--tensorboard", "false", *settings],
        check=True, capture_output=True,
    )  # fmt: skip
    return File(str(folder / "run" / "final.safetensors")).tensors()


def same(model: celsius.SAC, tensors: dict[str, Any]) -> None:
    ours = model.policy.state_dict()
    assert "actor.0.weight" in tensors and "critic.0.weight" in tensors
    for name, tensor in tensors.items():
        assert np.array_equal(ours[name], tensor), name


SETTINGS = ("--net_arch", "16,16", "--batch_size", "32")


def test_gymnasium_gives_the_bits_of_the_command(tmp_path: Path) -> None:
    env = FromStream(gym.make("Pendulum-v1"), SEED)
    model = celsius.SAC("MlpPolicy", env, seed=SEED, batch_size=32, native=False,
                        policy_kwargs={"net_arch": [16, 16]})  # fmt: skip
    model.learn(STEPS)
    same(model, trained_by_command(tmp_path, *SETTINGS))


@pytest.mark.parametrize("callback", [None, lambda _locals, _globals: True])
def test_native_gives_the_bits_of_the_command(tmp_path: Path, callback: Any) -> None:
    model = celsius.SAC("MlpPolicy", "Pendulum-v1", seed=SEED, batch_size=32, native=True,
                        policy_kwargs={"net_arch": [16, 16]})  # fmt: skip
    model.learn(STEPS, callback=callback)
    same(model, trained_by_command(tmp_path, *SETTINGS))

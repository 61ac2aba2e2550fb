"""Environments: those in C through Gymnasium, vector environments with every autoreset mode."""

import pickle
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

import celsius
from celsius import native_env
from celsius.errors import UnsupportedError
from celsius.gym_vec_env import GymVecEnv
from celsius.vec_env import SerialVecEnv
from celsius.wrap import as_vec_env

IDS = [name for name in gym.registry if name.startswith("Celsius/")]


class Count(gym.Env[Any, Any]):
    """Counts steps. An episode ends after `length`; `cut` says whether it is cut off."""

    observation_space = spaces.Box(0, 100, (1,))
    action_space = spaces.Discrete(2)

    def __init__(self, length: int = 3, cut: bool = False) -> None:
        self.length, self.cut, self.t = length, cut, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.t = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> Any:
        self.t += 1
        end = self.t == self.length
        return (
            np.full(1, self.t, np.float32),
            float(self.t),
            end and not self.cut,
            end and self.cut,
            {},
        )


def test_all_are_registered() -> None:
    assert len(IDS) == len(native_env.ids()) >= 13
    assert "Celsius/MultiGoal-v0" in IDS


@pytest.mark.parametrize("name", IDS)
def test_check_env(name: str) -> None:
    env = gym.make(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # What the checker advises about spaces holds for Gymnasium's own environments too.
        for advice in (".*observation space m..imum value.*", ".*action space m..imum value.*",
                       ".*we recommend using a symmetric.*"):  # fmt: skip
            warnings.filterwarnings("ignore", advice)
        check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.parametrize("name", ["Pendulum-v1", "CartPole-v1", "Acrobot-v1", "MountainCar-v0"])
def test_steps_equal_gymnasium(name: str) -> None:
    """From the same state the same step, to float32."""
    ours, theirs = native_env.NativeVecEnv(name, 1, 3), gym.make(name).unwrapped
    ours.reset()
    theirs.reset()
    theirs.state = ours.states[0][: len(theirs.state)].copy()  # type: ignore[attr-defined]
    for _ in range(50):
        action = theirs.action_space.sample()
        obs, reward, done, _ = ours.step(np.asarray(action)[None])
        other, other_reward, ended, _, _ = theirs.step(action)
        if done[0] or ended:
            assert done[0] == ended
            break
        np.testing.assert_allclose(obs[0], other, rtol=1e-6, atol=1e-6)
        assert reward[0] == pytest.approx(float(other_reward), rel=1e-6)


def test_arguments_and_errors() -> None:
    env = gym.make("Celsius/LQR-v0")
    assert env.observation_space.shape
    names = native_env.arguments_of("Pendulum-v1")
    assert "max_episode_steps" in names
    short = native_env.NativeVecEnv("Pendulum-v1", 2, max_episode_steps=4)
    short.reset()
    dones = [short.step(np.zeros((2, 1)))[2].all() for _ in range(4)]
    assert dones == [False, False, False, True]
    with pytest.raises(ValueError, match="Pendulum-v1"):
        native_env.NativeVecEnv("Pendulum-v9")
    with pytest.raises(ValueError, match="gravity|mass|g"):
        native_env.NativeVecEnv("Pendulum-v1", gravityy=3)
    copy = pickle.loads(pickle.dumps(short))
    assert copy.num_envs == 2 and copy.observation_space == short.observation_space


def test_native_seeds() -> None:
    a, b = (native_env.NativeVecEnv("Pendulum-v1", 2, 7) for _ in range(2))
    first = a.reset()
    assert np.array_equal(first, b.reset()) and not np.array_equal(first, a.reset())
    a.seed(7)
    assert np.array_equal(first, a.reset())


def transitions(env: Any, steps: int = 7) -> list[Any]:
    """(obs, reward, done, last observation) of each step and environment."""
    env = as_vec_env(env)
    rows = [env.reset().tolist()]
    for _ in range(steps):
        obs, rewards, dones, infos = env.step(np.zeros(env.num_envs, np.int64))
        last = [info.get("terminal_observation") for info in infos]
        rows.append([
            obs.tolist(), rewards.tolist(), dones.tolist(),
            [None if x is None else np.asarray(x).tolist() for x in last],
            [info["TimeLimit.truncated"] for info in infos],
            [info["episode"]["r"] if "episode" in info else None for info in infos],
        ])  # fmt: skip
    return rows


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("kind", [SyncVectorEnv, AsyncVectorEnv])
def test_autoreset_modes(kind: Any, mode: AutoresetMode) -> None:
    """All give what serial environments give: no step between two episodes."""
    makers = [lambda: Count(3), lambda: Count(4, cut=True)]
    expected = transitions(SerialVecEnv(makers))
    env = kind(makers, autoreset_mode=mode)
    assert transitions(env) == expected
    env.close()


def test_custom_vector_envs_that_reset_late_are_refused() -> None:
    late = gym.make_vec("CartPole-v1", 2, vectorization_mode="vector_entry_point")
    if late.metadata.get("autoreset_mode") == AutoresetMode.SAME_STEP:
        pytest.skip("it resets in the same step")
    with pytest.raises(UnsupportedError, match="vectorization_mode"):
        GymVecEnv(late)


@pytest.mark.parametrize("env", [
    lambda: gym.make("CartPole-v1"),
    lambda: gym.make_vec("CartPole-v1", 3, vectorization_mode="sync"),
    lambda: gym.make_vec("Celsius/CartPole-v1", 3), lambda: celsius.make_vec_env("CartPole-v1", 3),
    lambda: native_env.NativeVecEnv("CartPole-v1", 3)])  # fmt: skip
def test_learns_on(env: Any) -> None:
    model = celsius.PPO("MlpPolicy", env(), n_steps=32, batch_size=8, seed=0)
    model.learn(300)
    assert model.ep_info_buffer and model.ep_info_buffer[0]["l"] > 0
    returns, lengths = celsius.evaluate_policy(
        model, model.get_env(), 4, return_episode_rewards=True
    )
    assert len(returns) == len(lengths) == 4 and returns == [float(n) for n in lengths]


def test_make_vec_env_refuses_one_env_twice() -> None:
    env = Count()
    with pytest.raises(ValueError, match="same instance"):
        celsius.make_vec_env(lambda: env, 2)
    assert celsius.make_vec_env(Count, 2).num_envs == 2


def test_vec_env_methods() -> None:
    env = celsius.make_vec_env("Pendulum-v1", 2, seed=3)
    env.reset()
    assert env.get_attr("g") == [10.0, 10.0] and env.has_attr("g") and not env.has_attr("nothing")
    env.set_attr("g", 3.0, indices=[1])
    assert env.get_attr("g") == [10.0, 3.0]
    env.env_method("reset")
    assert env.env_is_wrapped(gym.wrappers.TimeLimit) == [True, True]
    assert "SerialVecEnv of 2" in repr(env)
    env.close()


def test_set_env() -> None:
    model = celsius.PPO("MlpPolicy", "CartPole-v1", n_steps=8, batch_size=4)
    model.set_env(gym.make("CartPole-v1"))
    model.learn(8)
    with pytest.raises(AssertionError, match="number of environments"):
        model.set_env(celsius.make_vec_env("CartPole-v1", 2))
    with pytest.raises(ValueError, match="spaces do not match"):
        model.set_env("Pendulum-v1")

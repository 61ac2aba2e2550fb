"""The loop without callbacks does what the loop with callbacks does, in fewer calls."""

from collections import deque
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import celsius
from celsius import _steps
from celsius._agent import Agent
from celsius.vec_env import SerialVecEnv, VecEnv

STEPS = 90
LIMIT = 7  # steps of an episode


class Walk(gym.Env[Any, Any]):
    """A random walk of three parts. Ends at its edge, with success on the right."""

    def __init__(self, kind: str = "box", discrete: bool = False) -> None:
        self.kind = kind
        vector = spaces.Box(-9, 9, (3,), np.float64)
        self.observation_space = {
            "box": vector,
            "matrix": spaces.Box(-9, 9, (3, 1), np.float64),
            "discrete": spaces.Discrete(40, start=-20),
            "dict": spaces.Dict({"x": vector, "n": spaces.Discrete(40, start=-20)}),
        }[kind]
        self.action_space = spaces.Discrete(2) if discrete else spaces.Box(-1, 1, (2,))

    def _observation(self) -> Any:
        place = round(float(np.clip(self.x[0], -9, 9)))
        values = {"box": self.x, "matrix": self.x[:, None], "discrete": place}
        return {"x": self.x, "n": place} if self.kind == "dict" else values[self.kind]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.x = self.np_random.uniform(-1, 1, 3)
        return self._observation(), {}

    def step(self, action: Any) -> Any:
        move = float(np.sum(action)) if isinstance(self.action_space, spaces.Box) else action - 0.5
        self.x = self.x + move + self.np_random.normal(size=3) * 0.1
        over = abs(self.x[0]) > 2
        info = {"is_success": bool(self.x[0] > 0)} if over else {}
        return self._observation(), np.float32(move), over, False, info


def limited(**arguments: Any) -> gym.Env[Any, Any]:
    return gym.wrappers.TimeLimit(Walk(**arguments), LIMIT)


class Plain(VecEnv):
    """A VecEnv that the package knows nothing about."""

    def __init__(self, n: int) -> None:
        self.inner = SerialVecEnv([limited for _ in range(n)])
        super().__init__(n, self.inner.observation_space, self.inner.action_space)

    def seed(self, seed: int | None = None) -> Any:
        return self.inner.seed(seed)

    def reset(self) -> Any:
        return self.inner.reset()

    def step(self, actions: Any) -> Any:
        return self.inner.step(actions)


def serial(n: int, **arguments: Any) -> Callable[[], Any]:
    return lambda: SerialVecEnv([lambda: limited(**arguments) for _ in range(n)])


def gymnasium_vector(mode: AutoresetMode) -> Callable[[], Any]:
    return lambda: SyncVectorEnv([limited] * 3, autoreset_mode=mode)


ENVS: dict[str, Callable[[], Any]] = {
    "one": lambda: limited(),
    "one, recorded": lambda: gym.wrappers.RecordEpisodeStatistics(limited()),
    "three": serial(3),
    "matrix": serial(2, kind="matrix"),
    "one number": serial(2, kind="discrete"),
    "dict": serial(2, kind="dict"),
    "same step": gymnasium_vector(AutoresetMode.SAME_STEP),
    "next step": gymnasium_vector(AutoresetMode.NEXT_STEP),
    "disabled": gymnasium_vector(AutoresetMode.DISABLED),
    "unknown": lambda: Plain(3),
}


def make(cls: Any, env: Any, **more: Any) -> Any:
    observation = getattr(env, "single_observation_space", env.observation_space)
    policy = "MultiInputPolicy" if isinstance(observation, spaces.Dict) else "MlpPolicy"
    settings: dict[str, Any] = {"n_steps": 9, "batch_size": 9}
    if cls is celsius.SAC:
        settings = {"batch_size": 8, "buffer_size": 60, "learning_starts": 12}
    return cls(policy, env, seed=3, policy_kwargs={"net_arch": [4]}, **{**settings, **more})


def episodes(found: deque[Any] | None) -> list[Any]:
    """Episodes without their times."""
    assert found is not None
    return [(e["r"], e["l"]) if isinstance(e, dict) else e for e in found]


def assert_alike(a: Any, b: Any) -> None:
    """Everything that learn leaves behind is equal."""
    first, second = a._agent.tensors(*range(8)), b._agent.tensors(*range(8))
    assert first.keys() == second.keys()
    for name in first:
        if not name.startswith("batch."):
            assert np.array_equal(first[name], second[name], equal_nan=True), name
    assert (a.num_timesteps, a._episode_num, a._n_updates) == (
        b.num_timesteps, b._episode_num, b._n_updates)  # fmt: skip
    assert episodes(a.ep_info_buffer) == episodes(b.ep_info_buffer)
    assert episodes(a.ep_success_buffer) == episodes(b.ep_success_buffer)
    assert np.array_equal(a._last_episode_starts, b._last_episode_starts)
    first, second = a._last_obs, b._last_obs
    for x, y in zip(first.values(), second.values(), strict=True) if isinstance(
        first, dict) else [(first, second)]:  # fmt: skip
        assert np.array_equal(x, y)
    named = {k: v for k, v in a.logger.name_to_value.items() if k.startswith("train/")}
    assert named == {k: v for k, v in b.logger.name_to_value.items() if k.startswith("train/")}
    assert "train/n_updates" in named


def go_on(_locals: dict[str, Any], _globals: dict[str, Any]) -> bool:
    return True


@pytest.mark.parametrize("kind", ENVS)
@pytest.mark.parametrize("cls", [celsius.SAC, celsius.PPO])
def test_equals_the_loop_with_callbacks(cls: Any, kind: str) -> None:
    a, b = make(cls, ENVS[kind]()), make(cls, ENVS[kind]())
    for more in (STEPS, 20):
        a.learn(more, reset_num_timesteps=False, log_interval=None)
        b.learn(more, reset_num_timesteps=False, log_interval=None, callback=go_on)
        assert_alike(a, b)
    assert len(episodes(a.ep_info_buffer)) > 5


@pytest.mark.parametrize("train_freq", [1, 4, (2, "episode")])
@pytest.mark.parametrize("gradient_steps", [1, 3, -1])
def test_train_freq(train_freq: Any, gradient_steps: int) -> None:
    more = {"train_freq": train_freq, "gradient_steps": gradient_steps}
    a, b = (make(celsius.SAC, limited(), **more) for _ in range(2))
    a.learn(STEPS, log_interval=None)
    b.learn(STEPS, log_interval=None, callback=go_on)
    assert_alike(a, b)


class OneArray(Walk):
    """Returns one array for all observations, and changes it in place."""

    def _observation(self) -> Any:
        if not hasattr(self, "shown"):
            self.shown = np.zeros(3)
        self.shown[:] = self.x
        return self.shown


@pytest.mark.parametrize("callback", [None, go_on])
def test_last_observations_are_kept_before_reset(callback: Any) -> None:
    plain = make(celsius.SAC, limited())
    shared = make(celsius.SAC, gym.wrappers.TimeLimit(OneArray(), LIMIT))
    for model in (plain, shared):
        model.learn(STEPS, callback=callback)
    assert plain._episode_num > 5
    for name, values in plain.replay_buffer.read().items():
        assert np.array_equal(values, shared.replay_buffer.read()[name]), name


def test_discrete_actions() -> None:
    a, b = (make(celsius.PPO, limited(discrete=True)) for _ in range(2))
    a.learn(STEPS)
    b.learn(STEPS, callback=go_on)
    assert_alike(a, b)


def test_chooses_the_fastest_way() -> None:
    kinds = {"one": "SerialSteps", "dict": "SerialSteps", "same step": "GymSteps",
             "unknown": "VecSteps"}  # fmt: skip
    for kind, name in kinds.items():
        model = make(celsius.SAC, ENVS[kind]())
        model._setup_learn(1, None, True, "x", False)
        assert type(_steps.make(model)).__name__ == name


def test_one_call_of_c_between_two_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first step, the last one and the ends of episodes take several calls."""
    calls: dict[str, int] = {}
    for name in ("act", "observe", "update", "advance"):
        method = getattr(Agent, name)

        def counted(self: Any, *args: Any, name: str = name, method: Any = method) -> Any:
            calls[name] = calls.get(name, 0) + 1
            return method(self, *args)

        monkeypatch.setattr(Agent, name, counted)
    model = make(celsius.SAC, limited())
    model.learn(STEPS)
    ends = model._episode_num + (not model._last_episode_starts[0])
    assert calls == {"advance": STEPS - ends, "observe": ends, "update": ends, "act": ends}


@pytest.mark.parametrize("kind", ["one", "three", "unknown"])
def test_a_wrong_observation_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make(celsius.SAC, ENVS[kind]())
    model.learn(10)
    monkeypatch.setattr(Walk, "_observation", lambda self: self.x[:1])
    with pytest.raises(ValueError, match="shape|broadcast"):
        model.learn(10, reset_num_timesteps=False)
    monkeypatch.undo()
    model.learn(10)


def test_episodes_that_end_before_an_error_leave_no_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error between the end of an episode and `observe` does not end the next episode."""
    model = make(celsius.SAC, limited())
    reset = Walk.reset

    def fails(self: Any, **_: Any) -> Any:
        raise RuntimeError("no reset")

    model.learn(3)
    monkeypatch.setattr(Walk, "reset", fails)
    with pytest.raises(RuntimeError, match="no reset"):
        model.learn(20, reset_num_timesteps=False)
    monkeypatch.setattr(Walk, "reset", reset)
    model.learn(1)
    assert not model._agent.terminated.any() and not model._agent.truncated.any()

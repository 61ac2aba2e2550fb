"""One agent of the library: CelAgent with its buffers. The learners drive it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ._fields import Config
from ._hooks import Hooks
from ._native import DTYPES, array_view, check, ffi, lib, own, path_bytes, pointer, text
from ._spaces import Actions, Observations

Array = NDArray[Any]


def algorithm(name: str) -> Any:
    """The library's description of an algorithm."""
    out = ffi.new("CelAlgoInfo **")
    check(lib.cel_algo_find(name.encode(), out))
    return out[0]


def config_of(name: str) -> Config:
    """The config of an algorithm with its defaults."""
    info = algorithm(name)
    return Config.of_size(info.fields, info.config_size)


class Agent:
    """N environments' worth of one learner.

    `obs`, `final_obs` (N, size), `reward`, `terminated`, `truncated` (N,) are the memory that
    `observe` reads, and `actions` (N, A) is what `act` writes. Nothing is copied on the way.
    """

    def __init__(
        self,
        algo: str,
        config: Config,
        observation: spaces.Space[Any],
        action: spaces.Space[Any],
        n_envs: int = 1,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        self.config = config
        self.observations, self.action_codec = Observations(observation), Actions(action)
        options = ffi.new("CelAgentOptions *", lib.cel_agent_options_default())
        options.n_envs, options.seed, options.threads = n_envs, seed, threads
        self.seed, self.n_envs = seed, n_envs
        self.c = own(
            lib.cel_agent_create, lib.cel_agent_destroy, algo.encode(), config.data,
            self.observations.native(), self.action_codec.c, options,
        )  # fmt: skip
        size = self.observations.size
        self.obs = np.zeros((n_envs, size), np.float32)
        self.final_obs = np.zeros((n_envs, size), np.float32)
        self.reward = np.zeros(n_envs, np.float32)
        self.terminated = np.zeros(n_envs, np.uint8)
        self.truncated = np.zeros(n_envs, np.uint8)
        self.start = np.ones(n_envs, np.uint8)
        self.actions = self.action_codec.rows(n_envs)
        self._obs, self._actions, self._start = map(pointer, (self.obs, self.actions, self.start))
        self._outcome = ffi.new("CelOutcome *")
        self._kept = [
            pointer(a) for a in (self.reward, self.terminated, self.truncated, self.final_obs)
        ]
        (self._outcome.reward, self._outcome.terminated, self._outcome.truncated,
         self._outcome.final_obs) = self._kept  # fmt: skip
        self._outcome.obs = self._obs
        self._draws = 0
        self.restarted = True  # the next act begins episodes
        self._hooks = Hooks()
        self._loop = ffi.new(
            "CelpyLoop *", [self.c, self._outcome, self._actions, self._hooks.state]
        )
        self._names, self._metrics = self._find_metrics()

    # ---- the loop: act, observe, update.

    def act(self) -> None:
        """Chooses `actions` for `obs` as in training."""
        start = self._start if self.restarted else ffi.NULL
        self.restarted = False
        status = lib.cel_agent_act(self.c, self._obs, start, lib.CEL_EXPLORE, self._actions)
        if status:
            check(status)

    def replace_actions(self) -> None:
        """Tells the agent that `actions` was changed after `act`."""
        check(lib.cel_agent_replace_actions(self.c, self._actions))

    def reset_noise(self) -> None:
        """Draws new noise functions of gSDE."""
        check(lib.cel_agent_reset_noise(self.c))

    def observe(self) -> None:
        """Takes the outcome of `actions` from the arrays."""
        status = lib.cel_agent_observe(self.c, self._outcome)
        if status:
            check(status)

    def update(self) -> None:
        """Runs the gradient steps that are due. Ctrl-C during a long update undoes it."""
        check(lib.celpy_update(self._loop))

    def advance(self, update: bool) -> None:
        """Observe, update if asked, and act, in one call."""
        check(lib.celpy_advance(self._loop, update))

    def update_n(self, n: int) -> None:
        """Runs n gradient steps."""
        check(lib.cel_agent_update_n(self.c, n))

    def learn(self, env: Any, steps: int, hooks: Hooks) -> None:
        """Runs the whole loop in C on a CelVecEnv."""
        check(lib.cel_learn(self.c, env, steps, hooks.c))

    # ---- queries.

    def rows_of(self, obs: Any, n: int) -> Array:
        rows = np.empty((n, self.observations.size), np.float32)
        self.observations.write(rows, obs)
        return rows

    def predict(self, obs: Any, n: int, deterministic: bool) -> Array:
        """Returns n actions of the Gymnasium space."""
        rows, actions = self.rows_of(obs, n), self.action_codec.rows(n)
        if deterministic:
            check(lib.cel_agent_predict(self.c, pointer(rows), n, pointer(actions)))
        else:
            self._sample(rows, actions, n)
        return self.action_codec.read(actions)

    def _sample(self, rows: Array, actions: Array, n: int) -> None:
        self._draws += 1
        status = lib.cel_agent_draw(
            self.c, pointer(rows), n, self.seed, self._draws, pointer(actions)
        )
        if status != lib.CEL_E_UNSUPPORTED:
            check(status)
            return
        # State-dependent exploration: its noise belongs to the agent's own N environments.
        for first in range(0, n, self.n_envs):
            some = np.resize(rows[first : first + self.n_envs], (self.n_envs, rows.shape[1]))
            out = self.action_codec.rows(self.n_envs)
            check(lib.cel_agent_act(
                self.c, pointer(some), ffi.NULL, lib.CEL_SAMPLE, pointer(out)))  # fmt: skip
            actions[first : first + self.n_envs] = out[: n - first]

    def values(self, obs: Any, n: int) -> Array:
        """Returns V (n,)."""
        out = np.empty(n, np.float32)
        check(lib.cel_agent_v(self.c, pointer(self.rows_of(obs, n)), n, pointer(out)))
        return out

    def q_values(self, obs: Any, actions: Any, n: int) -> Array:
        """Returns Q (n,) of the actions."""
        rows, out = self.action_codec.rows(n), np.empty(n, np.float32)
        self.action_codec.write(rows, actions)
        check(
            lib.cel_agent_q(self.c, pointer(self.rows_of(obs, n)), pointer(rows), n, pointer(out))
        )
        return out

    @property
    def steps(self) -> int:
        return int(lib.cel_agent_steps(self.c))

    @property
    def updates(self) -> int:
        return int(lib.cel_agent_updates(self.c))

    @property
    def filled(self) -> int:
        """Steps of each environment in the present rollout."""
        tensor = lib.cel_tensors_find(lib.cel_agent_tensors(self.c), b"rollout.filled")
        return int(ffi.cast("int64_t *", tensor.data)[0])

    @property
    def temperature(self) -> float:
        return float(lib.cel_agent_temperature(self.c))

    @property
    def note(self) -> str:
        """One sentence about the settings or about how learning goes; "" for none."""
        return text(lib.cel_agent_note(self.c))

    def plan(self, total_steps: int) -> None:
        """Sets the steps at which schedules end."""
        lib.cel_agent_plan_steps(self.c, total_steps)

    def restart(self) -> None:
        """Counts steps from 0 again."""
        check(lib.cel_agent_restart(self.c))

    def _find_metrics(self) -> tuple[list[str], Any]:
        """The names of all metrics, and the address of their values."""
        name, value = ffi.new("const char **"), ffi.new("double *")
        names: list[str] = []
        while lib.cel_agent_metric(self.c, len(names), name, value):
            names.append(text(name[0]))
        tensor = lib.cel_tensors_find(lib.cel_agent_tensors(self.c), b"metrics")
        return names, ffi.cast("double *", tensor.data)

    def metrics(self) -> dict[str, float]:
        """Everything that the last update measured, under Stable-Baselines3's names."""
        values = ffi.unpack(self._metrics, len(self._names))
        return {name: x for name, x in zip(self._names, values, strict=True) if x == x}

    # ---- the state.

    def tensors(self, *roles: int) -> dict[str, Array]:
        """The agent's own memory by name, writable. Call `sync` after writing."""
        found, tensors = {}, lib.cel_agent_tensors(self.c)
        for i in range(lib.cel_tensors_count(tensors)):
            tensor = lib.cel_tensors_at(tensors, i)
            if tensor.role in roles:
                shape = tuple(tensor.shape[d] for d in range(tensor.ndim))
                found[text(tensor.name)] = array_view(
                    tensor.data, shape, DTYPES[tensor.type], self, writable=True
                )
        return found

    def take_replay(self, other: Agent) -> None:
        """Copies the stored transitions of another agent with the same settings."""
        own, theirs = (
            {k: v for k, v in agent.tensors(lib.CEL_REPLAY, lib.CEL_STATE).items()
             if k.startswith("replay.")} for agent in (self, other)
        )  # fmt: skip
        for name, tensor in own.items():
            tensor[...] = theirs[name]
        self.restarted = True
        self.sync()

    def sync(self) -> None:
        """Recomputes what follows from the tensors, and checks them."""
        check(lib.cel_agent_sync(self.c))

    def save(self, path: str | os.PathLike[str], note: str) -> None:
        """Writes everything but stored transitions, with a text."""
        check(lib.cel_agent_save_alone(self.c, path_bytes(path), note.encode()))

    def save_model(self, path: str | os.PathLike[str]) -> None:
        """Writes what acting needs."""
        check(lib.cel_agent_save_model(self.c, path_bytes(path)))

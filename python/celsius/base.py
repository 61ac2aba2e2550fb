"""What all learners share: construction, prediction, parameters, files.

The loops are in _learning.py, off_policy.py and on_policy.py, files in saving.py.
"""

from __future__ import annotations

import random
import secrets
from collections import deque
from collections.abc import Callable
from copy import deepcopy
from typing import Any, ClassVar, Self

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from . import _docs, _export, policies, saving, wrap
from ._agent import Agent, config_of
from ._fields import Config
from ._learning import Learning
from ._native import lib, text
from .errors import UnsupportedError
from .native_env import NativeVecEnv

Array = NDArray[Any]

_POLICIES = ("MlpPolicy", "MultiInputPolicy")
# Roles of the tensors that hold the whole state of an agent.
_STATE = tuple(getattr(lib, f"CEL_{role}") for role in (
    "PARAM", "MODEL", "TARGET", "MOMENT1", "MOMENT2", "STATE", "REPLAY"))  # fmt: skip


class Device:
    """The only device there is: the processor. Equal to "cpu"."""

    type = "cpu"
    index = None

    def __eq__(self, other: object) -> bool:
        return str(other) == "cpu"

    def __hash__(self) -> int:
        return hash("cpu")

    def __str__(self) -> str:
        return "cpu"

    __repr__ = __str__


class Learner(Learning):
    """Base of the learners. A subclass names the algorithm and converts its own arguments."""

    ALGO: ClassVar[str] = ""
    # Of files that `save` writes, where the name has none.
    ENDING: ClassVar[str] = saving.ENDING
    # Whether files hold functions, as pickles that `load` runs. See _archive.py.
    FUNCTIONS: ClassVar[bool] = False
    ACTIONS: ClassVar[tuple[type, ...]] = (spaces.Box,)
    # Arguments whose field in C has another name.
    RENAMED: ClassVar[dict[str, str]] = {}
    policy_aliases: ClassVar[dict[str, str]] = {name: name for name in _POLICIES}

    policy: policies.Policy
    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    learning_rate: float | Callable[[float], float]
    verbose: int
    seed: int | None

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        ours = cls.__module__.startswith("celsius.") and "__init__" in cls.__dict__
        if ours and hasattr(cls, "ALGO"):
            cls.__doc__ = _docs.describe(cls)

    # ---- construction.

    def _start(self, given: dict[str, Any]) -> None:
        """Does the work of a constructor from its locals()."""
        values = {k: v for k, v in given.items() if k not in ("self", "__class__")}
        fields = values.pop("fields", {})
        self._arguments = {**values, **fields}
        policy, env = values.pop("policy"), values.pop("env")
        setup = values.pop("_init_setup_model", True)
        device = values.pop("device", "auto")
        if str(device) not in ("auto", "cpu"):
            raise ValueError(f"device is {device}; Celsius runs on the CPU: take 'cpu' or 'auto'")
        self.device = Device()
        for name, value in values.items():
            setattr(self, name, value)
        self._fields = fields
        self.policy_kwargs: dict[str, Any] = dict(values.get("policy_kwargs") or {})
        self._check_policy(policy)
        self.num_timesteps = self._total_timesteps = self._num_timesteps_at_start = 0
        self.start_time, self._episode_num, self._n_updates = 0, 0, 0
        self._last_obs: Any = None
        self._last_episode_starts: Array | None = None
        self._current_progress_remaining = 1.0
        self.ep_info_buffer: deque[dict[str, Any]] | None = None
        self.ep_success_buffer: deque[Any] | None = None
        self._logger: Any = None
        self._custom_logger = False
        self.env: Any = None
        self._vec_normalize_env: Any = None
        self._native_seed = self.seed if self.seed is not None else secrets.randbits(31)
        if env is None:
            raise ValueError(
                "env is None; give an environment or an id. A saved model needs none: load"
            )
        if isinstance(env, saving.Spaces):
            self.observation_space, self.action_space = env.observation, env.action
            self.n_envs = env.n_envs
        else:
            self._take_env(env)
        self._check(policy)
        if setup:
            self._setup_model()

    def _check_policy(self, policy: Any) -> None:
        if not isinstance(policy, str):
            name = getattr(policy, "__name__", repr(policy))
            raise TypeError(
                f"policy is {name}; a torch module cannot run here: give 'MlpPolicy' or "
                "'MultiInputPolicy', and describe the networks by policy_kwargs"
            )
        if policy == "CnnPolicy":
            raise UnsupportedError(
                "CnnPolicy needs convolutions, which the library does not have yet"
            )
        if policy not in _POLICIES:
            raise ValueError(f"Policy {policy} unknown")

    def _take_env(self, env: Any) -> None:
        if isinstance(env, str):
            env = wrap.from_id(env, self._arguments.get("native"), self._native_seed, self.verbose)
        elif self._arguments.get("native") and not isinstance(env, NativeVecEnv):
            raise ValueError("native=True takes an id, such as 'Pendulum-v1', as env")
        self.env = wrap.as_vec_env(env, self.verbose)
        self._vec_normalize_env = wrap.vec_normalize_of(self.env)
        self.observation_space, self.action_space = (
            self.env.observation_space,
            self.env.action_space,
        )
        self.n_envs = self.env.num_envs

    def _check(self, policy: str) -> None:
        """Errors and warnings where Stable-Baselines3 has them."""
        assert isinstance(self.action_space, self.ACTIONS), (
            f"The algorithm only supports {self.ACTIONS} as action spaces "
            f"but {self.action_space} was provided"
        )
        if policy == "MlpPolicy" and isinstance(
            self.observation_space, (spaces.Dict, spaces.Tuple)
        ):
            raise ValueError(
                "You must use `MultiInputPolicy` when working with dict observation space, not "
                f"{policy}"
            )
        if policy == "MultiInputPolicy" and not isinstance(
            self.observation_space, (spaces.Dict, spaces.Tuple)
        ):
            raise ValueError(
                f"MultiInputPolicy is for Dict and Tuple observations, not "
                f"{self.observation_space}; "
                "take MlpPolicy"
            )
        if getattr(self, "use_sde", False) and not isinstance(self.action_space, spaces.Box):
            raise ValueError(
                "generalized State-Dependent Exploration (gSDE) can only be used with continuous "
                "actions."
            )
        if isinstance(self.action_space, spaces.MultiBinary):
            assert len(self.action_space.shape) == 1, (
                f"Multi-dimensional MultiBinary({self.action_space.n}) action space is not "
                "supported. Flatten it, as in Stable-Baselines3"
            )
        if isinstance(self.action_space, spaces.Box):
            bounds = np.array([self.action_space.low, self.action_space.high])
            assert np.all(np.isfinite(bounds)) or self.policy_kwargs.get("policy") == "gaussian", (
                "Continuous action space must have a finite lower and upper bound"
            )

    def _config(self) -> Config:
        """The config in C: arguments by their names, then policy_kwargs, then fields."""
        config = config_of(self.ALGO)
        for name, value in self._arguments.items():
            field = self.RENAMED.get(name, name)
            if name not in ("policy", *self._fields) and field in config and value is not None:
                self._set(config, field, value)
        self._convert(config)
        policies.apply(config, self.policy_kwargs)
        for name, value in self._fields.items():
            if name not in config:
                near = lib.cel_fields_nearest(config.table, name.encode())
                hint = f"; did you mean {text(near)!r}?" if near else ""
                raise TypeError(
                    f"{type(self).__name__} got an unexpected keyword argument {name!r}{hint}"
                )
            config.set(name, value)
        return config

    def _set(self, config: Config, field: str, value: Any) -> None:
        config.set(field, value)

    def _convert(self, config: Config) -> None:
        """Sets the fields that need more than another name."""

    def _setup_model(self) -> None:
        """Creates the agent, once the spaces are known."""
        rate = self.learning_rate
        self.lr_schedule: Callable[[float], float] = lambda left: float(
            rate(left) if callable(rate) else rate
        )
        self._agent_seed = self._native_seed
        self.set_random_seed(self.seed)
        self._agent = self._new_agent()
        self.policy = policies.Policy(
            self._agent, self.observation_space, self.action_space, self.device, self._squashes()
        )
        self._say(self._agent.note)

    def _new_agent(self) -> Agent:
        return Agent(
            self.ALGO, self._config(), self.observation_space, self.action_space, self.n_envs,
            self._agent_seed, int(self._arguments.get("threads", 1)),
        )  # fmt: skip

    def _squashes(self) -> bool:
        config = self._agent.config
        return "squash_output" in config and bool(config.get("squash_output"))

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={value!r}"
            for name, value in self._arguments.items()
            if name not in ("policy", "env", "_init_setup_model") and value is not None
        )
        return (
            f"<celsius.{type(self).__name__} on {self.observation_space} -> {self.action_space}, "
            f"{self.n_envs} environment{'s' if self.n_envs > 1 else ''}, "
            f"{self.num_timesteps} steps: {shown}>"
        )

    # ---- environments, seeds, logs.

    def get_env(self) -> Any:
        """The training environment, a VecEnv; None for a model loaded without one."""
        return self.env

    def get_vec_normalize_env(self) -> Any:
        return self._vec_normalize_env

    def set_env(self, env: Any, force_reset: bool = True) -> None:
        """Replaces the training environment by one with the same spaces."""
        if isinstance(env, str):
            env = wrap.from_id(env, self._arguments.get("native"), self._native_seed, self.verbose)
        env = wrap.as_vec_env(env, self.verbose)
        assert env.num_envs == self.n_envs, (
            "The number of environments to be set is different from the number of environments "
            "in the "
            f"model: ({env.num_envs} != {self.n_envs}), whereas `set_env` requires them to be the "
            f"same. To load a model with a different number of environments, you must use "
            f"`{type(self).__name__}.load(path, env)` instead"
        )
        wrap.check_spaces(env, self.observation_space, self.action_space)
        self._vec_normalize_env = wrap.vec_normalize_of(env)
        if force_reset:
            self._last_obs = None
        self.env = env

    def set_random_seed(self, seed: int | None = None) -> None:
        """Seeds Python, NumPy, the spaces, the environment and the agent's own random numbers."""
        if seed is None:
            return
        random.seed(seed)
        np.random.seed(seed)
        self.action_space.seed(seed)
        if self.env is not None:
            self.env.seed(seed)
        if hasattr(self, "_agent") and seed != self._agent_seed:
            self._agent_seed = seed
            self._replace_agent()

    def _replace_agent(self) -> None:
        """Makes the agent anew with the present settings, and copies everything it has learned."""
        old = self._agent
        self._agent = self._new_agent()
        saving.copy_tensors(old.tensors(*_STATE), self._agent.tensors(*_STATE), strict=True)
        self._agent.sync()
        self.policy._agent = self._agent

    # ---- acting and parameters.

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Array, Any]:  # fmt: skip
        """Returns the action of one observation, or those of a batch, and `state` unchanged."""
        return self.policy.predict(observation, state, episode_start, deterministic)

    def get_parameters(self) -> dict[str, dict[str, Array]]:
        """Returns copies of all parameters, and of the optimizers' moments."""
        moments = self._agent.tensors(lib.CEL_MOMENT1, lib.CEL_MOMENT2)
        return {
            "policy": self.policy.state_dict(),
            "optimizer": {name: tensor.copy() for name, tensor in moments.items()},
        }

    def set_parameters(
        self, load_path_or_dict: Any, exact_match: bool = True, device: Any = "auto"
    ) -> None:
        """Sets parameters from a saved model, or from the form of get_parameters."""
        if not isinstance(load_path_or_dict, dict):
            load_path_or_dict = saving.parameters(load_path_or_dict, self)
        parameters: dict[str, dict[str, Any]] = load_path_or_dict
        for name in parameters:
            if name not in ("policy", "optimizer"):
                raise ValueError(f"Key {name} is an invalid object name.")
        if exact_match and set(parameters) != {"policy", "optimizer"}:
            raise ValueError(
                "Names of parameters do not match agents' parameters: expected "
                f"{{'policy', 'optimizer'}}, got {set(parameters)}"
            )
        moments = self._agent.tensors(lib.CEL_MOMENT1, lib.CEL_MOMENT2)
        saving.check_tensors(parameters.get("optimizer", {}), moments, exact_match)
        if "policy" in parameters:
            self.policy.load_state_dict(parameters["policy"], strict=exact_match)
        for name, value in parameters.get("optimizer", {}).items():
            moments[name][...] = value

    # ---- files.

    def save(self, path: Any, exclude: Any = None, include: Any = None) -> None:
        """Writes the model, for `load`, `celsius eval` and the C library. See saving.save."""
        saving.save(self, path, exclude, include)

    def export(self, format: str, path: Any, *, name: str | None = None) -> None:
        """Writes the policy as "c", "onnx" or "safetensors". See celsius.export."""
        _export.export(self, format, path, name=name)

    @classmethod
    def load(
        cls, path: Any, env: Any = None, device: Any = "auto",
        custom_objects: dict[str, Any] | None = None, print_system_info: bool = False,
        force_reset: bool = True, **kwargs: Any,
    ) -> Self:  # fmt: skip
        """Makes a model from a file. `env` may have another number of environments."""
        if print_system_info:
            saving.print_info(cls, path)
        model: Self = saving.load(cls, path, env, custom_objects or {}, kwargs, force_reset)
        return model

    def __getstate__(self) -> dict[str, Any]:
        state = {
            k: v for k, v in self.__dict__.items() if k not in ("_agent", "policy", "lr_schedule")
        }
        state["_tensors"] = {k: v.copy() for k, v in self._agent.tensors(*_STATE).items()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        tensors = state.pop("_tensors")
        self.__dict__.update(state)
        seed, env = self._agent_seed, self.env
        self.env = None  # its seeds stay as they are
        given, self.seed = self.seed, None
        self._setup_model()
        self.env, self.seed = env, given
        if seed != self._agent_seed:
            self._agent_seed = seed
            self._replace_agent()
        saving.copy_tensors(tensors, self._agent.tensors(*_STATE), strict=True)
        self._agent.sync()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copy = type(self).__new__(type(self))
        memo[id(self)] = copy
        copy.__setstate__({k: deepcopy(v, memo) for k, v in self.__getstate__().items()})
        return copy

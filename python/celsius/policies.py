"""`policy_kwargs` as settings of the library's networks, and the object `model.policy`."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ._agent import Agent
from ._fields import Config
from ._native import lib
from .errors import UnsupportedError

Array = NDArray[Any]

ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "silu": "silu", "swish": "silu", "gelu": "gelu",
               "leakyrelu": "leaky_relu", "leaky_relu": "leaky_relu"}  # fmt: skip

# Arguments that a policy of Stable-Baselines3 has and this library does not: the only value that
# changes nothing, and what to use otherwise.
FIXED: dict[str, tuple[tuple[Any, ...], str]] = {
    "full_std": ((True,), "gSDE has one sigma per weight here"),
    "share_features_extractor": ((True, False), ""),
    "normalize_images": ((True, False), ""),
}


def _name(value: Any) -> str:
    return value if isinstance(value, str) else getattr(value, "__name__", repr(value))


def net_arch(value: Any) -> tuple[list[int], list[int]]:
    """The hidden widths of policy and values, from every form that Stable-Baselines3 takes."""
    if isinstance(value, (list, tuple)) and len(value) == 1 and isinstance(value[0], dict):
        warnings.warn(
            "As shared layers in the mlp_extractor are removed since SB3 v1.8.0, you should now "
            "pass "
            "directly a dictionary and not a list (net_arch=dict(pi=..., vf=...) instead of "
            "net_arch=[dict(pi=..., vf=...)])",
            stacklevel=2,
        )
        value = value[0]
    if isinstance(value, dict):
        unknown = set(value) - {"pi", "vf", "qf"}
        if unknown:
            raise ValueError(
                f"net_arch has the key {sorted(unknown)[0]!r}; use 'pi' with 'vf' or 'qf'"
            )
        pi: list[Any] = value.get("pi") or []
        values: list[Any] = value.get("vf") or value.get("qf") or []
        return [int(n) for n in pi], [int(n) for n in values]
    widths: list[Any] = list(value)
    if any(isinstance(n, dict) for n in widths):
        raise UnsupportedError(
            "net_arch has shared layers before its dict; they were removed from "
            "Stable-Baselines3 too. "
            "Use dict(pi=[...], vf=[...])"
        )
    return [int(n) for n in widths], [int(n) for n in widths]


def _set_arch(config: Config, value: Any) -> None:
    pi, values = net_arch(value)
    config.set("net_arch", pi)
    if pi != values:
        if "critic_arch" not in config:
            raise UnsupportedError(
                "this learner has one net_arch for all its networks; give a list"
            )
        config.set("critic_arch", values)


def _set_optimizer(config: Config, cls: Any, kwargs: dict[str, Any]) -> None:
    name = _name(cls).lower() if cls is not None else ""
    own = config.get("optimizer") if "optimizer" in config else "adam"
    chosen = {"": own, "adam": "adam", "adamw": "adam", "rmsprop": "rmsprop", "sgd": "sgd",
              "rmsproptflike": "rmsprop"}.get(name)  # fmt: skip
    if chosen is None or (chosen != own and "optimizer" not in config):
        raise UnsupportedError(
            f"optimizer_class {_name(cls)} does not exist here; this learner has {own}"
        )
    if chosen != own:
        config.set("optimizer", chosen)
    epsilon = "adam_epsilon" if "adam_epsilon" in config else "epsilon"
    names = {"eps": epsilon, "alpha": "rms_decay", "weight_decay": "weight_decay"}
    for key, value in kwargs.items():
        if key == "betas":
            config.set("adam_beta1", float(value[0]))
            config.set("adam_beta2", float(value[1]))
        elif key in names and names[key] in config:
            config.set(names[key], float(value))
        elif key == "weight_decay" and float(value) == 0.0:
            continue  # what a learner without it has
        else:
            raise UnsupportedError(
                f"optimizer_kwargs has {key!r}, which this learner's optimizer lacks"
            )


# Arguments that only gSDE uses, and the values that change nothing without it.
_OF_SDE: dict[str, tuple[Any, ...]] = {"use_expln": (False,), "clip_mean": ()}


def _check_sde(config: Config, kwargs: dict[str, Any]) -> None:
    """Refuses arguments of gSDE without it."""
    if "use_sde" not in config or config.get("use_sde"):
        return
    assert not kwargs.get("squash_output") or "squash_output" not in config, (
        "squash_output=True is only available when using gSDE (use_sde=True)"
    )
    for key, without in _OF_SDE.items():
        if key in config and key in kwargs and kwargs[key] not in without:
            raise UnsupportedError(
                f"policy_kwargs {key}={kwargs[key]!r} has no effect without use_sde=True"
            )


def apply(config: Config, kwargs: dict[str, Any]) -> None:
    """Sets the fields that policy_kwargs describe. An argument without effect is an error."""
    kwargs = dict(kwargs)
    kwargs.pop("use_sde", None)  # the learner's own argument
    _check_sde(config, kwargs)
    if "optimizer_class" in kwargs or "optimizer_kwargs" in kwargs:
        _set_optimizer(
            config, kwargs.pop("optimizer_class", None), kwargs.pop("optimizer_kwargs", None) or {}
        )
    for key, value in kwargs.items():
        if key == "net_arch":
            if value is not None:
                _set_arch(config, value)
        elif key == "activation_fn":
            name = ACTIVATIONS.get(_name(value).lower())
            if name is None:
                raise UnsupportedError(
                    f"activation_fn {_name(value)} does not exist here; use relu, tanh, silu, "
                    "gelu or "
                    "leaky_relu"
                )
            config.set("activation", name)
        elif key == "ortho_init":
            config.set("init", "orthogonal" if value else "kaiming_uniform")
        elif key == "features_extractor_class":
            if _name(value) not in ("FlattenExtractor", "CombinedExtractor"):
                raise UnsupportedError(
                    f"features_extractor_class {_name(value)} is a torch module; observations are "
                    "concatenated and go through the networks' layers here. Use a Gymnasium wrapper"
                )
        elif key == "features_extractor_kwargs":
            # Those of CombinedExtractor are about images, which are refused before.
            unknown = sorted(set(value or {}) - {"cnn_output_dim", "normalized_image"})
            if unknown:
                raise UnsupportedError(
                    f"features_extractor_kwargs has {unknown[0]!r}, which is not known"
                )
        elif key in FIXED:
            allowed, instead = FIXED[key]
            if value not in allowed:
                raise UnsupportedError(f"policy_kwargs {key}={value!r} is not supported: {instead}")
        elif key in config:
            config.set(key, value)
        else:
            raise TypeError(f"policy_kwargs has an unexpected argument {key!r}")


class Policy:
    """What has been learned: acts, and computes values. `model.policy` of a learner."""

    def __init__(
        self, agent: Agent, observation: spaces.Space[Any], action: spaces.Space[Any],
        device: Any, squash: bool,
    ) -> None:  # fmt: skip
        self._agent, self.device, self.squash_output = agent, device, squash
        self.observation_space, self.action_space = observation, action
        self.training = False

    def set_training_mode(self, mode: bool) -> None:
        """For callbacks that call it: no layer behaves differently while training."""
        self.training = mode

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Array, Any]:  # fmt: skip
        """Returns the action of one observation, or the actions of a batch, and `state` "
        "unchanged."""
        if (
            isinstance(observation, tuple)
            and len(observation) == 2
            and isinstance(observation[1], dict)
            and not isinstance(self.observation_space, spaces.Tuple)
        ):
            raise ValueError(
                "You have passed a tuple to the predict() function instead of a Numpy array or a "
                "Dict. "
                "You are probably mixing Gym API with SB3 VecEnv API: `obs, info = env.reset()` "
                "(Gym) "
                "vs `obs = vec_env.reset()` (SB3 VecEnv)."
            )
        n, batch = self._agent.observations.batch(observation)
        actions = self._agent.predict(observation, n, deterministic)
        return (actions if batch else actions.reshape(self.action_space.shape or ())), state

    def predict_values(self, observation: Any) -> Array:
        """Returns V (n, 1) of observations."""
        n, _ = self._agent.observations.batch(observation)
        return self._agent.values(observation, n)[:, None]

    @property
    def actor(self) -> Policy:
        """What acts: this object, which has no parts."""
        return self

    @property
    def net_arch(self) -> dict[str, list[int]]:
        """The widths of hidden layers: "pi" of the policy, "vf" or "qf" of the values."""
        config = self._agent.config
        pi = config.get("net_arch")
        values = config.get("critic_arch") if "critic_arch" in config else "auto"
        key = "vf" if "state_dependent_std" in config else "qf"
        return {"pi": pi, key: pi if values == "auto" else values}

    def reset_noise(self, n_envs: int | None = None) -> None:
        """Draws a new noise function of gSDE for each environment. `n_envs`: of the agent."""
        if n_envs not in (None, 1, self._agent.n_envs):
            raise ValueError(f"n_envs is {n_envs}; the agent has {self._agent.n_envs}")
        self._agent.reset_noise()

    def get_std(self) -> Array:
        """Returns the standard deviations (F, A) of gSDE's weights."""
        config = self._agent.config
        assert "use_sde" in config and config.get("use_sde"), (
            "get_std() is only available when using gSDE"
        )
        log_std = self._agent.tensors(lib.CEL_PARAM)["actor.log_std"]
        if not config.get("use_expln"):
            return np.exp(log_std)
        slow = 1 + np.log1p(np.maximum(log_std, 0) + np.float32(1e-6))
        return np.where(log_std > 0, slow, np.exp(np.minimum(log_std, 0)))

    def scale_action(self, action: Array) -> Array:
        """From the action's units to [-1, 1]."""
        space = self._box()
        return 2.0 * ((action - space.low) / (space.high - space.low)) - 1.0

    def unscale_action(self, scaled_action: Array) -> Array:
        """From [-1, 1] to the action's units."""
        space = self._box()
        return space.low + 0.5 * (scaled_action + 1.0) * (space.high - space.low)

    def _box(self) -> spaces.Box:
        if not isinstance(self.action_space, spaces.Box):
            raise UnsupportedError(f"only actions in a box have a scale, not {self.action_space}")
        return self.action_space

    def state_dict(self) -> dict[str, Array]:
        """Copies of all parameters by name, target networks included."""
        tensors = self._agent.tensors(lib.CEL_PARAM, lib.CEL_MODEL, lib.CEL_TARGET)
        return {name: tensor.copy() for name, tensor in tensors.items()}

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> None:
        """Copies parameters into the agent. strict: every parameter must be given."""
        tensors = self._agent.tensors(lib.CEL_PARAM, lib.CEL_MODEL, lib.CEL_TARGET)
        missing, unexpected = sorted(set(tensors) - set(state)), sorted(set(state) - set(tensors))
        if strict and missing:
            raise ValueError(f"the parameter {missing[0]!r} is missing ({len(missing)} are)")
        if unexpected:
            raise ValueError(f"there is no parameter {unexpected[0]!r}")
        new = {name: np.asarray(value, tensors[name].dtype) for name, value in state.items()}
        for name, value in new.items():
            if value.shape != tensors[name].shape:
                raise ValueError(
                    f"the parameter {name!r} has shape {value.shape}; it must be "
                    f"{tensors[name].shape}"
                )
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                raise ValueError(f"the parameter {name!r} has a number that is not finite")
        for name, value in new.items():
            tensors[name][...] = value
        self._agent.sync()

    def __repr__(self) -> str:
        lines = [f"  {name}: {tensor.shape}" for name, tensor in self.state_dict().items()]
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])

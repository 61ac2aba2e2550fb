"""Models of Stable-Baselines3, read without torch and without running what the files contain.

    model = celsius.from_sb3("ppo_cartpole.zip")
    saved = celsius.sb3.read("ppo_cartpole.zip")     # settings, spaces and parameters alone

A zip holds JSON with pickles inside, and parameters in torch's format. Pickles are read as data: no
class or function of a file is imported or called.
"""

from __future__ import annotations

import base64
import binascii
import inspect
import json
import os
import re
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from . import _torchfile
from ._native import lib
from ._pickle import Name, Object
from ._torchfile import finish, load_data, load_tensors, open_zip, read_member
from .errors import FormatError, ShapeError, UnsupportedError
from .schedules import LinearSchedule

Path = str | os.PathLike[str]
Array = NDArray[Any]

__all__ = [
    "Normalization", "SavedModel", "from_sb3", "parameters_of", "read", "read_normalization",
]  # fmt: skip

DATA_MAX = 256 << 20  # bytes of the JSON of a zip


@dataclass
class SavedModel:
    """The content of a zip of Stable-Baselines3."""

    #: "sac", "ppo", "a2c" or "trpo".
    algo: str
    #: Version of Stable-Baselines3 that wrote it, or "".
    version: str
    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    #: Attributes of the model by name: numbers, texts, lists, dictionaries. Pickled objects are
    #: arrays, `Object` or `Name`.
    data: dict[str, Any] = field(repr=False)
    #: Parameters by torch's names, such as "mlp_extractor.policy_net.0.weight" (out, in).
    parameters: dict[str, Array] = field(repr=False)
    #: Tensors outside the policy: "log_ent_coef" (1,) of a learned temperature.
    variables: dict[str, Array] = field(default_factory=dict, repr=False)

    @property
    def policy_kwargs(self) -> dict[str, Any]:
        """Arguments of the policy; classes of torch are their names, such as "ReLU"."""
        return {key: _plain(value) for key, value in (self.data.get("policy_kwargs") or {}).items()}


def _plain(value: Any) -> Any:
    """Turns names of classes into their last part, and arrays of pickles into arrays."""
    value = finish(value)
    if isinstance(value, Name):
        return value.name
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


# ---- spaces


def _array(value: Any, what: str) -> Array:
    found = finish(value)
    if not isinstance(found, np.ndarray | np.generic | int | float | list | tuple):
        raise FormatError(f"{what} of a space is {type(found).__name__}; it must be numbers")
    return np.asarray(found)


def _space(value: Any) -> spaces.Space[Any]:
    if not isinstance(value, Object) or not isinstance(value.name, Name):
        raise FormatError("the file has no space where one must be")
    package = value.name.module.split(".")[0]
    if package not in ("gymnasium", "gym"):
        raise UnsupportedError(f"the space {value.name} is not one of Gymnasium")
    kind = value.name.name
    if kind == "Box":
        low, high = _array(value.get("low"), "low"), _array(value.get("high"), "high")
        if low.shape != high.shape or low.dtype.kind not in "fiub":
            raise ShapeError(f"a Box has bounds of shapes {low.shape} and {high.shape}")
        return spaces.Box(low, high, dtype=low.dtype.type)
    if kind == "Discrete":
        start = value.get("start", 0)
        return spaces.Discrete(_int(value.get("n")), start=_int(0 if start is None else start))
    if kind == "MultiDiscrete":
        nvec = _array(value.get("nvec"), "nvec").astype(np.int64)
        start = value.get("start")
        return spaces.MultiDiscrete(
            nvec, start=None if start is None else _array(start, "start").astype(np.int64)
        )
    if kind == "MultiBinary":
        n = finish(value.get("n"))
        return spaces.MultiBinary([_int(i) for i in n] if isinstance(n, list | tuple) else _int(n))
    if kind == "Dict":
        parts = value.get("spaces")
        if not isinstance(parts, dict):
            raise FormatError("a Dict space has no parts")
        return spaces.Dict({str(key): _space(part) for key, part in parts.items()})
    if kind == "Tuple":
        parts = value.get("spaces")
        if not isinstance(parts, list | tuple):
            raise FormatError("a Tuple space has no parts")
        return spaces.Tuple([_space(part) for part in parts])
    raise UnsupportedError(f"the space {value.name} is not supported")


def _int(value: Any) -> int:
    number = finish(value)
    if (
        isinstance(number, bool)
        or not isinstance(number, int | np.integer)
        or not 0 <= number < 2**31
    ):
        raise FormatError(f"a space has the size {number!r}")
    return int(number)


# ---- the zip


def _value(entry: Any, name: str) -> Any:
    """Returns an attribute: plain JSON, or a pickle in base 64."""
    if not isinstance(entry, dict) or ":serialized:" not in entry:
        return entry
    text = entry[":serialized:"]
    if not isinstance(text, str):
        raise FormatError(f"data: {name} has no text")
    try:
        pickled = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FormatError(f"data: {name} is not in base 64") from None
    try:
        return finish(load_data(pickled))
    except FormatError as broken:
        raise FormatError(f"data: {name}: {broken}") from None


# Attributes that are large, or of no use outside Stable-Baselines3.
_UNUSED = frozenset(
    "_last_obs _last_episode_starts _last_original_obs ep_info_buffer ep_success_buffer "
    "rollout_buffer_class replay_buffer_class _logger _custom_logger".split()
)

_POLICIES = {
    "SACPolicy": "sac", "ActorCriticPolicy": "", "MultiInputActorCriticPolicy": "",
    "MlpPolicy": "", "MultiInputPolicy": "",
}  # fmt: skip


def _algorithm(policy: Any, data: dict[str, Any], what: str) -> str:
    if not isinstance(policy, Name):
        raise FormatError(f"{what}: data has no policy_class")
    if "top_quantiles_to_drop_per_net" in data:
        raise UnsupportedError(f"{what} is a model of TQC; SAC, PPO, A2C and TRPO are supported")
    sac = policy.module.endswith("sac.policies")
    if policy.name not in _POLICIES or "recurrent" in policy.module:
        raise UnsupportedError(
            f"{what} has the policy {policy}; SAC, PPO, A2C and TRPO with MlpPolicy or "
            "MultiInputPolicy are supported"
        )
    if sac or _POLICIES[policy.name] == "sac":
        return "sac"
    for other in ("td3", "dqn", "qrdqn", "tqc", "crossq", "ars"):
        if f".{other}." in policy.module:
            raise UnsupportedError(f"{what} is a model of {other.upper()}, which is not supported")
    if "clip_range" in data:
        return "ppo"
    return "trpo" if "cg_max_steps" in data else "a2c"


def read(path: Path, *, algo: str | None = None) -> SavedModel:
    """Reads a zip of Stable-Baselines3 or sb3-contrib. `.zip` may be left out of the name.

    algo: None finds out from the file. Raises FileNotFoundError, ValueError (FormatError,
    CorruptError, UnsupportedError).
    """
    name = os.fspath(path)
    if not os.path.exists(name) and os.path.exists(name + ".zip"):
        name += ".zip"
    what = os.path.basename(name)
    with open(name, "rb") as file, open_zip(file, what) as archive:
        members = set(archive.namelist())
        for member in ("data", "policy.pth"):
            if member not in members:
                raise FormatError(f"{what} is not a model of Stable-Baselines3: it has no {member}")
        try:
            raw = json.loads(read_member(archive, "data", DATA_MAX, what))
        except (ValueError, RecursionError) as broken:
            raise FormatError(f"{what}: data is not JSON: {broken}") from None
        if not isinstance(raw, dict):
            raise FormatError(f"{what}: data is not a dictionary")
        version = ""
        if "_stable_baselines3_version" in members:
            version = read_member(archive, "_stable_baselines3_version", 256, what).decode(
                "ascii", "replace"
            )
        stored = read_member(archive, "policy.pth", _torchfile.STORAGE_MAX, what)
        variables: dict[str, Array] = {}
        if isinstance(raw.get("ent_coef"), str) and "pytorch_variables.pth" in members:
            extra = read_member(archive, "pytorch_variables.pth", DATA_MAX, what)
            variables = load_tensors(extra, f"{what}: pytorch_variables.pth")
    data = {key: _value(entry, key) for key, entry in raw.items() if key not in _UNUSED}
    kwargs = data.get("policy_kwargs")
    if kwargs is not None and not isinstance(kwargs, dict):
        raise FormatError(f"{what}: policy_kwargs is not a dictionary")
    found = _algorithm(data.get("policy_class"), data, what) if algo is None else algo
    return SavedModel(
        algo=found,
        version=version.strip(),
        observation_space=_space(data.get("observation_space")),
        action_space=_space(data.get("action_space")),
        data=data,
        parameters=load_tensors(stored, f"{what}: policy.pth"),
        variables=variables,
    )


# ---- VecNormalize


@dataclass
class Normalization:
    """Statistics of VecNormalize: x = clip((obs - mean) / sqrt(var + epsilon), -clip, clip)."""

    norm_obs: bool
    norm_reward: bool
    mean: Array  # (O,) float64
    var: Array  # (O,) float64
    count: float
    clip_obs: float
    clip_reward: float
    epsilon: float
    #: Mean, variance and count of the discounted return.
    returns: tuple[float, float, float]


def _number(value: Any, what: str, low: float) -> float:
    number = finish(value)
    if isinstance(number, bool) or not isinstance(number, int | float | np.number):
        raise FormatError(f"{what} of VecNormalize is not a number")
    if not np.isfinite(number) or number < low:
        raise FormatError(
            f"{what} of VecNormalize is {number}; it must be finite and at least {low:g}"
        )
    return float(number)


def read_normalization(path: Path) -> Normalization:
    """Reads a file of VecNormalize.save, such as RL Zoo's vecnormalize.pkl."""
    what = os.path.basename(os.fspath(path))
    size = os.path.getsize(path)
    if size > _torchfile.PICKLE_MAX:
        raise FormatError(f"{what} has {size} bytes; the limit is {_torchfile.PICKLE_MAX}")
    with open(path, "rb") as file:
        try:
            saved = load_data(file.read(_torchfile.PICKLE_MAX + 1))
        except FormatError as broken:
            raise FormatError(f"{what}: {broken}") from None
    if not isinstance(saved, Object) or not str(saved.name).endswith("vec_normalize.VecNormalize"):
        raise FormatError(f"{what} is not a file of VecNormalize")
    norm_obs = bool(saved.get("norm_obs", True))
    mean, var, count = np.zeros(0), np.zeros(0), 1e-4
    if norm_obs:
        if not isinstance(saved.get("obs_rms"), Object):
            raise UnsupportedError(f"{what}: statistics of a Dict observation are not supported")
        mean, var = (
            _array(saved.get("obs_rms").get(key), key).astype(np.float64).ravel()
            for key in ("mean", "var")
        )
        if mean.shape != var.shape or not np.isfinite([mean, var]).all() or np.any(var < 0):
            raise FormatError(f"{what}: mean and variance do not fit each other")
        count = _number(saved.get("obs_rms").get("count"), "count", 1e-9)
    returns = saved.get("ret_rms")
    stats = tuple(
        _number(returns.get(key), key, low) if isinstance(returns, Object) else default
        for key, low, default in (("mean", -np.inf, 0.0), ("var", 0.0, 1.0), ("count", 1e-9, 1e-4))
    )
    return Normalization(
        norm_obs, bool(saved.get("norm_reward", True)), mean, var, count,
        _number(saved.get("clip_obs"), "clip_obs", 0.0),
        _number(saved.get("clip_reward"), "clip_reward", 0.0),
        _number(saved.get("epsilon"), "epsilon", 0.0), (stats[0], stats[1], stats[2]),
    )  # fmt: skip


# ---- parameters under the library's names


def _layers(parameters: dict[str, Array], prefix: str) -> list[str]:
    """Returns the names of the dense layers "PREFIX.I" in order, such as "actor.latent_pi.2"."""
    pattern = re.compile(re.escape(prefix) + r"\.(\d+)\.weight")
    found = sorted(int(m.group(1)) for name in parameters if (m := pattern.fullmatch(name)))
    return [f"{prefix}.{i}" for i in found]


class _Taker:
    """Takes parameters out of a state dict and checks that none is left."""

    def __init__(self, parameters: dict[str, Array]) -> None:
        self.parameters = parameters
        self.taken: set[str] = set()

    def take(self, name: str) -> Array:
        if name not in self.parameters:
            raise FormatError(f"the model has no parameter {name!r}")
        self.taken.add(name)
        value = np.asarray(self.parameters[name], np.float32)
        if not np.isfinite(value).all():
            raise FormatError(f"the parameter {name!r} has a number that is not finite")
        return value

    def dense(self, layers: list[str]) -> tuple[list[Array], list[Array]]:
        """Returns weights (in, out) and biases (out,) of layers."""
        weights = [self.take(f"{name}.weight") for name in layers]
        for name, weight in zip(layers, weights, strict=True):
            if weight.ndim != 2:
                raise UnsupportedError(f"the layer {name} is not dense: {weight.shape}")
        return [w.T for w in weights], [self.take(f"{name}.bias") for name in layers]

    def check_empty(self) -> None:
        left = sorted(set(self.parameters) - self.taken)
        if left:
            raise UnsupportedError(f"the parameter {left[0]!r} has no counterpart in Celsius")


def _put(
    out: dict[str, Array], prefix: str, members: list[tuple[list[Array], list[Array]]]
) -> None:
    """Adds the layers of an ensemble: weight (E, in, out), bias (E, out)."""
    for i in range(len(members[0][0])):
        for kind, which in (("weight", 0), ("bias", 1)):
            parts = [member[which][i] for member in members]
            if any(part.shape != parts[0].shape for part in parts):
                raise ShapeError(f"the critics differ in layer {i}")
            out[f"{prefix}.{i}.{kind}"] = np.ascontiguousarray(np.stack(parts))


def _sac(take: _Taker, kwargs: dict[str, Any], sde: bool) -> dict[str, Array]:
    out: dict[str, Array] = {}
    weights, biases = take.dense(_layers(take.parameters, "actor.latent_pi"))
    if sde:
        clip = kwargs.get("clip_mean", 2.0)
        head, bias = take.dense(["actor.mu.0" if clip > 0 else "actor.mu"])
        out["actor.log_std"] = take.take("actor.log_std")
    else:
        (mean, log_std), (b_mean, b_log) = take.dense(["actor.mu", "actor.log_std"])
        head, bias = [np.concatenate([mean, log_std], axis=1)], [np.concatenate([b_mean, b_log])]
    _put(out, "actor", [(weights + head, biases + bias)])
    for ours, theirs in (("critic", "critic"), ("target", "critic_target")):
        count = 0
        members = []
        while layers := _layers(take.parameters, f"{theirs}.qf{count}"):
            members.append(take.dense(layers))
            count += 1
        if not members:
            raise FormatError(f"the model has no {theirs}")
        _put(out, ours, members)
    return out


def _actor_critic(take: _Taker, continuous: bool) -> dict[str, Array]:
    out: dict[str, Array] = {}
    for ours, theirs, head in (
        ("actor", "mlp_extractor.policy_net", "action_net"),
        ("critic", "mlp_extractor.value_net", "value_net"),
    ):
        _put(out, ours, [take.dense([*_layers(take.parameters, theirs), head])])
    if continuous:
        out["actor.log_std"] = take.take("log_std")
    return out


def parameters_of(saved: SavedModel) -> dict[str, Array]:
    """Returns the parameters under the library's names and in its shapes.

    Raises UnsupportedError where a parameter has no counterpart.
    """
    take = _Taker(saved.parameters)
    continuous = isinstance(saved.action_space, spaces.Box)
    if saved.algo == "sac":
        out = _sac(take, saved.policy_kwargs, bool(saved.data.get("use_sde")))
    else:
        out = _actor_critic(take, continuous)
    take.check_empty()
    return out


# ---- classes for programs of Stable-Baselines3


def classes(*, functions: bool = False) -> dict[str, Any]:
    """Returns A2C, PPO, SAC and TRPO for programs that look for files named NAME.zip.

    They are Celsius' learners. Where `save` gets a name without an ending, it adds ".zip" instead
    of ".safetensors". The files are the same.

    functions: saves arguments that are functions too, such as learning rates, as pickles. The
    files are then zips that hold a .safetensors file. `load` runs the pickles, as
    Stable-Baselines3 does: load only files that you trust.
    """
    import celsius

    kinds: list[Any] = [celsius.A2C, celsius.PPO, celsius.SAC, celsius.TRPO]
    own = {"ENDING": ".zip", "FUNCTIONS": functions}
    return {kind.__name__: type(kind.__name__, (kind,), own) for kind in kinds}


# ---- a learner

_CLASSES = {"sac": "SAC", "ppo": "PPO", "a2c": "A2C", "trpo": "TRPO"}
_SCHEDULES = ("learning_rate", "clip_range", "clip_range_vf")
# Arguments that describe the process or the files, not the learner.
_OWN = frozenset(
    "policy env self device tensorboard_log verbose _init_setup_model replay_buffer_class "
    "replay_buffer_kwargs rollout_buffer_class rollout_buffer_kwargs action_noise native threads "
    "optimize_memory_usage monitor_wrapper support_multi_env fields".split()
)


def _schedule(value: Any) -> Any:
    """Returns a schedule of Stable-Baselines3 as a number or a function; None: unknown."""
    value = finish(value)
    if value is None or isinstance(value, int | float | str):
        return value
    if not isinstance(value, Object):
        return None
    name = str(value.name).rpartition(".")[2]
    if name == "FloatSchedule":
        return _schedule(value.get("value_schedule"))
    if name == "ConstantSchedule":
        return _schedule(value.get("val"))
    if name == "LinearSchedule":
        start, end, part = (value.get(key) for key in ("start", "end", "end_fraction"))
        if not all(isinstance(v, int | float) for v in (start, end, part)) or not part > 0:
            return None
        return LinearSchedule(start, end, part)
    if name == "SimpleLinearSchedule":  # of RL Zoo
        from .zoo import linear as falling

        start = value.get("initial_value")
        return falling(float(start)) if isinstance(start, int | float) else None
    return None


def _train_freq(value: Any) -> Any:
    value = finish(value)
    if isinstance(value, Object) and len(value.arguments) == 2:
        count, unit = value.arguments
        words = [part for part in getattr(unit, "arguments", ()) if isinstance(part, str)]
        word = words[-1].lower() if words else ""
        if isinstance(count, int) and word in ("step", "episode"):
            return (count, word)
    return value if isinstance(value, int) else None


def _arguments(saved: SavedModel, cls: Any) -> dict[str, Any]:
    """Returns the arguments of a learner's constructor that the zip has."""
    wanted = [name for name in inspect.signature(cls.__init__).parameters if name not in _OWN]
    out: dict[str, Any] = {}
    lost: list[str] = []
    for name in wanted:
        if name not in saved.data:
            continue
        value = finish(saved.data[name])
        if name in _SCHEDULES:
            value = _schedule(value)
            if value is None and saved.data[name] is not None:
                lost.append(name)
                continue
        elif name == "train_freq":
            value = _train_freq(value)
        elif name == "policy_kwargs":
            value = saved.policy_kwargs
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, Object | Name):
            lost.append(name)
            continue
        out[name] = value
    if lost:
        warnings.warn(
            f"the zip holds functions that are not read: {', '.join(lost)} has its default; set it "
            "as an argument of from_sb3",
            stacklevel=3,
        )
    return out


def _policy_kwargs(saved: SavedModel, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Leaves out what Stable-Baselines3 stores beside the user's arguments, and what is default."""
    out = {key: value for key, value in kwargs.items() if key != "use_sde"}
    if saved.algo == "a2c" and out.get("optimizer_class") == "RMSprop":
        optimizer = dict(out.get("optimizer_kwargs") or {})
        if not optimizer.pop("weight_decay", 0):
            out["optimizer_kwargs"] = optimizer
    return out


def _normalizer(agent: Any, found: Normalization) -> dict[str, Array]:
    """Returns the tensors of the library's normalizer."""
    out: dict[str, Array] = {}
    tensors = agent.tensors(lib.CEL_MODEL, lib.CEL_STATE)
    if found.norm_obs:
        if tensors["normalizer.mean"].shape != found.mean.shape:
            raise ShapeError(
                f"VecNormalize is for {found.mean.size} numbers per observation, the model for "
                f"{tensors['normalizer.mean'].size}"
            )
        scale = 1.0 / np.sqrt(found.var + 1e-8)
        out.update({
            "normalizer.mean": found.mean, "normalizer.m2": found.var * found.count,
            "normalizer.count": np.array([found.count]), "normalizer.shift": found.mean,
            "normalizer.scale": scale, "normalizer.clip": np.array([found.clip_obs]),
        })  # fmt: skip
    if found.norm_reward:
        mean, var, count = found.returns
        out["normalizer.return_stats"] = np.array([count, mean, var * count])
        out["normalizer.reward_scale"] = np.array([1.0 / np.sqrt(var + 1e-8)])
    return out


def from_sb3(
    path: Path, env: Any = None, *, algo: str | None = None, normalize: Path | None = None,
    **arguments: Any,
) -> Any:  # fmt: skip
    """Makes a learner from a zip of Stable-Baselines3 (SAC, PPO, A2C) or sb3-contrib (TRPO).

    Predictions and values equal those of Stable-Baselines3 up to rounding. The settings of the
    zip become arguments of the learner; `arguments` replace them. The optimizers' moments and
    stored transitions are not taken over.

    env: an environment to continue on; None: the model acts only, until `set_env`.
    algo: "sac", "ppo", "a2c" or "trpo"; None finds out from the file.
    normalize: a file of VecNormalize.save (RL Zoo's vecnormalize.pkl). The model then takes raw
    observations and normalizes them itself. Its values are in units of the reward; those of
    Stable-Baselines3 are in units of the normalized reward.

    Raises FileNotFoundError; ValueError for a file that is broken or has no counterpart.
    """
    import celsius

    from .saving import Spaces

    saved = read(path, algo=algo)
    if saved.algo not in _CLASSES:
        raise ValueError(f"algo {saved.algo!r} does not exist; choose one of {', '.join(_CLASSES)}")
    cls = getattr(celsius, _CLASSES[saved.algo])
    parameters = parameters_of(saved)
    statistics = None if normalize is None else read_normalization(normalize)
    given = _arguments(saved, cls)
    if "policy_kwargs" in given:
        given["policy_kwargs"] = _policy_kwargs(saved, given["policy_kwargs"])
    if statistics is not None:
        given.update(
            normalize_observation=statistics.norm_obs, normalize_reward=statistics.norm_reward,
            clip_observation=statistics.clip_obs, clip_reward=statistics.clip_reward,
        )  # fmt: skip
        if abs(statistics.epsilon - 1e-8) > 1e-12:
            raise UnsupportedError(
                f"epsilon of VecNormalize is {statistics.epsilon:g}; only 1e-8 is supported"
            )
    given.update(arguments)
    n_envs = saved.data.get("n_envs") if env is None else None
    target = env
    if env is None:
        target = Spaces(saved.observation_space, saved.action_space, int(n_envs or 1))
    multi = isinstance(saved.observation_space, spaces.Dict | spaces.Tuple)
    model = cls("MultiInputPolicy" if multi else "MlpPolicy", target, **given)
    if env is not None and (
        model.observation_space != saved.observation_space
        or model.action_space != saved.action_space
    ):
        raise ValueError(
            f"the environment has other spaces ({model.observation_space}, {model.action_space}) "
            f"than the model ({saved.observation_space}, {saved.action_space})"
        )
    _load(model, saved, parameters, statistics)
    return model


def _load(
    model: Any, saved: SavedModel, parameters: dict[str, Array], statistics: Normalization | None
) -> None:
    agent = model._agent
    new = dict(parameters)
    own = agent.tensors(lib.CEL_PARAM, lib.CEL_MODEL, lib.CEL_TARGET, lib.CEL_STATE)
    if "log_ent_coef" in own and "log_ent_coef" in saved.variables:
        new["log_ent_coef"] = saved.variables["log_ent_coef"]
    if statistics is not None:
        new.update(_normalizer(agent, statistics))
    wanted = set(agent.tensors(lib.CEL_PARAM, lib.CEL_TARGET)) - {"log_ent_coef"}
    missing = sorted(wanted - set(new))
    if missing:
        raise ShapeError(f"the zip has nothing for the parameter {missing[0]!r}")
    for name, value in new.items():
        if name not in own or own[name].size != np.size(value):
            have = own[name].shape if name in own else "no such tensor"
            raise ShapeError(
                f"the parameter {name!r} has shape {np.shape(value)}; the network has {have}"
            )
    for name, value in new.items():
        own[name][...] = np.asarray(value).reshape(own[name].shape)
    agent.sync()
    steps = saved.data.get("num_timesteps")
    model.num_timesteps = int(steps) if isinstance(steps, int) and steps >= 0 else 0

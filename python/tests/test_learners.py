"""Every learner: learns, acts, is saved, copied and continued; arguments do what they say."""

import copy
import inspect
import io
import json
import pickle
import re
import sys
import types
import warnings
import zipfile
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import celsius
from celsius import _docs, errors
from celsius._agent import config_of
from celsius._fields import rows
from celsius.base import Learner
from celsius.noise import NormalActionNoise, OrnsteinUhlenbeckActionNoise

SMALL: dict[str, Any] = {"policy_kwargs": {"net_arch": [8]}}
CASES: dict[type[Learner], tuple[str, dict[str, Any]]] = {
    celsius.SAC: ("Pendulum-v1", {"batch_size": 8, "buffer_size": 500, "learning_starts": 10}),
    celsius.TQC: (
        "Pendulum-v1",
        {
            "batch_size": 8,
            "buffer_size": 500,
            "learning_starts": 10,
            "policy_kwargs": {"net_arch": [8], "n_quantiles": 5},
        },
    ),
    celsius.TD3: ("Pendulum-v1", {"batch_size": 8, "buffer_size": 500, "learning_starts": 10}),
    celsius.DDPG: ("Pendulum-v1", {"batch_size": 8, "buffer_size": 500, "learning_starts": 10}),
    celsius.DQN: ("CartPole-v1", {"batch_size": 8, "buffer_size": 500, "learning_starts": 10}),
    celsius.DiscreteSAC: (
        "CartPole-v1",
        {"batch_size": 8, "buffer_size": 500, "learning_starts": 10},
    ),
    celsius.SQL: ("CartPole-v1", {"batch_size": 8, "buffer_size": 500, "learning_starts": 10}),
    celsius.SoftQ: ("Pendulum-v1", {"batch_size": 8, "buffer_size": 500, "learning_starts": 10}),
    celsius.PPO: ("CartPole-v1", {"n_steps": 16, "batch_size": 8}),
    celsius.A2C: ("CartPole-v1", {}),
    celsius.TRPO: ("Pendulum-v1", {"n_steps": 16, "batch_size": 8}),
    celsius.REINFORCE: ("CartPole-v1", {"n_steps": 16}),
    celsius.AC: ("Pendulum-v1", {}),
}


def make(cls: Any, env: Any = None, **more: Any) -> Any:
    env_id, arguments = next(CASES[base] for base in cls.__mro__ if base in CASES)
    return cls("MlpPolicy", env or env_id, **{"seed": 1, **SMALL, **arguments, **more})


def parameters(model: Any) -> dict[str, Any]:
    return {k: v for group in model.get_parameters().values() for k, v in group.items()}


def equal(a: Any, b: Any) -> bool:
    first, second = parameters(a), parameters(b)
    return first.keys() == second.keys() and all(np.array_equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize("cls", CASES)
@pytest.mark.parametrize("native", [True, False])
def test_learns_and_acts(cls: Any, native: bool) -> None:
    model = make(cls, native=native)
    before = copy.deepcopy(model)
    assert model.learn(48) is model
    assert model.num_timesteps >= 48 and model._n_updates > 0
    assert not equal(model, before)
    env = model.get_env()
    obs = env.reset()
    for deterministic in (True, False):
        action, state = model.predict(obs, deterministic=deterministic)
        assert state is None and action.shape == (1, *env.action_space.shape)
        one, _ = model.predict(obs[0], deterministic=deterministic)
        assert env.action_space.contains(one), one
    assert cls.__name__ in repr(model) and "policy_kwargs" in repr(model)


@pytest.mark.parametrize("cls", CASES)
def test_same_seed_same_bits_native_or_stepped(cls: Any) -> None:
    """An environment in C gives the same bits with the loop in C and with the loop in Python."""
    a, b = make(cls), make(cls)
    a.learn(48)
    b.learn(48, callback=lambda _locals, _globals: None)
    assert equal(a, b) and a.num_timesteps == b.num_timesteps


@pytest.mark.parametrize("cls", CASES)
def test_save_load(cls: Any, tmp_path: Path) -> None:
    model = make(cls).learn(48)
    model.save(tmp_path / "model")
    assert (tmp_path / "model.safetensors").exists()
    loaded = cls.load(tmp_path / "model")
    assert equal(model, loaded) and loaded.num_timesteps == model.num_timesteps
    assert loaded.get_env() is None
    obs = model.observation_space.sample()
    same = [m.predict(obs, deterministic=True)[0] for m in (model, loaded)]
    assert np.array_equal(*same)
    with pytest.raises(ValueError, match="set_env"):
        loaded.learn(1)
    memory = io.BytesIO()
    model.save(memory)
    again = cls.load(memory, env=CASES[cls][0])
    assert equal(model, again)
    again.learn(20, reset_num_timesteps=False)
    assert again.num_timesteps >= model.num_timesteps + 20
    with pytest.raises(FileNotFoundError, match="nothing"):
        cls.load(tmp_path / "nothing")


@pytest.mark.parametrize("cls", CASES)
def test_pickle_and_deepcopy_continue_alike(cls: Any) -> None:
    model = make(cls).learn(48)
    copies = [pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
    model.learn(40)
    for other in copies:
        other.learn(40)
    assert equal(copies[0], copies[1])
    if isinstance(model, celsius.on_policy.OnPolicyLearner):
        return
    assert len(copies[0].replay_buffer) == len(copies[1].replay_buffer)


def test_load_refuses_other_files(tmp_path: Path) -> None:
    make(celsius.PPO).save(tmp_path / "ppo")
    with pytest.raises(errors.FormatError, match="PPO"):
        celsius.SAC.load(tmp_path / "ppo")
    (tmp_path / "text.safetensors").write_text("no model")
    with pytest.raises(ValueError):
        celsius.PPO.load(tmp_path / "text.safetensors")
    with pytest.raises(ValueError, match="spaces do not match"):
        celsius.PPO.load(tmp_path / "ppo", env="Pendulum-v1")
    with pytest.raises(ValueError, match="policy kwargs"):
        celsius.PPO.load(tmp_path / "ppo", policy_kwargs={"net_arch": [3]})


def test_load_with_more_environments(tmp_path: Path) -> None:
    model = make(celsius.SAC).learn(48)
    model.save(tmp_path / "model")
    several = celsius.SAC.load(tmp_path / "model", env=celsius.make_vec_env("Pendulum-v1", 3))
    assert equal(model, several) and several.n_envs == 3
    several.learn(30)


def test_functions_are_not_saved(tmp_path: Path) -> None:
    model = make(celsius.SAC, learning_rate=lambda left: 1e-3 * left).learn(30)
    model.save(tmp_path / "model")
    with pytest.warns(UserWarning, match="learning_rate"):
        celsius.SAC.load(tmp_path / "model")
    given = celsius.SAC.load(tmp_path / "model", custom_objects={"learning_rate": 1e-4})
    assert given.learning_rate == 1e-4


def test_parameters() -> None:
    a, b = make(celsius.SAC, seed=1), make(celsius.SAC, seed=2)
    assert not equal(a, b)
    b.set_parameters(a.get_parameters())
    assert equal(a, b)
    part = {"policy": {"actor.0.bias": np.ones((1, 8))}}
    with pytest.raises(ValueError, match="do not match"):
        b.set_parameters(part)
    b.set_parameters(part, exact_match=False)
    assert (b.get_parameters()["policy"]["actor.0.bias"] == 1).all()
    for bad in (np.ones((1, 7)), np.full((1, 8), np.nan)):
        with pytest.raises(ValueError, match="actor.0.bias"):
            b.set_parameters({"policy": {"actor.0.bias": bad}}, exact_match=False)
    with pytest.raises(ValueError, match="invalid object"):
        b.set_parameters({"actor": {}}, exact_match=False)


def test_replay_buffer(tmp_path: Path) -> None:
    model = make(celsius.SAC).learn(48)
    buffer = model.replay_buffer
    assert buffer.observations.shape == (48, 1, 3) and buffer.actions.shape == (48, 1, 1)
    assert np.abs(buffer.actions).max() <= 1 and buffer.rewards.max() <= 0
    model.save_replay_buffer(tmp_path / "replay")
    other = make(celsius.SAC, seed=9)
    other.load_replay_buffer(tmp_path / "replay")
    for name in ("observations", "next_observations", "actions", "rewards", "dones", "timeouts"):
        assert np.array_equal(getattr(other.replay_buffer, name), getattr(buffer, name)), name
    other.replay_buffer = None
    assert len(other.replay_buffer) == 0
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    with pytest.raises(errors.FormatError):
        other.load_replay_buffer(tmp_path / "bad.npz")


def test_rollout_buffer() -> None:
    model = make(celsius.PPO).learn(16)
    buffer = model.rollout_buffer
    assert buffer.observations.shape == (16, 1, 4) and buffer.actions.shape == (16, 1, 1)
    assert (buffer.rewards == 1).all() and buffer.returns.shape == buffer.values.shape == (16, 1)


# ---- arguments.

# Arguments that Python itself uses.
PYTHON = {
    "policy", "env", "train_freq", "action_noise", "replay_buffer_class", "replay_buffer_kwargs",
    "optimize_memory_usage", "n_steps", "use_sde", "stats_window_size", "tensorboard_log",
    "policy_kwargs", "verbose", "seed", "device", "_init_setup_model", "native", "threads",
    "fields",
    "rollout_buffer_class", "rollout_buffer_kwargs", "use_rms_prop", "sub_sampling_factor", "self",
}  # fmt: skip


@pytest.mark.parametrize("cls", CASES)
def test_every_argument_has_an_effect(cls: Any) -> None:
    config = config_of(cls.ALGO)
    for name in inspect.signature(cls.__init__).parameters:
        assert name in PYTHON or cls.RENAMED.get(name, name) in config, name


def test_fields_are_arguments() -> None:
    model = make(celsius.SAC, layer_norm=True, max_grad_norm=0.5)
    assert model._agent.config.get("layer_norm") is True
    assert model._agent.config.get("max_grad_norm") == 0.5
    with pytest.raises(TypeError, match="layer_norm"):
        make(celsius.SAC, layernorm=True)
    with pytest.raises(ValueError, match="batch_size"):
        make(celsius.SAC, batch_size=0)


def test_policy_kwargs() -> None:
    class Tanh:
        """Stands for torch's class, which is known by its name."""

    model = make(celsius.SAC, policy_kwargs={
        "net_arch": [4, 3], "activation_fn": Tanh, "n_critics": 3,
        "optimizer_kwargs": {"eps": 1e-5, "betas": (0.8, 0.9)}})  # fmt: skip
    config = model._agent.config
    assert config.get("net_arch") == [4, 3] and config.get("activation") == "tanh"
    assert config.get("n_critics") == 3 and config.get("adam_epsilon") == 1e-5
    assert config.get("adam_beta1") == 0.8
    for bad in ({"activation_fn": "mish"}, {"features_extractor_class": Tanh}, {"unknown": 1},
                {"net_arch": {"pi": [3], "xf": [3]}}):  # fmt: skip
        with pytest.raises((ValueError, TypeError)):
            make(celsius.SAC, policy_kwargs=bad)


@pytest.mark.parametrize("cls", CASES)
@pytest.mark.parametrize("second", ["vf", "qf"])
def test_net_arch_of_policy_and_values(cls: Any, second: str) -> None:
    arch = {"pi": [4], second: [6, 5]}
    model = make(cls, policy_kwargs={"net_arch": arch}).learn(48)
    shapes = {name: value.shape for name, value in model.get_parameters()["policy"].items()}
    if cls not in (celsius.SQL, celsius.DQN):  # have no network of a policy
        assert shapes["actor.0.weight"][-1] == 4
    assert any(shape[-2:] == (6, 5) for shape in shapes.values()), shapes


def test_wrong_arguments() -> None:
    with pytest.raises(AssertionError, match="action spaces"):
        celsius.SAC("MlpPolicy", "CartPole-v1")
    with pytest.raises(ValueError, match="unknown"):
        celsius.SAC("LstmPolicy", "Pendulum-v1")
    with pytest.raises(errors.UnsupportedError, match="convolutions"):
        celsius.SAC("CnnPolicy", "Pendulum-v1")
    with pytest.raises(ValueError, match="cpu"):
        make(celsius.SAC, device="cuda")
    with pytest.raises(ValueError, match="episode"):
        make(celsius.SAC, train_freq=(1, "rollout"))
    with pytest.raises(errors.UnsupportedError, match="replay_buffer_class"):
        make(celsius.SAC, replay_buffer_class=dict)
    with pytest.raises(AssertionError, match="batch_size"):
        make(celsius.PPO, batch_size=1)
    with pytest.warns(UserWarning, match="truncated mini-batch of size 2"):
        make(celsius.PPO, batch_size=7)
    with pytest.raises(ValueError, match="in C"):
        make(celsius.SAC, env="Blackjack-v1", native=True)


def test_learned_temperature_start() -> None:
    model = make(celsius.SAC, ent_coef="auto_0.1")
    assert model._agent.temperature == pytest.approx(0.1)
    assert make(celsius.SAC, ent_coef=0.3)._agent.temperature == pytest.approx(0.3)


def test_train_freq_in_episodes() -> None:
    model = make(celsius.SAC, train_freq=(1, "episode"), gradient_steps=-1, learning_starts=0)
    model.learn(200)
    assert model._n_updates == 200


@pytest.mark.parametrize("kind", [NormalActionNoise, OrnsteinUhlenbeckActionNoise])
def test_action_noise(kind: Any) -> None:
    noise = kind(np.array([0.9]), np.array([0.01]))
    model = make(
        celsius.SAC,
        action_noise=noise,
        learning_starts=0,
        env=celsius.make_vec_env("Pendulum-v1", 2),
    )
    model.learn(40)
    plain = make(celsius.SAC, learning_starts=0, env=celsius.make_vec_env("Pendulum-v1", 2)).learn(
        40
    )
    assert model.replay_buffer.actions.mean() > plain.replay_buffer.actions.mean()


@pytest.mark.parametrize("cls", [celsius.SAC, celsius.PPO, celsius.A2C])
def test_gsde(cls: Any) -> None:
    model = make(cls, env="Pendulum-v1", use_sde=True, sde_sample_freq=4).learn(48)
    obs = model.get_env().reset()
    assert not np.array_equal(model.predict(obs)[0], model.predict(obs)[0])
    assert model.predict(np.repeat(obs, 5, 0))[0].shape == (5, 1)
    with pytest.raises(ValueError, match="gSDE"):
        make(celsius.PPO, use_sde=True)
    model.policy.reset_noise()
    assert np.allclose(model.policy.get_std(), np.exp(-3 if cls is celsius.SAC else 0), rtol=0.1)
    assert model.policy.actor.get_std().shape == (8, 1)
    with pytest.raises(errors.UnsupportedError, match="use_sde"):
        make(cls, env="Pendulum-v1").policy.reset_noise()


@pytest.mark.parametrize("cls", [celsius.SAC, celsius.PPO, celsius.A2C])
def test_expln(cls: Any) -> None:
    kwargs = {"net_arch": [8], "use_expln": True, "log_std_init": 1.0}
    model = make(cls, env="Pendulum-v1", use_sde=True, policy_kwargs=kwargs)
    assert np.allclose(model.policy.get_std(), 1 + np.log(2))
    assert np.isfinite(model.learn(48).policy.get_std()).all()
    with pytest.raises(errors.UnsupportedError, match="no effect without use_sde"):
        make(cls, env="Pendulum-v1", policy_kwargs=kwargs)


def test_clip_mean() -> None:
    big = {"net_arch": [8], "clip_mean": 0.25}
    model = make(celsius.SAC, use_sde=True, policy_kwargs=big)
    assert make(celsius.SAC, use_sde=True)._agent.config.get("clip_mean") == 2.0
    state = model.policy.state_dict()
    state["actor.1.bias"] = np.full_like(state["actor.1.bias"], 50.0)
    model.policy.load_state_dict(state)
    assert model.predict(np.zeros(3), deterministic=True)[0] == pytest.approx(2 * np.tanh(0.25))
    with pytest.raises(errors.UnsupportedError, match="clip_mean"):
        make(celsius.SAC, policy_kwargs=big)
    with pytest.raises(TypeError, match="clip_mean"):
        make(celsius.PPO, policy_kwargs=big)


@pytest.mark.parametrize("cls", [celsius.PPO, celsius.A2C, celsius.TRPO, celsius.REINFORCE])
@pytest.mark.parametrize("native", [True, False])
def test_squash_output(cls: Any, native: bool) -> None:
    kwargs = {"net_arch": [8], "squash_output": True, "log_std_init": 1.0}
    more: dict[str, Any] = {} if cls is celsius.TRPO else {"ent_coef": 0.01}
    model = make(
        cls, env="Pendulum-v1", use_sde=True, policy_kwargs=kwargs, native=native, n_steps=32,
        **more,
    )  # fmt: skip
    assert model.policy.squash_output
    model.learn(64)
    stored = model.rollout_buffer.actions
    assert 0.5 < np.abs(stored).max() <= 1
    drawn = model.predict(np.full((200, 3), 2.0))[0]
    assert 1 < np.abs(drawn).max() <= 2
    with pytest.raises(AssertionError, match=r"use_sde=True"):
        make(cls, env="Pendulum-v1", policy_kwargs=kwargs)


def test_arguments_of_buffers() -> None:
    # An NStepReplayBuffer has its own steps and discount.
    kind = type("NStepReplayBuffer", (), {})
    model = make(
        celsius.SAC, replay_buffer_class=kind, replay_buffer_kwargs={"n_steps": 4, "gamma": 0.9}
    )
    assert (model.replay_buffer.n_steps, model.replay_buffer.gamma) == (4, 0.9)
    assert model._agent.config.get("gamma") == 0.9 and model.gamma == 0.99
    with pytest.raises(errors.UnsupportedError, match="gamma"):
        make(celsius.SAC, replay_buffer_kwargs={"gamma": 0.9})
    with pytest.raises(errors.UnsupportedError, match="no n-step targets"):
        make(celsius.SQL, replay_buffer_class=kind)
    # Without timeouts, an episode that is cut off counts as terminated.
    for handle in (True, False):
        for native in (True, False):
            model = make(
                celsius.SAC, native=native,
                replay_buffer_kwargs={"handle_timeout_termination": handle},
            ).learn(210)  # fmt: skip
            arrays = model.replay_buffer.read()
            assert arrays["truncated"].sum() == handle and arrays["terminated"].sum() != handle


def test_device_set_afterwards() -> None:
    model = make(celsius.PPO)
    model.device = "cuda"
    with pytest.warns(UserWarning, match="on the GPU"):
        model.learn(16)


def test_multidimensional_bits_are_refused() -> None:
    class Bits(gym.Env[Any, Any]):
        observation_space = spaces.Box(-1, 1, (2,))
        action_space = spaces.MultiBinary([2, 3])

    with pytest.raises(AssertionError, match="Multi-dimensional MultiBinary"):
        make(celsius.A2C, env=Bits())


def test_net_arch_of_the_policy() -> None:
    arch = {"pi": [4], "vf": [5, 6]}
    assert make(celsius.PPO, policy_kwargs={"net_arch": arch}).policy.net_arch == arch
    assert make(celsius.SAC).policy.net_arch == {"pi": [8], "qf": [8]}


def test_logger_of_stable_baselines3(monkeypatch: pytest.MonkeyPatch) -> None:
    utils, outputs = types.ModuleType("utils"), types.ModuleType("logger")
    given: list[Any] = []
    utils.configure_logger = lambda *arguments: given.append(arguments) or "theirs"  # type: ignore
    outputs.SummaryWriter = None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "stable_baselines3.common.utils", utils)
    monkeypatch.setitem(sys.modules, "stable_baselines3.common.logger", outputs)
    assert celsius.logger.for_run(1, None, "PPO", True) == "theirs"
    assert given == [(1, None, "PPO", True)]
    assert celsius.logger._of_sb3("folder") is None  # they need the package tensorboard


def test_register_in_rl_zoo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    zoo = types.ModuleType("rl_zoo3")
    zoo.ALGOS = {"ppo": None, "dqn": None}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rl_zoo3", zoo)
    celsius.zoo.register("ppo", "sac")
    assert set(zoo.ALGOS) == {"ppo", "sac", "dqn"} and zoo.ALGOS["dqn"] is None
    model = make(celsius.PPO)
    theirs = zoo.ALGOS["ppo"]("MlpPolicy", "CartPole-v1", seed=1, n_steps=16, batch_size=8, **SMALL)
    assert isinstance(theirs, celsius.PPO) and equal(model, theirs)
    theirs.save(tmp_path / "model")
    assert equal(zoo.ALGOS["ppo"].load(tmp_path / "model.zip"), theirs)
    with pytest.raises(ValueError, match="dqn"):
        celsius.zoo.register("dqn")


def test_files_with_functions(tmp_path: Path) -> None:
    ppo = celsius.sb3.classes(functions=True)["PPO"]
    model = make(ppo, learning_rate=lambda left: 5e-4 * left, clip_range=lambda left: 0.3 * left)
    model.learn(32)
    model.save(tmp_path / "model")
    loaded = ppo.load(tmp_path / "model")
    assert loaded.lr_schedule(0.5) == 2.5e-4 and loaded.clip_range(1.0) == 0.3
    assert equal(loaded, model)
    loaded.set_parameters(tmp_path / "model.zip")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        given = ppo.load(tmp_path / "model", custom_objects={"learning_rate": 1e-4}, clip_range=0.1)
    assert given.learning_rate == 1e-4 and given.clip_range(0.5) == 0.1
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        data, inner = archive.read("data"), archive.read("model.safetensors")
    # The file within is a model of its own, for classes that run no pickles.
    (tmp_path / "inner.safetensors").write_bytes(inner)
    with pytest.warns(UserWarning, match="clip_range has its default again"):
        assert equal(celsius.PPO.load(tmp_path / "inner"), model)

    def changed(data: bytes, model: bytes | None = inner) -> Path:
        with zipfile.ZipFile(tmp_path / "changed.zip", "w") as archive:
            archive.writestr("data", data)
            if model is not None:
                archive.writestr("model.safetensors", model)
        return tmp_path / "changed.zip"

    entries = json.loads(data)
    entries["learning_rate"][":serialized:"] = "AAAA"  # no pickle
    with pytest.warns(UserWarning, match="custom_objects={'learning_rate'"):
        assert ppo.load(changed(json.dumps(entries).encode())).learning_rate == 3e-4
    for damaged in (b"no JSON", b"[1]", b'{"learning_rate": 1}', b'{"x": {":serialized:": "?"}}'):
        with pytest.raises(errors.FormatError, match="'data' is damaged"):
            ppo.load(changed(damaged))
    with pytest.raises(errors.FormatError, match="has no model.safetensors"):
        ppo.load(changed(data, None))
    with pytest.raises(ValueError, match="wasn't a zip-file"):
        ppo.load(tmp_path / "inner.safetensors")


def test_clip_range_is_a_schedule() -> None:
    model = make(celsius.PPO, clip_range_vf=celsius.schedules.LinearSchedule(0.2, 0.1, 0.5))
    assert model.clip_range(0.5) == 0.2 and model.clip_range.value_schedule.val == 0.2
    assert model.clip_range_vf(0.75) == pytest.approx(0.15) and model.clip_range_vf(0.0) == 0.1
    assert copy.deepcopy(model).clip_range(0.1) == 0.2
    assert make(celsius.PPO, clip_range="lin_0.2").clip_range == "lin_0.2"


@pytest.mark.parametrize("cls", CASES)
def test_docstring_names_every_argument(cls: Any) -> None:
    said = inspect.getdoc(cls) or ""
    names = set(inspect.signature(cls.__init__).parameters) - {"self", "fields"}
    fields = {row.name for row in rows(config_of(cls.ALGO).table)}
    for name in names | (fields - set(cls.RENAMED.values())):
        assert re.search(rf"^    {re.escape(name)}: \S", said, re.M), name
    assert all(text for text in _docs.arguments_of(cls).values())
    assert "rows of the replay buffer" in (inspect.getdoc(celsius.SAC) or "")


def test_log_ent_coef() -> None:
    model = make(celsius.SAC, ent_coef="auto_0.5")
    assert model.log_ent_coef == pytest.approx([np.log(0.5)])
    assert make(celsius.SAC, ent_coef=0.5).log_ent_coef is None
    assert make(celsius.SQL).log_ent_coef is None


def test_schedule_functions() -> None:
    seen: list[float] = []

    def rate(left: float) -> float:
        seen.append(left)
        return 1e-3 * left

    make(celsius.SAC, learning_rate=rate, native=False).learn(40)
    assert min(seen) == pytest.approx(0.0) and max(seen) == 1.0

    def broken(left: float) -> float:
        if left < 0.5:
            raise ZeroDivisionError
        return 1e-3

    model = make(celsius.SAC, learning_rate=broken)
    with pytest.raises(ZeroDivisionError):
        model.learn(40)
    assert np.isfinite(model.predict(np.zeros(3))[0]).all()


def test_predict_checks_shapes() -> None:
    model = make(celsius.PPO)
    with pytest.raises(ValueError, match="Unexpected observation shape"):
        model.predict(np.zeros(5))
    with pytest.raises(ValueError, match="mixing Gym API"):
        model.predict((np.zeros(4), {}))
    with pytest.raises(FloatingPointError, match="nan"):
        model.predict(np.full(4, np.nan))


def test_values() -> None:
    model = make(celsius.PPO)
    assert model.policy.predict_values(np.zeros((5, 4))).shape == (5, 1)


SPACES: list[spaces.Space[Any]] = [
    spaces.Box(-1, 1, (2, 3), np.float64), spaces.Discrete(4, start=-1),
    spaces.MultiDiscrete([3, 2]), spaces.MultiBinary(3),
    spaces.Dict({"a": spaces.Box(-1, 1, (2,)), "b": spaces.Discrete(3)}),
    spaces.Tuple([spaces.Box(-1, 1, (2,)), spaces.MultiBinary(2)]),
]  # fmt: skip


class Any_(gym.Env[Any, Any]):
    """Random observations of any space; checks the actions."""

    def __init__(self, observation: spaces.Space[Any], action: spaces.Space[Any]) -> None:
        self.observation_space, self.action_space, self.t = observation, action, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.observation_space.seed(seed)
        self.t = 0
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action), action
        self.t += 1
        return self.observation_space.sample(), 1.0, self.t == 7, self.t == 5, {"is_success": True}


@pytest.mark.parametrize("observation", SPACES, ids=str)
def test_observation_spaces(observation: spaces.Space[Any], tmp_path: Path) -> None:
    policy = (
        "MultiInputPolicy" if isinstance(observation, (spaces.Dict, spaces.Tuple)) else "MlpPolicy"
    )
    for cls, action in ((celsius.PPO, spaces.Discrete(2)), (celsius.SAC, spaces.Box(-1, 1, (2,)))):
        arguments = (
            {"n_steps": 16} if cls is celsius.PPO else {"learning_starts": 5, "buffer_size": 100}
        )
        given: Any = {**SMALL, **arguments}
        model = cls(policy, Any_(observation, action), batch_size=4, **given)
        model.learn(32)
        model.save(tmp_path / "model")
        loaded = cls.load(tmp_path / "model")
        obs = observation.sample()
        assert np.array_equal(*(m.predict(obs, deterministic=True)[0] for m in (model, loaded)))
        assert loaded.observation_space == observation


@pytest.mark.parametrize("action", [
    spaces.Box(-1, 1, (2, 2), np.float64), spaces.Discrete(3, start=2),
    spaces.MultiDiscrete([3, 2]), spaces.MultiBinary(3)], ids=str)  # fmt: skip
def test_action_spaces(action: spaces.Space[Any]) -> None:
    model = celsius.PPO(
        "MlpPolicy", Any_(spaces.Box(-1, 1, (2,)), action), n_steps=16, batch_size=4
    )
    model.learn(32)
    assert action.contains(model.predict(np.zeros(2))[0])
    assert model.ep_success_buffer and model.ep_success_buffer[-1] is True


def test_images_are_refused() -> None:
    image = spaces.Box(0, 255, (8, 8, 3), np.uint8)
    with pytest.raises(errors.UnsupportedError, match="image"):
        celsius.PPO("MlpPolicy", Any_(image, spaces.Discrete(2)))
    with pytest.raises(NotImplementedError, match="Nested"):
        celsius.PPO("MultiInputPolicy", Any_(spaces.Dict({"a": SPACES[4]}), spaces.Discrete(2)))
    with pytest.raises(ValueError, match="MultiInputPolicy"):
        celsius.PPO("MlpPolicy", Any_(SPACES[4], spaces.Discrete(2)))

"""Files of Stable-Baselines3 and torch as data: what is read, and that nothing in them runs."""

import base64
import collections
import io
import json
import pickle
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from celsius import _pickle, sb3
from celsius._torchfile import finish, load_data, load_tensors
from celsius.errors import CorruptError, Error, FormatError, UnsupportedError

ZIPS = Path(__file__).parent / "sb3"
RAN: list[str] = []


class Evil:
    """A pickle of this calls a function when it is loaded."""

    def __reduce__(self) -> Any:
        return RAN.append, ("ran",)


# ---- pickles


@pytest.mark.parametrize("protocol", range(6))
def test_values_equal_those_of_pickle(protocol: int) -> None:
    value = {
        "numbers": [0, -1, 255, 65536, -(2**31), 2**70, 1.5, -0.0, float("inf")],
        "texts": ["", "é", "x" * 300],
        "bytes": [b"", b"\x00\xff" * 200],
        "none": None,
        "flags": [True, False],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
        "nested": {"a": {"b": [{"c": ()}]}, 3: "three"},
    }
    same = value["texts"]
    value["shared"] = [same, same]
    if protocol < 3:
        del value["bytes"]  # older protocols call a function to make bytes
    loaded = _pickle.load(pickle.dumps(value, protocol))
    assert loaded == value
    assert loaded["shared"][0] is loaded["texts"]


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_runs(protocol: int) -> None:
    RAN.clear()
    for value in (Evil(), [Evil()], {"a": (Evil(),)}):
        data = pickle.dumps(value, protocol)
        _pickle.load(data)
        load_data(data)
        with pytest.raises(FormatError, match="not allowed"):
            _pickle.load(data, strict=True)
    assert RAN == []
    found = _pickle.load(pickle.dumps(collections.Counter(a=2), protocol))
    assert str(found.name) in (
        "collections.Counter",
        "copyreg._reconstructor",
        "copy_reg._reconstructor",
    )


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("dtype", ["f4", "f8", ">f8", "i8", "u1", "?", "i2", "f2"])
def test_arrays(protocol: int, dtype: str) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    for value in (array, np.asfortranarray(array), array[:, ::2], array[0, 0, 0], array[:0]):
        data = pickle.dumps(value, protocol)
        if protocol == 2 and b"_codecs" in data:
            continue  # bytes as a call, which only Python 2 wrote
        found = finish(load_data(data))
        assert found.dtype == value.dtype and np.array_equal(found, value)


def test_broken_pickles() -> None:
    whole = pickle.dumps({"a": [1, 2, (3, 4)], "b": np.arange(5.0)})
    for n in range(len(whole)):
        with pytest.raises(FormatError):
            _pickle.load(whole[:n])
    cases = [
        b"",
        b".",
        b"N",
        b"NN.",
        b"(.",
        b"t.",
        b"]r\xff\xff\xff\x7f0.",
        b"j\xff\xff\xff\x7f.",
        b"cx\n.",
        b"(N(N",
        b"}(K\x01u.",
        b"}(]K\x01u.",
        b"Nb.",
        b"NNR.",
        b"NNa.",
        b"NNNs.",
        b"\x80\x05\x95.",
        b"\x82\x01.",
        b"(K\x01ix\ny\n.",
        b"Q.",
        b"I" + b"9" * 5000 + b"\n.",
    ]
    for data in cases:
        try:
            _pickle.load(data)
        except FormatError:
            continue
        assert data in (b"]r\xff\xff\xff\x7f0.",)  # a large memo number costs no memory
    deep = b"(" * 20000 + b"t" * 19999 + b"t."
    with pytest.raises(FormatError, match="values on its stack"):
        _pickle.load(deep)
    # 2^60 leaves, but only 60 values
    shared = b"]q\x00" + b"".join(b"h%c\x86q%c" % (i, i + 1) for i in range(60)) + b"."
    assert isinstance(_pickle.load(shared), tuple)


def test_arrays_whose_size_lies() -> None:
    data = pickle.dumps(np.arange(6.0), 5)
    assert b"K\x06" in data
    with pytest.raises(FormatError, match="48 bytes for the shape"):
        load_data(data.replace(b"K\x06\x85", b"K\x07\x85"))
    with pytest.raises(FormatError, match="type"):
        load_data(pickle.dumps(np.array([None, {}]), 5))


# ---- files of torch


def torch_file(program: bytes, members: dict[str, bytes], **more: Any) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        for name, content in members.items():
            archive.writestr(f"archive/data/{name}", content)
        for name, content in more.items():
            archive.writestr(f"archive/{name}", content)
    return out.getvalue()


class Storage:
    """Pickles as a persistent id, as torch's storages do."""

    def __init__(self, kind: str, key: str, count: Any) -> None:
        self.id = ("storage", _Global("torch", kind), key, "cpu", count)


class _Global:
    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _Writer(pickle._Pickler):  # type: ignore[name-defined,misc]
    """Writes names of classes and calls that do not exist here."""

    def persistent_id(self, obj: Any) -> Any:
        return obj.id if isinstance(obj, Storage) else None

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, _Global):
            self.write(b"c" + f"{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, _Call):
            self.save(_Global(*obj.name))
            self.save(obj.arguments)
            self.write(b"R")
        else:
            super().save(obj, save_persistent_id)


class _Call:
    def __init__(self, module: str, name: str, *arguments: Any) -> None:
        self.name, self.arguments = (module, name), arguments


def program(value: Any) -> bytes:
    out = io.BytesIO()
    _Writer(out, 2).dump(value)
    return out.getvalue()


def tensor(storage: Storage, offset: Any, shape: Any, stride: Any) -> _Call:
    return _Call("torch._utils", "_rebuild_tensor_v2", storage, offset, shape, stride, False, {})


def test_tensors_with_offsets_strides_and_types() -> None:
    numbers = np.arange(12, dtype="<f4")
    long = np.arange(3, dtype="<i8")
    stored = {
        "a": tensor(Storage("FloatStorage", "0", 12), 0, (3, 4), (4, 1)),
        "t": tensor(Storage("FloatStorage", "0", 12), 0, (4, 3), (1, 4)),
        "part": tensor(Storage("FloatStorage", "0", 12), 5, (2, 2), (4, 1)),
        "scalar": tensor(Storage("LongStorage", "1", 3), 2, (), ()),
        "same": tensor(Storage("LongStorage", "1", 3), 1, (3,), (0,)),
        "empty": tensor(Storage("FloatStorage", "0", 12), 0, (0, 4), (4, 1)),
        "parameter": _Call(
            "torch._utils",
            "_rebuild_parameter",
            tensor(Storage("FloatStorage", "0", 12), 0, (2,), (1,)),
            True,
            {},
        ),
    }
    data = torch_file(
        program(stored), {"0": numbers.tobytes(), "1": long.tobytes()}, byteorder="little"
    )
    found = load_tensors(data, "file")
    grid = numbers.reshape(3, 4)
    expected = {
        "a": grid,
        "t": grid.T,
        "part": grid[1:, 1:3],
        "scalar": long[2],
        "same": [1, 1, 1],
        "empty": np.zeros((0, 4)),
        "parameter": numbers[:2],
    }
    # "same" has stride 0: it must read one element three times
    for name, array in expected.items():
        assert np.array_equal(found[name], array), name


def test_hostile_torch_files() -> None:
    numbers = np.arange(4, dtype="<f4").tobytes()
    good = Storage("FloatStorage", "0", 4)
    cases: list[tuple[Any, str]] = [
        (tensor(Storage("FloatStorage", "0", 5), 0, (5,), (1,)), "16 bytes; 5 numbers"),
        (tensor(Storage("FloatStorage", "0", 2**62), 0, (2**62,), (1,)), "16 bytes"),
        (tensor(Storage("FloatStorage", "9", 4), 0, (4,), (1,)), "no member"),
        (tensor(Storage("FloatStorage", "../../data.pkl", 4), 0, (4,), (1,)), "no member"),
        (tensor(Storage("FloatStorage", "0", -4), 0, (4,), (1,)), "not supported"),
        (tensor(Storage("FloatStorage", "0", True), 0, (1,), (1,)), "not supported"),
        (tensor(Storage("QInt8Storage", "0", 4), 0, (4,), (1,)), "not allowed"),
        (tensor(good, 1, (4,), (1,)), "exceeds its storage"),
        (tensor(good, 0, (2, 3), (2, 1)), "exceeds its storage"),
        (tensor(good, 0, (2, 2), (2**62, 1)), "exceeds its storage"),
        (tensor(good, 0, (2**40, 2**40), (0, 0)), "exceeds its storage"),
        (tensor(good, -1, (2,), (1,)), "no shape"),
        (tensor(good, 0, (2,), (1, 1)), "no shape"),
        (tensor(good, 0, (-2,), (1,)), "no shape"),
        (tensor(good, 0, "ab", (1,)), "no shape"),
        (tensor(good, 0, (1,) * 40, (0,) * 40), "32 dimensions"),
        (_Call("torch._utils", "_rebuild_tensor_v2"), "no storage"),
        (_Call("torch._utils", "_rebuild_tensor_v2", 1, 2, 3, 4), "no storage"),
        (_Call("os", "system", "true"), "os.system, which is not allowed"),
        (_Call("torch.hub", "load", "x"), "torch.hub.load, which is not allowed"),
        (_Call("builtins", "eval", "1"), "not allowed"),
        (_Global("torch.nn", "Linear"), "not allowed"),
        (_Call("torch", "FloatStorage", 3), "storage is called"),
        ([1, 2], "is not a tensor"),
    ]
    for value, message in cases:
        data = torch_file(program({"x": value}), {"0": numbers})
        with pytest.raises((FormatError, CorruptError), match=message):
            load_tensors(data, "file")
    with pytest.raises(FormatError, match="byte order"):
        load_tensors(torch_file(program({}), {}, byteorder="big"), "file")
    with pytest.raises(FormatError, match="no data.pkl"):
        load_tensors(torch_file(b"", {}).replace(b"data.pkl", b"data.txt"), "file")
    with pytest.raises(FormatError, match="no dictionary"):
        load_tensors(torch_file(program([1]), {}), "file")
    with pytest.raises(FormatError, match="not a zip"):
        load_tensors(b"PK no zip", "file")
    with pytest.raises(FormatError, match="two types"):
        both = {
            "a": tensor(good, 0, (4,), (1,)),
            "b": tensor(Storage("IntStorage", "0", 4), 0, (4,), (1,)),
        }
        load_tensors(torch_file(program(both), {"0": numbers}), "file")


# ---- whole zips


def rewritten(
    name: str, path: Path, data: dict[str, Any] | None = None, **members: bytes | None
) -> Path:
    """Copies a zip with changed attributes or members (None: without it)."""
    with zipfile.ZipFile(ZIPS / name) as archive:
        content = {member: archive.read(member) for member in archive.namelist()}
    if data is not None:
        content["data"] = json.dumps({**json.loads(content["data"]), **data}).encode()
    for member, value in members.items():
        key = member.replace("policy_pth", "policy.pth")
        if value is None:
            content.pop(key)
        else:
            content[key] = value
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, stored in content.items():
            archive.writestr(member, stored)
    return path


def test_spaces_and_settings() -> None:
    saved = sb3.read(ZIPS / "sac")  # the ending may be left out
    assert (saved.algo, saved.version) == ("sac", "2.9.2")
    assert saved.action_space == spaces.Box(np.float32([-1, 0]), np.float32([3, 5]))
    assert saved.observation_space.shape == (3,) and np.isinf(saved.observation_space.low).all()  # type: ignore[attr-defined]
    assert saved.data["gamma"] == 0.99 and saved.policy_kwargs["net_arch"] == [8, 8]
    assert sb3.read(ZIPS / "sac-tanh.zip").policy_kwargs["activation_fn"] == "Tanh"
    assert sb3.read(ZIPS / "ppo-multi.zip").action_space == spaces.MultiDiscrete([3, 2, 4])
    assert sb3.read(ZIPS / "ppo-bits.zip").action_space == spaces.MultiBinary(3)
    assert sb3.read(ZIPS / "ppo-states.zip").observation_space == spaces.Discrete(5)
    parts = sb3.read(ZIPS / "ppo-dict.zip").observation_space
    assert isinstance(parts, spaces.Dict) and list(parts.spaces) == ["a", "b"]
    for name in ("ppo-box", "a2c-discrete", "trpo-box"):
        assert sb3.read(ZIPS / f"{name}.zip").algo == name.split("-")[0]
    assert "parameters" not in repr(saved)


def test_no_torch_and_no_stable_baselines(tmp_path: Path) -> None:
    """Reading imports neither, even where they are installed."""
    code = (
        "import sys, celsius.sb3\n"
        f"celsius.sb3.read({str(ZIPS / 'ppo-box.zip')!r})\n"
        "assert not {'torch', 'stable_baselines3', 'cloudpickle', 'pickle5'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_evil_zips(tmp_path: Path) -> None:
    RAN.clear()
    evil = base64.b64encode(pickle.dumps(Evil())).decode()
    harmless = rewritten(
        "ppo-box.zip", tmp_path / "a.zip", {"extra": {":type:": "x", ":serialized:": evil}}
    )
    assert sb3.read(harmless).parameters
    for attribute in ("observation_space", "policy_class", "policy_kwargs"):
        path = rewritten("ppo-box.zip", tmp_path / "b.zip", {attribute: {":serialized:": evil}})
        with pytest.raises((FormatError, UnsupportedError)):
            sb3.read(path)
    with pytest.raises(FormatError, match="which is not allowed"):
        sb3.read(
            rewritten(
                "ppo-box.zip",
                tmp_path / "c.zip",
                policy_pth=torch_file(pickle.dumps({"a": Evil()}), {}),
            )
        )
    (tmp_path / "n.pkl").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(FormatError, match="not a file of VecNormalize"):
        sb3.read_normalization(tmp_path / "n.pkl")
    assert RAN == []


def test_broken_zips(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sb3.read(tmp_path / "missing.zip")
    (tmp_path / "text.zip").write_text("no zip")
    cases = [
        (tmp_path / "text.zip", "text.zip is not a zip archive"),
        (rewritten("ppo-box.zip", tmp_path / "1.zip", data={}, policy_pth=None), "no policy.pth"),
        (rewritten("ppo-box.zip", tmp_path / "3.zip", policy_pth=b"x"), "policy.pth is not a zip"),
        (rewritten("ppo-box.zip", tmp_path / "4.zip", {"policy_class": 3}), "no policy_class"),
        (rewritten("ppo-box.zip", tmp_path / "5.zip", {"observation_space": None}), "no space"),
        (
            rewritten("ppo-box.zip", tmp_path / "6.zip", {"gamma": {":serialized:": "%"}}),
            "gamma is not in",
        ),
        (
            rewritten("ppo-box.zip", tmp_path / "7.zip", {"gamma": {":serialized:": "AAAA"}}),
            "data: gamma: ",
        ),
        (
            rewritten("ppo-box.zip", tmp_path / "8.zip", {"policy_kwargs": [1]}),
            "policy_kwargs is not",
        ),
    ]
    for path, message in cases:
        with pytest.raises(FormatError, match=message):
            sb3.read(path)


def test_other_policies_are_refused(tmp_path: Path) -> None:
    def policy(module: str, name: str) -> dict[str, Any]:
        text = base64.b64encode(program(_Global(module, name))).decode()
        return {"policy_class": {":serialized:": text}}

    for module, name, message in (
        ("stable_baselines3.td3.policies", "TD3Policy", "TD3Policy"),
        ("stable_baselines3.dqn.policies", "DQNPolicy", "DQNPolicy"),
        ("stable_baselines3.common.policies", "ActorCriticCnnPolicy", "CnnPolicy"),
        ("sb3_contrib.common.recurrent.policies", "ActorCriticPolicy", "recurrent"),
        ("mine", "MyPolicy", "mine.MyPolicy"),
    ):
        with pytest.raises(UnsupportedError, match=message):
            sb3.read(rewritten("ppo-box.zip", tmp_path / "p.zip", policy(module, name)))


@pytest.mark.parametrize("seed", range(8))
def test_random_damage_raises_only_errors_of_the_library(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    whole = bytearray((ZIPS / "ppo-box.zip").read_bytes())
    statistics = (ZIPS / "ppo-normalized.pkl").read_bytes()
    for _ in range(40):
        damaged = bytearray(whole)
        for _ in range(rng.randrange(1, 8)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path = tmp_path / "damaged.zip"
        path.write_bytes(damaged[: rng.randrange(len(damaged))] if rng.random() < 0.2 else damaged)
        try:
            sb3.parameters_of(sb3.read(path))
        except Error as error:
            assert isinstance(error, ValueError) and str(error)
        other = bytearray(statistics)
        for _ in range(rng.randrange(1, 8)):
            other[rng.randrange(len(other))] = rng.randrange(256)
        path.write_bytes(other)
        try:
            sb3.read_normalization(path)
        except Error as error:
            assert isinstance(error, ValueError) and str(error)


def test_normalization() -> None:
    found = sb3.read_normalization(ZIPS / "ppo-normalized.pkl")
    assert found.norm_obs and found.norm_reward and found.clip_obs == 2.0
    assert found.mean.shape == found.var.shape == (3,) and found.count == pytest.approx(65.0001)
    assert found.returns[1] > 0


def test_parameters_without_counterpart(tmp_path: Path) -> None:
    saved = sb3.read(ZIPS / "ppo-box.zip")
    saved.parameters["features_extractor.cnn.0.weight"] = np.zeros((1, 2))
    with pytest.raises(UnsupportedError, match="features_extractor.cnn.0.weight"):
        sb3.parameters_of(saved)
    saved = sb3.read(ZIPS / "ppo-box.zip")
    del saved.parameters["action_net.bias"]
    with pytest.raises(FormatError, match="no parameter 'action_net.bias'"):
        sb3.parameters_of(saved)
    saved = sb3.read(ZIPS / "ppo-box.zip")
    saved.parameters["value_net.bias"] = np.array([np.nan])
    with pytest.raises(FormatError, match="not finite"):
        sb3.parameters_of(saved)

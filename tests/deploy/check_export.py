"""Runs an exported policy and compares it with what cel_policy_act did: check_export.py CHECK EXPORTED ANSWERS.

CHECK: onnx (onnxruntime), numpy (the state dict, written out), torch (examples/torch/policy.py).
"""
import json
import math
import os
import pathlib
import sys

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

DISCRETE = ("categorical", "greedy", "multi_categorical", "bernoulli")
ACTIVATIONS = {
    "identity": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "silu": lambda x: x / (1 + np.exp(-x)),
    "gelu": lambda x: x * np.vectorize(math.erfc)(-x / math.sqrt(2)) / 2,
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
}


def run_onnx(path, obs, noise, answers):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inlets, (outlet,) = session.get_inputs(), session.get_outputs()
    feed = {"observation": obs} | ({"noise": noise} if answers["kind"] == "sampler" else {})
    assert [(x.name, x.type, x.shape) for x in inlets] == [
        (name, "tensor(float)", ["batch", value.shape[1]]) for name, value in feed.items()]
    discrete = answers["kind"] in DISCRETE
    assert outlet.name == "action" and outlet.shape[0] == "batch"
    assert outlet.type == ("tensor(int64)" if discrete else "tensor(float)")
    whole = session.run(["action"], feed)[0]
    one = np.concatenate([session.run(None, {name: value[i:i + 1] for name, value in feed.items()})[0]
                          for i in range(len(obs))])
    np.testing.assert_allclose(one, whole, atol=1e-5)  # any batch size
    return whole


def layer_norm(x, weight, bias):
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(var + 1e-5) * weight + bias


def normed(t, name, x, kind, epsilon):
    weight = t[f"{name}.weight"]
    if kind == "rms_norm":
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * weight
    if kind == "layer_norm":
        mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    else:
        mean, var = t[f"{name}.running_mean"], t[f"{name}.running_var"]
    return (x - mean) / np.sqrt(var + epsilon) * weight + t[f"{name}.bias"]


def run_list(t, layers, x):
    """The layers of a network whose file lists them, but the last, which is the head."""
    defaults, outputs = {"layer_norm": 1e-5, "batch_norm": 1e-5, "batch_renorm": 1e-3, "rms_norm": 1e-6}, []
    for i, layer in enumerate(layers[:-1]):
        kind, settings = (layer, {}) if isinstance(layer, str) else (layer["kind"], layer)
        if kind == "dense":
            x = x @ t[f"net.{i}.weight"].T + t[f"net.{i}.bias"]
        elif kind == "add":
            x = x + outputs[settings["from"]]
        elif kind in ACTIVATIONS:
            x = ACTIVATIONS[kind](x)
        else:
            x = normed(t, f"net.{i}", x, kind, settings.get("epsilon", defaults[kind]))
        outputs.append(x)
    assert layers[-1] == "dense"
    return x


def scaled(t, a):
    a = t["action_shift"] + t["action_scale"] * a
    return np.clip(a, t["action_low"], t["action_high"]) if "action_low" in t else a


def run_numpy(path, obs, noise, answers):
    t = {key: value.astype(np.float64) for key, value in load_file(path).items()}
    x = obs.astype(np.float64)
    if "obs_shift" in t:
        x = np.clip((x - t["obs_shift"]) * t["obs_scale"], -t["obs_clip"], t["obs_clip"])
    if answers["kind"] == "sampler":
        x = np.concatenate([x, noise.astype(np.float64)], -1)
    with safe_open(path, "np") as file:
        spec = json.loads(file.metadata()["policy"])
    layers = spec.get("layers")
    if layers:
        x = run_list(t, layers, x)
    places = [] if layers else sorted({int(key.split(".")[1]) for key in t if key.startswith("net.")})
    for k, place in enumerate(places):
        weight, bias = t[f"net.{place}.weight"], t[f"net.{place}.bias"]
        normed = place + 1 in places
        if weight.ndim == 2:
            x = x @ weight.T + bias
        elif f"net.{place}.running_mean" in t:
            mean, var = t[f"net.{place}.running_mean"], t[f"net.{place}.running_var"]
            x = (x - mean) / np.sqrt(var + 1e-5) * weight + bias
        else:
            x = layer_norm(x, weight, bias)
        if weight.ndim == 1 or not normed:
            x = ACTIVATIONS[answers["activation"]](x)
    if answers["kind"] == "categorical":
        return np.argmax(x @ t["logits.weight"].T + t["logits.bias"], -1)
    if answers["kind"] == "bernoulli":
        return x @ t["logits.weight"].T + t["logits.bias"] > 0
    if answers["kind"] == "multi_categorical":
        y, n = x @ t["logits.weight"].T + t["logits.bias"], t["choices"].astype(int)
        return np.stack([z.argmax(-1) for z in np.split(y, np.cumsum(n)[:-1], -1)], -1)
    if answers["kind"] == "greedy":
        return np.argmax(x @ t["output.weight"].T + t["output.bias"], -1)
    if answers["kind"] in ("sampler", "deterministic"):
        return scaled(t, np.tanh(x @ t["output.weight"].T + t["output.bias"]))
    mean = x @ t["mean.weight"].T + t["mean.bias"]
    if "log_std.weight" in t:
        assert t["log_std.weight"].shape == t["mean.weight"].shape
    if "clip_mean" in spec:
        mean = np.clip(mean, -spec["clip_mean"], spec["clip_mean"])
    return scaled(t, np.tanh(mean) if answers["kind"] == "squashed_gaussian" else mean)


def run_torch(path, obs, noise, answers):
    sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples" / "torch"))
    import torch

    import policy

    with torch.no_grad():
        module = policy.load(path)
        if answers["kind"] == "sampler":
            still = module(torch.from_numpy(obs)).numpy()
            assert np.abs(still - module(torch.from_numpy(obs), torch.zeros(*noise.shape)).numpy()).max() == 0
            return module(torch.from_numpy(obs), torch.from_numpy(noise)).numpy()
        return module(torch.from_numpy(obs)).numpy()


def main():
    check, path, answers_path = sys.argv[1:]
    tensors = load_file(answers_path)
    with safe_open(answers_path, "np") as file:
        answers = file.metadata()
    got = {"onnx": run_onnx, "numpy": run_numpy, "torch": run_torch}[check](path, tensors["obs"],
                                                                           tensors["noise"], answers)
    if answers["kind"] in DISCRETE:
        sure = tensors["choice"] >= 0
        assert sure.sum() > sure.size // 2 and got.shape == sure.shape
        np.testing.assert_array_equal(got[sure], tensors["choice"][sure])
    else:
        size = np.maximum(1, np.abs(tensors["high"] - tensors["low"]))
        np.testing.assert_allclose(got / size, tensors["action"] / size, atol=1e-5, rtol=0)
        assert check == "numpy" or ((got >= tensors["low"]) & (got <= tensors["high"])).all()
    print("max difference", 0 if answers["kind"] in DISCRETE else np.abs(got - tensors["action"]).max())


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()

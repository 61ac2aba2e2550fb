"""A policy trained by Celsius as a PyTorch module.

    celsius export RUN --format safetensors --out policy.safetensors
    python3 policy.py policy.safetensors 0.1 0.2 0.3      # the action for an observation

From Python: `action = policy.load("policy.safetensors")(observation)`, (batch, O) -> (batch, A).
A sampler (soft Q-learning with continuous actions) turns noise into actions:
`policy(observation, torch.randn(batch, A))`.
"""
import json
import sys

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

ACTIVATIONS = {"identity": nn.Identity, "relu": nn.ReLU, "tanh": nn.Tanh, "silu": nn.SiLU,
               "gelu": nn.GELU, "leaky_relu": nn.LeakyReLU}


EPSILON = {"layer_norm": 1e-5, "batch_norm": 1e-5, "batch_renorm": 1e-3, "rms_norm": 1e-6}


class Add(nn.Module):
    """The sum with the output of an earlier layer, by its number."""

    def __init__(self, source):
        super().__init__()
        self.source = source


class Layers(nn.Sequential):
    """Layers in order, with residual sums."""

    def forward(self, x):
        outputs = []
        for layer in self:
            x = x + outputs[layer.source] if isinstance(layer, Add) else layer(x)
            outputs.append(x)
        return x


def listed(layers, state):
    """The modules of a list of layers, without the last one, which is the head."""
    for i, entry in enumerate(layers[:-1]):
        settings = {"kind": entry} if isinstance(entry, str) else entry
        kind, weight = settings["kind"], state.get(f"net.{i}.weight")
        if kind == "dense":
            yield nn.Linear(weight.shape[1], weight.shape[0])
        elif kind == "add":
            yield Add(settings["from"])
        elif kind in ACTIVATIONS:
            yield ACTIVATIONS[kind]()
        else:
            norm = {"layer_norm": nn.LayerNorm, "rms_norm": nn.RMSNorm}.get(kind, nn.BatchNorm1d)
            yield norm(len(weight), eps=settings.get("epsilon", EPSILON[kind]))


class Policy(nn.Module):
    """Returns the mode of the policy. A sampler returns its action for the given noise, default zeros.

    state: state dict of the file; spec: the policy entry of its metadata.
    """

    def __init__(self, state, spec):
        super().__init__()
        self.kind, self.clip_mean = spec["kind"], spec.get("clip_mean")
        layers, place = list(listed(spec.get("layers", []), state)), 0
        while "layers" not in spec and f"net.{place}.weight" in state:
            weight = state[f"net.{place}.weight"]
            layers.append(nn.Linear(weight.shape[1], weight.shape[0]))
            norm = state.get(f"net.{place + 1}.weight")
            if norm is not None and norm.ndim == 1:
                running = f"net.{place + 1}.running_mean" in state
                layers.append((nn.BatchNorm1d if running else nn.LayerNorm)(len(norm)))
            layers.append(ACTIVATIONS[spec["activation"]]())
            place = len(layers)
        self.net = Layers(*layers)
        for head in ("mean", "log_std", "logits", "output"):
            if f"{head}.weight" in state:
                weight = state[f"{head}.weight"]
                setattr(self, head, nn.Linear(weight.shape[1], weight.shape[0]))
        for name in ("choices", "obs_shift", "obs_scale", "obs_clip", "action_shift", "action_scale",
                     "action_low", "action_high"):
            if name in state:
                self.register_buffer(name, torch.empty_like(state[name]))
        self.load_state_dict(state)

    def scaled(self, a):
        """The action in the units of the environment, clipped to its bounds."""
        a = self.action_shift + self.action_scale * a
        return a.clamp(self.action_low, self.action_high) if hasattr(self, "action_low") else a

    def forward(self, obs, noise=None):
        if hasattr(self, "obs_shift"):
            obs = ((obs - self.obs_shift) * self.obs_scale).clamp(-self.obs_clip, self.obs_clip)
        if self.kind == "sampler":
            if noise is None:
                noise = obs.new_zeros(*obs.shape[:-1], len(self.action_scale))
            u = self.output(self.net(torch.cat([obs, noise], -1)))
            return self.scaled(torch.tanh(u))
        x = self.net(obs)
        if self.kind == "categorical":
            return self.logits(x).argmax(-1)
        if self.kind == "greedy":  # of values of the actions, as in DQN
            return self.output(x).argmax(-1)
        if self.kind == "deterministic":
            return self.scaled(torch.tanh(self.output(x)))
        if self.kind == "multi_categorical":
            return torch.stack([y.argmax(-1) for y in self.logits(x).split(self.choices.tolist(), -1)], -1)
        if self.kind == "bernoulli":
            return (self.logits(x) > 0).long()
        mean = self.mean(x)
        if self.clip_mean:
            mean = mean.clamp(-self.clip_mean, self.clip_mean)
        if self.kind == "squashed_gaussian":
            mean = torch.tanh(mean)
        return self.scaled(mean)


def load(path):
    with safe_open(path, "pt") as file:
        spec = json.loads(file.metadata()["policy"])
    return Policy(load_file(path), spec).eval()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: policy.py POLICY.safetensors NUMBER...   (the observation)")
    observation = torch.tensor([[float(x) for x in sys.argv[2:]]])
    with torch.no_grad():
        print(*load(sys.argv[1])(observation).flatten().tolist())

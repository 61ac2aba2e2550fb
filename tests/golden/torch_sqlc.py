"""What PyTorch makes of one update of soft Q-learning with continuous actions, in float64: the golden files of
tests/algo/test_sqlc.c.

    mkdir DUMP && CELSIUS_DUMP=DUMP build/release/tests/algo/test_sqlc
    python3 tests/golden/torch_sqlc.py DUMP tests/golden/sqlc

The score of a particle and the kernel's gradient come from autograd, not from the formulas of the library.
"""
import math

import numpy as np
import torch

from learner import export, gradients, parameters
from torch_sac import network

ALPHA, BANDWIDTH = {"median": 0.3}, {"wide": 2.0}
ROLES = ("actor", "critic", "target")


def score(p, act, obs, u, alpha):
    """The gradient in u of Q(s, tanh u) / alpha + sum log(1 - tanh(u)^2)."""
    u = u.detach().requires_grad_(True)
    a = torch.tanh(u)
    q = network(p, "critic", 0, act)(torch.cat([obs, a], -1))[0][..., 0]
    return torch.autograd.grad((q / alpha + torch.log(1 - a ** 2).sum(-1)).sum(), u)[0]


def direction(u, s, v, h):
    """phi (m,A) for the particles u (n,A) with scores s and the points v (m,A) of one state."""
    u, v = u.detach().requires_grad_(True), v.detach()
    rows = []
    for point in v:
        k = torch.exp(-((u - point) ** 2).sum(-1) / h)
        repel = torch.autograd.grad(k.sum(), u)[0]
        rows.append((k[:, None].detach() * s + repel).mean(0))
    return torch.stack(rows)


def median_bandwidth(u):
    i, j = np.triu_indices(len(u), 1)
    d = ((u[i] - u[j]) ** 2).sum(-1).detach().numpy()
    return float(np.median(d)) / math.log(len(u) + 1)


def compute(case, d):
    act = torch.tanh if case == "wide" else torch.relu
    alpha = ALPHA.get(case, 0.1)
    p = parameters(d, ROLES)
    next_obs, A = d["batch.next_obs"], d["batch.uniform"].shape[1]
    B, O = next_obs.shape
    obs = d["batch.sa"][:, :O]
    with torch.no_grad():
        actions = d["batch.uniform"].reshape(B, -1, A)
        repeated = next_obs[:, None].expand(-1, actions.shape[1], -1)
        q = network(p, "target", 0, act)(torch.cat([repeated, actions], -1))[0][..., 0]
        value = alpha * torch.log(torch.mean(torch.exp(q / alpha) * 2.0 ** A, -1))
        y = d["batch.reward"] + d["batch.discount"] * value
    critic_loss = (0.5 * (network(p, "critic", 0, act)(d["batch.sa"])[0][:, 0] - y) ** 2).mean()

    def particles(name):
        xi = d[name].reshape(B, -1, A)
        return network(p, "actor", 0, act)(torch.cat([obs[:, None].expand(-1, xi.shape[1], -1), xi], -1))[0]

    u, v = particles("batch.xi_fixed"), particles("batch.xi_updated")
    s = score(p, act, obs[:, None].expand(-1, u.shape[1], -1), u, alpha)
    phi = torch.stack([direction(u[b], s[b], v[b], BANDWIDTH.get(case) or median_bandwidth(u[b])) for b in range(B)])
    surrogate = -(phi.detach() * v).sum() / (B * v.shape[1])
    out = {"out.batch.y": y, "out.batch.v_next": value, "train/critic_loss": critic_loss.reshape(1),
           "train/stein_norm": (phi ** 2).sum(-1).mean().reshape(1)}
    gradients(out, p, critic_loss, "critic")
    gradients(out, p, surrogate, "actor")
    return out


if __name__ == "__main__":
    export("tests/golden/torch_sqlc.py", compute,
           ("batch.sa", "batch.next_obs", "batch.reward", "batch.discount", "batch.uniform", "batch.xi_fixed", "batch.xi_updated"),
           ROLES)

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

ALPHA, BANDWIDTH = {"median": 0.3, "policy": 0.3}, {"wide": 2.0}
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


def proposal(p, act, d, next_obs):
    """Actions (B,K,A) of the soft values and the proposal's log-density at them, for the mixture of
    torch.distributions' Gaussians around the sampler's draws, in u, and the uniform density."""
    x = d["batch.uniform"]
    A = x.shape[-1]
    flat = torch.full(x.shape[:2], -A * math.log(2), dtype=torch.float64)
    if "batch.xi_draws" not in d:
        return x, flat
    xi, spread = d["batch.xi_draws"], d["batch.spread"]
    M, K = xi.shape[1], xi.shape[1] + x.shape[1]
    c = network(p, "actor", 0, act)(torch.cat([next_obs[:, None].expand(-1, M, -1), xi], -1))[0]
    sd = ((M * (A + 2) / 4) ** (-1 / (A + 4)) * c.std(1, unbiased=False, keepdim=True)).clamp(min=0.05)
    u = torch.cat([torch.atanh(x), c + sd * spread], 1)
    near = torch.distributions.Normal(c[:, None], sd[:, None]).log_prob(u[:, :, None]).sum(-1).logsumexp(-1)
    transform = torch.distributions.transforms.TanhTransform()
    a = torch.tanh(u)
    near = near - math.log(K) - transform.log_abs_det_jacobian(u, a).sum(-1)
    uniform = torch.full_like(near, math.log((K - M) / K) - A * math.log(2))
    return a, torch.logaddexp(near, uniform)


def compute(case, d):
    act = torch.tanh if case == "wide" else torch.relu
    alpha = ALPHA.get(case, 0.1)
    p = parameters(d, ROLES)
    next_obs, A = d["batch.next_obs"], d["batch.uniform"].shape[-1]
    B, O = next_obs.shape
    obs = d["batch.sa"][:, :O]
    with torch.no_grad():
        actions, log_q = proposal(p, act, d, next_obs)
        repeated = next_obs[:, None].expand(-1, actions.shape[1], -1)
        q = network(p, "target", 0, act)(torch.cat([repeated, actions], -1))[0][..., 0]
        value = alpha * torch.log(torch.mean(torch.exp(q / alpha) / torch.exp(log_q), -1))
        y = d["batch.reward"] + d["batch.discount"] * value
    critic_loss = (0.5 * (network(p, "critic", 0, act)(d["batch.sa"])[0][:, 0] - y) ** 2).mean()

    def particles(name):
        xi = d[name].reshape(B, -1, A)
        return network(p, "actor", 0, act)(torch.cat([obs[:, None].expand(-1, xi.shape[1], -1), xi], -1))[0]

    u, v = particles("batch.xi_fixed"), particles("batch.xi_updated")
    s = score(p, act, obs[:, None].expand(-1, u.shape[1], -1), u, alpha)
    phi = torch.stack([direction(u[b], s[b], v[b], BANDWIDTH.get(case) or median_bandwidth(u[b])) for b in range(B)])
    surrogate = -(phi.detach() * v).sum() / (B * v.shape[1])
    out = {"out.batch.y": y, "out.batch.log_q": log_q, "out.batch.v_next": value, "train/critic_loss": critic_loss.reshape(1),
           "train/stein_norm": (phi ** 2).sum(-1).mean().reshape(1)}
    gradients(out, p, critic_loss, "critic")
    gradients(out, p, surrogate, "actor")
    return out


if __name__ == "__main__":
    export("tests/golden/torch_sqlc.py", compute,
           ("batch.sa", "batch.next_obs", "batch.reward", "batch.discount", "batch.uniform", "batch.xi_draws", "batch.spread", "batch.xi_fixed", "batch.xi_updated"),
           ROLES)

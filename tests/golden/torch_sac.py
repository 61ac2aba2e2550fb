"""What PyTorch makes of one SAC update, in float64: the golden files of tests/algo/test_sac.c.

    mkdir DUMP && CELSIUS_DUMP=DUMP build/release/tests/algo/test_sac
    CELSIUS_DUMP=DUMP build/release/tests/algo/test_sac_networks  # test_sac_networks.c
    python3 tests/golden/torch_sac.py DUMP tests/golden/sac

The dump holds the parameters, the batch and the noise that the test feeds in; this program recomputes
everything else from the paper's formulas with autograd. Needs torch and safetensors.
"""
import json
import math
import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file

GAMMA, TARGET_ENTROPY = 0.9, -2.0
DROP = 2  # quantiles per critic that the target leaves out
ACTIVATION = {"fixed-alpha": torch.tanh, "three-steps": torch.tanh, "gsde": torch.tanh,
              "gaussian": torch.nn.functional.silu, "layer-norm": torch.nn.functional.silu,
              "quantiles-three-steps": torch.tanh, "batch-norm": torch.tanh, "no-target": torch.nn.functional.silu,
              "categorical-mean": torch.tanh}
AFTER = ("batch-renorm", "quantiles-batch-norm")  # the normalization stands behind the activation
NO_TARGET = ("batch-renorm", "batch-norm", "quantiles-batch-norm", "no-target")
SEED, NODES = 7, 84  # of the agents; CELI_NODES_MAX
RNG_DROPOUT, RNG_SUBSET = 13, 14
KINDS = {"norm": 1e-5, "batch_norm": 1e-5, "batch_renorm": 1e-3}  # epsilon of each normalization
MOMENTUM = {"batch_norm": 0.1, "batch_renorm": 0.01}


class Statistics(dict):
    """Running mean and variance by name, (E,n) each, from 0 and 1. `train` normalizes by the batch and moves them."""

    def batch(self, x, kind, name, member, E, train):
        eps, m = KINDS[kind], MOMENTUM[kind]
        running = self.setdefault(name, [[torch.zeros_like(x[0].detach()) for _ in range(E)],
                                         [torch.ones_like(x[0].detach()) for _ in range(E)]])
        mean, var = running[0][member], running[1][member]
        if not train:
            return (x - mean) / (var + eps).sqrt()
        b_mean, b_var = x.mean(0), x.var(0, unbiased=False)
        xh = (x - b_mean) / (b_var + eps).sqrt()
        if kind == "batch_renorm":  # Ioffe, 2017
            sd = (var + eps).sqrt()
            r, d = ((b_var + eps).sqrt() / sd).detach(), ((b_mean - mean) / sd).detach()
            xh = xh * r.clamp(1 / 3, 3) + d.clamp(-5, 5)
        moved = b_var if kind == "batch_renorm" else x.var(0)
        running[0][member] = ((1 - m) * mean + m * b_mean).detach()
        running[1][member] = ((1 - m) * var + m * moved).detach()
        return xh


def philox(purpose, index, block):
    """Four words of a block of the stream (SEED, purpose, index). Salmon et al., 2011."""
    c, k = [block & 0xffffffff, block >> 32, index, purpose], [SEED, 0]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & 0xffffffff, (p0 >> 32) ^ c[3] ^ k[1], p0 & 0xffffffff]
        k = [(k[0] + 0x9E3779B9) & 0xffffffff, (k[1] + 0xBB67AE85) & 0xffffffff]
    return c


def subset(E, n):
    """The critics of the first update's target."""
    order = list(range(E))
    for i in range(n):
        w = philox(RNG_SUBSET, 0, i)
        other = i + int(((w[1] << 32 | w[0]) >> 11) * 2.0 ** -53 * (E - i))
        order[i], order[other] = order[other], order[i]
    return order[:n]


def drop(x, member, use, node, rate=0.3):
    """Dropout with the library's noise: word n % 4 of block (e B + b) blocks + n / 4."""
    B, N = x.shape
    blocks = (N + 3) // 4
    words = [[philox(RNG_DROPOUT, use * NODES + node, (member * B + b) * blocks + n // 4)[n % 4] >> 8 for n in range(N)]
             for b in range(B)]
    return x * (torch.tensor(words).double() / 2 ** 24 >= rate) / (1 - rate)


def network(p, name, member, act, statistics=None, train=False, after=False, dropout=None, residual=False):
    """A function x -> (output, last hidden layer) of one member of an ensemble."""
    def norm(x, place):
        for kind, eps in KINDS.items():
            key = f"{name}.{place}.{kind}"
            if key + ".weight" in p:
                if kind == "norm":
                    x = torch.nn.functional.layer_norm(x, x.shape[-1:], eps=eps)
                else:
                    x = statistics.batch(x, kind, key, member, p[key + ".weight"].shape[0], train)
                x = x * p[key + ".weight"][member] + p[key + ".bias"][member]
        return x

    layers = sorted({int(k.split(".")[1]) for k in p if k.startswith(name + ".") and k.split(".")[1].isdigit()})

    def dense(x, l):
        return x @ p[f"{name}.{l}.weight"][member] + p[f"{name}.{l}.bias"][member]

    def blocks(x):  # SimBa
        x = dense(x, 0)
        for l in layers[1:-1:2]:
            x = x + dense(act(dense(norm(x, l - 1), l)), l + 1)
        hidden = norm(x, layers[-2])
        return dense(hidden, layers[-1]), hidden
    if residual:
        return blocks

    def run(x):
        hidden = x = norm(x, "input")
        for l in layers:
            x = dense(x, l)
            if l == layers[-1]:
                return x, hidden
            if dropout is not None:
                x = drop(x, member, dropout, 3 * l + 1)  # behind a dense layer; a norm follows
            x = hidden = norm(act(x), l) if after else act(norm(x, l))
    return run


def gaussian_logp(u, mean, var):
    return (-0.5 * (u - mean) ** 2 / var - 0.5 * torch.log(2 * math.pi * var)).sum(-1)


def squash_term(u):
    return (2 * (math.log(2) - u - torch.nn.functional.softplus(-2 * u))).sum(-1)


def policy(case, p, d, obs, act, use, statistics):
    """Reparametrised action and its log-prob for the noise of one use ("pi", "next", "mid")."""
    head, latent = network(p, "actor", 0, act, statistics, use == "pi", case in AFTER,
                           residual=case == "residual")(obs)
    A = d[f"batch.d_action"].shape[1]
    if case.startswith("gsde"):
        log_std = p["actor.log_std"]
        std = torch.exp(log_std)
        if case == "gsde-clipped":  # expln, and the mean within +-0.2
            std = torch.where(log_std > 0, 1 + torch.log1p(log_std.clamp(min=0) + 1e-6), std)
            head = torch.nn.functional.hardtanh(head, -.2, .2)
        noise = latent @ (std * d[f"gsde.{use}.E"])
        var = latent ** 2 @ std ** 2 + 1e-6
        u = head + noise
        logp = gaussian_logp(u, head, var)
    else:
        mean, log_std = head[:, :A], head[:, A:].clamp(-20, 2)
        u = mean + torch.exp(log_std) * d[f"dist.{use}.eps"]
        logp = gaussian_logp(u, mean, torch.exp(2 * log_std))
    if case == "gaussian":
        return u, logp
    return torch.tanh(u), logp - squash_term(u)


def quantile_huber(z, y):
    """(B,) mean of rho_tau over quantiles z (B,M) and targets y (B,K). Dabney et al., 2018."""
    M = z.shape[1]
    tau = (torch.arange(M, dtype=z.dtype) + 0.5) / M
    delta = y[:, None, :] - z[:, :, None]
    huber = torch.where(delta.abs() <= 1, 0.5 * delta ** 2, delta.abs() - 0.5)
    return ((tau[None, :, None] - (delta < 0).to(z.dtype)).abs() * huber).mean((1, 2))


def categorical_target(z_next, reward, discount, entropy, v_min, v_max, mean):
    """(B,M) projection of r + d (z - alpha log pi). Bellemare et al., 2017."""
    E, B, M = z_next.shape
    atoms = torch.linspace(v_min, v_max, M, dtype=torch.float64)
    p = z_next.softmax(-1)
    p = p.mean(0) if mean else p[(p @ atoms).argmin(0), torch.arange(B)]
    t = (reward[:, None] + discount[:, None] * (atoms - entropy[:, None])).clamp(v_min, v_max)
    near = (1 - (t[:, :, None] - atoms).abs() / (atoms[1] - atoms[0])).clamp(0)  # (B, values, atoms)
    return (p[:, :, None] * near).sum(1)


def compute(case, d):
    d = {k: v.double() if v.is_floating_point() else v for k, v in d.items()}
    act = ACTIVATION.get(case, torch.relu)
    p = {k: v.clone() for k, v in d.items() if k.split(".")[0] in ("actor", "critic", "target", "log_ent_coef")
         and not k.endswith((".mean", ".var", ".steps"))}
    for k in p:
        p[k].requires_grad_(not k.startswith("target"))
    E = p["critic.0.weight"].shape[0]
    B = d["batch.reward"].shape[0]
    joint = "batch.joint" in d
    sa, sa_next = d["batch.joint"].split(B) if joint else (d["batch.sa"], d["batch.sa_next"])
    O = sa.shape[1] - d["batch.d_action"].shape[1]
    obs, action, next_obs = sa[:, :O], sa[:, O:], sa_next[:, :O]
    statistics = Statistics()
    quantiles, categorical = case.startswith("quantiles"), case.startswith("categorical")
    v_min, v_max = (-1, 5) if case == "categorical-mean" else (-2, 2.5)
    averages = case in ("mean-of-three", "batch-norm", "subset", "categorical-mean")
    target_entropy = -1 if case == "categorical" else TARGET_ENTROPY
    alpha = torch.exp(p["log_ent_coef"]).detach() if case != "fixed-alpha" else torch.tensor([0.2]).double()

    def critics(name, x, train=False, use=0):
        use = use if case == "dropout" else None
        z = torch.stack([network(p, name, e, act, statistics, train, case in AFTER, use, case == "residual")(x)[0]
                         for e in range(E)])
        return z if quantiles or categorical else z[:, :, 0]

    def reduce(q):
        if quantiles:
            return q.mean((0, 2))
        if categorical:
            q = q.softmax(-1) @ torch.linspace(v_min, v_max, q.shape[2], dtype=torch.float64)
        return q.mean(0) if averages else q.min(0).values

    with torch.no_grad():
        a_next, logp_next = policy(case, p, d, next_obs, act, "next", statistics)
        next_input = torch.cat([next_obs, a_next], 1)
        if not joint:
            z_next = critics("critic" if case in NO_TARGET else "target", next_input, use=1)
    if joint:
        z, z_next = critics("critic", torch.cat([torch.cat([obs, action], 1), next_input]), True).split(B, 1)
    with torch.no_grad():
        if quantiles:  # the smallest of all, sorted; TQC's truncation
            pool = z_next.transpose(0, 1).reshape(B, -1).sort(1).values[:, :E * (z_next.shape[2] - DROP)]
            soft = pool - (alpha * logp_next)[:, None]
        else:
            low = z_next[0, :, 0] if categorical else z_next[subset(4, 2)].min(0).values if case == "subset" else reduce(z_next)
            soft = (low - alpha * logp_next)[:, None]
        y = d["batch.reward"][:, None] + d["batch.discount"][:, None] * soft
        if "batch.mid_obs" in d:
            _, logp_mid = policy(case, p, d, d["batch.mid_obs"], act, "mid", statistics)
            y = y - (alpha * (d["batch.mid_weight"] * logp_mid.reshape(-1, B)).sum(0))[:, None]
        if categorical:
            between = (d["batch.mid_weight"] * logp_mid.reshape(-1, B)).sum(0) if "batch.mid_obs" in d else 0
            y = categorical_target(z_next, d["batch.reward"] - alpha * between, d["batch.discount"],
                                   alpha * logp_next, v_min, v_max, averages)
    if not joint:
        z = critics("critic", torch.cat([obs, action], 1))
    if quantiles:
        critic_loss = sum(quantile_huber(z[e], y).mean() for e in range(E))
    elif categorical:
        critic_loss = -(y * z.log_softmax(-1)).sum(-1).mean(1).sum()
    else:
        y = y[:, 0]
        critic_loss = 0.5 * ((z - y) ** 2).mean(1).sum()
    a_pi, logp = policy(case, p, d, obs, act, "pi", statistics)
    frozen = {k: v for k, v in p.items() if k.startswith("critic")}
    actor_loss = (alpha * logp - reduce(critics("critic", torch.cat([obs, a_pi], 1), use=2))).mean()
    learned = case != "fixed-alpha"
    alpha_loss = -(p["log_ent_coef"] * (logp.detach() + target_entropy)).mean()

    # Truncated targets have no order; the gradients show them.
    out = {} if quantiles else {"out.batch.y": y}
    for k, (mean, var) in statistics.items():
        out |= {f"out.{k}.mean": torch.stack(mean), f"out.{k}.var": torch.stack(var)}
    out |= {("out.gsde.pi.logp" if case.startswith("gsde") else "out.dist.pi.logp"): logp.detach()}
    names = list(frozen)
    for k, g in zip(names, torch.autograd.grad(critic_loss, [p[k] for k in names])):
        out["out.grad." + k] = g if g.norm() > 1e-12 else 0 * g  # a bias before batch norm
    names = [k for k in p if k.startswith("actor")]
    for k, g in zip(names, torch.autograd.grad(actor_loss, [p[k] for k in names])):
        out["out.grad." + k] = g if g.norm() > 1e-12 else 0 * g
    out["train/critic_loss"] = critic_loss.detach().reshape(1)
    out["train/actor_loss"] = actor_loss.detach().reshape(1)
    if learned:
        out["train/ent_coef_loss"] = alpha_loss.detach().reshape(1)
        out["out.grad.log_ent_coef"] = torch.autograd.grad(alpha_loss, p["log_ent_coef"])[0]
    return {k: v.contiguous() for k, v in out.items()}


def main():
    dump, folder = map(pathlib.Path, sys.argv[1:3])
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(dump.glob("*.safetensors")):
        d = {k: v for k, v in load_file(path).items() if not k.endswith(".transposed")}  # follow from the weights
        out = compute(path.stem, d)
        inputs = ["batch.reward", "batch.discount"]
        inputs += [k for k in d if k.startswith(("actor.", "critic.", "target.")) or k == "log_ent_coef" or k.endswith((".eps", ".E"))]
        inputs += [k for k in d if k in ("batch.sa", "batch.joint", "batch.mid_obs", "batch.mid_weight")]
        inputs = [k for k in inputs if not k.endswith((".mean", ".var", ".steps"))]  # of batch norm: after the update
        for k in inputs:
            out["in." + k] = d[k]
        save_file(out, folder / path.name, metadata={"made_by": "tests/golden/torch_sac.py", "torch": torch.__version__})
        print(path.stem, json.dumps({k: float(v) for k, v in out.items() if k.startswith("train/")}))


if __name__ == "__main__":
    main()

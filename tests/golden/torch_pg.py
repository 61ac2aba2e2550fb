"""What PyTorch makes of one update of each learner from rollouts, in float64: the golden files of tests/algo/.

    mkdir DUMP && CELSIUS_DUMP=DUMP build/release/tests/algo/test_ppo      (and test_a2c, ...)
    python3 tests/golden/torch_pg.py DUMP tests/golden/pg

The dump holds the parameters and the rollout that the test feeds in; this program recomputes everything else (scaled
rewards, values, advantages, losses, gradients) from the papers' formulas with autograd. Needs torch and safetensors.
"""
import json
import math
import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file

ACTIVATION = {"state-std": torch.nn.functional.silu, "choices": torch.relu}
INPUTS = ["rollout.obs", "rollout.actions", "rollout.head", "rollout.reward", "rollout.terminated",
          "rollout.truncated", "rollout.final_obs"]
CONFIG = {
    "ppo.box": dict(ent=.01), "ppo.state-std": dict(ent=.02), "ppo.choice": dict(ent=.03),
    "ppo.choices": dict(ent=.03), "ppo.bits": dict(ent=.03),
    "ppo.clipped-values": dict(clip=.05, clip_vf=.3, steps=3, rate=.05), "ppo.minibatches": dict(batch=7),
    "ppo.raw-advantages": dict(normalize=False, lam=1), "ppo.normalized": dict(scaled=True),
    "ppo.sde-squashed": dict(ent=.05), "a2c.sde-squashed": dict(ent=.05, lam=1),
    "ppo.sde": dict(ent=.05), "a2c.sde": dict(ent=.05, lam=1), "ac.sde": dict(ent=.02),
    "a2c.box": dict(ent=.01, lam=1), "a2c.choice": dict(ent=.02, lam=.8), "a2c.choices": dict(lam=1),
    "a2c.bits": dict(lam=1, normalize=True), "a2c.rmsprop": dict(lam=1, rate=.01, rms=True),
    "a2c.adam": dict(lam=1, rate=.01),
    "ac.state-std": dict(ent=.01), "ac.box": dict(sum=True), "ac.choice": dict(weighted=True),
    "ac.sgd": dict(sum=True, sgd=.1),
    "reinforce.value": dict(ent=.01), "reinforce.mean": dict(base="mean"),
    "reinforce.exact": dict(base="none", weighted=True), "reinforce.normalized": dict(base="none"),
    "reinforce.whole": dict(base="none", whole=True), "reinforce.whole-value": dict(whole=True),
}


def network(p, name, act, hidden=False):
    """The network's output; `hidden`: of its last hidden layer."""
    layers = sorted({int(k.split(".")[1]) for k in p if k.startswith(name + ".") and k.split(".")[1].isdigit()})

    def run(x):
        for l in layers:
            if hidden and l == layers[-1]:
                return x
            x = x @ p[f"{name}.{l}.weight"][0] + p[f"{name}.{l}.bias"][0]
            if l == layers[-1]:
                return x
            if f"{name}.{l}.norm.weight" in p:
                x = torch.nn.functional.layer_norm(x, x.shape[-1:], eps=1e-5)
                x = x * p[f"{name}.{l}.norm.weight"][0] + p[f"{name}.{l}.norm.bias"][0]
            x = act(x)
    return run


def distribution(case, head, log_std):
    """log-prob(action), entropy and actions' type of the policy with this output."""
    D = torch.distributions
    if case.startswith("sde"):  # sigma is in the head already
        head, log_std = head.chunk(2, -1)
    if case == "sde-squashed":  # Stable-Baselines3 estimates the entropy by -log pi
        d = D.TransformedDistribution(D.Normal(head, torch.exp(log_std)), [D.TanhTransform()])
        return lambda a: d.log_prob(a.double()).sum(-1), None, torch.float32
    if case in ("choices",):
        parts = [D.Categorical(logits=h) for h in head.split([2, 3], -1)]
        return (lambda a: sum(d.log_prob(a[..., k]) for k, d in enumerate(parts)),
                lambda: sum(d.entropy() for d in parts), torch.int32)
    if case == "bits":
        d = D.Bernoulli(logits=head)
        return lambda a: d.log_prob(a.double()).sum(-1), lambda: d.entropy().sum(-1), torch.uint8
    if log_std is None and head.shape[-1] == 4 and case != "state-std":
        d = D.Categorical(logits=head)
        return lambda a: d.log_prob(a[..., 0]), d.entropy, torch.int32
    if log_std is None:
        head, log_std = head[..., :2], head[..., 2:].clamp(-20, 2)
    d = D.Normal(head, torch.exp(log_std))
    return lambda a: d.log_prob(a.double()).sum(-1), lambda: d.entropy().sum(-1), torch.float32


def sde_head(p, act, expln=False):
    """Mean and log sigma of generalised state-dependent exploration, as Stable-Baselines3 has them: the latent is detached."""
    mean, latent = network(p, "actor", act), network(p, "actor", act, hidden=True)
    log_std = p["actor.log_std"]

    def run(x):
        std = torch.exp(log_std)
        if expln:
            std = torch.where(log_std > 0, 1 + torch.log1p(log_std.clamp(min=0) + 1e-6), std)
        variance = latent(x).detach() ** 2 @ std ** 2 + 1e-6
        return torch.cat([mean(x), .5 * torch.log(variance)], -1)
    return run


def scale_rewards(reward, over, gamma):
    """Stable-Baselines3's VecNormalize, all statistics first."""
    count, mean, m2, ret = 1e-4, 0.0, 1e-4, torch.zeros(reward.shape[1], dtype=torch.float64)
    for t in range(reward.shape[0]):
        ret = ret * gamma + reward[t]
        for x in ret.tolist():
            count += 1
            d = x - mean
            mean += d / count
            m2 += d * (x - mean)
        ret = ret * (1 - over[t].double())
    return (reward / math.sqrt(m2 / count + 1e-8)).clamp(-10, 10)


def advantages(value, final_value, reward, terminated, truncated, gamma, lam):
    A = torch.zeros_like(reward)
    for t in reversed(range(reward.shape[0])):
        following = torch.where(terminated[t], torch.zeros_like(reward[t]),
                                torch.where(truncated[t], final_value[t], value[t + 1]))
        A[t] = reward[t] + gamma * following - value[t]
        if t + 1 < reward.shape[0]:
            A[t] += gamma * lam * A[t + 1] * (~(terminated[t] | truncated[t])).double()
    return A


def discounts(over, gamma):
    """gamma^t, t the step within its episode; episodes begin with the rollout."""
    weight = torch.ones(over.shape, dtype=torch.float64)
    for t in range(1, len(over)):
        weight[t] = torch.where(over[t - 1], torch.ones_like(weight[t]), weight[t - 1] * gamma)
    return weight


def reinforce(case, d, c, gamma, act):
    """Returns summed step by step, forward in time; what is unknown is left out."""
    p = {k: v.clone().requires_grad_() for k, v in d.items() if k.split(".")[0] in ("actor", "critic")}
    base = c.get("base", "value")
    over, T = d["rollout.terminated"].bool() | d["rollout.truncated"].bool(), len(d["rollout.reward"])
    G, V = torch.zeros_like(d["rollout.reward"]), torch.zeros_like(d["rollout.reward"])
    known = torch.zeros_like(over)
    if base == "value":
        critic = network(p, "critic", act)
        with torch.no_grad():
            value, final = critic(d["rollout.obs"])[..., 0], critic(d["rollout.final_obs"])[..., 0]
        V = value[:-1]
    for t in range(T):
        for i in range(G.shape[1]):
            for k in range(t, T):
                G[t, i] += gamma ** (k - t) * d["rollout.reward"][k, i]
                if over[k, i] or k == T - 1:
                    known[t, i] = bool(over[k, i]) or base == "value"
                    if base == "value" and not d["rollout.terminated"][k, i]:
                        rest = final[k, i] if d["rollout.truncated"][k, i] else value[k + 1, i]
                        G[t, i] += gamma ** (k + 1 - t) * rest
                    break
    A = G - V
    if c.get("whole"):  # each step has what its episode's first has; all of them begin in this rollout
        for t in range(1, T):
            A[t] = torch.where(over[t - 1], A[t], A[t - 1])
    if base == "mean" or case in ("value", "normalized"):
        A = A - A[known].mean()
    if case in ("value", "normalized"):
        A = A / (A[known].std() + 1e-8)
    kinds = {"value": "box", "normalized": "choices", "whole-value": "box"}
    logp, entropy, kind = distribution(kinds.get(case, "choice"), network(p, "actor", act)(d["rollout.obs"][:-1]),
                                       p.get("actor.log_std"))
    actions = d["rollout.actions"].contiguous().view(kind)
    logp = logp(actions.long() if kind == torch.int32 else actions)
    w = discounts(over, gamma) if c["weighted"] else torch.ones_like(G)
    n = over.sum() if case in ("exact", "whole") else known.sum()
    loss = -(logp * A * w)[known].sum() / n - c["ent"] * entropy()[known].sum() / n
    if base == "value":
        loss = loss + ((G - critic(d["rollout.obs"][:-1])[..., 0]) ** 2).mean()
        # each has a learning rate of its own, so the sum's gradients are theirs
    loss.backward()
    out = {"out.grad." + k: v.grad.clone() for k, v in p.items()}
    if base == "value":
        out["out.rollout.returns"] = G
    for name, x in (("rollout.advantage", A),):
        if bool(known.all()):
            out["out." + name] = x
    return {k: v.detach().contiguous() for k, v in out.items()}


def compute(algo, case, d):
    c = dict(ent=0., clip=.2, clip_vf=0., lam=.8, normalize=algo == "ppo", scaled=False, batch=None, steps=1, rate=0., rms=False, sum=False, weighted=False, sgd=0.)
    if algo == "ac":
        c["lam"] = 0
    c.update(CONFIG[f"{algo}.{case}"])
    gamma, act = .9, torch.relu if f"{algo}.{case}" == "reinforce.normalized" else ACTIVATION.get(case, torch.tanh)
    if algo == "reinforce":
        return reinforce(case, d, c, gamma, act)
    p = {k: v.clone().requires_grad_() for k, v in d.items() if k.split(".")[0] in ("actor", "critic")}
    actor, critic = network(p, "actor", act), network(p, "critic", act)
    if case.startswith("sde"):
        actor = sde_head(p, act, expln=f"{algo}.{case}" == "ppo.sde-squashed")
    log_std = p.get("actor.log_std")
    obs, over = d["rollout.obs"], d["rollout.terminated"].bool() | d["rollout.truncated"].bool()
    reward = scale_rewards(d["rollout.reward"], over, gamma) if c["scaled"] else d["rollout.reward"]
    with torch.no_grad():
        value, final_value = critic(obs)[..., 0], critic(d["rollout.final_obs"])[..., 0]
        A = advantages(value, final_value, reward, d["rollout.terminated"].bool(), d["rollout.truncated"].bool(),
                       gamma, c["lam"])
        returns = A + value[:-1]
        old_logp, _, kind = distribution(case, d["rollout.head"], log_std)
        actions = d["rollout.actions"].contiguous().view(kind)
        if kind == torch.int32:
            actions = actions.long()
        old_logp = old_logp(actions)
    out = {"out.rollout.advantage": A.clone(), "out.rollout.returns": returns.clone(),
           "out.rollout.value": value.clone()}

    rows = torch.arange(A.numel())
    if c["batch"]:
        order = d["batch.order"]
        rows = order[len(order) // c["batch"] * c["batch"]:]
    flat = [x.reshape(-1, *x.shape[2:])[rows] for x in (obs[:-1], actions, A, returns, value[:-1], old_logp)]
    x, u, A, R, V, old = flat
    if c["normalize"]:
        A = (A - A.mean()) / (A.std() + 1e-8)
        if algo == "a2c":
            out["out.rollout.advantage"] = A.reshape(reward.shape).clone()
    optimiser = torch.optim.Adam(p.values(), c["rate"], eps=1e-5)
    if c["rms"]:
        optimiser = torch.optim.RMSprop(p.values(), c["rate"], alpha=.99, eps=1e-5)
    value_losses = []
    for step in range(c["steps"]):
        if step > 0:
            torch.nn.utils.clip_grad_norm_(p.values(), .5)
            optimiser.step()
        optimiser.zero_grad()
        logp, entropy, _ = distribution(case, actor(x), log_std)
        logp = logp(u)
        entropy = entropy().mean() if entropy else -logp.mean()
        V_now = critic(x)[:, 0]
        if algo == "ppo":
            ratio = torch.exp(logp - old)
            policy = -torch.min(ratio * A, ratio.clamp(1 - c["clip"], 1 + c["clip"]) * A).mean()
            if c["clip_vf"]:
                V_now = V + (V_now - V).clamp(-c["clip_vf"], c["clip_vf"])
        elif algo == "ac":
            w = discounts(over, gamma).reshape(-1) if c["weighted"] else torch.ones_like(A)
            put = torch.sum if c["sum"] else torch.mean
            policy, half = -put(logp * A * w), put(.5 * (R - V_now) ** 2)
            loss = policy - c["ent"] * entropy + half
            loss.backward()
            break
        else:
            policy = -(logp * A).mean()
        squares = ((R - V_now) ** 2).mean()
        value_losses.append(squares.detach())
        loss = policy - c["ent"] * entropy + .5 * squares
        loss.backward()
    for k, v in p.items():
        out["out.grad." + k] = v.grad.clone()
        if c["sgd"]:  # with the values' learning rate 0
            out["out." + k] = v - c["sgd"] * v.grad * k.startswith("actor")
    if algo == "ac":
        n = len(A) if c["sum"] else 1
        out["train/actor_loss"], out["train/critic_loss"] = policy / n, half / n
        out["train/entropy_loss"] = -entropy
        return {k: v.detach().reshape(-1) if v.dim() == 0 else v.detach().contiguous() for k, v in out.items()}
    if c["rate"]:
        torch.nn.utils.clip_grad_norm_(p.values(), .5)
        optimiser.step()
        for k, v in p.items():
            out["out." + k] = v
        if algo == "ppo":
            out["train/value_loss"] = torch.stack(value_losses).mean().reshape(1)
        return {k: v.detach().contiguous() for k, v in out.items()}
    if not c["batch"]:
        out["train/" + ("policy_gradient_loss" if algo == "ppo" else "policy_loss")] = policy
        out["train/value_loss"] = squares
        out["train/entropy_loss"] = -entropy
        if algo == "ppo":
            out["train/loss"] = loss
            out["train/approx_kl"] = (ratio - 1 - torch.log(ratio)).mean()
            out["train/clip_fraction"] = ((ratio - 1).abs() > c["clip"]).double().mean()
        out["train/explained_variance"] = 1 - (R - V).var() / R.var()
    return {k: v.detach().reshape(-1) if v.dim() == 0 else v.detach().contiguous() for k, v in out.items()}


def main():
    dump, folder = map(pathlib.Path, sys.argv[1:3])
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(dump.glob("*.safetensors")):
        raw = load_file(path)
        raw.update((k, v) for k, v in load_file(path.with_suffix(".before")).items() if k.split(".")[0] in ("actor", "critic"))
        raw = {k: v for k, v in raw.items() if not k.endswith(".transposed")}  # follow from the weights
        d = {k: v.double() if v.is_floating_point() else v for k, v in raw.items()}
        algo, case = path.stem.split(".")
        out = compute(algo, case, d)
        for k in raw:
            if k in INPUTS or (k.split(".")[0] in ("actor", "critic") and "out." + k not in out):
                out["in." + k] = raw[k]
        if case == "minibatches":
            out["in.batch.order"] = raw["batch.order"]
        save_file(out, folder / path.name, metadata={"made_by": "torch_pg.py", "torch": torch.__version__})
        print(path.stem, json.dumps({k: float(v) for k, v in out.items() if k.startswith("train/")}))


if __name__ == "__main__":
    main()

"""What PyTorch makes of one update of discrete SAC, in float64: the golden files of tests/algo/test_dsac.c.

    mkdir DUMP && CELSIUS_DUMP=DUMP build/release/tests/algo/test_dsac
    python3 tests/golden/torch_dsac.py DUMP tests/golden/dsac

Everything is computed from the losses with autograd; the gradient at the logits is not used. Needs torch, safetensors.
"""
import math

import torch

from learner import export, gradients, parameters
from torch_sac import network

GAMMA, ACTIONS, ROLES = 0.9, 4, ("actor", "critic", "target", "log_ent_coef")
ACTIVATION = {"fixed-alpha": torch.tanh, "three-steps": torch.tanh, "decoupled": torch.nn.functional.silu}


def compute(case, d):
    act = ACTIVATION.get(case, torch.relu)
    p = parameters(d, ROLES)
    fixed = case in ("fixed-alpha", "decoupled")
    alpha = torch.tensor([0.2]).double() if fixed else torch.exp(p["log_ent_coef"]).detach()
    alpha_q = 0 * alpha if case == "decoupled" else alpha

    def policy(obs):
        return torch.distributions.Categorical(logits=network(p, "actor", 0, act)(obs)[0])

    def critics(name, obs):
        return torch.stack([network(p, name, e, act)(obs)[0] for e in range(p["critic.0.weight"].shape[0])])

    def reduce(q):
        return q.mean(0) if case == "mean-of-three" else q.amin(0)

    obs, chosen = d["batch.obs"], d["batch.action"].long()
    with torch.no_grad():
        pi = policy(d["batch.next_obs"])
        value = (pi.probs * reduce(critics("target", d["batch.next_obs"]))).sum(-1) + alpha_q * pi.entropy()
        y = d["batch.reward"] + d["batch.discount"] * value
        if case == "three-steps":
            between = policy(d["batch.mid_obs"]).entropy().reshape(-1, len(y))
            y = y + alpha_q * (d["batch.mid_weight"] * between).sum(0)
    taken = critics("critic", obs).gather(2, chosen.expand(p["critic.0.weight"].shape[0], -1)[..., None])[..., 0]
    critic_loss = (0.5 * (taken - y) ** 2).mean(1).sum()
    pi = policy(obs)
    actor_loss = (-(pi.probs * reduce(critics("critic", obs)).detach()).sum(-1) - alpha * pi.entropy()).mean()

    out = {"out.batch.y": y, "train/critic_loss": critic_loss.reshape(1), "train/actor_loss": actor_loss.reshape(1),
           "train/entropy": pi.entropy().mean().reshape(1)}
    gradients(out, p, critic_loss, "critic")
    gradients(out, p, actor_loss, "actor")
    if not fixed:
        alpha_loss = (p["log_ent_coef"] * (pi.entropy().detach() - 0.5 * math.log(ACTIONS))).mean()
        out["train/ent_coef_loss"] = alpha_loss.reshape(1)
        gradients(out, p, alpha_loss, "log_ent_coef")
    return out


if __name__ == "__main__":
    export("tests/golden/torch_dsac.py", compute,
           ("batch.obs", "batch.next_obs", "batch.action", "batch.reward", "batch.discount", "batch.mid_obs", "batch.mid_weight"),
           ROLES)

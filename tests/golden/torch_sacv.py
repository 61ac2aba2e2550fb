"""What PyTorch makes of one update of SAC with a value network, in float64: the golden files of tests/algo/test_sacv.c.

    mkdir DUMP && CELSIUS_DUMP=DUMP build/release/tests/algo/test_sacv
    python3 tests/golden/torch_sacv.py DUMP tests/golden/sacv
"""
import torch

from learner import export, gradients, parameters
from torch_sac import network, policy

ACTIONS, ROLES = 2, ("actor", "critic", "value", "target", "log_ent_coef")


def compute(case, d):
    act = torch.nn.functional.silu if case == "gaussian" else torch.relu
    p = parameters(d, ROLES)
    fixed = case == "gaussian"
    alpha = torch.tensor([0.2]).double() if fixed else torch.exp(p["log_ent_coef"]).detach()
    O, E = p["actor.0.weight"].shape[1], p["critic.0.weight"].shape[0]
    obs, sa = d["batch.sa"][:, :O], d["batch.sa"]

    def critics(x):
        return torch.stack([network(p, "critic", e, act)(x)[0][:, 0] for e in range(E)])

    def reduce(q):
        return q.mean(0) if case == "mean-of-three" else q.amin(0)

    action, logp = policy(case, p, d, obs, act, "pi")
    q_pi = reduce(critics(torch.cat([obs, action], 1)))
    v_target = (q_pi - alpha * logp).detach()
    value_loss = (0.5 * (network(p, "value", 0, act)(obs)[0][:, 0] - v_target) ** 2).mean()
    with torch.no_grad():
        y = d["batch.reward"] + d["batch.discount"] * network(p, "target", 0, act)(d["batch.next_obs"])[0][:, 0]
    critic_loss = (0.5 * (critics(sa) - y) ** 2).mean(1).sum()
    actor_loss = (alpha * logp - q_pi).mean()
    out = {"out.batch.y": y, "out.batch.v_target": v_target, "out.dist.pi.logp": logp,
           "train/value_loss": value_loss.reshape(1), "train/critic_loss": critic_loss.reshape(1),
           "train/actor_loss": actor_loss.reshape(1)}
    gradients(out, p, value_loss, "value")
    gradients(out, p, critic_loss, "critic")
    gradients(out, p, actor_loss, "actor")
    if not fixed:
        alpha_loss = -(p["log_ent_coef"] * (logp.detach() - ACTIONS)).mean()
        out["train/ent_coef_loss"] = alpha_loss.reshape(1)
        gradients(out, p, alpha_loss, "log_ent_coef")
    return out


if __name__ == "__main__":
    export("tests/golden/torch_sacv.py", compute,
           ("batch.sa", "batch.next_obs", "batch.reward", "batch.discount"), ROLES)

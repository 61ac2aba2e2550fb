"""What PyTorch makes of one update of TD3 and DDPG, in float64: the golden files of tests/algo/test_td3.c.

    mkdir DUMP && CELSIUS_DUMP=DUMP build/release/tests/algo/test_td3
    python3 tests/golden/torch_td3.py DUMP tests/golden/td3

The losses are those of Stable-Baselines3: mse_loss summed over the critics, and -Q_1 of the policy's action. Everything
is computed from them with autograd. Needs torch, safetensors.
"""
import torch

from learner import export, gradients, parameters
from torch_sac import network

ROLES = ("actor", "critic", "target", "actor_target")
ACTIVATION = {"ddpg": torch.tanh, "three-steps": torch.nn.functional.silu}
SMOOTHING = {"ddpg": (0, 0.5), "clipped": (1.5, 0.9)}  # target_policy_noise, target_noise_clip


def compute(case, d):
    act = ACTIVATION.get(case, torch.relu)
    p = parameters(d, ROLES, frozen=("target", "actor_target"))
    O = p["actor.0.weight"].shape[1]
    E = p["critic.0.weight"].shape[0]
    sigma, most = SMOOTHING.get(case, (0.2, 0.5))
    obs, next_obs = d["batch.sa"][:, :O], d["batch.sa_next"][:, :O]

    def policy(name, x):
        return torch.tanh(network(p, name, 0, act)(x)[0])

    def critics(name, x, a):
        return torch.stack([network(p, name, e, act)(torch.cat([x, a], 1))[0][:, 0] for e in range(E)])

    with torch.no_grad():
        noise = (sigma * d["batch.eps"]).clamp(-most, most)
        q = critics("target", next_obs, (policy("actor_target", next_obs) + noise).clamp(-1, 1))
        q = q.mean(0) if case == "mean-of-three" else q.amin(0)
        y = d["batch.reward"] + d["batch.discount"] * q
    critic_loss = sum(torch.nn.functional.mse_loss(q, y) for q in critics("critic", obs, d["batch.sa"][:, O:]))
    out = {"out.batch.y": y, "train/critic_loss": critic_loss.reshape(1)}
    gradients(out, p, critic_loss, "critic")
    if case != "delayed":
        actor_loss = -critics("critic", obs, policy("actor", obs))[0].mean()
        out["train/actor_loss"] = actor_loss.reshape(1)
        gradients(out, p, actor_loss, "actor")
    return out


if __name__ == "__main__":
    export("tests/golden/torch_td3.py", compute, ("batch.sa", "batch.reward", "batch.discount"), ROLES)

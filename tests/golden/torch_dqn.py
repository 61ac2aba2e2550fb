"""What PyTorch makes of one update of DQN, in float64: the golden files of tests/algo/test_dqn.c.

    mkdir DUMP && CELSIUS_DUMP=DUMP build/release/tests/algo/test_dqn
    python3 tests/golden/torch_dqn.py DUMP tests/golden/dqn

The loss is that of Stable-Baselines3, smooth_l1_loss, or half of mse_loss in the case "squared". Needs torch and
safetensors.
"""
import torch

from learner import export, gradients, parameters
from torch_sac import network

ROLES = ("actor", "target")
ACTIVATION = {"double": torch.tanh, "squared": torch.nn.functional.silu}


def compute(case, d):
    act = ACTIVATION.get(case, torch.relu)
    p = parameters(d, ROLES)

    def values(name, obs):
        y = network(p, name, 0, act)(obs)[0]
        if "dueling" not in case:
            return y
        advantage = y[:, :-1]
        return y[:, -1:] + advantage - advantage.mean(1, keepdim=True)

    with torch.no_grad():
        next_q = values("target", d["batch.next_obs"])
        chosen = values("actor", d["batch.next_obs"]) if "double" in case else next_q
        y = d["batch.reward"] + d["batch.discount"] * next_q.gather(1, chosen.argmax(1, keepdim=True))[:, 0]
    q = values("actor", d["batch.obs"]).gather(1, d["batch.action"].long()[:, None])[:, 0]
    loss = 0.5 * ((q - y) ** 2).mean() if case == "squared" else torch.nn.functional.smooth_l1_loss(q, y)
    out = {"out.batch.y": y, "train/loss": loss.reshape(1)}
    gradients(out, p, loss, "actor")
    return out


if __name__ == "__main__":
    export("tests/golden/torch_dqn.py", compute,
           ("batch.obs", "batch.next_obs", "batch.action", "batch.reward", "batch.discount"), ROLES)

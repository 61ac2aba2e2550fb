"""What PyTorch makes of one update of soft Q-learning, in float64: the golden files of tests/algo/test_sql.c.

    mkdir DUMP && CELSIUS_DUMP=DUMP build/release/tests/algo/test_sql
    python3 tests/golden/torch_sql.py DUMP tests/golden/sql
"""
import torch

from learner import export, gradients, parameters
from torch_sac import network

ALPHA = {"relu": 0.3, "cold": 0.01, "hot": 10.0, "one-layer": 0.1}
ACTIVATION = {"cold": torch.tanh, "hot": torch.nn.functional.silu}
ROLES = ("actor", "target")


def compute(case, d):
    act, alpha = ACTIVATION.get(case, torch.relu), ALPHA[case]
    p = parameters(d, ROLES)
    with torch.no_grad():
        value = alpha * torch.logsumexp(network(p, "target", 0, act)(d["batch.next_obs"])[0] / alpha, -1)
        y = d["batch.reward"] + d["batch.discount"] * value
    q = network(p, "actor", 0, act)(d["batch.obs"])[0]
    loss = (0.5 * (q.gather(1, d["batch.action"].long()[:, None])[:, 0] - y) ** 2).mean()
    entropy = torch.distributions.Categorical(logits=q / alpha).entropy().mean()
    out = {"out.batch.y": y, "train/critic_loss": loss.reshape(1), "train/entropy": entropy.reshape(1)}
    gradients(out, p, loss, "actor")
    return out


if __name__ == "__main__":
    export("tests/golden/torch_sql.py", compute,
           ("batch.obs", "batch.next_obs", "batch.action", "batch.reward", "batch.discount"), ROLES)

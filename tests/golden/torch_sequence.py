"""What PyTorch makes of several consecutive updates of the learners from a replay buffer, in float64: the golden files
of tests/algo/test_sequence.c.

    mkdir DUMP && CELSIUS_DUMP=DUMP build/release/tests/algo/test_sequence
    python3 tests/golden/torch_sequence.py DUMP tests/golden/sequence

The dump holds the parameters at the start and, for each update, its batch and noise. Losses are those of torch_sac.py
and its siblings; this program adds what happens between updates: torch.optim.AdamW, torch's clip_grad_norm_, the
schedule of the learning rate, the target networks, and the temperature. Needs torch and safetensors.
"""
import pathlib
import re
import sys

import torch
from safetensors.torch import load_file, save_file

import torch_dqn
import torch_dsac
import torch_sac
import torch_sacv
import torch_sql
import torch_sqlc
import torch_td3

UPDATES, TOTAL = 5, 180  # TOTAL: LEARNER_N * (LEARNER_STEPS + 2 * UPDATES * BETWEEN) of the test
FEED = re.compile(r"batch\.(sa|obs|next_obs|sa_next|action|reward|discount|uniform|xi_\w+|spread)$|.*\.eps$|steps$")
# The losses' module and its case, the networks in the order of their steps, and what the target networks follow.
LEARNERS = {"sac": (torch_sac, "squashed", ("critic", "target", "actor"), {"target": "critic"}),
            "sacv": (torch_sacv, "squashed", ("value", "critic", "actor", "target"), {"target": "value"}),
            "dsac": (torch_dsac, "twin", ("critic", "target", "actor"), {"target": "critic"}),
            "sql": (torch_sql, "relu", ("actor", "target"), {"target": "actor"}),
            "sqlc": (torch_sqlc, "one-layer", ("critic", "target", "actor"), {"target": "critic"}),
            "td3": (torch_td3, "td3", ("critic", "actor", "target", "actor_target"),
                    {"target": "critic", "actor_target": "actor"}),
            "dqn": (torch_dqn, "dqn", ("target", "actor"), {"target": "actor"})}
DELAYED = {"td3": ("actor", "target", "actor_target")}  # moved by every second update: policy_delay
torch_sql.ALPHA["relu"] = 0.1  # the default, which the test keeps
SETTINGS = {"plain": dict(rate=lambda left: .01, tau=.3, interval=1, betas=(.9, .999), eps=1e-8, decay=0, clip=0),
            "tuned": dict(rate=lambda left: .02 * left, tau=.2, interval=2, betas=(.8, .95), eps=1e-3, decay=.5, clip=.3)}


def names_of(p, network):
    return [k for k in p if k.split(".")[0] == network]


def step(optimiser, p, names, gradients, rate, clip):
    """One step of an optimiser on the parameters `names`, whose gradients are clipped together."""
    for k in names:
        p[k].grad = gradients["out.grad." + k].reshape(p[k].shape).clone()
    if clip:
        torch.nn.utils.clip_grad_norm_([p[k] for k in names], clip)
    optimiser.param_groups[0]["lr"] = rate
    optimiser.step()


def sequence(algo, case, dumps):
    """Parameters and moments after the last update, from the start's parameters and each update's batch."""
    module, variant, order, followed = LEARNERS[algo]
    c = SETTINGS[case]
    roles = {*order, "log_ent_coef"}
    p = {k: v.clone() for k, v in dumps[0].items() if k.split(".")[0] in roles}
    learned = "log_ent_coef" in p
    adam = {}
    for network in roles - set(followed):
        if names_of(p, network):
            adam[network] = torch.optim.AdamW([p[k] for k in names_of(p, network)], lr=1, betas=c["betas"],
                                              eps=c["eps"], weight_decay=0 if network == "log_ent_coef" else c["decay"])
    for k in range(1, UPDATES + 1):
        rate = c["rate"](1 - float(dumps[k]["steps"]) / TOTAL)
        before = {**dumps[k], **{name: v.clone() for name, v in p.items()}}
        temperature = {name: v.detach() for name, v in module.compute(variant, before).items()}
        for network in order:
            if network in DELAYED.get(algo, ()) and k % 2 != 0:
                continue
            if network in followed:
                # That of dqn moves with the steps of the environments: "tuned" at each of the three between updates.
                moves = (3 if case == "tuned" else 0) if algo == "dqn" else k % c["interval"] == 0
                for name in names_of(p, network) * moves:
                    p[name] += c["tau"] * (p[followed[network] + name[len(network):]] - p[name])
                continue
            # Every loss sees the networks that were stepped before it, and the temperature from before the update;
            # targets move after the loss that reads them.
            gradients = module.compute(variant, {**dumps[k], **p, **{n: v for n, v in before.items() if n == "log_ent_coef"}})
            step(adam[network], p, names_of(p, network), {n: v.detach() for n, v in gradients.items()}, rate, c["clip"])
        if learned:
            step(adam["log_ent_coef"], p, ["log_ent_coef"], temperature, rate, 0)
    out = {"out." + k: v.detach() for k, v in p.items()}
    for network, optimiser in adam.items():
        for name in names_of(p, network):
            state = optimiser.state[p[name]]
            out["out.adam.m." + name], out["out.adam.v." + name] = state["exp_avg"], state["exp_avg_sq"]
    return out


def main():
    dump, folder = map(pathlib.Path, sys.argv[1:3])
    folder.mkdir(parents=True, exist_ok=True)
    for first in sorted(dump.glob("*.0.safetensors")):
        algo, case = first.name.split(".")[:2]
        raw = [load_file(dump / f"{algo}.{case}.{k}.safetensors") for k in range(UPDATES + 1)]
        raw = [{k: v for k, v in d.items() if not k.endswith(".transposed")} for d in raw]
        dumps = [{k: v.double() if v.is_floating_point() else v for k, v in d.items()} for d in raw]
        out = {k: v.contiguous() for k, v in sequence(algo, case, dumps).items()}
        start = {k[4:] for k in out} & set(raw[0])
        out.update({"in.0." + k: raw[0][k] for k in start if k.split(".")[0] != "adam"})
        for k in range(1, UPDATES + 1):
            out.update({f"in.{k}.{name}": v for name, v in raw[k].items() if FEED.match(name)})
        save_file(out, folder / f"{algo}.{case}.safetensors",
                  metadata={"made_by": "tests/golden/torch_sequence.py", "torch": torch.__version__})
        print(algo, case, len(out))


if __name__ == "__main__":
    main()

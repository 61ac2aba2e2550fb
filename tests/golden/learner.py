"""What the exporters of learners' golden files share: reading a test's dump, writing what PyTorch makes of it."""
import json
import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file


def parameters(d, roles, frozen=("target",)):
    """Tensors of the networks called `roles`, in double, those that are learned with gradients."""
    p = {k: v.double().clone() for k, v in d.items() if k.split(".")[0] in roles}
    for k in p:
        p[k].requires_grad_(k.split(".")[0] not in frozen)
    return p


def gradients(out, p, loss, name):
    """Adds the gradient of `loss` with respect to every parameter of the network `name`."""
    names = [k for k in p if k.split(".")[0] == name]
    for k, g in zip(names, torch.autograd.grad(loss, [p[k] for k in names])):
        out["out.grad." + k] = g


def export(made_by, compute, inputs, roles):
    """For every file of the dump: "in." (`inputs` and the parameters), and what `compute(case, tensors)` returns."""
    dump, folder = map(pathlib.Path, sys.argv[1:3])
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(dump.glob("*.safetensors")):
        raw = {k: v for k, v in load_file(path).items() if not k.endswith(".transposed")}  # follow from the weights
        d = {k: v.double() if v.is_floating_point() else v for k, v in raw.items()}
        out = {k: v.detach().contiguous() for k, v in compute(path.stem, d).items()}
        for k in raw:
            if k in inputs or k.split(".")[0] in roles or k.endswith(".eps"):
                out["in." + k] = raw[k]
        save_file(out, folder / path.name, metadata={"made_by": made_by, "torch": torch.__version__})
        print(path.stem, json.dumps({k: float(v) for k, v in out.items() if k.startswith("train/")}))

"""What PyTorch makes of networks, optimisers and distributions, in float64: the golden file of tests/nn.

    python3 tests/golden/torch_nn.py tests/golden/torch_nn.safetensors

Inputs are rounded to float32 first, so that both sides start from the same numbers. Needs torch and
safetensors.
"""
import math
import sys

import torch
from safetensors.torch import save_file

F64 = torch.float64
out = {}


def f32(*shape, scale=1.0):
    """Normals that float32 holds exactly."""
    return (scale * torch.randn(*shape, dtype=F64)).float().double()


def put(name, tensor):
    assert name not in out, name
    out[name] = tensor.detach().contiguous().clone()


# ---- networks

def init_network(E, sizes, norm):
    p = {}
    for l, (K, N) in enumerate(zip(sizes[:-1], sizes[1:])):
        p[f"net.{l}.weight"] = f32(E, K, N, scale=1.3 / math.sqrt(K))
        p[f"net.{l}.bias"] = f32(E, N, scale=0.3)
        if norm and l < len(sizes) - 2:
            p[f"net.{l}.norm.weight"] = (1 + f32(E, N, scale=0.2)).float().double()
            p[f"net.{l}.norm.bias"] = f32(E, N, scale=0.2)
    return {k: v.requires_grad_() for k, v in p.items()}


def forward(p, x, layers, act):
    """One member after another through torch's own linear and layer norm."""
    outputs = []
    for e in range(p["net.0.weight"].shape[0]):
        y = x
        for l in range(layers):
            y = torch.nn.functional.linear(y, p[f"net.{l}.weight"][e].T, p[f"net.{l}.bias"][e])
            if l == layers - 1:
                break
            if f"net.{l}.norm.weight" in p:
                y = torch.nn.functional.layer_norm(y, y.shape[-1:], p[f"net.{l}.norm.weight"][e],
                                                   p[f"net.{l}.norm.bias"][e])
            y = act(y)
        outputs.append(y)
    return torch.stack(outputs)


def network(name, act, norm, hidden, E, B, inputs, outputs):
    sizes = [inputs, *hidden, outputs]
    p = init_network(E, sizes, norm)
    x = f32(B, inputs).requires_grad_()
    dy = f32(E, B, outputs)
    y = forward(p, x, len(sizes) - 1, act)
    y.backward(dy)
    put(f"mlp.{name}.x", x)
    put(f"mlp.{name}.y", y)
    put(f"mlp.{name}.dy", dy)
    put(f"mlp.{name}.dx", x.grad)
    for k, v in p.items():
        put(f"mlp.{name}.{k}", v)
        put(f"mlp.{name}.grad.{k}", v.grad)


def training():
    p = init_network(1, [4, 16, 16, 2], False)
    x, target = f32(10, 4), f32(1, 10, 2)
    put("train.x", x)
    put("train.target", target)
    for k, v in p.items():
        put(f"train.before.{k}", v)
    optimiser = torch.optim.AdamW(p.values(), lr=1e-2, weight_decay=0.05)
    for _ in range(5):
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(forward(p, x, 3, torch.tanh), target).backward()
        torch.nn.utils.clip_grad_norm_(p.values(), 0.5)
        optimiser.step()
    for k, v in p.items():
        put(f"train.after.{k}", v)


# ---- optimiser: given gradients, the parameters after each step

def adam(name, kind, steps, max_norm=None, **settings):
    n = 37
    p = f32(n).requires_grad_()
    put(f"adam.{name}.before", p)
    gradients = f32(steps, n)
    gradients[:, 3] = 0
    gradients[1] *= 100
    gradients = gradients.float().double()
    put(f"adam.{name}.gradients", gradients)
    optimiser = kind([p], **settings)
    after = []
    for g in gradients:
        p.grad = g.clone()
        if max_norm:
            torch.nn.utils.clip_grad_norm_([p], max_norm)
        optimiser.step()
        after.append(p.detach().clone())
    put(f"adam.{name}.after", torch.stack(after))


# ---- distributions

def gaussian(name, B, A, squash, free):
    lo, hi = -2.0, 0.5
    mean = f32(B, A).requires_grad_()
    raw = (f32(A, scale=1.5) if free else f32(B, A, scale=1.5)).requires_grad_()
    eps, d_action, d_logp = f32(B, A), f32(B, A), f32(B)
    sd = raw.clamp(lo, hi).exp().expand(B, A)
    base = torch.distributions.Normal(mean, sd)
    u = mean + sd * eps
    if squash:
        dist = torch.distributions.TransformedDistribution(
            base, torch.distributions.transforms.TanhTransform(cache_size=1))
        action = dist.transforms[0](u)
    else:
        dist, action = base, u
    logp = dist.log_prob(action).sum(-1)
    ((action * d_action).sum() + (logp * d_logp).sum()).backward()
    key = f"gaussian.{name}"
    for k, v in dict(mean=mean, log_std=raw, eps=eps, d_action=d_action, d_logp=d_logp,
                     action=action, logp=logp, d_mean=mean.grad, d_log_std=raw.grad).items():
        put(f"{key}.{k}", v)
    score(key, B, A, squash, mean, raw, lo, hi)


def score(key, B, A, squash, mean, raw, lo, hi):
    """log-prob and entropy of given actions."""
    mean.grad = raw.grad = None
    given = (torch.tanh(f32(B, A)) if squash else f32(B, A)).float().double()
    d_logp, d_entropy = f32(B), f32(B)
    base = torch.distributions.Normal(mean, raw.clamp(lo, hi).exp().expand(B, A))
    dist = base
    if squash:
        dist = torch.distributions.TransformedDistribution(
            base, torch.distributions.transforms.TanhTransform())
    logp = dist.log_prob(given).sum(-1)
    loss = (logp * d_logp).sum()
    if not squash:
        entropy = base.entropy().sum(-1)
        loss = loss + (entropy * d_entropy).sum()
        put(f"{key}.score.entropy", entropy)
    loss.backward()
    for k, v in dict(action=given, d_logp=d_logp, d_entropy=d_entropy, logp=logp,
                     d_mean=mean.grad, d_log_std=raw.grad).items():
        put(f"{key}.score.{k}", v)


def categorical(B, A):
    logits = f32(B, A, scale=2).requires_grad_()
    action = torch.randint(A, (B,))
    d_logp, d_entropy = f32(B), f32(B)
    dist = torch.distributions.Categorical(logits=logits)
    logp, entropy = dist.log_prob(action), dist.entropy()
    ((logp * d_logp).sum() + (entropy * d_entropy).sum()).backward()
    for k, v in dict(logits=logits, action=action.int(), d_logp=d_logp, d_entropy=d_entropy,
                     logp=logp, entropy=entropy, d_logits=logits.grad).items():
        put(f"categorical.{k}", v)


def gsde(name, B, H, A, squash):
    mean = f32(B, A, scale=0.5).requires_grad_()
    latent = f32(B, H, scale=0.5).requires_grad_()
    log_std = f32(H, A, scale=0.3).requires_grad_()
    E, d_action, d_logp = f32(H, A), f32(B, A), f32(B)
    noise = latent @ (log_std.exp() * E)
    variance = (latent ** 2) @ (log_std.exp() ** 2)
    u = mean + noise
    logp = torch.distributions.Normal(mean, torch.sqrt(variance + 1e-6)).log_prob(u).sum(-1)
    action = u
    if squash:
        action = torch.tanh(u)
        logp = logp - (2 * (math.log(2) - u - torch.nn.functional.softplus(-2 * u))).sum(-1)
    ((action * d_action).sum() + (logp * d_logp).sum()).backward()
    for k, v in dict(mean=mean, latent=latent, log_std=log_std, E=E, d_action=d_action,
                     d_logp=d_logp, action=action, logp=logp, d_mean=mean.grad,
                     d_latent=latent.grad, d_log_std=log_std.grad).items():
        put(f"gsde.{name}.{k}", v)


# ---- kinds of layers

class BatchRenorm(torch.nn.Module):
    """Ioffe, 2017: r and d are constants of the backward pass. warm: else batch norm. Written out with autograd."""

    def __init__(self, n, warm):
        super().__init__()
        self.weight, self.bias = (torch.nn.Parameter(torch.zeros(n)) for _ in range(2))
        self.register_buffer("running_mean", torch.zeros(n))
        self.register_buffer("running_var", torch.ones(n))
        self.warm = warm

    def forward(self, x):
        sd_running = (self.running_var + 1e-3).sqrt()
        if not self.training:
            return (x - self.running_mean) / sd_running * self.weight + self.bias
        mean, var = x.mean(0), x.var(0, unbiased=False)
        sd = (var + 1e-3).sqrt()
        xh = (x - mean) / sd
        if self.warm:
            r, d = (sd / sd_running).detach(), ((mean - self.running_mean) / sd_running).detach()
            xh = xh * r.clamp(1 / 3, 3) + d.clamp(-5, 5)
        with torch.no_grad():
            self.running_mean.lerp_(mean, 0.01)
            self.running_var.lerp_(var, 0.01)
        return xh * self.weight + self.bias


class Residual(torch.nn.Sequential):
    """x + the modules of x."""

    def forward(self, x):
        return x + super().forward(x)


def renumbered(net, key):
    """The name with the place of its module in one list, in which a residual sum follows its modules."""
    places, n = {}, 0
    for i, module in enumerate(net):
        if isinstance(module, Residual):
            places |= {f"{i}.{k}": n + k for k in range(len(module))}
            n += len(module) + 1
        else:
            places[f"{i}"] = n
            n += 1
    prefix, _, leaf = key.rpartition(".")
    return f"{places[prefix]}.{leaf}"


def layers(name, modules, train, E, B, inputs, scale=1.0, shift=0.0, joint=False):
    """E copies of nn.Sequential(*modules) with parameters of their own; running statistics before and after.

    joint: the second half of the rows has no gradient at the output, as in CrossQ's pass over (s,a) and (s',a').
    """
    x = (f32(B, inputs, scale=scale) + shift).float().double().requires_grad_()
    outputs, after = [], {}
    for e in range(E):
        net = torch.nn.Sequential(*modules()).double().train(train)
        with torch.no_grad():
            for k, v in net.state_dict().items():
                if v.is_floating_point():
                    v.copy_(f32(*v.shape, scale=0.4))
                    if k.endswith("running_var") or (v.ndim == 1 and k.endswith("weight")):
                        v.copy_((1 + 0.5 * v).float().double())
        for k, v in net.state_dict().items():
            after.setdefault(f"before.{renumbered(net, k)}", []).append(v.T.clone() if v.ndim == 2 else v.clone())
        y = net(x)
        outputs.append((net, y))
    y = torch.stack([y for _, y in outputs])
    dy = f32(*y.shape)
    if joint:
        dy[:, B // 2:] = 0
    y.backward(dy)
    for net, _ in outputs:
        for k, v in net.named_parameters():
            after.setdefault(f"grad.{renumbered(net, k)}", []).append(v.grad.T if v.ndim == 2 else v.grad)
        for k, v in net.named_buffers():
            after.setdefault(f"after.{renumbered(net, k)}", []).append(v)
    for k, v in dict(x=x, y=y, dy=dy, dx=x.grad).items():
        put(f"layers.{name}.{k}", v)
    for k, v in after.items():
        if v[0].is_floating_point():
            put(f"layers.{name}.{k}", torch.stack(v))


def all_layers():
    nn = torch.nn
    batch = lambda: [nn.Linear(5, 17), nn.BatchNorm1d(17), nn.ReLU(), nn.Linear(17, 3)]
    first = lambda: [nn.BatchNorm1d(5), nn.Linear(5, 17), nn.BatchNorm1d(17), nn.SiLU(), nn.Linear(17, 3)]
    layers("batch_norm", batch, True, 2, 9, 5)
    layers("batch_norm_eval", batch, False, 2, 9, 5)
    layers("batch_norm_first", first, True, 2, 11, 5)
    layers("batch_norm_first_eval", first, False, 1, 6, 5)
    layers("gelu", lambda: [nn.Linear(4, 19), nn.GELU(), nn.Linear(19, 2)], True, 2, 8, 4)
    layers("leaky_relu", lambda: [nn.Linear(4, 19), nn.LeakyReLU(), nn.Linear(19, 2)], True, 2, 8, 4)
    layers("norm_last", lambda: [nn.Linear(4, 19), nn.Tanh(), nn.LayerNorm(19), nn.Linear(19, 2)], True, 1, 8, 4)
    slow = lambda n: nn.BatchNorm1d(n, eps=1e-3, momentum=0.01)
    after = lambda: [slow(5), nn.Linear(5, 17), nn.ReLU(), slow(17), nn.Linear(17, 3)]
    layers("batch_norm_after", after, True, 2, 9, 5)
    layers("batch_norm_after_eval", after, False, 2, 9, 5)
    layers("batch_norm_joint", after, True, 2, 12, 5, joint=True)
    renorm = lambda warm: lambda: [BatchRenorm(5, warm), nn.Linear(5, 17), nn.ReLU(), BatchRenorm(17, warm),
                                   nn.Linear(17, 3)]
    layers("batch_renorm", renorm(True), True, 2, 9, 5, scale=2)
    layers("batch_renorm_limits", renorm(True), True, 2, 7, 5, scale=9, shift=12)
    layers("batch_renorm_warm_up", renorm(False), True, 2, 9, 5)
    layers("batch_renorm_eval", renorm(True), False, 2, 9, 5)
    rms = lambda: [nn.RMSNorm(5, eps=1e-6), nn.Linear(5, 17), nn.RMSNorm(17, eps=1e-6), nn.SiLU(), nn.Linear(17, 3)]
    layers("rms_norm", rms, True, 2, 9, 5)
    block = lambda: Residual(nn.LayerNorm(9), nn.Linear(9, 36), nn.ReLU(), nn.Linear(36, 9))
    weight, bias = f32(2, 7, 19), f32(2, 19)
    put("weight_norm.weight", weight)
    put("weight_norm.bias", bias)
    put("weight_norm.projected", torch.nn.functional.normalize(weight, dim=1))
    both = torch.nn.functional.normalize(torch.cat([weight, bias[:, None]], 1), dim=1)
    put("weight_norm.projected_with_bias", both[:, :-1])
    put("weight_norm.projected_bias", both[:, -1])
    layers("simba", lambda: [nn.Linear(5, 9), block(), block(), nn.LayerNorm(9), nn.Linear(9, 3)], True, 2, 7, 5)
    layers("batch_renorm_joint", renorm(True), True, 2, 14, 5, scale=2, joint=True)


def main(path):
    torch.manual_seed(2718)
    relu, silu = torch.relu, torch.nn.functional.silu
    network("relu", relu, False, [17, 23], 2, 9, 5, 3)
    network("tanh", torch.tanh, False, [23], 1, 7, 3, 1)
    network("silu", silu, False, [5, 17, 9], 3, 6, 4, 2)
    network("relu_norm", relu, True, [17, 23], 2, 9, 5, 3)
    network("silu_norm", silu, True, [9, 17], 1, 8, 6, 4)
    network("linear", relu, False, [], 2, 6, 5, 3)
    training()
    adam("plain", torch.optim.Adam, 12, lr=3e-3)
    adam("betas", torch.optim.Adam, 12, lr=1e-2, betas=(0.5, 0.9), eps=1e-5)
    adam("decay", torch.optim.AdamW, 12, lr=3e-3, weight_decay=0.1)
    adam("clipped", torch.optim.Adam, 12, max_norm=4.0, lr=3e-3)
    gaussian("plain", 7, 3, False, False)
    gaussian("free", 7, 3, False, True)
    gaussian("squashed", 7, 3, True, False)
    gaussian("squashed_free", 5, 1, True, True)
    categorical(9, 5)
    gsde("plain", 6, 17, 3, False)
    gsde("squashed", 5, 9, 1, True)
    all_layers()
    save_file(out, path)


if __name__ == "__main__":
    main(sys.argv[1])

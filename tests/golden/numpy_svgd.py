"""One SVGD direction as NumPy computes it: the golden file of tests/algo/test_svgd.c.

    python3 tests/golden/numpy_svgd.py tests/golden/numpy_svgd.safetensors
"""
import sys

import numpy as np
from safetensors.numpy import save_file


def direction(x, score, y, h):
    """phi(y_j) = mean over i of k(x_i, y_j) score_i + grad_{x_i} k(x_i, y_j), k = exp(-|x - y|^2 / h)."""
    difference = x[:, None, :] - y[None, :, :]
    k = np.exp(-(difference ** 2).sum(-1) / h)
    gradient = -2 / h * difference * k[:, :, None]
    return (np.einsum("ij,ic->jc", k, score) + gradient.sum(0)) / len(x)


def bandwidth(x):
    i, j = np.triu_indices(len(x), 1)
    return np.median(((x[i] - x[j]) ** 2).sum(-1)) / np.log(len(x) + 1)


def main():
    rng = np.random.default_rng(1)
    out = {}
    for name, (n, m, d) in {"line": (20, 20, 1), "plane": (33, 12, 2), "one": (1, 3, 4), "odd": (14, 5, 3)}.items():
        x, y, score = (rng.normal(size=s) for s in ((n, d), (m, d), (n, d)))
        h = bandwidth(x) if n > 1 else 1.0
        out |= {f"{name}.x": x, f"{name}.y": y, f"{name}.score": score, f"{name}.h": np.array([h]),
                f"{name}.phi": direction(x, score, y, h), f"{name}.phi_wide": direction(x, score, y, 5.0)}
    save_file(out, sys.argv[1], metadata={"made_by": "tests/golden/numpy_svgd.py", "numpy": np.__version__})


if __name__ == "__main__":
    main()

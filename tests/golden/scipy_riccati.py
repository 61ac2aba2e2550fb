"""Discounted Riccati equations solved by SciPy, for tests/mdp/test_lqr.c.

    python tests/golden/scipy_riccati.py

writes scipy_riccati.safetensors beside this file: random systems (stable and not, up to 16 states and actions; Q
of full rank and of rank 1) with their discount, and P and K of scipy.linalg.solve_discrete_are on the
undiscounted equivalent sqrt(gamma) A, sqrt(gamma) B.
"""
import pathlib

import numpy as np
import scipy
from safetensors.numpy import save_file
from scipy.linalg import solve_discrete_are

# n, m, gamma, spectral radius of A, rank of Q, size of R
CASES = [
    (1, 1, 0.99, 0.9, 1, 0.1),
    (2, 1, 0.9, 1.3, 2, 1.0),
    (3, 2, 0.99, 0.95, 1, 1.0),
    (4, 4, 0.999, 1.0, 4, 0.01),
    (6, 2, 0.99, 1.2, 6, 10.0),
    (8, 3, 0.5, 0.8, 8, 1.0),
    (12, 5, 0.99, 0.99, 12, 0.1),
    (16, 16, 0.95, 1.1, 16, 1.0),
    (16, 2, 0.99, 0.9, 1, 1.0),
]


def main():
    rng = np.random.default_rng(3)
    tensors = {}
    for i, (n, m, gamma, radius, rank, size) in enumerate(CASES):
        A = rng.normal(size=(n, n))
        A *= radius / max(abs(np.linalg.eigvals(A)))
        B = rng.normal(size=(n, m))
        C = rng.normal(size=(rank, n))
        Q = C.T @ C
        D = rng.normal(size=(m, m))
        R = size * (D @ D.T / m + 0.1 * np.eye(m))
        Q, R = (Q + Q.T) / 2, (R + R.T) / 2
        P = solve_discrete_are(np.sqrt(gamma) * A, np.sqrt(gamma) * B, Q, R)
        K = np.linalg.solve(R + gamma * B.T @ P @ B, gamma * B.T @ P @ A)
        for key, value in dict(A=A, B=B, Q=Q, R=R, P=P, K=K, gamma=np.array([gamma])).items():
            tensors[f"{i}.{key}"] = np.ascontiguousarray(value)
    path = pathlib.Path(__file__).parent / "scipy_riccati.safetensors"
    save_file(tensors, path, metadata={"scipy": scipy.__version__, "cases": str(len(CASES))})


if __name__ == "__main__":
    main()

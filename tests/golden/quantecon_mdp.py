"""Hard values of finite problems by quantecon's policy iteration, for tests/mdp/test_solve_golden.c.

    pip install quantecon gymnasium safetensors
    python tests/golden/quantecon_mdp.py

writes quantecon_mdp.safetensors beside this file. Cases in the metadata, one a line: "name gamma generator
key=value ..."; "name gamma garnet-arrays" where the problem itself is in the file:

    name.V            (states) optimal values
    name.next         (states, actions, branching) of garnet-arrays
    name.probability, name.reward
                      (states, actions, branching), (states, actions)

quantecon knows no end of an episode: a transition that ends leads to one more state, which stays where it is for
nothing. Policy iteration evaluates by a sparse direct solve, so its values are exact but for rounding.
"""
import pathlib

import gymnasium as gym
import numpy as np
import quantecon
import scipy.sparse
import scipy.stats
from quantecon.markov import DiscreteDP
from safetensors.numpy import save_file


def solve(rows, S, gamma):
    """rows: (state, action) -> list of (p, next, reward, ends); the optimal values of S states."""
    s_indices, a_indices, R, at, to, p = [], [], [], [], [], []
    for (s, a), row in sorted(rows.items()):
        R.append(sum(q * r for q, _, r, _ in row))
        for q, n, _, ends in row:
            at.append(len(s_indices))
            to.append(S if ends else n)
            p.append(q)
        s_indices.append(s)
        a_indices.append(a)
    R.append(0.0)
    at.append(len(s_indices))
    to.append(S)
    p.append(1.0)
    s_indices.append(S)
    a_indices.append(0)
    Q = scipy.sparse.csr_matrix((p, (at, to)), shape=(len(s_indices), S + 1))
    problem = DiscreteDP(np.array(R), Q, gamma, np.array(s_indices), np.array(a_indices))
    result = problem.solve(method="policy_iteration")
    return np.ascontiguousarray(result.v[:S])


def toy(name):
    P = gym.make(name[0], **name[1]).unwrapped.P
    return {(s, a): [t for t in row if t[0] > 0] for s in P for a, row in P[s].items()}, len(P)


def replacement(N, shocks, wear, income, operating_cost, replacement_cost):
    pmf = scipy.stats.binom(shocks, wear).pmf(np.arange(shocks + 1))
    rows = {}
    for s in range(N):
        for a, start, reward in ((0, s, income - operating_cost * s), (1, 0, income - replacement_cost)):
            rows[s, a] = [(q, min(start + i, N - 1), reward, False) for i, q in enumerate(pmf)]
    return rows, N


def garnet(rng, S, A, B):
    nexts = np.stack([[rng.choice(S, B, replace=False) for _ in range(A)] for _ in range(S)])
    p = rng.dirichlet(np.ones(B), (S, A))
    return nexts.astype(np.int32), p, rng.standard_normal((S, A))


def main():
    tensors, cases = {}, []
    lakes = [("lake4", "frozenlake-4x4", ("FrozenLake-v1", {"map_name": "4x4"})),
             ("lake8", "frozenlake-8x8", ("FrozenLake-v1", {"map_name": "8x8"})),
             ("taxi", "taxi", ("Taxi-v4", {})),
             ("cliff", "cliffwalking", ("CliffWalking-v1", {})),
             ("cliff_slippery", "cliffwalking slippery=true", ("CliffWalkingSlippery-v1", {}))]
    for name, generator, env in lakes:
        rows, S = toy(env)
        for gamma in (0.9, 0.99, 0.999):
            key = f"{name}_{gamma}"
            tensors[f"{key}.V"] = solve(rows, S, gamma)
            cases.append(f"{key} {gamma} {generator}")
    for i, arguments in enumerate([(20, 3, 0.3, 0, 1, 15), (200, 10, 0.5, 100, 2, 80), (1000, 40, 0.2, 1, 0.1, 50)]):
        rows, S = replacement(*arguments)
        words = ("states", "shocks", "wear", "income", "operating_cost", "replacement_cost")
        for gamma in (0.5, 0.99):
            key = f"replacement{i}_{gamma}"
            tensors[f"{key}.V"] = solve(rows, S, gamma)
            cases.append(f"{key} {gamma} replacement " + " ".join(f"{k}={v}" for k, v in zip(words, arguments)))
    rng = np.random.default_rng(4)
    for i, shape in enumerate([(10, 2, 3), (100, 4, 3), (300, 5, 4)]):
        nexts, p, r = garnet(rng, *shape)
        S, A, B = shape
        rows = {(s, a): [(p[s, a, b], nexts[s, a, b], r[s, a], False) for b in range(B)]
                for s in range(S) for a in range(A)}
        for gamma in (0.9, 0.999):
            key = f"garnet{i}_{gamma}"
            tensors |= {f"{key}.V": solve(rows, S, gamma)}
            cases.append(f"{key} {gamma} garnet-arrays {i}")
        tensors |= {f"garnet{i}.next": nexts, f"garnet{i}.probability": p, f"garnet{i}.reward": r}
    path = pathlib.Path(__file__).with_suffix(".safetensors")
    save_file(tensors, path, {"cases": "\n".join(cases), "quantecon": quantecon.__version__})


if __name__ == "__main__":
    main()

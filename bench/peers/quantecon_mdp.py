#!/usr/bin/env python3
"""quantecon's DiscreteDP on a problem of Celsius: one JSON object per line.

    build/venv-peers/bin/python bench/peers/quantecon_mdp.py --threads 1 PROBLEM SOLUTION
    {"name": "sweep", "seconds": 0.0026}
    {"name": "vi", "seconds": 5.3, "error": 4.1e-05}

PROBLEM and SOLUTION are safetensors files. The solution is exact up to rounding. `sweep` is one
sweep of value iteration. vi and mpi (modified policy iteration) run with the package's own
tolerance and as many iterations as they need. `error` is the sup-norm distance of their value from
the solution. The package's third method, policy iteration by direct solves, is not measured: on a
grid of 300 x 300 it takes more than ten minutes. Compilation does not count, because everything
runs once before on a small problem. Only the libraries below the package use several threads, as
many as --threads says.
"""

import argparse
import json
import os
import time


def threads_first():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("problem")
    parser.add_argument("solution")
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    return options


OPTIONS = threads_first()

import numpy as np  # noqa: E402  (the libraries read the number of threads when they load)
import scipy.sparse  # noqa: E402
from quantecon.markov import DiscreteDP  # noqa: E402


def read(path):
    """Reads the tensors and metadata of a safetensors file. The format needs no package."""
    types = {"F64": np.float64, "I64": np.int64, "I32": np.int32, "U32": np.uint32, "U8": np.uint8}
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    meta = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        array = np.frombuffer(data[begin:end], types[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"])
    return tensors, meta


def problem_of(tensors, gamma):
    """Makes a DiscreteDP. Episodes end in an extra absorbing state without reward."""
    pair, row = tensors["pair"], tensors["row"]
    S, pairs = len(pair) - 1, len(row) - 1
    p_of = np.repeat(np.arange(pairs), np.diff(row))
    to = tensors["next"].astype(np.int64)
    if "ends" in tensors:
        to = np.where(tensors["ends"] != 0, S, to)
    s_of = np.repeat(np.arange(S), np.diff(pair))
    a_of = np.arange(pairs) - pair[s_of]
    # States without actions, and the extra state, are absorbing.
    still = np.append(np.flatnonzero(np.diff(pair) == 0), S)
    at = np.concatenate([p_of, pairs + np.arange(len(still))])
    to = np.concatenate([to, still])
    p = np.concatenate([tensors["probability"], np.ones(len(still))])
    s_of, a_of = np.concatenate([s_of, still]), np.concatenate([a_of, np.zeros(len(still), int)])
    R = np.concatenate([tensors["reward"], np.zeros(len(still))])
    order = np.argsort(s_of, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    Q = scipy.sparse.csr_matrix((p, (rank[at], to)), shape=(len(R), S + 1))
    return DiscreteDP(R[order], Q, gamma, s_of[order], a_of[order])


def timed(run, repetitions):
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - start)
    return float(np.median(times)), result


def warm_up():
    small = DiscreteDP(np.array([1.0, 0.0]), scipy.sparse.csr_matrix(np.eye(2)), 0.9,
                       np.array([0, 1]), np.array([0, 0]))
    for method in ("vi", "mpi"):
        small.solve(method=method)


def main():
    tensors, meta = read(OPTIONS.problem)
    problem = problem_of(tensors, float(meta["discount"]))
    problem.max_iter = 10**6
    warm_up()
    v, Tv = np.zeros(problem.num_states), np.empty(problem.num_states)
    seconds, _ = timed(lambda: [problem.bellman_operator(v, Tv) for _ in range(50)],
                       OPTIONS.repetitions)
    print(json.dumps({"name": "sweep", "seconds": seconds / 50}), flush=True)
    exact = read(OPTIONS.solution)[0]["V"].ravel()
    for method in ("vi", "mpi"):
        seconds, result = timed(lambda: problem.solve(method=method), OPTIONS.repetitions)
        error = float(np.max(np.abs(result.v[:len(exact)] - exact)))
        print(json.dumps({"name": method, "seconds": seconds, "error": error}), flush=True)


if __name__ == "__main__":
    main()

"""Writes a finite problem, given as SciPy sparse matrices, to a file that Celsius can solve.

    from scipy_mdp import save
    save("model.safetensors", P, R, discount=0.95)

    python3 scipy_mdp.py model.safetensors --discount 0.95 --transitions stay.npz go.npz --rewards rewards.npy
    celsius solve model.safetensors --alpha 0.1

P is a list with one matrix per action, of shape (states, states). Entry (s, t) is the probability
of the transition from state s to state t. R is an array of shape (states, actions) or (states,), or
a list like P with the reward of each transition. A state does not have an action whose row is empty.
A state without actions is terminal. On the command line, a matrix is a file of
`scipy.sparse.save_npz` and an array is a file of `numpy.save`.
"""
import argparse

import numpy as np
from safetensors.numpy import save_file
from scipy import sparse


def stack(matrices):
    """Returns one CSR matrix whose row s A + a is row s of matrix a."""
    matrices = [sparse.csr_matrix(m, dtype=np.float64) for m in matrices]
    states = matrices[0].shape[0]
    for a, matrix in enumerate(matrices):
        if matrix.shape != (states, states):
            raise ValueError(f"matrix {a} has shape {matrix.shape}; it must have shape {(states, states)} like matrix 0")
    order = np.arange(len(matrices) * states).reshape(len(matrices), states).T.ravel()
    return sparse.vstack(matrices, format="csr")[order]


def rewards(R, where, states, actions):
    """Returns the tensor name and the rewards at the transitions `where`, a matrix of `stack`."""
    row_is_there = np.diff(where.indptr) > 0
    if isinstance(R, (list, tuple)) and any(sparse.issparse(m) for m in R):
        if len(R) != actions:
            raise ValueError(f"there are {len(R)} matrices of rewards; there must be {actions}, one per action")
        row = np.repeat(np.arange(where.shape[0]), np.diff(where.indptr))
        return "reward_next", np.asarray(stack(R)[row, where.indices], np.float64).ravel()
    R = np.asarray(R, np.float64)
    if R.shape == (states,):
        R = np.repeat(R[:, None], actions, axis=1)
    if R.shape != (states, actions):
        raise ValueError(f"the rewards have shape {R.shape}; it must be {(states, actions)} or {(states,)}")
    return "reward", R.ravel()[row_is_there]


def tensors(P, R, start=None):
    """Returns the tensors described in docs/files.md. Indices keep SciPy's type, int32 or int64."""
    where = stack(P)
    where.eliminate_zeros()
    where.sum_duplicates()
    actions, states = len(P), P[0].shape[0]
    is_there = np.diff(where.indptr) > 0
    count = is_there.reshape(states, actions).sum(axis=1)
    out = {"pair": np.concatenate(([0], np.cumsum(count))).astype(where.indptr.dtype),
           "row": np.concatenate((where.indptr[:-1][is_there], where.indptr[-1:])),
           "next": where.indices, "probability": where.data}
    name, values = rewards(R, where, states, actions)
    out[name] = values
    if not is_there.all():
        out["action"] = np.tile(np.arange(actions, dtype=np.int32), states)[is_there]
    if start is not None:
        out["start"] = np.asarray(start, np.float64)
    return {key: np.ascontiguousarray(value) for key, value in out.items()}


def save(path, P, R, discount, horizon=0, start=None, name=""):
    """Writes the problem. `start` is the initial distribution (states,), default uniform.
    Horizon 0 means infinite."""
    save_file(tensors(P, R, start), path,
              {"format": "celsius-mdp", "discount": repr(float(discount)), "horizon": str(int(horizon)), "name": name})


def load_rewards(paths):
    """Reads one .npy file, or one .npz file per action."""
    if len(paths) == 1 and paths[0].endswith(".npy"):
        return np.load(paths[0], allow_pickle=False)
    return [sparse.load_npz(path) for path in paths]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", help="file to write; the name ends in .safetensors")
    parser.add_argument("--discount", type=float, required=True)
    parser.add_argument("--horizon", type=int, default=0, help="steps per episode, default 0: infinite")
    parser.add_argument("--transitions", nargs="+", required=True, metavar="FILE.npz",
                        help="one file per action")
    parser.add_argument("--rewards", nargs="+", required=True, metavar="FILE",
                        help="one .npy file of shape (states, actions) or (states,), or one .npz file per action")
    parser.add_argument("--start", metavar="FILE.npy", help="initial distribution, default uniform")
    options = parser.parse_args()
    try:
        P = [sparse.load_npz(path) for path in options.transitions]
        start = None if options.start is None else np.load(options.start, allow_pickle=False)
        save(options.out, P, load_rewards(options.rewards), options.discount, options.horizon, start)
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

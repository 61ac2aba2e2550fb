"""Exact problems: arrays in every form, and every answer against NumPy, SciPy or the command."""

import copy
import gc
import inspect
import json
import os
import pickle
import signal
import subprocess
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import scipy.sparse as sp
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray
from scipy.optimize import linprog

import celsius
from celsius import mdp as mdp_module
from celsius.__main__ import command
from celsius._fields import rows
from celsius._native import lib
from celsius.mdp import MDP

GAMMA = 0.9
Array = NDArray[Any]


def problem(seed: int, S: int = 7, A: int = 3) -> tuple[Array, Array]:
    """Random transitions (S, A, S) with zeros, and rewards (S, A)."""
    rng = np.random.default_rng(seed)
    P = rng.random((S, A, S)) * (rng.random((S, A, S)) < 0.6)
    P[:, :, 0] += 0.1
    P /= P.sum(axis=2, keepdims=True)
    return P, rng.normal(size=(S, A))


def soft(Q: Array, alpha: float) -> Array:
    top = Q.max(axis=-1)
    return top if alpha == 0 else top + alpha * np.log(np.exp((Q - top[..., None]) / alpha).sum(-1))


def value_iteration(P: Array, R: Array, alpha: float, gamma: float = GAMMA) -> tuple[Array, Array]:
    V = np.zeros(P.shape[0])
    for _ in range(2000):
        Q = R + gamma * P @ V
        V = soft(Q, alpha)
    return V, Q


def policy_value(P: Array, R: Array, pi: Array, alpha: float, gamma: float = GAMMA) -> Array:
    log = np.log(np.where(pi > 0, pi, 1.0))
    r = (pi * (R - alpha * log)).sum(1)
    return np.asarray(np.linalg.solve(np.eye(len(P)) - gamma * np.einsum("sa,sat->st", pi, P), r))


def random_policy(seed: int, S: int = 7, A: int = 3) -> Array:
    pi = np.random.default_rng(seed).random((S, A)) + 0.05
    return np.asarray(pi / pi.sum(1, keepdims=True))


# ---- building


FORMATS = ["csr", "csc", "coo", "bsr", "lil", "dok"]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("array", [True, False])
def test_sparse_problems_equal_dense_ones(kind: str, array: bool) -> None:
    P, R = problem(1)
    make = sp.csr_array if array else sp.csr_matrix
    dense = MDP(P, R, GAMMA)
    by_action = MDP([make(P[:, a]).asformat(kind) for a in range(3)], R, GAMMA)
    stacked = MDP(make(P.reshape(21, 7)).asformat(kind), R, GAMMA)
    for other in (by_action, stacked):
        assert np.array_equal(other.pair, dense.pair)
        assert np.array_equal(other.row, dense.row)
        assert np.array_equal(other.next, dense.next)
        assert np.array_equal(other.probability, dense.probability)
        assert np.array_equal(other.reward, dense.reward)


@pytest.mark.parametrize("index", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i4", ">i8"])
def test_every_integer_index_type(index: str) -> None:
    P, R = problem(2)
    matrix = sp.coo_array(P.reshape(21, 7))
    given = _Coo(matrix.shape, matrix.row.astype(index), matrix.col.astype(index), matrix.data)
    assert np.array_equal(MDP(given, R, GAMMA).next, MDP(P, R, GAMMA).next)
    V = MDP(given, R, GAMMA).solve(alpha=0.0).V
    assert np.allclose(V, value_iteration(P, R, 0.0)[0], atol=1e-8)


class _Coo:
    """A sparse matrix with indices of any type, which SciPy itself would convert."""

    def __init__(self, shape: Any, row: Array, col: Array, data: Array) -> None:
        self.shape, self.row, self.col, self.data, self.nnz = shape, row, col, data, data.size

    def tocoo(self) -> "_Coo":
        return self


def test_index_arithmetic_does_not_overflow() -> None:
    """Row s * A + a of a small index type exceeds its range."""
    S, A = 100, 3
    matrices = []
    for a in range(A):
        eye = sp.coo_array(np.roll(np.eye(S), a, axis=1))
        matrices.append(_Coo((S, S), eye.row.astype("i1"), eye.col.astype("i1"), eye.data))
    mdp = MDP(matrices, np.zeros(S), GAMMA)
    assert mdp.pairs == S * A
    assert np.array_equal(mdp.next.reshape(S, A), (np.arange(S)[:, None] + np.arange(A)) % S)


def test_unsorted_and_repeated_entries() -> None:
    row, column = [0, 0, 0, 1], [1, 0, 1, 0]
    matrix = sp.coo_array(([0.25, 0.5, 0.25, 1.0], (row, column)), shape=(2, 2))
    mdp = MDP(matrix, np.zeros(2), 0.5)
    assert mdp.next.tolist() == [0, 1, 0]
    assert mdp.probability.tolist() == [0.5, 0.5, 1.0]


def test_rewards_in_every_form() -> None:
    P, _ = problem(3)
    full = np.random.default_rng(4).normal(size=P.shape)
    mean = (P * full).sum(2)
    exact = value_iteration(P, mean, 0.3)[0]
    forms = [
        MDP(P, full, GAMMA),
        MDP(P, mean, GAMMA),
        MDP(P, [sp.csr_array(full[:, a]) for a in range(3)], GAMMA),
        MDP(P, sp.csc_array(full.reshape(21, 7)), GAMMA),
        MDP([sp.csr_array(P[:, a]) for a in range(3)], full, GAMMA),
    ]
    for mdp in forms:
        assert np.allclose(mdp.solve(alpha=0.3).V, exact, atol=1e-8)
    by_state = np.arange(7.0)
    assert np.array_equal(
        MDP(P, by_state, GAMMA).table(MDP(P, by_state, GAMMA).reward)[:, 1], by_state
    )


def test_available_ends_and_start() -> None:
    P, R = problem(5)
    available = np.ones((7, 3), dtype=bool)
    available[2] = [False, True, False]
    available[4] = False  # terminal
    ends = np.zeros(7, dtype=bool)
    ends[6] = True
    start = np.zeros(7)
    start[1] = 1.0
    mdp = MDP(P, R, GAMMA, available=available, ends=ends, start=start)
    V = np.zeros(7)
    for _ in range(2000):
        alive = V * ~ends
        Q = np.where(available, R + GAMMA * P @ alive, -np.inf)
        V = np.where(available.any(1), soft(np.where(available.any(1)[:, None], Q, 0.0), 0.2), 0.0)
    solution = mdp.solve(alpha=0.2)
    assert np.allclose(solution.V, V, atol=1e-8)
    assert solution.J == pytest.approx(V[1], abs=1e-8)
    assert np.array_equal(~np.isnan(mdp.table(mdp.reward)), available)
    assert mdp.greedy(solution.Q)[[2, 4]].tolist() == [1, -1]


@pytest.mark.parametrize(
    "name", ["FrozenLake-v1", "FrozenLake8x8-v1", "CliffWalking-v1", "Taxi-v4"]
)
def test_gymnasium_tables(name: str) -> None:
    env = gymnasium.make(name)
    table = env.unwrapped.P  # type: ignore[attr-defined]
    mdp = MDP.from_env(env, 0.95)
    assert (mdp.states, mdp.actions) == (env.observation_space.n, env.action_space.n)  # type: ignore[attr-defined]
    assert mdp.name == name
    assert np.allclose(mdp.start, env.unwrapped.initial_state_distrib)  # type: ignore[attr-defined]
    flat = [(s, a, p, n, r, end) for s in table for a in table[s] for p, n, r, end in table[s][a]]
    s_, a_, p_, n_, r_, end_ = (np.array(column) for column in zip(*flat, strict=True))
    V = np.zeros(mdp.states)
    for _ in range(600):
        Q = np.zeros((mdp.states, mdp.actions))
        np.add.at(Q, (s_, a_), p_ * (r_ + 0.95 * V[n_] * ~end_))
        V = Q.max(1)
    assert np.allclose(mdp.solve(alpha=0.0).V, V, atol=1e-8)
    assert np.allclose(MDP.from_env(table, 0.95).solve(alpha=0.0).V, V, atol=1e-8)
    P, R = mdp.dense()
    assert np.allclose(R + 0.95 * P @ V, Q, atol=1e-8)


def test_tables_of_lists_and_missing_actions() -> None:
    mdp = MDP.from_env([{0: [(1.0, 1, 2.0, False)], 3: [(1.0, 0, 0.0, True)]}, {}], 0.5)
    assert mdp.actions == 4
    assert mdp.pair.tolist() == [0, 2, 2]
    assert mdp.solve(alpha=0.0).V.tolist() == [2.0, 0.0]
    with pytest.raises(ValueError, match="entry of 3 values"):
        MDP.from_env([{0: [(1.0, 1, 2.0)]}], 0.5)
    with pytest.raises(ValueError, match="keys 0 to 0"):
        MDP.from_env({1: {}}, 0.5)
    with pytest.raises(TypeError, match="CartPoleEnv has no table P"):
        MDP.from_env(gymnasium.make("CartPole-v1"), 0.5)
    with pytest.raises(TypeError, match="whole numbers"):
        MDP.from_env([{0: [(1.0, 0.5, 2.0, False)]}], 0.5)


def test_bad_input() -> None:
    P, R = problem(6)
    cases: list[tuple[Any, type[Exception], str]] = [
        (lambda: MDP(P * 1.1, R, GAMMA), ValueError, "state 0, action 0: .* sum to 1.1"),
        (lambda: MDP(np.where(P > 0.3, np.nan, P), R, GAMMA), FloatingPointError, "state"),
        (lambda: MDP(P, np.full((7, 3), np.inf), GAMMA), FloatingPointError, "state 0, action 0"),
        (lambda: MDP(P, R, 1.0).solve(), ValueError, "gamma is 1; .* infinite horizon"),
        (lambda: MDP(P, R, 1.5, horizon=3), ValueError, "discount"),
        (lambda: MDP(P, R, GAMMA, horizon=-1), ValueError, "horizon"),
        (lambda: MDP(P[:, :, :5], R, GAMMA), ValueError, r"must be \(states, actions, states\)"),
        (lambda: MDP(P[0], R, GAMMA), ValueError, r"shape \(3, 7\)"),
        (lambda: MDP(P, R[:5], GAMMA), ValueError, r"rewards have shape \(5, 3\)"),
        (lambda: MDP(P + 0j, R, GAMMA), TypeError, "transitions must be numbers"),
        (lambda: MDP("P", R, GAMMA), TypeError, "transitions must be numbers"),
        (lambda: MDP([[1, 2], [3]], R, GAMMA), TypeError, "transitions must be numbers"),
        (lambda: MDP(sp.csr_array((8, 3)), R, GAMMA), ValueError, "states \\* actions"),
        (
            lambda: MDP([sp.csr_array((3, 3)), sp.csr_array((2, 2))], R, GAMMA),
            ValueError,
            r"\[1\] has",
        ),
        (lambda: MDP(P, R, GAMMA, start=np.ones(7)), ValueError, "initial|start"),
        (lambda: MDP(P, R, GAMMA, start=np.ones(6)), ValueError, r"start has shape \(6,\)"),
        (lambda: MDP(P, R, GAMMA, available=np.ones((7, 2), bool)), ValueError, "available"),
        (lambda: MDP(P, R, GAMMA, ends=np.zeros(7)), ValueError, "ends has type float64"),
        (lambda: MDP(P, R, GAMMA, name="x" * 100), ValueError, "name"),
        (lambda: MDP(P, [sp.csr_array((7, 7))] * 2, GAMMA), ValueError, "2 actions"),
        (lambda: MDP(np.zeros((2, 1, 2)), np.zeros(2), GAMMA), ValueError, "has no transition"),
    ]
    for make, kind, message in cases:
        with pytest.raises(kind, match=message):
            make()


def test_views_are_read_only_and_outlive_the_problem() -> None:
    P, R = problem(7)
    mdp = MDP(P, R, GAMMA)
    solution = mdp.solve()
    V, probability = solution.V, mdp.probability
    before = V.copy(), probability.copy()
    for view in (V, probability, mdp.next, solution.pi):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 0
    del mdp, solution
    gc.collect()
    junk = [MDP(P, R, GAMMA).solve() for _ in range(20)]
    assert np.array_equal(V, before[0]) and np.array_equal(probability, before[1]) and junk


def test_copies_and_pickles() -> None:
    P, R = problem(8)
    ends = np.zeros(7, dtype=bool)
    ends[3] = True
    mdp = MDP(P, np.random.default_rng(1).normal(size=P.shape), GAMMA, ends=ends, name="copied")
    for other in (copy.deepcopy(mdp), pickle.loads(pickle.dumps(mdp))):
        assert repr(other) == repr(mdp)
        assert np.array_equal(other.solve().V, mdp.solve().V)
    plain = MDP(P, R, GAMMA)
    assert np.array_equal(copy.copy(plain).solve().Q, plain.solve().Q)


# ---- files and generators


def run(*arguments: Any) -> str:
    done = subprocess.run(
        [command(), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("ending", ["safetensors", "json", "mdp"])
def test_files_and_the_command(ending: str, tmp_path: Path) -> None:
    mdp = MDP.generate("garnet", states=30, seed=4)
    path = tmp_path / f"problem.{ending}"
    mdp.save(path)
    solution = MDP.load(path).solve(alpha=0.2)
    answer = json.loads(run("solve", path, "--alpha", 0.2, "--json"))
    assert solution.J == answer["value_start"]
    assert solution.bound == answer["bound"]
    assert solution.method == answer["method"]
    assert np.allclose(solution.V, mdp.solve(alpha=0.2).V, rtol=1e-8)


def test_load_options(tmp_path: Path) -> None:
    (tmp_path / "p.tra").write_text("2 2 2\n0 0 1 1.0\n1 0 1 1.0\n")
    with pytest.raises(ValueError, match="discount"):
        MDP.load(tmp_path / "p.tra")
    assert MDP.load(tmp_path / "p.tra", discount=0.5).discount == 0.5
    assert MDP.load(tmp_path / "p.tra", discount=1, horizon=3).horizon == 3
    with pytest.raises(ValueError, match="format 'yaml' does not exist"):
        MDP.load(tmp_path / "p.tra", format="yaml")
    with pytest.raises(FileNotFoundError, match="missing.mdp"):
        MDP.load(tmp_path / "missing.mdp")
    assert "prism" in mdp_module.formats()


def test_generators() -> None:
    assert "taxi" in mdp_module.generators()
    fields = {field.name for field in mdp_module.generator_fields("garnet")}
    assert {"states", "seed"} <= fields
    assert MDP.generate("garnet", states=12).states == 12
    with pytest.raises(ValueError, match="did you mean"):
        MDP.generate("garnett")
    with pytest.raises(ValueError, match="states"):
        MDP.generate("garnet", statez=3)
    with pytest.raises(ValueError, match="out of range"):
        MDP.generate("garnet", states=0)


# ---- solving


@pytest.mark.parametrize("method", ["auto", "vi", "gauss-seidel", "mpi", "pi", "newton"])
@pytest.mark.parametrize("alpha", [0.0, 0.05, 2.0])
def test_solve_equals_brute_force(method: str, alpha: float) -> None:
    P, R = problem(9)
    V, Q = value_iteration(P, R, alpha)
    mdp = MDP(P, R, GAMMA)
    solution = mdp.solve(alpha=alpha, method=method)
    assert solution.certified
    assert np.abs(solution.V - V).max() <= solution.bound + 1e-10
    assert np.allclose(mdp.table(solution.Q), Q, atol=1e-7)
    pi = mdp.table(solution.pi)
    if alpha > 0:
        assert np.allclose(pi, np.exp((Q - V[:, None]) / alpha), atol=1e-6)
    else:
        assert np.array_equal(pi.argmax(1), Q.argmax(1))
    assert solution.J == pytest.approx(V.mean(), abs=1e-7)
    assert np.array_equal(solution.greedy(), Q.argmax(1))


def test_solve_equals_linear_programming() -> None:
    P, R = problem(10, 12, 4)
    A = np.concatenate([GAMMA * P[:, a] - np.eye(12) for a in range(4)])
    found = linprog(np.ones(12), A_ub=A, b_ub=-R.T.reshape(-1), bounds=(None, None), method="highs")
    assert np.allclose(MDP(P, R, GAMMA).solve(alpha=0.0).V, found.x, atol=1e-7)


def test_finite_horizon() -> None:
    P, R = problem(11)
    mdp = MDP(P, R, 1.0, horizon=5)
    solution = mdp.solve(alpha=0.1)
    assert solution.V.shape == (5, 7) and solution.Q.shape == (5, 21)
    V = np.zeros(7)
    for t in reversed(range(5)):
        V = soft(R + P @ V, 0.1)
        assert np.allclose(solution.V[t], V)
    evaluated = mdp.evaluate(solution.pi, alpha=0.1)
    assert np.allclose(evaluated.V, solution.V)
    assert evaluated.J == pytest.approx(solution.J)
    assert mdp.table(solution.pi).shape == (5, 7, 3)
    assert solution.greedy().shape == (5, 7)
    stationary = mdp.evaluate(mdp.uniform(), alpha=0.0)
    assert stationary.V.shape == (5, 7)


def test_settings_are_those_of_the_library() -> None:
    """A new field of the C struct must become an argument here, with the same default."""
    for table, function, unlisted in (
        (lib.cel_solve_fields(), MDP.solve, set()),
        (lib.cel_q_learning_fields(), MDP.q_learning, set()),
        (lib.cel_conservative_fields(), MDP.conservative_iteration, set()),
        (lib.cel_certify_fields(), celsius.certify, set()),
    ):
        arguments = inspect.signature(function).parameters
        for row in rows(table):
            assert row.name in arguments or row.name in unlisted, (function, row.name)
            given = arguments[row.name].default
            text = "auto" if given is None else given
            assert (
                float(row.default) == given
                if row.kind in ("int", "float")
                else row.default == str(text)
            ), (function, row.name)


def test_limits_progress_and_errors() -> None:
    mdp = MDP.generate("garnet", states=400, seed=2)
    stopped = mdp.solve(method="vi", max_iterations=3)
    assert not stopped.certified and stopped.iterations == 3
    exact = mdp.solve()
    assert np.abs(stopped.V - exact.V).max() <= stopped.bound
    seen: list[dict[str, Any]] = []
    mdp.solve(method="vi", tolerance=1e-12, progress=seen.append)  # type: ignore[arg-type]
    assert all({"residual", "bound", "fraction"} <= set(report) for report in seen)
    for setting, message in (
        ({"alpha": -1.0}, "alpha"),
        ({"method": "newtonn"}, "newton"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"gamma": 1.0}, "gamma"),
        ({"threads": 0}, "threads"),
        ({"method": "backward"}, "horizon"),
    ):
        with pytest.raises(ValueError, match=message):
            mdp.solve(**setting)  # type: ignore[arg-type]


def test_an_exception_in_progress_passes() -> None:
    def fail(_: dict[str, Any]) -> None:
        raise RuntimeError("mine")

    mdp = MDP.generate("garnet", states=3000, seed=2)
    with pytest.raises(RuntimeError, match="mine"):
        mdp.q_learning(rounds=100, progress=fail)
    assert mdp.solve().certified


def test_interrupt_stops_a_solve() -> None:
    mdp = MDP.generate("garnet", states=20000, actions=8, seed=2)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        mdp.q_learning(rounds=10**9)
    assert time.monotonic() - begin < 20
    timer.join()
    assert mdp.solve(tolerance=1e-3).certified


# ---- evaluating and improving


@pytest.mark.parametrize("method", ["sweeps", "direct", "krylov"])
@pytest.mark.parametrize("alpha", [0.0, 0.4])
def test_evaluate_equals_a_linear_solve(method: str, alpha: float) -> None:
    P, R = problem(12)
    pi = random_policy(1)
    mdp = MDP(P, R, GAMMA)
    V = policy_value(P, R, pi, alpha)
    for given in (pi, mdp.flat(pi)):
        found = mdp.evaluate(given, alpha=alpha, method=method)
        assert np.abs(found.V - V).max() <= found.bound + 1e-9
        assert np.allclose(mdp.table(found.Q), R + GAMMA * P @ V, atol=1e-7)
        assert found.J == pytest.approx(V.mean(), abs=1e-8)


def test_policies_in_every_form() -> None:
    P, R = problem(13)
    mdp = MDP(P, R, GAMMA)
    actions = np.array([0, 2, 1, 1, 0, 2, 2], np.int16)
    table = np.eye(3)[actions]
    assert np.array_equal(mdp.table(mdp.policy(actions)), table)
    assert np.array_equal(mdp.policy(table), mdp.policy(mdp.flat(table)))
    for wrong, message in (
        (actions + 1, "state 1 has no action 3"),
        (table[:5], "shape"),
        (actions[:3], "shape"),
        (np.ones(20) / 3, "shape"),
    ):
        with pytest.raises(ValueError, match=message):
            mdp.policy(wrong)
    with pytest.raises(ValueError, match="sum"):
        mdp.evaluate(table * 0.5)
    partial = MDP(P, R, GAMMA, available=np.array([[True, True, False]] * 7))
    assert partial.actions == 2
    with pytest.raises(ValueError, match="horizon is -1"):
        mdp.evaluate(table, horizon=-1)
    with pytest.raises(ValueError, match="method 'lu'"):
        mdp.evaluate(table, method="lu")


def test_state_distributions() -> None:
    P, R = problem(14)
    pi = random_policy(2)
    mdp = MDP(P, R, GAMMA)
    T = np.einsum("sa,sat->st", pi, P)
    p = np.full(7, 1 / 7)
    found = mdp.state_distribution(pi, 4)
    for t in range(5):
        assert np.allclose(found[t], p)
        p = p @ T
    d = np.linalg.solve((np.eye(7) - GAMMA * T).T, (1 - GAMMA) * np.full(7, 1 / 7))
    for method in ("sweeps", "direct", "krylov"):
        assert np.allclose(mdp.discounted_distribution(pi, method=method), d, atol=1e-8)


def test_improve() -> None:
    P, R = problem(15)
    pi = random_policy(3)
    mdp = MDP(P, R, GAMMA)
    step = mdp.improve(pi, alpha=0.5)
    Q = R + GAMMA * P @ policy_value(P, R, pi, 0.5)
    expected = np.exp(Q / 0.5) / np.exp(Q / 0.5).sum(1, keepdims=True)
    assert np.allclose(mdp.table(step.pi), expected, atol=1e-7)
    assert np.all(step.after.V >= step.before.V - 1e-8) and step.gain > 0
    greedy = mdp.improve(pi, alpha=0.0)
    plain = R + GAMMA * P @ policy_value(P, R, pi, 0.0)
    assert np.array_equal(mdp.greedy(greedy.pi), plain.argmax(1))
    for _ in range(60):
        step = mdp.improve(step.pi, alpha=0.5)
    assert step.after.J == pytest.approx(mdp.solve(alpha=0.5).J, abs=1e-7)


def test_project_onto_a_class() -> None:
    P, R = problem(16)
    mdp = MDP(P, R, GAMMA)
    Q = np.random.default_rng(5).normal(size=21)
    group = np.array([mdp.flat(random_policy(seed)) for seed in range(4)])
    target = np.exp(Q.reshape(7, 3) / 0.3)
    target /= target.sum(1, keepdims=True)
    tables = mdp.table(group)
    kl = (tables * np.log(tables / target)).sum(2)
    free = mdp.project(Q, alpha=0.3, within=group)
    assert np.allclose(mdp.table(free), tables[kl.argmin(0), np.arange(7)])
    weight = np.arange(1.0, 8.0)
    whole = mdp.project(Q, alpha=0.3, within=group, rectangular=False, weight=weight)
    assert np.allclose(whole, group[(kl @ weight).argmin()])
    assert np.allclose(mdp.table(mdp.project(Q, alpha=0.3)), target)
    with pytest.raises(ValueError, match="alpha"):
        mdp.project(Q, alpha=0.0)


def test_q_and_v_by_hand() -> None:
    P, R = problem(17)
    mdp = MDP(P, R, GAMMA)
    V = np.random.default_rng(6).normal(size=7)
    Q = R + GAMMA * P @ V
    assert np.allclose(mdp.table(mdp.q_of_v(V)), Q)
    assert np.allclose(mdp.value_of_q(mdp.flat(Q), alpha=0.2), soft(Q, 0.2))
    assert np.allclose(mdp.value_of_q(mdp.flat(Q), alpha=0.0), Q.max(1))
    assert np.array_equal(mdp.greedy(mdp.policy_of_q(mdp.flat(Q), alpha=0.0)), Q.argmax(1))
    with pytest.raises(ValueError, match="alpha is -1"):
        mdp.value_of_q(mdp.flat(Q), alpha=-1)
    with pytest.raises(ValueError, match="shape"):
        mdp.q_of_v(V[:3])


@pytest.mark.parametrize("horizon", [0, 6])
def test_gradient_equals_finite_differences(horizon: int) -> None:
    P, R = problem(18)
    mdp = MDP(P, R, GAMMA)
    logits = np.random.default_rng(7).normal(size=(7, 3))

    def J(theta: Array) -> float:
        pi = np.exp(theta) / np.exp(theta).sum(1, keepdims=True)
        return mdp.evaluate(pi, alpha=0.3, horizon=horizon, tolerance=1e-13).J

    pi = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    exact = mdp.table(mdp.policy_gradient(pi, alpha=0.3, horizon=horizon))
    for s, a in [(0, 0), (3, 2), (6, 1)]:
        step = np.zeros_like(logits)
        step[s, a] = 1e-5
        assert exact[s, a] == pytest.approx((J(logits + step) - J(logits - step)) / 2e-5, abs=1e-6)
    if horizon == 0:
        value = policy_value(P, R, pi, 0.3)
        A = R + GAMMA * P @ value - 0.3 * np.log(pi) - value[:, None]
        natural = mdp.table(mdp.policy_gradient(pi, alpha=0.3, natural=True))
        assert np.allclose(natural, (A - A.mean(1, keepdims=True)) / (1 - GAMMA), atol=1e-6)


def test_conservative_iteration_and_guarantees() -> None:
    P, R = problem(19)
    mdp = MDP(P, R, GAMMA)
    steps: list[Any] = []

    def record(iteration: int, step: mdp_module.ConservativeStep) -> bool:
        steps.append((iteration, step.J, step.J_next, step.held))
        return len(steps) < 50

    pi, last = mdp.conservative_iteration(step=record)
    assert steps[0][0] == 0 and all(
        held and after >= before - 1e-9 for _, before, after, held in steps
    )
    assert last.J_next == pytest.approx(mdp.evaluate(pi, alpha=0.0).J, abs=1e-8)
    check = mdp.guarantee(mdp.uniform(), pi)
    assert check.gain == pytest.approx(check.J_next - check.J) and check.held
    assert check.gain >= check.bound
    pi, last = mdp.conservative_iteration(tolerance=1e-6)
    best = mdp.solve(alpha=0.0).J
    assert last.stopped and last.J - 1e-8 <= best <= last.J + last.gap + 1e-8


# ---- learning


def test_q_learning() -> None:
    P, R = problem(20)
    mdp = MDP(P, R, GAMMA)
    exact = mdp.solve(alpha=0.1)
    learned = mdp.q_learning(alpha=0.1, rounds=20000, seed=3, exact=exact)
    error = np.abs(learned.Q - exact.Q).max()
    assert error < 0.3 and error <= learned.bound
    assert np.allclose(learned.V, mdp.value_of_q(learned.Q, alpha=0.1))
    assert learned.visits.sum() == learned.samples == 20000 * 21
    assert learned.history["round"][-1] == 20000
    assert learned.history["error"][-1] == pytest.approx(error)
    assert np.all(learned.history["error"] <= learned.history["bound"])
    again = mdp.q_learning(alpha=0.1, rounds=20000, seed=3)
    assert np.array_equal(again.Q, learned.Q)
    other = mdp.q_learning(alpha=0.1, rounds=2000, sampling="asynchronous", behavior="uniform")
    assert other.unvisited == 0
    with pytest.raises(ValueError, match="sampling"):
        mdp.q_learning(sampling="all")


def test_certify_any_q() -> None:
    P, R = problem(21)
    mdp = MDP(P, R, GAMMA)
    exact = value_iteration(P, R, 0.2)[1]
    Q = exact + np.random.default_rng(8).normal(size=exact.shape)
    found = mdp.certify(mdp.flat(Q), alpha=0.2)
    assert found.residual == pytest.approx(np.abs(R + GAMMA * P @ soft(Q, 0.2) - Q).max())
    assert np.abs(Q - exact).max() <= found.bound == pytest.approx(found.residual / (1 - GAMMA))
    with pytest.raises(FloatingPointError):
        mdp.certify(np.full(21, np.nan))


# ---- the environment


@pytest.mark.parametrize("name", ["frozenlake-4x4", "taxi", "garnet", "inventory", "replacement"])
def test_environment_passes_gymnasiums_checks(name: str) -> None:
    env = MDP.generate(name).to_env()
    check_env(env, skip_render_check=True)
    assert env.render_mode is None


def test_environment_follows_the_model() -> None:
    P, R = problem(22, 4, 2)
    full = np.random.default_rng(9).normal(size=P.shape)
    ends = np.array([False, False, False, True])
    env = MDP(P, full, GAMMA, ends=ends, horizon=0).to_env()
    count, seen = np.zeros((4, 2, 4)), 0
    obs, _ = env.reset(seed=1)
    for _ in range(30000):
        a = int(env.np_random.integers(2))
        after, reward, terminated, truncated, info = env.step(a)
        assert reward == full[obs, a, after] and not truncated
        assert terminated == bool(ends[after])
        assert info["prob"] == pytest.approx(P[obs, a, after])
        count[obs, a, after] += 1
        seen += terminated
        obs = env.reset()[0] if terminated else after
    share = count / np.maximum(count.sum(2, keepdims=True), 1)
    assert seen > 1000 and np.abs(share - P)[count.sum(2) > 2000].max() < 0.03


def test_environment_horizon_missing_actions_and_pictures() -> None:
    P, R = problem(23)
    available = np.ones((7, 3), dtype=bool)
    available[:, 1] = False
    mdp = MDP(P, R, 1.0, horizon=3, available=available)
    env = mdp.to_env(render_mode="rgb_array")
    obs, info = env.reset(seed=0)
    assert info["action_mask"].tolist() == [1, 0, 1]
    ended = [env.step(1)[3] for _ in range(3)]  # counts as action number 1 mod 2 of two: 2
    assert ended == [False, False, True]
    assert env.render().ndim == 3  # type: ignore[union-attr]
    assert "state" in str(mdp.to_env(render_mode="ansi").render())
    with pytest.raises(ValueError, match="action 3 does not exist"):
        env.step(3)
    with pytest.raises(ValueError, match="render_mode"):
        mdp.to_env(render_mode="human")
    terminal = MDP(
        P,
        R,
        GAMMA,
        available=np.zeros((7, 3), bool) | (np.arange(7) > 0)[:, None],
        start=np.eye(7)[0],
    )
    with pytest.raises(ValueError, match="start in state 0"):
        terminal.to_env()
    frozen = MDP.generate("frozenlake-4x4").to_env(render_mode="rgb_array")
    frozen.reset(seed=0)
    assert frozen.render().shape[2] == 3  # type: ignore[union-attr]
    with pytest.raises(gymnasium.error.ResetNeeded):
        mdp.to_env().step(0)


def test_environment_in_c_follows_the_model() -> None:
    P, R = problem(25, 4, 2)
    env = MDP(P, R, GAMMA).to_vec_env(8, seed=3, max_episode_steps=50)
    assert env.observation_space.shape == (4,) and env.action_space == gymnasium.spaces.Discrete(2)
    env.reset()
    count = np.zeros((4, 2, 4))
    rng = np.random.default_rng(0)
    limits = 0
    for _ in range(4000):
        before, actions = env.states_now(), rng.integers(2, size=8)
        _, rewards, dones, infos = env.step(actions)
        assert np.allclose(rewards, R[before, actions], atol=1e-6)
        for i in range(8):
            last = infos[i].get("terminal_observation")
            limits += infos[i]["TimeLimit.truncated"]
            after = env.states_now()[i] if last is None else int(last.argmax())
            count[before[i], actions[i], after] += 1
    assert limits == 8 * 80
    share = count / count.sum(2, keepdims=True)
    assert np.abs(share - P).max() < 0.04
    again = pickle.loads(pickle.dumps(env))
    assert again.num_envs == 8 and np.array_equal(again.mdp.next, env.mdp.next)
    with pytest.raises(ValueError, match="n_envs is 0"):
        env.mdp.to_vec_env(0)
    with pytest.raises(celsius.errors.UnsupportedError, match="to_env"):
        env.get_images()


def test_learners_on_a_problem_and_their_certificates() -> None:
    mdp = (
        MDP.generate("frozenlake-4x4", discount=0.9)
        if "discount" in {field.name for field in mdp_module.generator_fields("frozenlake-4x4")}
        else MDP.from_env(gymnasium.make("FrozenLake-v1"), 0.9)
    )
    model = celsius.SQL(
        "MlpPolicy",
        mdp.to_vec_env(4),
        gamma=0.9,
        ent_coef=0.1,
        learning_starts=500,
        policy_kwargs={"net_arch": []},
        learning_rate=0.02,
        train_freq=1,
        seed=0,
    )
    model.learn(12000)
    certificate = celsius.certify(model)
    measure = certificate["soft_return"]
    exact = mdp.solve(alpha=0.1, gamma=0.9)
    assert measure.exact == pytest.approx(exact.J, abs=1e-7)
    assert certificate.pi is not None
    value = mdp.evaluate(certificate.pi, alpha=0.1, gamma=0.9)
    assert measure.learned == pytest.approx(value.J, abs=1e-7)
    assert exact.J - value.J < 0.05 * abs(exact.J)
    with pytest.raises(ValueError, match="which is for run folders"):
        celsius.certify(model, which="best")
    foreign = celsius.PPO("MlpPolicy", mdp.to_env(), n_steps=32, batch_size=32)
    foreign.learn(32)
    with pytest.raises(celsius.errors.UnsupportedError, match="not one of the library's"):
        celsius.certify(foreign)


# ---- pictures


def test_plots(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    mdp = MDP.generate("frozenlake-4x4")
    solution = mdp.solve()
    assert isinstance(solution.plot(), Figure)
    picture = solution.plot(backend="png", path=tmp_path / "lake.svg", title="Lake", width=300)
    assert isinstance(picture, celsius.Picture) and picture.png[:4] == b"\x89PNG"
    assert "<svg" in (tmp_path / "lake.svg").read_text()
    picture.save(tmp_path / "lake.png")
    assert (tmp_path / "lake.png").read_bytes() == picture.png == picture._repr_png_()
    points = mdp.sweep([0.0, 0.1, 1.0])
    assert isinstance(celsius.plot_sweep(points), Figure)
    assert isinstance(celsius.plot_sweep(points, backend="png"), celsius.Picture)
    learned = mdp.q_learning(rounds=50, exact=solution)
    assert isinstance(celsius.plot_error(learned), Figure)
    assert isinstance(celsius.plot_error(learned, backend="png"), celsius.Picture)
    with pytest.raises(ValueError, match="grid"):
        MDP.generate("garnet").plot(np.zeros(100))
    with pytest.raises(ValueError, match="backend 'gif'"):
        solution.plot(backend="gif")
    with pytest.raises(ValueError, match="png|svg"):
        solution.plot(path=tmp_path / "lake.gif")


def test_sweep_points_equal_the_command(tmp_path: Path) -> None:
    from celsius._pictures import sweep_points

    mdp = MDP.generate("frozenlake-4x4")
    point = sweep_points([mdp.solve(alpha=0.1)])[0]
    answer = json.loads(run("solve", "frozenlake-4x4", "--alpha", 0.1, "--json"))
    assert point["value"] == pytest.approx(answer["value_start"])
    assert point["hard_return"] == pytest.approx(answer["hard_return"], abs=1e-8)


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real = builtins.__import__

    def no_matplotlib(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_matplotlib)
    solution = MDP.generate("frozenlake-4x4").solve()
    assert isinstance(solution.plot(), celsius.Picture)
    with pytest.raises(ModuleNotFoundError, match="pip install matplotlib"):
        solution.plot(backend="matplotlib")


# ---- certificates of agents, checks of the theory


def test_certify_a_run(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(
        "train",
        "sql",
        "--env",
        "FrozenLake-v1",
        "--steps",
        3000,
        "--net-arch",
        "[]",
        "--quiet",
        "--eval-episodes",
        2,
        "--out",
        out,
    )
    certificate = celsius.certify(out)
    answer = json.loads(run("certify", out, "--json"))
    rows_of_command = answer["measures"]
    assert [measure.name for measure in certificate] == list(rows_of_command)
    for measure in certificate:
        row = rows_of_command[measure.name]
        for key in ("exact", "learned", "off"):
            value = row[key]
            expected = np.nan if value is None else value
            assert getattr(measure, key) == pytest.approx(expected, nan_ok=True)
    pi, V = certificate.pi, certificate.V
    assert pi is not None and V is not None
    mdp = MDP.from_env(gymnasium.make("FrozenLake-v1"), certificate.gamma)
    assert np.allclose(mdp.evaluate(pi, alpha=certificate.alpha).V, V, atol=1e-6)
    assert isinstance(certificate.plot(backend="png"), celsius.Picture)
    assert certificate["soft_return"].label
    with pytest.raises(KeyError, match="soft_return"):
        certificate["hard_reward"]
    with pytest.raises(FileNotFoundError):
        celsius.certify(tmp_path / "missing")
    with pytest.raises(TypeError, match="run folder"):
        celsius.certify(3)
    alone = celsius.certify(out, which="final", alpha=0.5)
    assert alone.alpha == 0.5


def test_verify(tmp_path: Path) -> None:
    seen: list[celsius.Check] = []
    report = celsius.verify("soft-q-learning", quick=True, row=seen.append)
    assert report.failed == 0 and tuple(seen) == report.checks
    assert all(check.passed and check.note == "soft-q-learning" for check in report.checks)
    report.write_html(tmp_path / "page.html")
    assert "<html" in (tmp_path / "page.html").read_text()
    assert f"{len(report.checks)} checks, 0 failed" in repr(report) and len(report.checks) > 50
    with pytest.raises(ValueError, match="note"):
        celsius.verify("soft-q-lerning")


# ---- tables


def test_tables(tmp_path: Path) -> None:
    import pandas as pd

    out = tmp_path / "runs"
    run(
        "train",
        "ppo",
        "--env",
        "CartPole-v1",
        "--steps",
        600,
        "--n-steps",
        100,
        "--log-every",
        200,
        "--batch-size",
        100,
        "--eval-every",
        300,
        "--eval-episodes",
        2,
        "--seeds",
        "1,2",
        "--quiet",
        "--out",
        out,
    )
    frame = celsius.tables.progress(out)
    assert isinstance(frame, pd.DataFrame)
    assert sorted(frame["run"].unique()) == ["seed-1", "seed-2"]
    one = celsius.tables.progress(out / "seed-1")
    reference = pd.read_csv(out / "seed-1" / "progress.csv")
    pd.testing.assert_frame_equal(one, reference.astype(float), check_dtype=False)
    assert "eval/mean_reward" in celsius.tables.columns(out / "seed-1" / "progress.csv")
    assert len(celsius.tables.evaluations(out / "seed-1")) == 2
    with pytest.raises(FileNotFoundError, match="no such folder"):
        celsius.tables.progress(tmp_path / "missing")
    with pytest.raises(FileNotFoundError, match="seed-K"):
        celsius.tables.progress(tmp_path)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "progress.csv").write_text("a,b\n1,2\nx,2\n1")
    with pytest.raises(ValueError, match="line 3: 'x' is not a number"):
        celsius.tables.progress(tmp_path / "bad")
    (tmp_path / "bad" / "progress.csv").write_text("a,b\n1,\n3,4\n5")
    assert np.isnan(celsius.tables.progress(tmp_path / "bad")["b"][0])
    assert isinstance(celsius.plot_runs(out, backend="png"), celsius.Picture)
    assert celsius.plot_runs([out / "seed-1"], key="train/loss").axes
    with pytest.raises(ValueError, match="no column|no such column"):
        celsius.plot_runs(out, key="train/los")


# ---- threads and memory


def test_threads_solve_at_once() -> None:
    """A call releases the interpreter lock; each thread has its own interrupt hook and errors."""
    mdps = [MDP.generate("garnet", states=300, seed=seed) for seed in range(1, 5)]
    alone = [mdp.solve(alpha=0.2).V.copy() for mdp in mdps]
    found: list[Any] = [None] * 8
    errors: list[Any] = []

    def work(k: int) -> None:
        for _ in range(20):
            found[k] = mdps[k % 4].solve(alpha=0.2).V.copy()
            try:
                mdps[k % 4].solve(alpha=-float(k + 1))
            except ValueError as error:
                if f"-{k + 1}" not in str(error):
                    errors.append(str(error))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for k in range(8):
        assert np.array_equal(found[k], alone[k % 4])


def test_no_leak() -> None:
    P, R = problem(24, 60, 4)

    def resident() -> int:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cycle(n: int) -> None:
        for _ in range(n):
            mdp = MDP(P, R, GAMMA)
            solution = mdp.solve()
            mdp.evaluate(solution.pi)
            mdp.q_learning(rounds=5)
        gc.collect()

    cycle(50)
    tracemalloc.start()
    before, traced = resident(), tracemalloc.get_traced_memory()[0]
    cycle(300)
    assert tracemalloc.get_traced_memory()[0] - traced < 200_000
    tracemalloc.stop()
    assert resident() - before < 8 << 20


def test_total_rewards() -> None:
    """The gambler's ruin with a fair coin: from i of 4, the chance to win is i / 4."""
    P = np.zeros((5, 1, 5))
    P[0, 0, 0] = P[4, 0, 4] = 1
    for i in (1, 2, 3):
        P[i, 0, [i - 1, i + 1]] = 0.5
    mdp = MDP(P, np.zeros((5, 1)), 1.0)
    won = mdp.solve_total([4], alpha=0)
    assert won.certified and won.lower is not None and won.upper is not None
    assert np.all(won.lower <= np.arange(5) / 4) and np.all(won.upper >= np.arange(5) / 4)
    assert np.max(won.upper - won.lower) <= 1e-8
    same = mdp.solve_total(np.arange(5) == 4, alpha=0, objective="probability")
    assert np.array_equal(same.V, won.V)
    # The mean number of tosses from i until the end is i (4 - i).
    cost = MDP(P, np.where(np.isin(np.arange(5), (1, 2, 3)), -1.0, 0.0)[:, None], 1.0)
    tosses = cost.solve_total("0 | 4", alpha=0)
    assert np.allclose(tosses.V, [0, -3, -4, -3, 0], atol=1e-8)
    assert np.allclose(cost.solve_total([0, 4], alpha=0, steps=1).V, [0, -1, -1, -1, 0])
    assert mdp.solve_total([4], alpha=0, minimize=True).J_bounds is not None
    assert cost.solve_total([4], alpha=0).infinite.startswith("-infinity in 4 states")
    with pytest.raises(ValueError, match="target state 5 does not exist"):
        mdp.solve_total([5])
    with pytest.raises(ValueError, match="give booleans or numbers"):
        mdp.solve_total([0.5])
    with pytest.raises(ValueError, match="goal"):
        mdp.solve_total("goal")

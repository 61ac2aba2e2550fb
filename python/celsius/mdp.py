"""Finite problems (MDPs): exact solutions with certified errors.

    import celsius

    mdp = celsius.mdp.MDP(transitions, rewards, discount=0.95)
    solution = mdp.solve(alpha=0.1)
    print(solution.V, solution.bound)

A problem has S states. Each state has its own actions; a state without actions is terminal, and its
value is 0. A (state, action) is a pair. Pairs are numbered state by state, so values per pair, such
as Q and policies, are arrays of shape (pairs,). `MDP.table` turns them into (S, A).

The temperature alpha has the unit reward per nat. alpha = 0 is the ordinary, unregularized problem.
Q does not contain the immediate entropy, V does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _model
from ._fields import Config, Field, rows
from ._interrupt import interruptible
from ._model import Floats, Ints
from ._native import (
    array_view,
    check,
    contiguous,
    ffi,
    keep_raised,
    lib,
    own,
    own_result,
    path_bytes,
    pointer,
    text,
)  # fmt: skip

if TYPE_CHECKING:
    from ._mdp_env import MDPEnv
    from ._mdp_vec_env import MDPVecEnv
    from ._pictures import Figure

__all__ = [
    "MDP", "Certificate", "ConservativeStep", "Evaluation", "Guarantee", "Improvement", "QLearning",
    "Solution", "formats", "generators",
]  # fmt: skip

Path = str | os.PathLike[str]

_FORMATS = {
    "auto": lib.CEL_MDP_AUTO,
    **{
        text(lib.cel_mdp_format_at(i).name): lib.cel_mdp_format_at(i).format
        for i in range(64)
        if lib.cel_mdp_format_at(i) != ffi.NULL
    },
}
_METHODS = {
    "sweeps": lib.CEL_EVALUATE_SWEEPS,
    "direct": lib.CEL_EVALUATE_DIRECT,
    "krylov": lib.CEL_EVALUATE_KRYLOV,
}


def formats() -> dict[str, str]:
    """Returns the file formats by name, each with one line about it."""
    found = {}
    i = 0
    while (row := lib.cel_mdp_format_at(i)) != ffi.NULL:
        found[text(row.name)] = text(row.doc)
        i += 1
    return found


def generators() -> dict[str, str]:
    """Returns the generators of problems by name, each with one line about it."""
    found = {}
    i = 0
    while (row := lib.cel_mdp_generator_at(i)) != ffi.NULL:
        found[text(row.name)] = text(row.doc)
        i += 1
    return found


def generator_fields(name: str) -> list[Field]:
    """Returns the settings of a generator. Raises ValueError for an unknown name."""
    out = ffi.new("CelMdpGenerator **")
    check(lib.cel_mdp_generator_find(name.encode(), out))
    return list(rows(out[0].fields)) if out[0].fields else []


def _choice(table: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in table:
        raise ValueError(f"{what} {name!r} does not exist; choose one of {', '.join(table)}")
    return table[name]


def _gamma(gamma: float | None) -> float:
    return float("nan") if gamma is None else float(gamma)


def _solve_config(
    progress: Callable[[dict[str, Any]], bool | None] | None, **settings: Any
) -> tuple[Config, Any]:
    """Settings of a solver, and the handle that must live as long as it runs."""
    config = Config(lib.cel_solve_fields(), ffi.new("CelSolveConfig *"))
    for name, value in settings.items():
        config.set(name, value)
    handle = ffi.new_handle(progress)
    if progress is not None:
        config.data.progress = lib.celpy_solving
        config.data.user = handle
    return config, handle


class Solution:
    """A solution of a problem. Arrays are read-only views; values are in reward units.

    With an infinite horizon, `V` has shape (S,), `Q` and `pi` (pairs,). With horizon T they have a
    first axis of T times, t = 0 first.
    """

    def __init__(self, mdp: MDP, c: Any) -> None:
        self._c = c
        self.mdp = mdp
        times = () if c.horizon == 0 else (int(c.horizon),)
        #: Values (S,) or (T, S), entropy included.
        self.V: Floats = array_view(c.V, (*times, c.states), np.float64, c)
        #: Values of pairs (pairs,) or (T, pairs), without the immediate entropy.
        self.Q: Floats = array_view(c.Q, (*times, c.pairs), np.float64, c)
        #: Optimal policy (pairs,) or (T, pairs). alpha = 0: greedy, uniform over ties.
        self.pi: Floats = array_view(c.pi, (*times, c.pairs), np.float64, c)
        self.alpha: float = c.alpha
        self.gamma: float = c.gamma
        self.horizon: int = c.horizon
        #: Expected value of the start, J = sum_s start(s) V(s), reward units.
        self.J: float = c.value_start
        #: Sup-norm of V - TV.
        self.residual: float = c.residual
        #: Upper bound on the sup-norm distance of V to the optimum, rounding included.
        self.bound: float = c.bound
        #: Bounds of the exact V (S,), which may be infinite; None unless from `solve_total`.
        self.lower: Floats | None = None
        self.upper: Floats | None = None
        #: Bounds of the exact J; None unless from `solve_total`.
        self.J_bounds: tuple[float, float] | None = None
        #: One sentence about values that are infinite, or "".
        self.infinite: str = ffi.string(c.infinite).decode()
        if c.lower != ffi.NULL:
            self.lower = array_view(c.lower, (c.states,), np.float64, c)
            self.upper = array_view(c.upper, (c.states,), np.float64, c)
            self.J_bounds = (c.value_lower, c.value_upper)
        #: True if `bound` is within the tolerance.
        self.certified: bool = c.certified
        self.iterations: int = c.iterations
        self.sweeps: int = c.sweeps
        self.seconds: float = c.seconds
        #: The method that ran, such as "newton".
        self.method: str = next(
            row for row in rows(lib.cel_solve_fields()) if row.name == "method"
        ).choices[int(c.method)]

    def __repr__(self) -> str:
        certified = "certified" if self.certified else "not certified"
        return (
            f"<Solution of {self.mdp.states} states: J={self.J:.10g}, alpha={self.alpha:g}, "
            f"gamma={self.gamma:g}, {self.method}, error at most {self.bound:.2g} ({certified})>"
        )

    def greedy(self) -> Ints:
        """Returns the most likely action of each state, (S,) or (T, S); -1 where there is none."""
        return self.mdp.greedy(self.pi)

    def save(self, path: Path) -> None:
        """Writes V, Q, pi and the summary as safetensors."""
        check(lib.cel_solution_save(self._c, path_bytes(path)))

    def plot(self, **options: Any) -> Figure:
        """Draws values and policy of a grid world. See `MDP.plot`."""
        if self.horizon:
            return self.mdp.plot(self.V[0], self.pi[0], **options)
        return self.mdp.plot(self.V, self.pi, **options)


class Evaluation:
    """Values of a policy: `V` (S,), `Q` (pairs,); with a horizon T (T, S), (T, pairs)."""

    def __init__(
        self, mdp: MDP, V: Floats, Q: Floats, bound: float, alpha: float, gamma: float
    ) -> None:
        self.mdp, self.V, self.Q, self.alpha, self.gamma = mdp, V, Q, alpha, gamma
        #: Certified sup-norm error of V; NaN with a horizon, where only rounding errs.
        self.bound = bound
        #: Expected value of the start, reward units.
        self.J = float(mdp.start @ (V if V.ndim == 1 else V[0]))

    def __repr__(self) -> str:
        return (
            f"<Evaluation: J={self.J:.10g}, alpha={self.alpha:g}, gamma={self.gamma:g}, error at "
            f"most {self.bound:.2g}>"
        )


class Improvement:
    """One step of (soft) policy improvement from a policy to `pi` (pairs,)."""

    def __init__(self, pi: Floats, before: Evaluation, after: Evaluation) -> None:
        self.pi, self.before, self.after = pi, before, after
        #: Gain of the expected value of the start, reward units.
        self.gain = after.J - before.J

    def __repr__(self) -> str:
        return f"<Improvement: J={self.before.J:.10g} -> {self.after.J:.10g}, gain {self.gain:.3g}>"


class _Struct:
    """A C struct of numbers as attributes."""

    _names: tuple[str, ...] = ()

    def __init__(self, c: Any) -> None:
        for name in self._names:
            setattr(self, name, getattr(c, name))

    def as_dict(self) -> dict[str, Any]:
        """Returns the attributes as a dictionary."""
        return {name: getattr(self, name) for name in self._names}

    def __repr__(self) -> str:
        parts = [
            f"{name}={value:.6g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in self.as_dict().items()
        ]
        return f"<{type(self).__name__}: {', '.join(parts)}>"


class ConservativeStep(_Struct):
    """A step of conservative policy iteration; see cel_conservative_iteration."""

    J: float
    J_next: float
    surrogate: float
    eps: float
    distance: float
    drift_penalty: float
    rounding: float
    lower_bound: float
    held: bool
    gap: float
    stopped: bool
    _names = (
        "J", "J_next", "surrogate", "eps", "distance", "drift_penalty", "rounding", "lower_bound",
        "held", "gap", "stopped",
    )  # fmt: skip


class Guarantee(_Struct):
    """The exact gain of a policy update, and a lower bound that is certain before the update."""

    J: float
    J_next: float
    eps: float
    advantage: float
    surrogate: float
    penalty: float
    rounding: float
    bound: float
    gain: float
    held: bool
    _names = (
        "J", "J_next", "eps", "advantage", "surrogate", "penalty", "rounding", "bound", "gain",
        "held",
    )  # fmt: skip


class Certificate:
    """The error of any Q: `residual` is the sup-norm of TQ - Q, `bound` one of Q - Q*."""

    def __init__(self, residual: float, bound: float, alpha: float, gamma: float) -> None:
        self.residual, self.bound, self.alpha, self.gamma = residual, bound, alpha, gamma

    def __repr__(self) -> str:
        return (
            f"<Certificate: Q is within {self.bound:.6g} of the optimum, residual "
            f"{self.residual:.6g}>"
        )


class QLearning:
    """The result of tabular soft Q-learning. Arrays are read-only views."""

    def __init__(self, mdp: MDP, c: Any, history: list[tuple[Any, ...]]) -> None:
        self._c = c
        self.mdp = mdp
        self.Q: Floats = array_view(c.Q, (c.pairs,), np.float64, c)
        self.V: Floats = array_view(c.V, (c.states,), np.float64, c)
        self.pi: Floats = array_view(c.pi, (c.pairs,), np.float64, c)
        #: Samples of each pair (pairs,).
        self.visits: Ints = array_view(c.visits, (c.pairs,), np.int64, c)
        self.alpha: float = c.alpha
        self.gamma: float = c.gamma
        self.J: float = c.value_start
        self.residual: float = c.residual
        #: Certified bound of the sup-norm of Q - Q*.
        self.bound: float = c.bound
        self.rounds: int = c.rounds
        self.samples: int = c.samples
        #: Pairs that were never sampled.
        self.unvisited: int = c.unvisited
        self.seconds: float = c.seconds
        #: Certificates during learning: columns round, samples, residual, bound, and error, the
        #: sup-norm of Q - Q* (NaN without `exact`).
        self.history = np.array(
            history,
            [
                ("round", "i8"),
                ("samples", "i8"),
                ("residual", "f8"),
                ("bound", "f8"),
                ("error", "f8"),
            ],
        )

    def __repr__(self) -> str:
        return (
            f"<QLearning: {self.samples} samples, J={self.J:.10g}, Q is within {self.bound:.4g} of "
            f"the optimum, {self.unvisited} pairs unvisited>"
        )


class MDP:
    """A finite problem. It is validated once and then constant.

    transitions: probabilities of the next states, as one of
      - an array (S, A, S): transitions[s, a, s'],
      - a list of A SciPy sparse matrices (S, S), one per action,
      - one SciPy sparse matrix (S * A, S), whose row s * A + a is action a of state s.
    rewards: (S,), (S, A) or (S, A, S), or sparse in the same forms as transitions.
    discount: gamma in [0, 1]; 1 needs a horizon. horizon: steps of an episode; 0: infinite.
    available: bool (S, A), actions that exist; None: all. A state without one is terminal.
    ends: bool (S,), states that end the episode when entered (their value does not count).
    start: (S,) initial distribution; None: uniform over states with actions.

    Any index type and any SciPy format is accepted. Rows may be off by 1e-5 and are divided by
    their sum. Raises ValueError with the state and the action.
    """

    def __init__(
        self,
        transitions: Any,
        rewards: Any,
        discount: float,
        *,
        horizon: int = 0,
        available: ArrayLike | None = None,
        ends: ArrayLike | None = None,
        start: ArrayLike | None = None,
        name: str = "",
    ) -> None:
        self._open(
            _built(
                _model.from_arrays(transitions, rewards, available, ends, start),
                discount, horizon, name,
            )
        )  # fmt: skip

    def _open(self, c: Any) -> None:
        self._c = c
        self.states: int = c.states
        self.pairs: int = c.pairs
        self.transitions: int = c.transitions
        #: Largest number of actions of a state.
        self.max_actions: int = c.max_actions
        self.discount: float = c.discount
        self.horizon: int = c.horizon
        self.name: str = text(c.name)
        #: One sentence about a part of the file that the problem does not use, or "".
        self.left_out: str = text(c.left_out)
        P, T = self.pairs, self.transitions
        #: (S + 1,) first pair of each state.
        self.pair: Ints = array_view(c.pair, (self.states + 1,), np.int64, c)
        #: (pairs + 1,) first transition of each pair.
        self.row: Ints = array_view(c.row, (P + 1,), np.int64, c)
        narrow = c.next32 != ffi.NULL
        #: (transitions,) next states.
        self.next: NDArray[Any] = array_view(
            c.next32 if narrow else c.next64, (T,), np.uint32 if narrow else np.int64, c
        )
        #: (transitions,) probabilities; each row sums to 1.
        self.probability: Floats = array_view(c.probability, (T,), np.float64, c)
        #: (pairs,) r(s,a), the mean over the row.
        self.reward: Floats = array_view(c.reward, (P,), np.float64, c)
        #: (transitions,) r(s,a,s'), or None: r(s,a) for every next state.
        self.reward_next: Floats | None = (
            array_view(c.reward_next, (T,), np.float64, c) if c.reward_next else None
        )
        #: (transitions,) 1: the episode ends there. None: it never does.
        self.ends: NDArray[np.uint8] | None = (
            array_view(c.ends, (T,), np.uint8, c) if c.ends else None
        )
        #: (S,) initial distribution.
        self.start: Floats = array_view(c.start, (self.states,), np.float64, c)
        #: (pairs,) state and action number of each pair.
        self.pair_state: Ints = np.repeat(np.arange(self.states), np.diff(self.pair))
        self.pair_action: Ints = (
            array_view(c.action, (P,), np.int32, c).astype(np.int64)
            if c.action
            else np.arange(P) - self.pair[self.pair_state]
        )
        self.pair_state.flags.writeable = self.pair_action.flags.writeable = False
        #: Number of columns of `table`: 1 + the largest action number.
        self.actions: int = int(self.pair_action.max()) + 1 if P else 0

    @classmethod
    def _from(cls, c: Any) -> MDP:
        mdp = cls.__new__(cls)
        mdp._open(c)
        return mdp

    @classmethod
    def from_env(
        cls, env: Any, discount: float, *, horizon: int = 0, start: ArrayLike | None = None,
        name: str = "",
    ) -> MDP:  # fmt: skip
        """Takes Gymnasium's table: an environment with `P` (toy text), or the dictionary itself.

        P[s][a] is a list of (probability, next state, reward, terminated). The initial distribution
        is `start`, or the environment's `initial_state_distrib`, or uniform.
        """
        base = getattr(env, "unwrapped", env)
        table = getattr(base, "P", None)
        if table is None:
            if not isinstance(env, Mapping | list | tuple):
                raise TypeError(
                    f"{type(base).__name__} has no table P of transitions; Gymnasium's toy-text "
                    "environments have one"
                )
            table = env
        if start is None:
            start = getattr(base, "initial_state_distrib", None)
        spec = getattr(base, "spec", None)
        name = name or (spec.id if spec is not None else "")
        return cls._from(_built(_model.from_table(table, start), discount, horizon, name))

    @classmethod
    def load(
        cls, path: Path, *, format: str = "auto", discount: float | None = None,
        horizon: int | None = None, reward: str = "",
    ) -> MDP:  # fmt: skip
        """Loads a file: safetensors, Gymnasium's JSON, Cassandra's .mdp, PRISM's .tra, ...

        discount, horizon: None takes the file's own. reward: a reward structure, by name or number.
        `formats()` lists the formats.
        """
        options = ffi.new("CelMdpLoadOptions *", lib.cel_mdp_load_options_default())
        options.format = _choice(_FORMATS, format, "format")
        if discount is not None:
            options.discount = discount
        if horizon is not None:
            options.horizon = horizon
        if len(reward.encode()) >= lib.CEL_TEXT_MAX:
            raise ValueError(f"reward has more than {lib.CEL_TEXT_MAX - 1} bytes")
        options.reward = reward.encode()
        return cls._from(own(lib.cel_mdp_load_with, lib.cel_mdp_destroy, path_bytes(path), options))

    @classmethod
    def generate(cls, generator: str, **settings: Any) -> MDP:
        """Makes a problem, such as MDP.generate("garnet", states=100, seed=3).

        `generators()` lists the generators, `generator_fields(name)` their settings.
        """
        out = ffi.new("CelMdpGenerator **")
        check(lib.cel_mdp_generator_find(generator.encode(), out))
        info = out[0]
        config = Config.of_size(info.fields, int(info.config_size)) if info.fields else None
        for name, value in settings.items():
            if config is None:
                raise ValueError(f"{generator} has no setting {name!r}")
            config.set(name, value)
        data = config.data if config is not None else ffi.NULL
        return cls._from(own(lib.cel_mdp_generate, lib.cel_mdp_destroy, generator.encode(), data))

    def __repr__(self) -> str:
        horizon = f", horizon {self.horizon}" if self.horizon else ""
        name = f" {self.name!r}" if self.name else ""
        return (
            f"<MDP{name}: {self.states} states, {self.pairs} pairs, {self.transitions} "
            f"transitions, discount {self.discount:g}{horizon}>"
        )

    def __reduce__(self) -> Any:
        arrays = (
            np.array(self.pair), np.array(self.row), np.array(self.next, np.int64),
            np.array(self.probability),
            None if self.reward_next is not None else np.array(self.reward),
            None if self.reward_next is None else np.array(self.reward_next),
            None if self.ends is None else np.array(self.ends), np.array(self.pair_action),
            np.array(self.start),
        )  # fmt: skip
        return _rebuilt, (arrays, self.discount, self.horizon, self.name)

    def save(self, path: Path, *, format: str = "auto") -> None:
        """Writes a file, completely or not at all. "auto": by the name's ending."""
        kind = _choice(_FORMATS, format, "format")
        check(lib.cel_mdp_save(self._c, path_bytes(path), kind))

    # ---- arrays

    def table(self, values: ArrayLike, fill: float = float("nan")) -> Floats:
        """Turns values per pair (pairs,) or (T, pairs) into (S, A) or (T, S, A).

        `fill` is the value of actions that a state does not have.
        """
        array = np.asarray(values)
        if array.shape[-1:] != (self.pairs,):
            raise ValueError(f"values have shape {array.shape}; the last axis must be {self.pairs}")
        out = np.full((*array.shape[:-1], self.states, self.actions), fill)
        out[..., self.pair_state, self.pair_action] = array
        return out

    def flat(self, table: ArrayLike) -> Floats:
        """Turns a table (S, A) or (T, S, A) into values per pair (pairs,) or (T, pairs)."""
        array = np.asarray(table, np.float64)
        if array.shape[-2:] != (self.states, self.actions):
            raise ValueError(
                f"the table has shape {array.shape}; the last axes must be "
                f"{(self.states, self.actions)}"
            )
        return np.ascontiguousarray(array[..., self.pair_state, self.pair_action])

    def greedy(self, values: ArrayLike) -> Ints:
        """Returns the action number of the largest value of each state; -1 where there is none.

        values: (pairs,) or (T, pairs). Of equal values the first counts. Returns (S,) or (T, S).
        """
        table = self.table(values, -np.inf)
        best = table.argmax(axis=-1)
        has = np.diff(self.pair) > 0
        return np.asarray(np.where(has, best, -1), np.int64)

    def dense(self) -> tuple[Floats, Floats]:
        """Returns transitions (S, A, S) and rewards (S, A).

        Missing actions have zeros. Transitions that end the episode are left out, so such a row
        sums to less than 1: values are r + gamma P V.
        """
        P = np.zeros((self.states, self.actions, self.states))
        p = np.repeat(np.arange(self.pairs), np.diff(self.row))
        weight = self.probability if self.ends is None else self.probability * (self.ends == 0)
        np.add.at(P, (self.pair_state[p], self.pair_action[p], self.next.astype(np.int64)), weight)
        return P, self.table(self.reward, 0.0)

    def to_sparse(self) -> Any:
        """Returns the transitions as a SciPy CSR matrix (pairs, S), without those that end."""
        from scipy import sparse

        weight = self.probability if self.ends is None else self.probability * (self.ends == 0)
        matrix = sparse.csr_matrix(
            (np.array(weight), self.next.astype(np.int64), np.array(self.row)),
            shape=(self.pairs, self.states),
        )
        matrix.sum_duplicates()
        return matrix

    def uniform(self) -> Floats:
        """Returns the policy (pairs,) that takes every action equally often."""
        counts = np.diff(self.pair).astype(np.float64)
        return np.asarray(1.0 / counts[self.pair_state])

    def policy(self, pi: ArrayLike) -> Floats:
        """Returns a policy as probabilities per pair, (pairs,) or (T, pairs).

        pi: (pairs,), a table (S, A), both with a first axis of times, or whole numbers (S,), the
        action of each state (any number in states without actions).
        """
        array = np.asarray(pi)
        if array.dtype.kind in "iu" and array.shape == (self.states,):
            return self._deterministic(array)
        if array.shape[-2:] == (self.states, self.actions) and array.shape[-1:] != (self.pairs,):
            rest = np.asarray(array, np.float64).copy()
            rest[..., self.pair_state, self.pair_action] = 0.0
            if np.any(np.nan_to_num(rest)):
                s, a = np.argwhere(np.nan_to_num(rest))[0][-2:]
                raise ValueError(
                    f"the policy takes action {a} in state {s}, which has no such action"
                )
            return self.flat(array)
        if array.shape[-1:] != (self.pairs,):
            raise ValueError(
                f"the policy has shape {array.shape}; it must be ({self.pairs},) for pairs, "
                f"({self.states}, {self.actions}) for states and actions, or ({self.states},) of "
                "whole numbers"
            )
        return np.ascontiguousarray(array, np.float64)

    def _deterministic(self, actions: NDArray[Any]) -> Floats:
        pi: Floats = np.equal(self.pair_action, actions[self.pair_state]).astype(np.float64)
        chosen = np.bincount(self.pair_state, pi, self.states)
        wrong = np.flatnonzero((chosen == 0) & (np.diff(self.pair) > 0))
        if wrong.size:
            s = wrong[0]
            raise ValueError(f"state {s} has no action {actions[s]}")
        return pi

    # ---- solving

    def solve(
        self,
        *,
        alpha: float = 0.1,
        gamma: float | None = None,
        method: str = "auto",
        tolerance: float = 1e-9,
        max_iterations: int = 0,
        max_seconds: float = 0.0,
        threads: int = 1,
        progress: Callable[[dict[str, Any]], bool | None] | None = None,
    ) -> Solution:
        """Solves the problem with a certified error.

        alpha: temperature, reward units per nat; 0: unregularized. gamma: None takes the problem's.
        method: "auto", "vi", "gauss-seidel", "mpi", "pi", "newton" or "backward".
        tolerance: certified sup-norm error of V, relative to max(1, max |V|).
        max_iterations, max_seconds: 0: no limit. A solve that stops early is not certified, but its
        bound is valid. threads: any number gives the same bits.
        progress: called with a dictionary as the solve proceeds; returning False stops it.
        """
        config, handle = _solve_config(
            progress, alpha=alpha, gamma="auto" if gamma is None else gamma, method=method,
            tolerance=tolerance, max_iterations=max_iterations, max_seconds=max_seconds,
            threads=threads,
        )  # fmt: skip
        with interruptible():
            c = own_result(lib.cel_solve, lib.cel_solution_destroy, self._c, config.data)
        del handle  # alive until here
        return Solution(self, c)

    def states_where(self, expression: str) -> NDArray[np.bool_]:
        """Returns (states,): where an expression over labels holds, such as "goal & !trap | 17"."""
        found = np.zeros(self.states, np.uint8)
        check(lib.cel_mdp_states_where(self._c, expression.encode(), pointer(found), ffi.NULL))
        return found.astype(np.bool_)

    def solve_total(
        self,
        target: str | ArrayLike | None = None,
        *,
        minimize: bool = False,
        objective: str = "auto",
        unreached: str = "auto",
        steps: int = 0,
        alpha: float = 0.1,
        method: str = "auto",
        tolerance: float = 1e-9,
        max_iterations: int = 0,
        max_seconds: float = 0.0,
        threads: int = 1,
        progress: Callable[[dict[str, Any]], bool | None] | None = None,
    ) -> Solution:
        """Solves the problem without a discount, with bounds `lower` and `upper` of every value.

        target: states in which an episode ends: an expression over labels (see `states_where`), a
        boolean array (states,), or numbers of states; None: where episodes end. minimize: the
        smallest value instead of the largest. objective: "reward" until the target is reached, or
        the "probability" of reaching it; "auto": the reward, or the probability if all rewards are
        0. unreached: the reward of a path that never reaches the target: "sum", "forbidden" or
        "infinite"; "auto" as in the command. steps: count only the first steps; 0: no limit.
        The other arguments are those of `solve`.
        """
        config, handle = _solve_config(
            progress, alpha=alpha, gamma="auto", method=method, tolerance=tolerance,
            max_iterations=max_iterations, max_seconds=max_seconds, threads=threads,
        )  # fmt: skip
        config.data.gamma = 1
        total = Config(lib.cel_total_fields(), ffi.new("CelTotalConfig *"))
        for name, value in (
            ("objective", objective), ("min", minimize), ("unreached", unreached), ("steps", steps),
        ):  # fmt: skip
            total.set(name, value)
        ends = self._target(target)
        with interruptible():
            c = own_result(
                lib.cel_solve_total, lib.cel_solution_destroy, self._c,
                ffi.NULL if ends is None else pointer(ends), total.data, config.data,
            )  # fmt: skip
        del handle  # alive until here
        return Solution(self, c)

    def _target(self, target: str | ArrayLike | None) -> NDArray[np.uint8] | None:
        """Target states as bytes (states,), or None."""
        if target is None:
            return None
        if isinstance(target, str):
            return self.states_where(target).astype(np.uint8)
        states = np.asarray(target)
        if states.dtype == np.bool_:
            return contiguous(states, np.uint8, (self.states,))
        if states.size and not np.issubdtype(states.dtype, np.integer):
            raise ValueError(f"target has type {states.dtype}; give booleans or numbers of states")
        numbers = states.astype(np.int64).ravel()
        outside = numbers[(numbers < 0) | (numbers >= self.states)]
        if outside.size:
            raise ValueError(
                f"target state {outside[0]} does not exist; states are 0 to {self.states - 1}"
            )
        ends = np.zeros(self.states, np.uint8)
        ends[numbers] = 1
        return ends

    def sweep(self, alphas: ArrayLike, **settings: Any) -> list[Solution]:
        """Solves the problem at each temperature. settings: those of `solve`."""
        return [
            self.solve(alpha=float(alpha), **settings) for alpha in np.ravel(np.asarray(alphas))
        ]

    def evaluate(
        self,
        pi: ArrayLike,
        *,
        alpha: float = 0.1,
        gamma: float | None = None,
        method: str = "sweeps",
        tolerance: float = 1e-9,
        horizon: int | None = None,
    ) -> Evaluation:
        """Computes the values of a policy: V = E_pi[Q - alpha log pi].

        pi: see `policy`. method: "sweeps", "direct" (sparse LU) or "krylov".
        horizon: None takes the problem's; with T > 0, pi may differ by time, (T, pairs).
        """
        T = self.horizon if horizon is None else int(horizon)
        probabilities = self.policy(pi)
        if T < 0:
            raise ValueError(f"horizon is {T}; it must be at least 0")
        used = self.discount if gamma is None else float(gamma)
        if T == 0:
            probabilities = contiguous(probabilities, np.float64, (self.pairs,))
            V, Q, bound = np.empty(self.states), np.empty(self.pairs), ffi.new("double *")
            with interruptible():
                status = lib.cel_mdp_evaluate(
                    self._c, pointer(probabilities), alpha, _gamma(gamma),
                    _choice(_METHODS, method, "method"), tolerance, pointer(V), pointer(Q), bound,
                )  # fmt: skip
            check(status)
            return Evaluation(self, V, Q, bound[0], alpha, used)
        if probabilities.ndim == 1:
            probabilities = np.broadcast_to(probabilities, (T, self.pairs))
        probabilities = contiguous(probabilities, np.float64, (T, self.pairs))
        V, Q = np.empty((T, self.states)), np.empty((T, self.pairs))
        with interruptible():
            status = lib.cel_mdp_evaluate_horizon(
                self._c, pointer(probabilities), alpha, _gamma(gamma), T, pointer(V), pointer(Q)
            )
        check(status)
        return Evaluation(self, V, Q, float("nan"), alpha, used)

    def state_distribution(self, pi: ArrayLike, steps: int) -> Floats:
        """Returns (steps + 1, S), the state distribution at each time from the start.

        Episodes that ended leave it, so a row may sum to less than 1.
        """
        if steps < 0:
            raise ValueError(f"steps is {steps}; it must be at least 0")
        probabilities = contiguous(self.policy(pi), np.float64, (self.pairs,))
        out = np.empty((steps + 1, self.states))
        with interruptible():
            status = lib.cel_state_distribution(
                self._c, pointer(probabilities), steps, pointer(out)
            )
        check(status)
        return out

    def discounted_distribution(
        self, pi: ArrayLike, *, gamma: float | None = None, method: str = "krylov",
        tolerance: float = 1e-9,
    ) -> Floats:  # fmt: skip
        """Returns d (S,) = (1 - gamma) sum_t gamma^t p_t, with an L1 error of at most tolerance."""
        probabilities = contiguous(self.policy(pi), np.float64, (self.pairs,))
        out = np.empty(self.states)
        with interruptible():
            status = lib.cel_discounted_distribution(
                self._c, pointer(probabilities), self.discount if gamma is None else gamma,
                _choice(_METHODS, method, "method"), tolerance, pointer(out),
            )  # fmt: skip
        check(status)
        return out

    # ---- improving

    def improve(
        self,
        pi: ArrayLike,
        *,
        alpha: float = 0.1,
        gamma: float | None = None,
        within: ArrayLike | None = None,
        rectangular: bool = True,
        weight: ArrayLike | None = None,
        tolerance: float = 1e-9,
    ) -> Improvement:
        """Improves a policy once: evaluates it, then projects softmax(Q / alpha).

        alpha = 0: the greedy policy. within: a class of policies (count, pairs); None: all
        policies. rectangular, weight: see `project`. No value falls where the class is rectangular
        and holds pi.
        """
        before = self.evaluate(pi, alpha=alpha, gamma=gamma, tolerance=tolerance, horizon=0)
        if alpha == 0.0:
            if within is not None:
                raise ValueError("within needs alpha > 0, because the projection divides by alpha")
            better = self.policy_of_q(before.Q, alpha=0.0)
        else:
            better = self.project(
                before.Q, alpha=alpha, within=within, rectangular=rectangular, weight=weight
            )
        after = self.evaluate(better, alpha=alpha, gamma=gamma, tolerance=tolerance, horizon=0)
        return Improvement(better, before, after)

    def project(
        self, Q: ArrayLike, *, alpha: float = 0.1, within: ArrayLike | None = None,
        rectangular: bool = True, weight: ArrayLike | None = None,
    ) -> Floats:  # fmt: skip
        """Returns the policy (pairs,) of a class that is nearest to softmax(Q / alpha) in KL.

        within: (count, pairs); None: all policies. rectangular: each state may use another policy
        of the class; otherwise one policy is selected by the sum over states, weighted by `weight`
        (S,).
        """
        values = contiguous(Q, np.float64, (self.pairs,))
        weights = None if weight is None else contiguous(weight, np.float64, (self.states,))
        policies = None if within is None else contiguous(within, np.float64, (-1, self.pairs))
        group = ffi.NULL
        if policies is not None:
            group = ffi.new("CelPolicyClass *")
            group.count, group.rectangular = policies.shape[0], rectangular
            kept = pointer(policies)
            group.policies = kept
        out = np.empty(self.pairs)
        check(
            lib.cel_policy_project(
                self._c, pointer(values), alpha, group, pointer(weights), pointer(out)
            )
        )
        return out

    def policy_of_q(self, Q: ArrayLike, *, alpha: float = 0.1) -> Floats:
        """Returns softmax(Q / alpha) (pairs,). alpha = 0: uniform over the maxima."""
        values, out = contiguous(Q, np.float64, (self.pairs,)), np.empty(self.pairs)
        _at_least_0("alpha", alpha)
        lib.cel_policy_of_q(self._c, pointer(values), alpha, pointer(out))
        return out

    def value_of_q(self, Q: ArrayLike, *, alpha: float = 0.1) -> Floats:
        """Returns V (S,) = alpha log sum exp(Q / alpha). alpha = 0: max."""
        values, out = contiguous(Q, np.float64, (self.pairs,)), np.empty(self.states)
        _at_least_0("alpha", alpha)
        lib.cel_value_of_q(self._c, pointer(values), alpha, pointer(out))
        return out

    def q_of_v(self, V: ArrayLike, *, gamma: float | None = None) -> Floats:
        """Returns Q (pairs,) = r + gamma E[V(s')]."""
        values, out = contiguous(V, np.float64, (self.states,)), np.empty(self.pairs)
        lib.cel_q_of_v(
            self._c, pointer(values), self.discount if gamma is None else gamma, pointer(out)
        )
        return out

    def policy_gradient(
        self, pi: ArrayLike, *, alpha: float = 0.1, gamma: float | None = None,
        natural: bool = False, horizon: int | None = None, discounted: bool = True,
    ) -> Floats:  # fmt: skip
        """Returns the exact gradient (pairs,) of J with respect to the logits of pi.

        natural: the natural gradient, for an infinite horizon. horizon: None takes the problem's.
        discounted: with a horizon, False leaves out gamma^t, as most implementations do.
        """
        probabilities = contiguous(self.policy(pi), np.float64, (self.pairs,))
        T = self.horizon if horizon is None else horizon
        out = np.empty(self.pairs)
        if T == 0:
            if not discounted:
                raise ValueError("discounted=False needs a horizon")
            with interruptible():
                status = lib.cel_policy_gradient(
                    self._c, pointer(probabilities), alpha, _gamma(gamma), natural, pointer(out)
                )
        elif natural:
            raise ValueError("natural=True is only for an infinite horizon")
        else:
            with interruptible():
                status = lib.cel_policy_gradient_horizon(
                    self._c, pointer(probabilities), alpha, _gamma(gamma), T, discounted,
                    pointer(out),
                )  # fmt: skip
        check(status)
        return out

    def conservative_iteration(
        self,
        pi: ArrayLike | None = None,
        *,
        gamma: float | None = None,
        tolerance: float = 1e-9,
        max_iterations: int = 0,
        step: Callable[[int, ConservativeStep], bool | None] | None = None,
    ) -> tuple[Floats, ConservativeStep]:
        """Runs conservative policy iteration (alpha = 0) from pi (None: uniform). J never falls.

        step: called after each iteration, counted from 0; returning False ends it.
        Returns the policy (pairs,) and the last step.
        """
        config = Config(lib.cel_conservative_fields(), ffi.new("CelConservativeConfig *"))
        config.set("gamma", "auto" if gamma is None else gamma)
        config.set("tolerance", tolerance)
        config.set("max_iterations", max_iterations)
        handle = ffi.new_handle(step)
        if step is not None:
            config.data.step = lib.celpy_conservative
            config.data.user = handle
        given = self.uniform() if pi is None else self.policy(pi)
        out = contiguous(given, np.float64, (self.pairs,)).copy()
        last = ffi.new("CelConservativeStep *")
        with interruptible():
            status = lib.cel_conservative_iteration(self._c, config.data, pointer(out), last)
        check(status)
        return out, ConservativeStep(last)

    def guarantee(
        self, pi: ArrayLike, pi_next: ArrayLike, *, gamma: float | None = None
    ) -> Guarantee:
        """Computes the exact gain of an update from pi to pi_next, and its certified bound."""
        old = contiguous(self.policy(pi), np.float64, (self.pairs,))
        new = contiguous(self.policy(pi_next), np.float64, (self.pairs,))
        step = ffi.new("CelGuaranteeStep *")
        with interruptible():
            status = lib.cel_policy_guarantee(
                self._c, pointer(old), pointer(new), _gamma(gamma), step
            )
        check(status)
        return Guarantee(step)

    # ---- learning

    def certify(
        self, Q: ArrayLike, *, alpha: float = 0.1, gamma: float | None = None
    ) -> Certificate:
        """Computes how far any Q (pairs,) is from the optimum."""
        values = contiguous(Q, np.float64, (self.pairs,))
        residual, bound = ffi.new("double *"), ffi.new("double *")
        used = self.discount if gamma is None else float(gamma)
        check(lib.cel_q_certificate(self._c, pointer(values), alpha, used, residual, bound))
        return Certificate(residual[0], bound[0], alpha, used)

    def q_learning(
        self,
        *,
        alpha: float = 0.1,
        gamma: float | None = None,
        rounds: int = 100000,
        sampling: str = "synchronous",
        behavior: str = "boltzmann",
        epsilon: float = 0.1,
        episode_steps: int = 1000,
        step: str = "rescaled",
        omega: float = 0.8,
        step_size: float = 0.1,
        seed: int = 1,
        points: int = 4,
        max_seconds: float = 0.0,
        exact: Solution | None = None,
        progress: Callable[[dict[str, Any]], bool | None] | None = None,
    ) -> QLearning:
        """Learns Q from sampled transitions, and certifies its error with the exact model.

        rounds: each samples as many transitions as there are pairs. sampling: "synchronous" (every
        pair once) or "asynchronous" (one trajectory; behavior "boltzmann" or "uniform", fraction
        epsilon of random actions, restarts after episode_steps). step: "rescaled", "polynomial"
        (exponent omega) or "constant" (step_size). points: certificates per factor of ten of
        rounds. exact: a solution at the same temperature, to record the error of Q in `history`.
        progress: called with a dictionary; returning False stops.
        """
        if exact is not None and exact.Q.shape != (self.pairs,):
            raise ValueError(f"exact.Q has shape {exact.Q.shape}; it must be ({self.pairs},)")
        config = Config(lib.cel_q_learning_fields(), ffi.new("CelQLearningConfig *"))
        for name, value in (
            ("alpha", alpha), ("gamma", "auto" if gamma is None else gamma), ("rounds", rounds),
            ("sampling", sampling), ("behavior", behavior), ("epsilon", epsilon),
            ("episode_steps", episode_steps), ("step", step), ("omega", omega),
            ("step_size", step_size), ("seed", seed), ("points", points),
            ("max_seconds", max_seconds),
        ):  # fmt: skip
            config.set(name, value)
        history: list[tuple[Any, ...]] = []
        handle = ffi.new_handle((progress, history, None if exact is None else exact.Q))
        config.data.progress = lib.celpy_q_learning
        config.data.user = handle
        with interruptible():
            c = own_result(lib.cel_q_learning, lib.cel_q_learning_destroy, self._c, config.data)
        return QLearning(self, c, history)

    # ---- environment and pictures

    def to_env(self, *, render_mode: str | None = None) -> MDPEnv:
        """Returns the problem as a Gymnasium environment with Discrete spaces."""
        from ._mdp_env import MDPEnv

        return MDPEnv(self, render_mode=render_mode)

    def to_vec_env(
        self, n_envs: int = 1, *, seed: int = 0, max_episode_steps: int | None = None
    ) -> MDPVecEnv:
        """Returns copies of the problem as an environment in C, which learners step without Python.

        Observations are one-hot (S,), so every learner with discrete actions takes them.
        max_episode_steps: a time limit; None: the horizon, or none.
        """
        from ._mdp_vec_env import MDPVecEnv

        if n_envs < 1:
            raise ValueError(f"n_envs is {n_envs}; it must be at least 1")
        limit = -1 if max_episode_steps is None else max_episode_steps
        return MDPVecEnv(self, n_envs, seed, limit)

    def plot(
        self, V: ArrayLike, pi: ArrayLike | None = None, *, title: str = "",
        path: Path | None = None, backend: str | None = None, **options: Any,
    ) -> Figure:  # fmt: skip
        """Draws V (S,) as colors and pi (pairs,) as arrows on the problem's grid.

        Returns a matplotlib figure where matplotlib is installed, else a picture with its PNG
        bytes. backend: "matplotlib" or "png" selects one. path: also writes a PNG or SVG file.
        options: `width`, `arrows`, `numbers`. Raises ValueError for a problem without a grid.
        """
        from ._pictures import plot_grid

        return plot_grid(self, V, pi, title=title, path=path, backend=backend, **options)


def _built(given: _model.Rows, discount: float, horizon: int, name: str) -> Any:
    """Builds the C problem from rows. Every array that C reads is kept until the call ends."""
    arrays = ffi.new("CelMdpArrays *")
    label = ffi.new("char[]", name.encode())
    if given.start is not None and given.start.shape != (given.states,):
        raise ValueError(f"start has shape {given.start.shape}; it must be ({given.states},)")
    for what, values, size in (
        ("rewards", given.reward, given.row.size - 1),
        ("rewards", given.reward_next, given.next.size),
        ("ends", given.ends, given.next.size),
    ):  # fmt: skip
        if values is not None and values.shape != (size,):
            raise ValueError(f"{what} have shape {values.shape}; it must be ({size},)")
    kept: dict[str, Any] = {
        "pair": (given.pair, np.int64), "row": (given.row, np.int64),
        "next": (given.next, np.int64), "probability": (given.probability, np.float64),
        "reward": (given.reward, np.float64), "reward_next": (given.reward_next, np.float64),
        "ends": (given.ends, np.uint8), "action": (given.action, np.int64),
        "start": (given.start, np.float64),
    }  # fmt: skip
    pointers = {
        field: pointer(None if values is None else np.ascontiguousarray(values, dtype))
        for field, (values, dtype) in kept.items()
    }
    arrays.states, arrays.discount, arrays.horizon = given.states, discount, horizon
    arrays.name = label
    for field, address in pointers.items():
        setattr(arrays, field, address)
    return own(lib.cel_mdp_from_arrays, lib.cel_mdp_destroy, arrays)


def _rebuilt(arrays: tuple[Any, ...], discount: float, horizon: int, name: str) -> MDP:
    """Makes the problem of a pickle."""
    pair, row, next_states, probability, reward, reward_next, ends, action, start = arrays
    given = _model.Rows(
        int(pair.size) - 1, pair, row, next_states, probability, reward, reward_next, ends, action,
        start,
    )  # fmt: skip
    return MDP._from(_built(given, discount, horizon, name))


def _at_least_0(name: str, value: float) -> None:
    if not 0.0 <= value < float("inf"):
        raise ValueError(f"{name} is {value}; it must be a finite number of at least 0")


# ---- callbacks


def _stop(kind: Any, exception: Any, traceback: Any) -> bool:
    keep_raised(kind, exception, traceback)
    return False


@ffi.def_extern(onerror=_stop)
def celpy_solving(user: Any, now: Any) -> bool:
    report = {
        "method": text(now.method), "iteration": now.iteration, "sweeps": now.sweeps,
        "residual": now.residual, "bound": now.bound, "seconds": now.seconds,
        "fraction": now.fraction,
    }  # fmt: skip
    return ffi.from_handle(user)(report) is not False


@ffi.def_extern(onerror=_stop)
def celpy_q_learning(user: Any, now: Any) -> bool:
    progress, history, exact = ffi.from_handle(user)
    if now.scheduled:
        error = float("nan")
        if exact is not None:
            Q = np.frombuffer(ffi.buffer(now.Q, 8 * exact.size), np.float64)
            error = float(np.abs(Q - exact).max(initial=0.0))
        history.append((now.round, now.samples, now.residual, now.bound, error))
    if progress is None:
        return True
    report = {
        "round": now.round, "samples": now.samples, "residual": now.residual, "bound": now.bound,
        "unvisited": now.unvisited, "seconds": now.seconds, "fraction": now.fraction,
        "scheduled": now.scheduled,
    }  # fmt: skip
    return progress(report) is not False


@ffi.def_extern(onerror=_stop)
def celpy_conservative(user: Any, iteration: int, step: Any) -> bool:
    return ffi.from_handle(user)(iteration, ConservativeStep(step)) is not False

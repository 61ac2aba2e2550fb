"""What the calls of a finite problem return: solutions, evaluations, certificates."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from ._fields import rows
from ._model import Floats, Ints
from ._native import array_view, check, ffi, lib, path_bytes

if TYPE_CHECKING:
    from ._pictures import Figure
    from .mdp import MDP

Path = str | os.PathLike[str]


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

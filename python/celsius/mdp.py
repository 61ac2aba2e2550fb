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
from ._mdp_arrays import Problem, built
from ._mdp_results import (
    Certificate,
    ConservativeStep,
    Evaluation,
    Guarantee,
    Improvement,
    QLearning,
    Solution,
)
from ._model import Floats
from ._native import (
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


class MDP(Problem):
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
            built(
                _model.from_arrays(transitions, rewards, available, ends, start),
                discount, horizon, name,
            )
        )  # fmt: skip

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
        return cls._from(built(_model.from_table(table, start), discount, horizon, name))

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


def _rebuilt(arrays: tuple[Any, ...], discount: float, horizon: int, name: str) -> MDP:
    """Makes the problem of a pickle."""
    pair, row, next_states, probability, reward, reward_next, ends, action, start = arrays
    given = _model.Rows(
        int(pair.size) - 1, pair, row, next_states, probability, reward, reward_next, ends, action,
        start,
    )  # fmt: skip
    return MDP._from(built(given, discount, horizon, name))


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

"""A finite problem in C, and its arrays as NumPy views. `mdp.MDP` solves it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _model
from ._model import Floats, Ints
from ._native import array_view, ffi, lib, own, pointer, text


class Problem:
    """Base of MDP: what the problem is, and conversions between pairs and tables."""

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


def built(given: _model.Rows, discount: float, horizon: int, name: str) -> Any:
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

"""Finite problems from NumPy and SciPy arrays: everything becomes rows of transitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass
class Rows:
    """A problem as the C library takes it (CelMdpArrays). Pairs are numbered state by state."""

    states: int
    pair: Ints  # (states + 1,) first pair of each state
    row: Ints  # (pairs + 1,) first transition of each pair
    next: Ints  # (transitions,)
    probability: Floats  # (transitions,)
    reward: Floats | None  # (pairs,)
    reward_next: Floats | None  # (transitions,)
    ends: NDArray[np.uint8] | None  # (transitions,)
    action: Ints | None  # (pairs,)
    start: Floats | None  # (states,)


@dataclass
class _Entries:
    """Transitions of all (state, action) in state-major order: row s * A + a."""

    states: int
    actions: int
    row: Ints  # (transitions,) rising
    next: Ints
    probability: Floats


def is_sparse(value: Any) -> bool:
    """True for matrices and arrays of scipy.sparse, without importing it."""
    return hasattr(value, "tocoo") and hasattr(value, "nnz")


def _is_sparse_list(value: Any) -> bool:
    return isinstance(value, Sequence) and len(value) > 0 and all(is_sparse(v) for v in value)


def floats(values: Any, what: str) -> Floats:
    """Returns an array of doubles. Complex numbers, texts and ragged lists are errors."""
    try:
        return np.asarray(np.asarray(values).astype(np.float64, casting="same_kind"))
    except (TypeError, ValueError) as wrong:
        raise TypeError(f"{what} must be numbers: {wrong}") from None


def _coo(matrix: Any, shape: tuple[int, int], what: str) -> tuple[Ints, Ints, Floats]:
    if tuple(matrix.shape) != shape:
        raise ValueError(f"{what} has shape {tuple(matrix.shape)}; it must be {shape}")
    coo = matrix.tocoo()
    row = np.asarray(coo.row).astype(np.int64)
    return row, np.asarray(coo.col).astype(np.int64), floats(coo.data, what)


def _from_entries(
    row: Ints, column: Ints, data: Floats, states: int, actions: int
) -> _Entries:  # fmt: skip
    if np.any(row[1:] < row[:-1]):  # the order within a row does not matter
        order = np.argsort(row, kind="stable")
        row, column, data = row[order], column[order], data[order]
    return _Entries(states, actions, row, column, data)


def _from_sparse_list(matrices: Sequence[Any], what: str) -> _Entries:
    states, actions = int(matrices[0].shape[0]), len(matrices)
    parts = [_coo(m, (states, states), f"{what}[{a}]") for a, m in enumerate(matrices)]
    row = np.concatenate([part[0] * actions + a for a, part in enumerate(parts)])
    column = np.concatenate([part[1] for part in parts])
    data = np.concatenate([part[2] for part in parts])
    return _from_entries(row, column, data, states, actions)


def _from_sparse(matrix: Any, what: str) -> _Entries:
    pairs, states = (int(n) for n in matrix.shape)
    if states < 1 or pairs % states != 0 or pairs == 0:
        raise ValueError(
            f"{what} has shape {(pairs, states)}; it must be (states * actions, states), with row "
            "s * actions + a for action a of state s"
        )
    return _from_entries(*_coo(matrix, (pairs, states), what), states, pairs // states)


def _from_dense(values: Any, what: str) -> _Entries:
    array = floats(values, what)
    if array.ndim != 3 or array.shape[0] != array.shape[2] or array.shape[1] < 1:
        raise ValueError(
            f"{what} has shape {array.shape}; it must be (states, actions, states), a list of one "
            "SciPy matrix (states, states) per action, or one matrix (states * actions, states)"
        )
    states, actions = array.shape[:2]
    flat = array.reshape(states * actions, states)
    row, column = np.nonzero(flat)
    return _Entries(states, actions, row, column, flat[row, column])


def _entries(values: Any, what: str) -> _Entries:
    if is_sparse(values):
        return _from_sparse(values, what)
    if _is_sparse_list(values):
        return _from_sparse_list(values, what)
    return _from_dense(values, what)


def _lookup(values: _Entries, of: _Entries) -> Floats:
    """Returns the entries of `values` at the transitions of `of`; 0 where there is none.

    Repeated entries add up, as in SciPy.
    """
    width = np.int64(of.states)
    if of.states and values.row.size and int(values.row[-1]) > (2**62) // of.states:
        raise ValueError("the problem has too many states and actions to look up rewards")
    keys = values.row * width + values.next
    unique, inverse = np.unique(keys, return_inverse=True)
    total = np.bincount(inverse, values.probability, unique.size) if keys.size else np.zeros(0)
    wanted = of.row * width + of.next
    place = np.searchsorted(unique, wanted)
    place_in = np.minimum(place, max(unique.size - 1, 0))
    found = (
        unique[place_in] == wanted if unique.size else np.zeros(wanted.size, dtype=bool)
    )  # fmt: skip
    out = np.zeros(wanted.size)
    out[found] = total[place_in[found]]
    return out


def _rewards(values: Any, of: _Entries) -> tuple[Floats | None, Floats | None]:
    """Returns r(s,a) (states * actions,) and r(s,a,s') (transitions,), of which one is None."""
    states, actions = of.states, of.actions
    if is_sparse(values) or _is_sparse_list(values):
        given = _entries(values, "rewards")
        if (given.states, given.actions) != (states, actions):
            raise ValueError(
                f"rewards are for {given.states} states and {given.actions} actions; the "
                f"transitions are for {states} and {actions}"
            )
        return None, _lookup(given, of)
    array = floats(values, "rewards")
    if array.shape == (states, actions, states):
        return None, array.reshape(states * actions, states)[of.row, of.next]
    if array.shape == (states, actions):
        return np.ascontiguousarray(array).reshape(-1), None
    if array.shape == (states,):
        return np.repeat(array, actions), None
    raise ValueError(
        f"rewards have shape {array.shape}; it must be (states,), (states, actions) or (states, "
        f"actions, states) with {states} states and {actions} actions"
    )


def _flags(values: Any, shape: tuple[int, ...], what: str) -> NDArray[np.bool_]:
    array = np.asarray(values)
    if array.dtype != np.bool_ or array.shape != shape:
        raise ValueError(
            f"{what} has type {array.dtype} and shape {array.shape}; it must be bool, {shape}"
        )
    return array


def from_arrays(
    transitions: Any, rewards: Any, available: Any = None, ends: Any = None, start: Any = None
) -> Rows:
    """Turns arrays into rows. See `MDP` for the shapes."""
    entries = _entries(transitions, "transitions")
    states, actions = entries.states, entries.actions
    reward, reward_next = _rewards(rewards, entries)
    kept: NDArray[np.bool_] | None = None
    if available is not None:
        kept = _flags(available, (states, actions), "available").reshape(-1)
    mask = np.ones(states * actions, dtype=bool) if kept is None else kept
    counts = np.bincount(entries.row, minlength=states * actions)[mask]
    there = mask[entries.row]
    flags = None
    if ends is not None:
        flags = _flags(ends, (states,), "ends")[entries.next][there].astype(np.uint8)
    per_state = mask.reshape(states, actions).sum(axis=1)
    return Rows(
        states=states,
        pair=np.concatenate([[0], np.cumsum(per_state)]).astype(np.int64),
        row=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        next=entries.next[there].astype(np.int64),
        probability=np.ascontiguousarray(entries.probability[there]),
        reward=None if reward is None else reward[mask],
        reward_next=None if reward_next is None else np.ascontiguousarray(reward_next[there]),
        ends=flags,
        action=None if kept is None else (np.flatnonzero(mask) % actions).astype(np.int64),
        start=None if start is None else floats(start, "start"),
    )


def _numbered(values: Any, what: str) -> list[tuple[int, Any]]:
    """Returns the entries of a dictionary by number, or of a list, in order."""
    pairs = list(values.items()) if isinstance(values, Mapping) else list(enumerate(values))
    if not all(isinstance(key, int | np.integer) and key >= 0 for key, _ in pairs):
        raise ValueError(f"{what} must have the keys 0, 1, 2, ...")
    return sorted(((int(key), value) for key, value in pairs), key=lambda pair: pair[0])


def from_table(table: Any, start: Any = None) -> Rows:
    """Turns Gymnasium's dictionary P[s][a] = [(probability, next, reward, terminated), ...]."""
    states = _numbered(table, "P")
    if [s for s, _ in states] != list(range(len(states))):
        raise ValueError(f"P must have the keys 0 to {len(states) - 1}, one per state")
    pair, row = [0], [0]
    found: list[tuple[Any, ...]] = []
    action: list[int] = []
    for s, actions in states:
        for a, outcomes in _numbered(actions, f"P[{s}]"):
            for outcome in outcomes:
                if len(outcome) != 4:
                    raise ValueError(
                        f"P[{s}][{a}] has an entry of {len(outcome)} values; it must have 4: "
                        "probability, next state, reward, terminated"
                    )
                found.append(tuple(outcome))
            row.append(len(found))
            action.append(a)
        pair.append(len(action))
    columns = list(zip(*found, strict=True)) if found else [(), (), (), ()]
    next_states = np.asarray(columns[1])
    if next_states.size and next_states.dtype.kind not in "iu":
        raise TypeError("next states of P must be whole numbers")
    return Rows(
        states=len(states),
        pair=np.array(pair, np.int64),
        row=np.array(row, np.int64),
        next=next_states.astype(np.int64),
        probability=floats(columns[0], "probabilities of P"),
        reward=None,
        reward_next=floats(columns[2], "rewards of P"),
        ends=np.array([bool(flag) for flag in columns[3]], np.uint8),
        action=np.array(action, np.int64),
        start=None if start is None else floats(start, "start"),
    )

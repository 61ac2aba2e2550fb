"""Gymnasium spaces as the library's. Observations become float32 vectors.

A part of an observation with discrete values becomes its one-hot vector, as in Stable-Baselines3.
Dict and Tuple become their parts one after another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ._native import ffi, lib
from .errors import UnsupportedError

Array = NDArray[Any]


def is_image(space: spaces.Space[Any]) -> bool:
    """Whether a space is an image: three dimensions of bytes from 0 to 255."""
    return (
        isinstance(space, spaces.Box)
        and len(space.shape) == 3
        and space.dtype == np.uint8
        and bool(np.all(space.low == 0) and np.all(space.high == 255))
    )


class _Part:
    """One part of an observation: `size` floats in a row."""

    def __init__(self, key: Any, space: spaces.Space[Any], name: str) -> None:
        self.key, self.space = key, space
        self.ones: Array | None = None  # offset of each one-hot group
        if is_image(space):
            raise UnsupportedError(
                f"{name} is an image, {space}; the library has no convolutions yet. Flatten it "
                "to a "
                "vector, for instance with gymnasium.wrappers.FlattenObservation, or use "
                "Stable-Baselines3's CnnPolicy"
            )
        if isinstance(space, (spaces.Box, spaces.MultiBinary)):
            self.size = int(np.prod(space.shape))
            self.start: Any = 0
        elif isinstance(space, spaces.Discrete):
            self.size = int(space.n)
            self.ones, self.start = np.zeros(1, np.int64), space.start
        elif isinstance(space, spaces.MultiDiscrete):
            counts = space.nvec.ravel().astype(np.int64)
            self.size = int(counts.sum())
            self.ones = np.concatenate([[0], np.cumsum(counts)[:-1]])
            self.start = space.start.ravel()
        else:
            raise UnsupportedError(
                f"{name} is {space}; use Box, Discrete, MultiDiscrete, MultiBinary, or Dict or "
                "Tuple "
                "of them"
            )

    def write(self, out: Array, values: Any) -> None:
        """out (n, size) float32 from n values of the space."""
        n = len(out)
        if self.ones is None:
            np.copyto(out, np.asarray(values).reshape(n, self.size), casting="unsafe")
            return
        chosen = np.asarray(values).reshape(n, len(self.ones)).astype(np.int64) - self.start
        out.fill(0)
        out[np.arange(n)[:, None], chosen + self.ones] = 1


def parts_of(space: spaces.Space[Any], name: str = "observation") -> list[_Part]:
    """The parts of an observation space in order. A nested Dict or Tuple is refused."""
    if isinstance(space, spaces.Dict):
        return [_Part(key, part, f"{name}[{key!r}]") for key, part in space.spaces.items()]
    if isinstance(space, spaces.Tuple):
        return [_Part(i, part, f"{name}[{i}]") for i, part in enumerate(space.spaces)]
    return [_Part(None, space, name)]


class Observations:
    """Writes observations of a Gymnasium space as rows of float32. `size`: floats in a row."""

    def __init__(self, space: spaces.Space[Any]) -> None:
        self.space = space
        self.parts = parts_of(space)
        self.size = sum(part.size for part in self.parts)
        self.plain = (
            len(self.parts) == 1 and self.parts[0].key is None and self.parts[0].ones is None
        )
        if self.size < 1:
            raise UnsupportedError(f"the observation space {space} has no elements")

    def write(self, out: Array, obs: Any) -> None:
        """out (n, size) from n observations: an array, or a dict or tuple of arrays."""
        if self.plain:
            if type(obs) is not np.ndarray or obs.shape != out.shape:
                obs = np.asarray(obs).reshape(out.shape)
            out[...] = obs
            return
        at = 0
        for part in self.parts:
            part.write(out[:, at : at + part.size], obs if part.key is None else obs[part.key])
            at += part.size

    def native(self) -> Any:
        """The library's space: a box, with the bounds of a Box space that has few elements."""
        if self.plain and isinstance(self.space, spaces.Box):
            return box(self.space.low, self.space.high)
        return ffi.new("CelSpace *", lib.cel_space_box(self.size, -np.inf, np.inf))

    def batch(self, obs: Any) -> tuple[int, bool]:
        """Returns how many observations there are, and whether they are a batch.

        Errors: ValueError where the shape does not fit the space.
        """
        part = self.parts[0]
        value = np.asarray(obs if part.key is None else obs[part.key])
        shape = part.space.shape or ()
        if value.shape == shape or (part.ones is not None and value.shape == () == shape):
            return 1, False
        if value.shape[1:] == shape:
            return len(value), True
        raise ValueError(
            f"Error: Unexpected observation shape {value.shape} for {part.space} environment, "
            f"please use {shape} or {('n_env', *shape)} for the observation shape."
        )


def box(low: Array, high: Array) -> Any:
    """A CelSpace of one box. More elements than have bounds of their own: unbounded."""
    low, high = np.asarray(low, np.float64).ravel(), np.asarray(high, np.float64).ravel()
    if low.size > lib.CEL_SPACE_BOUNDS_MAX:
        bounds = (low.min(), high.max()) if np.all(low == low[0]) and np.all(high == high[0]) else (
            -np.inf, np.inf)  # fmt: skip
        return ffi.new("CelSpace *", lib.cel_space_box(low.size, *bounds))
    return ffi.new(
        "CelSpace *",
        lib.cel_space_box_bounds(
            low.size, ffi.from_buffer("double[]", low), ffi.from_buffer("double[]", high)
        ),
    )


class Actions:
    """Actions of a Gymnasium space as rows of the library's: float32, int32 or bytes."""

    def __init__(self, space: spaces.Space[Any]) -> None:
        self.space = space
        self.shape: tuple[int, ...] = space.shape or ()
        self.start: Any = 0
        self.kind: np.dtype[Any]
        self.dtype: Any
        if isinstance(space, spaces.Box):
            self.kind, self.size = np.dtype(np.float32), int(np.prod(self.shape))
            self.c = box(space.low, space.high)
            self.dtype = space.dtype
        elif isinstance(space, spaces.Discrete):
            self.kind, self.size, self.dtype = np.dtype(np.int32), 1, np.dtype(np.int64)
            self.c = ffi.new("CelSpace *", lib.cel_space_discrete(int(space.n)))
            self.start = int(space.start)
        elif isinstance(space, spaces.MultiDiscrete):
            counts = np.ascontiguousarray(space.nvec.ravel(), np.int64)
            self.kind, self.size, self.dtype = np.dtype(np.int32), len(counts), space.dtype
            self.c = ffi.new(
                "CelSpace *",
                lib.cel_space_multi_discrete(len(counts), ffi.from_buffer("int64_t[]", counts)),
            )
            self.start = space.start.ravel()
        elif isinstance(space, spaces.MultiBinary):
            self.kind, self.size, self.dtype = (
                np.dtype(np.uint8),
                int(np.prod(self.shape)),
                space.dtype,
            )
            self.c = ffi.new("CelSpace *", lib.cel_space_multi_binary(self.size))
        else:
            raise UnsupportedError(
                f"the action space is {space}; use Box, Discrete, MultiDiscrete or MultiBinary"
            )
        self.shifted = bool(np.any(self.start))
        self.same_type, self.flat = self.kind == self.dtype, len(self.shape) == 1

    def rows(self, n: int) -> Array:
        """Memory for n actions of the library."""
        return np.zeros((n, self.size), self.kind)

    def read(self, rows: Array) -> Array:
        """Returns n actions of the Gymnasium space, in new memory."""
        actions = rows.copy() if self.same_type else rows.astype(self.dtype)
        if self.shifted:
            actions += self.start
        return actions if self.flat else actions.reshape((len(rows), *self.shape))

    def write(self, rows: Array, actions: Any) -> None:
        """The inverse of read."""
        values = np.asarray(actions).reshape(rows.shape)
        np.copyto(rows, values - self.start if self.shifted else values, casting="unsafe")


def describe(space: spaces.Space[Any]) -> dict[str, Any]:
    """A space as plain values, for files."""
    kind = type(space).__name__
    if isinstance(space, spaces.Box):
        flat = {"low": space.low.ravel().tolist(), "high": space.high.ravel().tolist()}
        for key, values in flat.items():
            if len(set(values)) == 1:
                flat[key] = values[:1]
        return {
            "kind": kind,
            "shape": list(space.shape),
            "dtype": np.dtype(space.dtype).str,
            **flat,
        }
    if isinstance(space, spaces.Discrete):
        return {"kind": kind, "n": int(space.n), "start": int(space.start)}
    if isinstance(space, spaces.MultiDiscrete):
        return {"kind": kind, "nvec": space.nvec.tolist(), "start": space.start.tolist(),
                "dtype": np.dtype(space.dtype).str}  # fmt: skip
    if isinstance(space, spaces.MultiBinary):
        return {
            "kind": kind,
            "n": list(space.shape) if len(space.shape) > 1 else int(space.shape[0]),
        }
    if isinstance(space, spaces.Dict):
        return {"kind": kind, "parts": {key: describe(part) for key, part in space.spaces.items()}}
    if isinstance(space, spaces.Tuple):
        return {"kind": kind, "parts": [describe(part) for part in space.spaces]}
    raise UnsupportedError(f"a file cannot hold the space {space}")


def restore(plain: dict[str, Any]) -> spaces.Space[Any]:
    """The inverse of `describe`."""
    kind = plain["kind"]
    if kind == "Box":
        shape, dtype = tuple(plain["shape"]), np.dtype(plain["dtype"])
        size = (int(np.prod(shape)),)
        low, high = (
            np.broadcast_to(np.asarray(plain[k], dtype), size).reshape(shape)
            for k in ("low", "high")
        )
        return spaces.Box(low, high, shape, dtype.type)
    if kind == "Discrete":
        return spaces.Discrete(plain["n"], start=plain["start"])
    if kind == "MultiDiscrete":
        return spaces.MultiDiscrete(
            plain["nvec"], np.dtype(plain["dtype"]).type, start=plain["start"]
        )
    if kind == "MultiBinary":
        return spaces.MultiBinary(plain["n"])
    if kind == "Dict":
        return spaces.Dict({key: restore(part) for key, part in plain["parts"].items()})
    if kind == "Tuple":
        return spaces.Tuple([restore(part) for part in plain["parts"]])
    raise UnsupportedError(f"the file names an unknown space, {kind!r}")

"""Schedules: values that depend on the part of training that remains, from 1 to 0."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


class ConstantSchedule:
    """The same value from start to end."""

    def __init__(self, val: float) -> None:
        self.val = val

    def __call__(self, progress_remaining: float) -> float:
        return self.val

    def __repr__(self) -> str:
        return f"ConstantSchedule(val={self.val})"


class LinearSchedule:
    """Goes from `start` to `end` in the first part `end_fraction` of training, then stays."""

    def __init__(self, start: float, end: float, end_fraction: float) -> None:
        self.start, self.end, self.end_fraction = start, end, end_fraction

    def __call__(self, progress_remaining: float) -> float:
        done = min((1.0 - progress_remaining) / self.end_fraction, 1.0)
        return self.start + (self.end - self.start) * done

    def __repr__(self) -> str:
        return (
            f"LinearSchedule(start={self.start}, end={self.end}, end_fraction={self.end_fraction})"
        )


class FloatSchedule:
    """A number or a function as a function that returns a float."""

    def __init__(self, value_schedule: float | Callable[[float], float]) -> None:
        self.value_schedule: Callable[[float], float]
        if isinstance(value_schedule, FloatSchedule):
            self.value_schedule = value_schedule.value_schedule
        elif callable(value_schedule):
            self.value_schedule = value_schedule
        else:
            self.value_schedule = ConstantSchedule(float(value_schedule))

    def __call__(self, progress_remaining: float) -> float:
        return float(self.value_schedule(progress_remaining))

    def __repr__(self) -> str:
        return f"FloatSchedule({self.value_schedule})"


def float_schedule(value: Any) -> Any:
    """Returns a FloatSchedule: of Stable-Baselines3 where the program has imported it.

    A text such as "lin_0.2", which the library reads, stays as it is.
    """
    if isinstance(value, str):
        return value
    theirs = getattr(sys.modules.get("stable_baselines3.common.utils"), "FloatSchedule", None)
    return (theirs or FloatSchedule)(value)


def without_float(value: Any) -> Any:
    """Returns what a FloatSchedule was made from; any other value unchanged."""
    value = getattr(value, "value_schedule", value)
    return value.val if type(value).__name__ == "ConstantSchedule" else value

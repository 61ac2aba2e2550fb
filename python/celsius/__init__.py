"""Celsius: maximum-entropy reinforcement learning in C, for Python.

The learners have the interface of Stable-Baselines3:

    import celsius

    model = celsius.SAC("MlpPolicy", "Pendulum-v1", verbose=1)
    model.learn(20_000)
    model.save("pendulum")
"""

from __future__ import annotations

from ._native import lib, text
from .errors import Error

__version__ = text(lib.cel_version())

__all__ = ["Error", "__version__"]

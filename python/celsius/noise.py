"""Noise added to actions, with Stable-Baselines3's classes and arguments.

Learners also take the classes of Stable-Baselines3 and any object with `__call__` and `reset`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]


class ActionNoise:
    """Noise in units of the action scaled to [-1, 1]."""

    def reset(self) -> None:
        """Starts a new episode."""

    def __call__(self) -> Array:
        raise NotImplementedError


class NormalActionNoise(ActionNoise):
    """Independent Gaussian noise. mean, sigma (A,)."""

    def __init__(self, mean: Array, sigma: Array, dtype: DTypeLike = np.float32) -> None:
        self._mu, self._sigma, self._dtype = mean, sigma, dtype

    def __call__(self) -> Array:
        return np.random.normal(self._mu, self._sigma).astype(self._dtype)

    def __repr__(self) -> str:
        return f"NormalActionNoise(mu={self._mu}, sigma={self._sigma})"


class OrnsteinUhlenbeckActionNoise(ActionNoise):
    """Noise that is correlated in time and returns to its mean. mean, sigma (A,)."""

    def __init__(
        self,
        mean: Array,
        sigma: Array,
        theta: float = 0.15,
        dt: float = 1e-2,
        initial_noise: Array | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self._mu, self._sigma, self._theta, self._dt = mean, sigma, theta, dt
        self.initial_noise, self._dtype = initial_noise, dtype
        self.reset()

    def reset(self) -> None:
        start = self.initial_noise
        self.noise_prev = np.zeros_like(self._mu) if start is None else start

    def __call__(self) -> Array:
        drift = self._theta * (self._mu - self.noise_prev) * self._dt
        spread = self._sigma * np.sqrt(self._dt) * np.random.normal(size=np.shape(self._mu))
        self.noise_prev = self.noise_prev + drift + spread
        return np.asarray(self.noise_prev).astype(self._dtype)

    def __repr__(self) -> str:
        return f"OrnsteinUhlenbeckActionNoise(mu={self._mu}, sigma={self._sigma})"


class VectorizedActionNoise(ActionNoise):
    """A copy of some noise for each of n environments."""

    def __init__(self, base_noise: ActionNoise, n_envs: int) -> None:
        if int(n_envs) < 1:
            raise ValueError(f"n_envs is {n_envs}; it must be at least 1")
        self.n_envs, self._base_noise = int(n_envs), base_noise
        self._noises: Sequence[ActionNoise] = [deepcopy(base_noise) for _ in range(self.n_envs)]

    @property
    def base_noise(self) -> ActionNoise:
        return self._base_noise

    @property
    def noises(self) -> Sequence[ActionNoise]:
        return self._noises

    def reset(self, indices: Iterable[int] | None = None) -> None:
        for i in range(self.n_envs) if indices is None else indices:
            self._noises[i].reset()

    def __call__(self) -> Array:
        return np.stack([noise() for noise in self._noises])

#!/usr/bin/env python3
"""Fits the polynomials of math_impl.h and prints them as C constants.

Each function is written as base(r) + factor(r) * P(s(r)). P minimizes the largest relative error of
the whole on an interval (Lawson's reweighted least squares on Chebyshev points). Coefficients are
rounded to float32 one at a time, lowest power first. After each, the remaining ones are fitted
again, so that rounding adds almost no error. Needs numpy and mpmath.
"""
import mpmath
import numpy as np


def fit(name, low, high, degree, f, base, factor, s=lambda r: r, weigh=None):
    n = 4000
    k = np.arange(n)
    r = 0.5 * (low + high) + 0.5 * (high - low) * np.cos(np.pi * (k + 0.5) / n)
    r = r[np.abs(r) > 1e-4 * max(abs(low), abs(high))]
    exact = np.array([float(f(mpmath.mpf(float(x))) - base(mpmath.mpf(float(x)))) for x in r])
    value = np.array([float(f(mpmath.mpf(float(x)))) for x in r])
    if weigh:
        value = 1 / weigh(r, value)
    weight = factor(r) / value
    target = exact / value
    powers = np.stack([s(r) ** i for i in range(degree + 1)], axis=1) * weight[:, None]
    fixed = []
    for i in range(degree + 1):
        rest = target - powers[:, :i] @ np.array(fixed) if i else target
        lawson = np.ones(len(r))
        for _ in range(300):
            root = np.sqrt(lawson)
            c = np.linalg.lstsq(powers[:, i:] * root[:, None], rest * root, rcond=None)[0]
            error = np.abs(powers[:, i:] @ c - rest)
            lawson = lawson * error
            lawson /= lawson.sum()
        fixed.append(float(np.float32(c[0])))
    error = np.abs(powers @ np.array(fixed) - target).max()
    print(f"// {name}: {'weighted' if weigh else 'relative'} error {error:.2e}")
    for c in fixed:
        print(f"  {c:.9e}f,")


mpmath.mp.dps = 40
half = 0.5 * np.log(2) * 1.0005
fit("exp(r) = 1 + r + r^2 P(r)", -half, half, 4, mpmath.expm1, lambda r: r, lambda r: r * r)
fit("log(1+f) = f - f^2/2 + f^3 P(f)", np.sqrt(0.5) - 1, np.sqrt(2) - 1, 8, mpmath.log1p,
    lambda f: f - f * f / 2, lambda f: f ** 3)
quarter = np.pi / 4
fit("sin(t) = t + t^3 P(t^2)", 0, quarter, 2, mpmath.sin, lambda t: t, lambda t: t ** 3,
    lambda t: t * t)
fit("cos(t) = 1 - t^2/2 + t^4 P(t^2)", 0, quarter, 2, mpmath.cos, lambda t: 1 - t * t / 2,
    lambda t: t ** 4, lambda t: t * t)


def normal_tail(t):
    """Phi(-x) exp(x^2/2) at x = (1/t - 1) / 0.3."""
    x = (1 / t - 1) / mpmath.mpf("0.3")
    return mpmath.erfc(x / mpmath.sqrt(2)) / 2 * mpmath.exp(x * x / 2)


def normal_weight(t, value):
    """Absolute error of Phi, and in its far tail 5e-5 of the relative error."""
    return np.maximum(np.exp(-((1 / t - 1) / 0.3) ** 2 / 2), 5e-5 / value)


fit("Phi(-x) exp(x^2/2) = t P(t), t = 1 / (1 + 0.3 x)", 1 / (1 + 0.3 * 14.3), 1, 7, normal_tail,
    lambda t: mpmath.mpf(0), lambda t: t, weigh=normal_weight)

#!/usr/bin/env python3
"""Fits the polynomials of explog_impl.h, prints them, and checks that the header has the same numbers.

Each function is base(x) + factor(x) P(s(x)). P minimizes the largest relative error of the whole function on an
interval (Remez exchange on a grid, in sixty digits):

    2^f = 1 + f P(f)                                  |f| <= 1/2
    log((1 + s)/(1 - s)) = 2 s + s z P(z), z = s^2    sqrt(1/2) <= (1 + s)/(1 - s) <= sqrt(2)

Intervals are 0.01 % longer than the range of the reduced argument. Coefficients are rounded to double. Needs mpmath
(installed with torch) and takes seconds. Exits with 1 if the header has other numbers.
"""
import os
import sys

import mpmath as mp

mp.mp.dps = 60
GRID = 4000
TINY = mp.mpf("1e-30")


def fit_at(x, f, weight, degree):
    """P of that degree whose weighted error has equal size and alternating signs at the points x."""
    n = degree + 2
    A, b = mp.matrix(n, n), mp.matrix(n, 1)
    for i in range(n):
        for j in range(degree + 1):
            A[i, j] = x[i] ** j
        A[i, degree + 1] = (-1) ** i / weight(x[i])
        b[i] = f(x[i])
    solution = mp.lu_solve(A, b)
    return [solution[j] for j in range(degree + 1)]


def extremes(error):
    """Indices of the largest errors between changes of sign."""
    found = []
    last = len(error) - 1
    for i, e in enumerate(error):
        left = i == 0 or abs(e) >= abs(error[i - 1]) or e * error[i - 1] < 0
        right = i == last or abs(e) >= abs(error[i + 1]) or e * error[i + 1] < 0
        if not (left and right):
            continue
        if found and error[found[-1]] * e > 0:
            if abs(e) > abs(error[found[-1]]):
                found[-1] = i
        else:
            found.append(i)
    return found


def remez(f, low, high, degree, weight, exchanges=12):
    """Coefficients, lowest power first, and the largest weighted error."""
    n = degree + 2
    x = [(low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * n)) for i in range(n)][::-1]
    grid = [low + (high - low) * mp.mpf(i) / GRID for i in range(GRID + 1)]
    exact, factor = [f(t) for t in grid], [weight(t) for t in grid]
    for _ in range(exchanges):
        c = fit_at(x, f, weight, degree)
        error = [(mp.polyval(c[::-1], t) - v) * w for t, v, w in zip(grid, exact, factor)]
        found = extremes(error)
        if len(found) < n:
            break
        while len(found) > n:
            found.pop(0 if abs(error[found[0]]) < abs(error[found[-1]]) else -1)
        x = [grid[i] for i in found]
    return c, max(abs(e) for e in error)


def exp2_part(f):
    log2 = mp.log(2)
    return (mp.power(2, f) - 1) / f if abs(f) > mp.mpf("1e-20") else log2 + f * log2 * log2 / 2


def log_part(z):
    s = mp.sqrt(z)
    if z < mp.mpf("1e-14"):
        return mp.mpf(2) / 3 + z * 2 / 5 + z * z * 2 / 7
    return (mp.log((1 + s) / (1 - s)) / s - 2) / z


def main():
    longer = mp.mpf("1.0001")
    most = (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)  # s with (1 + s)/(1 - s) = sqrt(2)
    log2 = mp.log(2)
    high = mp.floor(log2 * 2 ** 42) / 2 ** 42
    polynomials = [
        ("2^f = 1 + f P(f)", remez(exp2_part, -longer / 2, longer / 2, 10, lambda f: abs(f) / mp.power(2, f) + TINY)),
        ("log((1+s)/(1-s)) = 2s + s z P(z)", remez(log_part, mp.mpf(0), most ** 2 * longer, 6, lambda z: z / 2 + TINY)),
    ]
    numbers = []
    for name, (coefficients, error) in polynomials:
        print(f"{name}: relative error {mp.nstr(error, 3)}")
        numbers += [repr(float(c)) for c in coefficients]
        print(*(f"  {float(c)!r}" for c in coefficients), sep="\n")
    print(f"log 2 = {float(high).hex()} + {float(log2 - high)!r}")
    numbers.append(repr(float(log2 - high)))
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "explog_impl.h")) as file:
        header = file.read()
    other = [number for number in numbers if number not in header]
    print("explog_impl.h has the same numbers" if not other else f"explog_impl.h lacks {', '.join(other)}")
    return 1 if other else 0


if __name__ == "__main__":
    sys.exit(main())

"""Machine replacement and inventory from their equations, for tests/mdp/test_generators.c.

    python tests/golden/textbook_tables.py

writes textbook_tables.safetensors beside this file, laid out as gymnasium_tables.py says; actions that a state
does not have are rows of no transition. Probabilities are SciPy's; every row is summed up demand by demand, or shock
by shock.
"""
import pathlib

import numpy as np
import scipy
from gymnasium_tables import table, write
from scipy import stats

# arguments of a case
REPLACEMENT = {
    "machine": dict(states=20, shocks=3, wear=0.3, income=0, operating_cost=1, replacement_cost=15),
    "machine_shocks": dict(states=12, shocks=30, wear=0.1, income=7.5, operating_cost=0.25, replacement_cost=3),
    "machine_two": dict(states=2, shocks=1, wear=0.999, income=1, operating_cost=2, replacement_cost=1.5),
}
INVENTORY = {
    "stock": dict(capacity=20, price=8, fixed_cost=4, unit_cost=2, holding_cost=1, demand="poisson", demand_mean=5),
    "stock_small": dict(capacity=3, price=8, fixed_cost=4, unit_cost=2, holding_cost=1, demand="binomial",
                        demand_mean=1, demand_max=2),
    "stock_low": dict(capacity=12, price=3.5, fixed_cost=0, unit_cost=1, holding_cost=0.1, demand="poisson",
                      demand_mean=0.3),
    "stock_high": dict(capacity=9, price=10, fixed_cost=2, unit_cost=3, holding_cost=0, demand="poisson",
                       demand_mean=60),
    "stock_binomial": dict(capacity=15, price=5, fixed_cost=1, unit_cost=2, holding_cost=0.5, demand="binomial",
                           demand_mean=7.5, demand_max=25),
}


def replacement(c):
    worst = c["states"] - 1
    shocks = stats.binom(c["shocks"], c["wear"])

    def row(begins, reward):
        return [(shocks.pmf(i), min(begins + i, worst), reward, False) for i in range(c["shocks"] + 1)]

    rows = []
    for s in range(c["states"]):
        rows.append(row(s, c["income"] - c["operating_cost"] * s))
        rows.append(row(0, c["income"] - c["replacement_cost"]))
    return rows


def inventory(c):
    M = c["capacity"]
    demand = stats.poisson(c["demand_mean"]) if c["demand"] == "poisson" else stats.binom(
        c["demand_max"], c["demand_mean"] / c["demand_max"])
    most = c["demand_max"] if c["demand"] == "binomial" else int(c["demand_mean"] + 20 * c["demand_mean"]**0.5 + 60)
    rows = []
    for s in range(M + 1):
        for a in range(M + 1):
            if s + a > M:
                rows.append([])
                continue
            cost = (c["fixed_cost"] + c["unit_cost"] * a if a > 0 else 0) + c["holding_cost"] * (s + a)
            sold = sum(demand.pmf(d) * c["price"] * min(d, s + a) for d in range(most + 1))
            rows.append([(demand.pmf(d), max(s + a - d, 0), sold - cost, False) for d in range(most + 1)
                         if c["demand"] == "binomial" or demand.sf(d - 1) > 1e-16])
    return rows


def main():
    tables, arguments = {}, {}
    for generator, cases, make in [("replacement", REPLACEMENT, replacement), ("inventory", INVENTORY, inventory)]:
        for name, c in cases.items():
            states = c["states"] if generator == "replacement" else c["capacity"] + 1
            tables.update(table(name, make(c), np.eye(states)[0]))
            arguments[name] = " ".join([generator] + [f"{key}={value}" for key, value in c.items()])
    write(pathlib.Path(__file__).with_suffix(".safetensors"), tables, arguments, {"scipy": scipy.__version__})


if __name__ == "__main__":
    main()

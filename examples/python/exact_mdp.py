"""Solves a small inventory problem exactly, and checks what sampling learns.

    python3 exact_mdp.py [--alpha 0.1] [--plot sweep.png]

A shop holds 0 to 10 items. Every day it orders some, then customers buy a random number. Each state
has its own actions: the shop cannot hold more than 10 items.
"""

import argparse

import numpy as np

import celsius
from celsius.mdp import MDP

CAPACITY, PRICE, COST, STORAGE = 10, 4.0, 2.0, 0.2
DEMAND = np.array([0.2, 0.3, 0.25, 0.15, 0.1])  # probabilities of 0 to 4 customers


def inventory() -> MDP:
    """Returns the problem from dense arrays (S, A, S) and (S, A)."""
    size = CAPACITY + 1
    transitions = np.zeros((size, size, size))
    rewards = np.zeros((size, size))
    available = np.zeros((size, size), dtype=bool)
    for stock in range(size):
        for order in range(size - stock):
            available[stock, order] = True
            held = stock + order
            for customers, probability in enumerate(DEMAND):
                sold = min(customers, held)
                transitions[stock, order, held - sold] += probability
                rewards[stock, order] += probability * (PRICE * sold - STORAGE * (held - sold))
            rewards[stock, order] -= COST * order
    return MDP(transitions, rewards, discount=0.95, available=available, name="inventory")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alpha", type=float, default=0.1, help="temperature, reward per nat")
    parser.add_argument("--rounds", type=int, default=5000, help="rounds of Q-learning")
    parser.add_argument("--plot", help="PNG or SVG file for a sweep over temperatures")
    arguments = parser.parse_args()
    mdp = inventory()
    print(mdp)
    exact = mdp.solve(alpha=arguments.alpha)
    print(exact)
    print("orders of the most likely actions:", exact.greedy().tolist())

    always_two = np.minimum(2, CAPACITY - np.arange(mdp.states))
    print("always order two: ", mdp.evaluate(always_two, alpha=arguments.alpha))

    learned = mdp.q_learning(alpha=arguments.alpha, rounds=arguments.rounds, exact=exact)
    print(learned)
    print(f"true error of Q: {np.abs(learned.Q - exact.Q).max():.4g}")
    if arguments.plot:
        celsius.plot_sweep(mdp.sweep([0, 0.01, 0.1, 1.0]), path=arguments.plot, backend="png")


if __name__ == "__main__":
    main()

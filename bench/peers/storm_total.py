"""Celsius on problems of model checking without a discount: exact answers, and Storm's time on the largest.

    python3.11 -m venv VENV && VENV/bin/pip install -r tests/golden/formats.txt
    VENV/bin/python bench/peers/storm_total.py [CELSIUS] [--match TEXT] [--no-storm] [--repeat N] [--most SECONDS]

CELSIUS is the command, build/release/celsius by default. Each row is a generator of Celsius with an answer that is known exactly:

    closed   from a formula or a recursion in rational arithmetic below, which shares nothing with Celsius
    storm    from Storm with rational arithmetic, on the problem as Celsius writes it; all its probabilities are binary fractions
    graph    0 or 1, or an infinite value: no arithmetic is needed

The exact answer must be between the bounds, whose distance must be at most 1e-6 max(1, |answer|). Celsius uses one thread, and its
default tolerance of 1e-9. The time is that of the solver. Prints a table as Markdown, and exits with 1 if a row fails.

A second table has the problems marked as large. Celsius solves each with --tolerance 1e-6. Storm's sound mode solves the same
problem, read from a UMB file, to the relative precision 1e-6. Times are medians of N runs (3), in turn, of the solver and of the model
checker alone. Storm is stopped after SECONDS (600).
"""
import argparse
import json
import math
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction

# ---- exact answers in rational arithmetic


def consensus_time(N, K, most):
    """Three moves for each flip of a random walk that leaves an interval. The adversary can hold back N - 1 processes."""
    return Fraction(3 * (K * N + (N - 1 if most else 0)) ** 2)


def leader_rounds(N):
    """A ring of n active processes loses one at each 1 that is followed by a 0; 2 C(n, 2 d) of 2^n strings have d of those."""
    rounds = [None, Fraction(0)]
    for n in range(2, N + 1):
        lost = [Fraction(2 * math.comb(n, 2 * d), 2 ** n) for d in range(n // 2 + 1)]
        rounds.append((1 + sum(p * rounds[n - d] for d, p in enumerate(lost) if d > 0)) / (1 - lost[0]))
    return rounds[N]


def leader_sync_rounds(N, K):
    """1 over the probability that some number was picked once, by inclusion and exclusion."""
    none = sum((-1) ** j * math.comb(K, j) * math.perm(N, j) * Fraction((K - j) ** (N - j)) for j in range(min(N, K) + 1))
    return 1 / (1 - none / K ** N)


def herman_three(N):
    """McIver and Morgan, "An elementary proof that Herman's ring is Theta(N^2)": 4 a b c / N for tokens at distances a, b, c."""
    return Fraction(4 * (N // 3) ** 3, N)


def israeli_jalfon(N):
    """Each move lowers the mean of the sum of products of two distances between tokens by 1. At the start all distances are 1."""
    return Fraction(math.comb(N, 2))


def binomial(n, p):
    return [math.comb(n, k) * p ** k * (1 - p) ** (n - k) for k in range(n + 1)]


def nand_reliable(N, K):
    """The distribution of the number of wires that carry a 1, stage by stage."""
    wrong, one = Fraction(1, 50), Fraction(9, 10)
    both = one * one
    ones = binomial(N, both * wrong + (1 - both) * (1 - wrong))
    few = [binomial(n, wrong) for n in range(N + 1)]
    after = [[sum(few[h][i] * few[N - h][N - h - (z - i)] for i in range(max(0, z - N + h), min(h, z) + 1)) for z in range(N + 1)]
             for h in range(N + 1)]
    for _ in range(2 * K):
        meet = [Fraction(0)] * (N + 1)  # gates whose two inputs are both 1
        for z, p in enumerate(ones):
            for h in range(max(0, 2 * z - N), z + 1):
                meet[h] += p * Fraction(math.comb(z, h) * math.comb(N - z, z - h), math.comb(N, z))
        ones = [sum(meet[h] * after[h][z] for h in range(N + 1)) for z in range(N + 1)]
    return sum(p for z, p in enumerate(ones) if 10 * z < N)


LOST = 1 - Fraction(98, 100) * Fraction(99, 100)


def brp_error(N, most):
    return 1 - (1 - LOST ** (most + 1)) ** N


def brp_frames(N, most):
    through = 1 - LOST ** (most + 1)
    return (1 - through ** N) / (1 - through) * through / (1 - LOST)


def crowds_sender(S, R):
    """The probability that the sender is noted in at least two of R requests."""
    bad, on = Fraction(167, 1000), Fraction(833, 1000) * Fraction(4, 5)
    noted = bad + on * (bad / S) / (1 - on)
    return 1 - (1 - noted) ** R - R * noted * (1 - noted) ** (R - 1)


# ---- problems: generator, arguments, target, sense, probability, exact answer, large

def problem(name, arguments, target, sense, probability, exact, large=False):
    return {"name": name, "arguments": arguments, "target": target, "sense": sense, "probability": probability, "exact": exact,
            "large": large}


PROBLEMS = [
    problem("consensus", {"processes": 2, "rounds": 2}, "finished", "max", False, lambda: consensus_time(2, 2, True)),
    problem("consensus", {"processes": 2, "rounds": 2}, "finished & !agree", "max", True, "storm"),
    problem("consensus", {"processes": 4, "rounds": 4}, "finished & all_coins_equal_1", "min", True,
            lambda: Fraction(852021, 2097152)),
    problem("consensus", {"processes": 6, "rounds": 2}, "finished", "min", False, lambda: consensus_time(6, 2, False)),
    problem("consensus", {"processes": 6, "rounds": 2}, "finished", "max", False, lambda: consensus_time(6, 2, True)),
    problem("consensus", {"processes": 6, "rounds": 8}, "finished", "max", False, lambda: consensus_time(6, 8, True), True),
    problem("leader", {"processes": 5}, "elected", "max", False, lambda: leader_rounds(5)),
    problem("leader", {"processes": 7}, "elected", "max", False, lambda: leader_rounds(7), True),
    problem("leader-sync", {"processes": 6, "numbers": 8}, "elected", "max", False, lambda: leader_sync_rounds(6, 8)),
    problem("herman", {"processes": 15, "start": "three"}, "stable", "max", False, lambda: herman_three(15)),
    problem("israeli-jalfon", {"processes": 10}, "stable", "min", False, lambda: israeli_jalfon(10)),
    problem("israeli-jalfon", {"processes": 20}, "stable", "max", False, lambda: israeli_jalfon(20)),
    problem("nand", {"wires": 20, "stages": 4}, "reliable", "max", True, lambda: nand_reliable(20, 4)),
    problem("nand", {"wires": 40, "stages": 4}, "reliable", "max", True, lambda: nand_reliable(40, 4), True),
    problem("brp", {"frames": 64, "retries": 5}, "error", "max", True, lambda: brp_error(64, 5)),
    problem("brp", {"frames": 5000, "retries": 20}, "success | error", "max", False, lambda: brp_frames(5000, 20)),
    problem("crowds", {"members": 5, "requests": 5}, "observe0Greater1", "max", True, lambda: crowds_sender(5, 5)),
    problem("crowds", {"members": 20, "requests": 5}, "observe0Greater1", "max", True, lambda: crowds_sender(20, 5), True),
    problem("csma", {"stations": 2, "limit": 2}, "all_delivered", "max", False, "storm"),
    problem("csma", {"stations": 2, "limit": 4}, "all_delivered", "min", False, "storm"),
    problem("csma", {"stations": 3, "limit": 2}, "all_delivered", "max", False, "storm"),
    problem("wlan", {"backoff": 0}, "sent", "max", False, "storm"),
    problem("wlan", {"backoff": 2}, "sent", "min", False, "storm"),
    problem("wlan", {"backoff": 0, "collisions": 4}, "collided", "max", True, "storm"),
    problem("wlan", {"backoff": 6}, "sent", "max", False, None, True),
    problem("firewire", {"delay": 3}, "elected", "max", False, "storm"),
    problem("firewire", {"delay": 36}, "elected", "min", False, "storm"),
]

WIDTH = 1e-6


def title(p):
    return p["name"] + " " + " ".join(f"{key}={value}" for key, value in p["arguments"].items())


def question(p):
    return ("P" if p["probability"] else "E") + f" {p['sense']} `{p['target']}`".replace("|", "\\|")


def run_celsius(celsius, p, *more):
    args = [celsius, "solve", p["name"], "--gamma", "1", "--alpha", "0", "--threads", "1", "--json", "--quiet", "--target",
            p["target"], "--objective", "probability" if p["probability"] else "reward"]
    for key, value in p["arguments"].items():
        args += [f"--{key}", str(value)]
    if p["sense"] == "min":
        args.append("--min")
    result = subprocess.run([*args, *more], capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit(f"{title(p)}: {result.stderr.strip()}")
    return json.loads(result.stdout)


# ---- Storm, in a process of its own

def formula_of(p, reward):
    states = p["target"].replace("collided", '"collided"')
    for label in ("finished", "agree", "all_coins_equal_1", "elected", "stable", "reliable", "error", "success", "observe0Greater1",
                  "all_delivered", "sent"):
        states = " ".join(f'"{word}"' if word == label else f'!"{word[1:]}"' if word == "!" + label else word
                          for word in states.split())
    return f"{'P' if p['probability'] else reward}{p['sense']}=? [F ({states})]"


def ask_storm(path, p, exact, queue):
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Storm's own messages
    import stormpy
    from stormpy import environments
    number = stormpy.numbers.Rational
    model = stormpy.build_model_from_drn[number](path) if exact else stormpy.build_model_from_umb(path)
    name = next(iter(model.reward_models), "")
    formula = stormpy.parse_property(formula_of(p, f'R{{"{name}"}}'))
    begin = time.perf_counter()
    if exact:
        answer = stormpy.model_checking(model, formula)
    else:
        answer = stormpy.model_checking(model, formula, environment=environments.sound())
    seconds = time.perf_counter() - begin
    value = answer.get_value(model.initial_states[0])
    queue.put((str(value) if exact else float(value), seconds))


def storm(celsius, p, exact, most):
    """Storm's answer and seconds, or None if it takes too long."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "problem." + ("drn" if exact else "umb"))
        run_celsius(celsius, p, "--save-problem", path)
        queue = multiprocessing.Queue()
        process = multiprocessing.Process(target=ask_storm, args=(path, p, exact, queue))
        process.start()
        begin = time.monotonic()
        while process.is_alive() and queue.empty() and time.monotonic() - begin < most:
            time.sleep(0.05)
        found = None if queue.empty() else queue.get()
        process.kill()
        process.join()
        return found


# ---- tables

def number(x):
    return f"{x:,}"


def short(exact):
    return str(exact) if len(str(exact)) <= 24 else f"{float(exact):.15g}"


def check_row(options, p):
    answer = run_celsius(options.celsius, p)
    low, high = answer["value_lower"], answer["value_upper"]
    if p["exact"] == "storm":
        found = None if options.no_storm else storm(options.celsius, p, True, options.most)
        exact = None if found is None else Fraction(found[0])
    else:
        exact = p["exact"]() if p["exact"] else None
    width = high - low
    good = answer["certified"] and width <= WIDTH * max(1.0, abs(low))
    if exact is not None:
        good = good and Fraction(low) <= exact <= Fraction(high)
    source = {None: "not known", "storm": "Storm"}.get(p["exact"], "closed form")
    print(f"| {title(p)} | {question(p)} | {number(answer['states'])} | {number(answer['transitions'])} | {answer['seconds']:.2g} | "
          f"{answer['value_start']:.12g} | {width:.1e} | {short(exact) if exact is not None else '-'} | {source} |"
          f"{'' if good else ' FAILED'}", flush=True)
    return good


def speed_row(options, p):
    my_seconds, their_seconds, agree = [], [], True
    for _ in range(options.repeat):
        mine = run_celsius(options.celsius, p, "--tolerance", "1e-6")
        my_seconds.append(mine["seconds"])
        theirs = None if math.inf in their_seconds else storm(options.celsius, p, False, options.most)
        their_seconds.append(theirs[1] if theirs else math.inf)
        if theirs:
            agree = agree and abs(theirs[0] - mine["value_start"]) <= mine["bound"] + 1e-6 * max(1.0, abs(theirs[0]))
    storm_text = statistics.median(their_seconds)
    storm_text = f"more than {options.most:g}" if storm_text == math.inf else f"{storm_text:.1f}"
    print(f"| {title(p)} | {question(p)} | {number(mine['states'])} | {statistics.median(my_seconds):.1f} | {storm_text} |"
          f"{'' if agree else ' FAILED: Storm has another value'}", flush=True)
    return agree


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("celsius", nargs="?", default="build/release/celsius")
    parser.add_argument("--match", default="", help="only problems whose title contains this text")
    parser.add_argument("--no-storm", action="store_true", help="without the answers and times of Storm")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each row of the second table")
    parser.add_argument("--most", type=float, default=600, help="seconds after which Storm is stopped")
    options = parser.parse_args()
    sys.set_int_max_str_digits(0)  # exact answers are long
    options.celsius = os.path.abspath(options.celsius)
    chosen = [p for p in PROBLEMS if options.match in title(p)]
    print("| problem | question | states | transitions | s | value | width of the bounds | exact | source |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    good = [check_row(options, p) for p in chosen]
    if not options.no_storm:
        print("\n| problem | question | states | Celsius, s | Storm, s |\n| --- | --- | ---: | ---: | ---: |")
        good += [speed_row(options, p) for p in chosen if p["large"]]
    sys.exit(not all(good))


if __name__ == "__main__":
    main()

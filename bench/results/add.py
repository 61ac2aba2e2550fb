#!/usr/bin/env python3
"""Adds trained runs to bench/results, and writes the table of all scores.

    bench/results/add.py FOLDER COMMAND RUN...
    bench/results/add.py mujoco build/release/celsius runs/sac-HalfCheetah-v4-0 ...

COMMAND evaluates the final and the best model of each run on 20 deterministic episodes. FOLDER then
holds, for each run, a file with its settings, seed, commit, machine, scores and learning curve:

    bench/results/FOLDER/ALGO-ENV-SEED-STEPS.json
    bench/results/FOLDER/README.md            the table

A run's commit is the one in its file COMMIT, which says what trained it. Without that file it is
that of this checkout.
"""
import csv
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
EPISODES = 20


def output(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True,
                          text=True).stdout


def machine():
    """The processor and its number of cores, without names of the machine."""
    model = platform.processor() or platform.machine()
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{model}, {os.cpu_count()} cores"


def score(command, run, which):
    got = json.loads(output(command, "eval", run, "--which", which, "--episodes", EPISODES, "--json"))
    return {key: got[key] for key in ("mean_return", "std_return", "min_return", "max_return",
                                      "returns")}


def curve(run):
    """The learning curve: the mean return of every evaluation during training."""
    with open(run / "evaluations.csv") as file:
        rows = list(csv.DictReader(file))
    steps = next(key for key in rows[0] if "step" in key)
    mean = next(key for key in rows[0] if "mean" in key)
    return [[int(float(row[steps])), round(float(row[mean]), 2)] for row in rows]


def settings(run):
    """The lines of config.yaml without comments and paths."""
    lines = [re.sub(r"\s+# .*", "", line).rstrip() for line in open(run / "config.yaml")]
    return [line for line in lines if line and not line.lstrip().startswith(("#", "out:"))]


def value(lines, key):
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{key}:"))


def add(folder, command, run):
    config = settings(run)
    points = curve(run)
    commit = run / "COMMIT"
    with open(run / "progress.csv") as file:
        hours = float(list(csv.DictReader(file))[-1]["time/time_elapsed"]) / 3600
    result = {
        "algo": value(config, "algo"), "env": value(config, "env"),
        "seed": int(value(config, "seed")), "steps": points[-1][0],
        "commit": (commit.read_text() if commit.exists() else output("git", "rev-parse", "HEAD")
                   ).strip(),
        "machine": machine(), "hours": round(hours, 2), "config": config, "episodes": EPISODES,
        "final": score(command, run, "final"), "best": score(command, run, "best"),
        "curve": points,
    }
    name = f"{result['algo']}-{result['env']}-{result['seed']}-{result['steps']}.json"
    (folder / name).write_text(json.dumps(result, indent=1) + "\n")
    print(f"{name}: final {result['final']['mean_return']:.0f}, "
          f"best {result['best']['mean_return']:.0f}")


def table(folder):
    """One row per algorithm, task and number of steps, over all seeds."""
    groups = {}
    for path in sorted(folder.glob("*.json")):
        result = json.loads(path.read_text())
        groups.setdefault((result["algo"], result["env"], result["steps"]), []).append(result)
    lines = ["# Scores", "",
             f"Mean return of {EPISODES} deterministic episodes after training, and the same of the "
             "model that was best during", "training. With several seeds: the mean over seeds and, "
             "in parentheses, each seed. The files beside this page have",
             "settings, commit, machine and learning curve. `bench/results/add.py` wrote all of it.",
             "", "| algorithm | task | steps | seeds | final model | best model | hours a run |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    for (algo, env, steps), results in sorted(groups.items()):
        results.sort(key=lambda result: result["seed"])
        seeds = ", ".join(str(result["seed"]) for result in results)
        cells = []
        for which in ("final", "best"):
            each = [result[which]["mean_return"] for result in results]
            text = f"{statistics.mean(each):,.0f}"
            cells.append(text if len(each) == 1 else
                         f"{text} ({', '.join(f'{x:,.0f}' for x in each)})")
        hours = statistics.mean(result["hours"] for result in results)
        lines.append(f"| {algo} | {env} | {steps:,} | {seeds} | {cells[0]} | {cells[1]} | "
                     f"{hours:.1f} |")
    (folder / "README.md").write_text("\n".join(lines) + "\n")


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folder = HERE / sys.argv[1]
    folder.mkdir(exist_ok=True)
    for run in sys.argv[3:]:
        add(folder, sys.argv[2], pathlib.Path(run))
    table(folder)


main()

"""Storm as an independent judge of Celsius: exchanged files, and certified values without a discount.

    python3.11 -m venv VENV && VENV/bin/pip install -r tests/golden/formats.txt
    VENV/bin/python bench/peers/storm_judge.py [CELSIUS] [--files-only]

CELSIUS is the command, build/release/celsius by default. The models are the MDPs in stormpy's own examples.

1. Files. Storm builds each model and writes UMB (gzip, xz, plain) and DRN. Celsius reads each and writes UMB, DRN and Storm's
   explicit files, which Storm reads again. Sizes, probabilities, labels and rewards must be those of the model.
2. Values. Storm solves each reachability problem in its sound mode and, for small models, with rational arithmetic. The value of
   `celsius solve FILE --gamma 1 --target LABEL` and its bound must agree with both.

Prints one line for each check and exits with 1 if one fails.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import stormpy
import stormpy.io as io
from stormpy import environments
from stormpy.developer import storage

EXAMPLES = os.path.join(os.path.dirname(stormpy.__file__), "examples", "files", "mdp")

# file, constants, labels or expressions to reach
MODELS = [("two_dice.nm", "", ["two", "seven", "done"]),
          ("die_c1.nm", "", ["one", "done"]),
          ("coin2-2.nm", "", ["finished", '"finished" & "all_coins_equal_1"', '"finished" & !"agree"', "all_coins_equal_1"]),
          ("csma2-2.nm", "", ["all_delivered", "one_delivered", "collision_max_backoff"]),
          ("firewire3-0.5.nm", "", ["elected"]),
          ("leader3.nm", "", ["elected"]),
          ("leader4.nm", "", ["elected"]),
          ("wlan0-2-2.nm", "", ["twoCollisions"]),
          ("slipgrid.nm", "", ["goal", "target"]),
          ("maze_2.nm", "", ["goal", "bad"]),
          ("multiobjective1.nm", "", []),
          ("tiny_rewards.nm", "", [])]
EXACT_MOST = 2000  # states of models that are solved with rational numbers
PRECISION = 1e-6   # of Storm's sound mode, relative


class Judge:
    def __init__(self, celsius):
        self.celsius = celsius
        self.failed = 0

    def say(self, good, text):
        self.failed += not good
        print("ok    " if good else "FAILED", text, flush=True)

    def run(self, *args):
        return subprocess.run([self.celsius, *args], capture_output=True, text=True, check=False)


def build(name, constants, kind=float):
    program = io.parse_prism_program(os.path.join(EXAMPLES, name))
    if constants:
        program = io.instantiate_constants(program, constants)
    return stormpy.build_model[kind](program)


def entries(model):
    """(choice, next state) -> probability."""
    matrix, found = model.transition_matrix, {}
    for row in range(matrix.nr_rows):
        for entry in matrix.get_row(row):
            found[row, entry.column] = found.get((row, entry.column), 0.0) + entry.value
    return found


def labels(model):
    """Label -> states, without empty ones and the label of initial states."""
    sets = {name: frozenset(model.labeling.get_states(name))
            for name in model.labeling.get_labels()}
    return {name: states for name, states in sets.items() if states and name != "init"}


def rewards(model):
    """Name -> reward of each choice: of the state, of the choice, and the mean of the transitions."""
    found = {}
    for name, reward in model.reward_models.items():
        total = [0.0] * model.nr_choices
        matrix = model.transition_matrix
        for s in range(model.nr_states):
            for c in range(matrix.get_row_group_start(s), matrix.get_row_group_end(s)):
                if reward.has_state_rewards:
                    total[c] += reward.get_state_reward(s)
                if reward.has_state_action_rewards:
                    total[c] += reward.get_state_action_reward(c)
        if reward.has_transition_rewards:
            for c in range(model.nr_choices):
                probability = {e.column: e.value for e in matrix.get_row(c)}
                for e in reward.transition_rewards.get_row(c):
                    total[c] += probability.get(e.column, 0.0) * e.value
        found[name] = total
    return found


def close(a, b, tolerance):
    return a.keys() == b.keys() and all(abs(a[k] - b[k]) <= tolerance for k in a)


def same(model, other, tolerance):
    if (model.nr_states, model.nr_choices) != (other.nr_states, other.nr_choices):
        return False, f"{other.nr_states} states and {other.nr_choices} choices"
    if not close(entries(model), entries(other), tolerance):
        return False, "other probabilities"
    if labels(model) != labels(other):
        return False, f"other labels: {sorted(set(labels(model)) ^ set(labels(other)))}"
    ours, theirs = rewards(model), rewards(other)
    if list(ours) == [""] and len(theirs) == 1:  # an unnamed reward model gets a name
        theirs = {"": list(theirs.values())[0]}
    for name, total in ours.items():
        if name not in theirs and any(total):
            return False, f"no rewards {name}"
        if name in theirs and any(abs(x - y) > tolerance * max(1, abs(x)) for x, y in zip(total, theirs[name])):
            return False, f"other rewards {name}"
    return True, ""


def check_files(judge, name, model, folder):
    sources = {"storm.drn": None, "storm.umb": io.CompressionMode.GZIP, "storm-xz.umb": io.CompressionMode.XZ,
               "storm-plain.umb": io.CompressionMode.NO_COMPRESSION}
    if any(reward.has_transition_rewards for reward in model.reward_models.values()):
        del sources["storm.drn"]
    for source, compression in sources.items():
        path = os.path.join(folder, source)
        if compression is None:
            io.export_to_drn(model, path)
        else:
            options = storage.UmbExportOptions()
            options.compression = compression
            io.export_to_umb(model, path, options=options)
        tolerance = 1e-9 if compression is None else 1e-14  # Storm writes 10 digits as text
        for target in ("out.umb", "out.umb.gz", "out.umb.xz", "out.drn", "out.tra"):
            for old in os.listdir(folder):
                if old.startswith("out."):
                    os.remove(os.path.join(folder, old))
            out = os.path.join(folder, target)
            result = judge.run("solve", path, "--gamma", "0.5", "--alpha", "0", "--tol", "0.1", "--reward", "none", "--quiet",
                               "--save-problem", out, "--save-format", "storm" if target == "out.tra" else "auto")
            if result.returncode:
                judge.say(False, f"{name}: {source} -> {target}: {result.stderr.strip()}")
                continue
            if target == "out.tra":
                other, note = explicit(folder), " (without rewards)"
            elif target == "out.drn":
                other, note = stormpy.build_model_from_drn[float](out), ""
            else:
                other, note = stormpy.build_model_from_umb(out), ""
            good, why = same(model, other, tolerance) if target != "out.tra" else same_explicit(model, other, tolerance)
            judge.say(good, f"{name}: {source} -> {target}{note} {why}")


def explicit(folder):
    path = os.path.join(folder, "out")
    return stormpy.build_model_from_explicit(path + ".tra", path + ".lab")


def same_explicit(model, other, tolerance):
    """Storm loads explicit rewards file by file, so only the rest is compared."""
    if (model.nr_states, model.nr_choices) != (other.nr_states, other.nr_choices):
        return False, f"{other.nr_states} states and {other.nr_choices} choices"
    if not close(entries(model), entries(other), tolerance):
        return False, "other probabilities"
    return labels(model) == labels(other), ""


def check_values(judge, name, model, constants, wanted, folder):
    path = os.path.join(folder, "values.umb")
    io.export_to_umb(model, path)
    exact = build(name, constants, stormpy.numbers.Rational) if model.nr_states <= EXACT_MOST else None
    some = labels(model)
    for label in wanted:
        target = label if '"' in label else f'"{label}"'
        if '"' not in label and label not in some:
            print("left out", f"{name}: no state has label {label}")
            continue
        for sense in ("max", "min"):
            formula = stormpy.parse_property(f'P{sense}=? [F ({target})]')
            initial = model.initial_states[0]
            sound = stormpy.model_checking(model, formula, environment=environments.sound()).get_value(initial)
            result = judge.run("solve", path, "--gamma", "1", "--alpha", "0", "--reward", "none", "--target", target,
                               "--json", "--quiet", *(["--min"] if sense == "min" else []))
            if result.returncode:
                judge.say(False, f"{name}: P{sense} [F {label}]: {result.stderr.strip()}")
                continue
            answer = json.loads(result.stdout)
            value, bound = answer["value_start"], answer["bound"]
            good = abs(value - float(sound)) <= bound + PRECISION * max(1.0, float(sound))
            text = f"{name}: P{sense} [F {label}] = {value:.12g} +- {bound:.1e}; Storm, sound: {float(sound):.12g}"
            if exact is not None:
                rational = stormpy.model_checking(exact, formula).get_value(exact.initial_states[0])
                good &= abs(value - float(rational)) <= bound + 1e-15
                text += f"; exact: {rational}"
            judge.say(good and answer["certified"], text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("celsius", nargs="?", default="build/release/celsius")
    parser.add_argument("--files-only", action="store_true", help="leave the values out")
    options = parser.parse_args()
    judge = Judge(os.path.abspath(options.celsius))
    for name, constants, wanted in MODELS:
        try:
            model = build(name, constants)
        except RuntimeError as error:
            print("left out", name, str(error).splitlines()[0])
            continue
        with tempfile.TemporaryDirectory() as folder:
            check_files(judge, name, model, folder)
            if not options.files_only:
                check_values(judge, name, model, constants, wanted, folder)
    print(f"{judge.failed} failed")
    sys.exit(judge.failed > 0)


if __name__ == "__main__":
    main()

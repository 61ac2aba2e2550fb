"""Trains random runs and tries every other command on them.

    CELSIUS_BIN=build/release/celsius CELSIUS_TEST_DIR=tests \\
        python3 tests/cli/pairs.py --runs 2000 --jobs 2

Each run draws an algorithm, an environment and random valid values of their fields. The fields come
from `celsius list fields --json`. A run may be refused before it starts (it must leave no folder)
or diverge. A run that trained must work with eval, plot, export, certify and resume. Run k depends
on (seed, k) only.
"""
import argparse
import json
import math
import os
import random
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

import kit

DISCRETE = ["CartPole-v1", "MountainCar-v0", "Acrobot-v1", "FrozenLake-v1", "CliffWalking-v1",
            "mdp", "Garnet-v0"]
CONTINUOUS = ["Pendulum-v1", "MountainCarContinuous-v0", "LQR-v0", "MultiGoal-v0"]
LEARNERS = {"sac": CONTINUOUS, "sacv": CONTINUOUS, "sqlc": CONTINUOUS, "td3": CONTINUOUS,
            "dsac": DISCRETE, "sql": DISCRETE, "dqn": DISCRETE,
            **{name: DISCRETE + CONTINUOUS for name in ("ppo", "a2c", "ac", "trpo", "reinforce")}}
CERTIFIED = {"FrozenLake-v1", "CliffWalking-v1", "mdp", "Garnet-v0", "LQR-v0", "MultiGoal-v0"}

# Upper limits that keep a run short. The lower limits are those of the fields.
MOST = {"buffer_size": 3000, "learning_starts": 200, "batch_size": 64, "gradient_steps": 4,
        "train_freq": 50, "n_critics": 5, "n_epochs": 4, "value_particles": 16,
        "fixed_particles": 12, "updated_particles": 12, "baseline_steps": 5, "critic_steps": 5,
        "n_critic_updates": 5, "cg_steps": 20, "line_search_steps": 20,
        "env.max_episode_steps": 300, "env.action_repeat": 4}
INTEGERS_MOST = 60
TEXTS = {"env.generator": ["frozenlake-4x4", "frozenlake-8x8", "garnet", "cliffwalking", "grid"]}
SKIPPED = {"env.arguments", "env.file", "env.discount"}


def fields_of(name):
    done = subprocess.run([kit.BIN, "list", "fields", name, "--json"], capture_output=True,
                          text=True, check=True)
    return json.loads(done.stdout)


def ends(field):
    """The lowest and the highest allowed value; infinite if the field has no limit."""
    words = field["range"].split()
    if words[:2] == ["at", "least"]:
        return float(words[2]), math.inf
    if len(words) >= 3 and words[1] == "to":
        return float(words[0]), float(words[2])
    return -math.inf, math.inf


def whole(rng, field, low, high):
    low = int(max(low, -INTEGERS_MOST))
    high = int(min(high, MOST.get(field["name"], INTEGERS_MOST)))
    if rng.random() < 0.3:
        return rng.choice([low, low + 1, high])
    return rng.randint(low, high)


def number(rng, field, low, high):
    """A number near the default, or sometimes a limit of the range."""
    kind = rng.random()
    default = field["default"]
    start = 1.0 if default in (None, "auto") else float(default.removeprefix("lin_"))
    if kind < 0.2 and math.isfinite(low):
        return low
    if kind < 0.3 and math.isfinite(high):
        return high
    if start and math.isfinite(start):
        value = start * 10 ** rng.uniform(-1.5, 1.5)
    else:
        value = rng.uniform(-1, 1)
    return min(max(value, low), high)


def value_of(rng, field):
    """A random valid text of a field. None: keep the default."""
    takes, (low, high) = field["takes"], ends(field)
    if field["name"] in SKIPPED:
        return None
    if field["name"] in TEXTS:
        return rng.choice(TEXTS[field["name"]])
    if takes == "N":
        return str(whole(rng, field, low, high))
    if takes == "N,N,...":
        n = rng.choice([0, 1, 1, 2, 2, 3])
        return ",".join(str(rng.choice([1, 2, 5, 8, 16])) for _ in range(n)) or "[]"
    if takes.startswith("X"):
        forms = [form for form in takes.split("|") if form != "X"]
        if forms == ["auto"] and rng.random() < 0.4:
            return "auto"
        text = repr(number(rng, field, low, high))
        return rng.choice([text] + [form[:-1] + text for form in forms if form.endswith("_X")])
    if "|" in takes:
        return rng.choice(takes.split("|"))
    if takes in ("TEXT", "FILE", "PATH"):
        return None
    return rng.choice(["true", "false"])


def flags(rng, fields, share):
    found = []
    for field in fields:
        if rng.random() < share:
            text = value_of(rng, field)
            if text is not None:
                found += ["--" + field["name"].replace("_", "-"), text]
    return found


def draw(rng, tables):
    """The flags of a random run."""
    learner = rng.choice(sorted(LEARNERS))
    env = rng.choice(LEARNERS[learner])
    share = rng.choice([0.05, 0.2, 0.4])
    chosen = {"--net-arch": "8", "--buffer-size": "500", "--learning-starts": "50",
              "--batch-size": "16", "--n-steps": "32"}
    known = {"--" + field["name"].replace("_", "-") for field in tables[learner]}
    args = flags(rng, tables[learner], share)
    for flag, text in chosen.items():
        if flag == "--n-steps" and learner in OFF_POLICY:
            continue
        if flag in known and flag not in args:
            args += [flag, text]
    args += flags(rng, tables[env], share / 2)
    n_envs, steps = rng.choice([1, 1, 1, 2, 3, 5]), rng.choice([1, 40, 130, 200, 300])
    run = {"--steps": steps, "--n-envs": n_envs, "--seed": rng.randrange(2 ** 32),
           "--threads": rng.choice([1, 1, 2]),
           "--eval-every": rng.choice([0, 70, 1000]), "--eval-episodes": rng.choice([1, 2, 3]),
           "--checkpoint-every": rng.choice([0, 60, 1000]),
           "--log-every": rng.choice([1, 50, 1000]),
           "--keep": rng.choice([1, 2, 3]), "--tensorboard": rng.choice(["true", "false"])}
    return learner, env, steps, args + [str(part) for pair in run.items() for part in pair]


OFF_POLICY = {"sac", "sacv", "dsac", "sql", "sqlc", "td3", "dqn"}


class Pair:
    """One run in a folder of its own. `faults` has one text for each failure."""

    def __init__(self, seed, k, tables):
        self.rng = random.Random(f"{seed}/{k}")
        self.k, self.tables, self.faults, self.trained, self.commands = k, tables, [], False, 0

    def command(self, *args, allowed=(0,)):
        self.commands += 1
        done = subprocess.run([kit.BIN, *map(str, args)], cwd=self.folder, capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, timeout=300)
        self.error = done.stderr
        # Only a full rollout shows whether it contains a complete episode.
        unended = args[0] == "train" and self.line[1] == "reinforce" and "no episode" in done.stderr
        if done.returncode not in allowed and not unended:
            self.faults.append(f"run {self.k}: exit code {done.returncode}: celsius "
                               f"{' '.join(map(str, args))}\n    {done.stderr.strip()[-600:]}\n"
                               f"    the run: celsius {' '.join(self.line)}")
        return done.returncode

    def go(self):
        self.folder = tempfile.mkdtemp(prefix="celsius-pairs-")
        try:
            self.train()
        except subprocess.TimeoutExpired as expired:
            self.faults.append(f"run {self.k}: took longer than {expired.timeout} s: "
                               f"{' '.join(map(str, expired.cmd))}")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
        return self

    def train(self):
        learner, env, steps, args = draw(self.rng, self.tables)
        self.line = ["train", learner, "--env", env, "--out", "run", "--quiet", *args]
        refused = (kit.ARGUMENT, kit.RANGE, kit.UNSUPPORTED)
        code = self.command(*self.line, allowed=(0, kit.NAN, *refused))
        left = os.path.exists(os.path.join(self.folder, "run"))
        unended = learner == "reinforce" and "no episode" in self.error
        if code in refused and left and not unended:
            self.faults.append(f"run {self.k}: refused, but left a folder: celsius "
                               f"{' '.join(self.line)}")
        if code == 0:
            self.trained = True
            self.use(learner, env, steps)

    def use(self, learner, env, steps):
        which = self.rng.choice(["best", "final"])
        self.command("eval", "run", "--episodes", 2, "--which", which)
        picture = env not in ("mdp", "Garnet-v0")
        render = ["--render", "run.gif", "--render.max-frames", 5]
        self.command("eval", "run", "--episodes", 1, "--action", "sample",
                     *(render if picture and self.k % 4 == 0 else []))
        self.command("plot", "run", "--out", self.rng.choice(["curve.png", "curve.svg"]))
        self.command("export", "run", "--which", which, "--format",
                     self.rng.choice(["c", "onnx", "safetensors"]), "--out", "policy")
        if env in CERTIFIED and not self.endless():
            # The smallest grid of the multi-goal plane. A wider plane needs more cells.
            wider = env == "MultiGoal-v0" and any(flag.startswith("--env.") for flag in self.line)
            self.command("certify", "run", "--episodes", 8, "--cells", 56,
                         allowed=(0, kit.UNSUPPORTED, *([kit.RANGE] if wider else [])))
        self.command("train", "--resume", "run", "--steps", steps + self.rng.choice([1, 50]),
                     "--quiet", allowed=(0, kit.NAN))
        self.command("eval", "run", "--episodes", 1)

    def endless(self):
        """True if the discount is 1. Exact values of an infinite horizon need a smaller one."""
        return "--gamma" in self.line and float(self.line[self.line.index("--gamma") + 1]) == 1


def check(seed, first, n, jobs, report=None):
    """Tries the runs [first, first + n). Returns the faults, and how many runs trained and how many
    commands were run."""
    tables = {name: fields_of(name) for name in [*LEARNERS, *DISCRETE, *CONTINUOUS]}
    faults, trained, commands = [], 0, 0
    with ThreadPoolExecutor(jobs) as pool:
        for pair in pool.map(lambda k: Pair(seed, k, tables).go(), range(first, first + n)):
            faults += pair.faults
            trained += pair.trained
            commands += pair.commands
            for fault in pair.faults:
                if report:
                    report(fault)
    return faults, trained, commands


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="number of the first run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    faults, trained, commands = check(args.seed, args.first, args.runs, args.jobs,
                                      lambda text: print(text, flush=True))
    print(f"seed {args.seed}: {args.runs} runs, {trained} trained, {commands} commands, "
          f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())

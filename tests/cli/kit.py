"""Helpers for the tests of the command: run it, hash its files, build a plug-in environment."""
import csv
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

BIN = os.environ["CELSIUS_BIN"]
ROOT = os.path.dirname(os.environ["CELSIUS_TEST_DIR"])

# The status numbers of include/celsius/status.h, which are exit codes.
ARGUMENT, RANGE, NAME, TYPE, SHAPE, MEMORY, IO, FORMAT, CORRUPT = 2, 3, 4, 5, 6, 7, 8, 9, 10
UNSUPPORTED, NAN, STATE, ENV, INTERRUPTED = 11, 12, 13, 14, 15

# Environments of plugins/mujoco, which a build may lack. tests/mujoco tests them.
MUJOCO = ("HalfCheetah", "Hopper", "Walker2d", "Ant", "Humanoid", "HumanoidStandup", "Swimmer",
          "Reacher", "Pusher", "InvertedPendulum", "InvertedDoublePendulum")


def is_mujoco(env):
    return env.split("-")[0] in MUJOCO


# A run of a second or two that covers everything: a replay buffer that wraps around, and several
# evaluations and checkpoints.
SMALL = (
    "--env Pendulum-v1 --net-arch 16,16 --batch-size 32 --buffer-size 1000 --learning-starts 200 "
    "--log-every 200 --eval-every 500 --eval-episodes 3 --checkpoint-every 400 --keep 2"
).split()


def small(*args):
    """The command line of a small run. A flag in `args` replaces the one in SMALL."""
    args = [str(arg) for arg in args]
    kept = [flag for i in range(0, len(SMALL),
                                2) if SMALL[i] not in args for flag in SMALL[i:i + 2]]
    return ["train", "sac", *kept, *args]


class Case(unittest.TestCase):
    """A test in a folder of its own."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="celsius-cli-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def command(self, *args, env=None, **kwargs):
        return subprocess.run(
            [BIN, *map(str, args)], cwd=self.folder, capture_output=True, text=True,
            env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, **kwargs)

    def ok(self, *args, **kwargs):
        """Runs the command, which must succeed. Returns its output."""
        done = self.command(*args, **kwargs)
        if done.returncode != 0:
            self.fail(f"celsius {' '.join(map(str, args))}: exit {done.returncode}\n{done.stderr}")
        return done.stdout

    def fails(self, code, *args, says=(), **kwargs):
        """Runs the command, which must fail with this exit code and print exactly one error line.

        The line must contain every part of `says`. Returns the line."""
        done = self.command(*args, **kwargs)
        line = f"celsius {' '.join(map(str, args))}"
        self.assertEqual(done.returncode, code, f"{line}\n{done.stdout}{done.stderr}")
        errors = [l for l in done.stderr.splitlines() if l.startswith("celsius: error: ")]
        self.assertEqual(len(errors), 1, f"{line}: expected one error line:\n{done.stderr}")
        for part in says:
            self.assertIn(part, errors[0], line)
        return errors[0]

    def open_terminal(self):
        """The two ends of a pseudo-terminal. Skips the test in a container without /dev/pts."""
        try:
            return os.openpty()
        except OSError as error:
            self.skipTest(f"no pseudo-terminal is available: {error}")

    def train(self, out, *args, steps=2000, seed=1, **kwargs):
        return self.ok(*small("--steps", steps, "--seed", seed, "--out", out, *args), **kwargs)


def read(path):
    with open(path) as file:
        return file.read()


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def checkpoints(run):
    """The checkpoint files of a run, oldest first."""
    return sorted(glob.glob(os.path.join(run, "checkpoints", "step-*.safetensors")))


def digests(run):
    """Hashes of the last checkpoint and both models. They are equal for two identical runs."""
    last = checkpoints(run)[-1]
    files = [last, os.path.join(run, "best.safetensors"), os.path.join(run, "final.safetensors")]
    return {os.path.basename(path): sha256(path) for path in files}


def table(path):
    """The rows of a CSV file. It is read in one piece, because a run may be writing to it."""
    return list(csv.DictReader(read(path).splitlines()))


def course(run):
    """progress.csv without the columns that depend on time, and evaluations.csv."""
    rows = table(os.path.join(run, "progress.csv"))
    for row in rows:
        del row["time/fps"], row["time/time_elapsed"]
    return rows, table(os.path.join(run, "evaluations.csv"))


def build_plugin(source, out):
    """Compiles an environment into a shared object, as users do."""
    compiler = os.environ.get("CELSIUS_CC") or os.environ.get("CC") or "cc"
    subprocess.run([compiler, "-std=c17", "-shared", "-fPIC", "-O1",
                    "-I", os.path.join(ROOT, "include"), source, "-o", out, "-lm"], check=True)


def main():
    unittest.main(module="__main__", argv=[sys.argv[0], "-v"])

"""celsius sweep: the grid, its folder, several processes, interruption, the table."""
import csv
import json
import os
import shlex
import signal
import subprocess
import time

import kit

# A run of a tenth of a second.
TINY = ["--env", "Pendulum-v1", "--net-arch", "4", "--eval-every", "200", "--eval-episodes", "1",
        "--learning-starts", "100"]
GRID = ["sweep", "sac", "learning-rate=1e-3,3e-4", "gamma=.9,.99", *TINY, "--seeds", "1..2",
        "--out", "grid"]


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


class Sweep(kit.Case):
    def test_all_combinations(self):
        table = json.loads(self.ok(*GRID, "--steps", 400, "--jobs", 2, "--json", "--quiet"))
        names = {f"learning-rate={a},gamma={g}" for a in ("1e-3", "3e-4") for g in (".9", ".99")}
        self.assertEqual({row["name"] for row in table["combinations"]}, names)
        runs, results = rows(self.path("grid", "runs.csv")), rows(self.path("grid", "results.csv"))
        self.assertEqual(len(runs), 8)
        self.assertEqual({row["folder"] for row in runs}, {row["folder"] for row in results})
        means = [row["mean_return"] for row in table["combinations"]]
        self.assertEqual(means, sorted(means, reverse=True))
        for row in table["combinations"]:
            self.assertEqual((row["runs"], row["complete"]), (2, 2))
            mine = [float(r["mean_return"]) for r in results
                    if r["folder"].startswith(row["name"] + "/")]
            self.assertAlmostEqual(row["mean_return"], sum(mine) / 2)
            self.assertAlmostEqual(row["std_return"], abs(mine[0] - mine[1]) / 2**.5)
        # A run of the sweep is the run that the same flags make.
        self.ok("train", "sac", *TINY, "--steps", 400, "--learning-rate", "3e-4", "--gamma", ".99",
                "--seed", 2, "--out", "alone", "--quiet")
        self.assertEqual(kit.digests(self.path("alone")),
                         kit.digests(self.path("grid", "learning-rate=3e-4,gamma=.99", "seed-2")))
        # The same command again, and --resume, only print the table.
        before = os.stat(self.path("grid", runs[0]["folder"], "final.safetensors")).st_mtime_ns
        again = json.loads(self.ok(*GRID, "--steps", 400, "--json", "--quiet"))
        resumed = json.loads(self.ok("sweep", "--resume", "grid/", "--json", "--quiet"))
        self.assertEqual(again, table)
        self.assertEqual(resumed["combinations"], table["combinations"])
        after = os.stat(self.path("grid", runs[0]["folder"], "final.safetensors")).st_mtime_ns
        self.assertEqual(before, after)
        self.fails(kit.ARGUMENT, *GRID, "--steps", 500, says=["grid", "another sweep", "--out"])

    def test_several_processes(self):
        """As under mpirun: the first process makes the folders, and each trains its part."""
        others = []
        for rank in (2, 1, 0):
            env = {**os.environ, "OMPI_COMM_WORLD_RANK": str(rank), "OMPI_COMM_WORLD_SIZE": "3"}
            others.append(subprocess.Popen(
                [kit.BIN, *GRID, "--steps", "400", "--quiet"], cwd=self.folder, env=env,
                stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL))
        printed = [process.communicate(timeout=120)[0] for process in others]
        self.assertEqual([process.returncode for process in others], [0, 0, 0])
        self.assertTrue(any(text.count("2 of 2") == 4 for text in printed), printed)
        self.assertEqual({row["complete"] for row in rows(self.path("grid", "results.csv"))}, {"1"})

    def test_parts_and_commands(self):
        lines = self.ok(*GRID, "--steps", 300, "--commands").splitlines()
        self.assertEqual(len(lines), 8)
        part = self.command("sweep", "--resume", "grid", "--part", "2/4")
        self.assertEqual((part.returncode, part.stdout), (0, ""), part.stderr)
        self.assertIn("2 of 8 runs are complete", part.stderr)
        self.assertIn("celsius sweep --resume grid", part.stderr)
        done = [row for row in rows(self.path("grid", "runs.csv"))
                if os.path.exists(self.path("grid", row["folder"], "final.safetensors"))]
        self.assertEqual(len(done), 2)
        for line in lines:
            self.ok(*shlex.split(line)[1:])
        table = json.loads(self.ok("sweep", "--resume", "grid", "--json", "--quiet"))
        self.assertEqual([row["complete"] for row in table["combinations"]], [2, 2, 2, 2])

    def test_interrupted(self):
        args = [*GRID, "--steps", "3000", "--checkpoint-every", "500", "--jobs", "2"]
        process = subprocess.Popen([kit.BIN, *args], cwd=self.folder, stderr=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL, text=True, stdin=subprocess.DEVNULL)
        while not os.path.exists(self.path("grid", "command.txt")):
            time.sleep(.01)
        time.sleep(.3)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, kit.INTERRUPTED, errors)
        self.assertIn("celsius sweep --resume grid", errors)
        self.ok("sweep", "--resume", "grid", "--jobs", 2, "--quiet")
        self.ok("train", "sac", *TINY, "--steps", 3000, "--checkpoint-every", 500,
                "--learning-rate", "1e-3", "--gamma", ".9", "--seed", 1, "--out", "alone",
                "--quiet")
        self.assertEqual(kit.digests(self.path("alone")),
                         kit.digests(self.path("grid", "learning-rate=1e-3,gamma=.9", "seed-1")))

    def test_values_in_brackets(self):
        listed = self.ok("sweep", "ppo", "net-arch=[64,64],[256],8", "--env", "CartPole-v1",
                         "--dry-run").splitlines()
        self.assertEqual(listed[:3], ["net-arch=64,64", "net-arch=256", "net-arch=8"])
        self.assertIn("3 combinations", listed[3])
        self.assertEqual(os.listdir(self.folder), [])

    def test_errors(self):
        for code, args, says in (
                (kit.NAME, ["lerning-rate=1"], ["lerning-rate=1", "did you mean"]),
                (kit.TYPE, ["gamma=.9,high"], ["gamma=high", "not a number"]),
                (kit.RANGE, ["gamma=.9,1.5"], ["gamma=1.5", "--gamma"]),
                (kit.ARGUMENT, ["gamma=.9,.9"], [".9", "twice"]),
                (kit.ARGUMENT, ["gamma=.9", "gamma=.8"], ["gamma", "twice"]),
                (kit.TYPE, ["gamma=.9,"], ["a value is missing"]),
                (kit.TYPE, ["net-arch=[8,8"], ["bracket"]),
                (kit.TYPE, ["net-arch=[8]8"], ["comma"]),
                (kit.ARGUMENT, ["seed=1,2"], ["--seeds"]),
                (kit.ARGUMENT, ["gamma"], ["gamma", "NAME=VALUE"]),
                (kit.ARGUMENT, ["out=a,b"], ["--out"]),
                (kit.ARGUMENT, ["gamma=.9,.99", "--gamma", ".5"], ["--gamma", "twice"]),
                (kit.TYPE, ["gamma=.9", "--part", "5/4"], ["--part", "5/4"]),
                (kit.ARGUMENT, ["gamma=.9", "--part", "1/4"], ["--out"])):
            with self.subTest(args=args):
                vary = [arg for arg in args if not arg.startswith("--") and "=" in arg or
                        arg == "gamma"]
                rest = args[len(vary):]
                self.fails(code, "sweep", "sac", *vary, "--env", "Pendulum-v1", *rest, says=says)
        self.fails(kit.ARGUMENT, "sweep", "sac", "--env", "Pendulum-v1", "gamma=.9",
                   says=["before the flags"])
        self.fails(kit.ARGUMENT, "sweep", "gamma=.9", says=["algorithm is missing"])
        self.fails(kit.ARGUMENT, "sweep", "sac", "--resume", "x", says=["--resume"])
        self.fails(kit.IO, "sweep", "--resume", "missing", says=["missing"])
        os.mkdir(self.path("empty"))
        self.fails(kit.IO, "sweep", "--resume", "empty", says=["empty", "no sweep"])
        self.assertEqual(os.listdir(self.folder), ["empty"])


kit.main()

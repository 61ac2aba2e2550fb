"""celsius solve --q-learning: numbers against the exact solver, files, pictures, bad input; and
training on finite problems by their ids."""
import csv
import json
import math
import os

import kit


class QLearning(kit.Case):
    def learn(self, *args):
        return json.loads(self.ok("solve", *args, "--q-learning", "--json"))

    def test_error_and_bound(self):
        got = self.learn("garnet", "--gamma", 0.8, "--alpha", 0.2, "--q.rounds", 3000, "--out",
                         "error.csv", "--plot", "error.png")
        exact = json.loads(self.ok("solve", "garnet", "--gamma", 0.8, "--alpha", 0.2, "--json"))
        self.assertAlmostEqual(got["value_exact"], exact["value_start"], 8)
        self.assertLessEqual(abs(got["value_start"] - exact["value_start"]), got["error"])
        self.assertEqual(got["samples"], 3000 * got["pairs"])
        self.assertLess(got["error"], 0.1)
        self.assertGreaterEqual(got["policy_loses"], -1e-9)
        for row in got["trace"]:
            self.assertLessEqual(row["error"], row["bound"])
            self.assertAlmostEqual(row["bound"] / (row["residual"] / (1 - 0.8)), 1, 6)
        with open(self.path("error.csv"), newline="") as file:
            rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
        self.assertEqual(len(rows), len(got["trace"]))
        for row, item in zip(rows, got["trace"]):
            self.assertEqual(list(row), list(item))
            for name in row:  # JSON has 15 digits
                self.assertLessEqual(abs(row[name] - item[name]), 1e-14 * abs(row[name]))
        self.assertEqual([row["round"] for row in rows][:4], [1, 2, 4, 6])
        self.assertEqual(rows[-1]["round"], 3000)
        last = [row for row in rows if row["round"] >= 30]
        u, v = [math.log(row["round"]) for row in last], [math.log(row["error"]) for row in last]
        n, mean_u, mean_v = len(u), sum(u) / len(u), sum(v) / len(v)
        slope = sum((a - mean_u) * (b - mean_v) for a,
                    b in zip(u, v)) / sum((a - mean_u) ** 2 for a in u)
        self.assertAlmostEqual(got["slope"], slope, 9)
        self.assertGreater(n, 5)
        self.assertGreater(os.path.getsize(self.path("error.png")), 5000)

    def test_trajectory(self):
        few = self.learn("frozenlake-4x4", "--gamma", 0.9, "--q.sampling", "asynchronous",
                         "--q.rounds", 300)
        many = self.learn("frozenlake-4x4", "--gamma", 0.9, "--q.sampling", "asynchronous",
                          "--q.rounds", 10000, "--q.behavior", "uniform", "--out", "q.safetensors")
        self.assertLess(many["error"], few["error"])
        self.assertEqual(many["never_sampled"], 20)  # of the holes and the goal
        self.assertGreater(os.path.getsize(self.path("q.safetensors")), 1000)
        self.assertEqual(many, {**self.learn("frozenlake-4x4", "--gamma", 0.9, "--q.sampling",
                                             "asynchronous",
                                             "--q.rounds", 10000, "--q.behavior", "uniform"),
                                "seconds": many["seconds"]})

    def test_old_name_of_a_flag(self):
        """--q.behaviour still works and prints a warning."""
        run = ["solve", "frozenlake-4x4", "--gamma", 0.9, "--q-learning", "--q.rounds", 30, "--out", "q.csv",
               "--q.sampling", "asynchronous"]
        new = self.command(*run, "--q.behavior", "uniform")
        table = kit.read(self.path("q.csv"))
        self.assertNotIn("now called", new.stderr)
        for old in (["--q.behaviour", "uniform"], ["--q.behaviour=uniform"]):
            done = self.command(*run, *old)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("--q.behaviour is now called --q.behavior", done.stderr)
            self.assertEqual(kit.read(self.path("q.csv")), table)
        done = self.command(*run, "--q.behaviours", "uniform")
        self.assertIn("did you mean '--q.behavior'", done.stderr)

    def test_text(self):
        text = self.ok("solve", "taxi", "--alpha", 0, "--q-learning", "--q.rounds", 300)
        self.assertRegex(text, r"round +samples +error +residual +bound")
        for word in ("value at start", "learned from", "error", "bound", "policy",
                     "the best, up to rounding"):
            self.assertIn(word, text)
        self.assertIn("--q.rounds", self.ok("solve", "--help"))

    def test_bad_input(self):
        self.fails(kit.ARGUMENT, "solve", "garnet", "--q.rounds", 5,
                   says=["--q.rounds", "--q-learning"])
        for flag in ("method=vi", "tolerance=1", "max-iterations=3", "threads=2"):
            self.fails(kit.ARGUMENT, "solve", "garnet", "--q-learning", "--" + flag,
                       says=["the exact solver"])
        self.fails(kit.ARGUMENT, "solve", "garnet", "--q-learning", "--alpha", "0,1",
                   says=["a single temperature"])
        self.fails(kit.ARGUMENT, "solve", "garnet", "--q-learning", "--cpi", says=["give one"])
        self.fails(kit.RANGE, "solve", "garnet", "--q-learning", "--q.rounds", 0,
                   says=["--q.rounds", "1 to"])
        self.fails(kit.NAME, "solve", "garnet", "--q-learning", "--q.round", 1, says=["--q.rounds"])
        self.fails(kit.UNSUPPORTED, "solve", "garnet", "--q-learning", "--horizon", 5,
                   says=["backward induction"])
        self.fails(kit.ARGUMENT, "solve", "garnet", "--q-learning", "--plot", "x.gif",
                   says=[".png or .svg"])


class Ids(kit.Case):
    def test_train_by_id(self):
        """A short run by id and preset is evaluated, plotted, exported and resumed."""
        run = "run"
        self.ok("train", "sql", "--env", "FrozenLake-v1", "--preset", "auto", "--steps", 3000,
                "--learning-starts", 1000, "--out", run, "--quiet")
        got = json.loads(self.ok("eval", run, "--episodes", 20, "--json"))
        self.assertTrue(0 <= got["mean_return"] <= 1)
        self.ok("plot", run, "--out", "curve.png")
        self.ok("eval", run, "--episodes", 1, "--render", "lake.gif")
        self.ok("export", run, "--format", "c", "--out", "policy")
        self.ok("train", "--resume", run, "--steps", 4000, "--quiet")
        for name in ("curve.png", "lake.gif", "policy.c"):
            self.assertGreater(os.path.getsize(self.path(name)), 500, name)

    def test_every_id_has_both_presets(self):
        presets = {(p["algo"], p["name"]) for p in json.loads(self.ok("list", "presets", "--json"))}
        for env in ("FrozenLake-v1", "FrozenLake8x8-v1", "Taxi-v3", "CliffWalking-v1", "Garnet-v0"):
            self.assertIn(("dsac", env), presets)
            self.assertIn(("sql", env), presets)
        self.fails(kit.NAME, "train", "sql", "--env", "Taxi-v4", says=["Taxi-v3"])
        self.fails(kit.NAME, "train", "sql", "--env", "mdp", "--env.generator", "grid", "--preset",
                   "auto", says=["no preset 'mdp'"])
        text = self.ok("train", "sql", "--env", "mdp", "--env.generator", "garnet", "--preset",
                       "auto", "--steps", 200, "--eval-every", 0, "--quiet", "--out", "garnet")
        self.assertIn("200 steps", text)
        self.assertIn("net_arch: []", kit.read(self.path("garnet/config.yaml")))


kit.main()

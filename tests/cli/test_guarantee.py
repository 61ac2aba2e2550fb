"""train --certify: the table, the summary, going on with it, what it refuses; and stopping inside of evaluations."""
import json
import os
import shutil
import signal
import subprocess
import time

import kit

RUN = ["--env", "FrozenLake-v1", "--n-steps", "256", "--steps", "4096", "--checkpoint-every", "1024", "--quiet"]
COLUMNS = ["time/total_timesteps", "iteration", "J", "J_next", "eps", "advantage", "surrogate", "penalty",
           "rounding", "bound", "gain", "held"]


class Guarantee(kit.Case):
    def test_table_and_summary(self):
        for algo in ("ppo", "trpo"):
            told = self.ok("train", algo, *RUN, "--certify", "--out", algo)
            rows = kit.table(self.path(algo, "guarantee.csv"))
            self.assertEqual(list(rows[0]), COLUMNS)
            self.assertEqual(len(rows), 16)
            lines = told.splitlines()
            self.assertEqual(lines[0].split(), ["iteration", "steps", "J", "J_next", "eps", "surrogate", "penalty",
                                                "bound", "gain", "held"])
            self.assertEqual([l.split()[-1] for l in lines[1:17]], ["yes"] * 16)
            self.assertIn("every bound of 16 updates held", told)
            for before, row in zip([None, *rows], rows):
                number = {name: float(value) for name, value in row.items()}
                self.assertEqual(number["held"], 1)
                self.assertAlmostEqual(number["gain"], number["J_next"] - number["J"], delta=1e-12)
                self.assertAlmostEqual(number["bound"],
                                       number["surrogate"] - number["penalty"] - number["rounding"], delta=1e-12)
                gamma, eps = 0.99, number["eps"]
                self.assertAlmostEqual(
                    number["penalty"], 2 * eps * gamma * number["advantage"] /
                    ((1 - gamma) * (1 - gamma * (1 - eps))), delta=1e-9)
                if before:
                    self.assertEqual(before["J_next"], row["J"])

    def test_json_has_it_all(self):
        told = json.loads(self.ok("train", "ppo", *RUN, "--certify", "--json", "--out", "run"))["guarantee"]
        self.assertEqual((told["updates"], told["held"], len(told["steps"])), (16, 16, 16))
        self.assertEqual(told["J"], told["steps"][-1]["J_next"])
        self.assertEqual(told["J_first"], told["steps"][0]["J"])
        self.assertAlmostEqual(told["J_optimal"], 0.54202593, delta=1e-7)  # celsius solve, value iteration by hand

    def test_going_on(self):
        """A certified run goes on being certified, and its table is that of one sitting; a plain one can begin."""
        self.ok("train", "ppo", *RUN, "--certify", "--out", "whole")
        short = [flag if flag != "4096" else "2048" for flag in RUN]
        self.ok("train", "ppo", *short, "--certify", "--out", "parts")
        told = self.ok("train", "--resume", "parts", "--steps", "4096", "--quiet")
        self.assertIn("every bound of 16 updates held", told)
        self.assertEqual(kit.read(self.path("whole", "guarantee.csv")), kit.read(self.path("parts", "guarantee.csv")))
        self.ok("train", "ppo", *short, "--out", "late")
        told = self.ok("train", "--resume", "late", "--steps", "4096", "--certify", "--quiet")
        self.assertIn("every bound of 8 updates held", told)
        self.assertEqual(kit.sha256(self.path("whole", "final.safetensors")),
                         kit.sha256(self.path("late", "final.safetensors")))

    def test_going_on_with_several_seeds(self):
        """--certify is refused for a folder of runs, as for --seeds; a certified run in it stays certified."""
        short = [flag if flag != "4096" else "1024" for flag in RUN]
        self.ok("train", "ppo", *short, "--seeds", "1,2", "--out", "group")
        before = kit.digests(self.path("group", "seed-1"))
        self.fails(kit.ARGUMENT, "train", "--resume", "group", "--steps", "4096", "--certify", "--quiet",
                   says=["--certify tells of one run", "group", "seed-K"])
        self.assertEqual(before, kit.digests(self.path("group", "seed-1")))  # nothing was begun
        self.ok("train", "--resume", "group/seed-1", "--steps", "2048", "--certify", "--quiet")
        shutil.copytree(self.path("group", "seed-1"), self.path("alone"))
        told = self.ok("train", "--resume", "group", "--steps", "4096", "--quiet")
        self.assertNotIn("surrogate", told)  # the rows of several runs are not mixed
        self.ok("train", "--resume", "alone", "--steps", "4096", "--quiet")
        table = kit.read(self.path("group", "seed-1", "guarantee.csv"))
        self.assertEqual(len(table.splitlines()), 1 + 12)
        self.assertEqual(table, kit.read(self.path("alone", "guarantee.csv")))
        self.assertFalse(os.path.exists(self.path("group", "seed-2", "guarantee.csv")))

    def test_no_update(self):
        told = self.ok("train", "ppo", "--env", "FrozenLake-v1", "--n-envs", "64", "--steps", "640", "--eval-every", "0",
                       "--eval-episodes", "1", "--certify", "--quiet", "--out", "run")
        self.assertIn("no update was made", told)
        self.assertNotIn("every bound", told)

    def test_columns_can_be_drawn(self):
        self.ok("train", "ppo", *RUN, "--certify", "--out", "run")
        self.ok("plot", "run", "--key", "J,gain,bound", "--out", "guarantee.svg")
        self.fails(kit.NAME, "plot", "run", "--key", "gains", says=["did you mean 'gain'"])

    def test_what_is_refused(self):
        for env, algo in (("Pendulum-v1", "ppo"), ("CartPole-v1", "a2c")):
            self.fails(kit.UNSUPPORTED, "train", algo, "--env", env, "--certify", says=[env, "FrozenLake-v1"])
        self.fails(kit.RANGE, "train", "ppo", "--env", "Taxi-v3", "--gamma", "1", "--certify", says=["gamma is 1"])
        self.fails(kit.RANGE, "train", "ppo", "--env", "Taxi-v3", "--gamma", "0.9999999999999999", "--certify",
                   says=["below 1", "take 0.999999999 or less"])
        self.fails(kit.UNSUPPORTED, "train", "ppo", "--env", "Taxi-v3", "--env.action-repeat", "2", "--certify",
                   says=["--env.action-repeat 1"])
        self.fails(kit.ARGUMENT, "train", "ppo", "--env", "Taxi-v3", "--seeds", "1..2", "--certify",
                   says=["--certify", "--seed"])
        self.assertFalse(os.path.exists(self.path("runs")))  # nothing was begun

    def test_stop_in_an_evaluation(self):
        """Ctrl-C does not wait for an evaluation's end: this one would take a minute."""
        process = subprocess.Popen(
            [kit.BIN, "train", "ppo", *RUN, "--eval-every", "512", "--eval-episodes", "1000000", "--out", "run"],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 60
        while time.monotonic() < until and not os.path.exists(self.path("run", "progress.csv")):
            time.sleep(0.01)
        time.sleep(1)
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, kit.INTERRUPTED, err)
        self.assertIn("stopped after 512 of 4096 steps, everything is saved", err)
        self.assertLess(time.monotonic() - asked, 10)


kit.main()

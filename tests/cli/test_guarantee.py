"""train --guarantee: table, summary, resuming, refusals; and stopping during an evaluation."""
import json
import os
import shutil
import signal
import subprocess
import time

import kit

RUN = ["--env", "FrozenLake-v1", "--n-steps", "256", "--steps", "4096", "--checkpoint-every",
       "1024", "--quiet"]
COLUMNS = ["time/total_timesteps", "iteration", "J", "J_next", "eps", "advantage", "surrogate",
           "penalty", "rounding", "bound", "gain", "held"]


class Guarantee(kit.Case):
    def test_table_and_summary(self):
        for algo in ("ppo", "trpo"):
            printed = self.ok("train", algo, *RUN, "--guarantee", "--out", algo)
            rows = kit.table(self.path(algo, "guarantee.csv"))
            self.assertEqual(list(rows[0]), COLUMNS)
            self.assertEqual(len(rows), 16)
            lines = printed.splitlines()
            self.assertEqual(lines[0].split(),
                             ["iteration", "steps", "J", "J_next", "eps", "surrogate", "penalty",
                              "bound", "gain", "held"])
            self.assertEqual([l.split()[-1] for l in lines[1:17]], ["yes"] * 16)
            self.assertIn("the bounds of all 16 updates held", printed)
            for before, row in zip([None, *rows], rows):
                number = {name: float(value) for name, value in row.items()}
                self.assertEqual(number["held"], 1)
                self.assertAlmostEqual(number["gain"], number["J_next"] - number["J"], delta=1e-12)
                self.assertAlmostEqual(number["bound"],
                                       number["surrogate"] - number["penalty"] - number["rounding"],
                                       delta=1e-12)
                gamma, eps = 0.99, number["eps"]
                self.assertAlmostEqual(
                    number["penalty"], 2 * eps * gamma * number["advantage"] /
                    ((1 - gamma) * (1 - gamma * (1 - eps))), delta=1e-9)
                if before:
                    self.assertEqual(before["J_next"], row["J"])

    def test_json_has_every_row(self):
        printed = json.loads(self.ok("train", "ppo", *RUN, "--guarantee", "--json", "--out",
                                     "run"))["guarantee"]
        self.assertEqual((printed["updates"], printed["held"], len(printed["steps"])), (16, 16, 16))
        self.assertEqual(printed["J"], printed["steps"][-1]["J_next"])
        self.assertEqual(printed["J_first"], printed["steps"][0]["J"])
        # The optimum of celsius solve, and of value iteration by hand.
        self.assertAlmostEqual(printed["J_optimal"], 0.54202593, delta=1e-7)

    def test_resume(self):
        """A resumed run keeps the checks, and its table equals that of an uninterrupted run.

        The checks can also begin when a run is resumed."""
        self.ok("train", "ppo", *RUN, "--guarantee", "--out", "whole")
        short = [flag if flag != "4096" else "2048" for flag in RUN]
        self.ok("train", "ppo", *short, "--guarantee", "--out", "parts")
        printed = self.ok("train", "--resume", "parts", "--steps", "4096", "--quiet")
        self.assertIn("the bounds of all 16 updates held", printed)
        self.assertEqual(kit.read(self.path("whole", "guarantee.csv")),
                         kit.read(self.path("parts", "guarantee.csv")))
        self.ok("train", "ppo", *short, "--out", "late")
        printed = self.ok("train", "--resume", "late", "--steps", "4096", "--guarantee", "--quiet")
        self.assertIn("the bounds of all 8 updates held", printed)
        self.assertEqual(kit.sha256(self.path("whole", "final.safetensors")),
                         kit.sha256(self.path("late", "final.safetensors")))

    def test_resume_of_several_seeds(self):
        """--guarantee is refused for a folder of runs, as for --seeds.

        A run in it that was trained with --guarantee keeps its checks."""
        short = [flag if flag != "4096" else "1024" for flag in RUN]
        self.ok("train", "ppo", *short, "--seeds", "1,2", "--out", "group")
        before = kit.digests(self.path("group", "seed-1"))
        self.fails(kit.ARGUMENT, "train", "--resume", "group", "--steps", "4096", "--guarantee",
                   "--quiet", says=["--guarantee works for a single run", "group", "seed-K"])
        self.assertEqual(before, kit.digests(self.path("group", "seed-1")))  # nothing was changed
        self.ok("train", "--resume", "group/seed-1", "--steps", "2048", "--guarantee", "--quiet")
        shutil.copytree(self.path("group", "seed-1"), self.path("alone"))
        printed = self.ok("train", "--resume", "group", "--steps", "4096", "--quiet")
        self.assertNotIn("surrogate", printed)  # the rows of several runs are not mixed
        self.ok("train", "--resume", "alone", "--steps", "4096", "--quiet")
        table = kit.read(self.path("group", "seed-1", "guarantee.csv"))
        self.assertEqual(len(table.splitlines()), 1 + 12)
        self.assertEqual(table, kit.read(self.path("alone", "guarantee.csv")))
        self.assertFalse(os.path.exists(self.path("group", "seed-2", "guarantee.csv")))

    def test_old_name_of_the_flag(self):
        """--certify still works and prints a warning."""
        run = ["train", "ppo", *RUN, "--out"]
        self.ok(*run, "new", "--guarantee")
        done = self.command(*run, "old", "--certify")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("--certify is now called --guarantee", done.stderr)
        self.assertEqual(kit.read(self.path("new", "guarantee.csv")),
                         kit.read(self.path("old", "guarantee.csv")))
        done = self.command("solve", "frozenlake-4x4", "--gamma", 0.9, "--cpi", "--certify",
                            "--max-iterations", 3)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("--certify is now called --guarantee", done.stderr)

    def test_no_update(self):
        printed = self.ok("train", "ppo", "--env", "FrozenLake-v1", "--n-envs", "64",
                          "--steps", "640", "--eval-every", "0", "--eval-episodes", "1",
                          "--guarantee", "--quiet", "--out", "run")
        self.assertIn("no update was made", printed)
        self.assertNotIn("the bounds of all", printed)

    def test_columns_can_be_plotted(self):
        self.ok("train", "ppo", *RUN, "--guarantee", "--out", "run")
        self.ok("plot", "run", "--key", "J,gain,bound", "--out", "guarantee.svg")
        self.fails(kit.NAME, "plot", "run", "--key", "gains", says=["did you mean 'gain'"])

    def test_refusals(self):
        for env, algo in (("Pendulum-v1", "ppo"), ("CartPole-v1", "a2c")):
            self.fails(kit.UNSUPPORTED, "train", algo, "--env", env, "--guarantee",
                       says=[env, "FrozenLake-v1"])
        self.fails(kit.RANGE, "train", "ppo", "--env", "Taxi-v3", "--gamma", "1", "--guarantee",
                   says=["gamma is 1"])
        self.fails(kit.RANGE, "train", "ppo", "--env", "Taxi-v3", "--gamma", "0.9999999999999999",
                   "--guarantee", says=["below 1", "take 0.999999999 or less"])
        self.fails(kit.UNSUPPORTED, "train", "ppo", "--env", "Taxi-v3", "--env.action-repeat", "2",
                   "--guarantee", says=["--env.action-repeat to 1"])
        self.fails(kit.ARGUMENT, "train", "ppo", "--env", "Taxi-v3", "--seeds", "1..2",
                   "--guarantee", says=["--guarantee", "--seed"])
        self.assertFalse(os.path.exists(self.path("runs")))  # no run was started

    def test_stop_in_an_evaluation(self):
        """Ctrl-C does not wait for the end of an evaluation, which would take a minute here."""
        process = subprocess.Popen(
            [kit.BIN, "train", "ppo", *RUN, "--eval-every", "512", "--eval-episodes", "1000000",
             "--out", "run"],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 60
        while time.monotonic() < until and not os.path.exists(self.path("run", "progress.csv")):
            time.sleep(0.01)
        time.sleep(1)
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, kit.INTERRUPTED, err)
        self.assertIn("stopped after 512 of 4096 steps; everything is saved", err)
        self.assertLess(time.monotonic() - asked, 10)


kit.main()

"""A run that trained can be evaluated, plotted, exported, certified and resumed."""
import json
import re

import kit
import pairs


class Pairs(kit.Case):
    def test_random_runs(self):
        faults, trained, _ = pairs.check(seed=7, first=0, n=16, jobs=2)
        self.assertEqual(faults, [], "\n".join(faults))
        self.assertGreater(trained, 8)

    def test_rollout_of_one_step(self):
        # Two environments give a rollout of two rows. Later commands use one environment.
        self.ok("train", "ppo", "--env", "CartPole-v1", "--n-envs", 2, "--n-steps", 1, "--steps",
                200, "--net-arch", 8, "--eval-episodes", 1, "--quiet", "--out", "run")
        for action in ("mode", "sample"):
            self.assertEqual(json.loads(self.ok("eval", "run", "--episodes", 3, "--action", action,
                                                "--json"))["episodes"], 3)
        self.ok("eval", "run", "--episodes", 1, "--render", "run.gif")
        self.ok("export", "run", "--out", "policy")
        self.ok("train", "--resume", "run", "--steps", 300, "--quiet")

    def test_problem_whose_episodes_never_end(self):
        # With the defaults, no episode of this file ever ends.
        with open(self.path("ring.mdp"), "w") as file:
            file.write("discount: 0.9\nvalues: reward\nstates: 2\nactions: 2\nstart: 0\n"
                       "T: 0\n0 1\n1 0\nT: 1\n1 0\n0 1\nR: 0 : * : * : * 1\nR: 1 : * : * : * 0\n")
        done = self.command("train", "sql", "--env", "mdp", "--env.file", "ring.mdp", "--steps",
                            2000, "--net-arch", 8, "--eval-episodes", 2, "--quiet", "--out", "run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("2 of 2 episodes did not end and were cut off after 100000 steps", done.stderr)
        self.assertIn("--env.max-episode-steps", done.stderr)
        self.ok("eval", "run", "--which", "final", "--episodes", 1)
        result = json.loads(self.ok("eval", "run", "--episodes", 2, "--json"))
        self.assertEqual((result["cut"], result["lengths"]), (2, [100000, 100000]))
        self.assertIn("cut off        2 episodes", self.ok("eval", "run", "--episodes", 2))
        # The remedy in the message works.
        done = self.command("train", "sql", "--env", "mdp", "--env.file", "ring.mdp", "--steps",
                            2000, "--net-arch", 8,
                            "--eval-episodes", 2, "--quiet", "--out", "limited",
                            "--env.max-episode-steps", 20)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_acting_needs_no_replay_buffer(self):
        self.ok("train", "sac", "--env", "LQR-v0", "--policy", "gaussian", "--steps", 150,
                "--net-arch", 8,
                "--eval-episodes", 1, "--buffer-size", 1000, "--quiet", "--out", "run")
        before = self.ok("eval", "run", "--episodes", 2)
        config = self.path("run", "config.yaml")
        text, n = re.subn(r"buffer_size: \d+", "buffer_size: 1000000000000", kit.read(config))
        self.assertEqual(n, 1)
        with open(config, "w") as file:
            file.write(text)
        self.assertEqual(self.ok("eval", "run", "--episodes", 2), before)
        self.ok("certify", "run", "--episodes", 8)
        self.ok("export", "run", "--out", "policy")
        self.ok("plot", "run", "--out", "curve.png")
        self.fails(kit.MEMORY, "train", "--resume", "run", "--steps", 200,
                   says=["replay", "buffer_size"])


kit.main()

"""celsius certify: numbers of known agents, JSON, pictures, help, bad input, docs/certify.md."""
import json
import os
import re
import xml.dom.minidom

import kit

MDP = {"soft_return", "shortfall_share", "hard_return", "entropy", "kl_mean", "shortfall_kl",
       "kl_sup", "value_sup", "value_mean", "q_sup", "q_mean", "v_sup", "v_mean"}
LQR = {"soft_return", "shortfall_share", "hard_return", "kl_mean", "kl_sup", "gain", "covariance",
       "entropy", "q_sup", "q_mean", "v_sup", "v_mean"}
PLANE = {"soft_return", "shortfall_share", "hard_return", "entropy", "kl_mean", "shortfall_kl",
         "kl_sup", "goal_east", "goal_west", "goal_north", "goal_south", "goal_none",
         "goal_distance", "kl_left", "kl_middle", "kl_corner", "q_sup", "q_mean", "v_sup", "v_mean"}
LITTLE = ("--eval-every 0 --eval-episodes 1 --log-every 100 --tensorboard false --net-arch 8 "
          "--batch-size 8 --learning-starts 50").split()


class Certify(kit.Case):
    def agent(self, algo, env, *args, steps=100):
        """A run of a few steps."""
        little = LITTLE if algo not in ("ppo", "a2c") else LITTLE[:LITTLE.index("--batch-size")]
        self.ok("train", algo, "--env", env, "--steps", steps, "--out", "run", "--quiet", *little,
                *args)

    def certified(self, *args):
        return json.loads(self.ok("certify", "run", "--json", *args))

    def picture(self, *args):
        for name in ("a.png", "b.png", "a.svg"):
            self.ok("certify", "run", "--out", name, *args)
        self.assertEqual(kit.sha256(self.path("a.png")), kit.sha256(self.path("b.png")))
        self.assertEqual(xml.dom.minidom.parse(self.path("a.svg")).documentElement.tagName, "svg")

    def test_finite(self):
        self.agent("sql", "mdp", "--env.generator", "frozenlake-4x4", "--gamma", 0.9, "--ent-coef",
                   0.2)
        got = self.certified()
        self.assertEqual(set(got["measures"]), MDP)
        self.assertEqual((got["problem"], got["alpha"], got["gamma"], got["certified"]),
                         ("mdp", 0.2, 0.9, True))
        self.assertTrue(got["model"].endswith("final.safetensors"))
        row = {name: value for name, value in got["measures"].items()}
        solved = json.loads(self.ok("solve", "frozenlake-4x4", "--alpha", 0.2, "--gamma", 0.9,
                                    "--json"))
        self.assertAlmostEqual(row["soft_return"]["exact"], solved["value_start"], 8)
        self.assertGreater(row["soft_return"]["off"], 0)
        self.assertAlmostEqual(row["soft_return"]["off"], row["shortfall_kl"]["off"], 7)
        self.assertAlmostEqual(row["soft_return"]["learned"],
                               row["soft_return"]["exact"] - row["soft_return"]["off"], 12)
        self.assertIsNone(row["kl_mean"]["exact"])
        self.assertEqual(self.certified("--alpha", 1)["alpha"], 1)
        self.assertEqual(self.certified("--gamma", 0.5)["gamma"], 0.5)
        text = self.ok("certify", "run")
        for part in ("sql on frozenlake-4x4, model run/final.safetensors", "alpha 0.2, gamma 0.9",
                     "certified", "soft return J, shortfall", "learned Q - Q*, largest"):
            self.assertIn(part, text)
        self.assertFalse([line for line in text.splitlines() if len(line) > 100])
        self.picture()

    def test_a_problem_without_a_grid_and_without_q(self):
        self.agent("ppo", "mdp", "--env.generator", "garnet", "--n-steps", 64)
        got = self.certified()
        self.assertEqual(got["alpha"], 0)
        self.assertIsNone(got["measures"]["q_sup"]["off"])
        self.assertIn("learns no Q", got["measures"]["q_sup"]["note"])
        self.assertIsNone(got["measures"]["kl_mean"]["off"])
        self.assertTrue(0 < got["measures"]["best_action"]["learned"] < 1)
        self.picture()

    def test_every_policy_is_optimal(self):
        """The shortfall has no relative size then. Without actions there is no best action."""
        problems = {"one": "discount: 0.9\nstates: 1\nactions: 1\nT: * identity\n"
                           "R: * : * : * : * 1\n",
                    "free": "discount: 0.9\nstates: 2\nactions: 2\nT: * uniform\n"}
        for name, text in problems.items():
            with open(self.path(name + ".mdp"), "w") as file:
                file.write(text)
            self.agent("sql", "mdp", "--env.file", self.path(name + ".mdp"),
                       "--env.max-episode-steps", 20)
            for args in ((), ("--gamma", 0.999999), ("--alpha", 1e9), ("--alpha", 0)):
                share = self.certified(*args)["measures"]["shortfall_share"]
                self.assertIsNone(share["off"], (name, args))
                self.assertIn("uniform policy is optimal", share["note"])
            os.rename(self.path("run"), self.path("of " + name))
        with open(self.path("over.tra"), "w") as file:
            file.write("2 1 1\n1 0 0 1\n")  # state 0, the start, has no action
        with open(self.path("over.lab"), "w") as file:
            file.write('0="init"\n0: 0\n')
        self.agent("sql", "mdp", "--env.file", self.path("over.tra"), "--env.discount", 0.9)
        row = self.certified("--alpha", 0)["measures"]
        self.assertIsNone(row["best_action"]["learned"])
        self.assertEqual(row["soft_return"]["off"], 0)
        self.assertEqual(self.certified("--alpha", 1)["measures"]["shortfall_kl"]["off"], 0)

    def test_regulator(self):
        self.agent("sac", "LQR-v0", "--policy", "gaussian", "--ent-coef", 0.1, "--gamma", 0.9)
        got = self.certified("--episodes", 20)
        self.assertEqual(set(got["measures"]), LQR)
        self.assertEqual(got["problem"], "lqr")
        gain, exact = got["regulator"]["gain_learned"][0], got["regulator"]["gain_exact"][0]
        off = sum((a - b)**2 for a, b in zip(gain, exact))**0.5 / sum(b * b for b in exact)**0.5
        self.assertAlmostEqual(got["measures"]["gain"]["off"], off, 10)
        self.fails(kit.RANGE, "certify", "run", "--gamma", 0.9999,
                   says=["rollouts would need", "at most 0.9995"])
        self.picture("--episodes", 20)

    def test_plane(self):
        self.agent("sac", "MultiGoal-v0", "--ent-coef", 10, "--gamma", 0.9)
        args = ("--episodes", 20, "--cells", 56)
        got = self.certified(*args)
        self.assertEqual(set(got["measures"]), PLANE)
        self.assertEqual([place["state"] for place in got["places"]],
                         [[-2.5, 0], [0, 0], [2.5, 2.5]])
        self.assertAlmostEqual(sum(got["measures"]["goal_" + way]["learned"]
                                   for way in ("east", "west", "north", "south", "none")), 1, 9)
        self.assertEqual(got, self.certified(*args))
        # The time limit decides which goals are reached, and the discount does not.
        short = self.certified(*args, "--gamma", 0.2)["measures"]
        exact = sum(short["goal_" + way]["exact"] for way in ("east", "west", "north", "south"))
        self.assertGreater(exact, 0.2)
        self.picture(*args)

    def test_which(self):
        self.agent("sql", "mdp", "--env.generator", "frozenlake-4x4", "--checkpoint-every", 50)
        for which, name in (("best", "best.safetensors"), ("final", "final.safetensors")):
            self.assertTrue(self.certified("--which", which)["model"].endswith(name))
        path = kit.checkpoints(self.path("run"))[0]
        self.assertEqual(self.certified("--which", path)["model"], path)
        os.remove(self.path("run", "final.safetensors"))  # as in an unfinished run
        self.assertTrue(self.certified()["model"].endswith("best.safetensors"))

    def test_an_edited_config(self):
        """The values of a model belong to the discount and temperature that it was trained with."""
        self.agent("sql", "mdp", "--env.generator", "frozenlake-4x4", "--gamma", 0.9, "--ent-coef",
                   0.2, "--checkpoint-every", 50)
        text = kit.read(self.path("run/config.yaml"))
        for field, was, now in (("gamma", "0.9", "0.8"), ("ent_coef", "0.2", "0.3")):
            self.assertIn(f"  {field}: {was} ", text)
            with open(self.path("run/config.yaml"), "w") as file:
                file.write(text.replace(f"  {field}: {was} ", f"  {field}: {now} "))
            for model in ("final", kit.checkpoints(self.path("run"))[0]):
                self.fails(kit.UNSUPPORTED, "certify", "run", "--which", model,
                           says=[f"{field} was {was} when the model was trained and is {now} in "
                                 "config.yaml"])

    def test_wrong_input(self):
        self.fails(kit.ARGUMENT, "certify", says=["the run folder is missing"])
        self.fails(kit.IO, "certify", "nowhere", says=["nowhere"])
        os.mkdir(self.path("empty"))
        self.fails(kit.IO, "certify", "empty", says=["empty"])
        self.agent("sac", "Pendulum-v1")
        self.fails(kit.UNSUPPORTED, "certify", "run",
                   says=["Pendulum-v1", "LQR-v0 and MultiGoal-v0"])
        self.fails(kit.ARGUMENT, "certify", "run", "more", says=["'more'"])
        self.fails(kit.ARGUMENT, "certify", "run", "--out", "x.gif", says=["x.gif", ".png or .svg"])
        self.fails(kit.IO, "certify", "run", "--out", "/nowhere/x.png", says=["/nowhere/x.png"])
        self.fails(kit.IO, "certify", "run", "--which", "x.safetensors", says=["x.safetensors"])
        self.fails(kit.NAME, "certify", "run", "--episode", 3, says=["--episodes"])
        self.fails(kit.RANGE, "certify", "run", "--episodes", 1, says=["--episodes", "8"])
        self.fails(kit.RANGE, "certify", "run", "--alpha", -1, says=["--alpha", "-1"])
        self.fails(kit.RANGE, "certify", "run", "--gamma", 2, says=["--gamma", "2"])

    def test_problems_that_have_no_exact_solution(self):
        for n, (says, algo, env, *args) in enumerate((
                ("action_limit is 2", "sac", "LQR-v0", "--env.action-limit", 2),
                ("action_repeat is 2", "sql", "mdp", "--env.action-repeat", 2),
                ("reach is 2", "sac", "MultiGoal-v0", "--env.reach", 2),
                ("normalize_reward changes", "sql", "mdp", "--normalize-reward", "true"))):
            self.agent(algo, env, *args)
            self.fails(kit.UNSUPPORTED, "certify", "run", says=[says])
            os.rename(self.path("run"), self.path(f"run{n}"))
        self.ok("certify", "run3", "--alpha", 0.1)
        self.agent("sql", "mdp")
        self.fails(kit.RANGE, "certify", "run", "--gamma", 1, says=["below 1"])

    def test_help(self):
        text = self.ok("certify", "--help")
        for part in ("--which", "--json", "--out", "--episodes", "--cells", "MultiGoal"):
            self.assertIn(part, text)
        self.assertIn("  certify ", self.ok("--help"))


class Page(kit.Case):
    def test_measures_of_the_page(self):
        """The table of the page names exactly the measures of the command."""
        text = kit.read(os.path.join(kit.ROOT, "docs", "certify.md"))
        named = set(re.findall(r"(?m)^\| `([a-z_`, ]+)` ", text))
        named = {name for row in named for name in re.findall(r"[a-z_]+", row)}
        self.assertEqual(named, MDP | LQR | PLANE | {"best_action"})


kit.main()

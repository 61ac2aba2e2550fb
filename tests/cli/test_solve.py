"""celsius solve: numbers against plain iteration, files, pictures, sweeps, conservative steps,
help, bad input, and docs/solving.md, whose commands must print what the page shows."""
import csv
import fcntl
import json
import math
import os
import re
import shlex
import signal
import struct
import subprocess
import termios
import time
import xml.dom.minidom

import kit

GENERATORS = ("frozenlake-4x4", "frozenlake-8x8", "frozenlake", "taxi", "cliffwalking", "grid",
              "garnet", "replacement", "inventory", "consensus", "leader", "leader-sync", "herman",
              "israeli-jalfon", "nand", "brp", "crowds", "csma", "wlan", "firewire")


def soft_max(q, alpha):
    top = max(q)
    return top if alpha == 0 else top + alpha * math.log(sum(math.exp((x - top) / alpha)
                                                             for x in q))


def tensors(path):
    """Reads a safetensors file. Returns {name: (shape, numbers)} and the metadata."""
    with open(path, "rb") as file:
        data = file.read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    meta = header.pop("__metadata__", {})
    out = {}
    for name, entry in header.items():
        begin, end = (8 + n + offset for offset in entry["data_offsets"])
        if entry["dtype"] == "F64":
            out[name] = (entry["shape"], struct.unpack(f"<{(end - begin) // 8}d", data[begin:end]))
    return out, meta


class Problem:
    """A Gymnasium table that the command wrote, and its values by plain iteration."""

    def __init__(self, path):
        table = json.loads(kit.read(path))["P"]
        self.P = [[table[str(s)][str(a)] for a in range(len(table[str(s)]))]
                  for s in range(len(table))]

    def backup(self, s, alpha, gamma, V):
        return soft_max([sum(p * (r + (0 if done else gamma * V[next])) for p, next, r, done in row)
                         for row in self.P[s]], alpha)

    def solve(self, alpha, gamma):
        V = [0.0] * len(self.P)
        while True:
            new = [self.backup(s, alpha, gamma, V) for s in range(len(V))]
            if max(abs(a - b) for a, b in zip(new, V)) < 1e-13:
                return new
            V = new


class Numbers(kit.Case):
    def test_values_and_certificate(self):
        self.ok("solve", "frozenlake-4x4", "--alpha", 0, "--save-problem", "lake.json", "--quiet")
        problem = Problem(self.path("lake.json"))
        for alpha, gamma in ((0, 0.9), (0.05, 0.9), (2, 0.7)):
            expected = problem.solve(alpha, gamma)
            for source in ("frozenlake-4x4", "lake.json"):
                got = json.loads(self.ok("solve", source, "--alpha", alpha, "--gamma", gamma,
                                         "--tol", 1e-11, "--out", "x.safetensors", "--json"))
                self.assertTrue(got["certified"])
                self.assertLess(got["bound"], 1e-10)
                self.assertLess(abs(got["value_start"] - expected[0]), got["bound"] + 1e-11)
                self.assertEqual((got["alpha"], got["gamma"], got["states"]), (alpha, gamma, 16))
                parts, meta = tensors(self.path("x.safetensors"))
                self.assertEqual(parts["V"][0], [1, 16])
                self.assertEqual(parts["pi"][0], [1, 64])
                for s, value in enumerate(expected):
                    self.assertLess(abs(parts["V"][1][s] - value), got["bound"] + 1e-11)
                    self.assertAlmostEqual(sum(parts["pi"][1][4 * s:4 * s + 4]), 1, 12)
                self.assertEqual(float(meta["value_start"]), got["value_start"])

    def test_every_generator(self):
        for name in GENERATORS:
            got = json.loads(self.ok("solve", name, "--alpha", 0.1, "--tol=1e-6", "--json"))
            self.assertTrue(got["certified"], name)
            self.assertGreater(got["sweeps"] + got["iterations"], 0)

    def test_text(self):
        text = self.ok("solve", "taxi", "--alpha", 0)
        for part in ("taxi: 500 states, 3,000 state-actions", "value at start  6.32746",
                     "certified       yes"):
            self.assertIn(part, text)
        text = self.ok("solve", "taxi", "--alpha", 1, "--method", "vi", "--max-iterations", 3)
        self.assertIn("certified       no (--max-iterations was reached)", text)
        self.assertIn("the tolerance 9e-07", text)  # relative to max |V|

    def test_auto_says_what_ran(self):
        for name, ran in (("garnet", "vi"), ("frozenlake-8x8", "newton")):
            self.assertRegex(self.ok("solve", name), rf"(?m)^method +{ran} \(auto\): ")
            self.assertEqual(json.loads(self.ok("solve", name, "--json"))["method"], ran)
            self.assertRegex(self.ok("solve", name, "--method", ran), rf"(?m)^method +{ran}: ")

    def test_direct_solves_match_info(self):
        sparse = json.loads(self.ok("info", "--json"))["suitesparse"]
        self.assertRegex(self.ok("info"), f"(?m)^sparse solves +{'yes' if sparse else 'no'} ")
        if sparse:
            self.assertIn("certified       yes", self.ok("solve", "taxi", "--method", "pi"))
        else:
            self.fails(kit.UNSUPPORTED, "solve", "taxi", "--method", "pi",
                       says=["SuiteSparse", "newton"])

    def test_threads_and_runs_agree(self):
        for threads in (1, 2):
            self.ok("solve", "garnet", "--states", 300, "--seed", 5, "--threads", threads,
                    "--method", "vi", "--out", f"{threads}.safetensors")
        a, b = (tensors(self.path(f"{threads}.safetensors"))[0] for threads in (1, 2))
        self.assertEqual(a, b)

    def test_horizon(self):
        got = json.loads(self.ok("solve", "frozenlake-4x4", "--horizon", 8, "--gamma", 1, "--alpha",
                                 0, "--json", "--out", "x.safetensors"))
        self.assertEqual((got["method"], got["horizon"], got["gamma"]), ("backward", 8, 1))
        self.assertEqual(tensors(self.path("x.safetensors"))[0]["V"][0], [8, 16])


class Undiscounted(kit.Case):
    """--gamma 1 without a horizon."""

    def solve(self, *args):
        return json.loads(self.ok("solve", "consensus", "--gamma", 1, "--alpha", 0, "--json", *args))

    def test_rewards_and_probabilities(self):
        for args, objective, exact in (
                (("--target", "finished"), "reward", 75),
                (("--target", "finished", "--min"), "reward", 48),
                (("--target", "finished & !agree", "--objective", "probability"), "probability",
                 13 / 120),
                (("--target", "finished & all_coins_equal_1", "--objective", "probability",
                  "--min"), "probability", 49 / 128)):
            got = self.solve(*args, "--out", "x.safetensors")
            self.assertTrue(got["certified"])
            self.assertLessEqual(got["value_lower"], exact)
            self.assertGreaterEqual(got["value_upper"], exact)
            self.assertEqual((got["objective"], got["target"], got["gamma"], got["value_is"]),
                             (objective, args[1], 1, "finite"))
            self.assertEqual(got["direction"], "min" if "--min" in args else "max")
            parts, _ = tensors(self.path("x.safetensors"))
            self.assertLessEqual(parts["lower"][1][0], parts["V"][1][0])
            self.assertEqual(len(parts["upper"][1]), 272)

    def test_steps(self):
        value = [self.solve("--target", "finished", "--objective", "probability", "--steps", n)
                 for n in (1, 50, 100)]
        self.assertAlmostEqual(value[0]["value_start"], 0, 12)
        self.assertLess(value[1]["value_start"], value[2]["value_start"])
        self.assertEqual((value[2]["steps"], value[2]["method"]), (100, "backward"))
        self.assertIn("within 50 steps", self.ok("solve", "consensus", "--gamma", 1, "--alpha", 0,
                                                 "--target", "finished", "--steps", 50))

    def test_return_and_entropy_add_up(self):
        got = json.loads(self.ok("solve", "taxi", "--gamma", 1, "--alpha", 0.3, "--json"))
        self.assertAlmostEqual(got["hard_return"] + got["entropy_part"], got["value_start"], 6)
        self.assertIsNone(got["target"])
        rows = json.loads(self.ok("solve", "taxi", "--gamma", 1, "--alpha", "0,0.3", "--json"))
        self.assertAlmostEqual(rows["sweep"][1]["hard_return"], got["hard_return"], 6)
        # Taxi's best policies bring the passenger home in few steps: 20 - 12.07 on average.
        self.assertAlmostEqual(rows["sweep"][0]["value_start"], 7.93, 2)

    def test_infinite_values(self):
        got = json.loads(self.ok("solve", "frozenlake-4x4", "--gamma", 1, "--json"))
        self.assertIsNone(got["value_start"])
        self.assertEqual(got["value_is"], "+infinity")
        self.assertIn("gain reward or entropy", got["infinite"])
        self.assertIsNone(got["hard_return"])
        text = self.ok("solve", "consensus", "--gamma", 1, "--alpha", 0, "--target", "finished & "
                       "all_coins_equal_1", "--min")
        self.assertRegex(text, r"(?m)^infinite +\+infinity in \d+ states, from which no policy")

    def test_policy_as_table(self):
        self.solve("--target", "finished", "--out", "x.csv")
        with open(self.path("x.csv"), newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), 400)
        self.assertEqual({row["probability"] for row in rows if row["state"] == "0"}, {"0", "1"})

    def test_mistakes(self):
        solve = ("solve", "consensus", "--gamma", 1, "--alpha", 0)
        self.fails(kit.NAME, *solve, "--target", "finish", says=["--target", "finish", "finished"])
        self.fails(kit.ARGUMENT, *solve, "--target", "agree & !agree", says=["no state"])
        self.fails(kit.ARGUMENT, *solve, says=["never end", "target"])
        self.fails(kit.ARGUMENT, "solve", "consensus", "--target", "finished", says=["--gamma 1"])
        self.fails(kit.ARGUMENT, "solve", "consensus", "--min", says=["--gamma 1"])
        self.fails(kit.ARGUMENT, "solve", "taxi", "--gamma", 1, "--cpi", says=["--cpi", "discount"])
        self.fails(kit.ARGUMENT, *solve, "--target", "finished", "--q-learning",
                   says=["--q-learning", "discount"])
        self.fails(kit.UNSUPPORTED, *solve, "--target", "finished", "--method", "mpi",
                   says=["newton"])
        self.fails(kit.ARGUMENT, *solve, "--target", "finished", "--steps", 3, "--unreached", "sum",
                   says=["unreached"])


class Files(kit.Case):
    def put(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def value(self, *args):
        return json.loads(self.ok("solve", *args, "--alpha", 0, "--json"))["value_start"]

    def test_reward_structures(self):
        """State 0 leads to two absorbing states with probability 1/2 each. One structure pays 1 in
        state 0 only. The other pays 7 on the way to state 2, and 5 per step there."""
        self.put("two.tra", "3 3 4\n0 0 1 0.5\n0 0 2 0.5\n1 0 1 1\n2 0 2 1\n")
        self.put("two1.srew", '# Reward structure "time"\n3 1\n0 1\n')
        self.put("two1.trew", '# Reward structure "time"\n3 3 0\n')
        self.put("two2.srew", '# Reward structure "gain"\n3 1\n1 5\n')
        self.put("two2.trew", '# Reward structure "gain"\n3 3 1\n0 0 2 7\n')
        self.fails(kit.ARGUMENT, "solve", "two.tra", "--gamma", 0.9,
                   says=["two.tra", '"time"', '"gain"', "reward"])
        self.fails(kit.NAME, "solve", "two.tra", "--gamma", 0.9, "--reward", "tim",
                   says=['"tim"', '"time"'])
        self.assertAlmostEqual(self.value("two.tra", "--gamma", 0.9, "--reward", "time"), 1, 6)
        self.assertAlmostEqual(self.value("two.tra", "--gamma", 0.9, "--reward", 2),
                               0.5 * 7 + 0.45 * 5 / 0.1, 6)
        self.fails(kit.ARGUMENT, "train", "sql", "--env", "mdp", "--env.file", "two.tra",
                   "--env.discount", 0.9, "--steps", 10, "--out", "r", says=["two.tra", "reward"])
        self.ok("train", "sql", "--env", "mdp", "--env.file", "two.tra", "--env.discount", 0.9,
                "--env.reward", "gain",
                "--env.max-episode-steps", 5, "--steps", 20, "--net-arch", 4, "--eval-episodes", 1,
                "--out", "r")

    def test_horizon_of_a_file(self):
        self.put("sum.mdp", "discount: 1.0\nvalues: rewards\nstates: 1\nactions: 1\nT: 0 identity\n"
                            "R: 0 : * : * : * 1\n")
        self.fails(kit.ARGUMENT, "solve", "sum.mdp", says=["never end", "target"])
        self.assertEqual(self.value("sum.mdp", "--horizon", 3), 3)
        self.assertAlmostEqual(self.value("sum.mdp", "--gamma", 0.5), 2, 6)

    def test_note_that_observations_are_left_out(self):
        self.put("seen.pomdp",
                 "discount: 0.9\nstates: 1\nactions: 1\nobservations: 2\nT: 0 identity\n"
                 "O: 0 uniform\n")
        self.assertIn("observations are left out", self.command("solve", "seen.pomdp").stderr)

    def test_a_pipe_needs_a_format(self):
        self.fails(kit.FORMAT, "solve", "/dev/zero", says=["/dev/zero", "format"])


class LongHorizon(kit.Case):
    """One state and 3 10^7 time steps, which take a while to solve; and 10^13, which do not fit."""

    def problem(self, horizon):
        with open(self.path("long.json"), "w") as file:
            json.dump({"discount": 0.9, "horizon": horizon, "P": {"0": {"0": [[1, 0, 1, False]]}}},
                      file)

    def test_limits_of_time_and_iterations(self):
        self.problem(3 * 10**7)
        for limit in (["--max-seconds", 0.05], ["--max-iterations", 1000]):
            got = json.loads(self.ok("solve", "long.json", "--alpha", 0, "--json", "--out",
                                     "x.safetensors", *limit))
            self.assertEqual((got["certified"], got["value_start"], got["bound"]),
                             (False, None, None))
            self.assertTrue(0 < got["iterations"] < 3 * 10**7)
            self.assertFalse(os.path.exists(self.path("x.safetensors")))
        self.assertEqual(got["iterations"], 1000)
        done = self.command("solve", "long.json", "--alpha", "0,1", *limit)
        self.assertEqual(done.returncode, kit.INTERRUPTED)
        self.assertIn("raise --max-seconds or --max-iterations", done.stderr)

    def test_ctrl_c(self):
        self.problem(3 * 10**7)
        child = subprocess.Popen([kit.BIN, "solve", "long.json", "--quiet"], cwd=self.folder,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        out, said = child.communicate(timeout=60)
        self.assertEqual(child.returncode, kit.INTERRUPTED)
        self.assertIn("not known", out)
        self.assertIn("stopped", said)

    def test_memory_is_checked_first(self):
        self.problem(10**13)
        self.fails(kit.MEMORY, "solve", "long.json", says=["time steps", "are needed"])


class Parts(kit.Case):
    """The parts of the value, against plain iteration with the policy that was written."""

    def evaluate(self, problem, pi, gamma, of_rewards):
        """Discounted rewards, or entropies, of pi[s][a] from state 0, by plain iteration."""
        V = [0.0] * len(problem.P)
        for _ in range(2000):
            V = [sum(pi[s][a] * (sum(p * (r * of_rewards + (0 if done else gamma * V[next]))
                                     for p, next, r, done in row)
                                 - (0 if of_rewards or pi[s][a] == 0 else math.log(pi[s][a])))
                     for a, row in enumerate(problem.P[s])) for s in range(len(V))]
        return V[0]

    def test_return_and_entropy(self):
        self.ok("solve", "frozenlake-4x4", "--save-problem", "lake.json", "--quiet")
        problem = Problem(self.path("lake.json"))
        got = json.loads(self.ok("solve", "lake.json", "--gamma", 0.9, "--alpha", 0.02, "--tol",
                                 1e-12, "--json", "--out", "policy.csv"))
        with open(self.path("policy.csv"), newline="") as file:
            rows = list(csv.DictReader(file))
        pi = [[float(row["probability"]) for row in rows if int(row["state"]) == s]
              for s in range(16)]
        self.assertEqual([len(row) for row in pi], [4] * 16)
        hard, entropy = (self.evaluate(problem, pi, 0.9, of_rewards)
                         for of_rewards in (True, False))
        self.assertAlmostEqual(got["hard_return"], hard, 9)
        self.assertAlmostEqual(got["entropy_sum"], entropy, 7)
        self.assertAlmostEqual(got["entropy_part"], 0.02 * entropy, 9)
        self.assertAlmostEqual(got["value_start"], hard + 0.02 * entropy, 9)
        self.assertAlmostEqual(float(rows[0]["V"]), got["value_start"], 9)
        text = self.ok("solve", "lake.json", "--gamma", 0.9, "--alpha", 0.02)
        self.assertIn(f"\nreturn          {hard:.6f}", text)
        self.assertIn(f"\nentropy part    {0.02 * entropy:.6f}", text)

    def test_hard_value_is_the_return(self):
        got = json.loads(self.ok("solve", "taxi", "--alpha", 0, "--json"))
        self.assertEqual(got["hard_return"], got["value_start"])
        self.assertEqual(got["entropy_part"], 0)

    def test_steps(self):
        """Two steps in one state with two actions that pay 1 and 0: the same softmax twice."""
        with open(self.path("two.mdp"), "w") as file:
            file.write("discount: 1\nstates: 1\nactions: 2\nT: * identity\nR: 0 : * : * : * 1\n")
        got = json.loads(self.ok("solve", "two.mdp", "--horizon", 2, "--alpha", 1, "--json",
                                 "--out", "p.csv"))
        p = math.e / (1 + math.e)
        self.assertAlmostEqual(got["hard_return"], 2 * p, 12)
        self.assertAlmostEqual(got["entropy_sum"],
                               -2 * (p * math.log(p) + (1 - p) * math.log(1 - p)), 12)
        lines = kit.read(self.path("p.csv")).splitlines()
        self.assertEqual(lines[0], "step,state,action,probability,Q,V")
        self.assertEqual([line.split(",")[:3] for line in lines[1:]],
                         [[t, "0", a] for t in "01" for a in "01"])
        self.assertAlmostEqual(float(lines[1].split(",")[3]), p, 12)

    def test_policy_as_text(self):
        text = self.ok("solve", "frozenlake-4x4", "--gamma", 0.9, "--alpha", 0, "--policy")
        self.assertRegex(text, r"(?m)^ +14 +0.6390\d* +0: 0  1: 1  2: 0  3: 0$")
        self.fails(kit.ARGUMENT, "solve", "taxi", "--alpha", "0,1", "--policy", says=["--policy"])
        self.fails(kit.ARGUMENT, "solve", "taxi", "--json", "--policy",
                   says=["--policy", "--out FILE.csv"])

    def test_stopped_before_it_was_solved(self):
        text = self.ok("solve", "taxi", "--alpha", 1, "--method", "vi", "--max-seconds", 1e-9)
        self.assertIn("return          not computed: --max-seconds was reached", text)


class Sweep(kit.Case):
    def test_value_is_return_and_entropy(self):
        for more in ([], ["--horizon", 12]):
            got = json.loads(self.ok("solve", "frozenlake-4x4", "--gamma", 0.95, "--alpha",
                                     "0,0.02,0.5,20", "--json",
                                     "--out", "sweep.csv", "--plot", "sweep.png", *more))
            rows = got["sweep"]
            self.assertEqual([row["alpha"] for row in rows], [0, 0.02, 0.5, 20])
            for row in rows:
                whole = row["hard_return"] + row["alpha"] * row["entropy_sum"]
                self.assertLess(abs(row["value_start"] - whole), 1e-9 + 20 * row["bound"])
                self.assertTrue(0 <= row["entropy"] <= math.log(4) + 1e-9)
            best = rows[0]["hard_return"]
            self.assertTrue(all(row["hard_return"] <= best + 1e-9 for row in rows))
            self.assertTrue(all(a["value_start"] < b["value_start"] for a,
                                b in zip(rows, rows[1:])))
            with open(self.path("sweep.csv"), newline="") as file:
                table = list(csv.DictReader(file))
            for row, line in zip(rows, table, strict=True):
                for key, text in line.items():
                    self.assertTrue(math.isclose(float(text), row[key], rel_tol=1e-14), key)
            self.assertTrue(kit.sha256(self.path("sweep.png")))

    def test_policies_at_high_temperature_are_uniform(self):
        got = json.loads(self.ok("solve", "garnet", "--actions", 3, "--alpha", "1,1e4", "--json"))
        self.assertLess(got["sweep"][0]["entropy"], math.log(3) - 1e-3)
        self.assertAlmostEqual(got["sweep"][1]["entropy"], math.log(3), 6)

    def test_many_states(self):
        """With more states than a direct solve takes, Krylov methods find return and entropy."""
        got = json.loads(self.ok("solve", "grid", "--width", 250, "--height", 210, "--rewards",
                                 "random", "--gamma", 0.9, "--alpha", "0,1", "--json"))
        for row in got["sweep"]:
            whole = row["hard_return"] + row["alpha"] * row["entropy_sum"]
            self.assertLess(abs(row["value_start"] - whole), 2 * row["bound"] + 1e-9)

    def test_text(self):
        text = self.ok("solve", "garnet", "--states", 20, "--alpha", "0, 0.1")
        self.assertEqual(len(text.splitlines()), 4)
        self.assertRegex(text, r"alpha +value +hard return +entropy")


class Conservative(kit.Case):
    def test_steps(self):
        best = json.loads(self.ok("solve", "frozenlake-4x4", "--gamma", 0.9, "--alpha", 0,
                                  "--json"))["value_start"]
        got = json.loads(self.ok("solve", "frozenlake-4x4", "--gamma", 0.9, "--cpi", "--json",
                                 "--out", "cpi.safetensors", "--plot", "cpi.png"))
        steps = got["steps"]
        self.assertTrue(got["stopped"])
        self.assertEqual(len(steps), got["iterations"])
        self.assertGreater(len(steps), 10)
        self.assertEqual(got["held"], len(steps))
        for i, step in enumerate(steps):
            self.assertEqual(step["iteration"], i + 1)
            self.assertIs(step["held"], True)
            self.assertGreaterEqual(step["gain"], step["bound"] - 1e-12)
            self.assertAlmostEqual(step["gain"], step["J_next"] - step["J"], 14)
            self.assertGreater(step["bound"], 0)
            self.assertAlmostEqual(step["surrogate"] - step["penalty"] - step["rounding"],
                                   step["bound"], 15)
        self.assertTrue(all(a["J_next"] == b["J"] for a, b in zip(steps, steps[1:])))
        self.assertLessEqual(best - got["value_start"], got["gap"] + 1e-9)
        self.assertLess(abs(best - got["value_start"]), 1e-8)
        parts, meta = tensors(self.path("cpi.safetensors"))
        self.assertEqual(meta["method"], "conservative")
        self.assertAlmostEqual(parts["V"][1][0], got["value_start"], 12)

    def test_text(self):
        text = self.ok("solve", "frozenlake-4x4", "--gamma", 0.9, "--cpi")
        self.assertRegex(text,
                         r"iteration +J +J_next +eps +surrogate +penalty +bound +gain +held +gap")
        self.assertIn("no step is guaranteed to gain more than the tolerance", text)
        self.assertLess(len(text.splitlines()), 40)
        whole = self.ok("solve", "frozenlake-4x4", "--gamma", 0.9, "--cpi", "--guarantee")
        steps = int(re.search(r"after (\d+) steps", whole).group(1))
        self.assertEqual(len(re.findall(r"(?m)^ +\d+ .* yes +\S+$", whole)), steps)
        self.assertGreater(steps, 100)
        text = self.ok("solve", "frozenlake-4x4", "--gamma", 0.9, "--cpi", "--max-iterations", 3)
        self.assertIn("after 3 steps", text)


class Pictures(kit.Case):
    def size(self, path):
        with open(self.path(path), "rb") as file:
            head = file.read(24)
        self.assertEqual(head[:8], b"\x89PNG\r\n\x1a\n")
        return struct.unpack(">II", head[16:24])

    def test_png_and_svg(self):
        for name in ("frozenlake-8x8", "cliffwalking"):
            for out in ("a.png", "b.png", "a.svg", "b.svg"):
                self.ok("solve", name, "--plot", out)
            self.assertEqual(kit.sha256(self.path("a.png")), kit.sha256(self.path("b.png")))
            self.assertEqual(kit.sha256(self.path("a.svg")), kit.sha256(self.path("b.svg")))
            self.assertGreater(min(self.size("a.png")), 300)
            root = xml.dom.minidom.parse(self.path("a.svg")).documentElement
            self.assertEqual(root.tagName, "svg")
        self.ok("solve", "frozenlake-8x8", "--plot", "wide.png", "--plot.width", 2000,
                "--plot.arrows", "false", "--plot.numbers", "false", "--plot.title", "the lake")
        self.assertEqual(self.size("wide.png")[0], 2000)

    def test_any_grid(self):
        for width, height in ((1, 2), (300, 1), (40, 60), (150, 120)):
            self.ok("solve", "grid", "--width", width, "--height", height, "--gamma", 0.9,
                    "--alpha", 0.01, "--plot",
                    "x.png", "--tol", "1e-4", "--obstacles", 0.1 if width > 20 < height else 0)
            self.assertLess(max(self.size("x.png")), 4000)


class Help(kit.Case):
    def test_help(self):
        for call in (["solve", "--help"], ["solve", "garnet", "-h"], ["help", "solve"]):
            text = self.ok(*call)
            for line in text.splitlines():
                self.assertLessEqual(len(line), 100, line)
                self.assertEqual(line, line.rstrip())
        for name in GENERATORS:
            self.assertRegex(self.ok("solve", "--help"), rf"(?m)^  {name} ")
            text = self.ok("solve", name, "--help")
            self.assertEqual(text.count("  --gamma "), 1)
            for row in json.loads(self.ok("list", "fields", name, "--json")):
                self.assertRegex(text, rf"(?m)^  --{row['name'].replace('_', '-')}( |$)")

    def test_formats(self):
        """--format and docs/files.md know the formats of the library's table, which help prints."""
        text = self.ok("solve", "--help")
        listed = re.search(r"File formats.*?\n((?:  .*\n)+)", text).group(1)
        rows = re.findall(r"(?m)^  (\w+) +(\.[^:]*): ", listed)
        self.assertEqual(len(rows), 8, listed)
        choices = re.search(r"(?s)  --format .*?auto\b[\s|]*(.*?)\n  --", text).group(1)
        with open(os.path.join(os.environ["CELSIUS_SOURCE_DIR"], "docs", "files.md")) as file:
            page = file.read()
        for name, extensions in rows:
            self.assertIn(name, choices)
            for extension in extensions.split(", "):
                self.assertIn(f"`{extension}`", page)


class Errors(kit.Case):
    def test_names(self):
        self.fails(kit.NAME, "solve", "frozenlak", says=["'frozenlak'", "'frozenlake'"])
        self.fails(kit.NAME, "solve", "xyzzy", says=["'xyzzy'", "celsius list mdps"])
        self.fails(kit.NAME, "solve", "grid", "--widht", 3, says=["--widht", "--width"])
        self.fails(kit.NAME, "solve", "taxi", "--width", 3, says=["--width"])
        self.fails(kit.NAME, "solve", "grid", "--plot.widht", 3, says=["--plot.width"])
        self.fails(kit.ARGUMENT, "solve", says=["the problem is missing"])
        self.fails(kit.ARGUMENT, "solve", "--alpha", 0, "grid", says=["first argument"])
        self.fails(kit.ARGUMENT, "solve", "grid", "garnet", says=["'garnet'"])

    def test_values(self):
        self.fails(kit.TYPE, "solve", "grid", "--alpha", "0,x", says=["--alpha", "x"])
        self.fails(kit.TYPE, "solve", "grid", "--alpha", "0,,1", says=["--alpha"])
        self.fails(kit.RANGE, "solve", "grid", "--alpha", "-1", says=["--alpha", "-1"])
        self.fails(kit.RANGE, "solve", "grid", "--tol", "0", says=["--tolerance", "0"])
        self.fails(kit.ARGUMENT, "solve", "grid", "--tol", "1", "--tolerance", "1", says=["twice"])
        self.fails(kit.RANGE, "solve", "grid", "--gamma", "1.1", says=["gamma"])
        self.fails(kit.RANGE, "solve", "grid", "--width", "0", says=["--width"])
        self.fails(kit.UNSUPPORTED, "solve", "grid", "--horizon", 5, "--method", "vi",
                   says=["backward"])
        self.fails(kit.ARGUMENT, "solve", "grid", "--cpi", "--method", "vi",
                   says=["--cpi", "--method"])
        self.fails(kit.ARGUMENT, "solve", "grid", "--cpi", "--alpha", "0.1",
                   says=["--cpi", "--alpha"])
        self.fails(kit.ARGUMENT, "solve", "grid", "--guarantee", says=["--guarantee", "--cpi"])
        self.fails(kit.UNSUPPORTED, "solve", "grid", "--cpi", "--horizon", 5,
                   says=["infinite horizon"])
        self.fails(kit.ARGUMENT, "solve", "grid", "--format", "prism",
                   says=["--format", "generator"])

    def test_files(self):
        self.fails(kit.IO, "solve", "none.json", says=["none.json", "No such file"])
        self.fails(kit.IO, "solve", "./grid", says=["./grid"])
        self.fails(kit.IO, "solve", self.folder, says=[self.folder])
        with open(self.path("broken.json"), "w") as file:
            file.write('{"P": {"0": {"0": [[1.0, 7, 0.0')
        done = self.command("solve", "broken.json", "--gamma", "0.9")
        self.assertIn(done.returncode, (kit.CORRUPT, kit.FORMAT))
        self.assertIn("broken.json", done.stderr)

    def test_output_files_are_checked_first(self):
        for flag, name in (("--out", "/nowhere/x"), ("--plot", "/nowhere/x.png"),
                           ("--save-problem", "/nowhere/x.json")):
            self.fails(kit.IO, "solve", "frozenlake-4x4", flag, name,
                       says=[flag, name, "No such file"])
        self.fails(kit.IO, "solve", "grid", "--out", self.folder, says=["--out", "folder"])
        self.fails(kit.ARGUMENT, "solve", "grid", "--plot", "x.jpg", says=["x.jpg", ".png", ".svg"])
        self.fails(kit.UNSUPPORTED, "solve", "garnet", "--plot", "x.png", says=["garnet", "grid"])
        self.fails(kit.ARGUMENT, "solve", "garnet", "--alpha", "0,1", "--out", "x.safetensors",
                   says=[".csv"])
        self.assertEqual(os.listdir(self.folder), [])
        if os.getuid() != 0:
            os.mkdir(self.path("locked"), 0o500)
            self.fails(kit.IO, "solve", "grid", "--out", "locked/x", says=["locked/x", "ermission"])


class Stopping(kit.Case):
    def test_bar_and_interrupt(self):
        """The bar shows residual, bound and time left. Ctrl-C prints the result so far and exits
        with code 15."""
        terminal, end = self.open_terminal()
        self.addCleanup(os.close, terminal)
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        child = subprocess.Popen(
            [kit.BIN, "solve", "grid", "--width", "300", "--height", "300", "--rewards", "random",
             "--gamma", "0.99999", "--method", "vi", "--json", "--out", "x.safetensors"],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=end,
            env={**os.environ, "TERM": "xterm"}, text=True)
        os.close(end)
        shown = ""
        while not re.search(r"vi \d+  residual \S+  bound \S+  ETA \S+", shown):
            shown += os.read(terminal, 4096).decode(errors="replace")
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=60)
        self.assertEqual(child.returncode, kit.INTERRUPTED)
        got = json.loads(out)
        self.assertFalse(got["certified"])
        self.assertGreater(got["bound"], 0)
        self.assertTrue(os.path.exists(self.path("x.safetensors")))


class Page(kit.Case):
    def test_commands_of_the_page_print_what_it_says(self):
        self.compare("solving.md")

    def test_commands_of_total_reward(self):
        self.compare("total-reward.md")

    def compare(self, page):
        text = kit.read(os.path.join(kit.ROOT, "docs", page))
        blocks = re.findall(r"```sh\n(.*?)```(?:\n\n```text\n(.*?)```)?", text, re.S)
        self.assertGreater(len(blocks), 2)
        compared = 0
        for commands, printed in blocks:
            out = ""
            for line in commands.replace("\\\n", " ").splitlines():
                self.assertTrue(line.startswith(("celsius solve ", "celsius train ")), line)
                out += self.ok(*shlex.split(line, comments=True)[1:])
            if printed:
                self.assertEqual(timeless(out), timeless(printed))
                compared += 1
        self.assertGreater(compared, 2)


def timeless(text):
    """Removes what differs from run to run: seconds, and the folder of a training run."""
    text = re.sub(r"(?ms)^run folder .*", "", text)
    text = re.sub(r"steps in [\d:]+", "steps", text)
    text = re.sub(r", [\d.e-]+ s\b", ", s", text)
    text = re.sub(r"(?m)( [\d,]+) +[\d.e-]+( +[\d.e-]+(?: \(not certified\))?)$", r"\1 s\2",
                  text)  # rows of a sweep
    return text.split()


kit.main()

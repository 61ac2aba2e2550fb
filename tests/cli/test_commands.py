"""Help, lists, run folders, evaluations and runs of several seeds."""
import fcntl
import json
import math
import os
import re
import shutil
import signal
import subprocess
import termios
import threading
import time

import kit


class Zoo(kit.Case):
    """Hyperparameter files of RL Zoo. The C tests cover the settings."""

    FILE = """
default:
  n_timesteps: !!float 400
CartPole-v1: &base
  n_timesteps: !!float 1e3
  n_envs: 2
  n_steps: 50
  batch_size: 100
  learning_rate: lin_0.002
  policy: 'MlpPolicy'
  policy_kwargs: "dict(net_arch=[dict(pi=[8], vf=[8])], activation_fn=nn.ReLU)"
Other-v0:
  <<: *base
  gamma: 0.5
Broken-v0:
  <<: *base
  frame_stack: 4
"""

    def config(self, *args):
        """Trains for a few steps. Returns the run's config."""
        out = f"run{len(os.listdir(self.folder))}"
        done = self.command("train", *args, "--steps", 200, "--eval-every", 0, "--eval-episodes", 1,
                            "--tensorboard", "false", "--out", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr, kit.read(self.path(out, "config.yaml"))

    def setUp(self):
        super().setUp()
        for name in ("ppo.yml", "mine.yml"):
            with open(self.path(name), "w", encoding="utf-8") as file:
                file.write(self.FILE)

    def has(self, config, **fields):
        for name, value in fields.items():
            self.assertRegex(config, rf"(?m)^ *{name}: {re.escape(value)} *(#.*)?$")

    def test_the_file_names_algorithm_and_the_environment_its_entry(self):
        said, config = self.config("--zoo", "ppo.yml", "--env", "CartPole-v1")
        self.assertNotIn("default", said)
        self.has(config, algo="ppo", n_envs="2", batch_size="100", learning_rate="lin_0.002",
                 activation="relu", net_arch="[8]", gamma="0.99")

    def test_entry_and_order_of_settings(self):
        with open(self.path("own.yaml"), "w", encoding="utf-8") as file:
            file.write("ppo:\n  gae_lambda: 0.5\n  batch_size: 50\n")
        _, config = self.config("ppo", "--zoo=mine.yml", "--env", "CartPole-v1", "--preset", "auto",
                                "--zoo_entry", "Other-v0", "--config", "own.yaml", "--n-steps", 25)
        self.has(config, gamma="0.5", gae_lambda="0.5", batch_size="50", n_steps="25",
                 n_envs="2", learning_rate="lin_0.002")

    def test_default_entry(self):
        said, config = self.config("--zoo", "ppo.yml", "--env", "Acrobot-v1", "--n-steps", 100)
        self.assertIn("ppo.yml has no entry Acrobot-v1; using the entry \"default\"", said)
        self.has(config, algo="ppo", n_envs="1")

    def test_errors(self):
        pole = ("--env", "CartPole-v1")
        self.fails(kit.ARGUMENT, "train", "--zoo", "mine.yml", *pole, says=("algorithm is missing",))
        self.fails(kit.ARGUMENT, "train", "--zoo", "ppo.yml", says=("--env is missing",))
        self.fails(kit.ARGUMENT, "train", "ppo", "--zoo-entry", "a", *pole, says=("needs --zoo FILE",))
        self.fails(kit.IO, "train", "ppo", "--zoo", "no.yml", *pole, says=("no.yml",))
        self.fails(kit.UNSUPPORTED, "train", "--zoo", "ppo.yml", "--zoo-entry", "Broken-v0", *pole,
                   says=("ppo.yml: Broken-v0: line 17: frame_stack:",))
        self.fails(kit.NAME, "train", "a2c", "--zoo", "ppo.yml", *pole,
                   says=("batch_size: a2c has no such setting",))


class Help(kit.Case):
    def test_quiet_suppresses_startup_messages_but_not_warnings(self):
        args = ("train", "ppo", "--env", "CartPole-v1", "--steps", 200, "--n-steps", 100,
                "--batch-size", 64,
                "--eval-every", 0, "--eval-episodes", 1, "--tensorboard", "false")
        for quiet in (False, True):
            with self.subTest(quiet=quiet):
                out = f"quiet-{quiet}"
                flag = ["--quiet"] if quiet else []
                begun = self.command(*args, "--out", out, *flag).stderr
                resumed = self.command("train", "--resume", out, "--steps", 400, *flag).stderr
                for said in (begun, resumed):
                    self.assertIn("batch_size 50 would", said)
                self.assertEqual("celsius: run folder" in begun, not quiet)
                self.assertEqual("celsius: resuming at step 200 of 400" in resumed, not quiet)

    def test_every_help_fits_80_columns(self):
        calls = [["--help"], ["train", "--help"], ["train", "sac", "--help"],
                 ["train", "sac", "--env", "Pendulum-v1", "--help"],
                 ["train", "--resume", "x", "-h"],
                 ["eval", "--help"], ["plot", "--help"], ["list", "--help"], ["export", "--help"],
                 ["info", "--help"], ["certify", "--help"], ["verify", "--help"],
                 ["env", "--help"], ["env", "check", "CartPole-v1", "--help"],
                 ["solve", "--help"], ["solve", "grid", "--help"], ["help", "eval"]]
        for call in calls:
            text = self.ok(*call)
            self.assertIn("Usage: celsius", text)
            for line in text.splitlines():
                self.assertLessEqual(len(line), 80, f"{call}: {line}")
                self.assertEqual(line, line.rstrip(), f"{call}: blanks at the end of '{line}'")

    def test_every_field_is_in_the_help(self):
        text = self.ok("train", "sac", "--env", "Pendulum-v1", "--help")
        rows = (json.loads(self.ok("list", "fields", "sac", "--json")) +
                json.loads(self.ok("list", "fields", "Pendulum-v1", "--json")))
        self.assertGreater(len(rows), 30)
        for row in rows:
            self.assertIn(f"  --{row['name'].replace('_', '-')}", text)
            self.assertTrue(row["doc"], row["name"])
            if row["default"] not in ("", "false"):
                self.assertIn(row["default"], text)

    def test_version(self):
        header = kit.read(os.path.join(kit.ROOT, "include", "celsius", "version.h"))
        version = re.search(r'CEL_VERSION "([0-9.]+)"', header).group(1)
        self.assertEqual(self.ok("--version"), f"celsius {version}\n")


class Lists(kit.Case):
    def test_lists(self):
        envs = json.loads(self.ok("list", "envs", "--json"))
        ids = [row["id"] for row in envs]
        for name in ("CartPole-v1", "Pendulum-v1", "MountainCar-v0", "MountainCarContinuous-v0",
                     "Acrobot-v1"):
            self.assertIn(name, ids)
            self.assertIn(name, self.ok("list", "envs"))
        pendulum = envs[ids.index("Pendulum-v1")]
        self.assertEqual(pendulum["max_episode_steps"], 200)
        self.assertEqual(pendulum["observation"], "Box(3,)")
        self.assertIn("sac", [row["name"] for row in json.loads(self.ok("list", "algos",
                                                                        "--json"))])
        self.assertIn("sac", self.ok("list", "algos"))
        presets = json.loads(self.ok("list", "presets", "--json"))
        methods = {"tqc", "ddpg", "crossq", "crossq-small", "droq", "redq", "xqc", "xqc-small",
                   "simba"}  # for any environment
        self.assertTrue(all(row["name"] in {*ids, *methods} for row in presets
                            if not kit.is_mujoco(row["name"])), presets)
        self.assertIn("batch_size", self.ok("list", "fields"))
        self.assertIn("eval_every", self.ok("list", "fields"))

    def test_lists_of_finite_problems(self):
        mdps = {row["name"]: row for row in json.loads(self.ok("list", "mdps", "--json"))}
        text = self.ok("list", "mdps")
        sizes = {"frozenlake-4x4": (16, 4), "frozenlake-8x8": (64, 4), "taxi": (500, 6),
                 "cliffwalking": (48, 4)}
        for name, (states, actions) in sizes.items():
            self.assertEqual((mdps[name]["states"], mdps[name]["actions"]), (states, actions), name)
        for name, row in mdps.items():
            self.assertIn(name, text)
            fields = json.loads(self.ok("list", "fields", name, "--json"))
            default = {field["name"]: field["default"] for field in fields}
            self.assertEqual(float(default["gamma"]), row["gamma"])
        self.assertIn("obstacles", self.ok("list", "fields", "grid"))
        self.fails(kit.NAME, "list", "fields", "nonesuch", says=["celsius list mdps"])

    def test_info(self):
        info = json.loads(self.ok("info", "--json"))
        self.assertIn(info["isa"], info["isa_available"].split())
        self.assertEqual(info["cores"], len(os.sched_getaffinity(0)))
        self.assertIn(info["isa"], self.ok("info"))
        for isa in info["isa_available"].split():
            chosen = json.loads(self.ok("info", "--json", env={"CELSIUS_ISA": isa}))
            self.assertEqual(chosen["isa"], isa)
        self.assertIn("mmx", self.ok("info", env={"CELSIUS_ISA": "mmx"}))

    def test_info_of_a_model(self):
        """Algorithm, spaces and layers of a run folder, a model file and a checkpoint."""
        self.ok("train", "sac", "--env", "Pendulum-v1", "--steps", 150, "--net-arch", "8,5", "--activation", "gelu",
                "--layer-norm", "--normalize-observation", "--eval-episodes", 1, "--quiet", "--out", "run")
        layers = [("dense", 3, 8, 32), ("layer_norm", 8, 8, 16), ("gelu", 8, 8, 0), ("dense", 8, 5, 45),
                  ("layer_norm", 5, 5, 10), ("gelu", 5, 5, 0), ("dense", 5, 2, 12)]
        for arguments in (["run"], ["run", "--which", "final"], ["run/final.safetensors"],
                          ["run/checkpoints/step-000000150.safetensors"]):
            info = json.loads(self.ok("info", *arguments, "--json"))
            self.assertEqual([tuple(layer.values()) for layer in info["layers"]], layers)
            self.assertEqual(info["parameters"], sum(layer[3] for layer in layers))
            self.assertEqual((info["algo"], info["policy"]), ("sac", "squashed_gaussian"))
            self.assertEqual((info["observation"], info["action"]), ("Box(3,)", "Box(1,)"))
            self.assertTrue(info["normalized_observation"])
            text = self.ok("info", *arguments)
            for part in ("sac", "squashed_gaussian", "115 parameters", "layer_norm", "gelu", "normalized"):
                self.assertIn(part, text)
        self.fails(kit.IO, "info", "nowhere", says=["nowhere"])
        self.fails(kit.ARGUMENT, "info", "--which", "final", says=["celsius info RUN --which final"])

    def test_info_of_a_plan(self):
        """Operations, cuts, barriers, bytes and floating-point operations of an update."""
        call = ["info", "sac", "--plan", "--net-arch", "8", "--batch-size", "10", "--threads", "2"]
        info = json.loads(self.ok(*call, "--json"))
        self.assertEqual((info["algo"], info["env"], info["threads"]), ("sac", "Pendulum-v1", 2))
        rows = info["operations"]
        loss = next(row for row in rows if row["name"] == "critic loss")
        self.assertEqual((loss["plan"], loss["cut"], loss["items"], loss["grain"], loss["barrier"]),
                         ("update", "rows", 20, 2, True))
        # Reads reward, discount, log pi (10 each), Q' and Q (20 each), alpha, and y, which it writes.
        self.assertEqual(loss["bytes_read"], 4 * (30 + 40 + 1 + 20))
        self.assertEqual(loss["bytes_written"], 4 * (20 + 20 + 20))
        forward = next(row for row in rows if row["name"] == "forward")
        self.assertEqual(forward["flop"], 10 * 2 * (3 * 8 + 8 * 2))
        text = self.ok(*call)
        self.assertEqual(text.count("---- barrier"), sum(row["barrier"] for row in rows))
        self.assertIn(f"{len(rows)} operations, {text.count('---- barrier')} barriers", text)
        for row in rows:
            self.assertRegex(text, f"(?m)^  {row['name']} +{row['cut']} +{row['items']} +{row['grain']} ")
        self.assertIn("on CartPole-v1", self.ok("info", "dsac", "--plan"))
        self.assertIn("Fisher product", self.ok("info", "trpo", "--plan", "--env", "CartPole-v1"))
        self.assertIn("--n-critics", self.ok("info", "sac", "--plan", "--help"))
        self.fails(kit.ARGUMENT, "info", "--plan", says=["celsius info ALGO --plan"])
        self.fails(kit.NAME, "info", "saq", "--plan", says=["'sac'"])
        self.fails(kit.NAME, "info", "sac", "--plan", "--n-critic", "3", says=["--n-critics"])
        self.fails(kit.UNSUPPORTED, "info", "sac", "--plan", "--env", "CartPole-v1", says=["Discrete(2)"])


class Runs(kit.Case):
    def test_run_folder(self):
        out = self.train("run", "--keep", "3")
        self.assertIn("run", out)
        names = set(os.listdir(self.path("run")))
        self.assertLessEqual({"config.yaml", "progress.csv", "evaluations.csv", "checkpoints",
                              "replay", "best.safetensors", "final.safetensors"}, names)
        steps = [os.path.basename(p) for p in kit.checkpoints(self.path("run"))]
        self.assertEqual(steps, [f"step-{s:09d}.safetensors" for s in (1200, 1600, 2000)])
        rows = kit.table(self.path("run", "progress.csv"))
        keys = {"time/total_timesteps", "time/episodes", "time/fps", "time/time_elapsed",
                "rollout/ep_rew_mean", "rollout/ep_len_mean", "train/actor_loss",
                "train/critic_loss",
                "train/ent_coef", "train/ent_coef_loss", "train/learning_rate", "train/n_updates",
                "eval/mean_reward", "eval/mean_ep_length"}
        self.assertLessEqual(keys, set(rows[0]))
        at = [int(row["time/total_timesteps"]) for row in rows]
        self.assertEqual(at, sorted(set(list(range(200, 2001, 200)) + [500, 1000, 1500, 2000])))
        for row, step in zip(rows, at):
            self.assertEqual(row["eval/mean_reward"] != "", step % 500 == 0)
            self.assertEqual(float(row["time/episodes"]), step // 200)
            self.assertEqual(float(row["train/n_updates"]), max(0, step - 200))
            self.assertEqual(float(row["rollout/ep_len_mean"]), 200)
            if step > 200:
                self.assertAlmostEqual(float(row["train/learning_rate"]), 3e-4, places=7)
                self.assertTrue(math.isfinite(float(row["train/critic_loss"])))
        evaluations = kit.table(self.path("run", "evaluations.csv"))
        self.assertEqual([int(r["time/total_timesteps"]) for r in evaluations],
                         [500, 1000, 1500, 2000])
        best = max(float(r["eval/mean_reward"]) for r in evaluations)
        result = json.loads(self.ok("train", "--resume", "run", "--json"))
        self.assertEqual(result["best_return"], best)
        self.assertEqual(result["mean_return"], float(evaluations[-1]["eval/mean_reward"]))

    def test_config_makes_the_same_run(self):
        self.train("one", "--env.action-repeat", "2", steps=600)
        self.ok("train", "--config", "one/config.yaml", "--out", "two")
        self.assertEqual(kit.digests(self.path("one")), kit.digests(self.path("two")))
        text = kit.read(self.path("one", "config.yaml"))
        for part in ("version: ", "seed: 1", "action_repeat: 2", "batch_size: 32", "gamma: 0.99"):
            self.assertIn(part, text)

    def test_order_of_settings(self):
        """Defaults come first, then the preset, then the config file, then the flags."""
        with open(self.path("x.yaml"), "w") as file:
            file.write("steps: 300\nlog_every: 100\nsac:\n  batch_size: 50\n  tau: 0.01\n")
        self.ok("train", "sac", "--env", "Pendulum-v1", "--preset", "auto", "--config", "x.yaml",
                "--tau", "0.02", "--log-every", "150", "--out", "run")
        text = kit.read(self.path("run", "config.yaml"))
        for part in ("net_arch: [64, 64]", "batch_size: 50", "tau: 0.02", "log_every: 150",
                     "steps: 300"):
            self.assertIn(part, text)

    def test_names_of_folders(self):
        for name in ("sac-Pendulum-v1-5", "sac-Pendulum-v1-5-2"):
            self.ok(*kit.small("--steps", "250", "--seed", "5"))
            self.assertTrue(os.path.exists(self.path("runs", name, "final.safetensors")), name)

    def test_moved_run(self):
        self.train("run", steps=500)
        self.train("peace", steps=1000)
        shutil.move(self.path("run"), self.path("elsewhere"))
        self.ok("train", "--resume", "elsewhere/", "--steps", "1000")
        self.assertEqual(kit.digests(self.path("peace")), kit.digests(self.path("elsewhere")))

    def test_evaluation(self):
        self.train("run")
        one = json.loads(self.ok("eval", "run", "--episodes", "70", "--json"))
        two = json.loads(self.ok("eval", "run", "--episodes", "5", "--json"))
        self.assertEqual(one["returns"][:5], two["returns"])
        self.assertEqual(len(one["returns"]), 70)
        self.assertEqual(one["lengths"], [200] * 70)
        self.assertAlmostEqual(one["mean_return"], sum(one["returns"]) / 70, places=9)
        self.assertNotEqual(json.loads(self.ok("eval", "run", "--episodes", "5", "--seed", "3",
                                               "--json"))["returns"], two["returns"])
        text = self.ok("eval", "run", "--episodes", "5")
        self.assertIn("mean return", text)
        self.assertIn(f"{two['mean_return']:.4f}"[:6], text)
        # A checkpoint has the same policy as the model that was saved with it.
        final = json.loads(self.ok("eval", "run", "--episodes", "5", "--json", "--which", "final"))
        last = kit.checkpoints(self.path("run"))[-1]
        same = json.loads(self.ok("eval", "run", "--episodes", "5", "--json", "--which", last))
        self.assertEqual(final["returns"], same["returns"])
        sampled = json.loads(self.ok("eval", "run", "--episodes", "5", "--json", "--action",
                                     "sample"))
        self.assertNotEqual(sampled["returns"], two["returns"])

    def test_results_go_to_standard_output(self):
        done = self.command(*kit.small("--steps", "300", "--out", "run", "--json"))
        self.assertEqual(json.loads(done.stdout)["steps"], 300)
        self.assertIn("100%", done.stderr)
        done = self.command(*kit.small("--steps", "300", "--out", "run2", "--quiet",
                            "--json"))
        self.assertEqual(done.stderr, "")


class Seeds(kit.Case):
    def test_seeds_equal_single_runs(self):
        done = self.command(*kit.small("--steps", "600", "--seeds", "1..2,7", "--jobs",
                            "2", "--out", "group"))
        self.assertEqual(done.returncode, 0, done.stderr)
        for part in ("seed-1", "seed-2", "seed-7", "interquartile mean"):
            self.assertIn(part, done.stdout)
        self.train("two", steps=600, seed=2)
        self.assertEqual(kit.digests(self.path("two")), kit.digests(self.path("group", "seed-2")))
        result = json.loads(self.ok(*kit.small("--steps", "600", "--seeds", "1,2,7",
                                    "--out", "json", "--json")))
        self.assertEqual([row["seed"] for row in result["runs"]], [1, 2, 7])
        returns = [row["mean_return"] for row in result["runs"]]
        self.assertAlmostEqual(result["mean_return"], sum(returns) / 3, places=9)

    def test_a_failed_seed_does_not_stop_the_others(self):
        os.makedirs(self.path("group", "seed-2"))
        with open(self.path("group", "seed-2", "x"), "w") as file:
            file.write("in the way")
        done = self.command(*kit.small("--steps", "300", "--seeds", "1..3", "--out",
                            "group"))
        self.assertEqual(done.returncode, kit.IO, done.stderr)
        self.assertIn("celsius: error: seed 2: group/seed-2", done.stderr)
        for seed in (1, 3):
            self.assertTrue(os.path.exists(self.path("group", f"seed-{seed}", "final.safetensors")))
        self.assertIn("failed", done.stdout)

    def test_stop_on_request(self):
        process = subprocess.Popen([kit.BIN, *kit.small("--steps", "1000000", "--seeds",
                                    "1..3", "--jobs", "2", "--out", "group")], cwd=self.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if all(kit.checkpoints(self.path("group", f"seed-{k}")) for k in (1, 2)):
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, kit.INTERRUPTED, err)
        for k in (1, 2):
            self.assertIn(f"celsius train --resume group/seed-{k}", err)
        # The third run had not started.
        self.assertEqual(os.listdir(self.path("group", "seed-3")), ["config.yaml"])

    def test_memory_of_all_jobs_is_checked(self):
        """A replay buffer of 0.7 of the available memory fits once, but not twice.

        A row of Pendulum takes 24 bytes."""
        left = json.loads(self.ok("info", "--json"))["memory_available"]
        run = kit.small("--steps", "20", "--seeds", "1,2", "--eval-episodes", "1", "--buffer-size",
                        left * 7 // 240)
        self.fails(kit.MEMORY, *run, "--jobs", "2", "--out", "both",
                   says=["2 runs at once need", "fewer --jobs"])
        self.assertFalse(os.path.exists(self.path("both")))

    def stop_seeds(self, stop, **options):
        """Starts two seeds and calls `stop` when both have progressed. Both must be saved."""
        args = kit.small("--steps", "1000000", "--seeds", "1..2", "--jobs", "2",
                         "--checkpoint-every", "0", "--out", "group")
        process = subprocess.Popen([kit.BIN, *args], cwd=self.folder, stdout=subprocess.DEVNULL,
                                   start_new_session=True, **options)
        until = time.monotonic() + 60
        rows = [self.path("group", f"seed-{k}", "progress.csv") for k in (1, 2)]
        while time.monotonic() < until:
            if all(os.path.exists(row) and len(kit.table(row)) >= 1 for row in rows):
                break
            time.sleep(0.01)
        stop(process.pid)
        try:
            code = process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self.fail("only the parent received the request to stop")
        self.assertEqual(code, kit.INTERRUPTED)
        for k in (1, 2):
            self.assertEqual(len(kit.checkpoints(self.path("group", f"seed-{k}"))), 1)

    def test_stop_of_all_processes_at_once(self):
        """The parent and its children all get the signal, as a service manager does it."""
        self.stop_seeds(lambda pid: os.killpg(pid, signal.SIGTERM), stderr=subprocess.DEVNULL)

    def test_stop_of_the_parent_on_a_terminal(self):
        """Only the parent gets the signal, although the children use the same terminal."""
        terminal, end = self.open_terminal()
        self.addCleanup(os.close, terminal)

        def take_terminal():
            fcntl.ioctl(end, termios.TIOCSCTTY, 0)

        drain = threading.Thread(target=lambda: list(iter(lambda: read_some(terminal), b"")),
                                 daemon=True)
        drain.start()
        self.stop_seeds(lambda pid: os.kill(pid, signal.SIGTERM), stderr=end,
                        preexec_fn=take_terminal)
        os.close(end)


def read_some(file):
    """Reads the next output of a terminal; b"" after its other end is closed."""
    try:
        return os.read(file, 4096)
    except OSError:
        return b""


kit.main()

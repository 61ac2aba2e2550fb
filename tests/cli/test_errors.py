"""Bad input: one error line that names the problem and the remedy, and the right exit code."""
import os
import resource
import subprocess

import kit


def limit_file_size(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


class Words(kit.Case):
    def test_unknown_names(self):
        self.fails(kit.NAME, "trian", says=["'trian'", "'train'"])
        self.fails(kit.NAME, "xyzzy", says=["celsius --help"])
        self.fails(kit.NAME, "train", "sca", "--env", "Pendulum-v1", says=["'sca'", "'sac'"])
        self.fails(kit.NAME, "train", "sac", "--env", "Pendulum-v2",
                   says=["'Pendulum-v2'", "Pendulum-v1"])
        self.fails(kit.NAME, "train", "sac", "--env", "pendulum", says=["Pendulum-v1"])
        self.fails(kit.NAME, "train", "sac", "--env", "Pendulum-v1", "--bach-size", "3",
                   says=["--bach-size", "--batch-size"])
        self.fails(kit.NAME, "train", "sac", "--env", "Pendulum-v1", "--sede", "3", says=["--seed"])
        self.fails(kit.NAME, "train", "sac", "--env", "Pendulum-v1", "--env.actoin-repeat", "3",
                   says=["--env.action-repeat"])
        self.fails(kit.NAME, "train", "sac", "--env", "Pendulum-v1", "--env.gravitation", "3",
                   says=["--env.gravitation", "--env.g,", "--env.max-speed"])
        self.fails(kit.NAME, "eval", "run", "--render.siz", "3", says=["--render.size"])
        self.fails(kit.NAME, "train", "sac", "--env", "Pendulum-v1", "-s", "3", says=["-s"])
        self.fails(kit.NAME, "train", "sac", "--env", "Pendulum-v1", "--preset", "Pendulum",
                   says=["'Pendulum'", "Pendulum-v1"])
        self.fails(kit.NAME, "eval", "run", "--episode", "3", says=["--episodes"])
        self.fails(kit.NAME, "list", "env", says=["'envs'"])
        self.fails(kit.NAME, "help", "evl", says=["'evl'", "'eval'"])
        self.fails(kit.NAME, "list", "fields", "sacc", says=["'sacc'"])

    def test_wrong_arguments(self):
        self.fails(kit.ARGUMENT, says=["no command given"])
        self.fails(kit.ARGUMENT, "train", says=["algorithm is missing"])
        self.fails(kit.ARGUMENT, "train", "sac", says=["--env is missing"])
        self.fails(kit.ARGUMENT, "train", "sac", "--env", "Pendulum-v1", "--steps",
                   says=["--steps N"])
        self.fails(kit.ARGUMENT, "train", "sac", "--env", "Pendulum-v1", "--steps", "--seed", "1",
                   says=["--steps", "value"])
        self.fails(kit.ARGUMENT, "train", "sac", "--env", "Pendulum-v1", "--seed", "1", "--seed",
                   "2", says=["--seed", "twice"])
        self.fails(kit.ARGUMENT, "train", "sac", "more", "--env", "Pendulum-v1", says=["'more'"])
        self.fails(kit.ARGUMENT, "train", "sac", "--env", "Pendulum-v1", "--seed", "1", "--seeds",
                   "1..2", says=["--seeds"])
        self.fails(kit.ARGUMENT, "eval", says=["run folder"])
        self.fails(kit.ARGUMENT, "plot", says=["run folder"])
        self.fails(kit.ARGUMENT, "export", "x", says=["--out"])
        self.fails(kit.ARGUMENT, "list", says=["what to list"])
        self.fails(kit.ARGUMENT, "info", "run", "more", says=["'more'"])
        self.fails(kit.ARGUMENT, "eval", "run", "--render", "x.jpg", says=["x.jpg", ".gif", ".png"])
        self.fails(kit.IO, "eval", "run", "--render", "no/where/x.gif", says=["no/where/x.gif"])

    def test_values(self):
        def bad(code, flag, value, *says):
            self.fails(code, "train", "sac", "--env", "Pendulum-v1", flag, value, "--out", "never",
                       says=says)
            self.assertFalse(os.path.exists(self.path("never")))

        bad(kit.RANGE, "--steps", "0", "steps", "0")
        bad(kit.RANGE, "--gamma", "1.5", "gamma", "1.5", "1")
        bad(kit.RANGE, "--batch-size", "-3", "batch-size", "-3")
        bad(kit.RANGE, "--threads", "0", "--threads")
        bad(kit.TYPE, "--steps", "many", "steps", "many")
        bad(kit.TYPE, "--steps", "3.5", "steps", "3.5")
        bad(kit.TYPE, "--learning-rate", "fast", "learning-rate", "fast")
        bad(kit.TYPE, "--tensorboard=maybe", "--json", "tensorboard", "maybe")
        bad(kit.TYPE, "--tensorboard", "maybe", "tensorboard", "maybe")
        bad(kit.TYPE, "--seeds", "1-5", "--seeds", "1..5")
        bad(kit.TYPE, "--seeds", "", "--seeds", "1..5")
        bad(kit.RANGE, "--seeds", "5..1", "backwards")
        bad(kit.ARGUMENT, "--seeds", "1,2,1", "twice")
        done = self.command("train", "sac", "--env", "Pendulum-v1", "--activation", "rellu")
        self.assertIn(done.returncode, (kit.NAME, kit.TYPE, kit.RANGE))
        self.assertIn("relu", done.stderr)
        self.fails(kit.MEMORY, "train", "sac", "--env", "Pendulum-v1", "--buffer-size", "1e12",
                   "--out", "never")
        self.assertFalse(os.path.exists(self.path("never")))

    def test_unknown_instruction_set(self):
        env = dict(os.environ, CELSIUS_ISA="mmx")
        done = subprocess.run([kit.BIN, "list", "algos"], capture_output=True, text=True, env=env)
        self.assertEqual(done.returncode, 0)
        self.assertIn("CELSIUS_ISA=mmx", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_discrete_actions_for_sac(self):
        error = self.fails(kit.UNSUPPORTED, "train", "sac", "--env", "CartPole-v1", "--out",
                           "never", says=["CartPole-v1", "Discrete"])
        self.assertIn("sac", error)
        self.assertFalse(os.path.exists(self.path("never")))

    def test_yaml(self):
        def bad(code, text, *says):
            with open(self.path("x.yaml"), "w") as file:
                file.write(text)
            self.fails(code, "train", "sac", "--env", "Pendulum-v1", "--config", "x.yaml", "--out",
                       "never", says=["x.yaml", *says])
            self.assertFalse(os.path.exists(self.path("never")))

        bad(kit.NAME, "stesp: 100\n", "stesp", "steps")
        bad(kit.NAME, "sac:\n  batch_sise: 100\n", "batch_sise", "batch_size")
        bad(kit.NAME, "sca:\n  batch_size: 100\n", "sca")
        bad(kit.RANGE, "steps: -1\n", "steps")
        bad(kit.TYPE, "steps: [1, 2]\n", "steps")
        bad(kit.FORMAT, "steps: '1\nseed: 2\n")
        self.fails(kit.IO, "train", "sac", "--env", "Pendulum-v1", "--config", "none.yaml",
                   says=["none.yaml"])

    def test_shared_objects(self):
        self.fails(kit.IO, "train", "sac", "--env", "./none.so:Name", says=["none.so"])
        with open(self.path("junk.so"), "w") as file:
            file.write("no shared object")
        self.fails(kit.IO, "train", "sac", "--env", "./junk.so:Name", says=["junk.so"])
        kit.build_plugin(os.path.join(os.environ["CELSIUS_TEST_DIR"], "cli", "broken_env.c"),
                         self.path("broken.so"))
        self.fails(kit.NAME, "train", "sac", "--env", "./broken.so:Borken", says=["Borken"])


class Files(kit.Case):
    def test_folder_that_exists(self):
        self.train("run", steps=400)
        before = kit.digests(self.path("run"))
        self.fails(kit.IO, "train", "sac", "--env", "Pendulum-v1", "--out", "run",
                   says=["run", "--resume run"])
        self.assertEqual(before, kit.digests(self.path("run")))
        os.mkdir(self.path("stuff"))
        with open(self.path("stuff", "a"), "w") as file:
            file.write("mine")
        self.fails(kit.IO, "train", "sac", "--env", "Pendulum-v1", "--out", "stuff",
                   says=["not empty"])
        with open(self.path("file"), "w") as file:
            file.write("mine")
        self.fails(kit.IO, "train", "sac", "--env", "Pendulum-v1", "--out", "file", says=["file"])
        os.mkdir(self.path("empty"))
        self.train("empty", steps=400)
        self.fails(kit.IO, "train", "sac", "--env", "Pendulum-v1", "--seeds", "1..2", "--out",
                   "run", says=["run", "another folder"])
        self.fails(kit.IO, "train", "sac", "--env", "Pendulum-v1", "--seeds", "1..2", "--out",
                   "file", says=["file", "not a folder"])
        os.mkdir(self.path("group"))
        os.rename(self.path("empty"), self.path("group", "seed-1"))
        self.fails(kit.IO, "eval", "group", says=["group", "group/seed-1"])
        self.fails(kit.IO, "export", "run/final.safetensors", "--out", "p",
                   says=["final", "folder"])
        self.fails(kit.IO, "eval", "run", "--which", "last", says=["last", "best", "final"])
        self.fails(kit.ARGUMENT, "export", "run", "--out", "stuff", says=["stuff", "folder"])
        self.fails(kit.ARGUMENT, "export", "run", "--out", "stuff/", says=["stuff/", "folder"])
        self.assertEqual(os.listdir(self.path("stuff")), ["a"])
        self.assertEqual(self.ok("export", "run", "--out", "p.c"), "p.h\np.c\n")

    def test_unwritable_folder(self):
        self.fails(kit.IO, "train", "sac", "--env", "Pendulum-v1", "--out", "/proc/celsius/run",
                   says=["/proc/celsius"])
        if os.getuid() == 0:
            return  # root can write to every folder
        os.mkdir(self.path("locked"), 0o500)
        self.fails(kit.IO, "train", "sac", "--env", "Pendulum-v1", "--out", "locked/run",
                   says=["locked", "ermission"])

    def test_file_size_limit(self):
        """If a checkpoint does not fit, the last good one remains, and the run resumes from it."""
        self.train("peace", steps=2000)
        self.train("run", steps=1000)
        before = kit.digests(self.path("run"))
        self.fails(kit.IO, "train", "--resume", "run", "--steps", "2000",
                   preexec_fn=limit_file_size(12000), says=["run/"])
        after = kit.digests(self.path("run"))
        self.assertEqual(before["step-000001000.safetensors"], after["step-000001000.safetensors"])
        self.ok("train", "--resume", "run", "--steps", "2000")
        self.assertEqual(kit.digests(self.path("peace")), kit.digests(self.path("run")))

    def test_full_disk(self):
        """The same on a full file system."""
        disk = self.path("disk")
        os.mkdir(disk)
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", disk],
                               capture_output=True)
        if mount.returncode != 0:
            self.skipTest("mounting needs root")
        try:
            self.train("peace", steps=2000)
            self.train("disk/run", steps=1000)
            ballast = os.open(os.path.join(disk, "ballast"), os.O_WRONLY | os.O_CREAT)
            try:
                while True:
                    os.write(ballast, bytes(4096))
            except OSError:
                os.close(ballast)
            before = kit.digests(os.path.join(disk, "run"))
            self.fails(kit.IO, "train", "--resume", "disk/run", "--steps", "2000",
                       says=["No space left"])
            self.assertEqual(before, kit.digests(os.path.join(disk, "run")))
            os.unlink(os.path.join(disk, "ballast"))
            self.ok("train", "--resume", "disk/run", "--steps", "2000")
            self.assertEqual(kit.digests(self.path("peace")),
                             kit.digests(os.path.join(disk, "run")))
        finally:
            subprocess.run(["umount", disk], check=True)

    def test_full_output(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([kit.BIN, "list", "envs"], stdout=full, stderr=subprocess.PIPE,
                                  text=True)
        self.assertEqual(done.returncode, kit.IO, done.stderr)
        self.assertIn("standard output", done.stderr)

    def test_missing_runs(self):
        for command in (["eval", "none"], ["export", "none", "--out", "x"], ["plot", "none"]):
            error = self.fails(kit.IO, *command, says=["none"])
            self.assertNotIn("x.c", error)
        self.train("run", steps=400)
        self.fails(kit.IO, "eval", "run", "--which", "none.safetensors", says=["none.safetensors"])
        os.unlink(self.path("run", "final.safetensors"))
        self.fails(kit.IO, "eval", "run", "--which", "final", says=["final"])


class BrokenEnvironments(kit.Case):
    def setUp(self):
        super().setUp()
        kit.build_plugin(os.path.join(os.environ["CELSIUS_TEST_DIR"], "cli", "broken_env.c"),
                         self.path("broken.so"))

    def run_broken(self, code, what, *args, says=()):
        self.fails(code, *kit.small("--env", "./broken.so:Broken", "--eval-every", 0, "--steps",
                                    3000,
                                    "--out", "run", "--env.after", 700, "--env.what", what, *args),
                   says=says)

    def expect_good_checkpoint(self, step):
        files = kit.checkpoints(self.path("run"))
        self.assertEqual(os.path.basename(files[-1]), f"step-{step:09d}.safetensors")
        self.assertEqual([f for f in os.listdir(self.path("run", "checkpoints")) if "tmp" in f], [])
        self.ok("eval", "run", "--allow-plugins", "--episodes", "1", "--which", files[-1])

    def test_nan_reward(self):
        self.run_broken(kit.NAN, "reward", says=["reward", "environment 0", "700"])
        self.expect_good_checkpoint(400)

    def test_infinite_observation_of_the_second_environment(self):
        self.run_broken(kit.NAN, "observation", "--n-envs", "3",
                        says=["observation", "environment 1", "inf"])
        self.expect_good_checkpoint(2001)

    def test_error_message_of_the_environment(self):
        self.run_broken(kit.ENV, "error", says=["motor does not answer"])
        self.expect_good_checkpoint(400)

    def test_nothing_broken(self):
        self.ok("train", "sac", "--env", "./broken.so:Broken", "--env.what", "nothing", "--steps",
                "300", "--net-arch", "8", "--out", "run")
        text = kit.read(self.path("run", "config.yaml"))
        self.assertIn("what: nothing", text)


kit.main()

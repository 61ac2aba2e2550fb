"""The command on MuJoCo tasks: threads, kills, errors, and what it says where MuJoCo is missing."""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ["CELSIUS_TEST_DIR"], "cli"))

import kill  # noqa: E402
import kit  # noqa: E402

BUILD = os.path.dirname(kit.BIN)
PLUGINS = os.path.join(BUILD, "celsius-plugins")


def small(*args):
    """A small run of SAC on Hopper, whose episodes end often. A flag in `args` replaces it."""
    line = kit.small(*args)
    if "--env" not in [str(arg) for arg in args]:
        line[line.index("--env") + 1] = "Hopper-v4"
    return line


EXPLOSIVE = """<mujoco><option timestep="0.1"/><worldbody><body><joint name="x" type="slide"/>
<geom size="0.1"/><body><joint name="strong" axis="0 1 0"/><geom type="capsule" size="0.1"
fromto="0 0 0 0 0 1"/></body></body></worldbody><actuator><motor joint="strong" gear="{gear}"
ctrllimited="true" ctrlrange="-1 1"/></actuator></mujoco>"""


class Mujoco(kit.Case):
    def setUp(self):
        super().setUp()
        if not os.path.exists(os.path.join(PLUGINS, "mujoco.so")):
            self.skipTest("this build has no MuJoCo")

    def test_threads_change_no_bit(self):
        args = ["train", "ppo", "--env", "Ant-v5", "--n-envs", "4", "--n-steps", "64",
                "--batch-size", "64", "--net-arch", "16,16", "--steps", "1024", "--eval-every",
                "512", "--eval-episodes", "2", "--checkpoint-every", "512"]
        for threads in (1, 2, 3):
            self.ok(*args, "--threads", threads, "--out", f"t{threads}")
        for threads in (2, 3):
            self.assertEqual(kit.digests(self.path("t1")), kit.digests(self.path(f"t{threads}")))
            self.assertEqual(kit.course(self.path("t1")), kit.course(self.path(f"t{threads}")))

    def test_killed_runs_resume(self):
        kill.kill_and_resume(self, kills=3, steps=3000, seed=3, small=small)

    def test_a_divergence_stops_the_run_and_loses_nothing(self):
        with open(self.path("pole.xml"), "w") as file:
            file.write(EXPLOSIVE.format(gear=1))
        run = small("--env", "InvertedPendulum-v5", "--env.xml-file", "pole.xml", "--steps", 1000,
                    "--out", "run", "--checkpoint-every", 200)
        self.ok(*run)
        before = kit.digests(self.path("run"))
        with open(self.path("pole.xml"), "w") as file:
            file.write(EXPLOSIVE.format(gear="1e12"))
        self.fails(kit.ENV, "train", "--resume", "run", "--steps", 3000,
                   says=["InvertedPendulum-v5", "the simulation diverged", "joint strong"])
        self.assertEqual(before, kit.digests(self.path("run")))
        with open(self.path("pole.xml"), "w") as file:
            file.write(EXPLOSIVE.format(gear=1))
        self.ok("train", "--resume", "run", "--steps", 2000)

    def test_a_broken_model(self):
        with open(self.path("robot.xml"), "w") as file:
            file.write("<mujoco><worldbody><geom type='egg'/></worldbody></mujoco>")
        self.fails(kit.FORMAT, *small("--env", "Ant-v5", "--env.xml-file", "robot.xml", "--out", "r"),
                   says=["Ant-v5", "robot.xml", "egg"])
        self.assertFalse(os.path.exists(self.path("r")))
        self.assertFalse(os.path.exists(self.path("MUJOCO_LOG.TXT")))

    def test_every_task_passes_the_checks(self):
        ids = [row["id"] for row in json.loads(self.ok("list", "envs", "--json"))
               if kit.is_mujoco(row["id"])]
        self.assertEqual(len(ids), 21)
        for env in ids:
            with self.subTest(env=env):
                report = json.loads(self.ok("env", "check", env, "--steps", 20, "--json"))
                self.assertTrue(report["passed"], report)
                self.assertEqual(len(report["checks"]), 7)

    def test_intervals_are_saved(self):
        self.ok(*small("--env.healthy-z-range", "0.6,inf", "--out", "run", "--steps", 500))
        self.assertIn("healthy_z_range: [0.6, .inf]", kit.read(self.path("run", "config.yaml")))
        self.ok("eval", "run", "--episodes", 2)
        self.fails(kit.RANGE, *small("--env.healthy-z-range", "2,1"),
                   says=["healthy-z-range", "above its high end"])
        self.fails(kit.NAME, *small("--env.healthy-z", "0,1"), says=["healthy"])

    def test_without_mujoco(self):
        """A copy of the command and the library, without the plug-in."""
        library = [name for name in os.listdir(BUILD) if name.startswith("libcelsius.so")]
        for name in [os.path.basename(kit.BIN), *library]:
            shutil.copy(os.path.join(BUILD, name), self.path(name))
        binary, kit.BIN = kit.BIN, self.path(os.path.basename(kit.BIN))
        try:
            says = ["HalfCheetah-v4", "mujoco", "script/setup mujoco"]
            self.fails(kit.UNSUPPORTED, "train", "sac", "--env", "HalfCheetah-v4", says=says)
            listed = self.ok("list", "envs")
            self.assertIn("mujoco is missing", listed)
            self.assertIn("script/setup mujoco", listed)
            self.assertNotIn("HalfCheetah", listed)
            self.ok(*kit.small("--steps", 300, "--out", "run"))
            self.fails(kit.UNSUPPORTED, "train", "sac", "--env", "robot.yaml",
                       says=["robot.yaml needs mujoco", "script/setup mujoco"])
        finally:
            kit.BIN = binary

    def test_another_version_of_mujoco(self):
        """A library whose version is not that of the headers is refused when it is loaded."""
        with open(self.path("version.c"), "w") as file:
            file.write("int mj_version(void); int mj_version(void) { return 4000002; }")
        subprocess.run([os.environ["CELSIUS_CC"], "-shared", "-fPIC", self.path("version.c"), "-o",
                        self.path("version.so")], check=True)
        self.fails(kit.UNSUPPORTED, "train", "sac", "--env", "Ant-v5",
                   env={"LD_PRELOAD": self.path("version.so")},
                   says=["built for MuJoCo 400", "MuJoCo 4000002", "script/setup mujoco"])

    def test_mujoco_4_0_0(self):
        """CMake refuses the version that computes wrong accelerations."""
        os.makedirs(self.path("old", "include", "mujoco"))
        os.makedirs(self.path("old", "lib"))
        with open(self.path("old", "include", "mujoco", "mujoco.h"), "w") as file:
            file.write("#define mjVERSION_HEADER 4000000\n")
        open(self.path("old", "lib", "libmujoco.so.4.0.0"), "w").close()
        done = subprocess.run(["cmake", "-S", os.environ["CELSIUS_SOURCE_DIR"], "-B",
                               self.path("build"), "-DCELSIUS_TESTS=OFF",
                               "-DCELSIUS_MUJOCO=" + self.path("old")], capture_output=True,
                              text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("4000000 is too old; 4.0.1", " ".join(done.stderr.split()))

    def test_a_plugin_that_others_can_change(self):
        """The command beside a folder that any user may write to."""
        library = [name for name in os.listdir(BUILD) if name.startswith("libcelsius.so")]
        for name in [os.path.basename(kit.BIN), *library]:
            shutil.copy(os.path.join(BUILD, name), self.path(name))
        shutil.copytree(PLUGINS, self.path("celsius-plugins"))
        binary, kit.BIN = kit.BIN, self.path(os.path.basename(kit.BIN))
        try:
            self.ok("list", "fields", "Ant-v5")
            os.chmod(self.path("celsius-plugins"), 0o777)
            self.fails(kit.UNSUPPORTED, "train", "sac", "--env", "Ant-v5",
                       says=["celsius-plugins can be changed by other users", "chmod o-w"])
        finally:
            kit.BIN = binary

    def test_pictures(self):
        """Frames of an untrained agent. script/setup mujoco installs OpenGL for them."""
        self.ok(*small("--out", "run", "--steps", 300))
        line = ["eval", "run", "--episodes", 1, "--render.size", 96]
        for name in ("a", "b"):
            self.ok(*line, "--render", f"{name}.png")
        self.assertEqual(kit.sha256(self.path("a.png")), kit.sha256(self.path("b.png")))
        self.ok(*line, "--render", "free.png", "--render.camera", "free")
        self.assertNotEqual(kit.sha256(self.path("a.png")), kit.sha256(self.path("free.png")))
        self.ok(*line, "--render", "film.gif", "--render.max-frames", 5)
        with open(self.path("film.gif"), "rb") as file:
            self.assertEqual(file.read(6), b"GIF89a")
        self.fails(kit.NAME, *line, "--render", "c.png", "--render.camera", "roof",
                   says=["Hopper-v4", "no camera 'roof'", "track"])
        self.fails(kit.ARGUMENT, *line, "--render", "c.jpg", says=[".gif", ".mp4", ".png"])
        colors = self.colors(self.path("a.png"))
        self.assertGreater(colors, 200)

    @staticmethod
    def colors(path):
        """The number of colors of a picture: an empty scene has few."""
        import imageio.v3 as imageio
        image = imageio.imread(path).reshape(-1, 3)
        return len({tuple(pixel) for pixel in image.tolist()})

    ROBOT = """model: arm.xml
control_timestep: 0.04
time_limit: 1
observations: {a: {joint_position: all}, v: {joint_velocity: all}, goal: goal}
commands: {goal: {uniform: [-1, 1], every: 0.3}}
quantities: {a: {joint_position: elbow}}
reward: {reach: "tolerance(a - goal, margin=1)"}
reset: {random_joints: all}
randomize: [{body_mass: all, scale: [0.5, 2]}]
"""
    ARM = """<mujoco><worldbody><light pos="0 0 3"/><camera name="side" pos="0 -3 0" xyaxes="1 0 0 0 0 1"/>
<body name="arm"><joint name="elbow" axis="0 1 0" range="-90 90" damping="1"/><geom type="capsule"
fromto="0 0 0 0 0 .5" size=".05" rgba="1 0 0 1"/></body></worldbody><actuator><motor joint="elbow"
ctrllimited="true" ctrlrange="-1 1" gear="5"/></actuator></mujoco>"""

    def write_robot(self, folder="."):
        os.makedirs(self.path(folder), exist_ok=True)
        for name, text in (("robot.yaml", self.ROBOT), ("arm.xml", self.ARM)):
            with open(self.path(folder, name), "w") as file:
                file.write(text)

    def test_a_robot_from_yaml(self):
        """Everything that a user does with one: check, train, resume, move, evaluate, draw."""
        self.write_robot("mine")
        robot = os.path.join("mine", "robot.yaml")
        self.ok("env", "check", robot, "--steps", 50)
        run = small("--env", robot, "--steps", 600)
        self.ok(*run)
        name = "sac-robot-1"
        self.assertEqual(os.listdir(self.path("runs")), [name])
        self.assertIn("env: ../../mine/robot.yaml",
                      kit.read(self.path("runs", name, "config.yaml")).replace('"', ""))
        self.ok(*small("--env", robot, "--steps", 900, "--out", "whole"))
        self.ok("train", "--resume", os.path.join("runs", name), "--steps", 900)
        self.assertEqual(kit.digests(self.path("whole")).get("final.safetensors"),
                         kit.digests(self.path("runs", name)).get("final.safetensors"))
        shutil.copytree(self.path("runs"), self.path("there", "runs"))
        shutil.copytree(self.path("mine"), self.path("there", "mine"))
        run = os.path.join("there", "runs", name)
        self.ok("eval", run, "--episodes", 2)
        self.ok("eval", run, "--episodes", 1, "--render", "a.png", "--render.size", 96,
                "--render.camera", "side")
        self.assertGreater(self.colors(self.path("a.png")), 50)
        self.ok(*small("--env", robot, "--steps", 300), "--seeds", "1,2")
        self.assertIn("sac-robot-seeds", os.listdir(self.path("runs")))
        self.assertIn("robot.yaml", self.ok("list", "envs"))

    def test_threads_and_kills_of_a_robot(self):
        self.write_robot()
        args = ["train", "ppo", "--env", "robot.yaml", "--n-envs", "4", "--n-steps", "64",
                "--batch-size", "64", "--net-arch", "16,16", "--steps", "1024", "--eval-every",
                "512", "--eval-episodes", "2", "--checkpoint-every", "512"]
        for threads in (1, 2, 3):
            self.ok(*args, "--threads", threads, "--out", f"t{threads}")
        for threads in (2, 3):
            self.assertEqual(kit.digests(self.path("t1")), kit.digests(self.path(f"t{threads}")))
            self.assertEqual(kit.course(self.path("t1")), kit.course(self.path(f"t{threads}")))
        kill.kill_and_resume(self, kills=2, steps=2000, seed=4,
                             small=lambda *rest: small("--env", "robot.yaml", *rest))

    def test_mistakes_in_a_robot(self):
        self.write_robot()
        with open(self.path("robot.yaml"), "w") as file:
            file.write(self.ROBOT.replace("joint_position: elbow", "joint_position: elbo"))
        self.fails(kit.NAME, *small("--env", "robot.yaml", "--out", "r"),
                   says=["robot.yaml: line 6", "quantities.a", "'elbo'", "'elbow'"])
        self.assertFalse(os.path.exists(self.path("r")))
        self.fails(kit.IO, *small("--env", "none.yaml"), says=["none.yaml", "cannot be opened"])

    def test_the_example_of_the_documentation(self):
        """The file on the page is the file in examples/, without its comments."""
        source = os.environ["CELSIUS_SOURCE_DIR"]
        page = kit.read(os.path.join(source, "docs", "mujoco-models.md"))
        shown = page.split("```yaml\n")[1].split("```")[0]
        file = kit.read(os.path.join(source, "examples", "robots", "g1_stand.yaml"))

        def bare(text):
            lines = [line.split(" #")[0].rstrip() for line in text.splitlines()]
            return [line for line in lines if line and not line.startswith("#")]
        self.assertEqual(bare(shown), bare(file))

    def test_missing_models(self):
        nowhere = {"CELSIUS_MUJOCO_MODELS": self.path("none")}
        self.fails(kit.IO, "train", "sac", "--env", "Ant-v4", env=nowhere,
                   says=["ant.xml", "none", "CELSIUS_MUJOCO_MODELS"])
        listed = self.ok("list", "envs", env=nowhere)
        self.assertIn("CELSIUS_MUJOCO_MODELS", listed)
        self.assertIn("Pendulum-v1", listed)


kit.main()

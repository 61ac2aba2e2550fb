"""Data files run no code without permission, and nothing is written through symbolic links."""
import os
import shutil
import signal
import subprocess
import time
import unittest

import kit

SOURCE = """
#include <celsius/env.h>
#include <math.h>
static CelStatus point_open(CelEnvSpec *spec) {
  spec->observation = cel_space_box(1, -INFINITY, INFINITY);
  spec->action = cel_space_box(1, -1, 1);
  spec->state_size = 1;
  return CEL_OK;
}
static CelStatus point_reset(const CelEnvSpec *spec, double *s, void *obs, CelRng *rng) {
  (void)spec, (void)rng;
  s[0] = 0;
  *(float *)obs = 0;
  return RESET;
}
static CelStatus point_step(const CelEnvSpec *spec, double *s, int64_t n, const void *actions,
                            void *obs, float *reward, uint8_t *terminated, CelRng *rng) {
  (void)spec, (void)rng;
  for (int64_t i = 0; i < n; i++) {
    ((float *)obs)[i] = (float)++s[i];
    reward[i] = ((const float *)actions)[i];
    terminated[i] = 0;
  }
  return CEL_OK;
}
static const CelEnvType point = {.abi = CEL_ENV_ABI, .id = "Point-v0", .doc = "a point",
  .max_episode_steps = 20, .reward_threshold = (double)NAN,
  .open = point_open, .reset = point_reset, .step = point_step};
const CelEnvType *Point(void);
const CelEnvType *Point(void) { return &point; }
#include <stdio.h>
__attribute__((constructor)) static void loaded(void) { fputs("CODE RAN\\n", stderr); }
"""
SMALL = ["--steps", 200, "--net-arch", 8, "--batch-size", 16, "--eval-episodes", 1,
         "--checkpoint-every", 100, "--tensorboard", "false", "--quiet"]


class Trust(kit.Case):
    def make_plugin(self, path, reset="CEL_OK"):
        source = self.path(path + ".c")
        os.makedirs(os.path.dirname(source), exist_ok=True)
        with open(source, "w") as file:
            file.write(SOURCE.replace("RESET", reset))
        include = os.path.join(os.environ["CELSIUS_SOURCE_DIR"], "include")
        subprocess.run([os.environ["CELSIUS_CC"], "-shared", "-fPIC", "-I", include, source,
                        "-o", self.path(path)], check=True)

    def celsius(self, *arguments, cwd=None, allow=None):
        env = dict(os.environ, CELSIUS_PLUGIN_PATH=allow or "")
        return subprocess.run([os.environ["CELSIUS_BIN"], *map(str, arguments)],
                              cwd=cwd or self.path("."), env=env, capture_output=True, text=True)

    def test_plugins_that_files_name(self):
        self.make_plugin("p/point.so")
        trained = self.celsius("train", "sac", "--env", "p/point.so:Point", *SMALL, "--out",
                               "p/run")
        self.assertEqual(trained.returncode, 0, trained.stderr)
        self.assertIn("CODE RAN", trained.stderr)  # named on the command line
        folder, run = os.path.realpath(self.path("p")), self.path("p/run")
        commands = [["eval", run, "--episodes", 1], ["certify", run],
                    ["train", "--resume", run, "--steps", 300, "--quiet"],
                    ["train", "--config", run + "/config.yaml", "--quiet", "--out",
                     self.path("again")],
                    ["train", "--config", run + "/config.yaml", "--help"]]
        for command in commands:
            refused = self.celsius(*command)
            self.assertEqual(refused.returncode, 13, command)
            self.assertNotIn("CODE RAN", refused.stderr)
            self.assertIn("add --allow-plugins, or set CELSIUS_PLUGIN_PATH=" + folder,
                          refused.stderr)
        # These commands read only the files of the run and need no environment.
        for command in (["plot", run, "--out", self.path("x.png")],
                        ["export", run, "--format", "c", "--out", self.path("x.c")]):
            done = self.celsius(*command)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn("CODE RAN", done.stderr)
        self.assertFalse(os.path.exists(self.path("again")))
        # An allowed plug-in works from any working directory.
        self.assertEqual(self.celsius(*commands[0], cwd="/", allow=folder).returncode, 0)
        self.assertEqual(self.celsius(*commands[0], "--allow-plugins", cwd="/").returncode, 0)
        # These entries allow nothing: empty ones, relative ones, other folders.
        for other in ["", ":", ".", "p", folder + "x:" + folder + "/run"]:
            refused = self.celsius(*commands[0], allow=other)
            self.assertNotIn("CODE RAN", refused.stderr, other)
            self.assertEqual(refused.returncode, 13, other)
        # A link in an allowed folder does not allow its target.
        os.makedirs(self.path("allowed"))
        os.symlink(folder + "/point.so", self.path("allowed/point.so"))
        shutil.copytree(run, self.path("linked"))
        config = self.path("linked/config.yaml")
        with open(config) as file:
            text = file.read()
        with open(config, "w") as file:
            file.write(text.replace("../point.so", "../allowed/point.so"))
        refused = self.celsius("eval", "linked", allow=os.path.realpath(self.path("allowed")))
        self.assertEqual(refused.returncode, 13)
        self.assertNotIn("CODE RAN", refused.stderr)
        # A folder that other users can write to is not allowed.
        os.chmod(self.path("p"), 0o777)
        refused = self.celsius(*commands[0], allow=folder)
        self.assertEqual(refused.returncode, 13)
        self.assertIn("can be changed by other users", refused.stderr)
        os.chmod(self.path("p"), 0o755)

    def test_runs_move_with_their_files(self):
        self.make_plugin("here/point.so")
        here = self.path("here")
        ok = self.celsius("train", "sac", "--env", "./point.so:Point", *SMALL, "--out", "runs/a",
                          cwd=here)
        self.assertEqual(ok.returncode, 0, ok.stderr)
        with open(self.path("here/lake.mdp"), "w") as file:
            file.write("discount: 0.9\nstates: 2\nactions: 2\nstart: 0\nT: 0 identity\n"
                       "T: 1 uniform\nR: 1 : 0 : * : * 1\n")
        ok = self.celsius("train", "sql", "--env", "mdp", "--env.file", "lake.mdp",
                          "--env.max-episode-steps", 10, *SMALL, "--out", "runs/b", cwd=here)
        self.assertEqual(ok.returncode, 0, ok.stderr)
        resumed = self.celsius("train", "--resume", "here/runs/b", "--steps", 300, "--quiet")
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        os.rename(here, self.path("there"))
        for run in "ab":
            for command in (["eval"], ["train", "--quiet", "--steps", 400, "--resume"]):
                moved = self.celsius(*command, self.path("there/runs/" + run), "--allow-plugins",
                                     cwd="/")
                self.assertEqual(moved.returncode, 0, moved.stderr)
        # Paths in a config are relative to it, those in flags to the working directory.
        config = "there/runs/b/config.yaml"
        ok = self.celsius("train", "--config", config, "--quiet", "--steps", 200, "--out", "c")
        self.assertEqual(ok.returncode, 0, ok.stderr)
        ok = self.celsius("train", "--config", config, "--quiet", "--steps", 200, "--out", "d",
                          "--env.file", "there/lake.mdp")
        self.assertEqual(ok.returncode, 0, ok.stderr)

    def test_seeds_stopped_before_they_started(self):
        """Runs of --seeds that had not started find their files from any folder."""
        self.make_plugin("here/point.so")
        here = self.path("here")
        with open(self.path("here/lake.mdp"), "w") as file:
            file.write("discount: 0.9\nstates: 2\nactions: 2\nstart: 0\n"
                       "T: 0 identity\nT: 1 uniform\nR: 1 : 0 : * : * 1\n")
        endless = [*SMALL[2:], "--steps", 100000000, "--seeds", "1,2", "--jobs", 1]
        for folder, args, suggested in (
                ("g", ["sac", "--env", "point.so:Point"],
                 "celsius train --resume g --allow-plugins\n"),
                ("h", ["sac", "--env", "./point.so:Point"],
                 "celsius train --resume h --allow-plugins\n"),
                ("m", ["sql", "--env", "mdp", "--env.file", "lake.mdp",
                       "--env.max-episode-steps", 10],
                 "celsius train --resume m\n")):
            args = ["train", *args, *endless, "--out", folder]
            process = subprocess.Popen([kit.BIN, *map(str, args)], cwd=here,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            rows = self.path("here", folder, "seed-1", "progress.csv")
            until = time.monotonic() + 60
            while (time.monotonic() < until and process.poll() is None and
                   not kit.checkpoints(os.path.dirname(rows))):
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            _, printed = process.communicate(timeout=60)
            self.assertEqual(process.returncode, kit.INTERRUPTED, printed)
            self.assertIn(suggested, printed)
            self.assertFalse(os.path.exists(self.path("here", folder, "seed-2", "progress.csv")))
            # The second run is resumed first, because the first may have many steps already.
            for run in ("seed-2", ""):
                steps = 100 if run else self.steps_of(rows) + 100
                resumed = self.celsius("train", "--resume", os.path.join(here, folder, run),
                                       "--steps", steps, "--quiet", "--allow-plugins", cwd="/")
                self.assertEqual(resumed.returncode, 0, resumed.stderr)
            self.assertTrue(os.path.exists(
                self.path("here", folder, "seed-2", "final.safetensors")))

    def steps_of(self, table):
        """The step of the newest checkpoint of the run to which a table belongs."""
        return int(os.path.basename(kit.checkpoints(os.path.dirname(table))[-1])[5:14])

    def test_links_in_a_run_folder(self):
        self.celsius("train", "sac", "--env", "Pendulum-v1", *SMALL, "--out", "r")
        os.makedirs(self.path("out"))
        for name in ["config.yaml", "best.safetensors", "final.safetensors", "progress.csv",
                     "evaluations.csv", "checkpoints", "replay"]:
            kept, link = self.path("kept"), self.path("r/" + name)
            victim = self.path("out/victim") if os.path.isfile(link) else self.path("out")
            with open(self.path("out/victim"), "wb") as file:
                if name.endswith(".yaml"):
                    with open(link, "rb") as config:
                        file.write(config.read())
                else:
                    file.write(b"precious")
            with open(self.path("out/victim"), "rb") as file:
                before = file.read()
            os.rename(link, kept)
            os.symlink(victim, link)
            refused = self.celsius("train", "--resume", "r", "--steps", 600, "--quiet")
            self.assertEqual(refused.returncode, 8, name)
            self.assertIn("r/" + name + ": this is a symbolic link", refused.stderr)
            self.assertEqual(os.listdir(self.path("out")), ["victim"], name)
            with open(self.path("out/victim"), "rb") as file:
                self.assertEqual(file.read(), before, name)
            os.unlink(link)
            os.rename(kept, link)
        os.chmod(self.path("r/config.yaml"), 0o600)
        os.chmod(self.path("r/final.safetensors"), 0o600)
        self.assertEqual(self.celsius("train", "--resume", "r", "--steps", 600,
                                      "--quiet").returncode, 0)
        for name in ["config.yaml", "final.safetensors"]:
            self.assertEqual(os.stat(self.path("r/" + name)).st_mode & 0o777, 0o600, name)
        # The run folder itself may be a link, because the user named it.
        os.symlink("r", self.path("link"))
        self.assertEqual(self.celsius("train", "--resume", "link", "--steps", 700,
                                      "--quiet").returncode, 0)

    def test_unknown_status_of_a_plugin(self):
        for code, said in (("(CelStatus)77", "status 77"), ("(CelStatus)1", "status 1"),
                           ("CEL_E_INTERRUPTED", "CEL_E_INTERRUPTED"),
                           ("(CelStatus)-3", "status -3")):
            self.make_plugin("s/bad.so", reset=code)
            failed = self.celsius("train", "sac", "--env", "s/bad.so:Point", *SMALL)
            self.assertEqual(failed.returncode, 14, failed.stderr)
            self.assertIn("reset returned " + said, failed.stderr)
            self.assertIn("Point-v0", failed.stderr)


if __name__ == "__main__":
    unittest.main()
